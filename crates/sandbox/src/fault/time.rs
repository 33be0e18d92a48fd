//! Times of the virtual clock in faults: RFC 3339.

use preopen_core::Timestamp;
use serde::{Deserialize as _, Deserializer, Serializer};

#[allow(clippy::ref_option)] // serde passes a reference
pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.serialize_str(&at.to_rfc3339()),
        None => serializer.serialize_none(),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let wrong = || serde::de::Error::custom("must be an RFC 3339 time such as 2026-11-23T11:00:00+05:30");
    Timestamp::parse_rfc3339(&text).map(Some).ok_or_else(wrong)
}
