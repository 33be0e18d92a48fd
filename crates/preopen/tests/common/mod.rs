//! Sessions on an embedded broker of the test's own.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of these helpers"
)]

use preopen::{AngelOne, Samco, Session, SessionBuilder};
use preopen_sandbox::{Account, AngelOneAccount, Options, SamcoAccount, Sandbox};

pub(crate) const SAMCO_LOGIN: &str = "/session/token";
pub(crate) const ANGEL_LOGIN: &str = "/rest/auth/angelbroking/user/v1/loginByPassword";
pub(crate) const QUOTE: &str = "/quote/getQuote";

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
