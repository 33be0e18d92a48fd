//! What a session must do, said a second time as plainly as possible and without a line of the machine's: flags,
//! numbers, and one function for each thing that can happen.

use std::time::Duration;

use preopen_core::error::{ErrorKind, LoginReason};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// 1970-01-01 00:00 in India, as milliseconds since the epoch.
const FIRST_MIDNIGHT: i64 = -330 * MINUTE;

/// What is known of an account before its first login.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) boundary: i64,
    pub(crate) longest_life: Option<i64>,
    pub(crate) keep_warm: bool,
    /// Only a person can log in.
    pub(crate) needs_consent: bool,
    /// How long after its end, and after the broker's clock, this account is renewed.
    pub(crate) warm_delay: i64,
    /// How long this account waits after its first, second, ... failure in a row.
    pub(crate) waits: Vec<Duration>,
}

/// Milliseconds of wall time, and time since the machine started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) wall: i64,
    pub(crate) mono: Duration,
}

/// What a login or another program gave.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) token: String,
    pub(crate) told_ends: Option<i64>,
    pub(crate) skew: Option<i64>,
    pub(crate) wrong_address: bool,
    /// Epoch and generation in a store.
    pub(crate) origin: Option<(u64, u64)>,
    /// Until when its refresh token may renew it.
    pub(crate) renewable_until: Option<i64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Served(u64),
    Refused(ErrorKind, Option<Duration>),
    Started(usize),
    Joined(usize),
}

/// Everything that one event leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) answer: Option<Answer>,
    /// Generation, token, end.
    pub(crate) published: Option<(u64, String, i64)>,
    pub(crate) settled: Option<(usize, Result<u64, ErrorKind>)>,
    pub(crate) announced: Vec<(&'static str, u64)>,
    pub(crate) discarded: Option<String>,
    pub(crate) signed_out: Option<u64>,
}

/// What everybody can see between two events.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) state: &'static str,
    pub(crate) generation: u64,
    pub(crate) readers_see: Option<u64>,
    pub(crate) renewable: Option<u64>,
    pub(crate) dead: Option<(u64, u64)>,
    pub(crate) wakes_at: Option<i64>,
}

#[derive(Clone, Debug)]
struct Session {
    generation: u64,
    token: String,
    issued: i64,
    ends: i64,
    ends_mono: Duration,
    broker_behind: i64,
    refused: bool,
    origin: Option<(u64, u64)>,
    renewable_until: Option<i64>,
}

impl Session {
    fn in_time(&self, at: At) -> bool {
        at.wall < self.ends && at.mono < self.ends_mono
    }

    /// Its refresh token opens a session after this one.
    fn outlives(&self, at: At) -> bool {
        self.renewable_until.is_some_and(|until| at.wall < until)
    }
}

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "flags say plainest what holds")]
pub(crate) struct Reference {
    account: Account,
    session: Option<Session>,
    generation: u64,
    closed: bool,
    blocked: Option<ErrorKind>,
    needs_person: bool,
    /// `login_needed` was told, and there was no session since.
    person_called: bool,
    /// The queued login only holds a place for a person's answer.
    place_held: bool,
    /// The session that the running login may renew.
    renewing: Option<u64>,
    told_expiring: bool,
    told_expired: bool,
    logins: usize,
    /// The login that callers wait for, on the wire or queued.
    wanted: Option<usize>,
    /// The login that a logout left behind.
    leftover: Option<usize>,
    /// Logouts that the broker has not answered yet.
    logouts: usize,
    failures: usize,
    hold: Option<(Duration, ErrorKind)>,
    /// The last stored session that is known here to be dead.
    dead: Option<(u64, u64)>,
}

impl Reference {
    pub(crate) fn new(account: Account) -> Self {
        Self {
            account,
            session: None,
            generation: 0,
            closed: false,
            blocked: None,
            needs_person: false,
            person_called: false,
            place_held: false,
            renewing: None,
            told_expiring: false,
            told_expired: false,
            logins: 0,
            wanted: None,
            leftover: None,
            logouts: 0,
            failures: 0,
            hold: None,
            dead: None,
        }
    }

    pub(crate) fn wanted(&self) -> Option<usize> {
        self.wanted
    }

    pub(crate) fn leftover(&self) -> Option<usize> {
        self.leftover
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Where the last session is kept.
    pub(crate) fn origin(&self) -> Option<(u64, u64)> {
        self.session.as_ref()?.origin
    }

    pub(crate) fn dead(&self) -> Option<(u64, u64)> {
        self.dead
    }

    /// Issue time, end and token of the last session.
    pub(crate) fn last(&self) -> Option<(i64, i64, &str)> {
        let session = self.session.as_ref()?;
        Some((session.issued, session.ends, &session.token))
    }

    fn live(&self, at: At) -> Option<&Session> {
        self.session.as_ref().filter(|s| !s.refused && s.in_time(at))
    }

    fn rest(&self, at: At) -> Duration {
        self.hold
            .map_or(Duration::ZERO, |(until, _)| until.saturating_sub(at.mono))
    }

    fn first_boundary_after(&self, instant: i64) -> i64 {
        let first = FIRST_MIDNIGHT + self.account.boundary * MINUTE;
        let days = (instant - first).div_euclid(DAY) + 1;
        first + days * DAY
    }

    fn session(&self, given: &Given, issued: i64, known: At) -> Session {
        let skew = given.skew.unwrap_or(0).clamp(-15 * MINUTE, 15 * MINUTE);
        let mut ends = self.first_boundary_after(issued);
        ends = ends.min(self.first_boundary_after(issued + skew) - skew);
        ends = ends.min(self.account.longest_life.map_or(i64::MAX, |life| issued + life));
        ends = ends.min(given.told_ends.unwrap_or(i64::MAX));
        let life = Duration::from_millis((ends - known.wall).max(0).unsigned_abs());
        Session {
            generation: (self.generation + 1).max(given.origin.map_or(0, |(_, stored)| stored)),
            token: given.token.clone(),
            issued,
            ends,
            ends_mono: known.mono + life,
            broker_behind: (-skew).max(0),
            refused: false,
            origin: given.origin,
            renewable_until: given.renewable_until,
        }
    }

    /// The session whose refresh token a login may use now.
    fn renewable(&self, at: At) -> Option<u64> {
        let session = self.session.as_ref().filter(|_| self.live(at).is_none())?;
        let renews = match session.renewable_until {
            Some(until) => at.wall < until,
            None => session.in_time(at),
        };
        renews.then_some(session.generation)
    }

    fn person_at(&self) -> Option<i64> {
        let session = self.session.as_ref()?;
        let last = session.renewable_until.unwrap_or(session.ends).max(session.ends);
        let waits = self.account.needs_consent && !self.person_called && self.wanted.is_none();
        waits.then_some(last)
    }

    /// Whether only a person can log in.
    pub(crate) fn needs_consent(&self) -> bool {
        self.account.needs_consent
    }

    fn call_person(&mut self, out: &mut Outcome) {
        if !self.person_called || !self.account.needs_consent {
            out.announced.push(("login_needed", self.generation));
        }
        self.person_called = true;
    }

    /// Every event ends with a look whether a person is needed from now on.
    pub(crate) fn afterwards(&mut self, at: At, out: &mut Outcome) {
        let over = self.session.as_ref().filter(|_| self.live(at).is_none());
        let lost = over.is_some_and(|session| !session.outlives(at));
        if self.account.needs_consent && lost && self.wanted.is_none() {
            self.call_person(out);
        }
    }

    fn warm_at(&self, at: At) -> Option<i64> {
        let session = self.session.as_ref()?;
        let idle = self.wanted.is_none() && self.blocked.is_none() && !self.needs_person;
        let due = session.ends + session.broker_behind + self.account.warm_delay;
        let held_until = at.wall + i64::try_from(self.rest(at).as_millis()).unwrap();
        let due = due.max(held_until);
        let by_itself = session.renewable_until.is_some_and(|until| due < until);
        let renews = by_itself || !self.account.needs_consent;
        (self.account.keep_warm && idle && renews).then_some(due)
    }

    pub(crate) fn view(&self, at: At) -> View {
        let live = self.live(at).map(|session| session.generation);
        let unrefused = self.session.as_ref().filter(|session| !session.refused);
        let state = if self.closed {
            "closed"
        } else if live.is_some() {
            "active"
        } else if self.blocked.is_some() {
            "blocked"
        } else if self.wanted.is_some() {
            "opening"
        } else if self.session.is_some() {
            "expired"
        } else {
            "signed_out"
        };
        View {
            state,
            generation: self.generation,
            readers_see: live,
            renewable: self.renewable(at),
            dead: self.dead,
            wakes_at: match unrefused {
                Some(session) if !self.told_expiring => Some(session.ends - 15 * MINUTE),
                Some(session) if !self.told_expired => Some(session.ends),
                _ => self.warm_at(at).into_iter().chain(self.person_at()).min(),
            },
        }
    }

    /// Every event begins with what time did meanwhile.
    fn noticed(&mut self, at: At) -> Outcome {
        let mut out = Outcome::default();
        let Some(session) = self.session.as_ref().filter(|session| !session.refused) else {
            return out;
        };
        if !session.in_time(at) {
            if !self.told_expired {
                out.announced.push(("expired", session.generation));
            }
            self.told_expiring = true;
            self.told_expired = true;
        } else if at.wall >= session.ends - 15 * MINUTE && !self.told_expiring {
            out.announced.push(("expiring", session.generation));
            self.told_expiring = true;
        }
        out
    }

    fn begin(&mut self, at: At) -> Answer {
        let login = self.logins;
        self.logins += 1;
        self.wanted = Some(login);
        self.needs_person = false;
        self.place_held = false;
        if self.busy() {
            Answer::Joined(login)
        } else {
            self.renewing = self.renewable(at);
            Answer::Started(login)
        }
    }

    /// A person consented.
    pub(crate) fn granted(&mut self, at: At) -> Outcome {
        let mut out = self.noticed(at);
        out.answer = Some(if self.closed {
            Answer::Refused(ErrorKind::InvalidInput, None)
        } else if let Some(login) = self.wanted {
            Answer::Joined(login)
        } else {
            let answer = self.begin(at);
            self.renewing = None;
            self.place_held = self.busy();
            answer
        });
        out
    }

    pub(crate) fn needed(&mut self, at: At) -> Outcome {
        let mut out = self.noticed(at);
        let rest = self.rest(at);
        out.answer = Some(if let Some(session) = self.live(at) {
            Answer::Served(session.generation)
        } else if self.closed {
            Answer::Refused(ErrorKind::InvalidInput, None)
        } else if let Some(kind) = self.blocked {
            Answer::Refused(kind, None)
        } else if let Some(login) = self.wanted {
            self.place_held = false;
            Answer::Joined(login)
        } else if let Some((_, kind)) = self.hold.filter(|_| !rest.is_zero()) {
            Answer::Refused(kind, Some(rest))
        } else {
            self.begin(at)
        });
        out
    }

    fn publish(&mut self, session: Session, wrong_address: bool, out: &mut Outcome) {
        self.generation = session.generation;
        self.needs_person = false;
        self.person_called = false;
        self.told_expiring = false;
        self.told_expired = false;
        out.published = Some((session.generation, session.token.clone(), session.ends));
        out.announced.push(("renewed", session.generation));
        if wrong_address {
            out.announced.push(("ip_mismatch", session.generation));
        }
        self.session = Some(session);
    }

    /// The refresh token that the running login used is worth nothing any more.
    fn used_up(&mut self) {
        if let Some(session) = &mut self.session
            && self.renewing == Some(session.generation)
        {
            session.renewable_until = Some(i64::MIN);
        }
    }

    fn keep_over(&mut self, session: Session, at: At) {
        if session.outlives(at) && self.live(at).is_none() {
            self.generation = session.generation;
            self.person_called = false;
            self.session = Some(Session {
                refused: true,
                ..session
            });
        }
    }

    pub(crate) fn opened(&mut self, login: usize, given: &Given, sent: At, at: At) -> Outcome {
        let mut out = self.noticed(at);
        if self.wanted != Some(login) {
            // Closing logs nothing out.
            out.discarded = (!self.closed).then(|| given.token.clone());
            return out;
        }
        let session = self.session(given, sent.wall, sent);
        if !session.in_time(at) {
            // Over before anybody could use it: as good as a failure, but for its refresh token.
            self.used_up();
            self.keep_over(session, at);
            self.fail(login, ErrorKind::Timeout, None, None, at, &mut out);
            return out;
        }
        self.wanted = None;
        self.failures = 0;
        self.hold = None;
        out.settled = Some((login, Ok(session.generation)));
        self.publish(session, given.wrong_address, &mut out);
        out
    }

    pub(crate) fn failed(
        &mut self,
        login: usize,
        kind: ErrorKind,
        reason: Option<LoginReason>,
        retry_after: Option<Duration>,
        at: At,
    ) -> Outcome {
        let mut out = self.noticed(at);
        self.fail(login, kind, reason, retry_after, at, &mut out);
        out
    }

    fn fail(
        &mut self,
        login: usize,
        kind: ErrorKind,
        reason: Option<LoginReason>,
        retry_after: Option<Duration>,
        at: At,
        out: &mut Outcome,
    ) {
        let (wanted, leftover) = (self.wanted == Some(login), self.leftover == Some(login));
        if self.closed || !(wanted || leftover) {
            return;
        }
        // What the broker said of the credentials, and that it wants to be left alone, holds whoever asked.
        match kind {
            ErrorKind::CredentialsRejected | ErrorKind::AccountActionRequired => {
                self.blocked = Some(kind);
                out.announced.push(("blocked", self.generation));
            }
            ErrorKind::LoginRequired | ErrorKind::InvalidInput => {}
            _ => {
                if kind == ErrorKind::StaticIpMismatch && self.failures == 0 {
                    out.announced.push(("ip_mismatch", self.generation));
                }
                let wait = self.account.waits[self.failures].max(retry_after.unwrap_or_default());
                self.failures += 1;
                if self.failures == 3 {
                    out.announced.push(("failing", self.generation));
                }
                self.hold = Some((at.mono + wait, kind));
            }
        }
        if !wanted {
            return;
        }
        self.wanted = None;
        match (reason, &mut self.session) {
            // Every session of the app was revoked.
            (Some(LoginReason::CodeReplayed), Some(session)) => {
                if !session.refused {
                    self.dead = session.origin.or(self.dead);
                    if !self.told_expired {
                        out.announced.push(("expired", session.generation));
                    }
                }
                self.session = None;
            }
            (Some(LoginReason::RefreshExpired | LoginReason::RefreshRejected), _) => self.used_up(),
            _ => {}
        }
        if let Some(session) = self.live(at) {
            out.settled = Some((login, Ok(session.generation)));
            return;
        }
        if kind == ErrorKind::LoginRequired {
            self.call_person(out);
        }
        let unknown_again = kind == ErrorKind::BrokerRejected && self.failures >= 3;
        self.needs_person =
            unknown_again || matches!(kind, ErrorKind::LoginRequired | ErrorKind::InvalidInput);
        out.settled = Some((login, Err(kind)));
    }

    pub(crate) fn drained(&mut self, login: usize, at: At) -> Outcome {
        let mut out = self.noticed(at);
        if self.leftover == Some(login) {
            self.leftover = None;
            self.free(at, &mut out);
        }
        out
    }

    pub(crate) fn logged_out(&mut self, at: At) -> Outcome {
        let mut out = self.noticed(at);
        self.logouts -= 1;
        self.free(at, &mut out);
        out
    }

    /// Whether a logout could still end the session of a login that starts now.
    fn busy(&self) -> bool {
        self.leftover.is_some() || self.logouts > 0
    }

    /// The queued login is judged by how things are now.
    fn free(&mut self, at: At, out: &mut Outcome) {
        let Some(queued) = self.wanted.filter(|_| !self.busy()) else {
            return;
        };
        let held = self
            .hold
            .filter(|_| !self.rest(at).is_zero())
            .map(|(_, kind)| kind);
        let verdict = match (self.live(at), self.blocked.or(held)) {
            (Some(session), _) => Ok(session.generation),
            (None, Some(kind)) => Err(kind),
            (None, None) if self.place_held => Err(ErrorKind::LoginRequired),
            (None, None) => {
                self.renewing = self.renewable(at);
                out.answer = Some(Answer::Started(queued));
                return;
            }
        };
        self.wanted = None;
        out.settled = Some((queued, verdict));
    }

    pub(crate) fn imported(&mut self, given: &Given, issued: i64, at: At) -> Outcome {
        let mut out = self.noticed(at);
        let refuse = Some(Answer::Refused(ErrorKind::InvalidInput, None));
        if self.closed {
            out.answer = refuse;
            return out;
        }
        if let Some(live) = self.live(at) {
            if live.token == given.token {
                return out;
            }
            if issued <= live.issued {
                out.answer = refuse;
                return out;
            }
        }
        let refused = self.session.as_ref().filter(|last| last.refused);
        if refused.is_some_and(|last| last.token == given.token) || issued > at.wall + 15 * MINUTE {
            out.answer = refuse;
            return out;
        }
        // It is here, so it was issued before now, whatever the other program's clock showed.
        let session = self.session(given, issued.min(at.wall), at);
        if !session.in_time(at) {
            out.answer = refuse;
            return out;
        }
        out.settled = self.wanted.map(|login| (login, Ok(session.generation)));
        self.publish(session, given.wrong_address, &mut out);
        out
    }

    /// What a store holds is found, by a login or without one.
    pub(crate) fn adopted(&mut self, login: Option<usize>, given: &Given, issued: i64, at: At) -> Outcome {
        let mut out = self.noticed(at);
        let too_late = login.is_some() && login != self.wanted;
        let known_dead = given.origin.is_some() && given.origin == self.dead && login.is_none();
        if self.closed || too_late || known_dead {
            return out;
        }
        let better = |mine: &Session| match (given.origin, mine.origin) {
            (Some((epoch, stored)), Some((my_epoch, my_stored))) => epoch != my_epoch || stored > my_stored,
            _ => issued > mine.issued,
        };
        let kept = self
            .live(at)
            .filter(|mine| !better(mine))
            .map(|mine| mine.generation);
        let generation = if let Some(kept) = kept {
            kept
        } else {
            let session = self.session(given, issued.min(at.wall), at);
            if !session.in_time(at) {
                // Its refresh token is worth something, unless there is a newer one here.
                let mine = self.session.as_ref().filter(|_| self.renewable(at).is_some());
                if mine.is_none_or(better) {
                    self.keep_over(session, at);
                }
                if let Some(login) = login {
                    self.fail(login, ErrorKind::Timeout, None, None, at, &mut out);
                }
                return out;
            }
            let generation = session.generation;
            self.publish(session, given.wrong_address, &mut out);
            generation
        };
        self.failures = 0;
        self.hold = None;
        out.settled = self.wanted.map(|waited| (waited, Ok(generation)));
        if login.is_some() {
            self.wanted = None;
        }
        out
    }

    pub(crate) fn ended_elsewhere(&mut self, origin: (u64, u64), at: At) -> Outcome {
        let mine = self
            .session
            .as_ref()
            .filter(|session| session.origin == Some(origin));
        match mine.map(|session| session.generation) {
            Some(generation) => self.invalidated(generation, at),
            None => self.noticed(at),
        }
    }

    pub(crate) fn ticked(&mut self, at: At) -> Outcome {
        let mut out = self.noticed(at);
        if self.live(at).is_none() && self.warm_at(at).is_some_and(|due| due <= at.wall) {
            out.answer = Some(self.begin(at));
        }
        out
    }

    pub(crate) fn invalidated(&mut self, generation: u64, at: At) -> Outcome {
        let mut out = self.noticed(at);
        let Some(session) = &mut self.session else {
            return out;
        };
        if session.refused || session.generation != generation {
            return out;
        }
        session.refused = true;
        self.dead = session.origin.or(self.dead);
        if !self.told_expired {
            out.announced.push(("expired", generation));
        }
        self.told_expiring = true;
        self.told_expired = true;
        out
    }

    pub(crate) fn signed_out(&mut self, at: At) -> Outcome {
        let mut out = self.noticed(at);
        if self.closed {
            out.answer = Some(Answer::Refused(ErrorKind::InvalidInput, None));
            return out;
        }
        if let Some(session) = self.session.as_ref().filter(|session| !session.refused) {
            self.dead = session.origin.or(self.dead);
        }
        let left = |session: &&Session| self.live(at).is_some() || session.outlives(at);
        out.signed_out = self
            .session
            .as_ref()
            .filter(left)
            .map(|session| session.generation);
        if self.session.take().is_some() || self.wanted.is_some() {
            self.person_called = false;
            out.announced.push(("signed_out", self.generation));
        }
        let queued = self.busy();
        self.logouts += usize::from(out.signed_out.is_some());
        if let Some(login) = self.wanted.take() {
            self.leftover = self.leftover.or(Some(login).filter(|_| !queued));
            out.settled = Some((login, Err(ErrorKind::LoginRequired)));
        }
        out
    }

    pub(crate) fn reset(&mut self, at: At) -> Outcome {
        let out = self.noticed(at);
        self.blocked = None;
        self.needs_person = false;
        self.person_called = false;
        self.failures = 0;
        self.hold = None;
        out
    }

    pub(crate) fn close(&mut self, at: At) -> Outcome {
        let mut out = self.noticed(at);
        self.closed = true;
        self.session = None;
        let wanted = self.wanted.take();
        out.settled = wanted.map(|login| (login, Err(ErrorKind::InvalidInput)));
        out
    }

    pub(crate) fn forked(&mut self, at: At) -> Outcome {
        let out = self.noticed(at);
        self.wanted = None;
        self.leftover = None;
        self.logouts = 0;
        out
    }

    pub(crate) fn address_refused(&mut self, at: At) -> Outcome {
        let mut out = self.noticed(at);
        if !self.closed {
            out.announced.push(("ip_mismatch", self.generation));
        }
        out
    }
}
