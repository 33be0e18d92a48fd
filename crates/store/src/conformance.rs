//! What every store must do, as checks that run against any implementation: a store of your own, in Rust, Python or
//! Node, is right when all of them pass. They leave values of accounts whose names begin with `conformance-` behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::{Claimed, Store, Value};

/// The longest that a released claim may take to be free, or a change to be noticed.
const SOON: Duration = Duration::from_secs(5);

/// The longest that one check may take: a store that hangs must not hang whoever checks it.
const LIMIT: Duration = Duration::from_mins(1);

/// A check that a store did not pass.
///
/// ```no_run
/// # async fn example(mine: impl preopen_store::Store + 'static) {
/// for violation in preopen_store::conformance::check(std::sync::Arc::new(mine)).await {
///     eprintln!("{violation}");                      // the check, and what happened instead
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The check, in words: `a second claim is refused at once`.
    pub check: &'static str,
    /// What happened instead.
    pub problem: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.check, self.problem)
    }
}

type Outcome = Result<(), String>;
type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Check = fn(Arc<dyn Store>, String) -> Running;

macro_rules! checks {
    ($($words:literal => $function:ident,)+) => {
        /// Every check, with the words that name it.
        const CHECKS: &[(&str, Check)] = &[$(($words, |store, account| Box::pin($function(store, account))),)+];
    };
}

checks! {
    "what was never written reads as nothing" => nothing_at_first,
    "what is written is read back, by the writer and by others" => written_is_read,
    "a value is kept as it is, of any length" => any_value,
    "a session can be removed while its guard stays" => session_removed,
    "a second claim is refused at once" => second_claim_refused,
    "reading does not wait for a claim" => read_while_claimed,
    "a released claim is free" => released_is_free,
    "a dropped claim becomes free" => dropped_is_free,
    "a claim tells what is stored when it begins" => claim_tells_value,
    "accounts do not know of each other" => accounts_apart,
    "of many who claim at the same time one succeeds" => one_of_many,
    "no claimed update is lost" => no_lost_update,
    "those who wait are told of a change in time" => changes_are_told,
    "waiting for a change ends after the given time" => waiting_ends,
    "a description is one short line" => described,
}

/// Runs every check; none of the violations is fatal to the others. Needs a tokio runtime with time.
///
/// ```no_run
/// # async fn example(mine: impl preopen_store::Store + 'static) {
/// for violation in preopen_store::conformance::check(std::sync::Arc::new(mine)).await {
///     eprintln!("{violation}");                      // the check, and what happened instead
/// }
/// # }
/// ```
pub async fn check(store: Arc<dyn Store>) -> Vec<Violation> {
    let mut violations = Vec::new();
    // Values of an earlier run must not be taken for this one's.
    let run = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    for (nth, (words, check)) in CHECKS.iter().enumerate() {
        let account = format!("conformance-{}-{run}-{nth}", std::process::id());
        let checked = tokio::time::timeout(LIMIT, check(Arc::clone(&store), account)).await;
        let outcome = checked.unwrap_or_else(|_| Err(format!("it was not done in {} s", LIMIT.as_secs())));
        if let Err(problem) = outcome {
            violations.push(Violation {
                check: words,
                problem,
            });
        }
    }
    violations
}

/// The words of every check, in order.
///
/// ```
/// assert!(preopen_store::conformance::names().count() > 10);
/// ```
pub fn names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(words, _)| *words)
}

fn value(session: &str, guard: &str) -> Value {
    let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Value::new(part(session), part(guard))
}

fn said(error: impl std::fmt::Display) -> String {
    format!("it failed: {error}")
}

fn expect<T: PartialEq + std::fmt::Debug>(found: &T, wanted: &T) -> Outcome {
    let short = |what: &T| format!("{what:?}").chars().take(160).collect::<String>();
    if found == wanted {
        Ok(())
    } else {
        Err(format!("{} instead of {}", short(found), short(wanted)))
    }
}

async fn claim(store: &dyn Store, account: &str) -> Result<Claimed, String> {
    let claimed = store.claim(account).await.map_err(said)?;
    claimed.ok_or_else(|| "the claim was refused although nobody holds it".to_owned())
}

/// A claim that may take a moment to become free.
async fn claim_soon(store: &dyn Store, account: &str) -> Result<Claimed, String> {
    let began = Instant::now();
    loop {
        if let Some(claimed) = store.claim(account).await.map_err(said)? {
            return Ok(claimed);
        }
        if began.elapsed() > SOON {
            return Err(format!("the claim is not free after {} s", SOON.as_secs()));
        }
        store.changed(account, None, Duration::from_millis(20)).await;
    }
}

async fn write(claimed: &mut Claimed, value: &Value) -> Outcome {
    if claimed.claim.write(value).await.map_err(said)? {
        Ok(())
    } else {
        Err("a write was refused although its claim holds".to_owned())
    }
}

async fn put(store: &dyn Store, account: &str, value: &Value) -> Outcome {
    let mut claimed = claim_soon(store, account).await?;
    write(&mut claimed, value).await?;
    claimed.claim.release().await;
    Ok(())
}

async fn nothing_at_first(store: Arc<dyn Store>, account: String) -> Outcome {
    expect(&store.read(&account).await.map_err(said)?, &None)?;
    let claimed = claim(&*store, &account).await?;
    expect(&claimed.value, &None)?;
    claimed.claim.release().await;
    Ok(())
}

async fn written_is_read(store: Arc<dyn Store>, account: String) -> Outcome {
    let mut claimed = claim(&*store, &account).await?;
    for nth in 0..3 {
        let wanted = value(&format!("session-{nth}"), &format!("guard-{nth}"));
        write(&mut claimed, &wanted).await?;
        expect(&store.read(&account).await.map_err(said)?, &Some(wanted))?;
    }
    claimed.claim.release().await;
    let wanted = Some(value("session-2", "guard-2"));
    expect(&store.read(&account).await.map_err(said)?, &wanted)
}

async fn any_value(store: Arc<dyn Store>, account: String) -> Outcome {
    let printable: String = (' '..='~').filter(|c| *c != '|').collect();
    for wanted in [
        value("", "guard only"),
        value("session only", ""),
        value(&printable, &printable),
        value(&"s".repeat(200_000), &"g".repeat(50_000)),
        value("a", "b"),
    ] {
        put(&*store, &account, &wanted).await?;
        let wanted = Some(wanted);
        expect(&store.read(&account).await.map_err(said)?, &wanted)?;
        let claimed = claim_soon(&*store, &account).await?;
        let found = expect(&claimed.value, &wanted);
        claimed.claim.release().await;
        found?;
    }
    Ok(())
}

async fn session_removed(store: Arc<dyn Store>, account: String) -> Outcome {
    put(&*store, &account, &value("session", "guard")).await?;
    let without = value("", "guard");
    put(&*store, &account, &without).await?;
    expect(&store.read(&account).await.map_err(said)?, &Some(without))
}

async fn second_claim_refused(store: Arc<dyn Store>, account: String) -> Outcome {
    let first = claim(&*store, &account).await?;
    let began = Instant::now();
    let second = store.claim(&account).await.map_err(said)?;
    let took = began.elapsed();
    if second.is_some() {
        return Err("two claims are held at the same time".to_owned());
    }
    if took > SOON / 2 {
        return Err(format!("it took {} ms", took.as_millis()));
    }
    first.claim.release().await;
    Ok(())
}

async fn read_while_claimed(store: Arc<dyn Store>, account: String) -> Outcome {
    let held = claim(&*store, &account).await?;
    let began = Instant::now();
    let read = store.read(&account).await.map_err(said);
    let took = began.elapsed();
    held.claim.release().await;
    read?;
    if took > SOON / 2 {
        return Err(format!("it took {} ms", took.as_millis()));
    }
    Ok(())
}

async fn released_is_free(store: Arc<dyn Store>, account: String) -> Outcome {
    for _ in 0..3 {
        claim_soon(&*store, &account).await?.claim.release().await;
    }
    Ok(())
}

async fn dropped_is_free(store: Arc<dyn Store>, account: String) -> Outcome {
    drop(claim(&*store, &account).await?);
    claim_soon(&*store, &account).await?.claim.release().await;
    Ok(())
}

async fn claim_tells_value(store: Arc<dyn Store>, account: String) -> Outcome {
    let wanted = value("session", "guard");
    put(&*store, &account, &wanted).await?;
    let claimed = claim_soon(&*store, &account).await?;
    expect(&claimed.value, &Some(wanted))?;
    claimed.claim.release().await;
    Ok(())
}

async fn accounts_apart(store: Arc<dyn Store>, account: String) -> Outcome {
    let (one, other) = (format!("{account}-a"), format!("{account}-b"));
    let mut first = claim(&*store, &one).await?;
    write(&mut first, &value("one", "one")).await?;
    let second = claim(&*store, &other).await?;
    expect(&second.value, &None)?;
    expect(&store.read(&other).await.map_err(said)?, &None)?;
    first.claim.release().await;
    second.claim.release().await;
    Ok(())
}

async fn one_of_many(store: Arc<dyn Store>, account: String) -> Outcome {
    let attempts: Vec<_> = (0..16)
        .map(|_| {
            let (store, account) = (Arc::clone(&store), account.clone());
            tokio::spawn(async move { store.claim(&account).await })
        })
        .collect();
    let mut held = Vec::new();
    for attempt in attempts {
        held.extend(attempt.await.map_err(said)?.map_err(said)?);
    }
    expect(&held.len(), &1)?;
    for claimed in held {
        claimed.claim.release().await;
    }
    Ok(())
}

async fn no_lost_update(store: Arc<dyn Store>, account: String) -> Outcome {
    const WRITERS: usize = 4;
    const TIMES: usize = 5;
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (store, account) = (Arc::clone(&store), account.clone());
            tokio::spawn(async move {
                for _ in 0..TIMES {
                    let mut claimed = claim_soon(&*store, &account).await?;
                    let guard = claimed.value.as_ref().and_then(|value| value.guard.clone());
                    let before: usize = guard.map_or(Ok(0), |text| text.parse()).map_err(said)?;
                    write(&mut claimed, &value("", &(before + 1).to_string())).await?;
                    claimed.claim.release().await;
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await.map_err(said)??;
    }
    let found = store.read(&account).await.map_err(said)?;
    expect(&found, &Some(value("", &(WRITERS * TIMES).to_string())))
}

async fn changes_are_told(store: Arc<dyn Store>, account: String) -> Outcome {
    put(&*store, &account, &value("old", "old")).await?;
    let seen = store.read(&account).await.map_err(said)?;
    let mut writer = claim(&*store, &account).await?;
    let waiter = {
        let (store, account, seen) = (Arc::clone(&store), account.clone(), seen.clone());
        tokio::spawn(async move {
            let began = Instant::now();
            while began.elapsed() < SOON {
                store
                    .changed(&account, seen.as_ref(), Duration::from_secs(1))
                    .await;
                if store.read(&account).await.map_err(said)? != seen {
                    return Ok(());
                }
            }
            Err(format!("nothing was noticed in {} s", SOON.as_secs()))
        })
    };
    tokio::time::sleep(Duration::from_millis(30)).await;
    write(&mut writer, &value("new", "new")).await?;
    let told = waiter.await.map_err(said)?;
    writer.claim.release().await;
    told
}

async fn waiting_ends(store: Arc<dyn Store>, account: String) -> Outcome {
    let held = claim(&*store, &account).await?;
    let began = Instant::now();
    store.changed(&account, None, Duration::from_millis(100)).await;
    let took = began.elapsed();
    held.claim.release().await;
    if took > Duration::from_secs(2) {
        return Err(format!("it took {} ms", took.as_millis()));
    }
    Ok(())
}

async fn described(store: Arc<dyn Store>, account: String) -> Outcome {
    // A store may know better what it is once it was used.
    store.read(&account).await.map_err(said)?;
    let text = store.describe();
    if text.trim().is_empty() || text.chars().count() > 200 || text.contains('\n') {
        return Err(format!("{text:?}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::check;
    use crate::MemoryStore;

    #[tokio::test]
    async fn the_memory_store_conforms() {
        let violations = check(Arc::new(MemoryStore::new().unwrap())).await;
        assert!(violations.is_empty(), "{violations:?}");
    }
}
