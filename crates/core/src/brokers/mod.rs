//! The brokers, one folder each with the same file names: credentials (the public type and its adapter),
//! requests, replies, faults, policy.

/// `Debug` of credentials: their name, and nothing of what they hold.
macro_rules! shows_nothing {
    ($credentials:ident) => {
        impl std::fmt::Debug for $credentials {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($credentials), "(**redacted**)"))
            }
        }
    };
}
use shows_nothing;

mod angel_one;
mod samco;

pub use angel_one::{AngelOne, AngelOnePublisher, LIMITS as ANGEL_ONE_LIMITS, TotpSource};
pub use samco::{Samco, SamcoLegacy, SamcoLoginCode, SamcoOAuth};

use crate::catalogue::Tables;

/// What is known of each broker, as tables.
pub static TABLES: [Tables; 2] = [
    Tables {
        broker: "samco",
        endpoints: samco::catalogue::ENTRIES,
        faults: samco::faults::ROWS,
        refusal: samco::replies::refusal,
    },
    Tables {
        broker: "angelone",
        endpoints: angel_one::catalogue::ENTRIES,
        faults: angel_one::faults::ROWS,
        refusal: angel_one::replies::refusal,
    },
];

#[cfg(test)]
mod tests {
    use super::{
        AngelOne, AngelOnePublisher, Samco, SamcoLegacy, SamcoLoginCode, SamcoOAuth, angel_one, samco,
    };
    use crate::ask::Ask;
    use crate::broker::{AccountCall, Adapter, ProfileSource, Tokens};
    use crate::catalogue::{On, Row, Verdict};
    use crate::clock::Timestamp;
    use crate::envelope::{Refusal, classify, listed, plain_text};
    use crate::error::{AccountAction, Credential, LoginReason};
    use crate::wire::{Endpoint, Method, RawReply};
    use serde_json::Value;
    use std::path::Path;

    struct Broker {
        name: &'static str,
        adapter: Box<dyn Adapter>,
        rows: &'static [Row],
        refusal: for<'a> fn(&'a Value) -> Refusal<'a>,
    }

    fn brokers() -> [Broker; 2] {
        [
            Broker {
                name: "samco",
                adapter: Box::new(Samco::new("k", "s")),
                rows: samco::faults::ROWS,
                refusal: samco::replies::refusal,
            },
            Broker {
                name: "angelone",
                adapter: Box::new(AngelOne::new("k", "C1", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH")),
                rows: angel_one::faults::ROWS,
                refusal: angel_one::replies::refusal,
            },
        ]
    }

    impl Broker {
        /// The refusals among the vectors.
        fn refusals(&self) -> Vec<Refused> {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../tests/vectors")
                .join(self.name);
            std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
                .filter_map(|bytes| self.refused(&serde_json::from_slice(&bytes).unwrap()))
                .collect()
        }

        fn refused(&self, vector: &Value) -> Option<Refused> {
            let expected = vector["expect"].get("error")?.clone();
            let endpoint = self.endpoint(vector["call"].as_str().unwrap());
            let reply = &vector["reply"];
            let status = u16::try_from(reply["status"].as_u64().unwrap()).unwrap();
            let text = reply["text"].as_str().map(str::to_owned);
            let body = text.as_ref().map_or_else(
                || Some(reply["body"].clone()),
                |text| serde_json::from_str(text).ok(),
            );
            let said = match (body, &text) {
                (Some(body), _) if body.is_object() => Said::Json(body),
                (None, Some(text)) if text.starts_with(char::is_alphabetic) => Said::Text(text.clone()),
                _ => return None,
            };
            let raw = RawReply::new(status, text.unwrap_or_else(|| reply["body"].to_string()));
            Some(Refused {
                endpoint,
                raw,
                said,
                refusal: self.refusal,
                expected,
            })
        }

        fn endpoint(&self, call: &str) -> Endpoint {
            match call {
                "login" => self.adapter.login(None).endpoint,
                "whoami" => self.adapter.whoami().unwrap().endpoint,
                "profile" => match self.adapter.profile() {
                    ProfileSource::Call(request) => request.endpoint,
                    ProfileSource::Login => panic!("no profile call"),
                },
                call => {
                    let (method, path) = call.split_once(' ').unwrap();
                    self.adapter.endpoint(Method::parse(method).unwrap(), path)
                }
            }
        }
    }

    /// A vector that expects an error, read up to where the fault table is asked.
    struct Refused {
        endpoint: Endpoint,
        raw: RawReply,
        said: Said,
        refusal: for<'a> fn(&'a Value) -> Refusal<'a>,
        expected: Value,
    }

    enum Said {
        Json(Value),
        Text(String),
    }

    impl Refused {
        fn decided_by(&self, rows: &[Row]) -> Option<usize> {
            let refusal = match &self.said {
                Said::Json(body) => (self.refusal)(body),
                Said::Text(text) => Refusal {
                    text,
                    ..Refusal::default()
                },
            };
            let row = listed(rows, &self.endpoint, &refusal)?;
            rows.iter().position(|one| std::ptr::eq(one, row))
        }

        /// Whether these rows make the error of it that the vector expects, by all that a row decides.
        fn is_as_expected(&self, rows: &[Row]) -> bool {
            let error = match &self.said {
                Said::Json(body) => classify(rows, &self.endpoint, &self.raw, &(self.refusal)(body)),
                Said::Text(text) => plain_text(rows, &self.endpoint, &self.raw, text),
            };
            let context = error.context();
            let which = context.credential.map(Credential::as_str);
            let found = [
                ("code", Some(error.code())),
                (
                    "which",
                    which.or(context.account_action.map(AccountAction::as_str)),
                ),
                ("reason", context.login_reason.map(LoginReason::as_str)),
                ("message", Some(error.message())),
            ];
            found.into_iter().all(|(name, text)| {
                self.expected
                    .get(name)
                    .is_none_or(|wanted| wanted.as_str() == text)
            })
        }
    }

    /// Every row of the fault tables is proven by a vector that all languages run: without the row, that vector
    /// would become another error than it expects. A row that says what an unlisted refusal is anyway decides only
    /// where the status says something else; there it is enough that the vector is its own.
    #[test]
    fn every_fault_row_decides_a_vector() {
        let mut unproven = Vec::new();
        for broker in brokers() {
            let mut proven = vec![false; broker.rows.len()];
            for refused in broker.refusals() {
                let Some(nth) = refused.decided_by(broker.rows) else {
                    continue;
                };
                let mut without = broker.rows.to_vec();
                without.remove(nth);
                let plain =
                    broker.rows[nth].verdict == Verdict::Rejected && broker.rows[nth].advice.is_empty();
                let needed = plain || !refused.is_as_expected(&without);
                proven[nth] |= refused.is_as_expected(broker.rows) && needed;
            }
            let rows = broker.rows.iter().zip(proven).filter(|(_, proven)| !proven);
            unproven.extend(rows.map(|(row, _)| format!("{}: {row:?}", broker.name)));
        }
        assert!(unproven.is_empty(), "no vector needs\n{}", unproven.join("\n"));
    }

    /// URLs end in the logs of every server on the way: no request of a session's own has a query, or a secret in its path.
    #[test]
    fn x3_no_request_of_a_session_has_a_secret_in_its_url() {
        #[allow(deprecated, reason = "its URLs count too")]
        let more: [Box<dyn Adapter>; 4] = [
            Box::new(SamcoOAuth::new("the-api-key", "http://127.0.0.1:8765/callback")),
            Box::new(SamcoLegacy::new("AB1234", "the-password", "the-secret-key")),
            Box::new(SamcoLoginCode::new("AB1234", Ask::blocking(|| Ok(None)))),
            Box::new(AngelOnePublisher::new("the-api-key", "A123456")),
        ];
        let at = Timestamp::from_seconds(1_800_000_000);
        for adapter in brokers().map(|broker| broker.adapter).into_iter().chain(more) {
            let adapter = adapter.as_ref();
            let tokens = Tokens::new("the.access.token")
                .with("refresh", Some("the-refresh-token".into()))
                .with("feed", Some("the-feed-token".into()));
            let code = adapter.one_time_code(at).unwrap();
            let profile = match adapter.profile() {
                ProfileSource::Call(request) => Some(request),
                ProfileSource::Login => None,
            };
            let otp = AccountCall::GenerateSecretKey { otp: "123456".into() };
            let requests = [
                adapter.first_step(),
                Some(adapter.login(code)),
                adapter.refresh(&tokens),
                adapter.whoami(),
                adapter.login_code(),
                adapter.account_call(&otp).map(Result::unwrap),
                profile,
                Some(adapter.logout(&tokens, true, at)),
                Some(adapter.logout(&tokens, false, at)),
            ];
            for mut request in requests.into_iter().flatten() {
                adapter.authorize(&mut request, &tokens, at);
                assert!(request.query.is_empty(), "{adapter:?}: {request:?}");
                let secrets = adapter.secrets().into_iter().chain(tokens.all());
                for secret in secrets.filter(|secret| secret.expose().len() > 4) {
                    assert!(
                        !request.endpoint.path.contains(secret.expose()),
                        "{adapter:?}: {request:?}"
                    );
                }
            }
        }
    }

    /// The same code may mean something else on another call: a refused PIN is terminal, and only a login sends one.
    #[test]
    fn rows_hold_only_on_calls_that_can_get_them() {
        for broker in brokers() {
            for row in broker.rows {
                let on = match row.verdict {
                    Verdict::Credentials(Credential::Pin | Credential::Totp) => On::Login,
                    Verdict::SessionExpired => On::Session,
                    _ => continue,
                };
                assert_eq!(row.on, on, "{}: {row:?}", broker.name);
            }
        }
    }
}
