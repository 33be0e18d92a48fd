//! What hears Preopen's `tracing` events, once somebody reads them: a list of readers that is read without a lock.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use preopen::{Error, ErrorKind, Result};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber, callsite, dispatcher, subscriber};

use super::{LogRecord, Reader};

static READERS: ArcSwapOption<Vec<Arc<Reader>>> = ArcSwapOption::const_empty();

pub(super) fn add(reader: &Arc<Reader>) -> Result<()> {
    change(|readers| readers.push(Arc::clone(reader)));
    if subscriber::set_global_default(Forwarder).is_err() {
        let ours = dispatcher::get_default(tracing::Dispatch::is::<Forwarder>);
        if !ours {
            remove(reader);
            return Err(Error::new(
                ErrorKind::Internal,
                "this program collects the events of `tracing` itself: read Preopen's there",
            ));
        }
        callsite::rebuild_interest_cache();
    }
    Ok(())
}

pub(super) fn remove(reader: &Arc<Reader>) {
    change(|readers| readers.retain(|known| !Arc::ptr_eq(known, reader)));
    callsite::rebuild_interest_cache();
}

/// Readers of a parent are left out, and never dropped: their locks may be held by threads that do not exist here.
fn change(edit: impl Fn(&mut Vec<Arc<Reader>>)) {
    let before = READERS.rcu(|readers| {
        let mut mine: Vec<_> = of_this_process(readers.as_ref()).cloned().collect();
        edit(&mut mine);
        Some(Arc::new(mine))
    });
    let readers = before.iter().flat_map(|readers| readers.iter());
    if readers.into_iter().any(|reader| reader.is_a_parents()) {
        std::mem::forget(before);
    }
}

fn of_this_process(readers: Option<&Arc<Vec<Arc<Reader>>>>) -> impl Iterator<Item = &Arc<Reader>> {
    let all = readers.into_iter().flat_map(|readers| readers.iter());
    all.filter(|reader| !reader.is_a_parents())
}

/// The lowest level that anybody reads.
fn lowest() -> LevelFilter {
    of_this_process(READERS.load().as_ref())
        .map(|reader| LevelFilter::from_level(reader.level))
        .max()
        .unwrap_or(LevelFilter::OFF)
}

/// Preopen's own events go on; those of the libraries below it are not promised to hold no secret.
fn is_ours(target: &str) -> bool {
    target == "preopen" || target.starts_with("preopen.")
}

struct Forwarder;

impl Subscriber for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && is_ours(metadata.target()) && *metadata.level() <= lowest()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(lowest())
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let level: Level = *metadata.level();
        let readers = READERS.load();
        let mut record = None;
        for reader in of_this_process(readers.as_ref()).filter(|reader| level <= reader.level) {
            let record = record.get_or_insert_with(|| {
                let mut record = LogRecord::new(level, metadata.target(), String::new());
                event.record(&mut Fields(&mut record));
                record
            });
            reader.give(record.clone());
        }
    }
}

/// Takes the fields of an event.
struct Fields<'a>(&'a mut LogRecord);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.0.message = text;
        } else {
            self.put(field, text);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0.message);
        } else {
            self.put(field, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}
