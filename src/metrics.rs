//! Every metric: its name, its help, and a handle that is resolved once.
//!
//! Pure rooms count into plain integers ([`Buckets`] for times); whoever runs them folds those into the handles here, once a batch.
//! Names begin with `enroute_`, units are seconds and octets ("bytes", as Prometheus says), counters end in `_total`. Labels
//! hold names from the configuration and words from fixed lists only, so the number of series is bounded by the configuration.

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram as HistogramProto, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{
    Encoder, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets for times, in seconds; one more takes all that is longer.
pub const BOUNDS_S: [f64; 18] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 4.0,
    16.0, 60.0, 600.0,
];

/// Upper bounds of the buckets for sizes of batches.
pub const BOUNDS_BATCH: [f64; 18] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0,
    32768.0, 65536.0, 131072.0,
];

/// Observations counted by bucket, in plain integers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Buckets {
    counts: [u64; BOUNDS_S.len() + 1],
    sum: f64,
}

impl Buckets {
    /// Counts a time.
    pub fn record(&mut self, time: Duration) {
        self.observe(time.as_secs_f64(), &BOUNDS_S);
    }

    /// Counts the size of a batch.
    pub fn record_size(&mut self, size: u64) {
        self.observe(size as f64, &BOUNDS_BATCH);
    }

    fn observe(&mut self, value: f64, bounds: &[f64]) {
        let bucket = bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += 1;
        self.sum += value;
    }

    /// Counts what another one has.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.sum += other.sum;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Histograms of times that differ by one label, whose values come from the configuration.
#[derive(Clone, Debug)]
pub struct Histograms {
    family: Arc<Family>,
}

#[derive(Debug)]
struct Family {
    desc: Desc,
    label: &'static str,
    members: Mutex<Vec<(String, Histogram)>>,
}

impl Histograms {
    fn new(registry: &Registry, name: &str, help: &str, label: &'static str) -> Self {
        let desc =
            Desc::new(format!("enroute_{name}"), help.to_owned(), vec![label.to_owned()], HashMap::new())
                .expect("the names are made of letters and underscores");
        let histograms = Self { family: Arc::new(Family { desc, label, members: Mutex::default() }) };
        registry.register(Box::new(histograms.clone())).expect("each name is used once");
        histograms
    }

    /// The one with this label: resolved once a batch.
    pub fn with_label(&self, value: &str) -> Histogram {
        let Family { desc, members, .. } = &*self.family;
        let mut members = members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, histogram)) = members.iter().find(|(known, _)| known == value) {
            return histogram.clone();
        }
        let histogram = Histogram::unregistered(desc.clone(), &BOUNDS_S);
        members.push((value.to_owned(), histogram.clone()));
        histogram
    }
}

impl Collector for Histograms {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.family.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Family { desc, label, members } = &*self.family;
        let members = members.lock().unwrap_or_else(PoisonError::into_inner);
        let labelled = |(value, histogram): &(String, Histogram)| {
            let mut pair = LabelPair::default();
            pair.set_name((*label).to_owned());
            pair.set_value(value.clone());
            let mut metric = histogram.metric();
            metric.set_label(vec![pair]);
            metric
        };
        let metrics: Vec<Metric> = members.iter().map(labelled).collect();
        // A family without a member is none to the encoder.
        if metrics.is_empty() { Vec::new() } else { vec![family_of(desc, metrics)] }
    }
}

fn family_of(desc: &Desc, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(desc.fq_name.clone());
    family.set_help(desc.help.clone());
    family.set_field_type(MetricType::HISTOGRAM);
    family.set_metric(metrics);
    family
}

/// A histogram that takes whole [`Buckets`] at once.
#[derive(Clone, Debug)]
pub struct Histogram {
    inner: Arc<HistogramInner>,
}

#[derive(Debug)]
struct HistogramInner {
    desc: Desc,
    bounds: &'static [f64],
    counts: [AtomicU64; BOUNDS_S.len() + 1],
    sum: Mutex<f64>,
}

impl Histogram {
    fn new(registry: &Registry, name: &str, help: &str, bounds: &'static [f64]) -> Self {
        let desc = Desc::new(format!("enroute_{name}"), help.to_owned(), Vec::new(), HashMap::new())
            .expect("the name is made of letters and underscores");
        let histogram = Self::unregistered(desc, bounds);
        registry.register(Box::new(histogram.clone())).expect("each name is used once");
        histogram
    }

    fn unregistered(desc: Desc, bounds: &'static [f64]) -> Self {
        let inner = HistogramInner { desc, bounds, counts: Default::default(), sum: Mutex::new(0.0) };
        Self { inner: Arc::new(inner) }
    }

    /// Adds what was counted elsewhere.
    pub fn fold(&self, buckets: &Buckets) {
        if buckets.count() == 0 {
            return;
        }
        for (total, count) in self.inner.counts.iter().zip(buckets.counts) {
            total.fetch_add(count, Ordering::Relaxed);
        }
        if let Ok(mut sum) = self.inner.sum.lock() {
            *sum += buckets.sum;
        }
    }
}

impl Collector for Histogram {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.inner.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        vec![family_of(&self.inner.desc, vec![self.metric()])]
    }
}

impl Histogram {
    fn metric(&self) -> Metric {
        let mut histogram = HistogramProto::default();
        let mut total = 0;
        let mut buckets = Vec::new();
        for (place, count) in self.inner.counts.iter().enumerate() {
            total += count.load(Ordering::Relaxed);
            if let Some(bound) = self.inner.bounds.get(place) {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(*bound);
                bucket.set_cumulative_count(total);
                buckets.push(bucket);
            }
        }
        histogram.set_bucket(buckets);
        histogram.set_sample_count(total);
        histogram.set_sample_sum(self.inner.sum.lock().map_or(0.0, |sum| *sum));
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        metric
    }
}

/// What limits carriers, and how they take what they get.
#[derive(Clone, Debug)]
pub struct Pace {
    pub window_allowed: IntGaugeVec,
    pub limited_by: IntGaugeVec,
    pub limited_for: IntGaugeVec,
    pub rate_allowed: GaugeVec,
    pub rate_used: IntGaugeVec,
    pub limit_left: IntGaugeVec,
    pub limit_reset: IntGaugeVec,
    pub queue_depth: IntGaugeVec,
    pub queue_oldest: IntGaugeVec,
    pub segments: IntCounterVec,
    pub retries: IntCounterVec,
    pub statuses: IntCounterVec,
    pub response: Histograms,
}

impl Pace {
    #[rustfmt::skip] // a table: a line each
    fn new(r: &Registry) -> Self {
        Self {
            window_allowed: gauges(r, "carrier_window_allowed", "Places in the windows of all bound links that may be used now: fewer after a carrier throttled or was slow", &["carrier"]),
            limited_by: gauges(r, "carrier_limited_by", "1 for what limits a carrier now, 0 for all other reasons", &["carrier", "reason"]),
            limited_for: gauges(r, "carrier_limited_seconds", "For how long what limits a carrier now goes on; 0 if nobody knows", &["carrier"]),
            rate_allowed: float_gauges(r, "carrier_rate_allowed", "Segments a second that may go to a carrier now", &["carrier"]),
            rate_used: gauges(r, "carrier_rate_used", "Segments that went to a carrier in the last full second", &["carrier"]),
            limit_left: gauges(r, "carrier_limit_left", "Segments that may still go in this minute or day, by the calendar limits", &["carrier", "window"]),
            limit_reset: gauges(r, "carrier_limit_reset_seconds", "How long this minute or day still lasts", &["carrier", "window"]),
            queue_depth: gauges(r, "carrier_class_messages", "Messages that wait for a carrier, by priority", &["carrier", "priority"]),
            queue_oldest: gauges(r, "carrier_class_oldest_seconds", "How long the oldest message of a priority has been due", &["carrier", "priority"]),
            segments: counters(r, "carrier_segments_total", "Short messages handed to a carrier, attempts counted each", &["carrier"]),
            retries: counters(r, "carrier_retries_total", "Messages that wait for another attempt after one that failed, by carrier", &["carrier"]),
            statuses: counters(r, "carrier_statuses_total", "Dispatches that a carrier refused, by carrier and command_status", &["carrier", "status"]),
            response: Histograms::new(r, "carrier_response_seconds", "From a message's hand-over to its carrier's answer", "carrier"),
        }
    }
}

/// The metrics of one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    pub sessions: IntGaugeVec,
    pub sessions_closed: IntCounterVec,
    pub pdus: IntCounterVec,
    pub pdu_errors: IntCounterVec,
    pub binds_refused: IntCounter,
    pub accepts_failed: IntCounter,
    pub requests: IntCounterVec,
    pub outbinds: IntCounterVec,
    pub submitted: IntCounter,
    pub refused: IntCounterVec,
    pub clamped: IntCounterVec,
    pub screening: Screening,
    pub expired: IntCounterVec,
    pub accepted: IntCounterVec,
    pub accounts: IntGaugeVec,
    pub segments: IntCounter,
    pub cancelled: IntCounter,
    pub replaced: IntCounter,
    pub dispatched: IntCounter,
    pub taken: IntCounter,
    pub bulks: IntGaugeVec,
    pub bulks_refused: IntCounterVec,
    pub carrier_refused: IntCounterVec,
    pub carrier_events: IntCounterVec,
    pub carrier_binds_refused: IntCounterVec,
    pub possible_duplicates: IntCounterVec,
    pub carrier_passed_on: IntCounterVec,
    pub carrier_sick: IntCounterVec,
    pub poisoned: IntCounterVec,
    pub settled: IntCounterVec,
    pub receipts: IntCounterVec,
    pub inbound: IntCounterVec,
    pub inbound_refused: IntCounterVec,
    pub messages: IntGaugeVec,
    pub memory: IntGaugeVec,
    pub refused_for_memory: IntCounter,
    pub timers: IntGaugeVec,
    pub queued: IntGaugeVec,
    pub links: IntGaugeVec,
    pub breaker: IntGaugeVec,
    pub window: IntGaugeVec,
    pub window_used: IntGaugeVec,
    pub pace: Pace,
    pub spool_octets: IntGaugeVec,
    pub spool_commits: IntCounter,
    pub spool_frames: IntCounter,
    pub spool_written: IntCounter,
    pub spool_segments: IntCounterVec,
    pub spool_compacted: IntCounter,
    pub spool_failures: IntCounter,
    pub spool_read_only: IntGauge,
    pub spool_full: IntGauge,
    pub spool_reserves: IntCounter,
    pub clock_step: IntGauge,
    pub clock_steps: IntCounter,
    pub expiry_held: IntGauge,
    pub reloads: IntCounterVec,
    pub ready: IntGauge,
    pub submit_response: Histogram,
    pub receipt: Histogram,
    pub lateness: Histogram,
    pub inbound_wait: Histogram,
    pub commit: Histogram,
    pub commit_octets: Histogram,
}

/// What befalls submissions before their route.
#[derive(Clone, Debug)]
pub struct Screening {
    pub refused: IntCounterVec,
    pub rewritten: IntCounterVec,
    pub wishes: IntCounterVec,
    pub opt_outs: IntGauge,
}

impl Screening {
    #[rustfmt::skip] // a table: a line each
    fn new(r: &Registry) -> Self {
        Self {
            refused: counters(r, "screening_refused_total", "Submissions refused before their route, by why", &["reason"]),
            rewritten: counters(r, "screening_rewritten_total", "Addresses of submissions that were written anew, by which", &["what"]),
            wishes: counters(r, "opt_out_wishes_total", "What handsets wished of what accounts send them: out, in, or not noted for want of room", &["wish"]),
            opt_outs: gauge(r, "opt_outs", "Handsets that don't want to hear from an account, or from one of its numbers"),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics, at zero.
    #[rustfmt::skip] // a table: a line each
    pub fn new() -> Self {
        let registry = Registry::new();
        let r = &registry;
        Self {
            sessions: gauges(r, "sessions", "Bound sessions, by side and peer", &["side", "peer"]),
            sessions_closed: counters(r, "sessions_closed_total", "Ended sessions, by side and reason", &["side", "reason"]),
            pdus: counters(r, "pdus_total", "PDUs, by side and direction", &["side", "direction"]),
            pdu_errors: counters(r, "pdu_errors_total", "PDUs that were out of place, by side and kind", &["side", "kind"]),
            binds_refused: counter(r, "binds_refused_total", "Binds of ESMEs that were refused"),
            accepts_failed: counter(r, "accepts_failed_total", "Times that a connection could not be accepted, for want of descriptors most likely"),
            requests: counters(r, "requests_total", "Requests of peers that were legal when they came, by side and command", &["side", "command"]),
            outbinds: counters(r, "outbinds_total", "Calls by outbind, carriers' (in) and ours (out), by what came of them", &["direction", "outcome"]),
            submitted: counter(r, "submitted_total", "Well-formed submissions"),
            refused: counters(r, "refused_total", "Submissions refused, by command_status", &["status"]),
            accepted: counters(r, "accepted_total", "Submissions taken over, by what their answers waited for: disk, os or memory", &["durability"]),
            accounts: gauges(r, "accounts", "Accounts configured, by what their answers wait for: disk, os or memory", &["durability"]),
            segments: counter(r, "segments_total", "Short messages that the accepted submissions amount to"),
            cancelled: counter(r, "cancelled_total", "Messages cancelled by their accounts"),
            replaced: counter(r, "replaced_total", "Messages replaced by their accounts"),
            clamped: counters(r, "validity_clamped_total", "Submissions whose validity was cut to the longest allowed, by account", &["account"]),
            screening: Screening::new(r),
            expired: counters(r, "expired_total", "Messages whose validity ended, by where they were", &["stage"]),
            bulks: gauges(r, "bulks", "Bulks, by state", &["state"]),
            bulks_refused: counters(r, "bulk_changes_refused_total", "What was asked of bulks and not done, by why", &["reason"]),
            dispatched: counter(r, "dispatched_total", "Messages handed to a link, attempts counted each"),
            taken: counter(r, "taken_total", "Messages that a carrier took"),
            carrier_refused: counters(r, "carrier_refused_total", "Dispatches refused by a carrier, by command_status", &["status"]),
            carrier_events: counters(r, "carrier_events_total", "What else befell dispatches: deferred, unanswered, answered late, doubtful, without an id, assumed sent", &["event"]),
            carrier_binds_refused: counters(r, "carrier_binds_refused_total", "Our binds that a carrier refused, by command_status; alarm if it grows", &["carrier", "status"]),
            possible_duplicates: counters(r, "possible_duplicates_total", "Messages handed to a carrier that may have them already, since it did not answer", &["carrier"]),
            carrier_passed_on: counters(r, "carrier_passed_on_total", "Messages that came to a carrier after another candidate of their route had failed or refused them", &["carrier"]),
            carrier_sick: counters(r, "carrier_sick_total", "Times that a carrier was taken for sick and left alone for a while", &["carrier"]),
            poisoned: counters(r, "poisoned_total", "Messages given up because their carrier, or our words for it, fell over them each time; alarm if it grows", &["carrier"]),
            settled: counters(r, "settled_total", "Messages that reached their final state", &["state"]),
            receipts: counters(r, "receipts_total", "Receipts, by what became of them", &["event"]),
            inbound: counters(r, "inbound_total", "Messages from handsets, by what became of them", &["event"]),
            inbound_refused: counters(r, "inbound_refused_total", "Messages from handsets that were not taken over, by reason", &["reason"]),
            memory: gauges(r, "memory_bytes", "Octets of memory in use by the hub's own books (used), those of them in the buffers of sessions (buffers), and how many there may be (limit)", &["what"]),
            refused_for_memory: counter(r, "refused_for_memory_total", "Messages that were not taken because the limit of memory was near, from customers and carriers"),
            messages: gauges(r, "messages", "Messages in the hub, by where they are", &["place"]),
            timers: gauges(r, "timers", "Messages that wait for a time, by what for", &["kind"]),
            queued: gauges(r, "carrier_queue_messages", "Messages that wait for a link", &["carrier"]),
            breaker: gauges(r, "carrier_breaker", "How a carrier is held for: 0 well, 1 tried with one message at a time, 2 sick and left alone", &["carrier"]),
            links: gauges(r, "carrier_links", "Bound links", &["carrier"]),
            window: gauges(r, "carrier_window", "Places in the windows of all bound links", &["carrier"]),
            window_used: gauges(r, "carrier_window_used", "Places in use in the windows of all bound links", &["carrier"]),
            pace: Pace::new(r),
            spool_octets: gauges(r, "spool_bytes", "Octets in the spool, all of them and those of living messages", &["what"]),
            spool_commits: counter(r, "spool_commits_total", "Commits of the spool: one write and one sync each"),
            spool_frames: counter(r, "spool_frames_total", "Frames that the spool wrote"),
            spool_written: counter(r, "spool_written_bytes_total", "Octets that the spool wrote"),
            spool_segments: counters(r, "spool_segments_total", "Segments begun, by whether somebody had prepared them", &["prepared"]),
            spool_compacted: counter(r, "spool_compacted_messages_total", "Messages that compaction wrote again"),
            spool_failures: counter(r, "spool_failures_total", "Writes or syncs of the spool that failed"),
            spool_read_only: gauge(r, "spool_read_only", "1 while the spool takes nothing and submissions are refused"),
            spool_full: gauge(r, "spool_full", "1 while the disk has no room for another segment and submissions are refused; alarm if it isn't 0"),
            spool_reserves: counter(r, "spool_reserves_total", "Times that the disk was full and the reserve was given up"),
            clock_step: gauge(r, "clock_step_seconds", "By how much the wall clock is off the time that is believed, while it is doubted; alarm if it isn't 0"),
            clock_steps: counter(r, "clock_steps_total", "Times that the wall clock was found set"),
            expiry_held: gauge(r, "expiry_held", "1 while nothing expires because the clock was far from the log at the start"),
            reloads: counters(r, "reloads_total", "Times that the configuration was read again, by what came of it: done, faulty or nothing to read", &["outcome"]),
            ready: gauge(r, "ready", "1 while the hub accepts binds"),
            submit_response: Histogram::new(r, "submit_response_seconds", "From a submission in the hub to its durable answer", &BOUNDS_S),
            receipt: Histogram::new(r, "receipt_seconds", "From a message's acceptance to its receipt in the account's hands", &BOUNDS_S),
            lateness: Histogram::new(r, "lateness_seconds", "From the time when a scheduled or retried message was due to its hand-over to a link", &BOUNDS_S),
            inbound_wait: Histogram::new(r, "inbound_seconds", "From a message from a handset to its account's answer to it", &BOUNDS_S),
            commit: Histogram::new(r, "spool_commit_seconds", "One write and sync of the spool", &BOUNDS_S),
            commit_octets: Histogram::new(r, "spool_commit_batch_bytes", "Octets of one commit", &BOUNDS_BATCH),
            registry,
        }
    }

    /// All metrics in the text format that Prometheus scrapes.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            return format!("# {error}\n");
        }
        String::from_utf8(text).unwrap_or_default()
    }
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    let counter = IntCounter::new(format!("enroute_{name}"), help).expect("a valid name");
    registry.register(Box::new(counter.clone())).expect("each name is used once");
    counter
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let counters =
        IntCounterVec::new(Opts::new(format!("enroute_{name}"), help), labels).expect("valid names");
    registry.register(Box::new(counters.clone())).expect("each name is used once");
    counters
}

fn float_gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
    let gauges = GaugeVec::new(Opts::new(format!("enroute_{name}"), help), labels).expect("valid names");
    registry.register(Box::new(gauges.clone())).expect("each name is used once");
    gauges
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    let gauge = IntGauge::new(format!("enroute_{name}"), help).expect("a valid name");
    registry.register(Box::new(gauge.clone())).expect("each name is used once");
    gauge
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    let gauges = IntGaugeVec::new(Opts::new(format!("enroute_{name}"), help), labels).expect("valid names");
    registry.register(Box::new(gauges.clone())).expect("each name is used once");
    gauges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_observations_are_scraped_as_a_cumulative_histogram() {
        let metrics = Metrics::new();
        let mut buckets = Buckets::default();
        buckets.record(Duration::from_micros(90));
        buckets.record(Duration::from_millis(3));
        buckets.record(Duration::from_secs(3600));

        metrics.submit_response.fold(&buckets);

        let text = metrics.render();
        assert!(text.contains("enroute_submit_response_seconds_bucket{le=\"0.0001\"} 1\n"), "{text}");
        assert!(text.contains("enroute_submit_response_seconds_bucket{le=\"0.004\"} 2\n"));
        assert!(text.contains("enroute_submit_response_seconds_bucket{le=\"+Inf\"} 3\n"));
        assert!(text.contains("enroute_submit_response_seconds_count 3\n"));
    }

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let metrics = Metrics::new();
        metrics.refused.with_label_values(&["ESME_RTHROTTLED"]).inc();

        let text = metrics.render();

        assert!(text.contains("enroute_refused_total{status=\"ESME_RTHROTTLED\"} 1"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.starts_with("enroute_"), "{line}");
        }
    }
}
