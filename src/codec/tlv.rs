//! Optional parameters: kept raw, read on demand (SMPP 5.0 §4.8).

use super::field::until_nul;
use super::{FieldError, Reading, Status, Tag};
use bytes::BytesMut;

/// One optional parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    pub tag: Tag,
    /// At most 65 535 octets.
    pub value: &'a [u8],
}

impl Tlv<'_> {
    /// Whether its length is legal, as far as `reading` judges that: see [`Tlvs::check`].
    pub fn has_legal_length(&self, reading: Reading) -> bool {
        let is_judged = match reading {
            Reading::Strict => true,
            Reading::Lenient => self.tag.is_acted_on(),
            Reading::Carrier => false,
        };
        !is_judged || self.tag.takes_length(self.value.len())
    }
}

/// A list of optional parameters as it stood on the wire; always well formed, and in the order in which they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tlvs<'a>(&'a [u8]);

impl<'a> Tlvs<'a> {
    /// No parameters.
    pub const fn empty() -> Self {
        Self(&[])
    }

    /// Takes what follows the mandatory fields of a PDU.
    ///
    /// Octets that make no TLV are refused with ESME_RINVTLVSTREAM, but `Lenient` overlooks up to three NULs at the end and
    /// one NUL in front (a terminator of short_message), and `Carrier` drops whatever it can't read.
    #[inline]
    pub fn read(octets: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        if octets.is_empty() {
            return Ok(Self::empty());
        }
        let whole = well_formed(octets);
        if whole.len() == octets.len() {
            return Ok(Self(octets));
        }
        Self::read_broken(octets, whole, reading)
    }

    #[cold]
    fn read_broken(octets: &'a [u8], whole: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let broken = FieldError { field: "tlvs", status: Status::RINVTLVSTREAM };
        if matches!(reading, Reading::Strict) {
            return Err(broken);
        }
        let stray = &octets[whole.len()..];
        if stray.len() <= 3 && stray.iter().all(|octet| *octet == 0) {
            return Ok(Self(whole));
        }
        match (octets, reading) {
            ([0, shifted @ ..], _) if well_formed(shifted).len() == shifted.len() => Ok(Self(shifted)),
            (_, Reading::Carrier) => Ok(Self(whole)),
            (_, Reading::Strict | Reading::Lenient) => Err(broken),
        }
    }

    /// The list as it stood on the wire.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The parameters in the order in which they came, repeats included.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = Tlv<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (after, tlv) = tlv(rest)?;
            rest = after;
            Some(tlv)
        })
    }

    /// The value under `tag`; the first one counts if it is repeated.
    #[inline]
    pub fn find(self, tag: Tag) -> Option<&'a [u8]> {
        self.iter().find(|tlv| tlv.tag == tag).map(|tlv| tlv.value)
    }

    /// The integer of one octet under `tag`; `None` as well if its length is another.
    pub fn u8(self, tag: Tag) -> Option<u8> {
        self.array(tag).map(u8::from_be_bytes)
    }

    /// The integer of two octets under `tag`; `None` as well if its length is another.
    pub fn u16(self, tag: Tag) -> Option<u16> {
        self.array(tag).map(u16::from_be_bytes)
    }

    /// The integer of four octets under `tag`; `None` as well if its length is another.
    pub fn u32(self, tag: Tag) -> Option<u32> {
        self.array(tag).map(u32::from_be_bytes)
    }

    /// The C-octet string under `tag`, up to its first NUL, which may be missing.
    pub fn cstr(self, tag: Tag) -> Option<&'a [u8]> {
        self.find(tag).map(until_nul)
    }

    /// The value under `tag` if it has exactly `N` octets.
    pub(super) fn array<const N: usize>(self, tag: Tag) -> Option<[u8; N]> {
        self.find(tag).and_then(|value| value.try_into().ok())
    }

    /// Refuses illegal lengths with ESME_RINVTLVLEN: of every known tag if `Strict`, of those that the hub acts on if
    /// `Lenient`, of none if `Carrier`.
    #[inline]
    pub fn check(self, reading: Reading) -> Result<(), FieldError> {
        match self.iter().find(|tlv| !tlv.has_legal_length(reading)) {
            Some(tlv) => {
                Err(FieldError { field: tlv.tag.name().unwrap_or("tlv"), status: Status::RINVTLVLEN })
            }
            None => Ok(()),
        }
    }
}

/// Appends one optional parameter. `value` is at most 65 535 octets, as many as the length can say; more is the caller's defect.
#[inline]
pub fn put_tlv(out: &mut BytesMut, tag: Tag, value: &[u8]) {
    debug_assert!(value.len() <= MAX_VALUE_LEN, "a TLV of {} octets", value.len());
    let value = &value[..value.len().min(MAX_VALUE_LEN)];
    let [t0, t1] = tag.0.to_be_bytes();
    let [l0, l1] = (value.len() as u16).to_be_bytes();
    out.extend_from_slice(&[t0, t1, l0, l1]);
    out.extend_from_slice(value);
}

/// The parameter that `input` starts with, and what follows it; by fixed offsets, since each text() walks the list.
#[inline]
fn tlv(input: &[u8]) -> Option<(&[u8], Tlv<'_>)> {
    let ([t0, t1, l0, l1], rest) = input.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
    let tag = Tag(u16::from_be_bytes([*t0, *t1]));
    Some((rest, Tlv { tag, value }))
}

/// The part of `octets`, from its start, that is whole TLVs.
fn well_formed(octets: &[u8]) -> &[u8] {
    let mut rest = octets;
    while let Some((after, _)) = tlv(rest) {
        rest = after;
    }
    &octets[..octets.len() - rest.len()]
}

const MAX_VALUE_LEN: usize = u16::MAX as usize;

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: [u8; 6] = [0x02, 0x0A, 0, 2, 0x23, 0xF0];

    fn read(octets: &[u8]) -> [Result<&[u8], Status>; 3] {
        [Reading::Strict, Reading::Lenient, Reading::Carrier]
            .map(|reading| Tlvs::read(octets, reading).map(Tlvs::as_bytes).map_err(|error| error.status))
    }

    /// F11: unknown tags, zero lengths and repeats are kept; the first of a tag counts.
    #[test]
    fn unknown_empty_and_repeated_parameters_are_kept() {
        let octets = [0x15, 0x01, 0, 0, 0x02, 0x0A, 0, 2, 0, 1, 0x02, 0x0A, 0, 2, 0, 2];

        let tlvs = Tlvs::read(&octets, Reading::Strict).expect("well formed");

        assert_eq!(tlvs.iter().count(), 3);
        assert_eq!(tlvs.find(Tag(0x1501)), Some(&[][..]));
        assert_eq!(tlvs.u16(Tag::SOURCE_PORT), Some(1));
        assert_eq!(tlvs.find(Tag::DEST_PORT), None);
        assert_eq!(tlvs.as_bytes(), octets);
    }

    /// F11: a length past the end.
    #[test]
    fn parameter_past_the_end_is_refused_but_for_carriers() {
        let mut octets = PORT.to_vec();
        octets.extend([0x02, 0x0B, 0, 9, 1]);

        let refused = Err(Status::RINVTLVSTREAM);
        assert_eq!(read(&octets), [refused, refused, Ok(&PORT[..])]);
    }

    #[test]
    fn up_to_three_nuls_at_the_end_are_overlooked_unless_strict() {
        for count in 1..=3 {
            let mut octets = PORT.to_vec();
            octets.resize(PORT.len() + count, 0);

            let kept = Ok(&PORT[..]);
            assert_eq!(read(&octets), [Err(Status::RINVTLVSTREAM), kept, kept]);
        }
        let mut octets = PORT.to_vec();
        octets.push(7);
        let refused = Err(Status::RINVTLVSTREAM);
        assert_eq!(read(&octets), [refused, refused, Ok(&PORT[..])]);
    }

    /// F8: a terminator after short_message that sm_length does not count, with parameters behind it.
    #[test]
    fn one_nul_in_front_is_overlooked_unless_strict() {
        let mut octets = vec![0];
        octets.extend(PORT);

        let kept = Ok(&PORT[..]);
        assert_eq!(read(&octets), [Err(Status::RINVTLVSTREAM), kept, kept]);
    }

    #[test]
    fn wrong_length_is_refused_where_the_hub_acts_on_the_parameter() {
        let refuse = |octets: &'static [u8], reading| {
            let tlvs = Tlvs::read(octets, reading).expect("well formed");
            tlvs.check(reading).err().map(|error| error.status)
        };
        let port_of_1 = &[0x02, 0x0A, 0, 1, 0x23];
        let display_time_of_2 = &[0x12, 0x01, 0, 2, 0, 0];

        assert_eq!(refuse(port_of_1, Reading::Lenient), Some(Status::RINVTLVLEN));
        assert_eq!(refuse(port_of_1, Reading::Carrier), None);
        assert_eq!(refuse(display_time_of_2, Reading::Strict), Some(Status::RINVTLVLEN));
        assert_eq!(refuse(display_time_of_2, Reading::Lenient), None);
    }

    #[test]
    fn string_ends_at_its_nul_or_without_one() {
        let mut out = BytesMut::new();
        put_tlv(&mut out, Tag::RECEIPTED_MESSAGE_ID, b"abc\0x");
        put_tlv(&mut out, Tag::ADDITIONAL_STATUS_INFO_TEXT, b"def");

        let tlvs = Tlvs::read(&out, Reading::Strict).expect("just written");

        assert_eq!(tlvs.cstr(Tag::RECEIPTED_MESSAGE_ID), Some(&b"abc"[..]));
        assert_eq!(tlvs.cstr(Tag::ADDITIONAL_STATUS_INFO_TEXT), Some(&b"def"[..]));
        assert_eq!(tlvs.u8(Tag::RECEIPTED_MESSAGE_ID), None);
    }
}
