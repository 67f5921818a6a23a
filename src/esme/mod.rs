//! The side that we serve: accounts, the sessions ("ports") that they bound, and who is bound now.
//!
//! A [`Port`] is one session machine with an account behind it. It hands the hub everything that one read
//! brought as one [`Intake`], and takes everything that one turn of the hub has for it as one [`PortBatch`].
//! Neither side waits for the other.

mod delivery;
mod port;
mod registry;
mod request;

pub use port::{Caller, Port, PortEvent};
pub use registry::{Registry, Seat};

use crate::codec::{Command, Status, Version};
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
    /// What it speaks, whatever its binds declare (fact sheet 10.7); `None`: what they declare.
    pub version: Option<Version>,
    /// Deliveries go to it as this: deliver_sm or data_sm.
    pub deliver_as: Command,
    /// Where we call it when something waits for it and it isn't bound (SMPP 5.0 §4.1.1.7).
    pub outbind: Option<Outbind>,
}

impl Account {
    /// An account that is allowed what is usual.
    pub fn new(system_id: &str, password: &str) -> Self {
        Self {
            system_id: system_id.to_owned(),
            password: password.to_owned(),
            binds: 16,
            window: 100,
            deliver_window: 100,
            version: None,
            deliver_as: Command::DELIVER_SM,
            outbind: None,
        }
    }
}

/// How we call a customer that waits for our call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbind {
    /// `host:port` that it listens on.
    pub address: String,
    /// What we prove with that it is us, at most 8 octets.
    pub password: String,
}

/// Everything that one read of a port brought for the hub.
#[derive(Debug, Default)]
pub struct Intake {
    /// The frames; what the submissions' ranges point into.
    pub batch: Bytes,
    /// Well-formed requests, in the order of the wire.
    pub requests: Vec<Request>,
    /// What became of deliveries.
    pub verdicts: Vec<(u64, Verdict)>,
}

impl Intake {
    /// Whether there is nothing in it for the hub.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.verdicts.is_empty()
    }
}

/// One request of an ESME that the hub decides over: submit_sm, data_sm, submit_multi, query_sm, cancel_sm, replace_sm or one
/// of the broadcast family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub command: Command,
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
    /// The session is the matter, not what was delivered: keep it and try again, but not for ever (fact sheet 4.3).
    Misplaced,
    /// Never: it is not sent again.
    Refused,
    /// No answer: the ESME may or may not have it.
    Unanswered,
    /// It never left: the session takes nothing any more.
    NotSent,
}

impl Verdict {
    /// What the status of a deliver_sm_resp or data_sm_resp means.
    pub fn of(status: Status) -> Self {
        match status {
            Status::ROK => Self::Taken,
            Status::RSYSERR
            | Status::RMSGQFUL
            | Status::RTHROTTLED
            | Status::RX_T_APPN
            | Status::RSERTYPUNAVAIL => Self::Later,
            // The last two are those of a generic_nack.
            Status::RINVBNDSTS | Status::RINVCMDLEN | Status::RINVCMDID => Self::Misplaced,
            _ => Self::Refused, // by rule any other status is final for this delivery
        }
    }
}

/// Everything that one turn of the hub has for a port.
#[derive(Debug, Default)]
pub struct PortBatch {
    pub answers: Vec<Answer>,
    /// What the ranges below point into: bodies and whole responses, one after the other.
    pub bodies: BytesMut,
    /// Whole response PDUs, for requests whose answer says more than an id.
    pub replies: Vec<Range<u32>>,
    /// Deliveries: what the hub knows each by, and where in `bodies` the body of its deliver_sm is.
    pub deliveries: Vec<(u64, Range<u32>)>,
    /// Bodies of alert_notifications, which nobody answers.
    pub alerts: Vec<Range<u32>>,
    /// How busy the hub is: congestion_state for responses to 5.0 peers, 0 to 100 (SMPP 5.0 §4.8.4.18).
    pub congestion: u8,
    /// Say goodbye after that.
    pub unbind: bool,
}

/// The answer to one request that is an id, or a status alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the request.
    pub command: Command,
    pub sequence: u32,
    pub outcome: Result<MessageId, Status>,
}
