//! The limits of an account, shared by all sessions of this process that use it: first come, first served, within each
//! caller's own deadline. How a window counts is in the core.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use preopen_core::clock::Clock;
use preopen_core::limits::{Rates, Ticket, Window, group_name, group_of};
use preopen_core::target::Target;
use preopen_core::wire::Endpoint;
use preopen_core::{Advice, Error, ErrorKind, Result};
use tokio::time::timeout;

use crate::session::Inner;

/// What a session knows of its account's limits.
pub(crate) struct Pace {
    /// The user's own; else those of the broker.
    rates: Option<Box<[Rates]>>,
    /// Of this process, or of the parent before a fork; known from the first call on.
    account: ArcSwapOption<Account>,
}

/// What tells accounts apart.
#[derive(Clone)]
struct Key {
    broker: &'static str,
    target: Arc<Target>,
    /// Whose calls are counted together.
    account: Arc<str>,
    /// The clock that tells the time there, by its address: that means no other clock while this is here. The clock itself
    /// ends with its sessions.
    clock: Weak<dyn Clock>,
}

impl Key {
    fn parts(&self) -> (&str, &str, &str, usize) {
        let clock = self.clock.as_ptr().cast::<()>().addr();
        (self.broker, self.target.base_url(), &self.account, clock)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// The calls of one account in one process.
struct Account {
    process: u32,
    key: Key,
    inside: Mutex<Inside>,
}

/// An account as it is looked up: by its key.
struct Known(Arc<Account>);

impl Borrow<Key> for Known {
    fn borrow(&self) -> &Key {
        &self.0.key
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Known {}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

struct Inside {
    time: Time,
    /// Those that were used, by their numbers.
    groups: Vec<(usize, Group)>,
}

#[derive(Default)]
struct Group {
    window: Window,
    /// How many wait for a slot.
    waiting: usize,
    /// The head of the queue has it.
    turnstile: Option<Arc<tokio::sync::Mutex<()>>>,
}

/// Time that never stands still: that of the session's clock, and at least that of the machine. A clock that is stopped
/// or set back must not keep calls waiting for ever.
struct Time {
    now: Duration,
    clock: Duration,
    machine: Instant,
}

/// The right to send one call. Dropped, the call counts as over.
pub(crate) struct Slot {
    account: Arc<Account>,
    group: usize,
    ticket: Ticket,
    /// Whether it counts as over already.
    over: bool,
}

/// A place in the queue; it is given up when whoever waits gives up.
struct Place<'a> {
    account: &'a Account,
    group: usize,
}

/// The accounts of a process. A forked child begins with none: a lock of its parent's may be held by a thread that does
/// not exist there.
struct Accounts {
    process: u32,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    accounts: HashSet<Known>,
    /// How many there may be before those that nobody needs are looked for.
    room: usize,
}

static ACCOUNTS: LazyLock<ArcSwap<Accounts>> = LazyLock::new(|| ArcSwap::from_pointee(Accounts::new()));

impl Accounts {
    fn new() -> Self {
        Self {
            process: std::process::id(),
            table: Mutex::default(),
        }
    }

    /// The account of this key, or what `make` gives.
    fn find(key: &Key, make: impl FnOnce() -> Account) -> Arc<Account> {
        let mut accounts = ACCOUNTS.load_full();
        if accounts.process != std::process::id() {
            // The parent's: whatever it holds must not be touched, not even by dropping it.
            std::mem::forget(ACCOUNTS.compare_and_swap(&accounts, Arc::new(Self::new())));
            std::mem::forget(accounts);
            accounts = ACCOUNTS.load_full();
        }
        let mut table = lock(&accounts.table);
        if let Some(Known(account)) = table.accounts.get(key) {
            return Arc::clone(account);
        }
        if table.accounts.len() >= table.room {
            // A program may make a session for each call: what was counted outlives the sessions.
            let is_needed = |known: &Known| Arc::strong_count(&known.0) > 1 || !known.0.is_over();
            table.accounts.retain(is_needed);
            table.room = (2 * table.accounts.len()).max(64);
        }
        let account = Arc::new(make());
        table.accounts.insert(Known(Arc::clone(&account)));
        account
    }
}

impl Pace {
    /// The user's limits by group, or the broker's own.
    pub(crate) fn new(rates: Option<Vec<Rates>>) -> Self {
        Self {
            rates: rates.map(Vec::into_boxed_slice),
            account: ArcSwapOption::empty(),
        }
    }

    /// The session's account in this process. A forked child begins with the calls that its parent had sent, as far as
    /// they can be read there, and counts on its own from then on.
    fn account(&self, session: &Inner) -> Arc<Account> {
        let known = self.account.load_full();
        let own = match &known {
            Some(account) if account.process == std::process::id() => return Arc::clone(account),
            Some(parent) => Accounts::find(&parent.key, || parent.in_child(&session.clock)),
            None => {
                let key = Account::key(session);
                Accounts::find(&key, || Account::new(key.clone(), &session.clock))
            }
        };
        let before = self.account.swap(Some(Arc::clone(&own)));
        // A parent's is not dropped, for the same reason.
        for account in known.into_iter().chain(before) {
            if account.process != own.process {
                std::mem::forget(account);
            }
        }
        own
    }

    /// The right to send a call, after a wait of at most `patience`. Whoever does not get it has sent nothing.
    ///
    /// Errors: `RateLimited`, at once when the wait would be too long.
    pub(crate) async fn slot(
        &self,
        session: &Inner,
        endpoint: &Endpoint,
        patience: Duration,
    ) -> Result<Slot> {
        let groups = session.adapter.policy().limits;
        let group = group_of(groups, endpoint.method, &endpoint.path);
        let broker = || groups.get(group).map(|group| group.rates);
        let own = self.rates.as_ref().map(|own| own.get(group).copied());
        let rates = own.unwrap_or_else(broker).unwrap_or_default();
        let account = self.account(session);
        let refused = |wait, paused| refused(group_name(groups, group), rates, wait, paused);
        let (turnstile, place) = {
            let mut inside = account.lock();
            let now = inside.now(Some(session.clock.as_ref()));
            let Group {
                window,
                waiting,
                turnstile,
            } = inside.group(group);
            let wait = window.wait(rates, now, *waiting);
            if wait.is_zero() && *waiting == 0 {
                let ticket = window.take(now);
                drop(inside);
                return Ok(Slot {
                    account,
                    group,
                    ticket,
                    over: false,
                });
            }
            if wait > patience {
                return Err(refused(wait, window.paused(now)));
            }
            *waiting += 1;
            let turnstile = Arc::clone(turnstile.get_or_insert_default());
            let account = &*account;
            (turnstile, Place { account, group })
        };
        let began = Instant::now();
        // Tokio's mutex is fair: who came first is the head of the queue first.
        let turn = timeout(patience, turnstile.lock()).await;
        let ticket = loop {
            let nap = {
                let mut inside = account.lock();
                let now = inside.now(Some(session.clock.as_ref()));
                let Group { window, waiting, .. } = inside.group(group);
                // Those before who has no turn yet; this one is counted too.
                let ahead = if turn.is_ok() { 0 } else { *waiting - 1 };
                let wait = window.wait(rates, now, ahead);
                if turn.is_ok() && wait.is_zero() {
                    break window.take(now);
                }
                if turn.is_err() || wait > patience.saturating_sub(began.elapsed()) {
                    return Err(refused(wait, window.paused(now)));
                }
                let wall = session.clock.now().wall;
                session.clock.nap(wall.plus(wait)).min(wait)
            };
            tokio::time::sleep(nap.max(Duration::from_millis(1))).await;
        };
        drop(turn);
        drop(place);
        Ok(Slot {
            account,
            group,
            ticket,
            over: false,
        })
    }

    /// Ends the pauses of the account.
    pub(crate) fn resume(&self, session: &Inner) {
        let account = self.account(session);
        for (_, group) in &mut account.lock().groups {
            group.window.resume();
        }
    }
}

impl Account {
    fn key(session: &Inner) -> Key {
        let account = session.adapter.counted_as();
        let own = session.auditor.account();
        Key {
            broker: session.adapter.policy().broker,
            target: Arc::clone(&session.target),
            // Nearly always the same text.
            account: if account == **own {
                Arc::clone(own)
            } else {
                account.into()
            },
            clock: Arc::downgrade(&session.clock),
        }
    }

    fn new(key: Key, clock: &Arc<dyn Clock>) -> Self {
        let time = Time {
            now: Duration::ZERO,
            clock: clock.now().monotonic,
            machine: Instant::now(),
        };
        let groups = Vec::new();
        Self {
            process: std::process::id(),
            key,
            inside: Mutex::new(Inside { time, groups }),
        }
    }

    /// What a forked child makes of this. Calls of the parent's that are under way are never settled there.
    fn in_child(&self, clock: &Arc<dyn Clock>) -> Self {
        let child = Self::new(self.key.clone(), clock);
        if let Ok(parent) = self.inside.try_lock() {
            let mut inside = child.lock();
            inside.time.now = parent.time.now;
            inside.groups = parent
                .groups
                .iter()
                .map(|(number, group)| {
                    let window = group.window.inherited();
                    (
                        *number,
                        Group {
                            window,
                            ..Group::default()
                        },
                    )
                })
                .collect();
        }
        child
    }

    /// Whether nothing is remembered that still counts, or nobody can come back to it.
    fn is_over(&self) -> bool {
        if self.key.clock.strong_count() == 0 {
            return true;
        }
        let mut inside = self.lock();
        let now = inside.now(self.key.clock.upgrade().as_deref());
        inside.groups.iter().all(|(_, group)| group.window.is_idle(now))
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        lock(&self.inside)
    }
}

/// A panic while it was held leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inside {
    /// The time; that of the machine alone when the clock has gone with its last session.
    fn now(&mut self, clock: Option<&dyn Clock>) -> Duration {
        let time = &mut self.time;
        let clock = clock.map_or(time.clock, |clock| clock.now().monotonic);
        let machine = Instant::now();
        let passed = clock
            .saturating_sub(time.clock)
            .max(machine.saturating_duration_since(time.machine));
        time.now = time.now.saturating_add(passed);
        (time.clock, time.machine) = (clock, machine);
        time.now
    }

    fn group(&mut self, number: usize) -> &mut Group {
        let known = self.groups.iter().position(|(known, _)| *known == number);
        let at = known.unwrap_or_else(|| {
            // Most sessions use one: room for four would be half of what such a session takes.
            self.groups.reserve_exact(1);
            self.groups.push((number, Group::default()));
            self.groups.len() - 1
        });
        &mut self.groups[at].1
    }
}

impl Slot {
    /// What the broker said to the call. A refusal for too many calls makes the group pause, and says for how long.
    pub(crate) fn answered(&self, error: Error) -> Error {
        // A kind that comes from the broker has its status; without one nobody has counted the call.
        if error.kind() != ErrorKind::RateLimited {
            if error.context().http_status.is_some() {
                self.with(|window, ticket, _| window.accepted(ticket));
            }
            return error;
        }
        let asked = error.context().retry_after;
        let pause = self.with(|window, ticket, now| window.refused(ticket, asked, now));
        error.with_advice(Advice::After(pause))
    }

    /// The broker took the call, which is over.
    pub(crate) fn accepted(mut self) {
        self.over = true;
        self.with(|window, ticket, now| {
            window.accepted(ticket);
            window.settle(ticket, now);
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut Window, Ticket, Duration) -> T) -> T {
        let mut inside = self.account.lock();
        let now = inside.now(self.account.key.clock.upgrade().as_deref());
        change(&mut inside.group(self.group).window, self.ticket, now)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.over && self.account.process == std::process::id() {
            self.with(Window::settle);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.account.process == std::process::id() {
            self.account.lock().group(self.group).waiting -= 1;
        }
    }
}

/// The error of a call that was not sent.
fn refused(group: &str, rates: Rates, wait: Duration, paused: Duration) -> Error {
    let why = if paused >= wait {
        "the broker has refused calls of this group as too many".to_owned()
    } else {
        format!("the limit of {rates} is used up")
    };
    // Rounded up to the millisecond: whoever waits as long as he is told must find a slot.
    let millis = wait.as_micros().div_ceil(1000).max(1);
    let wait = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
    let seconds = wait.as_secs_f64();
    Error::new(
        ErrorKind::RateLimited,
        format!("nothing was sent: {why}, and the group {group} has no slot for {seconds:.3} s"),
    )
    .with(|context| context.retry_after = Some(wait))
    .with_advice(Advice::After(wait))
}
