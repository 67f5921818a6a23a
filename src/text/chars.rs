//! Octets to characters.

use super::gsm::GsmChars;
use super::pack::Septets;
use super::{Alphabet, Shifts, charset};
use std::iter::Copied;
use std::slice::Iter;

/// The characters of a text; what can't be read is U+FFFD. A byte-order mark in front is skipped.
#[derive(Clone, Debug)]
pub struct Chars<'a>(pub(super) Kind<'a>);

/// How the octets are read.
#[derive(Clone, Debug)]
pub(super) enum Kind<'a> {
    Gsm(GsmChars<Copied<Iter<'a, u8>>>),
    Packed(GsmChars<Septets<'a>>),
    Single(SingleChars<'a>),
    Utf8(Utf8Chars<'a>),
    Wide(WideChars<'a, true>),
    WideLittle(WideChars<'a, false>),
}

impl<'a> Chars<'a> {
    /// The characters of `octets`, which hold text without a user data header. GSM text is read by the tables of
    /// `shifts`; octets that are no text are read as Latin-1.
    pub fn new(octets: &'a [u8], alphabet: Alphabet, shifts: Shifts) -> Self {
        Self(match alphabet {
            Alphabet::Gsm => Kind::Gsm(GsmChars { septets: octets.iter().copied(), tables: shifts.tables() }),
            Alphabet::GsmPacked => return Self::packed(Septets::new(octets, 0), shifts),
            Alphabet::Utf8 => Kind::Utf8(Utf8Chars(octets.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(octets))),
            Alphabet::Ucs2 => Kind::Wide(WideChars(octets.strip_prefix(&[0xFE, 0xFF]).unwrap_or(octets))),
            Alphabet::Ucs2Little => {
                Kind::WideLittle(WideChars(octets.strip_prefix(&[0xFF, 0xFE]).unwrap_or(octets)))
            }
            Alphabet::Ascii
            | Alphabet::Latin1
            | Alphabet::Cp1252
            | Alphabet::Cyrillic
            | Alphabet::Hebrew
            | Alphabet::Octets
            | Alphabet::Unknown => Kind::Single(SingleChars { octets: octets.iter().copied(), alphabet }),
        })
    }

    /// The characters of packed septets.
    pub fn packed(septets: Septets<'a>, shifts: Shifts) -> Self {
        Self(Kind::Packed(GsmChars { septets, tables: shifts.tables() }))
    }

    /// Octets that are not yet read; septets of packed text.
    pub(super) fn rest_len(&self) -> usize {
        match &self.0 {
            Kind::Gsm(chars) => chars.septets.len(),
            Kind::Packed(chars) => chars.septets.size_hint().0,
            Kind::Single(chars) => chars.octets.len(),
            Kind::Utf8(chars) => chars.0.len(),
            Kind::Wide(chars) => chars.0.len(),
            Kind::WideLittle(chars) => chars.0.len(),
        }
    }
}

impl Iterator for Chars<'_> {
    type Item = char;

    #[inline]
    fn next(&mut self) -> Option<char> {
        match &mut self.0 {
            Kind::Gsm(chars) => chars.next(),
            Kind::Packed(chars) => chars.next(),
            Kind::Single(chars) => chars.next(),
            Kind::Utf8(chars) => chars.next(),
            Kind::Wide(chars) => chars.next(),
            Kind::WideLittle(chars) => chars.next(),
        }
    }
}

/// One octet a character.
#[derive(Clone, Debug)]
pub(super) struct SingleChars<'a> {
    octets: Copied<Iter<'a, u8>>,
    alphabet: Alphabet,
}

impl Iterator for SingleChars<'_> {
    type Item = char;

    #[inline]
    fn next(&mut self) -> Option<char> {
        Some(charset::read(self.alphabet, self.octets.next()?))
    }
}

/// UTF-8; each longest broken sequence is one U+FFFD, as everybody does it.
#[derive(Clone, Debug)]
pub(super) struct Utf8Chars<'a>(&'a [u8]);

impl Iterator for Utf8Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let first = *self.0.first()?;
        if first.is_ascii() {
            self.0 = &self.0[1..];
            return Some(char::from(first));
        }
        let window = &self.0[..self.0.len().min(4)];
        let (char, len) = match std::str::from_utf8(window) {
            Ok(text) => first_char(text),
            Err(error) if error.valid_up_to() > 0 => {
                let whole = std::str::from_utf8(&window[..error.valid_up_to()]);
                first_char(whole.unwrap_or_default())
            }
            Err(error) => (char::REPLACEMENT_CHARACTER, error.error_len().unwrap_or(window.len())),
        };
        self.0 = &self.0[len..];
        Some(char)
    }
}

fn first_char(text: &str) -> (char, usize) {
    let char = text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
    (char, char.len_utf8())
}

/// UTF-16 in either order; a lone surrogate and an odd octet at the end are U+FFFD each.
#[derive(Clone, Debug)]
pub(super) struct WideChars<'a, const BIG: bool>(&'a [u8]);

impl<const BIG: bool> WideChars<'_, BIG> {
    #[inline]
    fn unit(octets: [u8; 2]) -> u32 {
        u32::from(if BIG { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) })
    }

    #[cold]
    fn surrogate(&mut self, high: u32) -> char {
        let low = self.0.first_chunk().map(|octets| Self::unit(*octets));
        match low {
            Some(low @ 0xDC00..=0xDFFF) if high < 0xDC00 => {
                self.0 = &self.0[2..];
                let char = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                char::from_u32(char).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            Some(_) | None => char::REPLACEMENT_CHARACTER,
        }
    }
}

impl<const BIG: bool> Iterator for WideChars<'_, BIG> {
    type Item = char;

    #[inline]
    fn next(&mut self) -> Option<char> {
        let Some((octets, rest)) = self.0.split_first_chunk() else {
            let is_odd = !std::mem::take(&mut self.0).is_empty();
            return is_odd.then_some(char::REPLACEMENT_CHARACTER);
        };
        self.0 = rest;
        let unit = Self::unit(*octets);
        match char::from_u32(unit) {
            Some(char) => Some(char),
            None => Some(self.surrogate(unit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8], alphabet: Alphabet) -> String {
        Chars::new(octets, alphabet, Shifts::NONE).collect()
    }

    /// T3: pairs, halves of pairs, odd octets.
    #[test]
    fn broken_utf_16_is_shown_as_far_as_it_goes() {
        let pair = [0xD8, 0x3D, 0xDE, 0x00];

        assert_eq!(read(&pair, Alphabet::Ucs2), "😀");
        assert_eq!(read(&[&pair[..2], &[0, 0x41]].concat(), Alphabet::Ucs2), "\u{FFFD}A");
        assert_eq!(read(&pair[2..], Alphabet::Ucs2), "\u{FFFD}");
        assert_eq!(read(&[0, 0x41, 0], Alphabet::Ucs2), "A\u{FFFD}");
        assert_eq!(read(&[0xD8, 0x3D, 0xD8, 0x3D, 0xDE, 0], Alphabet::Ucs2), "\u{FFFD}😀");
    }

    #[test]
    fn byte_order_mark_is_skipped_in_front_only() {
        assert_eq!(read(&[0xFE, 0xFF, 0, 0x41, 0xFE, 0xFF], Alphabet::Ucs2), "A\u{FEFF}");
        assert_eq!(read(&[0xFF, 0xFE, 0x41, 0], Alphabet::Ucs2Little), "A");
        assert_eq!(read(b"\xEF\xBB\xBFA", Alphabet::Utf8), "A");
    }

    #[test]
    fn utf_8_is_read_as_the_standard_library_reads_it() {
        for octets in [
            "aé€😀z".as_bytes(),
            b"\xE9t\xE9",
            b"\xF0\x9F\x98",
            b"\xF0\x9F\x98a",
            b"\xE2\x82",
            b"\xC0\x80\xFF",
            b"\xED\xA0\xBD\xED\xB8\x80",
        ] {
            assert_eq!(read(octets, Alphabet::Utf8), String::from_utf8_lossy(octets));
        }
    }
}
