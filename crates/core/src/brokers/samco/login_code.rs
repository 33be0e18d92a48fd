//! Samco's web login code: a code of two minutes that one signed-in session gives and another login takes. It is made for
//! Samco's web terminal, and is no API login of its own.

use std::sync::Arc;

use super::{replies, requests};
use crate::ask::{Ask, Question};
use crate::broker::{Adapter, Login, Policy, Profile, ProfileSource, Tokens, check_credential, fingerprint};
use crate::envelope::Reply;
use crate::error::Result;
use crate::secret::Secret;
use crate::static_ip::WhoAmI;
use crate::totp::OneTimeCode;
use crate::wire::{CallClass, Endpoint, Method, RawReply, Request};

const VALIDATE: &str = "/webSecretCodeValidation";

/// Credentials of a login with a web login code (`POST /webSecretCodeValidation`, documented): the account, and somebody
/// who is asked for the code. It lives two minutes and is used once, so that it cannot be given beforehand. Another
/// session of the account gives it: `web_login_code()`.
///
/// ```
/// use preopen_core::{Secret, ask::Ask, broker::Adapter, brokers::SamcoLoginCode};
/// let account = SamcoLoginCode::new("AB1234", Ask::blocking(|| Ok(Some(Secret::new("QX7P2M9K")))));
/// assert!(account.validate().is_ok());
/// ```
#[derive(Clone)]
pub struct SamcoLoginCode {
    account: String,
    code: Ask,
    answer: Secret,
}

impl SamcoLoginCode {
    /// Credentials of one account. They are checked when a session is built, the code when it was answered.
    pub fn new(account: impl Into<String>, code: Ask) -> Self {
        Self {
            account: account.into().trim().to_owned(),
            code,
            answer: Secret::new(""),
        }
    }
}

crate::brokers::shows_nothing!(SamcoLoginCode);

impl Adapter for SamcoLoginCode {
    super::samco_calls!();

    fn validate(&self) -> Result<()> {
        check_credential("account", &Secret::new(self.account.as_str()))
    }

    fn questions(&self) -> Vec<Question> {
        vec![Question {
            field: "code",
            ask: self.code.clone(),
        }]
    }

    fn answered(&self, answers: Vec<Secret>) -> Result<Arc<dyn Adapter>> {
        let mut complete = self.clone();
        for answer in answers {
            complete.answer = answer.trimmed();
        }
        check_credential("code", &complete.answer)?;
        Ok(Arc::new(complete))
    }

    fn fingerprint(&self) -> String {
        fingerprint(&["login code", &self.account])
    }

    fn secrets(&self) -> Vec<Secret> {
        Some(self.answer.clone())
            .filter(|code| !code.is_empty())
            .into_iter()
            .collect()
    }

    fn login(&self, _code: Option<OneTimeCode>) -> Request {
        Request::new(Endpoint::new(Method::Post, VALIDATE, CallClass::Login))
            .headers(requests::content_headers())
            .json_texts(&[("otp", self.answer.expose())])
    }

    fn read_login(&self, endpoint: &Endpoint, raw: &RawReply) -> Result<Login> {
        replies::login(endpoint, raw)
    }

    fn logout_call(&self) -> Request {
        Request::new(requests::endpoint(Method::Delete, requests::LOGOUT))
    }
}
