//! One segment from front to back: its frames, and the holes between them.

use super::disk::DiskFile;
use super::frame::{FRAME_HEADER, FRAME_MAGIC, FrameHeader, Salt};
use super::record::Record;
use super::segment::SEGMENT_HEADER;
use bytes::Bytes;
use std::io;
use std::sync::Arc;

/// Reads a segment in the order of its addresses. A clone goes on from the same place.
pub struct Walk<F> {
    file: Arc<F>,
    number: u64,
    /// Address of the segment's first frame.
    start: u64,
    end: u64,
    at: u64,
    salt: Salt,
    last: Option<FrameHeader>,
    /// What was read last, and its offset in the file.
    window: Bytes,
    window_at: u64,
}

impl<F> Clone for Walk<F> {
    fn clone(&self) -> Self {
        Self { file: Arc::clone(&self.file), window: self.window.clone(), ..*self }
    }
}

/// What comes next in a segment.
pub enum Step {
    /// A whole frame.
    Frame { header: FrameHeader, body: Bytes },
    /// Addresses without a valid frame, up to the next valid one (then `next` is its header) or to the end.
    Hole { from: u64, to: u64, next: Option<FrameHeader> },
}

impl<F: DiskFile> Walk<F> {
    /// Walks segment `number` from its first address `start` up to the address `end`.
    /// `last` is the frame that the first one has to continue, if it is known.
    pub fn new(
        file: Arc<F>,
        number: u64,
        start: u64,
        end: u64,
        salt: Salt,
        last: Option<FrameHeader>,
    ) -> Self {
        Self { file, number, start, end, at: start, salt, last, window: Bytes::new(), window_at: 0 }
    }

    /// The next frame or hole; `None` at the end.
    pub fn step(&mut self) -> io::Result<Option<Step>> {
        if self.at >= self.end {
            return Ok(None);
        }
        if let Some((header, body)) = self.frame_at(self.at)? {
            self.at = header.end();
            self.last = Some(header);
            return Ok(Some(Step::Frame { header, body }));
        }
        let from = self.at;
        // What follows a hole can't continue a known frame, only be younger than it.
        let before = self.last.take();
        let next = self.search(from + 1, before)?;
        self.at = next.map_or(self.end, |next| next.address);
        Ok(Some(Step::Hole { from, to: self.at, next }))
    }

    /// What a frame at `address` claims to be, valid or not.
    pub fn claim(&mut self, address: u64) -> io::Result<Option<FrameHeader>> {
        let octets = self.octets(self.offset(address), FRAME_HEADER)?;
        let header = FrameHeader::read(&octets);
        Ok(header.filter(|header| header.segment == self.number && header.address == address))
    }

    /// The whole records in a hole, each with its address. A record's check covers its address, so nothing
    /// else passes for one.
    pub fn salvage(&mut self, from: u64, to: u64) -> io::Result<Vec<(u64, Bytes)>> {
        // A lost file behind this one makes a hole that is longer than the file.
        let there = self.file.size()?.saturating_sub(self.offset(from));
        let hole = self.octets(self.offset(from), there.min(to - from) as usize)?;
        let mut found = Vec::new();
        let mut at = 0;
        while at < hole.len() {
            let address = from + at as u64;
            let whole = Record::len_at(&hole[at..]).ok().filter(|len| {
                let record = &hole[at..at + len];
                self.salt.holds(record, address) && Record::decode(record).is_ok()
            });
            if let Some(len) = whole {
                found.push((address, hole.slice(at..at + len)));
            }
            at += whole.unwrap_or(1);
        }
        Ok(found)
    }

    /// The frame at an address, if it is whole and continues the last one.
    fn frame_at(&mut self, address: u64) -> io::Result<Option<(FrameHeader, Bytes)>> {
        let Some(header) = self.claim(address)? else {
            return Ok(None);
        };
        if header.end() > self.end || self.last.is_some_and(|last| last.crc != header.previous) {
            return Ok(None);
        }
        let octets = self.octets(self.offset(address), header.octets() as usize)?;
        if octets.len() as u64 != header.octets() || self.salt.frame(&octets) != header.crc {
            return Ok(None);
        }
        Ok(Some((header, octets.slice(FRAME_HEADER..))))
    }

    /// The first valid frame at or after an address that is younger than `before`.
    fn search(&mut self, from: u64, before: Option<FrameHeader>) -> io::Result<Option<FrameHeader>> {
        let mut search = MagicSearch::new(self.offset(from), self.offset(self.end));
        while let Some(offset) = search.next(&*self.file)? {
            let address = self.start + (offset - SEGMENT_HEADER);
            if let Some((header, _)) = self.frame_at(address)?
                && before
                    .is_none_or(|before| header.epoch >= before.epoch && header.sequence > before.sequence)
            {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    const fn offset(&self, address: u64) -> u64 {
        SEGMENT_HEADER + (address - self.start)
    }

    /// Octets of the file, fewer at its end.
    fn octets(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        let there =
            self.window_at <= offset && offset + len as u64 <= self.window_at + self.window.len() as u64;
        if !there {
            // The room of the last one, unless somebody keeps a part of it.
            let mut window = std::mem::take(&mut self.window).try_into_mut().unwrap_or_default();
            window.resize(len.max(WINDOW), 0);
            let read = self.file.read_at(&mut window, offset)?;
            window.truncate(read);
            self.window = window.freeze();
            self.window_at = offset;
        }
        let at = (offset - self.window_at) as usize;
        let end = (at + len).min(self.window.len());
        Ok(self.window.slice(at..end))
    }
}

/// The address of a segment's first octet, told from its frames, when its header is lost.
pub fn start_from_frames<F: DiskFile>(file: &Arc<F>, number: u64, salt: Salt) -> io::Result<Option<u64>> {
    let size = file.size()?;
    let mut search = MagicSearch::new(SEGMENT_HEADER, size);
    while let Some(offset) = search.next(&**file)? {
        let mut head = [0; FRAME_HEADER];
        let read = file.read_at(&mut head, offset)?;
        let Some(header) = FrameHeader::read(&head[..read]) else {
            continue;
        };
        let Some(start) = header.address.checked_sub(offset - SEGMENT_HEADER) else {
            continue;
        };
        if header.segment != number || offset + header.octets() > size {
            continue;
        }
        let end = start + (size - SEGMENT_HEADER);
        let mut walk = Walk::new(Arc::clone(file), number, start, end, salt, None);
        if walk.frame_at(header.address)?.is_some() {
            return Ok(Some(start));
        }
    }
    Ok(None)
}

/// Finds where a frame might begin.
struct MagicSearch {
    at: u64,
    end: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl MagicSearch {
    const fn new(at: u64, end: u64) -> Self {
        Self { at, end, chunk: Vec::new(), chunk_at: at }
    }

    /// Offset of the next magic.
    fn next(&mut self, file: &impl DiskFile) -> io::Result<Option<u64>> {
        let magic = FRAME_MAGIC.to_be_bytes();
        while self.at + FRAME_HEADER as u64 <= self.end {
            let within = (self.at - self.chunk_at) as usize;
            let rest = self.chunk.get(within..).unwrap_or_default();
            if rest.len() < magic.len() {
                self.chunk.resize(WINDOW, 0);
                let read = file.read_at(&mut self.chunk, self.at)?;
                self.chunk.truncate(read);
                self.chunk_at = self.at;
                if read < magic.len() {
                    return Ok(None);
                }
                continue;
            }
            let found = find(rest, magic);
            self.at += found.map_or(rest.len() - (magic.len() - 1), |place| place + 1) as u64;
            if found.is_some() {
                return Ok(Some(self.at - 1));
            }
        }
        Ok(None)
    }
}

/// The first place of `magic`, stepping over zeros quickly: most of a segment's rest is zeros.
fn find(octets: &[u8], magic: [u8; 4]) -> Option<usize> {
    let mut at = 0;
    while at + magic.len() <= octets.len() {
        let block = &octets[at..(at + BLOCK).min(octets.len())];
        if block.iter().fold(0, |all, octet| all | octet) != 0 {
            let end = (at + BLOCK + magic.len() - 1).min(octets.len());
            let place = octets[at..end].windows(magic.len()).position(|four| four == magic);
            if let Some(place) = place {
                return Some(at + place);
            }
        }
        at += block.len();
    }
    None
}

/// Octets that are read at once.
const WINDOW: usize = 1 << 20;
/// Octets that are looked over at once for anything but zeros.
const BLOCK: usize = 1024;
