//! Stores that are written in Python: their methods are called through `preopen._ask`, which decides the thread or event
//! loop, and answer here.

use std::sync::{Arc, Mutex, PoisonError};

use preopen_ffi::preopen::core::wire::BoxFuture;
use preopen_ffi::preopen::{Error, Result, Secret};
use preopen_ffi::{
    ForeignStore, HandedClaim, Start, StoreCall as RustCall, StoreChoice, StoreMethod, StoreReply,
    on_own_thread,
};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString, PyType, PyWeakrefReference};

use crate::convert::{text_value, type_name};
use crate::error::lift;
use crate::gate::Pass;

/// The store of a session's settings: an address, or an object whose methods `callbacks` calls.
pub(crate) fn choice(
    store: &Bound<'_, PyAny>,
    callbacks: Option<&Bound<'_, PyAny>>,
) -> PyResult<StoreChoice> {
    if store.is_instance_of::<PyString>() {
        let address = text_value(store).map_err(|problem| Error::invalid_input("store", &problem));
        return lift(
            store.py(),
            address.map(|text| StoreChoice::Address(Secret::new(text))),
        );
    }
    own(store, callbacks).map(StoreChoice::Own)
}

/// A store of the program's own.
pub(crate) fn own(store: &Bound<'_, PyAny>, callbacks: Option<&Bound<'_, PyAny>>) -> PyResult<ForeignStore> {
    let py = store.py();
    let callbacks = match callbacks {
        Some(callbacks) if is_store(store) => callbacks,
        _ => return lift(py, Err(no_store(store))),
    };
    let name = lift(py, describe(store))?;
    // Only a claim that is held keeps them alive from here: else Python could not free a store that refers to its session.
    let weak = PyWeakrefReference::new(callbacks)?.unbind();
    let target = Arc::new(Target::Store(weak));
    lift(py, ForeignStore::new(&name, start_of(target)))
}

fn is_store(store: &Bound<'_, PyAny>) -> bool {
    let has = |name: &str| store.getattr(name).is_ok_and(|method| method.is_callable());
    !store.is_instance_of::<PyType>() && has("read") && has("claim")
}

fn no_store(store: &Bound<'_, PyAny>) -> Error {
    let what = match store.cast::<PyType>() {
        Ok(_) => "a class".to_owned(),
        Err(_) => type_name(store),
    };
    let problem = format!("must be an address, or an object with read and claim, not {what}");
    Error::invalid_input("store", &problem)
}

/// What the store says it is. Its own words are not repeated when they are wrong.
fn describe(store: &Bound<'_, PyAny>) -> Result<String> {
    let wrong = |how: &str| Error::invalid_input("store", &format!("has a describe() that {how}"));
    let Ok(method) = store.getattr("describe") else {
        return Ok(type_name(store));
    };
    let said = method
        .call0()
        .map_err(|error| wrong(&format!("raised {}", class_of(&error, store.py()))))?;
    text_value(&said).map_err(|_| {
        // A coroutine that nobody awaits would complain.
        drop(said.call_method0("close"));
        wrong(&format!("gave {}, not str", type_name(&said)))
    })
}

fn class_of(error: &PyErr, py: Python<'_>) -> String {
    let name = error.get_type(py).name();
    name.map_or_else(|_| "an exception".to_owned(), |name| name.to_string())
}

/// Whose methods are called.
enum Target {
    /// The store of these callbacks, as long as their session lives.
    Store(Py<PyWeakrefReference>),
    /// A claim, which lives until it is released.
    Claim { callbacks: Py<PyAny>, claim: Py<PyAny> },
}

fn start_of(target: Arc<Target>) -> Start {
    Arc::new(move |call| -> BoxFuture<'static, ()> {
        let target = Arc::clone(&target);
        Box::pin(on_own_thread(move || {
            // Without a pass the interpreter exits, and nobody waits for the answer.
            let Some(pass) = Pass::get() else { return };
            Python::attach(|py| {
                target.start(py, call);
                drop(target);
            });
            drop(pass);
        }))
    })
}

impl Target {
    fn start(&self, py: Python<'_>, call: RustCall) {
        let (callbacks, claim) = match self {
            Self::Store(callbacks) => match callbacks.bind(py).call0() {
                Ok(callbacks) if !callbacks.is_none() => (callbacks, py.None()),
                _ => return call.fail("belongs to a session that is gone"),
            },
            Self::Claim { callbacks, claim } => (callbacks.bind(py).clone(), claim.clone_ref(py)),
        };
        let question = StoreCall {
            method: call.method(),
            argument: call.argument().map(str::to_owned),
            callbacks: callbacks.clone().unbind(),
            open: Mutex::new(Some(call)),
        };
        let Ok(question) = Bound::new(py, question) else {
            return;
        };
        if callbacks.call_method1("call", (&question, claim)).is_err() {
            question.get().failed("could not be called");
        }
    }
}

/// A call of a method of a store, or of its claim, under way.
#[pyclass(frozen, module = "preopen._native")]
pub(crate) struct StoreCall {
    method: StoreMethod,
    argument: Option<String>,
    callbacks: Py<PyAny>,
    open: Mutex<Option<RustCall>>,
}

#[pymethods]
impl StoreCall {
    /// The method's name.
    #[getter]
    fn method(&self) -> &'static str {
        self.method.as_str()
    }

    /// Its argument, if it takes one: the account, or the value to write.
    #[getter]
    fn argument(&self) -> Option<&str> {
        self.argument.as_deref()
    }

    /// Answers with what the method gave. A second answer is ignored.
    fn give(&self, answer: &Bound<'_, PyAny>) {
        let reply = self.reply(answer);
        let Some(call) = self.take() else { return };
        match reply {
            Ok(reply) => call.give(reply),
            Err(how) => call.refuse(self.release_of(answer), &how),
        }
    }

    /// Says that the method failed; `how` completes the sentence "its read ...".
    fn failed(&self, how: &str) {
        if let Some(call) = self.take() {
            call.fail(how);
        }
    }

    fn __repr__(&self) -> String {
        format!("StoreCall({})", self.method.as_str())
    }
}

impl StoreCall {
    fn take(&self) -> Option<RustCall> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn reply(&self, answer: &Bound<'_, PyAny>) -> Result<StoreReply, String> {
        let gave = |wanted: &str| format!("gave {}, not {wanted}", type_name(answer));
        Ok(match self.method {
            StoreMethod::Read => StoreReply::Text(value(answer).map_err(|()| gave("str or None"))?),
            StoreMethod::Claim if answer.is_none() => StoreReply::Claimed(None),
            StoreMethod::Claim => StoreReply::Claimed(Some(self.handed(answer)?)),
            StoreMethod::Write => match answer.cast::<PyBool>() {
                Ok(written) => StoreReply::Written(written.is_true()),
                Err(_) => return Err(gave("bool")),
            },
            StoreMethod::GoodFor if answer.is_instance_of::<PyBool>() => return Err(gave("float")),
            StoreMethod::GoodFor => StoreReply::Seconds(answer.extract().map_err(|_| gave("float"))?),
            StoreMethod::Release => StoreReply::Done,
        })
    }

    fn handed(&self, claim: &Bound<'_, PyAny>) -> Result<HandedClaim, String> {
        let py = claim.py();
        let has = |name: &str| claim.getattr(name).is_ok_and(|method| method.is_callable());
        if let Some(lacks) = ["write", "release"].into_iter().find(|name| !has(name)) {
            return Err(format!("gave {} without a method {lacks}", type_name(claim)));
        }
        let found = claim.getattr("value").map_err(|error| {
            let class = class_of(&error, py);
            format!("gave {} whose value raised {class}", type_name(claim))
        })?;
        let value = value(&found).map_err(|()| {
            let (claim, found) = (type_name(claim), type_name(&found));
            format!("gave {claim} whose value is {found}, not str or None")
        })?;
        Ok(HandedClaim {
            value,
            lease: has("good_for"),
            start: self.start_of_claim(claim),
        })
    }

    fn start_of_claim(&self, claim: &Bound<'_, PyAny>) -> Start {
        start_of(Arc::new(Target::Claim {
            callbacks: self.callbacks.clone_ref(claim.py()),
            claim: claim.clone().unbind(),
        }))
    }

    /// A claim that is none to us may still be one to the store.
    fn release_of(&self, answer: &Bound<'_, PyAny>) -> Option<Start> {
        let held = self.method == StoreMethod::Claim && answer.getattr("release").is_ok();
        held.then(|| self.start_of_claim(answer))
    }
}

fn value(found: &Bound<'_, PyAny>) -> Result<Option<String>, ()> {
    if found.is_none() {
        return Ok(None);
    }
    text_value(found).map(Some).map_err(drop)
}
