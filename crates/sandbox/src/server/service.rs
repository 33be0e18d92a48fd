//! The way of one request: read it, log it, let a fault bend it, hand it to the broker, the control API or
//! the pages, and send the reply.

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Signals;
use super::exchange::Exchange;
use super::payload::{Ended, Payload};
use super::{elsewhere, refusal, target};
use crate::account::Broker;
use crate::error::ControlError;
use crate::fault::{BodyKind, Hit, Reset, Stall};
use crate::request_log::Arrival;
use crate::source::Source;
use crate::state::State;
use crate::switch::Switch;
use crate::wire::{Reply, Request};
use crate::{angelone, control, pages, samco};

/// The largest request body that is read.
const BODY_LIMIT: usize = 1 << 20;
/// The largest head of a request.
const HEAD_LIMIT: usize = 64 << 10;
/// What is said when an endpoint panicked.
const FAILED: &str = "the sandbox failed at this request, which is a fault of its own; it goes on";

/// What is done with the requests of one connection, until it ends.
pub(super) async fn serve<S>(stream: S, signals: Signals, peer: IpAddr, state: Arc<State>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let options = &state.options;
    let mut exchange = Exchange::new(stream, signals.clone(), options.reply_timeout);
    let service = service_fn(|request| answer(request, peer, state.clone(), signals.clone()));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(HEAD_LIMIT)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(&mut exchange), service)
        .await;
    let kept_back = exchange.kept_back();
    let last = match served {
        Ok(()) => None,
        // Clients come and go as they like, and faults end connections on purpose: nothing to report.
        Err(error) => match refusal::of(&error, kept_back, signals.is_begun()) {
            None => return,
            Some((status, text)) => Some(refusal::reply(status, &state.now().to_http_date(), &text)),
        },
    };
    let read_on = last.is_some() || signals.is_unread();
    refusal::part(exchange.into_inner(), last, read_on).await;
}

/// Answers one request. Every reply has a `date`: the broker's, not the machine's.
async fn answer(
    request: http::Request<Incoming>,
    peer: IpAddr,
    state: Arc<State>,
    signals: Signals,
) -> Result<Response<Payload>, Ended> {
    signals.set_begun(false);
    let mut response = route(request, peer, &state, &signals).await?;
    if let Ok(date) = HeaderValue::try_from(state.now().to_http_date()) {
        response.headers_mut().entry(header::DATE).or_insert(date);
    }
    if signals.is_unread() {
        // The rest of the request was not read, so the connection cannot carry another one.
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

async fn route(
    request: http::Request<Incoming>,
    peer: IpAddr,
    state: &Arc<State>,
    signals: &Signals,
) -> Result<Response<Payload>, Ended> {
    let (mut head, body) = request.into_parts();
    if let Some((status, problem)) = target::problem(&head) {
        signals.leave_unread();
        return Ok(whole(Reply::text(status, problem)));
    }
    target::settle_host(&mut head);
    let mut request = Request {
        path: target::path(&head.uri).to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        method: head.method,
        headers: head.headers,
        body: Bytes::new(),
        source: Source(None),
        arrived: state.here(),
    };
    let read = read_body(body, state.options.body_timeout).await;
    let unread = match read {
        Ok(body) => {
            request.body = body;
            None
        }
        Err(refused) => {
            signals.leave_unread();
            Some(refused)
        }
    };
    // The request is here now: what a script has planned until now comes before it.
    request.arrived = state.follow_script();
    let read_header = state.switches.is_on(Switch::SourceIpHeader);
    request.source = Source::of(&request.headers, read_header, state.source_ip(), peer);
    if request.path == "/_sandbox" || request.path.starts_with("/_sandbox/") {
        let reply = match unread {
            None => {
                let reply = on_blocking_threads(state, request, control::answer, |status, problem| {
                    control::refuse(status, "internal", problem)
                })
                .await;
                saved(state, reply, |error| {
                    control::refuse(error.status(), error.code(), error.message())
                })
                .await
            }
            Some((status, problem)) => control::refuse(status, "bad_request", problem),
        };
        return Ok(whole(reply));
    }
    if pages::has(&request.path) {
        let reply = match unread {
            None => {
                let reply = on_blocking_threads(state, request, pages::answer, pages::refuse).await;
                saved(state, reply, |error| {
                    pages::refuse(error.status(), error.message())
                })
                .await
            }
            Some((status, problem)) => pages::refuse(status, problem),
        };
        return Ok(whole(reply));
    }
    let smartapi = ["/rest/", "/gtt-service/", "/publisher-login"]
        .iter()
        .any(|start| request.path.starts_with(start));
    let broker = if smartapi { Broker::AngelOne } else { Broker::Samco };
    let foreign =
        || elsewhere::is_from_elsewhere(&request).then_some((StatusCode::FORBIDDEN, elsewhere::REFUSAL));
    if let Some((status, problem)) = unread.or_else(foreign) {
        let seq = arrive(state, broker, &request, None);
        let reply = refuse(state, broker, status, problem);
        state.requests.finish(seq, Some(status.as_u16()), None, None);
        return Ok(whole(reply));
    }
    broker_reply(broker, request, state, signals).await
}

/// The whole body, or what to refuse the request with.
async fn read_body(body: Incoming, limit: Duration) -> Result<Bytes, (StatusCode, &'static str)> {
    let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB");
    // Refused before a client that waits for `100 Continue` sends it.
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(too_large);
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let limited = Limited::new(body, BODY_LIMIT).collect();
    match tokio::time::timeout(limit, limited).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "the body could not be read")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

/// Control requests and pages may make large bodies for faults, which must not hold up the connections.
async fn on_blocking_threads(
    state: &Arc<State>,
    request: Request,
    answer: fn(&State, &Request) -> Reply,
    refuse: fn(StatusCode, &str) -> Reply,
) -> Reply {
    let state = state.clone();
    let failed = move || refuse(StatusCode::INTERNAL_SERVER_ERROR, FAILED);
    tokio::task::spawn_blocking(move || guarded(|| answer(&state, &request), failed))
        .await
        .unwrap_or_else(|_| failed())
}

/// Does `work`. A panic in it is a fault of this program: it costs one reply, which `otherwise` gives, and neither the
/// connection nor what the sandbox knows.
fn guarded<T>(work: impl FnOnce() -> T, otherwise: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| otherwise())
}

/// Waits for as long as a reply is held back. A timer of no length would still take a turn of the
/// timer, which is a millisecond.
async fn hold(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

async fn broker_reply(
    broker: Broker,
    request: Request,
    state: &Arc<State>,
    signals: &Signals,
) -> Result<Response<Payload>, Ended> {
    let hit = state
        .faults
        .hit(broker, request.method.as_str(), &request.path, request.arrived);
    let seq = arrive(state, broker, &request, hit.as_ref().map(|hit| hit.id));
    let Some(hit) = hit else {
        let reply = handle(state, broker, &request);
        let reply = saved(state, reply, |error| {
            refuse(state, broker, error.status(), error.message())
        })
        .await;
        hold(reply.hold).await;
        finish(state, seq, broker, &request, &reply);
        return Ok(whole(reply));
    };
    let Hit {
        fault, reply: own, ..
    } = hit;
    // What is left of the fault; a failure is told below, if anything is.
    let _ = state.save().await;
    if let Some(delay) = fault.delay_ms {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    if fault.stall == Some(Stall::Before) {
        std::future::pending::<Infallible>().await;
    }
    if fault.reset == Some(Reset::Before) {
        signals.ask_reset();
        return Err(Ended);
    }
    let mut real = fault.reaches_endpoint().then(|| handle(state, broker, &request));
    if fault.duplicate {
        handle(state, broker, &request);
    }
    let mut own = own;
    if let Err(problem) = state.save().await {
        let error = ControlError::unwritten(&problem);
        let reply = refuse(state, broker, error.status(), error.message());
        (real, own) = (Some(reply), None);
    }
    if let Some(real) = &real {
        hold(real.hold).await;
    }
    let account = real.as_mut().and_then(|reply| reply.account.take());
    let mut reply = own.or(real).unwrap_or_else(|| Reply::text(StatusCode::OK, ""));
    reply.account = account;
    for (name, value) in &fault.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            reply.set_header(name, value);
        }
    }
    finish(state, seq, broker, &request, &reply);
    if fault.reset == Some(Reset::After) {
        signals.ask_reset();
        return Err(Ended);
    }
    let payload = if fault.stall.is_some() {
        Payload::stalled(&reply.body)
    } else if fault.body_kind == Some(BodyKind::Truncated) {
        Payload::truncated(&reply.body)
    } else if let Some(every) = fault.drip_ms {
        Payload::dripping(reply.body.clone(), Duration::from_millis(every))
    } else {
        Payload::Whole(reply.body.clone())
    };
    Ok(response(reply, payload))
}

/// The reply, once everything that it may tell of is kept; else what went wrong, told by `refuse`.
async fn saved(state: &Arc<State>, reply: Reply, refuse: impl FnOnce(&ControlError) -> Reply) -> Reply {
    match state.save().await {
        Ok(()) => reply,
        Err(problem) => refuse(&ControlError::unwritten(&problem)),
    }
}

/// Counts a request before anything else happens to it.
fn arrive(state: &State, broker: Broker, request: &Request, fault: Option<u64>) -> u64 {
    state.requests.arrive(Arrival {
        at: state.by_brokers_clock(request.arrived),
        broker,
        method: request.method.as_str(),
        path: &request.path,
        query: &request.query,
        source_ip: request.source.seen(""),
        fault,
    })
}

fn handle(state: &State, broker: Broker, request: &Request) -> Reply {
    let work = || match broker {
        Broker::Samco => samco::answer(state, request),
        Broker::AngelOne => angelone::answer(state, request),
    };
    guarded(work, || {
        refuse(state, broker, StatusCode::INTERNAL_SERVER_ERROR, FAILED)
    })
}

fn finish(state: &State, seq: u64, broker: Broker, request: &Request, reply: &Reply) {
    let seen = match (&reply.account, request.source.0) {
        (Some(account), None) => {
            let own = || request.source.seen(&state.primary_ip(broker, account));
            Some(reply.seen.clone().unwrap_or_else(own))
        }
        _ => None,
    };
    state
        .requests
        .finish(seq, Some(reply.status.as_u16()), reply.account.clone(), seen);
}

fn refuse(state: &State, broker: Broker, status: StatusCode, problem: &str) -> Reply {
    match broker {
        Broker::Samco => samco::refuse(state, status, problem),
        Broker::AngelOne => angelone::refuse(status, problem),
    }
}

fn whole(reply: Reply) -> Response<Payload> {
    let payload = Payload::Whole(reply.body.clone());
    response(reply, payload)
}

fn response(reply: Reply, payload: Payload) -> Response<Payload> {
    let mut response = Response::new(payload);
    *response.status_mut() = reply.status;
    response.headers_mut().extend(reply.headers);
    response
}

#[cfg(test)]
mod tests {
    use super::guarded;
    use std::sync::{Mutex, PoisonError};

    #[test]
    fn a_panic_costs_one_reply_and_spoils_no_lock() {
        let known = Mutex::new(1);
        let told = guarded(
            || {
                let _held = known.lock();
                panic!("as an endpoint with a fault would")
            },
            || "told",
        );
        assert_eq!(told, "told");
        assert!(known.is_poisoned());
        assert_eq!(*known.lock().unwrap_or_else(PoisonError::into_inner), 1);
    }
}
