//! The events of a session: what has come is taken, and the next one is waited for like any other call.

use std::sync::Arc;

use preopen_ffi::{EventInfo, Listener};
use pyo3::prelude::*;

use crate::convert::flat;
use crate::work::{Operation, Work};

/// The events of a session, from the moment that this was made on.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct Events(pub(crate) Arc<Listener>);

#[pymethods]
impl Events {
    /// The next event that has come already, as a dict.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let event = self.0.take();
        event.map(|event| flat(py, &EventInfo::from(event))).transpose()
    }

    /// Waits until there is an event to take, or none will come. A wait that is given up loses none.
    fn ready(&self) -> Work {
        Work::new(Operation::NextEvent(Arc::clone(&self.0)), None)
    }

    /// Whether no event will come any more.
    #[getter]
    fn over(&self) -> bool {
        self.0.is_over()
    }

    /// Stops listening; whoever waits is told.
    fn close(&self) {
        self.0.close();
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.0.close();
    }
}
