//! The events of a session.

use std::sync::Arc;

use preopen_ffi::{EventInfo, Listener};

use crate::error::PreopenError;
use crate::records::SessionEvent;
use crate::waiting::{background, block};

/// The events of a session, from the moment that this was made on. It does not keep the session alive.
#[derive(Debug, uniffi::Object)]
pub struct Events {
    inner: Arc<Listener>,
}

impl Events {
    pub(crate) fn new(inner: Listener) -> Self {
        let inner = Arc::new(inner);
        Self { inner }
    }
}

#[uniffi::export]
impl Events {
    /// The next event; nothing once none will come. A wait that is given up loses none.
    pub async fn next(&self) -> Result<Option<SessionEvent>, PreopenError> {
        let listener = Arc::clone(&self.inner);
        background(async move {
            listener.ready().await;
            Ok(())
        })
        .await?;
        Ok(self.take())
    }

    /// The same, blocking this thread.
    pub fn next_blocking(&self) -> Result<Option<SessionEvent>, PreopenError> {
        let listener = Arc::clone(&self.inner);
        block(async move {
            listener.ready().await;
            Ok(())
        })?;
        Ok(self.take())
    }

    /// The next event that has come already.
    pub fn take(&self) -> Option<SessionEvent> {
        self.inner.take().map(|event| EventInfo::from(event).into())
    }

    /// Whether no event will come any more.
    pub fn is_over(&self) -> bool {
        self.inner.is_over()
    }

    /// Stops listening; whoever waits is told.
    pub fn close(&self) {
        self.inner.close();
    }
}
