//! User data of any kind: parts follow each other, fit and read as the whole does; what is divided joins to what it was;
//! headers are rebuilt from their elements; what was read of a text is written and read again.
#![no_main]

use bytes::BytesMut;
use enroute::codec::{Reading, Sm, Status, Tag, Tlvs, put_tlv};
use enroute::conversion::{Long, Profile, divide, join, part_of};
use enroute::text::{Alphabet, Chars, Headers, Missing, Shifts, Text, Udh, UdhBuilder, encode, show, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(([esm_class, data_coding, from, to], user_data)) = input.split_first_chunk() else { return };
    let alphabet = Alphabet::ALL[usize::from(from >> 4) % Alphabet::COUNT];
    let has_udh = esm_class & 0x40 != 0;
    show(user_data, has_udh, *data_coding);

    let (udh, text) = Udh::cut(user_data);
    rebuilt(&udh);
    let shifts = udh.shifts();
    whole(text, alphabet, shifts, Headers::of(&udh, to & 0x80 != 0));
    reread(text, alphabet, shifts);
    divided(user_data, *esm_class, *data_coding, (*from, *to));
});

fn rebuilt(udh: &Udh<'_>) {
    let mut builder = UdhBuilder::default();
    for element in udh.elements() {
        assert!(builder.push(element), "a header that was read has room");
    }
    let (again, rest) = Udh::cut(builder.as_bytes());
    assert!(rest.is_empty() && again.elements().eq(udh.elements()));
    assert_eq!((again.concat(), again.shifts(), again.ports()), (udh.concat(), udh.shifts(), udh.ports()));
}

/// The parts have no gap, fit, are as full as can be, and no character is parted.
fn whole(text: &[u8], alphabet: Alphabet, shifts: Shifts, headers: Headers) {
    let counted = Text::new(text, alphabet);
    let Ok(parts) = split(counted, headers) else { return };
    if alphabet == Alphabet::GsmPacked {
        return; // Ranges of septets: compared with the unpacked in tests.
    }
    let total = parts.total();
    let capacity = counted.capacity(if total == 1 { headers.whole } else { headers.part });
    let (mut at, mut count, mut joined) = (0, 0u8, String::new());
    for range in parts {
        assert_eq!(range.start, at);
        at = range.end;
        count += 1;
        let units = Text::new(&text[range.clone()], alphabet).units();
        assert!(units <= capacity && (count == total || units + 2 > capacity));
        // A mark in front of a later part would be skipped; it is a character there.
        if text[range.clone()].starts_with(&[0xFE, 0xFF]) || text[range.clone()].starts_with(&[0xFF, 0xFE]) {
            return;
        }
        joined.extend(Chars::new(&text[range], alphabet, shifts));
    }
    assert_eq!((at, count), (text.len(), total));
    // Octets of UTF-8 that claim to be anything may be cut anywhere.
    if alphabet != Alphabet::Utf8 {
        assert_eq!(joined, Chars::new(text, alphabet, shifts).collect::<String>());
    }
}

fn reread(text: &[u8], alphabet: Alphabet, shifts: Shifts) {
    let read: String = Chars::new(text, alphabet, shifts).filter(|char| *char != '\u{FFFD}').collect();
    let is_doubtful = shifts.single == 12 && read.contains('€');
    if is_doubtful || read.starts_with('\u{FEFF}') {
        return;
    }
    let mut out = BytesMut::new();
    let chars = Chars::new(read.as_bytes(), Alphabet::Utf8, Shifts::NONE);
    assert_eq!(encode(chars, alphabet, shifts, Missing::Refuse, &mut out), Ok(0));
    let alphabet = if alphabet == Alphabet::GsmPacked { Alphabet::Gsm } else { alphabet };
    assert_eq!(Chars::new(&out, alphabet, shifts).collect::<String>(), read);
}

fn divided(user_data: &[u8], esm_class: u8, data_coding: u8, (from, to): (u8, u8)) {
    const LONGS: [Long; 5] = [Long::Pass, Long::Udh8, Long::Udh16, Long::Sar, Long::Payload];
    let long = LONGS[usize::from(to >> 4) % LONGS.len()];
    let profile = |default: u8| Profile {
        default_alphabet: Alphabet::ALL[usize::from(default & 0x0F) % Alphabet::COUNT],
        ..Profile::default()
    };
    let (from, to) = (profile(from), Profile { long, ..profile(to) });
    let mut list = BytesMut::new();
    if user_data.len() > usize::from(u16::MAX) {
        return;
    }
    put_tlv(&mut list, Tag::MESSAGE_PAYLOAD, user_data);
    let tlvs = Tlvs::read(&list, Reading::Strict).expect("just written");
    let sm = Sm { esm_class, data_coding, tlvs, ..Sm::default() };
    let mut bodies = Vec::new();
    match divide(&sm, &from, &to, 7, |_, body| bodies.push(body.to_vec())) {
        Ok(total) => assert_eq!(usize::from(total), bodies.len()),
        Err(status) => {
            assert!(bodies.is_empty() && [Status::RINVDCS, Status::RINVMSGLEN].contains(&status));
            return;
        }
    }
    let parts: Vec<Sm<'_>> = bodies
        .iter()
        .map(|body| Sm::decode(body, Reading::Carrier).expect("its addresses are there"))
        .collect();
    assert!(parts.iter().all(|part| part.short_message.len() <= 254));
    if parts.len() == 1 {
        return;
    }
    assert!(parts.iter().all(|part| part_of(part).is_some()));
    let mut joined = BytesMut::new();
    if let Err(status) = join(&parts, &to, &mut joined) {
        // Of one text they are; but in UTF-8 it may have become more than a payload takes.
        let octets: usize = parts.iter().map(|part| part.text().len()).sum();
        assert!(status == Status::RINVMSGLEN && octets > usize::from(u16::MAX));
        return;
    }
    // The same peer on both sides: nothing but the header's own order may have changed.
    if from.default_alphabet == to.default_alphabet && from.default_alphabet != Alphabet::GsmPacked {
        let joined = Sm::decode(&joined, Reading::Strict).expect("legal by the letter");
        let text = |sm: &Sm<'_>| match sm.udh() {
            Some(udh) => sm.text()[1 + udh.len()..].to_vec(),
            None => sm.text().to_vec(),
        };
        assert_eq!(text(&joined), text(&sm));
    }
}
