//! Long texts of handsets: joined where their account wants that, in any order and through crashes, and cut only for 3.3.

mod world;

use bytes::BytesMut;
use enroute::codec::{Reading, Sm, Status, Tag, Tlvs, Version, put_tlv};
use enroute::conversion::part_of;
use enroute::esme::Verdict;
use enroute::hub::{Event, Overdue, Settings};
use enroute::id::{CarrierId, SessionId};
use enroute::spool::{Disk, DiskFile, MemoryDisk};
use world::*;

const OLD_PORT: SessionId = SessionId(11);

/// The usual account gets all that handsets say, long texts whole.
fn joining() -> Settings {
    let mut settings = Settings { inbound: all_to(ACCOUNT), ..settings() };
    settings.accounts[0].join_inbound = true;
    settings
}

fn bound() -> World {
    World::bound(joining(), 10)
}

/// The carrier brings one part, under a header.
fn bring_part(world: &mut World, reference: u8, total: u8, number: u8, text: &[u8]) {
    let part = handset_part(reference, total, number, text);
    assert_eq!(world.brought(&Sm { esm_class: 0x40, ..handset_text(&part) }), Status::ROK);
}

/// The same, its place told by parameters.
fn bring_sar(world: &mut World, reference: u16, total: u8, number: u8, text: &[u8]) {
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::SAR_MSG_REF_NUM, &reference.to_be_bytes());
    put_tlv(&mut tlvs, Tag::SAR_TOTAL_SEGMENTS, &[total]);
    put_tlv(&mut tlvs, Tag::SAR_SEGMENT_SEQNUM, &[number]);
    let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
    assert_eq!(world.brought(&Sm { tlvs, ..handset_text(text) }), Status::ROK);
}

fn reborn(world: World) -> World {
    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();
    world
}

/// Field bugs T6, T7: whichever part comes last, and however each says which it is.
#[test]
fn parts_are_joined_in_any_order() {
    for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        for bring in [
            |world: &mut World, number, text: &[u8]| bring_part(world, 7, 3, number, text),
            |world: &mut World, number, text: &[u8]| bring_sar(world, 0x107, 3, number, text),
        ] {
            let mut world = bound();
            for number in order {
                assert_eq!(world.heard.len(), 0);
                bring(&mut world, number, [&b"one "[..], b"two ", b"three"][usize::from(number) - 1]);
            }

            let sm = Sm::decode(&world.heard[0].body, Reading::Strict).expect("legal");
            assert_eq!((sm.esm_class, sm.short_message), (0, &b"one two three"[..]), "{order:?}");
            assert_eq!((sm.source, sm.destination, sm.tlvs.is_empty()), (HANDSET, SHORT_CODE, true));
            world.hear(Verdict::Taken);
            let gauges = world.hub.gauges();
            assert_eq!((gauges.messages, gauges.scheduled, gauges.remembered), (0, 0, 0));
            assert_eq!(world.count(|stats| stats.inbound.joined + 10 * stats.inbound.received), 31);
        }
    }
}

/// Fact sheet 9.7: beyond 254 octets there is message_payload alone.
#[test]
fn joined_text_is_in_short_message_as_long_as_that_has_room() {
    for (octets, in_payload) in [(254, false), (255, true)] {
        let mut world = bound();
        let text = vec![b'x'; octets];
        bring_part(&mut world, 7, 2, 1, &text[..130]);
        bring_part(&mut world, 7, 2, 2, &text[130..]);

        let sm = Sm::decode(&world.heard[0].body, Reading::Strict).expect("legal");
        assert_eq!(sm.tlvs.find(Tag::MESSAGE_PAYLOAD).is_some(), in_payload);
        assert_eq!(sm.text(), text);
    }
}

/// Field bug T6: a part that comes twice counts once; another one under its number is not lost.
#[test]
fn second_copy_of_a_part_is_dropped_and_another_part_in_its_place_is_not() {
    let mut world = bound();
    bring_part(&mut world, 7, 2, 1, b"hello ");
    bring_part(&mut world, 7, 2, 1, b"hello ");
    assert_eq!((world.heard.len(), world.hub.gauges().messages), (0, 1));
    bring_part(&mut world, 7, 2, 1, b"HELLO ");
    let alone = world.hear(Verdict::Taken);
    bring_part(&mut world, 7, 2, 2, b"world");

    assert_eq!(&alone[0][6..], b"HELLO ");
    assert_eq!(world.hear(Verdict::Taken), [b"hello world"]);
    assert_eq!(world.count(|stats| stats.inbound.twins + 10 * stats.inbound.parts_alone), 11);
}

/// Field bug T5: what looks alike and isn't is kept apart: references, kinds of reference, handsets, carriers.
#[test]
fn parts_of_different_texts_are_not_mixed() {
    let mut settings = joining();
    let carrier = enroute::carrier::Carrier::new("beta", "127.0.0.1:1");
    settings.carriers.push(enroute::hub::CarrierPlan::new(carrier));
    let mut world = World::bound(settings, 10);
    world.bind_link_of(OTHER_LINK, CarrierId(1));
    world.run();
    let first = handset_part(7, 2, 1, b"1");
    let second = handset_part(7, 2, 2, b"2");

    bring_part(&mut world, 7, 2, 1, b"1");
    bring_part(&mut world, 8, 2, 2, b"2");
    bring_sar(&mut world, 7, 2, 2, b"2");
    let stranger = enroute::codec::Address { addr: b"447700900999", ..HANDSET };
    world.brought(&Sm { esm_class: 0x40, source: stranger, ..handset_text(&second) });
    world.bring(OTHER_LINK, 1, &Sm { esm_class: 0x40, ..handset_text(&second) });
    world.run();
    assert_eq!(world.heard.len(), 0);
    world.bring(OTHER_LINK, 2, &Sm { esm_class: 0x40, ..handset_text(&first) });
    world.run();

    assert_eq!(world.hear(Verdict::Taken), [b"12"]);
    assert_eq!(world.hub.gauges().messages, 4);
}

/// Parts are gone only once the whole is recorded: wherever the power goes, the text comes whole, once or again.
#[test]
fn joined_text_survives_a_crash_at_every_step() {
    for step in 0..6 {
        let mut world = bound();
        bring_part(&mut world, 7, 2, 1, b"hello ");
        if step > 0 {
            let part = handset_part(7, 2, 2, b"world");
            world.bring(LINK, 78, &Sm { esm_class: 0x40, ..handset_text(&part) });
            world.turn();
        }
        if step > 1 {
            world.commit(); // the second part is durable
        }
        if step > 2 {
            world.turn(); // joined, not durable
            assert_eq!(world.heard.len(), 1);
        }
        if step > 3 {
            world.run();
        }
        if step > 4 {
            world.hear(Verdict::Taken);
        }
        world.heard.clear();

        let mut world = reborn(world);
        if step < 2 {
            assert_eq!(world.heard.len(), 0, "{step}");
            bring_part(&mut world, 7, 2, 2, b"world");
        }
        let expected: &[&[u8]] = if step == 5 { &[] } else { &[b"hello world"] };
        assert_eq!(world.hear(Verdict::Taken), expected, "{step}");
        let world = reborn(world);
        assert_eq!((world.recovered, world.heard.len(), world.dispatches.len()), (0, 0, 0), "{step}");
    }
}

/// The one segment of a log, as far as something is written in it.
fn written(disk: &MemoryDisk) -> (String, usize) {
    let name = disk.list().expect("a healthy disk").into_iter().find(|name| name.contains("seg"));
    let name = name.expect("a segment");
    let file = disk.open(&name).expect("it is there");
    let mut octets = vec![0; file.size().expect("a healthy disk") as usize];
    file.read_at(&mut octets, 0).expect("a healthy disk");
    (name, octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1))
}

/// The hub begins again with each beginning of its log from `from` on; gives what the account hears of each, in order.
fn heard_after_each_cut(world: &World, from: usize, version: Version) -> Vec<Vec<Vec<u8>>> {
    let (name, end) = written(&world.disk);
    let mut heard = Vec::new();
    for cut in (from..=end).step_by(8).chain([end]) {
        let disk = world.disk.crash(&mut || true);
        let file = disk.open(&name).expect("it is there");
        file.write_at(&vec![0; end - cut], cut as u64).expect("a healthy disk");
        file.sync_data().expect("a healthy disk");
        let mut world = World::open(world.settings.clone(), world.spool, disk, world.now);
        world.bind_as(OLD_PORT, ACCOUNT, version);
        world.run();
        world.pass(secs(600)); // parts whose others are not there come alone
        heard.push(world.hear(Verdict::Taken));
        assert_eq!((world.dispatches.len(), world.hub.gauges().messages), (0, 0));
    }
    heard
}

/// A log whose frames hold one record each.
fn finely_cut() -> World {
    let spool = enroute::spool::Settings { segment_octets: 64 << 10, frame_octets: 64, spares: 0 };
    let mut world = World::open(joining(), spool, MemoryDisk::new(7), start());
    world.bind_link(LINK, 10);
    world.run();
    world
}

/// Wherever the log is cut, it has the parts that were answered or the whole, and never both.
#[test]
fn every_beginning_of_the_log_has_the_parts_or_the_whole() {
    let mut world = finely_cut();
    bring_part(&mut world, 7, 3, 2, b"x");
    let (_, first) = written(&world.disk);
    bring_part(&mut world, 7, 3, 1, b"x");
    bring_part(&mut world, 7, 3, 3, b"x");
    world.bind_port(PORT);
    world.run();
    assert_eq!(world.heard.len(), 1);

    let parts = |text: &Vec<u8>| if *text == b"xxx" { 3 } else { 1 };
    let counts: Vec<usize> = (heard_after_each_cut(&world, first, Version::V34).iter())
        .map(|heard| heard.iter().map(parts).sum())
        .collect();

    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!((counts.first(), counts.last()), (Some(&1), Some(&3)));
}

/// The same for a text that is divided for 3.3.
#[test]
fn every_beginning_of_the_log_has_the_long_text_once() {
    let mut world = finely_cut();
    let text = bring_payload(&mut world, 400);
    let (_, whole) = written(&world.disk);
    world.bind_as(OLD_PORT, ACCOUNT, Version::V33);
    world.run();
    assert_eq!(world.heard.len(), 3);

    for heard in heard_after_each_cut(&world, whole, Version::V33) {
        let told: Vec<u8> = heard.iter().flat_map(|part| part[6..].to_vec()).collect();
        assert_eq!(told, text);
    }
}

/// Field bug T6: one is missing. Whatever is set for submitted parts, those of handsets are not dropped.
#[test]
fn parts_whose_others_never_come_go_as_they_came() {
    for overdue in [Overdue::Send, Overdue::Fail] {
        let mut settings = joining();
        settings.limits.overdue_parts = overdue;
        let mut world = World::bound(settings, 10);
        bring_part(&mut world, 7, 3, 3, b"three");
        bring_part(&mut world, 7, 3, 1, b"one");
        world.pass(secs(599));
        assert_eq!(world.heard.len(), 0);

        world.pass(secs(1));

        let expected = [handset_part(7, 3, 1, b"one"), handset_part(7, 3, 3, b"three")];
        assert_eq!(world.hear(Verdict::Taken), expected);
        assert_eq!(world.count(|stats| stats.inbound.parts_alone), 2);
    }
}

/// Bounded: what there is no room to gather goes as it came.
#[test]
fn parts_beyond_the_bounds_go_as_they_came() {
    let mut settings = joining();
    settings.limits.gathering.entries_max = 1;
    let mut world = World::bound(settings, 10);
    bring_part(&mut world, 7, 2, 1, b"kept");
    bring_part(&mut world, 8, 2, 1, b"passed");

    assert_eq!(world.hear(Verdict::Taken), [handset_part(8, 2, 1, b"passed")]);
}

/// A part may outlive its account's patience while its others are waited for.
#[test]
fn part_that_expires_while_it_is_gathered_lets_the_others_go() {
    let mut settings = joining();
    settings.limits.inbound_retention = secs(100);
    let mut world = World::bound(settings, 10);
    bring_part(&mut world, 7, 2, 1, b"old");
    world.pass(secs(101));
    bring_part(&mut world, 7, 2, 2, b"young");

    assert_eq!(world.hear(Verdict::Taken), [handset_part(7, 2, 2, b"young")]);
    assert_eq!(world.count(|stats| stats.inbound.expired), 1);
    assert_eq!(world.hub.gauges().messages, 0);
}

/// Parts that come while nobody is bound cost no memory, and are joined when somebody is.
#[test]
fn parts_wait_for_their_account_on_disk_and_are_joined_when_it_comes() {
    let mut settings = joining();
    settings.limits.bodies = 1;
    let mut world = World::new(settings);
    world.bind_link(LINK, 10);
    world.run();
    for number in 1..=3 {
        bring_part(&mut world, 7, 3, number, b"x");
    }
    assert_eq!(world.hub.gauges().remembered, 0, "nothing is gathered");
    world.pass(secs(3600));

    world.bind_port(PORT);
    world.run();

    assert_eq!(world.hear(Verdict::Taken), [b"xxx"]);
}

/// A long text in message_payload, as one message.
fn bring_payload(world: &mut World, octets: usize) -> Vec<u8> {
    let text = b"0123456789".repeat(octets / 10);
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, &text);
    let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
    assert_eq!(world.brought(&Sm { tlvs, ..handset_text(b"") }), Status::ROK);
    text
}

/// Fact sheet 10.7: 3.3 has no message_payload; rather to a session that has, and else in parts.
#[test]
fn long_text_goes_to_a_session_that_has_room_or_in_parts_to_3_3() {
    let mut world = World::new(joining());
    world.bind_link(LINK, 10);
    world.bind_as(OLD_PORT, ACCOUNT, Version::V33);
    world.run();
    let text = bring_payload(&mut world, 400);
    let told: Vec<_> = (world.heard.iter())
        .map(|heard| {
            let sm = Sm::decode(&heard.body, Reading::Strict).expect("legal");
            let part = part_of(&sm).expect("a part");
            assert!(sm.tlvs.is_empty());
            (part.number, part.total, sm.short_message[6..].to_vec())
        })
        .collect();
    assert_eq!(
        told.iter().map(|(number, total, _)| (*number, *total)).collect::<Vec<_>>(),
        [(1, 3), (2, 3), (3, 3)]
    );
    assert_eq!(told.iter().flat_map(|(.., text)| text.clone()).collect::<Vec<_>>(), text);
    world.hear(Verdict::Taken);
    assert_eq!(world.hub.gauges().messages, 0);

    world.bind_port(PORT);
    world.run();
    let text = bring_payload(&mut world, 400);
    assert_eq!(world.heard[0].session, PORT);
    assert_eq!(world.hear(Verdict::Taken), [text]);
    assert_eq!(world.count(|stats| stats.inbound.divided), 1);
}

/// Parts stand before the end of their whole in the log: a cut between leaves the whole.
#[test]
fn text_divided_for_3_3_survives_a_crash_at_every_step() {
    for step in 0..4 {
        let mut world = World::new(joining());
        world.bind_link(LINK, 10);
        world.run();
        let text = bring_payload(&mut world, 300);
        world.bind_as(OLD_PORT, ACCOUNT, Version::V33);
        world.turn();
        assert_eq!(world.heard.len(), 2);
        if step > 0 {
            world.commit();
        }
        if step > 1 {
            let first = world.heard[0].token;
            world.verdict(OLD_PORT, first, Verdict::Taken);
            world.run();
        }
        if step > 2 {
            world.heard.remove(0);
            world.hear(Verdict::Taken);
        }

        let mut world = world.crash(&mut || false);
        world.bind_as(OLD_PORT, ACCOUNT, Version::V33);
        world.run();
        let heard: Vec<u8> = world.hear(Verdict::Taken).iter().flat_map(|part| part[6..].to_vec()).collect();

        let expected = match step {
            0 | 1 => &text[..],
            2 => &text[153..],
            _ => &[],
        };
        assert_eq!(heard, expected, "{step}");
        assert_eq!(world.hub.gauges().messages, 0, "{step}");
    }
}

/// What nobody can read nobody can divide: it ends where 3.3 has no more room, and is counted.
#[test]
fn text_in_a_coding_that_nobody_knows_is_cut_for_3_3() {
    let mut world = World::new(joining());
    world.bind_link(LINK, 10);
    world.bind_as(OLD_PORT, ACCOUNT, Version::V33);
    world.run();
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, &[b'?'; 300]);
    let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
    world.brought(&Sm { tlvs, data_coding: 5, ..handset_text(b"") });

    assert_eq!(world.hear(Verdict::Taken), [vec![b'?'; 254]]);
    assert_eq!(world.count(|stats| stats.inbound.cut), 1);
}

/// A part by parameters says so in a header to who gets no parameters.
#[test]
fn part_by_parameters_has_a_header_for_3_3() {
    let mut settings = joining();
    settings.accounts[0].join_inbound = false;
    let mut world = World::new(settings);
    world.bind_link(LINK, 10);
    world.bind_as(OLD_PORT, ACCOUNT, Version::V33);
    world.run();

    bring_sar(&mut world, 0x1234, 2, 1, b"hello");

    let sm = Sm::decode(&world.heard[0].body, Reading::Strict).expect("legal");
    assert_eq!((sm.esm_class, sm.short_message), (0x40, &b"\x06\x08\x04\x12\x34\x02\x01hello"[..]));
    world.inbox.push(Event::PortClosed { session: OLD_PORT });
    world.bind_port(PORT);
    world.heard.clear();
    world.run();
    let sm = Sm::decode(&world.heard[0].body, Reading::Strict).expect("legal");
    assert_eq!((sm.esm_class, sm.tlvs.u16(Tag::SAR_MSG_REF_NUM)), (0, Some(0x1234)));
}
