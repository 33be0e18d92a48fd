//! What the tests of the sandbox share: a client, logins, and the control API over HTTP.
// Each test binary uses its own part; helpers of tests may unwrap.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::Once;
use std::time::Duration;

use preopen_core::Timestamp;
use preopen_core::totp::TotpSecret;
use preopen_sandbox::{AngelOneAccount, Options, SamcoAccount, Sandbox};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

pub(crate) const REST: &str = "/rest/secure/angelbroking";
pub(crate) const LOGIN: &str = "/rest/auth/angelbroking/user/v1/loginByPassword";
pub(crate) const TOKENS: &str = "/rest/auth/angelbroking/jwt/v1/generateTokens";

pub(crate) fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .unwrap();
    });
    let builder = Client::builder().redirect(reqwest::redirect::Policy::none());
    builder
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

/// A sandbox whose clock stands still on a Friday at 10:00 IST.
pub(crate) async fn start() -> Harness {
    start_at("2026-11-20T10:00:00+05:30").await
}

pub(crate) async fn start_at(time: &str) -> Harness {
    let at = Timestamp::parse_rfc3339(time).unwrap();
    let sandbox = Sandbox::start(Options::default().start_at(at).clock_rate(0.0))
        .await
        .unwrap();
    Harness {
        sandbox,
        client: client(),
    }
}

pub(crate) struct Harness {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
}

impl Harness {
    pub(crate) fn samco(&self, index: usize) -> &SamcoAccount {
        self.sandbox
            .accounts()
            .iter()
            .filter_map(|account| account.as_samco())
            .nth(index)
            .unwrap()
    }

    pub(crate) fn angelone(&self, index: usize) -> &AngelOneAccount {
        self.sandbox
            .accounts()
            .iter()
            .filter_map(|account| account.as_angelone())
            .nth(index)
            .unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.sandbox.samco_url()))
    }

    /// A call of the control API; the status and the body.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", self.sandbox.control_url());
        let mut request = self.client.request(method.parse().unwrap(), url);
        request = request.header("x-sandbox-token", self.sandbox.control_token());
        if !body.is_null() {
            request = request.json(&body);
        }
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn samco_login(&self, index: usize) -> String {
        let account = self.samco(index);
        let body = json!({"apiKey": account.api_key, "apiSecret": account.api_secret});
        let (status, reply) = self.post("/session/token", &body).await;
        assert_eq!(status, 200, "{reply}");
        reply["sessionToken"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        read(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// Opens a page and sends its form, as a browser does.
    pub(crate) async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        Browser::new(self).send(path, fields).await
    }

    /// A Samco call with a session token.
    pub(crate) async fn with_token(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut request = self.request(method, path).header("x-session-token", token);
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request.send().await.unwrap()).await
    }

    pub(crate) fn totp(&self, index: usize) -> String {
        let secret = TotpSecret::new(self.angelone(index).totp_secret.as_str());
        let now = preopen_core::Clock::now(&*self.sandbox.clock()).wall;
        secret.code_at(now).unwrap().spend().expose().to_owned()
    }

    pub(crate) fn smartapi(&self, method: Method, path: &str, index: usize) -> RequestBuilder {
        self.request(method, path)
            .header("X-PrivateKey", &self.angelone(index).api_key)
            .header("X-UserType", "USER")
            .header("X-SourceID", "WEB")
    }

    pub(crate) fn login_body(&self, index: usize) -> Value {
        let account = self.angelone(index);
        json!({"clientcode": account.client_code, "password": account.pin, "totp": self.totp(index)})
    }

    /// The `data` of a SmartAPI login.
    pub(crate) async fn angelone_login(&self, index: usize) -> Value {
        let body = self.login_body(index);
        let sent = self
            .smartapi(Method::POST, LOGIN, index)
            .json(&body)
            .send()
            .await
            .unwrap();
        let (status, reply) = read(sent).await;
        assert_eq!((status, &reply["status"]), (200, &json!(true)), "{reply}");
        reply["data"].clone()
    }

    pub(crate) async fn secure(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut request = self
            .smartapi(method, &format!("{REST}{path}"), 0)
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request.send().await.unwrap()).await
    }
}

pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Asserts that a reply has exactly the documented fields.
pub(crate) fn same_fields(reply: &Value, documented: &[&str]) {
    let mut documented = documented.to_vec();
    documented.sort_unstable();
    assert_eq!(keys(reply), documented);
}

pub(crate) fn samco_order() -> Value {
    json!({
        "symbolName": "IDEA", "exchange": "NSE", "transactionType": "BUY", "orderType": "L", "quantity": "1",
        "disclosedQuantity": "1", "orderValidity": "DAY", "productType": "CNC", "afterMarketOrderFlag": "NO",
        "price": "13.40",
    })
}

pub(crate) fn angelone_order() -> Value {
    json!({
        "variety": "NORMAL", "tradingsymbol": "SBIN-EQ", "symboltoken": "3045", "transactiontype": "BUY",
        "exchange": "NSE", "ordertype": "MARKET", "producttype": "INTRADAY", "duration": "DAY", "price": "194.50",
        "squareoff": "0", "stoploss": "0", "quantity": "1",
    })
}

/// A browser at the pages: it keeps its cookies and sends forms with the token of the page that it looks at.
pub(crate) struct Browser<'a> {
    h: &'a Harness,
    cookie: std::cell::RefCell<String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(h: &'a Harness) -> Self {
        Self {
            h,
            cookie: std::cell::RefCell::default(),
        }
    }

    pub(crate) fn cookie(&self) -> String {
        self.cookie.borrow().clone()
    }

    /// A request with the cookie; what the reply sets is kept.
    pub(crate) async fn ask(&self, request: RequestBuilder) -> Response {
        let cookie = self.cookie();
        let request = if cookie.is_empty() {
            request
        } else {
            request.header("cookie", cookie)
        };
        let reply = request.send().await.unwrap();
        if let Some(set) = reply.headers().get("set-cookie") {
            let set = set.to_str().unwrap().split(';').next().unwrap();
            set.clone_into(&mut self.cookie.borrow_mut());
        }
        reply
    }

    pub(crate) async fn look(&self, path: &str) -> Response {
        self.ask(self.h.request(Method::GET, path)).await
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        self.look(path).await.text().await.unwrap()
    }

    /// The token of the forms of a page.
    pub(crate) async fn token(&self, path: &str) -> String {
        let text = self.text(path).await;
        let (_, rest) = text.split_once("name=\"token\" value=\"").unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    }

    /// Looks at a page and sends these fields to it.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.token(path).await;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", &token).extend_pairs(fields);
        self.ask(self.post(path).body(form.finish())).await
    }

    /// The request of a form of this sandbox.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.h
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", self.h.sandbox.samco_url())
            .header("sec-fetch-site", "same-origin")
    }

    pub(crate) async fn sign_in(&self, index: usize) {
        let account = self.h.samco(index);
        let fields = [
            ("user_id", account.account.as_str()),
            ("password", &account.password),
        ];
        let reply = self.send("/app/login", &fields).await;
        assert_eq!(
            (reply.status().as_u16(), location(&reply)),
            (303, "/app/api-keys")
        );
    }

    pub(crate) async fn sign_out(&self) {
        let token = self.token("/").await;
        let form = format!("token={token}&do=sign-out");
        let reply = self.ask(self.post("/app/login").body(form)).await;
        assert_eq!(
            (reply.status().as_u16(), location(&reply)),
            (303, "/app/login?done=out")
        );
    }

    /// Proposes a change and confirms it with the code from the inbox; gives the reply to the code.
    pub(crate) async fn change(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let reply = self.send(path, fields).await;
        assert_eq!(reply.status(), 303, "{}", reply.text().await.unwrap());
        let confirm = location(&reply).to_owned();
        let otp = self.h.sandbox.inbox().pop().unwrap().value;
        self.send(&confirm, &[("otp", &otp)]).await
    }
}

pub(crate) fn location(reply: &Response) -> &str {
    reply.headers()["location"].to_str().unwrap()
}
