//! Secrets that are asked for: Python calls the user's callback, and answers here. Which thread or event loop it runs on
//! is decided in `preopen._ask`.

use std::sync::{Mutex, PoisonError};

use preopen_ffi::preopen::runtime::Asking;
use preopen_ffi::preopen::{Ask, Secret};
use preopen_ffi::{Prompt as RustPrompt, ask};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyWeakrefReference};

use crate::convert::{text_value, type_name};
use crate::gate::Pass;

/// `preopen._ask.asking`, which knows the question that the code which runs here answers.
static ASKING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The login that waits for the code which runs here, if one does.
pub(crate) fn asking(py: Python<'_>) -> PyResult<Option<Asking>> {
    let prompt: Option<PyRef<'_, Prompt>> = asker(py)?.call0()?.extract()?;
    // What a callback left running may go on after its answer.
    Ok(prompt
        .filter(|prompt| prompt.is_open())
        .map(|prompt| prompt.asking))
}

/// What tells it, kept from the first time on.
pub(crate) fn asker(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    ASKING.import(py, "preopen._ask", "asking")
}

/// A callback for `field`, which `callbacks` calls. They belong to the session's Python object, which is not kept alive
/// from here: only so can Python free a callback that refers to its own session.
pub(crate) fn ask_of(callbacks: &Bound<'_, PyAny>, field: &'static str) -> PyResult<Ask> {
    let callbacks = PyWeakrefReference::new(callbacks)?.unbind();
    Ok(ask(field, move |prompt| {
        // Without a pass the interpreter exits, and nobody waits for the answer.
        let Some(pass) = Pass::get() else { return };
        Python::attach(|py| start(callbacks.bind(py), prompt));
        drop(pass);
    }))
}

fn start(callbacks: &Bound<'_, PyWeakrefReference>, prompt: RustPrompt) {
    let py = callbacks.py();
    let asking = prompt.asking();
    let field = prompt.field();
    let open = Mutex::new(Some(prompt));
    let Ok(prompt) = Bound::new(py, Prompt { field, asking, open }) else {
        return;
    };
    let started = callbacks
        .call0()
        .and_then(|callbacks| callbacks.call_method1("ask", (&prompt,)));
    if started.is_err() {
        prompt.get().failed("could not be called");
    }
}

/// A question under way.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct Prompt {
    field: &'static str,
    asking: Asking,
    open: Mutex<Option<RustPrompt>>,
}

impl Prompt {
    fn open(&self) -> Option<RustPrompt> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_open(&self) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

#[pymethods]
impl Prompt {
    /// The credential that is asked for.
    #[getter]
    fn field(&self) -> &'static str {
        self.field
    }

    /// Answers: a str, or `None` when nobody is there to give it. A second answer is ignored.
    fn give(&self, answer: &Bound<'_, PyAny>) {
        let Some(prompt) = self.open() else { return };
        if answer.is_none() {
            return prompt.give(None);
        }
        match text_value(answer) {
            Ok(secret) => prompt.give(Some(Secret::new(secret))),
            Err(_) if answer.is_instance_of::<PyString>() => {
                prompt.fail("gave characters that are not valid Unicode");
            }
            Err(_) => prompt.fail(&format!("gave {}, not str", type_name(answer))),
        }
    }

    /// Says that the callback failed; `how` completes the sentence "the callback for pin ...".
    fn failed(&self, how: &str) {
        if let Some(prompt) = self.open() {
            prompt.fail(how);
        }
    }

    fn __repr__(&self) -> String {
        format!("Prompt({})", self.field)
    }
}
