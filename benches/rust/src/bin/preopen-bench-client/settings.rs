//! What the driver says on standard input, and the session that follows from it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use preopen::{Samco, Session};
use serde::Deserialize;
use serde_json::Value;

pub(crate) const PATH: &str = "/quote/getQuote";
pub(crate) const QUERY: [(&str, &str); 2] = [("symbolName", "INFY"), ("exchange", "NSE")];

#[derive(Deserialize)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) url: String,
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default)]
    api_key: String,
    #[serde(default)]
    api_secret: String,
    pub(crate) calls: u32,
    #[serde(default)]
    pub(crate) warm_up: u32,
    /// How many calls are under way at the same time.
    #[serde(default = "one")]
    pub(crate) workers: usize,
    /// Headers of an authenticated call, for peers that do not log in.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// What the group `envelope` reads.
    pub(crate) envelope: Option<Envelope>,
}

/// One reply of a broker.
#[derive(Clone, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) broker: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Whether it says that the call succeeded.
    pub(crate) success: bool,
}

fn one() -> usize {
    1
}

impl Settings {
    /// A session that has not logged in yet.
    pub(crate) fn session(&self) -> Result<Session> {
        let credentials = Samco::new(self.api_key.as_str(), self.api_secret.as_str());
        let mut builder = Session::builder(credentials).base_url(&self.url);
        if let Some(path) = &self.ca_file {
            builder = builder.ca_file(path);
        }
        Ok(builder.build()?)
    }
}

/// A client that sends nothing, or reads nothing, cannot win.
pub(crate) fn check(data: &Value) -> Result<()> {
    let quote = &data["quoteDetails"];
    ensure!(quote["symbolName"] == "INFY", "wrong payload");
    Ok(())
}
