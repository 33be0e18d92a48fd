//! The payload of a reply: a tree, or the place in the reply's body where it stands until somebody looks.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use serde::de::value::{CowStrDeserializer, UnitDeserializer};
use serde::de::{Deserialize as _, DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use crate::outline::{Is, pass_over};

/// Where a reply's data stands in its body, an object of which no name comes twice.
///
/// ```
/// use preopen_core::envelope::{DataPlace, Reply};
///
/// /// For a parser of another language.
/// fn told(reply: &Reply) -> String {
///     match reply.data_place() {
///         Some(DataPlace::Member(name)) => format!("the member {name} of {}", reply.text()),
///         Some(DataPlace::Without(names)) => format!("{} without {names:?}", reply.text()),
///         None => reply.data().to_string(),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPlace {
    /// The value of this member, and `null` where there is none.
    Member(&'static str),
    /// The object itself without these members.
    Without(&'static [&'static str]),
}

/// A reply's data. A body that it stands in was checked as a whole.
#[derive(Clone)]
pub(crate) struct Data {
    tree: OnceLock<Value>,
    place: Option<DataPlace>,
}

impl Data {
    pub(crate) fn at(place: DataPlace) -> Self {
        Self {
            tree: OnceLock::new(),
            place: Some(place),
        }
    }

    /// Where it stands, if it was not read as a tree with its reply.
    pub(crate) fn place(&self) -> Option<DataPlace> {
        self.place
    }

    pub(crate) fn tree(&self, body: &str) -> &Value {
        // What was checked can be read.
        self.tree
            .get_or_init(|| self.read(body, std::marker::PhantomData).unwrap_or_default())
    }

    pub(crate) fn into_tree(self, body: &str) -> Value {
        self.tree(body);
        self.tree.into_inner().unwrap_or_default()
    }

    pub(crate) fn read<'de, S: DeserializeSeed<'de>>(
        &'de self,
        body: &'de str,
        seed: S,
    ) -> serde_json::Result<S::Value> {
        match (self.tree.get(), self.place) {
            (Some(tree), _) => seed.deserialize(tree),
            (None, None) => seed.deserialize(Value::Null),
            (None, Some(DataPlace::Member(name))) => {
                serde_json::Deserializer::from_str(body).deserialize_map(MemberOf { name, seed })
            }
            (None, Some(DataPlace::Without(names))) => seed.deserialize(Without {
                names,
                inner: &mut serde_json::Deserializer::from_str(body),
            }),
        }
    }
}

impl From<Value> for Data {
    fn from(tree: Value) -> Self {
        Self {
            tree: tree.into(),
            place: None,
        }
    }
}

/// Reads one member of an object.
struct MemberOf<S> {
    name: &'static str,
    seed: S,
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for MemberOf<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<S::Value, A::Error> {
        while let Some(is_it) = entries.next_key_seed(Is(self.name))? {
            if !is_it {
                pass_over(&mut entries)?;
                continue;
            }
            let value = entries.next_value_seed(self.seed)?;
            while entries.next_key_seed(Is(self.name))?.is_some() {
                pass_over(&mut entries)?;
            }
            return Ok(value);
        }
        self.seed.deserialize(UnitDeserializer::new())
    }
}

/// An object as if it had no members of these names.
struct Without<D> {
    names: &'static [&'static str],
    inner: D,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Without<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, inner: V) -> Result<V::Value, D::Error> {
        let names = self.names;
        self.inner.deserialize_map(Without { names, inner })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    /// By way of a tree, which alone tells an enum's variants apart as `serde_json` does.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let tree = Value::deserialize(self)?;
        tree.deserialize_enum(name, variants, visitor)
            .map_err(D::Error::custom)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Without<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let names = self.names;
        self.inner.visit_map(Without { names, inner })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Without<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.inner.next_key_seed(Name)? {
            if !self.names.contains(&&*name) {
                return seed.deserialize(CowStrDeserializer::new(name)).map(Some);
            }
            pass_over(&mut self.inner)?;
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}

/// A name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Data, DataPlace};
    use serde::Deserialize;
    use serde_json::{Value, json};
    use std::marker::PhantomData;

    const BODY: &str =
        r#" {"status": "ok", "m\u0073g": [1], "data": {"a": [1, {"b": 1.5}], "a": 2}, "z": "é"} "#;
    const MEMBER: DataPlace = DataPlace::Member("data");
    const WITHOUT: DataPlace = DataPlace::Without(&["status", "msg"]);

    #[test]
    fn data_is_found_where_it_stands() {
        for (place, found) in [
            (MEMBER, json!({"a": 2})),
            (DataPlace::Member("z"), json!("é")),
            (DataPlace::Member("none"), Value::Null),
            (WITHOUT, json!({"data": {"a": 2}, "z": "é"})),
            (DataPlace::Without(&["none"]), serde_json::from_str(BODY).unwrap()),
        ] {
            let data = Data::at(place);
            assert_eq!(data.read(BODY, PhantomData::<Value>).unwrap(), found, "{place:?}");
            assert!(data.tree.get().is_none());
            assert_eq!(data.tree(BODY), &found, "{place:?}");
            assert_eq!(data.clone().into_tree(BODY), found);
            assert_eq!(
                data.read("", PhantomData::<Value>).unwrap(),
                found,
                "what is a tree is kept"
            );
        }
        assert_eq!(
            Data::at(WITHOUT).tree(BODY).to_string(),
            r#"{"data":{"a":2},"z":"é"}"#
        );
    }

    #[test]
    fn data_is_read_into_types() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Found<'a> {
            z: &'a str,
        }
        #[derive(Debug, Deserialize, PartialEq)]
        #[serde(rename_all = "lowercase")]
        enum One {
            Z(String),
        }
        let data = Data::at(WITHOUT);
        assert_eq!(
            data.read(BODY, PhantomData::<Found<'_>>).unwrap(),
            Found { z: "é" }
        );
        let optional = data.read(BODY, PhantomData::<Option<Found<'_>>>);
        assert_eq!(optional.unwrap(), Some(Found { z: "é" }));
        assert!(data.read(BODY, PhantomData::<Vec<u8>>).is_err());
        let data = Data::at(DataPlace::Without(&["status", "msg", "data"]));
        assert_eq!(
            data.read(BODY, PhantomData::<One>).unwrap(),
            One::Z("é".to_owned())
        );
        let none = Data::at(DataPlace::Member("none"));
        assert_eq!(none.read(BODY, PhantomData::<Option<Found<'_>>>).unwrap(), None);
        assert!(Data::from(json!([1])).read("", PhantomData::<Vec<u8>>).is_ok());
    }
}
