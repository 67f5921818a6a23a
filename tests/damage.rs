//! A store that anything has happened to (X5 of the plan): it starts, or says clearly why not; what was not hit is all there, what was
//! hit is told exactly, and nothing that comes out of it was not put in.
//!
//! `ENROUTE_MUTATIONS=N` makes as many mutations, of N / 1000 stores; 1000 without it. `ENROUTE_MUTATION=SEED` makes one again.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Reading, Sm, Status};
use enroute::esme::Verdict;
use enroute::spool::{self, Disk, DiskFile, Locator, MemoryDisk, OpenError, Record, RecoveryReport};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use world::*;

const SPOOL: spool::Settings = spool::Settings { segment_octets: 24 << 10, frame_octets: 1 << 10, spares: 1 };
/// Octets before a segment's first frame, and where its header has its number and its first address.
const HEADER: usize = 8192;
const NUMBER_AT: usize = 48;
const START_AT: usize = 56;

/// Octets of a frame at most: it is whole or not at all where nothing proves it.
const FRAME: u64 = 2 << 10;

/// Every file of a store, with its octets.
type Image = BTreeMap<String, Vec<u8>>;

/// What a hub has left behind, and what is known of it.
struct Store {
    image: Image,
    /// Segments of the log, by file, with their first address and the address after their last octet.
    segments: BTreeMap<String, Range<u64>>,
    /// Every record, by address, as it was written.
    records: BTreeMap<u64, Vec<u8>>,
    /// What was synced; the last commit is beyond it, and nobody was told of it.
    synced: u64,
}

#[test]
fn whatever_happens_to_a_store_the_rest_of_it_is_there_and_nothing_else() {
    let told = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let (mutations, only) = (told("ENROUTE_MUTATIONS").unwrap_or(1000), told("ENROUTE_MUTATION"));
    let seeds = only.map_or(0..mutations, |seed| seed..seed + 1);
    let (mut lost, mut refused, mut kinds) = (0, 0, BTreeMap::new());
    for first in (seeds.start / 1000 * 1000..seeds.end).step_by(1000) {
        let store = Store::made(first);
        for seed in first.max(seeds.start)..seeds.end.min(first + 1000) {
            let _told = Told(seed);
            let mut random = fastrand::Rng::with_seed(seed);
            let mut image = store.image.clone();
            let kind = mutate(&mut image, &mut random);
            *kinds.entry(kind).or_insert(0) += 1;
            match store.check(&image) {
                Ok(missing) => lost += missing,
                Err(_) => refused += 1,
            }
        }
    }
    println!("{} mutations", seeds.count());
    println!("{kinds:?}; {lost} records lost, {refused} stores refused");
    assert!(only.is_some() || kinds.len() == 8 && lost > 0, "{kinds:?}");
}

/// Names the seed of a mutation that fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("mutation {}", self.0);
        }
    }
}

/// Does one thing to one file or two; says what.
fn mutate(image: &mut Image, random: &mut fastrand::Rng) -> &'static str {
    let names: Vec<String> = image.keys().cloned().collect();
    let name = names[random.usize(..names.len())].clone();
    let newest = names.iter().rfind(|name| name.ends_with(".segment")).expect("a segment").clone();
    let block = if random.bool() { 512 } else { 4096 };
    let len = image[&name].len();
    let at = |random: &mut fastrand::Rng, len: usize| random.usize(..len.max(1));
    match random.u8(..8) {
        0 => {
            let place = at(random, len);
            if let Some(octet) = image.get_mut(&name).and_then(|file| file.get_mut(place)) {
                *octet ^= 1 << random.u8(..8);
            }
            "a flipped bit"
        }
        1 => {
            let place = at(random, len) / 512 * 512;
            let end = (place + 512).min(len);
            image.get_mut(&name).expect("there")[place..end].fill(0);
            "a sector of zeros"
        }
        2 => {
            let file = image.get_mut(&newest).expect("there");
            file.truncate(random.usize(..=file.len()));
            "the newest file cut"
        }
        3 => {
            image.remove(&name);
            "a file gone"
        }
        4 => {
            image.get_mut(&name).expect("there").clear();
            "a file emptied"
        }
        kind => {
            let other = names[random.usize(..names.len())].clone();
            let from = at(random, len) / block * block;
            let to = at(random, image[&other].len()) / block * block;
            let size = block.min(len - from.min(len)).min(image[&other].len() - to.min(image[&other].len()));
            let (one, two) =
                (image[&name][from..from + size].to_vec(), image[&other][to..to + size].to_vec());
            image.get_mut(&other).expect("there")[to..to + size].copy_from_slice(&one);
            if kind == 5 {
                image.get_mut(&name).expect("there")[from..from + size].copy_from_slice(&two);
                return "two blocks swapped";
            }
            if kind == 6 {
                "a block twice"
            } else {
                image.get_mut(&name).expect("there").truncate(from);
                "a block moved, and the file cut"
            }
        }
    }
}

impl Store {
    /// What a hub leaves that is killed between the write and the sync of a commit: several lives, segments compacted
    /// and used again, a start that was cut off.
    fn made(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut settings = settings();
        settings.compaction.slack_octets = 48 << 10;
        settings.limits.bodies = 20;
        let mut world = World::open(settings, SPOOL, MemoryDisk::new(seed), start());
        let mut number = 0;
        for wave in 0..45 {
            if wave % 15 == 0 {
                world = world.crash(&mut || true);
                world.bind_port(PORT);
                world.bind_link(LINK, 20);
            }
            if world.writer.spares().needed() {
                world.writer.spares().prepare(&mut |_| {}).expect("a healthy disk");
            }
            submit(&mut world, &mut number, 12);
            world.run();
            for (link, token, text) in world.sent() {
                world.say(link, token, Word::Answered(Status::ROK), &text);
                if random.u8(..5) > 0 {
                    let destination = destination(&text);
                    world.receipt_for(link, 1, &text, &destination, MessageState::Delivered);
                }
            }
            world.run();
            for delivered in std::mem::take(&mut world.delivered) {
                let verdict = if random.u8(..8) == 0 { Verdict::Later } else { Verdict::Taken };
                world.verdict(delivered.session, delivered.token, verdict);
            }
            world.run();
            world.now = world.now.after(secs(20));
        }
        submit(&mut world, &mut number, 6);
        world.turn();
        let synced = world.durable.0;
        let mut killed = None;
        let World { writer, waiting, disk, .. } = &mut world;
        writer.spares().make_reserve(2048, &mut |_| {}).expect("a healthy disk");
        disk.create("tail").and_then(|file| file.write_at(&[7; 3000], 0)).expect("a healthy disk");
        writer
            .commit_telling(waiting, &mut |_| killed = Some(disk.crash(&mut || true)))
            .expect("a healthy disk");
        Self::of(&killed.expect("something was written"), synced)
    }

    fn of(disk: &MemoryDisk, synced: u64) -> Self {
        let image = image(disk);
        let mut records = BTreeMap::new();
        let copy = on_disk(&image);
        let report =
            open(&copy, &mut |locator, octets| drop(records.insert(locator.at, octets))).expect("whole");
        assert_eq!((report.damaged, report.cut_octets), (Vec::new(), 0));
        let number = |file: &[u8], at: usize| Some(u64::from_be_bytes(*file.get(at..)?.first_chunk()?));
        let mut starts = BTreeMap::new();
        for (name, file) in &image {
            let named =
                name.strip_suffix(".segment").map(|digits| u64::from_str_radix(digits, 16).expect("digits"));
            if named.is_some() && number(file, NUMBER_AT) == named {
                starts.insert(number(file, START_AT).expect("a header"), name.clone());
            }
        }
        let end = records.iter().next_back().map(|(at, octets)| at + octets.len() as u64).expect("records");
        let ends = starts.keys().skip(1).copied().chain([end]);
        let segments =
            starts.iter().zip(ends).map(|((start, name), end)| (name.clone(), *start..end)).collect();
        let store = Self { image, segments, records, synced };
        assert!(
            store.segments.len() > 5 && store.image.len() > store.segments.len() + 2,
            "{:?}",
            store.segments
        );
        assert!(store.records.range(synced..).count() >= 6);
        store
    }

    /// Starts a hub on what has become of the store; gives how many records were lost.
    fn check(&self, image: &Image) -> Result<usize, OpenError> {
        let touched = self.touched(image);
        let mut found = BTreeMap::new();
        let disk = on_disk(image);
        let report = open(&disk, &mut |locator, octets| drop(found.insert(locator.at, octets)))?;
        for (at, octets) in &found {
            assert_eq!(self.records.get(at), Some(octets), "something at {at} that was never put there");
        }
        // What nobody was told of may go without a word; and with it what nothing proves any more.
        let first = touched.first().map_or(u64::MAX, |range| range.start.saturating_sub(FRAME));
        let unproven = if touched.iter().any(|range| range.end > self.synced) { first } else { self.synced };
        let is_hit = |range: &Range<u64>| {
            touched.iter().any(|touched| touched.start < range.end && range.start < touched.end)
        };
        let mut lost = 0;
        for (at, octets) in &self.records {
            let place = *at..at + octets.len() as u64;
            if found.contains_key(at) {
                continue;
            }
            lost += 1;
            if place.end > unproven {
                continue;
            }
            assert!(is_hit(&place), "lost without having been hit: {place:?} by {touched:?}, {report:?}");
            assert!(
                self.is_gone_unseen(&place, image)
                    || report
                        .damaged
                        .iter()
                        .any(|damage| damage.from <= place.start && place.end <= damage.to),
                "lost without a word: {place:?}, {report:?}"
            );
        }
        self.check_report(&report, &found, is_hit);
        self.check_second_start(&disk, &found, &report);
        self.check_hub(image);
        Ok(lost)
    }

    /// A file that is gone, or has nothing in it, at the beginning of the log is like one that was released.
    fn is_gone_unseen(&self, place: &Range<u64>, image: &Image) -> bool {
        let first = self.segments.iter().min_by_key(|(_, range)| range.start).expect("segments");
        first.1.contains(&place.start) && image.get(first.0).is_none_or(Vec::is_empty)
    }

    /// Addresses of the log that say something else than before, or nothing.
    fn touched(&self, image: &Image) -> Vec<Range<u64>> {
        let mut touched: Vec<Range<u64>> = Vec::new();
        for (name, range) in &self.segments {
            let before = &self.image[name][HEADER..];
            let after = image.get(name).and_then(|file| file.get(HEADER..)).unwrap_or_default();
            for at in range.clone() {
                let place = (at - range.start) as usize;
                if before.get(place) == after.get(place) {
                    continue;
                }
                match touched.last_mut().filter(|last| last.end == at) {
                    Some(last) => last.end += 1,
                    None => touched.push(at..at + 1),
                }
            }
        }
        touched.sort_by_key(|range| range.start);
        touched
    }

    /// The ranges that are told are those that were hit, and what is told of them holds.
    fn check_report(
        &self,
        report: &RecoveryReport,
        found: &BTreeMap<u64, Vec<u8>>,
        is_hit: impl Fn(&Range<u64>) -> bool,
    ) {
        let octets: u64 = report.damaged.iter().map(|damage| damage.to - damage.from).sum();
        assert_eq!(octets, report.damaged_octets);
        for damage in &report.damaged {
            assert!(is_hit(&(damage.from..damage.to)), "nothing was hit there: {damage:?}");
            assert_eq!(found.range(damage.from..damage.to).count() as u64, damage.saved, "{damage:?}");
        }
    }

    /// The next start finds the same.
    fn check_second_start(&self, disk: &MemoryDisk, found: &BTreeMap<u64, Vec<u8>>, first: &RecoveryReport) {
        let mut again = BTreeMap::new();
        let second = open(disk, &mut |locator, octets| drop(again.insert(locator.at, octets)))
            .expect("it started before");
        let differ = |one: &BTreeMap<u64, _>, two: &BTreeMap<u64, _>| {
            one.keys().filter(|at| !two.contains_key(at)).copied().collect::<Vec<_>>()
        };
        assert_eq!(
            (differ(&again, found), differ(found, &again)),
            (vec![], vec![]),
            "{first:?} then {second:?}"
        );
    }

    /// A hub goes on with it, sends no text to anybody else than it was for, and comes to rest.
    fn check_hub(&self, image: &Image) {
        let now = start().after(secs(45 * 20));
        let (mut world, _) =
            World::open_damaged(settings(), SPOOL, on_disk(image), now).expect("it started before");
        world.bind_port(PORT);
        world.bind_link(LINK, 1000);
        world.pass(secs(2 * 3600));
        let mut sent = BTreeSet::new();
        for (_, dispatch) in std::mem::take(&mut world.dispatches) {
            let sm = Sm::decode(&dispatch.body, Reading::Lenient).expect("what was put in");
            let text = String::from_utf8_lossy(sm.short_message).into_owned();
            assert_eq!(sm.destination.addr, destination(&text).as_bytes(), "{text}");
            assert!(sent.insert(text.clone()), "{text} twice");
        }
        assert!(!sent.is_empty());
        assert_eq!(world.count(|stats| stats.bodies_lost), 0);
    }
}

/// Messages that are known by their number, every third of them for later.
fn submit(world: &mut World, number: &mut u32, count: u32) {
    for number in *number..*number + count {
        let known = format!("message {number:05}");
        let destination = destination(&known);
        let schedule: &[u8] = if number.is_multiple_of(3) { b"000000010000000R" } else { b"" };
        world.submit(&[Text { destination: &destination, schedule, ..text(&known) }]);
    }
    *number += count;
}

/// Whom a message is for.
fn destination(text: &str) -> String {
    format!("4477009{}", &text[text.len() - 5..])
}

fn image(disk: &MemoryDisk) -> Image {
    let names = disk.list().expect("a healthy disk");
    let read = |name: String| {
        let file = disk.open(&name).expect("there");
        let mut octets = vec![0; file.size().expect("a healthy disk") as usize];
        file.read_at(&mut octets, 0).expect("a healthy disk");
        (name, octets)
    };
    names.into_iter().map(read).collect()
}

fn on_disk(image: &Image) -> MemoryDisk {
    let disk = MemoryDisk::new(1);
    for (name, octets) in image {
        let file = disk.create(name).expect("a healthy disk");
        file.write_at(octets, 0).and_then(|()| file.sync_data()).expect("a healthy disk");
    }
    disk.sync_dir().expect("a healthy disk");
    disk
}

/// Opens a store; `take` gets each record with its octets.
fn open(disk: &MemoryDisk, take: &mut dyn FnMut(Locator, Vec<u8>)) -> Result<RecoveryReport, OpenError> {
    let mut replay = |record: Record<'_>, locator: Locator| {
        let mut octets = bytes::BytesMut::new();
        record.encode(&mut octets);
        take(locator, octets.to_vec());
    };
    spool::open(disk.clone(), SPOOL, 0, start(), &mut replay).map(|(.., report)| report)
}
