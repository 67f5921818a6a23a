//! Our encoders against Wireshark's dissector, over PDUs of every kind: none malformed, and each field where and what we meant.
//!
//! Reads a capture that the test writes itself, so that it needs no right to capture.

#[path = "differential/fields.rs"]
mod fields;
#[path = "differential/ours.rs"]
mod ours;
#[path = "support/sample.rs"]
mod sample;
mod support;

use enroute::clock::UnixMs;
use enroute::codec::{
    Command, Destination, Header, MultiResp, Reading, SmppTime, SubmitMulti, Tag, Tlvs, next_frame, read_time,
};
use fields::Fields;
use sample::KINDS;
use std::collections::BTreeMap;
use std::fs;
use std::process;
use support::TempDir;
use support::foreign::prepared;

/// PDUs of each kind.
const EACH: u64 = 250;

/// The registered port of SMPP.
const PORT: u16 = 2775;

#[test]
fn dissector_reads_every_field_as_it_was_meant() {
    if prepared("dissector_reads_every_field_as_it_was_meant").is_none() {
        return;
    }
    let dir = TempDir::new("dissector");
    let pdus: Vec<Vec<u8>> =
        KINDS.iter().flat_map(|kind| (0..EACH).map(|seed| kind.of_seed(seed).to_vec())).collect();

    let table = dissect(&dir, &pdus);

    assert_eq!(table.len(), pdus.len());
    let mut compared = 0;
    for (pdu, row) in pdus.iter().zip(&table) {
        if is_beyond_the_dissector(pdu) {
            assert_ne!(row["_ws.malformed"], "", "the dissector has learnt it: drop the exception");
            continue;
        }
        assert_eq!(row["_ws.malformed"], "", "{pdu:02x?}");
        let expected = expected(pdu);
        for (name, theirs) in row.iter().filter(|(name, _)| **name != "_ws.malformed") {
            let ours = expected.get(name).map(|values| values.join(";")).unwrap_or_default();
            assert_eq!(plain(name, theirs), ours, "{name} of {pdu:02x?}");
            compared += usize::from(!ours.is_empty());
        }
    }
    assert!(compared > 8 * pdus.len(), "only {compared} fields of {} PDUs were compared", pdus.len());
}

/// The test above can fail: a string without its NUL, and a field of another value.
#[test]
fn dissector_finds_what_is_wrong() {
    if prepared("dissector_finds_what_is_wrong").is_none() {
        return;
    }
    let dir = TempDir::new("dissector-wrong");
    let query = KINDS.iter().find(|kind| kind.command == Command::QUERY_SM).expect("listed");
    let whole = query.of_seed(1).to_vec();
    let mut cut = whole[..whole.len() - 1].to_vec();
    let length = cut.len() as u32;
    cut[..4].copy_from_slice(&length.to_be_bytes());
    let mut other = whole.clone();
    other[Header::LEN] ^= 1;

    let table = dissect(&dir, &[cut, other]);

    assert_ne!(table[0]["_ws.malformed"], "");
    assert_ne!(table[1]["smpp.message_id"], expected(&whole)["smpp.message_id"].join(";"));
}

/// The dissector takes broadcast_rep_num for one octet; 5.0 and we have two (fact sheet 17).
fn is_beyond_the_dissector(pdu: &[u8]) -> bool {
    let frame = next_frame(pdu, usize::MAX).expect("framed").expect("whole");
    frame.header.command == Command::BROADCAST_SM
        && ours::read(&frame).is_ok_and(|fields| tlvs(&fields).find(Tag::BROADCAST_REP_NUM).is_some())
}

/// A field of the dissector, and where its value comes from.
enum Source {
    /// An integer of one octet: its bits under this mask, moved down.
    Octet(&'static str, u8),
    Text(&'static str),
    Octets(&'static str),
    Time(&'static str),
    /// An integer in a parameter.
    Int(Tag),
    /// A string in a parameter.
    String(Tag),
    /// Made by [`expected`] itself.
    Own,
}

use Source::{Int, Octet, Octets, Own, String as CStr, Text, Time};

#[rustfmt::skip] // a table: a line each
const COLUMNS: [(&str, Source); 55] = [
    ("_ws.malformed", Own),
    ("smpp.command_length", Own),
    ("smpp.command_id", Own),
    ("smpp.command_status", Own),
    ("smpp.sequence_number", Own),
    ("smpp.system_id", Text("system_id")),
    ("smpp.password", Text("password")),
    ("smpp.system_type", Text("system_type")),
    ("smpp.interface_version", Octet("interface_version", 0xFF)),
    ("smpp.addr_ton", Octet("addr_ton", 0xFF)),
    ("smpp.addr_npi", Octet("addr_npi", 0xFF)),
    ("smpp.address_range", Text("address_range")),
    ("smpp.service_type", Text("service_type")),
    ("smpp.source_addr_ton", Octet("source_addr_ton", 0xFF)),
    ("smpp.source_addr_npi", Octet("source_addr_npi", 0xFF)),
    ("smpp.source_addr", Text("source_addr")),
    ("smpp.dest_addr_ton", Octet("dest_addr_ton", 0xFF)),
    ("smpp.dest_addr_npi", Octet("dest_addr_npi", 0xFF)),
    ("smpp.destination_addr", Text("destination_addr")),
    ("smpp.esme_addr_ton", Octet("esme_addr_ton", 0xFF)),
    ("smpp.esme_addr_npi", Octet("esme_addr_npi", 0xFF)),
    ("smpp.esme_addr", Text("esme_addr")),
    ("smpp.dl_name", Own),
    ("smpp.error_status_code", Own),
    ("smpp.esm.submit.msg_mode", Octet("esm_class", 0x03)),
    ("smpp.esm.submit.msg_type", Octet("esm_class", 0x3C)),
    ("smpp.esm.submit.features", Octet("esm_class", 0xC0)),
    ("smpp.protocol_id", Octet("protocol_id", 0xFF)),
    ("smpp.priority_flag", Octet("priority_flag", 0xFF)),
    ("smpp.schedule_delivery_time", Time("schedule_delivery_time")),
    ("smpp.validity_period", Time("validity_period")),
    ("smpp.final_date", Time("final_date")),
    ("smpp.regdel.receipt", Octet("registered_delivery", 0x03)),
    ("smpp.regdel.acks", Octet("registered_delivery", 0x0C)),
    ("smpp.regdel.notif", Octet("registered_delivery", 0x10)),
    ("smpp.replace_if_present_flag", Octet("replace_if_present_flag", 0x01)),
    ("smpp.data_coding", Octet("data_coding", 0xFF)),
    ("smpp.sm_default_msg_id", Octet("sm_default_msg_id", 0xFF)),
    ("smpp.sm_length", Own),
    ("smpp.message", Octets("short_message")),
    ("smpp.message_id", Text("message_id")),
    ("smpp.error_code", Octet("error_code", 0xFF)),
    ("smpp.opt_param_tag", Own),
    ("smpp.opt_param_len", Own),
    ("smpp.user_message_reference", Int(Tag::USER_MESSAGE_REFERENCE)),
    ("smpp.source_port", Int(Tag::SOURCE_PORT)),
    ("smpp.destination_port", Int(Tag::DEST_PORT)),
    ("smpp.sar_msg_ref_num", Int(Tag::SAR_MSG_REF_NUM)),
    ("smpp.sar_total_segments", Int(Tag::SAR_TOTAL_SEGMENTS)),
    ("smpp.sar_segment_seqnum", Int(Tag::SAR_SEGMENT_SEQNUM)),
    ("smpp.qos_time_to_live", Int(Tag::QOS_TIME_TO_LIVE)),
    ("smpp.more_messages_to_send", Int(Tag::MORE_MESSAGES_TO_SEND)),
    ("smpp.receipted_message_id", CStr(Tag::RECEIPTED_MESSAGE_ID)),
    ("smpp.additional_status_info_text", CStr(Tag::ADDITIONAL_STATUS_INFO_TEXT)),
    ("smpp.SC_interface_version", Int(Tag::SC_INTERFACE_VERSION)),
];

/// What the dissector says of each PDU, by the names of its fields.
fn dissect(dir: &TempDir, pdus: &[Vec<u8>]) -> Vec<BTreeMap<&'static str, String>> {
    let file = dir.file("sample.pcap");
    fs::write(&file, pcap(pdus)).expect("the test's folder is writable");
    let mut command = process::Command::new("tshark");
    command.env("TZ", "UTC").args([
        "-n",
        "-r",
        &file,
        "-d",
        &format!("tcp.port=={PORT},smpp"),
        "-T",
        "fields",
    ]);
    command.args(["-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=;"]);
    command.args(COLUMNS.iter().flat_map(|(name, _)| ["-e", name]));
    let output = command.output().expect("scripts/test installs tshark");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("the fields asked for are ASCII");
    let row =
        |line: &str| COLUMNS.iter().map(|(name, _)| *name).zip(line.split('\t').map(str::to_owned)).collect();
    text.lines().map(row).collect()
}

/// What the dissector has to say of `pdu`: each field with its values, in plain form.
fn expected(pdu: &[u8]) -> BTreeMap<&'static str, Vec<String>> {
    let frame = next_frame(pdu, usize::MAX).expect("framed").expect("whole");
    let header = frame.header;
    let fields = ours::read(&frame).expect("the sample is legal");
    let mut list = BTreeMap::new();
    for (name, number) in [
        ("smpp.command_length", header.length),
        ("smpp.command_id", header.command.0),
        ("smpp.sequence_number", header.sequence),
    ] {
        list.insert(name, vec![number.to_string()]);
    }
    if header.command.is_response() {
        list.insert("smpp.command_status", vec![header.status.0.to_string()]);
    }
    if !header.status.is_ok() {
        return list; // the dissector doesn't look behind the header of a refusal
    }
    for (name, source) in &COLUMNS {
        let values = values(&fields, source);
        if !values.is_empty() {
            list.insert(*name, values);
        }
    }
    let tlvs = tlvs(&fields);
    list.insert("smpp.opt_param_tag", tlvs.iter().map(|tlv| tlv.tag.0.to_string()).collect());
    list.insert("smpp.opt_param_len", tlvs.iter().map(|tlv| tlv.value.len().to_string()).collect());
    if let Some(text) = fields.value("short_message") {
        list.insert("smpp.sm_length", vec![text.len().to_string()]);
    }
    match header.command {
        Command::SUBMIT_MULTI => expect_destinations(frame.body, &mut list),
        command if command == Command::SUBMIT_MULTI.response() => expect_refused(frame.body, &mut list),
        _ => {} // no lists in the others
    }
    list
}

fn tlvs(fields: &Fields) -> Tlvs<'_> {
    Tlvs::read(fields.value("tlvs").unwrap_or_default(), Reading::Strict).expect("the sample is legal")
}

fn values(fields: &Fields, source: &Source) -> Vec<String> {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let found = |name| fields.value(name).filter(|octets| !octets.is_empty());
    let integer =
        |value: &[u8]| value.iter().fold(0u64, |sum, octet| sum << 8 | u64::from(*octet)).to_string();
    match source {
        Octet(name, mask) => found(name)
            .map(|octets| ((octets[0] & mask) >> mask.trailing_zeros()).to_string())
            .into_iter()
            .collect(),
        Text(name) => found(name).map(text).into_iter().collect(),
        Octets(name) => found(name).map(hex).into_iter().collect(),
        Time(name) => found(name).and_then(absolute).into_iter().collect(),
        Int(tag) => tlvs(fields).iter().filter(|tlv| tlv.tag == *tag).map(|tlv| integer(tlv.value)).collect(),
        CStr(tag) => {
            let all = tlvs(fields)
                .iter()
                .filter(|tlv| tlv.tag == *tag)
                .map(|tlv| text(&tlv.value[..tlv.value.len() - 1]));
            all.collect()
        }
        Own => Vec::new(),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Seconds since 1970 of a time that names a date; relative ones are in fields of their own.
fn absolute(field: &[u8]) -> Option<String> {
    match read_time(field, UnixMs(1_773_568_800_000)) {
        Ok(Some(SmppTime::Absolute(at))) => Some((at.0 / 1000).to_string()),
        Ok(Some(SmppTime::Relative(_)) | None) => None,
        Err(error) => panic!("the sample is legal: {error}"),
    }
}

type Expected = BTreeMap<&'static str, Vec<String>>;

fn expect_destinations(body: &[u8], list: &mut Expected) {
    let multi = SubmitMulti::decode(body, Reading::Strict).expect("the sample is legal");
    for destination in multi.destinations.iter() {
        match destination {
            Destination::Sme(address) => expect_address(list, &address),
            Destination::List(name) => expect_text(list, "smpp.dl_name", name),
        }
    }
}

fn expect_refused(body: &[u8], list: &mut Expected) {
    for (address, status) in MultiResp::decode(body).unsuccess.iter() {
        expect_address(list, &address);
        list.entry("smpp.error_status_code").or_default().push(status.0.to_string());
    }
}

fn expect_address(list: &mut Expected, address: &enroute::codec::Address<'_>) {
    list.entry("smpp.dest_addr_ton").or_default().push(address.ton.to_string());
    list.entry("smpp.dest_addr_npi").or_default().push(address.npi.to_string());
    expect_text(list, "smpp.destination_addr", address.addr);
}

fn expect_text(list: &mut Expected, name: &'static str, text: &[u8]) {
    let values = list.entry(name).or_default();
    // Empty strings have no value of their own.
    if !text.is_empty() {
        values.push(String::from_utf8_lossy(text).into_owned());
    }
}

/// The dissector's values in plain form: decimal numbers, seconds since 1970, no empty strings.
fn plain(name: &str, values: &str) -> String {
    let source = COLUMNS.iter().find(|column| column.0 == name).map(|column| &column.1);
    let one = |value: &str| match (source, value.strip_prefix("0x")) {
        (Some(Time(_)), _) => jiff::fmt::strtime::parse("%b %d, %Y %H:%M:%S%.f UTC", value)
            .and_then(|time| time.to_datetime())
            .map(|time| {
                jiff::tz::Offset::UTC.to_timestamp(time).expect("a date of ours").as_second().to_string()
            })
            .unwrap_or_else(|error| panic!("{name} {value:?}: {error}")),
        (Some(Text("service_type")), _) if value == "(Default)" => String::new(),
        (Some(Text(_) | Octets(_) | CStr(_)) | None, _) | (_, None) => value.to_owned(),
        (Some(Octet(..) | Int(_) | Own), Some(digits)) => u32::from_str_radix(digits, 16)
            .unwrap_or_else(|error| panic!("{name} {value:?}: {error}"))
            .to_string(),
    };
    if values.is_empty() { String::new() } else { values.split(';').map(one).collect::<Vec<_>>().join(";") }
}

/// A capture of one TCP connection, a PDU a segment, both checksums left out.
fn pcap(pdus: &[Vec<u8>]) -> Vec<u8> {
    // Magic, version 2.4, zone, accuracy, longest packet, link type "raw IP".
    let mut file = words(&[0xA1B2_C3D4, 0x0002_0004, 0, 0, 262_144, 101]);
    let mut sequence = 1u32;
    for (second, pdu) in (0u32..).zip(pdus) {
        let length = (40 + pdu.len()) as u32;
        file.extend(words(&[second, 0, length, length]));
        // IPv4 without options, 127.0.0.1 to 127.0.0.2; TCP with PSH and ACK.
        file.extend(words(&[0x4500_0000 | length, 0x0000_4000, 0x4006_0000, 0x7F00_0001, 0x7F00_0002]));
        let ports = u32::from(PORT + 1) << 16 | u32::from(PORT);
        file.extend(words(&[ports, sequence, 1, 0x5018_FFFF, 0]));
        file.extend_from_slice(pdu);
        sequence = sequence.wrapping_add(pdu.len() as u32);
    }
    file
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}
