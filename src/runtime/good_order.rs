//! The note that a hub leaves in its directory when it stops in good order: nothing was out that could be doubled.
//!
//! Without it the hub that comes next takes what its predecessor's links had room for as possible duplicates. That is a matter of counting:
//! a note that is lost says too much, and none is left where anything was out.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tracing::warn;

/// Where the note is.
#[derive(Debug)]
pub(super) struct GoodOrder {
    directory: PathBuf,
}

impl GoodOrder {
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Whether the hub before left one; it is gone then, for good.
    pub fn take(&self) -> bool {
        // There is none, or it can't be trusted.
        fs::remove_file(self.directory.join(NOTE)).and_then(|()| self.sync()).is_ok()
    }

    /// Leaves one.
    pub fn leave(&self) {
        let written = File::create(self.directory.join(NOTE)).and_then(|note| note.sync_all());
        if let Err(error) = written.and_then(|()| self.sync()) {
            warn!(%error, "no note of a stop in good order: the next start counts possible duplicates");
        }
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

/// The note's name in the spool's directory.
const NOTE: &str = "stopped";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_is_good_for_one_start() {
        let directory = std::env::temp_dir().join(format!("enroute-note-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a folder for this test");
        let note = GoodOrder::of(&directory);

        let before = note.take();
        note.leave();
        let after = (note.take(), note.take());
        fs::remove_dir_all(&directory).expect("still there");

        assert_eq!((before, after), (false, (true, false)));
    }
}
