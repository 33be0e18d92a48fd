//! Handing a session to another program: exporting it, sealed or openly, and taking it over.

use preopen_core::lifecycle::{Event, Identity, export, import};
use preopen_core::seal::SealKey;
use preopen_core::{Error, Result, Secret};

use crate::session::Session;

/// How a sealed session begins; the identity and the sealed record follow, each after a dot.
const SEALED: &str = "preopen1";

impl Session {
    /// The live session as one line of text that only the holder of `key` can read; logs in if there is none. It is
    /// bound to the account and to live or sandbox, and serves a program until the session ends.
    ///
    /// ```no_run
    /// # async fn example(here: preopen::Session, there: preopen::Session) -> preopen::Result<()> {
    /// let key = preopen::SealKey::generate()?; // kept where both programs find it
    /// there.prime(&here.export(&key).await?, Some(&key))?;
    /// # Ok(()) }
    /// ```
    ///
    /// Errors: as `token`.
    pub async fn export(&self, key: &SealKey) -> Result<String> {
        let identity = self.inner.identity();
        let record = export(&*self.record().await?, &identity)?;
        let header = identity.to_text();
        let sealed = key.seal(&record, format!("{SEALED}.{header}").as_bytes())?;
        Ok(format!("{SEALED}.{header}.{sealed}"))
    }

    /// The live session as JSON with its tokens in clear, for a program that you trust over a channel that you trust.
    /// Errors: as `token`.
    ///
    /// ```no_run
    /// # async fn example(session: preopen::Session) -> preopen::Result<()> {
    /// // Only for a pipe to a program that you trust: the tokens are in clear.
    /// let record = session.export_exposed().await?;
    /// let same = preopen::Session::builder(preopen::Samco::from_env()?).build()?;
    /// same.prime(record.expose(), None)?;
    /// # Ok(()) }
    /// ```
    pub async fn export_exposed(&self) -> Result<Secret> {
        export(&*self.record().await?, &self.inner.identity())
    }

    /// Takes over a session that another program exported, so that nobody logs in twice. Nothing is sent; the token is
    /// the next one that this session hands out. A login that is under way goes on, and replaces it.
    ///
    /// Errors: `InvalidInput` (`record`) when it is damaged, sealed with another key, of another account, of the
    /// sandbox on a live host or the reverse, over already, or older than the session that is live here; (`key`) when it
    /// is sealed and no key is given.
    pub fn prime(&self, record: &str, key: Option<&SealKey>) -> Result<()> {
        let identity = self.inner.identity();
        let bad = |problem: &str| Error::invalid_input("record", problem);
        let text = record.trim();
        let json = if text.starts_with('{') {
            Secret::new(text)
        } else {
            let mut parts = text.splitn(3, '.');
            let (Some(SEALED), Some(header), Some(sealed)) = (parts.next(), parts.next(), parts.next())
            else {
                return Err(bad(
                    "is not an exported session: give what export() gave, unchanged",
                ));
            };
            identity.accepts(&Identity::from_text(header)?)?;
            let key = key.ok_or_else(|| {
                Error::invalid_input(
                    "key",
                    "is not given, but the record is sealed: pass the key it was made with, or set PREOPEN_KEY",
                )
            })?;
            key.open(sealed, format!("{SEALED}.{header}").as_bytes())
                .ok_or_else(|| bad("cannot be opened: it was sealed with another key, or is damaged"))?
        };
        let (login, issued_at) = import(&json, &identity)?;
        let login = Box::new(login);
        let done = self.inner.apply(Event::Imported { login, issued_at });
        done.refused.map_or(Ok(()), Err)
    }
}
