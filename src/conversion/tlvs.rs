//! Rules on optional parameters.

use crate::codec::{Tag, Tlvs, put_tlv};
use bytes::BytesMut;

/// What becomes of optional parameters: dropped first, then renamed, then added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlvRules {
    pub drop: Vec<Tag>,
    /// From and to.
    pub rename: Vec<(Tag, Tag)>,
    /// Added where the message doesn't have the tag by then. Values have at most 65 535 octets.
    pub add: Vec<(Tag, Vec<u8>)>,
}

impl TlvRules {
    /// Whether all parameters stay as they are.
    pub const fn is_empty(&self) -> bool {
        self.drop.is_empty() && self.rename.is_empty() && self.add.is_empty()
    }

    /// Appends to `out` what becomes of `tlvs`, those under the tags of `without` left out.
    pub(super) fn apply(&self, tlvs: Tlvs<'_>, without: &[Tag], out: &mut BytesMut) {
        let start = out.len();
        for tlv in tlvs.iter() {
            if !without.contains(&tlv.tag) && !self.drop.contains(&tlv.tag) {
                put_tlv(out, self.renamed(tlv.tag), tlv.value);
            }
        }
        for (tag, value) in &self.add {
            let kept = Tlvs::read(&out[start..], crate::codec::Reading::Carrier).unwrap_or_default();
            if kept.find(*tag).is_none() {
                put_tlv(out, *tag, value);
            }
        }
    }

    fn renamed(&self, tag: Tag) -> Tag {
        self.rename.iter().find(|(from, _)| *from == tag).map_or(tag, |(_, to)| *to)
    }
}

/// What says that a message is a part.
pub(super) const SAR: [Tag; 3] = [Tag::SAR_MSG_REF_NUM, Tag::SAR_TOTAL_SEGMENTS, Tag::SAR_SEGMENT_SEQNUM];

/// Appends what says that a message is `part`.
pub(super) fn put_sar(part: super::Part, out: &mut BytesMut) {
    put_tlv(out, Tag::SAR_MSG_REF_NUM, &part.reference.to_be_bytes());
    put_tlv(out, Tag::SAR_TOTAL_SEGMENTS, &[part.total]);
    put_tlv(out, Tag::SAR_SEGMENT_SEQNUM, &[part.number]);
}
