//! Numbers that tie the parts of a long text together.

/// Gives out concatenation references. For one key (sender and receiver, hashed) a reference comes again only after all others
/// of its width, which is as late as can be; keys that share a counter only make it later for each other.
///
/// Takes 8 KiB, whatever is asked of it.
#[derive(Clone, Debug)]
pub struct References {
    counters: Box<[u16; COUNTERS]>,
}

impl References {
    /// Begins each counter somewhere else, by `seed`: a restart must not repeat what is still under way.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        let mut counters = Box::new([0; COUNTERS]);
        for counter in counters.iter_mut() {
            *counter = next(&mut state) as u16;
        }
        Self { counters }
    }

    /// The next reference for `key_hash`, of 16 bits; its low octet is the next one of 8 bits.
    pub fn next(&mut self, key_hash: u64) -> u16 {
        let counter = &mut self.counters[key_hash as usize % COUNTERS];
        *counter = counter.wrapping_add(1);
        *counter
    }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
const fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

const COUNTERS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// T5: references that come again within minutes.
    #[test]
    fn reference_comes_again_after_all_others() {
        let mut references = References::new(7);
        let others: Vec<u64> = (1..100).collect();

        let mut wide = HashSet::new();
        for round in 0..=usize::from(u16::MAX) {
            assert!(wide.insert(references.next(4711)));
            references.next(others[round % others.len()]);
        }

        let mut narrow = HashSet::new();
        assert!((0..256).all(|_| narrow.insert(references.next(4711) as u8)));
    }

    #[test]
    fn restart_goes_on_elsewhere() {
        let mut first = References::new(1);
        let mut second = References::new(2);

        let differ = (0..100).filter(|key| first.next(*key) != second.next(*key)).count();

        assert!(differ > 90, "{differ}");
    }
}
