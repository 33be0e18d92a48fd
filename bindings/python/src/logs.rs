//! Log records and metrics: what Preopen tells of itself, as dicts.

use std::time::{Duration, Instant};

use preopen_ffi::preopen::metrics::ALL;
use preopen_ffi::runtime::SIGNAL_INTERVAL;
use preopen_ffi::{Logs as RustLogs, MetricInfo};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{flat, text};
use crate::error::lift;
use crate::gate::{detached, is_main_thread};

/// The log records of this process, from the moment that this was made on.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct Logs(RustLogs);

#[pymethods]
impl Logs {
    #[new]
    #[pyo3(signature = (level))]
    fn new(py: Python<'_>, level: &Bound<'_, PyAny>) -> PyResult<Self> {
        let level = text(level, "level");
        lift(py, level.and_then(|level| RustLogs::open(&level))).map(Self)
    }

    /// The next record as a dict with the keys `at` (seconds since the Unix epoch), `level`, `target`, `message` and
    /// `fields`. Waits at most `timeout` seconds, without one until there is a record. `None` when the time is over or
    /// no more will come.
    #[pyo3(signature = (timeout=None))]
    fn next<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        // What cannot be told is for ever, or no time at all.
        let timeout = timeout.map(|seconds| match Duration::try_from_secs_f64(seconds) {
            Ok(time) => time,
            Err(_) if seconds > 0.0 => Duration::MAX,
            Err(_) => Duration::ZERO,
        });
        let look = is_main_thread(py)?.then_some(SIGNAL_INTERVAL);
        let began = Instant::now();
        loop {
            let rest = timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
            let nap = rest.into_iter().chain(look).min();
            let (record, pass) = detached(py, || self.0.next(nap));
            if let Some(record) = record {
                return flat(py, &record).map(Some);
            }
            if nap == rest || self.0.is_closed() {
                return Ok(None);
            }
            drop(pass);
            py.check_signals()?;
        }
    }

    /// Whether no record will come any more; always in a forked child of whoever made this.
    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Collects no more; whoever waits is woken. What is waiting can still be taken.
    fn close(&self) {
        self.0.close();
    }
}

/// The metrics of this process as they are now, as dicts with the keys `name`, `kind`, `unit`, `help`, `labels` and `value`;
/// a histogram has `count`, `sum` and `buckets` in place of a value.
#[pyfunction]
pub(crate) fn metrics(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let metrics: Vec<MetricInfo> = preopen_ffi::metrics();
    flat(py, &metrics)
}

/// Every metric that there is, as dicts with the keys `name`, `kind`, `unit` and `help`.
#[pyfunction]
pub(crate) fn metric_families(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let told = ALL.iter().map(|family| {
        let dict = PyDict::new(py);
        dict.set_item("name", family.name)?;
        dict.set_item("kind", family.kind.as_str())?;
        dict.set_item("unit", family.unit)?;
        dict.set_item("help", family.help)?;
        Ok(dict)
    });
    told.collect()
}
