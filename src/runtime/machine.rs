//! What the machine gives us: descriptors and memory.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::path::Path;
use tracing::{debug, warn};

/// Raises the limit on descriptors as far as it goes; gives how many there may be.
pub(super) fn raise_descriptors() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(error) => {
            warn!(%error, "the limit on descriptors can't be raised");
            current.unwrap_or(u64::MAX)
        }
    }
}

/// How many connections of customers `descriptors` are enough for, of the `wanted` ones, beside `links` to carriers: the
/// spool, the links and the operators' door come first, so that customers can't take their descriptors. `None`: for none.
pub(super) fn connections(descriptors: u64, links: usize, wanted: usize) -> Option<usize> {
    let reserved = OWN + links as u64 + (descriptors / 4).clamp(SPOOL_MIN, SPOOL_MAX);
    let left = usize::try_from(descriptors.saturating_sub(reserved)).unwrap_or(usize::MAX);
    Some(wanted.min(left)).filter(|connections| *connections > 0)
}

/// Octets of memory that the hub may use by its own books: a share of what the machine, the control group and the limits of
/// this process allow. What is not in the books (code, threads, what the allocator holds, the spool's buffers) has the rest.
pub(super) fn memory_share() -> u64 {
    let machine = memory_of(&read("/proc/meminfo"));
    let group = group_memory(&read("/proc/self/cgroup"), Path::new("/sys/fs/cgroup"));
    let process = getrlimit(Resource::As).current;
    let all = [machine, group, process].into_iter().flatten().min();
    debug!(machine, group, process, "memory");
    all.map_or(MEMORY_UNKNOWN, |octets| octets / 10 * 6)
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default() // not there: it limits nothing
}

/// MemTotal of /proc/meminfo, in octets.
fn memory_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// The least limit of this process's control group and those above it, in octets; `groups` is /proc/self/cgroup. In a container
/// the root of the hierarchy is its own group.
fn group_memory(groups: &str, root: &Path) -> Option<u64> {
    let mut least: Option<u64> = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (folder, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        for above in Path::new(path.trim_start_matches('/')).ancestors() {
            let limit = read(folder.join(above).join(file)).trim().parse().ok(); // "max" is none
            least = least.into_iter().chain(limit).min();
        }
    }
    least
}

/// Descriptors of the process itself, of the operators' door, and of whoever looks in.
const OWN: u64 = 32 + 64;
/// Descriptors of the spool: one for each segment of its log.
const SPOOL_MIN: u64 = 32;
const SPOOL_MAX: u64 = 16_384;
/// The share on a machine that doesn't tell.
const MEMORY_UNKNOWN: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_get_the_descriptors_that_nobody_else_needs() {
        assert_eq!(connections(1_000_000, 100, 1000), Some(1000));
        assert_eq!(connections(256, 4, 1000), Some(92));
        assert_eq!(connections(130, 4, 1000), None);
    }

    #[test]
    fn least_limit_of_all_groups_counts() {
        let root = std::env::temp_dir().join(format!("enroute-groups-{}", std::process::id()));
        let leaf = root.join("system/hub");
        fs::create_dir_all(&leaf).expect("a folder for this test");
        fs::write(leaf.join("memory.max"), "max\n").expect("written");
        fs::write(root.join("system/memory.max"), "1048576\n").expect("written");

        let least = group_memory("0::/system/hub\n1:cpu:/elsewhere\n", &root);
        fs::remove_dir_all(&root).expect("still there");

        assert_eq!(least, Some(1 << 20));
        assert_eq!(group_memory("0::/system/hub\n", &root), None);
        assert_eq!(memory_of("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16 << 10));
    }
}
