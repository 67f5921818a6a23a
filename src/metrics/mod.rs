//! Every metric: its name, its help, and a handle that is resolved once.
//!
//! Pure rooms count into plain integers ([`Buckets`] for times); whoever runs them folds those into the handles here, once a batch.
//! Names begin with `enroute_`, units are seconds and octets ("bytes", as Prometheus says), counters end in `_total`. Labels
//! hold names from the configuration and words from fixed lists only, so the number of series is bounded by the configuration.

mod histogram;

pub use histogram::{BOUNDS_BATCH, BOUNDS_S, Buckets, Histogram, Histograms};

use prometheus::{
    Encoder, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// What limits carriers, and how they take what they get.
#[derive(Clone, Debug)]
pub struct Pace {
    pub window: IntGaugeVec,
    pub window_used: IntGaugeVec,
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
            window: gauges(r, "carrier_window", "Places in the windows of all bound links", &["carrier"]),
            window_used: gauges(r, "carrier_window_used", "Places in use in the windows of all bound links", &["carrier"]),
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
    pub way: WayMetrics,
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
            way: WayMetrics::new(r),
            links: gauges(r, "carrier_links", "Bound links", &["carrier"]),
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

/// What each carrier makes of messages.
#[derive(Clone, Debug)]
pub struct WayMetrics {
    pub passed_on: IntCounterVec,
    pub sick: IntCounterVec,
    pub ended: IntCounterVec,
    pub waited_ms: IntCounterVec,
    pub breaker: IntGaugeVec,
}

impl WayMetrics {
    fn new(r: &Registry) -> Self {
        Self {
            passed_on: counters(
                r,
                "carrier_passed_on_total",
                "Messages that came to a carrier after another candidate of their route had failed or refused them",
                &["carrier"],
            ),
            sick: counters(
                r,
                "carrier_sick_total",
                "Times that a carrier was taken for sick and left alone for a while",
                &["carrier"],
            ),
            ended: counters(
                r,
                "carrier_ended_total",
                "Messages that a carrier had taken, by how they ended",
                &["carrier", "state"],
            ),
            waited_ms: counters(
                r,
                "carrier_receipt_wait_milliseconds_total",
                "From a carrier's answer to the end of its message, over all in carrier_ended_total",
                &["carrier"],
            ),
            breaker: gauges(
                r,
                "carrier_breaker",
                "How a carrier is held for: 0 well, 1 tried with one message at a time, 2 sick and left alone",
                &["carrier"],
            ),
        }
    }
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
    use std::time::Duration;

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
