//! One schedule: a session, its callers, logins and logouts, moved one action at a time, and what must hold after each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use preopen::core::wire::Transport;
use preopen::runtime::Spawn;
use preopen::{
    Clock, Error, ErrorKind, Logout, Result, Samco, Session, StateName, Timestamp, Token, VirtualClock,
};
use tokio::runtime::Runtime;

use crate::world::{Person, Polled, Say, Sent, Tasks, Wire, token_of};

/// What a set of schedules is made of.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) callers: usize,
    /// Whether the secret is asked for.
    pub(crate) asked: bool,
    /// What the broker may say to a login, and to a logout.
    pub(crate) login: &'static [Say],
    pub(crate) logout: &'static [Say],
    /// What else may happen.
    pub(crate) also: &'static [Action],
    /// What has happened before any action is chosen, by callers who are gone.
    pub(crate) before: &'static [Action],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A caller asks for the token, is polled again, or gives up.
    Start(usize),
    Poll(usize),
    Leave(usize),
    /// A background task is polled.
    Fly(usize),
    /// The broker answers the request with this place on the wire.
    Reply(usize, Say),
    /// The callback answers.
    Answer(Say),
    /// The user logs out, the logout is polled again, or its caller gives up.
    Logout,
    PollLogout,
    LeaveLogout,
    InvalidateCurrent,
    InvalidateOld,
    Reset,
    Close,
    /// 08:00 comes.
    Boundary,
    /// The user drops the handle; callers keep theirs.
    DropHandle,
    /// A tenth of a second passes for those who sleep.
    Look,
}

#[derive(Default)]
enum Caller {
    #[default]
    Idle,
    Waiting {
        token: Polled<Result<Token>>,
        since: usize,
        era: usize,
    },
    Served,
}

pub(crate) struct Story<'a> {
    setup: Setup,
    time: &'a Runtime,
    clock: Arc<VirtualClock>,
    wire: Arc<Wire>,
    tasks: Arc<Tasks>,
    person: Person,
    session: Option<Session>,
    callers: Vec<Caller>,
    logout: Option<Polled<Result<Logout>>>,
    step: usize,
    seen: usize,
    /// Grows when whoever waits gets a result, so that callers of one era have waited for one login.
    era: usize,
    errors: Vec<(usize, String)>,
    failures: Vec<ErrorKind>,
    opened: usize,
    abandoned: BTreeSet<usize>,
    /// The tasks that send the user's logouts.
    logouts: BTreeSet<usize>,
    withdrawn: BTreeSet<u64>,
    logged_out: BTreeSet<String>,
    generation: u64,
    /// The step of the last logout.
    signed_out: Option<usize>,
    refused: bool,
    closed: bool,
    over: bool,
    answer: Say,
}

impl<'a> Story<'a> {
    pub(crate) fn new(setup: Setup, time: &'a Runtime) -> Self {
        let start = Timestamp::parse_rfc3339("2026-11-23T07:59:59+05:30").unwrap();
        let clock = Arc::new(VirtualClock::new(start, 0.0));
        let (wire, tasks, person) = (Arc::<Wire>::default(), Arc::<Tasks>::default(), Person::default());
        let credentials = if setup.asked {
            Samco::new("a key", person.callback())
        } else {
            Samco::new("a key", "a secret that is right")
        };
        let session = Session::builder(credentials)
            .transport(Arc::clone(&wire) as Arc<dyn Transport>)
            .spawn(Arc::clone(&tasks) as Arc<dyn Spawn>)
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .build()
            .unwrap();
        let mut story = Self {
            setup,
            time,
            clock,
            wire,
            tasks,
            person,
            session: Some(session),
            callers: (0..setup.callers).map(|_| Caller::default()).collect(),
            logout: None,
            step: 0,
            seen: 0,
            era: 0,
            errors: Vec::new(),
            failures: Vec::new(),
            opened: 0,
            abandoned: BTreeSet::new(),
            logouts: BTreeSet::new(),
            withdrawn: BTreeSet::new(),
            logged_out: BTreeSet::new(),
            generation: 0,
            signed_out: None,
            refused: false,
            closed: false,
            over: false,
            answer: Say::Yes,
        };
        setup.before.iter().for_each(|action| story.act(*action));
        story.callers.iter_mut().for_each(|caller| *caller = Caller::Idle);
        story
    }

    /// Everything that may happen next. Callers are alike, so they come in order.
    pub(crate) fn enabled(&self) -> Vec<Action> {
        let mut enabled = Vec::new();
        let fresh = self
            .callers
            .iter()
            .position(|caller| matches!(caller, Caller::Idle));
        enabled.extend(fresh.filter(|_| self.session.is_some()).map(Action::Start));
        self.polls(&mut enabled);
        for (nth, caller) in self.callers.iter().enumerate() {
            if matches!(caller, Caller::Waiting { .. }) {
                enabled.push(Action::Leave(nth));
            }
        }
        for (place, sent) in self
            .wire
            .sent()
            .iter()
            .enumerate()
            .filter(|(_, sent)| sent.is_open())
        {
            let says = if sent.ends.is_some() {
                self.setup.logout
            } else {
                self.setup.login
            };
            enabled.extend(says.iter().map(|say| Action::Reply(place, *say)));
        }
        if self.person.is_asked() {
            enabled.extend([Say::Yes, Say::Nothing, Say::Panic].map(Action::Answer));
            enabled.push(Action::Look);
        }
        if self.logout.is_some() {
            enabled.push(Action::LeaveLogout);
        }
        enabled.extend(self.setup.also.iter().filter(|action| self.may(**action)));
        enabled
    }

    /// What an executor would poll.
    fn polls(&self, enabled: &mut Vec<Action>) {
        for (nth, caller) in self.callers.iter().enumerate() {
            if matches!(caller, Caller::Waiting { token, .. } if token.is_woken()) {
                enabled.push(Action::Poll(nth));
            }
        }
        let tasks = self.tasks.all();
        enabled.extend(
            (0..tasks.len())
                .filter(|task| tasks[*task].is_woken())
                .map(Action::Fly),
        );
        if self.logout.as_ref().is_some_and(Polled::is_woken) {
            enabled.push(Action::PollLogout);
        }
    }

    fn may(&self, action: Action) -> bool {
        let Some(session) = &self.session else {
            return false;
        };
        match action {
            Action::Logout => self.logout.is_none() && !self.closed,
            Action::InvalidateCurrent => session.try_token().is_some(),
            Action::InvalidateOld => self.generation > 1,
            Action::Reset => self.refused,
            Action::Close => !self.closed,
            Action::Boundary => !self.over,
            _ => true,
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.step += 1;
        let session = self.session.clone();
        match action {
            Action::Start(nth) => {
                let session = session.unwrap();
                self.callers[nth] = Caller::Waiting {
                    token: Polled::new(async move { session.token().await }),
                    since: self.step,
                    era: self.era,
                };
                let _ = self.poll_caller(nth);
            }
            Action::Poll(nth) => {
                let tasks = self.tasks.all().len();
                let since = self.poll_caller(nth);
                let started = self.tasks.all().len() > tasks;
                let before = self.signed_out.is_some_and(|step| step > since);
                assert!(
                    !(started && before),
                    "S8: who asked before a logout logs in after it"
                );
            }
            Action::Leave(nth) => self.callers[nth] = Caller::Served,
            Action::Fly(task) => self.fly(task),
            Action::Reply(place, say) => self.wire.sent()[place].answer(say),
            Action::Answer(say) => {
                self.answer = say;
                self.person.answer(say);
            }
            Action::Logout => self.log_out(session.unwrap()),
            Action::PollLogout => self.poll_logout(),
            Action::LeaveLogout => self.logout = None,
            Action::InvalidateCurrent => {
                let generation = self.generation;
                self.withdrawn.insert(generation);
                session.as_ref().unwrap().invalidate(generation);
                assert!(session.unwrap().try_token().is_none());
            }
            Action::InvalidateOld => {
                let session = session.unwrap();
                let live = |session: &Session| session.try_token().map(|token| token.generation());
                let before = live(&session);
                session.invalidate(self.generation - 1);
                assert_eq!(live(&session), before, "S7: an old generation changes nothing");
            }
            Action::Reset => {
                self.refused = false;
                session.unwrap().reset();
            }
            Action::Close => {
                self.closed = true;
                self.era += 1;
                session.unwrap().close();
            }
            Action::Boundary => {
                self.over = true;
                self.clock.advance(Duration::from_secs(2));
            }
            Action::DropHandle => self.session = None,
            Action::Look => {
                let passed = tokio::time::advance(Duration::from_millis(100));
                self.time.block_on(passed);
            }
        }
        // The clone of this action must not count as a handle in what follows.
        self.look_at_wire(None);
        self.look_at_session();
    }

    fn log_out(&mut self, session: Session) {
        self.signed_out = Some(self.step);
        self.era += 1;
        self.logged_out
            .extend(session.try_token().map(|token| token.expose().to_owned()));
        self.withdrawn.extend(1..=self.generation);
        // A login that is under way is abandoned, whatever comes of it.
        let tasks = self.tasks.all();
        let running = (0..tasks.len()).filter(|task| tasks[*task].is_running());
        self.abandoned.extend(running);
        let known = tasks.len();
        drop(tasks);
        for sent in self.wire.sent().iter_mut() {
            sent.abandoned |=
                sent.task.is_some_and(|task| self.abandoned.contains(&task)) && sent.ends.is_none();
        }
        self.logout = Some(Polled::new(async move { session.logout().await }));
        self.poll_logout();
        self.logouts.extend(known..self.tasks.all().len());
    }

    fn poll_logout(&mut self) {
        if let Some(done) = self.logout.as_mut().and_then(Polled::poll) {
            assert!(done.is_ok(), "{done:?}");
            self.logout = None;
        }
    }

    /// Tells since when the caller has waited.
    fn poll_caller(&mut self, nth: usize) -> usize {
        let Caller::Waiting { token, since, era } = &mut self.callers[nth] else {
            panic!("nobody to poll");
        };
        let since = *since;
        match token.poll() {
            None => *era = self.era,
            Some(Ok(token)) => {
                self.callers[nth] = Caller::Served;
                self.is_fit(&token);
            }
            Some(Err(error)) => {
                let era = *era;
                let started = since == self.step;
                self.callers[nth] = Caller::Served;
                self.is_deserved(&error, since);
                // Whoever waited for the same login got the same error.
                if !started {
                    for (_, other) in self.errors.iter().filter(|(known, _)| *known == era) {
                        assert_eq!(*other, error.to_string(), "S2: one login, one error");
                    }
                    self.errors.push((era, error.to_string()));
                }
            }
        }
        since
    }

    /// Whether a token may be handed out now.
    fn is_fit(&self, token: &Token) {
        assert!(
            token.expires_at() > self.clock.now().wall,
            "T3: a dead session was served"
        );
        assert!(!self.closed, "a closed session was served");
        assert!(
            !self.withdrawn.contains(&token.generation()),
            "S7, S8: generation {} was served after its end",
            token.generation()
        );
        assert!(
            token.generation() >= self.generation,
            "S6: an older generation was served"
        );
    }

    /// Whether what happened since a caller asked explains his error.
    fn is_deserved(&self, error: &Error, since: usize) {
        let kind = error.kind();
        let deserved = match kind {
            ErrorKind::InvalidInput if error.field() == Some("session") => self.closed,
            ErrorKind::LoginRequired if self.signed_out.is_some_and(|step| step >= since) => true,
            ErrorKind::Timeout => self.opened >= 2,
            _ => self.failures.contains(&kind),
        };
        assert!(deserved, "nothing that happened explains {error:?}");
    }

    fn fly(&mut self, task: usize) {
        let ended = self.tasks.poll(task);
        self.look_at_wire(Some(task));
        if ended {
            self.landed(task);
        }
    }

    /// A background task has ended: what it got must have arrived, whoever is still there to wait for it.
    fn landed(&mut self, task: usize) {
        let login = {
            let sent = self.wire.sent();
            let place = sent
                .iter()
                .rposition(|sent| sent.task == Some(task) && sent.ends.is_none());
            place.map(|place| (place, sent[place].said))
        };
        if self.closed || self.logouts.contains(&task) {
            return;
        }
        self.era += 1;
        if self.abandoned.contains(&task) {
            // Nobody waits for it, but what it learned holds for the next.
            match login.and_then(|(_, said)| said) {
                Some(Say::Refused) => {
                    self.refused = true;
                    self.failures.push(ErrorKind::CredentialsRejected);
                }
                Some(Say::Down) => self.failures.push(ErrorKind::BrokerUnavailable),
                Some(Say::Panic) => self.failures.push(ErrorKind::Internal),
                _ => {}
            }
            return;
        }
        let failure = match (login, self.answer) {
            (Some((place, Some(Say::Yes))), _) => {
                self.opened += 1;
                let Some(session) = &self.session else { return };
                let token = session.try_token().expect("S3: the result of a login was lost");
                assert_eq!(token.expose(), token_of(place));
                assert!(token.generation() > self.generation, "generations grow");
                return;
            }
            (Some((_, Some(Say::Refused))), _) => {
                self.refused = true;
                ErrorKind::CredentialsRejected
            }
            (Some((_, Some(Say::Panic))), _) => ErrorKind::Internal,
            (Some(_), _) => ErrorKind::BrokerUnavailable,
            (None, Say::Nothing) => ErrorKind::LoginRequired,
            (None, Say::Panic) => ErrorKind::InvalidInput,
            (None, _) => {
                assert!(self.session.is_none(), "a login ended without being tried");
                return;
            }
        };
        self.failures.push(failure);
        let state = self.session.as_ref().map(|session| session.state().name);
        assert!(
            !matches!(state, Some(StateName::Opening | StateName::Active)),
            "S2: the slot is not clean: {state:?}"
        );
    }

    /// Every request that is new on the wire.
    fn look_at_wire(&mut self, task: Option<usize>) {
        let mut sent = self.wire.sent();
        for place in self.seen..sent.len() {
            sent[place].task = task;
            sent[place].early = !self.over;
            sent[place].abandoned = task.is_some_and(|task| self.abandoned.contains(&task));
            let (before, new) = (&sent[..place], &sent[place]);
            if let Some(token) = &new.ends {
                let twice = before.iter().any(|other| other.ends.as_ref() == Some(token));
                assert!(!twice, "{token} was logged out twice");
                let opened = before
                    .iter()
                    .enumerate()
                    .find(|(place, _)| token_of(*place) == *token);
                let late = opened.is_some_and(|(_, login)| login.abandoned);
                assert!(
                    late || self.logged_out.contains(token),
                    "nobody logged out of {token}"
                );
                assert!(!(late && self.closed), "a closed session sent something");
                continue;
            }
            assert!(task.is_some(), "a caller logged in by himself");
            assert!(!self.closed, "a closed session sent something");
            assert!(!self.refused, "F4: a refused secret was sent again");
            assert!(!new.abandoned, "S8: a login was sent for nobody");
            for (place, other) in before.iter().enumerate() {
                assert!(
                    !other.is_open(),
                    "S8: a login was sent beside another request of the session"
                );
                // What was opened before 08:00 ends there by itself.
                let opened = other.ends.is_none() && other.said == Some(Say::Yes);
                let late = opened && other.abandoned && !(other.early && self.over);
                let ended = before.iter().any(|end| end.ends == Some(token_of(place)));
                assert!(
                    !late || ended,
                    "S8: a login was sent before a late one was logged out"
                );
            }
        }
        self.seen = sent.len();
    }

    /// What a reader sees.
    fn look_at_session(&mut self) {
        let Some(session) = &self.session else { return };
        let state = session.state();
        assert!(state.generation >= self.generation, "generations grow");
        if let Some(token) = session.try_token() {
            self.is_fit(&token);
            self.generation = token.generation();
            assert_eq!(state.generation, token.generation());
            assert_eq!(state.name, StateName::Active);
        }
    }

    fn has_handles(&self) -> bool {
        let waiting = |caller: &Caller| matches!(caller, Caller::Waiting { .. });
        self.session.is_some() || self.logout.is_some() || self.callers.iter().any(waiting)
    }

    /// Lets everything go on, only by what was woken, until nothing is left to do. Every request is answered with yes.
    fn settle(&mut self) {
        for _ in 0..200 {
            let mut polls = Vec::new();
            self.polls(&mut polls);
            let open = self.wire.sent().iter().position(Sent::is_open);
            let next = match (polls.first(), open) {
                (Some(poll), _) => *poll,
                (None, Some(place)) => Action::Reply(place, Say::Yes),
                // A person need not answer for a session that is gone.
                (None, None) if self.person.is_asked() && self.has_handles() => Action::Answer(Say::Yes),
                (None, None) if self.tasks.all().iter().any(Polled::is_running) => Action::Look,
                _ => return,
            };
            self.act(next);
        }
        panic!("S10: something goes on for ever");
    }

    /// The end: everybody has a result, the slot serves the next caller, and nothing outlives the last handle.
    pub(crate) fn end(mut self) {
        self.settle();
        let hangs = |caller: &Caller| matches!(caller, Caller::Waiting { .. });
        assert!(!self.callers.iter().any(hangs), "S1: a caller hangs");
        assert!(self.logout.is_none(), "a logout hangs");
        if self.session.is_some() && !self.closed {
            if self.refused {
                self.act(Action::Reset);
            }
            self.clock.advance(Duration::from_secs(61));
            self.callers = vec![Caller::Idle];
            let session = self.session.clone().unwrap();
            self.act(Action::Start(0));
            self.settle();
            let token = session.try_token().expect("S2: the slot serves the next caller");
            self.is_fit(&token);
        }
        self.session = None;
        self.settle();
        assert!(
            !self.tasks.all().iter().any(Polled::is_running),
            "S10: a task goes on"
        );
        drop(self.callers);
        assert_eq!(
            Arc::strong_count(&self.wire),
            1,
            "S10: the session is still there"
        );
    }
}
