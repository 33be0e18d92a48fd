//! When a session ends: a policy that is data, the evidence it is drawn from, and the minimum of all of it.
//! What happens at the end of a session is `lifecycle`'s business.

use std::time::Duration;

use crate::clock::{Clock, Now, Timestamp};
use crate::skew::Skew;

/// A fixed time of day in India at which the broker ends every session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyBoundary {
    hour: u8,
    minute: u8,
}

impl DailyBoundary {
    /// The boundary at `hour:minute` IST. Values past the end of a day wrap round.
    pub const fn at(hour: u8, minute: u8) -> Self {
        Self {
            hour: hour % 24,
            minute: minute % 60,
        }
    }

    /// The first boundary strictly after `instant`: a token issued exactly at the boundary lives until the
    /// next one.
    ///
    /// ```
    /// use preopen_core::{expiry::DailyBoundary, Timestamp};
    /// let eight = DailyBoundary::at(8, 0);
    /// let just_before = Timestamp::parse_rfc3339("2026-11-22T07:59:00+05:30").unwrap();
    /// assert_eq!(eight.next_after(just_before).to_ist(), "2026-11-22 08:00:00 IST");
    /// ```
    pub const fn next_after(self, instant: Timestamp) -> Timestamp {
        const DAY: i64 = 86_400_000;
        let at = (self.hour as i64 * 60 + self.minute as i64) * 60_000;
        let mut wait = at - instant.ist_millis_of_day();
        if wait <= 0 {
            wait += DAY;
        }
        instant.plus_millis(wait)
    }
}

impl std::fmt::Display for DailyBoundary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02} IST", self.hour, self.minute)
    }
}

/// Why a session is believed to end at a given time.
///
/// ```
/// use preopen_core::expiry::EvidenceSource;
///
/// for source in EvidenceSource::ALL {
///     assert_eq!(EvidenceSource::from_text(source.as_str()), Some(*source));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EvidenceSource {
    /// The broker's daily forced logout.
    DailyBoundary,
    /// The longest life that any document of the broker states.
    MaximumAge,
    /// `expires_in` of the login reply.
    ExpiresIn,
    /// The `exp` claim of a JWT, read without verification: an upper bound only.
    JwtExpiry,
    /// The daily forced logout by the broker's clock, which differs from this machine's.
    ServerClock,
}

impl EvidenceSource {
    /// Every source, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::DailyBoundary,
        Self::MaximumAge,
        Self::ExpiresIn,
        Self::JwtExpiry,
        Self::ServerClock,
    ];

    /// The source of this stable text.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|source| source.as_str() == text)
    }

    /// The stable text of this source, the same in every language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DailyBoundary => "daily_boundary",
            Self::MaximumAge => "maximum_age",
            Self::ExpiresIn => "expires_in",
            Self::JwtExpiry => "jwt_exp",
            Self::ServerClock => "server_clock",
        }
    }
}

/// One reason to believe that a session ends at `at`.
///
/// ```
/// use preopen_core::Timestamp;
/// use preopen_core::expiry::{Evidence, EvidenceSource};
///
/// let evidence = Evidence { source: EvidenceSource::JwtExpiry, at: Timestamp::from_seconds(1_790_000_000) };
/// assert_eq!(evidence.source.as_str(), "jwt_exp");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Where the belief comes from.
    pub source: EvidenceSource,
    /// When the session ends by it.
    pub at: Timestamp,
}

/// The broker's rule for the end of a session, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryPolicy {
    /// The daily forced logout.
    pub boundary: DailyBoundary,
    /// The longest life any document states, if one does.
    pub maximum_age: Option<Duration>,
    /// Where the rule comes from and how sure it is.
    pub note: &'static str,
}

impl ExpiryPolicy {
    /// The expiry of a session issued at `issued_at` by this machine's clock, with whatever else the login reply
    /// told. The difference between the clocks can end it earlier, never later: a clock that is behind would
    /// serve the token after the boundary, and a login that seems to follow the boundary may have come before it.
    pub fn expiry(&self, issued_at: Timestamp, skew: Skew, told: &[Evidence]) -> Expiry {
        let boundary = Evidence {
            source: EvidenceSource::DailyBoundary,
            at: self.boundary.next_after(issued_at),
        };
        let age = self.maximum_age.map(|age| Evidence {
            source: EvidenceSource::MaximumAge,
            at: issued_at.plus(age),
        });
        let mut expiry = Expiry {
            decisive: boundary,
            evidence: vec![boundary],
        };
        let server = (skew != Skew::default()).then(|| Evidence {
            source: EvidenceSource::ServerClock,
            at: skew.to_here(self.boundary.next_after(skew.to_server(issued_at))),
        });
        for evidence in age.into_iter().chain(server).chain(told.iter().copied()) {
            expiry.add(evidence);
        }
        expiry
    }
}

/// When a session ends: the earliest of all evidence. Adding evidence never moves it later.
///
/// ```
/// use preopen_core::expiry::Expiry;
///
/// fn explain(expiry: &Expiry) -> String {
///     format!("until {}, says {} (of {})", expiry.at(), expiry.decisive().source.as_str(), expiry.evidence().len())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    decisive: Evidence,
    evidence: Vec<Evidence>,
}

impl Expiry {
    /// The moment from which the session must not be used.
    pub fn at(&self) -> Timestamp {
        self.decisive.at
    }

    /// The evidence that decides.
    pub fn decisive(&self) -> Evidence {
        self.decisive
    }

    /// All evidence, in the order it was found.
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// Adds evidence; the expiry can only move earlier by it. What is known already adds nothing: a session that is handed
    /// on and on brings the same evidence each time. Neither does a time that no calendar holds.
    pub fn add(&mut self, evidence: Evidence) {
        if evidence.at > Timestamp::LAST_OF_CALENDARS || self.evidence.contains(&evidence) {
            return;
        }
        self.evidence.push(evidence);
        if evidence.at < self.decisive.at {
            self.decisive = evidence;
        }
    }
}

/// The end of a session on both clocks: past either one the session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    wall: Timestamp,
    monotonic: Duration,
}

impl Deadline {
    /// The deadline of a session issued at `issued` that expires at `expires_at`.
    pub fn new(issued: Now, expires_at: Timestamp) -> Self {
        let life = expires_at.since(issued.wall);
        Self {
            wall: expires_at,
            monotonic: issued.monotonic.saturating_add(life),
        }
    }

    /// Whether the session is over at `now` by either clock.
    pub fn has_passed(&self, now: Now) -> bool {
        now.wall >= self.wall || now.monotonic >= self.monotonic
    }

    /// The same for what `clock` tells now. The exact time is asked for only where a glance leaves a doubt: it is most of
    /// what it costs to hand out a token.
    pub fn has_passed_by(&self, clock: &dyn Clock) -> bool {
        let now_at_the_latest = clock.glance().plus(Now::GLANCE_LAG);
        self.has_passed(now_at_the_latest) && self.has_passed(clock.now())
    }
}

/// The `exp` claim of a JSON Web Token, read without verifying it. `None` for anything that is not a JWT
/// with a numeric `exp`: tokens of these brokers are opaque by rule.
pub fn jwt_expiry(token: &str) -> Option<Timestamp> {
    jwt_time(token, "exp")
}

/// The `iat` claim, likewise.
pub fn jwt_issued(token: &str) -> Option<Timestamp> {
    jwt_time(token, "iat")
}

fn jwt_time(token: &str, claim: &str) -> Option<Timestamp> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut parts = token.split('.');
    let payload = parts.nth(1)?;
    parts.next()?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let seconds = claims.get(claim)?.as_i64()?;
    (seconds > 0).then(|| Timestamp::from_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::{DailyBoundary, Deadline, Evidence, EvidenceSource, ExpiryPolicy, jwt_expiry};
    use crate::clock::{Clock, Now, Timestamp, VirtualClock};
    use crate::skew::Skew;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    const SAMCO: ExpiryPolicy = ExpiryPolicy {
        boundary: DailyBoundary::at(8, 0),
        maximum_age: None,
        note: "test",
    };

    fn ist(text: &str) -> Timestamp {
        Timestamp::parse_ist("%Y-%m-%d %H:%M:%S", text).unwrap()
    }

    #[test]
    fn t1_first_boundary_strictly_after_issue() {
        let eight = DailyBoundary::at(8, 0);
        let at = ist("2028-02-29 08:00:00");
        assert_eq!(eight.next_after(at.plus_millis(-1)), at);
        assert_eq!(eight.next_after(at), ist("2028-03-01 08:00:00"));
        assert_eq!(eight.next_after(at.plus_millis(1)), ist("2028-03-01 08:00:00"));
        assert_eq!(
            eight.next_after(ist("2026-11-22 00:00:00")),
            ist("2026-11-22 08:00:00")
        );
        let midnight = DailyBoundary::at(0, 0);
        assert_eq!(
            midnight.next_after(ist("2026-12-31 23:59:59")),
            ist("2027-01-01 00:00:00")
        );
        assert_eq!(
            midnight.next_after(ist("2027-01-01 00:00:00")),
            ist("2027-01-02 00:00:00")
        );
    }

    #[test]
    fn t2_all_that_was_told_counts_and_the_first_of_equals_decides() {
        let issued = ist("2026-11-22 12:00:00");
        let eight = ist("2026-11-23 08:00:00");
        let told = |at| Evidence {
            source: EvidenceSource::ExpiresIn,
            at,
        };
        let aged = ExpiryPolicy {
            maximum_age: Some(Duration::from_hours(1)),
            ..SAMCO
        };
        let by = |policy: &ExpiryPolicy, evidence: &[Evidence]| {
            let decisive = policy.expiry(issued, Skew::default(), evidence).decisive();
            (decisive.source, decisive.at)
        };
        assert_eq!(by(&SAMCO, &[told(eight)]), (EvidenceSource::DailyBoundary, eight));
        let soon = issued.plus_millis(60_000);
        assert_eq!(by(&SAMCO, &[told(soon)]), (EvidenceSource::ExpiresIn, soon));
        let hour = ist("2026-11-22 13:00:00");
        assert_eq!(by(&aged, &[told(hour)]), (EvidenceSource::MaximumAge, hour));
        let all = aged.expiry(issued, Skew::default(), &[told(soon)]);
        assert_eq!(all.evidence().len(), 3);
    }

    #[test]
    fn t2_a_time_that_no_calendar_holds_is_no_evidence() {
        let issued = ist("2026-11-22 12:00:00");
        // The `exp` of a token in milliseconds, which is read as seconds; and the largest number.
        for at in [
            Timestamp::from_seconds(1_795_329_136_776),
            Timestamp::from_millis(i64::MAX),
        ] {
            let source = EvidenceSource::JwtExpiry;
            let expiry = SAMCO.expiry(issued, Skew::default(), &[Evidence { source, at }]);
            assert_eq!(expiry.evidence().len(), 1, "{at}");
            assert_eq!(expiry.at(), ist("2026-11-23 08:00:00"));
        }
        let last = Timestamp::LAST_OF_CALENDARS;
        assert_eq!(last.to_rfc3339(), "9999-12-30T00:00:00Z");
        assert!(last.plus_millis(86_400_000).to_ist().ends_with("ms"));
    }

    #[test]
    fn rules_and_sources_have_stable_texts() {
        assert_eq!(DailyBoundary::at(8, 5).to_string(), "08:05 IST");
        let texts = [
            (EvidenceSource::DailyBoundary, "daily_boundary"),
            (EvidenceSource::MaximumAge, "maximum_age"),
            (EvidenceSource::ExpiresIn, "expires_in"),
            (EvidenceSource::JwtExpiry, "jwt_exp"),
            (EvidenceSource::ServerClock, "server_clock"),
        ];
        for (source, text) in texts {
            assert_eq!(source.as_str(), text);
        }
    }

    #[test]
    fn t6_the_boundary_comes_by_the_broker_s_clock_when_that_is_earlier() {
        let end = |issued: &str, skew: i64| {
            let expiry = SAMCO.expiry(ist(issued), Skew::from_millis(skew), &[]);
            (expiry.at().to_ist(), expiry.decisive().source.as_str())
        };
        let [day, server] = ["daily_boundary", "server_clock"];
        assert_eq!(
            end("2026-11-22 12:00:00", 600_000),
            ("2026-11-23 07:50:00 IST".into(), server),
            "this clock is behind: the token dies before 08:00 here"
        );
        assert_eq!(
            end("2026-11-22 12:00:00", -600_000),
            ("2026-11-23 08:00:00 IST".into(), day),
            "this clock is ahead: never longer"
        );
        assert_eq!(
            end("2026-11-22 08:00:10", -20_000),
            ("2026-11-22 08:00:20 IST".into(), server),
            "issued before 08:00 there"
        );
        assert_eq!(
            end("2026-11-22 07:55:00", 600_000),
            ("2026-11-22 08:00:00 IST".into(), day),
            "issued after 08:00 there, and still never longer"
        );
    }

    #[test]
    fn sources_have_a_text_each() {
        for &source in EvidenceSource::ALL {
            assert_eq!(EvidenceSource::from_text(source.as_str()), Some(source));
        }
        assert_eq!(EvidenceSource::from_text("rumour"), None);
    }

    #[test]
    fn a_jwt_is_read_opportunistically() {
        use base64::Engine as _;
        let read = |claims: &str| {
            let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
            jwt_expiry(&format!("h.{payload}.s"))
        };
        assert_eq!(
            read(r#"{"exp":1800000000}"#),
            Some(Timestamp::from_seconds(1_800_000_000))
        );
        assert_eq!(read(r#"{"exp":1}"#), Some(Timestamp::from_seconds(1)));
        for no_moment in [r#"{"exp":0}"#, r#"{"exp":-1}"#, r#"{"exp":"1800000000"}"#] {
            assert_eq!(read(no_moment), None, "{no_moment}");
        }
        for not_jwt in [
            "",
            "abc",
            "a.b",
            "a.b.c",
            "0123456789abcdef0123456789abcdef",
            "..",
            "a.e30.c",
        ] {
            assert_eq!(jwt_expiry(not_jwt), None, "{not_jwt}");
        }
    }

    /// A clock whose glances lie behind: by so much on the wall clock, and on the monotonic one.
    #[derive(Debug)]
    struct Lagging {
        now: Now,
        lags: (Duration, Duration),
        asked: AtomicU32,
    }

    impl Lagging {
        fn new(now: Now, wall: Duration, monotonic: Duration) -> Self {
            let lags = (wall, monotonic);
            let asked = AtomicU32::new(0);
            Self { now, lags, asked }
        }
    }

    impl Clock for Lagging {
        fn now(&self) -> Now {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.now
        }

        fn glance(&self) -> Now {
            let behind = i64::try_from(self.lags.0.as_millis()).unwrap();
            Now {
                wall: self.now.wall.plus_millis(-behind),
                monotonic: self.now.monotonic.saturating_sub(self.lags.1),
            }
        }

        fn nap(&self, _: Timestamp) -> Duration {
            Duration::ZERO
        }
    }

    const ISSUED: Now = Now {
        wall: Timestamp::from_seconds(1_800_000_000),
        monotonic: Duration::from_secs(5),
    };

    fn after(wall: i64, monotonic: u64) -> Now {
        Now {
            wall: ISSUED.wall.plus_millis(wall),
            monotonic: ISSUED.monotonic + Duration::from_millis(monotonic),
        }
    }

    #[test]
    fn t3_a_glance_is_enough_until_the_end_is_near() {
        let deadline = Deadline::new(ISSUED, ISSUED.wall.plus_millis(60_000));
        // What both clocks tell, whether the session is over, and whether the exact clocks had to be asked.
        let moments = [
            ("far from the end", (0, 0), false, false),
            ("the last glance that is enough", (58_999, 58_999), false, false),
            ("a glance cannot tell", (59_100, 59_100), false, true),
            ("the last moment", (59_999, 59_999), false, true),
            ("the end", (60_000, 60_000), true, true),
            ("after it", (90_000, 90_000), true, true),
            ("the wall clock was set back", (-3_600_000, 60_000), true, true),
            (
                "set back, and there is time left",
                (-3_600_000, 30_000),
                false,
                false,
            ),
            ("the machine slept", (60_000, 1), true, true),
            ("slept, and there is time left", (30_000, 1), false, false),
        ];
        for (what, (wall, monotonic), over, asked) in moments {
            for lag in [0, 4, 100].map(Duration::from_millis) {
                let clock = Lagging::new(after(wall, monotonic), lag, lag);
                assert_eq!(deadline.has_passed_by(&clock), over, "{what}, {lag:?}");
                assert_eq!(clock.asked.into_inner() > 0, asked, "{what}, {lag:?}");
            }
        }
    }

    #[test]
    fn t3_a_virtual_clock_is_exact_to_the_millisecond() {
        let clock = VirtualClock::new(ISSUED.wall, 0.0);
        let deadline = Deadline::new(clock.now(), ISSUED.wall.plus_millis(60_000));
        clock.advance(Duration::from_millis(59_999));
        assert!(!deadline.has_passed_by(&clock));
        clock.advance(Duration::from_millis(1));
        assert!(deadline.has_passed_by(&clock));
        clock.set(ISSUED.wall);
        assert!(
            deadline.has_passed_by(&clock),
            "the monotonic clock is not set back"
        );
    }

    proptest! {
        #[test]
        fn t3_a_glance_that_lies_behind_never_lengthens_a_session(
            life in 1_i64..90_000_000,
            // Mostly around the end, where it matters.
            wall in prop_oneof![-90_000_000_i64..180_000_000, -3_000_i64..3_000],
            monotonic in prop_oneof![-90_000_000_i64..180_000_000, -3_000_i64..3_000],
            lags in (0_u64..=1000, 0_u64..=1000),
        ) {
            let deadline = Deadline::new(ISSUED, ISSUED.wall.plus_millis(life));
            let now = after(life + wall, u64::try_from((life + monotonic).max(0)).unwrap());
            let clock = Lagging::new(now, Duration::from_millis(lags.0), Duration::from_millis(lags.1));
            prop_assert_eq!(deadline.has_passed_by(&clock), deadline.has_passed(now));
        }

        #[test]
        fn t1_boundary_is_within_a_day_and_on_the_minute(ms in 0_i64..4_102_444_800_000, h in 0_u8..24, m in 0_u8..60) {
            let at = Timestamp::from_millis(ms);
            let next = DailyBoundary::at(h, m).next_after(at);
            prop_assert!(next > at && next <= at.plus_millis(86_400_000));
            prop_assert_eq!(next.format_ist("%H:%M:%S%.f"), format!("{h:02}:{m:02}:00"));
        }

        #[test]
        fn t2_more_evidence_never_moves_expiry_later(ms in 0_i64..4_102_444_800_000, offsets in prop::collection::vec(-100_000_000_i64..100_000_000, 0..8)) {
            let issued = Timestamp::from_millis(ms);
            let mut expiry = SAMCO.expiry(issued, Skew::default(), &[]);
            let mut given = expiry.evidence().to_vec();
            for offset in offsets {
                let evidence = Evidence { source: EvidenceSource::ExpiresIn, at: issued.plus_millis(offset) };
                let before = expiry.at();
                expiry.add(evidence);
                if !given.contains(&evidence) {
                    given.push(evidence);
                }
                prop_assert!(expiry.at() <= before);
                prop_assert_eq!(expiry.evidence(), given.as_slice());
                prop_assert_eq!(expiry.at(), given.iter().map(|e| e.at).min().unwrap());
                let known = expiry.clone();
                expiry.add(evidence);
                prop_assert_eq!(&expiry, &known);
            }
        }

        #[test]
        fn t6_no_skew_lengthens_a_session(ms in 0_i64..4_102_444_800_000, skew in -2_000_000_i64..2_000_000) {
            let issued = Timestamp::from_millis(ms);
            let plain = SAMCO.expiry(issued, Skew::default(), &[]).at();
            let skewed = SAMCO.expiry(issued, Skew::from_millis(skew), &[]).at();
            prop_assert!(skewed <= plain && skewed > issued);
        }

        #[test]
        fn t3_either_clock_ends_a_session(life in 1_i64..90_000_000, wall_step in -90_000_000_i64..90_000_000, waited in 0_u64..90_000_000) {
            let issued = Now { wall: Timestamp::from_seconds(1_800_000_000), monotonic: Duration::from_secs(5) };
            let deadline = Deadline::new(issued, issued.wall.plus_millis(life));
            let now = Now { wall: issued.wall.plus_millis(wall_step), monotonic: issued.monotonic + Duration::from_millis(waited) };
            let over = wall_step >= life || waited >= u64::try_from(life).unwrap();
            prop_assert_eq!(deadline.has_passed(now), over);
        }
    }
}
