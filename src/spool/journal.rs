//! The hub's side of the spool: records become octets with an address, without any IO.

use super::frame::{FRAME_HEADER, FrameHeader, Salt};
use super::record::Record;
use super::segment::{Segment, SegmentMap};
use super::{Appended, Locator};
use crate::id::{IdKey, Lsn, MessageId, SHARD_BITS};
use bytes::{BufMut, BytesMut};
use std::collections::VecDeque;
use std::sync::Arc;

/// The log's growing end, and the account of what in it still lives.
pub struct Journal {
    map: Arc<SegmentMap>,
    salt: Salt,
    key: IdKey,
    epoch: u32,
    frame_octets: usize,
    /// Frames since the last seal, one behind the other, each with its header's room.
    buffer: BytesMut,
    /// Address of the buffer's first octet.
    address: u64,
    /// Where in the buffer the open frame's header is; `None` if there is no open frame.
    open: Option<usize>,
    /// Whose record was appended last: records of one message in a row share a frame.
    latest: Option<MessageId>,
    sequence: u64,
    serial: u64,
    spent: Vec<BytesMut>,
    living: Living,
    /// The segment that was handed out for compaction and is still there.
    compacting: Option<u64>,
    /// Where the log ended when it was last looked for segments that are cold.
    looked: u64,
}

/// Everything that was appended between two seals, for [`Writer::commit`](super::Writer::commit).
pub struct Frames {
    pub(super) buffer: BytesMut,
    pub(super) address: u64,
}

impl Frames {
    /// All of it is durable once the durable Lsn has reached this.
    pub fn end(&self) -> Lsn {
        Lsn(self.address + self.buffer.len() as u64)
    }

    /// How much there is to write.
    pub fn octets(&self) -> usize {
        self.buffer.len()
    }
}

/// When the oldest segment is worth copying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionRules {
    /// The log may be this many times the living octets long ...
    pub factor: u64,
    /// ... and this many octets longer.
    pub slack_octets: u64,
}

impl Default for CompactionRules {
    fn default() -> Self {
        Self { factor: 3, slack_octets: 256 << 20 }
    }
}

/// What is to be done with the oldest segment. There is one at a time: the next comes when this segment has been released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compaction {
    /// Scan it, append what lives again, retire the old copies, then release it once those appends are durable.
    Copy(CompactionTask),
    /// Nothing lives in it, and it ends at `to`: release it once the durable Lsn has reached `after`.
    Release { number: u64, to: Lsn, after: Lsn },
}

/// A segment, and the addresses that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionTask {
    /// Address of the segment's first octet.
    pub from: u64,
    /// Address of the octet after its last.
    pub to: u64,
    /// The segment.
    pub number: u64,
}

/// What the replay found out, for a new journal.
pub(super) struct JournalStart {
    pub map: Arc<SegmentMap>,
    pub key: IdKey,
    pub epoch: u32,
    pub frame_octets: usize,
    pub address: u64,
    pub sequence: u64,
    pub serial: u64,
}

impl Journal {
    pub(super) fn new(start: JournalStart) -> Self {
        Self {
            map: start.map,
            salt: Salt::new(&start.key),
            key: start.key,
            epoch: start.epoch,
            frame_octets: start.frame_octets,
            buffer: BytesMut::new(),
            address: start.address,
            open: None,
            latest: None,
            sequence: start.sequence,
            serial: start.serial,
            spent: Vec::new(),
            living: Living::default(),
            compacting: None,
            looked: 0,
        }
    }

    /// Puts a record at the end of the log. It is durable some time after the next [`Journal::seal`].
    ///
    /// Records of one message that are appended one after the other become durable together or not at all:
    /// so a message that compaction appends again never loses its state to a power cut.
    pub fn append(&mut self, record: &Record<'_>) -> Appended {
        self.prepare_frame(record.id());
        let start = self.buffer.len();
        record.encode(&mut self.buffer);
        let at = self.address + start as u64;
        let check = self.salt.record(&self.buffer[start..], at);
        self.buffer[start + 4..start + 8].copy_from_slice(&check.to_be_bytes());
        let locator = Locator { at, len: (self.buffer.len() - start) as u32 };
        if let Record::Accepted { .. } = record {
            self.living.add(locator);
        }
        Appended { lsn: Lsn(at + u64::from(locator.len)), locator }
    }

    /// Hands over everything since the last seal, as one or more frames; `None` if there is nothing.
    pub fn seal(&mut self) -> Option<Frames> {
        self.close_frame();
        if self.buffer.is_empty() {
            return None;
        }
        let next = self.spent.pop().unwrap_or_default();
        let buffer = std::mem::replace(&mut self.buffer, next);
        let address = self.address;
        self.address += buffer.len() as u64;
        Some(Frames { buffer, address })
    }

    /// Takes written frames back, for their memory.
    pub fn recycle(&mut self, frames: Frames) {
        let mut buffer = frames.buffer;
        if self.spent.len() < SPENT_MAX && buffer.capacity() <= SPENT_OCTETS_MAX {
            buffer.clear();
            self.spent.push(buffer);
        }
    }

    /// Octets appended since the last seal.
    pub fn unsealed(&self) -> usize {
        self.buffer.len()
    }

    /// The address after everything appended so far; an append that is durable lies before it.
    pub fn end(&self) -> Lsn {
        Lsn(self.address + self.buffer.len() as u64)
    }

    /// The next message's serial: strictly up over the whole life of the store, even when all its messages are gone.
    pub fn next_serial(&mut self) -> u64 {
        let serial = self.serial;
        // The shard's bits stay: 56 bits at a million messages a second last two thousand years.
        let low = u64::MAX >> SHARD_BITS;
        self.serial = (serial & !low) | (serial.wrapping_add(1) & low);
        serial
    }

    /// The serial that the next message will get.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The secret that makes this store's ids impossible to guess.
    pub fn id_key(&self) -> IdKey {
        self.key
    }

    /// Counts an accepted record that the replay found and the hub keeps as a living one. Appended ones are counted already.
    pub fn adopt(&mut self, locator: Locator) {
        self.living.add(locator);
    }

    /// The accepted record there is no longer the living copy: the message is done, or was appended again.
    pub fn retire(&mut self, locator: Locator) {
        self.living.remove(locator);
    }

    /// Octets of all living accepted records.
    pub fn live_octets(&self) -> u64 {
        self.living.total
    }

    /// Octets of the log, dead and living, from its oldest segment to its end.
    pub fn log_octets(&self) -> u64 {
        self.map.first_address().map_or(0, |from| self.end().0 - from)
    }

    /// What to do with the oldest segment, if the rules want it copied or nothing lives there. The segment that is being written
    /// is never touched.
    pub fn next_compaction(&mut self, rules: &CompactionRules) -> Option<Compaction> {
        let Segment { number, start: from, end: to, .. } = self.map.first_sealed()?;
        if self.compacting == Some(number) {
            return None;
        }
        let task = if !self.living.any(from, to) {
            Compaction::Release { number, to: Lsn(to), after: self.end() }
        } else if self.log_octets() > rules.factor * self.living.total + rules.slack_octets {
            Compaction::Copy(CompactionTask { from, to, number })
        } else {
            return None;
        };
        self.compacting = Some(number);
        Some(task)
    }

    /// A segment of which next to nothing lives and which stays all the same, for one before it does live: nobody will read it soon,
    /// and the log goes on in other files. Says each once, the oldest first; none as long as no more than `slack_octets` of the log
    /// are dead, for these are soon written again. Looks once for each sixteenth of that which is appended.
    pub fn next_cold(&mut self, slack_octets: u64) -> Option<u64> {
        let end = self.end().0;
        if end < self.looked + slack_octets / 16 {
            return None;
        }
        self.looked = end;
        if self.log_octets() <= self.living.total + slack_octets {
            return None;
        }
        self.map.cool(|from, to| self.living.octets(from, to) * COLD_SHARE <= to - from)
    }

    /// Takes a compaction back that could not be done, so that it is offered again.
    pub fn abandon_compaction(&mut self) {
        self.compacting = None;
    }

    /// Sees to it that there is an open frame, a new one if the last is full and this is another message.
    fn prepare_frame(&mut self, id: MessageId) {
        if let Some(frame) = self.open
            && self.buffer.len() - frame - FRAME_HEADER >= self.frame_octets
            && self.latest != Some(id)
        {
            self.close_frame();
        }
        if self.open.is_none() {
            self.open = Some(self.buffer.len());
            self.buffer.put_bytes(0, FRAME_HEADER);
        }
        self.latest = Some(id);
    }

    fn close_frame(&mut self) {
        let Some(frame) = self.open.take() else {
            return;
        };
        let header = FrameHeader {
            crc: 0,
            segment: 0,
            address: self.address + frame as u64,
            sequence: self.sequence,
            commit: 0,
            serial: self.serial,
            epoch: self.epoch,
            previous: 0,
            body: (self.buffer.len() - frame - FRAME_HEADER) as u32,
        };
        header.write(&mut self.buffer[frame..frame + FRAME_HEADER]);
        self.sequence += 1;
    }
}

/// How many living octets begin in each stretch of the log.
#[derive(Default)]
struct Living {
    /// Number of the first stretch.
    first: u64,
    stretches: VecDeque<u64>,
    total: u64,
}

impl Living {
    fn add(&mut self, locator: Locator) {
        let stretch = locator.at / STRETCH;
        if self.stretches.is_empty() {
            self.first = stretch;
        }
        while stretch < self.first {
            self.stretches.push_front(0);
            self.first -= 1;
        }
        let place = (stretch - self.first) as usize;
        if place >= self.stretches.len() {
            self.stretches.resize(place + 1, 0);
        }
        self.stretches[place] += u64::from(locator.len);
        self.total += u64::from(locator.len);
    }

    fn remove(&mut self, locator: Locator) {
        let Some(place) = (locator.at / STRETCH).checked_sub(self.first) else {
            return;
        };
        let Some(octets) = self.stretches.get_mut(place as usize) else {
            return;
        };
        let gone = u64::from(locator.len).min(*octets);
        *octets -= gone;
        self.total -= gone;
        while self.stretches.front() == Some(&0) {
            self.stretches.pop_front();
            self.first += 1;
        }
    }

    /// Whether anything may live in these addresses.
    fn any(&self, from: u64, to: u64) -> bool {
        self.stretches(from, to).any(|octets| octets > 0)
    }

    /// How many octets live in these addresses at most.
    fn octets(&self, from: u64, to: u64) -> u64 {
        self.stretches(from, to).sum()
    }

    /// What lives in each stretch of these addresses; one that reaches into them counts whole.
    fn stretches(&self, from: u64, to: u64) -> impl Iterator<Item = u64> {
        (from / STRETCH..to.div_ceil(STRETCH))
            .filter_map(|stretch| stretch.checked_sub(self.first))
            .filter_map(|place| self.stretches.get(place as usize).copied())
    }
}

/// Octets of one stretch of the living account: 8 octets of memory for each 64 KiB of log.
const STRETCH: u64 = 64 << 10;
/// A segment is cold if no more than one octet of so many lives in it.
const COLD_SHARE: u64 = 16;
/// Written buffers that are kept for reuse, and how large they may be.
const SPENT_MAX: usize = 8;
const SPENT_OCTETS_MAX: usize = 4 << 20;
