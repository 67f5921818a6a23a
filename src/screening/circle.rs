//! Messages that go in circles: a carrier brings back what it was given, or two answering machines have found one another.
//!
//! The same text from the same source to the same destination is counted as it passes, in a table of a fixed size: where that is
//! full of others the one whose time is over first makes room. So memory is bounded, and under a flood a circle may be found
//! late; nothing else is ever taken for one but by a hash of 64 bits.

use std::time::{Duration, Instant};

/// When a message goes in circles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircleRule {
    /// It may pass so often,
    pub passes: u32,
    /// in so much time from the first.
    pub within: Duration,
}

/// What passed lately.
#[derive(Debug)]
pub struct Circles {
    rule: CircleRule,
    sets: Box<[[Entry; WAYS]]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// 0: a free place.
    key: u64,
    passes: u32,
    since: Option<Instant>,
}

impl Circles {
    /// Nothing has passed.
    pub fn new(rule: CircleRule) -> Self {
        Self { rule, sets: vec![[Entry::default(); WAYS]; SETS].into() }
    }

    /// What it goes by.
    pub fn rule(&self) -> CircleRule {
        self.rule
    }

    /// Goes by another rule from now on; what passed is still known.
    pub fn set_rule(&mut self, rule: CircleRule) {
        self.rule = rule;
    }

    /// Whether what `key` stands for has passed as often as it may.
    pub fn is_over(&self, key: u64, now: Instant) -> bool {
        let entry = self.sets[place(key)].iter().find(|entry| entry.key == key.max(1));
        entry.is_some_and(|entry| entry.stands(self.rule, now) && entry.passes >= self.rule.passes)
    }

    /// Counts one pass.
    pub fn note(&mut self, key: u64, now: Instant) {
        let rule = self.rule;
        let set = &mut self.sets[place(key)];
        let key = key.max(1);
        let found = set.iter().position(|entry| entry.key == key);
        // A free place has no time, and comes first.
        let oldest = || (0..WAYS).min_by_key(|way| set[*way].since).unwrap_or(0);
        let entry = &mut set[found.unwrap_or_else(oldest)];
        match entry.key == key && entry.stands(rule, now) {
            true => entry.passes = entry.passes.saturating_add(1),
            false => *entry = Entry { key, passes: 1, since: Some(now) },
        }
    }
}

impl Entry {
    fn stands(&self, rule: CircleRule, now: Instant) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) < rule.within)
    }
}

fn place(key: u64) -> usize {
    (key >> 32) as usize % SETS
}

/// Together 65 536 entries, 2 MiB.
const SETS: usize = 1 << 14;
const WAYS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: CircleRule = CircleRule { passes: 3, within: Duration::from_secs(60) };

    fn now() -> Instant {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        Instant::now()
    }

    #[test]
    fn what_passed_often_enough_is_over_until_its_time_is() {
        let (mut circles, start) = (Circles::new(RULE), now());
        for _ in 0..3 {
            assert!(!circles.is_over(7, start));
            circles.note(7, start);
        }

        assert!(circles.is_over(7, start + Duration::from_secs(59)));
        assert!(!circles.is_over(8, start));
        let later = start + Duration::from_secs(60);
        assert!(!circles.is_over(7, later));
        circles.note(7, later);
        assert!(!circles.is_over(7, later), "counted anew");
    }

    #[test]
    fn in_a_full_set_the_oldest_makes_room() {
        let (mut circles, start) = (Circles::new(RULE), now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for key in 1..=5 {
            for _ in 0..3 {
                circles.note(key, at(key));
            }
        }

        assert_eq!([1, 2, 3, 4, 5].map(|key| circles.is_over(key, at(6))), [false, true, true, true, true]);
    }

    #[test]
    fn nothing_is_known_at_first() {
        assert!(!Circles::new(RULE).is_over(0, now()));
    }
}
