//! The deprecated endpoints that register and change an account's static addresses.

mod rule;

use std::net::Ipv4Addr;

use http::StatusCode;
use serde_json::json;

use super::{failed, field};
use crate::samco::Member;
use crate::samco::envelope::success;
use crate::state::State;
use crate::wire::{Reply, Request};
use rule::Counted;

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
    if !is_registrable(&primary) || !(secondary.is_empty() || is_registrable(&secondary)) {
        return refused(
            StatusCode::BAD_REQUEST,
            "Only public IPv4 addresses can be registered",
        );
    }
    if primary == secondary {
        let text = "primaryIp and secondaryIp must be different";
        return refused(StatusCode::BAD_REQUEST, text);
    }
    let registered = [account.primary_ip.as_str(), account.secondary_ip.as_str()];
    let wanted = [primary.as_str(), secondary.as_str()];
    match rule::check(member.legacy.last_change, registered, wanted, now) {
        Ok(Counted::Yes) => member.legacy.last_change = Some(now),
        Ok(Counted::No) => {}
        Err(rule::TooSoon) => {
            return refused(
                StatusCode::BAD_REQUEST,
                "IP update allowed only once per calendar week",
            );
        }
    }
    account.primary_ip.clone_from(&primary);
    account.secondary_ip.clone_from(&secondary);
    drop(samco);
    let data = json!({
        "user_id": client, "primary_ip": primary, "secondary_ip": secondary, "ip_updated_at": rule::iso_millis(now),
    });
    success(state, done, json!({"data": data})).for_account(&client)
}

/// Whether a broker takes an address: public IPv4. The ranges for documentation pass, because the sandbox's
/// own accounts live there.
fn is_registrable(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok_and(|ip| {
        let [a, b, ..] = ip.octets();
        let carrier_nat = a == 100 && (64..128).contains(&b);
        !(ip.is_private()
            || ip.is_loopback()
            || ip.is_link_local()
            || ip.is_multicast()
            || carrier_nat
            || a == 0
            || a >= 240)
    })
}
