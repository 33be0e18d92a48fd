//! The way of one request: read it, log it, let a fault bend it, hand it to the broker, the control API or
//! the pages, and send the reply.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Cut;
use super::payload::{Ended, Payload};
use crate::account::Broker;
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

pub(super) async fn serve<S>(stream: S, cut: Cut, peer: IpAddr, state: Arc<State>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let header_timeout = state.options.header_timeout;
    let service = service_fn(move |request| answer(request, peer, state.clone(), cut.clone()));
    // Clients come and go as they like, and faults end connections on purpose: nothing to report.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: http::Request<Incoming>,
    peer: IpAddr,
    state: Arc<State>,
    cut: Cut,
) -> Result<Response<Payload>, Ended> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let path = if path.len() > 1 {
        path.trim_end_matches('/')
    } else {
        path
    }
    .to_owned();
    let read_header = state.switches.is_on(Switch::SourceIpHeader);
    let source = Source::of(&head.headers, read_header, state.source_ip(), peer);
    let mut request = Request {
        method: head.method,
        path,
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: Bytes::new(),
        source,
    };
    let limited = Limited::new(body, BODY_LIMIT).collect();
    let read = match tokio::time::timeout(state.options.body_timeout, limited).await {
        Ok(Ok(body)) => {
            request.body = body.to_bytes();
            Ok(())
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB"))
        }
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "the body could not be read")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    };
    if request.path == "/_sandbox" || request.path.starts_with("/_sandbox/") {
        let reply = match read {
            Ok(()) => on_blocking_threads(&state, request, control::answer).await,
            Err((status, problem)) => control::refuse(status, "bad_request", problem),
        };
        return Ok(whole(reply));
    }
    if pages::has(&request.path) {
        let reply = match read {
            Ok(()) => on_blocking_threads(&state, request, pages::answer).await,
            Err((status, problem)) => pages::refuse(status, problem),
        };
        return Ok(whole(reply));
    }
    let smartapi = ["/rest/", "/gtt-service/", "/publisher-login"]
        .iter()
        .any(|start| request.path.starts_with(start));
    let broker = if smartapi { Broker::AngelOne } else { Broker::Samco };
    if let Err((status, problem)) = read {
        let seq = arrive(&state, broker, &request, None);
        let reply = refusal(&state, broker, status, problem);
        state.requests.finish(seq, Some(status.as_u16()), None, None);
        let mut response = whole(reply);
        // The rest of the body was not read, so the connection cannot carry another request.
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        return Ok(response);
    }
    let mut response = broker_reply(broker, request, &state, &cut).await?;
    // The broker's clock, not the machine's, which the server would put there.
    if let Ok(date) = HeaderValue::try_from(state.now().to_http_date()) {
        response.headers_mut().entry(header::DATE).or_insert(date);
    }
    Ok(response)
}

/// Control requests and pages may make large bodies for faults, which must not hold up the connections.
async fn on_blocking_threads(
    state: &Arc<State>,
    request: Request,
    answer: fn(&State, &Request) -> Reply,
) -> Reply {
    let state = state.clone();
    tokio::task::spawn_blocking(move || answer(&state, &request))
        .await
        .unwrap_or_else(|_| {
            control::refuse(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the request was dropped",
            )
        })
}

async fn broker_reply(
    broker: Broker,
    request: Request,
    state: &Arc<State>,
    cut: &Cut,
) -> Result<Response<Payload>, Ended> {
    let hit = state.faults.hit(broker, request.method.as_str(), &request.path);
    let seq = arrive(state, broker, &request, hit.as_ref().map(|hit| hit.id));
    let Some(hit) = hit else {
        let reply = handle(state, broker, &request);
        tokio::time::sleep(reply.hold).await;
        finish(state, seq, broker, &request, &reply);
        return Ok(whole(reply));
    };
    let Hit {
        fault, reply: own, ..
    } = hit;
    if let Some(delay) = fault.delay_ms {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    if fault.stall == Some(Stall::Before) {
        std::future::pending::<Infallible>().await;
    }
    if fault.reset == Some(Reset::Before) {
        cut.ask();
        return Err(Ended);
    }
    let mut real = fault.reaches_endpoint().then(|| handle(state, broker, &request));
    if fault.duplicate {
        handle(state, broker, &request);
    }
    if let Some(real) = &real {
        tokio::time::sleep(real.hold).await;
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
        cut.ask();
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

/// Counts a request before anything else happens to it.
fn arrive(state: &State, broker: Broker, request: &Request, fault: Option<u64>) -> u64 {
    state.requests.arrive(Arrival {
        at: state.now(),
        broker,
        method: request.method.as_str(),
        path: &request.path,
        query: &request.query,
        source_ip: request.source.seen(""),
        fault,
    })
}

fn handle(state: &State, broker: Broker, request: &Request) -> Reply {
    match broker {
        Broker::Samco => samco::answer(state, request),
        Broker::AngelOne => angelone::answer(state, request),
    }
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

fn refusal(state: &State, broker: Broker, status: StatusCode, problem: &str) -> Reply {
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
