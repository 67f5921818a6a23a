//! The side that serves us: carriers and the sessions ("links") that we bound to them; the mirror of `esme`.
//!
//! A [`Link`] is one session machine that binds, submits what the hub dispatches and reads what comes back.
//! It hands the hub everything that one read brought as one [`LinkIntake`], and takes everything that one turn
//! of the hub has for it as one [`LinkBatch`].

mod backoff;
mod link;

pub use backoff::Backoff;
pub use link::{Link, LinkEvent};

use crate::clock::UnixMs;
use crate::codec::{MessageState, Status};
use crate::session::BindKind;
use bytes::Bytes;
use std::ops::Range;
use std::time::Duration;

/// A carrier, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// Our word for it: in records, metrics and logs.
    pub name: String,
    /// `host:port` of its SMSC.
    pub address: String,
    /// What we bind as.
    pub system_id: String,
    pub password: String,
    pub system_type: String,
    /// Declared in the bind: 0x33, 0x34 or 0x50.
    pub interface_version: u8,
    pub bind: BindKind,
    /// Sessions that we hold at one time.
    pub links: usize,
    /// Submissions of one link that may wait for the carrier's answer or for our record of it.
    pub window: usize,
    /// Shortest and longest wait between two attempts to connect.
    pub reconnect: (Duration, Duration),
}

/// Everything that one read of a link brought for the hub.
#[derive(Debug, Default)]
pub struct LinkIntake {
    /// Message ids as the carrier wrote them, one after the other; what the ranges point into.
    pub ids: Vec<u8>,
    pub outcomes: Vec<Outcome>,
    pub arrivals: Vec<Arrival>,
}

impl LinkIntake {
    /// Whether there is nothing in it for the hub.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty() && self.arrivals.is_empty()
    }

    /// The id that `range` points at.
    pub fn id(&self, range: &Range<u32>) -> &[u8] {
        &self.ids[range.start as usize..range.end as usize]
    }
}

/// What became of one dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the hub knows the dispatch by.
    pub token: u64,
    pub verdict: Verdict,
    /// Where in [`LinkIntake::ids`] the carrier's message id is; empty without one.
    pub id: Range<u32>,
}

/// The carrier's word on one dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answered in time.
    Answered(Status),
    /// It answered after [`Verdict::Unanswered`] had been told.
    Late(Status),
    /// It did not answer: it may or may not have the message.
    Unanswered,
    /// The dispatch never left: the session could not take it.
    NotSent,
}

/// A deliver_sm of the carrier; owed an answer under its sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub sequence: u32,
    pub matter: Matter,
}

/// What a deliver_sm is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// A delivery receipt.
    Receipt {
        id: Range<u32>,
        /// The id in its text where that is another one; empty otherwise.
        text_id: Range<u32>,
        state: MessageState,
        error: [u8; 3],
        destination: Range<u32>,
    },
    /// A message from a handset.
    Inbound,
    /// A receipt that names neither message nor state.
    Unreadable,
}

/// Everything that one turn of the hub has for a link.
#[derive(Debug, Default)]
pub struct LinkBatch {
    pub dispatches: Vec<Dispatch>,
    /// Answers to [`Arrival`]s.
    pub answers: Vec<(u32, Status)>,
    /// Say goodbye after that.
    pub unbind: bool,
}

/// One message that goes out now.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// What the hub knows it by.
    pub token: u64,
    /// The body of the submit_sm as it came in.
    pub body: Bytes,
    /// When it stops being worth sending; what is left is what the carrier is told.
    pub expires: UnixMs,
}
