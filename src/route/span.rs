//! What numbers are for, by the longest prefix: prefixes as stretches of a line, and what each stretch leads to.
//!
//! A number's digits make one integer, four bits each, from the left ([`Prefix::of_number`]); all numbers that begin with a prefix
//! are one stretch of that line. [`Spans`] keeps where each stretch begins, seventeen octets apiece, two for a prefix at most, and
//! finds the one of a number in a few steps, each of which looks at two cache lines at once.

use super::RouteError;
use siphasher::sip::SipHasher24;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The first digits of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The digits from the left, four bits each and counted from 1; 0 where they end.
    key: u64,
    len: u8,
}

impl Prefix {
    /// Reads 1 to [`PREFIX_MAX`] digits in international form.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn read(text: &str) -> Result<Self, RouteError> {
        if text.is_empty() {
            return Err(RouteError::Empty);
        }
        if !text.bytes().all(|character| character.is_ascii_digit()) {
            return Err(RouteError::NotDigits(text.to_owned()));
        }
        if text.len() > PREFIX_MAX {
            return Err(RouteError::Long(text.to_owned()));
        }
        Ok(Self { key: Self::of_number(text.as_bytes()), len: text.len() as u8 })
    }

    /// Where a number lies on the line. What follows its first character that isn't a digit doesn't count, and a plus sign in
    /// front doesn't either.
    #[inline]
    pub(super) fn of_number(number: &[u8]) -> u64 {
        let digits = number.strip_prefix(b"+").unwrap_or(number);
        let (mut key, mut shift) = (0, 64);
        for character in digits.iter().take(PREFIX_MAX) {
            let digit = character.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            shift -= 4;
            key |= u64::from(digit + 1) << shift;
        }
        key
    }

    /// The first place on the line behind all numbers that begin so.
    const fn end(self) -> u64 {
        match self.len {
            0 => u64::MAX,
            len => self.key + (1 << (64 - 4 * len as u32)),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in 1..=u32::from(self.len) {
            write!(out, "{}", ((self.key >> (64 - 4 * place)) & 15).saturating_sub(1))?;
        }
        Ok(())
    }
}

/// Stretches of the line, and what each leads to.
#[derive(Clone)]
pub(super) struct Spans {
    /// Where each stretch begins and what it leads to, in order, [`BLOCK`] at a time.
    blocks: Vec<Block>,
    /// Where each block begins; then the first of each [`FAN`] of those, and so on until a fan is left.
    levels: Vec<Vec<u64>>,
}

/// Some stretches, two cache lines of them.
#[derive(Clone, Hash)]
struct Block([Half; 2]);

/// A cache line: what a stretch leads to comes with where it begins, so that nothing is waited for twice.
#[derive(Clone, Copy, Hash)]
#[repr(align(64))]
struct Half {
    starts: [u64; HALF],
    values: [u64; HALF],
}

impl Spans {
    /// What a place on the line leads to.
    #[inline]
    pub fn find(&self, key: u64) -> u64 {
        let mut at = 0;
        for level in self.levels.iter().rev() {
            let fan = &level[at * FAN..(at * FAN + FAN).min(level.len())];
            let not_after = fan.iter().map(|start| usize::from(*start <= key)).sum::<usize>();
            at = at * FAN + not_after.saturating_sub(1); // the first stretch of all begins at 0
        }
        let Block(halves) = &self.blocks[at];
        let Half { starts: [_, second, third, fourth], values } =
            &halves[usize::from(halves[1].starts[0] <= key)];
        let not_after = [second, third, fourth].map(|start| usize::from(*start <= key));
        values[not_after[0] + not_after[1] + not_after[2]]
    }

    /// Octets that it takes.
    pub fn octets(&self) -> usize {
        let levels: usize = self.levels.iter().map(|level| level.capacity() * 8).sum();
        levels + self.blocks.capacity() * size_of::<Block>()
    }
}

/// Stretches as they are found, from the left.
pub(super) struct Line {
    starts: Vec<u64>,
    values: Vec<u32>,
}

impl Line {
    /// `items` are in order; `enter` gives what a prefix leads to that lies in what leads to its first argument. What lies in
    /// none leads to `outside`.
    pub fn sweep<T>(
        items: impl Iterator<Item = (Prefix, T)>,
        outside: u32,
        mut enter: impl FnMut(u32, T) -> u32,
    ) -> Self {
        let mut line = Line { starts: vec![0], values: vec![outside] };
        // Prefixes that are not over yet, each within the one before it.
        let mut open = vec![(Prefix::default(), outside)];
        for (prefix, item) in items {
            while let Some((over, _)) = open.pop_if(|(before, _)| before.end() <= prefix.key) {
                line.go_on(over.end(), open.last().map_or(outside, |(_, value)| *value));
            }
            let (around, parent) = open.last().map_or((Prefix::default(), outside), |last| *last);
            let value = enter(parent, item);
            match open.last_mut() {
                Some(last) if around == prefix => last.1 = value,
                _ => open.push((prefix, value)), // within it, or there is none
            }
            line.go_on(prefix.key, value);
        }
        while let Some((over, _)) = open.pop() {
            match open.last() {
                Some((_, value)) => line.go_on(over.end(), *value),
                None => break, // the outside has no end
            }
        }
        line
    }

    /// From `start` on it leads to `value`.
    fn go_on(&mut self, start: u64, value: u32) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    /// Packs them; `value` says how what they lead to is written.
    pub fn finish(self, value: impl Fn(u32) -> u64) -> Spans {
        let mut blocks = Vec::with_capacity(self.starts.len().div_ceil(BLOCK));
        for (starts, values) in self.starts.chunks(BLOCK).zip(self.values.chunks(BLOCK)) {
            let mut halves = [Half { starts: [u64::MAX; HALF], values: [0; HALF] }; 2];
            for (place, (start, known)) in starts.iter().zip(values).enumerate() {
                let half = &mut halves[place / HALF];
                (half.starts[place % HALF], half.values[place % HALF]) = (*start, value(*known));
            }
            blocks.push(Block(halves));
        }
        let mut levels = vec![blocks.iter().map(|Block(halves)| halves[0].starts[0]).collect::<Vec<u64>>()];
        while let Some(last) = levels.last().filter(|last| last.len() > FAN) {
            let firsts = last.iter().step_by(FAN).copied().collect();
            levels.push(firsts);
        }
        Spans { blocks, levels }
    }
}

/// Shown as how many they are, and what tells them from others.
impl fmt::Debug for Spans {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digest = SipHasher24::new();
        self.blocks.hash(&mut digest);
        out.debug_struct("Spans")
            .field("blocks", &self.blocks.len())
            .field("digest", &digest.finish())
            .finish()
    }
}

/// Digits of a prefix; the longest international number has 15 (E.164 §6.1).
pub const PREFIX_MAX: usize = 16;
/// Beginnings that are looked at in one step: two cache lines of them.
const FAN: usize = 16;
/// Stretches of a block, and of a cache line.
const BLOCK: usize = 2 * HALF;
const HALF: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(prefixes: &[(&str, u32)]) -> Spans {
        let mut items: Vec<_> =
            prefixes.iter().map(|(prefix, value)| (Prefix::read(prefix).expect("digits"), *value)).collect();
        items.sort();
        Line::sweep(items.into_iter(), 0, |_, value| value).finish(u64::from)
    }

    fn found(spans: &Spans, number: &str) -> u64 {
        spans.find(Prefix::of_number(number.as_bytes()))
    }

    #[test]
    fn longest_prefix_counts_and_a_number_shorter_than_it_has_not_got_it() {
        let spans = spans(&[("44", 1), ("447700", 2), ("4477", 3), ("45", 4), ("0", 5)]);

        for (number, value) in [
            ("447700900123", 2),
            ("+447700", 2),
            ("44770", 3),
            ("4478", 1),
            ("44", 1),
            ("4", 0),
            ("", 0),
            ("SHORT", 0),
            ("45999999999999999999", 4),
            ("46", 0),
            ("00", 5),
            ("44-7700", 1),
        ] {
            assert_eq!(found(&spans, number), value, "{number}");
        }
    }

    #[test]
    fn each_of_many_prefixes_is_found_and_so_is_what_lies_between_them() {
        let prefixes: Vec<(String, u32)> = (1..5000).map(|n| (format!("{}", n * 7), n)).collect();
        let borrowed: Vec<_> = prefixes.iter().map(|(prefix, value)| (prefix.as_str(), *value)).collect();
        let spans = spans(&borrowed);

        for number in 0..40_000u32 {
            let text = number.to_string();
            let longest = (1..=text.len())
                .filter_map(|len| text[..len].parse::<u32>().ok())
                .rfind(|head| *head > 0 && head % 7 == 0 && head / 7 < 5000);
            assert_eq!(found(&spans, &text), u64::from(longest.map_or(0, |head| head / 7)), "{number}");
        }
    }

    #[test]
    fn prefix_is_shown_as_it_was_written_and_too_long_a_one_is_refused() {
        assert_eq!(Prefix::read("0049").expect("digits").to_string(), "0049");
        assert_eq!(Prefix::read(&"9".repeat(16)).expect("digits").to_string(), "9".repeat(16));
        assert_eq!(Prefix::read(&"9".repeat(17)), Err(RouteError::Long("9".repeat(17))));
        assert_eq!(Prefix::read(""), Err(RouteError::Empty));
    }
}
