//! At the pace that a carrier allows: calendar limits, rates, hours of maintenance, windows that follow a carrier; and what an account
//! is allowed.

mod world;

use enroute::carrier::{LinkIntake, Outcome, Verdict as Word};
use enroute::codec::{Command, MessageState, Reading, Sm, Status, Version};
use enroute::esme::{Account, Verdict};
use enroute::hub::{AccountPlan, CarrierGauges, Event, OverLimit, Reason, Settings};
use enroute::id::{AccountId, SessionId};
use enroute::metrics::Buckets;
use enroute::spool::{self, MemoryDisk};
use enroute::throttle::{Closed, Limits, Rate};
use std::time::Duration;
use world::*;

const OTHER: AccountId = AccountId(1);
const OTHER_PORT: SessionId = SessionId(9);
const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

fn limited(limits: Limits) -> Settings {
    let mut settings = settings();
    settings.carriers[0].carrier.limits = limits;
    settings
}

fn calendar(minute_max: Option<u64>, day_max: Option<u64>) -> Limits {
    Limits { minute_max, day_max, ..Limits::default() }
}

fn rate(text: &str, burst: u32) -> Limits {
    Limits { rate: Some(text.parse::<Rate>().expect("a rate")), burst: Some(burst), ..Limits::default() }
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| format!("{number:06}")).collect()
}

impl World {
    fn submit_numbers(&mut self, from: usize, to: usize) {
        let numbers = numbers(from, to);
        self.submit(&numbers.iter().map(|number| text(number)).collect::<Vec<_>>());
        self.run();
    }

    fn submit_on(&mut self, session: SessionId, texts: &[Text<'_>]) {
        for text in texts {
            self.hand_in(session, Command::SUBMIT_SM, 900, |out| out.extend_from_slice(&text.body()));
        }
    }

    fn submit_urgent(&mut self, texts: &[&str]) {
        for urgent in texts {
            let body = text(urgent).body();
            let sm = Sm::decode(&body, Reading::Lenient).expect("a submission");
            self.hand_in(PORT, Command::SUBMIT_SM, 900, |out| Sm { priority_flag: 3, ..sm }.encode_body(out));
        }
        self.run();
    }

    /// The carrier takes all that was sent to it, until nothing more comes at this time; gives the texts.
    fn take_now(&mut self) -> Vec<String> {
        let mut taken = Vec::new();
        loop {
            let sent = self.sent();
            if sent.is_empty() {
                return taken;
            }
            for (link, token, text) in sent {
                self.say(link, token, Word::Answered(Status::ROK), &text);
                taken.push(text);
            }
            self.run();
        }
    }

    /// How many submissions were accepted since the last time, and how many throttled.
    fn counted(&mut self) -> (usize, usize) {
        let outcomes = self.outcomes();
        let count = |status| outcomes.iter().filter(|outcome| **outcome == status).count();
        (count(Status::ROK), count(Status::RTHROTTLED))
    }

    fn carrier(&self) -> CarrierGauges {
        self.hub.gauges().carriers[0]
    }

    fn limited_by(&self) -> Reason {
        self.carrier().limited_by.expect("there is always one")
    }

    fn again(self) -> Self {
        let mut world = self.crash(&mut || true);
        world.bind_port(PORT);
        world.bind_link(LINK, 1_000);
        world.run();
        world
    }
}

/// 400 a minute and 2,500 a day are exactly that: what is more waits, and goes in order.
#[test]
fn calendar_limits_are_exact_and_what_waits_drains_in_order() {
    let mut world = World::bound(limited(calendar(Some(400), Some(2_500))), 1_000);
    world.submit_numbers(0, 3_000);
    world.submit_numbers(3_000, 5_300);
    let mut all = Vec::new();
    let mut by_minute = Vec::new();

    for minute in 0..(39 * 60) {
        if minute > 0 {
            world.pass(secs(MINUTE));
        }
        let taken = world.take_now();
        by_minute.extend((!taken.is_empty()).then_some((minute, taken.len())));
        all.extend(taken);
        let (reason, left) = (world.limited_by(), world.carrier().day.map(|(left, _)| left));
        match minute {
            0..6 => assert_eq!(reason, Reason::MinuteLimit),
            6..840 => {
                assert_eq!((reason, left), (Reason::DayLimit, Some(0)));
                assert_eq!(world.carrier().limited_for_s, (840 - minute) * MINUTE);
            }
            _ => {}
        }
    }

    let first = (0..6).map(|minute| (minute, 400)).chain([(6, 100)]);
    let second = (840..846).map(|minute| (minute, 400)).chain([(846, 100)]);
    let third = [(840 + 1440, 300)];
    assert_eq!(by_minute, first.chain(second).chain(third).collect::<Vec<_>>());
    assert_eq!(all, numbers(0, 5_300));
}

#[test]
fn days_count_survives_a_crash_and_what_was_out_is_counted_once() {
    let mut world = World::bound(limited(calendar(Some(400), Some(1_000))), 1_000);
    world.submit_numbers(0, 1_500);
    assert_eq!(world.take_now().len(), 400);
    world.pass(secs(MINUTE));
    // 400 are out: the carrier takes 150 of them before the hub is killed.
    for (link, token, text) in world.sent().into_iter().take(150) {
        world.say(link, token, Word::Answered(Status::ROK), &text);
    }
    world.run();

    let mut world = world.again();

    assert_eq!(world.take_now().len(), 250, "of this minute");
    let mut taken = 0;
    for _ in 0..60 {
        world.pass(secs(MINUTE));
        taken += world.take_now().len();
    }
    assert_eq!(taken, 200, "of this day");
    assert_eq!(world.limited_by(), Reason::DayLimit);
}

/// What is done and gone from the log counts too, and what compaction wrote again counts once.
#[test]
fn days_count_survives_compaction_and_a_crash() {
    let spool = spool::Settings { segment_octets: 64 << 10, frame_octets: 4 << 10, spares: 0 };
    let mut settings = limited(calendar(None, Some(2_000)));
    settings.compaction.slack_octets = 64 << 10;
    let mut world = World::open(settings, spool, MemoryDisk::new(3), start());
    world.bind_port(PORT);
    world.bind_link(LINK, 1_000);
    for round in 0..30 {
        world.submit_numbers(round * 50, (round + 1) * 50);
        for text in world.take_now() {
            // Of ten, one waits for its receipt for long.
            if !text.ends_with('3') {
                world.receipt(LINK, 1, &text, MessageState::Delivered);
            }
        }
        world.run();
        for receipt in std::mem::take(&mut world.delivered) {
            world.verdict(receipt.session, receipt.token, Verdict::Taken);
        }
        world.run();
    }
    assert!(world.compacted > 50, "{} written again", world.compacted);

    let mut world = world.again().again();

    assert_eq!(world.carrier().day, Some((500, 14 * 60 * MINUTE)));
    world.submit_numbers(5_000, 6_000);
    assert_eq!(world.take_now().len(), 500);
    world.pass(secs(DAY));
    assert_eq!(world.take_now().len(), 500);
}

/// Field bug R9: a carrier that takes so many a second gets them in order however often it says that it is too much, and
/// is told less and less often.
#[test]
fn order_is_kept_under_throttling_and_throttles_are_few() {
    const A_SECOND: usize = 20;
    let mut world = World::bound(settings(), 50);
    world.submit_numbers(0, 2_000);
    let (mut taken, mut throttled) = (Vec::new(), 0);
    let mut budget = A_SECOND;

    for tick in 0..3_000 {
        if tick % 10 == 0 {
            budget = A_SECOND;
        }
        for (link, token, text) in world.sent() {
            let word = if budget > 0 { Status::ROK } else { Status::RTHROTTLED };
            world.say(link, token, Word::Answered(word), &text);
            match budget {
                0 => throttled += 1,
                _ => {
                    budget -= 1;
                    taken.push(text);
                }
            }
        }
        world.pass(Duration::from_millis(100));
    }

    assert_eq!(taken, numbers(0, 2_000));
    assert!(throttled < 200, "{throttled} throttles for {} messages", taken.len());
}

/// Shares within five per cent, by weight, in segments: one account sends long texts.
#[test]
fn accounts_share_a_carrier_by_their_weights() {
    let mut settings = limited(rate("100", 50));
    let other = AccountPlan { weight: 3, ..AccountPlan::new(Account::new("mall", "secret")) };
    settings.accounts.push(other);
    let mut world = World::bound(settings, 1_000);
    world.bind_as(OTHER_PORT, OTHER, Version::V34);
    world.run();
    let long = "x".repeat(200); // two segments
    world.submit(&vec![text(&long); 3_000]);
    world.run();
    world.submit_on(OTHER_PORT, &vec![text("short"); 9_000]);
    world.run();

    let (mut of_one, mut of_other) = (0, 0);
    for second in 0..60 {
        for text in world.take_now() {
            match text.len() > 100 {
                true => of_one += 2,
                false => of_other += 1,
            }
        }
        if second == 59 {
            break;
        }
        for _ in 0..10 {
            world.pass(Duration::from_millis(100));
        }
    }

    let all = of_one + of_other;
    assert!((5_880..=5_960).contains(&all), "{all} segments in 59 s at 100 a second");
    let share = f64::from(of_other) / f64::from(all);
    assert!((share - 0.75).abs() < 0.05 * 0.75, "{share} of three to one");
}

#[test]
fn urgent_message_goes_before_thousands_that_wait_and_after_a_restart_too() {
    let mut world = World::bound(limited(rate("10", 1)), 1_000);
    world.submit_numbers(0, 20_000);
    world.take_now();

    world.submit_urgent(&["code 1", "code 2"]);
    world.pass(Duration::from_millis(100));
    assert_eq!(world.take_now(), ["code 1"]);

    let mut world = world.again();
    world.pass(Duration::from_millis(100));
    let next = world.take_now();
    assert_eq!(next.first().map(String::as_str), Some("code 2"));
}

#[test]
fn low_priority_is_not_starved() {
    let mut settings = limited(rate("10", 1));
    settings.limits.aging.each = 5;
    let mut world = World::bound(settings, 1_000);
    let urgent = vec!["urgent"; 2_000];
    world.submit_numbers(0, 100);
    world.submit_urgent(&urgent);
    let mut low = [0, 0];

    for tick in 0..600 {
        let taken = world.take_now();
        low[usize::from(tick >= 300)] += taken.iter().filter(|text| *text != "urgent").count();
        world.pass(Duration::from_millis(100));
    }

    assert_eq!(low[0], 1, "the first one went before anything urgent was there");
    assert!((55..=60).contains(&low[1]), "{low:?} of 300 turns, each fifth");
}

#[test]
fn account_over_its_rate_is_refused() {
    let mut settings = settings();
    settings.accounts[0].limits = rate("0.5", 2);
    let mut world = World::bound(settings, 100);

    world.submit(&["a", "b", "c"].map(text));
    world.run();
    assert_eq!(world.counted(), (2, 1));
    world.pass(secs(2));
    world.submit(&["d", "e"].map(text));
    world.run();
    assert_eq!(world.counted(), (1, 1));
    assert_eq!(world.take_now(), ["a", "b", "d"]);
}

#[test]
fn accounts_day_is_counted_in_segments_and_across_a_restart() {
    let mut settings = settings();
    settings.accounts[0].limits = calendar(None, Some(8));
    let mut world = World::bound(settings, 100);
    let long = "x".repeat(200); // two segments

    world.submit(&[text(&long), text(&long)]);
    world.run();
    world.take_now();
    let mut world = world.again();
    world.submit(&["a", "b", "c", "d", "e"].map(text));
    world.run();

    assert_eq!(world.counted(), (4, 1));
    world.pass(secs(14 * 60 * MINUTE));
    world.submit(&["f"].map(text));
    world.run();
    assert_eq!(world.outcomes(), [Status::ROK]);
}

#[test]
fn account_that_may_queue_waits_alone() {
    let mut settings = settings();
    settings.accounts[0].limits = calendar(Some(5), None);
    settings.accounts[0].over_limit = OverLimit::Queue;
    settings.accounts.push(AccountPlan::new(Account::new("mall", "secret")));
    let mut world = World::bound(settings, 1_000);
    world.bind_as(OTHER_PORT, OTHER, Version::V34);
    world.run();
    world.submit_numbers(0, 12);
    world.submit_on(OTHER_PORT, &["of the other"; 20].map(text));
    world.run();

    let first = world.take_now();
    assert_eq!(world.outcomes().iter().filter(|status| status.is_ok()).count(), 32);
    assert_eq!(first.iter().filter(|text| *text == "of the other").count(), 20);
    let own =
        |texts: Vec<String>| texts.into_iter().filter(|text| text != "of the other").collect::<Vec<_>>();
    assert_eq!(own(first), numbers(0, 5));
    world.pass(secs(MINUTE));
    assert_eq!(own(world.take_now()), numbers(5, 10));
    world.pass(secs(MINUTE));
    assert_eq!(own(world.take_now()), numbers(10, 12));
}

#[test]
fn nothing_goes_in_hours_of_maintenance() {
    let mut settings = settings();
    // It is Sunday, 10:00.
    settings.carriers[0].carrier.maintenance =
        vec![Closed { days: 0b100_0000, from_min: 600, to_min: 630, utc_offset_min: 0 }];
    let mut world = World::bound(settings, 100);
    world.submit_numbers(0, 3);

    assert_eq!(world.take_now(), [""; 0]);
    assert_eq!((world.limited_by(), world.carrier().limited_for_s), (Reason::Maintenance, 30 * MINUTE));
    world.pass(secs(30 * MINUTE - 1));
    assert_eq!(world.take_now(), [""; 0]);
    world.pass(secs(1));
    assert_eq!(world.take_now(), numbers(0, 3));
    assert_eq!(world.limited_by(), Reason::QueueEmpty);
}

#[test]
fn window_shrinks_when_a_carrier_throttles_or_is_slow_and_opens_again() {
    let mut world = World::bound(settings(), 16);
    world.submit_numbers(0, 10_000);
    assert_eq!((world.carrier().allowed, world.limited_by()), (16, Reason::Window));

    let answer = |world: &mut World, waited: Duration| {
        for (session, token, text) in world.sent() {
            let mut waits = Buckets::default();
            waits.record(waited);
            let outcome = Outcome { token, verdict: Word::Answered(Status::ROK), id: 0..text.len() as u32 };
            let intake = LinkIntake {
                ids: text.into_bytes(),
                outcomes: vec![outcome],
                waits: Some(Box::new(waits)),
                slowest: waited,
                ..LinkIntake::default()
            };
            world.inbox.push(Event::LinkIntake { session, intake });
        }
        world.run();
    };
    answer(&mut world, secs(6));
    assert_eq!(world.carrier().allowed, 14); // by an eighth, once for all that was under way
    for _ in 0..40 {
        world.pass(secs(10));
        answer(&mut world, secs(6));
    }
    assert_eq!(world.carrier().allowed, 1);
    for _ in 0..200 {
        answer(&mut world, Duration::from_millis(5));
    }
    assert_eq!(world.carrier().allowed, 16);

    world.pass(secs(2));
    for (link, token, _) in world.sent() {
        world.say(link, token, Word::Answered(Status::RTHROTTLED), "");
    }
    world.run();
    assert_eq!((world.carrier().allowed, world.limited_by()), (8, Reason::Throttled));
}

#[test]
fn carrier_without_a_link_is_limited_by_its_peer() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.submit_numbers(0, 1);

    assert_eq!(world.limited_by(), Reason::Peer);
    world.bind_link(LINK, 10);
    world.run();
    assert_eq!(world.take_now().len(), 1);
    assert_eq!(world.limited_by(), Reason::QueueEmpty);
}
