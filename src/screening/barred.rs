//! Many numbers, and what numbers begin with: is this one among them?
//!
//! A table of open addressing with a third of its places free: twelve octets a number, and mostly one look into memory, where a
//! sorted list of ten million takes twenty.

use super::{DIGITS_MAX, bare, key_of};
use thiserror::Error;

/// A set of numbers and prefixes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    whole: Keys,
    prefixes: Keys,
    /// Bit n: some prefix has n digits.
    lengths: u32,
}

/// A set in the making.
#[derive(Debug, Default)]
pub struct NumbersBuilder {
    whole: Vec<u64>,
    prefixes: Vec<u64>,
    lengths: u32,
}

/// What is wrong with a line of a list. The fault is the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LineFault {
    #[error(
        "is neither a number of up to {DIGITS_MAX} digits nor the beginning of one with a star behind it"
    )]
    NotNumber,
    #[error("is one more than the {ENTRIES_MAX} that a list may have")]
    TooMany,
}

impl NumbersBuilder {
    /// Takes one line: a number, or the beginning of numbers with a star behind it. Blanks around it, a plus sign in front, empty
    /// lines and what follows a `#` don't count.
    ///
    /// # Errors
    /// If it is neither, or one too many.
    pub fn take(&mut self, line: &[u8]) -> Result<(), LineFault> {
        let line = line.split(|octet| *octet == b'#').next().unwrap_or(b"").trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        if self.whole.len() + self.prefixes.len() >= ENTRIES_MAX {
            return Err(LineFault::TooMany);
        }
        match line.strip_suffix(b"*") {
            None => self.whole.push(key_of(bare(line)).ok_or(LineFault::NotNumber)?),
            Some(prefix) => {
                let prefix = bare(prefix);
                self.prefixes.push(key_of(prefix).ok_or(LineFault::NotNumber)?);
                self.lengths |= 1 << prefix.len();
            }
        }
        Ok(())
    }

    /// The set.
    pub fn finish(self) -> Numbers {
        let Self { whole, prefixes, lengths } = self;
        Numbers { whole: Keys::new(whole), prefixes: Keys::new(prefixes), lengths }
    }
}

impl Numbers {
    /// Whether `number` is in it, or begins as one of it; a plus sign in front doesn't count.
    pub fn holds(&self, number: &[u8]) -> bool {
        let digits = bare(number);
        if key_of(digits).is_some_and(|key| self.whole.holds(key)) {
            return true;
        }
        let mut left = self.lengths;
        while left != 0 {
            let length = left.trailing_zeros() as usize;
            left &= left - 1;
            let prefix = digits.get(..length).and_then(key_of);
            if prefix.is_some_and(|key| self.prefixes.holds(key)) {
                return true;
            }
        }
        false
    }

    /// Numbers and prefixes in it.
    pub fn len(&self) -> usize {
        self.whole.count + self.prefixes.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets of memory that it takes.
    pub fn octets(&self) -> usize {
        (self.whole.places.len() + self.prefixes.places.len()) * size_of::<u64>()
    }
}

/// Keys, each at the place that its product says or soon behind it; 0 is a free place.
#[derive(Debug, Default, PartialEq, Eq)]
struct Keys {
    places: Box<[u64]>,
    count: usize,
}

impl Keys {
    fn new(mut keys: Vec<u64>) -> Self {
        let mut table = Self { places: vec![0; keys.len() * 3 / 2 + 1].into(), count: 0 };
        if keys.is_empty() {
            return Self::default();
        }
        // In the order of their places: memory is filled from its beginning to its end.
        keys.sort_unstable_by_key(|key| spread(*key));
        for key in keys {
            let place = table.find(key);
            table.count += usize::from(table.places[place] == 0);
            table.places[place] = key;
        }
        table
    }

    fn holds(&self, key: u64) -> bool {
        !self.places.is_empty() && self.places[self.find(key)] == key
    }

    /// Where `key` is, or would be: a third of the places are free, so there is an end.
    fn find(&self, key: u64) -> usize {
        let mut place = ((u128::from(spread(key)) * self.places.len() as u128) >> 64) as usize;
        while self.places[place] != key && self.places[place] != 0 {
            place += 1;
            if place == self.places.len() {
                place = 0;
            }
        }
        place
    }
}

/// Numbers of one block lie far apart by it (Knuth, The Art of Computer Programming 3, §6.4).
const fn spread(key: u64) -> u64 {
    let key = (key ^ (key >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (key ^ (key >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// Numbers and prefixes that one list may have.
pub const ENTRIES_MAX: usize = 20_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn numbers(lines: &[&str]) -> Numbers {
        let mut builder = NumbersBuilder::default();
        lines.iter().for_each(|line| builder.take(line.as_bytes()).expect("a number"));
        builder.finish()
    }

    #[test]
    fn numbers_and_beginnings_are_found_and_nothing_else() {
        let some = numbers(&["447700900123", "+49170*", "0800*", " 1000 # short", "", "# nothing"]);

        for number in ["447700900123", "+447700900123", "49170", "491701", "08001", "1000"] {
            assert!(some.holds(number.as_bytes()), "{number}");
        }
        for number in ["44770090012", "4477009001234", "4917", "800", "100", "SHOP", "", "+", "00001000"] {
            assert!(!some.holds(number.as_bytes()), "{number}");
        }
        assert_eq!(some.len(), 4);
        assert!(numbers(&[]).is_empty() && !numbers(&[]).holds(b"1"));
    }

    #[test]
    fn number_longer_than_any_is_found_by_its_beginning() {
        let some = numbers(&["12345*"]);

        assert!(some.holds(b"12345678901234567890"));
        assert!(!some.holds(b"22345678901234567890"));
    }

    #[test]
    fn faulty_lines_are_told() {
        let mut builder = NumbersBuilder::default();
        for line in ["SHOP", "44 77", "*", "+", "1234567890123456789", "44**"] {
            assert_eq!(builder.take(line.as_bytes()), Err(LineFault::NotNumber), "{line}");
        }
        assert!(builder.finish().is_empty());
    }

    /// Against a set that is known to be right: blocks of numbers, which is how numbers come, and some drawn by lot.
    #[test]
    fn many_numbers_are_held_as_a_plain_set_holds_them() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut plain: BTreeSet<u64> = (447_700_900_000..447_700_920_000).collect();
        plain.extend((0..20_000).map(|_| random.u64(1..1_000_000_000_000_000)));
        let mut builder = NumbersBuilder::default();
        for number in plain.iter().chain(plain.iter().take(100)) {
            builder.take(number.to_string().as_bytes()).expect("a number");
        }
        let numbers = builder.finish();

        assert_eq!(numbers.len(), plain.len());
        assert!(numbers.octets() <= 16 * plain.len(), "{} octets", numbers.octets());
        for _ in 0..50_000 {
            let number = random.u64(447_700_890_000..447_700_930_000);
            assert_eq!(numbers.holds(number.to_string().as_bytes()), plain.contains(&number), "{number}");
        }
        assert!(plain.iter().all(|number| numbers.holds(number.to_string().as_bytes())));
    }
}
