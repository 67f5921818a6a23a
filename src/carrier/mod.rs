//! The side that serves us: carriers and the sessions ("links") that we bound to them; the mirror of `esme`.
//!
//! A [`Link`] is one session machine that binds, submits what the hub dispatches and reads what comes back.
//! It hands the hub everything that one read brought as one [`LinkIntake`], and takes everything that one turn
//! of the hub has for it as one [`LinkBatch`].

mod arrival;
mod backoff;
mod caller;
mod duties;
mod gate;
mod link;
mod statuses;
mod wording;

pub use backoff::Backoff;
pub use caller::Caller;
pub use duties::{Duties, Numbering, Receipts, Validity};
pub use gate::Gate;
pub use link::{Link, LinkEvent};
pub use statuses::{StatusError, Statuses};

use crate::clock::UnixMs;
use crate::codec::{Command, MessageState, Status, Version};
use crate::conversion::Profile;
use crate::metrics::Buckets;
use crate::session::BindKind;
use crate::throttle::{Closed, Limits};
use bytes::Bytes;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
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
    /// We bind in pairs, a receiver beside each transmitter; `bind` is not looked at then.
    pub pairs: bool,
    /// Sessions that we hold at one time; pairs of sessions with [`Carrier::pairs`].
    pub links: usize,
    /// Submissions of one link that may wait for the carrier's answer or for our record of it.
    pub window: usize,
    /// How long an answer of it may take; `None`: as long as anybody's.
    pub response: Option<Duration>,
    /// Shortest and longest wait between two attempts to connect.
    pub reconnect: (Duration, Duration),
    /// What it speaks, whatever its bind response says; `None`: what that says.
    pub version: Option<Version>,
    /// It takes what came as data_sm as data_sm; otherwise it gets a submit_sm.
    pub takes_data_sm: bool,
    /// It keeps scheduled messages until they are due: they are handed on at once, with their schedules.
    pub passes_schedule: bool,
    /// It broadcasts to cells (SMPP 5.0 §4.4).
    pub broadcasts: bool,
    /// A deliver_sm without the bits of a receipt is one all the same if it names message and state.
    pub unmarked_receipts: Unmarked,
    /// It may call us, by outbind: we then bind on its connection, as we do on ours (SMPP 5.0 §4.1.1.7).
    pub outbind: Option<Caller>,
    /// What its texts mean and what it takes.
    pub profile: Arc<Profile>,
    /// Segments that it takes in a time.
    pub limits: Limits,
    /// Hours in which it takes nothing.
    pub maintenance: Vec<Closed>,
    /// An answer that takes longer is slow, and the window shrinks; `None`: none is.
    pub slow_answer: Option<Duration>,
    /// What it wants said otherwise than it came.
    pub duties: Duties,
}

impl Carrier {
    /// A carrier that is as carriers usually are.
    pub fn new(name: &str, address: &str) -> Self {
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            system_id: String::new(),
            password: String::new(),
            system_type: String::new(),
            interface_version: 0x34,
            bind: BindKind::Transceiver,
            pairs: false,
            links: 2,
            window: 100,
            response: None,
            reconnect: (Duration::from_secs(1), Duration::from_secs(60)),
            version: None,
            takes_data_sm: false,
            passes_schedule: false,
            broadcasts: false,
            unmarked_receipts: Unmarked::ByParameter,
            outbind: None,
            profile: Arc::default(),
            limits: Limits::default(),
            maintenance: Vec::new(),
            slow_answer: Some(Duration::from_secs(5)),
            duties: Duties::default(),
        }
    }

    /// Whether links that are bound as `other` says do for this one too: all that differs is what the hub gives them, and when.
    pub fn is_bound_as(&self, other: &Self) -> bool {
        let Self { limits, maintenance, slow_answer, .. } = other.clone();
        Self { limits, maintenance, slow_answer, ..self.clone() } == *other
    }

    /// Sessions that we hold at one time.
    pub const fn sessions(&self) -> usize {
        if self.pairs { 2 * self.links } else { self.links }
    }

    /// As what its session number `number` (0 and up) binds.
    pub const fn bind_of(&self, number: usize) -> BindKind {
        match (self.pairs, number % 2) {
            (false, _) => self.bind,
            (true, 0) => BindKind::Transmitter,
            (true, _) => BindKind::Receiver,
        }
    }

    /// As what we bind where it calls us: in a pair, to receive, which is what it calls for (SMPP 5.0 §4.1.1.7).
    pub const fn bind_of_call(&self) -> BindKind {
        if self.pairs { BindKind::Receiver } else { self.bind }
    }
}

/// What makes a deliver_sm a receipt when its esm_class doesn't say so (fact sheet 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmarked {
    /// Nothing.
    Never,
    /// receipted_message_id.
    ByParameter,
    /// That, or a text that reads like one.
    ByText,
}

/// Everything that one read of a link brought for the hub.
#[derive(Debug, Default)]
pub struct LinkIntake {
    /// Message ids as the carrier wrote them, addresses and bodies, one after the other; what the ranges point into.
    pub ids: Vec<u8>,
    pub outcomes: Vec<Outcome>,
    pub arrivals: Vec<Arrival>,
    pub replies: Vec<Reply>,
    /// alert_notifications: where in `ids` their bodies are.
    pub alerts: Vec<Range<u32>>,
    /// The last congestion_state that it told, 0 to 100.
    pub congestion: Option<u8>,
    /// How long dispatches waited for the answers that came in time, and the longest of these waits.
    pub waits: Option<Box<Buckets>>,
    pub slowest: Duration,
}

impl LinkIntake {
    /// Looks at all of its octets, which came from another thread: what is looked at together is waited for once.
    pub(crate) fn glance(&self) {
        glance(&self.ids);
    }

    /// Whether there is nothing in it for the hub.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
            && self.arrivals.is_empty()
            && self.replies.is_empty()
            && self.alerts.is_empty()
            && self.congestion.is_none()
    }

    /// Puts octets in; gives where they are.
    pub(crate) fn keep(&mut self, octets: &[u8]) -> Range<u32> {
        let start = self.ids.len() as u32;
        self.ids.extend_from_slice(octets);
        start..self.ids.len() as u32
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
    /// It can't be told to this carrier, which would refuse it with this status.
    Unfit(Status),
    /// Our own words for it failed: the carrier never heard of it.
    Unsayable,
    /// The dispatch never left: the session could not take it.
    NotSent,
}

/// The carrier's answer to an [`Errand`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What the hub knows the errand by.
    pub token: u64,
    /// `None`: it did not answer, or the errand never left.
    pub status: Option<Status>,
    /// Where in [`LinkIntake::ids`] the body is.
    pub body: Range<u32>,
}

/// A deliver_sm or data_sm of the carrier; owed an answer under its sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub command: Command,
    pub sequence: u32,
    pub matter: Matter,
}

/// What a deliver_sm or data_sm is about.
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
    Inbound {
        /// Where in [`LinkIntake::ids`] the body of its deliver_sm is; legal, whatever it was when it came.
        body: Range<u32>,
    },
    /// A receipt that names neither message nor state.
    Unreadable,
    /// It has addresses that can't be read, or that are longer than a deliver_sm has room for.
    Illegible,
}

/// Everything that one turn of the hub has for a link.
#[derive(Debug, Default)]
pub struct LinkBatch {
    pub dispatches: Vec<Dispatch>,
    pub errands: Vec<Errand>,
    /// Answers to [`Arrival`]s: command and sequence of the request, and what we say.
    pub answers: Vec<(Command, u32, Status)>,
    /// Say goodbye after that.
    pub unbind: bool,
}

impl LinkBatch {
    /// Looks at all bodies, which came long ago, each in another place.
    fn glance(&self) {
        self.dispatches.iter().for_each(|dispatch| glance(&dispatch.body));
    }
}

/// Looks at octets. What is looked at together is waited for once: a processor waits for many places in memory at a time, but not if it has
/// all to do first that is done with the ones before.
fn glance(octets: &[u8]) {
    black_box(octets.iter().step_by(CACHE_LINE).fold(0, |seen, octet| seen ^ octet));
}

/// Octets that come from memory together.
pub(crate) const CACHE_LINE: usize = 64;

/// One message that goes out now.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// What the hub knows it by.
    pub token: u64,
    /// The body of the submit_sm as it came in, or of the one that says what came in as something else.
    pub body: Bytes,
    /// When it stops being worth sending, and what is left until then: that is what the carrier is told.
    pub expires: UnixMs,
    pub left: Duration,
    /// The carrier is to keep its schedule, which is a date in its body.
    pub is_scheduled: bool,
    /// The carrier is asked how it ends.
    pub is_receipted: bool,
    /// It came as data_sm.
    pub is_data: bool,
    pub words: Words,
}

/// In whose words a message is.
#[derive(Clone, Debug)]
pub enum Words {
    /// In everybody's: its account means nothing special.
    Common,
    /// In its account's, which means this.
    Account(Arc<Profile>),
    /// In the carrier's already: we wrote it for this carrier.
    Carrier,
}

/// A request of an ESME that the carrier answers in our place: one of the broadcast family.
#[derive(Clone, Debug)]
pub struct Errand {
    /// What the hub knows it by.
    pub token: u64,
    pub command: Command,
    pub body: Bytes,
}
