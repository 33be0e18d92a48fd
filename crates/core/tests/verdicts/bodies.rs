//! Random replies to a login: torn, changed, of a gateway, and envelopes that nearly say something that ends logins.

use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) fn status() -> impl Strategy<Value = u16> {
    prop_oneof![
        4 => prop::sample::select(&[200_u16, 400, 401, 403, 404, 429, 500, 502, 503]),
        1 => 100_u16..600,
    ]
}

pub(crate) fn content_type() -> impl Strategy<Value = Option<String>> {
    const KNOWN: &[&str] = &["application/json", "text/html; charset=utf-8", "text/plain", ""];
    prop::option::of(prop::sample::select(KNOWN).prop_map(str::to_owned))
}

/// A text, a near miss of a listed one, or a listed one in other company.
fn word(rows: impl Iterator<Item = (&'static str, &'static str)>) -> BoxedStrategy<String> {
    let known: Vec<String> = rows
        .flat_map(|(code, text)| [code.to_owned(), text.to_owned()])
        .filter(|text| !text.is_empty())
        .collect();
    let known = prop::sample::select(known);
    prop_oneof![
        2 => known.clone(),
        2 => (known.clone(), any::<prop::sample::Index>(), "[ -~]").prop_map(|(text, at, byte)| {
            let at = at.index(text.len());
            format!("{}{byte}{}", &text[..at], &text[at + 1..])
        }),
        1 => (known, "[ -~]{0,9}").prop_map(|(text, before)| format!("{before}{text}")),
        1 => "[ -~]{0,30}",
        1 => Just("null".to_owned()),
    ]
    .boxed()
}

fn value(word: BoxedStrategy<String>) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        6 => word.prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..4).prop_map(object),
        ]
    })
    .boxed()
}

fn key() -> BoxedStrategy<String> {
    const KNOWN: &[&str] = &[
        "status",
        "success",
        "errorcode",
        "errorCode",
        "code",
        "message",
        "statusMessage",
        "statusMsg",
        "errorMessage",
        "validationErrors",
        "data",
        "jwtToken",
        "sessionToken",
        "serverTime",
        "msgId",
    ];
    prop_oneof![8 => prop::sample::select(KNOWN).prop_map(str::to_owned), 1 => "[a-z]{0,9}"].boxed()
}

fn object(members: Vec<(String, Value)>) -> Value {
    Value::Object(members.into_iter().collect())
}

/// Bodies of all kinds, whose texts are near to those of `rows`.
pub(crate) fn bodies(
    rows: impl Iterator<Item = (&'static str, &'static str)>,
) -> impl Strategy<Value = Vec<u8>> {
    let word = word(rows);
    let value = value(word.clone());
    let envelope = prop::collection::vec((key(), value.clone()), 0..7)
        .prop_map(object)
        .boxed();
    let flag = prop_oneof![
        Just(json!(false)),
        Just(json!("Failure")),
        Just(json!("false")),
        Just(json!(null))
    ];
    let refusal = (envelope.clone(), flag).prop_map(|(mut body, flag)| {
        body["status"] = flag;
        body
    });
    let json = prop_oneof![2 => refusal, 1 => envelope, 1 => value]
        .prop_map(|json| json.to_string())
        .boxed();
    prop_oneof![
        6 => json.clone().prop_map(String::into_bytes),
        // Torn, and with a byte changed on the way.
        2 => (json.clone(), any::<prop::sample::Index>()).prop_map(|(text, end)| {
            text.as_bytes()[..end.index(text.len())].to_vec()
        }),
        2 => (json, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        }),
        1 => word.clone().prop_map(String::into_bytes),
        1 => word.prop_map(|text| format!("<html><body>{text}</body></html>").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}
