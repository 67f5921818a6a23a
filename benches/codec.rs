//! What the codec costs per PDU: a submit_sm of a TAN, 82 octets with one TLV, and its receipt.

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use enroute::codec::{
    Address, Command, MAX_PDU_LEN, MessageState, Reading, Receipt, Relay, Sm, Tag, Tlvs, next_frame, put_tlv,
    relay_submit,
};
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
    group.bench_function("decode", |b| {
        b.iter(|| black_box(Sm::decode(black_box(&body), Reading::Lenient)).is_ok());
    });
    let sm = message();
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            black_box(&sm).encode(&mut out, Command::SUBMIT_SM, 1);
            black_box(out.len())
        });
    });
    group.bench_function("relay", |b| {
        b.iter(|| {
            out.clear();
            relay_submit(black_box(&body), &relay, true, &mut out).is_ok()
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

criterion_group!(benches, next_frame_from_full_read, submit_sm, receipt);
criterion_main!(benches);
