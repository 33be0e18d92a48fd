//! One client process of the Rust benchmarks: `preopen-bench-client PEER`, settings as JSON on standard input, and one line of
//! JSON with what a call cost. Every reply's payload is checked.

mod bare;
mod envelope;
mod herd;
mod hot;
mod preopen_calls;
mod raw;
mod settings;
mod watch;

use std::io::{Write as _, stdin, stdout};

use anyhow::{Result, bail};

use settings::Settings;

fn main() -> Result<()> {
    let peer = std::env::args().nth(1).unwrap_or_default();
    let settings: Settings = serde_json::from_reader(stdin().lock())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let line = runtime.block_on(async {
        match peer.as_str() {
            "two clocks" => Ok(hot::floor(&settings)),
            "token()" => hot::token(&settings).await,
            "headers()" => hot::headers(&settings).await,
            "preopen" => preopen_calls::get(&settings).await,
            "login preopen" => preopen_calls::login(&settings).await,
            "reqwest" => bare::get(&settings).await,
            "raw socket" => raw::get(&settings).await,
            "envelope preopen" => envelope::preopen(&settings),
            "envelope serde_json" => envelope::bare(&settings),
            "herd" => herd::token(&settings).await,
            _ => bail!("no peer is called {peer:?}"),
        }
    })?;
    writeln!(stdout(), "{line}")?;
    Ok(())
}
