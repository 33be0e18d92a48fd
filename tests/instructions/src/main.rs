//! Goes one path so often: `preopen-instructions PATH TIMES`, settings as JSON in `PREOPEN_INSTRUCTIONS`. `cargo xtask
//! instructions` runs it twice under callgrind, the second time for twice as often: the difference is the path's alone.

mod paths;

use anyhow::{Context as _, Result, bail};
use preopen::{Samco, Session};
use serde::Deserialize;

/// Where the broker is, and who has an account there.
#[derive(Deserialize)]
struct Settings {
    url: String,
    api_key: String,
    api_secret: String,
}

impl Settings {
    fn session(&self) -> Result<Session> {
        let credentials = Samco::new(self.api_key.as_str(), self.api_secret.as_str());
        Ok(Session::builder(credentials).base_url(&self.url).build()?)
    }
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let [_, path, times] = &words[..] else {
        bail!("usage: preopen-instructions PATH TIMES, settings in PREOPEN_INSTRUCTIONS");
    };
    let times: u32 = times.parse().context("TIMES is a number")?;
    let settings = std::env::var("PREOPEN_INSTRUCTIONS").context("PREOPEN_INSTRUCTIONS")?;
    let settings: Settings = serde_json::from_str(&settings).context("the settings")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(paths::go(path, times, &settings))
}
