//! Optional parameters with legal lengths, by the PDUs that they belong to.

use super::{octets, text};
use bytes::BytesMut;
use enroute::codec::{Tag, put_tlv};
use fastrand::Rng;

/// Up to three optional parameters of `among` with legal lengths.
pub fn tlvs(rng: &mut Rng, among: &[Optional]) -> BytesMut {
    let mut out = BytesMut::new();
    for _ in 0..rng.usize(..4) {
        let which = rng.usize(..among.len());
        put_optional(rng, &among[which], &mut out);
    }
    out
}

/// Appends one with a legal value.
pub fn put_optional(rng: &mut Rng, optional: &Optional, out: &mut BytesMut) {
    let Optional(tag, shape) = *optional;
    let value = match shape {
        Shape::Int(octets) => {
            (0..octets).map(|place| if place + 1 == octets { rng.u8(..4) } else { 0 }).collect()
        }
        Shape::Octets(min, max) => octets(rng, min, max),
        Shape::Text(max) => {
            let mut value = text(rng, max - 1);
            value.push(0);
            value
        }
    };
    put_tlv(out, tag, &value);
}

/// A parameter and what may be in it.
#[derive(Clone, Copy)]
pub struct Optional(Tag, Shape);

#[derive(Clone, Copy)]
enum Shape {
    /// An integer of so many octets, small.
    Int(usize),
    /// Any octets, from so many to so many.
    Octets(usize, usize),
    /// A C-octet string of at most so many octets, its NUL included.
    Text(usize),
}

use Shape::{Int, Octets, Text};

/// Of messages.
pub const MESSAGE: [Optional; 24] = [
    Optional(Tag::USER_MESSAGE_REFERENCE, Int(2)),
    Optional(Tag::SOURCE_PORT, Int(2)),
    Optional(Tag::DEST_PORT, Int(2)),
    Optional(Tag::SAR_MSG_REF_NUM, Int(2)),
    Optional(Tag::SAR_TOTAL_SEGMENTS, Int(1)),
    Optional(Tag::SAR_SEGMENT_SEQNUM, Int(1)),
    Optional(Tag::QOS_TIME_TO_LIVE, Int(4)),
    Optional(Tag::PAYLOAD_TYPE, Int(1)),
    Optional(Tag::PRIVACY_INDICATOR, Int(1)),
    Optional(Tag::LANGUAGE_INDICATOR, Int(1)),
    Optional(Tag::MORE_MESSAGES_TO_SEND, Int(1)),
    Optional(Tag::SET_DPF, Int(1)),
    Optional(Tag::MESSAGE_STATE, Int(1)),
    Optional(Tag::NETWORK_ERROR_CODE, Int(3)),
    Optional(Tag::RECEIPTED_MESSAGE_ID, Text(65)),
    Optional(Tag::SOURCE_SUBADDRESS, Octets(2, 23)),
    Optional(Tag::CALLBACK_NUM, Octets(4, 19)),
    Optional(Tag::CALLBACK_NUM_PRES_IND, Octets(1, 1)),
    Optional(Tag::DISPLAY_TIME, Int(1)),
    Optional(Tag::SMS_SIGNAL, Int(2)),
    Optional(Tag::MS_VALIDITY, Int(1)),
    Optional(Tag::ALERT_ON_MESSAGE_DELIVERY, Octets(0, 0)),
    Optional(Tag::ITS_SESSION_INFO, Int(2)),
    Optional(Tag(0x1501), Octets(0, 30)),
];
/// Of what may have its text here.
pub const PAYLOAD: [Optional; 1] = [Optional(Tag::MESSAGE_PAYLOAD, Octets(0, 300))];
/// Of alert_notification.
pub const AVAILABILITY: [Optional; 1] = [Optional(Tag::MS_AVAILABILITY_STATUS, Int(1))];
/// Of queries.
pub const REFERENCE: Optional = Optional(Tag::USER_MESSAGE_REFERENCE, Int(2));
/// Of responses.
pub const RESPONSE: [Optional; 5] = [
    Optional(Tag::ADDITIONAL_STATUS_INFO_TEXT, Text(256)),
    Optional(Tag::DELIVERY_FAILURE_REASON, Int(1)),
    Optional(Tag::NETWORK_ERROR_CODE, Int(3)),
    Optional(Tag::DPF_RESULT, Int(1)),
    Optional(Tag::CONGESTION_STATE, Int(1)),
];
/// Those that a broadcast_sm can't do without, that which depends on its priority last.
pub const BROADCAST: [Optional; 4] = [
    Optional(Tag::BROADCAST_AREA_IDENTIFIER, Octets(2, 20)),
    Optional(Tag::BROADCAST_CONTENT_TYPE, Int(3)),
    Optional(Tag::BROADCAST_FREQUENCY_INTERVAL, Int(3)),
    Optional(Tag::BROADCAST_REP_NUM, Int(2)),
];
