//! The rule on changes of static IPs.

use napi_derive::napi;
use preopen_ffi::{check_static_ip, may_change_static_ip};

use crate::outcome::{Outcome, json};

/// Whether a static IP may be changed; asked and answered as JSON text.
#[napi]
pub(crate) fn static_ip_may_change(asked: String) -> Outcome<String> {
    Outcome(may_change_static_ip(&asked).map(|answer| json(&answer)))
}

/// A public IPv4 address in its usual form.
#[napi]
pub(crate) fn static_ip_check(address: String) -> Outcome<String> {
    Outcome(check_static_ip(&address))
}
