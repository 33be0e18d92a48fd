//! The gate between our threads and an interpreter that is going away. A thread that takes Python's lock while
//! the interpreter shuts down is ended by it in the middle of Rust code, or crashes the process; so every
//! thread that comes back to Python passes here, and once the interpreter exits nobody passes any more.

use std::cell::Cell;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwapOption, Guard};
use pyo3::prelude::*;

static CLOSED: AtomicBool = AtomicBool::new(false);

/// This process's gate.
static GATE: ArcSwapOption<Gate> = ArcSwapOption::const_empty();

thread_local! {
    /// Whether this is the thread that ends the interpreter: it has nothing to fear from it.
    static EXITS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// The longest that closing waits for threads on their way in.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many threads stand at Python's lock at a time. Whoever waits there wakes every few milliseconds to ask the thread
/// that has the lock for it: a thousand who do take more from the processor than what they wait for. A few of them pass
/// long before that, and enough that a thread which computes does not get its turn between each two of them.
const PLACES: usize = 16;

/// How long a thread waits for a place. One that got none goes on without: whoever has a place may never come back.
const QUEUE: Duration = Duration::from_millis(50);

/// Who comes in. It belongs to one process: a forked child has none of its parent's threads.
struct Gate {
    process: u32,
    passing: AtomicUsize,
    places: Mutex<Places>,
    left: Condvar,
}

#[derive(Default)]
struct Places {
    taken: usize,
    /// How many threads wait for one.
    wanted: usize,
}

impl Gate {
    fn here() -> Arc<Self> {
        let process = process::id();
        let seen = GATE.load();
        if let Some(gate) = seen.as_ref().filter(|gate| gate.process == process) {
            return Arc::clone(gate);
        }
        let mine = Arc::new(Self {
            process,
            passing: AtomicUsize::new(0),
            places: Mutex::default(),
            left: Condvar::new(),
        });
        let before = GATE.compare_and_swap(&*seen, Some(Arc::clone(&mine)));
        if let Some(winner) = before.as_ref().filter(|gate| gate.process == process) {
            return Arc::clone(winner);
        }
        // A thread of the parent's may have its lock, which is not touched, not even by dropping it.
        std::mem::forget(Guard::into_inner(before));
        mine
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place at Python's lock, from before it is taken until it is had.
struct Place(Arc<Gate>);

impl Place {
    fn take(gate: Arc<Gate>) -> Self {
        let mut places = gate.places();
        if places.taken >= PLACES {
            places.wanted += 1;
            let full = |places: &mut Places| places.taken >= PLACES;
            let waited = gate.left.wait_timeout_while(places, QUEUE, full);
            (places, _) = waited.unwrap_or_else(PoisonError::into_inner);
            places.wanted -= 1;
        }
        places.taken += 1;
        drop(places);
        Self(gate)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.0.places();
        places.taken -= 1;
        let next = places.wanted > 0 && places.taken < PLACES;
        drop(places);
        // Only then: it asks the kernel.
        if next {
            self.0.left.notify_one();
        }
    }
}

/// A permission to take Python's lock. It is kept until the thread is back in Python's own code, or has given the
/// lock back: Python code that runs in between may let go of the lock, and would not get it again.
pub(crate) struct Pass(Arc<Gate>);

impl Pass {
    /// `None` once the interpreter exits.
    pub(crate) fn get() -> Option<Self> {
        Self::through(Gate::here())
    }

    fn through(gate: Arc<Gate>) -> Option<Self> {
        gate.passing.fetch_add(1, Ordering::SeqCst);
        let pass = Self(gate);
        (!CLOSED.load(Ordering::SeqCst) || EXITS_HERE.get()).then_some(pass)
    }

    /// A pass and a place, or no return: a thread of an interpreter that exits has nowhere to come back to.
    fn get_or_park() -> (Self, Place) {
        let place = Place::take(Gate::here());
        if let Some(pass) = Self::through(Arc::clone(&place.0)) {
            return (pass, place);
        }
        drop(place);
        loop {
            thread::park();
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.passing.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs `outside` without Python's lock and comes back through the gate.
pub(crate) fn detached<T: Send>(py: Python<'_>, outside: impl FnOnce() -> T + Send) -> (T, Pass) {
    let (result, (pass, place)) = py.detach(|| {
        let result = outside();
        (result, Pass::get_or_park())
    });
    drop(place);
    (result, pass)
}

/// Runs `inside` with Python's lock, for which this thread comes through the gate and goes again.
pub(crate) fn attached<T>(inside: impl FnOnce(Python<'_>) -> T) -> T {
    let (pass, place) = Pass::get_or_park();
    let result = Python::attach(|py| {
        drop(place);
        inside(py)
    });
    drop(pass);
    result
}

/// Only there does Python handle signals.
pub(crate) fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    threading.call_method0("get_ident")?.eq(main)
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
        let (gate, started) = (Gate::here(), Instant::now());
        while gate.passing.load(Ordering::SeqCst) > 0 && started.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    });
}
