//! The faults that wait for requests, in the order they were added.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use preopen_core::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::body;
use super::spec::Fault;
use crate::account::Broker;
use crate::data::{Damage, Pass};
use crate::error::ControlError;
use crate::random;
use crate::request_log::matches;
use crate::table::{Single, Table};
use crate::wire::Reply;

/// How many faults may wait at once.
const LIMIT: usize = 1000;
/// How many bytes all faults may hold together.
const WEIGHT: usize = 512 << 20;

/// A fault that was added, and what is left of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FaultRecord {
    /// Its number, which the request log names.
    pub id: u64,
    /// How many requests it will still hit; `None` is without end.
    pub remaining: Option<u32>,
    /// How many requests it has hit.
    pub hits: u64,
    /// What it does.
    pub fault: Fault,
}

impl FaultRecord {
    pub(crate) fn to_json(&self) -> Value {
        let mut shown = json!({"id": self.id, "remaining": self.remaining, "hits": self.hits});
        if let (Value::Object(shown), Ok(Value::Object(fault))) =
            (&mut shown, serde_json::to_value(&self.fault))
        {
            shown.extend(fault);
        }
        shown
    }
}

/// A fault that hits the request at hand.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) id: u64,
    pub(crate) fault: Arc<Fault>,
    /// The fault's own reply, if it has one.
    pub(crate) reply: Option<Reply>,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Mutex<List>,
    /// How many may still hit something, so that requests without faults take no lock.
    live: AtomicUsize,
}

#[derive(Debug, Default)]
struct List {
    added: Single<u64>,
    waiting: Table<u64, Waiting>,
}

/// A fault and what is left of it.
#[derive(Debug, Deserialize)]
#[serde(from = "Left<Fault>")]
struct Waiting {
    hit: Hit,
    skip: u32,
    remaining: Option<u32>,
    hits: u64,
    /// How many bytes it holds, about.
    weight: usize,
}

/// The same as it is kept; the reply is made again.
#[derive(Deserialize, Serialize)]
struct Left<F> {
    id: u64,
    fault: F,
    skip: u32,
    remaining: Option<u32>,
    hits: u64,
}

impl From<Left<Fault>> for Waiting {
    fn from(left: Left<Fault>) -> Self {
        let reply = body::of(&left.fault);
        Self {
            weight: weight(&left.fault, reply.as_ref()),
            hit: Hit {
                id: left.id,
                reply,
                fault: Arc::new(left.fault),
            },
            skip: left.skip,
            remaining: left.remaining,
            hits: left.hits,
        }
    }
}

impl Serialize for Waiting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let left = Left {
            id: self.hit.id,
            fault: &*self.hit.fault,
            skip: self.skip,
            remaining: self.remaining,
            hits: self.hits,
        };
        left.serialize(serializer)
    }
}

/// How many bytes a fault holds, about: its own description and its reply.
fn weight(fault: &Fault, reply: Option<&Reply>) -> usize {
    let told = serde_json::to_vec(fault).map_or(0, |told| told.len());
    told + reply.map_or(0, |reply| reply.body.len())
}

impl Waiting {
    fn record(&self) -> FaultRecord {
        let fault = (*self.hit.fault).clone();
        FaultRecord {
            id: self.hit.id,
            remaining: self.remaining,
            hits: self.hits,
            fault,
        }
    }
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keep(&self, pass: &mut Pass<'_>) -> Result<(), Damage> {
        let mut list = self.lock();
        pass.single("fault.added", &mut list.added)?;
        pass.table("fault", &mut list.waiting)?;
        let live = list
            .waiting
            .values()
            .filter(|waiting| waiting.remaining != Some(0));
        self.live.store(live.count(), Ordering::Release);
        Ok(())
    }

    pub(crate) fn add(&self, fault: Fault) -> Result<FaultRecord, ControlError> {
        fault.check()?;
        let reply = body::of(&fault);
        let weight = weight(&fault, reply.as_ref());
        let mut list = self.lock();
        if list.waiting.len() >= LIMIT {
            return Err(ControlError::conflict(format!(
                "there are {LIMIT} faults already: clear them first"
            )));
        }
        let held: usize = list.waiting.values().map(|waiting| waiting.weight).sum();
        if held + weight > WEIGHT {
            return Err(ControlError::conflict(format!(
                "the faults would hold more than {} MiB together: clear them first",
                WEIGHT >> 20
            )));
        }
        let id = list.added.next();
        let remaining = if fault.probability.is_some() || fault.until.is_some() {
            fault.times
        } else {
            fault.times.or(Some(1))
        };
        let hit = Hit {
            id,
            reply,
            fault: Arc::new(fault),
        };
        let waiting = Waiting {
            skip: hit.fault.skip,
            hit,
            remaining,
            hits: 0,
            weight,
        };
        let record = waiting.record();
        list.waiting.insert(id, waiting);
        self.live.fetch_add(1, Ordering::Release);
        Ok(record)
    }

    /// The first fault that hits this request at this time of the virtual clock; its count goes down.
    pub(crate) fn hit(&self, broker: Broker, method: &str, path: &str, now: Timestamp) -> Option<Hit> {
        if self.live.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut list = self.lock();
        list.waiting.find_edit(|waiting| {
            let fault = &waiting.hit.fault;
            let applies = waiting.remaining != Some(0)
                && fault.broker == broker
                && fault.is_on(now)
                && fault
                    .method
                    .as_deref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && matches(&fault.path, path);
            if !applies {
                return None;
            }
            if waiting.skip > 0 {
                waiting.skip -= 1;
                return None;
            }
            if fault
                .probability
                .is_some_and(|probability| random::fraction() >= probability)
            {
                return None;
            }
            waiting.hits += 1;
            waiting.remaining = waiting.remaining.map(|left| left - 1);
            if waiting.remaining == Some(0) {
                self.live.fetch_sub(1, Ordering::Release);
            }
            Some(waiting.hit.clone())
        })
    }

    pub(crate) fn list(&self) -> Vec<FaultRecord> {
        self.lock().waiting.values().map(Waiting::record).collect()
    }

    /// Takes one fault away, if it is still there.
    pub(crate) fn remove(&self, id: u64) {
        let mut list = self.lock();
        if list
            .waiting
            .remove(&id)
            .is_some_and(|waiting| waiting.remaining != Some(0))
        {
            self.live.fetch_sub(1, Ordering::Release);
        }
    }

    pub(crate) fn clear(&self) {
        let mut list = self.lock();
        list.waiting.clear();
        self.live.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::Faults;
    use crate::account::Broker;
    use crate::fault::Fault;
    use preopen_core::Timestamp;

    #[test]
    fn faults_hit_in_order_as_often_as_told() {
        let faults = Faults::default();
        faults
            .add(Fault::on(Broker::Samco, "/a").times(1).skip(1).status(500))
            .unwrap();
        faults
            .add(Fault::on(Broker::Samco, "/*").times(2).method("get").status(501))
            .unwrap();
        let now = Timestamp::from_seconds(0);
        let hit = |method, path| faults.hit(Broker::Samco, method, path, now).map(|hit| hit.id);
        assert_eq!(hit("GET", "/a"), Some(2));
        assert_eq!(hit("POST", "/b"), None);
        assert_eq!(hit("GET", "/a"), Some(1));
        assert!(faults.hit(Broker::AngelOne, "GET", "/a", now).is_none());
        assert_eq!(hit("GET", "/b"), Some(2));
        assert_eq!(hit("GET", "/b"), None);
        let left: Vec<_> = faults.list().iter().map(|f| (f.remaining, f.hits)).collect();
        assert_eq!(left, [(Some(0), 1), (Some(0), 2)]);
    }

    #[test]
    fn certainty_hits_for_ever_and_nonsense_is_refused() {
        let faults = Faults::default();
        faults
            .add(Fault::on(Broker::Samco, "/a").probability(1.0).delay_ms(1))
            .unwrap();
        let now = Timestamp::from_seconds(0);
        assert!((0..50).all(|_| faults.hit(Broker::Samco, "GET", "/a", now).is_some()));
        faults.clear();
        assert!(faults.hit(Broker::Samco, "GET", "/a", now).is_none());
        let refused = |fault: Fault| faults.add(fault).unwrap_err().message().to_owned();
        assert!(refused(Fault::on(Broker::Samco, "/a")).starts_with("fault does nothing"));
        assert!(refused(Fault::on(Broker::Samco, "a").status(500)).starts_with("path"));
        assert!(refused(Fault::on(Broker::Samco, "/a").status(99)).starts_with("status"));
        assert!(refused(Fault::on(Broker::Samco, "/a").header("Content-Length", "3")).starts_with("headers"));
        assert!(refused(Fault::on(Broker::Samco, "/a").probability(f64::NAN)).starts_with("probability"));
        let backwards = Fault::on(Broker::Samco, "/a").from(now).until(now).status(500);
        assert!(refused(backwards).starts_with("until must be after from"));
    }

    #[test]
    fn a_span_hits_every_request_in_it_and_none_beside_it() {
        let faults = Faults::default();
        let at = Timestamp::from_seconds;
        let span = Fault::on(Broker::Samco, "/a").from(at(10)).until(at(20));
        let lasting = faults.add(span.clone().status(500)).unwrap();
        assert_eq!(lasting.remaining, None);
        let hit = |seconds| {
            faults
                .hit(Broker::Samco, "GET", "/a", at(seconds))
                .map(|hit| hit.id)
        };
        let seen: Vec<_> = [9, 10, 19, 20, 15].map(hit).to_vec();
        let first = Some(lasting.id);
        assert_eq!(seen, [None, first, first, None, first]);
        faults.remove(lasting.id);
        faults.remove(lasting.id);
        assert_eq!(hit(15), None);
        let counted = faults.add(span.times(2).status(500)).unwrap();
        let counted = Some(counted.id);
        assert_eq!([15, 15, 15].map(hit), [counted, counted, None]);
        assert_eq!(faults.list().len(), 1);
    }
}
