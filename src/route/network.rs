//! Mobile networks: mobile country codes and network codes (E.212).

use std::fmt;

/// A network: a mobile country code and a mobile network code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    mcc: u16,
    /// Codes of three digits from [`THREE_DIGITS`] on: 01 and 001 are two networks.
    mnc: u16,
}

/// Which networks something is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Networks {
    /// All of a mobile country code.
    Country(u16),
    One(Network),
}

impl Network {
    /// Reads three digits, and two or three.
    pub fn read(mcc: &str, mnc: &str) -> Option<Self> {
        let mnc = match mnc.len() {
            2 => digits(mnc)?,
            3 => THREE_DIGITS + digits(mnc)?,
            _ => return None,
        };
        Some(Self { mcc: country(mcc)?, mnc })
    }

    /// Its mobile country code.
    pub const fn mcc(self) -> u16 {
        self.mcc
    }
}

impl Networks {
    /// Reads a mobile country code ("262"), or that, a hyphen and a mobile network code ("262-01").
    pub fn read(text: &str) -> Option<Self> {
        match text.split_once('-') {
            None => country(text).map(Self::Country),
            Some((mcc, mnc)) => Network::read(mcc, mnc).map(Self::One),
        }
    }

    /// Whether `network` is one of them.
    pub fn have(self, network: Network) -> bool {
        match self {
            Self::Country(mcc) => mcc == network.mcc,
            Self::One(one) => one == network,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnc.checked_sub(THREE_DIGITS) {
            None => write!(out, "{:03}-{:02}", self.mcc, self.mnc),
            Some(mnc) => write!(out, "{:03}-{mnc:03}", self.mcc),
        }
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(mcc) => write!(out, "{mcc:03}"),
            Self::One(network) => network.fmt(out),
        }
    }
}

fn country(mcc: &str) -> Option<u16> {
    if mcc.len() == 3 { digits(mcc) } else { None }
}

fn digits(text: &str) -> Option<u16> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

const THREE_DIGITS: u16 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_two_and_of_three_digits_are_different_networks() {
        let read = |mnc| Network::read("310", mnc).expect("digits");

        assert_ne!(read("01"), read("001"));
        assert_eq!((read("01").to_string(), read("004").to_string()), ("310-01".into(), "310-004".into()));
        for (mcc, mnc) in [("31", "01"), ("3100", "01"), ("310", "1"), ("310", "+1"), ("31x", "01")] {
            assert_eq!(Network::read(mcc, mnc), None, "{mcc} {mnc}");
        }
    }

    #[test]
    fn country_has_all_its_networks() {
        let one = Network::read("262", "01").expect("digits");

        assert!(Networks::read("262").expect("a country").have(one));
        assert!(Networks::read("262-01").expect("a network").have(one));
        assert!(!Networks::read("262-001").expect("a network").have(one));
        assert_eq!(Networks::read("26"), None);
    }
}
