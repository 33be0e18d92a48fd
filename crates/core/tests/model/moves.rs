//! What can happen in a story, and how often each of it does.

use std::time::Duration;

use preopen_core::error::{ErrorKind, LoginReason};
use proptest::prelude::*;

pub(crate) const HOUR: i64 = 3_600_000;

/// Which login an answer is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    Wanted,
    Leftover,
    /// One that ended long ago.
    Old(usize),
}

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Login(Shape),
    Failure(ErrorKind, Option<LoginReason>, Option<Duration>),
}

/// What a login tells beside its token. `told` is an end, from now on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) told: Option<i64>,
    pub(crate) skew: Option<i64>,
    pub(crate) wrong_address: bool,
    pub(crate) stored: Stored,
    /// When its refresh token ends, from now on.
    pub(crate) renewable: Option<i64>,
}

/// Which session of a store it is, as seen from the one that is here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Stored {
    #[default]
    Nowhere,
    Next(u64),
    Same,
    Dead,
    Older,
    /// The store was wiped.
    OtherEpoch(u64),
}

/// When an imported session was issued.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Issued {
    /// So long before now; after now when negative.
    Ago(i64),
    /// So long after the session that is here.
    AfterMine(i64),
}

#[derive(Clone, Debug)]
pub(crate) enum Move {
    Need,
    /// A person logged in at the broker's page.
    Consent,
    /// `sent_now`: the login waited before it was sent, for example for a new one-time code.
    Answer {
        which: Which,
        reply: Reply,
        sent_now: bool,
    },
    Drain {
        right: bool,
    },
    Import {
        issued: Issued,
        shape: Shape,
        same_token: bool,
    },
    /// A store is looked at: by a login, or behind a session.
    Adopt {
        which: Option<Which>,
        issued: Issued,
        shape: Shape,
    },
    /// The store says that a session of it is dead.
    EndedElsewhere {
        stored: Stored,
    },
    Tick,
    /// Waits until the moment that the machine named, and a little more or less; or sleeps until then.
    TickWhenDue {
        off: i64,
        asleep: bool,
    },
    Invalidate {
        back: u64,
    },
    AddressRefused,
    SignOut,
    /// The broker answers a logout.
    LoggedOut,
    Reset,
    Close,
    Fork,
    Pass(i64),
    /// The wall clock alone moves: it is set, or the machine sleeps.
    Step(i64),
    /// Waits until the end of the session, and a little more or less.
    PassToEnd(i64),
}

fn stored() -> impl Strategy<Value = Stored> {
    prop_oneof![
        4 => Just(Stored::Nowhere),
        4 => (1_u64..3).prop_map(Stored::Next),
        2 => Just(Stored::Same),
        1 => Just(Stored::Dead),
        1 => Just(Stored::Older),
        1 => (1_u64..5).prop_map(Stored::OtherEpoch),
    ]
}

fn adopt() -> impl Strategy<Value = Move> {
    let which = prop_oneof![
        5 => Just(Some(Which::Wanted)),
        1 => (0_usize..4).prop_map(|back| Some(Which::Old(back))),
        4 => Just(None),
    ];
    let issued = prop_oneof![
        4 => (-1_000_000_i64..20 * HOUR).prop_map(Issued::Ago),
        1 => (-2_i64..3).prop_map(Issued::AfterMine),
    ];
    (which, issued, shape()).prop_map(|(which, issued, shape)| Move::Adopt { which, issued, shape })
}

fn shape() -> impl Strategy<Value = Shape> {
    let told = prop_oneof![
        6 => Just(None),
        1 => (-2000_i64..2000).prop_map(Some),
        2 => (0..HOUR).prop_map(Some),
        1 => (0..40 * HOUR).prop_map(Some),
    ];
    let skew = prop_oneof![
        4 => Just(None),
        1 => Just(Some(0)),
        2 => (-60_000_i64..60_000).prop_map(Some),
        1 => (-2_000_000_i64..2_000_000).prop_map(Some),
    ];
    let renewable = prop_oneof![
        4 => Just(None),
        4 => (20 * HOUR..7 * 24 * HOUR).prop_map(Some),
        1 => (-2000_i64..HOUR).prop_map(Some),
    ];
    let rest = (prop::bool::weighted(0.1), stored(), renewable);
    (told, skew, rest).prop_map(|(told, skew, (wrong_address, stored, renewable))| Shape {
        told,
        skew,
        wrong_address,
        stored,
        renewable,
    })
}

fn failure() -> impl Strategy<Value = Reply> {
    let kind = prop_oneof![
        4 => Just(ErrorKind::Network),
        2 => Just(ErrorKind::CredentialsRejected),
        1 => Just(ErrorKind::AccountActionRequired),
        4 => Just(ErrorKind::LoginRequired),
        1 => Just(ErrorKind::InvalidInput),
        3 => Just(ErrorKind::RateLimited),
        2 => prop::sample::select(ErrorKind::ALL),
    ];
    let reason = prop_oneof![
        2 => Just(None),
        3 => Just(Some(LoginReason::RefreshRejected)),
        1 => Just(Some(LoginReason::RefreshExpired)),
        1 => Just(Some(LoginReason::CodeExpired)),
        1 => Just(Some(LoginReason::CodeReplayed)),
    ];
    (kind, reason, 1_u64..300).prop_map(|(kind, reason, wait)| {
        let wait = (kind == ErrorKind::RateLimited).then(|| Duration::from_secs(wait));
        let reason = reason.filter(|_| kind == ErrorKind::LoginRequired);
        Reply::Failure(kind, reason, wait)
    })
}

fn answer() -> impl Strategy<Value = Move> {
    let which = prop_oneof![
        12 => Just(Which::Wanted),
        2 => Just(Which::Leftover),
        1 => (0_usize..8).prop_map(Which::Old),
    ];
    let reply = prop_oneof![3 => shape().prop_map(Reply::Login), 2 => failure()];
    (which, reply, any::<bool>()).prop_map(|(which, reply, sent_now)| Move::Answer {
        which,
        reply,
        sent_now,
    })
}

fn import() -> impl Strategy<Value = Move> {
    let issued = prop_oneof![
        3 => (0..30 * HOUR).prop_map(Issued::Ago),
        2 => (-1_000_000_i64..60_000).prop_map(Issued::Ago),
        // As far in the future as a clock may be ahead, and a little more or less.
        1 => (-900_002_i64..-899_998).prop_map(Issued::Ago),
        2 => (-2_i64..3).prop_map(Issued::AfterMine),
        2 => (1..HOUR).prop_map(Issued::AfterMine),
    ];
    (issued, shape(), prop::bool::weighted(0.15)).prop_map(|(issued, shape, same_token)| Move::Import {
        issued,
        shape,
        same_token,
    })
}

fn time() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => (1_i64..5000).prop_map(Move::Pass),
        2 => (1..400_000_i64).prop_map(Move::Pass),
        1 => (1..30 * HOUR).prop_map(Move::Pass),
        1 => (-30 * HOUR..30 * HOUR).prop_map(Move::Step),
        1 => (-5000_i64..5000).prop_map(Move::Step),
        2 => (-2_i64..3).prop_map(Move::PassToEnd),
        1 => (-20 * 60_000_i64..5 * 60_000).prop_map(Move::PassToEnd),
    ]
}

/// What needs no numbers, as often as it stands here.
const RARE: &[Move] = &[
    Move::Reset,
    Move::Tick,
    Move::Reset,
    Move::Tick,
    Move::Reset,
    Move::Tick,
    Move::AddressRefused,
    Move::Fork,
    Move::Fork,
    Move::Close,
];

pub(crate) fn stories() -> impl Strategy<Value = Vec<Move>> {
    let tick_when_due = (prop_oneof![Just(0_i64), -2_i64..3], prop::bool::weighted(0.2));
    // The frequent ones first: what comes late costs more to make.
    let one = prop_oneof![
        14 => Just(Move::Need),
        14 => time(),
        12 => tick_when_due.prop_map(|(off, asleep)| Move::TickWhenDue { off, asleep }),
        18 => answer(),
        6 => Just(Move::Consent),
        5 => import(),
        8 => adopt(),
        2 => stored().prop_map(|stored| Move::EndedElsewhere { stored }),
        4 => prop::bool::weighted(0.8).prop_map(|right| Move::Drain { right }),
        4 => Just(Move::SignOut),
        4 => Just(Move::LoggedOut),
        5 => prop_oneof![3 => Just(0), 1 => 1_u64..3].prop_map(|back| Move::Invalidate { back }),
        5 => prop::sample::select(RARE),
    ];
    prop::collection::vec(one, 1..70)
}
