//! What conversion promises, by example and by property.

use super::*;
use crate::codec::{Address, Reading, Tlv, Tlvs, put_tlv};
use crate::text::{Chars, Missing, Shifts, Udh, encode};
use bytes::BytesMut;
use proptest::prelude::*;

/// Between them everything is plain but for how they want long texts.
fn wants(long: Long) -> Profile {
    Profile { long, ..Profile::default() }
}

fn speaks(default_alphabet: Alphabet) -> Profile {
    Profile { default_alphabet, ..Profile::default() }
}

fn message(text: &[u8]) -> Sm<'_> {
    Sm {
        service_type: b"CMT",
        source: Address { ton: 5, npi: 0, addr: b"ACME" },
        destination: Address { ton: 1, npi: 1, addr: b"447700900123" },
        registered_delivery: 1,
        short_message: text,
        ..Sm::default()
    }
}

fn tlvs(list: &[(Tag, &[u8])]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for (tag, value) in list {
        put_tlv(&mut out, *tag, value);
    }
    out.to_vec()
}

fn read(octets: &[u8]) -> Tlvs<'_> {
    Tlvs::read(octets, Reading::Strict).expect("well formed")
}

fn sm(body: &[u8]) -> Sm<'_> {
    Sm::decode(body, Reading::Strict).expect("what we write is legal by the letter")
}

fn converted(sm: &Sm<'_>, from: &Profile, to: &Profile) -> Result<Vec<u8>, Status> {
    let mut out = BytesMut::from(&b"before"[..]);
    let result = convert(sm, from, to, &mut out);
    assert_eq!(&out[..6], b"before");
    if result.is_err() {
        assert_eq!(out.len(), 6);
    }
    result.map(|()| out[6..].to_vec())
}

fn divided(sm: &Sm<'_>, from: &Profile, to: &Profile) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let total = divide(sm, from, to, 0x1234, |number, body| {
        bodies.push(body.to_vec());
        assert_eq!(usize::from(number), bodies.len());
    });
    assert_eq!(total, Ok(bodies.len() as u8));
    assert_eq!(needs_division(sm, from, to).unwrap_or(1), bodies.len() as u8);
    bodies
}

fn joined(bodies: &[Vec<u8>], from: &Profile) -> Vec<u8> {
    let parts: Vec<Sm<'_>> = bodies.iter().map(|body| sm(body)).collect();
    let mut out = BytesMut::new();
    join(&parts, from, &mut out).expect("they fit together");
    out.to_vec()
}

fn encoded(text: &str, alphabet: Alphabet) -> Vec<u8> {
    let mut out = BytesMut::new();
    let chars = Chars::new(text.as_bytes(), Alphabet::Utf8, Shifts::NONE);
    encode(chars, alphabet, Shifts::NONE, Missing::Refuse, &mut out).expect("the alphabet has it");
    out.to_vec()
}

/// What a reader of `profile` sees.
fn shown(sm: &Sm<'_>, profile: &Profile) -> String {
    let said = Said::read(sm, profile);
    match said.alphabet {
        Alphabet::GsmPacked => Chars::packed(said.septets(), said.shifts).collect(),
        alphabet => Chars::new(said.text, alphabet, said.shifts).collect(),
    }
}

#[test]
fn plain_peers_get_what_came() {
    let tlvs = tlvs(&[
        (Tag(0x1501), b"x"),
        (Tag::MESSAGE_PAYLOAD, b"hello"),
        (Tag::USER_MESSAGE_REFERENCE, &[1, 2]),
    ]);
    let with_tlvs = Sm { tlvs: read(&tlvs), ..message(b"") };
    let part = Sm { esm_class: 0x43, data_coding: 0xF5, ..message(&[5, 0, 3, 9, 2, 1, 0xFF]) };
    let latin_claimed_gsm = message(b"\xE9t\xE9");
    for sm in [with_tlvs, part, latin_claimed_gsm] {
        let mut body = BytesMut::new();
        sm.encode_body(&mut body);

        assert_eq!(converted(&sm, &Profile::default(), &Profile::default()), Ok(body.to_vec()));
    }
    assert!(Profile::default().is_plain());
    assert!(Profile { fallback: Fallback::Refuse, ..Profile::default() }.is_plain());
    assert!(![wants(Long::Sar), speaks(Alphabet::Latin1)].iter().any(Profile::is_plain));
}

/// T12: what a long text counts as, and what it is divided into, are one figure.
#[test]
fn long_text_counts_as_the_parts_that_it_is() {
    let of = |text: &[u8], data_coding| segments(&Sm { data_coding, ..message(text) }, &Profile::default());

    assert_eq!([of(&[b'a'; 160], 0), of(&[b'a'; 161], 0), of(b"", 0)], [Ok(1), Ok(2), Ok(1)]);
    assert_eq!([of(&[0; 140], 8), of(&[0; 142], 8)], [Ok(1), Ok(2)]);
    assert_eq!([of(&[0; 140], 4), of(&[0; 141], 4)], [Ok(1), Ok(2)]);
    assert_eq!([of(&[b'a'; 160], 0xF0), of(&[b'a'; 150], 3)], [Ok(1), Ok(2)]);
    let payload = tlvs(&[(Tag::MESSAGE_PAYLOAD, &[b'a'; 39_015])]);
    let longest = Sm { tlvs: read(&payload), ..message(b"") };
    assert_eq!(segments(&longest, &Profile::default()), Ok(255));
    assert_eq!(divided(&longest, &Profile::default(), &wants(Long::Udh8)).len(), 255);
    let payload = tlvs(&[(Tag::MESSAGE_PAYLOAD, &[b'a'; 39_016])]);
    let longer = Sm { tlvs: read(&payload), ..message(b"") };
    assert_eq!(segments(&longer, &Profile::default()), Err(Status::RINVMSGLEN));
    assert_eq!(needs_division(&longer, &Profile::default(), &wants(Long::Udh8)), None);
    assert_eq!(converted(&longer, &Profile::default(), &wants(Long::Udh8)), Err(Status::RINVMSGLEN));
}

/// T12: a part counts as one, and nobody hides a long text behind a part's header.
#[test]
fn part_counts_as_one_if_it_is_one() {
    let header = [5, 0, 3, 9, 2, 1];
    let of = |octets: usize| {
        let text = [&header[..], &vec![b'a'; octets]].concat();
        let payload = tlvs(&[(Tag::MESSAGE_PAYLOAD, &text)]);
        segments(&Sm { esm_class: 0x40, tlvs: read(&payload), ..message(b"") }, &Profile::default())
    };

    assert_eq!([of(0), of(153), of(154), of(306), of(307)], [Ok(1), Ok(1), Ok(2), Ok(2), Ok(3)]);
    let sar = tlvs(&[
        (Tag::SAR_MSG_REF_NUM, &[0, 9]),
        (Tag::SAR_TOTAL_SEGMENTS, &[2]),
        (Tag::SAR_SEGMENT_SEQNUM, &[1]),
    ]);
    let part = Sm { tlvs: read(&sar), ..message(&[b'a'; 153]) };
    assert_eq!(segments(&part, &Profile::default()), Ok(1));
}

/// T8, T12: text under a default alphabet of the sender's own counts as what a phone gets.
#[test]
fn default_text_counts_as_what_a_phone_gets() {
    let of = |text: &[u8], alphabet| segments(&message(text), &speaks(alphabet));

    assert_eq!(of(&[b'a'; 160], Alphabet::Latin1), Ok(1));
    assert_eq!(of("é".repeat(160).as_bytes(), Alphabet::Utf8), Ok(1));
    assert_eq!(
        of(&[&[b'a'; 159][..], &[0x80]].concat(), Alphabet::Cp1252),
        Ok(2),
        "the euro takes two septets"
    );
    assert_eq!(of(&[0xEA; 71], Alphabet::Latin1), Ok(2), "ê goes out in UCS-2");
    let packed = vec![0x55; 140];
    assert_eq!(of(&packed, Alphabet::GsmPacked), Ok(1));
    assert_eq!(of(&[0x55; 141], Alphabet::GsmPacked), Ok(2));
}

/// T4: what has a header that says so isn't split again, and a single part has no header.
#[test]
fn parts_are_not_divided_and_one_part_has_no_header() {
    let plain = Profile::default();
    let part = Sm { esm_class: 0x40, ..message(&[5, 0, 3, 9, 2, 1, b'x']) };
    for long in [Long::Udh8, Long::Udh16, Long::Sar] {
        assert_eq!(divided(&part, &plain, &wants(long)).len(), 1);
        let payload = tlvs(&[(Tag::MESSAGE_PAYLOAD, &[b'a'; 160])]);
        let short = Sm { tlvs: read(&payload), ..message(b"") };

        let bodies = divided(&short, &plain, &wants(long));

        let only = sm(&bodies[0]);
        assert_eq!((only.esm_class, only.short_message), (0, &[b'a'; 160][..]));
        assert!(only.tlvs.is_empty());
        assert_eq!(part_of(&only), None);
    }
}

/// T1, T7: all other fields and parameters are on each part.
#[test]
fn division_keeps_what_is_not_text() {
    let text = "a".repeat(200);
    let list = tlvs(&[
        (Tag::USER_MESSAGE_REFERENCE, &[7, 7]),
        (Tag::MESSAGE_PAYLOAD, text.as_bytes()),
        (Tag(0x1501), b"vendor"),
    ]);
    let long = Sm {
        replace_if_present_flag: 1,
        validity_period: b"000000013000000R",
        tlvs: read(&list),
        ..message(b"")
    };
    for (want, references) in [(Long::Udh8, 0x34), (Long::Udh16, 0x1234), (Long::Sar, 0x1234)] {
        let bodies = divided(&long, &Profile::default(), &wants(want));

        assert_eq!(bodies.len(), 2);
        for (number, body) in (1..).zip(&bodies) {
            let part = sm(body);
            let expected = Part { reference: references, wide: want != Long::Udh8, total: 2, number };
            assert_eq!(part_of(&part), Some(expected));
            assert_eq!(part.udh().is_some(), want != Long::Sar);
            assert_eq!(part.tlvs.find(Tag::SAR_MSG_REF_NUM).is_some(), want == Long::Sar);
            assert_eq!(part.tlvs.u16(Tag::USER_MESSAGE_REFERENCE), Some(0x0707));
            assert_eq!(part.tlvs.find(Tag(0x1501)), Some(&b"vendor"[..]));
            assert_eq!(part.tlvs.find(Tag::MESSAGE_PAYLOAD), None);
            assert_eq!(
                part.replace_if_present_flag,
                u8::from(number == 1),
                "or it would replace its sibling"
            );
            assert_eq!((part.validity_period, part.destination), (long.validity_period, long.destination));
        }
    }
}

/// T11: characters take more octets in UTF-8 than they cost.
#[test]
fn part_of_more_than_254_octets_is_a_payload() {
    let text = "é".repeat(200);
    let to = Profile { long: Long::Udh8, ..speaks(Alphabet::Utf8) };

    let bodies = divided(&message(&encoded(&text, Alphabet::Gsm)), &Profile::default(), &to);

    assert_eq!(sm(&bodies[0]).text().len(), 6 + 2 * 153);
    assert!(sm(&bodies[0]).short_message.is_empty() && sm(&bodies[1]).tlvs.is_empty());
    assert_eq!(shown(&sm(&joined(&bodies, &to)), &to), text);
}

/// T5, T7: a part says which one it is in the form that its receiver reads.
#[test]
fn parts_change_their_form_and_keep_their_text() {
    let plain = Profile::default();
    let sar = tlvs(&[
        (Tag::SAR_MSG_REF_NUM, &[0x12, 0x34]),
        (Tag::SAR_TOTAL_SEGMENTS, &[3]),
        (Tag::SAR_SEGMENT_SEQNUM, &[2]),
        (Tag(0x1501), b"x"),
    ]);
    let by_sar = Sm { tlvs: read(&sar), ..message(b"hello") };
    let narrow = Part { reference: 0x34, wide: false, total: 3, number: 2 };
    let wide = Part { reference: 0x1234, wide: true, ..narrow };

    for (long, part, user_data) in [
        (Long::Udh8, narrow, &b"\x05\x00\x03\x34\x03\x02hello"[..]),
        (Long::Udh16, wide, b"\x06\x08\x04\x12\x34\x03\x02hello"),
    ] {
        let body = converted(&by_sar, &plain, &wants(long)).expect("it fits");
        let by_header = sm(&body);
        assert_eq!((part_of(&by_header), by_header.short_message), (Some(part), user_data));
        assert_eq!(by_header.tlvs.iter().map(|tlv| tlv.tag).collect::<Vec<_>>(), [Tag(0x1501)]);

        let back = converted(&by_header, &plain, &wants(Long::Sar)).expect("it fits");
        let back = sm(&back);
        assert_eq!((back.esm_class, back.short_message), (0, &b"hello"[..]));
        assert_eq!(part_of(&back), Some(Part { wide: true, ..part }));
    }
}

/// T5: the element isn't first, and others are beside it.
#[test]
fn part_is_found_behind_other_elements_and_they_stay() {
    let user_data = b"\x0C\x05\x04\x0B\x84\x23\xF0\x08\x04\x12\x34\x03\x02binary";
    let part = Sm { esm_class: 0x40, data_coding: 0xF5, ..message(user_data) };
    assert_eq!(part_of(&part), Some(Part { reference: 0x1234, wide: true, total: 3, number: 2 }));

    let body = converted(&part, &Profile::default(), &wants(Long::Udh8)).expect("it fits");
    let narrow = sm(&body);
    assert_eq!(narrow.short_message, b"\x0B\x00\x03\x34\x03\x02\x05\x04\x0B\x84\x23\xF0binary");
    let body = converted(&part, &Profile::default(), &wants(Long::Sar)).expect("it fits");
    assert_eq!(sm(&body), part, "a header that stays keeps its part");
}

#[test]
fn nonsense_makes_no_part() {
    let of = |reference: &[u8], total: u8, number: u8| {
        let list = tlvs(&[
            (Tag::SAR_MSG_REF_NUM, reference),
            (Tag::SAR_TOTAL_SEGMENTS, &[total]),
            (Tag::SAR_SEGMENT_SEQNUM, &[number]),
        ]);
        let tlvs = Tlvs::read(&list, Reading::Carrier).expect("read anyhow");
        part_of(&Sm { tlvs, ..message(b"x") })
    };

    assert!(of(&[0, 1], 2, 2).is_some());
    assert_eq!([of(&[0, 1], 2, 3), of(&[0, 1], 0, 0), of(&[1], 2, 1)], [None; 3]);
    let without_bit = message(&[5, 0, 3, 9, 2, 1, b'x']);
    assert_eq!(part_of(&without_bit), None);
    let cut_header = Sm { esm_class: 0x40, ..message(&[5, 0, 3, 9]) };
    assert_eq!(part_of(&cut_header), None);
}

/// T8: what 0 says, each side decides for itself.
#[test]
fn default_alphabet_is_the_receivers() {
    let text = "à 10 € [ok]";
    let alphabets = [Alphabet::Gsm, Alphabet::GsmPacked, Alphabet::Cp1252, Alphabet::Utf8];
    for (from, to) in alphabets.iter().flat_map(|from| alphabets.map(|to| (speaks(*from), speaks(to)))) {
        for data_coding in [0x00, 0x10, 0xF0, 0xC0] {
            let gsm = encoded(text, from.default_alphabet);
            let mut packed = BytesMut::new();
            if from.default_alphabet == Alphabet::GsmPacked {
                crate::text::pack(&gsm, 0, crate::text::Padding::Return, &mut packed);
            } else {
                packed.extend_from_slice(&gsm);
            }
            let message = Sm { data_coding, ..message(&packed) };

            let body = converted(&message, &from, &to).expect("all have these");

            assert_eq!((sm(&body).data_coding, shown(&sm(&body), &to).as_str()), (data_coding, text));
        }
    }
}

/// T8: octets that mean something else, or are wanted under another number.
#[test]
fn codings_are_a_table_of_each_peer() {
    let plain = Profile::default();
    let mut to = Profile::default();
    to.meanings.set(0xF1, Alphabet::GsmPacked);
    to.octets.set(Alphabet::Gsm, 0x01);
    to.octets.set(Alphabet::Ucs2, 0x18);
    let of = |text: &[u8], data_coding, to: &Profile| {
        let message = Sm { data_coding, ..message(text) };
        let body = converted(&message, &plain, to).expect("it can be said");
        let read = sm(&body);
        (read.data_coding, read.short_message.to_vec())
    };

    assert_eq!(of(b"hello", 0, &to), (0x01, b"hello".to_vec()));
    assert_eq!(of(b"hello", 0xF0, &to), (0xF0, b"hello".to_vec()), "a class is worth more than a wish");
    assert_eq!(of(b"Hello", 0xF1, &to), (0xF1, vec![0xC8, 0x32, 0x9B, 0xFD, 0x06]));
    assert_eq!(of(&[0, 0x41], 8, &to), (0x18, vec![0, 0x41]));
    assert_eq!(of(&[1, 2, 3], 4, &to), (4, vec![1, 2, 3]));
    assert_eq!(of(&[1, 2, 3], 5, &to), (5, vec![1, 2, 3]), "nobody reads JIS here");
    assert_eq!(of(b"\xE9", 3, &to), (3, b"\xE9".to_vec()));

    let mut gsm_only = Profile { fallback: Fallback::Replace, ..Profile::default() };
    for octet in [1, 3, 8] {
        gsm_only.meanings.set(octet, Alphabet::Unknown);
    }
    assert_eq!(of(b"\xE9\xEA", 3, &gsm_only), (0, b"\x05?".to_vec()));
    assert_eq!(of(&[0, 0xE9, 0x20, 0xAC], 0x18, &gsm_only).0, 0x18, "flash UCS-2 wasn't taken away");
    let mut little = Profile::default();
    little.meanings.set(8, Alphabet::Ucs2Little);
    let message = Sm { data_coding: 8, ..message(&[0x41, 0]) };
    let body = converted(&message, &little, &wants(Long::Udh8)).expect("it can be said");
    assert_eq!((sm(&body).data_coding, sm(&body).short_message), (8, &[0, 0x41][..]));
}

/// T8: characters without a counterpart.
#[test]
fn fallback_decides_over_missing_characters() {
    let from = speaks(Alphabet::Latin1);
    let of = |fallback, data_coding| {
        let to = Profile { fallback, ..Profile::default() };
        let message = Sm { data_coding, ..message(b"caf\xE9 \xEA") };
        let body = converted(&message, &from, &to)?;
        Ok((sm(&body).data_coding, shown(&sm(&body), &to)))
    };

    assert_eq!(of(Fallback::Refuse, 0), Err(Status::RINVDCS));
    assert_eq!(of(Fallback::Replace, 0), Ok((0, "café ?".to_owned())));
    assert_eq!(of(Fallback::Ucs2, 0), Ok((8, "café ê".to_owned())));
    assert_eq!(of(Fallback::Ucs2, 0xF0), Ok((0x18, "café ê".to_owned())), "it still flashes");
    assert_eq!(of(Fallback::Ucs2, 0xD8), Ok((0xE8, "café ê".to_owned())));
    assert_eq!(status_for_refused_text(Version::V50), Status::RINVDCS);
    assert_eq!(status_for_refused_text(Version::V34), Status::RSUBMITFAIL);
    let mut no_ucs2 = Profile::default();
    no_ucs2.meanings.set(8, Alphabet::Octets);
    assert_eq!(converted(&message(b"\xEA"), &from, &no_ucs2), Err(Status::RINVDCS));
}

/// T10: octets that the declared alphabet doesn't have.
#[test]
fn octets_outside_of_their_alphabet_pass_or_are_marked() {
    let message = Sm { data_coding: 1, ..message(b"caf\xE9") };
    let body = converted(&message, &Profile::default(), &wants(Long::Udh8)).expect("it passes");
    assert_eq!(sm(&body).short_message, b"caf\xE9");

    let mut to = Profile::default();
    to.meanings.set(1, Alphabet::Unknown);
    let body = converted(&message, &Profile::default(), &to).expect("it is marked");
    assert_eq!((sm(&body).data_coding, sm(&body).short_message), (0, &b"caf?"[..]));
    let strict = Profile { fallback: Fallback::Refuse, ..Profile::default() };
    assert_eq!(converted(&message, &strict, &to), Err(Status::RINVDCS));
}

/// T11: 254, 255 and more octets of short_message.
#[test]
fn too_long_a_short_message_becomes_a_payload() {
    for (octets, is_payload) in [(254, false), (255, true)] {
        let text = vec![1; octets];
        let message = Sm { data_coding: 5, ..message(&text) };
        for long in [Long::Pass, Long::Payload, Long::Udh8] {
            let body = converted(&message, &Profile::default(), &wants(long)).expect("it fits");

            assert_eq!(sm(&body).text(), text);
            assert_eq!(sm(&body).tlvs.find(Tag::MESSAGE_PAYLOAD).is_some(), is_payload);
        }
    }
    let body =
        converted(&message(&[b'a'; 161]), &Profile::default(), &wants(Long::Payload)).expect("it fits");
    assert!(sm(&body).short_message.is_empty());
    assert_eq!(sm(&body).text().len(), 161);
}

#[test]
fn text_outgrows_its_message_by_transcoding() {
    let text = [0xEA; 160];
    let from = speaks(Alphabet::Latin1);

    let body = converted(&message(&text), &from, &Profile::default()).expect("a payload takes it");
    assert_eq!(sm(&body).text().len(), 320);
    assert_eq!(needs_division(&message(&text), &from, &wants(Long::Udh8)), Some(3));
    assert_eq!(converted(&message(&text), &from, &wants(Long::Udh8)), Err(Status::RINVMSGLEN));
    let payload = tlvs(&[(Tag::MESSAGE_PAYLOAD, &[0xEA; 32_768])]);
    let longest = Sm { tlvs: read(&payload), ..message(b"") };
    assert_eq!(converted(&longest, &from, &Profile::default()), Err(Status::RINVMSGLEN), "65,536 octets");
    let part = [&[5, 0, 3, 9, 2, 1][..], &text[..150]].concat();
    let part = Sm { esm_class: 0x40, ..message(&part) };
    assert_eq!(converted(&part, &from, &Profile::default()), Err(Status::RINVMSGLEN));
    assert_eq!(needs_division(&part, &from, &wants(Long::Udh8)), None);
}

#[test]
fn national_tables_stay_with_gsm_and_go_with_other_alphabets() {
    let turkish = Sm { esm_class: 0x40, ..message(b"\x03\x25\x01\x01\x04\x0C") };

    let body = converted(&turkish, &Profile::default(), &wants(Long::Udh8)).expect("it fits");
    assert_eq!(sm(&body), turkish);
    let mut to = speaks(Alphabet::Latin1);
    let body = converted(&turkish, &Profile::default(), &to).expect("in UCS-2");
    assert_eq!((sm(&body).esm_class, sm(&body).data_coding), (0, 8));
    assert_eq!(shown(&sm(&body), &to), "€ğ");
    to.fallback = Fallback::Replace;
    let body = converted(&turkish, &Profile::default(), &to).expect("with marks");
    assert_eq!(sm(&body).short_message, b"??");

    let long = [&b"\x03\x25\x01\x01"[..], &[b'a'; 300]].concat();
    let long = Sm { esm_class: 0x40, ..message(&long) };
    let bodies = divided(&long, &Profile::default(), &wants(Long::Udh8));
    assert_eq!(bodies.len(), 3, "149 septets each");
    for body in &bodies {
        assert_eq!(Udh::cut(sm(body).short_message).0.shifts(), Shifts { locking: 1, single: 0 });
    }
    assert_eq!(segments(&long, &Profile::default()), Ok(3));
}

#[test]
fn what_is_addressed_to_a_program_is_not_transcoded() {
    let user_data = b"\x06\x05\x04\x0B\x84\x23\xF0\xE9\xEA";
    let push = Sm { esm_class: 0x40, ..message(user_data) };

    let body = converted(&push, &speaks(Alphabet::Latin1), &Profile::default()).expect("it passes");

    assert_eq!(sm(&body), push);
}

#[test]
fn parameters_are_dropped_renamed_and_added() {
    let list = tlvs(&[(Tag(0x1400), b"a"), (Tag(0x1401), b"b"), (Tag(0x1402), b"c")]);
    let rules = TlvRules {
        drop: vec![Tag(0x1400)],
        rename: vec![(Tag(0x1401), Tag(0x2401))],
        add: vec![(Tag(0x1400), b"ours".to_vec()), (Tag(0x1402), b"not ours".to_vec())],
    };
    let to = Profile { tlvs: rules, ..Profile::default() };
    let message = Sm { tlvs: read(&list), ..message(b"hello") };

    let body = converted(&message, &Profile::default(), &to).expect("it fits");

    let of = |tag, value| Tlv { tag: Tag(tag), value };
    assert_eq!(
        sm(&body).tlvs.iter().collect::<Vec<_>>(),
        [of(0x2401, &b"b"[..]), of(0x1402, b"c"), of(0x1400, b"ours")]
    );
    assert!(!to.is_plain());
}

/// T7: parts that their phone wrote in different alphabets.
#[test]
fn parts_in_different_alphabets_are_joined_in_ucs_2() {
    let plain = Profile::default();
    let first = [&b"\x05\x00\x03\x09\x02\x01"[..], b"10 \x1be "].concat();
    let second = [&b"\x05\x00\x03\x09\x02\x02"[..], &encoded("яя", Alphabet::Ucs2)].concat();
    let parts = [
        Sm { esm_class: 0x40, ..message(&first) },
        Sm { esm_class: 0x40, data_coding: 8, ..message(&second) },
    ];
    let mut out = BytesMut::new();

    join(&parts, &plain, &mut out).expect("both are text");

    assert_eq!((sm(&out).esm_class, sm(&out).data_coding), (0, 8));
    assert_eq!(shown(&sm(&out), &plain), "10 € яя");
    let flashing = Sm { data_coding: 0xF0, ..parts[0] };
    let mut out = BytesMut::new();
    join(&[flashing, parts[0]], &plain, &mut out).expect("both are GSM");
    assert_eq!((sm(&out).data_coding, sm(&out).text()), (0xF0, &b"10 \x1be 10 \x1be "[..]));
    let unknown = Sm { data_coding: 5, ..parts[1] };
    let unlike = Sm { data_coding: 0x0A, ..parts[1] };
    assert_eq!(join(&[unknown, unlike], &plain, &mut BytesMut::new()), Err(Status::RINVDCS));
    assert_eq!(join(&[parts[0], unknown], &plain, &mut BytesMut::new()), Err(Status::RINVDCS));
    assert_eq!(join(&[], &plain, &mut BytesMut::new()), Err(Status::RINVMSGLEN));
}

#[test]
fn ports_are_on_every_part_and_once_on_the_whole() {
    let payload = [&b"\x06\x05\x04\x0B\x84\x23\xF0"[..], &[7; 300]].concat();
    let list = tlvs(&[(Tag::MESSAGE_PAYLOAD, &payload)]);
    let push = Sm { esm_class: 0x40, data_coding: 0xF5, tlvs: read(&list), ..message(b"") };

    let bodies = divided(&push, &Profile::default(), &wants(Long::Udh16));

    assert_eq!(bodies.len(), 3, "127 octets each");
    assert_eq!(segments(&push, &Profile::default()), Ok(3));
    assert!(bodies.iter().all(|body| Udh::cut(sm(body).short_message).0.ports() == Some((2948, 9200))));
    assert_eq!(sm(&joined(&bodies, &Profile::default())), push);
}

const LONGS: [Long; 3] = [Long::Udh8, Long::Udh16, Long::Sar];

/// T3, T7: whatever the length, form and alphabets, the text comes out as it went in.
#[test]
fn divided_and_joined_again_every_length_is_the_same() {
    let plain = Profile::default();
    for (alphabet, data_coding, pair) in [
        (Alphabet::Gsm, 0, "a€"),
        (Alphabet::Ucs2, 8, "я😀"),
        (Alphabet::Latin1, 3, "aé"),
        (Alphabet::Octets, 4, "aé"),
    ] {
        for len in (1..=1600).step_by(7).chain([69, 70, 71, 152, 153, 154, 159, 160, 161]) {
            let text: String = pair.chars().cycle().take(len).collect();
            let octets = encoded(&text, alphabet);
            let list = tlvs(&[(Tag::MESSAGE_PAYLOAD, &octets)]);
            let message = Sm { data_coding, tlvs: read(&list), ..message(b"") };
            for long in LONGS {
                let bodies = divided(&message, &plain, &wants(long));

                if long != Long::Udh16 {
                    assert_eq!(segments(&message, &plain), Ok(bodies.len() as u8));
                }
                for body in &bodies {
                    assert_eq!(segments(&sm(body), &plain), Ok(1));
                    assert_eq!(part_of(&sm(body)).is_some(), bodies.len() > 1);
                }
                assert_eq!(sm(&joined(&bodies, &plain)), message, "{alphabet:?} {len} {long:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn division_between_any_two_alphabets_keeps_the_text(
        text in "[a-zA-Z0-9 @£é€\\[\\]]{0,900}",
        from in prop::sample::select(vec![Alphabet::Gsm, Alphabet::Cp1252, Alphabet::Utf8, Alphabet::GsmPacked]),
        to in prop::sample::select(vec![Alphabet::Gsm, Alphabet::Cp1252, Alphabet::Utf8, Alphabet::GsmPacked]),
        long in prop::sample::select(LONGS.to_vec()),
    ) {
        let (from, to) = (speaks(from), Profile { long, ..speaks(to) });
        let mut octets = BytesMut::from(&encoded(&text, from.default_alphabet)[..]);
        if from.default_alphabet == Alphabet::GsmPacked {
            let septets = octets.split();
            crate::text::pack(&septets, 0, crate::text::Padding::Return, &mut octets);
        }
        let list = tlvs(&[(Tag::MESSAGE_PAYLOAD, &octets)]);
        let message = Sm { tlvs: read(&list), ..message(b"") };

        let bodies = divided(&message, &from, &to);

        let parts: String = bodies.iter().map(|body| shown(&sm(body), &to)).collect();
        prop_assert_eq!(&parts, &text);
        prop_assert_eq!(shown(&sm(&joined(&bodies, &to)), &to), text);
        if long != Long::Udh16 {
            prop_assert_eq!(segments(&message, &from), Ok(bodies.len() as u8));
        }
    }

    /// Whatever comes, what goes out is legal by the letter, or is refused with one of two statuses.
    #[test]
    fn anything_is_converted_to_something_legal_or_refused(
        user_data in prop::collection::vec(any::<u8>(), 0..400),
        esm_class: u8,
        data_coding: u8,
        in_payload: bool,
        sar in prop::option::of((any::<u16>(), any::<u8>(), any::<u8>())),
        from in 0..6usize,
        to in 0..6usize,
        long in prop::sample::select(vec![Long::Pass, Long::Udh8, Long::Udh16, Long::Sar, Long::Payload]),
    ) {
        let (from, to) = (speaks(Alphabet::ALL[from]), Profile { long, ..speaks(Alphabet::ALL[to]) });
        let mut list = BytesMut::new();
        if let Some((reference, total, number)) = sar {
            put_tlv(&mut list, Tag::SAR_MSG_REF_NUM, &reference.to_be_bytes());
            put_tlv(&mut list, Tag::SAR_TOTAL_SEGMENTS, &[total]);
            put_tlv(&mut list, Tag::SAR_SEGMENT_SEQNUM, &[number]);
        }
        if in_payload || user_data.len() > 255 {
            put_tlv(&mut list, Tag::MESSAGE_PAYLOAD, &user_data);
        }
        let short_message = if user_data.len() > 255 { &[] } else { &user_data[..] };
        let message = Sm { esm_class, data_coding, tlvs: read(&list), ..message(short_message) };
        let mut body = BytesMut::new();
        message.encode_body(&mut body);
        prop_assume!(Sm::decode(&body, Reading::Strict).is_ok());

        let mut bodies = Vec::new();
        let result = divide(&message, &from, &to, 7, |_, body| bodies.push(body.to_vec()));

        match result {
            Ok(total) => prop_assert_eq!(usize::from(total), bodies.len()),
            Err(status) => prop_assert!([Status::RINVDCS, Status::RINVMSGLEN].contains(&status) && bodies.is_empty()),
        }
        for body in &bodies {
            let read = Sm::decode(body, Reading::Strict).expect("legal by the letter");
            prop_assert!(read.short_message.len() <= 254);
            prop_assert_eq!(part_of(&read).is_some(), bodies.len() > 1 || part_of(&message).is_some());
        }
    }
}
