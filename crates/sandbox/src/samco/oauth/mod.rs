//! Samco's OAuth: codes and refresh tokens, the JSON endpoints, and the browser page. It is the broker's own
//! dialect: no PKCE, no client authentication, JSON bodies, names of its own.

mod authorize;
mod page;
mod refusal;
mod token;

use std::time::{Duration, Instant};

use preopen_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AppAt, Era, Member, Samco};
use crate::data::{Damage, Pass};
use crate::digest;
use crate::table::{Single, Table};
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

/// Codes and refresh tokens, by their digests.
#[derive(Debug, Default)]
pub(crate) struct Oauth {
    codes: Table<String, Code>,
    refresh: Table<String, Refresh>,
    grants_opened: Single<u64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Code {
    at: AppAt,
    era: Era,
    issued_at: Timestamp,
    claim: Claim,
}

/// Whether a code has been exchanged.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
enum Claim {
    Free,
    /// Until then the exchange counts as going on; afterwards the code counts as used.
    Taken(Instant),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
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

impl From<bool> for Claim {
    /// Nothing goes on any more after a restart.
    fn from(is_taken: bool) -> Self {
        if is_taken {
            Self::Taken(Instant::now())
        } else {
            Self::Free
        }
    }
}

impl From<Claim> for bool {
    fn from(claim: Claim) -> Self {
        matches!(claim, Claim::Taken(_))
    }
}

impl Oauth {
    pub(super) fn keep(&mut self, pass: &mut Pass<'_>) -> Result<(), Damage> {
        pass.table("samco.code", &mut self.codes)?;
        pass.table("samco.refresh", &mut self.refresh)?;
        pass.single("samco.grants_opened", &mut self.grants_opened)
    }

    /// The apps that codes and refresh tokens were made for.
    pub(super) fn apps(&self) -> impl Iterator<Item = AppAt> {
        let codes = self.codes.values().map(|code| code.at);
        codes.chain(self.refresh.values().map(|token| token.at))
    }

    fn remember_code(&mut self, code: &str, entry: Code) {
        if self.codes.len() >= REMEMBERED {
            let now = entry.issued_at;
            self.codes.retain(|_, code| now.since(code.issued_at) < CODE_LIFE);
            if self.codes.len() >= REMEMBERED / 2 {
                self.codes.clear();
            }
        }
        self.codes.insert(digest::of_token(code), entry);
    }

    fn remember_refresh(&mut self, members: &[Member], token: &str, entry: Refresh) {
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
        self.refresh.insert(digest::of_token(token), entry);
    }
}

impl Samco {
    /// Ends the access and refresh tokens of one grant.
    pub(super) fn end_grant(&mut self, grant: u64) {
        let of_grant = |session: &super::Session| session.grant == Some(grant) && !session.ended;
        self.sessions
            .edit_where(|_, session| of_grant(session), |session| session.ended = true);
        self.oauth.refresh.retain(|_, token| token.grant != grant);
    }
}
