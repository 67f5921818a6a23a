//! What an account's answers wait for: the disk, the operating system, or nothing.

mod world;

use bytes::BytesMut;
use enroute::bulk::{Ask, Name, Request as BulkRequest};
use enroute::codec::{
    Address, Command, Destination, Destinations, Reading, Sm, Status, SubmitMulti, Tlvs, Version,
    put_destination,
};
use enroute::esme::Account;
use enroute::hub::{AccountPlan, Durability, Event, Settings};
use enroute::id::{AccountId, SessionId};
use world::*;

/// Ports of the three accounts; each is named after what its answers wait for.
const DISK: SessionId = PORT;
const OS: SessionId = SessionId(11);
const MEMORY: SessionId = SessionId(12);

/// A world with an account of each kind, and a carrier.
fn world() -> World {
    let mut world = World::new(three());
    world.bind_port(DISK);
    world.bind_as(OS, AccountId(1), Version::V34);
    world.bind_as(MEMORY, AccountId(2), Version::V34);
    world.bind_link(LINK, 100);
    world.run();
    world
}

fn three() -> Settings {
    let mut settings = settings();
    for (name, durability) in [("os", Durability::Os), ("memory", Durability::Memory)] {
        let plan = AccountPlan { durability, ..AccountPlan::new(Account::new(name, "secret")) };
        settings.accounts.push(plan);
    }
    with_bulks(settings)
}

/// A submission through `port`, for the next turn.
fn submit(world: &mut World, port: SessionId, sequence: u32, known: Text<'_>) {
    let body = known.body();
    world.hand_in(port, Command::SUBMIT_SM, sequence, |out| out.extend_from_slice(&body));
}

/// Whose submissions have been answered since the last time, and which.
fn answered(world: &mut World) -> Vec<(SessionId, u32)> {
    let answers = std::mem::take(&mut world.answers).into_iter();
    answers.map(|(port, answer)| (port, answer.sequence)).collect()
}

/// The operating system has all that waits, the disk not.
fn write(world: &mut World) {
    world.written = world.waiting.last().expect("something to write").end();
}

#[test]
fn each_account_is_answered_when_its_own_durability_is_reached_and_in_order() {
    let mut world = world();
    for (port, first) in [(DISK, 1), (OS, 3), (MEMORY, 5)] {
        submit(&mut world, port, first, text("one"));
        submit(&mut world, port, first + 1, text("two"));
    }

    world.turn();
    assert_eq!(answered(&mut world), [(MEMORY, 5), (MEMORY, 6)]);
    assert_eq!(world.sent_texts(), ["one", "two"]);
    write(&mut world);
    world.turn();
    assert_eq!(answered(&mut world), [(OS, 3), (OS, 4)]);
    world.commit();
    world.turn();
    assert_eq!(answered(&mut world), [(DISK, 1), (DISK, 2)]);

    let accepted =
        world.stats.iter().fold([0; 3], |sum, stats| std::array::from_fn(|i| sum[i] + stats.accepted[i]));
    assert_eq!(accepted, [2, 2, 2]);
}

/// What the weaker were told is lost, as they were told it might be; what the strong one was told is there.
#[test]
fn power_cut_takes_what_only_weaker_accounts_were_told_is_accepted() {
    let mut world = world();
    submit(&mut world, DISK, 1, text("strong"));
    world.run();
    submit(&mut world, MEMORY, 2, text("weak"));
    world.turn();
    assert_eq!(answered(&mut world), [(DISK, 1), (MEMORY, 2)]);

    let world = world.crash(&mut || false);

    assert_eq!(world.recovered, 1);
}

/// Receipts wait for the disk whoever they are for: a carrier that is told that we have it doesn't say it again.
#[test]
fn receipts_of_weaker_accounts_wait_for_the_disk() {
    let mut world = world();
    submit(&mut world, MEMORY, 1, text("a"));
    world.turn();
    let (link, token, _) = world.sent().pop().expect("it went out in its turn");
    world.say(link, token, enroute::carrier::Verdict::Answered(Status::ROK), "7");
    world.turn();
    world.receipt(link, 1, "7", enroute::codec::MessageState::Delivered);
    world.turn();
    write(&mut world);
    world.turn();
    assert_eq!((world.delivered.len(), world.arrivals_answered.len()), (0, 0));

    world.commit();
    world.turn();

    assert_eq!((world.delivered.len(), world.arrivals_answered.len()), (1, 1));
}

#[test]
fn submit_multi_cancel_and_bulks_of_a_weaker_account_are_answered_like_its_submissions() {
    let mut world = world();
    let mut entries = BytesMut::new();
    for addr in [&b"447700900123"[..], b"447700900124"] {
        put_destination(&mut entries, &Destination::Sme(Address { ton: 1, npi: 1, addr }));
    }
    let destinations = Destinations::read(&entries).expect("well formed");
    let sm = Sm {
        source: SOURCE,
        short_message: b"both",
        tlvs: Tlvs::read(b"", Reading::Strict).expect("none"),
        ..Sm::default()
    };
    for port in [DISK, OS, MEMORY] {
        let multi = SubmitMulti { sm, destinations };
        world.hand_in(port, Command::SUBMIT_MULTI, 1, |out| multi.encode_body(out));
    }
    for account in 0..3 {
        let name = Name::read(b"spring").expect("a name");
        let at = world.now.wall.after(HOUR);
        let request = BulkRequest { name, ask: Ask::Schedule(at) };
        world.inbox.push(Event::Bulk { token: account.into(), account: AccountId(account), request });
    }

    let mut reached = Vec::new();
    for step in 0..3 {
        match step {
            0 => {}
            1 => write(&mut world),
            _ => world.commit(),
        }
        world.turn();
        let replies: Vec<_> = world.replies.drain(..).map(|(port, pdu)| (port, status_of(&pdu))).collect();
        let bulks: Vec<_> = world.bulks.drain(..).map(|(token, answer)| (token, answer.is_ok())).collect();
        reached.push((replies, bulks));
    }

    let each = [(MEMORY, 2), (OS, 1), (DISK, 0)];
    let wanted = each.map(|(port, token)| (vec![(port, Status::ROK)], vec![(token, true)]));
    assert_eq!(reached, wanted);
}

/// Memory is bounded by windows, and windows by answers: who isn't held back by the disk at all could fill it.
#[test]
fn weaker_accounts_wait_for_the_disk_too_once_they_are_far_ahead_of_it() {
    let mut world = world();
    let long = "x".repeat(250);
    let mut answers = 0;
    for turn in 0..2000 {
        for sequence in 0..50 {
            submit(
                &mut world,
                MEMORY,
                1 + turn * 50 + sequence,
                Text { schedule: b"000000010000000R", ..text(&long) },
            );
        }
        world.turn();
        answers += answered(&mut world).len();
        if answers < (turn as usize + 1) * 50 {
            break;
        }
    }

    let ahead: usize = world.waiting.iter().map(enroute::spool::Frames::octets).sum();
    assert!((16 << 20..17 << 20).contains(&ahead), "{ahead} octets ahead of the disk, {answers} answered");
    world.commit();
    world.turn();
    assert!(!answered(&mut world).is_empty());
    submit(&mut world, MEMORY, 9, text("soon again"));
    world.turn();
    assert_eq!(answered(&mut world), [(MEMORY, 9)]);
}

/// Promise 8 holds for all: a spool that takes nothing is not pretended away.
#[test]
fn spool_that_takes_nothing_refuses_weaker_accounts_as_well() {
    let mut world = world();
    world.inbox.push(Event::ReadOnly);
    for port in [DISK, OS, MEMORY] {
        submit(&mut world, port, 1, text("a"));
    }

    world.turn();

    assert_eq!(world.outcomes(), [Status::RSYSERR; 3]);
}
