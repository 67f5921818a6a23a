//! What may be asked of a bulk, and how that is answered.

use super::state::{ChangeError, State};
use crate::clock::UnixMs;
use crate::codec::MessageState;
use crate::id::AccountId;
use std::fmt;
use thiserror::Error;
use tokio::sync::oneshot;

/// What a customer calls a bulk: 1 to [`Name::MAX_LEN`] octets of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

/// Why a text is no bulk id. The fault is the customer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("a bulk id has 1 to {max} octets, not {0}", max = Name::MAX_LEN)]
    Length(usize),
    #[error("a bulk id is UTF-8 without control characters")]
    Characters,
}

impl Name {
    /// Octets of the longest bulk id.
    pub const MAX_LEN: usize = 64;

    /// Reads a bulk id.
    ///
    /// # Errors
    /// If it is empty, too long, or not text.
    pub fn read(octets: &[u8]) -> Result<Self, NameError> {
        if !(1..=Self::MAX_LEN).contains(&octets.len()) {
            return Err(NameError::Length(octets.len()));
        }
        let text = std::str::from_utf8(octets).ok().filter(|text| !text.chars().any(char::is_control));
        text.map(|text| Self(text.into())).ok_or(NameError::Characters)
    }

    /// The id as its customer wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What an account asks of the bulk that it calls `name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub name: Name,
    pub ask: Ask,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// How is it getting on?
    Show,
    /// Don't fire until resumed.
    Pause,
    /// Fire when due; at once if that has passed.
    Resume,
    /// Never fire: what waits ends DELETED.
    Cancel,
    /// Fire then; begins a bulk without messages if there is none of that name.
    Schedule(UnixMs),
}

/// How a bulk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub state: State,
    /// When it fires, or was to.
    pub at: UnixMs,
    pub counts: Counts,
    /// Whether this very request began it.
    pub is_new: bool,
}

/// Messages of a bulk, by how they stand. `messages` is the sum of the others. A long text counts once, whatever it is divided into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not ended yet.
    pub open: u64,
    pub ended: Ended,
}

/// Messages of a bulk that have ended, by how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// DELIVERED or ACCEPTED.
    pub delivered: u64,
    pub expired: u64,
    /// DELETED: cancelled, alone or with its bulk.
    pub deleted: u64,
    /// Everything else.
    pub failed: u64,
}

impl Counts {
    /// All of them.
    pub const fn messages(&self) -> u64 {
        self.open + self.ended.all()
    }
}

impl Ended {
    /// All of them.
    pub const fn all(&self) -> u64 {
        self.delivered + self.expired + self.deleted + self.failed
    }

    pub(super) fn add(&mut self, state: MessageState) {
        let count = match state {
            MessageState::Delivered | MessageState::Accepted => &mut self.delivered,
            MessageState::Expired => &mut self.expired,
            MessageState::Deleted => &mut self.deleted,
            MessageState::Undeliverable
            | MessageState::Rejected
            | MessageState::Skipped
            | MessageState::Unknown
            | MessageState::Scheduled
            | MessageState::Enroute => &mut self.failed,
        };
        *count += 1;
    }
}

/// Why something that was asked of a bulk is not done; nothing of it has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The account has no bulk of that name.
    #[error("no such bulk")]
    Unknown,
    /// Its state does not allow it.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The new time has passed.
    #[error("that time has passed")]
    Past,
    /// The new time is further off than schedules may be.
    #[error("that time is too far off")]
    TooFar,
    /// The account has as many bulks as it may, or the hub has.
    #[error("too many bulks")]
    TooMany,
    /// The hub can't make anything durable now.
    #[error("nothing can be written now")]
    NoStore,
}

impl Refusal {
    /// One word for programs and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Change(error) => error.word(),
            Self::Past => "past",
            Self::TooFar => "too_far",
            Self::TooMany => "too_many",
            Self::NoStore => "no_store",
        }
    }
}

/// What comes of a request: durable, if it changed anything.
pub type Answer = Result<View, Refusal>;

/// A request on its way to the hub, and the way back. Nobody answers if the hub stops meanwhile.
#[derive(Debug)]
pub struct Call {
    pub account: AccountId,
    pub request: Request,
    pub answer: oneshot::Sender<Answer>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_id_is_text_of_1_to_64_octets() {
        let longest = [b'x'; Name::MAX_LEN];
        assert_eq!(Name::read(&longest).expect("long, but not too long").as_str().as_bytes(), longest);
        assert_eq!(Name::read("Frühling 24/7".as_bytes()).expect("text").to_string(), "Frühling 24/7");

        assert_eq!(Name::read(b""), Err(NameError::Length(0)));
        assert_eq!(Name::read(&[b'x'; 65]), Err(NameError::Length(65)));
        assert_eq!(Name::read(b"a\nb"), Err(NameError::Characters));
        assert_eq!(Name::read(b"\xFF"), Err(NameError::Characters));
    }
}
