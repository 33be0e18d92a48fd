//! The key of the folder: 32 random bytes in a file that only its owner can read, made once by whoever needs it first.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use preopen_core::seal::SealKey;
use preopen_core::secret::Secret;
use preopen_core::{Error, ErrorKind, Result};
use zeroize::{Zeroize, Zeroizing};

use super::names::{KEY, KEY_LOCK, KEY_TEMP};
use super::notes::Notes;
use super::os::Folder;

/// How long another program may take to make the key. It takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);

/// The key of an existing folder.
pub(super) fn existing(path: &Path, notes: &Arc<Notes>) -> Result<SealKey> {
    let folder = Folder::open(path, notes)?;
    let key = folder.as_ref().map(|folder| read(folder, path)).transpose()?;
    key.flatten().ok_or_else(|| {
        let file = path.join(KEY);
        let problem = format!(
            "file {} is gone, so what was stored with it cannot be opened: put it back, or delete the files beside it",
            file.display()
        );
        Error::invalid_input("key", &problem)
    })
}

/// The key for new values, which is made if there is none.
pub(super) fn existing_or_new(path: &Path, notes: &Arc<Notes>) -> Result<SealKey> {
    let folder = Folder::create(path, notes)?;
    if let Some(key) = read(&folder, path)? {
        return Ok(key);
    }
    alone(&folder, path, || {
        // Another program may have been quicker.
        if let Some(key) = read(&folder, path)? {
            return Ok(key);
        }
        let key = SealKey::generate()?;
        let line = Zeroizing::new(format!("{}\n", key.to_text().expose()));
        folder.write(KEY, KEY_TEMP, KEY, line.as_bytes())?;
        Ok(key)
    })
}

/// Runs `work` while no other program makes a key for this folder.
pub(super) fn alone<T>(folder: &Folder, path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(_lock) = folder.try_lock(KEY_LOCK)? {
            return work();
        }
        if began.elapsed() > PATIENCE {
            let message = format!(
                "another program has been making the key of {} for {} s",
                path.display(),
                PATIENCE.as_secs()
            );
            return Err(Error::new(ErrorKind::StoreUnavailable, message));
        }
        std::thread::sleep(PAUSE);
    }
}

fn read(folder: &Folder, path: &Path) -> Result<Option<SealKey>> {
    let Some((held, _)) = folder.read(KEY)? else {
        return Ok(None);
    };
    let text = String::from_utf8(held).unwrap_or_else(|error| {
        error.into_bytes().zeroize();
        String::new()
    });
    let key = SealKey::from_text(Secret::new(text)).map_err(|_| {
        let problem = format!(
            "file {} holds no key: put the right one back, or delete it and the files beside it",
            path.join(KEY).display()
        );
        Error::invalid_input("key", &problem)
    })?;
    Ok(Some(key))
}
