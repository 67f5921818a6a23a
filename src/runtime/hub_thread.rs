//! The thread that runs the hub: letters in, a turn, effects out.

use super::mail::{Errand, Mail, Request, Task};
use super::mailbox::{Mailbox, Outbox};
use super::now;
use super::rest::{Effort, Rest};
use super::spool_threads::Progress;
use crate::bulk;
use crate::carrier::LinkBatch;
use crate::clock::Change;
use crate::esme::PortBatch;
use crate::hub::{CarrierMeters, Effects, Event, Hub, Reload, Sessions, Settings, Stats};
use crate::id::{AccountId, CarrierId, SessionId};
use crate::metrics::Metrics;
use crate::route;
use foldhash::HashMap;
use prometheus::IntCounter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

/// The hub and everybody it has something for.
pub(super) struct HubThread {
    pub hub: Hub,
    pub mailbox: Arc<Mailbox<Mail>>,
    pub progress: Arc<Progress>,
    pub tasks: Arc<Mailbox<Task>>,
    pub errands: Arc<Mailbox<Errand>>,
    pub requests: Arc<Mailbox<Request>>,
    pub metrics: Metrics,
    /// Octets in the buffers of all sessions.
    pub buffers: Arc<AtomicU64>,
    /// Names of the carriers, for their gauges.
    pub carriers: Vec<String>,
    /// Their counters, as far as they have been needed.
    pub meters: Vec<CarrierMeters>,
    /// How often each account's validity was cut: its name, and its counter once it is needed.
    pub clamped: Vec<(String, Option<IntCounter>)>,
    /// Set while nothing is out that could be doubled.
    pub quiet: Arc<AtomicBool>,
    /// Who is to be called.
    pub calls: mpsc::Sender<AccountId>,
    pub ports: HashMap<SessionId, Arc<Outbox<PortBatch>>>,
    pub links: HashMap<SessionId, Arc<Outbox<LinkBatch>>>,
    pub port_rest: Rest,
    pub link_rest: Rest,
    pub bulks: BulkCalls,
    /// Who brought settings that the hub has not taken yet, the first one first.
    pub reloads: Vec<oneshot::Sender<Vec<Settings>>>,
}

/// Calls about bulks that the hub has not answered yet.
#[derive(Default)]
pub(super) struct BulkCalls {
    waiting: HashMap<u64, oneshot::Sender<bulk::Answer>>,
    last: u64,
}

impl BulkCalls {
    /// What the hub is to be told; nothing if it has been asked too much: who called hears so by silence.
    fn take(&mut self, call: bulk::Call) -> Option<Event> {
        let bulk::Call { account, request, answer } = call;
        if self.waiting.len() >= BULK_CALLS_MAX {
            return None;
        }
        self.last += 1;
        self.waiting.insert(self.last, answer);
        Some(Event::Bulk { token: self.last, account, request })
    }

    fn answer(&mut self, token: u64, answer: bulk::Answer) {
        if let Some(way) = self.waiting.remove(&token) {
            let _ = way.send(answer); // he may have gone meanwhile
        }
    }
}

impl HubThread {
    pub fn run(mut self) {
        let (mut letters, mut events) = (Vec::new(), Vec::new());
        let mut shown: Option<Instant> = None;
        let mut effort = Effort::new(now().mono);
        loop {
            let show = shown.map_or_else(|| now().mono, |shown| shown + SHOW_EACH);
            let next = [self.hub.next_timeout(), self.next_round(), Some(show)].into_iter().flatten().min();
            let slept = now().mono;
            self.mailbox.receive(&mut letters, next);
            let mut stop = false;
            let (mut closed, mut asked) = (Vec::new(), Vec::<route::Call>::new());
            for letter in letters.drain(..) {
                match letter {
                    Mail::Event(event) => {
                        if let Event::PortClosed { session } | Event::LinkClosed { session, .. } = &event {
                            closed.push(*session);
                        }
                        events.push(event);
                    }
                    Mail::Reload(reload, way) => {
                        self.learn_names(&reload);
                        self.reloads.push(way);
                        events.push(Event::Reload(reload));
                    }
                    Mail::Bulk(call) => events.extend(self.bulks.take(call)),
                    Mail::Route(call) => asked.push(call),
                    Mail::Port(session, outbox) => drop(self.ports.insert(session, outbox)),
                    Mail::Link(session, outbox) => drop(self.links.insert(session, outbox)),
                    Mail::Stop => stop = true,
                }
            }
            let now = now();
            effort.note(slept, now.mono);
            self.hub.note_buffers(self.buffers.load(Ordering::Relaxed));
            let is_resting = |rest: &Rest| rest.is_on(now.mono) && !stop;
            let (ports, links) = (is_resting(&self.port_rest), is_resting(&self.link_rest));
            self.hub.note_effort(effort.share());
            self.hub.leave_out(Sessions { ports, links });
            let effects = self.hub.turn(events.drain(..), self.progress.reached(), now);
            self.port_rest.begin(effects.ports.len(), effort.ratio(), now.mono);
            self.link_rest.begin(effects.links.len(), effort.ratio(), now.mono);
            self.carry_out(effects);
            for route::Call { question, answer } in asked {
                let _ = answer.send(self.hub.explain(&question)); // he may have gone meanwhile
            }
            for session in closed {
                self.ports.remove(&session);
                self.links.remove(&session);
            }
            self.quiet.store(self.hub.is_quiet(), Ordering::Release);
            if shown.is_none_or(|shown| now.mono >= shown + SHOW_EACH) {
                shown = Some(now.mono);
                self.hub.gauges().show(&self.metrics, &self.carriers);
            }
            if stop {
                self.tasks.send(Task::Stop);
                self.requests.send(Request::Stop);
                return;
            }
        }
    }

    /// When sessions are told what has gathered for them.
    fn next_round(&self) -> Option<Instant> {
        let Sessions { ports, links } = self.hub.gathers_for();
        let rests = [self.port_rest.over().filter(|_| ports), self.link_rest.over().filter(|_| links)];
        rests.into_iter().flatten().min()
    }

    /// Settings go back to whoever brought the next ones, to be dropped there; or here, if he is gone.
    fn give_back(&mut self, mut retired: Vec<Settings>) {
        for way in self.reloads.drain(..) {
            let _ = way.send(std::mem::take(&mut retired));
        }
    }

    /// Takes note of accounts and carriers that are new, for their metrics.
    fn learn_names(&mut self, reload: &Reload) {
        for plan in reload.settings.carriers.iter().skip(self.carriers.len()) {
            self.carriers.push(plan.carrier.name.clone());
        }
        for plan in reload.settings.accounts.iter().skip(self.clamped.len()) {
            self.clamped.push((plan.account.system_id.clone(), None));
        }
    }

    fn carry_out(&mut self, effects: Effects) {
        let Effects {
            ports,
            links,
            frames,
            fetches,
            scan,
            releases,
            cold,
            calls,
            bulks,
            advice,
            poisoned,
            retired,
            stats,
        } = effects;
        if !retired.is_empty() {
            self.give_back(retired);
        }
        let mut tasks: Vec<Task> = frames.into_iter().map(Task::Write).collect();
        self.tasks.send_all(&mut tasks);
        // Not behind the frames: what the hub lets go of is durable elsewhere already.
        let releases = releases.into_iter().map(Errand::Release);
        self.errands.send_all(&mut releases.chain(cold.map(Errand::Uncache)).collect());
        for (session, batch) in ports {
            if let Some(outbox) = self.ports.get(&session) {
                outbox.send(batch);
            }
        }
        for (session, batch) in links {
            if let Some(outbox) = self.links.get(&session) {
                outbox.send(batch);
            }
        }
        for (token, answer) in bulks {
            self.bulks.answer(token, answer);
        }
        for account in calls {
            // Full, or stopping: the hub names it again while something waits.
            let _ = self.calls.try_send(account);
        }
        if !fetches.is_empty() {
            self.requests.send(Request::Fetch(fetches));
        }
        if let Some(number) = scan {
            self.requests.send(Request::Scan(number));
        }
        for (carrier, reading) in advice {
            let carrier = name_of(&self.carriers, carrier);
            let advice = reading.advice();
            warn!(carrier, advice, "its receipts write ids in another form than configured");
        }
        for (carrier, id) in poisoned {
            let name = name_of(&self.carriers, carrier);
            self.metrics.poisoned.with_label_values(&[name]).inc();
            let id = id.text(&self.hub.id_key());
            let id = String::from_utf8_lossy(&id);
            warn!(carrier = name, %id, "a message was given up: its carrier, or our own words for it, fell over it each time");
        }
        self.fold(&stats);
    }

    /// Adds what a turn has counted to the process's metrics.
    fn fold(&mut self, stats: &Stats) {
        for (carrier, counts) in &stats.carriers {
            let place = usize::from(carrier.0);
            if self.meters.len() <= place {
                self.meters.resize_with(place + 1, CarrierMeters::default);
            }
            counts.fold(&self.metrics, name_of(&self.carriers, *carrier), &mut self.meters[place]);
        }
        for (carrier, times) in &stats.repeated {
            let name = name_of(&self.carriers, *carrier);
            self.metrics.possible_duplicates.with_label_values(&[name]).inc_by(*times);
        }
        let by_carrier =
            [(&stats.passed_on, &self.metrics.way.passed_on), (&stats.sick, &self.metrics.way.sick)];
        for (counts, counters) in by_carrier {
            for (carrier, times) in counts {
                let name = name_of(&self.carriers, *carrier);
                counters.with_label_values(&[name]).inc_by(*times);
            }
        }
        if let Some(change) = stats.clock {
            warn_of(change);
        }
        for (account, times) in &stats.clamped {
            if let Some((name, counter)) = self.clamped.get_mut(usize::from(account.0)) {
                let resolve = || self.metrics.clamped.with_label_values(&[name]);
                counter.get_or_insert_with(resolve).inc_by(*times);
            }
        }
        stats.fold(&self.metrics);
    }
}

fn name_of(carriers: &[String], carrier: CarrierId) -> &str {
    carriers.get(usize::from(carrier.0)).map_or("", String::as_str)
}

/// Tells the operator what has happened to the wall clock.
fn warn_of(change: Change) {
    match change {
        Change::Stepped(by_ms) => {
            warn!(
                by_ms,
                "the wall clock was set; the time before goes on until it has stood for clock.hold_s"
            );
        }
        Change::Behind(by_ms) => {
            warn!(by_ms, "the wall clock is behind the last record; nothing expires for clock.hold_s");
        }
        Change::Accepted(by_ms) => warn!(by_ms, "the wall clock stays where it was set, and is believed now"),
        Change::Corrected(by_ms) => {
            warn!(by_ms, "the wall clock was set soon after the start, and is believed")
        }
        Change::Returned => info!("the wall clock is back where it was before it was set"),
    }
}

/// Calls about bulks that may wait for their answers at one time.
const BULK_CALLS_MAX: usize = 1000;

/// How often gauges are shown.
const SHOW_EACH: Duration = Duration::from_millis(250);
