//! Where, what and how often a cell broadcast is (SMPP 5.0 §4.8.4.4, §4.8.4.7, §4.8.4.9).

use crate::codec::shown::{Hex, Shown, write_code};
use std::fmt;

/// broadcast_area_identifier, and failed_broadcast_area_identifier, which has the same tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BroadcastArea<'a> {
    /// A name that the peers have agreed on.
    Alias(&'a [u8]),
    EllipsoidArc(&'a [u8]),
    Polygon(&'a [u8]),
    /// A reserved format.
    Other(u8, &'a [u8]),
}

impl<'a> BroadcastArea<'a> {
    /// Reads one octet or more.
    pub fn read(value: &'a [u8]) -> Option<Self> {
        let (format, details) = value.split_first()?;
        Some(match format {
            0 => Self::Alias(details),
            1 => Self::EllipsoidArc(details),
            2 => Self::Polygon(details),
            format => Self::Other(*format, details),
        })
    }
}

impl fmt::Display for BroadcastArea<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(name) => write!(f, "alias {}", Shown(name)),
            Self::EllipsoidArc(details) => write!(f, "ellipsoid arc {}", Hex(details)),
            Self::Polygon(details) => write!(f, "polygon {}", Hex(details)),
            Self::Other(format, details) => write!(f, "{format} (reserved) {}", Hex(details)),
        }
    }
}

/// broadcast_content_type: what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BroadcastContentType {
    /// 0 generic, 1 GSM, 2 TDMA, 3 CDMA.
    pub network: u8,
    /// In the list of that network; see [`BroadcastContentType::word`] for the generic one.
    pub content: u16,
}

impl BroadcastContentType {
    /// Reads exactly three octets.
    pub fn read(value: &[u8]) -> Option<Self> {
        let [network, high, low] = value.try_into().ok()?;
        Some(Self { network, content: u16::from_be_bytes([high, low]) })
    }

    /// The three octets.
    pub const fn write(self) -> [u8; 3] {
        let [high, low] = self.content.to_be_bytes();
        [self.network, high, low]
    }

    /// What the content is, by the list that all networks share; `None` if it is reserved.
    pub fn word(self) -> Option<&'static str> {
        CONTENTS.iter().find(|(content, _)| *content == self.content).map(|(_, word)| *word)
    }
}

impl fmt::Display for BroadcastContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_code(f, self.network, NETWORKS.get(usize::from(self.network)).copied())?;
        write!(f, ", {:#06x} {}", self.content, self.word().unwrap_or("(reserved)"))
    }
}

/// broadcast_frequency_interval: how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BroadcastFrequencyInterval {
    /// 0 as often as possible, 8 seconds, 9 minutes, 10 hours, 11 days, 12 weeks, 13 months, 14 years.
    pub unit: u8,
    /// How many of them lie between two broadcasts.
    pub number: u16,
}

impl BroadcastFrequencyInterval {
    /// Reads exactly three octets.
    pub fn read(value: &[u8]) -> Option<Self> {
        let [unit, high, low] = value.try_into().ok()?;
        Some(Self { unit, number: u16::from_be_bytes([high, low]) })
    }

    /// The three octets.
    pub const fn write(self) -> [u8; 3] {
        let [high, low] = self.number.to_be_bytes();
        [self.unit, high, low]
    }
}

impl fmt::Display for BroadcastFrequencyInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            0 => f.write_str("0 as often as possible"),
            unit => {
                write!(f, "every {} x ", self.number)?;
                let word = unit.checked_sub(SECONDS).and_then(|index| UNITS.get(usize::from(index)));
                write_code(f, unit, word.copied())
            }
        }
    }
}

/// The unit that the list of units starts with.
const SECONDS: u8 = 8;
const UNITS: [&str; 7] = ["seconds", "minutes", "hours", "days", "weeks", "months", "years"];
const NETWORKS: [&str; 4] = ["generic", "GSM", "TDMA", "CDMA"];

/// Fact sheet 14.
const CONTENTS: [(u16, &str); 44] = [
    (0x0000, "index"),
    (0x0001, "emergency broadcasts"),
    (0x0002, "IRDB download"),
    (0x0010, "news flashes"),
    (0x0011, "general news, local"),
    (0x0012, "general news, regional"),
    (0x0013, "general news, national"),
    (0x0014, "general news, international"),
    (0x0015, "business news, local"),
    (0x0016, "business news, regional"),
    (0x0017, "business news, national"),
    (0x0018, "business news, international"),
    (0x0019, "sports, local"),
    (0x001A, "sports, regional"),
    (0x001B, "sports, national"),
    (0x001C, "sports, international"),
    (0x001D, "entertainment, local"),
    (0x001E, "entertainment, regional"),
    (0x001F, "entertainment, national"),
    (0x0020, "entertainment, international"),
    (0x0021, "medical, hospitals"),
    (0x0022, "doctors"),
    (0x0023, "pharmacy"),
    (0x0030, "local traffic"),
    (0x0031, "long-distance traffic"),
    (0x0032, "taxis"),
    (0x0033, "weather"),
    (0x0034, "local flight schedules"),
    (0x0035, "restaurants"),
    (0x0036, "lodgings"),
    (0x0037, "retail directory"),
    (0x0038, "advertisements"),
    (0x0039, "stock quotes"),
    (0x0040, "employment"),
    (0x0041, "technology news"),
    (0x0070, "district (base station)"),
    (0x0071, "network information"),
    (0x0080, "operator services"),
    (0x0081, "directory enquiries, national"),
    (0x0082, "directory enquiries, international"),
    (0x0083, "customer care, national"),
    (0x0084, "customer care, international"),
    (0x0085, "local date, time and zone"),
    (0x0100, "multi-category"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_is_told_by_its_format() {
        let shown = |value: &[u8]| BroadcastArea::read(value).map(|area| area.to_string());

        assert_eq!(shown(b"\0Dublin").as_deref(), Some("alias \"Dublin\""));
        assert_eq!(shown(&[1, 0xAB]).as_deref(), Some("ellipsoid arc ab"));
        assert_eq!(shown(&[2, 0xAB]).as_deref(), Some("polygon ab"));
        assert_eq!(shown(&[3, 0xAB]).as_deref(), Some("3 (reserved) ab"));
        assert_eq!(shown(b""), None);
    }

    #[test]
    fn content_and_frequency_are_three_octets_there_and_back() {
        let content = BroadcastContentType::read(&[1, 0, 0x30]).expect("three octets");
        assert_eq!(content.to_string(), "1 GSM, 0x0030 local traffic");
        assert_eq!(content.write(), [1, 0, 0x30]);
        assert_eq!(
            BroadcastContentType { network: 4, content: 3 }.to_string(),
            "4 (reserved), 0x0003 (reserved)"
        );
        assert_eq!(BroadcastContentType::read(&[1, 0]), None);

        let frequency = BroadcastFrequencyInterval::read(&[9, 0, 31]).expect("three octets");
        assert_eq!(frequency.to_string(), "every 31 x 9 minutes");
        assert_eq!(frequency.write(), [9, 0, 31]);
        let shown = |unit| BroadcastFrequencyInterval { unit, number: 2 }.to_string();
        assert_eq!(shown(0), "0 as often as possible");
        assert_eq!(shown(14), "every 2 x 14 years");
        assert_eq!(
            (shown(7), shown(15)),
            ("every 2 x 7 (reserved)".into(), "every 2 x 15 (reserved)".into())
        );
    }
}
