//! All timers of a session as deadlines (fact sheet 10.2), and the counts that end an unruly one.

use super::Reason;
use crate::codec::Command;
use std::time::{Duration, Instant};

/// How long a session waits for what; defaults by the fact sheet, section 10.2, but for enquire_link: a link that is open at our
/// end only is to be found within 45 s (reliability X13), which 30 s of silence and two waits of 15 s are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// From the connection to the bind.
    pub init: Duration,
    /// From our bind to its answer.
    pub bind: Duration,
    /// From the last PDU received to our enquire_link.
    pub enquire: Duration,
    /// From enquire_link to its answer.
    pub enquire_answer: Duration,
    /// Unanswered enquire_links in a row that end the session.
    pub enquire_misses: u32,
    /// From the last transaction to our unbind; `None`: never.
    pub inactivity: Option<Duration>,
    /// From a request of ours to its answer.
    pub response: Duration,
    /// From unbind to the end, whatever is still outstanding.
    pub unbind: Duration,
    /// From the first octet of a PDU to its last.
    pub pdu: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            init: Duration::from_secs(10),
            bind: Duration::from_secs(10),
            enquire: Duration::from_secs(20),
            enquire_answer: Duration::from_secs(10),
            enquire_misses: 2,
            inactivity: None,
            response: Duration::from_secs(30),
            unbind: Duration::from_secs(5),
            pdu: Duration::from_secs(30),
        }
    }
}

/// What the passing of time asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Enquire,
    Unbind,
    Close(Reason),
}

/// Which deadlines count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the bind; the peer's bind may wait for its verdict.
    Opening,
    /// Our bind is on its way.
    Binding,
    Bound,
    /// An unbind was sent or received.
    Leaving,
}

#[derive(Clone, Copy, Debug)]
struct Enquiry {
    sequence: u32,
    sent: Instant,
    misses: u32,
}

#[derive(Debug)]
pub(super) struct Timing {
    timers: Timers,
    opened: Instant,
    /// When the present phase began: the bind was sent, the session bound, or the unbind exchanged.
    since: Instant,
    received: Instant,
    transacted: Instant,
    enquiry: Option<Enquiry>,
    /// When we began to listen again, after nothing was read on purpose.
    listening: Option<Instant>,
    partial: Option<Instant>,
    strikes: u32,
    nacks: u32,
    nacks_since: Instant,
}

impl Timing {
    pub fn new(timers: Timers, now: Instant) -> Self {
        Self {
            timers,
            opened: now,
            since: now,
            received: now,
            transacted: now,
            enquiry: None,
            listening: None,
            partial: None,
            strikes: 0,
            nacks: 0,
            nacks_since: now,
        }
    }

    pub fn bind_sent(&mut self, now: Instant) {
        self.since = now;
    }

    pub fn bound(&mut self, now: Instant) {
        (self.since, self.received, self.transacted) = (now, now, now);
    }

    pub fn drain(&mut self, now: Instant) {
        self.since = now;
    }

    pub fn received(&mut self, now: Instant, command: Command) {
        self.received = now;
        if command.request() != Command::ENQUIRE_LINK {
            self.transacted = now;
        }
    }

    /// Whether a PDU is begun and not finished.
    pub fn partial(&mut self, begun: bool, now: Instant) {
        self.partial = begun.then(|| self.partial.unwrap_or(now));
    }

    pub fn enquired(&mut self, sequence: u32, now: Instant) {
        let misses = self.enquiry.map_or(0, |enquiry| enquiry.misses);
        self.enquiry = Some(Enquiry { sequence, sent: now, misses });
    }

    /// Nothing was read on purpose: the peer's silence counts from now on.
    pub fn deaf(&mut self, now: Instant) {
        (self.received, self.enquiry) = (now, None);
    }

    /// Reading goes on: whatever the peer owes us may have come meanwhile.
    pub fn listens(&mut self, now: Instant) {
        self.listening = Some(now);
    }

    /// Whether the peer has been listened to for as long as an answer may take.
    pub fn has_listened(&self, now: Instant) -> bool {
        self.listening.is_none_or(|since| now >= since + self.timers.response)
    }

    /// Whether `sequence` is that of our enquire_link; it is then done with.
    pub fn enquire_answered(&mut self, sequence: u32) -> bool {
        self.enquiry.take_if(|enquiry| enquiry.sequence == sequence).is_some()
    }

    /// One more PDU out of place before the bind; true if that was one too many.
    pub fn strike(&mut self) -> bool {
        self.strikes += 1;
        self.strikes >= MAX_STRIKES
    }

    /// One more generic_nack; true if there were too many within a minute.
    pub fn nacked(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.nacks_since) > NACK_PERIOD {
            (self.nacks, self.nacks_since) = (0, now);
        }
        self.nacks += 1;
        self.nacks > MAX_NACKS
    }

    /// The inactivity unbind is sent once.
    pub fn idle_done(&mut self) {
        self.timers.inactivity = None;
    }

    pub fn next(&self, phase: Phase, oldest_request: Option<Instant>) -> Option<Instant> {
        let partial = self.partial.map(|since| since + self.timers.pdu);
        let asked = |sent: Instant| self.listening.map_or(sent, |since| sent.max(since));
        let response = oldest_request.map(|sent| asked(sent) + self.timers.response);
        let phase = match phase {
            Phase::Opening => Some(self.opened + self.timers.init),
            Phase::Binding => Some(self.since + self.timers.bind),
            Phase::Leaving => Some(self.since + self.timers.unbind),
            Phase::Bound => {
                let idle = self.timers.inactivity.map(|limit| self.transacted + limit);
                [idle, Some(self.enquire_at())].into_iter().flatten().min()
            }
        };
        [partial, response, phase].into_iter().flatten().min()
    }

    /// Whether the peer has said nothing at all since our last enquire_link, which is some time ago.
    pub fn is_mute(&self, now: Instant) -> bool {
        let patience = self.timers.enquire_answer / 2;
        self.enquiry.is_some_and(|enquiry| self.received <= enquiry.sent && now >= enquiry.sent + patience)
    }

    fn enquire_at(&self) -> Instant {
        match self.enquiry {
            // Any PDU proves life, though the answer itself is still owed.
            Some(enquiry) if self.received <= enquiry.sent => enquiry.sent + self.timers.enquire_answer,
            Some(_) | None => self.received + self.timers.enquire,
        }
    }

    pub fn due(&mut self, phase: Phase, now: Instant) -> Due {
        if self.partial.is_some_and(|since| now >= since + self.timers.pdu) {
            return Due::Close(Reason::Stalled);
        }
        match phase {
            Phase::Opening if now >= self.opened + self.timers.init => Due::Close(Reason::NoBind),
            Phase::Binding if now >= self.since + self.timers.bind => Due::Close(Reason::BindFailed),
            Phase::Leaving if now >= self.since + self.timers.unbind => Due::Close(Reason::Unbound),
            Phase::Bound => self.due_bound(now),
            Phase::Opening | Phase::Binding | Phase::Leaving => Due::Nothing,
        }
    }

    fn due_bound(&mut self, now: Instant) -> Due {
        if self.timers.inactivity.is_some_and(|limit| now >= self.transacted + limit) {
            return Due::Unbind;
        }
        if now < self.enquire_at() {
            return Due::Nothing;
        }
        match &mut self.enquiry {
            Some(enquiry) if self.received <= enquiry.sent => {
                enquiry.misses += 1;
                if enquiry.misses >= self.timers.enquire_misses {
                    return Due::Close(Reason::Silent);
                }
            }
            Some(enquiry) => enquiry.misses = 0,
            None => {}
        }
        Due::Enquire
    }
}

/// PDUs out of place before the bind that end the session (fact sheet 10.1).
const MAX_STRIKES: u32 = 3;
/// generic_nacks within [`NACK_PERIOD`] that a session survives (fact sheet 10.5).
const MAX_NACKS: u32 = 10;
const NACK_PERIOD: Duration = Duration::from_secs(60);
