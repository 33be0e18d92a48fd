//! The extension module `preopen._native`: Preopen's Rust API as Python objects. It converts and nothing else;
//! the public API with its friendly forms is the Python package around it.

mod bell;
mod clock;
mod completions;
mod consent;
mod convert;
mod credentials;
mod error;
mod events;
mod foreign;
mod gate;
mod json;
mod live;
mod logins;
mod logs;
mod prompt;
mod session;
mod static_ip;
mod store;
mod token;
mod work;

use preopen_ffi::preopen::SealKey;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The codes of all error kinds.
#[pyfunction]
fn error_catalogue() -> Vec<&'static str> {
    preopen_ffi::error_catalogue()
}

/// The names of all events.
#[pyfunction]
fn event_catalogue() -> Vec<&'static str> {
    preopen_ffi::event_catalogue()
}

/// A new random key for `Session.export` and `Session.prime`: 32 bytes as base64url, 43 characters. Keep
/// it where you keep secrets.
#[pyfunction]
fn generate_key(py: Python<'_>) -> PyResult<Bound<'_, PyString>> {
    let key = error::lift(py, SealKey::generate())?;
    Ok(PyString::new(py, key.to_text().expose()))
}

/// Checks a store of the program's own, whose methods `callbacks` calls: gives what it violates.
#[pyfunction]
fn check_store(store: &Bound<'_, PyAny>, callbacks: &Bound<'_, PyAny>) -> PyResult<work::Work> {
    let store = store::own(store, Some(callbacks))?;
    Ok(work::Work::new(work::Operation::CheckStore(store), None))
}

/// Types, callbacks and the gate at exit belong to one interpreter of a process: with a second one the process would
/// hang at its exit, and sessions of the first would wait for ever once the second has ended. Which one runs here is
/// not told by Python's stable interface, but by a module of its standard library.
fn refuse_subinterpreter(py: Python<'_>) -> PyResult<()> {
    let known = ["_interpreters", "_xxsubinterpreters"];
    let Some(module) = known.into_iter().find_map(|name| py.import(name).ok()) else {
        return Ok(());
    };
    let here = module.call_method0("get_current")?;
    if here.eq(module.call_method0("get_main")?)? {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "preopen cannot be used in a subinterpreter: import it in the main one (for mod_wsgi: \
         WSGIApplicationGroup %{GLOBAL})",
    ))
}

/// It does without the interpreter's global lock: what its objects hold is frozen, or behind a lock that nobody keeps while
/// it waits for Python.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    refuse_subinterpreter(module.py())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<clock::VirtualClock>()?;
    module.add_class::<completions::Completions>()?;
    module.add_class::<consent::Login>()?;
    module.add_class::<consent::LoginCode>()?;
    module.add_class::<consent::LoginStart>()?;
    module.add_class::<consent::SamcoLegacyCalls>()?;
    module.add_class::<credentials::Credentials>()?;
    module.add_class::<events::Events>()?;
    module.add_class::<logs::Logs>()?;
    module.add_class::<foreign::ForeignCall>()?;
    module.add_class::<foreign::SignedCall>()?;
    module.add_class::<prompt::Prompt>()?;
    module.add_class::<session::Session>()?;
    module.add_class::<store::StoreCall>()?;
    module.add_class::<token::Token>()?;
    module.add_class::<work::Task>()?;
    module.add_class::<work::Work>()?;
    module.add_function(wrap_pyfunction!(check_store, module)?)?;
    module.add_function(wrap_pyfunction!(error_catalogue, module)?)?;
    module.add_function(wrap_pyfunction!(event_catalogue, module)?)?;
    module.add_function(wrap_pyfunction!(gate::exiting, module)?)?;
    module.add_function(wrap_pyfunction!(generate_key, module)?)?;
    module.add_function(wrap_pyfunction!(logs::metric_families, module)?)?;
    module.add_function(wrap_pyfunction!(logs::metrics, module)?)?;
    module.add_function(wrap_pyfunction!(static_ip::static_ip_check, module)?)?;
    module.add_function(wrap_pyfunction!(static_ip::static_ip_may_change, module)?)?;
    gate::close_at_exit(module.py())
}
