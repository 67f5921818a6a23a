//! Requests that a session answers by itself: each costs next to nothing, and a flood of them a processor.
//!
//! They fill no window, so nothing else holds them back. Whoever has sent thousands is left unread for a moment, however long they took:
//! two hundred thousand a second at most, which nobody notices who does not want to harm.

use std::time::{Duration, Instant};

/// How much of it there was.
#[derive(Debug, Default)]
pub(super) struct Chatter {
    /// Since the last rest.
    count: u32,
    rests_until: Option<Instant>,
}

impl Chatter {
    /// One more.
    pub fn note(&mut self, now: Instant) {
        self.count += 1;
        if self.count >= MOST {
            self.count = 0;
            self.rests_until = Some(self.rests_until.unwrap_or(now) + REST);
        }
    }

    /// Whether the peer is read.
    pub const fn is_borne(&self) -> bool {
        self.rests_until.is_none()
    }

    /// When it is read again.
    pub const fn rests_until(&self) -> Option<Instant> {
        self.rests_until
    }

    /// Ends a rest whose time has come.
    pub fn go_on(&mut self, now: Instant) {
        self.rests_until.take_if(|until| *until <= now);
    }
}

/// So many of them, and then a rest.
const MOST: u32 = 4096;
const REST: Duration = Duration::from_millis(20);
