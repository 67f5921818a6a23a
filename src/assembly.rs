//! Parts of long texts, gathered until each text is whole.
//!
//! Parts come in any order, over any link, twice or never. An entry is begun by its first part and has one deadline from
//! then on. What is kept is bounded in entries and in octets; what doesn't fit is given back at once.

use crate::clock::Now;
use foldhash::quality::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// The bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Texts under way at most.
    pub entries_max: usize,
    /// Octets of all parts kept at most, as their owners count them.
    pub octets_max: usize,
    /// How long the other parts are waited for, counted from the first that came.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries_max: 100_000, octets_max: 64 << 20, patience: Duration::from_secs(600) }
    }
}

/// Texts under way by `K`, which tells apart everything that could be mistaken: peer, addresses, reference and its
/// kind. `P` is a part.
#[derive(Debug)]
pub struct Assembly<K, P> {
    limits: Limits,
    entries: HashMap<K, Entry<P>, RandomState>,
    /// Keys by the order in which their entries were begun, which is the order of their deadlines.
    begun: BTreeMap<u64, K>,
    next: u64,
    octets: usize,
}

#[derive(Debug)]
struct Entry<P> {
    begun: u64,
    deadline: Instant,
    total: u8,
    octets: usize,
    /// By number, ascending.
    parts: Vec<(u8, P)>,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<P> {
    /// Others are still missing.
    Kept,
    /// This number is there already; the first to come counts.
    Duplicate(P),
    /// It was the last one missing: all parts, in order.
    Whole(Vec<P>),
    /// No room, or its number and total make no sense together or with those of its siblings.
    Refused(P),
}

impl<K: Hash + Eq + Clone, P> Assembly<K, P> {
    /// Nothing under way.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: HashMap::with_hasher(RandomState::default()),
            begun: BTreeMap::new(),
            next: 0,
            octets: 0,
        }
    }

    /// Texts under way.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no text is under way.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Octets kept.
    pub const fn octets(&self) -> usize {
        self.octets
    }

    /// Takes part `number` (from 1) of `total`, which is worth `octets` in memory.
    pub fn insert(&mut self, key: K, total: u8, number: u8, part: P, octets: usize, now: Now) -> Outcome<P> {
        if number == 0 || number > total {
            return Outcome::Refused(part);
        }
        let has_room = self.octets.saturating_add(octets) <= self.limits.octets_max;
        let Some(entry) = self.entries.get_mut(&key) else {
            return self.begin(key, total, number, part, octets, now);
        };
        if entry.total != total {
            return Outcome::Refused(part);
        }
        let Err(place) = entry.parts.binary_search_by_key(&number, |(number, _)| *number) else {
            return Outcome::Duplicate(part);
        };
        if entry.parts.len() + 1 < usize::from(total) {
            if !has_room {
                return Outcome::Refused(part);
            }
            entry.parts.insert(place, (number, part));
            entry.octets += octets;
            self.octets += octets;
            return Outcome::Kept;
        }
        // The last one is never refused: it makes room.
        let mut parts = self.remove(&key).expect("it was just found");
        parts.insert(place, part);
        Outcome::Whole(parts)
    }

    /// Part `number` of a text under way, if it has come.
    pub fn part(&self, key: &K, number: u8) -> Option<&P> {
        let parts = &self.entries.get(key)?.parts;
        let place = parts.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(&parts[place].1)
    }

    /// When [`Assembly::expire`] has something next.
    pub fn next_timeout(&self) -> Option<Instant> {
        let (_, key) = self.begun.first_key_value()?;
        self.entries.get(key).map(|entry| entry.deadline)
    }

    /// Gives up on one text whose deadline has passed: its key and the parts that came, in order. Call until it is `None`.
    pub fn expire(&mut self, now: Now) -> Option<(K, Vec<P>)> {
        if self.next_timeout()? > now.mono {
            return None;
        }
        let (_, key) = self.begun.first_key_value()?;
        let key = key.clone();
        let parts = self.remove(&key)?;
        Some((key, parts))
    }

    /// Takes a text out before it is whole: the parts that came, in order.
    pub fn remove(&mut self, key: &K) -> Option<Vec<P>> {
        let entry = self.entries.remove(key)?;
        self.begun.remove(&entry.begun);
        self.octets -= entry.octets;
        Some(entry.parts.into_iter().map(|(_, part)| part).collect())
    }

    fn begin(&mut self, key: K, total: u8, number: u8, part: P, octets: usize, now: Now) -> Outcome<P> {
        if total == 1 {
            return Outcome::Whole(vec![part]);
        }
        let has_room = self.octets.saturating_add(octets) <= self.limits.octets_max;
        if self.entries.len() >= self.limits.entries_max || !has_room {
            return Outcome::Refused(part);
        }
        let begun = self.next;
        self.next += 1;
        self.octets += octets;
        self.begun.insert(begun, key.clone());
        let deadline = now.mono + self.limits.patience;
        self.entries.insert(key, Entry { begun, deadline, total, octets, parts: vec![(number, part)] });
        Outcome::Kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;

    const LIMITS: Limits = Limits { entries_max: 2, octets_max: 100, patience: Duration::from_secs(600) };

    #[expect(clippy::disallowed_methods, reason = "tests need an Instant to move by hand")]
    fn now() -> Now {
        Now { mono: Instant::now(), wall: UnixMs(0) }
    }

    fn insert(
        assembly: &mut Assembly<u32, char>,
        key: u32,
        (total, number): (u8, u8),
        part: char,
    ) -> Outcome<char> {
        assembly.insert(key, total, number, part, 10, now())
    }

    /// T6: in any order, with a repeat between.
    #[test]
    fn parts_in_any_order_become_whole_in_theirs() {
        for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            let mut assembly = Assembly::new(LIMITS);
            let letter = |number: u8| char::from(b'a' + number);

            for number in &order[..2] {
                assert_eq!(insert(&mut assembly, 7, (3, *number), letter(*number)), Outcome::Kept);
                assert_eq!(insert(&mut assembly, 7, (3, *number), 'x'), Outcome::Duplicate('x'));
                assert_eq!(assembly.part(&7, *number), Some(&letter(*number)));
            }
            let whole = insert(&mut assembly, 7, (3, order[2]), letter(order[2]));

            assert_eq!(whole, Outcome::Whole(vec!['b', 'c', 'd']));
            assert_eq!(assembly.part(&7, 1), None);
            assert!(assembly.is_empty());
            assert_eq!(assembly.octets(), 0);
            assert_eq!(assembly.next_timeout(), None);
        }
    }

    /// T6: one is missing.
    #[test]
    fn parts_that_wait_too_long_come_out_in_order() {
        let start = now();
        let mut assembly = Assembly::new(LIMITS);
        assembly.insert(1, 3, 3, 'c', 10, start);
        assembly.insert(2, 2, 1, 'x', 10, start.after(Duration::from_secs(1)));
        assembly.insert(1, 3, 1, 'a', 10, start.after(Duration::from_secs(599)));
        assert_eq!(assembly.next_timeout(), Some(start.mono + LIMITS.patience));

        assert_eq!(assembly.expire(start.after(Duration::from_millis(599_999))), None);
        let later = start.after(LIMITS.patience);
        assert_eq!(assembly.expire(later), Some((1, vec!['a', 'c'])));
        assert_eq!(assembly.expire(later), None);

        assert_eq!(assembly.next_timeout(), Some(start.mono + Duration::from_secs(601)));
        assert_eq!((assembly.len(), assembly.octets()), (1, 10));
    }

    #[test]
    fn what_does_not_fit_is_given_back() {
        let mut assembly = Assembly::new(LIMITS);
        insert(&mut assembly, 1, (20, 1), 'a');
        insert(&mut assembly, 2, (20, 1), 'a');

        assert_eq!(insert(&mut assembly, 3, (2, 1), 'a'), Outcome::Refused('a'), "too many entries");
        for number in 2..=9 {
            assert_eq!(insert(&mut assembly, 1, (20, number), 'a'), Outcome::Kept);
        }
        assert_eq!(assembly.octets(), 100);
        assert_eq!(insert(&mut assembly, 1, (20, 10), 'a'), Outcome::Refused('a'), "too many octets");
        assert_eq!(assembly.remove(&1).map(|parts| parts.len()), Some(9));
        assert_eq!(assembly.octets(), 10);
    }

    #[test]
    fn last_part_needs_no_room() {
        let mut assembly = Assembly::new(Limits { octets_max: 10, ..LIMITS });
        insert(&mut assembly, 1, (2, 2), 'b');

        assert_eq!(insert(&mut assembly, 1, (2, 1), 'a'), Outcome::Whole(vec!['a', 'b']));
    }

    /// T5: a wrong total, and numbers that can't be.
    #[test]
    fn parts_that_contradict_are_refused() {
        let mut assembly = Assembly::new(LIMITS);
        insert(&mut assembly, 1, (3, 1), 'a');

        for (total, number) in [(2, 2), (3, 0), (3, 4), (0, 0)] {
            assert_eq!(insert(&mut assembly, 1, (total, number), 'x'), Outcome::Refused('x'));
        }
        assert_eq!(insert(&mut assembly, 9, (1, 1), 'y'), Outcome::Whole(vec!['y']));
        assert_eq!(assembly.len(), 1);
    }
}
