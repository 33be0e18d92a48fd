//! Places at which a test makes the file store fail or end its process. Without the feature `failpoints` there is
//! nothing here that costs anything.

#[cfg(feature = "failpoints")]
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that names a point and what happens there, perhaps only from the nth time on: `session.renamed:abort`,
/// `guard.written:error:2`.
#[cfg(feature = "failpoints")]
pub const VARIABLE: &str = "PREOPEN_STORE_FAILPOINT";

/// Every point: of taking the lock, of writing and removing each part, and of making the key, each in their order.
#[cfg(feature = "failpoints")]
pub const POINTS: &[&str] = &[
    "lock.opened",
    "lock.taken",
    "lock.swept",
    "session.begun",
    "session.created",
    "session.half_written",
    "session.written",
    "session.synced",
    "session.renamed",
    "session.folder_synced",
    "session.removed",
    "session.removal_synced",
    "guard.begun",
    "guard.created",
    "guard.half_written",
    "guard.written",
    "guard.synced",
    "guard.renamed",
    "guard.folder_synced",
    "guard.removed",
    "guard.removal_synced",
    "key.begun",
    "key.created",
    "key.half_written",
    "key.written",
    "key.synced",
    "key.renamed",
    "key.folder_synced",
];

/// How often the point was met.
#[cfg(feature = "failpoints")]
static MET: AtomicU32 = AtomicU32::new(0);

/// Fails, or does not return, when a test asked for that here.
#[cfg(feature = "failpoints")]
pub(super) fn reached(part: &str, step: &str) -> std::io::Result<()> {
    let point = format!("{part}.{step}");
    debug_assert!(POINTS.contains(&point.as_str()), "{point} is not listed");
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let mut wanted = wanted.split(':');
    if wanted.next() != Some(&point) {
        return Ok(());
    }
    let action = wanted.next();
    let from = wanted.next().and_then(|time| time.parse().ok()).unwrap_or(1);
    // One variable names one point, so one number is enough.
    if MET.fetch_add(1, Ordering::Relaxed) + 1 < from {
        return Ok(());
    }
    match action {
        Some("abort") => std::process::abort(),
        Some("error") => Err(std::io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    }
}

/// Nothing happens here.
#[cfg(not(feature = "failpoints"))]
#[inline]
#[expect(clippy::unnecessary_wraps, reason = "the other one fails")]
pub(super) const fn reached(_: &str, _: &str) -> std::io::Result<()> {
    Ok(())
}
