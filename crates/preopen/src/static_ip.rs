//! Static IPs for users: the core's words, and what an order's refusal tells beside the broker's text.

use std::time::Duration;

use preopen_core::lifecycle::Record;
pub use preopen_core::static_ip::{
    Addresses, Answer, Change, Edit, Entry, Family, NetworkPath, NotPublic, Proxy, Rule, Slot, Verdict,
    WhoAmI, Window, check_public, may_change, public_ipv4,
};
use preopen_core::{Error, ErrorKind};

use crate::session::Inner;

/// Said when the broker refuses an address that it calls registered a moment later.
const REGISTERED_NOW: &str = "the broker says that this address is registered: if it was registered moments ago, try \
                              again, else look whether some requests leave through a proxy or by another address";

impl Inner {
    /// Names the registered addresses in the refusal of a login or a refresh, as far as the session before told them.
    pub(crate) fn with_registered(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::StaticIpMismatch || error.context().primary_ip.is_some() {
            return error;
        }
        let record = self.state.published().or_else(|| self.renewable());
        let told = record.and_then(|record| record.addresses());
        let error = match told {
            Some(told) => {
                let registered = Addresses::new(None, told.primary.as_deref(), told.secondary.as_deref());
                let text = format!(
                    " (registered: primary {}, secondary {})",
                    registered.primary.as_deref().unwrap_or("none"),
                    registered.secondary.as_deref().unwrap_or("none")
                );
                add(error, &text).with_addresses(&registered)
            }
            None => error,
        };
        add(
            error,
            "; the broker's dashboard tells which address it sees from there",
        )
    }

    /// Names the addresses in a static-IP refusal: asks the broker which one it sees, best effort and for `patience` at most.
    pub(crate) async fn with_addresses(&self, error: Error, record: &Record, patience: Duration) -> Error {
        let Some(mut whoami) = self.adapter.whoami() else {
            let nothing = preopen_core::envelope::Reply::new(serde_json::Value::Null, 200);
            return match self.adapter.read_whoami(&nothing) {
                Ok(who) => add(error, &format!("; {}", who.message)),
                Err(_) => error,
            };
        };
        let patience = patience.min(Duration::from_secs(2));
        let asked = self.exchange(&mut whoami, record, patience).await;
        if let Some(who) = asked.ok().and_then(|reply| self.adapter.read_whoami(&reply).ok()) {
            let more = match who.verdict {
                Verdict::Match(_) => format!("; {REGISTERED_NOW}"),
                _ if who.addresses.left_by_ipv6() => {
                    let fix = who.addresses.fix().unwrap_or_default();
                    format!("; {fix}")
                }
                _ => String::new(),
            };
            return add(error, &format!(" ({}){more}", who.addresses)).with_addresses(&who.addresses);
        }
        // What the login told: the registered addresses. The one that it saw may be that of another host, which opened the
        // session for this one.
        let Some(told) = record.addresses() else {
            return error;
        };
        let registered = Addresses::new(None, told.primary.as_deref(), told.secondary.as_deref());
        let text = |address: &Option<String>| address.clone().unwrap_or_else(|| "none".to_owned());
        let (primary, secondary) = (text(&registered.primary), text(&registered.secondary));
        add(
            error,
            &format!(" (registered at the login: primary {primary}, secondary {secondary})"),
        )
        .with_addresses(&registered)
    }
}

fn add(error: Error, more: &str) -> Error {
    let message = format!("{}{more}", error.message());
    error.with_message(message)
}
