//! Samco Trade API: what the broker knows of its accounts and sessions, and which endpoint answers what.

mod app;
mod data;
mod envelope;
mod legacy;
mod member;
pub(crate) mod oauth;
mod orders;
pub(crate) mod portal;
mod session;
mod web_code;

use std::collections::HashMap;

use http::{Method, StatusCode};
use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::SamcoAccount;
use crate::data::{Damage, Pass};
use crate::digest;
use crate::state::State;
use crate::table::{Rows, Single, Table};
use crate::wire::{Reply, Request};
pub(crate) use app::{App, Pair, Status};
pub(crate) use data::{is_symbol, price_of};
pub(crate) use envelope::refuse;
use member::Era;
pub(crate) use member::Member;
pub(crate) use session::has_secret_format;

/// What the broker knows.
#[derive(Debug, Default)]
pub(crate) struct Samco {
    members: Rows<Member>,
    /// Which member has an account id, and which app an API key.
    by_account: HashMap<String, usize>,
    by_api_key: HashMap<String, AppAt>,
    /// Sessions by the digest of their token.
    sessions: Table<String, Session>,
    oauth: oauth::Oauth,
    web_codes: web_code::WebCodes,
    /// Orders by member and number.
    orders: Table<(usize, u64), orders::Order>,
    orders_placed: Single<u64>,
    /// How many proposals have been made at the portal: each has a number of its own.
    proposals_made: Single<u64>,
    /// Wrong tries to sign in with ids that nobody has.
    strangers: HashMap<String, portal::Tries>,
}

/// Which app of which member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AppAt {
    member: usize,
    app: usize,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Session {
    member: usize,
    /// The app that opened it; `None` for the deprecated login and the web login code.
    app: Option<usize>,
    era: Era,
    expires_at: Timestamp,
    /// The OAuth grant that it came from.
    grant: Option<u64>,
    ended: bool,
}

/// How many sessions are remembered before those that are over are forgotten; all of them, when half this
/// many are alive.
const SESSIONS: usize = 50_000;

impl Samco {
    pub(crate) fn keep(&mut self, pass: &mut Pass<'_>) -> Result<(), Damage> {
        pass.rows("samco.member", &mut self.members)?;
        pass.table("samco.session", &mut self.sessions)?;
        self.oauth.keep(pass)?;
        self.web_codes.keep(pass)?;
        pass.table("samco.order", &mut self.orders)?;
        pass.single("samco.orders_placed", &mut self.orders_placed)?;
        pass.single("samco.proposals_made", &mut self.proposals_made)?;
        if matches!(pass, Pass::Load(..)) {
            self.check_rows()?;
            self.index();
        }
        Ok(())
    }

    /// Every row speaks of accounts and apps that there are.
    fn check_rows(&self) -> Result<(), Damage> {
        let app = |at: AppAt| self.members.get(at.member).is_some_and(|m| at.app < m.apps.len());
        let member = |member: usize| app(AppAt { member, app: 0 });
        let session = |s: &Session| match s.app {
            Some(app_at) => app(AppAt {
                member: s.member,
                app: app_at,
            }),
            None => member(s.member),
        };
        let lost = if !(0..self.members.len()).all(member) {
            "samco.member"
        } else if !self.sessions.values().all(session) {
            "samco.session"
        } else if !self.orders.iter().all(|((owner, _), _)| member(*owner)) {
            "samco.order"
        } else if !(self.oauth.apps().all(app) && self.web_codes.members().all(member)) {
            "samco.code"
        } else {
            return Ok(());
        };
        Err(Damage::new(lost, "", "the account or app of one is missing"))
    }

    /// What is found by name, and what account owners know by heart.
    fn index(&mut self) {
        for (member, row) in self.members.iter().enumerate() {
            self.by_account.insert(row.id.clone(), member);
            for (app, row) in row.apps.iter().enumerate() {
                self.by_api_key.insert(row.api_key.clone(), AppAt { member, app });
            }
        }
        self.members.restore(Member::remember_secret);
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = SamcoAccount> {
        self.members.iter().map(Member::to_account)
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn add(&mut self, account: &SamcoAccount, now: Timestamp) {
        let member = self.members.len();
        self.by_account.insert(account.account.clone(), member);
        self.by_api_key
            .insert(account.api_key.clone(), AppAt { member, app: 0 });
        self.members.push(Member::new(account, now));
    }

    /// The address that an account's requests come from by default: the primary one of its first active app.
    pub(crate) fn primary_ip(&self, account: &str) -> String {
        self.member(account)
            .map(|member| member.addresses_of(None).primary)
            .unwrap_or_default()
    }

    pub(crate) fn member(&self, account: &str) -> Option<&Member> {
        self.by_account.get(account).map(|at| &self.members[*at])
    }

    /// Whether an account has this id.
    pub(crate) fn has_account(&self, account: &str) -> bool {
        self.by_account.contains_key(account)
    }

    /// The account that has the app with this key.
    pub(crate) fn owner_of(&self, api_key: &str) -> Option<&str> {
        let at = self.by_api_key.get(api_key)?;
        Some(&self.members[at.member].id)
    }

    /// Whether an app has this key that is not the first one of this account.
    pub(crate) fn is_key_of_another_app(&self, api_key: &str, account: &str) -> bool {
        let found = self.by_api_key.get(api_key);
        found.is_some_and(|at| at.app != 0 || self.members[at.member].id != account)
    }

    /// Changes the account of that id and its first app; ends that app's sessions and OAuth grants when `edit` says
    /// so. `None` when there is none.
    pub(crate) fn edit(&mut self, account: &str, edit: impl FnOnce(&mut Member) -> bool) -> Option<()> {
        let at = *self.by_account.get(account)?;
        let member = &mut self.members[at];
        self.by_api_key.remove(&member.first().api_key);
        if edit(member) {
            member.first_mut().revoke();
        }
        let key = member.first().api_key.clone();
        self.by_api_key.insert(key, AppAt { member: at, app: 0 });
        Some(())
    }

    /// Ends the sessions of one account, or of all; gives how many were alive.
    pub(crate) fn end_sessions_of(&mut self, account: Option<&str>, now: Timestamp) -> usize {
        let wanted = |member: &Member| account.is_none_or(|id| member.id == id);
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
    pub(crate) fn live_sessions_of(&self, account: &str, now: Timestamp) -> usize {
        let at = self.by_account.get(account);
        self.live(now)
            .filter(|session| Some(&session.member) == at)
            .count()
    }

    fn live(&self, now: Timestamp) -> impl Iterator<Item = &Session> {
        self.sessions
            .values()
            .filter(move |session| self.is_alive(session, now))
    }

    fn is_alive(&self, session: &Session, now: Timestamp) -> bool {
        !session.ended
            && now < session.expires_at
            && session.era == self.members[session.member].session_era(session.app)
    }

    /// The session of a token.
    fn session(&self, token: &str) -> Option<&Session> {
        self.sessions.get(&digest::of_token(token))
    }

    fn remember(&mut self, token: &str, session: Session, now: Timestamp) {
        if self.sessions.len() >= SESSIONS {
            let Self {
                members, sessions, ..
            } = self;
            sessions.retain(|_, s| {
                !s.ended && now < s.expires_at && s.era == members[s.member].session_era(s.app)
            });
            if sessions.len() >= SESSIONS / 2 {
                sessions.clear();
            }
        }
        self.sessions.insert(digest::of_token(token), session);
    }
}

/// Answers one request to Samco.
pub(crate) fn answer(state: &State, request: &Request) -> Reply {
    type Endpoint = fn(&State, &Request) -> Reply;
    if request.path == oauth::PAGE {
        return oauth::page(state, request);
    }
    let (method, endpoint): (Method, Endpoint) = match request.path.as_str() {
        "/session/token" => (Method::POST, session::token),
        "/logout" => (Method::DELETE, session::logout),
        "/ip/whoami" => (Method::GET, session::whoami),
        "/oauth/authorize" => (Method::GET, oauth::authorize),
        "/oauth/authenticate" => (Method::POST, oauth::authenticate),
        "/oauth/token" => (Method::POST, oauth::token),
        "/oauth/revoke" => (Method::POST, oauth::revoke),
        "/webSecretCode" => (Method::GET, web_code::issue),
        "/webSecretCodeValidation" => (Method::POST, web_code::validate),
        "/login" => (Method::POST, legacy::login),
        "/otp/generateOtp" => (Method::POST, legacy::generate_otp),
        "/otp/secretKeyGenerator" => (Method::POST, legacy::generate_secret_key),
        "/accessToken/token" => (Method::POST, legacy::access_token),
        "/ip/ipRegistration" => (Method::POST, legacy::register_ip),
        "/ip/ipUpdate" => (Method::POST, legacy::update_ip),
        "/limit/getLimits" => (Method::GET, data::limits),
        "/holding/getHoldings" => (Method::GET, data::holdings),
        "/quote/getQuote" => (Method::GET, data::quote),
        "/quote/multiQuote" => (Method::POST, data::multi_quote),
        "/order/placeOrder" => (Method::POST, orders::place),
        "/order/cancelOrder" => (Method::DELETE, orders::cancel),
        "/order/orderBook" => (Method::GET, orders::book),
        "/order/getOrderStatus" => (Method::GET, orders::status),
        path if path.starts_with("/order/modifyOrder/") => (Method::PUT, orders::modify),
        _ => {
            return refuse(
                state,
                StatusCode::NOT_FOUND,
                "The requested resource was not found",
            );
        }
    };
    if request.method == method {
        endpoint(state, request)
    } else {
        refuse(
            state,
            StatusCode::METHOD_NOT_ALLOWED,
            "The method is not allowed for this resource",
        )
    }
}
