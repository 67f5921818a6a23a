//! A wall clock that a test sets, for one process, by libfaketime; its monotonic clock goes on as it is.

use super::TempDir;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The clock of one process.
pub struct MovedClock {
    file: PathBuf,
    library: PathBuf,
}

impl MovedClock {
    /// A clock that shows `at`, in seconds since 1970, as soon as a process has it. Without the library, says that `test` was
    /// skipped and gives `None`.
    pub fn new(test: &str, dir: &TempDir, at: u64) -> Option<Self> {
        let folders = std::fs::read_dir("/usr/lib").expect("it is there").flatten();
        let library =
            folders.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1")).find(|file| file.is_file());
        let Some(library) = library else {
            eprintln!("{test}: SKIPPED, since libfaketime is not installed (scripts/test installs it)");
            return None;
        };
        let clock = Self { file: dir.path().join("clock"), library };
        clock.set(at);
        Some(clock)
    }

    /// What the process is to have in its environment.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DONT_RESET", "1".to_owned()),
        ]
    }

    /// Sets it; it goes on from there.
    #[allow(clippy::disallowed_methods)] // how far that is from the true time is what the library is told
    pub fn set(&self, at: u64) {
        let true_time = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        let offset = at as i64 - true_time as i64;
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{offset:+}\n")).expect("the test's folder is writable");
        std::fs::rename(&new, &self.file).expect("in the same folder");
    }
}
