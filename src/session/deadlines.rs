//! What a session does when time passes, and when it has to be asked again.
//!
//! A session whose peer has used up its window of requests is deaf: nothing is read, the peer's answers neither. So its silence says
//! nothing, and a request of ours goes unanswered only after we have listened for as long as an answer may take.

use super::{Event, Session, Side, State, timing};
use crate::clock::Now;
use crate::codec::{Command, Status};
use crate::session::Reason;
use std::time::{Duration, Instant};

impl Session {
    /// When [`Session::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        if matches!(self.state, State::Closed(_)) {
            return None;
        }
        let phase = self.phase();
        let oldest = self.window.oldest().filter(|_| !self.window_is_used_up());
        self.timing.next(phase, oldest)
    }

    /// Whether the peer may ask nothing more before we answer: then nothing of it is read, its answers neither.
    pub(super) fn window_is_used_up(&self) -> bool {
        self.owed >= self.settings.window_in
    }

    /// Takes note that we listen again, if we have been deaf: what the peer has said meanwhile has yet to be read.
    pub(super) fn listen_again(&mut self, now: Now) {
        if let Some(since) = self.deaf_since.take_if(|_| self.owed < self.settings.window_in)
            && now.mono.saturating_duration_since(since) >= DEAF_MIN
        {
            self.timing.listens(now.mono);
        }
    }

    fn phase(&self) -> timing::Phase {
        match (self.state, self.side) {
            (State::Open | State::Outbound, _) | (State::Binding { .. }, Side::Mc) => timing::Phase::Opening,
            (State::Binding { .. }, Side::Esme) => timing::Phase::Binding,
            (State::Bound(_), _) => timing::Phase::Bound,
            (State::Unbinding { .. } | State::Draining { .. } | State::Closed(_), _) => {
                timing::Phase::Leaving
            }
        }
    }

    /// Does one thing whose time has come; call until it gives `None`.
    pub fn handle_timeout(&mut self, now: Now) -> Option<Event<'static>> {
        if matches!(self.state, State::Closed(_)) {
            return None;
        }
        self.listen_again(now);
        if self.deaf_since.is_none()
            && self.timing.has_listened(now.mono)
            && let Some(sent) = self.window.expire(self.settings.timers.response, now.mono)
        {
            return Some(Event::Unanswered(sent));
        }
        match self.timing.due(self.phase(), now.mono) {
            timing::Due::Nothing => {}
            // While its window keeps us from reading, its silence says nothing.
            timing::Due::Enquire if self.window_is_used_up() => {
                self.timing.deaf(now.mono);
            }
            timing::Due::Enquire => {
                let sequence = self.window.take_number();
                self.write_header(Command::ENQUIRE_LINK, Status::ROK, sequence);
                self.timing.enquired(sequence, now.mono);
            }
            timing::Due::Unbind => {
                self.unbind(now);
                self.timing.idle_done();
            }
            timing::Due::Close(Reason::Unbound) => {
                if let State::Draining { sequence, .. } = self.state {
                    self.write_header(Command::UNBIND.response(), Status::ROK, sequence);
                }
                self.close(Reason::Unbound);
            }
            timing::Due::Close(reason) => self.close(reason),
        }
        None
    }
}

/// Who stops reading for less than this misses nothing that matters.
const DEAF_MIN: Duration = Duration::from_secs(1);
