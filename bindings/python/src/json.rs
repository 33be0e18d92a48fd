//! JSON as Python's own objects. The replies of a broker have the same keys again and again: their strings are made once.

use std::sync::{Mutex, MutexGuard};

use preopen_ffi::preopen::Json;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyNone, PyString};

/// How many keys are kept, each in the one place that its text leads to.
const KEPT: usize = 512;

/// The longest key that is kept, in bytes.
const LONGEST: usize = 32;

type Places = Vec<Option<(Box<str>, Py<PyString>)>>;

static KEYS: Mutex<Places> = Mutex::new(Vec::new());

/// The keys that are kept. Without them, where another thread has them or the code that a garbage collection runs, every
/// string is made anew.
struct Keys(Option<MutexGuard<'static, Places>>);

impl Keys {
    fn borrowed() -> Self {
        let mut places = KEYS.try_lock().ok();
        if let Some(places) = places.as_mut().filter(|places| places.is_empty()) {
            places.resize_with(KEPT, || None);
        }
        Self(places)
    }

    fn get<'py>(&mut self, py: Python<'py>, text: &str) -> Bound<'py, PyString> {
        let places = self.0.as_mut().filter(|_| text.len() <= LONGEST);
        let Some(place) = places.and_then(|places| places.get_mut(place_of(text))) else {
            return PyString::new(py, text);
        };
        match place {
            Some((kept, string)) if **kept == *text => string.bind(py).clone(),
            _ => {
                let string = PyString::new(py, text);
                *place = Some((text.into(), string.clone().unbind()));
                string
            }
        }
    }
}

/// By FNV-1a: keys are short, and those that fall together only take turns.
fn place_of(text: &str) -> usize {
    let mixed = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from(mixed >> 32).unwrap_or_default() % KEPT
}

/// JSON as Python's own objects. Nesting is bounded by the parser that made the value.
pub(crate) fn json<'py>(py: Python<'py>, value: &Json) -> PyResult<Bound<'py, PyAny>> {
    read(py, value, &mut Keys::borrowed())
}

fn read<'py>(py: Python<'py>, value: &Json, keys: &mut Keys) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Json::Null => PyNone::get(py).to_owned().into_any(),
        Json::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Json::String(text) => PyString::new(py, text).into_any(),
        Json::Number(number) => {
            if let Some(whole) = number.as_i64() {
                whole.into_pyobject(py)?.into_any()
            } else if let Some(whole) = number.as_u64() {
                whole.into_pyobject(py)?.into_any()
            } else {
                PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any()
            }
        }
        Json::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(read(py, item, keys)?)?;
            }
            list.into_any()
        }
        Json::Object(members) => {
            let dict = PyDict::new(py);
            for (name, member) in members {
                let member = read(py, member, keys)?;
                dict.set_item(keys.get(py, name), member)?;
            }
            dict.into_any()
        }
    })
}
