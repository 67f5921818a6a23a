//! What a carrier delivers to us: receipts in every form that carriers give them, messages from handsets, alerts.

use super::{LinkIntake, Matter, Unmarked};
use crate::codec::{
    AlertNotification, Command, DataSm, FieldError, MessageState, Reading, Receipt, ReceiptText, Sm, Tag,
    Tlv, Tlvs, decode_receipt_text, put_tlv,
};
use bytes::BytesMut;
use std::ops::Range;

/// What a deliver_sm or data_sm, whichever `command` is, is about. Its strings go to `intake`.
pub(super) fn read(command: Command, body: &[u8], unmarked: Unmarked, intake: &mut LinkIntake) -> Matter {
    let Ok(sm) = decode(command, body) else { return Matter::Illegible };
    let is_marked = sm.is_receipt() || sm.is_intermediate();
    if !is_marked && !is_receipt_unmarked(&sm, unmarked) {
        return keep_inbound(command, &sm, intake);
    }
    let decoded = decode_receipt_text(&sm);
    let receipt = match &decoded {
        Some(text) => Receipt::read_decoded(&sm, text),
        None => Receipt::read(&sm),
    };
    let Some(receipt) = receipt else { return Matter::Unreadable };
    let state = match receipt.state {
        // An intermediate notification never ends a message, whatever state it names.
        _ if sm.is_intermediate() => MessageState::Enroute,
        state => state,
    };
    let error = receipt.network_error.unwrap_or_else(|| text_error(receipt.error));
    let id = intake.keep(receipt.message_id);
    let text_id = intake.keep(receipt.text_id.unwrap_or_default());
    let destination = intake.keep(sm.source.addr);
    Matter::Receipt { id, text_id, state, error, destination }
}

fn decode(command: Command, body: &[u8]) -> Result<Sm<'_>, FieldError> {
    match command {
        Command::DATA_SM => DataSm::decode(body, Reading::Carrier).map(|data_sm| data_sm.as_sm()),
        _ => Sm::decode(body, Reading::Carrier),
    }
}

/// Whether an ordinary message is a receipt all the same, by this carrier's habit (fact sheet 8.2).
fn is_receipt_unmarked(sm: &Sm<'_>, unmarked: Unmarked) -> bool {
    // A person's acknowledgement names a message too, and doesn't end it.
    if sm.esm_class & TYPE_MASK != 0 || unmarked == Unmarked::Never {
        return false;
    }
    let by_parameter = sm.tlvs.cstr(Tag::RECEIPTED_MESSAGE_ID).is_some_and(|id| !id.trim_ascii().is_empty());
    by_parameter || unmarked == Unmarked::ByText && reads_like_one(sm)
}

fn reads_like_one(sm: &Sm<'_>) -> bool {
    let decoded = decode_receipt_text(sm);
    let text = ReceiptText::parse(decoded.as_deref().unwrap_or(sm.text()));
    !text.message_id.is_empty() && MessageState::from_word(text.word).is_some()
}

/// Keeps a message from a handset as the body of a deliver_sm that every ESME can read: of what is wrong with it only as much is
/// left out as has to be (fact sheet 5.1, 7.1, 11), and what one message centre tells another goes no further (3.2). The text of a
/// data_sm goes where a deliver_sm has it, as far as there is room.
fn keep_inbound(command: Command, sm: &Sm<'_>, intake: &mut LinkIntake) -> Matter {
    // A deliver_sm has no room for more, and part of a number is somebody else's.
    if sm.source.addr.len() > ADDR_MAX || sm.destination.addr.len() > ADDR_MAX {
        return Matter::Illegible;
    }
    let is_short = command == Command::DATA_SM && sm.text().len() <= SHORT_MESSAGE_MAX;
    let stays = |tlv: &Tlv<'_>| {
        tlv.has_legal_length(Reading::Lenient) && !(is_short && tlv.tag == Tag::MESSAGE_PAYLOAD)
    };
    let mut tlvs = BytesMut::new();
    sm.tlvs.iter().filter(stays).for_each(|tlv| put_tlv(&mut tlvs, tlv.tag, tlv.value));
    let sm = Sm {
        service_type: &sm.service_type[..sm.service_type.len().min(SERVICE_TYPE_MAX)],
        esm_class: if sm.has_udh() { sm.esm_class } else { sm.esm_class & !UDHI },
        schedule_delivery_time: b"",
        validity_period: b"",
        replace_if_present_flag: 0,
        sm_default_msg_id: 0,
        short_message: match sm.has_two_texts() {
            _ if is_short => sm.text(),
            true => b"",
            false => sm.short_message,
        },
        tlvs: Tlvs::read(&tlvs, Reading::Carrier).unwrap_or_default(),
        ..*sm
    };
    let mut body = BytesMut::new();
    sm.encode_body(&mut body);
    Matter::Inbound { body: intake.keep(&body) }
}

/// Keeps the body of an alert_notification, its status as a TLV if it came bare (field bug F17); `None` if nobody can tell
/// whom it is about.
pub(super) fn keep_alert(body: &[u8], intake: &mut LinkIntake) -> Option<Range<u32>> {
    let alert = AlertNotification::decode(body, Reading::Carrier).ok()?;
    let Some(status) = alert.bare_status else { return Some(intake.keep(body)) };
    let mut whole = BytesMut::new();
    AlertNotification { bare_status: None, ..alert }.encode_body(&mut whole);
    put_tlv(&mut whole, Tag::MS_AVAILABILITY_STATUS, &[status]);
    Some(intake.keep(&whole))
}

/// The error of a receipt's text as a network_error_code: MC specific, with the number if it is one.
fn text_error(text: &[u8]) -> [u8; 3] {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<u16>().ok()).unwrap_or(0);
    let [high, low] = number.to_be_bytes();
    [MC_SPECIFIC, high, low]
}

/// Octets of an address in a deliver_sm, at most (SMPP 3.4 §5.2.9).
const ADDR_MAX: usize = 20;
/// Octets of short_message that everybody takes.
const SHORT_MESSAGE_MAX: usize = 254;
/// Octets of a service_type, at most (SMPP 3.4 §5.2.11).
const SERVICE_TYPE_MAX: usize = 5;
/// esm_class bit 6: the user data begins with a header.
const UDHI: u8 = 0x40;
/// esm_class bits 5-2: the type of message (SMPP 5.0 §4.7.12).
const TYPE_MASK: u8 = 0x3C;
/// network_error_code, octet 1: MC specific (SMPP 5.0 §4.8.4.42).
const MC_SPECIFIC: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Address, Tlvs};

    const TEXT: &[u8] =
        b"id:77 sub:001 dlvrd:001 submit date:2603151000 done date:2603151001 stat:DELIVRD err:000 text:";

    fn sm<'a>(esm_class: u8, data_coding: u8, text: &'a [u8], tlvs: &'a [u8]) -> Sm<'a> {
        Sm {
            source: Address { ton: 1, npi: 1, addr: b"447700900123" },
            destination: Address { ton: 0, npi: 0, addr: b"12345" },
            esm_class,
            data_coding,
            short_message: text,
            tlvs: Tlvs::read(tlvs, Reading::Lenient).expect("well formed"),
            ..Sm::default()
        }
    }

    /// What a message says as a deliver_sm and as a data_sm, as (id, id of the text, state); both say the same.
    fn told(sm: &Sm<'_>, unmarked: Unmarked) -> Option<(Vec<u8>, Vec<u8>, MessageState)> {
        let (mut deliver_sm, mut data_sm) = (BytesMut::new(), BytesMut::new());
        sm.encode_body(&mut deliver_sm);
        sm.encode_data_body(&mut data_sm);
        let [first, second] =
            [(Command::DELIVER_SM, deliver_sm), (Command::DATA_SM, data_sm)].map(|(command, body)| {
                let mut intake = LinkIntake::default();
                match read(command, &body, unmarked, &mut intake) {
                    Matter::Receipt { id, text_id, state, destination, .. } => {
                        assert_eq!(intake.id(&destination), b"447700900123");
                        Some((intake.id(&id).to_vec(), intake.id(&text_id).to_vec(), state))
                    }
                    Matter::Inbound { .. } | Matter::Unreadable | Matter::Illegible => None,
                }
            });
        assert_eq!(first, second, "deliver_sm and data_sm");
        first
    }

    fn marked(sm: &Sm<'_>) -> Option<(Vec<u8>, Vec<u8>, MessageState)> {
        told(sm, Unmarked::Never)
    }

    /// Field bugs D9, D10, D11; fact sheet 8.2: as deliver_sm and as data_sm.
    #[test]
    fn receipts_are_read_in_every_form() {
        let wide: Vec<u8> = TEXT.iter().flat_map(|octet| [0, *octet]).collect();
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::RECEIPTED_MESSAGE_ID, b"77\0");
        put_tlv(&mut tlvs, Tag::MESSAGE_STATE, &[2]);
        let expected = Some((b"77".to_vec(), Vec::new(), MessageState::Delivered));

        assert_eq!(marked(&sm(0x04, 0, TEXT, b"")), expected);
        assert_eq!(marked(&sm(0x04, 0, b"", &tlvs)), expected);
        assert_eq!(marked(&sm(0x04, 8, &wide, b"")), expected);
    }

    #[test]
    fn id_of_the_text_is_told_where_it_differs() {
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::RECEIPTED_MESSAGE_ID, b"4D\0");

        assert_eq!(
            marked(&sm(0x04, 0, TEXT, &tlvs)),
            Some((b"4D".to_vec(), b"77".to_vec(), MessageState::Delivered))
        );
    }

    /// Field bug D8.
    #[test]
    fn intermediate_notification_is_never_final_and_a_persons_text_no_receipt() {
        assert_eq!(marked(&sm(0x20, 0, TEXT, b"")).map(|(.., state)| state), Some(MessageState::Enroute));
        assert_eq!(marked(&sm(0, 0, TEXT, b"")), None);
        assert_eq!(marked(&sm(0x04, 0, b"nothing", b"")), None);
    }

    /// Fact sheet 8.2: esm_class 0 is a receipt by the carrier's setting only.
    #[test]
    fn receipts_without_the_bits_are_told_by_what_is_set() {
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::RECEIPTED_MESSAGE_ID, b"77\0");
        let (by_parameter, by_text) = (sm(0, 0, TEXT, &tlvs), sm(0, 0, TEXT, b""));
        let person = sm(0, 0, b"id:77 please stat:soon", b"");
        let acknowledgement = sm(0x08, 0, b"read", &tlvs);

        for (unmarked, expected) in [
            (Unmarked::Never, [false, false]),
            (Unmarked::ByParameter, [true, false]),
            (Unmarked::ByText, [true, true]),
        ] {
            assert_eq!(
                [&by_parameter, &by_text].map(|sm| told(sm, unmarked).is_some()),
                expected,
                "{unmarked:?}"
            );
            assert_eq!(
                [&person, &acknowledgement].map(|sm| told(sm, unmarked)),
                [None, None],
                "{unmarked:?}"
            );
        }
    }

    /// What is kept of a message from a handset, if anything is.
    fn kept(sm: &Sm<'_>) -> Option<BytesMut> {
        let mut body = BytesMut::new();
        sm.encode_body(&mut body);
        let mut intake = LinkIntake::default();
        match read(Command::DELIVER_SM, &body, Unmarked::ByText, &mut intake) {
            Matter::Inbound { body } => Some(BytesMut::from(intake.id(&body))),
            other => {
                assert_eq!(other, Matter::Illegible);
                None
            }
        }
    }

    #[test]
    fn sound_message_of_a_handset_is_kept_octet_by_octet() {
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::SOURCE_PORT, &[0, 7]);
        put_tlv(&mut tlvs, Tag(0x1401), b"theirs");
        for (esm_class, text) in
            [(0x40, &b"\x05\0\x03\x07\x02\x01hello"[..]), (0x80, b"hello"), (0x08, b"read")]
        {
            let sm = Sm { registered_delivery: 0x0C, protocol_id: 9, ..sm(esm_class, 0, text, &tlvs) };
            let mut body = BytesMut::new();
            sm.encode_body(&mut body);

            assert_eq!(kept(&sm), Some(body), "{esm_class:#x}");
        }
    }

    #[test]
    fn text_of_a_data_sm_stands_where_a_deliver_sm_has_it_if_there_is_room() {
        for (octets, in_payload) in [(254, false), (255, true)] {
            let (mut body, text) = (BytesMut::new(), vec![b'x'; octets]);
            let mut tlvs = BytesMut::new();
            put_tlv(&mut tlvs, Tag(0x1401), b"theirs");
            sm(0, 0, &text, &tlvs).encode_data_body(&mut body);
            let mut intake = LinkIntake::default();

            let matter = read(Command::DATA_SM, &body, Unmarked::Never, &mut intake);

            let Matter::Inbound { body } = matter else { panic!("{matter:?}") };
            let sm = Sm::decode(intake.id(&body), Reading::Strict).expect("legal");
            assert_eq!((sm.text(), sm.short_message.is_empty()), (&text[..], in_payload));
            assert_eq!(sm.tlvs.find(Tag::MESSAGE_PAYLOAD).is_some(), in_payload);
            assert_eq!(sm.tlvs.find(Tag(0x1401)), Some(&b"theirs"[..]));
        }
    }

    /// Fact sheet 3.2, 5.1, 7.1, 11: from carriers what can be read is kept, and every ESME can read it.
    #[test]
    fn broken_message_of_a_handset_is_kept_without_what_is_broken() {
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::SOURCE_PORT, &[7]);
        put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, b"whole");
        put_tlv(&mut tlvs, Tag(0x1401), b"theirs");
        let broken = Sm {
            service_type: b"TOOLONG",
            schedule_delivery_time: b"tomorrow",
            validity_period: b"000001000000000R",
            replace_if_present_flag: 3,
            sm_default_msg_id: 7,
            ..sm(0x40, 0, b"\x60cut", &tlvs)
        };

        let body = kept(&broken).expect("its addresses can be read");

        let sm = Sm::decode(&body, Reading::Strict).expect("legal");
        assert_eq!((sm.source, sm.destination), (broken.source, broken.destination));
        assert_eq!((sm.service_type, sm.esm_class, sm.text()), (&b"TOOLO"[..], 0, &b"whole"[..]));
        assert_eq!((sm.short_message, sm.tlvs.find(Tag::SOURCE_PORT)), (&b""[..], None));
        assert_eq!(sm.tlvs.find(Tag(0x1401)), Some(&b"theirs"[..]));
        assert_eq!((sm.schedule_delivery_time, sm.validity_period), (&b""[..], &b""[..]));
        assert_eq!((sm.replace_if_present_flag, sm.sm_default_msg_id), (0, 0));
    }

    /// Fact sheet 11: part of an address is somebody else's.
    #[test]
    fn message_whose_addresses_no_deliver_sm_has_room_for_is_illegible() {
        let long = Address { ton: 5, npi: 0, addr: b"twenty-one characters" };

        assert_eq!(kept(&Sm { source: long, ..sm(0, 0, b"hello", b"") }), None);
        assert_eq!(kept(&Sm { destination: long, ..sm(0, 0, b"hello", b"") }), None);
        let mut intake = LinkIntake::default();
        assert_eq!(read(Command::DELIVER_SM, b"", Unmarked::Never, &mut intake), Matter::Illegible);
    }

    /// Field bug F17.
    #[test]
    fn alert_with_a_bare_status_is_kept_as_it_ought_to_be() {
        let mut bare = BytesMut::new();
        let source = Address { ton: 1, npi: 1, addr: b"447700900123" };
        AlertNotification { source, bare_status: Some(2), ..AlertNotification::default() }
            .encode_body(&mut bare);
        let mut intake = LinkIntake::default();

        let range = keep_alert(&bare, &mut intake).expect("readable");

        let alert = AlertNotification::decode(intake.id(&range), Reading::Strict).expect("legal");
        assert_eq!((alert.source, alert.tlvs.u8(Tag::MS_AVAILABILITY_STATUS)), (source, Some(2)));
        assert_eq!(keep_alert(b"", &mut intake), None);
    }
}
