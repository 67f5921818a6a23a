//! How long a handset keeps a message, and which conversation it belongs to (SMPP 5.0 §4.8.4.41, §4.8.4.34).

use crate::codec::Version;
use crate::codec::shown::write_code;
use std::fmt;

/// ms_validity: how long the handset keeps the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MsValidity {
    Indefinitely,
    UntilPowerDown,
    /// Until another system's identity (SID) is heard; 3.4's meaning of 2.
    UntilSystemChanges,
    /// Until the registration area changes; 5.0's meaning of 2.
    UntilAreaChanges,
    DisplayOnly,
    /// 5.0 only. `unit`: 0 seconds, 1 minutes, 2 hours, 3 days, 4 weeks, 5 months, 6 years.
    Relative {
        unit: u8,
        number: u16,
    },
}

impl MsValidity {
    /// Reads one octet, or four from a peer that speaks 5.0; `None` for what is reserved.
    pub fn read(value: &[u8], version: Version) -> Option<Self> {
        Some(match (value, version) {
            ([0], _) => Self::Indefinitely,
            ([1], _) => Self::UntilPowerDown,
            ([2], Version::V33 | Version::V34) => Self::UntilSystemChanges,
            ([2], Version::V50) => Self::UntilAreaChanges,
            ([3], _) => Self::DisplayOnly,
            ([4, unit, high, low], Version::V50) => {
                Self::Relative { unit: *unit, number: u16::from_be_bytes([*high, *low]) }
            }
            (_, _) => return None, // Reserved.
        })
    }
}

impl fmt::Display for MsValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Indefinitely => "0 store indefinitely",
            Self::UntilPowerDown => "1 until power down",
            Self::UntilSystemChanges => "2 SID based",
            Self::UntilAreaChanges => "2 until the registration area changes",
            Self::DisplayOnly => "3 display only",
            Self::Relative { unit, number } => {
                write!(f, "4 for {number} x ")?;
                return write_code(f, *unit, UNITS.get(usize::from(*unit)).copied());
            }
        })
    }
}

/// its_session_info: a message's place in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ItsSessionInfo {
    pub session: u8,
    /// 0 to 127.
    pub sequence: u8,
    pub is_last: bool,
}

impl ItsSessionInfo {
    /// Reads exactly two octets.
    pub fn read(value: &[u8]) -> Option<Self> {
        let [session, bits] = value.try_into().ok()?;
        Some(Self { session, sequence: bits >> 1, is_last: bits & 1 != 0 })
    }

    /// The two octets.
    pub const fn write(self) -> [u8; 2] {
        [self.session, self.sequence << 1 | self.is_last as u8]
    }
}

impl fmt::Display for ItsSessionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}, message {}", self.session, self.sequence)?;
        if self.is_last { f.write_str(", the last one") } else { Ok(()) }
    }
}

const UNITS: [&str; 7] = ["seconds", "minutes", "hours", "days", "weeks", "months", "years"];

#[cfg(test)]
mod tests {
    use super::*;

    /// Fact sheet 17: 2 means different things, and four octets are 5.0's.
    #[test]
    fn validity_is_read_by_version() {
        let shown = |value: &[u8], version| MsValidity::read(value, version).map(|value| value.to_string());

        assert_eq!(shown(&[2], Version::V34).as_deref(), Some("2 SID based"));
        assert_eq!(shown(&[2], Version::V50).as_deref(), Some("2 until the registration area changes"));
        let hours = [4, 2, 0, 36];
        assert_eq!(shown(&hours, Version::V50).as_deref(), Some("4 for 36 x 2 hours"));
        assert_eq!(shown(&hours, Version::V34), None);
        assert_eq!(shown(&[4], Version::V50), None);
        assert_eq!(shown(&[3], Version::V33).as_deref(), Some("3 display only"));
        assert_eq!(MsValidity::read(&[0], Version::V34), Some(MsValidity::Indefinitely));
        assert_eq!(MsValidity::read(&[1], Version::V34), Some(MsValidity::UntilPowerDown));
    }

    #[test]
    fn session_info_is_two_octets_there_and_back() {
        let info = ItsSessionInfo::read(&[7, 0b0000_0101]).expect("two octets");

        assert_eq!(info, ItsSessionInfo { session: 7, sequence: 2, is_last: true });
        assert_eq!(info.write(), [7, 5]);
        assert_eq!(info.to_string(), "session 7, message 2, the last one");
        assert_eq!(ItsSessionInfo::read(&[7]), None);
    }
}
