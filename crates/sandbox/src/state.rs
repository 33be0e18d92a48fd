//! Everything that one sandbox knows, shared by its connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use preopen_core::{Clock as _, SystemClock, Timestamp, VirtualClock};

use crate::account::{Account, Broker, seeds};
use crate::angelone::AngelOne;
use crate::data::{Damage, Data, Pass};
use crate::error::{ControlError, StartError};
use crate::fault::Faults;
use crate::inbox::Inbox;
use crate::options::Options;
use crate::pages::Visitors;
use crate::request_log::RequestLog;
use crate::samco::Samco;
use crate::script::Runner;
use crate::source::SourceIp;
use crate::switch::{Switch, Switches};
use crate::table::Single;

/// The most accounts. Half of the sessions that each broker remembers, so that none is forgotten while it lives.
pub(crate) const ACCOUNTS: usize = 20_000;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) switches: Switches,
    pub(crate) faults: Faults,
    pub(crate) requests: RequestLog,
    pub(crate) control_token: String,
    pub(crate) visitors: Visitors,
    /// The port that the sandbox listens on.
    pub(crate) port: u16,
    /// The file that it is kept in, if it is.
    pub(crate) data: Option<Data>,
    /// What happens when, by itself.
    pub(crate) script: Option<Runner>,
    source_ip: Mutex<Single<SourceIp>>,
    samco: Mutex<Samco>,
    angelone: Mutex<AngelOne>,
    /// Taken last, also while a broker is held.
    inbox: Mutex<Inbox>,
    /// Held from looking whether ids and keys are free until they are taken. Before any broker.
    names: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// A new one, or the one that the data file holds.
    pub(crate) fn new(options: Options, port: u16, control_token: String) -> Result<Self, StartError> {
        let (data, records) = options.data.as_deref().map(Data::open).transpose()?.unzip();
        let clock = data.as_ref().and_then(Data::clock).unwrap_or_else(|| {
            let start = options.start_at.unwrap_or_else(|| SystemClock.now().wall);
            VirtualClock::new(start, options.clock_rate)
        });
        let origin = clock.now().wall;
        let script = options.script.clone().map(|script| Runner::new(script, origin));
        let state = Self {
            clock: Arc::new(clock),
            script,
            options,
            switches: Switches::new(),
            faults: Faults::default(),
            requests: RequestLog::default(),
            control_token,
            visitors: Visitors::new(),
            port,
            data,
            source_ip: Mutex::default(),
            samco: Mutex::default(),
            angelone: Mutex::default(),
            inbox: Mutex::default(),
            names: Mutex::default(),
        };
        if let (Some(data), Some(records)) = (&state.data, records) {
            data.load(&state, records)?;
        }
        if state.account_count() == 0 {
            for account in seeds() {
                state.insert(&account);
            }
        }
        state
            .save_now()
            .map_err(|problem| StartError::unwritten(state.options.data.as_deref(), problem))?;
        Ok(state)
    }

    /// Walks over everything that is kept, at one moment.
    pub(crate) fn keep(&self, pass: &mut Pass<'_>) -> Result<(), Damage> {
        let mut samco = self.samco();
        let mut angelone = self.angelone();
        let mut inbox = self.inbox();
        let mut source_ip = lock(&self.source_ip);
        samco.keep(pass)?;
        angelone.keep(pass)?;
        inbox.keep(pass)?;
        pass.single("source_ip", &mut source_ip)?;
        self.switches.keep(pass)?;
        self.faults.keep(pass)?;
        self.requests.keep(pass)
    }

    /// Scheme, address and port of this sandbox.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.options.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The time by this machine's clock, which sessions follow.
    pub(crate) fn here(&self) -> Timestamp {
        self.clock.now().wall
    }

    /// The time by the broker's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.by_brokers_clock(self.here())
    }

    /// What the broker's clock shows at this time of this machine's.
    pub(crate) fn by_brokers_clock(&self, here: Timestamp) -> Timestamp {
        let skew = self.switches.number(Switch::ServerClockSkew);
        here.plus_millis(skew.saturating_mul(1000))
    }

    /// Lets everything happen that a script has planned until now; gives this now, by this machine's clock.
    pub(crate) fn follow_script(&self) -> Timestamp {
        let now = self.here();
        if let Some(script) = &self.script {
            script.catch_up(self, now);
        }
        now
    }

    /// Ends the sessions of an account, or of all, at a broker, or at both; gives how many were alive.
    pub(crate) fn end_sessions(&self, broker: Option<Broker>, account: Option<&str>) -> usize {
        let now = self.now();
        let mut ended = 0;
        if broker != Some(Broker::AngelOne) {
            ended += self.samco().end_sessions_of(account, now);
        }
        if broker != Some(Broker::Samco) {
            ended += self.angelone().end_sessions_of(account, now);
        }
        ended
    }

    pub(crate) fn samco(&self) -> MutexGuard<'_, Samco> {
        lock(&self.samco)
    }

    pub(crate) fn angelone(&self) -> MutexGuard<'_, AngelOne> {
        lock(&self.angelone)
    }

    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }

    pub(crate) fn source_ip(&self) -> SourceIp {
        **lock(&self.source_ip)
    }

    pub(crate) fn set_source_ip(&self, source: SourceIp) {
        lock(&self.source_ip).set(source);
    }

    /// All accounts, in the order they were added, Samco's first.
    pub(crate) fn accounts(&self) -> Vec<Account> {
        let mut all: Vec<Account> = self.samco().accounts().map(Account::Samco).collect();
        all.extend(self.angelone().accounts().cloned().map(Account::AngelOne));
        all
    }

    /// The registered primary address of an account; empty when there is none.
    pub(crate) fn primary_ip(&self, broker: Broker, account: &str) -> String {
        match broker {
            Broker::Samco => self.samco().primary_ip(account),
            Broker::AngelOne => self.angelone().primary_ip(account),
        }
    }

    /// Whoever gives ids or keys to accounts holds this meanwhile, so that nobody else gives the same.
    pub(crate) fn naming(&self) -> MutexGuard<'_, ()> {
        lock(&self.names)
    }

    /// Adds an account whose id and key nobody has yet. [`Self::naming`] is held.
    pub(crate) fn add_account(&self, account: &Account) -> Result<(), ControlError> {
        let taken = |what: &str| {
            Err(ControlError::conflict(format!(
                "{what} is taken by another account"
            )))
        };
        if self.has_account(account.id()) {
            return taken(account.id());
        }
        let key_taken = match account {
            Account::Samco(account) => self.samco().owner_of(&account.api_key).is_some(),
            Account::AngelOne(account) => self.angelone().owner_of(&account.api_key).is_some(),
        };
        if key_taken {
            return taken("api_key");
        }
        self.check_room(1)?;
        self.insert(account);
        Ok(())
    }

    /// Whether an account of either broker has this id.
    pub(crate) fn has_account(&self, id: &str) -> bool {
        self.samco().has_account(id) || self.angelone().has_account(id)
    }

    /// How many accounts there are.
    pub(crate) fn account_count(&self) -> usize {
        self.samco().members().len() + self.angelone().members().len()
    }

    /// Checks that this many accounts can be added.
    pub(crate) fn check_room(&self, more: usize) -> Result<(), ControlError> {
        if self.account_count().saturating_add(more) <= ACCOUNTS {
            return Ok(());
        }
        Err(ControlError::conflict(format!(
            "there would be more than {ACCOUNTS} accounts"
        )))
    }

    fn insert(&self, account: &Account) {
        match account {
            Account::Samco(account) => self.samco().add(account, self.now()),
            Account::AngelOne(account) => self.angelone().add(account.clone()),
        }
    }
}
