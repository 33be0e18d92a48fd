//! JSON as Python's own objects. The replies of a broker have the same keys again and again: their strings are made once.

use std::fmt;
use std::sync::{Mutex, MutexGuard};

use preopen_ffi::preopen::{Json, Reply};
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyNone, PyString};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

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
    made(py, |objects| objects.deserialize(value))
}

/// A reply's data as Python's own objects, straight from its text where it was left there.
pub(crate) fn data<'py>(py: Python<'py>, reply: &Reply) -> PyResult<Bound<'py, PyAny>> {
    made(py, |objects| reply.deserialize_seed(objects))
}

fn made<'py>(
    py: Python<'py>,
    read: impl FnOnce(Objects<'_, 'py>) -> serde_json::Result<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (mut keys, mut failed) = (Keys::borrowed(), None);
    let objects = Objects {
        py,
        keys: &mut keys,
        failed: &mut failed,
    };
    let made = read(objects);
    made.map_err(|error| failed.unwrap_or_else(|| PyValueError::new_err(error.to_string())))
}

/// Makes Python's objects of whatever is read.
struct Objects<'a, 'py> {
    py: Python<'py>,
    keys: &'a mut Keys,
    /// What Python refused, if it did.
    failed: &'a mut Option<PyErr>,
}

impl<'py> Objects<'_, 'py> {
    fn within(&mut self) -> Objects<'_, 'py> {
        Objects {
            py: self.py,
            keys: &mut *self.keys,
            failed: &mut *self.failed,
        }
    }

    /// Notes what Python refused: the reader's own error has no room for it.
    fn noted<T, E: serde::de::Error>(&mut self, result: PyResult<T>) -> Result<T, E> {
        result.map_err(|error| {
            *self.failed = Some(error);
            E::custom("Python has no room for it")
        })
    }

    fn number<E, N>(mut self, number: N) -> Result<Bound<'py, PyAny>, E>
    where
        E: serde::de::Error,
        N: IntoPyObject<'py>,
        N::Error: Into<PyErr>,
    {
        let made = number.into_bound_py_any(self.py);
        self.noted(made)
    }
}

impl<'de, 'py> DeserializeSeed<'de> for Objects<'_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for Objects<'_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(PyNone::get(self.py).to_owned().into_any())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(PyBool::new(self.py, flag).to_owned().into_any())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.number(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.number(number)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(PyFloat::new(self.py, number).into_any())
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(PyString::new(self.py, text).into_any())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Self::Value, A::Error> {
        let list = PyList::empty(self.py);
        while let Some(item) = items.next_element_seed(self.within())? {
            self.noted(list.append(item))?;
        }
        Ok(list.into_any())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Self::Value, A::Error> {
        let dict = PyDict::new(self.py);
        while let Some(name) = entries.next_key_seed(Name(self.within()))? {
            let value = entries.next_value_seed(self.within())?;
            // Of a name that comes twice the last value counts, in the place of the first.
            self.noted(dict.set_item(name, value))?;
        }
        Ok(dict.into_any())
    }
}

/// A name, of those that are kept if it is one of them.
struct Name<'a, 'py>(Objects<'a, 'py>);

impl<'de, 'py> DeserializeSeed<'de> for Name<'_, 'py> {
    type Value = Bound<'py, PyString>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl<'py> Visitor<'_> for Name<'_, 'py> {
    type Value = Bound<'py, PyString>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.keys.get(self.0.py, name))
    }
}
