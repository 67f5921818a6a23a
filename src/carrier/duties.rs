//! What one carrier wants said otherwise than it came: kinds of numbers, receipts, validity.

use crate::codec::Address;
use std::time::Duration;

/// What a carrier wants said otherwise than it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duties {
    pub source: Numbering,
    pub destination: Numbering,
    pub receipts: Receipts,
    pub validity: Validity,
    /// It is told no longer validity than this.
    pub validity_max: Option<Duration>,
}

/// Which TON and NPI numbers of one side go out with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbering {
    /// Those of the kind that the number is of, where it tells that.
    pub by_kind: bool,
    /// In place of what came.
    pub ton: Option<u8>,
    pub npi: Option<u8>,
}

/// Which receipts a carrier is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Receipts {
    /// One for every message: the hub wants to know how each ends.
    #[default]
    Always,
    /// One where the customer asked for one; any other message ends ACCEPTED when the carrier takes it.
    AsAsked,
    /// None: each message ends ACCEPTED when the carrier takes it.
    Never,
}

/// How long a carrier is told that a message is worth sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validity {
    /// What is left of the validity that the customer gave, as the carrier's version writes it; nothing if he gave none.
    #[default]
    Remaining,
    /// Nothing.
    None,
    /// What is left, given or not, as a time from now; to a carrier of 3.3, which knows none, as a date.
    Relative,
    /// The end, given or not, as a date.
    Absolute,
}

impl Numbering {
    /// Whether numbers go out as they came.
    pub const fn is_plain(&self) -> bool {
        !self.by_kind && self.ton.is_none() && self.npi.is_none()
    }

    /// TON and NPI that `address` goes out with.
    pub fn of(&self, address: &Address<'_>) -> (u8, u8) {
        let of_kind = if self.by_kind { kind(address) } else { None };
        of_kind.unwrap_or((self.ton.unwrap_or(address.ton), self.npi.unwrap_or(address.npi)))
    }
}

impl Receipts {
    /// Whether the carrier is asked for a receipt of a message with this [`crate::message::receipt_wish`].
    pub const fn asks(self, wish: u8) -> bool {
        match self {
            Self::Always => true,
            Self::AsAsked => wish & OUTCOME_MASK != 0,
            Self::Never => false,
        }
    }
}

/// TON and NPI of the kind that a number shows (fact sheet 5.4); `None` if it may be of several.
fn kind(address: &Address<'_>) -> Option<(u8, u8)> {
    let (digits, has_plus) = match address.addr.strip_prefix(b"+") {
        Some(digits) => (digits, true),
        None => (address.addr, false),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Some(ALPHANUMERIC);
    }
    match (digits.len(), address.ton) {
        (0, _) => None,
        (_, INTERNATIONAL_TON) => Some(INTERNATIONAL),
        _ if has_plus => Some(INTERNATIONAL),
        (1..=SHORT_CODE_MAX, _) => Some(SHORT_CODE),
        _ => None, // national or international: its digits don't say
    }
}

/// registered_delivery bits 1-0: which outcomes are reported (SMPP 5.0 §4.7.21).
const OUTCOME_MASK: u8 = 0b11;
const INTERNATIONAL_TON: u8 = 1;
/// TON and NPI of each kind.
const INTERNATIONAL: (u8, u8) = (1, 1);
const ALPHANUMERIC: (u8, u8) = (5, 0);
const SHORT_CODE: (u8, u8) = (3, 0);
/// Digits of the longest short code.
const SHORT_CODE_MAX: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(ton: u8, addr: &str) -> Address<'_> {
        Address { ton, npi: 9, addr: addr.as_bytes() }
    }

    #[test]
    fn kind_that_a_number_shows_counts_most_then_what_is_fixed_then_what_came() {
        let by_kind = Numbering { by_kind: true, ton: Some(2), npi: None };

        for (ton, addr, expected) in [
            (0, "ACME", (5, 0)),
            (0, "+447700900123", (1, 1)),
            (1, "447700900123", (1, 1)),
            (0, "12345", (3, 0)),
            (2, "07700900123", (2, 9)),
            (0, "447700900123", (2, 9)),
            (0, "", (2, 9)),
        ] {
            assert_eq!(by_kind.of(&address(ton, addr)), expected, "{ton} {addr}");
        }
        assert_eq!(Numbering::default().of(&address(6, "1")), (6, 9));
        assert_eq!(Numbering { npi: Some(1), ..Numbering::default() }.of(&address(6, "1")), (6, 1));
    }

    #[test]
    fn carrier_is_asked_for_receipts_as_it_is_set() {
        let asked = [0, 1, 2, 0x1C].map(|wish| {
            [Receipts::Always, Receipts::AsAsked, Receipts::Never].map(|receipts| receipts.asks(wish))
        });

        assert_eq!(
            asked,
            [[true, false, false], [true, true, false], [true, true, false], [true, false, false]]
        );
    }
}
