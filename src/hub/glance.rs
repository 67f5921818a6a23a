//! Messages of a batch are looked at together before the first of them is worked on.
//!
//! A processor waits for many places in memory at a time, but for those of one message after the other's if it has all that is done with
//! the one to do first. With hundreds of thousands of messages on their way, that wait is most of what one costs.

use super::carriers::mark;
use super::{CarrierState, Hub, LinkState};
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

    /// Looks at these rows and bodies, not at their timers.
    pub(super) fn glance_at_bodies(&self, slots: impl Iterator<Item = u32>) {
        black_box(slots.map(|slot| self.table.glance(slot)).fold(0, u64::bitxor));
    }

    /// Looks at where the messages of these go next: their carriers, and the links whose turn it is.
    pub(super) fn glance_ahead(&self, slots: impl Iterator<Item = u32>) {
        let (mut last, mut seen) = (None, 0);
        for carrier in slots.filter_map(|slot| self.table.peek(slot)).map(|row| row.carrier) {
            if last.replace(carrier) == Some(carrier) {
                continue;
            }
            let place = usize::from(carrier.0);
            let Some(state) = self.carriers.get(place) else { continue };
            let link = state.next_link().and_then(|seat| self.links.peek(seat));
            seen ^= state.glance() ^ link.map_or(0, LinkState::glance);
            if !self.carriers.has(place, mark::FREE) {
                seen ^= state.glance_at_holds();
            }
        }
        black_box(seen);
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

impl CarrierState {
    /// The seat of the link whose turn is next.
    fn next_link(&self) -> Option<u32> {
        self.links.get((self.turn + 1) % self.links.len().max(1)).copied()
    }

    /// Looks at what each message needs of it, or changes.
    fn glance(&self) -> usize {
        self.pulse.count() ^ self.out ^ self.pace.glance() as usize
    }

    /// Looks at what may hold a message back.
    fn glance_at_holds(&self) -> usize {
        usize::from(self.is_at_ease() & self.queue.is_empty() & self.pace.is_limited())
    }
}

impl LinkState {
    /// Looks at what each message changes of it.
    fn glance(&self) -> usize {
        self.room ^ self.going.last().map_or(0, |token| token.slot as usize)
    }
}

/// How many are looked at together.
pub(super) const GLANCE: usize = 64;
