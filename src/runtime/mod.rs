//! The home of tasks, threads, sleeps and sockets.
//!
//! ```text
//!  tokio tasks                       hub thread              spool threads
//!  listener ─► port task ──┐                            ┌──► writer: write, fdatasync, durable
//!                          ├─► mailbox ─► Hub::turn ────┤
//!  connector ─► link task ─┘        │                   └──► reader: bodies, segments
//!  calls ─► port, link     │        │
//!       ▲                           │
//!       └───── outboxes, calls ◄────┘
//! ```
//!
//! A task is a [`Machine`] on a socket, run by [`drive`]; the tools' peers run on the same loop. Batches cross
//! threads by swapping vectors under a short lock ([`Mailbox`], [`Outbox`]); sessions are told
//! what there is for them in rounds (`rest`).

mod answering;
mod caller;
mod calls;
mod connector;
mod disk;
mod driver;
mod good_order;
mod hub_thread;
mod listener;
mod machine;
mod mail;
mod mailbox;
mod plan;
mod reader_thread;
mod reload;
mod repair;
mod rest;
mod serve;
mod shared;
mod spool_threads;
mod survey;

pub use disk::FileDisk;
pub use driver::{End, Machine, drive};
pub use mailbox::{Mailbox, Outbox};
pub use plan::Plan;
pub use reload::{Reloader, Stopped};
pub use repair::{Findings, RepairError, mend};
pub use serve::{Running, ServeError, start};
pub use survey::{Living, Survey, SurveyError};

use crate::clock::{Now, UnixMs};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Reads both clocks.
#[allow(clippy::disallowed_methods)] // this is where clocks are read
pub fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono: Instant::now(), wall: UnixMs(wall.as_millis() as u64) }
}
