//! What everybody in a run shares: time, chance, the network, and the ledgers.

use super::agenda::{Agenda, MINUTE, MS, Micros, SECOND};
use super::ledger::Ledger;
use super::net::Net;
use fastrand::Rng;

/// What everybody in a run shares.
pub struct Scene {
    pub agenda: Agenda,
    pub net: Net,
    pub random: Rng,
    pub ledger: Ledger,
    /// Until then the disk takes its time.
    pub slow_until: Micros,
    /// Faults are over, and everybody behaves.
    pub is_peace: bool,
    /// Since when.
    pub peace_since: Option<Micros>,
}

impl Scene {
    /// What a disk takes for what it is asked.
    pub fn disk_time(&mut self) -> Micros {
        if self.agenda.time < self.slow_until {
            return self.random.u64(SECOND / 5..5 * SECOND);
        }
        match self.random.u8(0..100) {
            0 => self.random.u64(10 * MS..200 * MS),
            _ => self.random.u64(MS / 5..4 * MS),
        }
    }

    /// Whether faults have been over for long.
    pub fn is_late(&self) -> bool {
        self.peace_since.is_some_and(|since| self.agenda.time > since + 10 * MINUTE)
    }

    /// True in so many of a thousand cases, and never in peace.
    pub fn strikes(&mut self, in_thousand: u32) -> bool {
        !self.is_peace && self.random.u32(0..1000) < in_thousand
    }
}
