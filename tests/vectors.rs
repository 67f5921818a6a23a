//! The vectors that other implementations agree on: PDUs, streams, times and receipts.

use bytes::BytesMut;
use enroute::clock::UnixMs;
use enroute::codec::{
    Bind, BindResp, Command, Frame, MAX_PDU_LEN, MessageState, Reading, ReceiptDate, ReceiptText, Sm, SmResp,
    SmppTime, Tlvs, header_only, next_frame, read_time,
};
use serde_json::Value;

/// PDUs that the codec has no view of yet. Each has to leave this list with the code that reads it.
const NOT_YET: [&str; 15] = [
    "outbind",
    "submit_multi",
    "submit_multi_resp",
    "data_sm",
    "data_sm_resp",
    "query_sm",
    "query_sm_resp",
    "cancel_sm",
    "replace_sm",
    "alert_notification",
    "broadcast_sm",
    "broadcast_sm_resp",
    "query_broadcast_sm",
    "query_broadcast_sm_resp",
    "cancel_broadcast_sm",
];

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/smpp-vectors.json")).expect("the file is JSON")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("{name} is a list"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is a string in {value}"))
}

fn octet(value: &Value, name: &str) -> u8 {
    let number = value[name].as_u64().unwrap_or_else(|| panic!("{name} is a number in {value}"));
    u8::try_from(number).expect("an octet")
}

fn octets(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0);
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits"))
        .collect()
}

fn number(hex: &str) -> u32 {
    u32::from_str_radix(hex.trim_start_matches("0x"), 16).expect("hex digits")
}

#[test]
fn every_pdu_decodes_to_its_fields_and_encodes_to_its_octets() {
    let vectors = vectors();
    let mut checked = 0;

    for vector in list(&vectors, "pdus") {
        let pdu = octets(text(vector, "hex"));
        let frame = next_frame(&pdu, MAX_PDU_LEN).expect("framed").expect("whole");
        check_header(vector, &frame);
        let kind = text(vector, "pdu");
        if NOT_YET.contains(&kind) {
            continue;
        }
        let mut out = BytesMut::new();
        check_body(vector, kind, &frame, &mut out);
        assert_eq!(out, pdu, "{}", text(vector, "name"));
        checked += 1;
    }

    assert_eq!(checked, 44);
}

fn check_header(vector: &Value, frame: &Frame<'_>) {
    let header = frame.header;
    assert_eq!(u64::from(header.length), vector["command_length"]);
    assert_eq!(header.command.0, number(text(vector, "command_id")));
    assert_eq!(header.status.0, number(text(vector, "command_status")));
    assert_eq!(u64::from(header.sequence), vector["sequence_number"]);
    assert_eq!(header.command.name(), text(vector, "pdu"));
}

fn check_body(vector: &Value, kind: &str, frame: &Frame<'_>, out: &mut BytesMut) {
    let header = frame.header;
    let fields = &vector["fields"];
    match kind {
        _ if vector["body"].is_string() => {
            assert!(frame.is_empty(), "{vector}");
            header_only(out, header.command, header.status, header.sequence);
        }
        "bind_receiver" | "bind_transmitter" | "bind_transceiver" => {
            let bind = Bind::decode(frame.body, Reading::Strict).expect("legal");
            check_bind(fields, &bind);
            bind.encode(out, header.command, header.sequence);
        }
        "bind_receiver_resp" | "bind_transmitter_resp" | "bind_transceiver_resp" => {
            let resp = BindResp::decode(frame.body);
            assert_eq!(resp.system_id, text(fields, "system_id").as_bytes());
            let version = vector["tlvs"][0]["value"].as_u64();
            assert_eq!(resp.sc_interface_version.map(u64::from), version);
            resp.encode(out, header.command, header.status, header.sequence);
        }
        "submit_sm" | "deliver_sm" => {
            let sm = Sm::decode(frame.body, Reading::Strict).expect("legal");
            check_sm(fields, &sm);
            check_tlvs(vector, sm.tlvs);
            sm.encode(out, header.command, header.sequence);
        }
        "submit_sm_resp" | "deliver_sm_resp" => {
            let resp = SmResp::decode(frame.body);
            assert_eq!(resp.message_id, text(fields, "message_id").as_bytes());
            check_tlvs(vector, resp.tlvs);
            resp.encode(out, header.command, header.status, header.sequence);
        }
        other => panic!("{other} is neither read nor listed as not yet read"),
    }
}

fn check_bind(fields: &Value, bind: &Bind<'_>) {
    assert_eq!(bind.system_id, text(fields, "system_id").as_bytes());
    assert_eq!(bind.password, text(fields, "password").as_bytes());
    assert_eq!(bind.system_type, text(fields, "system_type").as_bytes());
    assert_eq!(bind.interface_version, octet(fields, "interface_version"));
    assert_eq!(bind.addr_ton, octet(fields, "addr_ton"));
    assert_eq!(bind.addr_npi, octet(fields, "addr_npi"));
    assert_eq!(bind.address_range, text(fields, "address_range").as_bytes());
}

fn check_sm(fields: &Value, sm: &Sm<'_>) {
    for (name, value) in [
        ("service_type", sm.service_type),
        ("source_addr", sm.source.addr),
        ("destination_addr", sm.destination.addr),
        ("schedule_delivery_time", sm.schedule_delivery_time),
        ("validity_period", sm.validity_period),
    ] {
        assert_eq!(value, text(fields, name).as_bytes(), "{name}");
    }
    for (name, value) in [
        ("source_addr_ton", sm.source.ton),
        ("source_addr_npi", sm.source.npi),
        ("dest_addr_ton", sm.destination.ton),
        ("dest_addr_npi", sm.destination.npi),
        ("esm_class", sm.esm_class),
        ("protocol_id", sm.protocol_id),
        ("priority_flag", sm.priority_flag),
        ("registered_delivery", sm.registered_delivery),
        ("replace_if_present_flag", sm.replace_if_present_flag),
        ("data_coding", sm.data_coding),
        ("sm_default_msg_id", sm.sm_default_msg_id),
    ] {
        assert_eq!(value, octet(fields, name), "{name}");
    }
    assert_eq!(sm.short_message.len() as u64, fields["sm_length"]);
    assert_eq!(sm.short_message, octets(text(fields, "short_message_hex")));
}

fn check_tlvs(vector: &Value, tlvs: Tlvs<'_>) {
    let expected = vector["tlvs"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(tlvs.iter().count(), expected.len());
    for (tlv, expected) in tlvs.iter().zip(expected) {
        assert_eq!(u32::from(tlv.tag.0), number(text(expected, "tag")));
        assert_eq!(tlv.tag.name(), expected["name"].as_str());
        assert_eq!(tlv.value, octets(text(expected, "value_hex")));
    }
}

/// F1: however the stream is cut, the same PDUs come out of it.
#[test]
fn streams_give_the_same_pdus_however_they_are_cut() {
    let vectors = vectors();
    let pdu_of = |name: &Value| {
        let vector = list(&vectors, "pdus").iter().find(|pdu| pdu["name"] == *name);
        octets(text(vector.expect("a stream names its vectors"), "hex"))
    };

    for stream in list(&vectors, "streams") {
        let chunks: Vec<Vec<u8>> = match stream["chunks"].as_array() {
            Some(chunks) => chunks.iter().map(|chunk| octets(chunk.as_str().expect("hex"))).collect(),
            None if stream["name"] == "one_octet_at_a_time" => {
                octets(text(stream, "hex")).iter().map(|octet| vec![*octet]).collect()
            }
            None => vec![octets(text(stream, "hex"))],
        };
        let expected: Vec<_> = list(stream, "expect").iter().map(pdu_of).collect();

        assert_eq!(pdus_of(&chunks), expected, "{}", stream["name"]);
    }
}

fn pdus_of(chunks: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut buffer = BytesMut::new();
    let mut pdus = Vec::new();
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        while let Some(frame) = next_frame(&buffer, MAX_PDU_LEN).expect("framed") {
            let length = frame.len();
            pdus.push(buffer.split_to(length).to_vec());
        }
    }
    assert!(buffer.is_empty());
    pdus
}

#[test]
fn every_time_string_is_read_by_the_rules() {
    let vectors = vectors();
    let times = &vectors["time_strings"];
    let now = instant(text(times, "now"));

    for case in list(times, "cases") {
        let value = text(case, "value");
        let expect = text(case, "expect");
        let expected = match (case["form"].as_str(), expect) {
            (Some("abs"), "see text") => Some(Some(SmppTime::Absolute(instant("2038-01-01T00:00:00Z")))),
            (Some("abs"), date) => Some(Some(SmppTime::Absolute(instant(date)))),
            (Some("rel"), span) => Some(Some(SmppTime::Relative(UnixMs(now.0 + span_ms(span))))),
            (Some("null"), _) => Some(None),
            (_, expect) => {
                assert_eq!(expect, "invalid");
                None
            }
        };

        assert_eq!(read_time(value.as_bytes(), now).ok(), expected, "{value}");
    }
    assert_eq!(list(times, "cases").len(), 28);
}

fn instant(date: &str) -> UnixMs {
    let timestamp: jiff::Timestamp = date.parse().expect("a date");
    UnixMs(timestamp.as_millisecond() as u64)
}

/// The spans of the vectors in milliseconds after 2026-03-15T10:00:00Z.
fn span_ms(span: &str) -> u64 {
    const HOUR: u64 = 3_600_000;
    match span {
        "P0" => 0,
        "+1h30m" => HOUR * 3 / 2,
        "+2d" => 48 * HOUR,
        // From 15 March to 15 April.
        "+1 calendar month" => 31 * 24 * HOUR,
        "+1 calendar year" => 365 * 24 * HOUR,
        // To 15 March 2028 (366 days of it in 2028), to 15 September (184 days), and on.
        "+2y 6m 10d 23h 34m 29s" => (365 + 366 + 184 + 10) * 24 * HOUR + 23 * HOUR + 34 * 60_000 + 29_000,
        "+99h" => 99 * HOUR,
        "+5s" => 5_000,
        other => panic!("an unknown span: {other}"),
    }
}

/// D9: the receipts of the field.
#[test]
fn every_receipt_text_is_read() {
    let vectors = vectors();
    let cases = list(&vectors, "receipt_texts");

    for case in cases {
        let receipt = ReceiptText::parse(text(case, "text").as_bytes());
        let expect = &case["expect"];
        let told = |name: &str| expect[name].as_str();
        assert_eq!(receipt.message_id, told("id").unwrap_or("").as_bytes(), "{case}");
        match told("state") {
            None => assert!(receipt.word.is_empty(), "{case}"),
            Some(state) => assert_eq!(MessageState::from_word(receipt.word), Some(state_of(state)), "{case}"),
        }
        if let Some(error) = told("err") {
            assert_eq!(receipt.error, error.as_bytes(), "{case}");
        }
        if let Some(words) = told("text") {
            assert_eq!(receipt.text, words.as_bytes());
        }
        check_date(&expect["submit"], expect.get("submit").is_some(), receipt.submit_date);
        check_date(&expect["done"], expect.get("done").is_some(), receipt.done_date);
    }
    assert_eq!(cases.len(), 18);
}

fn state_of(name: &str) -> MessageState {
    match name {
        "DELIVERED" => MessageState::Delivered,
        "UNDELIVERABLE" | "UNKNOWN_TEXT(FAILED) -> final failure" => MessageState::Undeliverable,
        "REJECTED" => MessageState::Rejected,
        "EXPIRED" => MessageState::Expired,
        "ENROUTE" => MessageState::Enroute,
        "ACCEPTED" => MessageState::Accepted,
        other => panic!("an unknown state: {other}"),
    }
}

fn check_date(expected: &Value, is_told: bool, date: Option<ReceiptDate>) {
    match expected.as_str() {
        Some(date_time) => {
            let date_time: jiff::civil::DateTime = date_time.parse().expect("a date and time");
            let seconds = date_time.second() as u8;
            let parts = date.expect("a date was there").parts();
            assert_eq!(
                (parts.0, parts.1 as i8, parts.2 as i8),
                (date_time.year(), date_time.month(), date_time.day())
            );
            assert_eq!(
                (parts.3 as i8, parts.4 as i8, parts.5),
                (date_time.hour(), date_time.minute(), seconds)
            );
        }
        None if is_told => assert_eq!(date, None),
        None => {}
    }
}

/// The list of what isn't read yet may not outlive its reason.
#[test]
fn commands_not_yet_read_are_known_commands() {
    let names: Vec<_> =
        (0..0x200).flat_map(|id| [Command(id), Command(id).response()]).map(Command::name).collect();

    for kind in NOT_YET {
        assert!(names.contains(&kind), "{kind}");
    }
}
