//! Every scenario of `tests/scenarios`, told to the embedded broker and a session that follows its clock. The
//! format is described in `tests/README.md`; Python and Node run the same files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use preopen::core::wire::Method;
use preopen::totp::TotpSecret;
use preopen::{
    AngelOne, AngelOnePublisher, Ask, Clock, Error, Events, RateLimits, Reply, Result, Samco, SamcoLegacy,
    SamcoLoginCode, SamcoOAuth, SealKey, Secret, SecretSource, Session, SessionBuilder, SessionEvent,
    Timestamp, TotpSource,
};
use preopen_sandbox::{
    Account, AngelOneAccount, Broker, Fault, Options, SamcoAccount, Sandbox, SourceIp, SwitchValue,
};
use serde_json::{Value, json};

/// The longest that the background thread may take for what it does on its own.
const PATIENCE: Duration = Duration::from_secs(5);

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Makes one more session of the account, or, when told so, one of the direct login.
type Again = Box<dyn Fn(&Sandbox, bool) -> Session>;

struct Story {
    broker: Broker,
    sandbox: Sandbox,
    session: Session,
    /// Makes another session of the same account, if wanted with the direct login.
    again: Again,
    events: Option<Events>,
    asked: Asked,
    consent: Consent,
    code: LoginCode,
}

/// A login at the broker's page.
#[derive(Default)]
struct Consent {
    page: Option<String>,
    /// Where the browser ended, and whether that was used.
    address: Option<(String, bool)>,
}

/// What the last `web_login_code` gave.
type LoginCode = Arc<Mutex<String>>;

/// How often each callback was called.
type Asked = Arc<Mutex<BTreeMap<String, u64>>>;

fn broker(name: &str) -> Broker {
    Broker::parse(name).unwrap_or_else(|| panic!("no broker {name}"))
}

/// A callback that behaves as the scenario says; `right` gives the account's own value.
fn callback(
    field: &str,
    behaviour: &Value,
    asked: &Asked,
    right: impl Fn() -> String + Send + Sync + 'static,
) -> Ask {
    let (field, behaviour, asked) = (field.to_owned(), behaviour.clone(), Arc::clone(asked));
    Ask::blocking(move || {
        *asked.lock().unwrap().entry(field.clone()).or_default() += 1;
        let text = match (behaviour.as_str(), behaviour["says"].as_str()) {
            (Some("right"), _) => right(),
            (Some("nothing"), _) => return Ok(None),
            (Some("fails"), _) => panic!("the answer is {}", right()),
            (_, Some(text)) => text.to_owned(),
            _ => panic!("no callback {behaviour}"),
        };
        Ok(Some(Secret::new(text)))
    })
}

/// What a session is made with.
struct Making<'a> {
    scenario: &'a Value,
    asked: &'a Asked,
    code: &'a LoginCode,
}

impl Making<'_> {
    /// A value of the account's own, or what `wrong` replaces it with.
    fn or(&self, name: &str, right: &str) -> String {
        let wrong = &self.scenario["steps"][0]["wrong"];
        wrong[name].as_str().unwrap_or(right).to_owned()
    }

    /// The same, or a callback.
    fn source(&self, name: &str, right: &str) -> SecretSource {
        let behaviour = &self.scenario["callbacks"][name];
        let right = self.or(name, right);
        if behaviour.is_null() {
            return right.into();
        }
        callback(name, behaviour, self.asked, move || right.clone()).into()
    }

    fn samco(&self, account: &SamcoAccount) -> SessionBuilder {
        Session::builder(Samco::new(
            self.or("api_key", &account.api_key),
            self.source("api_secret", &account.api_secret),
        ))
    }

    fn samco_legacy(&self, account: &SamcoAccount) -> SessionBuilder {
        #[allow(deprecated, reason = "it is what is tested")]
        let samco = SamcoLegacy::new(
            self.or("user_id", &account.account),
            self.source("password", &account.password),
            self.source("secret_api_key", &account.secret_api_key),
        );
        Session::builder(samco)
    }

    fn samco_login_code(&self, account: &SamcoAccount) -> SessionBuilder {
        let code = Arc::clone(self.code);
        let right = move || code.lock().unwrap().clone();
        let ask = callback("code", &self.scenario["callbacks"]["code"], self.asked, right);
        Session::builder(SamcoLoginCode::new(self.or("account", &account.account), ask))
    }

    fn angel_one(&self, account: &AngelOneAccount, sandbox: &Sandbox) -> SessionBuilder {
        let typed = &self.scenario["callbacks"]["totp"];
        let totp = if typed.is_null() {
            self.source("totp_secret", &account.totp_secret).into()
        } else {
            let (secret, clock) = (TotpSecret::new(account.totp_secret.as_str()), sandbox.clock());
            let code = move || {
                let code = secret.code_at(clock.now().wall).unwrap();
                code.spend().expose().to_owned()
            };
            TotpSource::Typed(callback("totp", typed, self.asked, code))
        };
        Session::builder(AngelOne::new(
            self.or("api_key", &account.api_key),
            self.or("client_code", &account.client_code),
            self.source("pin", &account.pin),
            totp,
        ))
    }

    fn publisher(&self, account: &AngelOneAccount) -> SessionBuilder {
        let (key, code) = (&account.api_key, account.client_code.as_str());
        let app = AngelOnePublisher::new(self.or("api_key", key), self.or("client_code", code));
        let trusts = self.scenario["trust_missing_state"] == true;
        Session::builder(
            app.redirect_url(account.redirect_url.as_str())
                .trust_missing_state(trusts),
        )
    }

    /// A session of the first account, with the credentials that `wrong` replaces and those that are asked for.
    fn session(&self, sandbox: &Sandbox, credentials: &str) -> Session {
        let samco = || sandbox.accounts().iter().find_map(Account::as_samco).unwrap();
        let angel_one = || sandbox.accounts().iter().find_map(Account::as_angelone).unwrap();
        let builder = match credentials {
            "samco" => self.samco(samco()),
            "angelone" => self.angel_one(angel_one(), sandbox),
            "samco_oauth" => Session::builder(SamcoOAuth::new(
                self.or("api_key", &samco().api_key),
                samco().redirect_url.as_str(),
            )),
            "samco_legacy" => self.samco_legacy(samco()),
            "samco_login_code" => self.samco_login_code(samco()),
            "angelone_publisher" => self.publisher(angel_one()),
            other => panic!("no credentials {other}"),
        };
        builder
            .base_url(sandbox.samco_url())
            .clock(sandbox.clock())
            .keep_warm(self.scenario["keep_warm"] == true)
            .rate_limits(limits(self.scenario))
            .build()
            .unwrap()
    }
}

fn limits(scenario: &Value) -> RateLimits {
    let own = scenario.get("rate_limits");
    own.map_or_else(RateLimits::new, |own| {
        RateLimits::from_json(&own.to_string()).unwrap()
    })
}

async fn open(scenario: &Value) -> Story {
    let at = Timestamp::parse_rfc3339(scenario["at"].as_str().unwrap()).unwrap();
    let rate = scenario["rate"].as_f64().unwrap_or(0.0);
    let sandbox = Sandbox::start(Options::default().start_at(at).clock_rate(rate))
        .await
        .unwrap();
    let broker = broker(scenario["broker"].as_str().unwrap());
    let asked = Asked::default();
    for field in scenario["callbacks"].as_object().into_iter().flatten() {
        asked.lock().unwrap().insert(field.0.clone(), 0);
    }
    let code = LoginCode::default();
    let (given, counted, last) = (scenario.clone(), Arc::clone(&asked), Arc::clone(&code));
    let again = move |sandbox: &Sandbox, direct: bool| {
        let kind = given["credentials"].as_str().filter(|_| !direct);
        let making = Making {
            scenario: &given,
            asked: &counted,
            code: &last,
        };
        making.session(sandbox, kind.unwrap_or(broker.as_str()))
    };
    Story {
        session: again(&sandbox, false),
        broker,
        sandbox,
        again: Box::new(again),
        events: None,
        asked,
        consent: Consent::default(),
        code,
    }
}

impl Story {
    /// Runs one step; gives what there is to compare.
    async fn step(&mut self, step: &Value) -> Result<Value> {
        let (what, value) = step.as_object().unwrap().iter().next().unwrap();
        match what.as_str() {
            "wrong" => {}
            "token" => {
                let token = self.session.token().await?;
                return Ok(
                    json!({"generation": token.generation(), "expires_at": token.expires_at().to_rfc3339()}),
                );
            }
            "state" => {
                let state = self.session.state();
                let source = state
                    .expiry
                    .as_ref()
                    .map(|expiry| expiry.decisive().source.as_str());
                let skew = state.clock_skew.map(|skew| skew.as_millis() / 1000);
                return Ok(json!({
                    "name": state.name.as_str(), "generation": state.generation, "expiry_source": source,
                    "clock_skew": skew, "renewable_until": state.renewable_until.map(Timestamp::to_rfc3339),
                }));
            }
            "call" => return self.call(step).await,
            "whoami" => {
                let who = self.session.whoami().await?;
                return Ok(json!({
                    "verdict": who.verdict.as_str(), "matched_as": who.matched_as().map(preopen::Slot::as_str),
                    "source_ip": who.addresses.source,
                }));
            }
            "preflight" => return Ok(self.preflight(value).await),
            "profile" => {
                let profile = self.session.profile().await?;
                return Ok(json!({
                    "account_id": profile.account_id, "name": profile.name, "exchanges": profile.exchanges,
                    "products": profile.products, "order_types": profile.order_types,
                }));
            }
            "stream_headers" => {
                let headers = self.session.stream_headers(value["stream"].as_str()).await?;
                let names: Vec<_> = headers.names().collect();
                return Ok(json!({"stream": value["stream"], "headers": names}));
            }
            "feed_token" => {
                let token = self.session.feed_token().await?;
                return Ok(json!({"given": !token.expose().is_empty()}));
            }
            "herd" => return self.herd(value.as_u64().unwrap()).await,
            "invalidate" => self.session.invalidate(value.as_u64().unwrap()),
            "reset" => self.session.reset(),
            "close" => self.session.close(),
            "logout" => {
                let logout = self.session.logout().await?;
                return Ok(json!({"acknowledged": logout.acknowledged}));
            }
            "watch" => self.events = Some(self.session.events()),
            "asked" => return Ok(json!(*self.asked.lock().unwrap())),
            "events" => self.look_at_events(value).await,
            "wait_calls" => self.wait_calls(value).await,
            "hand_over" => self.hand_over(value).await?,
            "fault" => {
                // A connection is given back by tasks of its own; over HTTP, as in the other languages, they have time.
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.set("fault", value);
            }
            "begin_login" => {
                let start = self.session.begin_login().await?;
                self.consent.page = Some(start.url().to_owned());
                return Ok(json!({"expires_at": start.expires_at.to_rfc3339()}));
            }
            "consent" => self.decide(value),
            "complete_login" => self.complete_login(value).await?,
            "web_login_code" => {
                let direct = step["direct"] == true;
                let giver = direct.then(|| (self.again)(&self.sandbox, true));
                let code = giver.as_ref().unwrap_or(&self.session).web_login_code().await?;
                code.code.expose().clone_into(&mut self.code.lock().unwrap());
                return Ok(json!({"expires_at": code.expires_at.to_rfc3339()}));
            }
            "legacy" => return self.legacy(value).await,
            scene => self.set(scene, value),
        }
        Ok(Value::Null)
    }

    /// Plays the person at the page.
    fn decide(&mut self, value: &Value) {
        let approve = match value["decision"].as_str() {
            Some("approve") => true,
            Some("cancel") => false,
            other => panic!("no decision {other:?}"),
        };
        let page = self.consent.page.as_deref().expect("a step `begin_login` before");
        let address = self.sandbox.consent(page, approve, None).unwrap();
        self.consent.address = Some((address, false));
    }

    async fn complete_login(&mut self, value: &Value) -> Result<()> {
        if let Some(literal) = value["address"].as_str() {
            return self.session.complete_login(literal).await;
        }
        let (address, used) = self.consent.address.as_mut().expect("a step `consent` before");
        assert_eq!(*used, value["again"] == true, "`again` tells that it was used");
        *used = true;
        self.session.complete_login(address).await
    }

    /// One of Samco's deprecated calls; `"otp": "sent"` is the one that the broker sent last.
    #[allow(deprecated, reason = "it is what is tested")]
    async fn legacy(&self, value: &Value) -> Result<Value> {
        let calls = self.session.samco_legacy()?;
        let (primary, secondary) = (value["primary"].as_str(), value["secondary"].as_str());
        let reply = match value["call"].as_str() {
            Some("generate_otp") => calls.generate_otp().await,
            Some("generate_secret_key") => {
                let otp = value["otp"].as_str().unwrap();
                let sent = self.sandbox.inbox().into_iter().rfind(|_| otp == "sent");
                let otp = sent.map_or_else(|| otp.to_owned(), |message| message.value);
                calls.generate_secret_key(otp).await
            }
            Some("register_ips") => calls.register_ips(primary.unwrap(), secondary).await,
            Some("update_ips") => calls.update_ips(primary.unwrap(), secondary).await,
            other => panic!("no call {other:?}"),
        };
        reply.map(|reply| json!({"message": reply.message, "http_status": reply.http_status}))
    }

    /// What preflight found, by the names of its checks.
    async fn preflight(&self, value: &Value) -> Value {
        let strict = value["strict"].as_bool();
        let mut preflight = self.session.preflight().await;
        if strict == Some(true) {
            preflight = preflight.strict();
        }
        let checks = preflight.checks.iter();
        let statuses = checks
            .clone()
            .map(|check| (check.name.to_owned(), json!(check.status.as_str())));
        let errors = checks.map(|check| {
            (
                check.name.to_owned(),
                check.error.as_ref().map_or(Value::Null, error_fields),
            )
        });
        json!({
            "strict": strict, "ready": preflight.ready,
            "checks": statuses.collect::<serde_json::Map<_, _>>(), "errors": errors.collect::<serde_json::Map<_, _>>(),
        })
    }

    /// Changes what is around the session.
    fn set(&self, scene: &str, value: &Value) {
        match scene {
            "advance" => self.advance(value),
            "fault" => {
                let mut fault = value.clone();
                fault["broker"] = self.broker.as_str().into();
                self.sandbox
                    .fault(serde_json::from_value::<Fault>(fault).unwrap())
                    .unwrap();
            }
            "set_clock" => {
                let at = Timestamp::parse_rfc3339(value.as_str().unwrap()).unwrap();
                self.sandbox.clock().set(at);
            }
            "source_ip" => self.sandbox.set_source_ip(match value.as_str() {
                Some(ip) => SourceIp::Fixed(ip.parse().unwrap()),
                None => SourceIp::Peer,
            }),
            "switch" => {
                for (name, value) in value.as_object().unwrap() {
                    let value: SwitchValue = match value {
                        Value::Bool(on) => (*on).into(),
                        Value::Number(number) => number.as_i64().unwrap().into(),
                        other => other.as_str().unwrap().into(),
                    };
                    self.sandbox.switch(name, value).unwrap();
                }
            }
            other => panic!("no step {other}"),
        }
    }

    /// The events since the last look must be these, and no more.
    async fn look_at_events(&mut self, value: &Value) {
        let expected = value.as_array().unwrap();
        let events = self.events.as_mut().expect("a step `watch` before");
        let mut seen = Vec::new();
        for _ in expected {
            let next = tokio::time::timeout(PATIENCE, events.next()).await;
            let event = next.unwrap_or_else(|_| panic!("no event after {seen:?}"));
            seen.push(event_fields(&event.expect("an event, not the end")));
        }
        let more = tokio::time::timeout(Duration::from_millis(20), events.next()).await;
        assert!(more.is_err(), "after {seen:?} came {more:?}");
        for (event, expected) in seen.iter().zip(expected) {
            let fields = expected.as_str().map(|name| json!({ "name": name }));
            assert_has(event, &fields.unwrap_or_else(|| expected.clone()), "event");
        }
    }

    async fn wait_calls(&self, value: &Value) {
        for (path, count) in value.as_object().unwrap() {
            let began = Instant::now();
            let count = count.as_u64().unwrap();
            while self.sandbox.requests(Some(self.broker), Some(path)).count < count {
                assert!(began.elapsed() < PATIENCE, "{path} was not called {count} times");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    async fn hand_over(&mut self, value: &Value) -> Result<()> {
        let next = (self.again)(&self.sandbox, false);
        if value["sealed"] == true {
            let key = SealKey::generate()?;
            next.prime(&self.session.export(&key).await?, Some(&key))?;
        } else {
            next.prime(self.session.export_exposed().await?.expose(), None)?;
        }
        self.session = next;
        Ok(())
    }

    async fn call(&self, step: &Value) -> Result<Value> {
        let (method, path) = step["call"].as_str().unwrap().split_once(' ').unwrap();
        let mut call = self.session.request(Method::parse(method).unwrap(), path);
        for (name, value) in step["params"].as_object().into_iter().flatten() {
            call = call.query(name, value.as_str().unwrap());
        }
        if !step["json"].is_null() {
            call = call.json(&step["json"]);
        }
        if let Some(safe) = step["replay_safe"].as_bool() {
            call = call.replay_safe(safe);
        }
        call.send().await.map(Reply::into_data)
    }

    /// All callers ask at once; all must get the same generation or the same error.
    async fn herd(&self, callers: u64) -> Result<Value> {
        let tasks: Vec<_> = (0..callers)
            .map(|_| {
                let session = self.session.clone();
                tokio::spawn(async move { session.token().await.map(|token| token.generation()) })
            })
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        let same = |a: &Result<u64>, b: &Result<u64>| match (a, b) {
            (Ok(a), Ok(b)) => a == b,
            (Err(a), Err(b)) => a.code() == b.code() && a.message() == b.message(),
            _ => false,
        };
        assert!(
            results.iter().all(|result| same(result, &results[0])),
            "{results:?}"
        );
        results
            .swap_remove(0)
            .map(|generation| json!({"generation": generation}))
    }

    fn advance(&self, value: &Value) {
        match (value["to"].as_str(), value["seconds"].as_f64()) {
            (Some(to), _) => drop(self.sandbox.advance_to(to).unwrap()),
            (None, Some(seconds)) => {
                self.sandbox.clock().advance(Duration::from_secs_f64(seconds));
            }
            _ => panic!("advance needs `to` or `seconds`"),
        }
    }
}

fn error_fields(error: &Error) -> Value {
    let context = error.context();
    let which = context.credential.map(preopen::Credential::as_str);
    json!({
        "code": error.code(), "advice": error.advice().as_str(), "field": context.field,
        "which": which.or(context.account_action.map(preopen::AccountAction::as_str)),
        "http_status": context.http_status, "broker_code": context.broker_code,
        "source_ip": context.source_ip, "primary_ip": context.primary_ip,
        "reason": context.login_reason.map(preopen::LoginReason::as_str),
        "clock_skew": context.clock_skew.map(|skew| skew.as_millis() / 1000),
    })
}

fn event_fields(event: &SessionEvent) -> Value {
    json!({
        "name": event.name.as_str(), "generation": event.generation, "missed": event.missed,
        "expires_at": event.expires_at.map(Timestamp::to_rfc3339), "error": event.error.as_ref().map(error_fields),
    })
}

/// Every field that `expected` names is equal in `found`; objects inside are compared the same way.
fn assert_has(found: &Value, expected: &Value, at: &str) {
    match (expected, found) {
        (Value::Object(fields), Value::Object(_)) => {
            for (name, field) in fields {
                let got = found
                    .get(name)
                    .unwrap_or_else(|| panic!("{at}: no field {name} in {found}"));
                assert_has(got, field, at);
            }
        }
        _ => assert_eq!(found, expected, "{at}"),
    }
}

async fn tell(path: &Path) {
    let scenario: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut story = open(&scenario).await;
    for (number, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
        let at = format!(
            "{}, step {}: {step}",
            path.file_name().unwrap().display(),
            number + 1
        );
        match (story.step(step).await, step.get("error")) {
            (Ok(found), None) => {
                let (what, value) = step.as_object().unwrap().iter().next().unwrap();
                let expected = if what == "call" || what == "legacy" {
                    step.get("ok").unwrap_or(&Value::Null)
                } else {
                    value
                };
                if expected.is_object() && !found.is_null() {
                    assert_has(&found, expected, &at);
                }
            }
            (Err(error), Some(expected)) => assert_has(&error_fields(&error), expected, &at),
            (result, _) => panic!("{at}: got {result:?}"),
        }
    }
    for (path_called, expected) in scenario["calls"].as_object().unwrap() {
        let seen = story
            .sandbox
            .requests(Some(story.broker), Some(path_called))
            .count;
        assert_eq!(Some(seen), expected.as_u64(), "{}: {path_called}", path.display());
    }
    story.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_holds() {
    let files = files();
    assert!(files.len() >= 30);
    for path in files {
        tell(&path).await;
    }
}
