//! sar_*: a segment's place in its message, in three parameters that belong together (SMPP 5.0 §4.8.4.48-50).

use crate::codec::{Tag, Tlvs, put_tlv};
use bytes::BytesMut;

/// Which segment of which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sar {
    /// The same in all segments of a message.
    pub reference: u16,
    /// 1 to 255.
    pub total: u8,
    /// 1 to `total`.
    pub number: u8,
}

impl Sar {
    /// All three parameters; `None` if one is missing or out of its range: then the others count for nothing either.
    pub fn read(tlvs: Tlvs<'_>) -> Option<Self> {
        let reference = tlvs.u16(Tag::SAR_MSG_REF_NUM)?;
        let total = tlvs.u8(Tag::SAR_TOTAL_SEGMENTS)?;
        let number = tlvs.u8(Tag::SAR_SEGMENT_SEQNUM)?;
        (1..=total).contains(&number).then_some(Self { reference, total, number })
    }

    /// Appends all three.
    pub fn put(self, out: &mut BytesMut) {
        put_tlv(out, Tag::SAR_MSG_REF_NUM, &self.reference.to_be_bytes());
        put_tlv(out, Tag::SAR_TOTAL_SEGMENTS, &[self.total]);
        put_tlv(out, Tag::SAR_SEGMENT_SEQNUM, &[self.number]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Reading;

    #[test]
    fn three_parameters_are_read_together_or_not_at_all() {
        let mut out = BytesMut::new();
        let sar = Sar { reference: 0xBEEF, total: 3, number: 2 };
        sar.put(&mut out);
        let read = |octets: &[u8]| Sar::read(Tlvs::read(octets, Reading::Strict).expect("whole"));

        assert_eq!(read(&out), Some(sar));
        assert_eq!(read(&out[..out.len() - 5]), None);
        assert_eq!(read(&out[6..]), None);
        assert_eq!(read(b""), None);
    }

    #[test]
    fn number_out_of_range_counts_for_nothing() {
        for (total, number) in [(0, 0), (2, 0), (2, 3), (0, 1)] {
            let mut out = BytesMut::new();
            Sar { reference: 1, total, number }.put(&mut out);

            assert_eq!(Sar::read(Tlvs::read(&out, Reading::Strict).expect("whole")), None);
        }
    }
}
