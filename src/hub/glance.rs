//! Messages of a batch are looked at together before the first of them is worked on.
//!
//! A processor waits for many places in memory at a time, but for those of one message after the other's if it has all that is done with
//! the one to do first. With hundreds of thousands of messages on their way, that wait is most of what one costs.

use super::Hub;
use crate::carrier::{Arrival, LinkIntake, Matter};
use crate::correlation::IdHash;
use crate::id::CarrierId;
use std::hint::black_box;
use std::ops::BitXor;

impl Hub {
    /// Looks at the rows, bodies and timers that the turn comes to next.
    pub(super) fn glance(&self, slots: impl Iterator<Item = u32>) {
        let see = |slot| self.table.glance(slot) ^ self.wheel.deadline(slot).unwrap_or_default();
        black_box(slots.map(see).fold(0, u64::bitxor));
    }

    /// Under which keys the messages may be known that the carrier's receipts are for, arrival by arrival; looks at these messages.
    pub(super) fn keys(&self, carrier: CarrierId, intake: &LinkIntake) -> Vec<Option<IdHash>> {
        let form = self.carriers[usize::from(carrier.0)].ids.receipt;
        let key = |arrival: &Arrival| match &arrival.matter {
            Matter::Receipt { id, .. } => Some(self.correlation.key(carrier, intake.id(id), form)),
            Matter::Inbound { .. } | Matter::Illegible | Matter::Unreadable => None,
        };
        let keys: Vec<_> = intake.arrivals.iter().map(key).collect();
        self.glance(keys.iter().flatten().flat_map(|key| self.correlation.find(*key).take(1)));
        keys
    }
}
