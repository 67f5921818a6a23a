//! Alphabets of one octet a character.

use super::Alphabet;

/// The character of `octet`; U+FFFD where the alphabet has none. Latin-1's for alphabets of another kind.
#[inline]
pub(super) const fn read(alphabet: Alphabet, octet: u8) -> char {
    let unit = match (alphabet, octet) {
        (Alphabet::Ascii, 0x80..) => NONE,
        (Alphabet::Cp1252, 0x80..=0x9F) => CP1252[octet as usize - 0x80],
        (Alphabet::Cyrillic, 0xA1..) => CYRILLIC[octet as usize - 0xA1],
        (Alphabet::Hebrew, 0xA1..) => HEBREW[octet as usize - 0xA1],
        (_, _) => octet as u16,
    };
    match char::from_u32(unit as u32) {
        Some(char) => char,
        None => char::REPLACEMENT_CHARACTER,
    }
}

/// The octet of `char`, if the alphabet has it.
#[inline]
pub(super) fn write(alphabet: Alphabet, char: char) -> Option<u8> {
    let unit = u16::try_from(u32::from(char)).ok().filter(|unit| *unit != NONE)?;
    let place = |table: &[u16], first: usize| {
        table.iter().position(|listed| *listed == unit).map(|place| (place + first) as u8)
    };
    let octet = u8::try_from(unit).ok();
    match alphabet {
        Alphabet::Ascii => octet.filter(u8::is_ascii),
        Alphabet::Cp1252 => {
            octet.filter(|octet| !matches!(octet, 0x80..=0x9F)).or_else(|| place(&CP1252, 0x80))
        }
        Alphabet::Cyrillic => octet.filter(|octet| *octet <= 0xA0).or_else(|| place(&CYRILLIC, 0xA1)),
        Alphabet::Hebrew => octet.filter(|octet| *octet <= 0xA0).or_else(|| place(&HEBREW, 0xA1)),
        Alphabet::Latin1
        | Alphabet::Gsm
        | Alphabet::GsmPacked
        | Alphabet::Utf8
        | Alphabet::Ucs2
        | Alphabet::Ucs2Little
        | Alphabet::Octets
        | Alphabet::Unknown => octet,
    }
}

/// Not a character: what is not assigned.
const NONE: u16 = 0xFFFD;

/// 0x80-0x9F; the five that Windows doesn't assign are the control characters of Latin-1 (WHATWG Encoding §9).
const CP1252: [u16; 32] = [
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152,
    0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122,
    0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
];

/// 0xA1-0xFF of ISO-8859-5.
const CYRILLIC: [u16; 95] = {
    let mut units = [NONE; 95];
    let mut place = 0;
    while place < 95 {
        units[place] = match place + 0xA1 {
            0xAD => 0x00AD,
            0xF0 => 0x2116,
            0xFD => 0x00A7,
            octet => 0x0360 + octet as u16,
        };
        place += 1;
    }
    units
};

/// 0xA1-0xFF of ISO-8859-8.
const HEBREW: [u16; 95] = {
    let mut units = [NONE; 95];
    let mut place = 0;
    while place < 95 {
        units[place] = match place + 0xA1 {
            0xAA => 0x00D7,
            0xBA => 0x00F7,
            0xDF => 0x2017,
            0xFD => 0x200E,
            0xFE => 0x200F,
            octet @ (0xA2..=0xBE) => octet as u16,
            octet @ (0xE0..=0xFA) => 0x05D0 + octet as u16 - 0xE0,
            _ => NONE,
        };
        place += 1;
    }
    units
};

#[cfg(test)]
mod tests {
    use super::*;

    const ALPHABETS: [Alphabet; 5] =
        [Alphabet::Ascii, Alphabet::Latin1, Alphabet::Cp1252, Alphabet::Cyrillic, Alphabet::Hebrew];

    #[test]
    fn every_octet_that_is_read_is_written_again() {
        for alphabet in ALPHABETS {
            for octet in 0..=u8::MAX {
                match read(alphabet, octet) {
                    char::REPLACEMENT_CHARACTER => {}
                    char => assert_eq!(write(alphabet, char), Some(octet), "{alphabet:?} {octet:#04x}"),
                }
            }
            assert_eq!(write(alphabet, char::REPLACEMENT_CHARACTER), None);
            assert_eq!(write(alphabet, '😀'), None);
        }
    }

    #[test]
    fn octets_are_the_characters_of_the_standards() {
        assert_eq!(read(Alphabet::Ascii, 0xE9), char::REPLACEMENT_CHARACTER);
        assert_eq!(read(Alphabet::Latin1, 0xE9), 'é');
        assert_eq!(read(Alphabet::Latin1, 0x80), '\u{80}');
        assert_eq!([0x80, 0x99, 0x9F].map(|octet| read(Alphabet::Cp1252, octet)), ['€', '™', 'Ÿ']);
        let cyrillic = [0xA1, 0xB0, 0xD0, 0xEF, 0xF0, 0xF1, 0xFD, 0xFF];
        assert_eq!(
            cyrillic.map(|octet| read(Alphabet::Cyrillic, octet)),
            ['Ё', 'А', 'а', 'я', '№', 'ё', '§', 'џ']
        );
        let hebrew = [0xA2, 0xAA, 0xBA, 0xE0, 0xFA, 0xA1, 0xFB];
        assert_eq!(
            hebrew.map(|octet| read(Alphabet::Hebrew, octet)),
            ['¢', '×', '÷', 'א', 'ת', '\u{FFFD}', '\u{FFFD}']
        );
        assert_eq!(write(Alphabet::Cp1252, '\u{85}'), None);
        assert_eq!(write(Alphabet::Hebrew, 'é'), None);
    }
}
