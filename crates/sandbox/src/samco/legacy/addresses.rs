//! The deprecated endpoints that register and change an account's static addresses.

use http::StatusCode;
use preopen_core::Timestamp;
use preopen_core::static_ip::{Change, Edit, Entry, NotPublic, Rule, public_ipv4};
use serde_json::json;

use super::{failed, field};
use crate::samco::Member;
use crate::samco::envelope::success;
use crate::state::State;
use crate::wire::{Reply, Request};

/// `POST /ip/ipRegistration`: fills what is not registered yet.
pub(crate) fn register(state: &State, request: &Request) -> Reply {
    change(state, request, "Client IPs registered successfully", |member| {
        let account = &member.account;
        let full = !account.primary_ip.is_empty() && !account.secondary_ip.is_empty();
        full.then_some((
            StatusCode::CONFLICT,
            "Both primary and secondary IP already registered",
        ))
    })
}

/// `POST /ip/ipUpdate`.
pub(crate) fn update(state: &State, request: &Request) -> Reply {
    change(state, request, "Client IPs updated successfully", |_| None)
}

fn change(
    state: &State,
    request: &Request,
    done: &str,
    refuse: impl Fn(&Member) -> Option<(StatusCode, &'static str)>,
) -> Reply {
    let body = request.json().unwrap_or_default();
    let (client, primary) = (field(&body, "clientId"), field(&body, "primaryIp"));
    if client.is_empty() || primary.is_empty() {
        return failed(
            state,
            StatusCode::BAD_REQUEST,
            "clientId and primaryIp are required",
        );
    }
    let now = state.now();
    let mut samco = state.samco();
    let index = samco.by_account.get(&client).copied();
    let member = index.map(|at| &mut samco.members[at]);
    let Some(member) = member.filter(|member| member.account.password == field(&body, "password")) else {
        return failed(state, StatusCode::UNAUTHORIZED, "Incorrect Password");
    };
    let refused = |status, text| failed(state, status, text).for_account(&client);
    if let Some((status, text)) = refuse(member) {
        return refused(status, text);
    }
    let account = &mut member.account;
    // Without a secondary address the registered one stays: only the dashboard deletes.
    let secondary = Some(field(&body, "secondaryIp")).filter(|ip| !ip.is_empty());
    let secondary = secondary.unwrap_or_else(|| account.secondary_ip.clone());
    // Not documented: no row shows an address that is refused.
    let entry = |ip: &str| {
        if ip.is_empty() {
            Some(Entry::Keep)
        } else {
            registrable(ip)
        }
    };
    let (Some(first), Some(second)) = (registrable(&primary), entry(&secondary)) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "Only public IPv4 addresses can be registered",
        );
    };
    let history = history(
        &account.primary_ip,
        &account.secondary_ip,
        member.legacy.last_change,
    );
    match Rule::SAMCO.may_change(&history, now, &Edit::new(APP, first, second)) {
        Ok(answer) if answer.free => {}
        Ok(answer) if answer.allowed => member.legacy.last_change = Some(now),
        Ok(_) => {
            return refused(
                StatusCode::BAD_REQUEST,
                "IP update allowed only once per calendar week",
            );
        }
        Err(_) => {
            let text = "primaryIp and secondaryIp must be different";
            return refused(StatusCode::BAD_REQUEST, text);
        }
    }
    account.primary_ip.clone_from(&primary);
    account.secondary_ip.clone_from(&secondary);
    drop(samco);
    let data = json!({
        "user_id": client, "primary_ip": primary, "secondary_ip": secondary, "ip_updated_at": iso_millis(now),
    });
    success(state, done, json!({"data": data})).for_account(&client)
}

/// Accounts of the sandbox have one app.
const APP: &str = "app";

/// What is registered, as one change at the time of the last one that counts. Addresses that an account was
/// born with, or that were set by the control API, were never a change.
fn history(primary: &str, secondary: &str, last_counted: Option<Timestamp>) -> Vec<Change> {
    let entry = |ip: &str| ip.parse().map_or(Entry::Keep, Entry::Set);
    let registered = Edit::new(APP, entry(primary), entry(secondary));
    let at = last_counted.unwrap_or(LONG_AGO);
    if registered.primary == Entry::Keep {
        return Vec::new();
    }
    vec![Change::new(at, registered)]
}

/// Before any time that the clock can show, by more than the window.
const LONG_AGO: Timestamp = Timestamp::from_seconds(-30 * 86_400);

/// `2026-01-29T05:16:07.000Z`, the form of `ip_updated_at`.
fn iso_millis(at: Timestamp) -> String {
    let whole = Timestamp::from_seconds(at.as_seconds()).to_rfc3339();
    let millis = at.as_millis().rem_euclid(1000);
    format!("{}.{millis:03}Z", whole.trim_end_matches('Z'))
}

/// An address that the broker takes: public IPv4. The ranges for documentation pass, because the sandbox's own
/// accounts live there.
fn registrable(text: &str) -> Option<Entry> {
    match public_ipv4(text) {
        Ok(ip) => Some(Entry::Set(ip)),
        Err(NotPublic::Documentation) => text.parse().ok().map(Entry::Set),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::iso_millis;
    use preopen_core::Timestamp;

    #[test]
    fn the_time_has_three_decimals() {
        let at = Timestamp::parse_rfc3339("2026-01-29T05:16:07Z").unwrap();
        assert_eq!(iso_millis(at.plus_millis(40)), "2026-01-29T05:16:07.040Z");
    }
}
