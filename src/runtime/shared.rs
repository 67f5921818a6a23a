//! What all tasks of a hub share.

use super::Plan;
use super::caller::Calling;
use super::mail::Mail;
use super::mailbox::Mailbox;
use crate::esme::Registry;
use crate::hub::{self, Durability};
use crate::id::{IdKey, SessionId};
use crate::metrics::Metrics;
use crate::session::{self, HANDED_OUT};
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::mpsc;

/// What tasks share.
pub(super) struct Shared {
    pub session: session::Settings,
    pub registry: Arc<Registry>,
    pub id_key: IdKey,
    pub mailbox: Arc<Mailbox<Mail>>,
    pub metrics: Metrics,
    pub esme_metrics: SideMetrics,
    pub carrier_metrics: SideMetrics,
    pub max_connections: usize,
    /// Octets in the buffers of all sessions.
    pub buffers: Arc<AtomicU64>,
    /// Carriers that may call us.
    pub calling: RwLock<Vec<Arc<Calling>>>,
    /// Somebody's answers wait for the operating system alone.
    pub tells_written: Arc<AtomicBool>,
    /// Dropped with the last task: the receiver hears of it.
    _last: mpsc::Sender<()>,
    sessions: AtomicU64,
}

impl Shared {
    /// What tasks share, and who hears of it when the last of them is gone.
    pub fn new(
        plan: &Plan,
        registry: Arc<Registry>,
        id_key: IdKey,
        metrics: Metrics,
    ) -> (Arc<Self>, mpsc::Receiver<()>) {
        let (last, gone) = mpsc::channel(1);
        let shared = Self {
            session: plan.session,
            registry,
            id_key,
            mailbox: Arc::default(),
            esme_metrics: SideMetrics::new(&metrics, "esme"),
            carrier_metrics: SideMetrics::new(&metrics, "carrier"),
            metrics,
            max_connections: plan.max_connections,
            buffers: Arc::default(),
            calling: RwLock::new(Calling::of(plan.hub.carriers.iter().map(|plan| &plan.carrier))),
            tells_written: Arc::new(AtomicBool::new(tells_written(&plan.hub))),
            _last: last,
            sessions: AtomicU64::new(1),
        };
        (Arc::new(shared), gone)
    }

    /// Those who may call us, as they are now.
    pub fn calling(&self) -> Vec<Arc<Calling>> {
        self.calling.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Others may call us, and other accounts wait for what they said.
    pub fn go_by(&self, settings: &hub::Settings) {
        let calling = Calling::of(settings.carriers.iter().map(|plan| &plan.carrier));
        *self.calling.write().unwrap_or_else(PoisonError::into_inner) = calling;
        self.tells_written.store(tells_written(settings), Ordering::Relaxed);
    }

    pub fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed))
    }
}

fn tells_written(settings: &hub::Settings) -> bool {
    settings.accounts.iter().any(|plan| plan.durability == Durability::Os)
}

/// What one session has in its buffers, as a part of what all have.
pub(super) struct Meter {
    all: Arc<AtomicU64>,
    input: u64,
    output: u64,
}

impl Meter {
    pub fn new(shared: &Shared) -> Self {
        Self { all: Arc::clone(&shared.buffers), input: 0, output: 0 }
    }

    /// Notes how much room the buffer has that is read into.
    pub fn note_input(&mut self, octets: usize) {
        let before = std::mem::replace(&mut self.input, octets as u64);
        self.add(before, octets as u64);
    }

    /// Notes how much waits to be written.
    pub fn note_output(&mut self, octets: usize) {
        let before = std::mem::replace(&mut self.output, octets as u64);
        self.add(before, octets as u64);
    }

    fn add(&self, before: u64, after: u64) {
        if before != after {
            // Wraps where it shrinks: the sum of all is right.
            self.all.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.note_input(0);
        self.note_output(0);
    }
}

/// Handles for what sessions of one side count.
#[derive(Clone)]
pub(super) struct SideMetrics {
    pub sessions: IntGaugeVec,
    pub closed: IntCounterVec,
    pdus_in: IntCounter,
    pdus_out: IntCounter,
    unmatched: IntCounter,
    misplaced: IntCounter,
    nacks: IntCounter,
    /// In the order of [`HANDED_OUT`].
    requests: [IntCounter; HANDED_OUT.len()],
}

impl SideMetrics {
    fn new(metrics: &Metrics, side: &str) -> Self {
        let error = |kind| metrics.pdu_errors.with_label_values(&[side, kind]);
        Self {
            sessions: metrics.sessions.clone(),
            closed: metrics.sessions_closed.clone(),
            pdus_in: metrics.pdus.with_label_values(&[side, "in"]),
            pdus_out: metrics.pdus.with_label_values(&[side, "out"]),
            unmatched: error("unmatched_response"),
            misplaced: error("out_of_place"),
            nacks: error("generic_nack"),
            requests: HANDED_OUT.map(|command| metrics.requests.with_label_values(&[side, command.name()])),
        }
    }

    pub fn fold(&self, stats: session::Stats) {
        // Only the ESMEs' side has binds to read: the listener counts those.
        let session::Stats { pdus_in, pdus_out, unmatched, misplaced, nacks, binds_unreadable: _, requests } =
            stats;
        for (counter, count) in [
            (&self.pdus_in, pdus_in),
            (&self.pdus_out, pdus_out),
            (&self.unmatched, unmatched),
            (&self.misplaced, misplaced),
            (&self.nacks, nacks),
        ] {
            if count > 0 {
                counter.inc_by(count);
            }
        }
        for (counter, count) in self.requests.iter().zip(requests).filter(|(_, count)| *count > 0) {
            counter.inc_by(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_add_up_and_leave_nothing_behind() {
        let all: Arc<AtomicU64> = Arc::default();
        let meter = || Meter { all: Arc::clone(&all), input: 0, output: 0 };
        let (mut one, mut other) = (meter(), meter());

        one.note_input(100);
        other.note_input(50);
        one.note_output(7);
        one.note_input(10);
        assert_eq!(all.load(Ordering::Relaxed), 67);
        drop(one);
        assert_eq!(all.load(Ordering::Relaxed), 50);
        drop(other);

        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
