//! What the codec costs per PDU: a submit_sm of a TAN, 82 octets with one TLV, and its receipt; beside it, in the same run, two
//! other libraries with the same PDU.
//!
//! `decode_submit_sm` goes from the octets of the whole PDU to a view with each field touched. rusmpp-core is there twice: as
//! owned values, which it cuts off a `BytesMut` that is made beforehand, and as borrowed ones.

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use enroute::codec::{
    Address, Command, MAX_PDU_LEN, MessageState, Reading, Receipt, Relay, Sm, Tag, Tlvs, next_frame, put_tlv,
    relay_read,
};
use rusmpp_core::command::{borrowed, owned};
use rusmpp_core::decode::borrowed::DecodeWithLength as _;
use rusmpp_core::decode::owned::DecodeWithLength as _;
use rusmpp_core::encode::{Length, owned::Encode};
use smpp_codec::pdus::SubmitSmRequest;
use std::hint::black_box;

const TLV: [u8; 6] = [0x02, 0x04, 0, 2, 0x12, 0x34];

fn message() -> Sm<'static> {
    Sm {
        service_type: b"CMT",
        source: Address { ton: 5, npi: 0, addr: b"ACME Bank" },
        destination: Address { ton: 1, npi: 1, addr: b"447700900123" },
        registered_delivery: 1,
        short_message: b"Your code is 123456",
        tlvs: Tlvs::read(&TLV, Reading::Strict).expect("well formed"),
        ..Sm::default()
    }
}

fn next_frame_from_full_read(c: &mut Criterion) {
    let mut pdu = BytesMut::new();
    message().encode(&mut pdu, Command::SUBMIT_SM, 1);
    let mut group = c.benchmark_group("codec/next_frame");
    for pdus_per_read in [1, 16, 256] {
        let read = pdu.repeat(pdus_per_read);
        group.throughput(Throughput::Elements(pdus_per_read as u64));
        group.bench_function(format!("{pdus_per_read}_per_read"), |b| {
            b.iter(|| {
                let mut rest = black_box(&read[..]);
                while let Ok(Some(frame)) = next_frame(rest, MAX_PDU_LEN) {
                    rest = &rest[black_box(&frame).len()..];
                }
            });
        });
    }
    group.finish();
}

fn submit_sm(c: &mut Criterion) {
    let mut body = BytesMut::new();
    message().encode_body(&mut body);
    let relay = Relay { validity_period: b"260315103000000+", registered_delivery: 1, ..Relay::default() };
    let mut out = BytesMut::with_capacity(1 << 16);
    let mut group = c.benchmark_group("codec/submit_sm");
    group.throughput(Throughput::Elements(1));
    group.bench_function("relay", |b| {
        b.iter(|| {
            out.clear();
            let body = black_box(&body[..]);
            let sm = Sm::decode(body, Reading::Lenient).expect("legal");
            relay_read(&sm, body, &relay, true, &mut out).is_ok()
        });
    });
    group.finish();
}

/// The PDU that all decode and encode.
fn pdu() -> BytesMut {
    let mut pdu = BytesMut::new();
    message().encode(&mut pdu, Command::SUBMIT_SM, 1);
    pdu
}

fn decode_submit_sm(c: &mut Criterion) {
    let pdu = pdu();
    // Both rusmpps take the length off before they decode.
    let (behind_length, length) = (&pdu[4..], pdu.len() - 4);
    let mut group = c.benchmark_group("codec/decode_submit_sm");
    group.throughput(Throughput::Elements(1));
    group.bench_function("enroute", |b| {
        b.iter(|| {
            let frame = next_frame(black_box(&pdu), MAX_PDU_LEN).ok().flatten().expect("whole");
            let sm = Sm::decode(frame.body, Reading::Lenient).expect("legal");
            black_box((&frame.header, &sm, sm.text()));
            for tlv in sm.tlvs.iter() {
                black_box(tlv);
            }
        });
    });
    group.bench_function("rusmpp", |b| {
        b.iter_batched_ref(
            || BytesMut::from(behind_length),
            |octets| black_box(owned::Command::decode(octets, length).expect("legal")),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("rusmpp-borrowed", |b| {
        b.iter(|| {
            black_box(borrowed::Command::<8>::decode(black_box(behind_length), length).expect("legal"));
        });
    });
    group.bench_function("smpp-codec", |b| {
        b.iter(|| black_box(SubmitSmRequest::decode(black_box(&pdu)).expect("legal")));
    });
    group.finish();
}

fn encode_submit_sm(c: &mut Criterion) {
    let pdu = pdu();
    let sm = message();
    let (rusmpp, _) = owned::Command::decode(&mut BytesMut::from(&pdu[4..]), pdu.len() - 4).expect("legal");
    let smpp_codec = SubmitSmRequest::decode(&pdu).expect("legal");
    let (mut out, mut written) = (BytesMut::with_capacity(1 << 16), Vec::with_capacity(1 << 16));
    // All three write the same octets, or a comparison would be none.
    rusmpp.encode(&mut out);
    smpp_codec.encode(&mut written).expect("a Vec takes what it is given");
    assert_eq!((&out[..], &written[..]), (&pdu[4..], &pdu[..]));
    let mut group = c.benchmark_group("codec/encode_submit_sm");
    group.throughput(Throughput::Elements(1));
    group.bench_function("enroute", |b| {
        b.iter(|| {
            out.clear();
            black_box(&sm).encode(&mut out, Command::SUBMIT_SM, 1);
            black_box(out.len())
        });
    });
    group.bench_function("rusmpp", |b| {
        b.iter(|| {
            out.clear();
            let command = black_box(&rusmpp);
            out.extend_from_slice(&(4 + command.length() as u32).to_be_bytes());
            command.encode(&mut out);
            black_box(out.len())
        });
    });
    group.bench_function("smpp-codec", |b| {
        b.iter(|| {
            written.clear();
            black_box(&smpp_codec).encode(&mut written).expect("a Vec takes what it is given");
            black_box(written.len())
        });
    });
    group.finish();
}

fn receipt(c: &mut Criterion) {
    let receipt =
        Receipt { text: b"Your code is 123456", ..Receipt::new(b"0000000001", MessageState::Delivered) };
    let (mut text, mut tlvs) = (BytesMut::new(), BytesMut::new());
    receipt.write_text(&mut text);
    put_tlv(&mut tlvs, Tag::MESSAGE_STATE, &[2]);
    put_tlv(&mut tlvs, Tag::RECEIPTED_MESSAGE_ID, b"0000000001\0");
    let sm = Sm {
        esm_class: 0x04,
        short_message: &text,
        tlvs: Tlvs::read(&tlvs, Reading::Strict).expect("just written"),
        ..Sm::default()
    };
    let mut out = BytesMut::with_capacity(1 << 16);
    let mut group = c.benchmark_group("codec/receipt");
    group.throughput(Throughput::Elements(1));
    group.bench_function("read", |b| b.iter(|| black_box(Receipt::read(black_box(&sm))).is_some()));
    group.bench_function("write", |b| {
        b.iter(|| {
            out.clear();
            black_box(&receipt).write_text(&mut out);
            black_box(out.len())
        });
    });
    group.finish();
}

criterion_group!(benches, next_frame_from_full_read, decode_submit_sm, encode_submit_sm, submit_sm, receipt);
criterion_main!(benches);
