//! What readers get: levels, order, what is dropped, and how waiting ends. One test, since what `tracing` calls is of the whole
//! process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::{debug, info, warn};

use super::{KEPT, Logs};

const NOW: Option<Duration> = Some(Duration::ZERO);

fn drained(logs: &Logs) -> Vec<String> {
    std::iter::from_fn(|| logs.next(NOW))
        .map(|record| record.message)
        .collect()
}

#[test]
fn records_are_read_in_order_by_level_until_closed() {
    assert_eq!(Logs::open("loud").unwrap_err().field(), Some("level"));
    info!(target: "preopen", "before anybody reads");

    let logs = Logs::open("INFO").unwrap();
    info!(target: "preopen.audit", broker = "samco", duration_ms = 7_u64, ok = true, "one {}", 1);
    debug!(target: "preopen", "too low");
    info!(target: "hyper", "not ours");
    info!(target: "preopened", "not ours either");
    let record = logs.next(None).unwrap();
    assert_eq!(
        (record.level, record.target.as_str(), record.message.as_str()),
        ("info", "preopen.audit", "one 1")
    );
    assert_eq!(
        serde_json::Value::Object(record.fields),
        serde_json::json!({"broker": "samco", "duration_ms": 7, "ok": true})
    );
    assert!(record.at > 1_700_000_000.0);
    assert!(drained(&logs).is_empty());

    // A second reader, of another level, changes nothing for the first.
    let all = Logs::open("debug").unwrap();
    debug!(target: "preopen", "low");
    warn!(target: "preopen", "high");
    assert_eq!(drained(&all), ["low", "high"]);
    assert_eq!(drained(&logs), ["high"]);
    drop(all);

    // What is not taken is counted, and told once.
    for number in 0..KEPT + 3 {
        info!(target: "preopen", "{number}");
    }
    let kept = drained(&logs);
    assert_eq!(kept.len(), KEPT + 1);
    assert_eq!(kept[KEPT - 1], (KEPT - 1).to_string());
    assert!(
        kept[KEPT].starts_with("3 log records were dropped"),
        "{}",
        kept[KEPT]
    );

    // One that waits is woken by a record, by the time and by the end.
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| logs.next(None));
        info!(target: "preopen", "news");
        assert_eq!(waits.join().unwrap().unwrap().message, "news");
        assert!(logs.next(Some(Duration::from_millis(1))).is_none());
        let waits = scope.spawn(|| logs.next(None));
        info!(target: "preopen", "left over");
        assert_eq!(waits.join().unwrap().unwrap().message, "left over");
        // Other tests of this process may say something meanwhile.
        let waits = scope.spawn(|| while logs.next(None).is_some() {});
        logs.close();
        waits.join().unwrap();
    });
    assert!(logs.is_closed());
    info!(target: "preopen", "after the end");
    assert!(logs.next(None).is_none());

    // A callback that has no room is told later how much it missed.
    let (seen, full) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(true)));
    let (into, is_full) = (Arc::clone(&seen), Arc::clone(&full));
    let given = Logs::give_to("info", move |record| {
        let room = !is_full.load(Ordering::Relaxed);
        if room {
            into.lock().unwrap().push(record.message);
        }
        room
    })
    .unwrap();
    info!(target: "preopen", "no room");
    info!(target: "preopen", "no room");
    full.store(false, Ordering::Relaxed);
    info!(target: "preopen", "room");
    let seen = seen.lock().unwrap().clone();
    assert!(
        seen[0].starts_with("2 log records") && seen[1..] == ["room"],
        "{seen:?}"
    );
    given.close();
    given.close();
}
