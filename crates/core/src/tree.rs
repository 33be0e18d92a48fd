//! JSON trees that are wiped: those of replies that may hold secrets.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use zeroize::Zeroize as _;

use crate::data::DataPlace;
use crate::outline::{Keep, outline};

/// A JSON tree whose texts are wiped when it is dropped, also when it is dropped half-read.
#[derive(Default)]
pub(crate) struct WipedTree(Value);

/// The JSON of one reply, wiped when it is dropped if the reply was sensitive.
pub(crate) struct Tree {
    value: Value,
    sensitive: bool,
}

impl Tree {
    /// Reads a reply's body.
    pub(crate) fn read(body: &[u8], sensitive: bool) -> serde_json::Result<Self> {
        let value = if sensitive {
            serde_json::from_slice::<WipedTree>(body)?.take()
        } else {
            serde_json::from_slice(body)?
        };
        Ok(Self { value, sensitive })
    }

    /// The outline of a reply's body, which holds no secret. `None` where the whole of it must be read.
    pub(crate) fn outline(body: &[u8], keep: fn(&str) -> Keep) -> Option<Self> {
        let value = outline(body, keep)?;
        let sensitive = false;
        Some(Self { value, sensitive })
    }

    /// Takes a key's value out, as sensitive as the tree.
    pub(crate) fn remove(&mut self, key: &str) -> Self {
        let value = self.value.as_object_mut().and_then(|map| map.shift_remove(key));
        Self {
            value: value.unwrap_or_default(),
            sensitive: self.sensitive,
        }
    }

    /// The data of the reply that this is, without the wiping: for a caller who asked for it.
    pub(crate) fn into_data(mut self, place: DataPlace) -> Value {
        match place {
            DataPlace::Member(name) => self = self.remove(name),
            DataPlace::Without(names) => names.iter().for_each(|name| drop(self.remove(name))),
        }
        std::mem::take(&mut self.value)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if self.sensitive {
            wipe(&mut self.value);
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tree(**redacted**)")
    }
}

impl Deref for Tree {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

impl DerefMut for Tree {
    fn deref_mut(&mut self) -> &mut Value {
        &mut self.value
    }
}

impl WipedTree {
    fn take(mut self) -> Value {
        std::mem::take(&mut self.0)
    }
}

impl Drop for WipedTree {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => {
            for (mut key, mut value) in std::mem::take(map) {
                key.zeroize();
                wipe(&mut value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl<'de> Deserialize<'de> for WipedTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// Builds the tree as `Value` does, but out of parts that are wiped if the rest cannot be read.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = WipedTree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<WipedTree, E> {
        Ok(WipedTree(Value::Null))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<WipedTree, E> {
        Ok(WipedTree(flag.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<WipedTree, E> {
        Ok(WipedTree(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<WipedTree, E> {
        Ok(WipedTree(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<WipedTree, E> {
        Ok(WipedTree(
            Number::from_f64(number).map_or(Value::Null, Value::Number),
        ))
    }

    fn visit_str<E>(self, text: &str) -> Result<WipedTree, E> {
        Ok(WipedTree(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<WipedTree, A::Error> {
        let mut read: Vec<WipedTree> = Vec::new();
        while let Some(item) = items.next_element()? {
            read.push(item);
        }
        Ok(WipedTree(read.into_iter().map(WipedTree::take).collect()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<WipedTree, A::Error> {
        let mut read: Vec<(String, WipedTree)> = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            read.push(entry);
        }
        let mut map = Map::with_capacity(read.len());
        for (key, value) in read {
            // Of a key that comes twice the last value counts.
            drop(map.insert(key, value.take()).map(WipedTree));
        }
        Ok(WipedTree(Value::Object(map)))
    }
}

#[cfg(test)]
mod tests {
    use super::Tree;
    use serde_json::Value;

    #[test]
    fn a_wiped_tree_reads_what_serde_json_reads() {
        for text in [
            r#"{"a":[1,-2,2.5,1e300,true,null,"x\n\u00e9",{}],"b":{"c":{"d":[[]]}},"a2":18446744073709551615}"#,
            r#"{"a":1,"b":2,"a":3}"#,
            "[]",
            r#"{"a":"#,
            r#"{"a":1}x"#,
            "nul",
        ] {
            let plain = serde_json::from_str::<Value>(text);
            match (Tree::read(text.as_bytes(), true), plain) {
                (Ok(read), Ok(plain)) => assert_eq!(*read, plain, "{text}"),
                (Err(read), Err(plain)) => assert_eq!(read.to_string(), plain.to_string(), "{text}"),
                (read, plain) => panic!("{text}: {read:?} against {plain:?}"),
            }
        }
    }
}
