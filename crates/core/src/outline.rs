//! What a reply says about itself, read without making a tree of its payload. All of its JSON is checked, as strictly as
//! where everything is kept: numbers, escapes, nesting and what comes after it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What is kept of one member of a reply.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// Its value.
    Value,
    /// That it is there: its value is `null` in the outline.
    Name,
    /// This member of it alone if it is an object that has one, and `null` otherwise.
    Member(&'static str),
}

/// The outline of an object; `None` where only the whole tree tells more: of what is no valid JSON or no object, and where a
/// name comes twice.
pub(crate) fn outline(body: &[u8], keep: fn(&str) -> Keep) -> Option<Value> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let members = json.deserialize_map(Object(keep)).ok()?;
    json.end().ok()?;
    Some(Value::Object(members))
}

struct Object(fn(&str) -> Keep);

impl<'de> Visitor<'de> for Object {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut kept = Map::new();
        while let Some((name, keep)) = entries.next_key_seed(Name(self.0))? {
            let value = match keep {
                Keep::Value => entries.next_value()?,
                Keep::Name => {
                    entries.next_value_seed(Checked)?;
                    Value::Null
                }
                Keep::Member(name) => entries.next_value_seed(MemberOf(name))?,
            };
            if kept.insert(name, value).is_some() {
                return Err(A::Error::custom("a name comes twice"));
            }
        }
        Ok(kept)
    }
}

/// A name, and what is kept of its value.
struct Name(fn(&str) -> Keep);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = (String, Keep);

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = (String, Keep);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok((name.to_owned(), self.0(name)))
    }
}

/// An object with the member of this name alone; `null` without one.
struct MemberOf(&'static str);

impl<'de> DeserializeSeed<'de> for MemberOf {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Value, D::Error> {
        value.deserialize_any(self)
    }
}

/// Whether a name is this one.
pub(crate) struct Is(pub(crate) &'static str);

impl<'de> DeserializeSeed<'de> for Is {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<bool, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Is {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// JSON that is looked at and not kept. `IgnoredAny` would let numbers, escapes and nesting through that a tree refuses.
struct Checked;

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

/// The visits to a scalar, of which nothing is kept.
macro_rules! scalars {
    ($nothing:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($nothing)
        }
    };
}

impl<'de> Visitor<'de> for Checked {
    type Value = ();

    scalars!(());

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_key_seed(Self)?.is_some() {
            entries.next_value_seed(Self)?;
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for MemberOf {
    type Value = Value;

    scalars!(Value::Null);

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Value, A::Error> {
        Checked.visit_seq(items).map(|()| Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut found = Value::Null;
        while let Some(is_it) = entries.next_key_seed(Is(self.0))? {
            if is_it {
                // Of a name that comes twice the last value counts.
                found = Value::Object(Map::from_iter([(self.0.to_owned(), entries.next_value()?)]));
            } else {
                entries.next_value_seed(Checked)?;
            }
        }
        Ok(found)
    }
}

/// Passes over what was checked before.
pub(crate) fn pass_over<'de, A: MapAccess<'de>>(entries: &mut A) -> Result<(), A::Error> {
    entries.next_value::<IgnoredAny>().map(drop)
}

#[cfg(test)]
mod tests {
    use super::{Keep, outline};
    use serde_json::{Value, json};

    fn keep(name: &str) -> Keep {
        match name {
            "status" => Keep::Value,
            "data" => Keep::Member("unfetched"),
            _ => Keep::Name,
        }
    }

    #[test]
    fn an_outline_has_every_name_and_no_payload() {
        for (text, found) in [
            (
                r#" {"status": [1, {"a": 2}], "payload": {"b": [1]}, "data": {"fetched": [1], "unfetched": [2]}} "#,
                json!({"status": [1, {"a": 2}], "payload": null, "data": {"unfetched": [2]}}),
            ),
            (r#"{"data": [1, {}]}"#, json!({"data": null})),
            (r#"{"data": {"fetched": 1}}"#, json!({"data": null})),
            (
                r#"{"data": {"unfetched": 1, "x": 2, "unfetched": 3}}"#,
                json!({"data": {"unfetched": 3}}),
            ),
            (r#"{"st\u0061tus": "x"}"#, json!({"status": "x"})),
            ("{}", json!({})),
        ] {
            assert_eq!(outline(text.as_bytes(), keep), Some(found), "{text}");
        }
    }

    #[test]
    fn a_name_that_comes_twice_has_no_outline() {
        for text in [
            r#"{"status": 1, "status": 2}"#,
            r#"{"x": 1, "\u0078": 2}"#,
            r#"{"data": 1, "data": 2}"#,
        ] {
            assert_eq!(outline(text.as_bytes(), keep), None, "{text}");
        }
    }

    /// Bodies that `serde_json` refuses, though it would let them pass where it ignores a value.
    #[test]
    fn what_a_tree_refuses_has_no_outline_wherever_it_stands() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let (deepest, too_deep) = (deep(126), deep(127));
        let refused = [
            "1e400",
            r#""\ud800""#,
            r#""\udc00x""#,
            "01",
            "-",
            "tru",
            "\"\n\"",
            "[1,]",
            &too_deep,
        ];
        let taken = ["1e300", r#""\ud83d\ude00""#, "18446744073709551616", &deepest];
        for place in [
            r#"{"x": $}"#,
            r#"{"status": $}"#,
            r#"{"data": $}"#,
            r#"{"x": {"data": $}}"#,
            r#"{"data": {"x": $}}"#,
            r#"{"data": {"unfetched": $}}"#,
            r#"{"data": [$]}"#,
        ] {
            for (values, readable) in [(&refused[..], false), (&taken[..], true)] {
                for value in values {
                    let text = place.replace('$', value);
                    let tree = serde_json::from_str::<Value>(&text);
                    // A level more than the place itself has.
                    let nested = *value == deepest.as_str() && place.matches(['{', '[']).count() > 1;
                    assert_eq!(tree.is_ok(), readable && !nested, "{text}");
                    assert_eq!(outline(text.as_bytes(), keep).is_some(), tree.is_ok(), "{text}");
                }
            }
        }
        for text in ["", "[]", "1", "{} x", r#"{"x": 1"#, "\u{c}{}", r#"{"\ud800": 1}"#] {
            assert_eq!(outline(text.as_bytes(), keep), None, "{text}");
        }
        for bytes in [
            &b"{\"x\": \"\xff\"}"[..],
            b"{\"\xff\": 1}",
            b"{\"x\": {\"\xff\": 1}}",
        ] {
            assert_eq!(outline(bytes, keep), None);
        }
    }
}
