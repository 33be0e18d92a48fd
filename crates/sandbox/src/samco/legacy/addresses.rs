//! The deprecated endpoints that register and change the static addresses of an account: those of its first app, by the
//! rules of the dashboard.

use http::StatusCode;
use preopen_core::Timestamp;
use serde_json::json;

use super::{failed, field};
use crate::samco::envelope::success;
use crate::samco::portal::{self, Refusal};
use crate::samco::{Member, Pair};
use crate::state::State;
use crate::wire::{Reply, Request};

/// `POST /ip/ipRegistration`: fills what is not registered yet.
pub(crate) fn register(state: &State, request: &Request) -> Reply {
    change(state, request, "Client IPs registered successfully", |member| {
        let registered = &member.first().addresses;
        let full = !registered.primary.is_empty() && !registered.secondary.is_empty();
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

/// These calls know no apps.
const APP: usize = 0;

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
    let right = |at: &usize| samco.members[*at].password == field(&body, "password");
    let Some(index) = index.filter(right) else {
        return failed(state, StatusCode::UNAUTHORIZED, "Incorrect Password");
    };
    let refused = |status, text: &str| failed(state, status, text).for_account(&client);
    if let Some((status, text)) = refuse(&samco.members[index]) {
        return refused(status, text);
    }
    // Without a secondary address the registered one stays: only the dashboard deletes.
    let secondary = Some(field(&body, "secondaryIp")).filter(|ip| !ip.is_empty());
    let registered = samco.members[index].first().addresses.secondary.clone();
    // Not documented: no row shows an address that is refused.
    let kept = match secondary {
        Some(ip) => portal::registrable(&ip),
        None => Ok(registered),
    };
    let (Ok(primary), Ok(secondary)) = (portal::registrable(&primary), kept) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "Only public IPv4 addresses can be registered",
        );
    };
    let pair = Pair::new(primary, secondary);
    match portal::check(&samco, &state.switches, index, APP, pair.clone(), now) {
        Ok(allowed) => portal::apply(&mut samco, index, APP, allowed, now),
        Err(Refusal::TooEarly { .. }) => {
            let text = "IP update allowed only once per calendar week";
            return refused(StatusCode::BAD_REQUEST, text);
        }
        Err(Refusal::Same) => {
            let text = "primaryIp and secondaryIp must be different";
            return refused(StatusCode::BAD_REQUEST, text);
        }
        // Not documented either.
        Err(refusal) => return refused(StatusCode::BAD_REQUEST, &refusal.to_string()),
    }
    drop(samco);
    let data = json!({
        "user_id": client, "primary_ip": pair.primary, "secondary_ip": pair.secondary,
        "ip_updated_at": iso_millis(now),
    });
    success(state, done, json!({"data": data})).for_account(&client)
}

/// `2026-01-29T05:16:07.000Z`, the form of `ip_updated_at`.
fn iso_millis(at: Timestamp) -> String {
    let whole = Timestamp::from_seconds(at.as_seconds()).to_rfc3339();
    let millis = at.as_millis().rem_euclid(1000);
    format!("{}.{millis:03}Z", whole.trim_end_matches('Z'))
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
