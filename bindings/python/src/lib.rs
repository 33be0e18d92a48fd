//! The extension module `preopen._native`: Preopen's Rust API as Python objects. It converts and nothing else;
//! the public API with its friendly forms is the Python package around it.

mod clock;
mod completions;
mod convert;
mod credentials;
mod error;
mod gate;
mod session;
mod token;
mod work;

use pyo3::prelude::*;

/// The codes of all error kinds.
#[pyfunction]
fn error_catalogue() -> Vec<&'static str> {
    preopen_ffi::error_catalogue()
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<clock::VirtualClock>()?;
    module.add_class::<completions::Completions>()?;
    module.add_class::<credentials::Credentials>()?;
    module.add_class::<session::Session>()?;
    module.add_class::<token::Token>()?;
    module.add_class::<work::Task>()?;
    module.add_class::<work::Work>()?;
    module.add_function(wrap_pyfunction!(error_catalogue, module)?)?;
    gate::close_at_exit(module.py())
}
