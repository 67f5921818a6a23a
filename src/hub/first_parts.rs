//! Whose a text is whose keyword only its first part says: its other parts go where that went.
//!
//! A part that comes before the first of its text is refused for now, and the carrier brings it again; once that has gone on
//! for as long as parts are waited for anywhere, it is routed as if it said nothing. This is memory of a few minutes only: bounded,
//! and not written.

use super::kin::TextKey;
use crate::assembly::Limits;
use crate::clock::Now;
use crate::id::AccountId;
use foldhash::HashMap;
use std::collections::VecDeque;
use std::time::Instant;

/// What is known of texts whose first parts count.
#[derive(Debug)]
pub(super) struct FirstParts {
    limits: Limits,
    known: HashMap<TextKey, Known>,
    /// In the order in which they became known.
    begun: VecDeque<(Instant, TextKey)>,
}

#[derive(Clone, Copy, Debug)]
enum Known {
    /// The first part has come; `None`: it was nobody's.
    Whose(Option<AccountId>),
    AwaitedSince(Instant),
}

/// What is to be done with a part that isn't the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It goes where the first went, or nowhere either.
    Whose(Option<AccountId>),
    /// The first has yet to come.
    Wait,
    /// The first didn't come in time.
    GiveUp,
}

impl FirstParts {
    /// Nothing is known. Of `limits`, the number of entries and the patience count here.
    pub fn new(limits: Limits) -> Self {
        Self { limits, known: HashMap::default(), begun: VecDeque::new() }
    }

    /// The first part of a text has come, and was this account's, or nobody's.
    pub fn note(&mut self, key: TextKey, account: Option<AccountId>, now: Now) {
        self.forget(now);
        self.keep(key, Known::Whose(account), now);
    }

    /// Another part of a text has come.
    pub fn ask(&mut self, key: TextKey, now: Now) -> Word {
        self.forget(now);
        match self.known.get(&key) {
            Some(Known::Whose(account)) => Word::Whose(*account),
            Some(Known::AwaitedSince(since)) => {
                let waited = now.mono.saturating_duration_since(*since);
                if waited < self.limits.patience { Word::Wait } else { Word::GiveUp }
            }
            None => {
                self.keep(key, Known::AwaitedSince(now.mono), now);
                Word::Wait
            }
        }
    }

    fn keep(&mut self, key: TextKey, known: Known, now: Now) {
        match self.known.insert(key, known) {
            Some(Known::Whose(_)) => return,
            // It came late: known from now on.
            Some(Known::AwaitedSince(_)) => self.begun.retain(|(_, other)| *other != key),
            None => {}
        }
        self.begun.push_back((now.mono, key));
        self.forget(now);
    }

    /// Forgets what is old, and the oldest of what is too much.
    fn forget(&mut self, now: Now) {
        while let Some((since, key)) = self.begun.front() {
            let is_old = now.mono.saturating_duration_since(*since) >= 2 * self.limits.patience;
            if !is_old && self.begun.len() <= self.limits.entries_max {
                break;
            }
            self.known.remove(key);
            self.begun.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::id::CarrierId;
    use std::time::Duration;

    const LIMITS: Limits = Limits { entries_max: 2, octets_max: 0, patience: Duration::from_secs(600) };

    #[expect(clippy::disallowed_methods, reason = "tests need an Instant to move by hand")]
    fn now() -> Now {
        Now { mono: Instant::now(), wall: UnixMs(0) }
    }

    fn key(reference: u16) -> TextKey {
        TextKey {
            account: AccountId(0),
            carrier: Some(CarrierId(0)),
            source: 1,
            destination: 2,
            reference,
            wide: false,
            total: 3,
        }
    }

    #[test]
    fn other_parts_go_where_the_first_went() {
        let (mut parts, now) = (FirstParts::new(LIMITS), now());
        parts.note(key(1), Some(AccountId(7)), now);
        parts.note(key(2), None, now);

        assert_eq!(parts.ask(key(1), now), Word::Whose(Some(AccountId(7))));
        assert_eq!(parts.ask(key(2), now), Word::Whose(None));
    }

    #[test]
    fn part_before_the_first_waits_for_it_but_not_for_ever() {
        let (mut parts, start) = (FirstParts::new(LIMITS), now());
        assert_eq!(parts.ask(key(1), start), Word::Wait);
        assert_eq!(parts.ask(key(1), start.after(Duration::from_secs(599))), Word::Wait);
        assert_eq!(parts.ask(key(1), start.after(Duration::from_secs(600))), Word::GiveUp);

        parts.note(key(1), Some(AccountId(7)), start);
        assert_eq!(parts.ask(key(1), start), Word::Whose(Some(AccountId(7))));
    }

    #[test]
    fn first_part_that_came_late_is_remembered_as_long_as_any_other() {
        let (mut parts, start) = (FirstParts::new(LIMITS), now());
        assert_eq!(parts.ask(key(1), start), Word::Wait);
        parts.note(key(1), Some(AccountId(7)), start.after(Duration::from_secs(1100)));

        let later = start.after(Duration::from_secs(1300));

        assert_eq!(parts.ask(key(1), later), Word::Whose(Some(AccountId(7))));
        assert_eq!(parts.begun.len(), 1);
    }

    #[test]
    fn what_is_known_is_forgotten_in_time_and_when_there_is_too_much() {
        let (mut parts, start) = (FirstParts::new(LIMITS), now());
        parts.note(key(1), Some(AccountId(7)), start);
        assert_eq!(parts.ask(key(1), start.after(Duration::from_secs(1200))), Word::Wait, "too old");

        parts.note(key(2), Some(AccountId(7)), start);
        parts.note(key(3), Some(AccountId(7)), start);
        parts.note(key(4), Some(AccountId(7)), start);
        assert_eq!((parts.known.len(), parts.begun.len()), (2, 2));
        assert_eq!(parts.ask(key(4), start), Word::Whose(Some(AccountId(7))));
    }
}
