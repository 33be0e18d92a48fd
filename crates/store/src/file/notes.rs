//! What the file store noticed about its folder that a person should know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;

use super::names::KEY;

/// Learned while the store is used.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Empty until it was looked at.
    file_system: ArcSwapOption<Option<&'static str>>,
    key_was_open: AtomicBool,
}

impl Notes {
    pub(super) fn learn_file_system(&self, look: impl FnOnce() -> Option<&'static str>) {
        if self.file_system.load().is_none() {
            self.file_system.store(Some(Arc::new(look())));
        }
    }

    /// A file was open to other users until now.
    #[cfg_attr(windows, allow(dead_code, reason = "rights are those of the folder there"))]
    pub(super) fn learn_open_to_others(&self, name: &str) {
        if name == KEY {
            self.key_was_open.store(true, Ordering::Relaxed);
        }
    }

    /// The name of a file system on which locks cannot be relied on, as far as is known.
    pub(super) fn file_system(&self) -> Option<&'static str> {
        self.file_system.load().as_deref().copied().flatten()
    }

    /// Sentences for a person.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(name) = self.file_system() {
            warnings.push(format!(
                "the file store is on {name}, where locks between hosts may not hold: two logins can happen at the \
                 same time; use a folder on a local disk, or a Redis store for several hosts"
            ));
        }
        if self.key_was_open.load(Ordering::Relaxed) {
            warnings.push(
                "other users of this machine could read the file store's key until now: if there are any, delete the \
                 file store's folder and log out at the broker"
                    .to_owned(),
            );
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::Notes;

    #[test]
    fn a_network_file_system_and_an_open_key_are_warned_about() {
        let notes = Notes::default();
        assert!(notes.warnings().is_empty());
        notes.learn_file_system(|| Some("NFS"));
        notes.learn_file_system(|| None);
        notes.learn_open_to_others("a.lock");
        assert_eq!(notes.warnings().len(), 1);
        assert!(notes.warnings()[0].contains("NFS"));
        notes.learn_open_to_others("key");
        assert!(notes.warnings()[1].contains("key"));
    }
}
