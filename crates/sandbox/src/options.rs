//! What a sandbox can be started with.

use std::path::PathBuf;
use std::time::Duration;

use preopen_core::Timestamp;

use crate::script::Script;

/// How to start a sandbox. The default is plain HTTP on a free port, with the clock at real time.
///
/// ```
/// use preopen_sandbox::Options;
/// let options = Options::default().port(8800).tls(true);
/// assert!(options.tls);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Serve HTTPS with a certificate of a CA that is made for this start.
    pub tls: bool,
    /// Where the virtual clock starts; `None` is the machine's time.
    pub start_at: Option<Timestamp>,
    /// How fast the virtual clock runs: 1 is real time, 0 stands still.
    pub clock_rate: f64,
    /// The file that keeps the state, which is made when it is missing; `None` forgets everything at the end. With a file
    /// that holds something, its clock goes on: `start_at` and `clock_rate` are for a new one.
    pub data: Option<PathBuf>,
    /// What happens when, by itself.
    pub script: Option<Script>,
    /// How long a client may take to send the head of a request, and how long an idle connection is kept.
    pub header_timeout: Duration,
    /// How long a client may take to send the body of a request.
    pub body_timeout: Duration,
    /// How long a client may take no byte of a reply before it is cut off.
    pub reply_timeout: Duration,
    /// How many connections there may be at once; those beyond are told 503.
    pub connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            tls: false,
            start_at: None,
            clock_rate: 1.0,
            data: None,
            script: None,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            reply_timeout: Duration::from_secs(30),
            connections: 20_000,
        }
    }
}

impl Options {
    /// Sets the port; 0 takes a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Chooses HTTPS or plain HTTP.
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Starts the virtual clock at `at`.
    pub fn start_at(mut self, at: Timestamp) -> Self {
        self.start_at = Some(at);
        self
    }

    /// Sets the speed of the virtual clock: 1 is real time, 0 stands still.
    pub fn clock_rate(mut self, rate: f64) -> Self {
        self.clock_rate = rate;
        self
    }

    /// Keeps the state in this file.
    pub fn data(mut self, path: impl Into<PathBuf>) -> Self {
        self.data = Some(path.into());
        self
    }

    /// Plays a script, on a clock that starts and runs as the script wants. Call [`Options::start_at`] and
    /// [`Options::clock_rate`] after this to have it otherwise.
    pub fn script(mut self, script: Script) -> Self {
        self.start_at = script.start().or(self.start_at);
        self.clock_rate = script.speed().unwrap_or(self.clock_rate);
        self.script = Some(script);
        self
    }

    /// Limits the time for the head of a request and for idle connections.
    pub fn header_timeout(mut self, limit: Duration) -> Self {
        self.header_timeout = limit;
        self
    }

    /// Limits the time for the body of a request.
    pub fn body_timeout(mut self, limit: Duration) -> Self {
        self.body_timeout = limit;
        self
    }

    /// Limits the number of connections at once: at most as many as the process may open files, less those that it
    /// needs otherwise.
    pub fn connections(mut self, limit: usize) -> Self {
        self.connections = limit;
        self
    }

    /// Limits the time in which a client takes nothing of a reply.
    pub fn reply_timeout(mut self, limit: Duration) -> Self {
        self.reply_timeout = limit;
        self
    }
}
