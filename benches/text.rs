//! What text costs per message of 160 characters: counting, cutting, transcoding.

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use enroute::codec::{Reading, Sm, Tag, Tlvs, put_tlv};
use enroute::conversion::{Long, Profile, convert, divide, segments};
use enroute::text::{Alphabet, Chars, Headers, Missing, Shifts, Text, encode, pack, split};
use std::hint::black_box;

const PLAIN: &str = "Your code is 123456. It is valid for five minutes; never tell it to anybody, not even to us. \
                     Not you? Call us at once: +44 7700 900123, day and night, all year";
const NONE: Shifts = Shifts::NONE;

/// 160 characters, eight of them accented.
fn text() -> String {
    let text: String =
        PLAIN.chars().chain("é".repeat(160).chars()).take(152).chain("éàùòñöüä".chars()).collect();
    assert_eq!(text.chars().count(), 160);
    text
}

fn encoded(alphabet: Alphabet) -> BytesMut {
    let mut out = BytesMut::new();
    let text = text();
    let chars = Chars::new(text.as_bytes(), Alphabet::Utf8, NONE);
    encode(chars, alphabet, NONE, Missing::Refuse, &mut out).expect("all alphabets here have them");
    out
}

fn split_texts(c: &mut Criterion) {
    let mut group = c.benchmark_group("text/split");
    group.throughput(Throughput::Elements(1));
    let headers = Headers::with_concat(0, false);
    let long = vec![b'a'; 1600];
    for (shape, octets) in [("160", &long[..160]), ("161", &long[..161]), ("1600", &long[..])] {
        group.bench_function(shape, |b| {
            b.iter(|| split(Text::new(black_box(octets), Alphabet::Gsm), headers).map(|parts| parts.total()));
        });
    }
    let latin = encoded(Alphabet::Latin1);
    group.bench_function("160_latin1_on_air", |b| {
        b.iter(|| {
            split(Text::on_air(black_box(&latin), Alphabet::Latin1), headers).map(|parts| parts.total())
        });
    });
    group.finish();
}

fn transcode(c: &mut Criterion) {
    let mut group = c.benchmark_group("text/transcode");
    group.throughput(Throughput::Elements(1));
    let mut out = BytesMut::with_capacity(4096);
    for (shape, from, to) in [
        ("160_latin1_to_gsm", Alphabet::Latin1, Alphabet::Gsm),
        ("160_utf16_to_gsm", Alphabet::Ucs2, Alphabet::Gsm),
        ("160_utf8_to_gsm", Alphabet::Utf8, Alphabet::Gsm),
        ("160_gsm_to_utf16", Alphabet::Gsm, Alphabet::Ucs2),
        ("160_gsm_to_latin1", Alphabet::Gsm, Alphabet::Latin1),
    ] {
        let octets = encoded(from);
        group.bench_function(shape, |b| {
            b.iter(|| {
                out.clear();
                encode(Chars::new(black_box(&octets), from, NONE), to, NONE, Missing::Refuse, &mut out)
            });
        });
    }
    let septets = encoded(Alphabet::Gsm);
    group.bench_function("160_packed", |b| {
        b.iter(|| {
            out.clear();
            pack(black_box(&septets), 1, enroute::text::Padding::Return, &mut out);
        });
    });
    group.finish();
}

fn conversion(c: &mut Criterion) {
    let mut group = c.benchmark_group("conversion");
    group.throughput(Throughput::Elements(1));
    let mut out = BytesMut::with_capacity(1 << 16);
    let (gsm, latin) = (encoded(Alphabet::Gsm), encoded(Alphabet::Latin1));
    let plain = Profile::default();
    let latin_peer = Profile { default_alphabet: Alphabet::Latin1, ..Profile::default() };
    let udh = Profile { long: Long::Udh8, ..Profile::default() };
    let of = |short_message| Sm { short_message, ..Sm::default() };
    group.bench_function("segments/160", |b| b.iter(|| segments(black_box(&of(&gsm)), &plain)));
    group.bench_function("segments/20", |b| b.iter(|| segments(black_box(&of(&gsm[..20])), &plain)));
    group.bench_function("convert/160_untouched", |b| {
        b.iter(|| {
            out.clear();
            convert(black_box(&of(&gsm)), &plain, &plain, &mut out)
        });
    });
    group.bench_function("convert/160_latin1_to_gsm", |b| {
        b.iter(|| {
            out.clear();
            convert(black_box(&of(&latin)), &latin_peer, &plain, &mut out)
        });
    });
    let mut payload = BytesMut::new();
    put_tlv(&mut payload, Tag::MESSAGE_PAYLOAD, &gsm.repeat(10));
    let long = Sm { tlvs: Tlvs::read(&payload, Reading::Strict).expect("just written"), ..Sm::default() };
    group.bench_function("divide/1600", |b| {
        b.iter(|| divide(black_box(&long), &plain, &udh, 7, |_, body| _ = black_box(body.len())));
    });
    group.finish();
}

criterion_group!(benches, split_texts, transcode, conversion);
criterion_main!(benches);
