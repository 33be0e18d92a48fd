//! The status page: clock, accounts, addresses and the last requests. Rendered on the server, without
//! scripts, forms or anything from elsewhere; every value is escaped.

use std::fmt::Write as _;

use http::{HeaderValue, Method, StatusCode};

use crate::account::{Account, Broker};
use crate::control::is_own_host;
use crate::html::{escape, secured};
use crate::request_log::RequestRecord;
use crate::source::SourceIp;
use crate::state::State;
use crate::wire::{Reply, Request};

/// The page has no form.
const FORMS: &str = "'none'";
const STYLE: &str = include_str!("page.css");
/// How many requests are shown.
const SHOWN: usize = 50;
/// How many accounts the page shows.
const SHOWN_ACCOUNTS: usize = 50;

/// Answers requests for the page and its stylesheet; `None` for all others.
pub(crate) fn answer(state: &State, request: &Request) -> Option<Reply> {
    let style = match request.path.as_str() {
        "/" => false,
        "/assets/sandbox.css" => true,
        _ => return None,
    };
    if request.method != Method::GET && request.method != Method::HEAD {
        return Some(secured(
            Reply::text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n"),
            FORMS,
        ));
    }
    if !is_own_host(state, request) {
        return Some(secured(
            Reply::text(StatusCode::FORBIDDEN, "open this page by its loopback address\n"),
            FORMS,
        ));
    }
    let reply = if style {
        Reply::new(
            StatusCode::OK,
            HeaderValue::from_static("text/css; charset=utf-8"),
            STYLE,
        )
    } else {
        Reply::html(StatusCode::OK, render(state))
    };
    Some(secured(reply, FORMS))
}

fn render(state: &State) -> String {
    let now = state.now();
    let rate = state.clock.rate();
    let scheme = if state.options.tls { "https" } else { "http" };
    let source = match state.source_ip() {
        SourceIp::Home => "each account's own primary address".to_owned(),
        SourceIp::Fixed(ip) => ip.to_string(),
        SourceIp::Peer => "the peer's own address".to_owned(),
    };
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Preopen sandbox</title><link rel=\"stylesheet\" href=\"/assets/sandbox.css\"></head><body>\
         <header><h1>Preopen sandbox</h1><p>A broker made up for tests. No account, price or order here is \
         real.</p></header><main>\
         <section aria-labelledby=\"now\"><h2 id=\"now\">Now</h2><dl>\
         <div><dt>Virtual clock</dt><dd class=\"big\">{}</dd></div>\
         <div><dt>Speed</dt><dd>{}</dd></div>\
         <div><dt>Requests come from</dt><dd>{}</dd></div>\
         <div><dt>Samco and SmartAPI base URL</dt><dd><code>{scheme}://127.0.0.1:{}</code></dd></div>\
         <div><dt>Faults waiting</dt><dd>{}</dd></div></dl></section>",
        escape(&now.to_ist()),
        if rate == 0.0 {
            "stands still".to_owned()
        } else {
            format!("{rate} × real time")
        },
        escape(&source),
        state.port,
        state
            .faults
            .list()
            .iter()
            .filter(|fault| fault.remaining != Some(0))
            .count(),
    );
    accounts(&mut page, state);
    requests(&mut page, state);
    page.push_str("</main></body></html>\n");
    page
}

fn accounts(page: &mut String, state: &State) {
    let now = state.now();
    page.push_str(
        "<section aria-labelledby=\"accounts\"><h2 id=\"accounts\">Accounts</h2><div class=\"cards\">",
    );
    let mut live = state.samco().live_sessions(now);
    live.extend(state.angelone().live_sessions(now));
    let accounts = state.accounts();
    for (account, live) in accounts.iter().zip(live).take(SHOWN_ACCOUNTS) {
        let (name, rows) = match account {
            Account::Samco(a) => (
                "Samco",
                [
                    ("API key", &a.api_key),
                    ("API secret", &a.api_secret),
                    ("Password", &a.password),
                    ("Primary IP", &a.primary_ip),
                    ("Secondary IP", &a.secondary_ip),
                ],
            ),
            Account::AngelOne(a) => (
                "Angel One",
                [
                    ("API key", &a.api_key),
                    ("PIN", &a.pin),
                    ("TOTP secret", &a.totp_secret),
                    ("Primary IP", &a.primary_ip),
                    ("Secondary IP", &a.secondary_ip),
                ],
            ),
        };
        let sessions = match live {
            0 => "no live session".to_owned(),
            1 => "1 live session".to_owned(),
            n => format!("{n} live sessions"),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "<article><h3>{} <small>{name}</small></h3><p class=\"state\">{sessions}</p><dl>",
            escape(account.id())
        );
        for (label, value) in rows {
            let shown = if value.is_empty() {
                "none".to_owned()
            } else {
                format!("<code>{}</code>", escape(value))
            };
            let _ = write!(page, "<div><dt>{label}</dt><dd>{shown}</dd></div>");
        }
        page.push_str("</dl></article>");
    }
    page.push_str("</div>");
    if let more @ 1.. = accounts.len().saturating_sub(SHOWN_ACCOUNTS) {
        let _ = write!(page, "<p>{more} more: see <code>GET /accounts</code>.</p>");
    }
    page.push_str("</section>");
}

fn requests(page: &mut String, state: &State) {
    page.push_str("<section aria-labelledby=\"requests\"><h2 id=\"requests\">Last requests</h2>");
    let latest = state.requests.latest(SHOWN);
    if latest.is_empty() {
        page.push_str("<p>Nothing has arrived yet. Point a client at the base URL above.</p></section>");
        return;
    }
    page.push_str(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"requests\"><table><thead><tr>\
         <th scope=\"col\">IST</th><th scope=\"col\">Broker</th><th scope=\"col\">Request</th>\
         <th scope=\"col\">Status</th><th scope=\"col\">From</th><th scope=\"col\">Account</th>\
         <th scope=\"col\">Fault</th></tr></thead><tbody>",
    );
    for record in &latest {
        row(page, record);
    }
    page.push_str("</tbody></table></div></section>");
}

fn row(page: &mut String, record: &RequestRecord) {
    let broker = if record.broker == Broker::Samco {
        "Samco"
    } else {
        "Angel One"
    };
    let query = if record.query.is_empty() {
        String::new()
    } else {
        format!("?{}", record.query)
    };
    let status = record
        .status
        .map_or_else(|| "none".to_owned(), |status| status.to_string());
    let fault = record.fault.map(|id| format!("#{id}")).unwrap_or_default();
    let _ = write!(
        page,
        "<tr><td>{}</td><td>{broker}</td><td><code>{} {}{}</code></td><td>{status}</td><td>{}</td><td>{}</td>\
         <td>{fault}</td></tr>",
        escape(&record.at.format_ist("%H:%M:%S")),
        escape(&record.method),
        escape(&record.path),
        escape(&query),
        escape(&record.source_ip),
        escape(record.account.as_deref().unwrap_or_default()),
    );
}
