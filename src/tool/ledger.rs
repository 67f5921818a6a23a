//! A line for each thing that happened, for whoever compares both ends afterwards.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// An append-only file of lines; nothing where none is wanted.
#[derive(Debug, Default)]
pub(super) struct Ledger(Option<BufWriter<File>>);

impl Ledger {
    /// Begins a new file at `path`, if one is given.
    pub fn create(path: Option<&Path>) -> io::Result<Self> {
        path.map(|path| File::create(path).map(BufWriter::new)).transpose().map(Self)
    }

    /// Writes a line: `verb`, and the `words` with blanks between, which nobody makes where nothing is written.
    ///
    /// A full disk shows at [`Ledger::flush`].
    pub fn line<const N: usize>(&mut self, verb: &str, words: impl FnOnce() -> [Vec<u8>; N]) {
        let Some(file) = &mut self.0 else { return };
        let write = || {
            file.write_all(verb.as_bytes())?;
            for word in words() {
                file.write_all(b" ")?;
                file.write_all(&word)?;
            }
            file.write_all(b"\n")
        };
        if write().is_err() {
            self.0 = None;
            eprintln!("the ledger can't be written any more");
        }
    }

    /// Hands everything to the operating system.
    pub fn flush(&mut self) {
        if let Some(Err(error)) = self.0.as_mut().map(BufWriter::flush) {
            eprintln!("the ledger can't be written: {error}");
        }
    }
}
