//! Histories of one account in a store, and whether they are linearizable: whether all reads and writes can be put in one
//! order, each at a moment between its beginning and its end, in which every read gives what was written last (H7). The
//! search is Wing and Gong's, with the states that were seen remembered.

use std::collections::HashSet;

/// What a program did, and what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// Read; values are named by numbers, and nothing was ever stored under 0.
    Read(u64),
    /// Wrote this value, which nobody else writes, and was told so.
    Wrote(u64),
    /// Tried to write this value; whether it was written is not known.
    MayHaveWritten(u64),
}

/// One operation; times are of one clock. One whose end is not known has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) from: u64,
    pub(crate) to: Option<u64>,
    pub(crate) did: Did,
}

/// The values in the order in which they were written, if there is an order that explains everything.
pub(crate) fn order(operations: &[Operation]) -> Option<Vec<u64>> {
    let mut search = Search {
        operations,
        seen: HashSet::new(),
        written: Vec::new(),
    };
    let mut done = vec![false; operations.len()];
    search.go(&mut done, 0).then_some(search.written)
}

struct Search<'a> {
    operations: &'a [Operation],
    seen: HashSet<(Vec<bool>, u64)>,
    written: Vec<u64>,
}

impl Search<'_> {
    fn go(&mut self, done: &mut Vec<bool>, value: u64) -> bool {
        let open = |nth: &usize| !done[*nth];
        let certain = |operation: &Operation| !matches!(operation.did, Did::MayHaveWritten(_));
        let rest: Vec<usize> = (0..self.operations.len()).filter(open).collect();
        if !rest.iter().any(|nth| certain(&self.operations[*nth])) {
            // What may have been written and was never seen may as well not have been.
            return true;
        }
        if !self.seen.insert((done.clone(), value)) {
            return false;
        }
        // Whatever began after another one ended cannot come before it.
        let first_end = rest
            .iter()
            .filter_map(|nth| self.operations[*nth].to)
            .min()
            .unwrap_or(u64::MAX);
        for nth in rest {
            let operation = self.operations[nth];
            if operation.from > first_end {
                continue;
            }
            let next = match operation.did {
                Did::Read(found) if found != value => continue,
                Did::Read(_) => value,
                Did::Wrote(new) | Did::MayHaveWritten(new) => new,
            };
            let writes = next != value;
            done[nth] = true;
            if writes {
                self.written.push(next);
            }
            if self.go(done, next) {
                return true;
            }
            if writes {
                self.written.pop();
            }
            done[nth] = false;
        }
        false
    }
}

fn at(from: u64, to: u64, did: Did) -> Operation {
    let to = Some(to);
    Operation { from, to, did }
}

#[test]
fn histories_that_can_be_put_in_order() {
    use Did::{MayHaveWritten, Read, Wrote};
    assert_eq!(order(&[]), Some(vec![]));
    let one_after_another = [
        at(0, 1, Read(0)),
        at(2, 3, Wrote(7)),
        at(4, 5, Read(7)),
        at(6, 7, Wrote(8)),
    ];
    assert_eq!(order(&one_after_another), Some(vec![7, 8]));
    // A read beside a write may give either value.
    for seen in [0, 7] {
        assert!(order(&[at(0, 10, Wrote(7)), at(1, 2, Read(seen))]).is_some());
    }
    // Two writes beside each other, in the order that the readers saw.
    let beside = [at(0, 10, Wrote(7)), at(0, 10, Wrote(8)), at(11, 12, Read(7))];
    assert_eq!(order(&beside), Some(vec![8, 7]));
    // A write whose end nobody knows may come late, or never.
    let lost = Operation {
        from: 0,
        to: None,
        did: MayHaveWritten(7),
    };
    assert_eq!(
        order(&[lost, at(5, 6, Read(0)), at(7, 8, Read(7))]),
        Some(vec![7])
    );
    assert_eq!(order(&[lost, at(5, 6, Read(0))]), Some(vec![]));
}

#[test]
fn histories_that_cannot() {
    use Did::{MayHaveWritten, Read, Wrote};
    let stale = [at(0, 1, Wrote(7)), at(2, 3, Read(0))];
    assert_eq!(order(&stale), None, "a read of what was overwritten");
    let back = [at(0, 10, Wrote(7)), at(1, 2, Read(7)), at(3, 4, Read(0))];
    assert_eq!(order(&back), None, "back in time");
    let split = [
        at(0, 10, Wrote(7)),
        at(0, 10, Wrote(8)),
        at(11, 12, Read(7)),
        at(13, 14, Read(8)),
    ];
    assert_eq!(order(&split), None, "two worlds");
    assert_eq!(order(&[at(0, 1, Read(9))]), None, "what nobody wrote");
    let early = Operation {
        from: 5,
        to: None,
        did: MayHaveWritten(7),
    };
    assert_eq!(order(&[early, at(0, 1, Read(7))]), None, "before it was written");
}
