//! Reading a reply: the broker's envelope, beside `serde_json` on the same bytes into the same kind of value.

use std::hint::black_box;

use anyhow::{Context as _, Result, bail, ensure};
use preopen::core::broker::Adapter;
use preopen::core::wire::{Body, Method, RawReply};
use preopen::{AngelOne, Samco};
use serde_json::Value;

use crate::settings::{Envelope, Settings};
use crate::watch::Watch;

fn given(settings: &Settings) -> Result<&Envelope> {
    settings.envelope.as_ref().context("no envelope in the settings")
}

pub(crate) fn preopen(settings: &Settings) -> Result<Value> {
    let given = given(settings)?;
    let adapter: Box<dyn Adapter> = match given.broker.as_str() {
        "samco" => Box::new(Samco::new("key", "secret")),
        "angelone" => Box::new(AngelOne::new("key", "D1", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH")),
        other => bail!("no broker is called {other:?}"),
    };
    let endpoint = adapter.endpoint(Method::parse(&given.method)?, &given.path);
    // As the transport hands it over.
    let mut body = Body::with_capacity(given.body.len(), endpoint.sensitive);
    body.push(given.body.as_bytes());
    let raw = RawReply::new(given.status, body);
    ensure!(
        adapter.read(&endpoint, &raw).is_ok() == given.success,
        "wrong verdict"
    );
    Ok(repeat(settings, || {
        drop(black_box(adapter.read(&endpoint, black_box(&raw))));
    }))
}

pub(crate) fn bare(settings: &Settings) -> Result<Value> {
    let given = given(settings)?;
    let bytes = given.body.as_bytes();
    ensure!(
        serde_json::from_slice::<Value>(bytes)?.is_object(),
        "not an object"
    );
    Ok(repeat(settings, || {
        drop(black_box(serde_json::from_slice::<Value>(black_box(bytes))));
    }))
}

fn repeat(settings: &Settings, read: impl Fn()) -> Value {
    (0..settings.warm_up).for_each(|_| read());
    let watch = Watch::start();
    (0..settings.calls).for_each(|_| read());
    watch.report(settings.calls, 0)
}
