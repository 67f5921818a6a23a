//! What all sessions of a simulated carrier share: what it has seen, what it holds, the receipts that it owes.

use super::conduct::{Conduct, IdFormat, Report};
use super::handset::Handsets;
use super::ledger::Ledger;
use super::{read_due, read_number};
use crate::clock::Now;
use crate::codec::{MessageState, Status};
use bytes::Bytes;
use hdrhistogram::Histogram;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What all sessions of a carrier share.
pub(super) struct Book {
    pub conduct: Conduct,
    pub inner: Mutex<Inner>,
    /// How often connections have been cut.
    pub drops: AtomicU64,
    pub held: AtomicBool,
}

/// The part that changes.
pub(super) struct Inner {
    pub ledger: Ledger,
    pub report: Report,
    /// How late messages came that were to come at a set time, in milliseconds.
    late: Histogram<u64>,
    seen: Vec<u64>,
    highest: Option<u32>,
    pub random: fastrand::Rng,
    next_id: u64,
    /// Receipts to be sent, by when; a queue for each house.
    pub owed: Vec<VecDeque<Owed>>,
    /// Houses by the system_id that binds to them; none while all sessions are of one, number 0.
    houses: HashMap<Box<[u8]>, usize>,
    /// Messages of handsets that have to be sent again, by when.
    pub inbound: VecDeque<Owed>,
    /// The number of the next one that has not been sent, and when number 0 was due.
    pub inbound_next: u32,
    pub inbound_since: Option<Instant>,
    pub seats: Vec<Seat>,
    pub next_session: u64,
    /// Messages whose receipts are gone, and how they ended; the last [`ENDED_MAX`].
    pub ended: VecDeque<(u64, MessageState)>,
    /// Broadcasts: ids, their areas as TLVs, and whether they go on; the last [`BROADCASTS_MAX`].
    pub broadcasts: VecDeque<Broadcast>,
}

/// A session, as the others see it.
pub(super) struct Seat {
    pub number: u64,
    /// Whose it is: sessions send the receipts of their house.
    pub house: usize,
    /// Its window has no room for a receipt more.
    pub full: bool,
    pub bell: Arc<Notify>,
}

/// A broadcast.
pub(super) struct Broadcast {
    pub id: Vec<u8>,
    pub areas: Vec<Bytes>,
    pub cancelled: bool,
}

/// A receipt, or a message of a handset.
pub(super) struct Owed {
    pub at: Instant,
    /// The session that the message came on.
    pub session: u64,
    /// The house of that session.
    pub house: usize,
    /// The number that the carrier's id is made of, or that of the handset's message.
    pub id: u64,
    pub body: Bytes,
    pub state: MessageState,
    pub is_inbound: bool,
}

impl Book {
    pub fn new(conduct: Conduct, ledger: Ledger, now: Now) -> Self {
        let inner = Inner {
            ledger,
            report: Report::default(),
            late: Histogram::new_with_max(LATE_MAX_MS, 3).expect("three digits up to a day fit"),
            seen: Vec::new(),
            highest: None,
            random: fastrand::Rng::with_seed(conduct.seed),
            next_id: now.wall.0 << 16,
            owed: vec![VecDeque::new()],
            houses: HashMap::new(),
            inbound: VecDeque::new(),
            inbound_next: 0,
            inbound_since: None,
            seats: Vec::new(),
            next_session: 0,
            ended: VecDeque::new(),
            broadcasts: VecDeque::new(),
        };
        Self {
            held: AtomicBool::new(conduct.hold_receipts),
            conduct,
            inner: Mutex::new(inner),
            drops: AtomicU64::new(0),
        }
    }

    /// Lets receipts go that were held.
    pub fn release_receipts(&self) {
        self.held.store(false, Ordering::Relaxed);
        self.ring();
    }

    /// Its changing part, for as long as one read takes.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all sessions.
    pub fn ring(&self) {
        let inner = self.lock();
        inner.seats.iter().for_each(|seat| seat.bell.notify_one());
    }
}

impl Inner {
    pub fn report(&self) -> Report {
        let numbers = self.highest.map_or(0, |highest| u64::from(highest) + 1);
        let missing = numbers.saturating_sub(self.report.distinct);
        Report {
            missing,
            late_p50_ms: self.late.value_at_quantile(0.5),
            late_p99_ms: self.late.value_at_quantile(0.99),
            late_max_ms: self.late.max(),
            cpu_s: super::cpu_s(),
            ..self.report.clone()
        }
    }

    /// Seats session `number`, which binds as `system_id`, in the house of that name; gives the house.
    pub fn seat(&mut self, number: u64, system_id: &[u8]) -> usize {
        let fresh = self.houses.len();
        let house = *self.houses.entry(system_id.into()).or_insert(fresh);
        if house >= self.owed.len() {
            self.owed.push(VecDeque::new());
        }
        self.seats.iter_mut().filter(|seat| seat.number == number).for_each(|seat| seat.house = house);
        house
    }

    /// Wakes the other sessions of the same house, as far as they have room: full ones would wake each other for ever.
    pub fn ring_others(&self, number: u64, house: usize) {
        let is_other = |seat: &&Seat| seat.house == house && seat.number != number && !seat.full;
        self.seats.iter().filter(is_other).for_each(|seat| seat.bell.notify_one());
    }

    /// Takes note whether a session's window is full.
    pub fn note_full(&mut self, number: u64, full: bool) {
        self.seats.iter_mut().filter(|seat| seat.number == number).for_each(|seat| seat.full = full);
    }

    /// Owes a receipt after all others.
    pub fn owe_last(&mut self, owed: Owed) {
        self.owed[owed.house].push_back(owed);
    }

    /// Owes a receipt before all others.
    pub fn owe_first(&mut self, owed: Owed) {
        self.owed[owed.house].push_front(owed);
    }

    /// Notes how a message ended.
    pub fn end(&mut self, id: u64, state: MessageState) {
        if self.ended.len() >= ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back((id, state));
    }

    /// Counts a message that comes now; gives its number.
    pub fn count(&mut self, text: &[u8], now: Now) -> Option<u32> {
        self.report.messages += 1;
        if let Some(due) = read_due(text) {
            self.report.timed += 1;
            self.report.early += u64::from(now.wall < due);
            self.late.saturating_record(now.wall.since(due).as_millis() as u64);
        }
        let number = read_number(text)?;
        let (word, bit) = (number as usize / 64, 1u64 << (number % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.report.distinct += 1;
        } else {
            self.report.duplicates += 1;
        }
        self.highest = self.highest.max(Some(number));
        Some(number)
    }

    pub fn write_id(&mut self, format: IdFormat) -> (Vec<u8>, u64) {
        self.next_id += 1;
        (id_text(self.next_id, format), self.next_id)
    }

    /// The next message of a handset that is due.
    ///
    /// # Errors
    /// If none is: when one will be, if ever.
    pub fn next_inbound(&mut self, handsets: &Handsets, now: Now) -> Result<Owed, Option<Instant>> {
        let again = self.inbound.front().map(|owed| owed.at);
        if again.is_some_and(|at| at <= now.mono)
            && let Some(owed) = self.inbound.pop_front()
        {
            return Ok(owed);
        }
        let start = *self.inbound_since.get_or_insert(now.mono);
        let number = self.inbound_next;
        match handsets.due(number, start) {
            Some(at) if at <= now.mono => {
                self.inbound_next += 1;
                Ok(Owed {
                    at,
                    session: 0,
                    house: 0,
                    id: number.into(),
                    body: handsets.write(number).into(),
                    state: MessageState::Enroute,
                    is_inbound: true,
                })
            }
            next => Err([again, next].into_iter().flatten().min()),
        }
    }

    /// What was out was not answered: it goes out again.
    pub fn put_back(&mut self, owed: Owed) {
        match owed.is_inbound {
            true => self.inbound.push_front(owed),
            false => self.owe_first(owed),
        }
    }

    /// The hub has answered a message of a handset; what it refuses for now comes again.
    pub fn end_inbound(&mut self, owed: Owed, status: Status, now: Now) {
        match status {
            Status::ROK => {
                self.report.inbound_taken += 1;
                self.ledger.line("inbound_taken", || [owed.id.to_string().into_bytes()]);
            }
            Status::RX_T_APPN | Status::RMSGQFUL | Status::RTHROTTLED | Status::RSYSERR => {
                self.inbound.push_back(Owed { at: now.mono + REFUSED_AGAIN, ..owed });
            }
            _ => self.report.inbound_refused += 1, // for good
        }
    }
}

/// Receipts and messages of handsets that are out on one session, by token.
#[derive(Default)]
pub(super) struct Out {
    owed: Vec<Option<Owed>>,
    /// The one free longest first: what goes out together lies together, and so it is found when its answers come.
    free: VecDeque<u32>,
}

impl Out {
    /// Puts it in; gives its token, and it.
    pub fn put(&mut self, owed: Owed) -> (u64, &Owed) {
        let place = self.free.pop_front().unwrap_or_else(|| {
            self.owed.push(None);
            self.owed.len() as u32 - 1
        });
        (place.into(), self.owed[place as usize].insert(owed))
    }

    /// The receipt under this token has arrived: gives its id, and how its message ended. Nothing if there is none.
    pub fn end_receipt(&mut self, token: u64) -> Option<(u64, MessageState)> {
        let place = self.owed.get_mut(token as usize)?;
        let owed = place.as_ref().filter(|owed| !owed.is_inbound)?;
        let end = (owed.id, owed.state);
        *place = None;
        self.free.push_back(token as u32);
        Some(end)
    }

    pub fn take(&mut self, token: u64) -> Option<Owed> {
        let owed = self.owed.get_mut(token as usize)?.take()?;
        self.free.push_back(token as u32);
        Some(owed)
    }
}

pub(super) fn id_text(id: u64, format: IdFormat) -> Vec<u8> {
    match format {
        IdFormat::Hex => format!("{id:x}").into_bytes(),
        IdFormat::Decimal => id.to_string().into_bytes(),
        IdFormat::Uuid => {
            let high = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let (a, b, c) = (high >> 32, high >> 16 & 0xFFFF, high & 0x0FFF);
            format!("{a:08x}-{b:04x}-4{c:03x}-8000-{:012x}", id & 0xFFFF_FFFF_FFFF).into_bytes()
        }
    }
}

/// A message later than this counts as this late: a day.
const LATE_MAX_MS: u64 = 86_400_000;

/// How long what was refused waits before it is sent again.
pub(super) const REFUSED_AGAIN: Duration = Duration::from_secs(1);
/// Ended messages that can still be asked about.
const ENDED_MAX: usize = 1000;
/// Broadcasts that can still be asked about.
pub(super) const BROADCASTS_MAX: usize = 1000;
