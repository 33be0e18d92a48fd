//! Values between the languages: text and numbers in, times and flat records out. A wrong type is an `InvalidInput` that
//! names the field.

use preopen_ffi::preopen::{Error, Json, Result, Timestamp};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyFloat, PyInt, PyMapping, PyString, PyTzInfo};
use serde::Serialize;

use crate::json::json;

/// Text of `field`. The error does not quote the value: it may be a secret.
pub(crate) fn text(value: &Bound<'_, PyAny>, field: &str) -> Result<String> {
    text_value(value).map_err(|problem| Error::invalid_input(field, &problem))
}

/// Text, or what is wrong with it.
pub(crate) fn text_value(value: &Bound<'_, PyAny>) -> Result<String, String> {
    let string = value
        .cast::<PyString>()
        .map_err(|_| format!("must be a str, not {}", type_name(value)))?;
    let valid = string.to_cow().map(std::borrow::Cow::into_owned);
    valid.map_err(|_| "holds characters that are not valid Unicode".to_owned())
}

/// `None`, or what `read` makes of the value.
pub(crate) fn optional<T>(
    value: Option<&Bound<'_, PyAny>>,
    field: &str,
    read: impl Fn(&Bound<'_, PyAny>, &str) -> Result<T>,
) -> Result<Option<T>> {
    value.map(|value| read(value, field)).transpose()
}

/// A number of seconds.
pub(crate) fn seconds(value: &Bound<'_, PyAny>, field: &str) -> Result<f64> {
    let number = if value.is_instance_of::<PyBool>() {
        None
    } else {
        value.extract::<f64>().ok()
    };
    number.ok_or_else(|| {
        let problem = format!("must be a number of seconds, not {}", type_name(value));
        Error::invalid_input(field, &problem)
    })
}

/// A whole number that is not negative.
pub(crate) fn whole(value: &Bound<'_, PyAny>, field: &str) -> Result<u64> {
    let number = if value.is_instance_of::<PyBool>() {
        None
    } else {
        value.extract::<u64>().ok()
    };
    number.ok_or_else(|| Error::invalid_input(field, "must be a whole number that is not negative"))
}

/// True or false.
pub(crate) fn flag(value: &Bound<'_, PyAny>, field: &str) -> Result<bool> {
    value
        .cast::<PyBool>()
        .map(PyBoolMethods::is_true)
        .map_err(|_| Error::invalid_input(field, &format!("must be a bool, not {}", type_name(value))))
}

/// A list of texts. A single text is refused: it would be taken letter by letter.
pub(crate) fn texts(value: &Bound<'_, PyAny>, field: &str) -> Result<Vec<String>> {
    let wrong = || Error::invalid_input(field, "must be a list or tuple of str");
    if value.is_instance_of::<PyString>() {
        return Err(wrong());
    }
    let items = value.try_iter().map_err(|_| wrong())?;
    items
        .map(|item| text(&item.map_err(|_| wrong())?, field))
        .collect()
}

/// Pairs of a mapping, each value read by `read`, which says what is wrong with it. Errors name the key.
pub(crate) fn pairs(
    value: &Bound<'_, PyAny>,
    field: &str,
    read: impl Fn(&Bound<'_, PyAny>) -> Result<String, String>,
) -> Result<Vec<(String, String)>> {
    let wrong = || Error::invalid_input(field, &format!("must be a mapping, not {}", type_name(value)));
    let items = value
        .cast::<PyMapping>()
        .map_err(|_| wrong())?
        .items()
        .map_err(|_| wrong())?;
    items
        .iter()
        .map(|item| {
            let (name, value) = item
                .extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()
                .map_err(|_| wrong())?;
            let name = text_value(&name)
                .map_err(|problem| Error::invalid_input(field, &format!("key {problem}")))?;
            let value = read(&value).map_err(|problem| {
                let name: String = name.chars().take(64).collect();
                Error::invalid_input(field, &format!("value of {name:?} {problem}"))
            })?;
            Ok((name, value))
        })
        .collect()
}

/// A query value: text, a whole number, a finite number, or a truth value as `true` or `false`; else what is wrong.
pub(crate) fn query_value(value: &Bound<'_, PyAny>) -> Result<String, String> {
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(flag.is_true().to_string());
    }
    if value.is_instance_of::<PyInt>() {
        let digits = value.str().ok().and_then(|digits| digits.extract().ok());
        return digits.ok_or_else(|| "is a number that cannot be written".to_owned());
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        let number = number.value();
        return if number.is_finite() {
            Ok(number.to_string())
        } else {
            Err(format!("must be a finite number, not {number}"))
        };
    }
    if value.is_instance_of::<PyString>() {
        return text_value(value);
    }
    Err(format!(
        "must be a str, int, float or bool, not {}",
        type_name(value)
    ))
}

/// The name of a value's type, for errors: the value itself may be a secret.
pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    value
        .get_type()
        .name()
        .map_or_else(|_| "that".to_owned(), |name| name.to_string())
}

/// A flat record as a dict.
pub(crate) fn flat<'py>(py: Python<'py>, record: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let value = serde_json::to_value(record).unwrap_or(Json::Null);
    json(py, &value)
}

/// An aware datetime in UTC.
pub(crate) fn utc(py: Python<'_>, at: Timestamp) -> PyResult<Bound<'_, PyDateTime>> {
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of this era have 41 bits")]
    let seconds = at.as_millis() as f64 / 1000.0;
    PyDateTime::from_timestamp(py, seconds, Some(&PyTzInfo::utc(py)?.to_owned()))
}
