//! Looks into a spool without touching it: no lock is taken, nothing is written, and a hub may be using it meanwhile.

use super::disk::read_whole;
use super::now;
use crate::bulk::State;
use crate::clock::UnixMs;
use crate::hub::INBOUND;
use crate::id::MessageId;
use crate::spool::{self, Disk, DiskFile, Locator, OpenError, ReadError, Reader, Record, RecoveryReport};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// What a spool holds.
pub struct Survey {
    /// What a hub would report of its recovery, were it started now.
    pub report: RecoveryReport,
    /// Octets of all files, prepared ones included.
    pub octets: u64,
    /// Whether a process holds the spool's lock; what is said here is then about a moving target. `None`: can't be told.
    pub in_use: Option<bool>,
    /// Records by kind.
    pub records: BTreeMap<&'static str, u64>,
    /// The last word on each bulk, by number: account and state.
    pub bulks: BTreeMap<u64, (String, &'static str)>,
    living: HashMap<MessageId, Living>,
    reader: Reader<Glass>,
}

/// A message that the spool holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Living {
    /// The account's system_id.
    pub account: String,
    /// It came from a handset.
    pub is_inbound: bool,
    /// The kind of its last record: how far it has come.
    pub stage: &'static str,
    pub accepted: UnixMs,
    pub due: UnixMs,
    pub expires: UnixMs,
    locator: Locator,
}

/// Why a spool can't be looked into.
#[derive(Debug, Error)]
pub enum SurveyError {
    #[error("{0} holds no spool")]
    NoSpool(PathBuf),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

impl Survey {
    /// Reads the whole spool in `directory`.
    ///
    /// # Errors
    /// If there is none, or it can't be read; damage is not an error but reported.
    pub fn of(directory: &Path) -> Result<Self, SurveyError> {
        Self::without(directory, &[])
    }

    /// As [`Survey::of`], as if these files were not there.
    pub(super) fn without(directory: &Path, hidden: &[String]) -> Result<Self, SurveyError> {
        let failed = |error| SurveyError::Io(directory.to_owned(), error);
        let glass = Glass { directory: directory.to_owned(), hidden: hidden.to_vec() };
        let names = glass.list().map_err(failed)?;
        if !names.iter().any(|name| name == "store" || name.ends_with(".segment")) {
            return Err(SurveyError::NoSpool(directory.to_owned()));
        }
        let octets = |name: &String| fs::metadata(directory.join(name)).map_or(0, |file| file.len());
        let octets = names.iter().map(octets).sum();
        let (mut records, mut bulks, mut living) = (BTreeMap::new(), BTreeMap::new(), HashMap::new());
        let (_, _, reader, report) =
            spool::open(glass, spool::Settings::default(), 0, now(), &mut |record, locator| {
                *records.entry(record.name()).or_default() += 1;
                follow(&mut living, &record, locator);
                if let Record::Bulk { number, account, state, .. } = record {
                    let state = State::from_octet(state).map_or("?", State::name);
                    bulks.insert(number, (String::from_utf8_lossy(account).into_owned(), state));
                }
            })?;
        Ok(Self {
            report,
            octets,
            in_use: is_locked(&directory.join("lock")),
            records,
            bulks,
            living,
            reader,
        })
    }

    /// The messages that aren't gone, in no order.
    pub fn living(&self) -> impl Iterator<Item = (MessageId, &Living)> {
        self.living.iter().map(|(id, living)| (*id, living))
    }

    /// The body of a message's submit_sm, text and all.
    ///
    /// # Errors
    /// If it can't be read any more.
    pub fn body(&self, living: &Living) -> Result<Bytes, ReadError> {
        let octets = self.reader.read(living.locator)?;
        match Record::decode(&octets) {
            Ok((Record::Accepted { body, .. }, _)) => Ok(octets.slice_ref(body)),
            // The locator is an accepted record's.
            Ok(_) | Err(_) => Err(ReadError::Damaged(living.locator.at)),
        }
    }
}

fn follow(living: &mut HashMap<MessageId, Living>, record: &Record<'_>, locator: Locator) {
    let stage = record.name();
    match *record {
        Record::Accepted { id, account, accepted, due, expires, flags, .. } => {
            let account = String::from_utf8_lossy(account).into_owned();
            let is_inbound = flags & INBOUND != 0;
            living.insert(id, Living { account, is_inbound, stage, accepted, due, expires, locator });
        }
        Record::Sent { id, .. }
        | Record::Deferred { id, .. }
        | Record::Settled { id, .. }
        | Record::Divided { id }
        | Record::Joined { id, .. } => {
            if let Some(message) = living.get_mut(&id) {
                message.stage = stage;
            }
        }
        Record::Done { id } => {
            living.remove(&id);
        }
        Record::Early { .. } | Record::Bulk { .. } | Record::OptOut { .. } | Record::Used { .. } => {}
    }
}

/// Whether anybody holds a lock on `file`, as Linux tells it without asking for the lock (proc(5), `/proc/locks`).
fn is_locked(file: &Path) -> Option<bool> {
    let Ok(inode) = fs::metadata(file).map(|file| file.ino()) else { return Some(false) };
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let ours = format!(":{inode}");
    Some(locks.lines().any(|line| line.split_whitespace().any(|word| word.ends_with(&ours))))
}

/// A directory seen through glass: whatever is changed stays as it was, and the one who changed it is told that it worked.
#[derive(Clone)]
struct Glass {
    directory: PathBuf,
    /// Files that are not seen.
    hidden: Vec<String>,
}

/// A file behind the glass.
enum Seen {
    /// One that is there: what is written to it is forgotten.
    Real(File),
    /// One that was made since: in memory only.
    Made(Mutex<Vec<u8>>),
}

impl Disk for Glass {
    type File = Seen;

    fn create(&self, _: &str) -> io::Result<Seen> {
        Ok(Seen::Made(Mutex::default()))
    }

    fn open(&self, name: &str) -> io::Result<Seen> {
        File::open(self.directory.join(name)).map(Seen::Real)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.directory)?.map(|entry| entry.map(|entry| entry.file_name()));
        let mut names: Vec<String> = names
            .filter_map(|name| name.map(|name| name.into_string().ok()).transpose())
            .collect::<Result<_, _>>()?;
        names.retain(|name| !self.hidden.contains(name));
        names.sort();
        Ok(names)
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn random(&self) -> io::Result<[u8; 32]> {
        Ok([0; 32])
    }
}

impl DiskFile for Seen {
    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        if let Self::Made(content) = self {
            let (mut content, start) = (lock(content), offset as usize);
            if content.len() < start + octets.len() {
                content.resize(start + octets.len(), 0);
            }
            content[start..start + octets.len()].copy_from_slice(octets);
        }
        Ok(())
    }

    fn read_at(&self, octets: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Real(file) => read_whole(file, octets, offset),
            Self::Made(content) => {
                let content = lock(content);
                let there = content.get(offset as usize..).unwrap_or_default();
                let len = there.len().min(octets.len());
                octets[..len].copy_from_slice(&there[..len]);
                Ok(len)
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        match self {
            Self::Real(file) => file.metadata().map(|file| file.len()),
            Self::Made(content) => Ok(lock(content).len() as u64),
        }
    }

    fn set_len(&self, octets: u64) -> io::Result<()> {
        if let Self::Made(content) = self {
            lock(content).resize(octets as usize, 0);
        }
        Ok(())
    }
}

fn lock(content: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::FileDisk;

    const ID: MessageId = MessageId { serial: 5, slot: 1 };
    const GONE: MessageId = MessageId { serial: 6, slot: 2 };

    fn accepted(id: MessageId) -> Record<'static> {
        let at = UnixMs(1);
        Record::Accepted {
            id,
            account: b"shop",
            accepted: at,
            due: at,
            expires: at,
            flags: 0,
            group: None,
            bulk: None,
            body: b"body",
        }
    }

    fn bulk(state: u8) -> Record<'static> {
        let (at, changed) = (UnixMs(1), UnixMs(1));
        Record::Bulk { number: 9, account: b"shop", name: b"spring", state, at, changed, gone: [0; 4] }
    }

    /// Every file of a directory, with its octets.
    fn content(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let paths = fs::read_dir(directory).expect("ours").map(|entry| entry.expect("ours").path());
        paths.map(|path| (path.clone(), fs::read(&path).expect("ours"))).collect()
    }

    #[test]
    fn survey_counts_the_living_and_changes_nothing_even_while_the_spool_is_in_use() {
        let directory = std::env::temp_dir().join(format!("enroute-survey-{}", std::process::id()));
        let disk = FileDisk::open(&directory).expect("nobody has it");
        let settings = spool::Settings { segment_octets: 1 << 20, frame_octets: 1 << 16, spares: 0 };
        let (mut journal, mut writer, ..) =
            spool::open(disk, settings, 0, now(), &mut |_, _| {}).expect("a new store");
        for record in [
            accepted(ID),
            accepted(GONE),
            Record::Sent { id: ID, carrier: b"north", carrier_message_id: b"7", at: UnixMs(2) },
            Record::Done { id: GONE },
            bulk(1),
            bulk(2),
        ] {
            journal.append(&record);
        }
        let mut frames: Vec<_> = journal.seal().into_iter().collect();
        writer.commit(&mut frames).expect("the disk takes it");
        let before = content(&directory);

        let survey = Survey::of(&directory).expect("readable");

        assert_eq!(survey.in_use, Some(true));
        assert_eq!(survey.records, BTreeMap::from([("accepted", 2), ("bulk", 2), ("done", 1), ("sent", 1)]));
        assert_eq!(survey.bulks, BTreeMap::from([(9, ("shop".to_owned(), "PAUSED"))]));
        let living: Vec<_> = survey.living().collect();
        let [(ID, message)] = living[..] else { panic!("{living:?}") };
        assert_eq!((message.account.as_str(), message.stage, message.is_inbound), ("shop", "sent", false));
        assert_eq!(survey.body(message).expect("there"), &b"body"[..]);
        assert_eq!(content(&directory), before);
        drop((journal, writer));
        assert_eq!(Survey::of(&directory).expect("readable").in_use, Some(false));
        fs::remove_dir_all(&directory).expect("ours");
    }

    #[test]
    fn directory_without_a_spool_is_left_alone() {
        let directory = std::env::temp_dir().join(format!("enroute-no-spool-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("writable");

        assert!(matches!(Survey::of(&directory), Err(SurveyError::NoSpool(_))));

        assert!(content(&directory).is_empty());
        fs::remove_dir_all(&directory).expect("ours");
    }
}
