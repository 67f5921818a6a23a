//! Which file holds which addresses, and the files that are prepared for what comes.
//!
//! A segment's file is named after its number and begins with its header, twice (a damaged sector must not cost the
//! store's secret):
//!
//! ```text
//! header, 128 octets at 0 and again at 4096 | frames from 8192 on
//! magic u64 | format u32 | shard u8, 0 0 0 | store 16 | secret 16 | number u64 | start u64 | serial u64 | epoch u32 | end u64 | 0 ... | crc u32 at 124
//! ```
//!
//! A spare has a number in its name that its header (of its former life, or none) doesn't have: that is what makes it a spare,
//! so putting it to use touches no directory.

use super::disk::{Disk, DiskFile};
use super::fill::fill;
use super::frame::{u32_at, u64_at};
use super::reserve::Reserve;
use crate::id::IdKey;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Octets before a segment's first frame.
pub const SEGMENT_HEADER: u64 = 8192;
/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 4;

/// The first thing in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub format: u32,
    pub shard: u8,
    pub store: [u8; 16],
    pub key: IdKey,
    pub number: u64,
    /// Address of the first octet after the header.
    pub start: u64,
    /// No serial at or above this was issued before the segment began.
    pub serial: u64,
    pub epoch: u32,
    /// Everything in it before this address was durable before it got its name; 0 if it was written as the log grew.
    pub end: u64,
}

impl SegmentHeader {
    /// Both copies, [`SEGMENT_HEADER`] octets.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut copy = [0; COPY];
        copy[..8].copy_from_slice(&MAGIC);
        copy[8..12].copy_from_slice(&self.format.to_be_bytes());
        copy[12] = self.shard;
        copy[16..32].copy_from_slice(&self.store);
        copy[32..48].copy_from_slice(&self.key.0);
        copy[48..56].copy_from_slice(&self.number.to_be_bytes());
        copy[56..64].copy_from_slice(&self.start.to_be_bytes());
        copy[64..72].copy_from_slice(&self.serial.to_be_bytes());
        copy[72..76].copy_from_slice(&self.epoch.to_be_bytes());
        copy[76..84].copy_from_slice(&self.end.to_be_bytes());
        let crc = crc32c::crc32c(&copy[..CRC_AT]);
        copy[CRC_AT..].copy_from_slice(&crc.to_be_bytes());
        let begin = out.len();
        out.resize(begin + SEGMENT_HEADER as usize, 0);
        out[begin..begin + COPY].copy_from_slice(&copy);
        out[begin + SECOND..begin + SECOND + COPY].copy_from_slice(&copy);
    }

    /// The header of a file that should have the segment `number`, from the copy that says so if both are whole; `None` if
    /// neither is. Any format is let through: the place of magic, format and crc never changes.
    pub fn read(file: &impl DiskFile, number: u64) -> io::Result<Option<Self>> {
        let (mut copy, mut found) = ([0; COPY], None);
        for at in [0, SECOND as u64] {
            let whole = file.read_at(&mut copy, at)? == COPY;
            let header = if whole { Self::parse(&copy) } else { None };
            if header.is_some_and(|header| header.number == number) {
                return Ok(header);
            }
            found = found.or(header);
        }
        Ok(found)
    }

    fn parse(copy: &[u8; COPY]) -> Option<Self> {
        if copy[..8] != MAGIC || u32_at(copy, CRC_AT)? != crc32c::crc32c(&copy[..CRC_AT]) {
            return None;
        }
        Some(Self {
            format: u32_at(copy, 8)?,
            shard: copy[12],
            store: *copy[16..].first_chunk()?,
            key: IdKey(*copy[32..].first_chunk()?),
            number: u64_at(copy, 48)?,
            start: u64_at(copy, 56)?,
            serial: u64_at(copy, 64)?,
            epoch: u32_at(copy, 72)?,
            end: u64_at(copy, 76)?,
        })
    }
}

/// The file name of a segment.
pub fn file_name(number: u64) -> String {
    format!("{number:016x}{SUFFIX}")
}

/// The number in a segment's file name; `None` for any other file.
pub fn file_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// One segment of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub number: u64,
    pub start: u64,
    /// The durable end.
    pub end: u64,
    /// Nothing more will be written to it.
    pub sealed: bool,
    /// Part of it can't be read: its file is kept when it leaves the log.
    pub damaged: bool,
    /// So little of it lives that the system was told to keep it out of memory.
    pub cold: bool,
    pub file: String,
}

/// Where an address is.
pub enum Place {
    In(Segment),
    /// Past the durable end.
    Unwritten,
    /// In no segment any more.
    Released,
}

/// The log's segments in the order of their addresses; shared by journal, writer and readers.
#[derive(Default)]
pub struct SegmentMap(Mutex<VecDeque<Segment>>);

impl SegmentMap {
    /// The log's first address.
    pub fn first_address(&self) -> Option<u64> {
        self.lock().front().map(|first| first.start)
    }

    /// The oldest segment, if it may be released: it is not written any more, nor the only one (which keeps the serials).
    pub fn first_sealed(&self) -> Option<Segment> {
        let segments = self.lock();
        let first = segments.front().filter(|first| first.sealed && segments.len() > 1);
        first.cloned()
    }

    /// Where the octets from `address` to `end` are.
    pub fn find(&self, address: u64, end: u64) -> Place {
        let segments = self.lock();
        let after = segments.partition_point(|segment| segment.start <= address);
        if segments.back().is_none_or(|last| last.end < end) {
            return Place::Unwritten;
        }
        match after.checked_sub(1).and_then(|place| segments.get(place)) {
            Some(segment) if end <= segment.end => Place::In(segment.clone()),
            Some(_) | None => Place::Released,
        }
    }

    /// The segment of that number.
    pub fn segment(&self, number: u64) -> Option<Segment> {
        self.lock().iter().find(|segment| segment.number == number).cloned()
    }

    /// Puts a segment at the end; the one before it is sealed.
    pub fn begin(&self, segment: Segment) {
        let mut segments = self.lock();
        if let Some(last) = segments.back_mut() {
            last.sealed = true;
        }
        segments.push_back(segment);
    }

    /// Moves the durable end of the last segment.
    pub fn grow(&self, end: u64) {
        if let Some(last) = self.lock().back_mut() {
            last.end = end;
        }
    }

    /// Octets of the segment that is being written; all there are if none is, for the next is waited for.
    fn used(&self) -> u64 {
        self.lock().back().filter(|last| !last.sealed).map_or(u64::MAX / 2, |last| last.end - last.start)
    }

    /// Calls the oldest segment cold that is not yet, is not written any more, and of whose addresses `is_cold` says so; gives
    /// its number.
    pub fn cool(&self, mut is_cold: impl FnMut(u64, u64) -> bool) -> Option<u64> {
        let mut segments = self.lock();
        let mut warm = segments.iter_mut().filter(|segment| segment.sealed && !segment.cold);
        let found = warm.find(|segment| is_cold(segment.start, segment.end))?;
        found.cold = true;
        Some(found.number)
    }

    /// Says that nothing more will be written to the last segment.
    pub fn seal_last(&self) {
        if let Some(last) = self.lock().back_mut() {
            last.sealed = true;
        }
    }

    fn rename(&self, number: u64, file: &str) {
        if let Some(segment) = self.lock().iter_mut().find(|segment| segment.number == number) {
            file.clone_into(&mut segment.file);
        }
    }

    fn remove(&self, number: u64) {
        self.lock().retain(|segment| segment.number != number);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Segment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files behind the map, open, and the spares.
pub struct Files<D: Disk> {
    pub disk: D,
    pub map: Arc<SegmentMap>,
    pub segment_octets: u64,
    spares_max: usize,
    pub reserve: Reserve,
    open: Mutex<BTreeMap<u64, Arc<D::File>>>,
    yard: Mutex<Yard<D::File>>,
    /// Held while a segment leaves the log: one at a time, in order.
    releasing: Mutex<()>,
}

struct Yard<F> {
    next_number: u64,
    /// The highest number that is or was in use; a spare must be above it.
    used: u64,
    /// Prepared files, lowest number first.
    ready: VecDeque<(u64, Arc<F>)>,
}

impl<D: Disk> Files<D> {
    pub fn new(
        disk: D,
        reserve: Reserve,
        map: Arc<SegmentMap>,
        settings: &super::Settings,
        next_number: u64,
    ) -> Self {
        Self {
            disk,
            map,
            segment_octets: settings.segment_octets,
            spares_max: settings.spares,
            reserve,
            open: Mutex::default(),
            yard: Mutex::new(Yard {
                next_number,
                used: next_number.saturating_sub(1),
                ready: VecDeque::new(),
            }),
            releasing: Mutex::default(),
        }
    }

    /// The open file of a segment.
    pub fn file(&self, number: u64) -> Option<Arc<D::File>> {
        lock(&self.open).get(&number).cloned()
    }

    /// Makes a segment's file known to readers.
    pub fn keep(&self, number: u64, file: Arc<D::File>) {
        lock(&self.open).insert(number, file);
    }

    /// A file for the next segment; the flag says whether it was prepared.
    pub fn take(&self) -> io::Result<(u64, Arc<D::File>, bool)> {
        let number = {
            let mut yard = lock(&self.yard);
            if let Some((number, file)) = yard.ready.pop_front() {
                yard.used = number;
                return Ok((number, file, true));
            }
            let number = yard.next_number;
            yard.next_number += 1;
            yard.used = number;
            number
        };
        let file = self.disk.create(&file_name(number))?;
        if let Err(error) = self.disk.sync_dir() {
            self.discard(number);
            return Err(error);
        }
        Ok((number, Arc::new(file), false))
    }

    /// Makes away with the file of a segment that never held anything durable.
    pub fn discard(&self, number: u64) {
        // It may stay if the disk is that sick: the next segment begins at the same address, so none of it counts.
        if self.disk.remove(&file_name(number)).is_ok() {
            let _ = self.disk.sync_dir();
        }
    }

    /// Makes spares of the files that a former run left without use, as many as are wanted, and removes the others.
    pub fn reuse(&self, left: impl Iterator<Item = (String, Arc<D::File>)>) -> io::Result<()> {
        let mut spares = Vec::new();
        for (name, file) in left {
            if spares.len() < self.spares_max && file.size()? >= self.segment_octets {
                let number = self.number();
                self.disk.rename(&name, &file_name(number))?;
                spares.push((number, file));
            } else {
                self.disk.remove(&name)?;
            }
        }
        self.disk.sync_dir()?;
        spares.into_iter().try_for_each(|(number, file)| self.publish(number, file))
    }

    fn number(&self) -> u64 {
        let mut yard = lock(&self.yard);
        yard.next_number += 1;
        yard.next_number - 1
    }

    /// Puts a prepared file among the spares; renames it if its number was overtaken meanwhile.
    pub fn publish(&self, mut number: u64, file: Arc<D::File>) -> io::Result<()> {
        loop {
            let mut yard = lock(&self.yard);
            if number > yard.used {
                let place = yard.ready.partition_point(|(ready, _)| *ready < number);
                yard.ready.insert(place, (number, file));
                return Ok(());
            }
            drop(yard);
            let next = self.number();
            self.disk.rename(&file_name(number), &file_name(next))?;
            self.disk.sync_dir()?;
            number = next;
        }
    }

    fn ready(&self) -> usize {
        lock(&self.yard).ready.len()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prepares segments ahead of need and takes dead ones back; for a thread beside the writer. Cheap to clone.
pub struct Spares<D: Disk>(pub(super) Arc<Files<D>>);

impl<D: Disk> Clone for Spares<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Disk> Spares<D> {
    /// Whether fewer segments are prepared than the settings want.
    pub fn needed(&self) -> bool {
        self.0.ready() < self.0.spares_max
    }

    /// Octets of segments that are prepared: what can certainly still be written when the disk is full, beside the
    /// rest of the segment in use.
    pub fn room(&self) -> u64 {
        self.0.ready() as u64 * self.0.segment_octets
    }

    /// Prepares one segment: a file full of zeros. Slow; not for the thread that commits.
    ///
    /// Each part of it is synced and followed by a call of `rest`, which is told whether there is time to rest: a sync of the log
    /// waits for all that the disk was given before it, so that a segment filled at once holds up a commit for as long.
    ///
    /// # Errors
    /// The disk's; [`ErrorKind::StorageFull`] means that no submission should be accepted that needs more than
    /// [`Spares::room`].
    pub fn prepare(&self, rest: &mut dyn FnMut(bool)) -> io::Result<()> {
        let files = &*self.0;
        // Filling the disk to see would take the room that final states still find.
        if files.disk.free()? < files.segment_octets {
            return Err(ErrorKind::StorageFull.into());
        }
        let number = files.number();
        let name = file_name(number);
        let file = files.disk.create(&name)?;
        let mut part = |filled: u64| rest(files.ready() > 0 || filled >= 2 * files.map.used());
        if let Err(error) = fill(&file, files.segment_octets, &mut part).and_then(|()| files.disk.sync_dir())
        {
            // Gives the room back; the file means nothing if this fails as well.
            let _ = files.disk.remove(&name);
            return Err(error);
        }
        files.publish(number, Arc::new(file))
    }

    /// Whether the reserve is not `octets` long: it has been given up, or was never made.
    pub fn reserve_needed(&self, octets: u64) -> bool {
        self.0.reserve.octets() != octets
    }

    /// Makes the reserve, which the writer gives up when the disk is full, `octets` long; 0 for none. Slow, as
    /// [`Spares::prepare`].
    ///
    /// # Errors
    /// The disk's, as for [`Spares::prepare`]; there is no reserve then.
    pub fn make_reserve(&self, octets: u64, rest: &mut dyn FnMut(bool)) -> io::Result<()> {
        self.0.reserve.make(&self.0.disk, octets, rest)
    }

    /// Keeps a segment out of the system's memory, for little of it lives.
    pub fn uncache(&self, number: u64) {
        if let Some(file) = self.0.file(number) {
            file.uncache();
        }
    }

    /// Takes the oldest segment out of the log; its file becomes a spare if there are few, for what is taken back need not
    /// be filled with zeros, and is kept aside if the segment is damaged. Waits for the disk's directory; call it where that doesn't hurt.
    ///
    /// # Errors
    /// `InvalidInput` if it isn't the oldest or is still in use; else the disk's, and the segment is still in the log.
    pub fn release(&self, number: u64) -> io::Result<()> {
        let files = &*self.0;
        let _one_at_a_time = lock(&files.releasing);
        let segment = files.map.first_sealed().filter(|first| first.number == number);
        let segment = segment.ok_or(ErrorKind::InvalidInput)?;
        let file = files.file(number).ok_or(ErrorKind::NotFound)?;
        let spare = if segment.damaged {
            let aside = format!("{}{ASIDE}", file_name(number));
            self.rename(&segment, &aside)?;
            None
        } else if self.is_welcome()? && file.size()? >= files.segment_octets {
            let spare = files.number();
            self.rename(&segment, &file_name(spare))?;
            Some(spare)
        } else {
            match files.disk.remove(&segment.file) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                // Not found: an earlier release got this far and failed at the directory.
                Ok(()) | Err(_) => files.disk.sync_dir()?,
            }
            None
        };
        // Only now may its octets change: a reader looks again after reading whether the segment is still there.
        files.map.remove(number);
        lock(&files.open).remove(&number);
        match spare {
            Some(spare) => files.publish(spare, file),
            None => Ok(()),
        }
    }

    /// Whether a released file is kept as a spare. On a disk that is nearly full its room may be wanted for something else.
    fn is_welcome(&self) -> io::Result<bool> {
        let Files { disk, segment_octets, spares_max, .. } = &*self.0;
        Ok(self.needed() || (self.0.ready() < RECYCLED * spares_max && disk.free()? >= *segment_octets))
    }

    fn rename(&self, segment: &Segment, to: &str) -> io::Result<()> {
        self.0.disk.rename(&segment.file, to)?;
        self.0.map.rename(segment.number, to);
        self.0.disk.sync_dir()
    }
}

/// How many spares there may be for each that is wanted, when they come from the log: compaction lets several go in a row.
const RECYCLED: usize = 5;
const SUFFIX: &str = ".segment";
/// What a damaged segment's file name gets behind it when it leaves the log.
pub const ASIDE: &str = ".damaged";
const MAGIC: [u8; 8] = *b"enroute\0";
/// Octets of one copy of the header, and where the second and the crc are.
const COPY: usize = 128;
const SECOND: usize = 4096;
const CRC_AT: usize = COPY - 4;
