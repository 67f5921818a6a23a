//! What holds a carrier back, and what holds an account back: rates, calendar limits, closed hours.
//!
//! A carrier is held back by one thing at a time, with until when ([`Reason`]). All of them count segments. What goes to a carrier is
//! counted when it is handed to a link; what an account is allowed, once for each message.

use super::table::{Row, Token, flag};
use super::{CarrierState, Hub, LinkState};
use crate::carrier::Carrier;
use crate::clock::{Now, UnixMs};
use crate::codec::Status;
use crate::id::{AccountId, CarrierId};
use crate::throttle::{Closed, Governor, Limits, Quota, Wait};
use std::cmp::Reverse;
use std::time::{Duration, Instant};

/// What limits a carrier now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It has no link, or its links say nothing, or it is left alone as sick.
    Peer,
    /// Its hours of maintenance.
    Maintenance,
    /// It asked for less.
    Throttled,
    DayLimit,
    MinuteLimit,
    Rate,
    /// The windows of its links are full.
    Window,
    /// What is next is being read back from the spool.
    Disk,
    QueueEmpty,
}

impl Reason {
    /// All of them, in the order in which they are asked for.
    pub const EACH: [Self; 9] = [
        Self::Peer,
        Self::Maintenance,
        Self::Throttled,
        Self::DayLimit,
        Self::MinuteLimit,
        Self::Rate,
        Self::Window,
        Self::Disk,
        Self::QueueEmpty,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Maintenance => "maintenance",
            Self::Throttled => "throttled",
            Self::DayLimit => "day_limit",
            Self::MinuteLimit => "minute_limit",
            Self::Rate => "rate",
            Self::Window => "window",
            Self::Disk => "disk",
            Self::QueueEmpty => "queue_empty",
        }
    }
}

/// One thing that holds a carrier back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub reason: Reason,
    /// `None`: nobody knows, or for ever.
    pub until: Option<Instant>,
}

/// A rate and calendar limits, as they stand.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    pub governor: Governor,
    pub minute: Option<Quota>,
    pub day: Option<Quota>,
}

impl Meter {
    pub fn new(limits: &Limits) -> Self {
        let [minute, day] = limits.quotas();
        Self { governor: Governor::new(limits), minute, day }
    }

    /// Whether so many segments may go now; if not, why and for how long.
    fn ready(&mut self, segments: u32, now: Now) -> Result<(), (Reason, Wait)> {
        if let Some(day) = &mut self.day {
            day.ready(segments, now).map_err(|wait| (Reason::DayLimit, wait))?;
        }
        if let Some(minute) = &mut self.minute {
            minute.ready(segments, now).map_err(|wait| (Reason::MinuteLimit, wait))?;
        }
        self.governor.ready(segments, now.mono).map_err(|wait| {
            (if self.governor.is_throttled() { Reason::Throttled } else { Reason::Rate }, wait)
        })
    }

    fn take(&mut self, segments: u32, now: Now) {
        self.quotas().for_each(|quota| quota.take(segments, now));
        self.governor.take(segments, now.mono);
    }

    fn quotas(&mut self) -> impl Iterator<Item = &mut Quota> {
        [&mut self.minute, &mut self.day].into_iter().flatten()
    }

    /// Which of the calendar limits is used up.
    fn used_up(&self, now: Now) -> Option<Hold> {
        let quotas = [(Reason::DayLimit, &self.day), (Reason::MinuteLimit, &self.minute)];
        quotas.into_iter().find_map(|(reason, quota)| {
            let mut quota = quota.clone()?;
            quota.look(now);
            (quota.left() == 0).then(|| Hold { reason, until: Some(now.mono + quota.resets_in(now)) })
        })
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}

/// What holds one carrier back.
#[derive(Debug, Default)]
pub(super) struct CarrierPace {
    pub meter: Meter,
    /// What it took: less than what went by what is out, which goes again after a restart. Minute and day.
    pub taken: [Option<Quota>; 2],
    closed: Vec<Closed>,
    hold: Option<Hold>,
    /// When to look again.
    look_at: Option<Instant>,
    /// An answer that takes longer is slow.
    pub slow_answer: Option<Duration>,
}

impl CarrierPace {
    pub fn new(carrier: &Carrier) -> Self {
        Self {
            meter: Meter::new(&carrier.limits),
            taken: carrier.limits.quotas(),
            closed: carrier.maintenance.clone(),
            slow_answer: carrier.slow_answer,
            ..Self::default()
        }
    }

    /// Whether it takes anything at this hour.
    pub fn is_open(&mut self, now: Now) -> bool {
        let until = self.closed.iter().filter_map(|closed| closed.until(now.wall)).max();
        match until {
            Some(until) => self.keep(Some((Reason::Maintenance, Some(until.since(now.wall)))), now),
            None => true, // whatever else may hold it back
        }
    }

    /// Whether so many segments may go to it now.
    pub fn is_ready(&mut self, segments: u32, now: Now) -> bool {
        let held = self.meter.ready(segments, now).err();
        self.keep(held, now)
    }

    /// Whether what goes to it may hold it back.
    pub fn is_limited(&self) -> bool {
        let Meter { governor, minute, day } = &self.meter;
        governor.rate().is_some() || minute.is_some() || day.is_some()
    }

    /// When it is to be looked at again.
    pub const fn look_at(&self) -> Option<Instant> {
        self.look_at
    }

    /// Whether it need not be looked at until it is asked or told something.
    pub const fn is_at_ease(&self) -> bool {
        self.look_at.is_none() && self.closed.is_empty()
    }

    /// The time to look again has come.
    pub fn look(&mut self, now: Instant) -> bool {
        let is_due = self.look_at.is_some_and(|at| now >= at);
        if is_due {
            (self.hold, self.look_at) = (None, None);
        }
        is_due
    }

    /// What held it back when it was asked last, if it still does.
    fn hold(&self, now: Instant) -> Option<Hold> {
        self.hold.filter(|hold| hold.until.is_none_or(|until| now < until))
    }

    fn keep(&mut self, held: Option<(Reason, Wait)>, now: Now) -> bool {
        let held = held.map(|(reason, wait)| Hold { reason, until: wait.map(|wait| now.mono + wait) });
        // A calendar goes by the wall clock, which may be set meanwhile.
        let look_at = held.and_then(|hold| hold.until).map(|until| until.min(now.mono + LOOK_AGAIN));
        // Somebody else may still wait for the time that was set before.
        (self.hold, self.look_at) = (held, look_at.or(self.look_at));
        held.is_none()
    }
}

/// What becomes of an account's messages that are more than it is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverLimit {
    /// They are refused: ESME_RTHROTTLED.
    #[default]
    Refuse,
    /// They are accepted and wait, with nobody waiting behind them but the account itself.
    Queue,
}

/// What one account is allowed.
#[derive(Debug)]
pub(super) struct AccountPace {
    pub meter: Meter,
    pub over: OverLimit,
}

impl Hub {
    /// What keeps a carrier from taking one message more, were there any room.
    pub(super) fn held_back(&self, carrier: CarrierId) -> Option<Hold> {
        let state = &self.carriers[usize::from(carrier.0)];
        let now = self.now;
        if state.links.is_empty() {
            return Some(Hold { reason: Reason::Peer, until: None });
        }
        if let Some(until) = state.breaker.next_timeout() {
            return Some(Hold { reason: Reason::Peer, until: Some(until) });
        }
        let closed = state.pace.closed.iter().filter_map(|closed| closed.until(now.wall)).max();
        let closed = closed
            .map(|until| Hold { reason: Reason::Maintenance, until: Some(now.mono + until.since(now.wall)) });
        let paused = state.paused.filter(|until| now.mono < *until);
        let paused = paused.map(|until| Hold { reason: Reason::Throttled, until: Some(until) });
        let held = || state.pace.hold(now.mono);
        closed.or(paused).or_else(|| state.pace.meter.used_up(now)).or_else(held)
    }

    /// The one thing that limits a carrier now.
    pub(super) fn limited_by(&self, carrier: CarrierId) -> Hold {
        let state = &self.carriers[usize::from(carrier.0)];
        let is_empty = state.waiting() == 0;
        let held = self.held_back(carrier);
        let is_peers =
            |hold: &Hold| matches!(hold.reason, Reason::Peer | Reason::Maintenance | Reason::Throttled);
        if let Some(hold) = held.filter(|hold| is_peers(hold) || !is_empty) {
            return hold;
        }
        let links = || self.links.iter().filter(|link| link.carrier == carrier && link.submits);
        let is_silent = |link: &LinkState| self.now.mono.saturating_duration_since(link.moved) >= SILENT;
        let reason = match () {
            () if is_empty => Reason::QueueEmpty,
            // One message at a time finds out whether it is well again.
            () if !state.breaker.lets_through() => Reason::Peer,
            () if links().any(LinkState::has_room) => Reason::Disk,
            () if links().all(is_silent) => Reason::Peer,
            () => Reason::Window,
        };
        Hold { reason, until: None }
    }

    /// A carrier took the message in `slot`.
    pub(super) fn note_taken(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let (carrier, segments) = (row.carrier, row.segments);
        self.carriers.in_passing(usize::from(carrier.0)).pace.note_taken(segments, self.now);
    }

    /// A message that was handed to a link never left.
    pub(super) fn note_unsent(&mut self, token: Token) {
        if let Some(row) = self.table.known(token) {
            let (carrier, segments) = (row.carrier, row.segments);
            self.carriers[usize::from(carrier.0)].pace.note_refused(segments, self.now);
        }
    }

    /// Whether an account may submit so many segments more; they are counted if so.
    pub(super) fn admit_segments(&mut self, account: AccountId, segments: u8) -> Result<(), Status> {
        let now = self.now;
        match &mut self.accounts[usize::from(account.0)].pace {
            Some(pace) if pace.over == OverLimit::Refuse => {
                pace.meter.ready(segments.into(), now).map_err(|_| Status::RTHROTTLED)?;
                pace.meter.take(segments.into(), now);
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Accounts whose time has come have their turns again.
    pub(super) fn wake_accounts(&mut self) {
        while let Some(Reverse((at, carrier, account))) = self.sleepers.peek().copied() {
            if at > self.now.mono {
                break;
            }
            self.sleepers.pop();
            self.carriers[usize::from(carrier.0)].queue.wake(account);
            self.carriers[usize::from(carrier.0)].leaving.queue.wake(account);
            self.wake_carrier(carrier);
        }
    }
}

impl CarrierState {
    /// Messages that wait for it, with the places of some that are gone.
    pub fn waiting(&self) -> usize {
        self.queue.len() + self.leaving.queue.len() + self.suspects.len()
    }
}

impl AccountPace {
    pub fn new(limits: &Limits, over: OverLimit) -> Option<Box<Self>> {
        (!limits.is_none()).then(|| Box::new(Self { meter: Meter::new(limits), over }))
    }

    /// Whether this message of the account may go to a carrier now; if not, for how long.
    pub fn lets_go(&mut self, row: &Row, now: Now) -> Result<(), Wait> {
        if self.over == OverLimit::Refuse || row.is(flag::COUNTED) {
            return Ok(());
        }
        self.meter.ready(row.segments.into(), now).map_err(|(_, wait)| wait.map(|wait| wait.min(LOOK_AGAIN)))
    }

    /// A message of it came, or went, before a restart.
    pub fn recount(&mut self, when: OverLimit, row: &Row, at: UnixMs) {
        if self.over == when {
            self.meter.quotas().for_each(|quota| quota.recount(row.segments.into(), at));
        }
    }

    /// It goes.
    pub fn note(&mut self, row: &mut Row, now: Now) {
        if self.over == OverLimit::Queue && !row.is(flag::COUNTED) {
            row.set(flag::COUNTED);
            self.meter.take(row.segments.into(), now);
        }
    }
}

impl CarrierPace {
    /// A message goes to a link.
    pub fn note(&mut self, row: &Row, now: Now) {
        self.meter.take(row.segments.into(), now);
    }

    /// Looks at what each message changes.
    pub const fn glance(&self) -> u64 {
        self.meter.governor.counted()
    }

    /// As [`CarrierPace::note`], where nothing is limited.
    pub fn note_free(&mut self, row: &Row, now: Now) {
        self.meter.governor.take(row.segments.into(), now.mono);
    }

    /// The carrier took a message.
    pub fn note_taken(&mut self, segments: u8, now: Now) {
        self.taken.iter_mut().flatten().for_each(|quota| quota.take(segments.into(), now));
    }

    /// The carrier refused a message that went to it: that is not of this day. What it counts in a minute, nobody knows.
    pub fn note_refused(&mut self, segments: u8, now: Now) {
        if let Some(day) = &mut self.meter.day {
            day.give_back(segments.into(), LONGEST_ANSWER, now);
        }
    }

    /// It took a message before a restart.
    pub fn recount(&mut self, row: &Row, at: UnixMs) {
        let quotas = self.meter.quotas().chain(self.taken.iter_mut().flatten());
        quotas.for_each(|quota| quota.recount(row.segments.into(), at));
    }
}

impl CarrierState {
    /// It refused a message of so many segments.
    pub fn note_refused(&mut self, status: Status, segments: u8, now: Now) {
        self.counts.refuse(status);
        self.pace.note_refused(segments, now);
    }
}

/// Those who wait for their limit, by when that is.
pub(super) type Sleeper = Reverse<(Instant, CarrierId, AccountId)>;

/// Whether a message has waited for longer than lower classes have to.
pub(super) fn is_old(table: &super::Table, token: Token, patience: Duration, now: Now) -> bool {
    let row = table.peek(token.slot);
    row.is_some_and(|row| now.wall.since(row.at.max(row.accepted)) >= patience)
}

/// What is held back is looked at again after this long at the latest.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// No answer that counts takes longer.
const LONGEST_ANSWER: Duration = Duration::from_secs(3600);
/// Links that are full and have not moved for so long are silent.
const SILENT: Duration = Duration::from_secs(10);
