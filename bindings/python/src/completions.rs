//! The way back to an event loop: finished calls queue up, and the loop is woken once for all of them. Where it can watch a
//! socket, a byte wakes it, and the thread that has the result needs nothing of Python; else a callback does.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use preopen_ffi::preopen::Result;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::bell::Bell;
use crate::error::exception;
use crate::gate::Pass;
use crate::work::Outcome;

#[derive(Default)]
struct Queue {
    finished: Vec<(u64, Result<Outcome>)>,
    /// Whether the loop has been woken and has not looked yet.
    woken: bool,
}

/// What wakes a loop, from any thread.
enum Wake {
    Byte(Bell),
    /// `loop.call_soon_threadsafe(drain)`.
    Callback(Py<PyAny>),
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Wake,
}

/// Finished calls of one event loop.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct Completions(Arc<Shared>);

/// Where the result of one call goes.
pub(crate) struct Slot {
    shared: Arc<Shared>,
    number: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, wake: &Py<PyAny>) {
        let Some(pass) = Pass::get() else { return };
        Python::attach(|py| {
            if wake.call0(py).is_err() {
                // The loop is closed: nobody waits for this any more.
                let mut queue = self.lock();
                queue.woken = false;
                queue.finished.clear();
            }
        });
        drop(pass);
    }
}

impl Completions {
    fn by(wake: Wake) -> Self {
        let queue = Mutex::default();
        Self(Arc::new(Shared { queue, wake }))
    }

    pub(crate) fn slot(&self, number: u64) -> Slot {
        Slot {
            shared: Arc::clone(&self.0),
            number,
        }
    }
}

impl Slot {
    /// Queues the result, and wakes the loop unless somebody has.
    pub(crate) fn fill(self, result: Result<Outcome>) {
        let mut queue = self.shared.lock();
        queue.finished.push((self.number, result));
        let first = !mem::replace(&mut queue.woken, true);
        drop(queue);
        match &self.shared.wake {
            _ if !first => {}
            Wake::Byte(bell) => bell.ring(),
            Wake::Callback(wake) => self.shared.call(wake),
        }
    }
}

#[pymethods]
impl Completions {
    /// Those of a loop that is woken by a callback; without one it watches `fileno`.
    #[new]
    fn new(wake: Option<Py<PyAny>>) -> PyResult<Self> {
        Ok(Self::by(match wake {
            Some(wake) => Wake::Callback(wake),
            None => Wake::Byte(Bell::new()?),
        }))
    }

    /// What can be read when there is something to drain; -1 where a callback tells.
    fn fileno(&self) -> i32 {
        match &self.0.wake {
            Wake::Byte(bell) => bell.fileno(),
            Wake::Callback(_) => -1,
        }
    }

    /// All finished calls: number, result, and whether the result is an exception to raise.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        if let Wake::Byte(bell) = &self.0.wake {
            bell.silence();
        }
        let finished = {
            let mut queue = self.0.lock();
            queue.woken = false;
            mem::take(&mut queue.finished)
        };
        let convert = |(number, result): (u64, Result<Outcome>)| {
            let converted = match result {
                Ok(outcome) => outcome.to_python(py).map(|value| (value, false)),
                Err(error) => exception(py, &error).map(|error| (error, true)),
            };
            let (value, failed) = converted.or_else(|failure| {
                let failure = failure.into_value(py).into_bound(py).into_any();
                Ok::<_, PyErr>((failure, true))
            })?;
            (number, value, failed).into_pyobject(py)
        };
        finished.into_iter().map(convert).collect()
    }
}
