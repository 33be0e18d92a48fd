//! Logging in at the broker's own page: the page to open, the state that ties its answer to our question, and the
//! address that the browser ended on. Who opens the page and who listens for the answer is `preopen`'s business.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::broker::{Login, fingerprint};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, LoginReason, Redactor, Result, safe_text};
use crate::seal::random;
use crate::secret::{Secret, Text};
use crate::target::Target;
use crate::wire::Request;

/// How long a login that was begun may be completed.
pub const LOGIN_LASTS: Duration = Duration::from_mins(15);

/// The longest address that is read.
pub const LONGEST_URL: usize = 16 * 1024;

/// More parameters than any answer has.
const MOST_FIELDS: usize = 32;

/// How many logins may be under way at once; the oldest is forgotten.
const MOST_PENDING: usize = 64;

/// What a broker's adapter knows of its login page.
pub trait Consent: Send + Sync {
    /// The redirect URL that is registered with the broker, where it is known.
    fn redirect_url(&self) -> Option<&str>;

    /// The page at which a person logs in. It holds the API key, and so is a secret.
    fn page(&self, target: &Target, state: &Secret) -> Secret;

    /// Whether an answer without `state` is accepted when exactly one login is under way.
    fn trusts_missing_state(&self) -> bool {
        false
    }

    /// What the answer gives; its state was compared before. Errors: `LoginRequired`, `MalformedResponse`.
    fn granted(&self, redirect: &Redirect) -> Result<Granted>;

    /// How long to wait before a code is sent once more after this error, where the broker's documents allow it.
    fn sends_again_after(&self, error: &Error) -> Option<Duration> {
        let _ = error;
        None
    }
}

/// What a person's consent gives.
#[derive(Debug)]
pub enum Granted {
    /// A code, and the request that exchanges it. It is sent once.
    Code {
        /// The code, for redaction.
        code: Secret,
        /// The exchange.
        request: Box<Request>,
    },
    /// The tokens themselves.
    Tokens {
        /// What the address holds.
        login: Box<Login>,
        /// When they were issued, as they say themselves.
        issued_at: Option<Timestamp>,
    },
}

/// The error of credentials that cannot log in without a person.
pub fn consent_needed() -> Error {
    Error::new(
        ErrorKind::LoginRequired,
        "a person must log in at the broker's page: open the URL of begin_login(), then give complete_login() the \
         address that the browser ends on",
    )
    .with(|context| context.login_reason = Some(LoginReason::ConsentNeeded))
}

/// The address that the browser ended on. `Debug` shows none of it: it holds a code or tokens.
#[derive(Clone)]
pub struct Redirect {
    fields: Vec<(String, Secret)>,
}

impl Redirect {
    /// Reads an address, or its part from the path or the query on. `registered` is the redirect URL that the broker
    /// knows; the path must be that one's. Scheme and host are not compared: a proxy in front of a web server changes
    /// both. Errors: `InvalidInput` (`url`), with nothing of the address.
    pub fn parse(text: &str, registered: Option<&str>) -> Result<Self> {
        let bad = |problem: &str| Error::invalid_input("url", problem);
        let text = text.trim();
        if text.is_empty() {
            return Err(bad("is empty: paste the whole address that the browser ended on"));
        }
        if text.len() > LONGEST_URL {
            return Err(bad("is longer than 16 KiB"));
        }
        let unreadable = || bad("is not an address: paste the whole of it, as the browser shows it");
        // Only what stands before the query goes through a parser whose memory is not wiped.
        let (place, rest) = text.split_once('?').unwrap_or((text, ""));
        let query = rest.split_once('#').map_or(rest, |(query, _)| query);
        let base = Url::parse("http://127.0.0.1/").map_err(|_| unreadable())?;
        let url = Url::options()
            .base_url(Some(&base))
            .parse(place)
            .map_err(|_| unreadable())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(unreadable());
        }
        let registered = registered.and_then(|url| Url::parse(url).ok());
        if let Some(registered) = registered.filter(|_| !place.is_empty()) {
            let same = url.path() == registered.path();
            // Observed once at Angel One: the page redirects to itself.
            let misled = url.path().ends_with("/publisher-login/undefined");
            if !same && !misled {
                return Err(bad(
                    "is not the registered redirect URL: paste the address that the browser ended on after the login",
                ));
            }
        }
        if query.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(bad(
                "was broken on its way, by a space or a line's end: paste it in one piece",
            ));
        }
        let mut fields: Vec<(String, Secret)> = Vec::new();
        if query.split('&').count() > MOST_FIELDS {
            return Err(bad("has more parameters than the broker's answer"));
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
                return Err(unreadable());
            };
            if fields.iter().any(|(known, _)| known == name.expose()) {
                return Err(bad("names a parameter twice: begin the login again"));
            }
            fields.push((name.expose().to_owned(), value));
        }
        Ok(Self { fields })
    }

    /// A parameter that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        let (_, value) = self.fields.iter().find(|(known, _)| known == name)?;
        (!value.is_empty()).then_some(value)
    }

    /// What the page says when nobody consented: `error` names why, and `text` is the parameter that explains it. Whatever
    /// else the address holds is removed from its words.
    pub fn refusal(&self, text: &str) -> Option<Error> {
        let error = self.get("error")?;
        let redactor = Redactor::new(self.secrets());
        let mut why = self.get(text).unwrap_or(error).expose().to_owned();
        redactor.clean(&mut why);
        let message = match error.expose() {
            "access_denied" => "the login was cancelled at the broker's page: begin it again",
            _ => "the broker's page refused the login",
        };
        let why = safe_text(&why);
        Some(
            Error::new(ErrorKind::LoginRequired, format!("{message} ({why})")).with(|context| {
                context.login_reason = Some(LoginReason::ConsentDenied);
                context.broker_code = Some(safe_text(error.expose()));
            }),
        )
    }

    /// Everything that must not be shown: all but the page's own words.
    pub fn secrets(&self) -> Vec<Secret> {
        let words = ["error", "errorMessage", "message"];
        let hidden = self
            .fields
            .iter()
            .filter(|(name, _)| !words.contains(&name.as_str()));
        hidden.map(|(_, value)| value.clone()).collect()
    }
}

impl fmt::Debug for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redirect(**redacted**)")
    }
}

/// A part of a query, decoded without a copy left behind; `None` when it is no text.
fn decoded(part: &str) -> Option<Secret> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(part.len()));
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let coded = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let coded = coded.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let coded = coded.and_then(|two| u8::from_str_radix(two, 16).ok());
        let (byte, next) = match (first, coded) {
            (b'%', Some(byte)) => (byte, after.get(2..).unwrap_or_default()),
            (b'+', _) => (b' ', after),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = next;
    }
    String::from_utf8(std::mem::take(&mut bytes))
        .ok()
        .map(Secret::new)
}

/// A URL with `fields` as its query, without a copy left behind.
pub(crate) fn page_url(page: &str, fields: &[(&str, &str)]) -> Secret {
    let mut text = Text::default();
    text.push(page);
    for (at, (name, value)) in fields.iter().enumerate() {
        text.push(if at == 0 { "?" } else { "&" });
        text.push(name);
        text.push("=");
        for part in url::form_urlencoded::byte_serialize(value.as_bytes()) {
            text.push(part);
        }
    }
    text.into()
}

/// Checks a redirect URL before it is used: https, or the loopback address with a port of its own. Errors: `InvalidInput`
/// (`redirect_url`).
pub(crate) fn check_redirect_url(text: &str, loopback: bool) -> Result<()> {
    let bad = |problem: &str| Err(Error::invalid_input("redirect_url", problem));
    let Ok(url) = Url::parse(text) else {
        return bad("is not a URL: give the one that is registered with the broker");
    };
    if url.fragment().is_some()
        || url.query().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return bad("must not hold a query, a fragment or a user name");
    }
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return bad("names no host"),
    };
    match (url.scheme(), local) {
        ("https", false) => Ok(()),
        ("http", true) if loopback => {
            if url.host_str() != Some("127.0.0.1") {
                return bad("must say 127.0.0.1 for this machine: no other name is documented to work");
            }
            match url.port() {
                Some(_) => Ok(()),
                None => bad("must name a port, for example http://127.0.0.1:8765/callback"),
            }
        }
        _ if loopback => bad("must be https, or http://127.0.0.1 with a port"),
        _ => bad("must be https and a public host: the broker refuses localhost and bare addresses"),
    }
}

impl Begun {
    fn at(&self) -> Timestamp {
        let lasts = i64::try_from(LOGIN_LASTS.as_millis()).unwrap_or_default();
        Timestamp::from_millis(self.until).plus_millis(-lasts)
    }
}

/// The logins that were begun and not completed, by digests of their states: none of them can be taken from here. It is
/// kept where all programs that may receive an answer can see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pending(Vec<Begun>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Begun {
    state: String,
    /// Milliseconds since the Unix epoch.
    until: i64,
}

impl Pending {
    /// Begins a login; gives its state, and until when it may be completed. Errors: `Internal` without randomness.
    pub fn begin(&mut self, now: Timestamp) -> Result<(Secret, Timestamp)> {
        let mut bytes = Zeroizing::new([0; 32]);
        random(bytes.as_mut())?;
        let state = Secret::new(URL_SAFE_NO_PAD.encode(bytes));
        let until = now.plus(LOGIN_LASTS);
        self.forget_old(now);
        if self.0.len() >= MOST_PENDING {
            self.0.remove(0);
        }
        self.0.push(Begun {
            state: digest(&state),
            until: until.as_millis(),
        });
        Ok((state, until))
    }

    /// Ends the login that `state` belongs to: it is used once. Gives when it was begun. Errors: `InvalidInput` (`state`).
    pub fn take(
        &mut self,
        state: Option<&Secret>,
        trusts_missing: bool,
        now: Timestamp,
    ) -> Result<Timestamp> {
        self.forget_old(now);
        let Some(state) = state else {
            if let (true, [_]) = (trusts_missing, self.0.as_slice())
                && let Some(begun) = self.0.pop()
            {
                return Ok(begun.at());
            }
            return Err(Error::invalid_input(
                "state",
                "is missing from the address: it cannot be proven that this login was begun here. Begin it again",
            ));
        };
        let given = Secret::new(digest(state));
        let mut found = None;
        // All of them are compared, each in constant time.
        self.0.retain(|begun| {
            let other = Secret::new(begun.state.as_str()) != given;
            if !other {
                found = Some(begun.at());
            }
            other
        });
        found.ok_or_else(|| {
            Error::invalid_input(
                "state",
                "belongs to no login that was begun here, or to one that was completed or is too old: begin it again",
            )
        })
    }

    /// Whether [`Pending::take`] would end a login.
    pub fn knows(&self, state: Option<&Secret>, trusts_missing: bool, now: Timestamp) -> bool {
        self.clone().take(state, trusts_missing, now).is_ok()
    }

    /// Whether no login is under way.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are too old, and those that a clock which was ahead has begun.
    fn forget_old(&mut self, now: Timestamp) {
        let longest = now.plus(LOGIN_LASTS * 2).as_millis();
        self.0
            .retain(|begun| begun.until > now.as_millis() && begun.until <= longest);
    }
}

fn digest(state: &Secret) -> String {
    fingerprint(&["state", state.expose()])
}

#[cfg(test)]
mod tests {
    use super::{LOGIN_LASTS, MOST_PENDING, Pending, Redirect, check_redirect_url, decoded, page_url};
    use crate::clock::Timestamp;
    use crate::error::{ErrorKind, LoginReason};
    use crate::secret::Secret;

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-23T10:00:00+05:30").unwrap()
    }

    #[test]
    fn x5_a_state_is_used_once_and_not_for_long() {
        let mut pending = Pending::default();
        let (state, until) = pending.begin(now()).unwrap();
        assert_eq!(until, now().plus(LOGIN_LASTS));
        assert!(pending.knows(Some(&state), false, now()));
        let wrong = Secret::new("x".repeat(state.expose().len()));
        let field = |result: crate::Result<Timestamp>| result.unwrap_err().field().map(str::to_owned);
        assert_eq!(
            field(pending.take(Some(&wrong), true, now())).as_deref(),
            Some("state")
        );
        assert!(
            pending.knows(Some(&state), false, now()),
            "a foreign answer does not end the wait"
        );
        assert_eq!(pending.take(Some(&state), false, now()).unwrap(), now());
        assert_eq!(
            field(pending.take(Some(&state), true, now())).as_deref(),
            Some("state")
        );

        let (state, until) = pending.begin(now()).unwrap();
        assert!(!pending.knows(Some(&state), false, until));
        assert_eq!(
            field(pending.take(Some(&state), true, until)).as_deref(),
            Some("state")
        );
        assert!(pending.is_empty());
    }

    #[test]
    fn x5_a_missing_state_proves_nothing() {
        let mut pending = Pending::default();
        pending.begin(now()).unwrap();
        assert_eq!(
            pending.take(None, false, now()).unwrap_err().field(),
            Some("state")
        );
        pending.begin(now()).unwrap();
        assert!(
            pending.take(None, true, now()).is_err(),
            "two are under way: which one?"
        );
        let mut one = Pending::default();
        one.begin(now()).unwrap();
        one.take(None, true, now()).unwrap();
        assert!(one.take(None, true, now()).is_err());
    }

    #[test]
    fn no_number_of_logins_that_nobody_completes_grows_without_end() {
        let mut pending = Pending::default();
        let (first, _) = pending.begin(now()).unwrap();
        let mut last = first.clone();
        for _ in 0..MOST_PENDING {
            (last, _) = pending.begin(now()).unwrap();
        }
        assert_eq!(pending.0.len(), MOST_PENDING);
        assert!(!pending.knows(Some(&first), false, now()) && pending.knows(Some(&last), false, now()));
        let text = serde_json::to_string(&pending).unwrap();
        assert!(!text.contains(last.expose()));
        assert_eq!(serde_json::from_str::<Pending>(&text).unwrap(), pending);
    }

    #[test]
    fn addresses_are_read_as_people_and_frameworks_give_them() {
        let registered = Some("https://app.example/callback");
        for text in [
            "https://app.example/callback?code=c%2B1&state=s",
            " http://10.0.0.7:8000/callback?code=c%2B1&state=s\n",
            "/callback?code=c%2B1&state=s#x",
            "?code=c%2B1&state=s",
        ] {
            let redirect = Redirect::parse(text, registered).unwrap();
            assert_eq!(redirect.get("code").unwrap().expose(), "c+1", "{text}");
            assert_eq!(redirect.get("state").unwrap().expose(), "s");
            assert!(!format!("{redirect:?}").contains("c+1"));
        }
        let long = format!("/callback?code={}", "x".repeat(20_000));
        let many = format!("/callback?a&{}", "x=1&".repeat(40));
        for text in [
            "",
            "mailto:x",
            "https://",
            "https://app.example/other?code=1",
            "/callback/?code=1",
            "/callback?code=1&code=2",
            "/callback?code=1\n23",
            &long,
            &many,
        ] {
            let error = Redirect::parse(text, registered).unwrap_err();
            assert_eq!(error.field(), Some("url"), "{text}");
        }
        let none = Redirect::parse("/any?code=&state=s", None).unwrap();
        assert!(none.get("code").is_none() && none.get("other").is_none());
    }

    #[test]
    fn a_refusal_of_the_page_is_told() {
        let refusal = |text| Redirect::parse(text, None).unwrap().refusal("errorMessage");
        let error = refusal("/c?error=access_denied&errorMessage=User+cancelled&state=s").unwrap();
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
        assert_eq!(error.context().login_reason, Some(LoginReason::ConsentDenied));
        assert_eq!(error.context().broker_code.as_deref(), Some("access_denied"));
        assert!(error.message().contains("User cancelled"), "{error}");
        assert!(refusal("/c?code=1&state=s").is_none());
        let short = refusal("/c?error=access_denied&errorMessage=a+login+by+a&state=s&x=a").unwrap();
        assert!(
            short
                .message()
                .starts_with("the login was cancelled at the broker's page"),
            "{short}"
        );
    }

    #[test]
    fn what_a_person_is_told_is_no_secret_and_everything_else_is() {
        let text = "/c?error=access_denied&errorMessage=User+cancelled&state=s&code=c&auth_token=t";
        let secrets = Redirect::parse(text, None).unwrap().secrets();
        let hidden: Vec<&str> = secrets.iter().map(Secret::expose).collect();
        assert_eq!(hidden, ["s", "c", "t"]);
    }

    #[test]
    fn redirect_urls_are_checked_before_anything_is_opened() {
        for (text, at_samco, at_angel_one) in [
            ("https://app.example/callback", true, true),
            ("http://127.0.0.1:8765/callback", true, false),
            ("http://127.0.0.1/callback", false, false),
            ("http://localhost:8765/callback", false, false),
            ("http://[::1]:8765/callback", false, false),
            ("http://app.example/callback", false, false),
            ("https://app.example/callback?x=1", false, false),
            ("https://me@app.example/", false, false),
            ("app.example", false, false),
            ("", false, false),
        ] {
            assert_eq!(check_redirect_url(text, true).is_ok(), at_samco, "{text}");
            assert_eq!(check_redirect_url(text, false).is_ok(), at_angel_one, "{text}");
        }
    }

    #[test]
    fn a_query_is_decoded_once() {
        for (coded, plain) in [
            ("", Some("")),
            ("a%2Bb+c", Some("a+b c")),
            ("100%", Some("100%")),
            ("%zz%4", Some("%zz%4")),
            ("%+5", Some("% 5")),
            ("%2525", Some("%25")),
            ("%C3%A9\u{e9}", Some("\u{e9}\u{e9}")),
            ("%ff", None),
        ] {
            let text = decoded(coded).map(|secret| secret.expose().to_owned());
            assert_eq!(text.as_deref(), plain, "{coded}");
        }
    }

    #[test]
    fn a_page_encodes_what_it_is_given() {
        let page = page_url("https://b.example/p", &[("a", "x y&z"), ("b", "é")]);
        assert_eq!(page.expose(), "https://b.example/p?a=x+y%26z&b=%C3%A9");
    }
}
