//! The threads of the spool: one that writes, one that prepares segments; for the one that reads see `reader_thread`.

use super::mail::{Errand, Mail, Task};
use super::mailbox::Mailbox;
use super::now;
use crate::hub::{Event, Reached};
use crate::id::Lsn;
use crate::metrics::{Buckets, Metrics};
use crate::spool::{Disk, Frames, Spares, WriteError, Writer};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// How far the spool has got, for the hub thread to see.
pub(super) struct Progress {
    written: AtomicU64,
    durable: AtomicU64,
}

impl Progress {
    /// Of a spool that is durable so far.
    pub fn new(Lsn(durable): Lsn) -> Self {
        Self { written: AtomicU64::new(durable), durable: AtomicU64::new(durable) }
    }

    pub fn reached(&self) -> Reached {
        // In this order: what is durable was written before.
        let durable = self.durable.load(Ordering::Acquire);
        Reached { written: Lsn(self.written.load(Ordering::Acquire)), durable: Lsn(durable) }
    }

    /// Never back: what was written once survives the process, even if it has to be written again elsewhere.
    fn write(&self, Lsn(written): Lsn) {
        self.written.fetch_max(written, Ordering::AcqRel);
    }

    fn sync(&self, Lsn(durable): Lsn) {
        self.durable.store(durable, Ordering::Release);
    }
}

/// Writes, syncs, publishes.
pub(super) struct WriterThread<D: Disk> {
    pub writer: Writer<D>,
    pub tasks: Arc<Mailbox<Task>>,
    pub hub: Arc<Mailbox<Mail>>,
    pub progress: Arc<Progress>,
    /// Somebody's answers wait for less than the disk: the hub is woken for what is written.
    pub tells_written: Arc<AtomicBool>,
    /// Large commits begin at least this far apart, see [`pause`].
    pub commit_gap: Duration,
    pub metrics: Metrics,
}

impl<D: Disk> WriterThread<D> {
    pub fn run(mut self) {
        let mut tasks = Vec::new();
        let mut waiting: Vec<Frames> = Vec::new();
        let mut last: Option<(Instant, Duration)> = None;
        let mut failing = false;
        loop {
            self.tasks.receive(&mut tasks, failing.then(|| now().mono + RETRY));
            if let Some(rest) = last.and_then(|(began, gap)| gap.checked_sub(began.elapsed())) {
                std::thread::sleep(rest);
                self.tasks.receive(&mut tasks, Some(now().mono));
            }
            let began = now().mono;
            let mut stop = false;
            for task in tasks.drain(..) {
                match task {
                    Task::Write(frames) => waiting.push(frames),
                    Task::Stop => stop = true,
                }
            }
            let octets = waiting.iter().map(Frames::octets).sum();
            last = Some((began, pause(self.commit_gap, octets)));
            failing = !self.commit(&mut waiting, failing);
            if stop {
                return;
            }
        }
    }

    /// Commits what waits; false if it could not be.
    fn commit(&mut self, waiting: &mut Vec<Frames>, failing: bool) -> bool {
        if waiting.is_empty() {
            return !failing;
        }
        let began = now().mono;
        let octets: usize = waiting.iter().map(Frames::octets).sum();
        let reserves = self.writer.stats().reserves;
        let Self { writer, progress, hub, tells_written, .. } = self;
        let mut told = |written| {
            progress.write(written);
            if tells_written.load(Ordering::Relaxed) {
                hub.poke();
            }
        };
        let committed = writer.commit_telling(waiting, &mut told);
        if writer.stats().reserves > reserves {
            warn!("disk full: the reserve was given up");
        }
        match committed {
            Ok(durable) => {
                self.progress.sync(durable);
                self.hub.send(Mail::Event(Event::Spent(std::mem::take(waiting))));
                if failing {
                    info!("the spool can be written again");
                    self.metrics.spool_read_only.set(0);
                    self.hub.send(Mail::Event(Event::Writable));
                }
                self.count(began.elapsed(), octets as u64);
                true
            }
            Err(fault) => {
                self.metrics.spool_failures.inc();
                if !failing {
                    match &fault {
                        WriteError::Full(_) => error!(%fault, "disk full: submissions are refused"),
                        WriteError::ReadOnly(_) => error!(%fault, "submissions are refused"),
                    }
                    self.metrics.spool_read_only.set(1);
                    self.hub.send(Mail::Event(Event::ReadOnly));
                }
                false
            }
        }
    }

    fn count(&self, took: Duration, octets: u64) {
        let (mut time, mut size) = (Buckets::default(), Buckets::default());
        time.record(took);
        size.record_size(octets);
        self.metrics.commit.fold(&time);
        self.metrics.commit_octets.fold(&size);
        let stats = self.writer.stats();
        let prepared = |word| self.metrics.spool_segments.with_label_values(&[word]);
        for (counter, total) in [
            (&self.metrics.spool_commits, stats.commits),
            (&self.metrics.spool_frames, stats.frames),
            (&self.metrics.spool_written, stats.octets),
            (&prepared("yes"), stats.segments - stats.unprepared),
            (&prepared("no"), stats.unprepared),
            (&self.metrics.spool_reserves, stats.reserves),
        ] {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }
}

/// Keeps prepared segments at hand, and tells the hub when the disk has no room for them: what is prepared is then what
/// final states and compaction still have. Takes dead segments out of the log, too: that waits for the directory, and on the
/// writer's thread commits would wait with it.
pub(super) struct SparesThread<D: Disk> {
    pub spares: Spares<D>,
    pub errands: Arc<Mailbox<Errand>>,
    pub hub: Arc<Mailbox<Mail>>,
    /// Octets of the reserve; 0 for none.
    pub reserve_octets: u64,
    pub metrics: Metrics,
    /// The hub was told that there is no room.
    pub full: bool,
    /// Segments in which nothing lives, oldest first.
    pub dead: Vec<u64>,
    pub stopping: bool,
}

impl<D: Disk> SparesThread<D> {
    pub fn run(mut self) {
        while !self.stopping {
            let released = self.release();
            let prepared = self.prepare();
            let wait = if released && prepared { SPARES_EACH } else { RETRY };
            self.listen(Some(now().mono + wait));
        }
    }

    /// Takes what it is told until `deadline`; true if anything has to be done at once.
    fn listen(&mut self, deadline: Option<Instant>) -> bool {
        let mut errands = Vec::new();
        self.errands.receive(&mut errands, deadline);
        for errand in errands {
            match errand {
                Errand::Release(number) => self.dead.push(number),
                Errand::Uncache(number) => self.spares.uncache(number),
                Errand::Stop => self.stopping = true,
            }
        }
        self.stopping || !self.dead.is_empty()
    }

    /// Takes dead segments out of the log, oldest first; false if the disk would not: what is left is to be tried again, for
    /// the hub compacts no other segment before.
    fn release(&mut self) -> bool {
        while let Some(number) = self.dead.first().copied() {
            if let Err(error) = self.spares.release(number) {
                warn!(%error, number, "a dead segment could not be released");
                // Not the oldest one: it has left the log already.
                if error.kind() != ErrorKind::InvalidInput {
                    return false;
                }
            }
            self.dead.remove(0);
        }
        true
    }

    /// Prepares what is missing; false if the disk would not.
    fn prepare(&mut self) -> bool {
        loop {
            let (spares, reserve) = (self.spares.clone(), self.reserve_octets);
            let mut hurry = self.stopping || !self.dead.is_empty();
            let mut rest = |calm: bool| {
                if calm && !hurry {
                    hurry = self.listen(Some(now().mono + PART_EACH));
                }
            };
            // Segments first: a reserve is no use to anybody as long as there is room for none.
            let made = if spares.needed() {
                spares.prepare(&mut rest)
            } else if spares.reserve_needed(reserve) {
                spares.make_reserve(reserve, &mut rest)
            } else {
                break;
            };
            let Err(fault) = made else { continue };
            let full = matches!(fault.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            if full && !std::mem::replace(&mut self.full, true) {
                error!(%fault, "disk full: submissions are refused");
                self.metrics.spool_full.set(1);
                self.hub.send(Mail::Event(Event::Full));
            } else if !full {
                warn!(%fault, "a segment could not be prepared ahead");
            }
            return false;
        }
        if std::mem::take(&mut self.full) {
            info!("the disk has room again");
            self.metrics.spool_full.set(0);
            self.hub.send(Mail::Event(Event::Roomy));
        }
        true
    }
}

/// How long after a commit of so many octets began the next may begin: small ones follow each other at once, which answers soonest,
/// large ones gather, which costs least. Where fewer octets come in than [`GATHERED`] in each gap, it makes no difference.
fn pause(gap: Duration, octets: usize) -> Duration {
    gap.mul_f64((octets as f64 / GATHERED as f64).min(1.0))
}

/// Octets of a commit that the next keeps the whole gap to.
const GATHERED: usize = 16 * 1024;

/// How long a spool that can't be written is left alone before the next try.
const RETRY: Duration = Duration::from_secs(1);

/// How far apart the parts of a segment are prepared while there is time.
const PART_EACH: Duration = Duration::from_millis(10);

/// How often it is looked whether segments must be prepared.
const SPARES_EACH: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Now, UnixMs};
    use crate::id::MessageId;
    use crate::spool::{Compaction, CompactionRules, Faults, Journal, MemoryDisk, Record, Settings, open};

    const SMALL: Settings = Settings { segment_octets: 8192 + 4096, frame_octets: 512, spares: 1 };

    #[test]
    fn small_commits_follow_each_other_sooner_than_large_ones() {
        let gap = Duration::from_millis(1);

        let pauses = [0, GATHERED / 4, GATHERED, 10 * GATHERED].map(|octets| pause(gap, octets));

        assert_eq!(pauses.map(|pause| pause.as_micros()), [0, 250, 1000, 1000]);
    }

    fn start() -> Now {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) }
    }

    /// A spool with more than one segment, and nothing that lives in any.
    fn dead_log(disk: &MemoryDisk) -> (Writer<MemoryDisk>, Journal) {
        let (mut journal, mut writer, ..) =
            open(disk.clone(), SMALL, 0, start(), &mut |_, _| {}).expect("an empty disk");
        for _ in 0..1000 {
            let serial = journal.next_serial();
            journal.append(&Record::Done { id: MessageId { serial, slot: 0 } });
        }
        let mut frames: Vec<Frames> = journal.seal().into_iter().collect();
        writer.commit(&mut frames).expect("a healthy disk");
        (writer, journal)
    }

    /// A thread for the segments of `writer`, and what it tells the hub.
    fn spares_thread(writer: &Writer<MemoryDisk>) -> (SparesThread<MemoryDisk>, Arc<Mailbox<Mail>>) {
        let (errands, hub): (Arc<Mailbox<Errand>>, Arc<Mailbox<Mail>>) = Default::default();
        let told = Arc::clone(&hub);
        let spares = writer.spares();
        let (dead, metrics) = (Vec::new(), Metrics::default());
        let reserve_octets = 4096;
        let full = false;
        (SparesThread { spares, errands, hub, reserve_octets, metrics, full, dead, stopping: false }, told)
    }

    /// Whoever forgot one would never compact again: the hub goes on to the next segment when this one is gone.
    #[test]
    fn release_that_failed_is_tried_again() {
        let disk = MemoryDisk::new(1);
        let (writer, mut journal) = dead_log(&disk);
        let (mut thread, _) = spares_thread(&writer);
        let rules = CompactionRules::default();
        let Some(Compaction::Release { number, .. }) = journal.next_compaction(&rules) else {
            panic!("nothing is dead")
        };
        thread.dead.push(number);

        disk.fail(Faults { sync_dir: Some(0), ..Faults::default() });
        assert!(!thread.release());
        assert_eq!(journal.next_compaction(&rules), None);
        assert!(thread.release());

        assert!(thread.dead.is_empty());
        let next = journal.next_compaction(&rules);
        assert!(matches!(next, Some(Compaction::Release { number: next, .. }) if next != number), "{next:?}");
        thread.dead.push(number);
        assert!(thread.release(), "one that is gone is not tried for ever");
    }

    /// What is prepared in a hurry holds up commits.
    #[test]
    fn cold_segments_are_told_and_nobody_hurries_for_them() {
        let disk = MemoryDisk::new(1);
        let (writer, _journal) = dead_log(&disk);
        let (mut thread, _) = spares_thread(&writer);

        thread.errands.send(Errand::Uncache(1));
        assert!(!thread.listen(Some(start().mono)));

        assert_eq!(disk.uncached().len(), 1);
        thread.errands.send(Errand::Release(1));
        assert!(thread.listen(Some(start().mono)));
    }

    #[test]
    fn hub_is_told_once_when_the_disk_is_full_and_once_when_it_is_not() {
        let disk = MemoryDisk::new(1);
        let (writer, _journal) = dead_log(&disk);
        let (mut spares, hub) = spares_thread(&writer);

        disk.fail(Faults { capacity: Some(disk.octets()), ..Faults::default() });
        assert!(!spares.prepare());
        assert!(!spares.prepare());
        disk.fail(Faults::default());
        assert!(spares.prepare());
        assert!(spares.prepare());
        assert!(!spares.spares.needed() && !spares.spares.reserve_needed(4096));

        let mut letters = Vec::new();
        hub.receive(&mut letters, Some(start().mono));
        assert!(matches!(letters[..], [Mail::Event(Event::Full), Mail::Event(Event::Roomy)]));
    }

    /// The room that final states still find must not come and go with each look whether there is more.
    #[test]
    fn full_disk_is_not_filled_to_see_whether_it_is_full() {
        let disk = MemoryDisk::new(1);
        let (writer, _journal) = dead_log(&disk);
        let (free, before) = (SMALL.segment_octets - 1, disk.octets());
        // Whoever writes an octet fails, and with another word.
        disk.fail(Faults { capacity: Some(before + free), write: Some(0), ..Faults::default() });

        let refused = writer.spares().prepare(&mut |_| {}).map_err(|error| error.kind());

        assert_eq!((refused, disk.octets()), (Err(ErrorKind::StorageFull), before));
    }
}
