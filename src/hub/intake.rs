//! Submissions come in: admitted, written, held until durable; or refused.

use super::caller::Caller;
use super::queue_classes::CLASSES;
use super::screen::{with_addresses, written_anew};
use super::seats::Out;
use super::table::{Row, flag};
use super::way::{Place, Question};
use super::{AccountState, Hub, Mode, PortState, Token};
use crate::admission::admit;
use crate::bulk;
use crate::clock::UnixMs;
use crate::codec::{Reading, Sm, SmppTime, Status, Version, read_time, write_absolute};
use crate::conversion::{self, Long};
use crate::esme::{Intake, PortBatch};
use crate::guard::guarded;
use crate::id::{AccountId, CarrierId, Lsn, MessageId, SessionId};
use crate::message::{Phase, receipt_wish};
use crate::route::{Leaf, RouteId, Tried};
use crate::session::BindKind;
use crate::spool::Record;
use bytes::{Bytes, BytesMut};
use std::hint::black_box;
use std::time::Instant;

impl Hub {
    pub(super) fn open_port(
        &mut self,
        session: SessionId,
        account: AccountId,
        kind: BindKind,
        version: Version,
        window: usize,
    ) {
        let receives = kind.receives();
        let port = PortState {
            account,
            version,
            receives,
            room: window,
            window,
            out: Out::default(),
            batch: PortBatch::default(),
            waiting: Vec::new(),
        };
        let seat = self.ports.insert(session, port);
        if receives {
            let state = &mut self.accounts[usize::from(account.0)];
            state.ports.push(seat);
            state.away = None;
            self.wake_account(account);
            self.look_for_stand_ins();
        }
        self.send_strangers_away(seat);
    }

    pub(super) fn close_port(&mut self, session: SessionId) {
        if let Some(seat) = self.ports.seat(session) {
            self.take_waiting(seat);
        }
        let Some((seat, port)) = self.ports.remove(session) else { return };
        let state = &mut self.accounts[usize::from(port.account.0)];
        state.ports.retain(|known| *known != seat);
        if state.ports.is_empty() && state.away.is_none() {
            state.away = Some(self.now.mono);
            self.look_for_stand_ins();
        }
        for token in port.out.newest_first() {
            if self.table.is_with(token, Phase::Delivering, seat) {
                self.deliver_again(token);
            }
        }
        self.wake_account(port.account);
    }

    pub(super) fn take_intake(&mut self, session: SessionId, intake: Intake) {
        let Some(seat) = self.ports.seat(session) else { return };
        self.glance(intake.verdicts.iter().map(|(token, _)| Token::from_u64(*token).slot));
        for (token, verdict) in &intake.verdicts {
            self.take_verdict(seat, Token::from_u64(*token), *verdict);
        }
        if !intake.requests.is_empty() {
            self.take_requests_in_turn(session, seat, intake);
        }
    }

    /// Takes what a port asked for at `since`.
    pub(super) fn take_requests(&mut self, session: SessionId, seat: u32, intake: &Intake, since: Instant) {
        let Some(port) = self.ports.at(seat, session) else { return };
        let (account, version) = (port.account, port.version);
        // A body keeps the whole read in memory that it is a part of: that must be worth it.
        let useful: usize = intake.requests.iter().map(|request| request.body.len()).sum();
        let is_worth_it = 2 * useful >= intake.batch.len();
        black_box(self.table.glance_ready(intake.requests.len()));
        for request in &intake.requests {
            let place = request.body.start as usize..request.body.end as usize;
            let body = match is_worth_it {
                true => intake.batch.slice(place),
                false => Bytes::copy_from_slice(&intake.batch[place]),
            };
            let (command, sequence) = (request.command, request.sequence);
            let caller = Caller { port: seat, session, account, version, command, sequence, since };
            self.take_request(caller, body);
        }
    }

    /// A submit_sm, or the submit_sm that a data_sm amounts to.
    pub(super) fn take_submission(&mut self, caller: Caller, body: Bytes, flags: u16) {
        self.effects.stats.submitted += 1;
        let sm = match Sm::decode(&body, Reading::Lenient) {
            Ok(sm) if sm.replace_if_present_flag == 1 => return self.submit_in_place(caller, body),
            Ok(sm) => sm,
            Err(error) => return self.refuse(caller, error.status),
        };
        let awaits_outcome = is_transaction(&sm);
        match self.judge(&sm, caller.account, caller.version, flags) {
            Ok(judged) => {
                let (lsn, token) = self.let_in(judged, body, None);
                if awaits_outcome {
                    self.await_outcome(caller, token);
                }
                self.hold_accepted(caller, lsn, token);
            }
            Err(status) => self.refuse(caller, status),
        }
    }

    /// Whether a submission may come in, and as what. `flags` are of [`flag::KEPT`].
    pub(super) fn judge(
        &mut self,
        sm: &Sm<'_>,
        account: AccountId,
        version: Version,
        flags: u16,
    ) -> Result<Judged, Status> {
        self.check_room(account)?;
        let AccountState { rules, times, .. } = &self.accounts[usize::from(account.0)];
        let admitted = admit(sm, rules, times, self.now)?;
        let screened = self.screened(sm, account)?;
        let (whole, sm) = (sm, &with_addresses(sm, &screened));
        let question = Question::new(sm, account, self.journal.serial(), admitted.due);
        let route = self.rule_for(&question).ok_or(Status::RINVDSTADR)?;
        let (leaf, tried, seen) = self.first_taker(&question, route)?;
        let carrier = leaf.carrier;
        let bulk = self.bulk_of(sm, account)?;
        self.admit_segments(account, seen.segments)?;
        let registered_delivery = receipt_wish(sm.registered_delivery, version);
        let mut flags = flags | mode_flags(sm, admitted.due > self.now.wall)? | seen.flags;
        if version == Version::V33 {
            flags |= flag::SHORT_ID;
        }
        if version == Version::V50 {
            flags |= flag::SUCCESS_ONLY;
        }
        // No carrier knows bulks.
        let schedule = if bulk.is_some() { None } else { self.schedule_to_pass(carrier, admitted.due) };
        // What waits here gets its carrier when it is due.
        let waits = bulk.is_some() || schedule.is_none() && admitted.due > self.now.wall;
        let waits = waits && self.settings.routes.candidates(route, sm.destination.addr).len() > 1;
        let row = Row {
            accepted: self.now.wall,
            expires: admitted.expires,
            at: if schedule.is_some() { self.now.wall } else { admitted.due },
            account,
            carrier: if waits { Row::NOWHERE } else { carrier },
            route,
            tried: if waits { 0 } else { tried.0 },
            from: if waits { 0 } else { leaf.bit },
            registered_delivery: if is_datagram(sm) { 0 } else { registered_delivery },
            flags,
            source: self.table.hash(sm.source.addr),
            destination: self.table.hash(sm.destination.addr),
            service_type: service_type(sm),
            phase: Phase::Accepting,
            segments: seen.segments,
            class: class(sm),
            ..Row::default()
        };
        let anew = screened.changes().then(|| written_anew(whole, &screened));
        Ok(Judged { row, anew, segments: seen.segments, clamped: admitted.clamped, bulk, schedule })
    }

    /// A submission that may come in does: counted, and written.
    pub(super) fn let_in(
        &mut self,
        judged: Judged,
        mut body: Bytes,
        group: Option<MessageId>,
    ) -> (Lsn, Token) {
        let Judged { mut row, anew, segments, clamped, bulk, schedule } = judged;
        body = anew.unwrap_or(body);
        if self.circles.is_some()
            && let Ok(sm) = Sm::decode(&body, Reading::Lenient)
        {
            self.note_pass(&sm);
        }
        self.effects.stats.segments += u64::from(segments);
        self.effects.stats.accepted[self.durability_for(row.account) as usize] += 1;
        if clamped {
            self.effects.stats.clamp(row.account);
        }
        if let Some(schedule) = schedule
            && let Ok(sm) = Sm::decode(&body, Reading::Lenient)
        {
            body = with_schedule(&sm, schedule);
        }
        let (is_tried, is_bundled) = (row.tried != 0, bulk.is_some());
        if let Some(bulk) = bulk {
            body = self.bundle(&mut row, bulk, body);
        }
        let (lsn, token) = self.admit_row(row, body, group);
        if is_bundled {
            self.enter_bulk(token);
        }
        if is_tried {
            self.find_place(token.slot);
        }
        (lsn, token)
    }

    /// The schedule that the carrier is to keep in our place, if it keeps schedules and this one is one.
    pub(super) fn schedule_to_pass(&self, carrier: CarrierId, due: UnixMs) -> Option<UnixMs> {
        (self.carriers[usize::from(carrier.0)].passes_schedule && due > self.now.wall).then_some(due)
    }

    /// The schedule that a message for this carrier has in its body, if the carrier is to keep it and it is still to come.
    pub(super) fn passed_schedule(&self, carrier: CarrierId, sm: &Sm<'_>) -> Option<UnixMs> {
        let passes = self.carriers.get(usize::from(carrier.0)).is_some_and(|carrier| carrier.passes_schedule);
        match read_time(sm.schedule_delivery_time, self.now.wall) {
            Ok(Some(SmppTime::Absolute(at))) if passes && at > self.now.wall => Some(at),
            _ => None, // there is none, or it is ours to keep, or it is over
        }
    }

    /// Whether there is room for one more message of this account.
    pub(super) fn check_room(&mut self, account: AccountId) -> Result<(), Status> {
        // A full disk is the usual cause of a spool that takes nothing: its word tells a customer more.
        if self.full {
            return Err(Status::RMSGQFUL);
        }
        self.check_store()?;
        if self.is_crowded() {
            self.effects.stats.crowded += 1;
            return Err(Status::RMSGQFUL);
        }
        let state = &self.accounts[usize::from(account.0)];
        let is_full = self.table.len() >= self.settings.limits.messages || state.held >= state.held_max;
        if is_full { Err(Status::RMSGQFUL) } else { Ok(()) }
    }

    /// Whether anything can be written that somebody waits for (fact sheet 4.2).
    pub(super) fn check_store(&self) -> Result<(), Status> {
        if self.mode == Mode::ReadOnly { Err(Status::RSYSERR) } else { Ok(()) }
    }

    /// Writes a message and gives it a slot: from then on it is ours, once that is durable.
    pub(super) fn admit_row(&mut self, row: Row, body: Bytes, group: Option<MessageId>) -> (Lsn, Token) {
        let id = self.new_id();
        self.admit_as(id, row, body, group)
    }

    /// An id that no other message of this store has or had; its slot is taken.
    pub(super) fn new_id(&mut self) -> MessageId {
        let slot = self.table.take_slot();
        if !self.short_ids.is_empty()
            && let Some(before) = self.table.peek(slot)
        {
            self.short_ids.remove(&(before.serial as u32));
        }
        MessageId { serial: self.journal.next_serial(), slot }
    }

    /// As [`Hub::admit_row`], under an id that is known already.
    pub(super) fn admit_as(
        &mut self,
        id: MessageId,
        mut row: Row,
        body: Bytes,
        group: Option<MessageId>,
    ) -> (Lsn, Token) {
        let place = usize::from(row.account.0);
        let appended = self.journal.append(&Record::Accepted {
            id,
            account: &self.accounts[place].name,
            accepted: row.accepted,
            due: row.at,
            expires: row.expires,
            flags: row.kept_flags(),
            group,
            bulk: self.bulks.number(row.bulk),
            body: &body,
        });
        self.accounts[place].held += 1;
        row.serial = id.serial;
        row.set_locator(appended.locator);
        self.table.put(id.slot, row);
        self.table.keep_body(id.slot, body);
        if let Some(group) = group {
            self.kin.enter(group, id);
        }
        if self.table.row(id.slot).is(flag::SHORT_ID) {
            self.short_ids.insert(id.serial as u32, id.slot);
        }
        let token = self.table.token(id.slot);
        self.bodies.push_back((self.now.mono, token));
        (appended.lsn, token)
    }

    /// The first candidate that can be told a text, and those that can't; if none can, what the first of them would refuse it with.
    pub(super) fn first_taker(
        &mut self,
        question: &Question<'_>,
        route: RouteId,
    ) -> Result<(Leaf, Tried, Seen), Status> {
        let (mut tried, mut refusal) = (Tried(0), None);
        while let Some(leaf) = self.pick(question.draw, Place { route, tried, from: 0, stays: false }) {
            // Nobody has promised anything for it yet: one that our own words fail for stays outside.
            let seen = guarded(|| self.examine(question.sm, question.account, leaf.carrier));
            match seen.unwrap_or(Err(Status::RSYSERR)) {
                Ok(seen) => return Ok((leaf, tried, seen)),
                Err(status) => refusal = refusal.or(Some(status)),
            }
            tried = tried.and(leaf);
        }
        Err(refusal.unwrap_or(Status::RINVDSTADR))
    }

    /// Looks at the text: whether its carrier can be told it, and what has to be done to it on the way.
    pub(super) fn examine(
        &mut self,
        sm: &Sm<'_>,
        account: AccountId,
        carrier: CarrierId,
    ) -> Result<Seen, Status> {
        let Self { accounts, carriers, scratch, .. } = self;
        let from = &accounts[usize::from(account.0)].profile;
        let to = &carriers[usize::from(carrier.0)].profile;
        // More than can be divided may still be passed on whole: it counts as the most.
        let segments = conversion::segments(sm, from).unwrap_or(u8::MAX);
        let flags = shape_flags(sm);
        let seen = |flags| Ok(Seen { flags, segments });
        if from.is_plain() && to.is_plain() {
            return seen(flags);
        }
        if flags & flag::TOGETHER != 0 && to.long == Long::Payload {
            return seen(flags | flag::RESHAPE);
        }
        if conversion::needs_division(sm, from, to).is_some() {
            conversion::divide(sm, from, to, 0, |_, _| {})?;
            return seen(flags | flag::RESHAPE);
        }
        scratch.clear();
        conversion::convert(sm, from, to, scratch)?;
        seen(flags)
    }

    /// Sets a message that is now ours on its way: at once, or when it is due; to its account if it is inbound.
    pub(super) fn start(&mut self, slot: u32) {
        let row = self.table.row(slot);
        if row.is(flag::BUNDLED) {
            return self.start_bundled(slot);
        }
        if row.is(flag::INBOUND) {
            return self.begin_inbound(slot);
        }
        // What came without a schedule is due, even if it came by a clock that has gone back since.
        let has_time = row.attempts > 0 || row.at > row.accepted;
        if has_time && row.at > self.now.wall {
            self.unpick(slot);
            let row = self.table.row(slot);
            row.phase = Phase::Scheduled;
            let (at, is_safe) = (row.at.min(row.expires), row.is_readable(self.durable));
            if is_safe && at.since(self.now.wall) > self.settings.limits.body_age {
                self.table.park(slot);
            }
            self.await_due(slot);
        } else {
            let expires = row.expires;
            self.set_timer(slot, expires);
            self.enqueue(slot);
        }
    }

    pub(super) fn wake_account(&mut self, account: AccountId) {
        self.accounts[usize::from(account.0)].dirty = true;
    }

    pub(super) fn wake_carrier(&mut self, carrier: CarrierId) {
        // One that has no carrier yet is looked at each turn.
        self.carriers.wake(usize::from(carrier.0));
    }
}

/// A submission that may come in.
pub(super) struct Judged {
    pub row: Row,
    /// Its body, if screening changed its addresses.
    anew: Option<Bytes>,
    /// Short messages that it amounts to.
    segments: u8,
    /// Whether it asked for a longer validity than it got.
    clamped: bool,
    /// The bulk that it is to be of.
    bulk: Option<bulk::Name>,
    /// The schedule that its carrier keeps in our place.
    schedule: Option<UnixMs>,
}

/// What a look at a text tells.
pub(super) struct Seen {
    /// Bits of [`flag`].
    pub flags: u16,
    segments: u8,
}

/// The body of the same submit_sm with its schedule as a date, which means the same whenever it is read: in whole seconds, and
/// not before its time.
pub(super) fn with_schedule(sm: &Sm<'_>, schedule: UnixMs) -> Bytes {
    let mut out = BytesMut::new();
    let date = write_absolute(UnixMs(schedule.0.next_multiple_of(1000)));
    Sm { schedule_delivery_time: &date, ..*sm }.encode_body(&mut out);
    out.freeze()
}

/// What its form says of a text: whether it is one part of several.
pub(super) fn shape_flags(sm: &Sm<'_>) -> u16 {
    let may_be_part = sm.esm_class & UDHI != 0 || !sm.tlvs.is_empty();
    match may_be_part && conversion::part_of(sm).is_some() {
        true => flag::TOGETHER,
        false => 0,
    }
}

/// What the messaging mode says (SMPP 5.0 §4.7.12.1): datagrams and transactions have one attempt, now.
pub(super) fn mode_flags(sm: &Sm<'_>, is_scheduled: bool) -> Result<u16, Status> {
    match sm.esm_class & MODE_MASK {
        DATAGRAM | TRANSACTION if is_scheduled => Err(Status::RINVSCHED),
        DATAGRAM | TRANSACTION => Ok(flag::ONCE),
        _ => Ok(0), // store and forward, said or not
    }
}

/// Its class in a carrier's queue.
pub(super) fn class(sm: &Sm<'_>) -> u8 {
    sm.priority_flag.min(CLASSES as u8 - 1)
}

/// Whether it is a datagram, which has no receipt.
pub(super) fn is_datagram(sm: &Sm<'_>) -> bool {
    sm.esm_class & MODE_MASK == DATAGRAM
}

/// Whether its answer waits for its outcome.
pub(super) fn is_transaction(sm: &Sm<'_>) -> bool {
    sm.esm_class & MODE_MASK == TRANSACTION
}

/// The service type, in the room that the longest takes.
pub(super) fn service_type(sm: &Sm<'_>) -> [u8; 5] {
    let mut room = [0; 5];
    let length = sm.service_type.len().min(room.len());
    room[..length].copy_from_slice(&sm.service_type[..length]);
    room
}

/// esm_class bit 6: the text begins with a user data header.
const UDHI: u8 = 0x40;
/// esm_class bits 1-0: the messaging mode.
const MODE_MASK: u8 = 0b11;
const DATAGRAM: u8 = 0b01;
const TRANSACTION: u8 = 0b10;
