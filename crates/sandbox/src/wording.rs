//! What the readers of JSON and TOML say of a value, in words for whoever wrote the value: they speak of variants, of
//! integers' sizes, and of Rust's structures.

/// `must be ..., not ...` for a value that has the wrong kind or is not among those that can be; `None` for every other
/// message, which stays as it is.
pub(crate) fn of_value(message: &str) -> Option<String> {
    if message.starts_with("must ") {
        return Some(message.to_owned());
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let (given, known) = rest.rsplit_once(", expected ")?;
        return Some(format!("must be {known}, not {given}"));
    }
    let rest = ["invalid type: ", "invalid value: "]
        .into_iter()
        .find_map(|kind| message.strip_prefix(kind))?;
    let (given, wanted) = rest.rsplit_once(", expected ")?;
    Some(format!(
        "must be {}, not {}",
        kind_wanted(wanted),
        value_given(given)
    ))
}

/// The field that a message says is unknown, missing or there twice, and what to say of it.
pub(crate) fn of_field(message: &str) -> Option<(&str, String)> {
    if let Some(rest) = message.strip_prefix("missing field `") {
        return Some((rest.strip_suffix('`')?, "is missing".to_owned()));
    }
    if let Some(rest) = message.strip_prefix("duplicate field `") {
        return Some((rest.strip_suffix('`')?, "is given twice".to_owned()));
    }
    let (field, known) = message
        .strip_prefix("unknown field `")?
        .rsplit_once("`, expected ")?;
    Some((field, format!("is not a field here: use {known}")))
}

fn kind_wanted(wanted: &str) -> &str {
    match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i64" => "a whole number",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a map" => "an object",
        "a sequence" => "a list",
        _ if wanted.starts_with("struct ") => "an object",
        _ => wanted,
    }
}

fn value_given(given: &str) -> &str {
    let number = ["integer `", "floating point `", "boolean `"]
        .into_iter()
        .find_map(|kind| given.strip_prefix(kind))
        .and_then(|rest| rest.strip_suffix('`'));
    match given {
        "map" => "an object",
        "sequence" => "a list",
        _ => number.unwrap_or_else(|| given.strip_prefix("string ").unwrap_or(given)),
    }
}

#[cfg(test)]
mod tests {
    use super::{of_field, of_value};
    use crate::fault::Fault;

    /// What serde really says, so that another version of it is noticed here.
    fn said(text: &str) -> String {
        let error = serde_json::from_str::<serde_json::Value>(text)
            .and_then(serde_json::from_value::<Fault>)
            .unwrap_err();
        error.to_string()
    }

    #[test]
    fn values_and_fields_are_told_without_the_parser_s_words() {
        let with = |field: &str| format!(r#"{{"broker": "samco", "path": "/x", {field}}}"#);
        for (text, expected) in [
            (
                r#"{"broker": "zerodha", "path": "/x"}"#.to_owned(),
                "must be `samco` or `angelone`, not `zerodha`",
            ),
            (
                with(r#""reset": "now""#),
                "must be `before` or `after`, not `now`",
            ),
            (
                with(r#""body_kind": "xml""#),
                "must be one of `html`, `empty`, `truncated`, `large`, `gzip_bomb`, `malformed`, not `xml`",
            ),
            (
                with(r#""status": "503""#),
                r#"must be a whole number from 0 to 65535, not "503""#,
            ),
            (
                with(r#""status": 70000"#),
                "must be a whole number from 0 to 65535, not 70000",
            ),
            (
                with(r#""delay_ms": 1.5"#),
                "must be a whole number, 0 or more, not 1.5",
            ),
            (with(r#""probability": []"#), "must be a number, not a list"),
            (with(r#""duplicate": 1"#), "must be true or false, not 1"),
            (with(r#""headers": "x""#), r#"must be an object, not "x""#),
            (
                with(r#""from": "noon""#),
                "must be an RFC 3339 time such as 2026-11-23T11:00:00+05:30",
            ),
        ] {
            assert_eq!(of_value(&said(&text)).as_deref(), Some(expected), "{text}");
        }
        let unknown = said(&with(r#""staus": 1"#));
        let (field, problem) = of_field(&unknown).unwrap();
        assert_eq!(field, "staus");
        assert!(
            problem.starts_with("is not a field here: use one of `broker`, `path`"),
            "{problem}"
        );
        let missing = said(r#"{"broker": "samco"}"#);
        assert_eq!(of_field(&missing), Some(("path", "is missing".to_owned())));
    }
}
