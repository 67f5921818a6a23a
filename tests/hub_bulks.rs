//! Bulks: one time for many messages, and what their customer does with it.

mod world;

use enroute::admission::Rules;
use enroute::bulk::{Ask, ChangeError, Counts, Ended, Refusal, State, View};
use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Reading, Sm, Status};
use enroute::esme::Account;
use enroute::hub::AccountPlan;
use enroute::id::{AccountId, SessionId};
use world::*;

const OTHER_PORT: SessionId = SessionId(9);

fn world() -> World {
    World::bound(with_bulks(settings()), 100)
}

/// A world with a bulk `spring` of three texts, due in an hour.
fn spring() -> World {
    let mut world = world();
    world.submit_to("spring", &numbered(&["one", "two", "three"].map(str::to_owned)));
    world.run();
    assert_eq!(world.outcomes(), [Status::ROK; 3]);
    world
}

const fn canceled() -> Refusal {
    Refusal::Change(ChangeError::Canceled)
}

#[test]
fn bulk_fires_at_its_time_and_its_messages_go_in_the_order_in_which_they_came() {
    let mut world = spring();
    let at = world.after(HOUR);
    let counts = Counts { open: 3, ..Counts::default() };
    assert_eq!(world.shown("spring"), Ok(View { state: State::Pending, at, counts, is_new: false }));

    world.pass(HOUR - secs(1));
    assert_eq!(world.sent_texts(), Vec::<String>::new());
    world.pass(secs(1));

    let dispatch = world.dispatches[0].1.clone();
    assert_eq!(world.take_all("c"), ["one", "two", "three"]);
    assert_eq!(state(&mut world), State::Processing);
    let sm = Sm::decode(&dispatch.body, Reading::Strict).expect("a submit_sm");
    assert!(sm.tlvs.find(BULK_TLV).is_none(), "a carrier sees the bulk's id");
    assert_eq!(dispatch.expires, world.after(HOUR));
}

#[test]
fn bulk_ends_with_its_last_message_and_remembers_how_each_ended() {
    let mut world = spring();
    world.pass(HOUR);
    world.take_all("c");
    world.ended("c0", MessageState::Delivered);
    world.ended("c1", MessageState::Undeliverable);
    assert_eq!(state(&mut world), State::Processing);

    world.ended("c2", MessageState::Expired);
    take_receipts(&mut world);

    let ended = Ended { delivered: 1, expired: 1, failed: 1, deleted: 0 };
    let expected = (State::Finished, Counts { open: 0, ended });
    let view = world.shown("spring").expect("over, not forgotten");
    assert_eq!((view.state, view.counts), expected);
    let mut world = world.crash(&mut || false);
    let view = world.shown("spring").expect("over, not forgotten");
    assert_eq!((view.state, view.counts), expected, "after a crash");
    world.pass(72 * HOUR);
    assert_eq!(world.shown("spring"), Err(Refusal::Unknown));
}

/// Issue 4: validity counts from the schedule.
#[test]
fn later_message_takes_the_time_of_the_bulk_and_keeps_its_validity() {
    let mut world = spring();
    let at = world.after(HOUR);
    let hurried = Text { validity: b"000000000010000R", ..text("ten seconds") };

    world.submit_to("spring", &[hurried]);
    world.pass(HOUR);

    let dispatch = &world.dispatches[3].1;
    assert_eq!((said(dispatch), dispatch.expires), ("ten seconds".to_owned(), at.after(secs(10))));
}

#[test]
fn message_that_comes_after_the_bulk_fired_is_on_its_own_and_counted() {
    let mut world = spring();
    world.pass(HOUR);
    world.take_all("c");

    world.submit_to("spring", &[text("late"), Text { schedule: b"000000000100000R", ..text("later") }]);
    world.run();
    assert_eq!(world.sent_texts(), ["late"]);
    world.pass(secs(60));

    assert_eq!(world.sent_texts(), ["later"]);
    assert_eq!(world.shown("spring").map(|view| view.counts.messages()), Ok(5));
}

#[test]
fn paused_bulk_stays_paused_past_its_time_and_fires_at_once_when_resumed() {
    let mut world = spring();
    assert_eq!(world.bulk("spring", Ask::Pause).map(|view| view.state), Ok(State::Paused));
    assert_eq!(world.bulk("spring", Ask::Pause), Err(Refusal::Change(ChangeError::AlreadyPaused)));

    world.pass(HOUR + secs(600));
    assert_eq!(world.sent_texts(), Vec::<String>::new());
    let view = world.bulk("spring", Ask::Resume).expect("it is paused");

    assert_eq!(view.state, State::Processing);
    assert_eq!(world.sent_texts(), ["one", "two", "three"]);
    assert_eq!(world.bulk("spring", Ask::Pause), Err(Refusal::Change(ChangeError::Fired)));
}

/// The EXPIRED receipt comes at the right moment, not when the bulk is resumed.
#[test]
fn message_of_a_paused_bulk_expires_at_its_time_and_the_rest_goes_when_resumed() {
    let mut world = spring();
    world.submit_to("spring", &[Text { validity: b"000000030000000R", ..text("patient") }]);
    world.run();
    world.bulk("spring", Ask::Pause).expect("it waits");

    world.pass(2 * HOUR - secs(1));
    assert_eq!(world.states(), []);
    world.pass(secs(1));
    assert_eq!(take_receipts(&mut world), [MessageState::Expired; 3]);
    world.bulk("spring", Ask::Resume).expect("it is paused");

    assert_eq!(world.sent_texts(), ["patient"]);
}

#[test]
fn resumed_bulk_whose_messages_are_all_too_old_has_failed() {
    let mut world = spring();
    world.bulk("spring", Ask::Pause).expect("it waits");
    world.pass(3 * HOUR);
    assert_eq!(take_receipts(&mut world).len(), 3);

    let view = world.bulk("spring", Ask::Resume).expect("it is paused");

    assert_eq!((view.state, view.counts.ended.expired), (State::Failed, 3));
}

#[test]
fn rescheduled_bulk_fires_at_its_new_time_and_validity_counts_from_there() {
    for new in [HOUR / 2, 5 * HOUR] {
        let mut world = spring();
        let at = world.after(new);
        assert_eq!(world.bulk("spring", Ask::Schedule(at)).map(|view| view.at), Ok(at));

        world.pass(new - secs(1));
        assert_eq!(world.sent_texts(), Vec::<String>::new());
        world.pass(secs(1));

        assert_eq!(world.dispatches.len(), 3);
        assert_eq!(world.dispatches[0].1.expires, at.after(HOUR));
    }
}

/// Timers of the time before are nobody's.
#[test]
fn overdue_paused_bulk_can_be_given_a_new_time() {
    let mut world = spring();
    world.bulk("spring", Ask::Pause).expect("it waits");
    world.pass(HOUR + secs(60));
    let at = world.after(10 * HOUR);

    world.bulk("spring", Ask::Schedule(at)).expect("it is paused");
    world.pass(5 * HOUR);
    assert_eq!(take_receipts(&mut world), []);
    assert_eq!(world.bulk("spring", Ask::Resume).map(|view| view.state), Ok(State::Pending));
    world.pass(5 * HOUR);

    assert_eq!(world.take_all("c"), ["one", "two", "three"]);
    world.pass(HOUR);
    assert_eq!(take_receipts(&mut world), [], "they are with the carrier");
}

/// What the log says after the bulk's record counts from the times that this gave.
#[test]
fn bulk_that_fired_before_a_crash_has_fired_and_its_messages_have_its_times() {
    let mut world = spring();
    let at = world.after(2 * HOUR);
    world.bulk("spring", Ask::Schedule(at)).expect("it waits");
    world.pass(2 * HOUR);
    let (session, token, _) = world.sent()[0].clone();
    world.say(session, token, Word::Answered(Status::RMSGQFUL), "");
    world.run();

    let mut world = world.crash(&mut || false);
    assert_eq!(state(&mut world), State::Processing);
    world.bind_port(PORT);
    world.bind_link(LINK, 100);
    world.run();
    let sent: Vec<_> = world.dispatches.drain(..).map(|(_, it)| (said(&it), it.expires)).collect();
    world.pass(secs(180));

    assert_eq!(sent, ["two", "three"].map(|text| (text.to_owned(), at.after(HOUR))));
    let again: Vec<_> = world.dispatches.drain(..).map(|(_, it)| (said(&it), it.expires)).collect();
    assert_eq!(again, [("one".to_owned(), at.after(HOUR))]);
}

#[test]
fn new_time_that_has_passed_or_is_too_far_off_is_refused() {
    let mut world = spring();
    world.pass(secs(10));

    let past = world.now.wall.0 - 1;
    assert_eq!(world.bulk("spring", Ask::Schedule(enroute::clock::UnixMs(past))), Err(Refusal::Past));
    let far = world.after(181 * 24 * HOUR);
    assert_eq!(world.bulk("spring", Ask::Schedule(far)), Err(Refusal::TooFar));
    assert_eq!(world.bulk("none", Ask::Schedule(far)), Err(Refusal::TooFar));
    assert_eq!(world.bulk("none", Ask::Pause), Err(Refusal::Unknown));
    assert_eq!(world.count(|stats| stats.bulks_refused.iter().map(|(_, times)| times).sum()), 4);
}

#[test]
fn account_with_rules_of_its_own_has_them_for_its_bulks_too() {
    let mut settings = with_bulks(settings());
    settings.accounts[0].rules = Some(Rules { max_schedule: 2 * HOUR, ..settings.rules });
    let mut world = World::bound(settings, 100);

    let (soon, far) = (world.after(2 * HOUR), world.after(2 * HOUR + secs(1)));

    assert_eq!(world.bulk("spring", Ask::Schedule(far)), Err(Refusal::TooFar));
    assert!(world.bulk("spring", Ask::Schedule(soon)).is_ok());
}

#[test]
fn bulk_can_be_begun_by_its_schedule_before_any_message_of_it_comes() {
    let mut world = world();
    let at = world.after(HOUR);

    let view = world.bulk("spring", Ask::Schedule(at)).expect("a time for a bulk");
    assert_eq!((view.state, view.is_new, view.counts.messages()), (State::Pending, true, 0));
    world.submit_to("spring", &[text("now or later")]);
    world.run();
    assert_eq!(world.sent_texts(), Vec::<String>::new());
    world.pass(HOUR);

    assert_eq!(world.sent_texts(), ["now or later"]);
}

#[test]
fn cancelled_bulk_is_final_and_its_messages_end_deleted() {
    let mut world = spring();
    world.ask_bulk(ACCOUNT, 1, "spring", Ask::Cancel);
    world.turn();
    assert_eq!(world.bulks, [], "answered before it was durable");
    world.run();

    assert_eq!(world.bulks.pop().map(|(_, answer)| answer.map(|view| view.state)), Some(Ok(State::Canceled)));
    assert_eq!(take_receipts(&mut world), [MessageState::Deleted; 3]);
    for ask in [Ask::Cancel, Ask::Pause, Ask::Resume, Ask::Schedule(world.after(HOUR))] {
        assert_eq!(world.bulk("spring", ask), Err(canceled()));
    }
    world.submit_to("spring", &[text("too late")]);
    world.run();
    assert_eq!(world.outcomes(), [Status::RSUBMITFAIL]);
    world.pass(2 * HOUR);
    assert_eq!((world.sent_texts().len(), state(&mut world)), (0, State::Canceled));
}

#[test]
fn message_of_a_cancelled_bulk_is_deleted_before_its_turn_comes() {
    let mut world = world();
    let id = world.accepted_to("spring", IN_AN_HOUR);
    world.submit_to("spring", &[IN_AN_HOUR]);
    world.run();
    world.ask_bulk(ACCOUNT, 1, "spring", Ask::Cancel);
    world.turn(); // its record waits for the disk, and so do the ends of its messages
    world.answers.clear();

    assert_eq!(world.query(&id), Ok((MessageState::Deleted.octet(), 0)));
    assert_eq!(world.cancel(&id), Status::RCANCELFAIL);
    assert_eq!(world.replace(&id, "another", b""), Status::RREPLACEFAIL);
}

#[test]
fn name_of_a_bulk_that_is_over_begins_another() {
    let mut world = spring();
    world.pass(HOUR);
    world.take_all("c");
    ["c0", "c1", "c2"].into_iter().for_each(|id| world.ended(id, MessageState::Rejected));
    assert_eq!(state(&mut world), State::Failed);

    world.submit_to("spring", &[IN_AN_HOUR]);
    world.run();

    let view = world.shown("spring").expect("the new one");
    assert_eq!((view.state, view.counts.messages(), view.at), (State::Pending, 1, world.after(HOUR)));
    assert_eq!(take_receipts(&mut world).len(), 3);
    let mut world = world.crash(&mut || false);
    assert_eq!(world.shown("spring"), Ok(view));
    assert_eq!(world.hub.gauges().bulks, [1, 0, 0, 0, 0, 0], "the old one went with its last message");
}

#[test]
fn message_can_be_asked_for_cancelled_and_replaced_while_it_waits_for_its_bulk() {
    let mut world = World::new(with_bulks(settings()));
    world.bind_as(PORT, ACCOUNT, enroute::codec::Version::V50);
    world.bind_link(LINK, 100);
    let ids = [(); 4].map(|()| world.accepted_to("spring", IN_AN_HOUR));
    assert_eq!(world.query(&ids[0]), Ok((MessageState::Scheduled.octet(), 0)));

    assert_eq!(world.cancel(&ids[0]), Status::ROK);
    assert_eq!(world.replace(&ids[1], "stays", b""), Status::ROK);
    assert_eq!(world.replace(&ids[2], "leaves", b"000000000100000R"), Status::ROK);
    assert_eq!(world.shown("spring").map(|view| view.counts.messages()), Ok(3));
    world.pass(secs(60));
    assert_eq!(world.sent_texts(), ["leaves"]);
    let at = world.after(5 * HOUR);
    world.bulk("spring", Ask::Schedule(at)).expect("it waits");
    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 100);
    world.pass(5 * HOUR);

    let mut sent: Vec<_> = world.dispatches.iter().map(|(_, it)| (said(it), it.expires)).collect();
    sent.sort();
    let leaves = ("leaves".to_owned(), at.0);
    sent.retain(|(text, _)| *text != leaves.0); // its answer was lost in the crash
    assert_eq!(sent, [("hourly".to_owned(), at.after(HOUR)), ("stays".to_owned(), at.after(HOUR))]);
}

#[test]
fn two_accounts_have_bulks_of_the_same_name_and_neither_hears_of_the_others() {
    let mut settings = settings();
    settings.accounts.push(AccountPlan::new(Account::new("other", "secret")));
    let mut world = World::bound(with_bulks(settings), 100);
    world.bind_as(OTHER_PORT, AccountId(1), enroute::codec::Version::V34);
    world.submit_to("spring", &[IN_AN_HOUR]);
    world.run();
    assert_eq!(world.bulk_of(AccountId(1), "spring", Ask::Show), Err(Refusal::Unknown));

    world.submit_to_from(OTHER_PORT, "spring", &[Text { text: "theirs", ..IN_AN_HOUR }]);
    world.bulk("spring", Ask::Cancel).expect("ours");
    world.pass(HOUR);

    assert_eq!(world.sent_texts(), ["theirs"]);
}

#[test]
fn submission_with_what_is_no_bulk_id_or_to_one_bulk_too_many_is_refused() {
    let mut settings = with_bulks(settings());
    settings.limits.bulks.each = 1;
    let mut world = World::bound(settings, 100);
    let long = "x".repeat(65);

    world.submit_to(&long, &[text("a")]);
    world.submit_to("", &[text("b")]);
    world.submit_to("a\u{7}b", &[text("c")]);
    world.submit_to("first\0", &[IN_AN_HOUR]);
    world.submit_to("first", &[IN_AN_HOUR]);
    world.submit_to("second", &[IN_AN_HOUR]);
    world.run();

    let (length, value) = (Status::RINVTLVLEN, Status::RINVTLVVAL);
    // Refusals don't wait for the disk.
    assert_eq!(world.outcomes(), [length, length, value, Status::RMSGQFUL, Status::ROK, Status::ROK]);
}

#[test]
fn parameter_means_nothing_to_an_account_that_names_no_bulks_and_is_passed_on() {
    let mut world = World::bound(settings(), 100);

    world.submit_to("spring", &[text("as ever")]);
    world.run();

    let sm = Sm::decode(&world.dispatches[0].1.body, Reading::Strict).expect("a submit_sm");
    assert_eq!(sm.tlvs.find(BULK_TLV), Some(&b"spring"[..]));
    assert_eq!(world.shown("spring"), Err(Refusal::Unknown));
}

#[test]
fn datagram_does_not_wait_for_a_bulk() {
    let mut world = spring();
    let mut body = bytes::BytesMut::new();
    Sm { esm_class: 1, source: SOURCE, destination: DESTINATION, ..Sm::default() }.encode_body(&mut body);
    enroute::codec::put_tlv(&mut body, BULK_TLV, b"spring");

    world.ask(enroute::codec::Command::SUBMIT_SM, |out| out.extend_from_slice(&body));

    assert_eq!(world.status(), Status::RINVSCHED);
}

#[test]
fn nothing_is_changed_while_nothing_can_be_written_and_only_ends_while_the_disk_is_full() {
    let mut world = spring();
    world.inbox.push(enroute::hub::Event::ReadOnly);
    assert_eq!(world.bulk("spring", Ask::Pause), Err(Refusal::NoStore));
    assert!(world.shown("spring").is_ok());
    world.inbox.push(enroute::hub::Event::Writable);
    world.inbox.push(enroute::hub::Event::Full);
    assert_eq!(world.bulk("spring", Ask::Pause), Err(Refusal::NoStore));
    assert_eq!(world.bulk("new", Ask::Schedule(world.after(HOUR))), Err(Refusal::NoStore));

    assert_eq!(world.bulk("spring", Ask::Cancel).map(|view| view.state), Ok(State::Canceled));
}

#[test]
fn text_for_several_and_text_that_is_divided_count_once_for_each_destination() {
    let mut settings = carrier_that_wants(enroute::conversion::Long::Udh8, enroute::hub::PartReceipts::Worst);
    settings.accounts[0].bulk_tlv = Some(BULK_TLV);
    let mut world = World::bound(settings, 100);
    let sm = Sm { registered_delivery: 1, schedule_delivery_time: b"000000010000000R", ..Sm::default() };
    let mut body = long_text(400, sm);
    enroute::codec::put_tlv(&mut body, BULK_TLV, b"spring");
    world.ask(enroute::codec::Command::SUBMIT_SM, |out| out.extend_from_slice(&body));
    world.multi_to("spring", &[b"447700900124", b"447700900125"]);
    world.run();
    assert_eq!(world.statuses(), [Status::ROK; 2]);
    assert_eq!(world.shown("spring").map(|view| view.counts.messages()), Ok(3));

    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 100);
    world.pass(HOUR);
    assert_eq!(world.take_all("c").len(), 3 + 2);
    for part in 0..5 {
        world.ended(&format!("c{part}"), MessageState::Delivered);
    }

    assert_eq!(take_receipts(&mut world), [MessageState::Delivered; 3]);
    let view = world.shown("spring").expect("over");
    assert_eq!((view.state, view.counts.ended.delivered), (State::Finished, 3));
}
