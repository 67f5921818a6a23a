//! What `load` and `smsc` wrote down while they ran, read back to be joined.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// What an ESME knows: which of its numbered texts were accepted, under which id, and what became of them.
#[derive(Default)]
pub struct LoadLedger {
    /// Number of the text → message id.
    pub accepted: BTreeMap<u64, String>,
    /// Message id → the state of each receipt that came for it, in order.
    pub receipts: HashMap<String, Vec<String>>,
    /// Texts whose submit was unanswered when its session broke: accepted or not, nobody can say.
    pub unknown: HashSet<u64>,
}

impl LoadLedger {
    /// Reads one back; panics at a line that it doesn't know, and at a text or an id accepted twice.
    pub fn read(path: impl AsRef<Path>) -> Self {
        let mut ledger = Self::default();
        let mut ids = HashSet::new();
        each_line(path.as_ref(), |words| match *words {
            ["accepted", number, id] => {
                assert!(ids.insert(id.to_owned()), "the id {id} was given twice");
                let before = ledger.accepted.insert(whole(number), id.to_owned());
                assert_eq!(before, None, "text {number} was accepted twice");
                true
            }
            ["receipt", id, state] => {
                ledger.receipts.entry(id.to_owned()).or_default().push(state.to_owned());
                true
            }
            ["unknown", number] => {
                ledger.unknown.insert(whole(number));
                true
            }
            _ => false,
        });
        ledger
    }
}

/// What a carrier knows: which texts it took, under which ids of its own, and what it said became of them.
#[derive(Default)]
pub struct SmscLedger {
    /// Number of the text → the carrier's id for each time that it was taken.
    pub took: BTreeMap<u64, Vec<String>>,
    /// Carrier's id → the state that its receipt told.
    pub receipts: HashMap<String, String>,
}

impl SmscLedger {
    /// Reads one back; panics at a line that it doesn't know.
    pub fn read(path: impl AsRef<Path>) -> Self {
        let mut ledger = Self::default();
        each_line(path.as_ref(), |words| match *words {
            ["took", number, id] => {
                ledger.took.entry(whole(number)).or_default().push(id.to_owned());
                true
            }
            ["receipt", id, state] => {
                ledger.receipts.insert(id.to_owned(), state.to_owned());
                true
            }
            _ => false,
        });
        ledger
    }

    /// How many times a text was taken beyond its first time, over all texts.
    pub fn duplicates(&self) -> usize {
        self.took.values().map(|ids| ids.len() - 1).sum()
    }

    /// Whether the carrier said of any copy of text `number` that it ended in `state`.
    pub fn said(&self, number: u64, state: &str) -> bool {
        let ids = self.took.get(&number).into_iter().flatten();
        ids.filter_map(|id| self.receipts.get(id)).any(|said| said == state)
    }
}

/// A ledger that is still being written: counts its lines without reading any twice.
pub struct Tail {
    path: String,
    file: Option<File>,
    lines: usize,
}

impl Tail {
    /// Follows the ledger at `path`, which need not be there yet.
    pub fn new(path: &str) -> Self {
        Self { path: path.to_owned(), file: None, lines: 0 }
    }

    /// Whole lines written so far.
    pub fn lines(&mut self) -> usize {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return 0 };
        let mut fresh = Vec::new();
        file.read_to_end(&mut fresh).unwrap_or_else(|error| panic!("{}: {error}", self.path));
        self.lines += fresh.iter().filter(|octet| **octet == b'\n').count();
        self.lines
    }
}

fn each_line(path: &Path, mut take: impl FnMut(&[&str]) -> bool) {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(take(&words), "{}: {line:?} is no line of this ledger", path.display());
    }
}

fn whole(number: &str) -> u64 {
    number.parse().unwrap_or_else(|error| panic!("{number:?} in a ledger: {error}"))
}
