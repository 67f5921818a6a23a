//! Networks: their errors and their names (SMPP 5.0 §4.8.4.42, §4.8.4.26).

use crate::codec::field::until_nul;
use crate::codec::shown::{Shown, write_code};
use std::fmt;

/// network_error_code: why a network didn't deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkErrorCode {
    /// 1 to 8: whose codes these are; see its [`fmt::Display`].
    pub network: u8,
    pub code: u16,
}

impl NetworkErrorCode {
    /// Reads exactly three octets.
    pub fn read(value: &[u8]) -> Option<Self> {
        let [network, high, low] = value.try_into().ok()?;
        Some(Self { network, code: u16::from_be_bytes([high, low]) })
    }

    /// The three octets.
    pub const fn write(self) -> [u8; 3] {
        let [high, low] = self.code.to_be_bytes();
        [self.network, high, low]
    }
}

impl fmt::Display for NetworkErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_code(f, self.network, NETWORKS.get(usize::from(self.network)).copied().flatten())?;
        write!(f, ", code {}", self.code)
    }
}

/// source_network_id and dest_network_id; all parts are digits, but for a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetworkId<'a> {
    Gsm {
        country: &'a [u8],
        network: &'a [u8],
    },
    /// ANSI-136 and IS-95; `system` is the SID.
    Cellular {
        country: &'a [u8],
        system: &'a [u8],
    },
    /// `kind`: 1 an IP address of 12 digits, 2 a domain name, 3 E.164, 4 X.121.
    Esme {
        country: &'a [u8],
        kind: u8,
        address: &'a [u8],
    },
}

impl<'a> NetworkId<'a> {
    /// Reads a C-octet string, with or without its NUL; `None` if its first digit isn't 1, 2 or 3 or it is too short.
    pub fn read(value: &'a [u8]) -> Option<Self> {
        let (kind, rest) = until_nul(value).split_first()?;
        let (country, rest) = rest.split_at_checked(COUNTRY_LEN)?;
        Some(match kind {
            b'1' => Self::Gsm { country, network: rest },
            b'2' => Self::Cellular { country, system: rest },
            b'3' => {
                let (kind, address) = rest.split_first()?;
                Self::Esme { country, kind: kind.wrapping_sub(b'0'), address }
            }
            _ => return None, // Reserved.
        })
    }
}

impl fmt::Display for NetworkId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gsm { country, network } => {
                write!(f, "GSM, MCC {}, MNC {}", Shown(country), Shown(network))
            }
            Self::Cellular { country, system } => {
                write!(f, "ANSI-136/IS-95, MCC {}, SID {}", Shown(country), Shown(system))
            }
            Self::Esme { country, kind, address } => {
                write!(f, "ESME, MCC {}, ", Shown(country))?;
                write_code(f, *kind, ESME_ADDRESSES.get(usize::from(*kind)).copied().flatten())?;
                write!(f, ", {}", Shown(address))
            }
        }
    }
}

/// Digits of a mobile country code.
const COUNTRY_LEN: usize = 3;
const NETWORKS: [Option<&str>; 9] = [
    None,
    Some("ANSI-136 access denied"),
    Some("IS-95 access denied"),
    Some("GSM"),
    Some("ANSI-136 cause"),
    Some("IS-95 cause"),
    Some("ANSI-41 error"),
    Some("SMPP error"),
    Some("message centre's own"),
];
const ESME_ADDRESSES: [Option<&str>; 5] =
    [None, Some("IP address"), Some("domain name"), Some("E.164"), Some("X.121")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_error_is_three_octets_there_and_back() {
        let error = NetworkErrorCode::read(&[3, 0, 1]).expect("three octets");

        assert_eq!(error, NetworkErrorCode { network: 3, code: 1 });
        assert_eq!(error.write(), [3, 0, 1]);
        assert_eq!(error.to_string(), "3 GSM, code 1");
        assert_eq!(NetworkErrorCode { network: 9, code: 256 }.to_string(), "9 (reserved), code 256");
        assert_eq!(NetworkErrorCode { network: 0, code: 0 }.to_string(), "0 (reserved), code 0");
        assert_eq!(NetworkErrorCode::read(&[3, 0]), None);
    }

    #[test]
    fn network_id_is_taken_apart_by_its_first_digit() {
        let shown = |value: &[u8]| NetworkId::read(value).map(|id| id.to_string());

        assert_eq!(shown(b"123415\0").as_deref(), Some("GSM, MCC \"234\", MNC \"15\""));
        assert_eq!(shown(b"23104151\0").as_deref(), Some("ANSI-136/IS-95, MCC \"310\", SID \"4151\""));
        let domain = shown(b"32342example.org");
        assert_eq!(domain.as_deref(), Some("ESME, MCC \"234\", 2 domain name, \"example.org\""));
        assert_eq!(shown(b"4234150\0"), None);
        assert_eq!(shown(b"3234\0"), None);
        assert_eq!(shown(b"12\0"), None);
        assert_eq!(shown(b""), None);
    }
}
