//! What the tests of several processes start: one piece of work on a file store, told as `preopen-store-worker WORK
//! FOLDER ...`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's program: it talks to the test, and what goes wrong ends it"
)]

use std::io::{Read, stdin};
use std::time::Duration;

use preopen_store::{Claimed, FileStore, Store, Value};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work(&arguments));
}

fn say(words: &str) {
    println!("{words}");
}

fn value(session: &str, guard: &str) -> Value {
    let part = |text: &str| (text != "-").then(|| text.to_owned());
    Value::new(part(session), part(guard))
}

async fn work(arguments: &[&str]) {
    match *arguments {
        // Writes one value; `-` is none.
        ["put", folder, account, session, guard] => {
            let store = FileStore::at(folder).unwrap();
            let mut claimed = claim(&store, account).await;
            match claimed.claim.write(&value(session, guard)).await {
                Ok(written) => say(if written { "written" } else { "refused" }),
                Err(error) => say(&error.to_string()),
            }
            claimed.claim.release().await;
        }
        // Says whether the claim is free.
        ["try", folder, account] => {
            let claimed = FileStore::at(folder).unwrap().claim(account).await.unwrap();
            say(if claimed.is_some() { "free" } else { "busy" });
        }
        // Holds the claim until the input ends.
        ["hold", folder, account] => {
            let store = FileStore::at(folder).unwrap();
            let claimed = claim(&store, account).await;
            say("held");
            stdin().read_to_end(&mut Vec::new()).unwrap();
            claimed.claim.release().await;
        }
        // Adds one to the number in the guard, many times, and the same to the session.
        ["add", folder, account, times] => {
            let store = FileStore::at(folder).unwrap();
            for _ in 0..times.parse().unwrap() {
                let mut claimed = claim(&store, account).await;
                let guard = claimed.value.and_then(|value| value.guard);
                let number: u64 = guard.map_or(0, |guard| guard.parse().unwrap());
                let next = (number + 1).to_string();
                assert!(claimed.claim.write(&value(&next, &next)).await.unwrap());
                claimed.claim.release().await;
            }
        }
        // Tells the key for new values.
        ["key", folder] => match FileStore::at(folder).unwrap().key(None).await {
            Ok((_, key)) => say(key.to_text().expose()),
            Err(error) => say(&error.to_string()),
        },
        #[cfg(unix)]
        ["umask", bits, ref rest @ ..] => {
            let bits = u32::from_str_radix(bits, 8).unwrap();
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(bits as _));
            Box::pin(work(rest)).await;
        }
        _ => say("no such work"),
    }
}

/// The claim, when it becomes free.
async fn claim(store: &FileStore, account: &str) -> Claimed {
    loop {
        if let Some(claimed) = store.claim(account).await.unwrap() {
            return claimed;
        }
        store.changed(account, None, Duration::from_secs(10)).await;
    }
}
