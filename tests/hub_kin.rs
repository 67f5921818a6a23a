//! Texts that are divided or joined, and what else may happen to them meanwhile.

mod world;

use bytes::{Bytes, BytesMut};
use enroute::carrier::Verdict as Word;
use enroute::codec::{
    Address, CancelSm, Command, Destination, Destinations, MessageState, MultiResp, Reading, Sm, Status,
    SubmitMulti, put_destination,
};
use enroute::conversion::Long;
use enroute::esme::{Intake, Request};
use enroute::hub::{Event, PartReceipts};
use std::sync::Arc;
use world::*;

/// A submit_sm with this much text in its message_payload.
fn long(octets: usize, esm_class: u8) -> BytesMut {
    long_text(octets, Sm { esm_class, registered_delivery: 1, ..Sm::default() })
}

/// A submit_sm with that text and user data header, if `header` is not empty.
fn said_with(header: &[u8], text: &[u8], registered_delivery: u8) -> BytesMut {
    let user_data = [header, text].concat();
    let mut body = BytesMut::new();
    Sm {
        source: SOURCE,
        destination: DESTINATION,
        esm_class: if header.is_empty() { 0 } else { 0x40 },
        registered_delivery,
        short_message: &user_data,
        ..Sm::default()
    }
    .encode_body(&mut body);
    body
}

fn submit(world: &mut World, body: &[u8]) -> String {
    world.ask(Command::SUBMIT_SM, |out| out.extend_from_slice(body));
    let (_, answer) = world.answers.pop().expect("an answer");
    world.name(answer.outcome.expect("accepted"))
}

/// A submit_multi to two numbers; gives the id that stands for both.
fn multi(world: &mut World, sm: Sm<'_>) -> String {
    let mut entries = BytesMut::new();
    for addr in [&b"447700900001"[..], b"447700900002"] {
        put_destination(&mut entries, &Destination::Sme(Address { ton: 1, npi: 1, addr }));
    }
    let destinations = Destinations::read(&entries).expect("well formed");
    let multi = SubmitMulti { sm: Sm { source: SOURCE, registered_delivery: 1, ..sm }, destinations };
    world.ask(Command::SUBMIT_MULTI, |out| multi.encode_body(out));
    let (_, pdu) = world.replies.pop().expect("a submit_multi_resp");
    String::from_utf8(MultiResp::decode(frame(&pdu).body).message_id.to_vec()).expect("text")
}

fn told(world: &mut World) -> Vec<String> {
    let mut told: Vec<_> = world.delivered.drain(..).map(|receipt| receipt.id).collect();
    told.sort();
    told
}

/// Its new text may belong to another long text, or to none: nobody can say any more what is to be joined.
#[test]
fn part_that_waits_for_the_others_of_its_text_cannot_be_replaced() {
    let mut world = World::bound(carrier_that_wants(Long::Payload, PartReceipts::Worst), 10);
    let first = submit(&mut world, &said_with(&[5, 0, 3, 7, 2, 1], b"hello ", 1));

    assert_eq!(world.replace(&first, "\u{5}\0\u{3}\u{9}\u{2}\u{1}bye ", b""), Status::RREPLACEFAIL);
    submit(&mut world, &said_with(&[5, 0, 3, 7, 2, 2], b"world", 1));

    let (_, dispatch) = &world.dispatches[0];
    assert_eq!(Sm::decode(&dispatch.body, Reading::Strict).expect("a submit_sm").text(), b"hello world");
}

#[test]
fn transaction_whose_text_is_divided_is_answered_whatever_receipts_are_wished() {
    for wish in [PartReceipts::Worst, PartReceipts::Last, PartReceipts::Each] {
        let mut world = World::bound(carrier_that_wants(Long::Udh8, wish), 10);
        world.ask(Command::SUBMIT_SM, |out| out.extend_from_slice(&long(300, 2)));
        world.take_all("c");
        assert_eq!(world.statuses(), []);

        for id in ["c0", "c1"] {
            world.ended(id, MessageState::Delivered);
        }
        world.pass(secs(60));

        assert_eq!(world.status(), Status::ROK, "{wish:?}");
    }
}

/// The parts of a submit_multi's texts are joined for each destination; each part keeps the id that its customer got.
#[test]
fn joined_parts_of_two_submit_multi_keep_their_ids() {
    for crashes in [false, true] {
        let mut world = World::bound(carrier_that_wants(Long::Payload, PartReceipts::Worst), 10);
        let part = |number: u8| [&[5, 0, 3, 7, 2, number][..], b"text"].concat();
        let (one, two) = (part(1), part(2));
        let first = multi(&mut world, Sm { esm_class: 0x40, short_message: &one, ..Sm::default() });
        let second = multi(&mut world, Sm { esm_class: 0x40, short_message: &two, ..Sm::default() });
        assert_eq!(world.take_all("c").len(), 2, "one whole for each destination");
        if crashes {
            world = world.crash(&mut || false);
            world.bind_port(PORT);
            world.bind_link(LINK, 10);
            world.run();
        }

        for id in ["c0", "c1"] {
            world.ended(id, MessageState::Delivered);
        }

        let mut expected = vec![first.clone(), first, second.clone(), second];
        expected.sort();
        assert_eq!(told(&mut world), expected, "{crashes}");
    }
}

#[test]
fn parts_of_a_divided_submit_multi_are_told_of_by_the_id_that_its_customer_got() {
    for wish in [PartReceipts::Worst, PartReceipts::Each] {
        let mut world = World::bound(carrier_that_wants(Long::Udh8, wish), 10);
        let text = [b'x'; 200];
        let id = multi(&mut world, Sm { short_message: &text, ..Sm::default() });
        assert_eq!(world.take_all("c").len(), 4);
        world = world.crash(&mut || false);
        world.bind_port(PORT);
        world.bind_link(LINK, 10);
        world.run();

        for carrier_id in ["c0", "c1", "c2", "c3"] {
            world.ended(carrier_id, MessageState::Delivered);
        }

        let receipts: Vec<_> = world.delivered.drain(..).collect();
        assert_eq!(receipts.len(), if wish == PartReceipts::Each { 4 } else { 2 });
        assert!(receipts.iter().all(|receipt| receipt.id == id), "{wish:?}");
        for receipt in receipts {
            world.verdict(PORT, receipt.token, enroute::esme::Verdict::Taken);
        }
        world.run();
        assert_eq!(world.hub.gauges().messages, 0, "{wish:?}");
    }
}

#[test]
fn notification_for_a_joined_text_names_the_ids_that_its_customer_got() {
    let mut world = World::bound(carrier_that_wants(Long::Payload, PartReceipts::Worst), 10);
    let one = submit(&mut world, &said_with(&[5, 0, 3, 7, 2, 1], b"hello ", 0x11));
    let two = submit(&mut world, &said_with(&[5, 0, 3, 7, 2, 2], b"world", 0x11));
    world.take_all("c");

    world.ended("c0", MessageState::Enroute);

    let mut expected = vec![one, two];
    expected.sort();
    assert_eq!(told(&mut world), expected);
}

/// The route is gone from the configuration while some parts of a text have ended and others haven't begun.
#[test]
fn divided_text_whose_route_is_gone_after_a_restart_ends_once() {
    let mut world = World::bound(carrier_that_wants(Long::Udh8, PartReceipts::Worst), 10);
    let id = submit(&mut world, &long(400, 0));
    let sent = world.sent();
    for (_, token, _) in &sent[1..] {
        world.say(LINK, *token, Word::Answered(Status::RINVDSTADR), "");
    }
    world.run();

    world.settings.routes = enroute::route::Routes::none().into();
    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();

    let told: Vec<_> = world.delivered.drain(..).collect();
    assert_eq!(told.iter().map(|told| &told.id).collect::<Vec<_>>(), [&id]);
    world.verdict(PORT, told[0].token, enroute::esme::Verdict::Taken);
    world.pass(secs(3 * 86_400));
    assert_eq!((world.sent_texts(), world.hub.gauges().messages), (vec![], 0));
}

#[test]
fn cancel_by_addresses_leaves_the_parts_of_a_text_alone_that_is_on_its_way() {
    let mut world = World::bound(carrier_that_wants(Long::Udh8, PartReceipts::Worst), 1);
    let id = submit(&mut world, &long(300, 0));
    assert_eq!(world.dispatches.len(), 1);

    let cancel = CancelSm { source: SOURCE, destination: DESTINATION, ..CancelSm::default() };
    world.ask(Command::CANCEL_SM, |out| cancel.encode_body(out));

    assert_eq!(world.status(), Status::RCANCELFAIL);
    assert_eq!(world.cancel(&id), Status::RCANCELFAIL, "as by its id");
    world.take_all("c");
    assert_eq!(world.dispatches.len(), 1);
}

/// A small slice must never pin a large buffer for long: parts wait for minutes.
#[test]
fn part_that_waits_for_the_others_does_not_keep_the_read_that_it_came_in() {
    struct Read(Vec<u8>, #[allow(dead_code)] Arc<()>);
    impl AsRef<[u8]> for Read {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let mut world = World::bound(carrier_that_wants(Long::Payload, PartReceipts::Worst), 10);
    let kept = Arc::new(());
    let body = said_with(&[5, 0, 3, 7, 2, 1], b"hello ", 0);
    let requests = vec![Request { command: Command::SUBMIT_SM, sequence: 1, body: 0..body.len() as u32 }];
    let batch = Bytes::from_owner(Read(body.to_vec(), Arc::clone(&kept)));
    let intake = Intake { batch, requests, verdicts: Vec::new() };
    world.inbox.push(Event::PortIntake { session: PORT, intake });
    world.run();
    assert_eq!(world.dispatches.len(), 0, "it waits");

    world.pass(secs(10));

    assert_eq!(Arc::strong_count(&kept), 1);
}
