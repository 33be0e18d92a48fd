//! Registered addresses: which ones an app may have, whose they are, and one change in seven days per account. The
//! deprecated IP calls go through the same rules.

use std::fmt;

use preopen_core::Timestamp;
use preopen_core::static_ip::{Change, Edit, Entry, NotPublic, Rule, Slot, public_ipv4};

use super::when;
use crate::samco::{App, Member, Pair, Samco};
use crate::switch::{Switch, Switches};

/// Before any time that the clock can show, by more than the window.
const LONG_AGO: Timestamp = Timestamp::from_seconds(-30 * 86_400);

/// An address that the broker takes: public IPv4, as it is then kept. The ranges for documentation pass, because the
/// sandbox's own accounts live there.
pub(in crate::samco) fn registrable(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    match public_ipv4(text) {
        Ok(ip) => Ok(ip.to_string()),
        Err(NotPublic::Documentation) => Ok(text.to_owned()),
        Err(problem) => Err(problem.as_str()),
    }
}

/// Why addresses stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::samco) enum Refusal {
    Deactivated,
    NoPrimary,
    /// The primary address would go and the secondary one stay.
    PrimaryNeeded,
    Same,
    /// Another client has it.
    Taken(String),
    TooEarly {
        last: Option<Timestamp>,
        next: Timestamp,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deactivated => f.write_str("This app is deactivated. Activate it, then register its addresses."),
            Self::NoPrimary => f.write_str("Register the primary address first, then the secondary one."),
            Self::PrimaryNeeded => f.write_str(
                "The primary address cannot go while there is a secondary one. Change it to another address, or delete \
                 the secondary one first.",
            ),
            Self::Same => f.write_str("The primary and the secondary address must be different."),
            Self::Taken(ip) => write!(
                f,
                "{ip} is registered by another client. An address belongs to one client at a time."
            ),
            Self::TooEarly { last, next } => {
                let last = last.map_or_else(String::new, |last| {
                    format!(" The addresses of this account were last changed at {}.", when(last))
                });
                write!(
                    f,
                    "The next change is possible from {} on.{last} One change in 7 days is allowed, over all apps \
                     together.",
                    when(*next)
                )
            }
        }
    }
}

/// A change that was found allowed.
#[derive(Debug)]
pub(in crate::samco) struct Allowed {
    pair: Pair,
    /// Whether the seven days begin with it.
    pub(super) counts: bool,
}

/// What the checker of the core has to know of an account. Of everything that ever happened only two things can matter
/// still: what is registered now, and when a change was last counted; so no longer history is kept. The latter is told
/// as a deletion in an app of old, which counts and leaves the present as it is.
fn history(member: &Member) -> Vec<Change> {
    let entry = |ip: &str| ip.parse().map_or(Entry::Keep, Entry::Set);
    let registered = member.registered().map(|app| {
        let pair = &app.addresses;
        let edit = Edit::new(name_of(app), entry(&pair.primary), entry(&pair.secondary));
        Change::new(LONG_AGO, edit)
    });
    let counted = member.last_counted_change.map(|at| {
        let edit = Edit::new("an app of old", Entry::Delete, Entry::Keep);
        Change::new(at, edit)
    });
    registered.chain(counted).collect()
}

fn name_of(app: &App) -> String {
    app.id.to_string()
}

/// When the next change that counts is possible; `None` when it is now.
pub(super) fn next_change(member: &Member, now: Timestamp) -> Option<Timestamp> {
    Rule::SAMCO.next_change(&history(member), now).at
}

/// Whether an app's addresses may become these.
pub(in crate::samco) fn check(
    samco: &Samco,
    switches: &Switches,
    member: usize,
    app: usize,
    pair: Pair,
    now: Timestamp,
) -> Result<Allowed, Refusal> {
    let owner = &samco.members()[member];
    let app = &owner.apps()[app];
    if !app.is_active() {
        return Err(Refusal::Deactivated);
    }
    let before = &app.addresses;
    if pair == *before {
        return Ok(Allowed { pair, counts: false });
    }
    if pair.primary.is_empty() && !pair.secondary.is_empty() {
        return Err(if before.primary.is_empty() {
            Refusal::NoPrimary
        } else {
            Refusal::PrimaryNeeded
        });
    }
    if !pair.primary.is_empty() && pair.primary == pair.secondary {
        return Err(Refusal::Same);
    }
    for ip in [&pair.primary, &pair.secondary] {
        if !ip.is_empty() && !has(owner, ip) && is_elsewhere(samco, member, ip) {
            return Err(Refusal::Taken(ip.clone()));
        }
    }
    let edit = edit_to(app, &pair);
    // The pairs that it refuses were refused above.
    let answer = Rule::SAMCO
        .may_change(&history(owner), now, &edit)
        .map_err(|_| Refusal::Same)?;
    if answer.free {
        return Ok(Allowed { pair, counts: false });
    }
    if is_first(switches, owner, app, &pair) {
        let counts = switches.is_on(Switch::SamcoFirstIpCounts);
        return Ok(Allowed { pair, counts });
    }
    match answer.at {
        Some(next) if !answer.allowed => Err(Refusal::TooEarly {
            last: answer.last_counted,
            next,
        }),
        _ => Ok(Allowed { pair, counts: true }),
    }
}

fn edit_to(app: &App, pair: &Pair) -> Edit {
    let entry = |slot| match (app.addresses.at(slot), pair.at(slot)) {
        (before, after) if before == after => Entry::Keep,
        (_, "") => Entry::Delete,
        (_, after) => after.parse().map_or(Entry::Keep, Entry::Set),
    };
    Edit::new(name_of(app), entry(Slot::Primary), entry(Slot::Secondary))
}

/// Whether nothing but slots is filled that never held an address: those of the app, or those of all apps of the account,
/// as the switch says.
fn is_first(switches: &Switches, owner: &Member, app: &App, pair: &Pair) -> bool {
    let of_account = match switches.word(Switch::SamcoFirstIpAnytime) {
        "app" => false,
        "account" => true,
        _ => return false,
    };
    let held = |slot| {
        let has_held = |app: &App| match slot {
            Slot::Secondary => app.held.secondary,
            _ => app.held.primary,
        };
        if of_account {
            owner.apps().iter().any(has_held)
        } else {
            has_held(app)
        }
    };
    [Slot::Primary, Slot::Secondary]
        .into_iter()
        .all(|slot| app.addresses.at(slot) == pair.at(slot) || (!held(slot) && !pair.at(slot).is_empty()))
}

/// Whether an app of the account has the address.
fn has(owner: &Member, ip: &str) -> bool {
    owner.registered().any(|app| app.addresses.has(ip))
}

/// Whether another account has the address. Accounts that were made with the same one keep it both.
fn is_elsewhere(samco: &Samco, member: usize, ip: &str) -> bool {
    let mut others = samco.members().iter().enumerate();
    others.any(|(at, other)| at != member && has(other, ip))
}

/// Does what was allowed.
pub(in crate::samco) fn apply(
    samco: &mut Samco,
    member: usize,
    app: usize,
    allowed: Allowed,
    now: Timestamp,
) {
    let owner = &mut samco.members[member];
    if allowed.counts {
        owner.last_counted_change = Some(now);
    }
    owner.apps[app].change_addresses(allowed.pair, now);
}

/// Takes the addresses of an app that is being deactivated; that is no change which counts.
pub(super) fn release(app: &mut App, now: Timestamp) {
    let taken = std::mem::take(&mut app.addresses);
    if !taken.is_empty() {
        app.addresses_changed_at = Some(now);
        app.released = taken;
    }
}

/// Gives an app back what its deactivation took, as far as nobody else has it by now.
pub(super) fn restore(samco: &mut Samco, member: usize, app: usize, now: Timestamp) {
    let released = std::mem::take(&mut samco.members[member].apps[app].released);
    if released.is_empty() {
        return;
    }
    let free = |ip: String| {
        let taken = is_elsewhere(samco, member, &ip) && !has(&samco.members[member], &ip);
        if taken { String::new() } else { ip }
    };
    let mut pair = Pair::new(free(released.primary), free(released.secondary));
    if pair.primary.is_empty() {
        std::mem::swap(&mut pair.primary, &mut pair.secondary);
    }
    samco.members[member].apps[app].change_addresses(pair, now);
}
