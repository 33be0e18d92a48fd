//! A global allocator that looks for canaries in every block that is given back, to its last byte and whoever gives
//! it back: a drop, a shrink, or a growth that moves.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A text or key of which no part may be found in a block that is given back.
pub(crate) type Canary = (&'static str, Vec<u8>);

/// Parts of this many bytes are looked for, so that half a secret is found too.
const PART: usize = 12;

/// What to look for: names and parts, and which bytes a part begins with.
struct Watch {
    parts: Vec<Canary>,
    begins: [bool; 256],
}

/// The watch of now; null while nobody watches. Watches are leaked: a late look must find one.
static WATCHED: AtomicPtr<Watch> = AtomicPtr::new(std::ptr::null_mut());

/// Who can give a block back, by the names of its functions and types. No path of a source file is among them.
const OWNERS: [&str; 6] = [
    "preopen",
    "hyper::",
    "rustls::",
    "reqwest::",
    "bytes::",
    "the test",
];

/// For each find the size of the block, the part, and the owner.
static FOUND: [[AtomicUsize; 3]; 256] = [const { [const { AtomicUsize::new(0) }; 3] }; 256];
static FINDS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LOOKS_AWAY: Cell<bool> = const { Cell::new(false) };
}

pub(crate) struct Watching;

#[allow(
    unsafe_code,
    reason = "an allocator cannot be written without it; it passes every block on to the system's"
)]
// SAFETY: every block is the system's own, made for the layout that it is given back with.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that no block begins with what another one left behind and every byte may be read.
        // SAFETY: the caller keeps the contract of `alloc`, which is this one's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back a block of this layout, all of whose bytes were set by `alloc`.
        unsafe {
            look(std::slice::from_raw_parts(block, layout.size()));
            System.dealloc(block, layout);
        }
    }

    // `realloc` is the default one, which always moves: alloc, copy, dealloc.
}

/// Allocates nothing, and takes no lock.
fn look(block: &[u8]) {
    let watched = WATCHED.load(Ordering::Acquire);
    if watched.is_null() || LOOKS_AWAY.try_with(Cell::get).unwrap_or(true) {
        return;
    }
    #[allow(unsafe_code, reason = "the watch is leaked, so the pointer stays good")]
    // SAFETY: it came from `Box::leak` and is never freed.
    let watched: &Watch = unsafe { &*watched };
    let begins = block
        .iter()
        .enumerate()
        .filter(|(_, byte)| watched.begins[usize::from(**byte)]);
    for (at, _) in begins {
        let part = watched
            .parts
            .iter()
            .position(|(_, part)| block[at..].starts_with(part));
        if let Some(number) = part {
            let find = FINDS.fetch_add(1, Ordering::Relaxed) % FOUND.len();
            let owner = unwatched(|| owner(watched.parts[number].0, block.len()));
            for (slot, value) in FOUND[find].iter().zip([block.len(), number, owner]) {
                slot.store(value, Ordering::Relaxed);
            }
            return;
        }
    }
}

/// Whose code or type is nearest to the end of the block. The whole way is told when a variable asks for it.
fn owner(name: &str, size: usize) -> usize {
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    if std::env::var_os("PREOPEN_WIPE_TRACE").is_some() {
        eprintln!("{name} in a block of {size} bytes, given back by\n{trace}");
    }
    let mut frames = trace.lines().filter(|line| !line.trim_start().starts_with("at "));
    let nearest = |frame: &str| {
        let places = OWNERS
            .iter()
            .enumerate()
            .filter_map(|(owner, known)| Some((frame.find(known)?, owner)));
        places.min().map(|(_, owner)| owner)
    };
    frames.find_map(nearest).unwrap_or(OWNERS.len() - 1)
}

/// Runs what is no business of the watch on this thread: the test's own copies of secrets. A panic in it is looked at
/// again as soon as it leaves.
pub(crate) fn unwatched<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            LOOKS_AWAY.set(self.0);
        }
    }
    let _restore = Restore(LOOKS_AWAY.replace(true));
    work()
}

/// Never looks at what this thread gives back.
pub(crate) fn stop_watching() {
    LOOKS_AWAY.set(true);
}

/// Every test holds this from its first line: a watch sees what all threads give back.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was found, in words, while `work` ran, on any thread.
pub(crate) fn watch(canaries: &[Canary], work: impl FnOnce()) -> Vec<String> {
    let mut watched = Watch {
        parts: Vec::new(),
        begins: [false; 256],
    };
    for (name, bytes) in canaries {
        let cut = bytes.len().div_ceil(PART);
        for part in bytes.chunks(bytes.len().div_ceil(cut)) {
            watched.begins[usize::from(part[0])] = true;
            watched.parts.push((name, part.to_vec()));
        }
    }
    let watched: &'static Watch = Box::leak(Box::new(watched));
    FINDS.store(0, Ordering::Relaxed);
    WATCHED.store(std::ptr::from_ref(watched).cast_mut(), Ordering::Release);
    // A failed assertion ends the watch too: what the report of it gives back is no finding.
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    WATCHED.store(std::ptr::null_mut(), Ordering::Release);
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
    let found = FOUND.iter().take(FINDS.load(Ordering::Relaxed));
    found
        .map(|find| {
            let [size, number, owner] = find.each_ref().map(|slot| slot.load(Ordering::Relaxed));
            let (name, _) = watched.parts[number];
            format!(
                "{name} in a block of {size} bytes, given back by {}",
                OWNERS[owner]
            )
        })
        .collect()
}
