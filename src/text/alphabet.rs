//! The alphabets, and what a data_coding octet says about them (SMPP 5.0 §4.7.7, 3GPP TS 23.038 §4).

/// How the octets of a text are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// 3GPP TS 23.038 with its escapes and national tables, one septet per octet.
    #[default]
    Gsm,
    /// The same, eight septets in seven octets.
    GsmPacked,
    Ascii,
    /// ISO-8859-1.
    Latin1,
    /// Windows' Latin-1 with printable characters at 0x80-0x9F.
    Cp1252,
    Utf8,
    /// ISO-8859-5.
    Cyrillic,
    /// ISO-8859-8.
    Hebrew,
    /// UTF-16, high octet first.
    Ucs2,
    /// UTF-16, low octet first; nobody may send it, some do.
    Ucs2Little,
    /// Octets that are no text.
    Octets,
    /// Something that we don't read: passed on as it is.
    Unknown,
}

impl Alphabet {
    /// How many there are.
    pub const COUNT: usize = 12;

    /// All of them, each at the place of its [`Alphabet::index`].
    pub const ALL: [Self; Self::COUNT] = [
        Self::Gsm,
        Self::GsmPacked,
        Self::Ascii,
        Self::Latin1,
        Self::Cp1252,
        Self::Utf8,
        Self::Cyrillic,
        Self::Hebrew,
        Self::Ucs2,
        Self::Ucs2Little,
        Self::Octets,
        Self::Unknown,
    ];

    /// A dense number, below [`Alphabet::COUNT`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What a `data_coding` octet means, where 0 and its relatives with a message class mean `default`: the table of
    /// SMPP up to 0x0F, the groups of TS 23.038 above (fact sheet 5.3).
    pub const fn of(data_coding: u8, default: Self) -> Self {
        if says_default(data_coding) {
            return default;
        }
        match data_coding {
            0x01 => Self::Ascii,
            0x02 | 0x04 => Self::Octets,
            0x03 => Self::Latin1,
            0x06 => Self::Cyrillic,
            0x07 => Self::Hebrew,
            0x08 | 0xE0..=0xEF => Self::Ucs2,
            0x10..=0x1F | 0x40..=0x5F => match data_coding & GROUP_ALPHABET {
                0x04 => Self::Octets,
                0x08 => Self::Ucs2,
                // 0x0C is reserved, and 0x00 was the default.
                _ => Self::Unknown,
            },
            0xF4..=0xF7 | 0xFC..=0xFF => Self::Octets,
            // Japanese and Korean sets, compressed text, reserved values.
            _ => Self::Unknown,
        }
    }

    /// The octet that says this alphabet to everybody (SMPP 5.0 §4.7.7); `None` where it takes an agreement.
    pub const fn data_coding(self) -> Option<u8> {
        match self {
            Self::Ascii => Some(0x01),
            Self::Latin1 => Some(0x03),
            Self::Cyrillic => Some(0x06),
            Self::Hebrew => Some(0x07),
            Self::Ucs2 => Some(0x08),
            Self::Octets => Some(0x04),
            Self::Gsm | Self::GsmPacked | Self::Cp1252 | Self::Utf8 | Self::Ucs2Little | Self::Unknown => {
                None
            }
        }
    }

    /// Whether it is text that we can read and write.
    pub const fn is_text(self) -> bool {
        !matches!(self, Self::Octets | Self::Unknown)
    }

    /// Its name, as shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gsm => "GSM 7-bit",
            Self::GsmPacked => "GSM 7-bit, packed",
            Self::Ascii => "ASCII",
            Self::Latin1 => "Latin-1",
            Self::Cp1252 => "CP1252",
            Self::Utf8 => "UTF-8",
            Self::Cyrillic => "ISO-8859-5",
            Self::Hebrew => "ISO-8859-8",
            Self::Ucs2 => "UCS-2",
            Self::Ucs2Little => "UCS-2, little-endian",
            Self::Octets => "binary",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether `data_coding` names the default alphabet: 0, and what TS 23.038 adds a class or an indication to.
pub const fn says_default(data_coding: u8) -> bool {
    match data_coding {
        0x00 | 0xC0..=0xDF | 0xF0..=0xF3 | 0xF8..=0xFB => true,
        0x10..=0x1F | 0x40..=0x5F => data_coding & GROUP_ALPHABET == 0,
        // Another alphabet, no alphabet, or nobody's.
        _ => false,
    }
}

/// `data_coding` with another alphabet: its message class or waiting indication stays where TS 23.038 can say both.
/// `None` if it has neither, or they can't be said with `alphabet`.
pub const fn with_alphabet(data_coding: u8, alphabet: Alphabet) -> Option<u8> {
    let bits = match alphabet {
        Alphabet::Gsm | Alphabet::GsmPacked => 0x00,
        Alphabet::Ucs2 => 0x08,
        Alphabet::Ascii
        | Alphabet::Latin1
        | Alphabet::Cp1252
        | Alphabet::Utf8
        | Alphabet::Cyrillic
        | Alphabet::Hebrew
        | Alphabet::Ucs2Little
        | Alphabet::Octets
        | Alphabet::Unknown => return None,
    };
    match data_coding {
        0x10..=0x1F | 0x40..=0x5F => Some(data_coding & !GROUP_ALPHABET | bits),
        0xF0..=0xFF => Some(0x10 | data_coding & CLASS | bits),
        0xD0..=0xEF if bits == 0 => Some(0xD0 | data_coding & INDICATION),
        0xD0..=0xEF => Some(0xE0 | data_coding & INDICATION),
        // No class, or an indication whose text is discarded.
        _ => None,
    }
}

/// Bits 3-2 of the general groups: the alphabet.
const GROUP_ALPHABET: u8 = 0x0C;
/// Bits 1-0: the message class.
const CLASS: u8 = 0x03;
/// Bits 3-0 of the message-waiting groups.
const INDICATION: u8 = 0x0F;

#[cfg(test)]
mod tests {
    use super::*;

    /// T8: the SMPP table and the groups of TS 23.038.
    #[test]
    fn each_octet_means_what_smpp_and_ts_23_038_say() {
        let of = |octet| Alphabet::of(octet, Alphabet::Cp1252);

        for octet in [0x00, 0x10, 0x13, 0x40, 0x50, 0xC0, 0xC9, 0xD2, 0xF0, 0xF3] {
            assert_eq!(of(octet), Alphabet::Cp1252, "{octet:#04x}");
        }
        assert_eq!(of(0x01), Alphabet::Ascii);
        assert_eq!(of(0x03), Alphabet::Latin1);
        assert_eq!([of(0x06), of(0x07)], [Alphabet::Cyrillic, Alphabet::Hebrew]);
        for octet in [0x08, 0x18, 0x1B, 0x48, 0x58, 0xE0, 0xE8] {
            assert_eq!(of(octet), Alphabet::Ucs2, "{octet:#04x}");
        }
        for octet in [0x02, 0x04, 0x14, 0x15, 0x54, 0xF4, 0xF5, 0xF6] {
            assert_eq!(of(octet), Alphabet::Octets, "{octet:#04x}");
        }
        for octet in [0x05, 0x09, 0x0A, 0x0D, 0x0E, 0x0F, 0x1C, 0x20, 0x3F, 0x60, 0x80, 0xBF] {
            assert_eq!(of(octet), Alphabet::Unknown, "{octet:#04x}");
        }
    }

    #[test]
    fn an_octet_that_says_an_alphabet_is_read_as_it() {
        for (index, alphabet) in Alphabet::ALL.into_iter().enumerate() {
            assert_eq!(alphabet.index(), index);
            if let Some(octet) = alphabet.data_coding() {
                assert_eq!(Alphabet::of(octet, Alphabet::Gsm), alphabet);
            }
        }
    }

    #[test]
    fn class_and_indication_outlive_a_change_of_alphabet() {
        assert_eq!(with_alphabet(0x10, Alphabet::Ucs2), Some(0x18));
        assert_eq!(with_alphabet(0xF1, Alphabet::Ucs2), Some(0x19));
        assert_eq!(with_alphabet(0x18, Alphabet::Gsm), Some(0x10));
        assert_eq!(with_alphabet(0xD9, Alphabet::Ucs2), Some(0xE9));
        assert_eq!(with_alphabet(0xE9, Alphabet::Gsm), Some(0xD9));
        assert_eq!(with_alphabet(0x00, Alphabet::Ucs2), None);
        assert_eq!(with_alphabet(0xC0, Alphabet::Ucs2), None);
        assert_eq!(with_alphabet(0x10, Alphabet::Latin1), None);
        for octet in 0..=u8::MAX {
            for alphabet in [Alphabet::Gsm, Alphabet::Ucs2] {
                if let Some(changed) = with_alphabet(octet, alphabet) {
                    assert_eq!(Alphabet::of(changed, Alphabet::Gsm), alphabet, "{octet:#04x}");
                }
            }
        }
    }
}
