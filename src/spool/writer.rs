//! Makes frames durable: one write and one sync for everything that is waiting.

use super::disk::{Disk, DiskFile};
use super::frame::{FRAME_HEADER, FrameHeader, Salt};
use super::journal::Frames;
use super::reserve::is_full;
use super::segment::{FORMAT, Files, SEGMENT_HEADER, Segment, SegmentHeader, Spares, file_name};
use crate::id::{IdKey, Lsn};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use thiserror::Error;

/// The one place that writes segments; owned by the writer thread.
pub struct Writer<D: Disk> {
    files: Arc<Files<D>>,
    identity: Identity,
    salt: Salt,
    active: Option<Active<D::File>>,
    durable: u64,
    /// The crc of the last durable frame.
    chain: u32,
    /// A segment whose sync failed and of which nothing is durable: what was told to be written stands there until
    /// it is durable elsewhere.
    stray: Option<u64>,
    /// What waits for one write.
    gathered: Vec<u8>,
    stats: WriterStats,
}

/// What each segment's header says about the store.
#[derive(Clone, Copy)]
pub(super) struct Identity {
    pub shard: u8,
    pub store: [u8; 16],
    pub key: IdKey,
    pub epoch: u32,
}

/// The segment that is being written.
struct Active<F> {
    number: u64,
    file: Arc<F>,
    start: u64,
    /// Address of the first octet that is not in the file yet, gathered ones included.
    next: u64,
    /// Offset in the file where the gathered octets go.
    offset: u64,
    /// Something in it is durable.
    begun: bool,
    /// Something in it was told to be written.
    told: bool,
}

/// Why frames are not durable. They stay the caller's: the same frames, and newer ones behind them, may be committed again later.
#[derive(Debug, Error)]
pub enum WriteError {
    /// No room for another segment: refuse submissions until compaction or the operator makes some.
    #[error("disk full: {0}")]
    Full(#[source] io::Error),
    /// Neither the segment in use nor a fresh one can be written: the hub is read-only.
    #[error("the spool can't be written: {0}")]
    ReadOnly(#[source] io::Error),
}

/// What the writer has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterStats {
    pub commits: u64,
    pub frames: u64,
    pub octets: u64,
    /// Segments begun.
    pub segments: u64,
    /// Segments begun that nobody had prepared.
    pub unprepared: u64,
    /// Writes or syncs that failed.
    pub failures: u64,
    /// Times that the disk was full and the reserve was given up.
    pub reserves: u64,
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(files: Arc<Files<D>>, identity: Identity, durable: u64, chain: u32) -> Self {
        Self {
            files,
            salt: Salt::new(&identity.key),
            identity,
            active: None,
            durable,
            chain,
            stray: None,
            gathered: Vec::new(),
            stats: WriterStats::default(),
        }
    }

    /// Writes the frames, in order, and syncs; gives the durable Lsn, which is the end of the last one.
    /// Frames that are durable already are skipped. A segment that fails is sealed and never touched again; what it did
    /// not make durable goes into a fresh one, once.
    ///
    /// # Errors
    /// If a fresh segment failed too. Nothing past [`Writer::durable`] counts.
    pub fn commit(&mut self, frames: &mut [Frames]) -> Result<Lsn, WriteError> {
        self.commit_telling(frames, &mut |_| {})
    }

    /// As [`Writer::commit`]; tells `written`, before each sync, up to where the operating system has everything: that much
    /// survives the end of the process, whatever becomes of the sync.
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn commit_telling(
        &mut self,
        frames: &mut [Frames],
        written: &mut dyn FnMut(Lsn),
    ) -> Result<Lsn, WriteError> {
        let mut tries = 0;
        while let Err(error) = self.try_commit(frames, written) {
            self.stats.failures += 1;
            self.abandon();
            if is_full(&error) && self.files.reserve.release(&self.files.disk) {
                self.stats.reserves += 1;
                continue;
            }
            tries += 1;
            if tries == TRIES_MAX {
                return Err(match is_full(&error) {
                    true => WriteError::Full(error),
                    false => WriteError::ReadOnly(error),
                });
            }
        }
        self.stats.commits += 1;
        Ok(self.durable())
    }

    /// Everything before this is on the disk.
    pub fn durable(&self) -> Lsn {
        Lsn(self.durable)
    }

    /// The handle for the thread that prepares segments and takes dead ones out of the log.
    pub fn spares(&self) -> Spares<D> {
        Spares(Arc::clone(&self.files))
    }

    /// Counters.
    pub fn stats(&self) -> WriterStats {
        self.stats
    }

    fn try_commit(&mut self, frames: &mut [Frames], written: &mut dyn FnMut(Lsn)) -> io::Result<()> {
        let mut chain = self.chain;
        for batch in frames {
            let address = batch.address;
            let mut at = 0;
            while let Some(header) = batch.buffer.get(at..).and_then(FrameHeader::read) {
                let frame = at..at + header.octets() as usize;
                at = frame.end;
                if address + frame.end as u64 <= self.durable {
                    continue;
                }
                self.make_room(&header, chain, written)?;
                let octets = &mut batch.buffer[frame];
                let number = self.active.as_ref().map_or(0, |active| active.number);
                let header = FrameHeader { segment: number, commit: self.durable, previous: chain, ..header };
                chain = finish(octets, header, self.salt);
                self.gather(octets)?;
                self.stats.frames += 1;
            }
        }
        self.sync(chain, written)
    }

    /// Sees to it that the next frame has a segment; a full one is synced before it is left.
    fn make_room(
        &mut self,
        header: &FrameHeader,
        chain: u32,
        written: &mut dyn FnMut(Lsn),
    ) -> io::Result<()> {
        let capacity = self.files.segment_octets - SEGMENT_HEADER;
        match &self.active {
            // A frame that is longer than a segment gets one to itself, which grows.
            Some(active)
                if active.next == active.start
                    || active.next - active.start + header.octets() <= capacity =>
            {
                Ok(())
            }
            Some(_) => {
                self.sync(chain, written)?;
                self.active = None;
                self.begin(header)
            }
            None => self.begin(header),
        }
    }

    fn begin(&mut self, first: &FrameHeader) -> io::Result<()> {
        let (number, file, prepared) = self.files.take()?;
        self.stats.segments += 1;
        self.stats.unprepared += u64::from(!prepared);
        self.gathered.clear();
        let header = SegmentHeader {
            format: FORMAT,
            shard: self.identity.shard,
            store: self.identity.store,
            key: self.identity.key,
            number,
            start: first.address,
            serial: first.serial,
            epoch: self.identity.epoch,
            end: 0,
        };
        header.write(&mut self.gathered);
        let start = first.address;
        self.active = Some(Active { number, file, start, next: start, offset: 0, begun: false, told: false });
        Ok(())
    }

    /// Puts a finished frame to the others that wait for one write; a big one is written without another copy.
    fn gather(&mut self, frame: &[u8]) -> io::Result<()> {
        let Some(active) = &mut self.active else {
            return Err(ErrorKind::NotFound.into());
        };
        active.next += frame.len() as u64;
        if self.gathered.len() + frame.len() > GATHER_MAX {
            active.write(&self.gathered)?;
            self.stats.octets += self.gathered.len() as u64;
            self.gathered.clear();
            if frame.len() > GATHER_MAX / 2 {
                self.stats.octets += frame.len() as u64;
                return active.write(frame);
            }
        }
        self.gathered.extend_from_slice(frame);
        Ok(())
    }

    /// Writes what is gathered and makes it durable.
    fn sync(&mut self, chain: u32, written: &mut dyn FnMut(Lsn)) -> io::Result<()> {
        let Some(active) = self.active.as_mut().filter(|active| active.next > self.durable) else {
            return Ok(());
        };
        self.stats.octets += active.write_pages(&mut self.gathered)?;
        self.gathered.clear();
        active.told = true;
        written(Lsn(active.next));
        active.file.sync_data()?;
        if active.begun {
            self.files.map.grow(active.next);
        } else {
            active.begun = true;
            self.files.keep(active.number, Arc::clone(&active.file));
            self.files.map.begin(Segment {
                number: active.number,
                start: active.start,
                end: active.next,
                sealed: false,
                damaged: false,
                cold: false,
                file: file_name(active.number),
            });
        }
        self.durable = active.next;
        self.chain = chain;
        if let Some(stray) = self.stray.take() {
            self.files.discard(stray);
        }
        Ok(())
    }

    /// Gives the segment in use up at the last durable address.
    fn abandon(&mut self) {
        self.gathered.clear();
        let Some(Active { number, told, .. }) = self.active.take().filter(|active| !active.begun) else {
            return;
        };
        let useless = if told { self.stray.replace(number) } else { Some(number) };
        if let Some(number) = useless {
            self.files.discard(number);
        }
    }
}

impl<F: DiskFile> Active<F> {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.file.write_at(octets, self.offset)?;
        self.offset += octets.len() as u64;
        Ok(())
    }

    /// Writes up to the end of the last page, with zeros: a page that is not in the system's memory would be read first if only
    /// a part of it were written. What comes next is written over the zeros. Gives the number of octets without them.
    fn write_pages(&mut self, octets: &mut Vec<u8>) -> io::Result<u64> {
        let end = self.offset + octets.len() as u64;
        octets.resize((end.next_multiple_of(PAGE) - self.offset) as usize, 0);
        self.file.write_at(octets, self.offset)?;
        Ok(end - std::mem::replace(&mut self.offset, end))
    }
}

/// Writes a frame's header, now that it is complete; gives the frame's crc, to which the next is chained.
pub(super) fn finish(octets: &mut [u8], header: FrameHeader, salt: Salt) -> u32 {
    header.write(&mut octets[..FRAME_HEADER]);
    let crc = salt.frame(octets);
    octets[4..8].copy_from_slice(&crc.to_be_bytes());
    crc
}

/// Once on the segment in use, once on a fresh one.
const TRIES_MAX: u32 = 2;
/// Octets that a system keeps in memory together.
const PAGE: u64 = 4096;
/// Octets that are copied together for one write at most.
const GATHER_MAX: usize = 1 << 20;
