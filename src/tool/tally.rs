//! What a load run has seen so far, and the report on it.

use super::ledger::Ledger;
use crate::codec::{MessageState, Status};
use foldhash::HashSet;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

/// Counts of one run; shared by its sessions.
pub(super) struct Tally {
    pub started: Instant,
    pub next: u32,
    pub accepted: u64,
    pub answered: u64,
    pub unknown: u64,
    pub receipts: u64,
    pub duplicates: u64,
    /// alert_notifications.
    pub alerts: u64,
    /// Messages of handsets, and the numbers of those that have one.
    pub inbound: u64,
    pub inbound_numbers: HashSet<u32>,
    /// When the last answer or receipt came.
    pub last: Instant,
    pub binds: u64,
    pub ledger: Ledger,
    /// Remember each message until its receipt comes.
    pub follows: bool,
    /// Say each answer and receipt on stdout.
    pub tells: bool,
    refused: BTreeMap<String, u64>,
    states: States,
    random: RandomState,
    /// Those whose answer or receipt is still to come, or came to nobody's message.
    open: HashTable<Entry>,
    /// Hashes of the ids of those that had both. Millions of them are in nobody's cache: they are looked through once, at the end.
    closed: Vec<u64>,
    submit: Histogram<u64>,
    receipt: Histogram<u64>,
}

/// How many receipts said what, by its word.
type States = BTreeMap<&'static str, u64>;

/// A message id that was seen, in an answer or in receipts.
struct Entry {
    /// Its hash.
    id: u64,
    /// When its message was submitted; before its answer when the first receipt came. In [`TICK`]s since the start.
    at: u32,
    /// Receipts that came before its answer, or after it was closed.
    receipts: u16,
    /// What the first of them said.
    state: MessageState,
}

/// A run in figures; what `--json` prints. Times in microseconds unless said.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub sent: u64,
    pub accepted: u64,
    pub unknown: u64,
    pub refused: BTreeMap<String, u64>,
    pub receipts: u64,
    pub receipts_missing: u64,
    pub receipts_duplicate: u64,
    pub receipts_unknown: u64,
    pub alerts: u64,
    pub inbound: u64,
    pub inbound_distinct: u64,
    pub states: BTreeMap<String, u64>,
    pub binds: u64,
    pub seconds: f64,
    pub messages_per_s: f64,
    pub submit_p50_us: u64,
    pub submit_p99_us: u64,
    pub submit_max_us: u64,
    pub receipt_p50_us: u64,
    pub receipt_p99_us: u64,
    pub receipt_max_us: u64,
    pub cpu_s: f64,
}

impl Tally {
    pub fn new(ledger: Ledger, now: Instant) -> Self {
        let histogram = || Histogram::new_with_max(MAX_US, 3).expect("three digits up to an hour fit");
        Self {
            started: now,
            next: 0,
            accepted: 0,
            answered: 0,
            unknown: 0,
            receipts: 0,
            duplicates: 0,
            alerts: 0,
            inbound: 0,
            inbound_numbers: HashSet::default(),
            last: now,
            binds: 0,
            ledger,
            follows: true,
            tells: false,
            refused: BTreeMap::new(),
            states: States::new(),
            random: RandomState::default(),
            open: HashTable::new(),
            closed: Vec::new(),
            submit: histogram(),
            receipt: histogram(),
        }
    }

    /// What a request is known by: its number, and when it left.
    pub fn token(&self, number: u32, now: Instant) -> u64 {
        u64::from(self.ticks(now)) << 32 | u64::from(number)
    }

    fn ticks(&self, now: Instant) -> u32 {
        (now.saturating_duration_since(self.started).as_micros() / TICK.as_micros()) as u32
    }

    /// The hub took a message or refused it.
    pub fn answer(&mut self, token: u64, status: Status, id: &[u8], now: Instant) {
        let (number, sent) = (token as u32, (token >> 32) as u32);
        self.answered += 1;
        self.last = now;
        let ticks = self.ticks(now);
        record(&mut self.submit, ticks, sent);
        if !status.is_ok() {
            *self.refused.entry(status.to_string()).or_default() += 1;
            return;
        }
        self.accepted += 1;
        self.ledger.line("accepted", || [number.to_string().into_bytes(), id.to_vec()]);
        if self.tells {
            println!("message {number} accepted as {}", id.escape_ascii());
        }
        if !self.follows {
            return;
        }
        let entry =
            Entry { id: self.random.hash_one(id), at: sent, receipts: 0, state: MessageState::Enroute };
        match self.find(entry.id) {
            Place::Occupied(early) if early.get().receipts > 0 => {
                let (Entry { at, receipts, state, .. }, _) = early.remove();
                self.close(entry, at, state);
                self.duplicates += u64::from(receipts.saturating_sub(1));
            }
            // Two messages with one id: the receipt for one of them will be missing.
            Place::Occupied(mut other) => other.get_mut().at = sent,
            Place::Vacant(vacant) => drop(vacant.insert(entry)),
        }
    }

    /// A link was lost before the answer came.
    pub fn unanswered(&mut self, token: u64) {
        self.unknown += 1;
        self.ledger.line("unknown", || [(token as u32).to_string().into_bytes()]);
    }

    /// A final receipt came.
    pub fn receipt(&mut self, id: &[u8], state: MessageState, now: Instant) {
        self.last = now;
        let word = state.receipt_word();
        self.ledger.line("receipt", || [id.to_vec(), word.to_vec()]);
        if self.tells {
            println!("receipt for {}: {}", id.escape_ascii(), word.escape_ascii());
        }
        let now = self.ticks(now);
        let id = self.random.hash_one(id);
        match self.find(id) {
            Place::Occupied(entry) if entry.get().receipts == 0 => {
                let (entry, _) = entry.remove();
                self.close(entry, now, state);
            }
            Place::Occupied(mut early) => early.get_mut().receipts = early.get().receipts.saturating_add(1),
            Place::Vacant(vacant) => drop(vacant.insert(Entry { id, at: now, receipts: 1, state })),
        }
    }

    /// The message's answer and its first receipt are here; the receipt came at the tick `at`.
    fn close(&mut self, entry: Entry, at: u32, state: MessageState) {
        self.receipts += 1;
        record(&mut self.receipt, at, entry.at);
        count(&mut self.states, state);
        self.closed.push(entry.id);
    }

    /// A message of a handset came.
    pub fn inbound(&mut self, text: &[u8], now: Instant) {
        self.last = now;
        self.inbound += 1;
        if self.tells {
            println!("from a handset: {}", text.escape_ascii());
        }
        if let Some(number) = super::read_number(text) {
            self.ledger.line("inbound", || [number.to_string().into_bytes()]);
            self.inbound_numbers.insert(number);
        }
    }

    fn find(&mut self, id: u64) -> Place<'_, Entry> {
        self.open.entry(id, |entry| entry.id == id, |entry| entry.id)
    }

    /// Messages that were submitted and neither answered nor lost.
    pub fn open(&self) -> u64 {
        (u64::from(self.next)).saturating_sub(self.answered + self.unknown)
    }

    /// The report on everything so far.
    pub fn report(&mut self) -> Report {
        let cpu_s = super::cpu_s(); // what follows is not the run's
        let seconds = (self.last - self.started).as_secs_f64().max(1e-6);
        self.closed.sort_unstable();
        let mut duplicates = self.duplicates;
        // Two messages with one id.
        duplicates += self.closed.windows(2).filter(|two| two[0] == two[1]).count() as u64;
        let (mut unknown, mut states) = (0, self.states.clone());
        for stray in self.open.iter().filter(|entry| entry.receipts > 0) {
            let is_known = self.closed.binary_search(&stray.id).is_ok();
            duplicates += u64::from(stray.receipts) - u64::from(!is_known);
            unknown += u64::from(!is_known);
            if !is_known {
                count(&mut states, stray.state);
            }
        }
        Report {
            sent: u64::from(self.next),
            accepted: self.accepted,
            unknown: self.unknown,
            refused: self.refused.clone(),
            receipts: self.receipts,
            receipts_missing: self.accepted.saturating_sub(self.receipts),
            receipts_duplicate: duplicates,
            receipts_unknown: unknown,
            alerts: self.alerts,
            inbound: self.inbound,
            inbound_distinct: self.inbound_numbers.len() as u64,
            states: states.into_iter().map(|(word, count)| (word.to_owned(), count)).collect(),
            binds: self.binds,
            seconds,
            messages_per_s: self.accepted as f64 / seconds,
            submit_p50_us: self.submit.value_at_quantile(0.5),
            submit_p99_us: self.submit.value_at_quantile(0.99),
            submit_max_us: self.submit.max(),
            receipt_p50_us: self.receipt.value_at_quantile(0.5),
            receipt_p99_us: self.receipt.value_at_quantile(0.99),
            receipt_max_us: self.receipt.max(),
            cpu_s,
        }
    }
}

impl Report {
    /// The report for people.
    pub fn print(&self) {
        println!("sent          {:>12}", self.sent);
        println!(
            "accepted      {:>12}   {:.0} a second over {:.2} s",
            self.accepted, self.messages_per_s, self.seconds
        );
        for (status, count) in &self.refused {
            println!("refused       {count:>12}   {status}");
        }
        if self.unknown > 0 {
            println!("unknown       {:>12}   a link was lost before the answer", self.unknown);
        }
        for (state, count) in &self.states {
            println!("receipts      {count:>12}   {state}");
        }
        if self.inbound > 0 {
            println!("of handsets   {:>12}   {} different", self.inbound, self.inbound_distinct);
        }
        println!("missing       {:>12}", self.receipts_missing);
        println!("duplicate     {:>12}", self.receipts_duplicate);
        println!(
            "to the answer   p50 {} µs, p99 {} µs, longest {} µs",
            self.submit_p50_us, self.submit_p99_us, self.submit_max_us
        );
        println!(
            "to the receipt  p50 {} µs, p99 {} µs, longest {} µs",
            self.receipt_p50_us, self.receipt_p99_us, self.receipt_max_us
        );
        println!("own CPU         {:.2} s", self.cpu_s);
    }
}

fn count(states: &mut States, state: MessageState) {
    let word = std::str::from_utf8(state.receipt_word()).unwrap_or("UNKNOWN");
    *states.entry(word).or_default() += 1;
}

fn record(histogram: &mut Histogram<u64>, now: u32, sent: u32) {
    let took = u64::from(now.saturating_sub(sent)) * TICK.as_micros() as u64;
    histogram.saturating_record(took.max(1));
}

/// Resolution of the times in a token: 32 bits of it are four hours and three quarters.
const TICK: Duration = Duration::from_micros(4);

const MAX_US: u64 = 3_600_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_told_apart_whenever_they_come() {
        let now = crate::runtime::now().mono;
        let mut tally = Tally::new(Ledger::default(), now);
        let answer = |tally: &mut Tally, number, id: &[u8]| {
            tally.next = number + 1;
            tally.answer(tally.token(number, now), Status::ROK, id, now);
        };
        let receipt = |tally: &mut Tally, id: &[u8], state| tally.receipt(id, state, now);
        let delivered = MessageState::Delivered;

        answer(&mut tally, 0, b"in order");
        receipt(&mut tally, b"in order", delivered);
        receipt(&mut tally, b"in order", delivered);
        receipt(&mut tally, b"early", delivered);
        assert_eq!(tally.receipts, 1, "nobody knows yet whose that was");
        receipt(&mut tally, b"early", delivered);
        answer(&mut tally, 1, b"early");
        answer(&mut tally, 2, b"never");
        receipt(&mut tally, b"nobody's", MessageState::Undeliverable);
        receipt(&mut tally, b"nobody's", MessageState::Undeliverable);
        answer(&mut tally, 3, b"of two");
        answer(&mut tally, 4, b"of two");
        receipt(&mut tally, b"of two", delivered);
        answer(&mut tally, 5, b"again");
        receipt(&mut tally, b"again", delivered);
        answer(&mut tally, 6, b"again");
        receipt(&mut tally, b"again", delivered);

        let report = tally.report();
        assert_eq!((report.accepted, report.receipts, report.receipts_missing), (7, 5, 2));
        assert_eq!((report.receipts_duplicate, report.receipts_unknown), (4, 1));
        let states = [("DELIVRD", 5), ("UNDELIV", 1)].map(|(word, count)| (word.to_owned(), count));
        assert_eq!(report.states, BTreeMap::from(states));
    }
}
