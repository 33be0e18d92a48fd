//! How many files this process may have open: a crowd of connections needs as many as the system allows.

/// How many are left to everything but connections: databases, certificates, standard streams.
#[cfg(unix)]
const RESERVE: usize = 256;

/// Raises the limit to what the system allows this user; how many connections there is room for then. Where raising fails
/// the limit stays as it is. `None` where the system tells no limit.
#[cfg(unix)]
pub(crate) fn room() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// Where there is no limit at all, a number is still wanted.
    const ENOUGH: u64 = 65_536;
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum.or(Some(ENOUGH)),
        maximum: limit.maximum,
    };
    if limit.current < raised.current {
        let _ = setrlimit(Resource::Nofile, raised);
    }
    let files = usize::try_from(getrlimit(Resource::Nofile).current?).ok()?;
    Some(files.saturating_sub(RESERVE).max(files / 2))
}

#[cfg(not(unix))]
pub(crate) fn room() -> Option<usize> {
    None
}
