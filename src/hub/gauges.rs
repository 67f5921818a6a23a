//! How each carrier stands: what waits for it and for how long, what it is allowed, and what limits it now.

use super::clockwork::KINDS;
use super::pace::Reason;
use super::queue_classes::CLASSES;
use super::{Hub, LinkState};
use crate::bulk::State;
use crate::codec::{MessageState, Status};
use crate::id::CarrierId;
use crate::metrics::{Buckets, Histogram, Metrics};
use crate::throttle::Quota;
use prometheus::IntCounter;
use std::time::Duration;

/// How much of what there is at one carrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarrierGauges {
    pub queued: u64,
    pub links: u64,
    /// 0: held for well; 1: one message at a time finds out; 2: left alone.
    pub breaker: u64,
    pub window: u64,
    pub in_flight: u64,
    /// Places of the windows that may be used now.
    pub allowed: u64,
    /// What limits it now, and for how many seconds more; 0: nobody knows.
    pub limited_by: Option<Reason>,
    pub limited_for_s: u64,
    /// Millionths of a segment a second that may go; `None`: any number.
    pub rate_micro: Option<u64>,
    /// Segments that went in the last full second.
    pub rate_used: u64,
    /// Segments left in this minute and in this day, and seconds until the next; `None`: there is no such limit.
    pub minute: Option<(u64, u64)>,
    pub day: Option<(u64, u64)>,
    /// Messages that wait, by priority, and seconds that the oldest of them has waited.
    pub depth: [u64; CLASSES],
    pub oldest_s: [u64; CLASSES],
}

/// What happened at one carrier in one turn.
#[derive(Clone, Debug, Default)]
#[repr(C)] // what each message changes comes first
pub struct CarrierStats {
    /// Segments handed to its links.
    pub segments: u64,
    /// Messages that are to be tried again.
    pub retries: u64,
    /// What it refused, by command_status.
    pub refused: Vec<(Status, u64)>,
    /// How long its answers took.
    pub waits: Buckets,
    /// How messages ended that it had taken: final states, by octet.
    pub ended: [u64; 10],
    /// From its answer to the end, of all of these, in milliseconds.
    pub waited_ms: u64,
}

/// Counters of one carrier that most turns add to, each found by its name once.
#[derive(Clone, Debug, Default)]
pub struct CarrierMeters {
    segments: Option<IntCounter>,
    response: Option<Histogram>,
    ended: [Option<IntCounter>; 10],
    waited_ms: Option<IntCounter>,
}

impl CarrierStats {
    pub(super) fn is_any(&self) -> bool {
        self.segments + self.retries > 0
            || !self.refused.is_empty()
            || self.waits.count() > 0
            || self.ended.iter().any(|times| *times > 0)
    }

    /// A message that it had taken ended so, after that long.
    pub(super) fn end(&mut self, state: MessageState, waited: Duration) {
        self.ended[usize::from(state.octet())] += 1;
        self.waited_ms += waited.as_millis() as u64;
    }

    pub(super) fn refuse(&mut self, status: Status) {
        match self.refused.iter_mut().find(|(known, _)| *known == status) {
            Some((_, times)) => *times += 1,
            None => self.refused.push((status, 1)),
        }
    }

    /// Adds the counts to the process's metrics for the carrier of this name, some of which its `meters` know.
    pub fn fold(&self, metrics: &Metrics, name: &str, meters: &mut CarrierMeters) {
        let (pace, way) = (&metrics.pace, &metrics.way);
        if self.segments > 0 {
            let resolve = || pace.segments.with_label_values(&[name]);
            meters.segments.get_or_insert_with(resolve).inc_by(self.segments);
        }
        if self.retries > 0 {
            pace.retries.with_label_values(&[name]).inc_by(self.retries);
        }
        for (status, times) in &self.refused {
            pace.statuses.with_label_values(&[name, label(*status)]).inc_by(*times);
        }
        if self.waits.count() > 0 {
            meters.response.get_or_insert_with(|| pace.response.with_label(name)).fold(&self.waits);
        }
        for (octet, times) in self.ended.iter().enumerate().filter(|(_, times)| **times > 0) {
            let resolve = || way.ended.with_label_values(&[name, word_of(octet)]);
            meters.ended[octet].get_or_insert_with(resolve).inc_by(*times);
        }
        if self.ended.iter().any(|times| *times > 0) {
            let resolve = || way.waited_ms.with_label_values(&[name]);
            meters.waited_ms.get_or_insert_with(resolve).inc_by(self.waited_ms);
        }
    }
}

/// The word that receipts have for a final state.
pub(super) fn word_of(octet: usize) -> &'static str {
    let word = MessageState::from_octet(octet as u8).map_or(b"UNKNOWN", MessageState::receipt_word);
    std::str::from_utf8(word).unwrap_or("UNKNOWN")
}

/// How much of what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    pub messages: u64,
    /// Requests that wait until the hub has time for them.
    pub before: u64,
    pub held: u64,
    pub awaiting: u64,
    pub scheduled: u64,
    pub waiting: u64,
    /// Messages that are due and wait for their bodies before they get a carrier.
    pub unrouted: u64,
    /// Messages whose bodies may still be at hand.
    pub bodies: u64,
    pub early_receipts: u64,
    /// Handsets that don't want to hear from an account, or from one of its numbers.
    pub opt_outs: u64,
    /// Octets of memory in use by the hub's own books, and how many there may be.
    pub memory: u64,
    pub memory_limit: u64,
    /// Of these, what the buffers of sessions hold.
    pub buffers: u64,
    /// What is remembered beside messages: kin, answers that wait for something, searches, what carriers were asked.
    pub remembered: u64,
    /// By how much the wall clock is off what is believed, in seconds.
    pub clock_off_s: i64,
    /// Timers of each kind, in the order of [`KINDS`].
    pub timers: [u64; KINDS.len()],
    /// Nothing expires: the clock may be wrong.
    pub expiry_held: bool,
    pub spool_octets: u64,
    pub spool_live_octets: u64,
    /// Bulks in each of [`State::EACH`].
    pub bulks: [u64; State::EACH.len()],
    /// By carrier, in the order of the configuration.
    pub carriers: Vec<CarrierGauges>,
}

impl Gauges {
    /// Sets the process's metrics; `carriers` are their names, in the order of the configuration.
    pub fn show(&self, metrics: &Metrics, carriers: &[String]) {
        let places = [
            ("all", self.messages),
            ("awaiting_receipt", self.awaiting),
            ("timed", self.scheduled),
            ("receipt_waiting", self.waiting),
            ("unrouted", self.unrouted),
            ("before_hub", self.before),
            ("waiting_for_disk", self.held),
            ("body_watched", self.bodies),
            ("early_receipts", self.early_receipts),
        ];
        metrics.screening.opt_outs.set(self.opt_outs as i64);
        for (place, count) in places {
            metrics.messages.with_label_values(&[place]).set(count as i64);
        }
        for (state, count) in State::EACH.iter().zip(self.bulks) {
            metrics.bulks.with_label_values(&[state.name()]).set(count as i64);
        }
        for (name, carrier) in carriers.iter().zip(&self.carriers) {
            carrier.show(metrics, name);
        }
        for (kind, count) in KINDS.iter().zip(self.timers) {
            metrics.timers.with_label_values(&[kind]).set(count as i64);
        }
        metrics.memory.with_label_values(&["used"]).set(self.memory as i64);
        metrics.memory.with_label_values(&["buffers"]).set(self.buffers as i64);
        metrics
            .memory
            .with_label_values(&["limit"])
            .set(i64::try_from(self.memory_limit).unwrap_or(i64::MAX));
        metrics.clock_step.set(self.clock_off_s);
        metrics.expiry_held.set(self.expiry_held.into());
        metrics.spool_octets.with_label_values(&["all"]).set(self.spool_octets as i64);
        metrics.spool_octets.with_label_values(&["living"]).set(self.spool_live_octets as i64);
    }
}

impl Hub {
    /// How much is remembered beside messages: nothing once they have ended and everybody is answered.
    pub(super) fn remembered(&self) -> usize {
        self.kin.len()
            + self.transactions.len()
            + self.holding.answers()
            + self.replacing.len()
            + self.searches.len()
            + self.asked.len()
            + self.aliases.len()
    }

    /// How much of what there is, for metrics.
    pub fn gauges(&self) -> Gauges {
        let mut gauges = Gauges {
            messages: self.table.len() as u64,
            before: self.backlog.requests() as u64,
            held: self.holding.len() as u64,
            awaiting: self.correlation.len() as u64,
            early_receipts: self.correlation.early_len() as u64,
            remembered: self.remembered() as u64,
            scheduled: 0,
            unrouted: self.unrouted.len() as u64,
            bodies: self.bodies.len() as u64,
            memory: self.memory(),
            buffers: self.buffers,
            memory_limit: self.settings.limits.memory_octets,
            waiting: self.accounts.iter().map(|account| account.waiting.len() as u64).sum(),
            clock_off_s: self.watch.off_s(),
            expiry_held: self.watch.expiry_wait().is_some(),
            spool_octets: self.journal.log_octets(),
            spool_live_octets: self.journal.live_octets(),
            bulks: self.bulks.by_state(),
            opt_outs: self.opt_outs.len() as u64,
            ..Gauges::default()
        };
        gauges.scheduled = self.wheel.len() as u64;
        gauges.timers = self.wheel.counts();
        let carriers = 0..self.carriers.len() as u16;
        gauges.carriers = carriers.map(|carrier| self.carrier_gauges(CarrierId(carrier))).collect();
        gauges
    }

    pub(super) fn carrier_gauges(&self, carrier: CarrierId) -> CarrierGauges {
        let limited = self.limited_by(carrier);
        let now = self.now;
        let links = || self.links.iter().filter(move |link| link.carrier == carrier);
        let state = &self.carriers[usize::from(carrier.0)];
        let oldest = |class| {
            let rows =
                state.queue.firsts(class).take(OLDEST_MAX).filter_map(|token| self.table.peek(token.slot));
            rows.map(|row| now.wall.since(row.at.max(row.accepted)).as_secs()).max().unwrap_or_default()
        };
        let left = |quota: &Option<Quota>| {
            let mut quota = quota.clone()?;
            quota.look(now);
            Some((quota.left(), quota.resets_in(now).as_secs()))
        };
        let allowed = |link: &LinkState| if link.submits { link.ceiling as u64 } else { 0 };
        let until = limited.until.map(|until| until.saturating_duration_since(now.mono));
        CarrierGauges {
            queued: state.waiting() as u64,
            links: links().count() as u64,
            breaker: state.breaker.stage(),
            window: links().map(|link| link.window as u64).sum(),
            in_flight: links().map(|link| (link.window - link.room) as u64).sum(),
            allowed: links().map(allowed).sum(),
            limited_by: Some(limited.reason),
            limited_for_s: until.map_or(0, |left| left.as_secs_f64().ceil() as u64),
            rate_micro: state.pace.meter.governor.rate().map(|rate| rate.micro()),
            rate_used: state.pace.meter.governor.clone().used(now.mono),
            minute: left(&state.pace.meter.minute),
            day: left(&state.pace.meter.day),
            depth: state.queue.lengths().map(|depth| depth as u64),
            oldest_s: std::array::from_fn(oldest),
        }
    }
}

impl CarrierGauges {
    /// Sets the process's metrics for the carrier of this name.
    pub(super) fn show(&self, metrics: &Metrics, name: &str) {
        let set = |gauges: &prometheus::IntGaugeVec, value: u64| {
            gauges.with_label_values(&[name]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&metrics.queued, self.queued);
        set(&metrics.links, self.links);
        set(&metrics.way.breaker, self.breaker);
        set(&metrics.pace.window, self.window);
        set(&metrics.pace.window_used, self.in_flight);
        set(&metrics.pace.window_allowed, self.allowed);
        set(&metrics.pace.limited_for, self.limited_for_s);
        set(&metrics.pace.rate_used, self.rate_used);
        for reason in Reason::EACH {
            let is_it = self.limited_by == Some(reason);
            metrics.pace.limited_by.with_label_values(&[name, reason.name()]).set(is_it.into());
        }
        let rate = metrics.pace.rate_allowed.with_label_values(&[name]);
        rate.set(self.rate_micro.map_or(f64::INFINITY, |micro| micro as f64 / 1e6));
        for (window, quota) in [("minute", self.minute), ("day", self.day)] {
            if let Some((left, reset_s)) = quota {
                let labels = &[name, window];
                metrics
                    .pace
                    .limit_left
                    .with_label_values(labels)
                    .set(i64::try_from(left).unwrap_or(i64::MAX));
                metrics.pace.limit_reset.with_label_values(labels).set(reset_s as i64);
            }
        }
        for (class, word) in PRIORITIES.iter().enumerate() {
            metrics.pace.queue_depth.with_label_values(&[name, word]).set(self.depth[class] as i64);
            metrics.pace.queue_oldest.with_label_values(&[name, word]).set(self.oldest_s[class] as i64);
        }
    }
}

/// Classes as labels.
const PRIORITIES: [&str; CLASSES] = ["0", "1", "2", "3"];
/// Accounts that are looked at for the oldest message of a class.
const OLDEST_MAX: usize = 1_000;

/// The status as a label: its name, or one word for all that have none, so that a peer can't make series.
pub fn label(status: Status) -> &'static str {
    status.name().unwrap_or("other")
}
