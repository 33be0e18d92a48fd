//! Log records and metrics: what Preopen tells of itself, as JSON text.

use napi::Status;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunctionCallMode, UnknownReturnValue};
use napi_derive::napi;
use preopen_ffi::preopen::metrics::ALL;
use preopen_ffi::{KEPT, LogRecord, Logs};
use serde::Serialize;

use crate::outcome::{Outcome, json};

/// The log records of this process, until it is closed. It keeps no process alive.
#[napi]
pub struct NativeLogs(Logs);

#[napi]
impl NativeLogs {
    /// Collects no more.
    #[napi]
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether it is closed.
    #[napi(getter)]
    pub fn closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// Calls `record` with each log record of `level` and above, as JSON text with `at` (seconds since the Unix epoch), `level`,
/// `target`, `message` and `fields`.
#[napi]
pub(crate) fn logs(
    level: String,
    record: Function<'_, String, UnknownReturnValue>,
) -> napi::Result<Outcome<NativeLogs>> {
    let call = record
        .build_threadsafe_function::<String>()
        .weak::<true>()
        .max_queue_size::<KEPT>()
        .build()?;
    let take = move |record: LogRecord| {
        call.call(json(&record), ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok
    };
    Ok(Outcome(Logs::give_to(&level, take).map(NativeLogs)))
}

/// The metrics of this process as they are now, as JSON text: a list of objects with `name`, `kind`, `unit`, `help`, `labels`
/// and `value`; a histogram has `count`, `sum` and `buckets` in place of a value.
#[napi]
pub(crate) fn metrics() -> String {
    json(&preopen_ffi::metrics())
}

/// What is measured, whether or not there is a number yet, as JSON text: a list of objects with `name`, `kind`, `unit`, `help`.
#[napi]
pub(crate) fn metric_families() -> String {
    let families = ALL.iter().map(|family| Known {
        name: family.name,
        kind: family.kind.as_str(),
        unit: family.unit,
        help: family.help,
    });
    json(&families.collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Known {
    name: &'static str,
    kind: &'static str,
    unit: &'static str,
    help: &'static str,
}
