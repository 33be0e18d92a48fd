//! Brokers of other shapes must fit without a change in the core: one whose header joins key and token and
//! whose day ends at 06:00 (as Kite's does), and one that signs every request (as Breeze's does). The shapes
//! are from public documents and SDKs; nothing here is a supported broker.
#![allow(clippy::unwrap_used, reason = "a test")]

use preopen_core::broker::{Adapter, Login, Policy, Profile, ProfileSource, Tokens};
use preopen_core::envelope::Reply;
use preopen_core::expiry::{DailyBoundary, ExpiryPolicy};
use preopen_core::static_ip::WhoAmI;
use preopen_core::totp::OneTimeCode;
use preopen_core::wire::{CallClass, Endpoint, Method, RawReply, Request};
use preopen_core::{Error, ErrorKind, Result, Secret, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// What differs between the two brokers of this file.
trait Shape: std::fmt::Debug + Send + Sync {
    fn policy(&self) -> &'static Policy;
    fn login(&self) -> Request;
    fn tokens(&self, reply: &serde_json::Value) -> Option<Tokens>;
    fn authorize(&self, request: &mut Request, tokens: &Tokens, now: Timestamp);
}

#[derive(Debug)]
struct Other<S>(S);

impl<S: Shape> Adapter for Other<S> {
    fn policy(&self) -> &'static Policy {
        self.0.policy()
    }
    fn validate(&self) -> Result<()> {
        Ok(())
    }
    fn fingerprint(&self) -> String {
        "other".to_owned()
    }
    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }
    fn one_time_code(&self, _now: Timestamp) -> Result<Option<OneTimeCode>> {
        Ok(None)
    }
    fn login(&self, _code: Option<OneTimeCode>) -> Request {
        self.0.login()
    }
    fn read_login(&self, _endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
        let reply = serde_json::from_slice(&raw.body).unwrap();
        let missing = || Error::new(ErrorKind::MalformedResponse, "no token");
        self.0.tokens(&reply).map(Login::new).ok_or_else(missing)
    }
    fn endpoint(&self, method: Method, path: &str) -> Endpoint {
        let class = if method == Method::Get {
            CallClass::Read
        } else {
            CallClass::Write
        };
        Endpoint::new(method, path, class)
    }
    fn headers(&self, _tokens: &Tokens) -> Vec<(String, Secret)> {
        Vec::new()
    }
    fn authorize(&self, request: &mut Request, tokens: &Tokens, now: Timestamp) {
        self.0.authorize(request, tokens, now);
    }
    fn read(&self, _endpoint: &Endpoint, raw: &RawReply) -> Result<Reply> {
        Ok(Reply::new(serde_json::from_slice(&raw.body).unwrap(), raw.status))
    }
    fn whoami(&self) -> Option<Request> {
        None
    }
    fn read_whoami(&self, _reply: &Reply) -> Result<WhoAmI> {
        Ok(WhoAmI::unsupported("no such call"))
    }
    fn profile(&self) -> ProfileSource {
        ProfileSource::Login
    }
    fn read_profile(&self, _reply: &Reply) -> Profile {
        Profile::default()
    }
    fn logout_call(&self) -> Request {
        Request::new(self.endpoint(Method::Delete, "/session/token"))
    }
}

const fn policy(broker: &'static str, hour: u8) -> Policy {
    let expiry = ExpiryPolicy {
        boundary: DailyBoundary::at(hour, 0),
        maximum_age: None,
        note: "a test",
    };
    Policy::new(broker, "https://broker.example", &["broker.example"], expiry)
}

#[derive(Debug)]
struct KiteShaped;

impl Shape for KiteShaped {
    fn policy(&self) -> &'static Policy {
        static POLICY: Policy = policy("kite-shaped", 6);
        &POLICY
    }
    fn login(&self) -> Request {
        let body = json!({"api_key": "key", "request_token": "once", "checksum": "c"});
        Request::new(Endpoint::new(Method::Post, "/session/token", CallClass::Login)).json(&body)
    }
    fn tokens(&self, reply: &serde_json::Value) -> Option<Tokens> {
        let data = &reply["data"];
        let public = data["public_token"].as_str().map(Secret::new);
        Some(Tokens::new(data["access_token"].as_str()?).with("public", public))
    }
    fn authorize(&self, request: &mut Request, tokens: &Tokens, _now: Timestamp) {
        let value = format!("token key:{}", tokens.access().expose());
        request.headers.push(("Authorization".to_owned(), value.into()));
    }
}

#[derive(Debug)]
struct BreezeShaped;

impl Shape for BreezeShaped {
    fn policy(&self) -> &'static Policy {
        static POLICY: Policy = policy("breeze-shaped", 0);
        &POLICY
    }
    fn login(&self) -> Request {
        // A GET with a body.
        Request::new(Endpoint::new(Method::Get, "/customerdetails", CallClass::Login))
            .json(&json!({"AppKey": "key"}))
    }
    fn tokens(&self, reply: &serde_json::Value) -> Option<Tokens> {
        Some(Tokens::new(reply["Success"]["session_token"].as_str()?))
    }
    fn authorize(&self, request: &mut Request, tokens: &Tokens, now: Timestamp) {
        let stamp = now.to_rfc3339();
        let body = request.body.as_ref().map_or("", |body| body.expose());
        let digest = Sha256::digest(format!("{stamp}{body}secret"));
        let checksum = digest
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        request
            .headers
            .push(("X-Checksum".to_owned(), format!("token {checksum}").into()));
        request.headers.push(("X-Timestamp".to_owned(), stamp.into()));
        request
            .headers
            .push(("X-SessionToken".to_owned(), tokens.access().clone()));
    }
}

fn authorized(adapter: &dyn Adapter, reply: &serde_json::Value, at: Timestamp) -> Request {
    let endpoint = adapter.login(None).endpoint;
    let login = adapter
        .read_login(&endpoint, &RawReply::new(200, reply.to_string()))
        .unwrap();
    let mut request = Request::new(adapter.endpoint(Method::Post, "/orders")).json(&json!({"quantity": 1}));
    adapter.authorize(&mut request, &login.tokens, at);
    request
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request
        .headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.expose())
        .unwrap()
}

#[test]
fn a_broker_whose_header_joins_key_and_token_fits() {
    let reply = json!({"status": "success", "data": {"access_token": "abc", "public_token": "p"}});
    let adapter = Other(KiteShaped);
    let request = authorized(&adapter, &reply, Timestamp::from_seconds(0));
    assert_eq!(header(&request, "Authorization"), "token key:abc");
    let noon = Timestamp::parse_rfc3339("2026-11-22T12:00:00+05:30").unwrap();
    assert_eq!(
        adapter
            .policy()
            .expiry
            .expiry(noon, preopen_core::skew::Skew::default(), &[])
            .at()
            .to_ist(),
        "2026-11-23 06:00:00 IST"
    );
}

#[test]
fn a_broker_that_signs_each_request_fits() {
    let reply = json!({"Success": {"session_token": "s"}, "Status": 200, "Error": null});
    let adapter = Other(BreezeShaped);
    let at = |seconds| authorized(&adapter, &reply, Timestamp::from_seconds(seconds));
    let (first, later) = (at(1_800_000_000), at(1_800_000_001));
    assert_eq!(header(&first, "X-Timestamp"), "2027-01-15T08:00:00Z");
    assert_ne!(header(&first, "X-Checksum"), header(&later, "X-Checksum"));
    assert_eq!(header(&first, "X-SessionToken"), "s");
}
