//! Named switches for behaviour that the brokers' documents leave open. Each has a default, the values it
//! may take, and the reason for its default.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::data::{Damage, Pass};
use crate::error::ControlError;
use crate::table::Table;

/// A value of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SwitchValue {
    /// On or off.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// One of a few words.
    Text(String),
}

impl From<bool> for SwitchValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for SwitchValue {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for SwitchValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl SwitchValue {
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(on) => Some(Self::Bool(*on)),
            Value::Number(number) => number.as_i64().map(Self::Number),
            Value::String(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    OnOff,
    Number(i64, i64),
    OneOf(&'static [&'static str]),
}

struct Definition {
    name: &'static str,
    kind: Kind,
    /// 0 or 1, the number, or the index of the word.
    default: i64,
    why: &'static str,
}

macro_rules! switches {
    ($($id:ident $name:literal $kind:expr, $default:literal, $why:literal;)*) => {
        /// The switches by identity.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Switch { $($id),* }

        const DEFINITIONS: &[Definition] =
            &[$(Definition { name: $name, kind: $kind, default: $default, why: $why }),*];
    };
}

switches! {
    SourceIpHeader "source_ip_header" Kind::OnOff, 1,
        "on, so that one machine can play a registered and an unregistered host; no broker reads such a header";
    ServerClockSkew "server_clock_skew" Kind::Number(-3600, 3600), 0,
        "seconds that the broker's clock is ahead of this machine's; no two clocks are the same, and none of the \
         brokers says how well its own is kept";
    SamcoSecondLoginRevokesFirst "samco_second_login_revokes_first" Kind::OnOff, 1,
        "unknown for v3.2; the older wrappers say that a new login ends the one before, and a client that \
         survives this survives the other";
    SamcoSecondLoginScope "samco_second_login_scope" Kind::OneOf(&["account", "app"]), 0,
        "what `samco_second_login_revokes_first` ends: the older wrappers know accounts alone; a client that survives \
         the loss of all sessions survives that of its own app's";
    SamcoIpScope "samco_ip_scope" Kind::OneOf(&["orders", "order_reads", "all"]), 0,
        "most pages refuse only orders from other addresses, one page says every request is refused; nothing lists \
         which calls count as orders: order_reads adds the order book and status";
    SamcoIpErrorCode "samco_ip_error_code" Kind::OnOff, 0,
        "the documented refusal shows no code, although a table says that order calls give EOAUTH009";
    SamcoExpiredText "samco_expired_text" Kind::OneOf(&["invalid_token", "mandatory", "session_expired"]), 0,
        "the text for an expired token is not documented; the nearest one says that the token is invalid";
    SamcoUnsetIp "samco_unset_ip" Kind::OneOf(&["empty", "null"]), 0,
        "release notes say an unset address is an empty string, the table of whoami says null";
    SamcoJwtExp "samco_jwt_exp" Kind::OnOff, 0,
        "the claims of the token are not documented, so clients must do without `exp`";
    SamcoHttpOkFailures "samco_http_ok_failures" Kind::OnOff, 0,
        "documented failures of orders and data are HTTP 400; others report them inside an HTTP 200";
    SamcoExpiredStatus "samco_expired_status" Kind::Number(400, 599), 401,
        "the status for an expired token is not documented; 401 is that of a missing one";
    SamcoAccessTokenLead "samco_access_token_lead" Kind::Number(0, 28_800), 300,
        "seconds: the deprecated access token is documented to end before 08:00, not how long before";
    SamcoLegacySessionLife "samco_legacy_session_life" Kind::OneOf(&["eight", "day"]), 0,
        "one page gives the session of the deprecated login 24 hours, another ends every session at 08:00";
    SamcoFirstIpAnytime "samco_first_ip_anytime" Kind::OneOf(&["app", "account", "none"]), 0,
        "documented: one change in 7 days per account, and an Edit button that is disabled meanwhile; nothing says that \
         Add is: by default an app's first primary and first secondary address are taken on any day; account: only the \
         first ones of all its apps; none: they wait as changes do";
    SamcoFirstIpCounts "samco_first_ip_counts" Kind::OnOff, 1,
        "whether the 7 days begin with a first address too; inferred from the time of the last update that the old \
         endpoint gives for it";
    SamcoActivationRestoresIps "samco_activation_restores_ips" Kind::OnOff, 0,
        "deactivating an app releases its addresses (documented); that they have to be registered again is inferred";
    SamcoOtpSeconds "samco_otp_seconds" Kind::Number(1, 86_400), 300,
        "seconds: the documents say that the dashboard's one-time codes live a few minutes";
    SamcoOtpTries "samco_otp_tries" Kind::Number(1, 1000), 3,
        "wrong codes that a proposal takes before it is over; not documented";
    SamcoOtpDailyLimit "samco_otp_daily_limit" Kind::Number(0, 1000), 0,
        "codes of the dashboard per account and day in India; not documented, 0 (no limit) lets long tests run";
    SamcoSignInTries "samco_sign_in_tries" Kind::Number(0, 1000), 5,
        "wrong passwords in a row after which the dashboard refuses an account for 15 minutes; not documented, 0 is \
         never";
    OauthErrorStatus "oauth_error_status" Kind::Number(200, 599), 401,
        "the status of refusals of /oauth/* is not documented; 401 is what /session/token gives with the same codes";
    OauthErrorText "oauth_error_text" Kind::OneOf(&["message", "statusMessage", "errorMessage"]), 0,
        "the body of such a refusal is not documented either; an official sample reads `message`";
    OauthErrorCode "oauth_error_code" Kind::OneOf(&["errorCode", "code", "none"]), 0,
        "the field of the EOAUTH code: /session/token names it errorCode";
    OauthErrorRedirect "oauth_error_redirect" Kind::OneOf(&["registered", "any"]), 0,
        "documented: a refused request goes back to any valid http(s) address; by default only to a registered one, \
         so that the sandbox is no open redirect";
    OauthLocalhostRedirect "oauth_localhost_redirect" Kind::OnOff, 0,
        "only http://127.0.0.1 is documented as an exception from https; nothing is said about http://localhost";
    OauthReplayEnds "oauth_replay_ends" Kind::OneOf(&["account", "app"]), 0,
        "documented: a code that comes twice revokes all tokens of that API key and user; a client that survives the loss \
         of all the user's survives that of the key's";
    OauthExchangeHold "oauth_exchange_hold_ms" Kind::Number(0, 60_000), 0,
        "milliseconds of real time that the exchange of a code takes; another exchange of it meanwhile is EOAUTH030";
    OauthRefreshSurvivesEight "oauth_refresh_survives_eight" Kind::OnOff, 1,
        "unknown: one page says that 7 days of refresh avoid daily consent, one wants consent on every trading day";
    OauthRefreshGraceSeconds "oauth_refresh_grace_seconds" Kind::Number(0, 86_400), 0,
        "documented: a refresh token is inactive at once when it has been used; no grace is mentioned";
    OauthRefreshResetsSevenDays "oauth_refresh_resets_seven_days" Kind::OnOff, 1,
        "not documented; a new refresh token says that it lives 7 days";
    OauthLogoutEndsGrant "oauth_logout_ends_grant" Kind::OnOff, 1,
        "unknown whether logging out ends the refresh token too; a client that survives this survives the other";
    OauthRevokeTokenType "oauth_revoke_token_type" Kind::OneOf(&["any", "access_token"]), 0,
        "only the word access_token is shown; set to that, any other word is refused";
    PublisherEchoesState "publisher_echoes_state" Kind::OnOff, 1,
        "documented; one integrator notes that it does not always come back";
    PublisherRedirectsToUndefined "publisher_redirects_to_undefined" Kind::OnOff, 0,
        "seen in 2026 with apps of the new kind: the browser ends at /publisher-login/undefined";
    TotpClock "totp_clock" Kind::OneOf(&["either", "virtual", "real"]), 0,
        "clients written by others make codes from real time whatever the virtual clock says";
    TotpWindowSteps "totp_window_steps" Kind::Number(0, 10), 1,
        "the tolerance is not documented; users speak of about a minute";
    TotpReuseRefused "totp_reuse_refused" Kind::OnOff, 0,
        "no source says whether a code can be used twice; off lets short tests log in again at once";
    AngeloneSecondLoginRevokesFirst "angelone_second_login_revokes_first" Kind::OnOff, 0,
        "unknown; one report against many integrators who run several sessions at once";
    AngeloneLoginRate "angelone_login_rate" Kind::Number(0, 1000), 0,
        "the documented limit is 1 login per second and client code; 0 (no limit) lets tests log in quickly";
    AngeloneRateLimits "angelone_rate_limits" Kind::OnOff, 0,
        "the documented limits of the other calls per second, minute and hour and client code, on the virtual clock; off lets \
         tests run at their own pace";
    AngeloneFailureStatus "angelone_failure_status" Kind::Number(200, 599), 200,
        "an official client looks for failures inside HTTP 200 replies; the documents promise other codes";
    AngeloneExpiredCode "angelone_expired_code" Kind::OneOf(&["AG8002", "AG8001", "AB1010", "AB1011"]), 0,
        "the documents say AG8002 is an expired token; users also report the others";
    AngeloneWrongPin "angelone_wrong_pin" Kind::OneOf(&["AB1007", "AB1050"]), 0,
        "the documents show AB1007; users report AB1050 for a wrong PIN too";
    AngeloneJwtExp "angelone_jwt_exp" Kind::OneOf(&["years", "midnight", "none"]), 0,
        "a decoded access token had an `exp` years ahead of the real end of the session";
    AngeloneRefreshRotates "angelone_refresh_rotates" Kind::OnOff, 0,
        "undocumented; an official client keeps the old refresh token, and nobody reports a failure";
    AngeloneRefreshEndsOldJwt "angelone_refresh_ends_old_jwt" Kind::OnOff, 0,
        "undocumented whether a refresh ends the access token it replaces";
    AngeloneLogoutEndsSession "angelone_logout_ends_session" Kind::OnOff, 1,
        "the documents say so; users saw calls succeed after a logout";
    AngeloneProfileLists "angelone_profile_lists" Kind::OneOf(&["array", "text"]), 0,
        "an official client reads exchanges and products as arrays, the documents print them as text";
}

/// The switches of one sandbox. Reading one is a single atomic load.
#[derive(Debug)]
pub(crate) struct Switches {
    values: Vec<AtomicI64>,
    /// Those that somebody set, by name, as they are kept.
    set: Mutex<Table<String, Value>>,
}

impl Switches {
    pub(crate) fn new() -> Self {
        Self {
            values: DEFINITIONS.iter().map(|d| AtomicI64::new(d.default)).collect(),
            set: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table<String, Value>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keep(&self, pass: &mut Pass<'_>) -> Result<(), Damage> {
        let mut set = self.lock();
        pass.table("switch", &mut set)?;
        if matches!(pass, Pass::Load(..)) {
            for (name, value) in set.iter() {
                // One that there is no more, or a value it may not have any more, counts as not set.
                let checked = SwitchValue::from_json(value).and_then(|value| check(name, &value).ok());
                if let Some((index, value)) = checked {
                    self.values[index].store(value, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn number(&self, switch: Switch) -> i64 {
        self.values
            .get(switch as usize)
            .map_or(0, |value| value.load(Ordering::Relaxed))
    }

    pub(crate) fn is_on(&self, switch: Switch) -> bool {
        self.number(switch) != 0
    }

    /// The word that a switch with words stands at.
    pub(crate) fn word(&self, switch: Switch) -> &'static str {
        match DEFINITIONS[switch as usize].kind {
            Kind::OneOf(words) => usize::try_from(self.number(switch))
                .ok()
                .and_then(|at| words.get(at))
                .copied()
                .unwrap_or_default(),
            _ => "",
        }
    }

    /// Sets all of `changes` or none of them.
    pub(crate) fn set(&self, changes: &[(&str, SwitchValue)]) -> Result<(), ControlError> {
        let checked: Vec<_> = changes
            .iter()
            .map(|(name, value)| check(name, value))
            .collect::<Result<_, _>>()?;
        let mut set = self.lock();
        for (index, value) in checked {
            let Definition { name, kind, .. } = &DEFINITIONS[index];
            self.values[index].store(value, Ordering::Relaxed);
            set.insert((*name).to_owned(), show(*kind, value));
        }
        Ok(())
    }

    pub(crate) fn to_json(&self) -> Value {
        DEFINITIONS
            .iter()
            .zip(&self.values)
            .map(|(d, value)| {
                let allowed = match d.kind {
                    Kind::OnOff => json!([false, true]),
                    Kind::Number(low, high) => json!({"from": low, "to": high}),
                    Kind::OneOf(words) => json!(words),
                };
                let shown = json!({
                    "value": show(d.kind, value.load(Ordering::Relaxed)), "default": show(d.kind, d.default),
                    "allowed": allowed, "why": d.why,
                });
                (d.name.to_owned(), shown)
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

fn show(kind: Kind, value: i64) -> Value {
    match kind {
        Kind::OnOff => Value::Bool(value != 0),
        Kind::Number(..) => value.into(),
        Kind::OneOf(words) => usize::try_from(value)
            .ok()
            .and_then(|at| words.get(at))
            .copied()
            .into(),
    }
}

/// How many characters two names begin with together.
fn common_start(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count()
}

fn check(name: &str, value: &SwitchValue) -> Result<(usize, i64), ControlError> {
    let Some(index) = DEFINITIONS.iter().position(|d| d.name == name) else {
        let mut known: Vec<_> = DEFINITIONS.iter().map(|d| d.name).collect();
        // What was probably meant comes first.
        known.sort_by_key(|known| std::cmp::Reverse(common_start(known, name)));
        return Err(ControlError::field(
            name,
            format_args!("is not a switch; the switches are {}", known.join(", ")),
        ));
    };
    let stored = match (DEFINITIONS[index].kind, value) {
        (Kind::OnOff, SwitchValue::Bool(on)) => Ok(i64::from(*on)),
        (Kind::OnOff, _) => Err("true or false".to_owned()),
        (Kind::Number(low, high), SwitchValue::Number(n)) if (low..=high).contains(n) => Ok(*n),
        (Kind::Number(low, high), _) => Err(format!("a whole number from {low} to {high}")),
        (Kind::OneOf(words), value) => {
            let at = words
                .iter()
                .position(|word| matches!(value, SwitchValue::Text(text) if text == word));
            at.and_then(|at| i64::try_from(at).ok())
                .ok_or_else(|| format!("one of {}", words.join(", ")))
        }
    };
    stored
        .map(|stored| (index, stored))
        .map_err(|allowed| ControlError::field(name, format_args!("must be {allowed}")))
}

#[cfg(test)]
mod tests {
    use super::{DEFINITIONS, Kind, Switch, SwitchValue, Switches};

    #[test]
    fn defaults_are_allowed_and_names_are_unique() {
        let mut names: Vec<_> = DEFINITIONS.iter().map(|d| d.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DEFINITIONS.len());
        for d in DEFINITIONS {
            let fits = match d.kind {
                Kind::OnOff => (0..=1).contains(&d.default),
                Kind::Number(low, high) => (low..=high).contains(&d.default),
                Kind::OneOf(words) => usize::try_from(d.default).unwrap() < words.len(),
            };
            assert!(fits && !d.why.is_empty(), "{}", d.name);
        }
    }

    #[test]
    fn a_wrong_change_changes_nothing_and_is_named() {
        let switches = Switches::new();
        let error = switches
            .set(&[("samco_jwt_exp", true.into()), ("totp_clock", "sundial".into())])
            .unwrap_err();
        assert_eq!(error.message(), "totp_clock must be one of either, virtual, real");
        assert!(!switches.is_on(Switch::SamcoJwtExp));
        assert!(
            switches
                .set(&[("nonsense", true.into())])
                .unwrap_err()
                .message()
                .starts_with("nonsense is not")
        );
        switches
            .set(&[
                ("totp_window_steps", 3.into()),
                ("totp_clock", SwitchValue::Text("real".into())),
            ])
            .unwrap();
        assert_eq!(
            (
                switches.number(Switch::TotpWindowSteps),
                switches.word(Switch::TotpClock)
            ),
            (3, "real")
        );
    }
}
