//! Decoding, relaying and encoding allocate nothing, given room to write to; neither does counting or cutting a text, or choosing a route.

use bytes::BytesMut;
use enroute::clock::UnixMs;
use enroute::codec::{
    Address, AlertNotification, BroadcastSm, CancelSm, Command, DataSm, Destination, Destinations,
    MAX_PDU_LEN, MultiResp, Outbind, QueryResp, QuerySm, Reading, Receipt, Relay, ReplaceSm, Sm, SmResp,
    Status, SubmitMulti, Tag, Tlvs, add_congestion_state, begin, encode_id_resp, encode_multi_resp,
    encode_submit_resp, finish, next_frame, put_destination, put_tlv, relay_read,
};
use enroute::conversion::{Profile, needs_division, part_of, segments};
use enroute::id::{AccountId, CarrierId};
use enroute::route::{
    Case, Dice, Draft, Group, GroupKind, Pattern, Prefix, Price, PriceList, Row, Rule, Standing, Target,
    Tried, Turns,
};
use enroute::text::{Alphabet, Chars, Headers, Missing, Shifts, Text, encode, split};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

fn submit_sm(out: &mut BytesMut) {
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::USER_MESSAGE_REFERENCE, &[0x12, 0x34]);
    put_tlv(&mut tlvs, Tag::QOS_TIME_TO_LIVE, &[0, 0, 14, 16]);
    put_tlv(&mut tlvs, Tag(0x1401), b"cost centre");
    let international = |addr| Address { ton: 1, npi: 1, addr };
    Sm {
        source: international(b"12345"),
        destination: international(b"447700900123"),
        registered_delivery: 1,
        short_message: b"id:1 stat:DELIVRD done date:2601021530 text:Your code is 123456",
        tlvs: Tlvs::read(&tlvs, Reading::Strict).expect("just written"),
        ..Sm::default()
    }
    .encode(out, Command::SUBMIT_SM, 7);
}

#[test]
fn submit_sm_is_decoded_relayed_and_encoded_without_allocating() {
    let mut input = BytesMut::new();
    submit_sm(&mut input);
    let mut out = BytesMut::with_capacity(4096);
    let relay = Relay { validity_period: b"260315103000000+", registered_delivery: 1, ..Relay::default() };

    let allocations = allocations_of(|| {
        let frame = next_frame(&input, MAX_PDU_LEN).expect("framed").expect("whole");
        let sm = Sm::decode(frame.body, Reading::Lenient).expect("legal");
        sm.encode(&mut out, Command::DELIVER_SM, 1);
        let start = begin(&mut out, Command::SUBMIT_SM, Status::ROK, 2);
        relay_read(&sm, frame.body, &relay, true, &mut out).expect("legal");
        finish(&mut out, start);
        encode_submit_resp(&mut out, Status::ROK, 7, b"0000000001");
        let receipt = Receipt::read(&sm).expect("its text looks like one");
        receipt.write_text(&mut out);
    });

    assert_eq!(allocations, 0);
    assert!(out.len() > 3 * input.len());
}

/// Each of the other bodies, and what is walked in it.
#[test]
fn no_view_of_a_body_allocates() {
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, b"Road closed");
    put_tlv(&mut tlvs, Tag::BROADCAST_AREA_IDENTIFIER, b"\0Dublin");
    put_tlv(&mut tlvs, Tag::BROADCAST_CONTENT_TYPE, &[1, 0, 0x30]);
    put_tlv(&mut tlvs, Tag::BROADCAST_FREQUENCY_INTERVAL, &[9, 0, 31]);
    put_tlv(&mut tlvs, Tag::BROADCAST_REP_NUM, &[0, 2]);
    let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("just written");
    let far = Address { ton: 1, npi: 1, addr: b"447700900123" };
    let sm = Sm { source: far, destination: far, short_message: b"Road closed", ..Sm::default() };
    let mut list = BytesMut::new();
    put_destination(&mut list, &Destination::Sme(far));
    put_destination(&mut list, &Destination::List(b"staff"));
    let mut out = BytesMut::with_capacity(4096);
    let strict = Reading::Strict;

    let allocations = allocations_of(|| {
        let mut read = |write: &dyn Fn(&mut BytesMut), walk: &dyn Fn(&[u8])| {
            out.clear();
            write(&mut out);
            walk(next_frame(&out, MAX_PDU_LEN).expect("framed").expect("whole").body);
        };
        read(&|out| sm.encode_data(out, 1), &|body| {
            let data_sm = DataSm::decode(body, strict).expect("legal");
            assert_eq!(data_sm.as_sm().text(), b"Road closed");
        });
        let destinations = Destinations::read(&list).expect("just written");
        read(&|out| SubmitMulti { sm, destinations }.encode(out, 1), &|body| {
            let multi = SubmitMulti::decode(body, strict).expect("legal");
            assert_eq!(multi.destinations.iter().count(), 2);
        });
        let refused = [(far, Status::RINVDSTADR)];
        read(&|out| encode_multi_resp(out, Status::ROK, 1, b"A1", &refused), &|body| {
            assert!(MultiResp::decode(body).unsuccess.iter().eq(refused));
        });
        let query = QuerySm { message_id: b"A1", source: far };
        read(&|out| query.encode(out, 1), &|body| assert_eq!(QuerySm::decode(body, strict), Ok(query)));
        let resp = QueryResp { message_id: b"A1", ..QueryResp::default() };
        read(&|out| resp.encode(out, Status::ROK, 1), &|body| assert_eq!(QueryResp::decode(body), resp));
        let cancel = CancelSm { message_id: b"A1", source: far, ..CancelSm::default() };
        read(&|out| cancel.encode(out, 1), &|body| assert_eq!(CancelSm::decode(body, strict), Ok(cancel)));
        let replace = ReplaceSm { message_id: b"A1", tlvs, ..ReplaceSm::default() };
        read(&|out| replace.encode(out, 1), &|body| assert_eq!(ReplaceSm::decode(body, strict), Ok(replace)));
        let alert = AlertNotification { source: far, tlvs, ..AlertNotification::default() };
        read(&|out| alert.encode(out, 1), &|body| {
            assert_eq!(AlertNotification::decode(body, strict), Ok(alert));
        });
        let outbind = Outbind { system_id: b"MC1", password: b"obpass" };
        read(&|out| outbind.encode(out, 1), &|body| assert_eq!(Outbind::decode(body, strict), Ok(outbind)));
        let broadcast = BroadcastSm { source: far, tlvs, ..BroadcastSm::default() };
        read(&|out| broadcast.encode(out, 1), &|body| {
            assert_eq!(BroadcastSm::decode(body, strict), Ok(broadcast));
        });
        read(
            &|out| {
                encode_id_resp(out, Command::BROADCAST_SM, Status::ROK, 1, b"A1", tlvs);
                add_congestion_state(out, 0, 85);
            },
            &|body| assert_eq!(SmResp::decode(body).tlvs.u8(Tag::CONGESTION_STATE), Some(85)),
        );
    });

    assert_eq!(allocations, 0);
}

#[test]
fn text_is_counted_and_cut_without_allocating() {
    let text = "a\u{1b}e".repeat(2000);
    let mut payload = BytesMut::new();
    put_tlv(&mut payload, Tag::MESSAGE_PAYLOAD, text.as_bytes());
    let tlvs = Tlvs::read(&payload, Reading::Strict).expect("just written");
    let sm = Sm { tlvs, ..Sm::default() };
    let gsm = Profile::default();
    let utf_8 = Profile { default_alphabet: Alphabet::Utf8, ..Profile::default() };
    let mut out = BytesMut::with_capacity(4096);
    let mut total = 0;

    let allocations = allocations_of(|| {
        total += usize::from(segments(&sm, &gsm).expect("short enough"));
        total += usize::from(segments(&sm, &utf_8).expect("short enough"));
        assert!(part_of(&sm).is_none() && needs_division(&sm, &gsm, &gsm).is_none());
        let parts = split(Text::new(text.as_bytes(), Alphabet::Gsm), Headers::with_concat(0, true));
        total += parts.expect("short enough").map(|range| usize::from(!range.is_empty())).sum::<usize>();
        let chars = Chars::new(&text.as_bytes()[..150], Alphabet::Gsm, Shifts::NONE);
        encode(chars, Alphabet::Ucs2, Shifts::NONE, Missing::Refuse, &mut out).expect("it has all");
    });

    assert_eq!(allocations, 0);
    assert_eq!(total, 40 + 90 + 40);
}

/// The counter counts, or the test above could not fail.
#[test]
fn allocation_is_seen() {
    assert!(allocations_of(|| drop(std::hint::black_box(vec![1u8; 64]))) > 0);
}

#[test]
fn choosing_a_route_and_its_carriers_allocates_nothing() {
    let row = |prefix: &str| Row { prefix: Prefix::read(prefix).expect("digits"), target: None, origin: 0 };
    let member = |carrier| (Target::Carrier(CarrierId(carrier)), 1);
    let kinds = [GroupKind::RoundRobin, GroupKind::Weighted, GroupKind::LeastLoaded, GroupKind::Cheapest];
    let mut groups: Vec<Group> = kinds
        .iter()
        .map(|kind| Group { name: format!("{kind:?}"), kind: *kind, members: (0..3).map(member).collect() })
        .collect();
    let nested = (0..groups.len() as u16).map(|place| (Target::Group(place), 1)).collect();
    groups.push(Group { name: "all".to_owned(), kind: GroupKind::Failover, members: nested });
    let rules = vec![
        Rule { sources: vec![Pattern::new("ACME*")], ..Rule::new("other", Some(member(0).0)) },
        Rule {
            prefixes: vec![vec![row("44"), row("4477")].into()],
            ..Rule::new("all", Some(Target::Group(4)))
        },
    ];
    let price = (Prefix::read("447").expect("digits"), Price(1), 0);
    let prices = vec![(CarrierId(1), PriceList { prefixes: vec![price], ..PriceList::default() })];
    let routes = Draft { rules, groups, prices, ..Draft::default() }.build().expect("sound");
    let destination = Address { ton: 1, npi: 1, addr: b"447700900123" };
    let sm = Sm { destination, ..Sm::default() };
    let case = Case { account: AccountId(0), sm: &sm, segments: 1, due: UnixMs(0), dice: Dice::Cast(7) };
    let mut turns = Turns::of_all(&routes);
    let mut candidates = 0;

    let allocations = allocations_of(|| {
        let route = routes.decide(&case).expect("the second one");
        let mut tried = Tried::default();
        let standing = |carrier: CarrierId| Standing { usable: carrier.0 != 2, load: carrier.0 };
        while let Some(leaf) =
            routes.next(route, destination.addr, tried, Dice::Cast(7), &mut turns, standing)
        {
            tried = tried.and(leaf);
            candidates += 1;
        }
    });

    assert_eq!((allocations, candidates), (0, 12));
}
