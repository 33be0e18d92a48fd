//! The live token and its headers as Python's objects: made once a login, and handed out again for as long as the
//! session's state and both clocks say that the token is live.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use preopen_ffi::preopen::Session;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::token::Token;
use crate::work::headers_dict;

/// What is handed out for one login.
struct Kept {
    token: Py<Token>,
    /// Never handed out itself: a caller may change what he gets.
    headers: Option<Py<PyDict>>,
}

/// What a session handed out last. No code of Python runs while the lock is held.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<Mutex<Option<Kept>>>);

impl Live {
    /// The live token, if there is one.
    pub(crate) fn token(&self, py: Python<'_>, session: &Session) -> PyResult<Option<Py<Token>>> {
        let kept = self.kept(session, |kept| kept.token.clone_ref(py));
        kept.map_or_else(|| self.make(py, session), |token| Ok(Some(token)))
    }

    /// Its headers.
    pub(crate) fn headers<'py>(
        &self,
        py: Python<'py>,
        session: &Session,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let kept = self.kept(session, |kept| {
            kept.headers.as_ref().map(|headers| headers.clone_ref(py))
        });
        if let Some(headers) = kept.flatten() {
            return headers.bind(py).copy().map(Some);
        }
        let Some(token) = self.token(py, session)? else {
            return Ok(None);
        };
        let headers = headers_dict(py, &session.headers_with(&token.get().0))?;
        let copy = headers.copy()?.unbind();
        let mut last = self.lock();
        if let Some(kept) = last.as_mut().filter(|kept| kept.token.is(&token)) {
            kept.headers = Some(copy);
        }
        Ok(Some(headers))
    }

    /// Lets go of the token: nobody is given it any more.
    pub(crate) fn forget(&self) {
        let last = self.lock().take();
        drop(last);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept<T>(&self, session: &Session, give: impl FnOnce(&Kept) -> T) -> Option<T> {
        let last = self.lock();
        let kept = last.as_ref()?;
        session.hands_out(&kept.token.get().0).then(|| give(kept))
    }

    fn make(&self, py: Python<'_>, session: &Session) -> PyResult<Option<Py<Token>>> {
        self.forget();
        let Some(token) = session.try_fresh_token() else {
            return Ok(None);
        };
        let token = Py::new(py, Token(token))?;
        let kept = Kept {
            token: token.clone_ref(py),
            headers: None,
        };
        drop(self.lock().replace(kept));
        // Another thread may have logged out meanwhile, and forgotten what was kept before.
        if !session.hands_out(&token.get().0) {
            self.forget();
        }
        Ok(Some(token))
    }
}
