//! The line: from a submission to the receipt for it, in one room and on one thread.
//!
//! The hub owns every message. It takes [`Event`]s and gives [`Effects`]; it never waits, does no IO, reads no
//! clock and takes no lock. Whoever runs it calls [`Hub::turn`] with everything that happened since the last one and
//! how far the spool is durable, carries out what comes back, and comes again when something happens or
//! [`Hub::next_timeout`] has passed.
//!
//! ```text
//! intake    submission → admitted → Accepted record ┄durable┄► answered, queued or scheduled
//! dispatch  queued → a link with room → the carrier
//! outcome   its answer → Sent record ┄durable┄► room for the next; its receipt → Settled record
//! delivery  settled ┄durable┄► a port of the account → its answer → Done record → gone
//! inbound   a carrier's message → Accepted record ┄durable┄► the carrier answered, then delivery
//! ```
//!
//! What waits for the disk (┄) stands in queues in order of Lsn: answers to customers, answers to carriers for their
//! receipts, the room that a dispatch took on its link, and receipts that are to go out. So nobody hears of anything that
//! a power cut could undo, and a crash doubles at most what was in a link's window. Only answers to accounts that asked for
//! less ([`Durability`]) don't wait so long.

mod aliases;
mod asked;
mod astray;
mod backlog;
mod breaker;
mod broadcast;
mod bulks;
mod caller;
mod carrier_message_id;
mod carriers;
mod clockwork;
mod congestion;
mod counts;
mod delivery;
mod dispatch;
mod effects;
mod ends;
mod entry;
mod fetch;
mod first_parts;
mod gauges;
mod glance;
mod handing;
mod held;
mod inbound;
mod intake;
mod kin;
mod leaving;
mod memory;
mod multi;
mod nameless;
mod notice;
mod operations;
mod opt_out;
mod outcome;
mod pace;
mod queue;
mod queue_classes;
mod queue_turns;
mod rejoin;
mod reload;
mod replay;
mod reshape;
mod resume;
mod rows;
mod screen;
mod search;
mod seats;
mod settings;
mod settle;
mod stand_in;
mod stats;
mod steps;
mod suspects;
mod table;
mod timers;
mod upkeep;
mod way;
mod whose;

pub use breaker::BreakerRules;
pub use effects::{Effects, Event, Fetch, Fetched, Sessions};
pub use gauges::{CarrierGauges, CarrierMeters, CarrierStats, Gauges, label};
pub use held::{Durability, Reached};
pub use pace::{Hold, OverLimit, Reason};
pub use queue_classes::{Classes, Guard, Stand};
pub use reload::{Names, Reload};
pub use replay::Replay;
pub use settings::{
    AccountPlan, CarrierPlan, Limits, List, Member, Overdue, PartReceipts, Settings, Unanswered, Unreceipted,
};
pub use stats::{Stage, Stats};
pub use table::{INBOUND, Token};

use crate::admission::{Rules, Times};
use crate::bulk::Bulks;
use crate::carrier::{LinkBatch, Receipts, Statuses};
use crate::clock::{Now, Watch};
use crate::codec::{Tag, Version};
use crate::conversion::Profile;
use crate::correlation::{Correlation, IdForms};
use crate::esme::{Answer, Intake, PortBatch};
use crate::id::{AccountId, CarrierId, IdKey, Lsn, SessionId};
use crate::route::Turns;
use crate::schedule::Retry;
use crate::screening::{Circles, OptOuts, Policy};
use crate::spool::Journal;
use aliases::Aliases;
use backlog::{Backlog, Pulse};
use breaker::Breaker;
use broadcast::Asked;
use bytes::BytesMut;
use caller::Caller;
use carriers::{Carriers, mark};
use clockwork::Clockwork;
use delivery::Turn;
use first_parts::FirstParts;
use foldhash::HashMap;
use held::{Held, Holding};
use kin::Kin;
use leaving::Leaving;
use nameless::Nameless;
use notice::Notice;
use operations::Replacing;
use pace::{AccountPace, CarrierPace, Sleeper};
use queue::Queue;
use search::Search;
use seats::{Out, Seats};
use settle::is_open;
use stand_in::StandIn;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use suspects::Suspects;
use table::Table;
use way::Texts;

/// The hub.
pub struct Hub {
    settings: Settings,
    journal: Journal,
    id_key: IdKey,
    table: Table,
    wheel: Clockwork,
    correlation: Correlation,
    aliases: Aliases,
    nameless: Nameless,
    accounts: Vec<AccountState>,
    carriers: Carriers,
    ports: Seats<PortState>,
    links: Seats<LinkState>,
    backlog: Backlog,
    /// What waits for the spool.
    holding: Holding,
    /// Bodies at hand, oldest first.
    bodies: VecDeque<(Instant, Token)>,
    /// Bodies that are being read back.
    reading: usize,
    fired: Vec<u32>,
    effects: Effects,
    /// As [`Hub::watch`] believes it.
    now: Now,
    watch: Watch,
    /// Sessions that the turns leave out for now.
    left_out: Sessions,
    /// Timers are being set anew, since the wall clock went back: the next slot to look at.
    refill: Option<u32>,
    /// How far the spool can be read.
    durable: Lsn,
    mode: Mode,
    /// The spool has room for what is here already, and no more.
    full: bool,
    /// Octets that sessions hold in their buffers.
    buffers: u64,
    /// A queue was not looked through to its end: the next turn is due at once.
    unfinished: bool,
    /// A segment is being compacted: where it ends.
    compacting: Option<Lsn>,
    /// Its messages stand elsewhere; its opt-outs are being written again.
    keeping: Option<(u64, Lsn)>,
    /// Compaction rests until then: a segment could not be read.
    compact_again: Option<Instant>,
    kin: Kin,
    first_parts: FirstParts,
    /// Answers that wait for an outcome, by slot, and until when.
    transactions: HashMap<u32, Caller>,
    transaction_ends: VecDeque<(Instant, Token)>,
    /// Slots by the low half of their serials, of messages whose customers know them by their short ids.
    short_ids: HashMap<u32, u32>,
    bulks: Bulks,
    stand_ins: Vec<StandIn>,
    /// Seats of links that are to end once they are quiet.
    parting: Vec<u32>,
    /// Messages may go by rules that are gone.
    has_reloaded: bool,
    opt_outs: OptOuts,
    /// What passed lately, if circles are looked for.
    circles: Option<Circles>,
    replacing: Vec<Replacing>,
    searches: VecDeque<Search>,
    /// What carriers were asked in our place.
    asked: HashMap<u64, Asked>,
    asked_last: u64,
    /// Accounts that we may call.
    callable: Vec<AccountId>,
    /// Accounts that wait for their limits, by when those let them go on.
    sleepers: BinaryHeap<Sleeper>,
    /// How long the last answer waited for the disk.
    disk_wait: Duration,
    /// Whose turn it is in groups of carriers that take turns.
    turns: Turns,
    /// Messages that are due and wait for their bodies before they get a carrier.
    unrouted: Queue,
    texts: Texts,
    /// No message waits longer for its next attempt.
    longest_wait: Duration,
    scratch: BytesMut,
}

/// What the hub still does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Working,
    /// The spool takes nothing any more.
    ReadOnly,
    /// About to stop: what is out may come back, nothing new goes out.
    Resting,
}

/// One account at run time.
#[derive(Debug, Default)]
struct AccountState {
    name: Box<[u8]>,
    /// Other settings came, and it isn't among them.
    is_gone: bool,
    /// Its share of a carrier.
    weight: u16,
    /// What it is allowed, if there is a limit.
    pace: Option<Box<AccountPace>>,
    /// Messages of it that are not gone yet.
    held: usize,
    held_max: usize,
    /// Receipts and inbound messages that wait for a port with room.
    waiting: Queue,
    /// Parts of inbound messages are joined for it.
    joins: bool,
    /// Intermediate notifications that do.
    notices: VecDeque<Notice>,
    profile: Arc<Profile>,
    part_receipts: PartReceipts,
    times: Times,
    bulk_tlv: Option<Tag>,
    rules: Rules,
    /// What screening wants of it.
    policy: Arc<Policy>,
    /// What its answers wait for.
    durability: Durability,
    /// When it was last asked to be called.
    called: Option<Instant>,
    /// Seats of its ports that receive.
    ports: Vec<u32>,
    /// Since when it has had none; nothing is said while it has some.
    away: Option<Instant>,
    /// Which of them is next.
    turn: Turn,
    dirty: bool,
}

/// One carrier at run time. What each message that passes needs of it, or changes, comes first.
#[derive(Debug, Default)]
#[repr(C, align(128))] // in this order, and what comes first in a pair of cache lines
struct CarrierState {
    pulse: Pulse,
    /// Seats of its links that submit, how many messages these may have out, and how many they have.
    links: Vec<u32>,
    places: usize,
    out: usize,
    turn: usize,
    /// It keeps scheduled messages itself.
    passes_schedule: bool,
    receipts: Receipts,
    /// Other settings came, and it isn't among them.
    is_gone: bool,
    ids: IdForms,
    /// How often it has asked to be left alone since it last took a message.
    throttles: u8,
    /// What happened in this turn.
    counts: CarrierStats,
    /// What holds it back.
    pace: CarrierPace,
    breaker: Breaker,
    name: Box<[u8]>,
    profile: Arc<Profile>,
    statuses: Statuses,
    suspects: Suspects,
    queue: Classes,
    leaving: Leaving,
    /// Something else than its links holds it back, and will for a while.
    far: bool,
    /// Its ids were found in another form than configured.
    misread: bool,
    /// It has had two messages under one id at one time: what its receipts call them does not tell which is meant.
    repeats_ids: bool,
    unanswered: Unanswered,
    /// It asked to be left alone until then.
    paused: Option<Instant>,
    /// Parts of a text wait for a link that is full; by then it has stalled if it says nothing.
    stalls: Option<Instant>,
    retry: Retry,
    /// How many wait for it, as [`Backlog`] counts them.
    backlog: usize,
}

/// One port at run time.
#[derive(Debug)]
struct PortState {
    account: AccountId,
    version: Version,
    receives: bool,
    room: usize,
    window: usize,
    out: Out,
    batch: PortBatch,
    /// What it asked for and the hub had no time for yet, and since when.
    waiting: Vec<(Instant, Intake)>,
}

/// One link at run time.
#[derive(Debug)]
struct LinkState {
    carrier: CarrierId,
    submits: bool,
    room: usize,
    window: usize,
    /// When a place in its window was taken or given back last.
    moved: Instant,
    /// How much of its window may be used: less while the carrier says that it is congested.
    ceiling: usize,
    /// When it was told so last.
    told: Option<Instant>,
    /// When we last found that it bears less, and answers since the ceiling was raised last.
    shrunk: Option<Instant>,
    credit: usize,
    /// It has answered a dispatch.
    answered: bool,
    /// Dispatches in a row that it did not answer, and since when.
    silences: Option<(u32, Instant)>,
    /// Suspects have it for themselves.
    reserved: bool,
    /// It ends once it is quiet.
    parting: bool,
    out: Out,
    batch: LinkBatch,
    /// What goes to it with the next batch.
    going: Vec<Token>,
}

impl Hub {
    /// One turn: takes `events`, given how far the spool has `reached`.
    pub fn turn(&mut self, events: impl Iterator<Item = Event>, reached: Reached, now: Now) -> Effects {
        self.read_clock(now);
        self.durable = reached.durable;
        self.release_held(reached);
        for event in events {
            self.handle(event);
        }
        self.unfinished = false;
        self.refill_wheel();
        self.fire_timers();
        self.go_on_with_bulks();
        self.end_overdue_transactions();
        self.give_up_gathering();
        self.go_on_searching();
        self.release_remembered();
        self.go_on_standing_in();
        self.pump(); // before bodies that came back are parked again, however few may be at hand
        self.upkeep();
        self.go_on_parting();
        self.go_on_taking_in();
        self.effects.frames.extend(self.journal.seal());
        self.take_effects()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::PortBound { session, account, kind, version, window } => {
                self.open_port(session, account, kind, version, window);
            }
            Event::PortIntake { session, intake } => self.take_intake(session, intake),
            Event::PortClosed { session } => self.close_port(session),
            Event::LinkBound { session, carrier, kind, window } => {
                self.open_link(session, carrier, kind, window);
            }
            Event::LinkIntake { session, intake } => self.take_link_intake(session, &intake),
            Event::LinkClosed { session, lost } => self.close_link(session, &lost),
            Event::Bulk { token, account, request } => self.take_bulk(token, account, request),
            Event::Fetched(fetched) => self.take_fetched(fetched),
            Event::Scanned { number, frames, last } => self.take_scanned(number, &frames, last),
            Event::Unscanned => self.put_off_compaction(),
            Event::ReadOnly if self.mode == Mode::Working => self.mode = Mode::ReadOnly,
            Event::Writable if self.mode == Mode::ReadOnly => self.mode = Mode::Working,
            // About to stop: the spool's state changes nothing any more.
            Event::ReadOnly | Event::Writable => {}
            Event::Full => self.full = true,
            Event::Roomy => self.full = false,
            Event::Spent(frames) => frames.into_iter().for_each(|frames| self.journal.recycle(frames)),
            Event::Reload(reload) => self.reload(*reload),
            Event::Rest => self.mode = Mode::Resting,
            Event::Leave => self.leave(),
        }
    }

    /// Answers a submission; nobody hears it if the session is gone.
    #[inline(always)] // an answer that is stored in pieces and copied whole waits for all that was stored before
    fn answer(&mut self, port: u32, session: SessionId, answer: Answer) {
        let Some(state) = self.ports.at(port, session) else { return };
        state.batch.answers.push(answer);
        self.ports.mark(port);
    }

    /// Says goodbye to every session that stands.
    fn leave(&mut self) {
        self.mode = Mode::Resting;
        self.ports.seats().into_iter().for_each(|seat| self.unbind_port(seat));
        self.links.seats().into_iter().for_each(|seat| self.unbind_link(seat));
    }

    /// Says goodbye to the port in `seat`.
    fn unbind_port(&mut self, seat: u32) {
        let Some((_, port)) = self.ports.here(seat) else { return };
        port.batch.unbind = true;
        self.ports.mark(seat);
    }

    /// Says goodbye to the link in `seat`.
    fn unbind_link(&mut self, seat: u32) {
        let Some((_, link)) = self.links.here(seat) else { return };
        link.batch.unbind = true;
        self.links.mark(seat);
    }

    /// What there is for these sessions gathers, from the next turn on, until they are not left out any more.
    pub fn leave_out(&mut self, sessions: Sessions) {
        self.left_out = sessions;
    }

    /// For which sessions there is something that the last turn left out; what carriers have counted goes with the links.
    pub fn gathers_for(&self) -> Sessions {
        let links = self.links.has_marked() || self.carriers.any(mark::COUNT);
        Sessions { ports: self.ports.has_marked(), links }
    }

    fn take_effects(&mut self) -> Effects {
        let load = self.load();
        let Sessions { ports: leaves_ports, links: leaves_links } = self.left_out;
        let all = self.mode == Mode::Resting;
        let ports = if leaves_ports { Vec::new() } else { self.ports.take_round(all) };
        for seat in ports {
            if let Some((session, port)) = self.ports.here(seat) {
                port.batch.congestion = load.max(self.accounts[usize::from(port.account.0)].load());
                self.effects.ports.push((session, std::mem::take(&mut port.batch)));
            }
        }
        let links = if leaves_links { Vec::new() } else { self.links.take_round(all) };
        for seat in links {
            let batch = self.take_batch(seat);
            self.effects.links.extend(batch);
        }
        if !leaves_links {
            self.take_counts();
        }
        self.reading += self.effects.fetches.len();
        std::mem::take(&mut self.effects)
    }

    /// Takes what carriers have counted; with the rounds of their links, for it costs as much.
    fn take_counts(&mut self) {
        for place in 0..self.carriers.len() {
            if self.carriers.take(place, mark::COUNT) {
                let counts = &mut self.carriers.unmarked(place).counts;
                if counts.is_any() {
                    self.effects.stats.carriers.push((CarrierId(place as u16), std::mem::take(counts)));
                }
            }
        }
    }

    /// Whether nothing is out: no dispatch whose answer is not recorded yet, no delivery without its answer.
    pub fn is_quiet(&self) -> bool {
        self.links.iter().all(|link| link.room == link.window)
            && self.ports.iter().all(|port| port.room == port.window)
    }

    /// The key of this store's message ids.
    pub fn id_key(&self) -> IdKey {
        self.id_key
    }
}
