//! The names of things that the hub owns, as newtypes that can't be mixed up.

use siphasher::sip::SipHasher24;
use std::hash::Hasher;

/// A place in the spool's log: every octet before it is addressed by a smaller one.
///
/// A record is durable once the spool's published durable Lsn has reached the one that its append returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// An account, by its place in the hub's table of accounts. Not stable across restarts: records carry the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u16);

/// A carrier, by its place in the hub's table of carriers. Not stable across restarts: records carry the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CarrierId(pub u16);

/// One TCP connection that speaks SMPP, either side; never used twice in the life of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One message that the hub has taken responsibility for.
///
/// `serial` is unique over the whole life of a store, whatever the wall clock does: its top
/// [`SHARD_BITS`] bits name the hub that issued it, the rest only ever counts up. `slot` is where the hub keeps the message, so that
/// an id leads to its message without a search; it stays the same across restarts and is reused after
/// the message is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    pub serial: u64,
    pub slot: u32,
}

/// How many of a serial's bits name the shard.
pub const SHARD_BITS: u32 = 8;

/// Characters of an id as 3.4 and 5.0 peers see it.
pub const ID_TEXT_LEN: usize = 32;

/// Characters of an id as 3.3 peers see it (SMPP 3.3: eight hex digits).
pub const SHORT_ID_TEXT_LEN: usize = 8;

/// The secret of one store that makes its ids impossible to guess; kept in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdKey(pub [u8; 16]);

impl MessageId {
    /// The id as peers see it: serial, slot and a 64-bit keyed tag in Crockford's base 32.
    pub fn text(self, key: &IdKey) -> [u8; ID_TEXT_LEN] {
        let mut octets = [0u8; 20];
        octets[..8].copy_from_slice(&self.serial.to_be_bytes());
        octets[8..12].copy_from_slice(&self.slot.to_be_bytes());
        octets[12..].copy_from_slice(&self.tag(key).to_be_bytes());
        let mut text = [0u8; ID_TEXT_LEN];
        for (five, eight) in octets.as_chunks::<5>().0.iter().zip(text.as_chunks_mut::<8>().0) {
            let [first, second, third, fourth, fifth] = *five;
            let bits = u64::from_be_bytes([0, 0, 0, first, second, third, fourth, fifth]);
            for (place, two) in eight.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                *two = BASE32_TWO[(bits >> (30 - 10 * place)) as usize & 1023];
            }
        }
        text
    }

    /// The id behind `text`, or `None` if this store never issued it.
    pub fn parse(text: &[u8], key: &IdKey) -> Option<Self> {
        if text.len() != ID_TEXT_LEN {
            return None;
        }
        let mut octets = [0u8; 20];
        for (eight, five) in text.chunks_exact(8).zip(octets.chunks_exact_mut(5)) {
            let mut bits = 0u64;
            for character in eight {
                let digit = BASE32.iter().position(|known| known == character)?;
                bits = bits << 5 | digit as u64;
            }
            five.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        let (serial, rest) = octets.split_first_chunk::<8>()?;
        let (slot, tag) = rest.split_first_chunk::<4>()?;
        let id = Self { serial: u64::from_be_bytes(*serial), slot: u32::from_be_bytes(*slot) };
        (id.tag(key).to_be_bytes() == *tag).then_some(id)
    }

    /// The id as a 3.3 peer sees it: eight hex digits, unique over four thousand million messages.
    ///
    /// A keyed four-round Feistel network over the low half of the serial, so that neighbours look unrelated.
    pub fn short_text(self, key: &IdKey) -> [u8; SHORT_ID_TEXT_LEN] {
        let (mut left, mut right) = halves(self.serial as u32);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ scramble(key, round, right));
        }
        let number = join(left, right);
        let mut text = [0u8; SHORT_ID_TEXT_LEN];
        for (place, character) in text.iter_mut().enumerate() {
            *character = b"0123456789ABCDEF"[(number >> (28 - 4 * place)) as usize & 15];
        }
        text
    }

    /// The low half of the serial whose [`MessageId::short_text`] this is, with this key; `None` if it is no such text.
    pub fn parse_short(text: &[u8], key: &IdKey) -> Option<u32> {
        if text.len() != SHORT_ID_TEXT_LEN {
            return None;
        }
        let mut number = 0;
        for digit in text {
            number = number << 4 | char::from(*digit).to_digit(16)?;
        }
        let (mut left, mut right) = halves(number);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ scramble(key, round, left), left);
        }
        Some(join(left, right))
    }

    fn tag(self, key: &IdKey) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&key.0);
        hasher.write_u64(self.serial);
        hasher.write_u32(self.slot);
        hasher.finish()
    }
}

/// Thirteen characters that only who has `key` can say of `parts`.
pub fn tag_text(parts: &[&[u8]], key: &IdKey) -> [u8; TAG_TEXT_LEN] {
    let mut hasher = SipHasher24::new_with_key(&key.0);
    for part in parts {
        hasher.write_u64(part.len() as u64);
        hasher.write(part);
    }
    let tag = hasher.finish();
    std::array::from_fn(|place| BASE32[(tag >> (5 * place)) as usize & 31])
}

/// Characters of a [`tag_text`].
pub const TAG_TEXT_LEN: usize = 13;

const fn halves(number: u32) -> (u16, u16) {
    ((number >> 16) as u16, number as u16)
}

fn join(left: u16, right: u16) -> u32 {
    u32::from(left) << 16 | u32::from(right)
}

/// What one round of the network adds to one half, given the other.
fn scramble(key: &IdKey, round: u8, half: u16) -> u16 {
    let mut hasher = SipHasher24::new_with_key(&key.0);
    hasher.write(&[round, (half >> 8) as u8, half as u8]);
    hasher.finish() as u16
}

const ROUNDS: u8 = 4;

/// Crockford's alphabet: no I, L, O or U to be misread over the telephone.
const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Two digits of [`BASE32`] by the number that they write.
static BASE32_TWO: [[u8; 2]; 1024] = {
    let mut all = [[0; 2]; 1024];
    let mut number = 0;
    while number < all.len() {
        all[number] = [BASE32[number / 32], BASE32[number % 32]];
        number += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const KEY: IdKey = IdKey(*b"sixteen octets!!");

    #[test]
    fn text_leads_back_to_its_id() {
        let id = MessageId { serial: 0x0123_4567_89ab_cdef, slot: 77 };

        let text = id.text(&KEY);

        assert_eq!(MessageId::parse(&text, &KEY), Some(id));
    }

    #[test]
    fn text_of_another_store_is_unknown() {
        let text = MessageId { serial: 1, slot: 1 }.text(&KEY);

        assert_eq!(MessageId::parse(&text, &IdKey([0; 16])), None);
        assert_eq!(MessageId::parse(b"short", &KEY), None);
        assert_eq!(MessageId::parse(&[b'U'; ID_TEXT_LEN], &KEY), None);
    }

    #[test]
    fn short_text_leads_back_to_the_low_half_of_its_serial() {
        for serial in [0, 1, 77, 0xFFFF, 0x1_0000, 0xFEDC_BA98, 0x1_2345_6789] {
            let text = MessageId { serial, slot: 0 }.short_text(&KEY);

            assert_eq!(MessageId::parse_short(&text, &KEY), Some(serial as u32));
            assert_eq!(MessageId::parse_short(&text.to_ascii_lowercase(), &KEY), Some(serial as u32));
        }
        assert_eq!(MessageId::parse_short(b"not hex!", &KEY), None);
        assert_eq!(MessageId::parse_short(b"12", &KEY), None);
    }

    #[test]
    fn short_texts_of_neighbours_differ() {
        let texts: HashSet<_> =
            (0..10_000).map(|serial| MessageId { serial, slot: 0 }.short_text(&KEY)).collect();

        assert_eq!(texts.len(), 10_000);
    }
}
