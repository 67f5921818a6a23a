//! What a session does when time passes, and when it has to be asked again.
//!
//! A session whose peer asks more than its window has room for is deaf: nothing is read, the peer's answers neither. So its silence says
//! nothing, and a request of ours goes unanswered only after we have listened for as long as an answer may take.

use super::timing::{Due, Phase};
use super::{Event, Reason, Session, Side, State};
use crate::clock::Now;
use crate::codec::{Command, Status};
use std::time::{Duration, Instant};

impl Session {
    /// When [`Session::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        if matches!(self.state, State::Closed(_)) {
            return None;
        }
        let phase = self.phase();
        let oldest = self.window.oldest().filter(|_| !self.is_deaf());
        [self.timing.next(phase, oldest), self.chatter.rests_until()].into_iter().flatten().min()
    }

    /// Whether the peer has asked more than it may before we answer: then nothing of it is read, its answers neither.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf_since.is_some() && self.owed >= self.settings.window_in
    }

    /// Takes note that we listen again, if we have been deaf: what the peer has said meanwhile has yet to be read.
    pub(super) fn listen_again(&mut self, now: Now) {
        if let Some(since) = self.deaf_since.take_if(|_| self.owed < self.settings.window_in)
            && now.mono.saturating_duration_since(since) >= DEAF_MIN
        {
            self.timing.listens(now.mono);
        }
    }

    fn phase(&self) -> Phase {
        match (self.state, self.side) {
            (State::Open | State::Outbound, _) | (State::Binding { .. }, Side::Mc) => Phase::Opening,
            (State::Binding { .. }, Side::Esme) => Phase::Binding,
            (State::Bound(_), _) => Phase::Bound,
            (State::Unbinding { .. } | State::Draining { .. } | State::Closed(_), _) => Phase::Leaving,
        }
    }

    /// Whether a request of ours went unanswered for its time and the peer is mute altogether. Then it is not that request that is
    /// the matter: the end of the session tells all of them at once, so that they can go elsewhere.
    fn is_dead(&self, now: Now) -> bool {
        let timeout = self.settings.timers.response;
        let is_overdue = self.window.oldest().is_some_and(|sent| now.mono >= sent + timeout);
        is_overdue
            && !self.is_deaf()
            && matches!(self.state, State::Bound(_))
            && self.timing.is_mute(now.mono)
    }

    /// Does one thing whose time has come; call until it gives `None`.
    pub fn handle_timeout(&mut self, now: Now) -> Option<Event<'static>> {
        if matches!(self.state, State::Closed(_)) {
            return None;
        }
        self.chatter.go_on(now.mono);
        self.listen_again(now);
        let listens = self.deaf_since.is_none() && self.timing.has_listened(now.mono);
        if listens && self.is_dead(now) {
            self.close(Reason::Silent);
            return None;
        }
        if listens && let Some(sent) = self.window.expire(self.settings.timers.response, now.mono) {
            return Some(Event::Unanswered(sent));
        }
        match self.timing.due(self.phase(), now.mono) {
            Due::Nothing => {}
            // While its window keeps us from reading, its silence says nothing.
            Due::Enquire if self.is_deaf() => {
                self.timing.deaf(now.mono);
            }
            Due::Enquire => {
                let sequence = self.window.take_number();
                self.write_header(Command::ENQUIRE_LINK, Status::ROK, sequence);
                self.timing.enquired(sequence, now.mono);
            }
            Due::Unbind => {
                self.unbind(now);
                self.timing.idle_done();
            }
            Due::Close(Reason::Unbound) => {
                if let State::Draining { sequence, .. } = self.state {
                    self.write_header(Command::UNBIND.response(), Status::ROK, sequence);
                }
                self.close(Reason::Unbound);
            }
            Due::Close(reason) => self.close(reason),
        }
        None
    }
}

/// Who stops reading for less than this misses nothing that matters.
const DEAF_MIN: Duration = Duration::from_secs(1);
