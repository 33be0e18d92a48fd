//! Plays a story with the machine and the reference side by side, and checks after every event that they agree, and
//! what must hold whatever the reference says.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use preopen_core::broker::{Login, Tokens};
use preopen_core::error::{Advice, Error, ErrorKind, LoginReason};
use preopen_core::expiry::{Evidence, EvidenceSource, ExpiryPolicy};
use preopen_core::lifecycle::shared::Origin;
use preopen_core::lifecycle::{Effect, Event, FlightId, Machine, Record};
use preopen_core::skew::Skew;
use preopen_core::static_ip::Addresses;
use preopen_core::{Now, Timestamp};
use proptest::prelude::*;

use super::moves::{Issued, Move, Reply, Shape, Stored, Which};
use super::reference::{Answer, At, Given, Outcome, Reference, View};

type Checked<T = ()> = Result<T, TestCaseError>;

pub(crate) struct Play {
    machine: Machine,
    reference: Reference,
    policy: &'static ExpiryPolicy,
    now: Now,
    published: Option<Arc<Record>>,
    /// Every login that was asked for, in order, and when it went on the wire.
    logins: Vec<(FlightId, Option<Now>)>,
    on_wire: Option<usize>,
    logouts: Vec<FlightId>,
    /// The broker refused the credentials, and nobody has called `reset()` since.
    refused: bool,
    told: Vec<(&'static str, u64)>,
    tokens: u64,
    needs_consent: bool,
    /// The person's answer that waits for the login before it.
    consents_waiting: usize,
    /// The logins that carry a person's answer.
    granted: HashSet<usize>,
    /// The session whose refresh token each login uses, and those whose refresh token the broker takes no more.
    renews_with: Vec<(usize, u64)>,
    used_up: HashSet<u64>,
}

impl Play {
    pub(crate) fn new(
        machine: Machine,
        reference: Reference,
        policy: &'static ExpiryPolicy,
        needs_consent: bool,
    ) -> Self {
        let start = Timestamp::parse_rfc3339("2026-11-22T12:00:00+05:30").unwrap();
        Self {
            machine,
            reference,
            policy,
            now: Now {
                wall: start,
                monotonic: Duration::from_secs(100),
            },
            published: None,
            logins: Vec::new(),
            on_wire: None,
            logouts: Vec::new(),
            refused: false,
            told: Vec::new(),
            tokens: 0,
            needs_consent,
            consents_waiting: 0,
            granted: HashSet::new(),
            renews_with: Vec::new(),
            used_up: HashSet::new(),
        }
    }

    fn at(&self) -> At {
        to_at(self.now)
    }

    fn given(&mut self, shape: Shape) -> Given {
        self.tokens += 1;
        Given {
            token: format!("token-{}", self.tokens),
            told_ends: shape.told.map(|off| self.now.wall.as_millis() + off),
            skew: shape.skew,
            wrong_address: shape.wrong_address,
            origin: self.origin(shape.stored),
            renewable_until: shape.renewable.map(|off| self.now.wall.as_millis() + off),
        }
    }

    fn origin(&self, stored: Stored) -> Option<(u64, u64)> {
        let (epoch, mine) = self
            .reference
            .origin()
            .or(self.reference.dead())
            .unwrap_or((1, 0));
        match stored {
            Stored::Nowhere => None,
            Stored::Next(more) => Some((epoch, mine + more)),
            Stored::Same => Some((epoch, mine.max(1))),
            Stored::Dead => self.reference.dead(),
            Stored::Older => Some((epoch, mine.saturating_sub(1).max(1))),
            Stored::OtherEpoch(generation) => Some((epoch + 1, generation)),
        }
    }

    pub(crate) fn play(&mut self, step: &Move) -> Checked {
        self.one(step)?;
        // Whoever waited for the login before tries again, as the session does.
        while self.consents_waiting > 0 && self.reference.wanted().is_none() {
            self.consents_waiting -= 1;
            self.consent()?;
        }
        Ok(())
    }

    /// A person's answer is carried by one login, waits for the one before it, or is refused while nothing was sent.
    fn consent(&mut self) -> Checked {
        self.refused &= self.reference.wanted().is_some() || self.reference.is_closed();
        let expected = self.reference.granted(self.at());
        let answer = expected.answer.clone();
        self.step(Event::Granted, expected)?;
        match answer {
            Some(Answer::Started(login)) => {
                prop_assert!(self.granted.insert(login), "two answers in one login");
            }
            Some(Answer::Joined(_)) => self.consents_waiting += 1,
            Some(Answer::Refused(ErrorKind::InvalidInput, None)) => {
                prop_assert!(self.reference.is_closed(), "a person's answer was lost");
            }
            other => prop_assert!(false, "a person's answer was lost: {other:?}"),
        }
        Ok(())
    }

    fn one(&mut self, step: &Move) -> Checked {
        let at = self.at();
        match step {
            Move::Need => {
                let expected = self.reference.needed(at);
                self.step(Event::Needed, expected)
            }
            Move::Consent if self.needs_consent => self.consent(),
            Move::Consent => Ok(()),
            Move::Answer {
                which,
                reply,
                sent_now,
            } => self.answer(*which, reply, *sent_now),
            Move::Drain { right } => self.drain(*right),
            Move::LoggedOut => {
                let Some(flight) = self.logouts.pop() else {
                    return Ok(());
                };
                let expected = self.reference.logged_out(at);
                self.step(Event::Drained { flight }, expected)
            }
            Move::Import {
                issued,
                shape,
                same_token,
            } => self.import(*issued, *shape, *same_token),
            Move::Adopt { which, issued, shape } => self.adopt(*which, *issued, *shape),
            Move::EndedElsewhere { stored } => {
                let Some((epoch, generation)) = self.origin(*stored) else {
                    return Ok(());
                };
                let expected = self.reference.ended_elsewhere((epoch, generation), at);
                let origin = Origin { epoch, generation };
                self.step(Event::EndedElsewhere { origin }, expected)
            }
            Move::Tick => self.tick(),
            Move::TickWhenDue { off, asleep } => {
                if let Some(due) = self.machine.wakes_at(self.now) {
                    let wait = due.as_millis() + off - at.wall;
                    self.pass(wait.max(0), *asleep);
                }
                self.tick()
            }
            Move::Invalidate { back } => {
                let generation = self.machine.state(self.now).generation.saturating_sub(*back);
                let expected = self.reference.invalidated(generation, at);
                self.step(Event::Invalidated { generation }, expected)
            }
            Move::AddressRefused => {
                let error = Error::new(ErrorKind::StaticIpMismatch, "address");
                let expected = self.reference.address_refused(at);
                self.step(Event::AddressRefused(error), expected)
            }
            Move::SignOut => {
                let expected = self.reference.signed_out(at);
                self.step(Event::SignedOut, expected)
            }
            Move::Reset => {
                self.refused = false;
                self.told.push(("reset", 0));
                let expected = self.reference.reset(at);
                self.step(Event::Reset, expected)
            }
            Move::Close => {
                let expected = self.reference.close(at);
                self.step(Event::Closed, expected)
            }
            Move::Fork => {
                self.on_wire = None;
                self.logouts.clear();
                let expected = self.reference.forked(at);
                self.step(Event::Forked, expected)
            }
            Move::Pass(millis) => {
                self.pass(*millis, false);
                self.look()
            }
            Move::Step(millis) => {
                self.now.wall = self.now.wall.plus_millis(*millis);
                self.look()
            }
            Move::PassToEnd(off) => {
                if let Some((_, ends, _)) = self.reference.last() {
                    self.pass((ends + off - at.wall).max(0), false);
                }
                self.look()
            }
        }
    }

    fn drain(&mut self, right: bool) -> Checked {
        let login = if right {
            self.reference.leftover()
        } else {
            self.logins.len().checked_sub(1)
        };
        let Some(login) = login else { return Ok(()) };
        if self.reference.leftover() == Some(login) {
            self.on_wire = None;
        }
        let flight = self.logins[login].0;
        let expected = self.reference.drained(login, self.at());
        self.step(Event::Drained { flight }, expected)
    }

    fn pass(&mut self, millis: i64, asleep: bool) {
        self.now.wall = self.now.wall.plus_millis(millis);
        if !asleep {
            self.now.monotonic += Duration::from_millis(millis.unsigned_abs());
        }
    }

    fn answer(&mut self, which: Which, reply: &Reply, sent_now: bool) -> Checked {
        let login = match which {
            Which::Wanted => self.reference.wanted(),
            Which::Leftover => self.reference.leftover(),
            Which::Old(back) => self.logins.len().checked_sub(back + 1),
        };
        // A queued login was not sent, so nobody answers it.
        let Some((login, flight, began)) = login.and_then(|login| {
            let (flight, began) = self.logins[login];
            Some((login, flight, began?))
        }) else {
            return Ok(());
        };
        let (wanted, leftover) = (self.reference.wanted(), self.reference.leftover());
        if wanted == Some(login) {
            self.on_wire = None;
        }
        let at = self.at();
        let nothing_to_send =
            Reply::Failure(ErrorKind::LoginRequired, Some(LoginReason::ConsentNeeded), None);
        let person = !self.needs_consent || self.granted.contains(&login);
        let reply = if person || self.renews_with(login).is_some() {
            reply
        } else {
            &nothing_to_send
        };
        match reply {
            Reply::Login(shape) => {
                self.use_up(login);
                let given = self.given(*shape);
                let sent = if sent_now { self.now } else { began };
                let expected = self.reference.opened(login, &given, to_at(sent), at);
                let login = Box::new(to_login(&given));
                self.step(Event::Opened { flight, login, sent }, expected)
            }
            Reply::Failure(kind, reason, wait) => {
                let (kind, reason) = (*kind, reason.filter(|reason| self.may_be_told(login, *reason)));
                let error = Error::new(kind, "x").with(|context| {
                    context.retry_after = *wait;
                    context.login_reason = reason;
                });
                if matches!(
                    reason,
                    Some(LoginReason::RefreshExpired | LoginReason::RefreshRejected)
                ) {
                    self.use_up(login);
                }
                let live = self.live();
                let heard = wanted == Some(login) || leftover == Some(login);
                self.refused |= error.is_terminal_for_login() && heard && !self.reference.is_closed();
                let expected = self.reference.failed(login, kind, reason, *wait, at);
                self.step(Event::Failed { flight, error }, expected)?;
                let kept = reason == Some(LoginReason::CodeReplayed) || live.is_none() || self.live() == live;
                prop_assert!(kept, "a failed login displaced a live session");
                Ok(())
            }
        }
    }

    /// Only a refresh is refused as one, and only a code as used before.
    fn may_be_told(&self, login: usize, reason: LoginReason) -> bool {
        match reason {
            LoginReason::RefreshExpired | LoginReason::RefreshRejected => self.renews_with(login).is_some(),
            LoginReason::CodeReplayed | LoginReason::CodeExpired => self.granted.contains(&login),
            _ => true,
        }
    }

    fn renews_with(&self, login: usize) -> Option<u64> {
        let mut uses = self.renews_with.iter().filter(|_| !self.granted.contains(&login));
        uses.find(|(of, _)| *of == login).map(|(_, session)| *session)
    }

    /// The refresh token that this login used is worth nothing any more.
    fn use_up(&mut self, login: usize) {
        if ![self.reference.wanted(), self.reference.leftover()].contains(&Some(login)) {
            return;
        }
        let used = self.renews_with(login);
        self.used_up.extend(used);
    }

    fn live(&self) -> Option<u64> {
        let seen = self.published.as_ref().filter(|record| record.is_live(self.now));
        seen.map(|record| record.generation)
    }

    fn import(&mut self, issued: Issued, shape: Shape, same_token: bool) -> Checked {
        let mut given = self.given(shape);
        let last = self.reference.last();
        if let (true, Some((_, _, token))) = (same_token, last) {
            token.clone_into(&mut given.token);
        }
        let issued = self.issued(issued);
        let expected = self.reference.imported(&given, issued, self.at());
        let event = Event::Imported {
            login: Box::new(to_login(&given)),
            issued_at: Timestamp::from_millis(issued),
        };
        self.step(event, expected)
    }

    fn adopt(&mut self, which: Option<Which>, issued: Issued, shape: Shape) -> Checked {
        let login = match which {
            None => None,
            Some(which) => {
                let login = match which {
                    Which::Wanted => self.reference.wanted(),
                    Which::Leftover => self.reference.leftover(),
                    Which::Old(back) => self.logins.len().checked_sub(back + 1),
                };
                // A queued login looked nowhere yet.
                let Some(login) = login.filter(|login| self.logins[*login].1.is_some()) else {
                    return Ok(());
                };
                if self.reference.wanted() == Some(login) {
                    self.on_wire = None;
                }
                Some(login)
            }
        };
        let given = self.given(shape);
        let issued = self.issued(issued);
        let expected = self.reference.adopted(login, &given, issued, self.at());
        let event = Event::Adopted {
            flight: login.map(|login| self.logins[login].0),
            login: Box::new(to_login(&given)),
            issued_at: Timestamp::from_millis(issued),
        };
        self.step(event, expected)
    }

    fn issued(&self, issued: Issued) -> i64 {
        match (issued, self.reference.last()) {
            (Issued::AfterMine(by), Some((mine, ..))) => mine + by,
            (Issued::Ago(by) | Issued::AfterMine(by), _) => self.now.wall.as_millis() - by,
        }
    }

    /// A tick leaves nothing undone: the machine never asks for another one at once.
    fn tick(&mut self) -> Checked {
        let expected = self.reference.ticked(self.at());
        let (began, renewable) = (self.logins.len(), self.machine.renewable(self.now));
        self.step(Event::Tick, expected)?;
        prop_assert!(
            !self.needs_consent || self.logins.len() == began || renewable.is_some(),
            "time alone logs nobody in"
        );
        self.is_a_person_called()?;
        let next = self.machine.wakes_at(self.now);
        prop_assert!(
            next.is_none_or(|next| next > self.now.wall),
            "{next:?} after a tick at {:?}",
            self.now
        );
        Ok(())
    }

    /// When a session is over, nothing renews it and no login is under way, a person was called.
    fn is_a_person_called(&mut self) -> Checked {
        let over = self.machine.state(self.now).name.as_str() == "expired";
        let waits = self.machine.renewable(self.now).is_none() && self.reference.wanted().is_none();
        if self.needs_consent && over && waits {
            let since = self.told.iter().rev();
            let mut since = since.take_while(|(name, _)| !matches!(*name, "renewed" | "signed_out"));
            let called = since.any(|(name, _)| *name == "login_needed");
            prop_assert!(called, "{:?}", self.told);
        }
        Ok(())
    }

    fn step(&mut self, event: Event, mut expected: Outcome) -> Checked {
        self.reference.afterwards(self.at(), &mut expected);
        let before = self.machine.state(self.now).generation;
        let (machine, effects) = std::mem::take(&mut self.machine).step(event, self.now, self.policy);
        self.machine = machine;
        let outcome = self.observe(effects)?;
        if outcome.published.is_none() && self.machine.state(self.now).generation > before {
            self.told.push(("kept", before + 1));
        }
        prop_assert_eq!(outcome, expected, "machine and reference, at the last move");
        self.look()
    }

    /// What everybody can see between two events.
    fn look(&mut self) -> Checked {
        let state = self.machine.state(self.now);
        let view = View {
            state: state.name.as_str(),
            generation: state.generation,
            readers_see: self.live(),
            renewable: self.machine.renewable(self.now).map(|record| record.generation),
            dead: self
                .machine
                .dead()
                .map(|origin| (origin.epoch, origin.generation)),
            wakes_at: self.machine.wakes_at(self.now).map(Timestamp::as_millis),
        };
        let expected = self.reference.view(self.at());
        prop_assert_eq!(view, expected, "machine and reference, after the last move");
        Ok(())
    }

    fn number(&mut self, flight: FlightId) -> usize {
        let known = self.logins.iter().position(|(id, _)| *id == flight);
        known.unwrap_or_else(|| {
            self.logins.push((flight, None));
            self.logins.len() - 1
        })
    }

    fn observe(&mut self, effects: Vec<Effect>) -> Checked<Outcome> {
        let mut out = Outcome::default();
        for effect in effects {
            match effect {
                Effect::Serve(record) => {
                    prop_assert!(record.is_live(self.now), "served past its end");
                    out.answer = Some(Answer::Served(record.generation));
                }
                Effect::Refuse(error) => {
                    let wait = match error.advice() {
                        Advice::After(wait) => Some(wait),
                        _ => None,
                    };
                    out.answer = Some(Answer::Refused(error.kind(), wait));
                }
                Effect::Start(flight) => {
                    let login = self.number(flight);
                    prop_assert!(self.on_wire.is_none(), "two logins at once");
                    prop_assert!(self.logouts.is_empty(), "a login beside a logout");
                    prop_assert!(!self.refused, "refused credentials were sent again");
                    prop_assert!(self.logins[login].1.is_none(), "one login twice");
                    if let Some(record) = self.machine.renewable(self.now) {
                        prop_assert!(
                            !self.used_up.contains(&record.generation),
                            "a refresh token twice"
                        );
                        self.renews_with.push((login, record.generation));
                    }
                    self.on_wire = Some(login);
                    self.logins[login].1 = Some(self.now);
                    out.answer = Some(Answer::Started(login));
                }
                Effect::Join(flight) => out.answer = Some(Answer::Joined(self.number(flight))),
                Effect::Publish(record) => {
                    let token = record.tokens.access().expose().to_owned();
                    out.published = Some((record.generation, token, record.expiry.at().as_millis()));
                    self.published = Some(record);
                }
                Effect::Withdraw => self.published = None,
                Effect::Settle(flight, result) => {
                    let verdict = match result {
                        Ok(record) => {
                            prop_assert!(record.is_live(self.now), "settled past its end");
                            Ok(record.generation)
                        }
                        Err(error) => Err(error.kind()),
                    };
                    prop_assert!(out.settled.is_none());
                    out.settled = Some((self.number(flight), verdict));
                }
                Effect::SignOut(flight, record) => {
                    self.logouts.push(flight);
                    prop_assert!(out.signed_out.is_none(), "two logouts");
                    out.signed_out = Some(record.generation);
                }
                Effect::Discard(login) => {
                    out.discarded = Some(login.tokens.access().expose().to_owned());
                }
                Effect::Announce(event) => {
                    let news = (event.name.as_str(), event.generation);
                    out.announced.push(news);
                    self.told.push(news);
                }
                other => prop_assert!(false, "unknown effect {other:?}"),
            }
        }
        Ok(out)
    }

    /// What the story told as a whole: each end at most once, in order, and nothing of a session after its logout; and a
    /// person is called to the broker's page once for each of them.
    pub(crate) fn end(&self) -> Checked {
        prop_assert!(
            self.consents_waiting == 0 || self.reference.wanted().is_some(),
            "a person's answer waits for nothing"
        );
        let mut called = false;
        for (name, _) in &self.told {
            let again = called && *name == "login_needed";
            prop_assert!(!(again && self.reference.needs_consent()), "{:?}", self.told);
            called = match *name {
                "login_needed" => true,
                "renewed" | "signed_out" | "reset" | "kept" => false,
                _ => called,
            };
        }
        let told = |name, generation| {
            let news = self.told.iter().enumerate();
            let places: Vec<usize> = news
                .filter(|(_, news)| **news == (name, generation))
                .map(|(at, _)| at)
                .collect();
            places
        };
        for generation in 1..=self.machine.state(self.now).generation {
            let [renewed, expiring, expired] =
                ["renewed", "expiring", "expired"].map(|name| told(name, generation));
            // A number that only other programs know.
            if renewed.is_empty() {
                prop_assert!(expiring.is_empty() && expired.is_empty(), "{:?}", self.told);
                continue;
            }
            prop_assert_eq!(renewed.len(), 1, "{:?}", self.told);
            prop_assert!(expiring.len() <= 1 && expired.len() <= 1, "{:?}", self.told);
            let order = [renewed, expiring, expired].concat();
            prop_assert!(order.is_sorted(), "{:?}", self.told);
            let out = told("signed_out", generation).first().copied();
            prop_assert!(
                out.is_none_or(|out| order.iter().all(|&at| at < out)),
                "{:?}",
                self.told
            );
            let next = self
                .told
                .iter()
                .position(|(name, later)| *name == "renewed" && *later > generation);
            prop_assert!(
                next.is_none_or(|next| order.iter().all(|&at| at < next)),
                "{:?}",
                self.told
            );
        }
        Ok(())
    }
}

fn to_at(now: Now) -> At {
    At {
        wall: now.wall.as_millis(),
        mono: now.monotonic,
    }
}

fn to_login(given: &Given) -> Login {
    let mut login = Login::new(Tokens::new(given.token.as_str()));
    login.renewable_until = given.renewable_until.map(Timestamp::from_millis);
    login.skew = given.skew.map(Skew::from_millis);
    login.origin = given
        .origin
        .map(|(epoch, generation)| Origin { epoch, generation });
    login.evidence.extend(given.told_ends.map(|at| Evidence {
        source: EvidenceSource::ExpiresIn,
        at: Timestamp::from_millis(at),
    }));
    login.addresses = given
        .wrong_address
        .then(|| Addresses::new(Some("192.0.2.1"), Some("192.0.2.2"), None));
    login
}
