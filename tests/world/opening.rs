//! How a world begins: on a disk that is empty, whole or damaged.

use super::*;
use enroute::spool::{OpenError, RecoveryReport};

impl World {
    pub fn open(settings: Settings, spool: spool::Settings, disk: MemoryDisk, now: Now) -> Self {
        Self::open_whole(Replay::new(settings.clone()), settings, spool, disk, now)
    }

    /// A hub on a store that something may have happened to.
    pub fn open_damaged(
        settings: Settings,
        spool: spool::Settings,
        disk: MemoryDisk,
        now: Now,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        Self::open_with(Replay::new(settings.clone()), settings, spool, disk, now)
    }

    pub(super) fn open_whole(
        replay: Replay,
        settings: Settings,
        spool: spool::Settings,
        disk: MemoryDisk,
        now: Now,
    ) -> Self {
        let (world, report) =
            Self::open_with(replay, settings, spool, disk, now).expect("a store that can be opened");
        assert_eq!(report.damaged, []);
        world
    }

    fn open_with(
        mut replay: Replay,
        settings: Settings,
        spool: spool::Settings,
        disk: MemoryDisk,
        now: Now,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let (journal, writer, reader, report) =
            spool::open(disk.clone(), spool, 0, now, &mut |record, locator| replay.take(&record, locator))?;
        let recovered = replay.len();
        let world = Self {
            settings,
            spool,
            disk,
            hub: replay.finish(journal, now),
            durable: writer.durable(),
            written: writer.durable(),
            writer,
            reader,
            now,
            waiting: Vec::new(),
            releases: Vec::new(),
            inbox: Vec::new(),
            fetches: Vec::new(),
            bodies_read: 0,
            scans: Vec::new(),
            answers: Vec::new(),
            dispatches: Vec::new(),
            delivered: Vec::new(),
            heard: Vec::new(),
            arrivals_answered: Vec::new(),
            replies: Vec::new(),
            alerts: Vec::new(),
            errands: Vec::new(),
            calls: Vec::new(),
            bulks: Vec::new(),
            advice: Vec::new(),
            unbound: Vec::new(),
            ports_unbound: Vec::new(),
            poisoned: Vec::new(),
            retired: 0,
            cold: Vec::new(),
            congestion: 0,
            stats: Vec::new(),
            compacted: 0,
            recovered,
        };
        Ok((world, report))
    }
}
