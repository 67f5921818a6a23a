//! A directory of real files for the spool; one process at a time.

use crate::spool::{Disk, DiskFile};
use rustix::fs::Advice;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A directory that this process has to itself for as long as the value lives.
pub struct FileDisk {
    path: PathBuf,
    /// The directory itself, for syncing its entries.
    directory: File,
    /// Locked; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl FileDisk {
    /// Takes the directory, making it if need be.
    ///
    /// # Errors
    /// `ResourceBusy` if another process has it; else the system's.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        if !path.is_dir() {
            fs::create_dir_all(&path)?;
            // A new directory is an entry of its parent: without this a power cut could take the whole store.
            if let Some(parent) = fs::canonicalize(&path)?.parent() {
                File::open(parent)?.sync_all()?;
            }
        }
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("{} is in use by another enroute", path.display());
                return Err(io::Error::new(ErrorKind::ResourceBusy, text));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let directory = File::open(&path)?;
        Ok(Self { path, directory, _lock: lock })
    }
}

impl Disk for FileDisk {
    type File = OpenFile;

    fn create(&self, name: &str) -> io::Result<OpenFile> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.path.join(name))?;
        Ok(OpenFile(file))
    }

    fn open(&self, name: &str) -> io::Result<OpenFile> {
        let file = OpenOptions::new().read(true).write(true).open(self.path.join(name))?;
        Ok(OpenFile(file))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // A name that isn't text is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.directory.sync_all()
    }

    fn free(&self) -> io::Result<u64> {
        let told = rustix::fs::fstatvfs(&self.directory)?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }

    fn random(&self) -> io::Result<[u8; 32]> {
        let mut octets = [0; 32];
        getrandom::fill(&mut octets).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(octets)
    }
}

/// An open file of a [`FileDisk`].
pub struct OpenFile(File);

impl DiskFile for OpenFile {
    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        // Goes on after short writes and interruptions.
        self.0.write_all_at(octets, offset)
    }

    fn read_at(&self, octets: &mut [u8], offset: u64) -> io::Result<usize> {
        read_whole(&self.0, octets, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, octets: u64) -> io::Result<()> {
        self.0.set_len(octets)
    }

    fn uncache(&self) {
        // It is advice: whether the system follows it changes nothing that is promised.
        let _ = rustix::fs::fadvise(&self.0, 0, None, Advice::DontNeed);
    }
}

const LOCK: &str = "lock";

/// Reads at `offset` until `octets` is full or the file ends; gives the octets read.
pub(super) fn read_whole(file: &File, octets: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < octets.len() {
        match file.read_at(&mut octets[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Now, UnixMs};
    use crate::id::MessageId;
    use crate::spool::{Record, Settings, open};
    use std::time::Instant;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("enroute-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn second_instance_is_kept_out_until_the_first_is_gone() {
        let path = directory("lock");
        let first = FileDisk::open(&path).expect("a new directory");

        let second = FileDisk::open(&path).err().map(|error| error.kind());
        drop(first);

        assert_eq!(second, Some(ErrorKind::ResourceBusy));
        assert!(FileDisk::open(&path).is_ok());
        let _ = fs::remove_dir_all(&path);
    }

    /// On a file system of its own, of 256 KiB; it takes the right to mount one, without which nothing is shown.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the runtime is where clocks are read")]
    fn full_file_system_takes_what_the_reserve_has_room_for_and_recovers_by_itself() {
        let path = directory("full");
        fs::create_dir_all(&path).expect("a new directory");
        let Some(_mounted) = Mounted::at(&path) else { return };
        let now = Now { mono: Instant::now(), wall: UnixMs(1_800_000_000_000) };
        let settings = Settings { segment_octets: 64 << 10, frame_octets: 4096, spares: 1 };
        let disk = FileDisk::open(&path).expect("a new directory");
        let (mut journal, mut writer, ..) =
            open(disk, settings, 0, now, &mut |_, _| {}).expect("a new store");
        let (spares, reserve) = (writer.spares(), 32 << 10);
        spares
            .prepare(&mut |_| {})
            .and_then(|()| spares.make_reserve(reserve, &mut |_| {}))
            .expect("room for both");
        fs::write(path.join("other"), vec![1; 256 << 10]).expect_err("the rest of the disk");
        assert!(spares.needed() || spares.prepare(&mut |_| {}).is_err());

        let mut written = 0;
        let refused = loop {
            for _ in 0..50 {
                let id = MessageId { serial: journal.next_serial(), slot: 0 };
                journal.append(&Record::Done { id });
            }
            let octets = journal.unsealed();
            match writer.commit(&mut [journal.seal().expect("fifty records")]) {
                Ok(_) => written += octets,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, crate::spool::WriteError::Full(_)), "{refused}");
        assert!(written > 64 << 10, "{written}: no more than the prepared segment");
        assert_eq!(writer.stats().reserves, 1);

        fs::remove_file(path.join("other")).expect("ours");
        spares
            .prepare(&mut |_| {})
            .and_then(|()| spares.make_reserve(reserve, &mut |_| {}))
            .expect("room again");
        drop((journal, writer, spares));
        let disk = FileDisk::open(&path).expect("nobody else has it");
        let mut records = 0;
        let (.., report) = open(disk, settings, 0, now, &mut |_, _| records += 1).expect("the store");
        assert_eq!((report.damaged_octets, records % 50), (0, 0));
    }

    /// A small file system in memory, for as long as the value lives.
    struct Mounted(PathBuf);

    impl Mounted {
        fn at(path: &Path) -> Option<Self> {
            let mount = ["-t", "tmpfs", "-o", "size=256k", "enroute-test"];
            let status = std::process::Command::new("mount").args(mount).arg(path).status();
            status.is_ok_and(|status| status.success()).then(|| Self(path.to_owned()))
        }
    }

    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).status();
            let _ = fs::remove_dir(&self.0);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the runtime is where clocks are read")]
    fn spool_on_real_files_comes_back() {
        let path = directory("spool");
        let now = Now { mono: Instant::now(), wall: UnixMs(1_800_000_000_000) };
        let settings = Settings { segment_octets: 1 << 20, frame_octets: 4096, spares: 1 };
        let disk = FileDisk::open(&path).expect("a new directory");
        let (mut journal, mut writer, reader, _) =
            open(disk, settings, 0, now, &mut |_, _| {}).expect("a new store");
        writer.spares().prepare(&mut |_| {}).expect("room for a megabyte");
        let mut places = Vec::new();
        for slot in 0..1000 {
            let id = MessageId { serial: journal.next_serial(), slot };
            let accepted = Record::Accepted {
                id,
                account: b"shop",
                accepted: UnixMs(1),
                due: UnixMs(2),
                expires: UnixMs(3),
                flags: 0,
                group: None,
                bulk: None,
                body: b"a body",
            };
            places.push(journal.append(&accepted).locator);
            if slot % 100 == 99 {
                let mut frames = [journal.seal().expect("a hundred records")];
                writer.commit(&mut frames).expect("a healthy disk");
            }
        }
        drop((journal, writer, reader));

        let disk = FileDisk::open(&path).expect("nobody else has it");
        let mut slots = Vec::new();
        let (_, _, reader, report) =
            open(disk, settings, 0, now, &mut |record, _| slots.push(record.id().slot)).expect("the store");

        assert!(slots.iter().copied().eq(0..1000));
        assert_eq!((report.records, report.damaged_octets), (1000, 0));
        assert!(places.into_iter().all(|place| reader.read(place).is_ok()));
        let _ = fs::remove_dir_all(&path);
    }
}
