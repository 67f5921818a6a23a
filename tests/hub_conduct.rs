//! Each carrier is taken as its settings say: what its statuses mean, its own ladders, what silence means, which receipts it gives.

mod world;

use enroute::carrier::{Receipts, Verdict as Word};
use enroute::codec::{Class, MessageState, Status};
use enroute::hub::{CarrierPlan, Settings, Unanswered};
use enroute::schedule::{Ladder, Retry};
use world::*;

fn with(change: impl FnOnce(&mut CarrierPlan)) -> Settings {
    let mut settings = settings();
    change(&mut settings.carriers[0]);
    settings
}

fn silent(unanswered: Unanswered) -> Settings {
    with(|plan| plan.unanswered = unanswered)
}

impl World {
    /// One text went out; gives its token.
    fn out(&mut self, submission: Text<'_>) -> u64 {
        self.submit(&[submission]);
        self.run();
        let (_, token, _) = self.sent().pop().expect("a dispatch");
        token
    }

    fn tell(&mut self, token: u64, word: Word, id: &str) {
        self.say(LINK, token, word, id);
        self.run();
    }

    fn receive(&mut self, id: &str, destination: &str) {
        self.receipt_for(LINK, 1, id, destination, MessageState::Delivered);
        self.run();
    }
}

/// Field bug R10: RSUBMITFAIL is trouble that passes here, and a vendor's code is nobody's message.
#[test]
fn status_means_what_the_carrier_says_it_means() {
    for (code, state) in [(0x45, None), (0x412, Some(MessageState::Rejected)), (0x413, None)] {
        let mut world = World::bound(
            with(|plan| {
                plan.statuses.insert(0x45, 0x45, Class::Transient).expect("fits");
                plan.statuses.insert(0x400, 0x4FF, Class::QueueFull).expect("fits");
                plan.statuses.insert(0x412, 0x412, Class::Permanent).expect("fits");
            }),
            10,
        );
        let token = world.out(text("a"));

        world.tell(token, Word::Answered(Status(code)), "");

        assert_eq!(world.states(), state.into_iter().collect::<Vec<_>>(), "{code:#x}");
        assert_eq!(world.count(|stats| stats.deferred), u64::from(state.is_none()));
    }
}

#[test]
fn carrier_with_a_ladder_of_its_own_is_tried_by_that() {
    let transient = Ladder { jitter: 0.0, ..Ladder::of_seconds(&[3]) };
    let mut world = World::bound(with(|plan| plan.retry = Some(Retry { transient, ..Retry::default() })), 10);
    let token = world.out(text("a"));

    world.tell(token, Word::Answered(Status::RSYSERR), "");

    world.pass(secs(2));
    assert_eq!(world.sent_texts().len(), 0);
    world.pass(secs(1));
    assert_eq!(world.sent_texts(), ["a"]);
}

/// The customer rather has a message never than twice: neither a late answer nor a receipt changes how it ended.
#[test]
fn unanswered_message_ends_at_once_where_that_is_set() {
    let mut world = World::bound(silent(Unanswered::Fail), 10);
    let token = world.out(text("a"));

    world.tell(token, Word::Unanswered, "");
    world.tell(token, Word::Late(Status::ROK), "77");
    world.receive("77", "447700900123");

    assert_eq!(world.states(), [MessageState::Unknown]);
    assert_eq!(world.count(|stats| stats.late_answers), 1);
    world.pass(secs(3600));
    assert_eq!((world.sent_texts().len(), world.states().len()), (0, 0));
}

#[test]
fn message_that_is_assumed_sent_has_the_receipt_for_its_destination() {
    let mut world = World::bound(silent(Unanswered::AssumeSent), 10);
    let token = world.out(text("a"));

    world.tell(token, Word::Unanswered, "");
    world.receive("77", "447700900999");
    assert_eq!(world.states(), []);
    world.receive("78", "447700900123");

    assert_eq!(world.states(), [MessageState::Delivered]);
    world.pass(secs(3600));
    assert_eq!(world.sent_texts().len(), 0);
    assert_eq!(world.count(|stats| stats.assumed), 1);
}

/// Its answer may be what names the id of that receipt: as long as it is out, the receipt is held.
#[test]
fn receipt_with_a_strange_id_is_not_given_away_while_an_answer_may_explain_it() {
    let mut world = World::bound(silent(Unanswered::AssumeSent), 10);
    let assumed = world.out(text("a"));
    world.tell(assumed, Word::Unanswered, "");
    let out = world.out(text("b"));

    world.receive("78", "447700900123");
    assert_eq!(world.states(), []);
    world.tell(out, Word::Answered(Status::ROK), "78");
    assert_eq!(world.states(), [MessageState::Delivered]);

    // Nobody claims this one: it is for the message without an id.
    let out = world.out(text("c"));
    world.receive("79", "447700900123");
    world.tell(out, Word::Answered(Status::ROK), "80");
    assert_eq!(world.states(), []);
    world.pass(secs(61));
    assert_eq!(world.states(), [MessageState::Delivered]);
}

#[test]
fn late_answer_names_what_was_assumed_sent_or_takes_it_back() {
    let mut world = World::bound(silent(Unanswered::AssumeSent), 10);
    let [taken, refused] = ["a", "b"].map(|name| world.out(text(name)));
    world.tell(taken, Word::Unanswered, "");
    world.tell(refused, Word::Unanswered, "");

    world.tell(taken, Word::Late(Status::ROK), "77");
    world.tell(refused, Word::Late(Status::RSYSERR), "");
    world.receive("77", "12");

    assert_eq!(world.states(), [MessageState::Delivered]);
    world.pass(secs(30));
    assert_eq!(world.sent_texts(), ["b"]);
}

/// What is on record says that it was taken: it does not go again, and its receipt is found.
#[test]
fn message_that_is_assumed_sent_stays_so_across_a_crash() {
    let mut world = World::bound(silent(Unanswered::AssumeSent), 10);
    let token = world.out(text("a"));
    world.tell(token, Word::Unanswered, "");

    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.pass(secs(60));
    assert_eq!(world.sent_texts().len(), 0);
    world.receive("78", "+447700900123");

    assert_eq!(world.states(), [MessageState::Delivered]);
}

/// Fact sheet 8.4: nothing ever comes, and the grace is over.
#[test]
fn message_that_is_assumed_sent_ends_as_one_without_a_receipt() {
    let mut world = World::bound(silent(Unanswered::AssumeSent), 10);
    let token = world.out(Text { validity: b"000000000500000R", ..text("a") });
    world.inbox.push(enroute::hub::Event::LinkClosed { session: LINK, lost: vec![token] });
    world.run();

    world.pass(secs(300));
    assert_eq!(world.states(), []);
    world.pass(secs(3600));

    assert_eq!(world.states(), [MessageState::Unknown]);
}

#[test]
fn message_ends_when_it_is_taken_if_its_carrier_is_not_asked_for_a_receipt() {
    for (receipts, registered, asked) in [
        (Receipts::Always, 0, true),
        (Receipts::AsAsked, 1, true),
        (Receipts::AsAsked, 0, false),
        (Receipts::Never, 1, false),
    ] {
        let mut world = World::bound(with(|plan| plan.carrier.duties.receipts = receipts), 10);
        world.submit(&[Text { registered, ..text("a") }]);
        world.run();
        let (_, dispatch) = world.dispatches.pop().expect("a dispatch");
        world.tell(dispatch.token, Word::Answered(Status::ROK), "77");

        assert_eq!(dispatch.is_receipted, asked, "{receipts:?}");
        assert_eq!(world.hub.gauges().awaiting, u64::from(asked));
        let told = registered == 1 && !asked;
        let expected: &[MessageState] = if told { &[MessageState::Accepted] } else { &[] };
        assert_eq!(world.states(), expected);
    }
}

/// Field bug D2: ids are a carrier's own, so both halves of a pair are one carrier.
#[test]
fn receipt_on_the_receiver_finds_what_went_out_on_the_transmitter() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    for (session, kind) in
        [(LINK, enroute::session::BindKind::Transmitter), (OTHER_LINK, enroute::session::BindKind::Receiver)]
    {
        world.inbox.push(enroute::hub::Event::LinkBound { session, carrier: CARRIER, kind, window: 10 });
    }
    let _id = world.taken(text("a"), "77");

    world.receipt(OTHER_LINK, 1, "77", MessageState::Delivered);
    world.run();

    assert_eq!(world.states(), [MessageState::Delivered]);
}
