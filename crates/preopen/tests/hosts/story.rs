//! From what the hosts' stores did to a history of each account, and what must be true of it (H7): it is linearizable, and
//! in the order that was found generations grow, are published once, and no claim writes after a later one did.

use std::collections::{BTreeMap, HashMap, HashSet};

use preopen::core::lifecycle::Identity;
use preopen::core::lifecycle::shared::{Kept as Opened, Origin};
use preopen::core::target::Target;
use preopen::{Clock as _, SealKey};

use crate::history::{Did, Operation, order};
use crate::host::{Account, named};
use crate::record::{Kept, Seen, What};
use crate::world::World;

/// How much there was to check.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) operations: usize,
    pub(crate) writes: usize,
    pub(crate) generations: usize,
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.operations += other.operations;
        self.writes += other.writes;
        self.generations += other.generations;
    }
}

/// A write, as far as it is known.
struct Write {
    from: u64,
    to: Option<u64>,
    certain: bool,
    /// The host, and its claim.
    claim: (usize, u64),
}

/// What was done to one account.
#[derive(Default)]
struct Story {
    reads: Vec<Operation>,
    writes: BTreeMap<u64, Write>,
    values: HashMap<u64, Kept>,
}

/// A name for a value; 0 is the one of nothing.
fn name(value: &Kept) -> u64 {
    match value {
        (None, None) => 0,
        value => named(&format!("{value:?}")) | 1,
    }
}

impl Story {
    fn take_in(stories: &mut HashMap<String, Self>, host: usize, seen: &[Seen]) {
        let mut begun: HashMap<u64, &Seen> = HashMap::new();
        for one in seen {
            if matches!(one.what, What::Looks { .. } | What::Writes { .. }) {
                begun.insert(one.nth, one);
            }
        }
        let mut ended: HashMap<u64, &Seen> = HashMap::new();
        for one in seen {
            if !matches!(one.what, What::Looks { .. } | What::Writes { .. }) {
                ended.insert(one.nth, one);
            }
        }
        for (nth, begin) in begun {
            let end = ended.get(&nth);
            match (&begin.what, end.map(|end| &end.what)) {
                (What::Looks { account }, Some(What::Found { value, .. })) => {
                    let story = stories.entry(account.clone()).or_default();
                    story.reads.push(Operation {
                        from: begin.at,
                        to: end.map(|end| end.at),
                        did: Did::Read(name(value)),
                    });
                    story.values.insert(name(value), value.clone());
                }
                (What::Writes { .. }, Some(What::Wrote(false))) | (What::Looks { .. }, _) => {}
                (
                    What::Writes {
                        account,
                        claim,
                        value,
                    },
                    outcome,
                ) => {
                    let story = stories.entry(account.clone()).or_default();
                    let certain = matches!(outcome, Some(What::Wrote(true)));
                    let write = Write {
                        from: begin.at,
                        to: end.filter(|_| certain).map(|end| end.at),
                        certain,
                        claim: (host, *claim),
                    };
                    story.values.insert(name(value), value.clone());
                    story.writes.insert(name(value), write);
                }
                _ => {}
            }
        }
    }

    /// The values in the order in which they were written.
    fn order(&self) -> Result<(Vec<u64>, usize), String> {
        let found: HashSet<u64> = self
            .reads
            .iter()
            .filter_map(|read| match read.did {
                Did::Read(value) => Some(value),
                _ => None,
            })
            .collect();
        let mut operations = self.reads.clone();
        for (value, write) in &self.writes {
            // Every value is written once, so one that was read was written; one that nobody knows of and nobody read
            // may as well not have been.
            if write.certain || found.contains(value) {
                operations.push(Operation {
                    from: write.from,
                    to: write.to,
                    did: Did::Wrote(*value),
                });
            }
        }
        operations.sort_by_key(|operation| operation.from);
        let count = operations.len();
        match order(&operations) {
            Some(order) => Ok((order, count)),
            None => Err(format!("no order explains what was read: {}", told(&operations))),
        }
    }

    fn check(&self, open: impl Fn(&Kept) -> Result<Opened, String>) -> Result<Size, String> {
        let (order, operations) = self.order()?;
        let mut over: HashSet<(usize, u64)> = HashSet::new();
        let mut holder = None;
        let mut generations: HashSet<Origin> = HashSet::new();
        let mut last: Option<(Origin, Option<Origin>)> = None;
        for value in &order {
            let claim = self.writes[value].claim;
            if holder != Some(claim) {
                over.extend(holder);
                if over.contains(&claim) {
                    return Err(format!("the claim {claim:?} wrote after a later one did"));
                }
                holder = Some(claim);
            }
            let opened = open(&self.values[value])?;
            let ended = opened.guard.newest_ended();
            let Some(origin) = opened.origin() else { continue };
            if let Some((before, dead)) = last {
                if before.epoch != origin.epoch {
                    return Err(format!("a new epoch without a wipe: {before:?}, then {origin:?}"));
                }
                if origin.generation < before.generation {
                    return Err(format!("back from {before:?} to {origin:?}"));
                }
                if dead.map(|dead| dead.generation) > ended.map(|ended| ended.generation) {
                    return Err(format!("a dead session came back: {dead:?}, then {ended:?}"));
                }
            }
            let new = last.is_none_or(|(before, _)| before != origin);
            if new && !generations.insert(origin) {
                return Err(format!("{origin:?} was published twice"));
            }
            last = Some((origin, ended));
        }
        self.same_generation_same_session(&order, open)?;
        Ok(Size {
            operations,
            writes: order.len(),
            generations: generations.len(),
        })
    }

    fn same_generation_same_session(
        &self,
        order: &[u64],
        open: impl Fn(&Kept) -> Result<Opened, String>,
    ) -> Result<(), String> {
        let mut tokens: HashMap<Origin, u64> = HashMap::new();
        for value in order {
            let kept = &self.values[value];
            let opened = open(kept)?;
            let Some(origin) = opened.origin() else { continue };
            let Some(token) = opened.token() else { continue };
            if *tokens.entry(origin).or_insert(token) != token {
                return Err(format!("two sessions are called {origin:?}"));
            }
        }
        Ok(())
    }
}

/// What names the session of a value.
trait Tokens {
    fn token(&self) -> Option<u64>;
}

impl Tokens for Opened {
    fn token(&self) -> Option<u64> {
        let at = preopen::Timestamp::parse_rfc3339("2026-11-23T10:00:00+05:30")?;
        let now = preopen::VirtualClock::new(at, 0.0).now();
        let never = &preopen::core::broker::Adapter::policy(&preopen::Samco::new("k", "s")).expiry;
        let login = self.renewable(now, never)?;
        let tokens: Vec<String> = login
            .tokens
            .all()
            .iter()
            .map(|secret| secret.expose().to_owned())
            .collect();
        Some(named(&tokens.join(" ")))
    }
}

/// The last operations of a history, in microseconds since its beginning.
fn told(operations: &[Operation]) -> String {
    let zero = operations.first().map_or(0, |first| first.from);
    let line = |operation: &Operation| {
        let to = operation.to.map(|to| (to - zero) / 1_000);
        format!(
            "\n  {:>9} .. {to:>9?} {:?}",
            (operation.from - zero) / 1_000,
            operation.did
        )
    };
    operations.iter().map(line).collect()
}

fn identity(account: &Account) -> Identity {
    let adapter = account.adapter();
    let target = Target::resolve(adapter.policy(), Some(account.url()), &[]).unwrap();
    Identity::new(adapter.policy(), &target, adapter.fingerprint())
}

/// Checks what the stores of all hosts did.
pub(crate) fn check(world: &World, seen: &[Vec<Seen>]) -> Result<Size, String> {
    let key = SealKey::from_text(world.config.key.as_str()).unwrap();
    let mut stories = HashMap::new();
    for (host, seen) in seen.iter().enumerate() {
        Story::take_in(&mut stories, host, seen);
    }
    let mut size = Size::default();
    for account in &world.config.accounts {
        let identity = identity(account);
        let Some(story) = stories.remove(&identity.to_key()) else {
            continue;
        };
        let open = |(session, guard): &Kept| {
            Opened::open(session.as_deref(), guard.as_deref(), &key, &identity)
                .map_err(|error| format!("a value cannot be opened: {error}"))
        };
        size += story
            .check(open)
            .map_err(|problem| format!("{}: {problem}", identity.to_key()))?;
    }
    if let Some(unknown) = stories.keys().next() {
        return Err(format!("an account that nobody has: {unknown}"));
    }
    Ok(size)
}
