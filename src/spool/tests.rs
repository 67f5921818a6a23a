//! The promises of the spool as a whole, on a disk that forgets.

use super::*;
use crate::clock::{Now, UnixMs};
use crate::id::MessageId;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

const SMALL: Settings = Settings { segment_octets: 8192 + 4096, frame_octets: 512, spares: 1 };
const NONE: CompactionRules = CompactionRules { factor: 2, slack_octets: 4096 };

type Parts = (Journal, Writer<MemoryDisk>, Reader<MemoryDisk>, RecoveryReport);

#[expect(clippy::disallowed_methods, reason = "Instant has no other beginning; nothing depends on it")]
fn now() -> Now {
    Now { mono: Instant::now(), wall: UnixMs(1_800_000_000_000) }
}

fn open_with(disk: &MemoryDisk, replay: &mut dyn FnMut(Record<'_>, Locator)) -> Parts {
    open(disk.clone(), SMALL, 3, now(), replay).expect("a store that can be opened")
}

/// What a store says, as (serial, kind).
fn contents(disk: &MemoryDisk) -> (Vec<(u64, &'static str)>, Parts) {
    let mut said = Vec::new();
    let parts = open_with(disk, &mut |record, _| said.push((record.id().serial, record.name())));
    (said, parts)
}

fn id(serial: u64) -> MessageId {
    MessageId { serial, slot: 1 }
}

fn accepted(id: MessageId, body: &[u8]) -> Record<'_> {
    Record::Accepted {
        id,
        account: b"shop",
        accepted: UnixMs(1),
        due: UnixMs(2),
        expires: UnixMs(3),
        flags: 0,
        group: None,
        bulk: None,
        body,
    }
}

fn body(serial: u64) -> Vec<u8> {
    format!("body of {serial} ").into_bytes().repeat(1 + (serial % 20) as usize)
}

fn accept(journal: &mut Journal) -> (MessageId, Appended) {
    let id = id(journal.next_serial());
    let appended = journal.append(&accepted(id, &body(id.serial)));
    (id, appended)
}

fn commit(journal: &mut Journal, writer: &mut Writer<MemoryDisk>) -> Result<Lsn, WriteError> {
    let mut frames: Vec<_> = journal.seal().into_iter().collect();
    let result = writer.commit(&mut frames);
    frames.into_iter().for_each(|frames| journal.recycle(frames));
    result
}

fn lost() -> impl FnMut() -> bool {
    || false
}

#[test]
fn what_was_committed_survives_a_power_cut_and_the_rest_does_not() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, _, _) = open_with(&disk, &mut |_, _| {});
    let (first, at) = accept(&mut journal);
    let durable = commit(&mut journal, &mut writer).expect("a healthy disk");
    accept(&mut journal);
    let waiting = journal.seal();

    let (said, (_, _, _, report)) = contents(&disk.crash(&mut lost()));

    assert!(waiting.is_some() && durable >= at.lsn);
    assert_eq!(said, [(first.serial, "accepted")]);
    assert_eq!(report.damaged, []);
}

#[test]
fn records_are_read_back_by_locator_before_and_after_a_restart() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, reader, _) = open_with(&disk, &mut |_, _| {});
    let kept: Vec<_> = (0..100)
        .map(|_| {
            let kept = accept(&mut journal);
            commit(&mut journal, &mut writer).expect("a healthy disk");
            kept
        })
        .collect();
    let (_, unwritten) = accept(&mut journal);

    let (_, (_, _, again, _)) = contents(&disk.crash(&mut lost()));

    for reader in [reader.clone(), again] {
        for (id, appended) in &kept {
            let octets = reader.read(appended.locator).expect("a committed record");
            let (record, _) = Record::decode(&octets).expect("a checked record");
            assert_eq!(record, accepted(*id, &body(id.serial)));
        }
    }
    assert!(matches!(reader.read(unwritten.locator), Err(ReadError::Unwritten(_))));
}

#[test]
fn many_records_read_at_one_time_are_what_each_is_alone() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, reader, _) = open_with(&disk, &mut |_, _| {});
    let mut locators: Vec<Locator> = (0..2000)
        .map(|number| {
            let (_, appended) = accept(&mut journal);
            if number % 50 == 0 {
                commit(&mut journal, &mut writer).expect("a healthy disk");
            }
            appended.locator
        })
        .collect();
    let Locator { at, len } = locators[7];
    locators.extend([
        Locator { at: at + 1, len },
        Locator { at, len: len - 1 },
        locators[9],
        Locator { at: 1 << 40, len },
    ]);
    fastrand::Rng::with_seed(3).shuffle(&mut locators);
    let word = |read: Result<Bytes, ReadError>| read.map_err(|fault| fault.to_string());

    let together = reader.read_all(&locators);

    let alone: Vec<_> = locators.iter().map(|locator| word(reader.read(*locator))).collect();
    assert_eq!(together.into_iter().map(word).collect::<Vec<_>>(), alone);
    assert!(alone.iter().filter(|read| read.is_ok()).count() >= 1950);
    assert_eq!(reader.read_all(&[]).len(), 0);
}

#[test]
fn wrong_locator_is_damage_and_not_somebody_elses_message() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, reader, _) = open_with(&disk, &mut |_, _| {});
    let (_, appended) = accept(&mut journal);
    accept(&mut journal);
    commit(&mut journal, &mut writer).expect("a healthy disk");

    let Locator { at, len } = appended.locator;

    for wrong in [Locator { at: at + 1, len }, Locator { at, len: len - 1 }, Locator { at, len: len + 1 }] {
        assert!(matches!(reader.read(wrong), Err(ReadError::Damaged(_))));
    }
}

#[test]
fn failed_sync_goes_on_in_a_fresh_segment_at_the_same_addresses() {
    for faults in
        [Faults { sync: Some(0), ..Faults::default() }, Faults { write: Some(0), ..Faults::default() }]
    {
        let disk = MemoryDisk::new(1);
        let (mut journal, mut writer, reader, _) = open_with(&disk, &mut |_, _| {});
        let (first, _) = accept(&mut journal);
        commit(&mut journal, &mut writer).expect("a healthy disk");
        let (second, appended) = accept(&mut journal);

        disk.fail(faults);
        let durable = commit(&mut journal, &mut writer).expect("the second segment");

        assert!(durable >= appended.lsn);
        assert_eq!(writer.stats().failures, 1);
        assert!(reader.read(appended.locator).is_ok());
        let (said, (_, _, again, report)) = contents(&disk.crash(&mut lost()));
        assert_eq!(said, [(first.serial, "accepted"), (second.serial, "accepted")]);
        assert!(again.read(appended.locator).is_ok());
        assert_eq!(report.damaged, []);
    }
}

/// What the system has survives the process, whatever becomes of the sync: so much is told before it.
#[test]
fn what_is_told_as_written_survives_the_end_of_the_process_though_its_sync_failed() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
    let (first, appended) = accept(&mut journal);
    let mut frames = [journal.seal().expect("one record")];
    let mut told = Vec::new();

    disk.fail(Faults { sync: Some(0), write: Some(1), ..Faults::default() });
    let refused = writer.commit_telling(&mut frames, &mut |written| told.push(written));
    let durable = writer.durable();

    assert!(refused.is_err() && durable < appended.lsn);
    assert_eq!(told, [frames[0].end()]);
    disk.fail(Faults::default());
    let killed = disk.crash(&mut || true);
    assert_eq!(contents(&killed).0, []);
    assert_eq!(contents(&disk).0, [(first.serial, "accepted")]);
    assert_eq!(contents(&disk.crash(&mut lost())).0, [(first.serial, "accepted")], "durable since the start");
}

#[test]
fn full_disk_acknowledges_nothing_and_takes_the_same_frames_when_there_is_room() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, _, _) = open_with(&disk, &mut |_, _| {});
    commit(&mut journal, &mut writer).expect("nothing to do");
    disk.fail(Faults { capacity: Some(disk.octets()), ..Faults::default() });
    let (id, appended) = accept(&mut journal);
    let mut frames = [journal.seal().expect("one record")];

    let refused = writer.commit(&mut frames);
    let before = writer.durable();
    disk.fail(Faults::default());
    let after = writer.commit(&mut frames).expect("room again");

    assert!(matches!(refused, Err(WriteError::Full(_))), "{refused:?}");
    assert!(before < appended.lsn && after >= appended.lsn);
    assert_eq!(contents(&disk.crash(&mut lost())).0, [(id.serial, "accepted")]);
}

/// A final state has room on a disk without an octet left.
#[test]
fn reserve_is_given_up_for_what_waits_and_is_made_again_when_there_is_room() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
    let spares = writer.spares();
    assert!(spares.reserve_needed(16 << 10));
    spares.make_reserve(16 << 10, &mut |_| {}).expect("a healthy disk");
    let full = Faults { capacity: Some(disk.octets()), ..Faults::default() };
    disk.fail(full);
    let (id, _) = accept(&mut journal);

    commit(&mut journal, &mut writer).expect("room for it, the reserve's");

    assert_eq!((writer.stats().reserves, spares.reserve_needed(16 << 10)), (1, true));
    assert_eq!(contents(&disk.crash(&mut lost())).0, [(id.serial, "accepted")]);
    disk.fail(full);
    let refused = spares.make_reserve(16 << 10, &mut |_| {}).map_err(|error| error.kind());
    assert_eq!(refused, Err(std::io::ErrorKind::StorageFull));
    disk.fail(Faults::default());
    spares.make_reserve(16 << 10, &mut |_| {}).expect("room again");
    let disk = disk.crash(&mut lost());
    let (_, (_, writer, ..)) = contents(&disk);
    assert!(!writer.spares().reserve_needed(16 << 10), "what one run has made the next one has");
    writer.spares().make_reserve(0, &mut |_| {}).expect("a healthy disk");
    assert!(!disk.list().expect("a list").contains(&"reserve".to_owned()));
}

/// The start writes the last commit once more: on a full disk it has the reserve for that.
#[test]
fn store_on_a_full_disk_can_be_opened() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
    writer.spares().make_reserve(32 << 10, &mut |_| {}).expect("a healthy disk");
    let (id, _) = accept(&mut journal);
    commit(&mut journal, &mut writer).expect("a healthy disk");
    drop((journal, writer));
    disk.fail(Faults { capacity: Some(disk.octets()), ..Faults::default() });

    let (said, (_, writer, ..)) = contents(&disk);

    assert_eq!(said, [(id.serial, "accepted")]);
    assert!(writer.spares().reserve_needed(32 << 10));
}

#[test]
fn prepared_segments_are_used_and_dead_ones_come_back_as_spares() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, _, _) = open_with(&disk, &mut |_, _| {});
    let spares = writer.spares();

    let (mut filled, mut released) = (0, 0);
    for _ in 0..300 {
        if spares.needed() {
            spares.prepare(&mut |_| {}).expect("a healthy disk");
            filled += 1;
        }
        let (_, appended) = accept(&mut journal);
        journal.retire(appended.locator);
        let durable = commit(&mut journal, &mut writer).expect("a healthy disk");
        if let Some(Compaction::Release { number, after, .. }) = journal.next_compaction(&NONE) {
            assert!(durable >= after);
            spares.release(number).expect("the oldest segment");
            released += 1;
        }
    }

    assert_eq!(writer.stats().unprepared, 0);
    assert_eq!(filled, 2, "a log that keeps its length goes round in the same files");
    assert!(released > 5);
    let files = disk.list().expect("a list").len();
    assert!(files <= 5, "{files} files");
    // Recycled files are full of old frames: none of them is taken for new.
    let (said, _) = contents(&disk.crash(&mut lost()));
    let serials: HashSet<_> = said.iter().map(|(serial, _)| serial).collect();
    assert_eq!(serials.len(), said.len());
    assert!(said.len() < 60, "{} records", said.len());
}

/// Without a reserve nothing is accepted: it must get its room.
#[test]
fn nearly_full_disk_gets_back_what_no_spare_is_wanted_of() {
    for (room, kept) in [(SMALL.segment_octets, 3), (SMALL.segment_octets - 1, 1)] {
        let disk = MemoryDisk::new(1);
        let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
        while writer.stats().segments < 5 {
            let (_, appended) = accept(&mut journal);
            journal.retire(appended.locator);
            commit(&mut journal, &mut writer).expect("a healthy disk");
        }

        for number in 1..4 {
            disk.fail(Faults { capacity: Some(disk.octets() + room), ..Faults::default() });
            writer.spares().release(number).expect("the oldest segment");
        }

        assert_eq!(writer.spares().room(), kept * SMALL.segment_octets);
    }
}

/// Of a page that isn't in its memory a system reads the rest before it takes a part.
#[test]
fn what_is_written_ends_with_a_page() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});

    for _ in 0..5 {
        accept(&mut journal);
        commit(&mut journal, &mut writer).expect("a healthy disk");
        assert_eq!(disk.octets() % 4096, 0);
    }

    assert_eq!(contents(&disk.crash(&mut lost())).0.len(), 5);
}

/// Messages that wait for weeks keep the log behind them, however little of it lives: in no memory, at least.
#[test]
fn segments_that_stay_for_the_sake_of_others_are_cold() {
    const SLACK: u64 = 2 << 20;
    let disk = MemoryDisk::new(1);
    let settings = Settings { segment_octets: 512 << 10, frame_octets: 64 << 10, spares: 0 };
    let (mut journal, mut writer, ..) =
        open(disk.clone(), settings, 3, now(), &mut |_, _| {}).expect("a store that can be opened");
    let mut append = |journal: &mut Journal| {
        let appended = journal.append(&accepted(id(1), &[7; 16 << 10]));
        commit(journal, &mut writer).expect("a healthy disk");
        (appended, writer.stats().segments)
    };
    while append(&mut journal).1 == 1 {}

    let (mut cold, mut log) = (Vec::new(), 0);
    while log < 2 * SLACK {
        let (appended, segment) = append(&mut journal);
        journal.retire(appended.locator);
        log = journal.log_octets();
        let found = journal.next_cold(SLACK);
        assert!(found.is_none() || log - journal.live_octets() > SLACK, "{log}");
        assert!(found.is_none_or(|found| found < segment), "{found:?} is written still");
        cold.extend(found);
    }

    assert_eq!(cold, [3, 4, 5, 6, 7, 8], "each once; the first is full of living ones, the second has one");
    cold.iter().for_each(|number| writer.spares().uncache(*number));
    assert_eq!(disk.uncached(), cold.iter().map(|number| segment::file_name(*number)).collect::<Vec<_>>());
}

/// A segment that is filled at once makes the next commit wait for all of it.
#[test]
fn segment_is_prepared_in_parts_with_rest_between_them_unless_the_log_is_about_to_need_it() {
    const PART: usize = 512 << 10;
    let disk = MemoryDisk::new(1);
    let settings = Settings { segment_octets: 4 << 20, frame_octets: 4096, spares: 2 };
    let (mut journal, mut writer, ..) =
        open(disk, settings, 3, now(), &mut |_, _| {}).expect("a store that can be opened");
    let spares = writer.spares();
    let mut append = |octets: usize| {
        journal.append(&accepted(id(1), &vec![7; octets]));
        commit(&mut journal, &mut writer).expect("a healthy disk");
    };
    let prepare = || {
        let mut rests = Vec::new();
        spares.prepare(&mut |calm| rests.push(calm)).expect("a healthy disk");
        rests
    };

    append(3 * PART / 2);
    assert_eq!(prepare(), [false, false, false, true, true, true, true]);
    assert_eq!(prepare(), [true; 7], "one is there already");
    (0..6).for_each(|_| append(PART));
    append(PART);
    assert_eq!(prepare(), [true; 7], "the next segment has just begun");
}

#[test]
fn nobody_rests_before_the_first_segment() {
    let (_, writer, ..) = open_with(&MemoryDisk::new(1), &mut |_, _| {});
    writer.spares().prepare(&mut |calm| assert!(!calm)).expect("a healthy disk");
}

#[test]
fn records_of_one_message_in_a_row_never_part_over_frames() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, reader, _) = open_with(&disk, &mut |_, _| {});
    for _ in 0..40 {
        let (id, _) = accept(&mut journal);
        journal.append(&stage_record(id.serial, 1));
        journal.append(&stage_record(id.serial, 2));
    }
    commit(&mut journal, &mut writer).expect("a healthy disk");

    let scans = (1..10).filter_map(|number| reader.scan(number).ok()).flatten();
    let frames: Vec<_> = scans.map(|frame| frame.expect("a read")).collect();

    assert!(frames.len() > 5);
    for frame in frames {
        let names: Vec<_> = frame.records().map(|(_, record)| record.name()).collect();
        assert!(names.chunks(3).all(|group| group == ["accepted", "sent", "settled"]), "{names:?}");
    }
}

/// A recycled file that got its old name back would hide what was committed to it since.
#[test]
fn what_is_committed_to_a_recycled_file_survives_a_power_cut() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
    writer.spares().prepare(&mut |_| {}).expect("a healthy disk");
    while journal.next_compaction(&NONE).is_none() {
        let (_, appended) = accept(&mut journal);
        journal.retire(appended.locator);
        commit(&mut journal, &mut writer).expect("a healthy disk");
    }
    writer.spares().release(1).expect("the oldest segment");

    let begun = writer.stats().segments;
    let mut last = 0;
    while writer.stats().segments == begun {
        last = accept(&mut journal).0.serial;
        commit(&mut journal, &mut writer).expect("a healthy disk");
    }

    assert_eq!(writer.stats().unprepared, 1);
    assert!(contents(&disk.crash(&mut lost())).0.contains(&(last, "accepted")));
}

#[test]
fn only_the_oldest_segment_can_be_released_and_never_the_last() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, _, _) = open_with(&disk, &mut |_, _| {});
    accept(&mut journal);
    commit(&mut journal, &mut writer).expect("a healthy disk");

    assert_eq!(journal.next_compaction(&NONE), None);
    assert!(writer.spares().release(1).is_err());
}

#[test]
fn store_of_a_newer_format_is_refused_by_name() {
    let disk = MemoryDisk::new(1);
    let newer = segment::SegmentHeader {
        format: segment::FORMAT + 1,
        shard: 3,
        store: [1; 16],
        key: crate::id::IdKey([2; 16]),
        number: 7,
        start: 0,
        serial: 0,
        epoch: 1,
        end: 0,
    };
    let mut octets = Vec::new();
    newer.write(&mut octets);
    let name = segment::file_name(7);
    disk.create(&name).and_then(|file| file.write_at(&octets, 0)).expect("a healthy disk");

    let refused = open(disk.clone(), SMALL, 3, now(), &mut |_, _| {}).err();

    assert!(matches!(refused, Some(OpenError::Newer { file, version, known })
        if file == name && version == known + 1));
}

/// The formats differ in kinds of records alone: what an older one has is read, and what is new goes into segments of the new one.
#[test]
fn store_of_an_older_format_is_read_and_goes_on_in_the_new_one() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
    let (old, _) = accept(&mut journal);
    commit(&mut journal, &mut writer).expect("a healthy disk");
    drop((journal, writer));
    let headers = |disk: &MemoryDisk| {
        let names = disk.list().expect("a healthy disk");
        let files = names.into_iter().map(|name| {
            (segment::file_number(&name).unwrap_or(0), disk.open(&name).expect("a healthy disk"))
        });
        let read = |(number, file)| {
            Some((segment::SegmentHeader::read(&file, number).expect("a healthy disk")?, file))
        };
        files.filter_map(read).collect::<Vec<_>>()
    };
    for (header, file) in headers(&disk) {
        let mut octets = Vec::new();
        segment::SegmentHeader { format: 2, ..header }.write(&mut octets);
        file.write_at(&octets, 0).expect("a healthy disk");
    }

    let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
    let bulk = Record::Bulk {
        number: journal.next_serial(),
        account: b"shop",
        name: b"spring",
        state: 1,
        at: UnixMs(1),
        changed: UnixMs(1),
        gone: [0; 4],
    };
    journal.append(&bulk);
    commit(&mut journal, &mut writer).expect("a healthy disk");
    drop((journal, writer));

    let mut found = Vec::new();
    drop(open_with(&disk, &mut |record, _| found.push((record.id().serial, record.name()))));
    assert_eq!(found, [(old.serial, "accepted"), (bulk.id().serial, "bulk")]);
    let formats: Vec<u32> = headers(&disk).iter().map(|(header, _)| header.format).collect();
    assert!(formats.contains(&2) && formats.contains(&segment::FORMAT), "{formats:?}");
}

#[test]
fn store_of_another_shard_is_refused() {
    let disk = MemoryDisk::new(1);
    drop(open_with(&disk, &mut |_, _| {}));

    let refused = open(disk.clone(), SMALL, 4, now(), &mut |_, _| {}).err();

    assert!(matches!(refused, Some(OpenError::Shard { found: 3, wanted: 4 })));
}

#[test]
fn fresh_store_begins_its_serials_with_the_shard_and_the_date() {
    let disk = MemoryDisk::new(1);

    let (mut journal, ..) = open_with(&disk, &mut |_, _| {});

    let serial = journal.next_serial();
    assert_eq!(serial, 3 << 56 | (1_800_000_000_000 - 1_577_836_800_000) << 16);
    assert_eq!(journal.next_serial(), serial + 1);
}

#[test]
fn serials_and_key_survive_restarts_and_the_release_of_everything_that_bore_them() {
    let disk = MemoryDisk::new(1);
    let mut seen = HashSet::new();
    let mut highest = 0;
    let mut keys = HashSet::new();
    let mut disk = disk;

    for _ in 0..8 {
        let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
        keys.insert(journal.id_key().0);
        for _ in 0..60 {
            let (id, appended) = accept(&mut journal);
            assert!(seen.insert(id.serial) && id.serial > highest);
            highest = id.serial;
            journal.retire(appended.locator);
            commit(&mut journal, &mut writer).expect("a healthy disk");
            if let Some(Compaction::Release { number, .. }) = journal.next_compaction(&NONE) {
                writer.spares().release(number).expect("the oldest segment");
            }
        }
        disk = disk.crash(&mut lost());
    }

    assert_eq!(keys.len(), 1);
}

#[test]
fn damaged_frame_in_the_middle_costs_only_the_record_that_it_hit() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
    let mut all = Vec::new();
    for _ in 0..5 {
        for _ in 0..3 {
            all.push(accept(&mut journal));
        }
        commit(&mut journal, &mut writer).expect("a healthy disk");
    }
    let (hit, appended) = all[7];
    let name = segment::file_name(1);
    let file = disk.open(&name).expect("the first segment");
    let at = segment::SEGMENT_HEADER + appended.locator.at + 30;
    file.write_at(b"#", at).and_then(|()| file.sync_data()).expect("a healthy disk");

    let disk = disk.crash(&mut lost());
    let (said, (mut journal, mut writer, reader, report)) = contents(&disk);

    let expected: Vec<_> = all.iter().filter(|(id, _)| *id != hit).collect();
    assert_eq!(said.len(), expected.len());
    assert!(said.iter().zip(expected).all(|(said, (id, _))| said.0 == id.serial));
    let [Damage { file, from, to, saved: 1 }] = &report.damaged[..] else {
        panic!("{report:?}");
    };
    let Locator { at, .. } = appended.locator;
    assert!(*file == name && (*from..*to).contains(&at));
    assert!(matches!(reader.read(appended.locator), Err(ReadError::Damaged(_))));
    let scans = (1..10).filter_map(|number| reader.scan(number).ok()).flatten();
    let scanned: usize = scans.map(|frame| frame.expect("a read").records().count()).sum();
    assert_eq!(scanned, all.len() - 1);
    // Even its release leaves the file for whoever wants to look.
    accept(&mut journal);
    commit(&mut journal, &mut writer).expect("a healthy disk");
    writer.spares().release(1).expect("the oldest segment");
    let names = disk.list().expect("a list");
    assert!(names.iter().any(|name| name.ends_with(segment::ASIDE)), "{names:?}");
}

#[test]
fn lost_headers_and_a_lost_file_are_survived() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
    let all: Vec<_> = (0..60)
        .map(|_| {
            let accepted = accept(&mut journal);
            commit(&mut journal, &mut writer).expect("a healthy disk");
            accepted
        })
        .collect();
    for number in [1, 3] {
        let file = disk.open(&segment::file_name(number)).expect("a segment");
        file.write_at(&[0; 8192], 0).expect("a healthy disk");
    }

    let (said, (.., report)) = contents(&disk);
    assert_eq!((said.len(), report.damaged.len()), (all.len(), 0));
    disk.remove(&segment::file_name(2)).expect("a segment");
    let (said, (.., report)) = contents(&disk);

    assert!(said.len() < all.len() && said.len() > all.len() / 2);
    assert_eq!(report.damaged.len(), 1);
}

/// A file put back from a copy of the store that went on by itself: everything in it is whole and in its place, but for what
/// it says came before it.
#[test]
fn file_from_another_history_of_the_store_is_told() {
    let base = MemoryDisk::new(1);
    let (mut journal, mut writer, ..) = open_with(&base, &mut |_, _| {});
    accept(&mut journal);
    commit(&mut journal, &mut writer).expect("a healthy disk");
    let history = |serial: u64| {
        let disk = base.crash(&mut || true);
        for stage in [1, 3] {
            let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
            for _ in 0..2 {
                journal.append(&stage_record(serial, stage));
                commit(&mut journal, &mut writer).expect("a healthy disk");
            }
        }
        let newest = disk
            .list()
            .expect("a list")
            .into_iter()
            .filter(|name| segment::file_number(name).is_some())
            .max();
        let newest = newest.expect("a segment");
        let file = disk.open(&newest).expect("there");
        let mut octets = vec![0; file.size().expect("a size") as usize];
        file.read_at(&mut octets, 0).expect("a read");
        (disk, newest, octets)
    };
    let ((disk, name, own), (_, other, octets)) = (history(1), history(2));
    assert!(name == other && own.len() == octets.len());
    assert_eq!(contents(&disk.crash(&mut || true)).1.3.damaged, []);
    disk.open(&name).and_then(|file| file.write_at(&octets, 0)).expect("a healthy disk");

    let (_, (.., report)) = contents(&disk);

    assert_eq!(report.damaged.len(), 1);
}

#[test]
fn restarting_again_and_again_does_not_fill_the_disk() {
    let disk = MemoryDisk::new(1);
    for _ in 0..50 {
        let (_, (_, writer, ..)) = contents(&disk);
        writer.spares().prepare(&mut |_| {}).expect("a healthy disk");
    }

    assert!(disk.octets() <= 3 * SMALL.segment_octets);
}

/// A hub in miniature: messages with a stage, and compaction.
struct Hub {
    disk: MemoryDisk,
    parts: Parts,
    messages: BTreeMap<u64, Message>,
    /// Appended, with the Lsn that makes it durable, as (serial, stage); stage 3 is gone.
    promised: Vec<(Lsn, u64, u8)>,
    durable: HashMap<u64, u8>,
    frames: Vec<Frames>,
    /// A compaction in progress: segment, and when it may go.
    leaving: Option<(u64, Lsn)>,
    rng: u64,
    highest: u64,
}

#[derive(Clone, Copy)]
struct Message {
    stage: u8,
    locator: Locator,
}

impl Hub {
    fn new(rng: u64) -> Self {
        let disk = MemoryDisk::new(rng);
        Self {
            parts: open_with(&disk, &mut |_, _| {}),
            disk,
            messages: BTreeMap::new(),
            promised: Vec::new(),
            durable: HashMap::new(),
            frames: Vec::new(),
            leaving: None,
            rng: rng | 1,
            highest: 0,
        }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        (self.rng >> 11) % below
    }

    fn accept(&mut self) {
        let (id, appended) = accept(&mut self.parts.0);
        assert!(id.serial > self.highest, "a serial came again");
        self.highest = id.serial;
        self.promised.push((appended.lsn, id.serial, 0));
        let locator = appended.locator;
        self.messages.insert(id.serial, Message { stage: 0, locator });
    }

    fn advance(&mut self) {
        let count = self.messages.len() as u64;
        if count == 0 {
            return;
        }
        let place = self.random(count) as usize;
        let Some((&serial, message)) = self.messages.iter_mut().nth(place) else {
            return;
        };
        message.stage += 1;
        let message = *message;
        let appended = self.parts.0.append(&stage_record(serial, message.stage));
        self.promised.push((appended.lsn, serial, message.stage));
        if message.stage == 3 {
            self.parts.0.retire(message.locator);
            self.messages.remove(&serial);
        }
    }

    fn commit(&mut self) {
        self.frames.extend(self.parts.0.seal());
        if let Ok(durable) = self.parts.1.commit(&mut self.frames) {
            assert!(self.frames.iter().all(|frames| frames.end() <= durable));
            self.frames.clear();
        }
        let durable = self.parts.1.durable();
        for (_, serial, stage) in self.promised.extract_if(.., |(lsn, ..)| *lsn <= durable) {
            self.durable.insert(serial, stage);
        }
    }

    fn compact(&mut self) {
        if let Some((number, after)) = self.leaving {
            if self.parts.1.durable() >= after && self.parts.1.spares().release(number).is_ok() {
                self.leaving = None;
            }
            return;
        }
        match self.parts.0.next_compaction(&NONE) {
            None => {}
            Some(Compaction::Release { number, after, .. }) => self.leaving = Some((number, after)),
            Some(Compaction::Copy(task)) => {
                for frame in self.parts.2.scan(task.number).expect("the oldest segment") {
                    let frame = frame.expect("a healthy disk");
                    for (locator, record) in frame.records() {
                        let serial = record.id().serial;
                        let Some(message) = self.messages.get_mut(&serial) else {
                            continue;
                        };
                        if message.locator != locator {
                            continue;
                        }
                        let journal = &mut self.parts.0;
                        journal.retire(locator);
                        message.locator = journal.append(&record).locator;
                        for stage in 1..=message.stage {
                            journal.append(&stage_record(serial, stage));
                        }
                    }
                }
                self.leaving = Some((task.number, self.parts.0.end()));
            }
        }
    }

    /// Starts again on `disk` and compares what it says with what was promised.
    fn restart(&mut self, disk: MemoryDisk) {
        let mut found: BTreeMap<u64, Message> = BTreeMap::new();
        let mut gone = HashSet::new();
        self.parts = open_with(&disk, &mut |record, locator| {
            let serial = record.id().serial;
            match record {
                Record::Accepted { body: found_body, .. } => {
                    assert_eq!(found_body, body(serial), "garbled");
                    found.insert(serial, Message { stage: 0, locator });
                }
                Record::Sent { .. } | Record::Deferred { .. } | Record::Settled { .. } => {
                    if let Some(message) = found.get_mut(&serial) {
                        message.stage = if record.name() == "sent" { 1 } else { 2 };
                    }
                }
                Record::Done { .. } => {
                    found.remove(&serial);
                    gone.insert(serial);
                }
                Record::Early { .. }
                | Record::Divided { .. }
                | Record::Joined { .. }
                | Record::OptOut { .. }
                | Record::Used { .. }
                | Record::Bulk { .. } => {
                    panic!("nobody wrote one")
                }
            }
        });
        assert_eq!(self.parts.3.damaged, [], "nothing was damaged");
        let appended: HashMap<u64, u8> =
            self.promised.iter().map(|(_, serial, stage)| (*serial, *stage)).collect();
        for (serial, stage) in &self.durable {
            let now = found.get(serial).map_or(3, |message| message.stage);
            let most = appended.get(serial).copied().unwrap_or(*stage);
            assert!(
                now >= *stage && now <= most,
                "{serial}: {stage} was durable, {most} appended, now {now}"
            );
        }
        for serial in found.keys() {
            assert!(
                self.durable.contains_key(serial) || appended.contains_key(serial),
                "{serial} is nobody's"
            );
        }
        self.durable = found.iter().map(|(serial, message)| (*serial, message.stage)).collect();
        self.messages = found;
        for message in self.messages.values() {
            self.parts.0.adopt(message.locator);
        }
        self.disk = disk;
        self.promised.clear();
        self.frames.clear();
        self.leaving = None;
    }

    fn step(&mut self) {
        match self.random(100) {
            0..30 => self.accept(),
            30..65 => self.advance(),
            65..80 => self.commit(),
            80..90 => self.compact(),
            90..93 => {
                let spares = self.parts.1.spares();
                if spares.needed() {
                    let _ = spares.prepare(&mut |_| {});
                }
            }
            93..96 => {
                let faults = Faults {
                    write: (self.random(2) == 0).then_some(self.rng as u32 % 4),
                    sync: (self.random(2) == 0).then_some(self.rng as u32 % 4),
                    sync_dir: (self.random(4) == 0).then_some(self.rng as u32 % 2),
                    capacity: (self.random(8) == 0).then(|| self.disk.octets()),
                    ..Faults::default()
                };
                self.disk.fail(faults);
            }
            96 => self.disk.fail(Faults::default()),
            97 => {
                // The process dies, the machine lives.
                self.disk.fail(Faults::default());
                self.restart(self.disk.clone());
            }
            _ => {
                let odds = self.random(5);
                let mut rng = self.rng;
                let disk = self.disk.crash(&mut || {
                    rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (rng >> 33) % 4 < odds
                });
                self.restart(disk);
            }
        }
    }
}

fn stage_record(serial: u64, stage: u8) -> Record<'static> {
    let id = id(serial);
    match stage {
        1 => Record::Sent { id, carrier: b"north", carrier_message_id: b"0123", at: UnixMs(4) },
        2 => Record::Settled { id, state: 2, error: *b"000", at: UnixMs(5) },
        _ => Record::Done { id },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_durable_is_lost_or_garbled_through_crashes_faults_and_compaction(seed: u64) {
        let mut hub = Hub::new(seed);
        for _ in 0..1500 {
            hub.step();
        }
    }

    #[test]
    fn any_damage_to_old_segments_leaves_all_other_records(seed: u64, at in 0usize..8192, len in 1usize..2048) {
        let disk = MemoryDisk::new(seed);
        let (mut journal, mut writer, ..) = open_with(&disk, &mut |_, _| {});
        let mut all = Vec::new();
        for turn in 0..120 {
            all.push(accept(&mut journal));
            if turn % 3 == 0 {
                commit(&mut journal, &mut writer).expect("a healthy disk");
            }
        }
        commit(&mut journal, &mut writer).expect("a healthy disk");
        let file = disk.open(&segment::file_name(2)).expect("a segment");
        let start = segment::SegmentHeader::read(&file, 2).expect("a read").expect("a header").start;
        let at = segment::SEGMENT_HEADER + at as u64 % 4096;
        file.write_at(&vec![seed as u8; len], at).expect("a healthy disk");
        let from = start + (at - segment::SEGMENT_HEADER);
        let hit = from..from + len as u64;

        let (said, (.., report)) = contents(&disk);

        let said: HashSet<_> = said.into_iter().map(|(serial, _)| serial).collect();
        for (id, appended) in &all {
            let Locator { at, len } = appended.locator;
            let untouched = at >= hit.end || at + u64::from(len) <= hit.start;
            prop_assert!(!untouched || said.contains(&id.serial), "{id:?} lost");
        }
        prop_assert!(said.len() == all.len() || !report.damaged.is_empty());
    }
}

#[test]
fn compaction_keeps_the_log_in_bounds_under_steady_load() {
    let mut hub = Hub::new(11);
    for _ in 0..40 {
        hub.accept();
    }
    let mut longest = 0;
    for turn in 0..5_000 {
        hub.accept();
        while hub.messages.len() > 40 {
            hub.advance();
        }
        hub.commit();
        hub.compact();
        if turn % 500 == 0 {
            hub.restart(hub.disk.crash(&mut lost()));
        }
        let allowed = 2 * hub.parts.0.live_octets() + NONE.slack_octets + 6 * SMALL.segment_octets;
        longest = longest.max(hub.parts.0.log_octets());
        assert!(hub.parts.0.log_octets() <= allowed, "turn {turn}");
    }

    assert!(longest > 0 && hub.parts.1.stats().segments > 10);
}
