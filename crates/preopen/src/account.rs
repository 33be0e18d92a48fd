//! Calls about the account rather than the market: the code for Samco's web terminal, and Samco's deprecated calls that
//! need no session.

use std::fmt;

use preopen_core::broker::AccountCall;
use preopen_core::clock::Timestamp;
use preopen_core::envelope::Reply;
use preopen_core::static_ip::check_public;
use preopen_core::{Error, Result, Secret};

use crate::runtime::anywhere;
use crate::session::Session;

/// A code for another login. `Debug` does not show it.
///
/// ```no_run
/// # async fn example(session: preopen::Session) -> preopen::Result<()> {
/// let code = session.web_login_code().await?;
/// println!("type {} before {}", code.code.expose(), code.expires_at.to_ist());
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct LoginCode {
    /// The code.
    pub code: Secret,
    /// Until when it may be used, by the session's clock.
    pub expires_at: Timestamp,
}

impl fmt::Debug for LoginCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginCode(until {})", self.expires_at.to_ist())
    }
}

impl Session {
    /// A code to sign in at Samco's web terminal without a password, for two minutes (`GET /webSecretCode`, documented).
    /// `SamcoLoginCode` logs in with it. Errors: `InvalidInput` at other brokers; `MalformedResponse`; and as `get`.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// let code = session.web_login_code().await?;
    /// println!("valid until {}", code.expires_at.to_ist());
    /// # Ok(()) }
    /// ```
    pub async fn web_login_code(&self) -> Result<LoginCode> {
        let inner = &self.inner;
        let request = inner.adapter.login_code().ok_or_else(|| {
            inner.named(Error::invalid_input(
                "session",
                "is of a broker without login codes: only Samco has them",
            ))
        })?;
        let asked = inner.clock.now().wall;
        let reply = self.execute(request, inner.timeout).await?;
        let read = inner.adapter.read_login_code(&reply);
        let (code, rest) = read.map_err(|error| inner.named(error))?;
        Ok(LoginCode {
            code,
            expires_at: asked.plus(rest),
        })
    }

    /// Samco's deprecated calls that need no session, for a session of `SamcoLegacy`. Errors: `InvalidInput` for other
    /// credentials.
    ///
    /// ```no_run
    /// # #[allow(deprecated)]
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// let reply = session.samco_legacy()?.generate_otp().await?;
    /// println!("{:?}", reply.message);
    /// # Ok(()) }
    /// ```
    #[deprecated(note = "Samco will remove these calls: each names what replaces it")]
    pub fn samco_legacy(&self) -> Result<SamcoLegacyCalls> {
        let inner = &self.inner;
        if inner.adapter.account_call(&AccountCall::GenerateOtp).is_none() {
            return Err(inner.named(Error::invalid_input(
                "credentials",
                "are not SamcoLegacy: these calls want a user id and a password",
            )));
        }
        Ok(SamcoLegacyCalls {
            session: self.clone(),
        })
    }

    async fn account_call(&self, call: AccountCall, secrets: Vec<Secret>) -> Result<Reply> {
        self.inner.check_open()?;
        let inner = std::sync::Arc::clone(&self.inner);
        let request = match inner.adapter.account_call(&call) {
            Some(request) => request.map_err(|error| inner.named(error))?,
            None => return Err(inner.named(Error::invalid_input("credentials", "know no such call"))),
        };
        anywhere(async move {
            let redactor = inner.redactor(&secrets);
            let sent = inner.converse(&request, &redactor, inner.timeout).await;
            sent.map_err(|failed| failed.error)
        })
        .await
    }
}

/// Samco's deprecated calls that are sent with a user id, a password or a code, and no session. None is repeated.
///
/// ```no_run
/// # #[allow(deprecated)]
/// # async fn example() -> preopen::Result<()> {
/// use preopen::{SamcoLegacy, Session};
///
/// let session = Session::builder(SamcoLegacy::new("DM00001", "password", "secret-api-key")).build()?;
/// let calls = session.samco_legacy()?;
/// calls.generate_otp().await?;
/// calls.generate_secret_key("123456").await?;
/// calls.register_ips("8.8.8.8", None).await?;
/// calls.update_ips("8.8.8.8", Some("1.1.1.1")).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SamcoLegacyCalls {
    session: Session,
}

impl SamcoLegacyCalls {
    /// Sends a one-time code to the holder's mobile and email (`POST /otp/generateOtp`). Errors: `BrokerRejected`,
    /// `OutcomeUnknown`, and those of the network.
    #[deprecated(note = "Samco will remove this call: create an app on the dashboard's API Keys page")]
    pub async fn generate_otp(&self) -> Result<Reply> {
        self.session
            .account_call(AccountCall::GenerateOtp, Vec::new())
            .await
    }

    /// Has Samco mail the secret API key, with a code of [`SamcoLegacyCalls::generate_otp`] (`POST
    /// /otp/secretKeyGenerator`). Errors: `InvalidInput` (`otp`), `BrokerRejected`, `OutcomeUnknown`, and those of the
    /// network.
    #[deprecated(note = "Samco will remove this call: create an app on the dashboard's API Keys page")]
    pub async fn generate_secret_key(&self, otp: impl Into<Secret>) -> Result<Reply> {
        let otp = otp.into();
        let call = AccountCall::GenerateSecretKey { otp: otp.clone() };
        self.session.account_call(call, vec![otp]).await
    }

    /// Registers the account's addresses for the first time (`POST /ip/ipRegistration`): public IPv4, two different ones.
    /// Errors: `InvalidInput` (`primary`, `secondary`), `BrokerRejected`, `CredentialsRejected`, `OutcomeUnknown`, and those
    /// of the network.
    #[deprecated(note = "Samco will remove this call: register on the dashboard's Static IPs page")]
    pub async fn register_ips(&self, primary: &str, secondary: Option<&str>) -> Result<Reply> {
        let (primary, secondary) = self.checked(primary, secondary)?;
        let call = AccountCall::RegisterIps { primary, secondary };
        self.session.account_call(call, Vec::new()).await
    }

    /// Changes them (`POST /ip/ipUpdate`), once in seven days. Errors: as `register_ips`.
    #[deprecated(note = "Samco will remove this call: change them on the dashboard's Static IPs page")]
    pub async fn update_ips(&self, primary: &str, secondary: Option<&str>) -> Result<Reply> {
        let (primary, secondary) = self.checked(primary, secondary)?;
        let call = AccountCall::UpdateIps { primary, secondary };
        self.session.account_call(call, Vec::new()).await
    }

    fn checked(&self, primary: &str, secondary: Option<&str>) -> Result<(String, Option<String>)> {
        let named = |error| self.session.inner.named(error);
        let address = |field: &str, text: &str| check_public(field, text).map(|ip| ip.to_string());
        let primary = address("primary", primary).map_err(named)?;
        let secondary = secondary.map(|text| address("secondary", text)).transpose();
        let secondary = secondary.map_err(named)?;
        if secondary.as_ref() == Some(&primary) {
            return Err(named(Error::invalid_input(
                "secondary",
                "is the primary address: give another one, or none",
            )));
        }
        Ok((primary, secondary))
    }
}
