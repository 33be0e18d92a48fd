//! What is the same for many sessions of a process is kept once: a program may have ten thousand.

use std::iter::once;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// More brokers than a program talks to.
const KEPT: usize = 8;

/// The last few values that sessions were given. Without a lock: a process may be forked while another of its threads is
/// in here.
pub(crate) struct Common<T>(ArcSwapOption<Vec<Arc<T>>>);

impl<T: PartialEq> Common<T> {
    pub(crate) const fn new() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// `value`, or an equal one that another session has. Of two that come at the same time one is kept, and the other is its
    /// session's own.
    pub(crate) fn of(&self, value: T) -> Arc<T> {
        let known = self.0.load();
        let mut all = known.iter().flat_map(|known| known.iter());
        if let Some(same) = all.find(|one| ***one == value) {
            return Arc::clone(same);
        }
        let value = Arc::new(value);
        let before = known.iter().flat_map(|known| known.iter()).take(KEPT - 1);
        let now = once(&value).chain(before).cloned().collect();
        self.0.store(Some(Arc::new(now)));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::{Common, KEPT};
    use std::sync::Arc;

    #[test]
    fn equal_values_are_one_and_only_the_last_are_kept() {
        let common = Common::new();
        let first = common.of(0);
        assert!(Arc::ptr_eq(&first, &common.of(0)));
        for other in 1..KEPT {
            assert_eq!(*common.of(other), other);
        }
        assert!(Arc::ptr_eq(&first, &common.of(0)));
        common.of(KEPT);
        assert!(!Arc::ptr_eq(&first, &common.of(0)));
        assert_eq!(Arc::strong_count(&first), 1);
    }
}
