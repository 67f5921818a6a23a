//! How much memory the hub has in use, by its own books, and whether there is room for more.
//!
//! Bodies and buffers come and go and are counted as they are; small things are counted by number and charged generously. Rows never
//! give their memory back, they are only used again: so they may take [`ROWS_SHARE`] of the limit, and what else there is always has
//! the rest. Nothing that is here is ever dropped for want of room: what comes in is refused (ESME_RMSGQFUL) before.

use super::Hub;
use super::table::{Row, Token};

impl Hub {
    /// What sessions hold in their buffers, in octets: whoever runs them tells it before each turn.
    pub fn note_buffers(&mut self, octets: u64) {
        self.buffers = octets;
    }

    /// Octets of memory in use.
    pub fn memory(&self) -> u64 {
        self.rows_memory() + self.other_memory()
    }

    /// Whether one message more would be too much.
    pub(super) fn is_crowded(&self) -> bool {
        let limit = self.settings.limits.memory_octets;
        let rows = self.rows_memory();
        let is_row_there = self.table.has_free_slot();
        self.other_memory() >= limit.saturating_sub(rows)
            || (!is_row_there && rows >= limit / ROWS_SHARE.1 * ROWS_SHARE.0)
    }

    /// Whether bodies had better wait on disk.
    pub(super) fn is_tight(&self) -> bool {
        let limit = self.settings.limits.memory_octets;
        self.other_memory() >= limit.saturating_sub(self.rows_memory()) / 2
    }

    /// Of all slots, taken or free: each with its deadline and its place in a queue.
    fn rows_memory(&self) -> u64 {
        u64::from(self.table.slots()) * ROW
    }

    fn other_memory(&self) -> u64 {
        let numbers = [
            (self.bodies.len(), BODY),
            (self.holding.len(), HELD),
            (self.correlation.len(), KNOWN),
            (self.correlation.early_len(), EARLY),
            (self.remembered(), REMEMBERED),
            (self.bulks.len(), BULK),
        ];
        let small: u64 = numbers.iter().map(|(number, octets)| *number as u64 * octets).sum();
        small
            + self.table.body_octets()
            + self.kin.gathering.octets() as u64
            + self.opt_outs.octets() as u64
            + self.backlog.octets() as u64
            + self.buffers
    }
}

/// The share of the limit that rows may take.
const ROWS_SHARE: (u64, u64) = (3, 4);
/// A row, its deadline in the wheel, its place in a queue and one in the list of free slots, octets.
const ROW: u64 = (size_of::<Row>() + 16 + size_of::<Token>() + 4) as u64;
/// Beside its octets: its handle and its place among those that are watched.
const BODY: u64 = 64;
/// What waits for the disk, with its record in the frame that is being written.
const HELD: u64 = 512;
/// A carrier's id, as it wrote it and as it is looked up.
const KNOWN: u64 = 96;
const EARLY: u64 = 256;
const REMEMBERED: u64 = 256;
const BULK: u64 = 512;
