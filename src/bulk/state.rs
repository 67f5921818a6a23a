//! Where a bulk stands, and what may change that.
//!
//! ```text
//!             pause                      time comes            a member reached it
//!   PENDING ◄───────► PAUSED     PENDING ──────────► PROCESSING ──────────────────► FINISHED
//!      │     resume      │          PAUSED ──resumed too late──►  │  none did
//!      └───► CANCELED ◄──┘                                        └──────────────► FAILED
//! ```

use thiserror::Error;

/// Where a bulk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Waits for its time.
    Pending = 1,
    /// Waits to be resumed, whatever the time.
    Paused = 2,
    /// Has fired, and some of its messages have not ended.
    Processing = 3,
    /// Was cancelled before it fired; final.
    Canceled = 4,
    /// All its messages have ended, and one at least was delivered; final.
    Finished = 5,
    /// All its messages have ended, and none was delivered; final.
    Failed = 6,
}

/// What may be done to a bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Pause,
    Resume,
    Cancel,
    Reschedule,
    /// Its time has come.
    Fire,
    /// All its messages have ended; whether one was delivered.
    End {
        reached: bool,
    },
}

/// Why a state does not allow a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    #[error("the bulk is paused already")]
    AlreadyPaused,
    #[error("the bulk is not paused")]
    NotPaused,
    #[error("the bulk is paused")]
    Paused,
    #[error("the bulk has not fired")]
    NotFired,
    #[error("the bulk has fired")]
    Fired,
    #[error("the bulk was cancelled")]
    Canceled,
    #[error("the bulk is over")]
    Over,
}

impl State {
    /// All of them.
    pub const EACH: [Self; 6] =
        [Self::Pending, Self::Paused, Self::Processing, Self::Canceled, Self::Finished, Self::Failed];

    /// The state after `change`.
    ///
    /// # Errors
    /// If this state does not allow it.
    pub const fn after(self, change: Change) -> Result<Self, ChangeError> {
        match (self, change) {
            (Self::Pending, Change::Pause) => Ok(Self::Paused),
            (Self::Pending, Change::Resume) => Err(ChangeError::NotPaused),
            (Self::Pending | Self::Paused, Change::Cancel) => Ok(Self::Canceled),
            (Self::Pending | Self::Paused, Change::Reschedule) => Ok(self),
            (Self::Pending, Change::Fire) => Ok(Self::Processing),
            (Self::Pending | Self::Paused, Change::End { .. }) => Err(ChangeError::NotFired),
            (Self::Paused, Change::Pause) => Err(ChangeError::AlreadyPaused),
            (Self::Paused, Change::Resume) => Ok(Self::Pending),
            (Self::Paused, Change::Fire) => Err(ChangeError::Paused),
            (Self::Processing, Change::End { reached: true }) => Ok(Self::Finished),
            (Self::Processing, Change::End { reached: false }) => Ok(Self::Failed),
            (
                Self::Processing,
                Change::Pause | Change::Resume | Change::Cancel | Change::Reschedule | Change::Fire,
            ) => Err(ChangeError::Fired),
            (Self::Canceled, _) => Err(ChangeError::Canceled), // final, whatever there may be to do
            (Self::Finished | Self::Failed, _) => Err(ChangeError::Over), // the same
        }
    }

    /// Whether its messages wait for it.
    pub const fn is_unfired(self) -> bool {
        matches!(self, Self::Pending | Self::Paused)
    }

    /// Whether nothing changes it any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Canceled | Self::Finished | Self::Failed)
    }

    /// As customers and operators read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Paused => "PAUSED",
            Self::Processing => "PROCESSING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
        }
    }

    /// As it is recorded.
    pub const fn octet(self) -> u8 {
        self as u8
    }

    /// The state that was recorded so.
    pub fn from_octet(octet: u8) -> Option<Self> {
        Self::EACH.into_iter().find(|state| state.octet() == octet)
    }
}

impl ChangeError {
    /// One word for programs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AlreadyPaused => "already_paused",
            Self::NotPaused => "not_paused",
            Self::Paused => "paused",
            Self::NotFired => "not_fired",
            Self::Fired => "fired",
            Self::Canceled => "canceled",
            Self::Over => "over",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGES: [Change; 7] = [
        Change::Pause,
        Change::Resume,
        Change::Cancel,
        Change::Reschedule,
        Change::Fire,
        Change::End { reached: true },
        Change::End { reached: false },
    ];

    #[test]
    fn each_change_of_each_state_leads_where_the_table_says() {
        use ChangeError::*;
        use State::{Failed, Finished, Pending, Processing};
        let (paused, canceled) = (State::Paused, State::Canceled);
        #[rustfmt::skip]
        let table: [(State, [Result<State, ChangeError>; 7]); 6] = [
            //           pause               resume          cancel         reschedule     fire            end, reached    end, not
            (Pending,    [Ok(paused),         Err(NotPaused), Ok(canceled),  Ok(Pending),   Ok(Processing), Err(NotFired),  Err(NotFired)]),
            (paused,     [Err(AlreadyPaused), Ok(Pending),    Ok(canceled),  Ok(paused),    Err(Paused),    Err(NotFired),  Err(NotFired)]),
            (Processing, [Err(Fired),         Err(Fired),     Err(Fired),    Err(Fired),    Err(Fired),     Ok(Finished),   Ok(Failed)]),
            (canceled,   [Err(Canceled),      Err(Canceled),  Err(Canceled), Err(Canceled), Err(Canceled),  Err(Canceled),  Err(Canceled)]),
            (Finished,   [Err(Over),          Err(Over),      Err(Over),     Err(Over),     Err(Over),      Err(Over),      Err(Over)]),
            (Failed,     [Err(Over),          Err(Over),      Err(Over),     Err(Over),     Err(Over),      Err(Over),      Err(Over)]),
        ];

        for (state, expected) in table {
            assert_eq!(CHANGES.map(|change| state.after(change)), expected, "{}", state.name());
        }
        assert_eq!(table.map(|(state, _)| state), State::EACH);
    }

    #[test]
    fn recorded_state_comes_back() {
        for state in State::EACH {
            assert_eq!(State::from_octet(state.octet()), Some(state));
        }
        assert_eq!([0, 7, 255].map(State::from_octet), [None; 3]);
    }
}
