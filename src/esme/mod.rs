//! The side that we serve: accounts, the sessions ("ports") that they bound, and who is bound now.
//!
//! A [`Port`] is one session machine with an account behind it. It hands the hub everything that one read
//! brought as one [`Intake`], and takes everything that one turn of the hub has for it as one [`PortBatch`].
//! Neither side waits for the other.

mod port;
mod registry;

pub use port::{Port, PortEvent};
pub use registry::{Registry, Seat};

use crate::codec::Status;
use crate::id::MessageId;
use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// A customer, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name, 1 to 15 octets (SMPP 3.4 §4.1.1).
    pub system_id: String,
    /// Its shared secret.
    pub password: String,
    /// Sessions that it may have bound at one time.
    pub binds: usize,
    /// Submissions of one session that may wait for our answer.
    pub window: usize,
    /// Deliveries to one session that may wait for its answer.
    pub deliver_window: usize,
}

/// Everything that one read of a port brought for the hub.
#[derive(Debug, Default)]
pub struct Intake {
    /// The frames; what the submissions' ranges point into.
    pub batch: Bytes,
    /// Well-formed submissions, in the order of the wire.
    pub submissions: Vec<Submission>,
    /// What became of deliveries.
    pub verdicts: Vec<(u64, Verdict)>,
}

impl Intake {
    /// Whether there is nothing in it for the hub.
    pub fn is_empty(&self) -> bool {
        self.submissions.is_empty() && self.verdicts.is_empty()
    }
}

/// One submit_sm that asks to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    pub sequence: u32,
    /// Where in [`Intake::batch`] its body is.
    pub body: Range<u32>,
}

/// What an ESME made of a delivery (fact sheet 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Taken: the delivery is done.
    Taken,
    /// Not now: keep it and try again later.
    Later,
    /// Never: it is not sent again.
    Refused,
    /// No answer: the ESME may or may not have it.
    Unanswered,
    /// It never left: the session takes nothing any more.
    NotSent,
}

impl Verdict {
    /// What the status of a deliver_sm_resp means.
    pub fn of(status: Status) -> Self {
        match status {
            Status::ROK => Self::Taken,
            Status::RSYSERR
            | Status::RMSGQFUL
            | Status::RTHROTTLED
            | Status::RX_T_APPN
            | Status::RSERTYPUNAVAIL
            | Status::RINVBNDSTS => Self::Later,
            _ => Self::Refused, // by rule any other status is final for this delivery
        }
    }
}

/// Everything that one turn of the hub has for a port.
#[derive(Debug, Default)]
pub struct PortBatch {
    pub answers: Vec<Answer>,
    /// Bodies of deliver_sm, one after the other.
    pub bodies: BytesMut,
    /// Deliveries: what the hub knows each by, and where in `bodies` it is.
    pub deliveries: Vec<(u64, Range<u32>)>,
    /// Say goodbye after that.
    pub unbind: bool,
}

/// The answer to one submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub sequence: u32,
    pub outcome: Result<MessageId, Status>,
}
