//! Calls that another HTTP client sends with this session's token: where the token may go, and what a reply means for the
//! session. What the session sends itself is in `execute.rs`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use preopen_core::audit::Outcome;
use preopen_core::envelope::Reply;
use preopen_core::lifecycle::{Event, Record};
use preopen_core::wire::{CallClass, Method, RawReply, Request, check_path, check_query};
use preopen_core::{Advice, Error, ErrorKind, Result};

use crate::call::refuse_own;
use crate::session::Session;
use crate::token::Headers;

/// One call that another HTTP client sends to the session's broker: it is signed for each time that it is sent, and told
/// each reply.
pub struct ForeignCall {
    session: Session,
    request: Request,
    /// Whether it was said to be repeated with a new token: that is done once.
    renewed: AtomicBool,
}

/// A foreign call with the session that it is sent with.
#[derive(Clone)]
pub struct SignedCall {
    call: Arc<ForeignCall>,
    record: Arc<Record>,
    began: Instant,
}

/// What a reply to a foreign call means.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answered {
    /// Whether the call should be signed anew and sent once more: the broker refused the token of a read.
    pub repeat: bool,
    /// What the session itself would have failed with; nothing for a success.
    pub error: Option<Error>,
}

impl Session {
    /// The base URL that this session's calls go to, without a slash at its end.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// println!("{}", session.base_url());
    /// # Ok(()) }
    /// ```
    pub fn base_url(&self) -> &str {
        self.inner.target.base_url()
    }

    /// A call that another HTTP client will send. Nothing is sent, and there need not be a session yet.
    ///
    /// Errors: `InvalidInput`: `url` when it is not below the session's base URL, so that no token goes anywhere else;
    /// `path`, `params` and `method` as for a call of the session.
    #[doc(hidden)]
    pub fn foreign(&self, method: &str, url: &str) -> Result<Arc<ForeignCall>> {
        let inner = &self.inner;
        let check = || {
            let (path, query) = inner.target.relative(url)?;
            check_path(&path)?;
            check_query(&query)?;
            let endpoint = inner.adapter.endpoint(Method::parse(method)?, &path);
            refuse_own(inner.adapter.as_ref(), &endpoint)?;
            let mut request = Request::new(endpoint);
            request.query = query;
            Ok(request)
        };
        let request = check().map_err(|error| inner.named(error))?;
        Ok(Arc::new(ForeignCall {
            session: self.clone(),
            request,
            renewed: AtomicBool::new(false),
        }))
    }
}

impl ForeignCall {
    /// The call with a live session; logs in if there is none. Errors: as `Session::token`, and `InvalidInput` (`path`,
    /// `params`) when the URL holds a secret.
    pub async fn sign(self: Arc<Self>) -> Result<SignedCall> {
        let record = self.session.record().await?;
        self.signed(record)
    }

    /// The same without waiting: nothing when there is no live session, or the store should be looked at first.
    pub fn try_sign(self: &Arc<Self>) -> Result<Option<SignedCall>> {
        let record = self.session.fresh_record();
        record.map(|record| Arc::clone(self).signed(record)).transpose()
    }

    fn signed(self: Arc<Self>, record: Arc<Record>) -> Result<SignedCall> {
        self.session.inner.check_url(&self.request, &record)?;
        Ok(SignedCall {
            call: self,
            record,
            began: Instant::now(),
        })
    }
}

impl SignedCall {
    /// Every header of the call. Each belongs to this one time that it is sent.
    pub fn headers(&self) -> Headers {
        self.call.session.inner.headers_of(&self.record)
    }

    /// Whether the body of a reply can tell anything about the session. Others, for example a file or a stream of many JSON
    /// texts, need not be read.
    pub fn is_telling(status: u16, content_type: Option<&str>) -> bool {
        let Some(kind) = content_type else { return true };
        let kind = kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let told = matches!(
            &*kind,
            "application/json" | "text/json" | "text/html" | "text/plain"
        );
        !(200..300).contains(&status) || told || kind.ends_with("+json")
    }

    /// Takes in what the broker answered, as for a call of the session: a refused token is invalidated, for this
    /// generation alone; after a refused write a login starts, for the next call.
    ///
    /// - `sendable`: whether the client still has everything that a repetition would send.
    pub fn answered(&self, raw: RawReply, sendable: bool) -> Answered {
        let answered = self.read(raw, sendable);
        if !answered.repeat {
            let (auditor, took) = (&self.call.session.inner.auditor, self.began.elapsed());
            let error = answered.error.as_ref();
            let outcome = error.map_or(Outcome::Ok, |error| Outcome::Failed(error.kind()));
            auditor.call(
                &auditor.call_span(self.call.request.endpoint.class),
                outcome,
                took,
            );
            if let Some(error) = error {
                auditor.answered(error, took);
            }
        }
        answered
    }

    fn read(&self, raw: RawReply, sendable: bool) -> Answered {
        let session = &self.call.session;
        let inner = &session.inner;
        let endpoint = &self.call.request.endpoint;
        let Err(error) = Reply::read(inner.adapter.as_ref(), endpoint, raw) else {
            return Answered {
                repeat: false,
                error: None,
            };
        };
        let error = inner.explain(error, endpoint, &inner.redactor(&self.record.tokens.all()));
        let (repeat, error) = match error.kind() {
            ErrorKind::SessionExpired if self.call.renewed.load(Ordering::Acquire) => {
                // As in `execute.rs`: a token that is moments old is not the reason.
                (false, error.with_advice(Advice::After(Duration::from_secs(1))))
            }
            ErrorKind::SessionExpired => match inner.signed_out_of(&self.record).err() {
                Some(signed_out) => (false, signed_out),
                None => (self.ended(sendable), error),
            },
            ErrorKind::StaticIpMismatch => {
                inner.address_refused(&error);
                (false, error)
            }
            _ => (false, error),
        };
        Answered {
            repeat,
            error: Some(error),
        }
    }
}

impl SignedCall {
    /// The broker refused the token. Gives whether the call should be repeated.
    fn ended(&self, sendable: bool) -> bool {
        let generation = self.record.generation;
        drop(self.call.session.inner.apply(Event::Invalidated { generation }));
        let repeat = sendable && self.call.request.endpoint.class == CallClass::Read;
        if repeat {
            self.call.renewed.store(true, Ordering::Release);
        } else {
            self.call.session.renew_behind();
        }
        repeat
    }
}

impl fmt::Debug for ForeignCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignCall({})", self.request.endpoint)
    }
}

impl fmt::Debug for SignedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedCall({})", self.call.request.endpoint)
    }
}
