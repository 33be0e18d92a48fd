//! Samco Trade API: what the broker knows of its accounts and sessions, and which endpoint answers what.

mod data;
mod envelope;
mod orders;
mod session;

use std::collections::HashMap;

use http::{Method, StatusCode};
use preopen_core::Timestamp;

use crate::account::SamcoAccount;
use crate::state::State;
use crate::wire::{Reply, Request};
pub(crate) use data::{is_symbol, price_of};
pub(crate) use envelope::refuse;
pub(crate) use session::has_secret_format;

/// What the broker knows.
#[derive(Debug, Default)]
pub(crate) struct Samco {
    members: Vec<Member>,
    sessions: HashMap<String, Session>,
    orders_placed: u64,
}

/// An account and its standing.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) account: SamcoAccount,
    pub(crate) standing: Standing,
    pub(crate) app_active: bool,
    orders: Vec<orders::Order>,
}

/// What a login may be refused for although key and secret are right.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) subscribed: bool,
    pub(crate) blocked: bool,
    pub(crate) needs_app_login: bool,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    member: usize,
    issued_at: Timestamp,
    expires_at: Timestamp,
    ended: bool,
}

/// How many sessions are remembered before those that are over are forgotten.
const SESSIONS: usize = 20_000;

impl Samco {
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &SamcoAccount> {
        self.members.iter().map(|member| &member.account)
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn add(&mut self, account: SamcoAccount) {
        self.members.push(Member {
            account,
            standing: Standing {
                subscribed: true,
                blocked: false,
                needs_app_login: false,
            },
            app_active: true,
            orders: Vec::new(),
        });
    }

    pub(crate) fn primary_ip(&self, account: &str) -> String {
        let member = self
            .members
            .iter()
            .find(|member| member.account.account == account);
        member
            .map(|member| member.account.primary_ip.clone())
            .unwrap_or_default()
    }

    /// Changes the account of that id; ends its sessions when `edit` says so. `None` when there is none.
    pub(crate) fn edit(&mut self, account: &str, edit: impl FnOnce(&mut Member) -> bool) -> Option<()> {
        let index = self
            .members
            .iter()
            .position(|member| member.account.account == account)?;
        if edit(&mut self.members[index]) {
            self.end_sessions(Some(index));
        }
        Some(())
    }

    /// Ends the sessions of one account, or of all; gives how many were alive.
    pub(crate) fn end_sessions_of(&mut self, account: Option<&str>, now: Timestamp) -> usize {
        let index = account.map(|id| {
            self.members
                .iter()
                .position(|member| member.account.account == id)
        });
        let alive =
            |s: &&Session| !s.ended && now < s.expires_at && index.is_none_or(|i| i == Some(s.member));
        let count = self.sessions.values().filter(alive).count();
        match index {
            None => self.end_sessions(None),
            Some(Some(member)) => self.end_sessions(Some(member)),
            Some(None) => {}
        }
        count
    }

    fn end_sessions(&mut self, member: Option<usize>) {
        for session in self.sessions.values_mut() {
            session.ended |= member.is_none_or(|member| member == session.member);
        }
    }

    /// How many sessions of an account are alive.
    pub(crate) fn live_sessions(&self, account: &str, now: Timestamp) -> usize {
        let Some(index) = self
            .members
            .iter()
            .position(|member| member.account.account == account)
        else {
            return 0;
        };
        self.sessions
            .values()
            .filter(|s| s.member == index && !s.ended && now < s.expires_at)
            .count()
    }

    fn remember(&mut self, token: String, session: Session) {
        if self.sessions.len() >= SESSIONS {
            self.sessions
                .retain(|_, known| !known.ended && session.issued_at < known.expires_at);
        }
        if self.sessions.len() >= SESSIONS {
            self.sessions.clear();
        }
        self.sessions.insert(token, session);
    }
}

/// Answers one request to Samco.
pub(crate) fn answer(state: &State, request: &Request) -> Reply {
    type Endpoint = fn(&State, &Request) -> Reply;
    let (method, endpoint): (Method, Endpoint) = match request.path.as_str() {
        "/session/token" => (Method::POST, session::token),
        "/logout" => (Method::DELETE, session::logout),
        "/ip/whoami" => (Method::GET, session::whoami),
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
