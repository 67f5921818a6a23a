//! PDUs of every kind, legal by the letter and as various as one seed allows, and ways to damage them.
//!
//! A kind of PDU is one line of [`KINDS`] and the function that writes it. Who needs another mixture filters the table.

// Each test file is a crate of its own and uses its own part of this one.
#![allow(dead_code)]

mod parameter;

use bytes::BytesMut;
use enroute::codec::{
    Address, AlertNotification, Bind, BindResp, BroadcastSm, CancelBroadcastSm, CancelSm, Command, DataSm,
    Destination, Destinations, Header, Outbind, QueryBroadcastSm, QueryResp, QuerySm, Reading, ReplaceSm, Sm,
    SmResp, Status, SubmitMulti, Tag, Tlvs, encode_id_resp, encode_multi_resp, header_only, put_destination,
    put_tlv,
};
use fastrand::Rng;
use parameter::{AVAILABILITY, BROADCAST, MESSAGE, PAYLOAD, REFERENCE, RESPONSE, put_optional, tlvs};

/// One kind of PDU: what it is, and who writes one with this sequence_number.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub command: Command,
    write: fn(&mut Rng, Command, u32, &mut BytesMut),
}

/// Every PDU of SMPP 5.0.
pub const KINDS: [Kind; 33] = [
    kind(Command::BIND_RECEIVER, bind),
    kind(Command::BIND_TRANSMITTER, bind),
    kind(Command::BIND_TRANSCEIVER, bind),
    kind(Command::BIND_RECEIVER.response(), bind_resp),
    kind(Command::BIND_TRANSMITTER.response(), bind_resp),
    kind(Command::BIND_TRANSCEIVER.response(), bind_resp),
    kind(Command::OUTBIND, outbind),
    kind(Command::UNBIND, bare),
    kind(Command::UNBIND.response(), bare),
    kind(Command::ENQUIRE_LINK, bare),
    kind(Command::ENQUIRE_LINK.response(), bare),
    kind(Command::GENERIC_NACK, refusal),
    kind(Command::ALERT_NOTIFICATION, alert_notification),
    kind(Command::SUBMIT_SM, sm),
    kind(Command::SUBMIT_SM.response(), id_resp),
    kind(Command::DELIVER_SM, sm),
    kind(Command::DELIVER_SM.response(), deliver_resp),
    kind(Command::DATA_SM, data_sm),
    kind(Command::DATA_SM.response(), id_resp),
    kind(Command::SUBMIT_MULTI, submit_multi),
    kind(Command::SUBMIT_MULTI.response(), multi_resp),
    kind(Command::QUERY_SM, query_sm),
    kind(Command::QUERY_SM.response(), query_resp),
    kind(Command::CANCEL_SM, cancel_sm),
    kind(Command::CANCEL_SM.response(), bare),
    kind(Command::REPLACE_SM, replace_sm),
    kind(Command::REPLACE_SM.response(), bare),
    kind(Command::BROADCAST_SM, broadcast_sm),
    kind(Command::BROADCAST_SM.response(), id_resp),
    kind(Command::QUERY_BROADCAST_SM, query_broadcast_sm),
    kind(Command::QUERY_BROADCAST_SM.response(), id_resp),
    kind(Command::CANCEL_BROADCAST_SM, cancel_broadcast_sm),
    kind(Command::CANCEL_BROADCAST_SM.response(), bare),
];

const fn kind(command: Command, write: fn(&mut Rng, Command, u32, &mut BytesMut)) -> Kind {
    Kind { command, write }
}

impl Kind {
    /// Appends one PDU of this kind, with this number.
    pub fn write(&self, rng: &mut Rng, sequence: u32, out: &mut BytesMut) {
        (self.write)(rng, self.command, sequence, out);
    }

    /// The PDU that `seed` stands for, with a number of its own.
    pub fn of_seed(&self, seed: u64) -> BytesMut {
        let mut rng = Rng::with_seed(seed);
        let sequence = rng.u32(1..=0x7FFF_FFFF);
        let mut out = BytesMut::new();
        self.write(&mut rng, sequence, &mut out);
        out
    }
}

/// One thing done to a PDU; places count in 65 536ths of its body.
#[derive(Clone, Copy, Debug)]
pub enum Damage {
    Set(u16, u8),
    Insert(u16, u8),
    Remove(u16),
    Cut(u16),
    Append(u8),
}

impl Damage {
    /// Some damage or other.
    pub fn any(rng: &mut Rng) -> Self {
        let (at, octet) = (rng.u16(..), if rng.bool() { rng.u8(..) } else { 0 });
        match rng.u8(..6) {
            0 | 1 => Self::Set(at, octet),
            2 => Self::Insert(at, octet),
            3 => Self::Remove(at),
            4 => Self::Cut(at),
            _ => Self::Append(octet),
        }
    }

    /// Does it to the body of `pdu`, whose command_length is right again afterwards: framing holds.
    pub fn apply(self, pdu: &mut Vec<u8>) {
        let body = pdu.len() - Header::LEN;
        let place = |at: u16| Header::LEN + usize::from(at) * body / 65_536;
        match self {
            Self::Set(at, octet) if body > 0 => pdu[place(at)] = octet,
            Self::Insert(at, octet) => pdu.insert(place(at), octet),
            Self::Remove(at) if body > 0 => drop(pdu.remove(place(at))),
            Self::Cut(at) => pdu.truncate(place(at)),
            Self::Append(octet) => pdu.push(octet),
            Self::Set(..) | Self::Remove(..) => {} // nothing is there to be damaged
        }
        let length = pdu.len() as u32;
        pdu[..4].copy_from_slice(&length.to_be_bytes());
    }
}

/// Letters and digits, up to `max` of them.
fn text(rng: &mut Rng, max: usize) -> Vec<u8> {
    let length = if rng.u8(..8) == 0 { max } else { rng.usize(0..=max) };
    (0..length).map(|_| rng.alphanumeric() as u8).collect()
}

/// Any octets, from `min` to `max` of them.
fn octets(rng: &mut Rng, min: usize, max: usize) -> Vec<u8> {
    let length = rng.usize(min..=max);
    (0..length).map(|_| rng.u8(..)).collect()
}

/// Mostly a value that has a meaning, sometimes any.
fn octet(rng: &mut Rng, meant: &[u8]) -> u8 {
    match rng.u8(..8) {
        0 => rng.u8(..),
        _ => meant[rng.usize(..meant.len())],
    }
}

struct Owned(u8, u8, Vec<u8>);

impl Owned {
    fn new(rng: &mut Rng, max: usize) -> Self {
        Self(octet(rng, &TONS), octet(rng, &NPIS), text(rng, max))
    }

    fn address(&self) -> Address<'_> {
        Address { ton: self.0, npi: self.1, addr: &self.2 }
    }
}

fn time(rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..3) {
        0 => Vec::new(),
        1 => {
            let [month, day] = [rng.u8(1..=12), rng.u8(1..=28)];
            let [hour, minute, second] = [rng.u8(..24), rng.u8(..60), rng.u8(..60)];
            let (tenths, quarters, sign) = (rng.u8(..10), rng.u8(..=48), if rng.bool() { '+' } else { '-' });
            format!("26{month:02}{day:02}{hour:02}{minute:02}{second:02}{tenths}{quarters:02}{sign}")
                .into_bytes()
        }
        _ => {
            let [days, hours, minutes, seconds] = [rng.u8(..31), rng.u8(..24), rng.u8(..60), rng.u8(..60)];
            format!("0000{days:02}{hours:02}{minutes:02}{seconds:02}000R").into_bytes()
        }
    }
}

/// A list that was just written.
fn read(octets: &[u8]) -> Tlvs<'_> {
    Tlvs::read(octets, Reading::Strict).expect("put_tlv writes whole ones")
}

fn bare(_: &mut Rng, command: Command, sequence: u32, out: &mut BytesMut) {
    header_only(out, command, Status::ROK, sequence);
}

fn refusal(rng: &mut Rng, command: Command, sequence: u32, out: &mut BytesMut) {
    header_only(out, command, status(rng), sequence);
}

fn status(rng: &mut Rng) -> Status {
    [Status::RINVCMDLEN, Status::RINVCMDID, Status::RSYSERR, Status::RTHROTTLED, Status::RMSGQFUL]
        [rng.usize(..5)]
}

fn bind(rng: &mut Rng, command: Command, sequence: u32, out: &mut BytesMut) {
    Bind {
        system_id: &text(rng, 15),
        password: &text(rng, 8),
        system_type: &text(rng, 12),
        interface_version: octet(rng, &[0x33, 0x34, 0x50]),
        addr_ton: octet(rng, &TONS),
        addr_npi: octet(rng, &NPIS),
        address_range: &text(rng, 40),
    }
    .encode(out, command, sequence);
}

fn bind_resp(rng: &mut Rng, command: Command, sequence: u32, out: &mut BytesMut) {
    let version = rng.bool().then(|| octet(rng, &[0x34, 0x50]));
    let status = if rng.u8(..4) == 0 { status(rng) } else { Status::ROK };
    BindResp { system_id: &text(rng, 15), sc_interface_version: version }
        .encode(out, command, status, sequence);
}

fn outbind(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    Outbind { system_id: &text(rng, 15), password: &text(rng, 8) }.encode(out, sequence);
}

fn alert_notification(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let (source, esme) = (Owned::new(rng, 64), Owned::new(rng, 64));
    let tlvs = if rng.bool() { tlvs(rng, &AVAILABILITY) } else { BytesMut::new() };
    AlertNotification {
        source: source.address(),
        esme: esme.address(),
        tlvs: read(&tlvs),
        ..AlertNotification::default()
    }
    .encode(out, sequence);
}

/// The text of a message, and whether a user data header stands in front of it.
fn user_data(rng: &mut Rng) -> (bool, Vec<u8>) {
    let max = if rng.u8(..4) == 0 { 254 } else { 60 };
    match rng.u8(..4) {
        0 => {
            let mut data = vec![5, 0, 3, rng.u8(..), 3, rng.u8(1..=3)];
            data.extend(text(rng, max - 6));
            (true, data)
        }
        1 => (false, octets(rng, 0, max)),
        _ => (false, text(rng, max)),
    }
}

/// esm_class for a message: modes and types that there are, and the header's bit as it must be.
fn esm_class(rng: &mut Rng, has_udh: bool) -> u8 {
    octet(rng, &[0, 0, 0, 1, 2, 3, 4, 8, 0x10, 0x20, 0x80]) & !0x40 | if has_udh { 0x40 } else { 0 }
}

fn sm(rng: &mut Rng, command: Command, sequence: u32, out: &mut BytesMut) {
    let tlvs = tlvs(rng, &MESSAGE);
    let parts =
        (text(rng, 5), Owned::new(rng, 20), Owned::new(rng, 20), time(rng), time(rng), user_data(rng));
    message(rng, &parts, &tlvs).encode(out, command, sequence);
}

type Parts = (Vec<u8>, Owned, Owned, Vec<u8>, Vec<u8>, (bool, Vec<u8>));

fn message<'a>(rng: &mut Rng, parts: &'a Parts, tlvs: &'a [u8]) -> Sm<'a> {
    let (service_type, source, destination, schedule, validity, (has_udh, short_message)) = parts;
    Sm {
        service_type,
        source: source.address(),
        destination: destination.address(),
        esm_class: esm_class(rng, *has_udh),
        protocol_id: octet(rng, &[0, 0, 0x40, 0x7F]),
        priority_flag: octet(rng, &[0, 1, 2, 3]),
        schedule_delivery_time: schedule,
        validity_period: validity,
        registered_delivery: octet(rng, &[0, 1, 2, 0x10, 0x11, 0x04, 0x0C]),
        replace_if_present_flag: octet(rng, &[0, 0, 0, 1]),
        data_coding: octet(rng, &[0, 1, 3, 4, 8, 0xF1]),
        sm_default_msg_id: octet(rng, &[0, 0, 0, 7]),
        short_message,
        tlvs: read(tlvs),
    }
}

fn data_sm(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let (source, destination) = (Owned::new(rng, 64), Owned::new(rng, 64));
    let mut tlvs = tlvs(rng, &MESSAGE);
    let (has_udh, data) = user_data(rng);
    put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, &data);
    DataSm {
        service_type: &text(rng, 5),
        source: source.address(),
        destination: destination.address(),
        esm_class: esm_class(rng, has_udh),
        registered_delivery: octet(rng, &[0, 1, 0x10]),
        data_coding: octet(rng, &[0, 4, 8]),
        tlvs: read(&tlvs),
    }
    .encode(out, sequence);
}

fn submit_multi(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let tlvs = tlvs(rng, &MESSAGE);
    let parts = (text(rng, 5), Owned::new(rng, 20), Owned::new(rng, 0), time(rng), time(rng), user_data(rng));
    let most = if rng.u8(..16) == 0 { 254 } else { 5 };
    let mut list = BytesMut::new();
    for _ in 0..rng.usize(1..=most) {
        match rng.u8(..3) {
            0 => put_destination(&mut list, &Destination::List(&text(rng, 20))),
            _ => put_destination(&mut list, &Destination::Sme(Owned::new(rng, 20).address())),
        }
    }
    let destinations = Destinations::read(&list).expect("just written");
    let sm = Sm { destination: Address::default(), ..message(rng, &parts, &tlvs) };
    SubmitMulti { sm, destinations }.encode(out, sequence);
}

fn query_sm(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let source = Owned::new(rng, 20);
    QuerySm { message_id: &text(rng, 64), source: source.address() }.encode(out, sequence);
}

fn cancel_sm(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let (source, destination) = (Owned::new(rng, 20), Owned::new(rng, 20));
    CancelSm {
        service_type: &text(rng, 5),
        message_id: &text(rng, 64),
        source: source.address(),
        destination: destination.address(),
    }
    .encode(out, sequence);
}

fn replace_sm(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let source = Owned::new(rng, 20);
    let (short_message, tlvs) = match rng.u8(..4) {
        0 => (Vec::new(), tlvs(rng, &PAYLOAD)),
        _ => (user_data(rng).1, BytesMut::new()),
    };
    ReplaceSm {
        message_id: &text(rng, 64),
        source: source.address(),
        schedule_delivery_time: &time(rng),
        validity_period: &time(rng),
        registered_delivery: octet(rng, &[0, 1, 0x10]),
        sm_default_msg_id: octet(rng, &[0, 0, 9]),
        short_message: &short_message,
        tlvs: read(&tlvs),
    }
    .encode(out, sequence);
}

fn broadcast_sm(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let source = Owned::new(rng, 20);
    let mut list = BytesMut::new();
    let priority_flag = octet(rng, &[0, 1, 2, 3, 4]);
    // What is broadcast at once is not repeated.
    let needed = if priority_flag == 1 { &BROADCAST[..3] } else { &BROADCAST };
    needed.iter().for_each(|needed| put_optional(rng, needed, &mut list));
    list.extend_from_slice(&tlvs(rng, &PAYLOAD));
    BroadcastSm {
        service_type: &text(rng, 5),
        source: source.address(),
        message_id: &text(rng, 64),
        priority_flag,
        schedule_delivery_time: &time(rng),
        validity_period: &time(rng),
        replace_if_present_flag: octet(rng, &[0, 1]),
        data_coding: octet(rng, &[0, 8]),
        sm_default_msg_id: octet(rng, &[0, 3]),
        tlvs: read(&list),
    }
    .encode(out, sequence);
}

fn query_broadcast_sm(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let (source, mut list) = (Owned::new(rng, 20), BytesMut::new());
    if rng.bool() {
        put_optional(rng, &REFERENCE, &mut list);
    }
    QueryBroadcastSm { message_id: &text(rng, 64), source: source.address(), tlvs: read(&list) }
        .encode(out, sequence);
}

fn cancel_broadcast_sm(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let (source, mut list) = (Owned::new(rng, 20), BytesMut::new());
    if rng.bool() {
        put_optional(rng, &REFERENCE, &mut list);
    }
    CancelBroadcastSm {
        service_type: &text(rng, 5),
        message_id: &text(rng, 64),
        source: source.address(),
        tlvs: read(&list),
    }
    .encode(out, sequence);
}

fn id_resp(rng: &mut Rng, command: Command, sequence: u32, out: &mut BytesMut) {
    let status = if rng.u8(..4) == 0 { status(rng) } else { Status::ROK };
    let tlvs = tlvs(rng, &RESPONSE);
    encode_id_resp(out, command.request(), status, sequence, &text(rng, 64), read(&tlvs));
}

fn deliver_resp(rng: &mut Rng, command: Command, sequence: u32, out: &mut BytesMut) {
    let status = if rng.u8(..4) == 0 { status(rng) } else { Status::ROK };
    let tlvs = tlvs(rng, &RESPONSE);
    SmResp { message_id: b"", tlvs: read(&tlvs) }.encode(out, command, status, sequence);
}

fn multi_resp(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let count = rng.usize(..6);
    let refused: Vec<(Owned, Status)> = (0..count).map(|_| (Owned::new(rng, 20), status(rng))).collect();
    let refused: Vec<_> = refused.iter().map(|(owned, status)| (owned.address(), *status)).collect();
    let status = if rng.u8(..4) == 0 { status(rng) } else { Status::ROK };
    encode_multi_resp(out, status, sequence, &text(rng, 64), &refused);
}

fn query_resp(rng: &mut Rng, _: Command, sequence: u32, out: &mut BytesMut) {
    let status = if rng.u8(..4) == 0 { status(rng) } else { Status::ROK };
    QueryResp {
        message_id: &text(rng, 64),
        final_date: &time(rng),
        message_state: octet(rng, &[1, 2, 3, 4, 5, 6, 7, 8]),
        error_code: rng.u8(..),
    }
    .encode(out, status, sequence);
}

const TONS: [u8; 7] = [0, 1, 2, 3, 4, 5, 6];
const NPIS: [u8; 9] = [0, 1, 3, 4, 6, 8, 9, 10, 14];
