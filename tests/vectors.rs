//! The vectors that other implementations agree on: PDUs, streams, times and receipts.

#[path = "vectors/body.rs"]
mod body;

use bytes::BytesMut;
use enroute::clock::UnixMs;
use enroute::codec::{
    Frame, MAX_PDU_LEN, MessageState, ReceiptDate, ReceiptText, SmppTime, next_frame, read_time,
};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/smpp-vectors.json")).expect("the file is JSON")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("{name} is a list"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is a string in {value}"))
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

/// F19: byte-equal, each of them.
#[test]
fn every_pdu_decodes_to_its_fields_and_encodes_to_its_octets() {
    let vectors = vectors();
    let mut checked = 0;

    for vector in list(&vectors, "pdus") {
        let pdu = octets(text(vector, "hex"));
        let frame = next_frame(&pdu, MAX_PDU_LEN).expect("framed").expect("whole");
        check_header(vector, &frame);
        let mut out = BytesMut::new();
        body::check(vector, &frame, &mut out);
        assert_eq!(out, pdu, "{}", text(vector, "name"));
        checked += 1;
    }

    assert_eq!(checked, 63);
}

fn check_header(vector: &Value, frame: &Frame<'_>) {
    let header = frame.header;
    assert_eq!(u64::from(header.length), vector["command_length"]);
    assert_eq!(header.command.0, number(text(vector, "command_id")));
    assert_eq!(header.status.0, number(text(vector, "command_status")));
    assert_eq!(u64::from(header.sequence), vector["sequence_number"]);
    assert_eq!(header.command.name(), text(vector, "pdu"));
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
        check_date(
            &expect["submit"],
            expect.get("submit").is_some(),
            ReceiptDate::parse(receipt.submit_date),
        );
        check_date(&expect["done"], expect.get("done").is_some(), ReceiptDate::parse(receipt.done_date));
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
