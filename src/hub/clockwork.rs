//! The wheel, and what each of its timers is for: a message has one timer at most, and they are counted by kind.

use crate::wheel::Wheel;

/// What a message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its schedule.
    Scheduled,
    /// Its next attempt.
    Backoff,
    /// The end of its validity, while it is queued or with a carrier.
    Validity,
    /// Its receipt, in vain, after the end of its validity.
    ReceiptGrace,
    /// An account that takes its receipt, in vain.
    Retention,
    /// The time to try its receipt again.
    ReceiptRetry,
}

/// Names of the kinds in metrics, in their order.
pub const KINDS: [&str; 6] =
    ["scheduled", "backoff", "validity", "receipt_grace", "retention", "receipt_retry"];

/// The timers of all messages, by slot.
pub(super) struct Clockwork {
    wheel: Wheel,
    /// By slot; means something while the slot has a timer.
    kinds: Vec<Kind>,
    counts: [u64; KINDS.len()],
}

impl Clockwork {
    pub fn new(start_tick: u64) -> Self {
        Self { wheel: Wheel::new(start_tick), kinds: Vec::new(), counts: [0; KINDS.len()] }
    }

    /// How many timers there are of each kind, in the order of [`KINDS`].
    pub const fn counts(&self) -> [u64; KINDS.len()] {
        self.counts
    }

    pub fn len(&self) -> usize {
        self.wheel.len()
    }

    /// The time that the wheel has reached.
    pub fn now(&self) -> u64 {
        self.wheel.now()
    }

    pub fn next_tick(&self) -> Option<u64> {
        self.wheel.next_tick()
    }

    pub fn deadline(&self, slot: u32) -> Option<u64> {
        self.wheel.deadline(slot)
    }

    /// Sets the timer of `slot`, in place of any other.
    pub fn set(&mut self, slot: u32, tick: u64, kind: Kind) {
        if self.wheel.reschedule(slot, tick) {
            self.uncount(slot);
        }
        let place = slot as usize;
        if place >= self.kinds.len() {
            self.kinds.resize(place + 1, Kind::Scheduled);
        }
        self.kinds[place] = kind;
        self.counts[kind as usize] += 1;
    }

    pub fn cancel(&mut self, slot: u32) {
        if self.wheel.cancel(slot) {
            self.uncount(slot);
        }
    }

    /// As [`Wheel::advance`].
    pub fn advance(&mut self, to_tick: u64, budget: usize, fired: &mut Vec<u32>) -> bool {
        let before = fired.len();
        let is_done = self.wheel.advance(to_tick, budget, fired);
        fired[before..].iter().for_each(|slot| self.uncount(*slot));
        is_done
    }

    fn uncount(&mut self, slot: u32) {
        self.counts[self.kinds[slot as usize] as usize] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_counted_by_kind_whatever_becomes_of_them() {
        let mut clockwork = Clockwork::new(0);
        clockwork.set(7, 10, Kind::Scheduled);
        clockwork.set(3, 20, Kind::Validity);
        clockwork.set(4, 20, Kind::Validity);
        assert_eq!(clockwork.counts(), [1, 0, 2, 0, 0, 0]);

        clockwork.set(7, 30, Kind::Backoff);
        clockwork.cancel(3);
        clockwork.cancel(3);
        assert_eq!((clockwork.counts(), clockwork.len()), ([0, 1, 1, 0, 0, 0], 2));

        let mut fired = vec![99];
        assert!(clockwork.advance(30, 10, &mut fired));
        assert_eq!((&fired[..], clockwork.counts()), (&[99, 4, 7][..], [0; 6]));
    }
}
