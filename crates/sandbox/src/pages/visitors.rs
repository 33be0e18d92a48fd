//! Who is at the pages: a random cookie for each browser, the token that its forms carry, and which account is
//! signed in. Sessions live in memory and end after hours of real time: the virtual clock may leap at any moment.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::random;

/// A session ends when its browser has asked for nothing this long, by this machine's clock.
const IDLE: Duration = Duration::from_hours(8);
/// How many sessions there may be; the longest idle one makes room.
const SESSIONS: usize = 1000;
/// The length of 32 bytes in Base64.
const COOKIE: usize = 43;

/// The sessions of one sandbox.
#[derive(Debug)]
pub(crate) struct Visitors {
    /// Makes the tokens of forms, so that cookies need not be remembered before somebody signs in.
    key: String,
    sessions: Mutex<HashMap<String, Session>>,
}

#[derive(Debug)]
struct Session {
    account: String,
    seen: Instant,
    /// What the last form said, for the page that comes after it.
    notice: String,
}

impl Visitors {
    pub(crate) fn new() -> Self {
        Self {
            key: random::text::<32>(),
            sessions: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new cookie.
    pub(super) fn cookie() -> String {
        random::text::<32>()
    }

    /// Whether a cookie has the form of ours.
    pub(super) fn is_cookie(text: &str) -> bool {
        text.len() == COOKIE
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    }

    /// The token that the forms of this cookie's browser carry.
    pub(super) fn token(&self, cookie: &str) -> String {
        let mut digest = Sha256::new();
        digest.update(self.key.as_bytes());
        digest.update(cookie.as_bytes());
        URL_SAFE_NO_PAD.encode(digest.finalize())
    }

    /// Whether a form carries the token of its cookie.
    pub(super) fn is_token(&self, cookie: &str, token: &str) -> bool {
        self.token(cookie).as_bytes().ct_eq(token.as_bytes()).into()
    }

    /// The account that is signed in, and what its last form said.
    pub(super) fn account(&self, cookie: &str, now: Instant) -> Option<(String, String)> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(cookie)?;
        if now.saturating_duration_since(session.seen) > IDLE {
            sessions.remove(cookie);
            return None;
        }
        session.seen = now;
        Some((session.account.clone(), session.notice.clone()))
    }

    /// Signs an account in; gives the new cookie. The one before is worth nothing from then on.
    pub(super) fn sign_in(&self, before: &str, account: &str, now: Instant) -> String {
        let cookie = Self::cookie();
        let mut sessions = self.lock();
        sessions.remove(before);
        sessions.retain(|_, session| now.saturating_duration_since(session.seen) <= IDLE);
        if sessions.len() >= SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.seen);
            if let Some(cookie) = oldest.map(|(cookie, _)| cookie.clone()) {
                sessions.remove(&cookie);
            }
        }
        let session = Session {
            account: account.to_owned(),
            seen: now,
            notice: String::new(),
        };
        sessions.insert(cookie.clone(), session);
        cookie
    }

    /// Signs out.
    pub(super) fn sign_out(&self, cookie: &str) {
        self.lock().remove(cookie);
    }

    /// Keeps what a form said for the page that comes after it.
    pub(super) fn tell(&self, cookie: &str, notice: &str) {
        if let Some(session) = self.lock().get_mut(cookie) {
            notice.clone_into(&mut session.notice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IDLE, SESSIONS, Visitors};
    use std::time::{Duration, Instant};

    #[test]
    fn a_session_ends_by_signing_out_by_idling_and_by_signing_in_again() {
        let (visitors, start) = (Visitors::new(), Instant::now());
        let fixed = Visitors::cookie();
        let cookie = visitors.sign_in(&fixed, "A", start);
        assert!(Visitors::is_cookie(&cookie) && cookie != fixed);
        assert!(visitors.account(&fixed, start).is_none());
        // Whoever asks for something is not idle.
        let later = start + IDLE;
        assert_eq!(visitors.account(&cookie, later).unwrap().0, "A");
        assert!(visitors.account(&cookie, later + IDLE).is_some());
        let late = later + IDLE + IDLE + Duration::from_millis(1);
        assert!(visitors.account(&cookie, late).is_none());
        let first = visitors.sign_in("", "A", late);
        let second = visitors.sign_in(&first, "B", late);
        assert!(visitors.account(&first, late).is_none());
        visitors.tell(&second, "done");
        assert_eq!(
            visitors.account(&second, late).unwrap(),
            ("B".to_owned(), "done".to_owned())
        );
        visitors.sign_out(&second);
        assert!(visitors.account(&second, late).is_none());
    }

    #[test]
    fn sessions_are_bounded_and_the_longest_idle_one_goes() {
        let (visitors, start) = (Visitors::new(), Instant::now());
        let cookies: Vec<_> = (0..SESSIONS)
            .map(|n| visitors.sign_in("", "A", start + Duration::from_millis(n as u64)))
            .collect();
        let now = start + Duration::from_mins(1);
        assert!(visitors.account(&cookies[0], now).is_some());
        visitors.sign_in("", "A", now);
        assert_eq!(visitors.lock().len(), SESSIONS);
        assert!(visitors.account(&cookies[0], now).is_some());
        assert!(visitors.account(&cookies[1], now).is_none());
    }

    #[test]
    fn a_token_belongs_to_one_cookie_of_one_sandbox() {
        let (here, there) = (Visitors::new(), Visitors::new());
        let (mine, other) = (Visitors::cookie(), Visitors::cookie());
        let token = here.token(&mine);
        assert!(here.is_token(&mine, &token));
        assert!(
            !here.is_token(&other, &token) && !there.is_token(&mine, &token) && !here.is_token(&mine, "")
        );
    }
}
