//! The watch itself, and the parts of the core on their own.

use preopen::core::broker::{Adapter, Tokens};
use preopen::core::error::{Cause, Redactor};
use preopen::core::lifecycle::Record;
use preopen::core::wire::{CallClass, Endpoint, Method, RawReply, Request};
use preopen::{Clock as _, Error, ErrorKind, Secret, SystemClock, Timestamp};

use crate::allocator::{alone, unwatched, watch};
use crate::canaries::{self, API_KEY, API_SECRET, JWT, NOW, QUOTED, SESSION};

fn nothing(name: &str, work: impl FnOnce()) {
    let found = watch(&canaries::all(), work);
    assert!(found.is_empty(), "{name}: {found:#?}");
}

#[test]
fn the_watch_sees_what_is_not_wiped() {
    let _alone = alone();
    let found = |work: fn()| watch(&canaries::all(), work);
    let dropped = found(|| drop(SESSION.to_owned()));
    assert_eq!(
        dropped,
        [format!(
            "session token in a block of {} bytes, given back by the test",
            SESSION.len()
        )]
    );
    let grown = found(|| {
        let mut text = SESSION.to_owned();
        text.push('x');
        std::mem::forget(text);
    });
    assert_eq!(grown.len(), 1, "the block that a growth leaves: {grown:?}");
    let shrunk = found(|| {
        let mut text = String::with_capacity(100);
        text.push_str(SESSION);
        std::mem::forget(text.into_boxed_str());
    });
    assert_eq!(
        shrunk,
        ["session token in a block of 100 bytes, given back by the test"]
    );
    let beyond = found(|| {
        let mut text = SESSION.to_owned();
        text.clear();
    });
    assert_eq!(beyond.len(), 1, "beyond the length: {beyond:?}");
    let half = found(|| drop(SESSION[10..].to_owned()));
    assert_eq!(half.len(), 1, "a part of it: {half:?}");
    let elsewhere = found(|| std::thread::spawn(|| drop(SESSION.to_owned())).join().unwrap());
    assert_eq!(elsewhere.len(), 1, "on another thread: {elsewhere:?}");
    assert!(found(|| unwatched(|| drop(SESSION.to_owned()))).is_empty());
}

#[test]
fn x2_a_secret_is_wiped_with_its_last_clone() {
    let _alone = alone();
    nothing("from text", || {
        let secret = Secret::new(SESSION);
        drop(secret.clone());
        assert_eq!(secret.expose(), SESSION);
    });
    nothing("from a string with room to spare", || {
        let mut text = String::with_capacity(500);
        text.push_str(SESSION);
        drop(Secret::new(text));
    });
    nothing("trimmed", || {
        let pasted = unwatched(|| format!(" {SESSION} \n"));
        drop(Secret::new(pasted).trimmed());
    });
    nothing("formatted", || {
        drop(Secret::format(format_args!(
            "{SESSION} {SESSION} {API_KEY} {SESSION}"
        )));
    });
    nothing("as JSON", || {
        drop(Secret::json(&[[SESSION, QUOTED], [API_KEY, SESSION]]).unwrap());
    });
}

#[test]
fn x2_credentials_and_requests_are_wiped() {
    let _alone = alone();
    let at = Timestamp::parse_rfc3339(NOW).unwrap();
    let tokens = || Tokens::new(SESSION).with("refresh", Some(Secret::new(canaries::REFRESH)));
    let adapters: [fn() -> Box<dyn Adapter>; 2] =
        [|| Box::new(canaries::samco()), || Box::new(canaries::angel_one())];
    for make in adapters {
        nothing("checked", || {
            let adapter = make();
            adapter.validate().unwrap();
            drop((adapter.fingerprint(), adapter.secrets()));
            assert!(!format!("{adapter:?}").contains("canary"));
        });
        nothing("login", || {
            let adapter = make();
            drop(adapter.login(adapter.one_time_code(at).unwrap()).clone());
        });
        nothing("refresh", || drop(make().refresh(&tokens())));
        nothing("authorized", || {
            let adapter = make();
            drop(adapter.logout(&tokens(), true, at));
            drop(adapter.headers(&Tokens::new(format!("Bearer {JWT}"))));
        });
    }
    nothing("from variables", || {
        let value = |name: &str| {
            let text = match name {
                "ANGELONE_CLIENT_CODE" | "SAMCO_USER_ID" => "C1",
                "SAMCO_REDIRECT_URL" | "ANGELONE_REDIRECT_URL" => "https://app.example/callback",
                _ if name.ends_with("_IP") || name.ends_with("_ADDRESS") => return None,
                _ => SESSION,
            };
            unwatched(|| Some(format!(" {text}\n")))
        };
        drop(preopen::Samco::from_lookup(value).unwrap());
        drop(preopen::AngelOne::from_lookup(value).unwrap());
        drop(preopen::SamcoOAuth::from_lookup(value).unwrap());
        drop(preopen::AngelOnePublisher::from_lookup(value).unwrap());
        #[allow(deprecated, reason = "its secrets are wiped like all others")]
        drop(preopen::SamcoLegacy::from_lookup(value).unwrap());
    });
    nothing("wrong TOTP secrets", || {
        for text in [
            "",
            "gezd-gnbv",
            "jbsw-y3dp ehpk3pxp 1",
            "jbsw-y3dp ehpk3pxp gezdgnbvgy3tqojq é",
        ] {
            let wrong = preopen::AngelOne::new(API_KEY, "C1", canaries::PIN, text);
            assert_eq!(wrong.validate().unwrap_err().field(), Some("totp_secret"));
        }
    });
    nothing("a secret that must be escaped", || {
        let odd = preopen::Samco::new(API_KEY, QUOTED);
        drop((odd.login(None), Redactor::new(odd.secrets())));
    });
    nothing("a body of one's own", || {
        let endpoint = Endpoint::new(Method::Post, "/x", CallClass::Write);
        let body = unwatched(|| serde_json::json!({"a": SESSION, "b": [API_SECRET]}));
        drop(Request::new(endpoint).json(&body));
        unwatched(|| drop(body));
    });
}

#[test]
fn x2_replies_to_a_login_are_wiped() {
    let _alone = alone();
    let numeric = canaries::angel_login(canaries::NUMERIC_FEED);
    let feed = canaries::angel_login(&format!("\"{}\"", canaries::FEED));
    let good = [(200, canaries::samco_login()), (200, numeric), (200, feed)];
    for adapter in [&canaries::samco() as &dyn Adapter, &canaries::angel_one()] {
        let bad = canaries::bad_logins(&canaries::echo(adapter.policy().broker));
        for (status, body) in good.iter().cloned().chain(bad) {
            nothing(&body, || {
                let endpoint = adapter.login(None).endpoint;
                let raw = RawReply::new(status, unwatched(|| body.clone()));
                match adapter.read_login(&endpoint, &raw) {
                    Ok(mut login) => {
                        let known = adapter.secrets().into_iter().chain(login.tokens.all());
                        login.profile.clean(&Redactor::new(known));
                        let now = SystemClock.now();
                        drop(Record::new(1, login, now.wall, now, &adapter.policy().expiry).clone());
                    }
                    Err(error) => {
                        let redactor = Redactor::new(adapter.secrets());
                        let error = error.redacted(&redactor);
                        unwatched(|| assert!(!format!("{error:?}").contains("canary-"), "{error:?}"));
                    }
                }
            });
        }
    }
}

/// What SECURITY.md says of `serde_json`: a text that comes with escapes passes through a buffer of its own.
#[test]
fn what_serde_json_keeps_of_an_escaped_text() {
    let _alone = alone();
    let found = watch(&canaries::all(), || {
        let adapter = canaries::samco();
        let body = unwatched(|| {
            format!(
                r#"{{"status":"Success","sessionToken":{}}}"#,
                serde_json::json!(QUOTED)
            )
        });
        let raw = RawReply::new(200, body);
        drop(adapter.read_login(&adapter.login(None).endpoint, &raw).unwrap());
    });
    assert!(
        found.iter().all(|find| find.starts_with("quoted secret in")),
        "{found:?}"
    );
    assert_eq!(found.len(), 1, "as SECURITY.md says: {found:?}");
}

#[test]
fn x2_an_error_is_wiped_also_when_it_was_not_redacted() {
    let _alone = alone();
    let make = || {
        Error::new(ErrorKind::BrokerRejected, SESSION)
            .with(|context| {
                context.body = Some(SESSION.to_owned());
                context.broker_code = Some(SESSION.to_owned());
                context.message_id = Some(SESSION.to_owned());
                context.validation_errors = vec![SESSION.to_owned(), SESSION.to_owned()];
            })
            .with_source(Cause::from_chain(&Error::new(ErrorKind::Network, SESSION)))
    };
    nothing("dropped", || drop(make()));
    nothing("cloned and changed", || {
        let error = make();
        drop(error.clone().with(|context| context.http_status = Some(500)));
        drop(error.with_message("another"));
    });
    nothing("of a write", || {
        let error = Error::new(ErrorKind::MalformedResponse, make().message()).with(|context| {
            context.broker_code = Some(SESSION.to_owned());
        });
        assert_eq!(error.for_write().kind(), ErrorKind::OutcomeUnknown);
    });
    nothing("redacted", || {
        let redactor = Redactor::new([
            Secret::new(SESSION),
            Secret::new(API_KEY),
            Secret::new(API_SECRET),
        ]);
        let error = make().redacted(&redactor);
        unwatched(|| assert!(!format!("{error:?} {:?}", error.causes()).contains("canary")));
        let long = unwatched(|| Secret::new(format!("{API_KEY} {SESSION} ").repeat(400)));
        let error = Error::new(ErrorKind::BrokerRejected, long.expose()).redacted(&redactor);
        unwatched(|| assert!(!format!("{error:?}").contains("canary")));
    });
}
