//! The reference of the time model: what one message does at some time, by how its customer left it.

use enroute::bulk::{Ask, State};
use enroute::clock::UnixMs;
use enroute::codec::{MessageState, Status};
use std::time::Duration;

/// What one message would do if this is how it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub text: String,
    pub due: UnixMs,
    pub expires: UnixMs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody but the hub has it.
    Waiting,
    /// The carrier has it, and will never tell.
    Out,
    /// Cancelled: its receipt is all that is left.
    Cancelled,
}

#[derive(Debug)]
pub struct Message {
    /// None if the answer was lost.
    pub id: Option<String>,
    pub stage: Stage,
    /// How it may have been left: one, unless a crash left that open.
    pub versions: Vec<Version>,
    /// A crash left open whether it is cancelled.
    pub in_doubt: bool,
    /// The bulk that it counts in, and whether it waits for it.
    pub bulk: Option<usize>,
    pub is_bundled: bool,
    pub accepted: UnixMs,
    /// Its bulk was paused past its time: since when it is due then is forgotten in a crash.
    pub is_late: bool,
}

/// A bulk: one time for all its messages that wait.
#[derive(Clone, Debug)]
pub struct Bulk {
    pub name: String,
    pub state: State,
    pub at: UnixMs,
    /// Whether one of its messages was delivered.
    pub has_reached: bool,
}

impl Bulk {
    /// The state after `ask`, if the state allows it; firing comes by itself.
    pub fn after(&self, ask: Ask) -> Option<State> {
        match (self.state, ask) {
            (State::Pending, Ask::Pause) => Some(State::Paused),
            (State::Paused, Ask::Resume) => Some(State::Pending),
            (State::Pending | State::Paused, Ask::Cancel) => Some(State::Canceled),
            (State::Pending | State::Paused, Ask::Schedule(_)) => Some(self.state),
            _ => None, // as it is now there is nothing to change
        }
    }

    pub fn is_unfired(&self) -> bool {
        matches!(self.state, State::Pending | State::Paused)
    }
}

/// What a message does at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Nothing,
    Sent(String),
    Ended(MessageState),
}

impl Version {
    /// The same message without a schedule: it goes at once, whatever becomes of the clock.
    pub fn at_once(self) -> Self {
        Self { due: UnixMs(0), ..self }
    }

    /// The same message when its bulk has another time.
    pub fn moved_to(&self, at: UnixMs) -> Self {
        let validity = self.expires.since(self.due).min(LONGEST);
        Self { text: self.text.clone(), due: at, expires: at.after(validity) }
    }

    /// What it does; `may_go`: there is a link, and no bulk that holds it.
    pub fn does(&self, stage: Stage, now: UnixMs, may_go: bool) -> Deed {
        match stage {
            Stage::Cancelled => Deed::Ended(MessageState::Deleted),
            Stage::Out if self.expires.after(GRACE) <= now => Deed::Ended(MessageState::Unknown),
            Stage::Waiting if self.expires <= now => Deed::Ended(MessageState::Expired),
            Stage::Waiting if self.due <= now && may_go => Deed::Sent(self.text.clone()),
            Stage::Out | Stage::Waiting => Deed::Nothing,
        }
    }
}

/// Whose text it is.
pub fn number_of(text: &str) -> u64 {
    let digits: String = text[1..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a text of the model")
}

/// The version of a message that asks for these times, or why it may not.
pub fn version(text: String, due: UnixMs, asked: Option<UnixMs>) -> Result<Version, Status> {
    let latest = due.after(LONGEST);
    let asked = asked.unwrap_or(latest);
    if asked <= due {
        return Err(Status::RINVEXPIRY);
    }
    Ok(Version { text, due, expires: asked.min(latest) })
}

/// A relative time of so many seconds (fact sheet 6).
pub fn relative(seconds: u64) -> Vec<u8> {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    format!("0000{days:02}{:02}{:02}{:02}000R", hours % 24, minutes % 60, seconds % 60).into_bytes()
}

/// How long after its validity a message waits for its receipt: the default of `limits.receipt_grace_s`.
pub const GRACE: Duration = Duration::from_secs(3600);

/// The longest validity: the default of `validity.max_h`.
const LONGEST: Duration = Duration::from_secs(48 * 3600);
