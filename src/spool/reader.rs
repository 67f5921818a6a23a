//! Reads records back by their addresses, from any thread.

use super::Locator;
use super::disk::{Disk, DiskFile};
use super::frame::Salt;
use super::record::Record;
use super::segment::{Files, Place, SEGMENT_HEADER};
use super::walk::{Step, Walk};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// Reads what has been committed. Cheap to clone.
pub struct Reader<D: Disk> {
    files: Arc<Files<D>>,
    salt: Salt,
}

/// Why there is no record at a locator.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Not committed yet: the caller still has the body.
    #[error("address {0} is not committed yet")]
    Unwritten(u64),
    /// The segment was released: the locator is stale.
    #[error("address {0} is not in the log any more")]
    Released(u64),
    /// The octets there are not the record that was written: the disk's fault, or the locator's.
    #[error("the record at address {0} is damaged")]
    Damaged(u64),
    /// The disk can't.
    #[error("reading the spool: {0}")]
    Io(#[from] io::Error),
}

impl<D: Disk> Clone for Reader<D> {
    fn clone(&self) -> Self {
        Self { files: Arc::clone(&self.files), salt: self.salt }
    }
}

impl<D: Disk> Reader<D> {
    pub(super) const fn new(files: Arc<Files<D>>, salt: Salt) -> Self {
        Self { files, salt }
    }

    /// The octets of one record, checked against damage: [`Record::decode`] takes them.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(&self, locator: Locator) -> Result<Bytes, ReadError> {
        let (at, len) = (locator.at, locator.len as usize);
        if len > Record::MAX_LEN {
            return Err(ReadError::Damaged(at));
        }
        let segment = match self.files.map.find(at, at + len as u64) {
            Place::In(segment) => segment,
            Place::Unwritten => return Err(ReadError::Unwritten(at)),
            Place::Released => return Err(ReadError::Released(at)),
        };
        let file = self.files.file(segment.number).ok_or(ReadError::Released(at))?;
        let mut record = vec![0; len];
        let read = file.read_at(&mut record, SEGMENT_HEADER + (at - segment.start))?;
        // While it is in the map nobody writes over it; if it has left since, what was read may be anything.
        if self.files.map.segment(segment.number).is_none() {
            return Err(ReadError::Released(at));
        }
        record.truncate(read);
        self.check(&record, locator)?;
        Ok(Bytes::from(record))
    }

    /// The octets of many records, in the order of `locators`. Those that lie close together are read at one time, and each
    /// is copied out of that, so that none keeps its neighbours in memory.
    pub fn read_all(&self, locators: &[Locator]) -> Vec<Result<Bytes, ReadError>> {
        let mut order: Vec<usize> = (0..locators.len()).collect();
        order.sort_unstable_by_key(|place| locators[*place].at);
        let mut found: Vec<_> = locators.iter().map(|locator| Err(ReadError::Released(locator.at))).collect();
        let mut rest = &order[..];
        while let Some(first) = rest.first() {
            let start = locators[*first].at;
            let mut end = start;
            let near = rest.iter().take_while(|place| {
                let locator = locators[**place];
                let stop = locator.at.saturating_add(u64::from(locator.len));
                let fits = locator.at <= end + GAP && stop <= start + RUN;
                end = if fits { end.max(stop) } else { end };
                fits
            });
            let (run, others) = rest.split_at(near.count().max(1));
            rest = others;
            let octets = if run.len() > 1 { self.read_run(start, end) } else { None };
            for place in run {
                let locator = locators[*place];
                found[*place] = match octets.as_deref().and_then(|octets| cut(octets, start, locator)) {
                    Some(record) => self.check(record, locator).map(|()| Bytes::copy_from_slice(record)),
                    None => self.read(locator), // alone, or the fault is found by looking at each
                };
            }
        }
        found
    }

    /// All that lies between two addresses of one segment.
    fn read_run(&self, start: u64, end: u64) -> Option<Vec<u8>> {
        let Place::In(segment) = self.files.map.find(start, end) else { return None };
        let file = self.files.file(segment.number)?;
        let mut octets = vec![0; (end - start) as usize];
        let read = file.read_at(&mut octets, SEGMENT_HEADER + (start - segment.start)).ok()?;
        let stands = self.files.map.segment(segment.number).is_some();
        (stands && read == octets.len()).then_some(octets)
    }

    /// Whether these octets are the record that was written at `locator`.
    fn check(&self, record: &[u8], locator: Locator) -> Result<(), ReadError> {
        let len = locator.len as usize;
        let whole = record.len() == len && Record::decode(record).is_ok_and(|(_, found)| found == len);
        match whole && self.salt.holds(record, locator.at) {
            true => Ok(()),
            false => Err(ReadError::Damaged(locator.at)),
        }
    }

    /// Reads a segment from its beginning, frame by frame; of damaged ranges it gives what can be saved.
    ///
    /// # Errors
    /// [`ReadError::Released`] (with the number for an address) if there is no such segment.
    pub fn scan(&self, number: u64) -> Result<Scan<D>, ReadError> {
        let segment = self.files.map.segment(number).ok_or(ReadError::Released(number))?;
        let file = self.files.file(number).ok_or(ReadError::Released(number))?;
        let walk = Walk::new(file, number, segment.start, segment.end, self.salt, None);
        Ok(Scan { walk, saved: VecDeque::new() })
    }
}

/// The record at `locator`, out of what begins at `start`.
fn cut(octets: &[u8], start: u64, locator: Locator) -> Option<&[u8]> {
    let from = (locator.at - start) as usize;
    octets.get(from..from + locator.len as usize)
}

/// Octets between two records that are cheaper to read than to skip, and octets read at one time.
const GAP: u64 = 4 << 10;
const RUN: u64 = 256 << 10;

/// A segment being read, one frame at a time; it must not be released meanwhile.
pub struct Scan<D: Disk> {
    walk: Walk<D::File>,
    saved: VecDeque<(u64, Bytes)>,
}

impl<D: Disk> Iterator for Scan<D> {
    type Item = Result<ScannedFrame, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((address, body)) = self.saved.pop_front() {
                return Some(Ok(ScannedFrame { address, body }));
            }
            match self.walk.step() {
                Ok(Some(Step::Frame { header, body })) => {
                    let address = header.end() - body.len() as u64;
                    return Some(Ok(ScannedFrame { address, body }));
                }
                Ok(Some(Step::Hole { from, to, .. })) => match self.walk.salvage(from, to) {
                    Ok(saved) => self.saved = saved.into(),
                    Err(error) => return Some(Err(error.into())),
                },
                Ok(None) => return None,
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

/// One frame's records, checked.
pub struct ScannedFrame {
    address: u64,
    body: Bytes,
}

impl ScannedFrame {
    /// Octets of all its records.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// The records in it, with their locators.
    pub fn records(&self) -> impl Iterator<Item = (Locator, Record<'_>)> {
        records(self.address, &self.body)
    }
}

/// The records of a frame's body, whose first octet is at `address`.
pub(super) fn records(address: u64, body: &[u8]) -> impl Iterator<Item = (Locator, Record<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (record, len) = Record::decode(body.get(at..)?).ok()?;
        let locator = Locator { at: address + at as u64, len: len as u32 };
        at += len;
        Some((locator, record))
    })
}
