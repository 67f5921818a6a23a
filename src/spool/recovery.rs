//! Opens a spool: finds its segments, replays what they say, and cuts what was never durable.

use super::disk::{Disk, DiskFile};
use super::frame::{FRAME_HEADER, FrameHeader, Salt};
use super::journal::{Journal, JournalStart};
use super::layout::{OpenError, Used, candidates, identify, settle_files, sort, write_store};
use super::reader::{Reader, records};
use super::record::Record;
use super::reserve::{Reserve, is_full};
use super::segment::{FORMAT, Files, SEGMENT_HEADER, Segment, SegmentHeader, SegmentMap, file_name};
use super::walk::{Step, Walk};
use super::writer::{Identity, Writer, finish};
use super::{Locator, Settings};
use crate::clock::Now;
use crate::id::SHARD_BITS;
use bytes::Bytes;
use std::io;
use std::sync::Arc;

/// What [`open`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments with anything in them.
    pub segments: u64,
    /// Whole frames.
    pub frames: u64,
    /// Records replayed, saved ones included.
    pub records: u64,
    /// Octets of unsynced tail that were cut: nothing that anybody was told about.
    pub cut_octets: u64,
    /// Ranges that had been durable and can't be read any more, at most [`RecoveryReport::DAMAGED_MAX`] of them.
    pub damaged: Vec<Damage>,
    /// Octets in all damaged ranges.
    pub damaged_octets: u64,
    /// Files that had a place in the log, nobody knows which, and of which nothing can be read: put aside.
    pub aside: Vec<String>,
}

impl RecoveryReport {
    /// How many damaged ranges are listed; octets are counted beyond it.
    pub const DAMAGED_MAX: usize = 1024;

    fn note(&mut self, damage: Damage) {
        self.damaged_octets += damage.to - damage.from;
        if self.damaged.len() < Self::DAMAGED_MAX {
            self.damaged.push(damage);
        }
    }
}

/// A stretch of the log that can't be read as it was written. Its segment's file is kept, even after its release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file; for a missing file, the one behind it.
    pub file: String,
    /// First damaged address.
    pub from: u64,
    /// First address after it.
    pub to: u64,
    /// Whole records that were found in between and replayed.
    pub saved: u64,
}

/// Opens the store on `disk`, or makes a new one there, and replays every record in the order of its address.
///
/// After the replay the hub adopts each living message's accepted record ([`Journal::adopt`]). New frames go into a
/// new segment, never behind what a former run wrote.
///
/// # Errors
/// See [`OpenError`]; damage is not an error but reported.
pub fn open<D: Disk>(
    disk: D,
    settings: Settings,
    shard: u8,
    now: Now,
    replay: &mut dyn FnMut(Record<'_>, Locator),
) -> Result<(Journal, Writer<D>, Reader<D>, RecoveryReport), OpenError> {
    check(&settings)?;
    let candidates = candidates(&disk)?;
    let (store, fresh) = identify(&disk, &candidates, shard, now)?;
    let salt = Salt::new(&store.key);
    let (mut used, mut unused) = sort(candidates, salt)?;
    let mut log = Log::new(store, fresh);
    let starts: Vec<u64> = used.iter().map(|segment| segment.start).collect();
    for (place, segment) in used.iter_mut().enumerate() {
        log.replay(segment, starts.get(place + 1).copied(), salt, replay)?;
    }
    let numbers = used.iter().map(|segment| segment.number);
    let next_number = numbers.chain(unused.iter().map(|file| file.number)).max().unwrap_or(0) + 1;
    let reserve = Reserve::find(&disk)?;
    let tail = match log.secure_tail(&disk, &mut used, next_number, store) {
        // What was left of the disk is for this.
        Err(error) if is_full(&error) && reserve.release(&disk) => {
            log.secure_tail(&disk, &mut used, next_number, store)?
        }
        secured => secured?,
    };
    let next_number = next_number + u64::from(tail.is_some());
    used.extend(tail);
    log.report.aside = settle_files(&disk, &mut used, &mut unused)?;
    let (serial, epoch) = (log.next_serial(), log.epoch + 1);
    // Durable before the first serial is issued: so not even one that left no other trace comes again.
    write_store(&disk, &SegmentHeader { serial, epoch, number: 0, start: 0, ..store })?;

    let map = Arc::new(SegmentMap::default());
    let files = Arc::new(Files::new(disk, reserve, Arc::clone(&map), &settings, next_number));
    for segment in used {
        files.keep(segment.place.number, segment.file);
        map.begin(segment.place);
    }
    map.seal_last();
    files.reuse(unused.into_iter().map(|file| (file.name, file.file)))?;
    let identity = Identity { shard, store: store.store, key: store.key, epoch };
    let journal = Journal::new(JournalStart {
        map,
        key: store.key,
        epoch,
        frame_octets: settings.frame_octets,
        address: log.end,
        sequence: log.sequence + 1,
        serial,
    });
    let chain = log.last.map_or(0, |last| last.crc);
    let writer = Writer::new(Arc::clone(&files), identity, log.end, chain);
    Ok((journal, writer, Reader::new(files, salt), log.report))
}

fn check(settings: &Settings) -> Result<(), OpenError> {
    if settings.frame_octets == 0 || settings.frame_octets > Record::MAX_LEN {
        return Err(OpenError::Settings("frame_octets is outside 1..=1048576"));
    }
    if settings.segment_octets < SEGMENT_HEADER + 4 * settings.frame_octets as u64 {
        return Err(OpenError::Settings("segment_octets is under four frames"));
    }
    Ok(())
}

/// The log as far as it has been replayed.
struct Log {
    /// The first address after it.
    end: u64,
    begun: bool,
    last: Option<FrameHeader>,
    sequence: u64,
    serial: u64,
    epoch: u32,
    fresh: bool,
    /// Everything before this address was synced; the frames after it may be in the page cache only.
    proven: u64,
    unproven: Vec<(FrameHeader, Bytes)>,
    report: RecoveryReport,
}

impl Log {
    fn new(store: SegmentHeader, fresh: bool) -> Self {
        Self {
            end: 0,
            begun: false,
            last: None,
            sequence: 0,
            serial: store.serial,
            epoch: store.epoch,
            fresh,
            proven: 0,
            unproven: Vec::new(),
            report: RecoveryReport::default(),
        }
    }

    /// Replays one segment; `next` is where the one behind it begins.
    fn replay<F: DiskFile>(
        &mut self,
        segment: &mut Used<F>,
        next: Option<u64>,
        salt: Salt,
        replay: &mut dyn FnMut(Record<'_>, Locator),
    ) -> io::Result<()> {
        let place = &mut segment.place;
        if self.begun && place.start > self.end {
            self.last = None;
            let (from, to) = (self.end, place.start);
            self.report.note(Damage { file: place.file.clone(), from, to, saved: 0 });
        }
        self.begun = true;
        self.end = place.start;
        // That there is a segment behind it proves a whole segment.
        self.proven = segment.header.map_or(place.start, |header| header.end.max(place.start));
        self.unproven.clear();
        let written = segment.file.size()?.saturating_sub(SEGMENT_HEADER);
        let end = next.unwrap_or(place.start + written);
        let file = Arc::clone(&segment.file);
        let mut walk = Walk::new(file, place.number, place.start, end, salt, self.last);
        while let Some(step) = walk.step()? {
            match step {
                Step::Frame { header, body } => {
                    self.take(&header, &body, replay);
                    if next.is_none() {
                        self.prove(header, body);
                    }
                }
                Step::Hole { from, to, next: behind } => {
                    if next.is_none() && from >= self.proven && !was_durable(&walk, from, behind)? {
                        let torn = walk.claim(from)?.map_or(0, |torn| torn.end() - from);
                        self.report.cut_octets += behind.map_or(torn, |behind| behind.end() - from);
                        break;
                    }
                    place.damaged = true;
                    let saved = self.save(walk.salvage(from, to)?, replay);
                    self.report.note(Damage { file: place.file.clone(), from, to, saved });
                    self.end = to;
                    self.last = None;
                }
            }
        }
        place.end = self.end;
        self.report.segments += u64::from(place.end > place.start);
        Ok(())
    }

    fn take(&mut self, header: &FrameHeader, body: &[u8], replay: &mut dyn FnMut(Record<'_>, Locator)) {
        self.report.frames += 1;
        for (locator, record) in records(header.end() - body.len() as u64, body) {
            self.pass_on(record, locator, replay);
        }
        self.end = header.end();
        self.sequence = self.sequence.max(header.sequence);
        self.serial = self.serial.max(header.serial);
        self.epoch = self.epoch.max(header.epoch);
        self.last = Some(*header);
    }

    /// Keeps a frame until a later one proves, by its commit address, that it was synced.
    fn prove(&mut self, header: FrameHeader, body: Bytes) {
        if header.commit > self.proven {
            self.proven = header.commit;
            self.unproven.retain(|(older, _)| older.end() > header.commit);
        }
        if header.end() > self.proven {
            self.unproven.push((header, body));
        }
    }

    fn save(&mut self, found: Vec<(u64, Bytes)>, replay: &mut dyn FnMut(Record<'_>, Locator)) -> u64 {
        let saved = found.len() as u64;
        for (address, octets) in found {
            for (locator, record) in records(address, &octets) {
                self.pass_on(record, locator, replay);
            }
        }
        saved
    }

    fn pass_on(&mut self, record: Record<'_>, locator: Locator, replay: &mut dyn FnMut(Record<'_>, Locator)) {
        self.report.records += 1;
        self.serial = self.serial.max(record.id().serial + 1);
        replay(record, locator);
    }

    /// Writes the frames of the last commit again, into a segment of their own.
    ///
    /// Nothing proves that they were synced: after a failed sync they may be visible in the page cache and never reach
    /// the disk (reliability.md 1.3). The new file gets a segment's name when it is durable, so that it replaces the
    /// old frames at once or not at all.
    fn secure_tail<D: Disk>(
        &mut self,
        disk: &D,
        used: &mut [Used<D::File>],
        number: u64,
        store: SegmentHeader,
    ) -> io::Result<Option<Used<D::File>>> {
        let Some(first) = self.unproven.first().map(|(header, _)| *header) else {
            return Ok(None);
        };
        let salt = Salt::new(&store.key);
        // It may have records of the newest kinds, however old the store is.
        let (format, start, end, serial) = (FORMAT, first.address, self.end, self.serial);
        let header = SegmentHeader { format, number, start, end, serial, ..store };
        let mut octets = Vec::new();
        header.write(&mut octets);
        let mut previous = first.previous;
        for (frame, body) in &self.unproven {
            let at = octets.len();
            let frame = FrameHeader { segment: number, commit: first.address, previous, ..*frame };
            octets.resize(at + FRAME_HEADER, 0);
            octets.extend_from_slice(body);
            previous = finish(&mut octets[at..], frame, salt);
            self.last = Some(FrameHeader { crc: previous, ..frame });
        }
        let file = Arc::new(replace(disk, TAIL)?);
        file.write_at(&octets, 0)?;
        file.sync_data()?;
        let name = file_name(number);
        disk.rename(TAIL, &name)?;
        disk.sync_dir()?;
        if let Some(last) = used.last_mut() {
            last.place.end = first.address;
        }
        let place = Segment {
            number,
            start: first.address,
            end: self.end,
            sealed: true,
            damaged: false,
            cold: false,
            file: name,
        };
        Ok(Some(Used { place, file, header: Some(header) }))
    }

    /// Where serials go on: past all that is known, and past those that only lost records had.
    fn next_serial(&self) -> u64 {
        let low = u64::MAX >> SHARD_BITS;
        let leap = if self.fresh { 0 } else { SERIAL_LEAP };
        self.serial & !low | self.serial.wrapping_add(leap) & low
    }
}

/// Whether a hole in the last segment was once durable: a later frame says so by its commit address.
fn was_durable<F: DiskFile>(walk: &Walk<F>, hole: u64, behind: Option<FrameHeader>) -> io::Result<bool> {
    let Some(behind) = behind else {
        return Ok(false);
    };
    if behind.commit > hole {
        return Ok(true);
    }
    let mut ahead = walk.clone();
    while let Some(step) = ahead.step()? {
        if let Step::Frame { header, .. } = step
            && header.commit > hole
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An empty file of that name, whatever was there before.
fn replace<D: Disk>(disk: &D, name: &str) -> io::Result<D::File> {
    match disk.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => disk.create(name),
    }
}

/// The name of the last commit's frames until they are durable once more.
const TAIL: &str = "tail";
/// Serials that are passed over at each start: more than can have been issued without any trace.
const SERIAL_LEAP: u64 = 1 << 20;
