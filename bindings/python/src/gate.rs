//! The gate between our threads and an interpreter that is going away. A thread that takes Python's lock while
//! the interpreter shuts down is ended by it in the middle of Rust code, or crashes the process; so every
//! thread that comes back to Python passes here, and once the interpreter exits nobody passes any more.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

static CLOSED: AtomicBool = AtomicBool::new(false);
static PASSING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this is the thread that ends the interpreter: it has nothing to fear from it.
    static EXITS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// The longest that closing waits for threads on their way in.
const PATIENCE: Duration = Duration::from_millis(500);

/// A permission to take Python's lock. It is kept until the thread is back in Python's own code, or has given the
/// lock back: Python code that runs in between may let go of the lock, and would not get it again.
pub(crate) struct Pass(());

impl Pass {
    /// `None` once the interpreter exits.
    pub(crate) fn get() -> Option<Self> {
        PASSING.fetch_add(1, Ordering::SeqCst);
        let pass = Self(());
        (!CLOSED.load(Ordering::SeqCst) || EXITS_HERE.get()).then_some(pass)
    }

    /// A pass, or no return: a thread of an interpreter that exits has nowhere to come back to.
    pub(crate) fn get_or_park() -> Self {
        loop {
            if let Some(pass) = Self::get() {
                return pass;
            }
            thread::park();
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        PASSING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs `outside` without Python's lock and comes back through the gate.
pub(crate) fn detached<T: Send>(py: Python<'_>, outside: impl FnOnce() -> T + Send) -> (T, Pass) {
    py.detach(|| {
        let result = outside();
        (result, Pass::get_or_park())
    })
}

/// Has the gate closed when the interpreter exits. Registered at import, so that the exit handlers of programs
/// run before it and can still use their sessions.
pub(crate) fn close_at_exit(py: Python<'_>) -> PyResult<()> {
    let close = wrap_pyfunction!(close_gate, py)?;
    py.import("atexit")?.call_method1("register", (close,)).map(drop)
}

/// Whether the interpreter exits, so that no other thread comes back to Python any more.
#[pyfunction]
pub(crate) fn exiting() -> bool {
    CLOSED.load(Ordering::SeqCst)
}

/// Closes the gate; runs at interpreter exit, while Python still works.
#[pyfunction]
fn close_gate(py: Python<'_>) {
    EXITS_HERE.set(true);
    CLOSED.store(true, Ordering::SeqCst);
    py.detach(|| {
        let started = Instant::now();
        while PASSING.load(Ordering::SeqCst) > 0 && started.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    });
}
