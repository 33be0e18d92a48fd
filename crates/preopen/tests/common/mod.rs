//! Sessions on an embedded broker of the test's own.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of these helpers"
)]

pub(crate) mod waiting;

use std::time::{Duration, Instant};

use preopen::{AngelOne, AngelOnePublisher, Reply, Result, Samco, SamcoOAuth, Session, SessionBuilder};
use preopen_sandbox::{Account, AngelOneAccount, Options, SamcoAccount, Sandbox};

pub(crate) const SAMCO_LOGIN: &str = "/session/token";
pub(crate) const ANGEL_LOGIN: &str = "/rest/auth/angelbroking/user/v1/loginByPassword";
pub(crate) const TOKEN: &str = "/oauth/token";
pub(crate) const REVOKE: &str = "/oauth/revoke";
pub(crate) const QUOTE: &str = "/quote/getQuote";

const REDIRECT: &str = "http://127.0.0.1:8765/callback";

pub(crate) async fn sandbox() -> Sandbox {
    Sandbox::start(Options::default()).await.unwrap()
}

pub(crate) fn samco_account(sandbox: &Sandbox) -> &SamcoAccount {
    sandbox.accounts().iter().find_map(Account::as_samco).unwrap()
}

pub(crate) fn angel_account(sandbox: &Sandbox) -> &AngelOneAccount {
    sandbox.accounts().iter().find_map(Account::as_angelone).unwrap()
}

pub(crate) fn samco(sandbox: &Sandbox) -> SessionBuilder {
    let account = samco_account(sandbox);
    samco_with(sandbox, &account.api_key, &account.api_secret)
}

pub(crate) fn samco_with(sandbox: &Sandbox, api_key: &str, api_secret: &str) -> SessionBuilder {
    Session::builder(Samco::new(api_key, api_secret))
        .base_url(sandbox.samco_url())
        .clock(sandbox.clock())
}

pub(crate) fn angel(sandbox: &Sandbox) -> SessionBuilder {
    let account = angel_account(sandbox);
    angel_with(sandbox, &account.pin, &account.totp_secret)
}

pub(crate) fn angel_with(sandbox: &Sandbox, pin: &str, totp_secret: &str) -> SessionBuilder {
    let account = angel_account(sandbox);
    let credentials = AngelOne::new(
        account.api_key.as_str(),
        account.client_code.as_str(),
        pin,
        totp_secret,
    );
    Session::builder(credentials)
        .base_url(sandbox.angelone_url())
        .clock(sandbox.clock())
}

/// Waits, within a bound, until `done` holds.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) async fn quote(session: &Session) -> Result<Reply> {
    session
        .get(QUOTE)
        .query("symbolName", "INFY")
        .query("exchange", "NSE")
        .send()
        .await
}

pub(crate) fn app(sandbox: &Sandbox) -> SessionBuilder {
    let account = samco_account(sandbox);
    Session::builder(SamcoOAuth::new(account.api_key.as_str(), REDIRECT))
        .base_url(sandbox.samco_url())
        .clock(sandbox.clock())
}

pub(crate) fn publisher(sandbox: &Sandbox) -> SessionBuilder {
    let account = angel_account(sandbox);
    let app = AngelOnePublisher::new(account.api_key.as_str(), account.client_code.as_str());
    Session::builder(app)
        .base_url(sandbox.angelone_url())
        .clock(sandbox.clock())
}

pub(crate) fn sent(sandbox: &Sandbox, path: &str) -> u64 {
    sandbox.requests(None, Some(path)).count
}

/// A person consents; gives the address that the browser ends on.
pub(crate) async fn consent(sandbox: &Sandbox, session: &Session) -> String {
    let start = session.begin_login().await.unwrap();
    assert!(!format!("{start:?}").contains("state"), "{start:?}");
    sandbox.consent(start.url(), true, None).unwrap()
}

pub(crate) async fn logged_in(sandbox: &Sandbox, session: &Session) {
    let address = consent(sandbox, session).await;
    session.complete_login(&address).await.unwrap();
}
