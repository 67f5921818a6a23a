//! Septets and characters of the GSM alphabet, with its escapes and national tables (3GPP TS 23.038 §6.2).

use super::tables::{LOCKING, SINGLE, Table};

/// The national tables of a text, by language id as TS 23.038 §6.2.1.2.4 numbers them; 0, and what it doesn't number,
/// is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shifts {
    /// In place of the default alphabet; 1 and 3-13.
    pub locking: u8,
    /// In place of the extension table; 1-13.
    pub single: u8,
}

impl Shifts {
    /// The default alphabet and its extension.
    pub const NONE: Self = Self { locking: 0, single: 0 };

    /// Octets of a user data header that names these tables and nothing else.
    pub const fn header_octets(self) -> usize {
        match (self.locking, self.single) {
            (0, 0) => 0,
            (0, _) | (_, 0) => 4,
            (_, _) => 7,
        }
    }

    /// The tables.
    pub(super) fn tables(self) -> Tables {
        let of =
            |tables: [&'static Table; LANGUAGES], id: u8| *tables.get(usize::from(id)).unwrap_or(&tables[0]);
        let is_default = self.locking == 0 && self.single == 0;
        Tables { locking: of(LOCKING, self.locking), single: of(SINGLE, self.single), is_default }
    }
}

/// The two tables that a text is read and written by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables {
    locking: &'static Table,
    single: &'static Table,
    is_default: bool,
}

impl Tables {
    /// The character of one septet; U+FFFD for what is no septet and for places that are empty.
    #[inline]
    pub fn plain(&self, septet: u8) -> char {
        match self.locking.get(usize::from(septet)) {
            Some(0) | None => char::REPLACEMENT_CHARACTER,
            Some(unit) => of_unit(*unit),
        }
    }

    /// The character of a septet behind an escape: where the table has none, what the septet says without it; a blank
    /// for a second escape.
    pub fn escaped(&self, septet: u8) -> char {
        match self.single.get(usize::from(septet)) {
            Some(0) if septet == ESC => ' ',
            Some(0) | None => self.plain(septet),
            Some(unit) => of_unit(*unit),
        }
    }

    /// The septet of a character, with [`ESCAPED`] set if it stands behind an escape.
    #[inline]
    pub fn code(&self, char: char) -> Option<u8> {
        if !self.is_default {
            return self.searched(char);
        }
        match DEFAULT_CODES.get(char as usize) {
            Some(&NONE) => None,
            Some(code) => Some(*code),
            None if matches!(char, 'Γ'..='Ω' | '€') => self.searched(char),
            None => None,
        }
    }

    #[cold]
    fn searched(&self, char: char) -> Option<u8> {
        let unit = u16::try_from(u32::from(char)).ok().filter(|unit| *unit != 0)?;
        let place = |table: &Table| table.iter().position(|listed| *listed == unit).map(|place| place as u8);
        if let Some(septet) = place(self.locking) {
            return Some(septet);
        }
        // The sources don't agree on Telugu's euro: it is read, but not written.
        let septet = place(self.single)?;
        let is_doubtful = unit == EURO && self.single == SINGLE[TELUGU];
        (!is_doubtful).then_some(septet | ESCAPED)
    }
}

/// Characters of septets, one after the other. An escape at the very end is dropped.
#[derive(Clone, Debug)]
pub(super) struct GsmChars<I> {
    pub septets: I,
    pub tables: Tables,
}

impl<I: Iterator<Item = u8>> Iterator for GsmChars<I> {
    type Item = char;

    #[inline]
    fn next(&mut self) -> Option<char> {
        match self.septets.next()? {
            ESC => Some(self.tables.escaped(self.septets.next()?)),
            septet => Some(self.tables.plain(septet)),
        }
    }
}

/// No table has surrogates.
const fn of_unit(unit: u16) -> char {
    match char::from_u32(unit as u32) {
        Some(char) => char,
        None => char::REPLACEMENT_CHARACTER,
    }
}

/// Septets of the characters below U+0100 in the default alphabet.
const DEFAULT_CODES: [u8; 256] = {
    let mut codes = [NONE; 256];
    let mut septet = 0;
    while septet < 128 {
        let (plain, escaped) = (LOCKING[0][septet] as usize, SINGLE[0][septet] as usize);
        if plain != 0 && plain < 256 {
            codes[plain] = septet as u8;
        }
        if escaped != 0 && escaped < 256 {
            codes[escaped] = septet as u8 | ESCAPED;
        }
        septet += 1;
    }
    codes
};

/// The escape.
pub(super) const ESC: u8 = 0x1B;
/// Set in a code that stands behind an escape.
pub(super) const ESCAPED: u8 = 0x80;
/// No code: the last place of the default extension table is empty.
const NONE: u8 = 0xFF;
const LANGUAGES: usize = 14;
const TELUGU: usize = 12;
const EURO: u16 = 0x20AC;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(septets: &[u8], shifts: Shifts) -> String {
        GsmChars { septets: septets.iter().copied(), tables: shifts.tables() }.collect()
    }

    #[test]
    fn escapes_lead_to_the_extension_or_to_nothing() {
        assert_eq!(read(b"a\x1b\x65b", Shifts::NONE), "a€b");
        assert_eq!(read(b"a\x1b", Shifts::NONE), "a", "an escape at the end");
        assert_eq!(read(b"a\x1bXb", Shifts::NONE), "aXb", "not in the extension");
        assert_eq!(read(b"a\x1b\x1bb", Shifts::NONE), "a b", "a second escape");
        assert_eq!(read(b"\x80", Shifts::NONE), "\u{FFFD}");
    }

    #[test]
    fn unknown_language_is_the_default() {
        let unknown = Shifts { locking: 14, single: 200 };

        assert_eq!(read(b"\x00\x1b\x65", unknown), "@€");
        assert_eq!(unknown.tables().code('€'), Some(0x65 | ESCAPED));
        assert_eq!(Shifts { locking: 2, single: 0 }.tables().code('@'), Some(0), "Spanish locks nothing");
    }

    /// Others are not looked for, so that a long text of them costs nobody time.
    #[test]
    fn default_alphabet_beyond_latin_1_is_greek_capitals_and_the_euro() {
        for unit in LOCKING[0].iter().chain(SINGLE[0]).filter(|unit| **unit > 0xFF) {
            let char = of_unit(*unit);

            assert!(matches!(char, 'Γ'..='Ω' | '€'), "{char}");
            assert!(Shifts::NONE.tables().code(char).is_some());
        }
        assert_eq!(Shifts::NONE.tables().code('я'), None);
    }

    #[test]
    fn character_in_both_tables_takes_one_septet() {
        let turkish = Shifts { locking: 1, single: 1 };

        assert_eq!(turkish.tables().code('€'), Some(0x04));
        assert_eq!(Shifts { locking: 0, single: 1 }.tables().code('€'), Some(0x65 | ESCAPED));
    }

    #[test]
    fn what_no_table_has_has_no_code() {
        assert_eq!(SINGLE[0][127], 0, "its code would be the one that means none");
        assert_eq!(Shifts::NONE.tables().code('\0'), None);
        assert_eq!(Shifts { locking: 1, single: 1 }.tables().code('\0'), None);
        assert_eq!(Shifts { locking: 12, single: 12 }.tables().code('€'), None, "Telugu's euro is doubtful");
        assert_eq!(Shifts { locking: 12, single: 12 }.tables().escaped(0x65), '€');
    }
}
