//! Files that are full of zeros before they are written.

use super::disk::DiskFile;
use std::io;

/// Fills a file with zeros and syncs, so that later writes find blocks that are theirs already; `part` is told how far it is.
pub fn fill(file: &impl DiskFile, octets: u64, part: &mut dyn FnMut(u64)) -> io::Result<()> {
    let zeros = vec![0; FILL.min(octets as usize)];
    let mut at = 0;
    while at < octets {
        let more = (octets - at).min(zeros.len() as u64) as usize;
        file.write_at(&zeros[..more], at)?;
        file.sync_data()?;
        at += more as u64;
        if at < octets {
            part(at);
        }
    }
    Ok(())
}

/// Octets that are filled by one write, and synced.
const FILL: usize = 512 << 10;
