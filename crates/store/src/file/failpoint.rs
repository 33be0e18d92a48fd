//! Places at which a test makes the file store fail or end its process. Without the feature `failpoints` there is
//! nothing here that costs anything.

/// The variable that names a point and what happens there: `session.renamed:abort` or `guard.written:error`.
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

/// Fails, or does not return, when a test asked for that here.
#[cfg(feature = "failpoints")]
pub(super) fn reached(part: &str, step: &str) -> std::io::Result<()> {
    let point = format!("{part}.{step}");
    debug_assert!(POINTS.contains(&point.as_str()), "{point} is not listed");
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    match wanted.split_once(':') {
        Some((name, "abort")) if name == point => std::process::abort(),
        Some((name, "error")) if name == point => Err(std::io::ErrorKind::StorageFull.into()),
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
