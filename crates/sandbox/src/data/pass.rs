//! The way of a collection into the data file and back. Each collection is named once, in one list for both directions.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::table::{Changes, Rows, Single, Table};

/// What a data file holds: bodies by key, by room.
pub(super) type Records = BTreeMap<String, BTreeMap<String, String>>;

/// A record that is to be written; without a body it is to be removed.
#[derive(Debug)]
pub(crate) struct Change {
    pub(super) room: &'static str,
    pub(super) key: String,
    pub(super) body: Option<String>,
}

/// A record that cannot be read, or a row that cannot be written. It tells no content.
#[derive(Debug)]
pub(crate) struct Damage {
    room: String,
    key: String,
    reason: String,
}

impl Damage {
    pub(crate) fn new(room: &str, key: &str, reason: impl fmt::Display) -> Self {
        Self {
            room: room.to_owned(),
            key: key.chars().take(80).collect(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} {}: {}", self.room, self.key, self.reason)
    }
}

/// One walk over all collections.
#[derive(Debug)]
pub(crate) enum Pass<'a> {
    /// Puts in what the file holds, and has changes remembered from here on.
    Load(&'a mut Records, &'a Changes),
    /// Takes out what changed.
    Save(&'a mut Vec<Change>),
}

impl Pass<'_> {
    pub(crate) fn table<K, V>(&mut self, room: &'static str, table: &mut Table<K, V>) -> Result<(), Damage>
    where
        K: Key,
        V: Serialize + DeserializeOwned,
    {
        match self {
            Self::Load(records, changes) => {
                let mut rows = BTreeMap::new();
                for (text, body) in records.remove(room).unwrap_or_default() {
                    let key =
                        K::read(&text).ok_or_else(|| Damage::new(room, &text, "the key is unreadable"))?;
                    rows.insert(key, read(room, &text, &body)?);
                }
                table.keep(rows, changes);
                Ok(())
            }
            Self::Save(list) => {
                let mut outcome = Ok(());
                table.take_changed(|key, row| match write(room, key.write(), row) {
                    Ok(change) => list.push(change),
                    Err(damage) => outcome = Err(damage),
                });
                outcome
            }
        }
    }

    pub(crate) fn rows<V>(&mut self, room: &'static str, rows: &mut Rows<V>) -> Result<(), Damage>
    where
        V: Serialize + DeserializeOwned,
    {
        match self {
            Self::Load(records, changes) => {
                let mut found = BTreeMap::new();
                for (text, body) in records.remove(room).unwrap_or_default() {
                    let at = usize::read(&text)
                        .ok_or_else(|| Damage::new(room, &text, "the key is unreadable"))?;
                    found.insert(at, read(room, &text, &body)?);
                }
                // They are in order, so the last one tells whether one is missing.
                if let Some((last, _)) = found.last_key_value()
                    && *last + 1 != found.len()
                {
                    return Err(Damage::new(room, &last.to_string(), "one before it is missing"));
                }
                rows.keep(found.into_values().collect(), changes);
                Ok(())
            }
            Self::Save(list) => {
                let mut outcome = Ok(());
                rows.take_changed(|at, row| match write(room, at.write(), Some(row)) {
                    Ok(change) => list.push(change),
                    Err(damage) => outcome = Err(damage),
                });
                outcome
            }
        }
    }

    pub(crate) fn single<T>(&mut self, room: &'static str, single: &mut Single<T>) -> Result<(), Damage>
    where
        T: Serialize + DeserializeOwned,
    {
        match self {
            Self::Load(records, changes) => {
                let body = records.remove(room).and_then(|mut records| records.remove(""));
                let value = body.map(|body| read(room, "", &body)).transpose()?;
                single.keep(value, changes);
            }
            Self::Save(list) => {
                if let Some(value) = single.take_changed() {
                    list.push(write(room, String::new(), Some(value))?);
                }
            }
        }
        Ok(())
    }
}

fn read<V: DeserializeOwned>(room: &str, key: &str, body: &str) -> Result<V, Damage> {
    // What serde says may quote the body.
    serde_json::from_str(body).map_err(|_| Damage::new(room, key, "its body is unreadable"))
}

fn write<V: Serialize>(room: &'static str, key: String, row: Option<&V>) -> Result<Change, Damage> {
    let body = row.map(serde_json::to_string).transpose();
    let body = body.map_err(|error| Damage::new(room, &key, error))?;
    Ok(Change { room, key, body })
}

/// A key as text.
pub(crate) trait Key: Ord + Clone {
    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

macro_rules! plain_keys {
    ($($key:ty),*) => {$(
        impl Key for $key {
            fn write(&self) -> String {
                self.to_string()
            }

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}

plain_keys!(u64, usize, String);

impl<A: Key, B: Key> Key for (A, B) {
    fn write(&self) -> String {
        format!("{}/{}", self.0.write(), self.1.write())
    }

    fn read(text: &str) -> Option<Self> {
        let (first, second) = text.split_once('/')?;
        Some((A::read(first)?, B::read(second)?))
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Pass, Records};
    use crate::table::{Changes, Rows, Single, Table};

    type Kept = (Table<(usize, u64), String>, Rows<u8>, Single<u64>);

    fn walk(kept: &mut Kept, mut pass: Pass<'_>) -> Result<(), super::Damage> {
        pass.table("table", &mut kept.0)?;
        pass.rows("rows", &mut kept.1)?;
        pass.single("single", &mut kept.2)
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let changes = Changes::default();
        let mut kept = Kept::default();
        walk(&mut kept, Pass::Load(&mut Records::new(), &changes)).unwrap();
        kept.0.insert((3, 4), "four".to_owned());
        kept.0.insert((3, 5), "five".to_owned());
        kept.0.remove(&(3, 5));
        (0..12).for_each(|number| kept.1.push(number));
        kept.2.next();
        let mut list = Vec::new();
        walk(&mut kept, Pass::Save(&mut list)).unwrap();
        let mut records = Records::new();
        for change in list {
            if let Some(body) = change.body {
                records
                    .entry(change.room.to_owned())
                    .or_default()
                    .insert(change.key, body);
            }
        }
        let mut again = Kept::default();
        walk(&mut again, Pass::Load(&mut records, &changes)).unwrap();
        assert!(records.is_empty());
        assert_eq!(
            again.0.iter().collect::<Vec<_>>(),
            [(&(3, 4), &"four".to_owned())]
        );
        assert_eq!((again.1.to_vec(), *again.2), ((0..12).collect(), 1));
        assert_eq!(<(usize, u64)>::read("3/"), None);
    }

    #[test]
    fn damage_is_named_without_content() {
        let damage = |room: &str, key: &str, body: &str| {
            let record = [(key.to_owned(), body.to_owned())].into();
            let mut records = Records::from([(room.to_owned(), record)]);
            let changes = Changes::default();
            walk(&mut Kept::default(), Pass::Load(&mut records, &changes))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            damage("table", "3/4", "[CANARY]"),
            "record table 3/4: its body is unreadable"
        );
        assert_eq!(damage("table", "x", "1"), "record table x: the key is unreadable");
        assert_eq!(
            damage("rows", "1", "1"),
            "record rows 1: one before it is missing"
        );
    }
}
