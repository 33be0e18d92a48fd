//! Angel One SmartAPI: what the broker knows of its accounts and sessions, and which endpoint answers what.

mod data;
mod envelope;
mod gate;
mod orders;
pub(crate) mod publisher;
mod rates;
mod session;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use http::{Method, StatusCode};
use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::AngelOneAccount;
use crate::data::{Damage, Pass};
use crate::digest;
use crate::state::State;
use crate::table::{Rows, Single, Table};
use crate::wire::{Reply, Request};
pub(crate) use envelope::refuse;

/// What the broker knows.
#[derive(Debug, Default)]
pub(crate) struct AngelOne {
    members: Rows<Member>,
    /// Which member has a client code or an API key.
    by_client_code: HashMap<String, usize>,
    by_api_key: HashMap<String, usize>,
    /// Sessions by number.
    sessions: Table<u64, Session>,
    /// Which session an access token belongs to, by its digest.
    access: Table<String, u64>,
    /// Which session a refresh token belongs to, by its digest.
    refresh: Table<String, u64>,
    sessions_opened: Single<u64>,
    /// Orders by member and number.
    orders: Table<(usize, u64), orders::Order>,
    orders_placed: Single<u64>,
    /// Monotonic times of the last logins of a member, for the login rate: they matter for a second.
    logins: HashMap<usize, VecDeque<Duration>>,
    rates: rates::Rates,
}

/// An account and its standing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) account: AngelOneAccount,
    pub(crate) blocked: bool,
    pub(crate) app_active: bool,
    /// Sessions of an earlier era have been ended; ending all of them costs one addition.
    era: u64,
    /// The time steps whose codes opened a session, for the switch `totp_reuse_refused`.
    used_steps: VecDeque<i64>,
    last_login: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    member: usize,
    /// The member whose app it was opened with: another one's after a publisher login.
    app: usize,
    era: u64,
    expires_at: Timestamp,
    ended: bool,
}

/// How many tokens are remembered before those that are over are forgotten; all of them, when half this many
/// are alive.
const TOKENS: usize = 100_000;

impl AngelOne {
    pub(crate) fn keep(&mut self, pass: &mut Pass<'_>) -> Result<(), Damage> {
        pass.rows("angelone.member", &mut self.members)?;
        pass.table("angelone.session", &mut self.sessions)?;
        pass.table("angelone.access", &mut self.access)?;
        pass.table("angelone.refresh", &mut self.refresh)?;
        pass.single("angelone.sessions_opened", &mut self.sessions_opened)?;
        pass.table("angelone.order", &mut self.orders)?;
        pass.single("angelone.orders_placed", &mut self.orders_placed)?;
        if matches!(pass, Pass::Load(..)) {
            self.check_members()?;
            for (at, member) in self.members.iter().enumerate() {
                self.by_client_code.insert(member.account.client_code.clone(), at);
                self.by_api_key.insert(member.account.api_key.clone(), at);
            }
        }
        Ok(())
    }

    /// Every row speaks of members that there are.
    fn check_members(&self) -> Result<(), Damage> {
        let known = |at: usize| at < self.members.len();
        let session = self
            .sessions
            .iter()
            .find(|(_, s)| !known(s.member) || !known(s.app));
        let order = self.orders.iter().find(|((member, _), _)| !known(*member));
        let lost = session
            .map(|(number, _)| ("angelone.session", *number))
            .or(order.map(|((_, number), _)| ("angelone.order", *number)));
        lost.map_or(Ok(()), |(room, number)| {
            Err(Damage::new(room, &number.to_string(), "its account is missing"))
        })
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &AngelOneAccount> {
        self.members.iter().map(|member| &member.account)
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn add(&mut self, account: AngelOneAccount) {
        let at = self.members.len();
        self.by_client_code.insert(account.client_code.clone(), at);
        self.by_api_key.insert(account.api_key.clone(), at);
        self.members.push(Member {
            account,
            blocked: false,
            app_active: true,
            era: 0,
            used_steps: VecDeque::new(),
            last_login: None,
        });
    }

    pub(crate) fn primary_ip(&self, client_code: &str) -> String {
        self.position(client_code)
            .map(|at| self.members[at].account.primary_ip.clone())
            .unwrap_or_default()
    }

    pub(crate) fn member(&self, client_code: &str) -> Option<&Member> {
        self.position(client_code).map(|at| &self.members[at])
    }

    fn position(&self, client_code: &str) -> Option<usize> {
        self.by_client_code.get(client_code).copied()
    }

    /// Whether an account has this client code.
    pub(crate) fn has_account(&self, client_code: &str) -> bool {
        self.by_client_code.contains_key(client_code)
    }

    /// The client code whose app has this key.
    pub(crate) fn owner_of(&self, api_key: &str) -> Option<&str> {
        let at = self.by_api_key.get(api_key)?;
        Some(&self.members[*at].account.client_code)
    }

    /// Changes the account of that client code; ends its sessions when `edit` says so. `None` when there is
    /// none.
    pub(crate) fn edit(&mut self, client_code: &str, edit: impl FnOnce(&mut Member) -> bool) -> Option<()> {
        let at = *self.by_client_code.get(client_code)?;
        let member = &mut self.members[at];
        self.by_api_key.remove(&member.account.api_key);
        if edit(member) {
            member.end_sessions();
        }
        self.by_api_key.insert(member.account.api_key.clone(), at);
        Some(())
    }

    /// Ends the sessions of one account, or of all; gives how many were alive.
    pub(crate) fn end_sessions_of(&mut self, client_code: Option<&str>, now: Timestamp) -> usize {
        let wanted = |member: &Member| client_code.is_none_or(|code| member.account.client_code == code);
        let count = self
            .live(now)
            .filter(|session| wanted(&self.members[session.member]))
            .count();
        self.members.edit_where(wanted, Member::end_sessions);
        count
    }

    /// How many sessions of each member are alive, in the order of the members.
    pub(crate) fn live_sessions(&self, now: Timestamp) -> Vec<usize> {
        let mut counts = vec![0; self.members.len()];
        self.live(now).for_each(|session| counts[session.member] += 1);
        counts
    }

    /// How many sessions of one account are alive.
    pub(crate) fn live_sessions_of(&self, client_code: &str, now: Timestamp) -> usize {
        let at = self.by_client_code.get(client_code);
        self.live(now)
            .filter(|session| Some(&session.member) == at)
            .count()
    }

    fn live(&self, now: Timestamp) -> impl Iterator<Item = &Session> {
        self.sessions
            .values()
            .filter(move |session| !self.is_ended(session) && now < session.expires_at)
    }

    /// The number of the session that an access token belongs to.
    fn session_of(&self, access_token: &str) -> Option<u64> {
        self.access.get(&digest::of_token(access_token)).copied()
    }

    /// Whether a session was ended before its time.
    fn is_ended(&self, session: &Session) -> bool {
        session.ended || session.era != self.members[session.member].era
    }

    fn forget_when_full(&mut self, now: Timestamp) {
        if self.access.len() + self.refresh.len() < TOKENS {
            return;
        }
        let Self {
            members,
            sessions,
            access,
            refresh,
            ..
        } = self;
        sessions.retain(|_, s| !s.ended && now < s.expires_at && s.era == members[s.member].era);
        access.retain(|_, session| sessions.contains_key(session));
        refresh.retain(|_, session| sessions.contains_key(session));
        if access.len() + refresh.len() >= TOKENS / 2 {
            sessions.clear();
            access.clear();
            refresh.clear();
        }
    }
}

impl Member {
    fn end_sessions(&mut self) {
        self.era = self.era.saturating_add(1);
    }

    /// Gives the authenticator another secret: codes of the old one were never codes of this one.
    pub(crate) fn set_totp_secret(&mut self, secret: String) {
        self.account.totp_secret = secret;
        self.used_steps.clear();
    }
}

/// Answers one request to SmartAPI.
pub(crate) fn answer(state: &State, request: &Request) -> Reply {
    type Endpoint = fn(&State, &Request) -> Reply;
    if request.path == publisher::PAGE {
        return publisher::page(state, request);
    }
    let (method, endpoint): (Method, Endpoint) = match request.path.as_str() {
        "/rest/auth/angelbroking/user/v1/loginByPassword" => (Method::POST, session::login),
        "/rest/auth/angelbroking/jwt/v1/generateTokens" => (Method::POST, session::refresh),
        "/rest/secure/angelbroking/user/v1/logout" => (Method::POST, session::logout),
        "/rest/secure/angelbroking/user/v1/getProfile" => (Method::GET, data::profile),
        "/rest/secure/angelbroking/user/v1/getRMS" => (Method::GET, data::funds),
        "/rest/secure/angelbroking/order/v1/getLtpData" => (Method::POST, data::last_price),
        "/rest/secure/angelbroking/market/v1/quote" => (Method::POST, data::quote),
        "/rest/secure/angelbroking/order/v1/placeOrder" => (Method::POST, orders::place),
        "/rest/secure/angelbroking/order/v1/modifyOrder" => (Method::POST, orders::modify),
        "/rest/secure/angelbroking/order/v1/cancelOrder" => (Method::POST, orders::cancel),
        "/rest/secure/angelbroking/order/v1/getOrderBook" => (Method::GET, orders::book),
        path if path.starts_with(orders::DETAILS) => (Method::GET, orders::details),
        _ => return refuse(StatusCode::NOT_FOUND, "The requested resource was not found"),
    };
    if request.method == method {
        endpoint(state, request)
    } else {
        refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            "The method is not allowed for this resource",
        )
    }
}
