//! How many files this process may have open: a crowd of connections needs as many as the system allows.

/// Raises the limit to what the system allows this user. Where that fails the limit stays as it is, and the sandbox
/// turns connections away earlier.
#[cfg(unix)]
pub(crate) fn allow_most() {
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
}

#[cfg(not(unix))]
pub(crate) fn allow_most() {}
