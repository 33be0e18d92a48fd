//! The handle of a running sandbox: where it is, who has accounts, and the control API in-process.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use http::HeaderMap;
use preopen_core::{Timestamp, VirtualClock};
use serde_json::{Value, json};

use crate::account::{Account, Broker};
use crate::control::{add_made_up, change_account, consent, next_occurrence};
use crate::data::Keeper;
use crate::error::{ControlError, StartError};
use crate::fault::{Fault, FaultRecord};
use crate::inbox::Message;
use crate::options::Options;
use crate::random;
use crate::request_log::RequestReport;
use crate::script::{Following, Runner, ScriptReport, ScriptSteps};
use crate::server::{Server, Tls, bind};
use crate::source::{Source, SourceIp};
use crate::state::State;
use crate::switch::SwitchValue;

/// A running sandbox. It serves on the runtime it was started on until it is stopped or dropped.
pub struct Sandbox {
    server: Server,
    _following: Following,
    /// Dropped after the server, so that nothing changes any more.
    keeper: Keeper,
    state: Arc<State>,
    tls: Option<Tls>,
    accounts: Vec<Account>,
    origin: String,
    control_url: String,
}

impl Sandbox {
    /// Starts a sandbox on 127.0.0.1. When this returns, it answers requests.
    ///
    /// Errors: the port is taken, TLS could not be prepared, or the data file cannot be used.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        random::check()?;
        let tls = if options.tls { Some(Tls::generate()?) } else { None };
        let (listener, address) = bind(options.port).await?;
        let scheme = if options.tls { "https" } else { "http" };
        let origin = format!("{scheme}://{address}");
        let state = Arc::new(State::new(options, address.port(), random::text::<24>())?);
        if let Some(script) = &state.options.script {
            script.check_accounts(|id| state.has_account(id))?;
        }
        state.follow_script();
        let following = Following::start(&state);
        let keeper = Keeper::start(&state);
        let server = Server::start(listener, state.clone(), tls.as_ref());
        let accounts = state.accounts();
        Ok(Self {
            server,
            _following: following,
            keeper,
            tls,
            accounts,
            control_url: format!("{origin}/_sandbox"),
            origin,
            state,
        })
    }

    /// The base URL of Samco's REST API.
    pub fn samco_url(&self) -> &str {
        &self.origin
    }

    /// The base URL of SmartAPI.
    pub fn angelone_url(&self) -> &str {
        &self.origin
    }

    /// The address of the status page.
    pub fn dashboard_url(&self) -> String {
        format!("{}/", self.origin)
    }

    /// The base URL of the control API.
    pub fn control_url(&self) -> &str {
        &self.control_url
    }

    /// What the control API expects in the header `x-sandbox-token`.
    pub fn control_token(&self) -> &str {
        &self.state.control_token
    }

    /// The PEM file of the CA that signed the server's certificate, with TLS. It is removed on stop.
    pub fn ca_file(&self) -> Option<&Path> {
        self.tls.as_ref().map(Tls::ca_file)
    }

    /// The accounts that the sandbox started with.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Adds this many accounts at a broker, with made-up ids and credentials.
    pub fn add_accounts(&self, broker: Broker, count: usize) -> Result<Vec<Account>, ControlError> {
        self.kept(add_made_up(&self.state, broker, count))
    }

    /// Changes an account, as `PATCH /accounts/{id}` does: its standing, credentials, addresses or redirect URL. Gives
    /// all of it as it is then. What belongs to an app is that of the account's first one.
    ///
    /// ```no_run
    /// # fn example(sandbox: &preopen_sandbox::Sandbox) -> Result<(), preopen_sandbox::ControlError> {
    /// let change = serde_json::json!({"redirect_url": "http://127.0.0.1:8123/callback"});
    /// sandbox.change_account("SBX001", &change)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn change_account(&self, id: &str, change: &Value) -> Result<Value, ControlError> {
        self.kept(change_account(&self.state, id, change))
    }

    /// The clock that sessions on this sandbox follow.
    pub fn clock(&self) -> Arc<VirtualClock> {
        self.state.clock.clone()
    }

    /// Moves the clock to the next time of day in India strictly after now, for example `08:00 IST`.
    pub fn advance_to(&self, time: &str) -> Result<Timestamp, ControlError> {
        let at = next_occurrence(time, self.state.now())?;
        self.state.clock.set(at);
        self.state.follow_script();
        self.kept(Ok(at))
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) -> Result<FaultRecord, ControlError> {
        self.state.follow_script();
        self.kept(self.state.faults.add(fault))
    }

    /// All faults that were added and not cleared.
    pub fn faults(&self) -> Vec<FaultRecord> {
        self.state.follow_script();
        self.state.faults.list()
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
        self.try_to_save();
    }

    /// What arrived, by broker and path; a path that ends in `*` is a prefix.
    pub fn requests(&self, broker: Option<Broker>, path: Option<&str>) -> RequestReport {
        self.state.requests.report(broker, path)
    }

    /// Forgets what arrived.
    pub fn clear_requests(&self) {
        self.state.requests.clear();
        self.try_to_save();
    }

    /// Sets the address that requests seem to come from.
    pub fn set_source_ip(&self, source: SourceIp) {
        self.state.set_source_ip(source);
        self.try_to_save();
    }

    /// Sets a switch. Errors name the switch and what it may be set to.
    pub fn switch(&self, name: &str, value: impl Into<SwitchValue>) -> Result<(), ControlError> {
        self.kept(self.state.switches.set(&[(name, value.into())]))
    }

    /// Ends the sessions of an account, or of all, at both brokers; gives how many were alive.
    pub fn end_sessions(&self, account: Option<&str>) -> usize {
        self.state.follow_script();
        let ended = self.state.end_sessions(None, account);
        self.try_to_save();
        ended
    }

    /// Plays the person at a browser that a client sends to `url` (Samco's authorize page or SmartAPI's publisher
    /// login): approves with what `account` knows (by default the owner of the app), or cancels. Gives the
    /// address that the browser is sent to, without following it.
    pub fn consent(&self, url: &str, approve: bool, account: Option<&str>) -> Result<String, ControlError> {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let source = Source::of(&HeaderMap::new(), false, self.state.source_ip(), here);
        self.kept(consent(&self.state, source, url, approve, account))
    }

    /// The emails and SMS that the brokers sent: one-time codes and keys, oldest first.
    pub fn inbox(&self) -> Vec<Message> {
        self.state.inbox().list(None)
    }

    /// How far the script has come; `None` without one.
    pub fn script(&self) -> Option<ScriptReport> {
        self.state.follow_script();
        self.state.script.as_ref().map(Runner::report)
    }

    /// The steps of the script as they happen, from the first one; `None` without a script.
    pub fn script_steps(&self) -> Option<ScriptSteps> {
        self.state.script.as_ref().map(Runner::steps)
    }

    /// The line that `preopen sandbox --json` prints once it is ready.
    pub fn ready_line(&self) -> Value {
        json!({
            "samco_url": self.samco_url(), "angelone_url": self.angelone_url(),
            "dashboard_url": self.dashboard_url(), "control_url": self.control_url(),
            "control_token": self.control_token(), "ca_file": self.ca_file().map(|path| path.display().to_string()),
            "accounts": self.accounts.iter().map(Account::to_json).collect::<Vec<_>>(),
        })
    }

    /// What was done is in the data file before anybody is told of it.
    fn kept<T>(&self, done: Result<T, ControlError>) -> Result<T, ControlError> {
        let saved = self.state.save_now();
        let done = done?;
        saved.map_err(|problem| ControlError::unwritten(&problem))?;
        Ok(done)
    }

    /// For calls that tell nothing: what could not be written is tried again with the next request, and told there.
    fn try_to_save(&self) {
        let _ = self.state.save_now();
    }

    /// Stops at once: open connections are dropped, the port is free, the CA file is gone, the data file is closed.
    pub async fn stop(self) {
        self.server.stop().await;
        drop(self.keeper);
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("url", &self.origin)
            .finish_non_exhaustive()
    }
}
