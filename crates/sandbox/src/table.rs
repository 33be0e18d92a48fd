//! Collections that remember what changed in them, so that nobody who changes one can forget to have it written. Without
//! a data file they remember nothing.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::mem;
use std::ops::{Deref, DerefMut, Index, IndexMut, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many changes there have been to all that is kept. Whoever has seen a number may answer once that many are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes(Arc<AtomicU64>);

impl Changes {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// Which keys changed since they were taken.
#[derive(Debug)]
struct Kept<K> {
    changed: BTreeSet<K>,
    changes: Changes,
}

impl<K: Ord> Kept<K> {
    fn new(changes: &Changes) -> Self {
        Self {
            changed: BTreeSet::new(),
            changes: changes.clone(),
        }
    }

    fn note(&mut self, key: K) {
        self.changed.insert(key);
        self.changes.add();
    }
}

/// Rows by key, in the order of the keys.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    kept: Option<Kept<K>>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            kept: None,
        }
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn iter(&self) -> btree_map::Iter<'_, K, V> {
        self.rows.iter()
    }

    pub(crate) fn values(&self) -> btree_map::Values<'_, K, V> {
        self.rows.values()
    }

    pub(crate) fn range(&self, keys: impl RangeBounds<K>) -> btree_map::Range<'_, K, V> {
        self.rows.range(keys)
    }

    /// The row to change: it counts as changed, whatever becomes of it.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let row = self.rows.get_mut(key)?;
        if let Some(kept) = &mut self.kept {
            kept.note(key.clone());
        }
        Some(row)
    }

    pub(crate) fn insert(&mut self, key: K, row: V) {
        if let Some(kept) = &mut self.kept {
            kept.note(key.clone());
        }
        self.rows.insert(key, row);
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let row = self.rows.remove(key)?;
        if let Some(kept) = &mut self.kept {
            kept.note(key.clone());
        }
        Some(row)
    }

    /// Removes the row with the smallest key.
    pub(crate) fn pop_first(&mut self) {
        if let Some((key, _)) = self.rows.pop_first()
            && let Some(kept) = &mut self.kept
        {
            kept.note(key);
        }
    }

    pub(crate) fn retain(&mut self, mut wanted: impl FnMut(&K, &V) -> bool) {
        let kept = &mut self.kept;
        self.rows.retain(|key, row| {
            let stays = wanted(key, row);
            if !stays && let Some(kept) = kept {
                kept.note(key.clone());
            }
            stays
        });
    }

    pub(crate) fn clear(&mut self) {
        if self.kept.is_some() {
            self.retain(|_, _| false);
        } else {
            self.rows.clear();
        }
    }

    /// Edits the rows that are wanted; the others do not count as changed.
    pub(crate) fn edit_where(
        &mut self,
        mut wanted: impl FnMut(&K, &V) -> bool,
        mut edit: impl FnMut(&mut V),
    ) {
        for (key, row) in &mut self.rows {
            if wanted(key, row) {
                if let Some(kept) = &mut self.kept {
                    kept.note(key.clone());
                }
                edit(row);
            }
        }
    }

    /// Goes through the rows until one gives something; those that `each` asks to change count as changed.
    pub(crate) fn find_edit<T>(
        &mut self,
        mut each: impl FnMut(&mut RowMut<'_, V>) -> Option<T>,
    ) -> Option<T> {
        for (key, row) in &mut self.rows {
            let mut row = RowMut { row, changed: false };
            let found = each(&mut row);
            if row.changed
                && let Some(kept) = &mut self.kept
            {
                kept.note(key.clone());
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Puts in what a data file held, and remembers changes from here on.
    pub(crate) fn keep(&mut self, rows: BTreeMap<K, V>, changes: &Changes) {
        self.rows = rows;
        self.kept = Some(Kept::new(changes));
    }

    /// What changed since the last time; a row that is gone is `None`.
    pub(crate) fn take_changed(&mut self, mut each: impl FnMut(&K, Option<&V>)) {
        let changed = self.kept.as_mut().map(|kept| mem::take(&mut kept.changed));
        for key in changed.into_iter().flatten() {
            each(&key, self.rows.get(&key));
        }
    }
}

/// A row that may be changed.
#[derive(Debug)]
pub(crate) struct RowMut<'a, V> {
    row: &'a mut V,
    changed: bool,
}

impl<V> Deref for RowMut<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        self.row
    }
}

impl<V> DerefMut for RowMut<'_, V> {
    fn deref_mut(&mut self) -> &mut V {
        self.changed = true;
        self.row
    }
}

/// Rows by position, which are added and changed and never removed.
#[derive(Debug)]
pub(crate) struct Rows<V> {
    rows: Vec<V>,
    kept: Option<Kept<usize>>,
}

impl<V> Default for Rows<V> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            kept: None,
        }
    }
}

impl<V> Rows<V> {
    pub(crate) fn push(&mut self, row: V) {
        if let Some(kept) = &mut self.kept {
            kept.note(self.rows.len());
        }
        self.rows.push(row);
    }

    /// Edits the rows that are wanted; the others do not count as changed.
    pub(crate) fn edit_where(&mut self, mut wanted: impl FnMut(&V) -> bool, mut edit: impl FnMut(&mut V)) {
        for (at, row) in self.rows.iter_mut().enumerate() {
            if wanted(row) {
                if let Some(kept) = &mut self.kept {
                    kept.note(at);
                }
                edit(row);
            }
        }
    }

    /// Fills in what is not kept, which is no change.
    pub(crate) fn restore(&mut self, each: impl FnMut(&mut V)) {
        self.rows.iter_mut().for_each(each);
    }

    /// Puts in what a data file held, and remembers changes from here on.
    pub(crate) fn keep(&mut self, rows: Vec<V>, changes: &Changes) {
        self.rows = rows;
        self.kept = Some(Kept::new(changes));
    }

    /// What changed since the last time.
    pub(crate) fn take_changed(&mut self, mut each: impl FnMut(usize, &V)) {
        let changed = self.kept.as_mut().map(|kept| mem::take(&mut kept.changed));
        for at in changed.into_iter().flatten() {
            each(at, &self.rows[at]);
        }
    }
}

impl<V> Deref for Rows<V> {
    type Target = [V];

    fn deref(&self) -> &[V] {
        &self.rows
    }
}

impl<V> Index<usize> for Rows<V> {
    type Output = V;

    fn index(&self, at: usize) -> &V {
        &self.rows[at]
    }
}

impl<V> IndexMut<usize> for Rows<V> {
    /// The row to change: it counts as changed, whatever becomes of it.
    fn index_mut(&mut self, at: usize) -> &mut V {
        let row = &mut self.rows[at];
        if let Some(kept) = &mut self.kept {
            kept.note(at);
        }
        row
    }
}

/// One value.
#[derive(Debug, Default)]
pub(crate) struct Single<T> {
    value: T,
    kept: Option<Kept<()>>,
}

impl<T> Deref for Single<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Single<T> {
    pub(crate) fn set(&mut self, value: T) {
        if let Some(kept) = &mut self.kept {
            kept.note(());
        }
        self.value = value;
    }

    /// A change that need not be written before anybody is told of it.
    pub(crate) fn set_later(&mut self, value: T) {
        if let Some(kept) = &mut self.kept {
            kept.changed.insert(());
        }
        self.value = value;
    }

    /// Puts in what a data file held, and remembers changes from here on.
    pub(crate) fn keep(&mut self, value: Option<T>, changes: &Changes) {
        if let Some(value) = value {
            self.value = value;
        }
        self.kept = Some(Kept::new(changes));
    }

    /// The value, if it changed since the last time.
    pub(crate) fn take_changed(&mut self) -> Option<&T> {
        let changed = self.kept.as_mut().map(|kept| mem::take(&mut kept.changed));
        changed
            .is_some_and(|changed| !changed.is_empty())
            .then_some(&self.value)
    }
}

impl Single<u64> {
    /// The next number, from 1.
    pub(crate) fn next(&mut self) -> u64 {
        self.set(self.value.saturating_add(1));
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::{Changes, Rows, Single, Table};
    use std::collections::BTreeMap;

    fn taken(table: &mut Table<u64, char>) -> Vec<(u64, Option<char>)> {
        let mut all = Vec::new();
        table.take_changed(|key, row| all.push((*key, row.copied())));
        all
    }

    #[test]
    fn every_way_to_change_a_table_is_remembered_once() {
        let changes = Changes::default();
        let mut table = Table::default();
        table.insert(9, 'z');
        assert!(taken(&mut table).is_empty(), "nothing is kept yet");
        table.keep((1..=6).zip('a'..).collect::<BTreeMap<_, _>>(), &changes);
        assert!(taken(&mut table).is_empty() && changes.count() == 0 && table.get(&9).is_none());
        table.insert(7, 'g');
        *table.get_mut(&1).unwrap() = 'A';
        assert_eq!(table.remove(&2), Some('b'));
        table.retain(|key, _| *key != 3);
        table.edit_where(|key, _| *key == 4, |row| *row = 'D');
        assert!(table.get_mut(&70).is_none() && table.remove(&70).is_none());
        let found = table.find_edit(|row| {
            if **row == 'e' {
                **row = 'E';
            }
            (**row == 'f').then_some(())
        });
        assert!(found.is_some());
        assert_eq!(changes.count(), 6);
        let expected = [
            (1, Some('A')),
            (2, None),
            (3, None),
            (4, Some('D')),
            (5, Some('E')),
            (7, Some('g')),
        ];
        assert_eq!(taken(&mut table), expected);
        assert!(taken(&mut table).is_empty());
        table.pop_first();
        table.clear();
        table.insert(5, 'e');
        let expected = [(1, None), (4, None), (5, Some('e')), (6, None), (7, None)];
        assert_eq!(taken(&mut table), expected);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn rows_and_single_values_are_remembered_too() {
        let changes = Changes::default();
        let mut rows = Rows::default();
        rows.keep(vec!['a', 'b', 'c'], &changes);
        rows.push('d');
        rows[0] = 'A';
        rows.edit_where(|row| *row == 'c', |row| *row = 'C');
        let mut all = Vec::new();
        rows.take_changed(|at, row| all.push((at, *row)));
        assert_eq!(all, [(0, 'A'), (2, 'C'), (3, 'd')]);
        rows.take_changed(|_, _| unreachable!());
        let mut single = Single::<u64>::default();
        single.keep(Some(41_u64), &changes);
        assert_eq!(single.take_changed(), None);
        assert_eq!(single.next(), 42);
        assert_eq!(
            (single.take_changed().copied(), single.take_changed()),
            (Some(42), None)
        );
        assert_eq!(changes.count(), 4);
    }
}
