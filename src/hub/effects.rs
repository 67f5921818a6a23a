//! What goes into a turn of the hub and what comes out of it.

use super::{Reload, Settings, Stats};
use crate::bulk;
use crate::carrier::{LinkBatch, LinkIntake};
use crate::codec::Version;
use crate::correlation::Reading;
use crate::esme::{Intake, PortBatch};
use crate::id::{AccountId, CarrierId, MessageId, SessionId};
use crate::session::BindKind;
use crate::spool::{Frames, Locator, ScannedFrame};
use bytes::Bytes;

/// What happened since the last turn.
pub enum Event {
    PortBound {
        session: SessionId,
        account: AccountId,
        kind: BindKind,
        version: Version,
        window: usize,
    },
    PortIntake {
        session: SessionId,
        intake: Intake,
    },
    /// The session is over; what was out to it goes back to the account's queue.
    PortClosed {
        session: SessionId,
    },
    LinkBound {
        session: SessionId,
        carrier: CarrierId,
        kind: BindKind,
        window: usize,
    },
    LinkIntake {
        session: SessionId,
        intake: LinkIntake,
    },
    /// The session is over; `lost` are the dispatches that it left unanswered. What it neither named here nor told of
    /// before never left.
    LinkClosed {
        session: SessionId,
        lost: Vec<u64>,
    },
    /// An account asks something of a bulk; the answer comes under this token, in some turn.
    Bulk {
        token: u64,
        account: AccountId,
        request: bulk::Request,
    },
    /// Bodies came back from the spool.
    Fetched(Vec<Fetched>),
    /// Frames of a segment that is being compacted, whatever is in them; the `last` of several such events ends it.
    Scanned {
        number: u64,
        frames: Vec<ScannedFrame>,
        last: bool,
    },
    /// The segment that was to be compacted can't be read now.
    Unscanned,
    /// The spool can't be written any more: refuse what comes in, go on with what is there.
    ReadOnly,
    /// The spool can be written again.
    Writable,
    /// The disk has no room to prepare another segment: refuse what comes in, so that what is prepared is left for what is
    /// here already, and for compaction.
    Full,
    /// There is room again.
    Roomy,
    /// Frames that are durable, for their memory.
    Spent(Vec<Frames>),
    /// Go by other settings.
    Reload(Box<Reload>),
    /// Come to rest: hand out nothing new, and let what is out come back.
    Rest,
    /// Say goodbye to everybody.
    Leave,
}

/// A body to be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    pub token: u64,
    pub locator: Locator,
}

/// A body that was read back; `None` if the spool could not.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub token: u64,
    pub body: Option<Bytes>,
}

/// Kinds of sessions. See [`Hub::leave_out`](super::Hub::leave_out).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    pub ports: bool,
    pub links: bool,
}

/// What a turn wants done. All of it is independent but for the order of frames.
#[derive(Default)]
pub struct Effects {
    pub ports: Vec<(SessionId, PortBatch)>,
    pub links: Vec<(SessionId, LinkBatch)>,
    /// To be written and synced, in order.
    pub frames: Vec<Frames>,
    pub fetches: Vec<Fetch>,
    /// A segment to be read whole.
    pub scan: Option<u64>,
    /// Segments that hold nothing any more; after the frames of this turn.
    pub releases: Vec<u64>,
    /// A segment that next to nobody needs: it only takes room in the system's memory.
    pub cold: Option<u64>,
    /// Accounts to be called: something waits for them and they aren't bound.
    pub calls: Vec<AccountId>,
    /// Answers on bulks, by the tokens of what was asked.
    pub bulks: Vec<(u64, bulk::Answer)>,
    /// Carriers whose ids were found by reading them otherwise than configured; each once.
    pub advice: Vec<(CarrierId, Reading)>,
    /// Messages that were given up because their carrier, or our own words for it, fell over them each time.
    pub poisoned: Vec<(CarrierId, MessageId)>,
    /// Settings that are the hub's no more: whoever brought the next ones lets them go, which takes time.
    pub retired: Vec<Settings>,
    pub stats: Stats,
}
