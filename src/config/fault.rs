//! What is wrong with a configuration, and where.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// One fault of a configuration file. The fault is the operator's; nothing starts before it is mended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}: {}{message}", prefix(field))]
pub struct Fault {
    /// The file as the operator named it.
    pub file: String,
    /// The line, from 1 up.
    pub line: usize,
    /// The key, with the numbers of list entries from 0 up (`account[0].window`); empty where the file isn't TOML.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

fn prefix(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!("{field}: ") }
}

/// Gathers faults while a file is read.
pub(super) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    faults: RefCell<Vec<Fault>>,
}

impl<'t> Report<'t> {
    pub fn new(text: &'t str, file: &'t str) -> Self {
        Self { file, text, faults: RefCell::default() }
    }

    /// Notes a fault in the line where `span` begins.
    pub fn note(&self, span: &Range<usize>, field: impl Into<String>, message: impl Into<String>) {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        let line = before.iter().filter(|octet| **octet == b'\n').count() + 1;
        let fault = Fault { file: self.file.to_owned(), line, field: field.into(), message: message.into() };
        self.faults.borrow_mut().push(fault);
    }

    /// Notes a fault in a line of another file that the configuration names.
    pub fn note_elsewhere(&self, file: &str, line: usize, message: impl Into<String>) {
        let fault = Fault { file: file.to_owned(), line, field: String::new(), message: message.into() };
        self.faults.borrow_mut().push(fault);
    }

    /// Where a file is that the configuration names: beside it, unless it says otherwise.
    pub fn beside(&self, name: &str) -> PathBuf {
        Path::new(self.file).parent().unwrap_or(Path::new("")).join(name)
    }

    /// All faults in the order of their lines; those of other files after those of the configuration itself.
    pub fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| (fault.file != self.file, fault.file.clone(), fault.line));
        faults
    }
}
