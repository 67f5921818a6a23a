//! What compaction costs: octets written over octets that had to be, over a day's mix of messages.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::esme::Verdict;
use enroute::spool::{self, CompactionRules, MemoryDisk};
use std::collections::VecDeque;
use world::*;

/// A day of messages, a batch each five minutes: of ten, seven end within the minute, one is for later the same day (1 to 12 hours),
/// one has a carrier that tells its outcome hours later, one a customer who takes its receipt hours later. The log and its
/// rules are a thousandth of the usual size, and so is the traffic: 64 KiB a segment, 256 KiB of slack.
struct Day {
    world: World,
    /// Carriers' ids whose receipts come then, in minutes.
    owed: VecDeque<(u64, String)>,
    longest: u64,
}

impl Day {
    /// Lives it with these rules; gives the octets that were written.
    fn lived(rules: CompactionRules) -> (u64, Self) {
        let mut settings = settings();
        settings.compaction = rules;
        settings.limits.bodies = 1000;
        let spool = spool::Settings { segment_octets: 64 << 10, frame_octets: 4 << 10, spares: 0 };
        let mut day = Self {
            world: World::open(settings, spool, MemoryDisk::new(1), start()),
            owed: VecDeque::new(),
            longest: 0,
        };
        day.world.bind_port(PORT);
        day.world.bind_link(LINK, 1000);
        let mut random = fastrand::Rng::with_seed(1);
        for minute in (0..24 * 60).step_by(5) {
            day.minutes(minute, &mut random);
        }
        let octets = day.world.writer.stats().octets;
        (octets, day)
    }

    fn minutes(&mut self, minute: u64, random: &mut fastrand::Rng) {
        let world = &mut self.world;
        let known =
            "a text of the usual length, which is some ninety characters, as most of them have it here";
        let hours = random.u8(1..12);
        let schedule = format!("0000000{hours:02}0000000R", hours = hours % 10).into_bytes();
        let mut texts = [text(known); 40];
        for (place, text) in texts.iter_mut().enumerate() {
            text.registered = u8::from(place % 10 >= 5);
            text.schedule = if place % 10 == 0 { &schedule[1..] } else { b"" };
        }
        world.submit(&texts);
        world.run();
        for (place, (link, token, _)) in world.sent().into_iter().enumerate() {
            let id = format!("{minute}-{place}");
            world.say(link, token, Word::Answered(Status::ROK), &id);
            let later = if place % 10 == 3 { random.u64(30..600) } else { 0 };
            self.owed.push_back((minute + later, id));
        }
        world.run();
        let due: Vec<_> = self.owed.iter().filter(|(at, _)| *at <= minute).cloned().collect();
        self.owed.retain(|(at, _)| *at > minute);
        for (_, id) in due {
            world.receipt(LINK, 1, &id, MessageState::Delivered);
        }
        world.run();
        for delivered in std::mem::take(&mut world.delivered) {
            let verdict = if random.u8(..5) == 0 { Verdict::Later } else { Verdict::Taken };
            world.verdict(delivered.session, delivered.token, verdict);
        }
        world.pass(secs(300));
        world.stats.clear();
        let gauges = world.hub.gauges();
        self.longest = self.longest.max(gauges.spool_octets.saturating_sub(2 * gauges.spool_live_octets));
    }
}

/// Issue 5: at most two octets written for each that had to be, with a log that stays as short as its rules say.
#[test]
fn write_amplification_over_a_days_mix_is_at_most_two() {
    let slack_octets = 256 << 10;
    let (plain, _) = Day::lived(CompactionRules { factor: 2, slack_octets: u64::MAX >> 8 });

    let (octets, day) = Day::lived(CompactionRules { factor: 2, slack_octets });

    let amplification = octets as f64 / plain as f64;
    println!("{octets} octets for {plain}: {amplification:.3}; {} messages copied", day.world.compacted);
    assert!(day.world.compacted > 100, "{} copied: nothing is shown", day.world.compacted);
    assert!(amplification <= 2.0, "{amplification}");
    assert!(day.longest < slack_octets + 4 * (64 << 10), "{} octets of dead log", day.longest);
}

/// What waits for days keeps the log behind it, which is dead: no reason to keep that in memory as well.
#[test]
fn dead_log_behind_messages_that_wait_for_long_is_called_cold() {
    let mut settings = settings();
    settings.compaction = CompactionRules { factor: 3, slack_octets: 512 << 10 };
    let spool = spool::Settings { segment_octets: 256 << 10, frame_octets: 4 << 10, spares: 0 };
    let mut world = World::open(settings, spool, MemoryDisk::new(1), start());
    world.bind_port(PORT);
    world.bind_link(LINK, 1000);
    let submit = |world: &mut World, schedule: &'static [u8], times: usize| {
        for _ in 0..times {
            let known = text("a text of the usual length, which is some ninety characters");
            world.submit(&[Text { schedule, registered: 0, ..known }; 40]);
            world.run();
            for (link, token, _) in world.sent() {
                world.say(link, token, Word::Answered(Status::ROK), &token.to_string());
                world.receipt(LINK, 1, &token.to_string(), MessageState::Delivered);
            }
            world.run();
        }
    };

    submit(&mut world, b"000002000000000R", 100);
    assert!(world.cold.is_empty(), "all of it lives");
    submit(&mut world, b"", 100);

    let gauges = world.hub.gauges();
    assert!(gauges.spool_octets > gauges.spool_live_octets + (768 << 10), "{gauges:?}");
    assert!(world.cold.len() >= 2 && world.cold.is_sorted(), "{:?}", world.cold);
    assert_eq!(world.compacted, 0);
}
