//! Which files a directory has, which of them are the log, and whose they are.

use super::disk::{Disk, DiskFile};
use super::frame::Salt;
use super::segment::{ASIDE, FORMAT, SEGMENT_HEADER, Segment, SegmentHeader, file_number};
use super::walk::start_from_frames;
use crate::clock::Now;
use crate::id::{IdKey, SHARD_BITS};
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// Why a spool can't be opened. Nothing of it has been changed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Written by a newer enroute: use that one.
    #[error("{file} has format {version}, this program knows up to {known}")]
    Newer { file: String, version: u32, known: u32 },
    /// The store belongs to another shard: a configuration fault.
    #[error("the spool belongs to shard {found}, not {wanted}")]
    Shard { found: u8, wanted: u8 },
    /// Files of two stores in one directory.
    #[error("{0} belongs to another store")]
    Foreign(String),
    /// There are segments, but every copy of the store's secret is lost: put the file `store` back from a backup.
    #[error("{0} can't be read: no file names the store it belongs to")]
    Headless(String),
    /// The settings contradict themselves.
    #[error("spool settings: {0}")]
    Settings(&'static str),
    /// The disk can't.
    #[error("opening the spool: {0}")]
    Io(#[from] io::Error),
}

/// A file that has a segment's name.
pub struct Candidate<F> {
    pub number: u64,
    pub name: String,
    pub file: Arc<F>,
    pub header: Option<SegmentHeader>,
}

/// A segment of the log.
pub struct Used<F> {
    pub place: Segment,
    pub file: Arc<F>,
    pub header: Option<SegmentHeader>,
}

impl<F> std::ops::Deref for Used<F> {
    type Target = Segment;

    fn deref(&self) -> &Segment {
        &self.place
    }
}

pub fn candidates<D: Disk>(disk: &D) -> Result<Vec<Candidate<D::File>>, OpenError> {
    let mut found = Vec::new();
    for name in disk.list()? {
        let Some(number) = file_number(&name) else {
            continue;
        };
        let file = Arc::new(disk.open(&name)?);
        let header = readable(SegmentHeader::read(&*file, number)?, &name)?;
        found.push(Candidate { number, name, file, header });
    }
    Ok(found)
}

fn readable(header: Option<SegmentHeader>, name: &str) -> Result<Option<SegmentHeader>, OpenError> {
    match header {
        Some(header) if header.format > FORMAT => {
            Err(OpenError::Newer { file: name.to_owned(), version: header.format, known: FORMAT })
        }
        Some(_) | None => Ok(header),
    }
}

/// The store's identity: from its own file or any segment, or a new one if there is nothing at all
/// (then the flag is true).
pub fn identify<D: Disk>(
    disk: &D,
    candidates: &[Candidate<D::File>],
    shard: u8,
    now: Now,
) -> Result<(SegmentHeader, bool), OpenError> {
    let own = match disk.open(STORE) {
        Ok(file) => readable(SegmentHeader::read(&file, 0)?, STORE)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let headers = candidates.iter().filter_map(|file| Some((file.name.as_str(), file.header?)));
    let known: Vec<_> = own.map(|own| (STORE, own)).into_iter().chain(headers).collect();
    let Some((_, store)) = known.first().copied() else {
        if let Some(lost) = candidates.iter().find(|file| file.begins_with_anything()) {
            return Err(OpenError::Headless(lost.name.clone()));
        }
        return Ok((found(disk, shard, now)?, true));
    };
    if let Some((name, _)) = known.iter().find(|(_, header)| header.store != store.store) {
        return Err(OpenError::Foreign((*name).to_owned()));
    }
    if store.shard != shard {
        return Err(OpenError::Shard { found: store.shard, wanted: shard });
    }
    // The highest of everything that any header knows; what the frames know comes with the replay.
    let highest = SegmentHeader {
        serial: known.iter().map(|(_, header)| header.serial).max().unwrap_or(store.serial),
        epoch: known.iter().map(|(_, header)| header.epoch).max().unwrap_or(store.epoch),
        ..store
    };
    Ok((highest, false))
}

/// Thinks up a new store's identity; it is durable before anything else is.
fn found<D: Disk>(disk: &D, shard: u8, now: Now) -> Result<SegmentHeader, OpenError> {
    let random = disk.random()?;
    let (store, key) = random.split_at(16);
    let since_2020 = now.wall.0.saturating_sub(YEAR_2020_MS) << 16;
    let header = SegmentHeader {
        format: FORMAT,
        shard,
        store: store.try_into().map_err(io::Error::other)?,
        key: IdKey(key.try_into().map_err(io::Error::other)?),
        number: 0,
        start: 0,
        serial: u64::from(shard) << (64 - SHARD_BITS) | since_2020 & (u64::MAX >> SHARD_BITS),
        epoch: 0,
        end: 0,
    };
    Ok(header)
}

pub fn write_store<D: Disk>(disk: &D, header: &SegmentHeader) -> io::Result<()> {
    let mut octets = Vec::new();
    header.write(&mut octets);
    let file = match disk.open(STORE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(STORE)?,
        other => other?,
    };
    // One copy after the other, so that one is whole whenever the power goes.
    let (first, second) = octets.split_at(octets.len() / 2);
    file.write_at(first, 0)?;
    file.sync_data()?;
    file.write_at(second, first.len() as u64)?;
    file.sync_data()?;
    disk.sync_dir()
}

impl<F: DiskFile> Candidate<F> {
    /// Whether there is anything but zeros where a segment begins; what can't be read counts as something.
    fn begins_with_anything(&self) -> bool {
        let mut begin = vec![0; 1 << 16];
        match self.file.read_at(&mut begin, 0) {
            Ok(read) => begin[..read].iter().any(|octet| *octet != 0),
            Err(_) => true,
        }
    }
}

pub type Sorted<F> = (Vec<Used<F>>, Vec<Candidate<F>>);

/// Tells the log's segments, in order, from files that wait for use.
pub fn sort<F: DiskFile>(candidates: Vec<Candidate<F>>, salt: Salt) -> io::Result<Sorted<F>> {
    let (mut used, mut unused) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let own = candidate.header.filter(|header| header.number == candidate.number);
        let start = match own {
            Some(header) => Some(header.start),
            // Renamed after its former life, or hit by what belongs into another file: its frames tell.
            None => start_from_frames(&candidate.file, candidate.number, salt)?,
        };
        match start {
            None => unused.push(candidate),
            Some(start) => used.push(Used {
                place: Segment {
                    number: candidate.number,
                    start,
                    end: start,
                    sealed: true,
                    damaged: false,
                    cold: false,
                    file: candidate.name,
                },
                file: candidate.file,
                header: own,
            }),
        }
    }
    used.sort_by_key(|segment| (segment.start, segment.number));
    Ok((used, unused))
}

/// Gives files without content up, and what long segments don't use back; gives the names of those that it put aside.
pub fn settle_files<D: Disk>(
    disk: &D,
    used: &mut Vec<Used<D::File>>,
    unused: &mut Vec<Candidate<D::File>>,
) -> io::Result<Vec<String>> {
    let mut aside = Vec::new();
    let newest_used = used.iter().filter(|segment| segment.end > segment.start).map(|segment| segment.number);
    let newest_used = newest_used.max().unwrap_or(0);
    for lost in unused.extract_if(.., |file| {
        file.header.is_none() && file.number < newest_used && file.begins_with_anything()
    }) {
        // It had its place in the log, and somebody may still get something out of it.
        disk.rename(&lost.name, &format!("{}{ASIDE}", lost.name))?;
        aside.push(lost.name);
    }
    // One behind damage proves, by its start alone, that what is damaged was once durable: the next start needs that word too.
    let is_proof = used.iter().rev().nth(1).is_some_and(|before| before.damaged);
    let proof = used.last().filter(|_| is_proof).map(|last| last.number);
    for empty in used.extract_if(.., |segment| segment.end == segment.start && Some(segment.number) != proof)
    {
        unused.push(Candidate {
            number: empty.place.number,
            name: empty.place.file,
            file: empty.file,
            header: empty.header,
        });
    }
    if let Some((_, older)) = used.split_last() {
        for segment in older.iter().filter(|segment| !segment.damaged) {
            let needed = SEGMENT_HEADER + (segment.end - segment.start);
            let size = segment.file.size()?;
            if size > needed + size / 8 {
                segment.file.set_len(needed)?;
            }
        }
    }
    disk.sync_dir()?;
    Ok(aside)
}

/// The file that holds nothing but the store's identity.
const STORE: &str = "store";
/// 2020-01-01T00:00:00Z.
const YEAR_2020_MS: u64 = 1_577_836_800_000;
