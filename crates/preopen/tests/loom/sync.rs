//! Stand-ins for what `state.rs` synchronises with, on loom's own primitives: loom tries every order in which the threads
//! of a model can get through them.
//!
//! The cells promise less than `arc-swap` does (acquire and release in place of one total order), so what holds on these
//! holds on those.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::{Arc, Mutex as Plain};

use loom::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use loom::sync::{Mutex, MutexGuard};

pub(crate) type ArcSwap<T> = ArcSwapAny<Arc<T>>;
pub(crate) type ArcSwapOption<T> = ArcSwapAny<Option<Arc<T>>>;

thread_local! {
    /// All threads of a model run on one thread of the system, so this belongs to the model.
    static PROCESS: Cell<u32> = const { Cell::new(1) };
}

pub(crate) fn process() -> u32 {
    PROCESS.get()
}

/// From here on this is another process, as after a fork.
pub(crate) fn fork(child: u32) {
    PROCESS.set(child);
}

/// A cell: every value that was ever stored, and which one it holds. Only the second is what threads race for.
pub(crate) struct ArcSwapAny<T> {
    stored: Plain<Vec<T>>,
    holds: AtomicUsize,
}

impl<T: Clone + Pointer> ArcSwapAny<T> {
    fn new(value: T) -> Self {
        Self {
            stored: Plain::new(vec![value]),
            holds: AtomicUsize::new(0),
        }
    }

    fn keep(&self, value: T) -> usize {
        let mut stored = self.stored.lock().unwrap();
        stored.push(value);
        stored.len() - 1
    }

    fn nth(&self, index: usize) -> T {
        self.stored.lock().unwrap()[index].clone()
    }

    pub(crate) fn load(&self) -> Guard<T> {
        Guard(self.load_full())
    }

    pub(crate) fn load_full(&self) -> T {
        self.nth(self.holds.load(Ordering::Acquire))
    }

    pub(crate) fn store(&self, value: T) {
        self.holds.swap(self.keep(value), Ordering::AcqRel);
    }

    pub(crate) fn compare_and_swap(&self, expected: &T, new: T) -> Guard<T> {
        let known = self
            .stored
            .lock()
            .unwrap()
            .iter()
            .rposition(|value| value.same(expected));
        let swapped = self.holds.compare_exchange(
            known.expect("a value that was loaded from this cell"),
            self.keep(new),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        Guard(self.nth(swapped.unwrap_or_else(|other| other)))
    }
}

impl<T> ArcSwapAny<Arc<T>> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self::new(Arc::new(value))
    }
}

impl<T: Clone + Pointer + Default> Default for ArcSwapAny<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// Whether two values are the same one in memory.
pub(crate) trait Pointer {
    fn same(&self, other: &Self) -> bool;
}

impl<T> Pointer for Arc<T> {
    fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(self, other)
    }
}

impl<T> Pointer for Option<Arc<T>> {
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}

pub(crate) struct Guard<T>(T);

impl<T> Guard<T> {
    pub(crate) fn into_inner(guard: Self) -> T {
        guard.0
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// As much of `tokio::sync::watch` as the state uses, and a wait that loom can see: a thread that nobody will ever wake
/// is a deadlock to it.
pub(crate) mod watch {
    use std::sync::Arc;

    use loom::sync::{Condvar, Mutex};

    struct Shared<T> {
        value: Mutex<(T, bool)>,
        changed: Condvar,
    }

    pub(crate) struct Sender<T>(Arc<Shared<T>>);
    pub(crate) struct Receiver<T>(Arc<Shared<T>>);

    pub(crate) fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
        let shared = Arc::new(Shared {
            value: Mutex::new((value, true)),
            changed: Condvar::new(),
        });
        (Sender(Arc::clone(&shared)), Receiver(shared))
    }

    impl<T> Sender<T> {
        pub(crate) fn subscribe(&self) -> Receiver<T> {
            Receiver(Arc::clone(&self.0))
        }

        pub(crate) fn send_replace(&self, value: T) {
            self.0.value.lock().unwrap().0 = value;
            self.0.changed.notify_all();
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            // A model that failed is unwound from outside of loom's reach.
            if std::thread::panicking() {
                return;
            }
            self.0.value.lock().unwrap().1 = false;
            self.0.changed.notify_all();
        }
    }

    impl<T: Clone> Receiver<Option<T>> {
        /// Blocks until there is a value; `None` when the sender is gone without one.
        pub(crate) fn wait(self) -> Option<T> {
            let mut now = self.0.value.lock().unwrap();
            while now.0.is_none() && now.1 {
                now = self.0.changed.wait(now).unwrap();
            }
            now.0.clone()
        }
    }
}
