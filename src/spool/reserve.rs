//! A file that is there to be removed: room for the final states of what is here, on a disk that is full.

use super::disk::{Disk, DiskFile};
use super::fill::fill;
use std::io::{self, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The reserve of one store: how many octets it has, 0 if there is none.
pub struct Reserve(Mutex<u64>);

impl Reserve {
    /// What a former run left.
    pub fn find<D: Disk>(disk: &D) -> io::Result<Self> {
        match disk.open(RESERVE) {
            Ok(file) => Ok(Self(Mutex::new(file.size()?))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self(Mutex::new(0))),
            Err(error) => Err(error),
        }
    }

    /// Octets that it has.
    pub fn octets(&self) -> u64 {
        *self.lock()
    }

    /// Makes it `octets` long, really written, part by part with a `rest` between; 0 removes it. Slow: nobody waits for it
    /// meanwhile, there is none until it is whole.
    ///
    /// # Errors
    /// The disk's; there is no reserve then.
    pub fn make<D: Disk>(&self, disk: &D, octets: u64, rest: &mut dyn FnMut(bool)) -> io::Result<()> {
        match disk.remove(RESERVE) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => *self.lock() = 0,
        }
        if octets == 0 {
            return disk.sync_dir();
        }
        if disk.free()? < octets {
            return Err(ErrorKind::StorageFull.into());
        }
        let fill_all = |file| fill(&file, octets, &mut |_| rest(true));
        let made = disk.create(RESERVE).and_then(fill_all).and_then(|()| disk.sync_dir());
        match made {
            Ok(()) => *self.lock() = octets,
            // Gives the room back; whoever comes next finds the file too short if this fails as well.
            Err(_) => drop(disk.remove(RESERVE)),
        }
        made
    }

    /// Gives its room to whoever writes next; false if there is none.
    pub fn release<D: Disk>(&self, disk: &D) -> bool {
        let mut held = self.lock();
        let released = *held > 0 && disk.remove(RESERVE).and_then(|()| disk.sync_dir()).is_ok();
        *held = if released { 0 } else { *held };
        released
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this is what a full disk says.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// The file's name.
const RESERVE: &str = "reserve";
