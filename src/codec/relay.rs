//! Passing a submit_sm on: the body that came in, with the hub's own times and receipt wishes patched in.

use super::{FieldError, Sm, Status, Tag, Tlvs, put_tlv};
use bytes::BytesMut;

/// A parameter of our own, from the range that nobody uses (SMPP 5.0 §4.8.1): the addresses that a customer wrote, where the hub wrote
/// others; source and destination, each as TON, NPI, length and characters. It is in the hub's bodies alone, and no carrier is told.
pub const SUBMITTED_AS: Tag = Tag(0xE0A1);

/// What the hub says in place of the customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relay<'a> {
    /// Empty or 16 octets. The hub holds messages itself, so this is empty but for carriers who are told to.
    pub schedule_delivery_time: &'a [u8],
    /// Empty or 16 octets; takes the place of a qos_time_to_live too, whose seconds count from the wrong moment by now.
    pub validity_period: &'a [u8],
    pub registered_delivery: u8,
    /// TON and NPI in place of those of the sender and of the destination; `None`: as they came.
    pub source: Option<(u8, u8)>,
    pub destination: Option<(u8, u8)>,
}

/// Appends to `out` the `body` of a submit_sm, of which [`Sm::decode`] made `sm`, with the fields of `relay` in place of its own;
/// everything else, the TLVs that we don't know included, goes out as it came in, but for three things that carriers choke on: stray
/// octets after the TLVs are left out, a short_message beside a message_payload is, and one of 255 octets becomes a message_payload.
///
/// For a carrier that takes no TLVs they are left out, and the text of a message_payload goes to short_message.
/// Errs with ESME_RINVMSGLEN if the text needs a TLV that the carrier doesn't take. Nothing is appended then.
pub fn relay_read(
    sm: &Sm<'_>,
    body: &[u8],
    relay: &Relay<'_>,
    takes_tlvs: bool,
    out: &mut BytesMut,
) -> Result<(), FieldError> {
    let text = sm.text();
    let is_long = text.len() > SHORT_MESSAGE_MAX;
    if is_long && !takes_tlvs {
        return Err(FieldError { field: "short_message", status: Status::RINVMSGLEN });
    }
    let has_payload = sm.tlvs.find(Tag::MESSAGE_PAYLOAD).is_some();
    let short_message = match (has_payload, takes_tlvs) {
        (true, true) => &[],
        (true, false) => text,
        (false, _) if is_long => &[],
        (false, _) => sm.short_message,
    };
    let has_ours = sm.tlvs.iter().any(|tlv| is_ours(tlv.tag));
    let tlvs = if takes_tlvs && !has_ours { sm.tlvs } else { Tlvs::empty() };

    out.reserve(body.len() + ROOM);
    let start = out.len();
    out.extend_from_slice(&body[..head_len(sm)]);
    let source = start + sm.service_type.len() + 1;
    let destination = source + 2 + sm.source.addr.len() + 1;
    for (place, kind) in [(source, relay.source), (destination, relay.destination)] {
        if let Some((ton, npi)) = kind {
            out[place..place + 2].copy_from_slice(&[ton, npi]);
        }
    }
    Sm {
        schedule_delivery_time: relay.schedule_delivery_time,
        validity_period: relay.validity_period,
        registered_delivery: relay.registered_delivery,
        short_message,
        tlvs,
        ..*sm
    }
    .encode_tail(out);
    if takes_tlvs && has_ours {
        put_without_ours(out, sm.tlvs);
    }
    if is_long && !has_payload {
        put_tlv(out, Tag::MESSAGE_PAYLOAD, text);
    }
    Ok(())
}

/// Octets from the start of the body to the end of priority_flag: all lengths are known, so nothing is searched again.
fn head_len(sm: &Sm<'_>) -> usize {
    let service_type = sm.service_type.len() + 1;
    let source = 2 + sm.source.addr.len() + 1;
    let destination = 2 + sm.destination.addr.len() + 1;
    service_type + source + destination + 3
}

/// What the hub says otherwise, or to nobody.
fn is_ours(tag: Tag) -> bool {
    matches!(tag, Tag::QOS_TIME_TO_LIVE | SUBMITTED_AS)
}

fn put_without_ours(out: &mut BytesMut, tlvs: Tlvs<'_>) {
    for tlv in tlvs.iter().filter(|tlv| !is_ours(tlv.tag)) {
        put_tlv(out, tlv.tag, tlv.value);
    }
}

/// The longest short_message that we send: carriers disagree about 255 octets.
const SHORT_MESSAGE_MAX: usize = 254;
/// Octets by which a relayed body can outgrow the original: two times, and the header of a message_payload.
const ROOM: usize = 2 * 16 + 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Address, Reading};

    const RELAY: Relay<'_> = Relay {
        schedule_delivery_time: b"",
        validity_period: b"260315103000000+",
        registered_delivery: 0x11,
        source: None,
        destination: None,
    };

    fn body(short_message: &[u8], tlvs: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        Sm {
            service_type: b"CMT",
            source: Address { ton: 5, npi: 0, addr: b"ACME" },
            schedule_delivery_time: b"000000013000000R",
            protocol_id: 0x40,
            data_coding: 0xF1,
            short_message,
            ..Sm::default()
        }
        .encode_body(&mut out);
        out.extend_from_slice(tlvs);
        out
    }

    fn relay(body: &[u8], takes_tlvs: bool) -> Result<Vec<u8>, Status> {
        let mut out = BytesMut::new();
        let sm = Sm::decode(body, Reading::Lenient).expect("legal if lenient");
        relay_read(&sm, body, &RELAY, takes_tlvs, &mut out).map_err(|error| error.status)?;
        Ok(out.to_vec())
    }

    #[test]
    fn times_and_receipt_wishes_are_ours_and_the_rest_is_theirs() {
        let vendor = [0x15, 0x01, 0, 2, 0xCA, 0xFE];
        let body = body(b"hello", &vendor);

        let out = relay(&body, true).expect("legal");

        let (before, after) = (
            Sm::decode(&body, Reading::Strict).expect("legal"),
            Sm::decode(&out, Reading::Strict).expect("legal"),
        );
        let expected = Sm {
            schedule_delivery_time: RELAY.schedule_delivery_time,
            validity_period: RELAY.validity_period,
            registered_delivery: RELAY.registered_delivery,
            ..before
        };
        assert_eq!(after, expected);
        assert_eq!(after.tlvs.as_bytes(), vendor);
    }

    #[test]
    fn stray_octets_stay_behind() {
        let out = relay(&body(b"hello", &[0, 0]), true).expect("legal if lenient");

        assert!(Sm::decode(&out, Reading::Strict).is_ok());
    }

    #[test]
    fn lifetime_from_the_first_submission_stays_behind() {
        let octets = [0x00, 0x17, 0, 4, 0, 0, 14, 16, 0x02, 0x04, 0, 2, 0, 1];

        let out = relay(&body(b"hello", &octets), true).expect("legal");

        let sm = Sm::decode(&out, Reading::Strict).expect("legal");
        assert_eq!(sm.tlvs.find(Tag::QOS_TIME_TO_LIVE), None);
        assert_eq!(sm.tlvs.u16(Tag::USER_MESSAGE_REFERENCE), Some(1));
    }

    #[test]
    fn carrier_without_parameters_gets_the_text_alone() {
        let mut payload = BytesMut::new();
        put_tlv(&mut payload, Tag::MESSAGE_PAYLOAD, b"from the payload");
        put_tlv(&mut payload, Tag(0x1501), b"x");

        let out = relay(&body(b"", &payload), false).expect("fits");

        let sm = Sm::decode(&out, Reading::Strict).expect("legal");
        assert_eq!(sm.short_message, b"from the payload");
        assert!(sm.tlvs.is_empty());

        let mut long = BytesMut::new();
        put_tlv(&mut long, Tag::MESSAGE_PAYLOAD, &[0x41; 255]);
        assert_eq!(relay(&body(b"", &long), false), Err(Status::RINVMSGLEN));
    }

    #[test]
    fn text_of_255_octets_goes_out_as_payload() {
        let text = [0x41; 255];

        let out = relay(&body(&text, &[]), true).expect("legal");

        let sm = Sm::decode(&out, Reading::Strict).expect("legal");
        assert_eq!((sm.short_message.len(), sm.text()), (0, &text[..]));
    }

    #[test]
    fn one_text_goes_out_where_two_came_in() {
        let mut payload = BytesMut::new();
        put_tlv(&mut payload, Tag::MESSAGE_PAYLOAD, b"long");

        let out = relay(&body(b"short", &payload), true).expect("legal");

        let sm = Sm::decode(&out, Reading::Strict).expect("legal");
        assert_eq!((sm.short_message, sm.text()), (&b""[..], &b"long"[..]));
    }

    #[test]
    fn refused_text_appends_nothing() {
        let body = body(&[0x41; 255], &[]);
        let sm = Sm::decode(&body, Reading::Strict).expect("legal");
        let mut out = BytesMut::from(&b"before"[..]);

        let relayed = relay_read(&sm, &body, &RELAY, false, &mut out);

        assert_eq!(relayed.map_err(|error| error.status), Err(Status::RINVMSGLEN));
        assert_eq!(out, b"before"[..]);
    }
}
