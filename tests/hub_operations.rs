//! Everything that an ESME may ask beside submit_sm: data_sm, submit_multi, query, cancel, replace.

mod world;

use bytes::BytesMut;
use enroute::codec::{
    Address, CancelSm, Command, DataSm, Destination, MessageState, MultiResp, ReplaceSm, Sm, Status,
    SubmitMulti, Tag, Tlvs, Version, put_destination, put_tlv,
};
use enroute::esme::Account;
use enroute::hub::{AccountPlan, List, Member, Settings};
use enroute::id::{AccountId, SessionId};
use world::*;

const OTHER_PORT: SessionId = SessionId(9);

/// One text in two days.
const LATER: Text<'_> = Text { schedule: b"000001000000000R", ..text("later") };

fn two_accounts() -> Settings {
    let mut settings = settings();
    settings.accounts.push(AccountPlan::new(Account::new("other", "secret")));
    settings
}

fn payload(text: &[u8]) -> BytesMut {
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, text);
    tlvs
}

#[test]
fn data_sm_comes_in_as_a_message_and_is_answered_as_data_sm() {
    let mut world = World::bound(settings(), 10);
    let tlvs = payload(b"as data");
    let data = DataSm {
        source: SOURCE,
        destination: DESTINATION,
        registered_delivery: 1,
        tlvs: Tlvs::read(&tlvs, enroute::codec::Reading::Strict).expect("well formed"),
        ..DataSm::default()
    };

    world.ask(Command::DATA_SM, |out| data.encode_body(out));

    let (_, answer) = world.answers.pop().expect("an answer");
    assert_eq!((answer.command, answer.outcome.is_ok()), (Command::DATA_SM, true));
    let (_, dispatch) = &world.dispatches[0];
    assert!(dispatch.is_data);
    let sm = Sm::decode(&dispatch.body, enroute::codec::Reading::Strict).expect("a submit_sm");
    assert_eq!((sm.text(), sm.destination), (&b"as data"[..], DESTINATION));
    world.take_all("c");
    world.ended("c0", MessageState::Delivered);
    assert_eq!(world.states(), [MessageState::Delivered]);
}

#[test]
fn data_sm_to_an_address_that_no_submit_sm_has_room_for_is_refused() {
    let mut world = World::bound(settings(), 10);
    let tlvs = payload(b"x");
    let tlvs = Tlvs::read(&tlvs, enroute::codec::Reading::Strict).expect("well formed");
    let long = Address { addr: &[b'7'; 21], ..Address::default() };
    let to = DataSm { source: SOURCE, destination: long, tlvs, ..DataSm::default() };
    let from = DataSm { source: long, destination: DESTINATION, tlvs, ..DataSm::default() };

    world.ask(Command::DATA_SM, |out| to.encode_body(out));
    assert_eq!(world.status(), Status::RINVDSTADR);
    world.ask(Command::DATA_SM, |out| from.encode_body(out));
    assert_eq!(world.status(), Status::RINVSRCADR);
}

fn multi(world: &mut World, destinations: &[Destination<'_>], text: &str) {
    let mut entries = BytesMut::new();
    destinations.iter().for_each(|destination| put_destination(&mut entries, destination));
    let multi = SubmitMulti {
        sm: Sm { source: SOURCE, registered_delivery: 1, short_message: text.as_bytes(), ..Sm::default() },
        destinations: enroute::codec::Destinations::read(&entries).expect("well formed"),
    };
    world.ask(Command::SUBMIT_MULTI, |out| multi.encode_body(out));
}

fn sme(addr: &str) -> Destination<'_> {
    Destination::Sme(Address { ton: 1, npi: 1, addr: addr.as_bytes() })
}

fn with_lists() -> Settings {
    let member = |addr: &str| Member { ton: 1, npi: 1, addr: addr.into() };
    let staff = List {
        name: "staff".into(),
        account: Some(ACCOUNT),
        members: vec![member("447700900001"), member("447700900002")],
    };
    let foreign = List { name: "board".into(), account: Some(AccountId(1)), ..staff.clone() };
    Settings { lists: vec![staff, foreign], ..two_accounts() }
}

#[test]
fn submit_multi_is_one_message_for_each_destination_and_one_id_for_all() {
    let mut world = World::bound(with_lists(), 10);

    multi(&mut world, &[sme("447700900123"), Destination::List(b"staff"), sme("")], "to all");

    let (_, pdu) = world.replies.pop().expect("a submit_multi_resp");
    assert_eq!(frame(&pdu).header.command, Command::SUBMIT_MULTI.response());
    assert_eq!(status_of(&pdu), Status::ROK);
    let resp = MultiResp::decode(frame(&pdu).body);
    let failed: Vec<_> = resp.unsuccess.iter().collect();
    assert_eq!(failed, [(Address { ton: 1, npi: 1, addr: b"" }, Status::RINVDSTADR)]);
    let id = String::from_utf8(resp.message_id.to_vec()).expect("text");
    assert_eq!(world.take_all("c"), ["to all", "to all", "to all"]);

    for carrier_id in ["c0", "c1", "c2"] {
        world.ended(carrier_id, MessageState::Delivered);
    }

    let told: Vec<_> = world.delivered.drain(..).map(|receipt| receipt.id).collect();
    assert_eq!(told, [id.clone(), id.clone(), id.clone()]);
}

/// A crash between the answer and the receipts: the others still go by the id of the first.
#[test]
fn shared_id_survives_a_crash() {
    let mut world = World::bound(with_lists(), 10);
    multi(&mut world, &[sme("447700900001"), sme("447700900002")], "x");
    let (_, pdu) = world.replies.pop().expect("a submit_multi_resp");
    let id = String::from_utf8(MultiResp::decode(frame(&pdu).body).message_id.to_vec()).expect("text");
    world.take_all("c");
    world.ended("c0", MessageState::Delivered);
    let token = world.delivered.pop().expect("a receipt").token;
    world.verdict(PORT, token, enroute::esme::Verdict::Taken);
    world.run();

    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();
    world.ended("c1", MessageState::Delivered);

    assert_eq!(world.delivered.pop().expect("the other's receipt").id, id);
}

#[test]
fn submit_multi_without_anybody_to_send_to_is_refused() {
    let mut world = World::bound(with_lists(), 10);

    multi(&mut world, &[sme("")], "x");
    assert_eq!(world.status(), Status::RINVDSTADR);
    multi(&mut world, &[sme("447700900123"), Destination::List(b"nobody")], "x");
    assert_eq!(world.status(), Status::RINVDLNAME);
    multi(&mut world, &[Destination::List(b"board")], "x");
    assert_eq!(world.status(), Status::RINVDLNAME);
    assert_eq!(world.sent_texts(), Vec::<String>::new());
}

#[test]
fn query_tells_where_a_message_stands_and_how_it_ended() {
    let mut world = World::bound(settings(), 10);
    let later = world.accepted(LATER);
    assert_eq!(world.query(&later), Ok((1, 0)), "3.4 knows no SCHEDULED");
    let id = world.taken(text("a"), "c1");
    assert_eq!(world.query(&id), Ok((1, 0)));

    world.ended("c1", MessageState::Delivered);
    assert_eq!(world.query(&id), Ok((2, 0)));
    let token = world.delivered.pop().expect("a receipt").token;
    world.verdict(PORT, token, enroute::esme::Verdict::Taken);
    world.run();

    assert_eq!(world.query(&id), Ok((2, 0)), "gone, and not forgotten");
}

/// Fact sheet 3.5: a foreign id is answered exactly like one that never was.
#[test]
fn id_is_good_for_its_account_and_its_source_alone() {
    let mut world = World::bound(two_accounts(), 10);
    let id = world.accepted(LATER);
    world.bind_as(OTHER_PORT, AccountId(1), Version::V34);
    world.run();
    let ask = |world: &mut World, session, source: &[u8]| {
        let source = Address { addr: source, ..SOURCE };
        let query = enroute::codec::QuerySm { message_id: id.as_bytes(), source };
        world.ask_from(session, Command::QUERY_SM, |out| query.encode_body(out));
        world.status()
    };

    assert_eq!(ask(&mut world, PORT, b"12345"), Status::ROK);
    assert_eq!(ask(&mut world, PORT, b"54321"), Status::RINVMSGID);
    assert_eq!(ask(&mut world, OTHER_PORT, b"12345"), Status::RINVMSGID);
    assert_eq!(world.query("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), Err(Status::RINVMSGID));
    assert_eq!(world.cancel("rubbish"), Status::RINVMSGID);
}

#[test]
fn short_id_of_a_3_3_peer_is_understood() {
    let mut world = World::new(settings());
    world.bind_as(PORT, ACCOUNT, Version::V33);
    world.run();
    world.submit(&[LATER]);
    world.run();
    let (_, answer) = world.answers.pop().expect("an answer");
    let id = answer.outcome.expect("accepted").short_text(&world.hub.id_key());
    let id = String::from_utf8(id.to_vec()).expect("hex");

    assert_eq!(world.query(&id), Ok((1, 0)));
    let mut world = world.crash(&mut || false);
    world.bind_as(PORT, ACCOUNT, Version::V33);
    assert_eq!(world.cancel(&id), Status::ROK);
}

#[test]
fn cancelled_message_is_never_sent_and_its_receipt_says_deleted() {
    let mut world = World::bound(settings(), 10);
    let id = world.accepted(LATER);

    assert_eq!(world.cancel(&id), Status::ROK);

    assert_eq!(world.states(), [MessageState::Deleted]);
    assert_eq!(world.query(&id), Ok((4, 0)));
    assert_eq!(world.cancel(&id), Status::RCANCELFAIL);
    world.pass(secs(3 * 86_400));
    assert_eq!(world.sent_texts(), Vec::<String>::new());
}

#[test]
fn cancel_is_answered_once_it_is_durable_and_outlives_a_crash() {
    let mut world = World::bound(settings(), 10);
    let id = world.accepted(LATER);
    let cancel = CancelSm { message_id: id.as_bytes(), source: SOURCE, ..CancelSm::default() };
    let mut body = BytesMut::new();
    cancel.encode_body(&mut body);
    let request =
        enroute::esme::Request { command: Command::CANCEL_SM, sequence: 1, body: 0..body.len() as u32 };
    let intake = enroute::esme::Intake { batch: body.freeze(), requests: vec![request], verdicts: vec![] };
    world.inbox.push(enroute::hub::Event::PortIntake { session: PORT, intake });

    world.turn();
    assert_eq!(world.replies, [], "the record is not on disk yet");
    world.run();
    assert_eq!(world.status(), Status::ROK);

    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.pass(secs(3 * 86_400));
    assert_eq!((world.sent_texts(), world.states()), (vec![], vec![MessageState::Deleted]));
}

#[test]
fn message_that_is_with_the_carrier_can_be_neither_cancelled_nor_replaced() {
    let mut world = World::bound(settings(), 10);
    let id = world.accepted(text("out"));

    assert_eq!(world.cancel(&id), Status::RCANCELFAIL);
    assert_eq!(world.replace(&id, "new", b""), Status::RREPLACEFAIL);
    world.take_all("c");
    assert_eq!(world.cancel(&id), Status::RCANCELFAIL);
}

#[test]
fn cancel_by_addresses_takes_all_that_wait_and_fit() {
    let mut world = World::bound(settings(), 10);
    let other = Text { destination: "447700900999", ..LATER };
    world.submit(&[LATER, other, LATER]);
    world.run();
    world.answers.clear();
    let cancel = |world: &mut World, service_type: &[u8], destination| {
        let cancel = CancelSm { service_type, message_id: b"", source: SOURCE, destination };
        world.ask(Command::CANCEL_SM, |out| cancel.encode_body(out));
        world.status()
    };

    assert_eq!(cancel(&mut world, b"VMA", DESTINATION), Status::RCANCELFAIL);
    assert_eq!(cancel(&mut world, b"", DESTINATION), Status::ROK);
    assert_eq!(cancel(&mut world, b"", DESTINATION), Status::RCANCELFAIL);
    assert_eq!(cancel(&mut world, b"", Address::default()), Status::RINVDSTADR);

    assert_eq!(world.states(), [MessageState::Deleted; 2]);
    world.pass(secs(2 * 86_400));
    assert_eq!(world.sent_texts(), ["later"]);
}

#[test]
fn replaced_text_goes_out_at_its_new_time_even_after_a_crash() {
    let mut world = World::bound(settings(), 10);
    let id = world.accepted(LATER);
    world.pass(secs(10)); // its body is parked by now

    assert_eq!(world.replace(&id, "new words", b"000000010000000R"), Status::ROK);

    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.pass(secs(3500));
    assert_eq!(world.sent_texts(), Vec::<String>::new());
    world.pass(secs(200));
    assert_eq!(world.take_all("c"), ["new words"]);
    world.ended("c0", MessageState::Delivered);
    assert_eq!(world.delivered.pop().expect("a receipt").id, id);
}

#[test]
fn replace_keeps_what_it_does_not_name_and_refuses_what_cannot_be() {
    let mut world = World::bound(settings(), 10);
    let id = world.accepted(LATER);

    assert_eq!(world.replace(&id, "new", b"rubbish000000000"), Status::RINVSCHED);
    assert_eq!(world.replace(&id, "new", b""), Status::ROK);
    let silent = ReplaceSm {
        message_id: id.as_bytes(),
        source: SOURCE,
        short_message: b"newer",
        ..ReplaceSm::default()
    };
    world.ask(Command::REPLACE_SM, |out| silent.encode_body(out));
    assert_eq!(world.status(), Status::ROK);
    assert_eq!(world.replace("rubbish", "new", b""), Status::RINVMSGID);

    world.pass(secs(86_400 - 60));
    assert_eq!(world.sent_texts(), Vec::<String>::new());
    world.pass(secs(120));
    assert_eq!(world.take_all("c"), ["newer"]);
    world.ended("c0", MessageState::Delivered);
    assert_eq!(world.states(), [], "the last word on receipts was none");
}

/// Fact sheet 5.7.
#[test]
fn submission_in_place_of_another_deletes_the_newest_that_waits() {
    let mut world = World::bound(settings(), 10);
    let (old, newer) = (world.accepted(LATER), world.accepted(LATER));
    let mut sm = BytesMut::new();
    Sm {
        source: SOURCE,
        destination: DESTINATION,
        replace_if_present_flag: 1,
        registered_delivery: 1,
        short_message: b"instead",
        ..Sm::default()
    }
    .encode_body(&mut sm);

    world.ask(Command::SUBMIT_SM, |out| out.extend_from_slice(&sm));

    assert_eq!(world.outcomes(), [Status::ROK]);
    assert_eq!(world.sent_texts(), ["instead"]);
    assert_eq!(world.query(&newer), Ok((4, 0)));
    assert_eq!(world.query(&old), Ok((1, 0)));
}

fn in_mode(mode: u8, schedule: &[u8]) -> BytesMut {
    let mut body = BytesMut::new();
    Sm {
        source: SOURCE,
        destination: DESTINATION,
        esm_class: mode,
        schedule_delivery_time: schedule,
        registered_delivery: 1,
        short_message: b"now",
        ..Sm::default()
    }
    .encode_body(&mut body);
    body
}

#[test]
fn datagram_has_one_attempt_and_no_receipt() {
    let mut world = World::bound(settings(), 10);

    world.ask(Command::SUBMIT_SM, |out| out.extend_from_slice(&in_mode(1, b"")));
    assert_eq!(world.status(), Status::ROK);
    let (session, token, _) = world.sent().pop().expect("a dispatch");
    world.say(session, token, enroute::carrier::Verdict::Answered(Status::RSYSERR), "");
    world.pass(secs(86_400));

    assert_eq!((world.sent_texts(), world.states()), (vec![], vec![]));
    world.ask(Command::SUBMIT_SM, |out| out.extend_from_slice(&in_mode(1, b"000001000000000R")));
    assert_eq!(world.status(), Status::RINVSCHED);
}

#[test]
fn datagram_whose_link_is_lost_has_had_its_attempt() {
    let mut world = World::bound(settings(), 10);
    world.ask(Command::SUBMIT_SM, |out| out.extend_from_slice(&in_mode(1, b"")));
    let (session, token, _) = world.sent().pop().expect("a dispatch");

    world.inbox.push(enroute::hub::Event::LinkClosed { session, lost: vec![token] });
    world.bind_link(OTHER_LINK, 10);
    world.run();

    assert_eq!(world.sent_texts(), Vec::<String>::new());
    assert_eq!(world.hub.gauges().messages, 0);
}

#[test]
fn answer_to_a_transaction_tells_its_outcome() {
    for (state, status) in
        [(MessageState::Delivered, Status::ROK), (MessageState::Undeliverable, Status::RDELIVERYFAILURE)]
    {
        let mut world = World::bound(settings(), 10);
        world.ask(Command::SUBMIT_SM, |out| out.extend_from_slice(&in_mode(2, b"")));
        world.take_all("c");
        assert!(world.answers.is_empty() && world.replies.is_empty());

        world.ended("c0", state);

        assert_eq!(world.status(), status);
    }
}

#[test]
fn transaction_that_nobody_ends_is_answered_all_the_same() {
    let mut world = World::bound(settings(), 10);
    world.ask(Command::SUBMIT_SM, |out| out.extend_from_slice(&in_mode(2, b"")));
    world.take_all("c");

    world.pass(secs(21));

    assert_eq!(world.status(), Status::RDELIVERYFAILURE);
    world.ended("c0", MessageState::Delivered);
    assert_eq!(world.states(), [MessageState::Delivered]);
}

/// The receipt that a submit_multi's destinations get is told apart by its address.
#[test]
fn receipts_of_one_id_name_their_destinations() {
    let mut world = World::bound(with_lists(), 10);
    multi(&mut world, &[Destination::List(b"staff")], "x");
    world.take_all("c");

    world.ended("c1", MessageState::Undeliverable);

    let receipt: Vec<_> = world.delivered.iter().map(|receipt| receipt.state).collect();
    assert_eq!(receipt, [MessageState::Undeliverable]);
}

/// Who is refused has sent nothing, and who is let in is counted once, however often it was looked at.
#[test]
fn segments_and_clamped_validities_are_counted_once_per_message_that_came_in() {
    let mut world = World::bound(settings(), 10);
    let long = Sm { validity_period: b"000009000000000R", ..said("a text") };
    world.ask(Command::SUBMIT_SM, |out| Sm { replace_if_present_flag: 1, ..long }.encode_body(out));
    world.run();
    assert_eq!(counted(&world), (1, 1));

    let datagram = Sm { esm_class: 0x01, schedule_delivery_time: b"000001000000000R", ..long };
    world.ask(Command::SUBMIT_SM, |out| datagram.encode_body(out));

    assert_eq!(world.outcomes(), [Status::ROK, Status::RINVSCHED]);
    assert_eq!(counted(&world), (1, 1));
}

fn said(text: &str) -> Sm<'_> {
    Sm { source: SOURCE, destination: DESTINATION, short_message: text.as_bytes(), ..Sm::default() }
}

fn counted(world: &World) -> (u64, u64) {
    (
        world.count(|stats| stats.segments),
        world.count(|stats| stats.clamped.iter().map(|(_, times)| times).sum()),
    )
}
