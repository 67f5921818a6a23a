//! Numbers as people write them, into the one form that networks know: international, without signs in front (E.164; fact sheet 5.4).

use super::bare;
use crate::codec::Address;
use std::ops::RangeInclusive;

/// Rules by what a number begins with; the first that is for a number counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialling {
    rules: Vec<DialRule>,
}

/// What becomes of numbers that begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialRule {
    /// What a number begins with, a plus sign in front included; any number if it is empty.
    pub prefix: String,
    /// Only for numbers that say this type of number.
    pub ton: Option<u8>,
    /// Only for numbers of so many digits.
    pub digits: RangeInclusive<usize>,
    /// What takes the place of the prefix.
    pub replace: String,
    /// Type of number and numbering plan that it has then.
    pub becomes: (u8, u8),
    /// Senders are numbers too.
    pub of_sources: bool,
    pub of_destinations: bool,
}

/// Which address of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Source,
    Destination,
}

/// An address that takes the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    ton: u8,
    npi: u8,
    length: u8,
    octets: [u8; ADDR_MAX],
}

/// It would be longer than an address may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Written {
    /// An address of these parts, one after the other.
    ///
    /// # Errors
    /// If they are longer than 20 octets together (SMPP 3.4 §5.2.9).
    pub fn new((ton, npi): (u8, u8), parts: [&[u8]; 2]) -> Result<Self, TooLong> {
        let mut octets = [0; ADDR_MAX];
        let [first, second] = parts;
        let length = first.len() + second.len();
        octets.get_mut(..first.len()).ok_or(TooLong)?.copy_from_slice(first);
        octets.get_mut(first.len()..length).ok_or(TooLong)?.copy_from_slice(second);
        Ok(Self { ton, npi, length: length as u8, octets })
    }

    /// Its characters.
    pub fn addr(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    /// All of it.
    pub fn address(&self) -> Address<'_> {
        Address { ton: self.ton, npi: self.npi, addr: self.addr() }
    }
}

impl Dialling {
    /// Rules in the order in which they are looked at.
    pub fn new(rules: impl IntoIterator<Item = DialRule>) -> Self {
        Self { rules: rules.into_iter().collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the first rule that is for `address` makes of it; `None` if it is no number, or none is for it.
    pub fn apply(&self, side: Side, address: &Address<'_>) -> Option<Result<Written, TooLong>> {
        let digits = bare(address.addr);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.rules.iter().find_map(|rule| {
            let is_for = match side {
                Side::Source => rule.of_sources,
                Side::Destination => rule.of_destinations,
            };
            let fits = is_for
                && rule.ton.is_none_or(|ton| ton == address.ton)
                && rule.digits.contains(&digits.len());
            let rest = address.addr.strip_prefix(rule.prefix.as_bytes()).filter(|_| fits)?;
            // A sign in front is no part of any number, whatever the rule says of the rest.
            Some(Written::new(rule.becomes, [rule.replace.as_bytes(), bare(rest)]))
        })
    }
}

/// A rule for one side, without conditions.
#[cfg(test)]
pub(super) fn rule(prefix: &str, replace: &str, side: Side) -> DialRule {
    DialRule {
        prefix: prefix.to_owned(),
        ton: None,
        digits: 1..=ADDR_MAX,
        replace: replace.to_owned(),
        becomes: (1, 1),
        of_sources: side == Side::Source,
        of_destinations: side == Side::Destination,
    }
}

/// Characters of an address in a submit_sm, at most (SMPP 3.4 §5.2.9).
pub(super) const ADDR_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn british() -> Dialling {
        let to = |prefix, replace| rule(prefix, replace, Side::Destination);
        let local = DialRule { digits: 6..=6, ..to("", "44121") };
        let said = DialRule { ton: Some(2), ..to("", "44") };
        Dialling::new([to("+", ""), to("00", ""), to("0", "44"), local, said])
    }

    fn written(dialling: &Dialling, (ton, addr): (u8, &str)) -> Option<(u8, u8, String)> {
        let address = Address { ton, npi: 0, addr: addr.as_bytes() };
        let written = dialling.apply(Side::Destination, &address)?.expect("short enough");
        let Address { ton, npi, addr } = written.address();
        Some((ton, npi, String::from_utf8_lossy(addr).into_owned()))
    }

    /// Fact sheet 5.4, what is to be expected.
    #[test]
    fn number_in_any_form_becomes_international() {
        let rules = british();
        for (ton, addr, expected) in [
            (0, "+447700900123", "447700900123"),
            (1, "+447700900123", "447700900123"),
            (2, "+4917012345", "4917012345"),
            (0, "00447700900123", "447700900123"),
            (1, "07700900123", "447700900123"),
            (0, "496001", "44121496001"),
            (2, "7700900123", "447700900123"),
        ] {
            assert_eq!(written(&rules, (ton, addr)), Some((1, 1, expected.to_owned())), "{addr}");
        }
    }

    #[test]
    fn what_no_rule_is_for_and_what_is_no_number_stays() {
        let rules = british();
        for (ton, addr) in [(0, "447700900123"), (5, "SHOP"), (0, ""), (0, "+"), (0, "*100#"), (0, "0a")] {
            assert_eq!(written(&rules, (ton, addr)), None, "{addr}");
        }
        let source = Address { ton: 0, npi: 0, addr: b"07700900123" };
        assert_eq!(rules.apply(Side::Source, &source), None, "rules for destinations");
    }

    #[test]
    fn number_that_grows_out_of_an_address_is_told() {
        let rules = Dialling::new([rule("0", "1234567890", Side::Destination)]);
        let twelve = Address { ton: 0, npi: 0, addr: b"012345678901" };

        assert_eq!(rules.apply(Side::Destination, &twelve), Some(Err(TooLong)));
        let eleven = Address { addr: b"01234567890", ..twelve };
        assert!(matches!(rules.apply(Side::Destination, &eleven), Some(Ok(_))));
    }
}
