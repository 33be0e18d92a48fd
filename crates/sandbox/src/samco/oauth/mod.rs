//! Samco's OAuth: codes and refresh tokens, the JSON endpoints, and the browser page. It is the broker's own
//! dialect: no PKCE, no client authentication, JSON bodies, names of its own.

mod authorize;
mod page;
mod refusal;
mod token;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use preopen_core::Timestamp;

use super::{AppAt, Era, Member, Samco};
pub(super) use authorize::{authenticate, authorize};
pub(super) use page::page;
pub(crate) use page::{Answer, Decision, PAGE, decide};
pub(super) use token::{revoke, token};

/// A code dies ten minutes after its issue.
const CODE_LIFE: Duration = Duration::from_mins(10);
/// A refresh token dies seven days after its issue.
const REFRESH_LIFE: Duration = Duration::from_hours(7 * 24);
/// How many codes, and how many refresh tokens, are remembered before old ones are forgotten.
const REMEMBERED: usize = 50_000;

/// Codes and refresh tokens.
#[derive(Debug, Default)]
pub(crate) struct Oauth {
    codes: HashMap<String, Code>,
    refresh: HashMap<String, Refresh>,
    grants_opened: u64,
}

#[derive(Debug)]
struct Code {
    at: AppAt,
    era: Era,
    issued_at: Timestamp,
    claim: Claim,
}

#[derive(Clone, Copy, Debug)]
enum Claim {
    Free,
    /// Until then the exchange counts as going on; afterwards the code counts as used.
    Taken(Instant),
}

#[derive(Clone, Copy, Debug)]
struct Refresh {
    at: AppAt,
    era: Era,
    grant: u64,
    /// When the token itself was made.
    issued_at: Timestamp,
    /// What its seven days count from.
    counts_from: Timestamp,
    replaced_at: Option<Timestamp>,
}

impl Oauth {
    fn remember_code(&mut self, code: String, entry: Code) {
        if self.codes.len() >= REMEMBERED {
            let now = entry.issued_at;
            self.codes.retain(|_, code| now.since(code.issued_at) < CODE_LIFE);
            if self.codes.len() >= REMEMBERED / 2 {
                self.codes.clear();
            }
        }
        self.codes.insert(code, entry);
    }

    fn remember_refresh(&mut self, members: &[Member], token: String, entry: Refresh) {
        if self.refresh.len() >= REMEMBERED {
            let now = entry.issued_at;
            self.refresh.retain(|_, token| {
                token.replaced_at.is_none()
                    && now.since(token.counts_from) < REFRESH_LIFE
                    && token.era == members[token.at.member].grants_era(token.at.app)
            });
            if self.refresh.len() > REMEMBERED / 2 {
                self.refresh.clear();
            }
        }
        self.refresh.insert(token, entry);
    }
}

impl Samco {
    /// Ends the access and refresh tokens of one grant.
    pub(super) fn end_grant(&mut self, grant: u64) {
        self.sessions
            .values_mut()
            .filter(|session| session.grant == Some(grant))
            .for_each(|session| session.ended = true);
        self.oauth.refresh.retain(|_, token| token.grant != grant);
    }
}
