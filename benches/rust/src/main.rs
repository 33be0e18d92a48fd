//! Many sessions in one process, measured: heap for each, and the CPU of logins and calls. The driver (`run.py`)
//! writes one command a line on standard input and reads one line of JSON for each.

mod meter;
mod work;

use std::io::{Write as _, stdin, stdout};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use preopen::{Samco, Session, Timestamp, VirtualClock};
use serde::Deserialize;
use serde_json::json;

use work::Total;

/// How often every connection is used before anything is measured: their buffers grow to a size and stay there.
const WARM_UPS: u64 = 50;

/// The first line: where the broker is, and who has accounts there.
#[derive(Deserialize)]
struct Settings {
    url: String,
    ca_file: Option<String>,
    /// The broker's clock stands still; this process's is set to the same time.
    now: String,
    /// How many sessions are busy at the same time.
    workers: usize,
    /// Accounts whose logins and calls open the connections and buffers that all sessions share.
    warm_up: Vec<Keys>,
    /// A call that only reads.
    path: String,
    query: Vec<(String, String)>,
    accounts: Vec<Keys>,
}

#[derive(Deserialize)]
struct Keys {
    api_key: String,
    api_secret: String,
}

/// Every further line.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    /// Builds the sessions; nothing is sent.
    Build,
    /// Sets the clock and asks every session for a token, which must come from this generation.
    Login { now: String, generation: u64 },
    /// Makes one authenticated call with every session.
    Call,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run())
}

async fn run() -> Result<()> {
    let mut lines = stdin().lines();
    let first = lines.next().context("no settings on standard input")??;
    let settings: Settings = serde_json::from_str(&first).context("the settings")?;
    drop(first);
    let clock = Arc::new(VirtualClock::new(time(&settings.now)?, 0.0));
    let build = |keys: &Keys| -> Result<Session> {
        let mut builder = Session::builder(Samco::new(keys.api_key.as_str(), keys.api_secret.as_str()))
            .base_url(&settings.url)
            .clock(Arc::clone(&clock) as Arc<dyn preopen::Clock>);
        if let Some(path) = &settings.ca_file {
            builder = builder.ca_file(path);
        }
        Ok(builder.build()?)
    };
    let call = async |sessions: &[Session]| {
        work::call(sessions, settings.workers, &settings.path, &settings.query).await
    };

    let warm: Vec<Session> = settings.warm_up.iter().map(build).collect::<Result<_>>()?;
    for generation in 1..=WARM_UPS {
        work::log_in(&warm, settings.workers, generation).await?;
        call(&warm).await?;
        for session in &warm {
            session.invalidate(generation);
        }
    }
    let mut sessions = Vec::with_capacity(settings.accounts.len());
    let before = meter::settled().await;
    report(before, &Total::default()).await?;

    for line in lines {
        let total = match serde_json::from_str(&line?).context("a command")? {
            Command::Build => {
                for keys in &settings.accounts {
                    sessions.push(build(keys)?);
                }
                let bytes = |keys: &Keys| keys.api_key.len() + keys.api_secret.len();
                Total {
                    done: sessions.len(),
                    credential_bytes: settings.accounts.iter().map(bytes).sum(),
                    ..Total::default()
                }
            }
            Command::Login { now, generation } => {
                clock.set(time(&now)?);
                work::log_in(&sessions, settings.workers, generation).await?
            }
            Command::Call => call(&sessions).await?,
        };
        report(before, &total).await?;
    }
    Ok(())
}

/// One line: what the last command did, and the live heap over `before`, once it has settled.
async fn report(before: usize, total: &Total) -> Result<()> {
    let line = json!({
        "heap": meter::settled().await.saturating_sub(before),
        "credential_bytes": total.credential_bytes,
        "token_bytes": total.token_bytes,
        "done": total.done,
        "cpu_us": total.cpu.as_secs_f64() * 1e6,
        "wall_us": total.wall.as_secs_f64() * 1e6,
    });
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

fn time(text: &str) -> Result<Timestamp> {
    Timestamp::parse_rfc3339(text).with_context(|| format!("{text:?} is no RFC 3339 time"))
}
