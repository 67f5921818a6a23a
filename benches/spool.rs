//! What the spool costs beside the memory traffic that it can't avoid.

#![expect(clippy::disallowed_methods, reason = "a bench reads clocks")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use enroute::clock::{Now, UnixMs};
use enroute::id::MessageId;
use enroute::runtime::FileDisk;
use enroute::spool::{
    Disk, DiskFile, Frames, Journal, Locator, MemoryDisk, Reader, Record, Settings, Writer, open,
};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

const BODY: [u8; 150] = [b'x'; 150];
const BATCH: u32 = 1000;
/// In the embedded store that the spool is compared with.
const MESSAGES: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("messages");

fn store<D: Disk>(disk: D) -> (Journal, Writer<D>, Reader<D>) {
    let now = Now { mono: Instant::now(), wall: UnixMs(1_800_000_000_000) };
    let (journal, writer, reader, _) = open(disk, Settings::default(), 0, now, &mut |record, _| {
        _ = black_box(record);
    })
    .expect("a store");
    (journal, writer, reader)
}

fn append(journal: &mut Journal, messages: u32) {
    for slot in 0..messages {
        let locator = accept(journal, slot);
        journal.retire(locator);
    }
}

fn accept(journal: &mut Journal, slot: u32) -> Locator {
    let id = MessageId { serial: journal.next_serial(), slot };
    let accepted = Record::Accepted {
        id,
        account: b"account",
        accepted: UnixMs(1),
        due: UnixMs(2),
        expires: UnixMs(3),
        flags: 0,
        group: None,
        bulk: None,
        body: &BODY,
    };
    journal.append(&accepted).locator
}

/// Keeps the log one segment or two long, so that the memory disk doesn't grow.
fn commit(journal: &mut Journal, writer: &mut Writer<MemoryDisk>) {
    let mut frames: Vec<Frames> = journal.seal().into_iter().collect();
    writer.commit(&mut frames).expect("a healthy disk");
    frames.into_iter().for_each(|frames| journal.recycle(frames));
    if let Some(enroute::spool::Compaction::Release { number, .. }) =
        journal.next_compaction(&Default::default())
    {
        writer.spares().release(number).expect("the oldest segment");
    }
}

/// Append, seal and commit of accepted records; and beside it the same octets copied and written to the same disk.
fn commit_batches(c: &mut Criterion) {
    let mut group = c.benchmark_group("spool/commit");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    let (mut journal, ..) = store(MemoryDisk::new(1));
    group.bench_function("append_seal_only", |b| {
        b.iter(|| {
            append(&mut journal, BATCH);
            let frames = journal.seal().expect("a batch");
            journal.recycle(frames);
        });
    });
    let (mut journal, mut writer, _) = store(MemoryDisk::new(1));
    // Full-size files from the start, which are then recycled: as on a real disk.
    writer.spares().prepare(&mut |_| {}).expect("room in memory");
    append(&mut journal, BATCH);
    commit(&mut journal, &mut writer);
    writer.spares().prepare(&mut |_| {}).expect("room in memory");
    group.bench_function("append_seal_commit", |b| {
        b.iter(|| {
            append(&mut journal, BATCH);
            commit(&mut journal, &mut writer);
        });
    });
    let file = MemoryDisk::new(1).create("plain").expect("a file");
    let mut buffer = Vec::new();
    let mut offset = 0;
    group.bench_function("memcpy_and_write", |b| {
        b.iter(|| {
            buffer.clear();
            for _ in 0..BATCH {
                buffer.extend_from_slice(&[0; 54]);
                buffer.extend_from_slice(black_box(&BODY));
            }
            file.write_at(&buffer, offset).and_then(|()| file.sync_data()).expect("a healthy disk");
            offset = (offset + buffer.len() as u64) % (60 << 20);
        });
    });
    group.finish();
}

/// The durable path on a real disk, by the clock and by this thread's CPU; and beside it a plain loop that writes
/// the same octets and syncs, and an embedded store that takes the same messages, a durable transaction a batch.
fn durable(c: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("enroute-bench-durable-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder of our own");
    let disk = FileDisk::open(&folder).expect("nobody else's");
    let (mut journal, mut writer, _) = store(disk);
    let mut ours = || {
        append(&mut journal, BATCH);
        let mut frames: Vec<Frames> = journal.seal().into_iter().collect();
        let octets: usize = frames.iter().map(Frames::octets).sum();
        writer.commit(&mut frames).expect("a healthy disk");
        frames.into_iter().for_each(|frames| journal.recycle(frames));
        if writer.spares().needed() {
            writer.spares().prepare(&mut |_| {}).expect("room");
        }
        if let Some(enroute::spool::Compaction::Release { number, .. }) =
            journal.next_compaction(&Default::default())
        {
            writer.spares().release(number).expect("the oldest segment");
        }
        octets
    };
    let octets = ours();
    let plain = std::fs::File::create(folder.join("plain")).expect("a file");
    let zeros = vec![0; 64 << 20];
    plain.write_all_at(&zeros, 0).and_then(|()| plain.sync_all()).expect("room");
    let (buffer, mut offset) = (vec![7; octets], 0);
    let mut theirs = || {
        plain.write_all_at(&buffer, offset).and_then(|()| plain.sync_data()).expect("a healthy disk");
        offset = (offset + octets as u64) % (60 << 20);
    };
    let store = redb::Database::create(folder.join("redb")).expect("a new store");
    let mut number = 0;
    let mut another = || {
        let writing = store.begin_write().expect("nobody else writes");
        let mut table = writing.open_table(MESSAGES).expect("the only table");
        for _ in 0..BATCH {
            table.insert(number, &BODY[..]).expect("room");
            number += 1;
        }
        drop(table);
        writing.commit().expect("a healthy disk");
    };
    for (name, clock) in [("spool/durable_time", wall as fn() -> Duration), ("spool/durable_cpu", cpu)] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(u64::from(BATCH)));
        group.bench_function("append_commit", |b| b.iter_custom(|times| timed(times, clock, || _ = ours())));
        group.bench_function("write_fdatasync", |b| b.iter_custom(|times| timed(times, clock, &mut theirs)));
        group.bench_function("redb", |b| b.iter_custom(|times| timed(times, clock, &mut another)));
        group.finish();
    }
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

fn timed(times: u64, clock: fn() -> Duration, mut run: impl FnMut()) -> Duration {
    let began = clock();
    (0..times).for_each(|_| run());
    clock() - began
}

/// Since some instant of this process.
fn wall() -> Duration {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

/// What this thread has spent (proc(5), `/proc/thread-self/schedstat`).
fn cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let spent = told.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(spent.expect("nanoseconds"))
}

/// Opening a store with 100 000 messages.
fn replay(c: &mut Criterion) {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut writer, _) = store(disk.clone());
    for _ in 0..100 {
        append(&mut journal, 1000);
        let mut frames: Vec<Frames> = journal.seal().into_iter().collect();
        writer.commit(&mut frames).expect("a healthy disk");
    }
    let mut group = c.benchmark_group("spool/open");
    group.sample_size(10);
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("100k_messages", |b| {
        b.iter_batched(|| disk.crash(&mut || true), |disk| drop(store(disk)), BatchSize::PerIteration);
    });
    group.finish();
}

/// A thousand parked bodies that lie together, from a real file: what each costs alone, and all at one time.
fn read_back(c: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("enroute-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder of our own");
    let disk = FileDisk::open(&folder).expect("nobody else's");
    let (mut journal, mut writer, reader) = store(disk);
    let locators: Vec<_> = (0..BATCH).map(|slot| accept(&mut journal, slot)).collect();
    let mut frames: Vec<Frames> = journal.seal().into_iter().collect();
    writer.commit(&mut frames).expect("a healthy disk");
    let mut group = c.benchmark_group("spool/read_back");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    group.bench_function("each_alone", |b| {
        b.iter(|| locators.iter().filter(|locator| reader.read(**locator).is_ok()).count());
    });
    group.bench_function("at_one_time", |b| b.iter(|| reader.read_all(&locators)));
    group.finish();
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

criterion_group!(benches, commit_batches, durable, replay, read_back);
criterion_main!(benches);
