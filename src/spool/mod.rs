//! The durable journal of messages: what is in it survives kill -9 and power loss.
//!
//! [`open`] replays what the last run left and gives three parts. The hub's [`Journal`] encodes records into the
//! current frame and knows their addresses at once; the writer thread's [`Writer`] makes sealed frames durable; anybody's
//! [`Reader`] reads records back. None of them owns a thread, a clock or a file: a [`Disk`] is passed in.
//!
//! ```text
//! hub turn: append, append, ... seal ──Frames──> Writer::commit: one write, one sync ──durable Lsn──> answers go out
//!           retire, next_compaction ──number──> Reader::scan ──living records──> append again ──durable──> release
//! ```
//!
//! **Addresses.** A log address ([`Lsn`], [`Locator`]) counts octets of an endless log and never changes its meaning.
//! Which file holds it is the writer's business: a segment says in its header at which address it starts. So a failed
//! write is answered by sealing the segment at the last durable address and writing the same frames, at the same addresses,
//! into a fresh one; a sync is never tried twice on the same file, because the second may succeed without having written
//! (reliability.md 1.3).
//!
//! **What recovery believes.** A frame counts if its checksum, segment number and address agree, and if it continues the frame before it.
//! Everything below the start of a later segment was durable, and so was everything below the commit address that a
//! later frame carries: a hole there is damage, it is reported and exactly that range is skipped. A hole with neither
//! behind it is the unsynced tail of the last commit, and is cut. What is left of that commit is written once more, into a
//! segment of its own that takes the old one's place at once or not at all: a page cache shows writes that no
//! sync has brought to the disk and none ever will.
//!
//! **A full disk** refuses nothing that ends a message, for as long as it can: the segments that are prepared, and then a reserve
//! file that is removed when a write finds no room, are for that. It is made again when there is room ([`Spares`]).
//!
//! **Compaction is first in, first out** and safe to cut off at any step. For the oldest segment the hub appends each
//! living message again (accepted, and what its state demands, in one go) and retires the old copy; replay takes an
//! accepted record for a known id as a new beginning of that message, so both copies, or only the old one, mean the
//! same; records of one message that are appended in a row share a frame, so no power cut comes between them. Only when those appends are durable is the segment released. A message that is gone needs no mark that
//! outlives its segment: its accepted record lies before its done record, and segments go in order, each one's removal durable
//! before the next.

mod disk;
mod fill;
mod frame;
mod journal;
mod layout;
mod reader;
mod record;
mod recovery;
mod reserve;
mod segment;
mod walk;
mod writer;

pub use disk::{Disk, DiskFile, Faults, MemoryDisk, MemoryFile};
pub use journal::{Compaction, CompactionRules, CompactionTask, Frames, Journal};
pub use layout::OpenError;
pub use reader::{ReadError, Reader, Scan, ScannedFrame};
pub use record::{Record, RecordError};
pub use recovery::{Damage, RecoveryReport, open};
pub use segment::Spares;
pub use writer::{WriteError, Writer, WriterStats};

use crate::id::Lsn;

/// Where a record lies in the log, and how long it is: all that a parked message keeps of its body.
///
/// Packed to 12 octets: take its fields by value (`{ locator.at }`), they can't be borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C, packed(4))]
pub struct Locator {
    /// Address of the record's first octet.
    pub at: u64,
    /// Octets of the whole record.
    pub len: u32,
}

/// What [`Journal::append`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The record is durable once the durable Lsn has reached this.
    pub lsn: Lsn,
    /// Where the record is.
    pub locator: Locator,
}

/// Sizes of a spool; they may change from one start to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Octets of a segment file, header included. At least four times `frame_octets`.
    pub segment_octets: u64,
    /// Octets of records that one frame holds at most (a single longer record gets a frame of its own).
    pub frame_octets: usize,
    /// Segments that are kept prepared; they are also the room for final states when the disk is full.
    pub spares: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { segment_octets: 64 << 20, frame_octets: 1 << 20, spares: 1 }
    }
}

#[cfg(test)]
mod tests;
