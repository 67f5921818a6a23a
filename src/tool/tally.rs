//! What a load run has seen so far, and the report on it.

use super::ledger::Ledger;
use crate::codec::{MessageState, Status};
use foldhash::HashSet;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
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
    states: BTreeMap<String, u64>,
    random: RandomState,
    messages: HashTable<Entry>,
    submit: Histogram<u64>,
    receipt: Histogram<u64>,
}

/// One message id that was seen, in an answer, a receipt or both.
struct Entry {
    id: u64,
    /// When it was submitted, in [`TICK`]s since the start.
    sent: u32,
    accepted: bool,
    receipts: u32,
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
            states: BTreeMap::new(),
            random: RandomState::default(),
            messages: HashTable::new(),
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
        self.ledger.line("accepted", &[number.to_string().as_bytes(), id]);
        if self.tells {
            println!("message {number} accepted as {}", id.escape_ascii());
        }
        if !self.follows {
            return;
        }
        let entry = self.entry(id, sent);
        let early = entry.receipts > 0 && !entry.accepted;
        (entry.accepted, entry.sent) = (true, sent);
        if early {
            self.receipts += 1;
        }
    }

    /// A link was lost before the answer came.
    pub fn unanswered(&mut self, token: u64) {
        self.unknown += 1;
        self.ledger.line("unknown", &[(token as u32).to_string().as_bytes()]);
    }

    /// A final receipt came.
    pub fn receipt(&mut self, id: &[u8], state: MessageState, now: Instant) {
        self.last = now;
        let word = state.receipt_word();
        self.ledger.line("receipt", &[id, word]);
        if self.tells {
            println!("receipt for {}: {}", id.escape_ascii(), word.escape_ascii());
        }
        let now = self.ticks(now);
        let entry = self.entry(id, now);
        entry.receipts += 1;
        let (first, accepted, sent) = (entry.receipts == 1, entry.accepted, entry.sent);
        if !first {
            self.duplicates += 1;
            return;
        }
        self.receipts += u64::from(accepted);
        record(&mut self.receipt, now, sent);
        let word = std::str::from_utf8(word).unwrap_or("UNKNOWN");
        match self.states.get_mut(word) {
            Some(count) => *count += 1,
            None => drop(self.states.insert(word.to_owned(), 1)),
        }
    }

    /// A message of a handset came.
    pub fn inbound(&mut self, text: &[u8], now: Instant) {
        self.last = now;
        self.inbound += 1;
        if self.tells {
            println!("from a handset: {}", text.escape_ascii());
        }
        if let Some(number) = super::read_number(text) {
            self.ledger.line("inbound", &[number.to_string().as_bytes()]);
            self.inbound_numbers.insert(number);
        }
    }

    fn entry(&mut self, id: &[u8], sent: u32) -> &mut Entry {
        let id = self.random.hash_one(id);
        self.messages
            .entry(id, |entry| entry.id == id, |entry| entry.id)
            .or_insert(Entry { id, sent, accepted: false, receipts: 0 })
            .into_mut()
    }

    /// Messages that were submitted and neither answered nor lost.
    pub fn open(&self) -> u64 {
        (u64::from(self.next)).saturating_sub(self.answered + self.unknown)
    }

    /// The report on everything so far.
    pub fn report(&self) -> Report {
        let seconds = (self.last - self.started).as_secs_f64().max(1e-6);
        let unclaimed = self.messages.iter().filter(|entry| !entry.accepted).count() as u64;
        Report {
            sent: u64::from(self.next),
            accepted: self.accepted,
            unknown: self.unknown,
            refused: self.refused.clone(),
            receipts: self.receipts,
            receipts_missing: self.accepted.saturating_sub(self.receipts),
            receipts_duplicate: self.duplicates,
            receipts_unknown: unclaimed,
            alerts: self.alerts,
            inbound: self.inbound,
            inbound_distinct: self.inbound_numbers.len() as u64,
            states: self.states.clone(),
            binds: self.binds,
            seconds,
            messages_per_s: self.accepted as f64 / seconds,
            submit_p50_us: self.submit.value_at_quantile(0.5),
            submit_p99_us: self.submit.value_at_quantile(0.99),
            submit_max_us: self.submit.max(),
            receipt_p50_us: self.receipt.value_at_quantile(0.5),
            receipt_p99_us: self.receipt.value_at_quantile(0.99),
            receipt_max_us: self.receipt.max(),
            cpu_s: super::cpu_s(),
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

fn record(histogram: &mut Histogram<u64>, now: u32, sent: u32) {
    let took = u64::from(now.saturating_sub(sent)) * TICK.as_micros() as u64;
    histogram.saturating_record(took.max(1));
}

/// Resolution of the times in a token: 32 bits of it are four hours and three quarters.
const TICK: Duration = Duration::from_micros(4);

const MAX_US: u64 = 3_600_000_000;
