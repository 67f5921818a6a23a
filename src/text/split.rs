//! Into how many parts a text falls, and where it is cut. Whoever counts or cuts, does it by [`split`].

use super::gsm::ESC;
use super::pack::Septets;
use super::{Alphabet, Chars, Concat, Shifts, Udh};
use std::ops::Range;
use thiserror::Error;

/// A text, and how it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    octets: &'a [u8],
    count: Count<'a>,
}

/// What a short message's 140 octets are shared out in.
#[derive(Clone, Copy, Debug)]
enum Count<'a> {
    /// Septets, one per octet.
    Septets,
    /// Septets, packed.
    Packed(Septets<'a>),
    Octets,
    /// UTF-16 units, and in which order their octets are.
    Units {
        big: bool,
    },
    /// The septets that the characters will be; how many.
    FutureSeptets {
        alphabet: Alphabet,
        shifts: Shifts,
        units: usize,
    },
    /// The UTF-16 units that the characters will be; how many.
    FutureUnits {
        alphabet: Alphabet,
        units: usize,
    },
}

/// The text takes more than 255 short messages, or its header leaves no room for it. The fault is the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the text takes more than 255 short messages")]
pub struct TooLong;

/// Octets of the header, its length octet included, that the text has to share its short messages with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// If it is one.
    pub whole: usize,
    /// In each, if they are several.
    pub part: usize,
}

impl Headers {
    /// Of a text behind `udh`, which gets an element for concatenation unless it has one. `wide`: of 16 bits.
    pub fn of(udh: &Udh<'_>, wide: bool) -> Self {
        match udh.concat() {
            Some(_) => Self { whole: udh.octets(), part: udh.octets() },
            None => Self::with_concat(udh.octets(), wide),
        }
    }

    /// Of a text behind a header of `octets` (0 for none) that gets an element for concatenation if need be.
    pub const fn with_concat(octets: usize, wide: bool) -> Self {
        let length_octet = if octets == 0 { 1 } else { 0 };
        Self { whole: octets, part: octets + length_octet + Concat::octets(wide) }
    }
}

impl<'a> Text<'a> {
    /// Encoded text without its header, counted as what it is: septets, 16-bit units, or else octets.
    pub fn new(octets: &'a [u8], alphabet: Alphabet) -> Self {
        let count = match alphabet {
            Alphabet::Gsm => Count::Septets,
            Alphabet::GsmPacked => Count::Packed(Septets::new(octets, 0)),
            Alphabet::Ucs2 => Count::Units { big: true },
            Alphabet::Ucs2Little => Count::Units { big: false },
            Alphabet::Ascii
            | Alphabet::Latin1
            | Alphabet::Cp1252
            | Alphabet::Utf8
            | Alphabet::Cyrillic
            | Alphabet::Hebrew
            | Alphabet::Octets
            | Alphabet::Unknown => Count::Octets,
        };
        Self { octets, count }
    }

    /// Packed text. Its parts are ranges of septets.
    pub const fn packed(septets: Septets<'a>) -> Self {
        Self { octets: &[], count: Count::Packed(septets) }
    }

    /// Text in another alphabet than GSM's, counted as the septets that it will be; `None` if it can't be them. What can't
    /// be read counts as the question mark that it will be.
    pub fn as_gsm(octets: &'a [u8], alphabet: Alphabet, shifts: Shifts) -> Option<Self> {
        let tables = shifts.tables();
        let units = Chars::new(octets, alphabet, Shifts::NONE)
            .try_fold(0, |units, char| septets_of(tables.code(char), char).map(|septets| units + septets))?;
        Some(Self { octets, count: Count::FutureSeptets { alphabet, shifts, units } })
    }

    /// Text counted as the UTF-16 units that it will be.
    pub fn as_ucs2(octets: &'a [u8], alphabet: Alphabet) -> Self {
        let units = Chars::new(octets, alphabet, Shifts::NONE).map(char::len_utf16).sum();
        Self { octets, count: Count::FutureUnits { alphabet, units } }
    }

    /// Text counted as what a phone gets of it: the default GSM alphabet if it has all characters, else UCS-2.
    pub fn on_air(octets: &'a [u8], alphabet: Alphabet) -> Self {
        Self::as_gsm(octets, alphabet, Shifts::NONE).unwrap_or_else(|| Self::as_ucs2(octets, alphabet))
    }

    /// Septets, octets or 16-bit units in all; an odd octet is a unit.
    pub const fn units(&self) -> usize {
        match self.count {
            Count::Septets | Count::Octets => self.octets.len(),
            Count::Packed(septets) => septets.total(),
            Count::Units { .. } => self.octets.len().div_ceil(2),
            Count::FutureSeptets { units, .. } | Count::FutureUnits { units, .. } => units,
        }
    }

    /// Units that one short message takes beside `header_octets` (fact sheet 9.5).
    pub const fn capacity(&self, header_octets: usize) -> usize {
        let octets = MESSAGE_OCTETS.saturating_sub(header_octets);
        match self.count {
            Count::Septets | Count::Packed(_) | Count::FutureSeptets { .. } => octets * 8 / 7,
            Count::Octets => octets,
            Count::Units { .. } | Count::FutureUnits { .. } => octets / 2,
        }
    }

    /// Where the text ends: in octets, or in septets if it is packed.
    const fn end(&self) -> usize {
        match self.count {
            Count::Packed(septets) => septets.total(),
            Count::Septets
            | Count::Octets
            | Count::Units { .. }
            | Count::FutureSeptets { .. }
            | Count::FutureUnits { .. } => self.octets.len(),
        }
    }

    /// The last place that is at most `units` behind `from` and not inside of a character. `units` is 2 or more, so it
    /// is behind `from` until the end is reached.
    fn cut(&self, from: usize, units: usize) -> usize {
        let place = from + units;
        match self.count {
            Count::Octets => place.min(self.octets.len()),
            Count::Septets => septet_cut(from, place, self.end(), |place| self.octets[place]),
            Count::Packed(septets) => septet_cut(from, place, self.end(), |place| septets.at(place)),
            Count::Units { big } => unit_cut(self.octets, from + 2 * units, big),
            Count::FutureSeptets { alphabet, shifts, .. } => {
                let tables = shifts.tables();
                self.walk(from, units, alphabet, |char| septets_of(tables.code(char), char).unwrap_or(1))
            }
            Count::FutureUnits { alphabet, .. } => self.walk(from, units, alphabet, char::len_utf16),
        }
    }

    fn walk(&self, from: usize, units: usize, alphabet: Alphabet, cost: impl Fn(char) -> usize) -> usize {
        let rest = &self.octets[from..];
        let mut chars = Chars::new(rest, alphabet, Shifts::NONE);
        let mut room = units;
        let mut left = rest.len();
        while let Some(char) = chars.next() {
            match room.checked_sub(cost(char)) {
                Some(less) => room = less,
                None => break,
            }
            left = chars.rest_len();
        }
        self.octets.len() - left
    }
}

/// Cuts `text` into the parts that fit short messages with these headers; a text that fits one is one. No part ends inside of
/// an escape or a surrogate pair. Nothing is allocated.
///
/// # Errors
/// If they are more than 255.
pub fn split(text: Text<'_>, headers: Headers) -> Result<Parts<'_>, TooLong> {
    let (units, whole) = (text.units(), text.capacity(headers.whole));
    let parts = |limit, total| Parts { text, limit, at: 0, left: total, total };
    if units <= whole {
        return Ok(parts(whole, 1));
    }
    let limit = text.capacity(headers.part);
    if limit < UNITS_MIN || units > limit * PARTS_MAX {
        return Err(TooLong);
    }
    let (mut at, mut total) = (0, 0u8);
    while at < text.end() {
        at = text.cut(at, limit);
        total = total.checked_add(1).ok_or(TooLong)?;
    }
    Ok(parts(limit, total))
}

/// The parts of a text: ranges of its octets, or of its septets if it is packed.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    text: Text<'a>,
    limit: usize,
    at: usize,
    left: u8,
    total: u8,
}

impl Parts<'_> {
    /// How many they are, those that have been taken included; at least 1.
    pub const fn total(&self) -> u8 {
        self.total
    }
}

impl Iterator for Parts<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        self.left = self.left.checked_sub(1)?;
        let from = self.at;
        self.at = match self.left {
            0 => self.text.end(),
            _ => self.text.cut(from, self.limit),
        };
        Some(from..self.at)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

impl ExactSizeIterator for Parts<'_> {}

/// Septets of a character with this code; `None` without one.
fn septets_of(code: Option<u8>, char: char) -> Option<usize> {
    match code {
        Some(code) => Some(if code & super::gsm::ESCAPED == 0 { 1 } else { 2 }),
        None => (char == char::REPLACEMENT_CHARACTER).then_some(1),
    }
}

/// `place`, or one before it if an escape would lose its character. Escapes in a row go two by two.
fn septet_cut(from: usize, place: usize, end: usize, at: impl Fn(usize) -> u8) -> usize {
    if place >= end {
        return end;
    }
    let escapes = (from..place).rev().take_while(|place| at(*place) == ESC).count();
    place - escapes % 2
}

/// `place`, or one unit before it if it would part a surrogate pair.
fn unit_cut(octets: &[u8], place: usize, big: bool) -> usize {
    let high_octet = |place: usize| octets.get(place + usize::from(!big)).copied().unwrap_or(0);
    if place >= octets.len() {
        return octets.len();
    }
    let is_pair = matches!((high_octet(place - 2), high_octet(place)), (0xD8..=0xDB, 0xDC..=0xDF));
    if is_pair { place - 2 } else { place }
}

/// Octets of user data in a short message.
const MESSAGE_OCTETS: usize = 140;
/// Parts of a text at most: their number is an octet.
const PARTS_MAX: usize = 255;
/// The longest character: an escape or a surrogate pair.
const UNITS_MIN: usize = 2;
