//! A byte that wakes an event loop: a pair of sockets, of which the loop watches one.

#[cfg(unix)]
pub(crate) use self::sockets::Bell;

#[cfg(not(unix))]
pub(crate) use self::nothing::Bell;

#[cfg(unix)]
mod sockets {
    use std::io::{self, Read as _, Write as _};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    /// Rings at most once until it is silenced: that is the caller's business, and the sockets never fill up.
    pub(crate) struct Bell {
        rings: UnixStream,
        watched: UnixStream,
    }

    impl Bell {
        pub(crate) fn new() -> io::Result<Self> {
            let (rings, watched) = UnixStream::pair()?;
            rings.set_nonblocking(true)?;
            watched.set_nonblocking(true)?;
            Ok(Self { rings, watched })
        }

        pub(crate) fn fileno(&self) -> i32 {
            self.watched.as_raw_fd()
        }

        pub(crate) fn ring(&self) {
            // When it cannot be written, it was and is still to be read.
            let _ = (&self.rings).write(&[1]);
        }

        pub(crate) fn silence(&self) {
            let _ = (&self.watched).read(&mut [0; 64]);
        }
    }
}

#[cfg(not(unix))]
mod nothing {
    use std::convert::Infallible;
    use std::io;

    /// The event loop of Windows watches no sockets.
    pub(crate) struct Bell(Infallible);

    impl Bell {
        pub(crate) fn new() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn fileno(&self) -> i32 {
            match self.0 {}
        }

        pub(crate) fn ring(&self) {
            match self.0 {}
        }

        pub(crate) fn silence(&self) {
            match self.0 {}
        }
    }
}
