//! From the spool's records back to a hub that goes on where the last one stopped.

use super::aliases::{Aliases, SecondIds};
use super::first_parts::FirstParts;
use super::intake::{class, is_datagram, mode_flags, service_type, shape_flags};
use super::kin::Kin;
use super::nameless::Nameless;
use super::pace::OverLimit;
use super::queue::Queue;
use super::stand_in::StandIn;
use super::table::{Row, Table, flag};
use super::way::{self, Texts};
use super::whose::Given;
use super::{AccountState, CarrierState, Effects, Hub, Mode, Seats, Sessions, Settings};
use crate::bulk::Bulks;
use crate::clock::{Now, UnixMs, Watch};
use crate::codec::{MessageState, Reading, Sm, SmppTime, Version, read_time};
use crate::conversion::{self, Long};
use crate::correlation::Correlation;
use crate::guard::guarded;
use crate::id::{AccountId, CarrierId, Lsn, MessageId};
use crate::message::{Outcome, Phase, receipt_wish};
use crate::route::{RouteId, Turns};
use crate::schedule::Retry;
use crate::screening::{Circles, OptOut, OptOuts};
use crate::spool::{Journal, Locator, Record};
use crate::text::References;
use bytes::BytesMut;
use foldhash::HashMap;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

/// A hub in the making: takes records in the order of the log.
#[derive(Debug)]
pub struct Replay {
    pub(super) settings: Settings,
    pub(super) table: Table,
    pub(super) accounts: Vec<AccountState>,
    /// The account that was looked for last.
    last_account: usize,
    pub(super) carriers: Vec<CarrierState>,
    early: BTreeMap<EarlyKey, EarlyRecord>,
    second_ids: SecondIds,
    kin: Kin,
    turns: Turns,
    pub(super) bulks: Bulks,
    opt_outs: OptOuts,
    /// The latest time that a record tells.
    newest: Option<UnixMs>,
    /// Above those of all messages so far.
    serial: u64,
    /// The hub before did not stop in good order.
    crashed: bool,
}

/// What tells a held receipt from its copies: carrier, id, when it came.
type EarlyKey = (CarrierId, Box<[u8]>, UnixMs);

#[derive(Debug)]
struct EarlyRecord {
    carrier: CarrierId,
    text: Box<[u8]>,
    destination: Box<[u8]>,
    outcome: Outcome,
    at: UnixMs,
    serial: u64,
    lsn: Lsn,
}

impl Replay {
    /// Begins with nothing.
    pub fn new(settings: Settings) -> Self {
        let account = |plan: &super::AccountPlan| {
            let mut state = AccountState::default();
            state.configure(plan, None, &settings);
            state
        };
        let carrier = |plan: &super::CarrierPlan| {
            let mut state = CarrierState::default();
            state.configure(plan, None, &settings);
            state
        };
        Self {
            table: Table::new(settings.limits.final_states),
            turns: Turns::of_all(&settings.routes),
            kin: Kin::new(settings.limits.gathering),
            bulks: Bulks::new(settings.limits.bulks),
            accounts: settings.accounts.iter().map(account).collect(),
            carriers: settings.carriers.iter().map(carrier).collect(),
            last_account: 0,
            opt_outs: OptOuts::default(),
            early: BTreeMap::new(),
            second_ids: BTreeMap::new(),
            newest: None,
            serial: 0,
            crashed: false,
            settings,
        }
    }

    /// As [`Replay::new`], and whatever depends on hashes follows from `seed`: so a simulation can be repeated. Who knows the seed
    /// can choose addresses that collide.
    pub fn repeatable(settings: Settings, seed: u64) -> Self {
        Self { table: Table::repeatable(settings.limits.final_states, seed), ..Self::new(settings) }
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Record<'_>, locator: Locator) {
        self.newest = self.newest.max(super::steps::time_of(record));
        self.serial = self.serial.max(record.id().serial + 1);
        match *record {
            Record::Accepted { id, account, accepted, due, expires, flags, group, bulk, body } => {
                let is_listed = self.is_listed(id, bulk);
                self.take_accepted(id, account, [accepted, due, expires], flags, body, locator);
                self.take_member(id, bulk, is_listed);
                if bulk.is_some()
                    && let Some(row) = self.table.find(id)
                {
                    row.at = due; // a bulk's time is its own, whatever its messages were told
                }
                if let Some(group) = group {
                    self.kin.enter(group, id);
                }
            }
            Record::Divided { id } => {
                self.table.find(id).into_iter().for_each(|row| row.phase = Phase::Divided);
            }
            Record::Joined { id, into } => self.take_joined(id, into),
            Record::Sent { id, carrier, carrier_message_id, at } => {
                self.take_sent(id, carrier, carrier_message_id, at);
            }
            Record::Deferred { .. } => self.take_deferred(record),
            Record::Settled { id, state, error, at } => {
                if let Some(row) = self.table.find(id) {
                    row.phase = Phase::Settled;
                    row.state = MessageState::from_octet(state).unwrap_or(MessageState::Unknown);
                    (row.error, row.at, row.carrier_message_id) = (error, at, None);
                }
            }
            Record::Done { id } => {
                if let Some((bulk, state)) = self.table.find(id).map(|row| (row.bulk, row.state)) {
                    self.table.remove(id.slot);
                    self.kin.leave(id);
                    self.bulks.leave(bulk, state);
                }
            }
            Record::Early { .. } => self.take_early(record, locator),
            Record::OptOut { account, handset, sender, out, .. } => {
                self.take_opt_out(account, [handset, sender], out, locator);
            }
            Record::Bulk { .. } => self.take_bulk(record, locator),
            Record::Used { name, is_account, minute, day, .. } => {
                self.take_used(name, is_account, minute, day)
            }
        }
    }

    fn take_joined(&mut self, id: MessageId, into: MessageId) {
        if let Some(row) = self.table.find(id) {
            row.phase = Phase::Joined;
            self.kin.join(into, id);
        }
    }

    fn take_opt_out(&mut self, account: &[u8], [handset, sender]: [&[u8]; 2], out: bool, locator: Locator) {
        let account = self.account(account);
        let Some(opt_out) = OptOut::new(account, handset, sender) else { return };
        match out {
            true => self.opt_outs.note(opt_out, Lsn(locator.at + u64::from(locator.len))),
            false => self.opt_outs.forget(opt_out),
        }
    }

    fn take_early(&mut self, early: &Record<'_>, locator: Locator) {
        let Record::Early { carrier, carrier_message_id, destination, state, error, at } = *early else {
            return;
        };
        let state = MessageState::from_octet(state).unwrap_or(MessageState::Unknown);
        let carrier = self.carrier(carrier);
        // The same one, written again by compaction: the last copy counts.
        let key = (carrier, carrier_message_id.into(), at);
        self.early.insert(
            key,
            EarlyRecord {
                carrier,
                text: carrier_message_id.into(),
                destination: destination.into(),
                outcome: Outcome { state, error },
                at,
                serial: self.serial,
                lsn: Lsn(locator.at + u64::from(locator.len)),
            },
        );
    }

    fn take_sent(&mut self, id: MessageId, carrier: &[u8], carrier_message_id: &[u8], at: UnixMs) {
        let carrier = self.carrier(carrier);
        let Some(row) = self.table.find(id) else { return };
        let other = std::mem::replace(&mut row.carrier, carrier);
        if row.is(flag::INBOUND) {
            return; // it came from there
        }
        if !row.is(flag::COUNTED) {
            row.set(flag::COUNTED);
            self.carriers[usize::from(carrier.0)].pace.recount(row, at);
            if let Some(pace) = &mut self.accounts[usize::from(row.account.0)].pace {
                pace.recount(OverLimit::Queue, row, at);
            }
        }
        let was_taken = row.phase == Phase::Awaiting;
        (row.phase, row.at) = (Phase::Awaiting, at);
        let before = row.carrier_message_id.take();
        row.carrier_message_id = (!carrier_message_id.is_empty()).then(|| carrier_message_id.into());
        let is_other = |before: &[u8]| *before != *carrier_message_id || other != carrier;
        if let Some(before) = before.filter(|before| was_taken && is_other(before)) {
            self.second_ids.entry(id.slot).or_default().push((other, before));
        }
    }

    fn take_deferred(&mut self, record: &Record<'_>) {
        let Record::Deferred { id, attempts, due, error, losses, tried, from, carrier, shape } = *record
        else {
            return;
        };
        let Some(row) = self.table.find(id) else { return };
        (row.phase, row.attempts, row.at) = (Phase::Scheduled, attempts, due);
        (row.error, row.losses, row.tried, row.from, row.shape) = (error, losses, tried, from, shape);
        if !carrier.is_empty() {
            // One that is configured no more has left its messages to their routes.
            let known = self.carriers.iter().position(|known| *known.name == *carrier);
            row.carrier = known.map_or(row.carrier, |place| CarrierId(place as u16));
        } else if tried != 0 || from != 0 {
            row.carrier = Row::NOWHERE; // its next candidate is picked by how they stand then
        }
    }

    /// The rule and the carrier for a message.
    fn way_of(&mut self, question: &way::Question<'_>) -> Option<(RouteId, CarrierId, u8)> {
        let Self { settings, accounts, turns, .. } = self;
        let profile = &accounts.get(usize::from(question.account.0))?.profile;
        let route = way::rule_for(&settings.routes, profile, question)?;
        way::first_candidate(&settings.routes, route, turns, question).map(|to| (route, to.carrier, to.bit))
    }

    fn take_accepted(
        &mut self,
        id: MessageId,
        account: &[u8],
        [accepted, at, expires]: [UnixMs; 3],
        flags: u8,
        body: &[u8],
        locator: Locator,
    ) {
        let account = self.account(account);
        // One that can't even be looked at must not keep all others from coming back: its carrier can't be told it, which ends it.
        let sm = guarded(|| Sm::decode(body, Reading::Lenient).unwrap_or_default()).unwrap_or_default();
        let kept = u16::from(flags);
        // What the flags of 5.0 don't say was said by an older peer.
        let version = if kept & flag::SUCCESS_ONLY != 0 { Version::V50 } else { Version::V34 };
        let is_inbound = kept & flag::INBOUND != 0;
        let question = way::Question::new(&sm, account, id.serial, at);
        // Whatever else the records of one from a handset say, no carrier gets it.
        let way = (!is_inbound).then(|| self.way_of(&question)).flatten();
        let (route, carrier, from) = way.unwrap_or((Row::NO_ROUTE, Row::NOWHERE, 0));
        // A schedule that was for a carrier to keep is ours again if the carrier there is now keeps none.
        let keeps = self.carriers.get(usize::from(carrier.0)).is_some_and(|carrier| carrier.passes_schedule);
        let at = match guarded(|| read_time(sm.schedule_delivery_time, accepted)).unwrap_or(Ok(None)) {
            Ok(Some(SmppTime::Absolute(schedule))) if !keeps && !is_inbound => at.max(schedule),
            _ => at, // a relative one was kept by us, and is in the record
        };
        let mut row = Row {
            serial: id.serial,
            accepted,
            expires,
            at,
            account,
            carrier,
            route,
            from,
            phase: Phase::Scheduled,
            registered_delivery: if is_inbound || is_datagram(&sm) {
                0
            } else {
                receipt_wish(sm.registered_delivery, version)
            },
            flags: kept | guarded(|| self.flags_of(&sm, carrier, kept)).unwrap_or_default(),
            source: self.table.hash(sm.source.addr),
            destination: self.table.hash(sm.destination.addr),
            service_type: service_type(&sm),
            segments: guarded(|| self.segments_of(&sm, account, kept)).unwrap_or(1),
            class: class(&sm),
            ..Row::default()
        };
        row.set_locator(locator);
        // Written again by compaction: counted before, if at all.
        match self.table.find(id) {
            Some(before) => row.flags |= before.flags & flag::COUNTED,
            None => self.recount_submission(&row),
        }
        self.table.put(id.slot, row);
        self.second_ids.remove(&id.slot);
    }

    /// What is not recorded of a message because its body says it.
    fn flags_of(&self, sm: &Sm<'_>, carrier: CarrierId, kept: u16) -> u16 {
        if kept & flag::INBOUND != 0 {
            return shape_flags(sm);
        }
        let flags = shape_flags(sm) | mode_flags(sm, false).unwrap_or(0);
        let is_reshaped = kept & (flag::PART | flag::WHOLE) != 0;
        // Whoever is at the front of a queue is looked at; most need nothing.
        match self.carriers.get(usize::from(carrier.0)) {
            Some(state) if !is_reshaped && state.profile.long != Long::Pass => flags | flag::RESHAPE,
            Some(_) | None => flags,
        }
    }

    /// Counts a submission among those that its account is allowed.
    fn recount_submission(&mut self, row: &Row) {
        let is_whole = row.flags & (flag::INBOUND | flag::PART | flag::WHOLE) == 0;
        if let Some(pace) = &mut self.accounts[usize::from(row.account.0)].pace
            && is_whole
        {
            pace.recount(OverLimit::Refuse, row, row.accepted);
        }
    }

    /// Short messages that it amounts to, as counted when it came.
    fn segments_of(&self, sm: &Sm<'_>, account: AccountId, kept: u16) -> u8 {
        match kept & (flag::INBOUND | flag::PART) {
            0 => conversion::segments(sm, &self.accounts[usize::from(account.0)].profile).unwrap_or(u8::MAX),
            _ => 1,
        }
    }

    /// The account of that name; one that is configured no more keeps what it is owed.
    pub(super) fn account(&mut self, name: &[u8]) -> AccountId {
        let is_named = |account: &AccountState| *account.name == *name;
        // Mostly the one of the record before.
        if self.accounts.get(self.last_account).is_some_and(is_named) {
            return AccountId(self.last_account as u16);
        }
        self.last_account = self.accounts.iter().position(is_named).unwrap_or_else(|| {
            self.accounts.push(AccountState { name: name.into(), ..AccountState::default() });
            self.accounts.len() - 1
        });
        AccountId(self.last_account as u16)
    }

    /// The carrier of that name; receipts of one that is configured no more are still awaited.
    pub(super) fn carrier(&mut self, name: &[u8]) -> CarrierId {
        let known = self.carriers.iter().position(|carrier| *carrier.name == *name);
        CarrierId(known.unwrap_or_else(|| {
            self.carriers.push(CarrierState { name: name.into(), ..CarrierState::default() });
            self.carriers.len() - 1
        }) as u16)
    }

    /// The hub before was cut off: what was out on its links may be with the carriers, and nobody knows what that was. At most their
    /// windows, and the oldest that were due: these count as possible duplicates when they go out.
    pub fn after_a_crash(&mut self) {
        self.crashed = true;
    }

    /// How many messages there are so far.
    pub fn len(&self) -> usize {
        self.table.iter().count()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hub, with everything in the queue or on the timer where it belongs.
    pub fn finish(mut self, journal: Journal, now: Now) -> Hub {
        self.table.rebuild_free();
        self.free_of_lost_bulks();
        let slots = self.table.oldest_first();
        let (watch, change) = Watch::start(self.settings.caution, self.newest, now);
        let ladders = self.carriers.iter().map(|carrier| &carrier.retry).chain([&self.settings.retry]);
        let longest_wait = ladders.map(Retry::longest).max().unwrap_or_default();
        let mut hub = Hub {
            id_key: journal.id_key(),
            correlation: Correlation::new(self.settings.limits.early_receipts),
            aliases: Aliases::default(),
            nameless: Nameless::default(),
            journal,
            table: self.table,
            wheel: super::clockwork::Clockwork::new(now.wall.0 / super::timers::TICK_MS),
            accounts: self.accounts,
            carriers: self.carriers.into(),
            ports: Seats::default(),
            links: Seats::default(),
            backlog: super::backlog::Backlog::default(),
            holding: super::held::Holding::default(),
            bodies: VecDeque::new(),
            reading: 0,
            fired: Vec::new(),
            effects: Effects::default(),
            now,
            watch,
            left_out: Sessions::default(),
            refill: None,
            durable: Lsn(0), // no turn yet
            mode: Mode::Working,
            full: false,
            buffers: 0,
            unfinished: false,
            compacting: None,
            keeping: None,
            compact_again: None,
            kin: self.kin,
            first_parts: FirstParts::new(self.settings.limits.gathering),
            transactions: HashMap::default(),
            transaction_ends: VecDeque::new(),
            short_ids: HashMap::default(),
            bulks: self.bulks,
            stand_ins: self.settings.inbound.failing_over().into_iter().map(StandIn::new).collect(),
            parting: Vec::new(),
            has_reloaded: false,
            opt_outs: self.opt_outs,
            circles: self.settings.screening.circles.map(Circles::new),
            replacing: Vec::new(),
            searches: VecDeque::new(),
            asked: HashMap::default(),
            asked_last: 0,
            callable: self.settings.callable(),
            sleepers: BinaryHeap::new(),
            disk_wait: Duration::ZERO,
            turns: self.turns,
            unrouted: Queue::default(),
            texts: Texts::default(),
            longest_wait,
            scratch: BytesMut::new(),
            settings: self.settings,
        };
        hub.note_clock(change);
        hub.accounts.iter_mut().for_each(|account| account.away = Some(now.mono));
        hub.kin.references = References::new(now.wall.0);
        let Self { early, second_ids, newest, crashed, .. } = self;
        hub.take_up(&slots, if crashed { newest } else { None }, second_ids);
        early.values().for_each(|early| early.resume(&mut hub));
        hub
    }
}

impl EarlyRecord {
    /// Holds the receipt again.
    fn resume(&self, hub: &mut Hub) {
        let Self { carrier, text, destination, outcome, at, serial, lsn } = self;
        let given = Given::plain(*carrier, text, destination, *outcome);
        hub.resume_early(given, (*at, *serial), *lsn);
    }
}
