//! What follows from a session's tokens, made once for each generation: the headers of its calls, and what must not be shown.

use std::sync::Arc;

use preopen_core::Secret;
use preopen_core::error::Redactor;
use preopen_core::lifecycle::Record;

use crate::session::Inner;
use crate::token::Headers;

/// What follows from the record of one generation: made once, used by every call.
pub(crate) struct Derived {
    generation: u64,
    pub(crate) redactor: Redactor,
    headers: Headers,
}

impl Inner {
    pub(crate) fn derived(&self, record: &Record) -> Arc<Derived> {
        let kept = self.derived.load_full();
        kept.filter(|kept| kept.generation == record.generation)
            .unwrap_or_else(|| self.derive(record))
    }

    /// The headers of calls with this record.
    pub(crate) fn headers_of(&self, record: &Record) -> Headers {
        let kept = self.derived.load();
        let kept = kept.as_ref().filter(|kept| kept.generation == record.generation);
        kept.map_or_else(
            || self.derive(record).headers.clone(),
            |kept| kept.headers.clone(),
        )
    }

    fn derive(&self, record: &Record) -> Arc<Derived> {
        let made = Arc::new(Derived {
            generation: record.generation,
            redactor: self.redactor(&record.tokens.all()),
            headers: Headers::new(self.adapter.headers(&record.tokens)),
        });
        // Not of a session that is over for this process: its tokens would stay in memory.
        let published = self.state.published();
        if published.is_some_and(|published| published.generation == record.generation) {
            self.derived.store(Some(Arc::clone(&made)));
        }
        made
    }

    /// Knows the credentials and `more`.
    pub(crate) fn redactor(&self, more: &[Secret]) -> Redactor {
        Redactor::new(self.adapter.secrets().into_iter().chain(more.iter().cloned()))
    }
}
