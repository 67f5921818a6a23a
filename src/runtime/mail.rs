//! What threads and tasks write to one another.

use super::mailbox::Outbox;
use crate::bulk;
use crate::carrier::LinkBatch;
use crate::esme::PortBatch;
use crate::hub::{Event, Fetch, Reload, Settings};
use crate::id::SessionId;
use crate::route;
use crate::spool::Frames;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What tasks and threads send to the hub thread.
pub(super) enum Mail {
    Event(Event),
    /// A customer asks something of a bulk.
    Bulk(bulk::Call),
    /// Other settings; those before come back.
    Reload(Box<Reload>, oneshot::Sender<Vec<Settings>>),
    /// An operator asks where a message would go.
    Route(route::Call),
    /// Where what a port is to do goes; before its first event.
    Port(SessionId, Arc<Outbox<PortBatch>>),
    /// Where what a link is to do goes; before its first event.
    Link(SessionId, Arc<Outbox<LinkBatch>>),
    /// Nothing comes after this.
    Stop,
}

/// What the hub thread has for the writer.
pub(super) enum Task {
    Write(Frames),
    Stop,
}

/// What the thread that prepares segments is told.
pub(super) enum Errand {
    /// Nothing lives in this segment any more.
    Release(u64),
    /// Next to nobody needs this segment, which stays in the log.
    Uncache(u64),
    Stop,
}

/// What the hub thread has for the reader.
pub(super) enum Request {
    Fetch(Vec<Fetch>),
    Scan(u64),
    Stop,
}
