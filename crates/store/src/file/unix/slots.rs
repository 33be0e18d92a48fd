//! Which lock files this process has open. The kernel's record locks belong to the process: they do not keep its
//! threads apart, and closing any handle of the file gives the lock away. So a lock file is only opened by whoever
//! has its slot. There is no mutex here, which a fork could leave locked for ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::Identity;

/// The folder's identity, not its path: two paths may lead to one file.
type Key = (Identity, Arc<str>);

/// What a slot is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The lock is held, or about to be.
    Lock,
    /// Somebody looks whether another process holds it: over in a moment.
    Look,
}

struct Slots {
    process: u32,
    taken: BTreeMap<Key, Use>,
}

struct Registry(ArcSwapOption<Slots>);

static REGISTRY: Registry = Registry(ArcSwapOption::const_empty());

impl Registry {
    /// Takes the slot for this process, or says what it is taken for.
    fn take(&self, process: u32, key: &Key, for_what: Use) -> Result<(), Use> {
        let before = self.0.rcu(|slots| {
            // A forked child holds none of its parent's locks.
            let ours = slots.as_ref().filter(|slots| slots.process == process);
            let mut taken = ours.map_or_else(BTreeMap::new, |slots| slots.taken.clone());
            taken.entry(key.clone()).or_insert(for_what);
            Some(Arc::new(Slots { process, taken }))
        });
        let before = before.filter(|slots| slots.process == process);
        let taken = before.and_then(|slots| slots.taken.get(key).copied());
        taken.map_or(Ok(()), Err)
    }

    /// Frees the slot if it is this process's.
    fn free(&self, process: u32, key: &Key) {
        self.0.rcu(|slots| match slots {
            Some(ours) if ours.process == process => {
                let mut taken = ours.taken.clone();
                taken.remove(key);
                Some(Arc::new(Slots { process, taken }))
            }
            others => others.clone(),
        });
    }
}

/// The right of this process's one owner to open a lock file.
#[derive(Debug)]
pub(super) struct Slot {
    process: u32,
    key: Key,
}

impl Slot {
    /// Takes the slot, or says what it is taken for.
    pub(super) fn take(folder: Identity, name: &str, for_what: Use) -> Result<Self, Use> {
        let (process, key) = (std::process::id(), (folder, Arc::from(name)));
        REGISTRY.take(process, &key, for_what)?;
        Ok(Self { process, key })
    }

    /// Whether this is the process that took it, and not a forked child.
    pub(super) fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.is_ours() {
            REGISTRY.free(self.process, &self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use arc_swap::ArcSwapOption;

    use super::{Key, Registry, Slot, Use};

    #[test]
    fn a_slot_has_one_owner_among_threads() {
        let folder = (u64::MAX, 1);
        let barrier = std::sync::Barrier::new(8);
        let attempt = || {
            barrier.wait();
            let slot = Slot::take(folder, "a.lock", Use::Lock);
            barrier.wait();
            usize::from(slot.is_ok())
        };
        for _ in 0..100 {
            let won: usize = std::thread::scope(|scope| {
                let threads = [(); 8].map(|()| scope.spawn(attempt));
                threads.map(|thread| thread.join().unwrap()).iter().sum()
            });
            assert_eq!(won, 1);
        }
    }

    #[test]
    fn a_slot_says_what_it_is_taken_for_and_is_free_when_it_is_dropped() {
        let folder = (u64::MAX, 2);
        let slot = Slot::take(folder, "a.lock", Use::Look).unwrap();
        assert_eq!(Slot::take(folder, "a.lock", Use::Lock).unwrap_err(), Use::Look);
        let other = Slot::take(folder, "b.lock", Use::Lock).unwrap();
        let elsewhere = Slot::take((u64::MAX, 3), "a.lock", Use::Lock).unwrap();
        drop((slot, other, elsewhere));
        assert!(Slot::take(folder, "a.lock", Use::Lock).is_ok());
    }

    #[test]
    fn p8_a_forked_child_has_none_of_its_parents_slots() {
        let registry = Registry(ArcSwapOption::const_empty());
        let key: Key = ((1, 1), "a.lock".into());
        let (parent, child) = (10, 11);
        registry.take(parent, &key, Use::Lock).unwrap();
        assert_eq!(registry.take(parent, &key, Use::Look), Err(Use::Lock));
        registry.take(child, &key, Use::Look).unwrap();
        registry.free(parent, &key);
        assert_eq!(registry.take(child, &key, Use::Lock), Err(Use::Look));
        registry.free(child, &key);
        assert_eq!(registry.take(child, &key, Use::Lock), Ok(()));
    }
}
