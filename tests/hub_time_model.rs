//! A million steps of customers changing their minds, beside a reference that is nothing but sorted maps: what goes out, when
//! it does, what expires, and what a crash may and may not undo.
//!
//! The reference knows each message by its text. Where a crash leaves open whether an operation came through, it keeps both
//! versions of the message until what the hub does rules one of them out.

mod time_model;
mod world;

#[path = "time_model/accidents.rs"]
mod accidents;
#[path = "time_model/bulks.rs"]
mod bulks;

use enroute::carrier::Verdict as Word;
use enroute::clock::UnixMs;
use enroute::codec::{CancelSm, Command, MessageState, ReplaceSm, Status};
use enroute::esme::Verdict;
use enroute::spool::{self, MemoryDisk};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use time_model::{Bulk, Deed, GRACE, Message, Stage, Version, number_of, relative, version};
use world::*;

/// Steps in all, over this many hubs.
const STEPS: usize = 1_000_000;
const HUBS: usize = 200;

/// Small enough for compaction to be at work all the time.
const SPOOL: spool::Settings = spool::Settings { segment_octets: 12 << 10, frame_octets: 512, spares: 0 };

#[test]
fn million_steps_agree_with_sorted_maps() {
    for seed in 0..HUBS as u64 {
        let mut model = Model::new(seed);
        for step in 0..STEPS / HUBS {
            let told = Told(&mut model, seed, step);
            told.0.step();
            std::mem::forget(told);
        }
    }
}

/// The hub's settings: clocks are believed, and what bulks came to is remembered.
fn plan() -> enroute::hub::Settings {
    let mut settings = with_bulks(settings());
    settings.caution.hold = Duration::ZERO;
    settings.limits.bulks.retention = Duration::from_secs(10_000 * 86_400);
    settings
}

/// Tells how it came to a failure.
struct Told<'a>(&'a mut Model, u64, usize);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let Self(model, seed, step) = self;
        eprintln!("hub {seed}, step {step}, at {:?}; the last steps were:", model.world.now.wall);
        model.trace.iter().for_each(|step| eprintln!("  {step}"));
    }
}

/// The reference, the hub, and the dice.
struct Model {
    world: World,
    dice: fastrand::Rng,
    messages: BTreeMap<u64, Message>,
    /// When to look at which message.
    agenda: BTreeSet<(UnixMs, u64)>,
    /// Those to be looked at whatever the time: due while the link was down, or just changed.
    restless: BTreeSet<u64>,
    /// Numbers by id, and ids of those that are over.
    known: BTreeMap<String, u64>,
    over: Vec<String>,
    next: u64,
    bulks: Vec<Bulk>,
    link_up: bool,
    trace: Vec<String>,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut world = World::open(plan(), SPOOL, MemoryDisk::new(seed), start());
        world.bind_port(PORT);
        world.bind_link(LINK, 10_000);
        Self {
            world,
            dice: fastrand::Rng::with_seed(seed),
            messages: BTreeMap::new(),
            agenda: BTreeSet::new(),
            restless: BTreeSet::new(),
            known: BTreeMap::new(),
            over: Vec::new(),
            next: 0,
            bulks: Vec::new(),
            link_up: true,
            trace: Vec::new(),
        }
    }

    fn note(&mut self, step: String) {
        if self.trace.len() >= 40 {
            self.trace.remove(0);
        }
        self.trace.push(step);
    }

    fn step(&mut self) {
        match self.dice.u8(0..100) {
            0..=26 => self.submit(),
            27..=36 => self.submit_to_bulk(),
            37..=44 => self.ask_bulk(),
            45..=55 => self.cancel(),
            56..=65 => self.replace(),
            66..=92 => self.pass(),
            93 => self.set_clock(),
            94..=97 => self.turn_link(),
            _ => self.crash(None),
        }
    }

    /// Seconds, mostly of the order in which time passes here.
    fn seconds(&mut self) -> u64 {
        match self.dice.u8(0..10) {
            0..=3 => self.dice.u64(1..60),
            4..=6 => self.dice.u64(1..3600),
            7 | 8 => self.dice.u64(1..86_400),
            _ => self.dice.u64(1..86_400 * 40),
        }
    }

    fn pass(&mut self) {
        let by = match self.dice.u8(0..10) {
            0..=4 => self.dice.u64(1..30),
            5..=7 => self.dice.u64(1..1800),
            8 => self.dice.u64(1..20_000),
            _ => self.dice.u64(1..86_400 * 3),
        };
        self.note(format!("pass {by} s"));
        self.world.now = self.world.now.after(secs(by));
        self.settle();
    }

    fn submit(&mut self) {
        let number = self.next;
        self.next += 1;
        let words = format!("m{number}");
        let schedule = self.dice.bool().then(|| self.seconds());
        let validity = self.dice.bool().then(|| self.seconds());
        let (at, until) = (schedule.map(relative), validity.map(relative));
        let now = self.world.now.wall;
        let due = now.after(secs(schedule.unwrap_or(0)));
        let version = version(words.clone(), due, validity.map(|seconds| now.after(secs(seconds))))
            .map(|version| if schedule.is_none() { version.at_once() } else { version });
        self.note(format!("submit {words} in {schedule:?} for {validity:?}"));
        self.world.submit(&[Text {
            schedule: at.as_ref().map_or(b"", |at| at.as_slice()),
            validity: until.as_ref().map_or(b"", |until| until.as_slice()),
            ..text(&words)
        }]);
        if self.dice.u8(0..60) == 0 {
            return self.crash(version.ok().map(|version| (number, version)));
        }
        self.world.run();
        let (_, answer) = self.world.answers.pop().expect("an answer");
        match (answer.outcome, version) {
            (Ok(id), Ok(version)) => {
                let id = self.world.name(id);
                self.known.insert(id.clone(), number);
                self.enter(number, Some(id), version, None);
                self.settle();
            }
            (Err(status), Err(expected)) => assert_eq!(status, expected),
            (told, expected) => panic!("{told:?}, not {expected:?}"),
        }
    }

    fn enter(&mut self, number: u64, id: Option<String>, version: Version, bulk: Option<usize>) {
        self.agenda.extend([(version.due, number), (version.expires, number)]);
        let is_bundled = bulk.is_some_and(|place| self.bulks[place].is_unfired());
        self.messages.insert(
            number,
            Message {
                id,
                stage: Stage::Waiting,
                versions: vec![version],
                in_doubt: false,
                bulk,
                is_bundled,
                accepted: self.world.now.wall,
                is_late: false,
            },
        );
    }

    /// A message whose id its customer knows; now and then one that is over.
    fn some_id(&mut self) -> Option<String> {
        if self.dice.u8(0..8) == 0 && !self.over.is_empty() {
            return Some(self.over[self.dice.usize(0..self.over.len())].clone());
        }
        let place = self.dice.usize(0..self.known.len().max(1));
        self.known.keys().nth(place).cloned()
    }

    /// Whether the message of that id waits.
    fn waits(&self, id: &str) -> Option<u64> {
        let number = *self.known.get(id)?;
        self.messages.get(&number).filter(|message| message.stage == Stage::Waiting).map(|_| number)
    }

    fn cancel(&mut self) {
        let Some(id) = self.some_id() else { return };
        self.note(format!("cancel {id} ({:?})", self.known.get(&id)));
        let waiting = self.waits(&id);
        if self.dice.u8(0..30) == 0 {
            let cancel = CancelSm { message_id: id.as_bytes(), source: SOURCE, ..CancelSm::default() };
            self.world.hand_in(PORT, Command::CANCEL_SM, 900, |out| cancel.encode_body(out));
            if let Some(message) = waiting.and_then(|number| self.messages.get_mut(&number)) {
                message.in_doubt = true;
            }
            self.restless.extend(waiting);
            return self.crash(None);
        }
        let status = self.world.cancel(&id);
        match waiting.and_then(|number| self.messages.get_mut(&number)) {
            Some(message) => {
                assert_eq!(status, Status::ROK);
                message.stage = Stage::Cancelled;
            }
            // Who has ended is remembered for a while, but not after a crash.
            None => assert!(matches!(status, Status::RCANCELFAIL | Status::RINVMSGID), "{status:?}"),
        }
        self.restless.extend(waiting);
        self.settle();
    }

    fn replace(&mut self) {
        let Some(id) = self.some_id() else { return };
        let words = format!("m{}v{}", self.known.get(&id).unwrap_or(&0), self.dice.u32(..));
        let schedule = self.dice.bool().then(|| self.seconds());
        let validity = self.dice.bool().then(|| self.seconds());
        self.note(format!("replace {id} by {words} in {schedule:?} for {validity:?}"));
        let (at, until) = (schedule.map(relative), validity.map(relative));
        let replace = ReplaceSm {
            message_id: id.as_bytes(),
            source: SOURCE,
            schedule_delivery_time: at.as_ref().map_or(b"", |at| at.as_slice()),
            validity_period: until.as_ref().map_or(b"", |until| until.as_slice()),
            registered_delivery: 1,
            short_message: words.as_bytes(),
            ..ReplaceSm::default()
        };
        let now = self.world.now.wall;
        let waits = self.waits(&id);
        let bundled = waits.is_some_and(|number| self.messages[&number].is_bundled);
        let change = |old: &Version| {
            let due = schedule.map_or(old.due.max(now), |seconds| now.after(secs(seconds)));
            let asked = validity.map_or(old.expires, |seconds| now.after(secs(seconds)));
            let new = version(words.clone(), due, Some(asked))?;
            if schedule.is_none() && old.due <= now && !bundled {
                return Ok(Version { due: old.due, ..new }); // whatever clock it came by
            }
            // It keeps the time of its bulk, which may have passed.
            Ok(if bundled && schedule.is_none() {
                Version { due: old.due, ..new }.moved_to(old.due)
            } else {
                new
            })
        };
        // One that leaves its bulk in a crash would leave open too much.
        let crashes = self.dice.u8(0..30) == 0 && !(bundled && schedule.is_some());
        if crashes {
            self.world.hand_in(PORT, Command::REPLACE_SM, 900, |out| replace.encode_body(out));
        } else {
            self.world.ask(Command::REPLACE_SM, |out| replace.encode_body(out));
        }
        let Some(number) = waits else {
            if !crashes {
                let status = self.world.status();
                assert!(matches!(status, Status::RREPLACEFAIL | Status::RINVMSGID), "{status:?}");
            }
            return if crashes { self.crash(None) } else { self.settle() };
        };
        let message = self.messages.get_mut(&number).expect("it waits");
        let new: Vec<_> = message.versions.iter().map(change).collect();
        if crashes {
            message.versions.extend(new.into_iter().flatten());
        } else {
            let status = self.world.status();
            // Which version it was says whether the change was good: those that foretold another answer are out.
            let said =
                |new: &Result<Version, Status>| new.as_ref().err().copied().unwrap_or(Status::ROK) == status;
            let pairs: Vec<_> = message.versions.drain(..).zip(new).filter(|(_, new)| said(new)).collect();
            assert!(!pairs.is_empty(), "replace is answered {status:?}");
            if status.is_ok() && schedule.is_some() && message.is_bundled {
                (message.is_bundled, message.bulk) = (false, None);
            }
            message.versions = pairs.into_iter().map(|(old, new)| new.unwrap_or(old)).collect();
        }
        let times = message.versions.iter().flat_map(|version| [version.due, version.expires]);
        self.agenda.extend(times.map(|at| (at, number)));
        if crashes { self.crash(None) } else { self.settle() }
    }

    /// Lets the hub do what it does at this time, and holds it against what each message should have done.
    fn settle(&mut self) {
        let deeds = self.watch();
        self.fire_bulks();
        let now = self.world.now.wall;
        let mut look: BTreeSet<u64> = deeds.keys().copied().collect();
        look.append(&mut self.restless);
        while let Some((at, number)) = self.agenda.first().copied().filter(|(at, _)| *at <= now) {
            self.agenda.remove(&(at, number));
            look.insert(number);
        }
        for number in look {
            let deed = deeds.get(&number).cloned().unwrap_or(Deed::Nothing);
            self.hold_against(number, deed);
        }
        self.end_bulks();
        self.world.stats.clear();
    }

    /// What each message did: nothing, unless it is named.
    fn watch(&mut self) -> BTreeMap<u64, Deed> {
        let mut deeds = BTreeMap::new();
        loop {
            self.world.run();
            let (sent, told) = (self.world.sent(), std::mem::take(&mut self.world.delivered));
            if sent.is_empty() && told.is_empty() {
                return deeds;
            }
            for (session, token, text) in sent {
                let number = number_of(&text);
                let before = deeds.insert(number, Deed::Sent(text));
                assert_eq!(before, None, "m{number} went out after that");
                self.world.say(session, token, Word::Answered(Status::ROK), &format!("c{number}"));
            }
            for Delivered { session, token, id, state } in told {
                self.world.verdict(session, token, Verdict::Taken);
                let number =
                    self.known.get(&id).copied().unwrap_or_else(|| self.unheard_that_ends(state, &deeds));
                let before = deeds.insert(number, Deed::Ended(state));
                assert_eq!(before, None, "m{number} ended {state:?} after that");
            }
        }
    }

    /// Whose receipt it is that names an id that nobody was told.
    fn unheard_that_ends(&self, state: MessageState, deeds: &BTreeMap<u64, Deed>) -> u64 {
        let now = self.world.now.wall;
        let ends =
            |message: &Message| message.versions[0].does(message.stage, now, true) == Deed::Ended(state);
        let fits = |(number, message): &(&u64, &Message)| {
            message.id.is_none() && ends(message) && !deeds.contains_key(number)
        };
        *self.messages.iter().find(fits).expect("a receipt for somebody").0
    }

    fn hold_against(&mut self, number: u64, deed: Deed) {
        let (now, link_up) = (self.world.now.wall, self.link_up);
        let Self { messages, bulks, .. } = self;
        let Some(message) = messages.get_mut(&number) else {
            assert_eq!(deed, Deed::Nothing, "m{number} is over");
            return;
        };
        let in_doubt = std::mem::take(&mut message.in_doubt);
        let stage = message.stage;
        let held = message.is_bundled && message.bulk.is_some_and(|place| bulks[place].is_unfired());
        if !(in_doubt && deed == Deed::Ended(MessageState::Deleted)) {
            let before = message.versions.clone();
            message.versions.retain(|version| version.does(stage, now, link_up && !held) == deed);
            assert!(!message.versions.is_empty(), "m{number} {stage:?} {before:?} did {deed:?} at {now:?}");
        }
        match deed {
            Deed::Nothing => {
                if message.versions.iter().any(|version| version.due <= now) && stage == Stage::Waiting {
                    self.restless.insert(number);
                }
            }
            Deed::Sent(_) => {
                let expires = message.versions[0].expires;
                message.versions.truncate(1);
                message.stage = Stage::Out;
                self.agenda.insert((expires.after(GRACE), number));
                if self.dice.u8(0..8) != 0 {
                    self.carrier_tells(number);
                }
            }
            Deed::Ended(_) => self.forget(number),
        }
    }

    /// The carrier has delivered it and says so.
    fn carrier_tells(&mut self, number: u64) {
        self.world.receipt(LINK, 1, &format!("c{number}"), MessageState::Delivered);
        self.world.run();
        let told = self.world.delivered.pop().expect("a receipt");
        assert_eq!((told.state, self.world.delivered.len()), (MessageState::Delivered, 0));
        self.world.verdict(told.session, told.token, Verdict::Taken);
        self.world.run();
        if let Some(place) = self.messages[&number].bulk {
            self.bulks[place].has_reached = true;
        }
        self.forget(number);
    }

    fn forget(&mut self, number: u64) {
        let Some(Message { id: Some(id), .. }) = self.messages.remove(&number) else { return };
        self.known.remove(&id);
        if self.over.len() >= 50 {
            self.over.remove(0);
        }
        self.over.push(id);
    }
}
