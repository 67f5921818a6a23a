//! Numbers to call back, subaddresses, and what a handset shows of them (SMPP 5.0 §4.8.4.15-17, §4.8.4.57, §4.8.4.40).

use crate::codec::shown::{Hex, Shown, write_code};
use std::fmt;

/// callback_num: whom to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackNum<'a> {
    /// 0 DTMF, 1 ASCII.
    pub digit_mode: u8,
    pub ton: u8,
    pub npi: u8,
    /// At least one, in the digit mode.
    pub digits: &'a [u8],
}

impl<'a> CallbackNum<'a> {
    /// Reads four octets or more.
    pub fn read(value: &'a [u8]) -> Option<Self> {
        match value {
            [digit_mode, ton, npi, digits @ ..] if !digits.is_empty() => {
                Some(Self { digit_mode: *digit_mode, ton: *ton, npi: *npi, digits })
            }
            _ => None, // Without digits there is no number.
        }
    }
}

impl fmt::Display for CallbackNum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TON {}, NPI {}, ", self.ton, self.npi)?;
        match self.digit_mode {
            1 => Shown(self.digits).fmt(f),
            _ => write!(f, "DTMF {}", Hex(self.digits)), // Reserved modes are shown as octets too.
        }
    }
}

/// callback_num_atag: what to show in place of the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackTag<'a> {
    pub data_coding: u8,
    pub text: &'a [u8],
}

impl<'a> CallbackTag<'a> {
    /// Reads one octet or more.
    pub fn read(value: &'a [u8]) -> Option<Self> {
        let (data_coding, text) = value.split_first()?;
        Some(Self { data_coding: *data_coding, text })
    }
}

impl fmt::Display for CallbackTag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data_coding {:#04x}, {}", self.data_coding, Shown(self.text))
    }
}

/// callback_num_pres_ind: whether the number may be shown, and who checked it. Both are 0 to 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Presentation {
    /// 0 allowed, 1 restricted, 2 there is no number.
    pub presentation: u8,
    /// 0 not screened, 1 verified and passed, 2 verified and failed, 3 provided by the network.
    pub screening: u8,
}

impl Presentation {
    /// Reads one octet, of which four bits count.
    pub fn read(value: &[u8]) -> Option<Self> {
        let [bits] = value.try_into().ok()?;
        Some(Self { presentation: bits >> 2 & 3, screening: bits & 3 })
    }
}

impl fmt::Display for Presentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_code(f, self.presentation, PRESENTATIONS.get(usize::from(self.presentation)).copied())?;
        f.write_str(", ")?;
        write_code(f, self.screening, SCREENINGS.get(usize::from(self.screening)).copied())
    }
}

/// ms_msg_wait_facilities: the lamp on the handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageWaiting {
    pub is_on: bool,
    /// 0 voice, 1 fax, 2 electronic mail, 3 other.
    pub kind: u8,
}

impl MessageWaiting {
    /// Reads one octet, of which three bits count.
    pub fn read(value: &[u8]) -> Option<Self> {
        let [bits] = value.try_into().ok()?;
        Some(Self { is_on: bits & 0x80 != 0, kind: bits & 3 })
    }
}

impl fmt::Display for MessageWaiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_code(f, self.kind, WAITING.get(usize::from(self.kind)).copied())?;
        f.write_str(if self.is_on { ", on" } else { ", off" })
    }
}

/// source_subaddress and dest_subaddress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subaddress<'a> {
    /// With an even number of digits.
    NsapEven(&'a [u8]),
    /// With an odd number of digits.
    NsapOdd(&'a [u8]),
    User(&'a [u8]),
    /// A reserved kind.
    Other(u8, &'a [u8]),
}

impl<'a> Subaddress<'a> {
    /// Reads two octets or more.
    pub fn read(value: &'a [u8]) -> Option<Self> {
        let (kind, octets) = value.split_first()?;
        if octets.is_empty() {
            return None;
        }
        Some(match kind {
            0x80 => Self::NsapEven(octets),
            0x88 => Self::NsapOdd(octets),
            0xA0 => Self::User(octets),
            kind => Self::Other(*kind, octets),
        })
    }
}

impl fmt::Display for Subaddress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NsapEven(octets) => write!(f, "NSAP even, {}", Hex(octets)),
            Self::NsapOdd(octets) => write!(f, "NSAP odd, {}", Hex(octets)),
            Self::User(octets) => write!(f, "user specified, {}", Shown(octets)),
            Self::Other(kind, octets) => write!(f, "{kind:#04x} (reserved), {}", Hex(octets)),
        }
    }
}

const PRESENTATIONS: [&str; 3] = ["presentation allowed", "presentation restricted", "not available"];
const SCREENINGS: [&str; 4] = ["not screened", "verified, passed", "verified, failed", "network provided"];
const WAITING: [&str; 4] = ["voice mail", "fax", "electronic mail", "other"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callback_number_needs_a_digit() {
        let ascii = CallbackNum::read(b"\x01\x01\x014477").expect("legal");
        assert_eq!((ascii.ton, ascii.npi, ascii.digits), (1, 1, &b"4477"[..]));
        assert_eq!(ascii.to_string(), "TON 1, NPI 1, \"4477\"");
        let dtmf = CallbackNum::read(&[0, 1, 1, 0x44, 0x77]).expect("legal");
        assert_eq!(dtmf.to_string(), "TON 1, NPI 1, DTMF 4477");
        assert_eq!(CallbackNum::read(&[1, 1, 1]), None);
    }

    #[test]
    fn callback_tag_may_have_no_text() {
        let tag = CallbackTag::read(b"\0Home").expect("legal");
        assert_eq!(tag.to_string(), "data_coding 0x00, \"Home\"");
        assert_eq!(CallbackTag::read(&[3]), Some(CallbackTag { data_coding: 3, text: b"" }));
        assert_eq!(CallbackTag::read(b""), None);
    }

    #[test]
    fn bits_are_read_one_by_one() {
        let presentation = Presentation::read(&[0b0000_0111]).expect("one octet");
        assert_eq!(presentation.to_string(), "1 presentation restricted, 3 network provided");
        assert_eq!(Presentation::read(&[0x0C]).map(|bits| bits.presentation), Some(3));
        let waiting = MessageWaiting::read(&[0x82]).expect("one octet");
        assert_eq!(waiting, MessageWaiting { is_on: true, kind: 2 });
        assert_eq!(waiting.to_string(), "2 electronic mail, on");
        assert_eq!(MessageWaiting::read(&[0x01]).map(|bits| bits.is_on), Some(false));
        assert_eq!((MessageWaiting::read(b""), Presentation::read(b"12")), (None, None));
    }

    #[test]
    fn subaddress_is_told_by_its_first_octet() {
        assert_eq!(Subaddress::read(&[0x80, 1]), Some(Subaddress::NsapEven(&[1])));
        assert_eq!(Subaddress::read(&[0x88, 1]), Some(Subaddress::NsapOdd(&[1])));
        let user = Subaddress::read(b"\xA0desk").expect("legal");
        assert_eq!(user.to_string(), "user specified, \"desk\"");
        assert_eq!(Subaddress::read(&[1, 2]), Some(Subaddress::Other(1, &[2])));
        assert_eq!(Subaddress::read(&[0x80]), None);
    }
}
