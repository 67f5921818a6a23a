//! What the spool wants of a disk, and a disk in memory that forgets what was not synced.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A directory of files. Names are plain file names. What a call promises after a power cut is said with it.
pub trait Disk: Send + Sync + 'static {
    /// An open file; closing is dropping.
    type File: DiskFile;

    /// Makes an empty file; it must not exist. It may be gone after a power cut until [`Disk::sync_dir`].
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// The names of all files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Removes a file; it may be back after a power cut until [`Disk::sync_dir`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Renames a file over whatever has the name `to`; may be undone by a power cut until [`Disk::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes all creations, removals and renames so far durable.
    fn sync_dir(&self) -> io::Result<()>;
    /// Octets that may still be written before the disk is full, as far as it is known; `u64::MAX` if it isn't.
    fn free(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
    /// Octets that nobody can guess: the identity and the secret of a new store.
    fn random(&self) -> io::Result<[u8; 32]>;
}

/// One open file of a [`Disk`].
pub trait DiskFile: Send + Sync + 'static {
    /// Writes all of `octets` at `offset`, extending the file if need be.
    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()>;
    /// Reads at `offset` until `octets` is full or the file ends; gives the octets read.
    fn read_at(&self, octets: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Makes all writes so far durable. After an error nothing is known about them, whatever later calls say.
    fn sync_data(&self) -> io::Result<()>;
    /// Octets of the file.
    fn size(&self) -> io::Result<u64>;
    /// Cuts or extends the file; what is new reads as zeros.
    fn set_len(&self, octets: u64) -> io::Result<()>;
    /// Says that nobody will want what has been synced soon: the system has better use for the memory that it keeps it in.
    fn uncache(&self) {}
}

/// A disk in memory, for tests, benches and simulation. Clones are the same disk.
///
/// Reads see every write at once, as through a page cache. [`MemoryDisk::crash`] gives the disk that a power cut leaves:
/// what was synced, and of the rest any subset of 512-octet sectors. A failed sync forgets like Linux does:
/// reads still see the writes, no later sync brings them to the disk.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

/// An open file of a [`MemoryDisk`].
pub struct MemoryFile {
    state: Arc<Mutex<State>>,
    inode: u64,
}

/// What goes wrong, counted in calls from now on: `Some(0)` fails the next call; each fails once, then is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A write fails, having written half.
    pub write: Option<u32>,
    /// A sync of a file's contents fails.
    pub sync: Option<u32>,
    /// A sync of the directory fails.
    pub sync_dir: Option<u32>,
    /// A read fails.
    pub read: Option<u32>,
    /// Octets that all files together may have; beyond it the disk is full. Stays in force.
    pub capacity: Option<u64>,
    /// Every write and every sync fails. Stays in force.
    pub sick: bool,
    /// The process is killed: this call and all later ones fail, and nothing changes any more. Stays in force.
    pub halt: Option<u32>,
}

#[derive(Clone, Default)]
struct State {
    /// Names as everybody sees them.
    names: BTreeMap<String, u64>,
    /// Names as a power cut leaves them, if none of the unsynced changes took.
    durable_names: BTreeMap<String, u64>,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    faults: Faults,
    seed: u64,
}

#[derive(Clone, Default)]
struct Inode {
    content: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    uncached: bool,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, octets: Vec<u8> },
    Len(usize),
}

impl MemoryDisk {
    /// An empty disk whose [`Disk::random`] follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let disk = Self::default();
        disk.lock().seed = seed;
        disk
    }

    /// Sets what goes wrong next.
    pub fn fail(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// What is still to go wrong.
    pub fn faults(&self) -> Faults {
        self.lock().faults
    }

    /// The disk after a power cut now: synced things stay, `chance` decides over the rest (called once for each choice,
    /// true: it reached the disk). This disk is as before, so one run can be cut in many ways.
    pub fn crash(&self, chance: &mut dyn FnMut() -> bool) -> Self {
        let mut state = self.lock().clone();
        state.faults = Faults::default();
        for inode in state.inodes.values_mut() {
            let changes = std::mem::take(&mut inode.unsynced);
            for change in changes {
                inode.persist(change, chance);
            }
            inode.content.clone_from(&inode.durable);
        }
        // A journalling file system keeps changes to a directory in order; all or none is enough to try.
        if state.names != state.durable_names && !chance() {
            state.names.clone_from(&state.durable_names);
        }
        state.durable_names.clone_from(&state.names);
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Names of the files of which [`DiskFile::uncache`] was said.
    pub fn uncached(&self) -> Vec<String> {
        let state = self.lock();
        let said = state
            .names
            .iter()
            .filter(|(_, inode)| state.inodes.get(inode).is_some_and(|inode| inode.uncached));
        said.map(|(name, _)| name.clone()).collect()
    }

    /// Octets of all files together.
    pub fn octets(&self) -> u64 {
        self.lock().octets()
    }

    /// Inverts `bit` (0 to 7) of one octet of a file, in what is durable and in what reads see: damage that nobody is told of.
    /// False if the file has no such octet.
    pub fn flip(&self, name: &str, offset: u64, bit: u8) -> bool {
        let mut state = self.lock();
        let Some(number) = state.names.get(name).copied() else { return false };
        let Some(inode) = state.inodes.get_mut(&number) else { return false };
        let offset = offset as usize;
        for octets in [&mut inode.content, &mut inode.durable] {
            let Some(octet) = octets.get_mut(offset) else { return false };
            *octet ^= 1 << bit;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a call of the process under test.
    fn call(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.check_alive()?;
        Ok(state)
    }
}

impl State {
    /// Whether the process still lives to make this call.
    fn check_alive(&mut self) -> io::Result<()> {
        match &mut self.faults.halt {
            Some(0) => Err(io::Error::other("injected: killed")),
            Some(calls) => {
                *calls -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn octets(&self) -> u64 {
        let sizes = self.names.values().filter_map(|inode| self.inodes.get(inode));
        sizes.map(|inode| inode.content.len() as u64).sum()
    }

    fn inode(&mut self, inode: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&inode).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Makes room for a file to have `len` octets, or says that the disk is full.
    fn check_room(&mut self, inode: u64, len: u64) -> io::Result<()> {
        let now = self.inode(inode)?.content.len() as u64;
        match self.faults.capacity {
            Some(capacity) if len > now && self.octets() + (len - now) > capacity => {
                Err(ErrorKind::StorageFull.into())
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Counts a fault down; true when it is its turn.
fn strikes(fault: &mut Option<u32>) -> bool {
    match fault {
        Some(0) => {
            *fault = None;
            true
        }
        Some(calls) => {
            *calls -= 1;
            false
        }
        None => false,
    }
}

impl Inode {
    /// Lets some sectors of an unsynced change reach the disk.
    fn persist(&mut self, change: Change, chance: &mut dyn FnMut() -> bool) {
        match change {
            Change::Len(len) => {
                if chance() {
                    self.durable.resize(len, 0);
                }
            }
            Change::Write { offset, octets } => {
                let mut done = 0;
                while done < octets.len() {
                    let at = offset + done;
                    let sector = (SECTOR - at % SECTOR).min(octets.len() - done);
                    if chance() {
                        put(&mut self.durable, at, &octets[done..done + sector]);
                    }
                    done += sector;
                }
            }
        }
    }
}

fn put(content: &mut Vec<u8>, offset: usize, octets: &[u8]) {
    if content.len() < offset {
        content.resize(offset, 0);
    }
    let (over, behind) = octets.split_at(octets.len().min(content.len() - offset));
    content[offset..offset + over.len()].copy_from_slice(over);
    content.extend_from_slice(behind);
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn create(&self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.call()?;
        if state.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let inode = state.next_inode;
        state.next_inode += 1;
        state.inodes.insert(inode, Inode::default());
        state.names.insert(name.to_owned(), inode);
        Ok(MemoryFile { state: Arc::clone(&self.state), inode })
    }

    fn open(&self, name: &str) -> io::Result<MemoryFile> {
        let inode = *self.call()?.names.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(MemoryFile { state: Arc::clone(&self.state), inode })
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.call()?.names.keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.call()?.names.remove(name).map(|_| ()).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.call()?;
        let inode = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.call()?;
        if strikes(&mut state.faults.sync_dir) || state.faults.sick {
            return Err(io::Error::other("injected: directory sync"));
        }
        let state = &mut *state;
        state.durable_names.clone_from(&state.names);
        let names = &state.names;
        state.inodes.retain(|inode, _| names.values().any(|named| named == inode));
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        let state = self.lock();
        Ok(state.faults.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(state.octets())))
    }

    fn random(&self) -> io::Result<[u8; 32]> {
        let mut state = self.call()?;
        let mut octets = [0; 32];
        for eight in octets.chunks_exact_mut(8) {
            // Weyl sequence and multiply-shift (splitmix64): repeatable is what matters here.
            state.seed = state.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state.seed ^ (state.seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            eight.copy_from_slice(&(mixed ^ (mixed >> 27)).to_be_bytes());
        }
        Ok(octets)
    }
}

impl MemoryFile {
    /// For a call of the process under test.
    fn call(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.check_alive()?;
        Ok(state)
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.call()?;
        state.check_room(self.inode, offset + octets.len() as u64)?;
        let fails = strikes(&mut state.faults.write) || state.faults.sick;
        let octets = if fails { &octets[..octets.len() / 2] } else { octets };
        let inode = state.inode(self.inode)?;
        put(&mut inode.content, offset as usize, octets);
        inode.unsynced.push(Change::Write { offset: offset as usize, octets: octets.to_vec() });
        if fails { Err(io::Error::other("injected: write")) } else { Ok(()) }
    }

    fn read_at(&self, octets: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.call()?;
        if strikes(&mut state.faults.read) {
            return Err(io::Error::other("injected: read"));
        }
        let content = &state.inode(self.inode)?.content;
        let there = content.get(offset as usize..).unwrap_or_default();
        let len = there.len().min(octets.len());
        octets[..len].copy_from_slice(&there[..len]);
        Ok(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.call()?;
        let fails = strikes(&mut state.faults.sync) || state.faults.sick;
        let inode = state.inode(self.inode)?;
        let changes = std::mem::take(&mut inode.unsynced);
        if fails {
            // The pages are marked clean: they look written and never will be.
            return Err(io::Error::other("injected: sync"));
        }
        for change in changes {
            match change {
                Change::Len(len) => inode.durable.resize(len, 0),
                Change::Write { offset, octets } => put(&mut inode.durable, offset, &octets),
            }
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.call()?.inode(self.inode)?.content.len() as u64)
    }

    fn set_len(&self, octets: u64) -> io::Result<()> {
        let mut state = self.call()?;
        state.check_room(self.inode, octets)?;
        let inode = state.inode(self.inode)?;
        inode.content.resize(octets as usize, 0);
        inode.unsynced.push(Change::Len(octets as usize));
        Ok(())
    }

    fn uncache(&self) {
        if let Ok(mut state) = self.call()
            && let Ok(inode) = state.inode(self.inode)
        {
            inode.uncached = true;
        }
    }
}

/// Octets that reach a disk together or not at all.
const SECTOR: usize = 512;
