//! What a carrier calls a message: most ids are short, and lie in their row rather than in a place of their own.

use std::ops::Deref;

/// An id as its carrier wrote it, 1 to 65 octets (SMPP 3.4 §5.2.23).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CarrierMessageId {
    /// As long as its octets aren't 0, of which no id in a PDU has any.
    Short([u8; SHORT_MAX]),
    Long(Box<Box<[u8]>>),
}

impl From<&[u8]> for CarrierMessageId {
    #[inline]
    fn from(octets: &[u8]) -> Self {
        if octets.len() > SHORT_MAX || octets.contains(&0) {
            return Self::Long(Box::new(octets.into()));
        }
        // In a register: what is stored in pieces and read back whole waits for all that was stored before.
        let word = octets.iter().rev().fold(0_u128, |word, octet| word << u8::BITS | u128::from(*octet));
        let [short @ .., _] = word.to_le_bytes();
        Self::Short(short)
    }
}

impl Deref for CarrierMessageId {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short(octets) => {
                let len = octets.iter().position(|octet| *octet == 0).unwrap_or(SHORT_MAX);
                &octets[..len]
            }
            Self::Long(octets) => octets,
        }
    }
}

/// Octets of an id for which the row has room.
const SHORT_MAX: usize = 15;

/// As much of a row as a box takes.
const _: () = assert!(size_of::<Option<CarrierMessageId>>() == 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_all_lengths_stay_as_they_are() {
        let octets: Vec<u8> = (1..=65).collect();
        for len in 0..=octets.len() {
            let id = CarrierMessageId::from(&octets[..len]);
            assert_eq!((&*id, id.clone() == id), (&octets[..len], true));
            assert_eq!(matches!(id, CarrierMessageId::Short(_)), len <= SHORT_MAX);
        }
    }

    /// No PDU brings such a one, a record that somebody else wrote might.
    #[test]
    fn zeros_in_an_id_count() {
        for id in [&b"\0"[..], b"a\0", b"a\0b"] {
            assert_eq!(&*CarrierMessageId::from(id), id);
        }
    }
}
