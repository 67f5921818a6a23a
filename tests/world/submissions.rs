//! Submissions of every kind: how they are written is drawn by lot.
//!
//! Each function appends a body and tells its command, how many messages it may become (lists spelt out), and whether
//! receipts are asked for.

use super::{DESTINATION, SOURCE};
use bytes::BytesMut;
use enroute::codec::{
    Address, Command, DataSm, Destination, Destinations, Reading, Sm, SubmitMulti, Tag, Tlvs,
    put_destination, put_tlv,
};
use fastrand::Rng;

fn some_text(random: &mut Rng) -> Sm<'static> {
    const TIMES: [(&[u8], &[u8]); 5] = [
        (b"", b""),
        (b"", b""),
        (b"000000000030000R", b""),
        (b"", b"000000000100000R"),
        (b"000000000200000R", b"000000001000000R"),
    ];
    let (schedule_delivery_time, validity_period) = TIMES[random.usize(0..TIMES.len())];
    Sm {
        source: SOURCE,
        destination: DESTINATION,
        registered_delivery: if random.bool() { 0x01 } else { 0x11 },
        short_message: b"some text that takes room in the log",
        schedule_delivery_time,
        validity_period,
        ..Sm::default()
    }
}

pub fn write_text(random: &mut Rng, out: &mut BytesMut) -> (Command, usize, bool) {
    let replace_if_present_flag = u8::from(random.u8(0..8) == 0);
    Sm { replace_if_present_flag, ..some_text(random) }.encode_body(out);
    (Command::SUBMIT_SM, 1, true)
}

pub fn write_long(random: &mut Rng, out: &mut BytesMut) -> (Command, usize, bool) {
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, &[b'x'; 400]);
    let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
    Sm { short_message: b"", tlvs, ..some_text(random) }.encode_body(out);
    (Command::SUBMIT_SM, 1, true)
}

pub fn write_part(random: &mut Rng, out: &mut BytesMut) -> (Command, usize, bool) {
    let user_data = [5, 0, 3, random.u8(0..2), 2, random.u8(1..3), b'h', b'i'];
    Sm { esm_class: 0x40, short_message: &user_data, ..some_text(random) }.encode_body(out);
    (Command::SUBMIT_SM, 1, true)
}

pub fn write_multi(random: &mut Rng, out: &mut BytesMut) -> (Command, usize, bool) {
    let mut entries = BytesMut::new();
    for addr in [&b"447700900123"[..], b"447700900124", b""] {
        put_destination(&mut entries, &Destination::Sme(Address { ton: 1, npi: 1, addr }));
    }
    put_destination(&mut entries, &Destination::List(b"staff"));
    let destinations = Destinations::read(&entries).expect("well formed");
    let (long, part) = ([b'y'; 200], [5, 0, 3, 9, 2, random.u8(1..3), b'h', b'i']);
    let (esm_class, short_message) = match random.u8(0..3) {
        0 => (0, &b"short"[..]),
        1 => (0, &long[..]),
        _ => (0x40, &part[..]),
    };
    let sm = Sm { esm_class, short_message, ..some_text(random) };
    SubmitMulti { sm, destinations }.encode_body(out);
    (Command::SUBMIT_MULTI, 4, true)
}

pub fn write_data(random: &mut Rng, out: &mut BytesMut) -> (Command, usize, bool) {
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, b"as data");
    let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
    let Sm { source, destination, registered_delivery, .. } = some_text(random);
    DataSm { source, destination, registered_delivery, tlvs, ..DataSm::default() }.encode_body(out);
    (Command::DATA_SM, 1, true)
}

/// As datagram or transaction, short or long.
pub fn write_once(random: &mut Rng, out: &mut BytesMut) -> (Command, usize, bool) {
    let short_message = if random.bool() { &[b'z'; 250][..] } else { b"now" };
    let (source, destination) = (SOURCE, DESTINATION);
    let esm_class = random.u8(1..3);
    Sm { source, destination, esm_class, short_message, ..Sm::default() }.encode_body(out);
    (Command::SUBMIT_SM, 1, false)
}
