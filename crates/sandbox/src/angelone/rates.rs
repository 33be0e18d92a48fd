//! The documented limits of calls per client code, for the switch `angelone_rate_limits`. What is counted is not kept: it
//! matters for an hour at most.

use std::collections::HashMap;
use std::time::Duration;

use preopen_core::brokers::ANGEL_ONE_LIMITS as LIMITS;
use preopen_core::limits::{Window, group_of};
use preopen_core::wire::Method;

use crate::wire::Request;

/// The calls that still count, by member and group.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<(usize, usize), Window>);

impl Rates {
    /// Counts a call of a member at `now` of the virtual clock; whether it is one too many. Refused calls do not count:
    /// not documented, and a client that waits as long as it must gets through either way.
    pub(super) fn is_too_fast(&mut self, member: usize, request: &Request, now: Duration) -> bool {
        let Ok(method) = Method::parse(request.method.as_str()) else {
            return false;
        };
        let group = group_of(LIMITS, method, &request.path);
        let Some(limits) = LIMITS.get(group) else {
            return false;
        };
        let window = self.0.entry((member, group)).or_default();
        if !window.wait(limits.rates, now, 0).is_zero() {
            return true;
        }
        let ticket = window.take(now);
        window.settle(ticket, now);
        false
    }
}
