//! Eight septets in seven octets (3GPP TS 23.038 §6.1.2.1): how GSM text goes over the radio, and over some carriers' links.
//!
//! Septet n begins at bit 7n, low bits first; behind a user data header the text begins at a septet's boundary, so that up
//! to six fill bits stand between.

use bytes::{BufMut, BytesMut};

/// What stands in the last seven bits if they are left over, which a reader would take for a septet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Zeros: for readers who know the number of septets.
    Zeros,
    /// A carriage return: for readers who know the number of octets alone, as on SMPP.
    #[default]
    Return,
}

/// Fill bits behind a user data header of `header_octets`, its length octet included; 0 for none.
pub const fn fill_bits(header_octets: usize) -> usize {
    (8 * header_octets).div_ceil(7) * 7 - 8 * header_octets
}

/// Octets that `septets` take behind `fill` bits.
pub const fn packed_len(septets: usize, fill: usize) -> usize {
    (fill + 7 * septets).div_ceil(8)
}

/// Appends `septets` (their top bits are ignored) packed behind `fill` bits, 0-6.
pub fn pack(septets: &[u8], fill: usize, padding: Padding, out: &mut BytesMut) {
    out.reserve(packed_len(septets.len(), fill));
    let (mut bits, mut held) = (0u32, fill);
    for septet in septets {
        bits |= u32::from(septet & SEPTET) << held;
        held += 7;
        if held >= 8 {
            out.put_u8(bits as u8);
            bits >>= 8;
            held -= 8;
        }
    }
    match (held, padding) {
        (0, _) => {}
        (1, Padding::Return) => out.put_u8((bits as u8) | RETURN << 1),
        (_, _) => out.put_u8(bits as u8),
    }
}

/// Packed septets, read one by one where they lie.
#[derive(Clone, Copy, Debug, Default)]
pub struct Septets<'a> {
    octets: &'a [u8],
    fill: usize,
    at: usize,
    len: usize,
}

impl<'a> Septets<'a> {
    /// All septets of `octets` behind `fill` bits, but for a carriage return in the last seven bits: it is padding.
    pub fn new(octets: &'a [u8], fill: usize) -> Self {
        let bits = (8 * octets.len()).saturating_sub(fill);
        let septets = Self { octets, fill, at: 0, len: bits / 7 };
        let is_padded = bits.is_multiple_of(7) && bits > 0 && septets.at(septets.len - 1) == RETURN;
        Self { len: septets.len - usize::from(is_padded), ..septets }
    }

    /// Exactly `len` septets of `octets` behind `fill` bits; fewer if there are no more.
    pub fn exact(octets: &'a [u8], fill: usize, len: usize) -> Self {
        let bits = (8 * octets.len()).saturating_sub(fill);
        Self { octets, fill, at: 0, len: len.min(bits / 7) }
    }

    /// The septet at `place`, counted from the first; below [`Septets::total`].
    pub fn at(&self, place: usize) -> u8 {
        let bit = self.fill + 7 * place;
        let low = self.octets[bit / 8];
        let high = self.octets.get(bit / 8 + 1).copied().unwrap_or(0);
        (u16::from_le_bytes([low, high]) >> (bit % 8)) as u8 & SEPTET
    }

    /// How many there are, those that have been read included.
    pub const fn total(&self) -> usize {
        self.len
    }
}

impl Iterator for Septets<'_> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        if self.at == self.len {
            return None;
        }
        let septet = self.at(self.at);
        self.at += 1;
        Some(septet)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len - self.at, Some(self.len - self.at))
    }
}

const SEPTET: u8 = 0x7F;
const RETURN: u8 = 0x0D;

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(septets: &[u8], fill: usize, padding: Padding) -> Vec<u8> {
        let mut out = BytesMut::new();
        pack(septets, fill, padding, &mut out);
        out.to_vec()
    }

    #[test]
    fn unpacking_undoes_packing_at_every_length_and_fill() {
        let text: Vec<u8> = (0..200u32).map(|n| (n * 37 % 127 + 1) as u8 & SEPTET).collect();
        for fill in 0..7 {
            for len in 0..text.len() {
                let septets = &text[..len];
                for padding in [Padding::Zeros, Padding::Return] {
                    let octets = packed(septets, fill, padding);

                    assert_eq!(octets.len(), packed_len(len, fill));
                    let exact: Vec<u8> = Septets::exact(&octets, fill, len).collect();
                    assert_eq!(exact, septets);
                }
                let octets = packed(septets, fill, Padding::Return);
                let read: Vec<u8> = Septets::new(&octets, fill).collect();
                let ends_in_return = septets.last() == Some(&RETURN);
                assert!(read == septets || ends_in_return, "{fill} {len}");
            }
        }
    }

    /// T1: seven characters leave seven bits over, which say `@` if nobody says better.
    #[test]
    fn seven_bits_left_over_are_a_return() {
        assert_eq!(packed(b"1234567", 0, Padding::Return).last(), Some(&0x1A));
        assert_eq!(Septets::new(&packed(b"1234567", 0, Padding::Return), 0).total(), 7);
        assert_eq!(Septets::new(&packed(b"1234567", 0, Padding::Zeros), 0).last(), Some(0));
        assert_eq!(Septets::new(&[], 0).total(), 0);
        assert_eq!(Septets::new(&[0x0D], 6).total(), 0);
    }

    /// T2: the text behind a header begins at a septet's boundary.
    #[test]
    fn fill_bits_reach_the_next_septet() {
        assert_eq!([0, 6, 7, 4, 12].map(fill_bits), [0, 1, 0, 3, 2]);
        for header in 1..141 {
            assert!(fill_bits(header) < 7);
            assert_eq!((8 * header + fill_bits(header)) % 7, 0);
        }
    }
}
