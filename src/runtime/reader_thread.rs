//! The thread that reads the spool back: bodies that are soon to go out, and whole segments for compaction.
//!
//! A disk that would not give a body is asked again a few times, further and further apart, before the hub hears that the body
//! is lost; damage is final at once. A segment is read frame by frame, at a pace that leaves the disk and the hub to
//! what is waited for: twice as fast as the log grows, so that compaction keeps up, within fixed bounds.

use super::mail::{Mail, Request};
use super::mailbox::Mailbox;
use super::now;
use super::spool_threads::Progress;
use crate::hub::{Event, Fetch, Fetched};
use crate::spool::{Disk, ReadError, Reader, Record, Scan};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{error, warn};

/// Reads bodies and segments back until it is told to stop.
pub(super) struct ReaderThread<D: Disk> {
    reader: Reader<D>,
    requests: Arc<Mailbox<Request>>,
    hub: Arc<Mailbox<Mail>>,
    progress: Arc<Progress>,
    again: Vec<Again>,
    scanning: Option<Scanning<D>>,
}

/// A body that the disk would not give.
struct Again {
    at: Instant,
    tries: u32,
    fetch: Fetch,
}

/// A segment that is being read.
struct Scanning<D: Disk> {
    number: u64,
    frames: Scan<D>,
    began: Instant,
    /// Octets of the log when it began.
    grown_from: u64,
    /// When its next frame is read.
    next: Instant,
}

impl<D: Disk> ReaderThread<D> {
    pub fn new(
        reader: Reader<D>,
        requests: Arc<Mailbox<Request>>,
        hub: Arc<Mailbox<Mail>>,
        progress: Arc<Progress>,
    ) -> Self {
        Self { reader, requests, hub, progress, again: Vec::new(), scanning: None }
    }

    pub fn run(mut self) {
        let mut letters = Vec::new();
        loop {
            self.requests.receive(&mut letters, self.next_timeout());
            let now = now().mono;
            for request in letters.drain(..) {
                match request {
                    Request::Fetch(fetches) => {
                        self.fetch(fetches.into_iter().map(|fetch| (fetch, 0)).collect(), now);
                    }
                    Request::Scan(number) => self.begin_scan(number, now),
                    Request::Stop => return,
                }
            }
            self.go_on(now);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        let again = self.again.iter().map(|again| again.at);
        again.chain(self.scanning.iter().map(|scanning| scanning.next)).min()
    }

    /// Does what it is time for.
    fn go_on(&mut self, now: Instant) {
        let due = self.again.extract_if(.., |again| again.at <= now);
        let due: Vec<_> = due.map(|again| (again.fetch, again.tries)).collect();
        self.fetch(due, now);
        if self.scanning.as_ref().is_some_and(|scanning| scanning.next <= now) {
            self.scan_on(now);
        }
    }

    /// Reads bodies that were tried so often before.
    fn fetch(&mut self, fetches: Vec<(Fetch, u32)>, now: Instant) {
        let locators: Vec<_> = fetches.iter().map(|(fetch, _)| fetch.locator).collect();
        let read = self.reader.read_all(&locators);
        let mut fetched = Vec::new();
        for ((fetch, tries), octets) in fetches.into_iter().zip(read) {
            let body = match octets {
                Ok(octets) => body(&octets),
                Err(ReadError::Io(fault)) if tries < TRIES_MAX => {
                    warn!(%fault, tries, "a parked message could not be read back; it is tried again");
                    self.again.push(Again { at: now + AGAIN * 2_u32.pow(tries), tries: tries + 1, fetch });
                    continue;
                }
                Err(fault) => {
                    warn!(%fault, "a parked message could not be read back");
                    None
                }
            };
            fetched.push(Fetched { token: fetch.token, body });
        }
        if !fetched.is_empty() {
            self.hub.send(Mail::Event(Event::Fetched(fetched)));
        }
    }

    fn begin_scan(&mut self, number: u64, now: Instant) {
        match self.reader.scan(number) {
            Ok(frames) => {
                let grown_from = self.progress.reached().durable.0;
                self.scanning = Some(Scanning { number, frames, began: now, grown_from, next: now });
            }
            Err(fault) => self.give_up_scan(number, &fault),
        }
    }

    /// Sends the segment's next frame to the hub.
    fn scan_on(&mut self, now: Instant) {
        let Some(scanning) = &mut self.scanning else { return };
        let number = scanning.number;
        match scanning.frames.next() {
            Some(Ok(frame)) => {
                let grown = self.progress.reached().durable.0.saturating_sub(scanning.grown_from);
                scanning.next = now + rest_after(frame.size() as u64, grown, now - scanning.began);
                self.hub.send(Mail::Event(Event::Scanned { number, frames: vec![frame], last: false }));
            }
            Some(Err(fault)) => self.give_up_scan(number, &fault),
            None => {
                self.scanning = None;
                self.hub.send(Mail::Event(Event::Scanned { number, frames: Vec::new(), last: true }));
            }
        }
    }

    /// The segment stays: nothing is lost, but no space is won until it can be read.
    fn give_up_scan(&mut self, number: u64, fault: &ReadError) {
        error!(%fault, number, "a segment can't be read for compaction");
        self.scanning = None;
        self.hub.send(Mail::Event(Event::Unscanned));
    }
}

/// The body in an accepted record; a locator of anything else is nobody's.
fn body(octets: &Bytes) -> Option<Bytes> {
    match Record::decode(octets) {
        Ok((Record::Accepted { body, .. }, _)) => Some(octets.slice_ref(body)),
        Ok(_) | Err(_) => None,
    }
}

/// How long to leave the disk alone after so many octets, given how far the log has grown in the time of this scan.
fn rest_after(octets: u64, grown: u64, elapsed: Duration) -> Duration {
    let growth = grown as f64 / elapsed.as_secs_f64().max(SHORTEST_S);
    Duration::from_secs_f64(octets as f64 / (2.0 * growth).clamp(PACE_MIN, PACE_MAX))
}

/// How often a body is tried again, and after how long first; each wait is twice the one before: 6.3 s in all.
const TRIES_MAX: u32 = 6;
const AGAIN: Duration = Duration::from_millis(100);
/// Octets of a segment that are read in a second, at least and at most.
const PACE_MIN: f64 = (16 << 20) as f64;
const PACE_MAX: f64 = (256 << 20) as f64;
/// The shortest time that growth is judged by, in seconds.
const SHORTEST_S: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Now, UnixMs};
    use crate::id::MessageId;
    use crate::spool::{Faults, Journal, Locator, MemoryDisk, Settings, Writer, open};

    const SMALL: Settings = Settings { segment_octets: 64 << 10, frame_octets: 512, spares: 0 };

    /// A spool with a hundred messages in several frames, its reader, and where the first message is.
    fn spool(
        disk: &MemoryDisk,
    ) -> (ReaderThread<MemoryDisk>, Locator, (Journal, Writer<MemoryDisk>), Instant) {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        let now = Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) };
        let (mut journal, mut writer, reader, _) =
            open(disk.clone(), SMALL, 0, now, &mut |_, _| {}).expect("an empty disk");
        let mut places = Vec::new();
        for slot in 0..100 {
            let (at, id) = (UnixMs(1), MessageId { serial: journal.next_serial(), slot });
            let (account, body) = (&b"shop"[..], &b"a body"[..]);
            let (flags, group, bulk) = (0, None, None);
            let accepted = Record::Accepted {
                id,
                account,
                accepted: at,
                due: at,
                expires: at,
                flags,
                group,
                bulk,
                body,
            };
            places.push(journal.append(&accepted).locator);
        }
        let durable =
            writer.commit(&mut [journal.seal().expect("a hundred records")]).expect("a healthy disk");
        let progress = Arc::new(Progress::new(durable));
        let thread = ReaderThread::new(reader, Arc::default(), Arc::default(), progress);
        (thread, places[0], (journal, writer), now.mono)
    }

    fn letters(thread: &ReaderThread<MemoryDisk>, now: Instant) -> Vec<Event> {
        let mut letters = Vec::new();
        thread.hub.receive(&mut letters, Some(now));
        let event = |letter| if let Mail::Event(event) = letter { event } else { panic!("no event") };
        letters.into_iter().map(event).collect()
    }

    fn bodies(thread: &ReaderThread<MemoryDisk>, now: Instant) -> Vec<Option<Bytes>> {
        let fetched = letters(thread, now).into_iter().flat_map(|event| match event {
            Event::Fetched(fetched) => fetched,
            _ => panic!("no body"),
        });
        fetched.map(|fetched| fetched.body).collect()
    }

    #[test]
    fn body_that_the_disk_would_not_give_is_asked_for_again_and_nobody_hears_of_it() {
        let disk = MemoryDisk::new(1);
        let (mut thread, locator, _parts, start) = spool(&disk);
        disk.fail(Faults { read: Some(0), ..Faults::default() });

        thread.fetch(vec![(Fetch { token: 7, locator }, 0)], start);
        thread.go_on(start + AGAIN / 2);
        assert_eq!((bodies(&thread, start), thread.next_timeout()), (vec![], Some(start + AGAIN)));
        thread.go_on(start + AGAIN);

        assert_eq!(bodies(&thread, start), [Some(Bytes::from_static(b"a body"))]);
        assert_eq!(thread.next_timeout(), None);
    }

    #[test]
    fn body_that_the_disk_never_gives_is_lost_after_six_more_tries() {
        let disk = MemoryDisk::new(1);
        let (mut thread, locator, _parts, start) = spool(&disk);
        disk.fail(Faults { read: Some(0), ..Faults::default() });
        thread.fetch(vec![(Fetch { token: 7, locator }, 0)], start);

        let (mut tries, mut last) = (0, start);
        while let Some(next) = thread.next_timeout() {
            disk.fail(Faults { read: Some(0), ..Faults::default() });
            assert_eq!(bodies(&thread, start), []);
            thread.go_on(next);
            (tries, last) = (tries + 1, next);
        }

        assert_eq!((tries, last - start), (6, AGAIN * 63));
        assert_eq!(bodies(&thread, start), [None]);
    }

    #[test]
    fn damage_is_final_at_once() {
        let disk = MemoryDisk::new(1);
        let (mut thread, Locator { at, len }, _parts, start) = spool(&disk);

        thread.fetch(vec![(Fetch { token: 7, locator: Locator { at: at + 1, len } }, 0)], start);

        assert_eq!((bodies(&thread, start), thread.next_timeout()), (vec![None], None));
    }

    /// Unpaced, a segment came to the hub in one turn, and with it whatever is copied of it.
    #[test]
    fn segment_is_read_a_frame_at_a_time_at_the_least_pace_of_an_idle_log() {
        let disk = MemoryDisk::new(1);
        let (mut thread, _, (_, writer), start) = spool(&disk);
        let octets = writer.durable().0;

        thread.begin_scan(1, start);
        let (mut frames, mut at) = (0, start);
        while let Some(next) = thread.next_timeout() {
            at = next;
            thread.go_on(at);
            thread.go_on(at);
            frames += letters(&thread, start).len();
        }

        assert!(frames > 10, "{frames}");
        let least = Duration::from_secs_f64(octets as f64 * 0.8 / PACE_MIN);
        assert!(at - start >= least, "{:?} for {octets} octets, not {least:?}", at - start);
    }

    #[test]
    fn compaction_keeps_up_with_a_log_that_grows_and_takes_no_more_than_its_share() {
        let second = Duration::from_secs(1);
        let mib = |mib: u64| mib << 20;

        assert_eq!(rest_after(mib(16), 0, second), second);
        assert_eq!(rest_after(mib(100), mib(50), second), second);
        assert_eq!(rest_after(mib(256), mib(4000), second), second);
        assert!(rest_after(mib(1), mib(1), Duration::ZERO) < second);
    }
}
