//! Who may use the control API: callers on this machine that hold the token, and no web page from elsewhere.

use http::StatusCode;
use subtle::ConstantTimeEq as _;

use crate::error::ControlError;
use crate::state::State;
use crate::wire::Request;

pub(super) fn check(state: &State, request: &Request) -> Result<(), ControlError> {
    let forbidden = |message: &str| Err(ControlError::new(StatusCode::FORBIDDEN, "forbidden", message));
    if !is_own_host(state, request) {
        return forbidden(
            "the Host header must be 127.0.0.1, localhost or [::1] with the port of this sandbox",
        );
    }
    let origin = request
        .headers
        .get("origin")
        .map(|value| value.to_str().unwrap_or("?"));
    if origin.is_some_and(|origin| !is_own_origin(state, origin)) {
        return forbidden("requests of web pages from elsewhere are refused (Origin header)");
    }
    let given = request.header("x-sandbox-token");
    if given.is_empty() {
        let text = "the x-sandbox-token header is missing";
        return Err(ControlError::new(StatusCode::UNAUTHORIZED, "unauthorized", text));
    }
    if !bool::from(given.as_bytes().ct_eq(state.control_token.as_bytes())) {
        return Err(ControlError::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "x-sandbox-token is wrong",
        ));
    }
    Ok(())
}

/// Whether the request was addressed to this sandbox by a loopback name: a web page that points a name of
/// its own at 127.0.0.1 gives itself away here.
pub(crate) fn is_own_host(state: &State, request: &Request) -> bool {
    is_own_authority(state, request.header("host"))
}

/// Whether a form came from one of the sandbox's own pages. Clients that are no browsers name no origin.
pub(crate) fn is_own_form(state: &State, request: &Request) -> bool {
    match request.headers.get("origin") {
        None => true,
        Some(origin) => is_own_origin(state, origin.to_str().unwrap_or("?")),
    }
}

pub(super) fn is_own_origin(state: &State, origin: &str) -> bool {
    let scheme = if state.options.tls { "https://" } else { "http://" };
    origin
        .strip_prefix(scheme)
        .is_some_and(|authority| is_own_authority(state, authority))
}

fn is_own_authority(state: &State, authority: &str) -> bool {
    is_loopback_at(authority, state.port, state.options.tls)
}

/// Whether an authority is this machine at this port, in the one spelling that clients have for it.
fn is_loopback_at(authority: &str, port: u16, tls: bool) -> bool {
    let (host, given) = match authority.rsplit_once(':') {
        Some((host, given)) if !given.ends_with(']') => (host, Some(given)),
        _ => (authority, None),
    };
    let loopback = ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|name| host.eq_ignore_ascii_case(name));
    let right = match given {
        Some(given) => given == port.to_string(),
        // Clients leave out the port that a scheme has by itself.
        None => port == if tls { 443 } else { 80 },
    };
    loopback && right
}

#[cfg(test)]
mod tests {
    use super::is_loopback_at;

    #[test]
    fn the_port_of_the_scheme_may_be_left_out() {
        for (port, tls) in [(80, false), (443, true)] {
            for name in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"] {
                assert!(is_loopback_at(name, port, tls), "{name}");
                assert!(is_loopback_at(&format!("{name}:{port}"), port, tls), "{name}");
                assert!(!is_loopback_at(name, port, !tls) && !is_loopback_at(name, 8443, tls));
                assert!(!is_loopback_at(&format!("{name}:"), port, tls), "{name}");
            }
        }
    }

    #[test]
    fn a_port_has_one_spelling() {
        for wrong in ["+8080", "08080", " 8080", "", "8081", "8080]"] {
            assert!(
                !is_loopback_at(&format!("127.0.0.1:{wrong}"), 8080, false),
                "{wrong}"
            );
        }
        assert!(!is_loopback_at("::1", 80, false) && !is_loopback_at("evil.example:80", 80, false));
    }
}
