//! Messages that wait for their bulk, and what their customer asks of it.
//!
//! A message that waits (its [`flag::BUNDLED`]) has no timer: its times stand as they were accepted, and only their distance
//! counts, from whatever time the bulk has when it fires. Everything that concerns all messages of a bulk is one record of the
//! bulk, and then work in slices, which goes on after a crash where it has to: what still waits says so itself.

use super::Hub;
use super::table::{Row, Token, flag};
use crate::bulk::{Answer, Ask, Joining, Name, NameError, Refusal, Request, State, View, Work, check_time};
use crate::clock::UnixMs;
use crate::codec::{MessageState, Reading, Sm, Status, Tag, Tlvs, put_tlv};
use crate::id::{AccountId, Lsn};
use crate::message::{Outcome, Phase};
use crate::spool::Record;
use bytes::{Bytes, BytesMut};
use std::time::Duration;

impl Hub {
    /// An account asks something of a bulk; what it changes is answered once it is durable enough.
    pub(super) fn take_bulk(&mut self, token: u64, account: AccountId, request: Request) {
        let answer = self.change_bulk(account, request);
        if let Err(refusal) = answer {
            self.effects.stats.refuse_bulk(refusal.word());
        }
        let end = self.journal.end();
        match answer {
            Ok(_) if end > self.durable && self.check_store().is_err() => {
                self.effects.bulks.push((token, Err(Refusal::NoStore))); // it may never be
            }
            Ok(_) if end > self.durable => {
                self.hold_bulk_answer(account, end, token, answer);
            }
            Ok(_) | Err(_) => self.effects.bulks.push((token, answer)),
        }
    }

    fn change_bulk(&mut self, account: AccountId, Request { name, ask }: Request) -> Answer {
        let (now, longest) = (self.now.wall, self.accounts[usize::from(account.0)].rules.max_schedule);
        // What is left of a full disk is for ends: a cancel is one, and comes once.
        let may_write = self.check_store().is_ok() && (!self.full || ask == Ask::Cancel);
        if ask != Ask::Show && !may_write {
            return Err(Refusal::NoStore);
        }
        let (place, is_new) = match (self.bulks.find(account, &name), ask) {
            (Some(place), _) => (place, false),
            (None, Ask::Schedule(at)) => {
                check_time(at, longest, now)?;
                self.bulks.joining(account, &name)?;
                (self.begin_bulk(account, name, at), true)
            }
            (None, Ask::Show | Ask::Pause | Ask::Resume | Ask::Cancel) => return Err(Refusal::Unknown),
        };
        if !is_new && self.bulks.change(place, ask, longest, now)? {
            self.bulks.end(place, now);
            self.record_bulk(place);
        }
        let view = self.bulks.view(place).ok_or(Refusal::Unknown)?;
        Ok(View { is_new, ..view })
    }

    fn begin_bulk(&mut self, account: AccountId, name: Name, at: UnixMs) -> u32 {
        let number = self.journal.next_serial();
        let place = self.bulks.begin(account, name, number, at, self.now.wall);
        self.record_bulk(place);
        place
    }

    /// Writes how a bulk stands.
    pub(super) fn record_bulk(&mut self, place: u32) {
        let Some(saved) = self.bulks.save(place) else { return };
        let gone = saved.gone;
        let appended = self.journal.append(&Record::Bulk {
            number: saved.number,
            account: &self.accounts[usize::from(saved.account.0)].name,
            name: saved.name.as_str().as_bytes(),
            state: saved.state.octet(),
            at: saved.at,
            changed: saved.changed,
            gone: [gone.delivered, gone.expired, gone.deleted, gone.failed],
        });
        self.bulks.note_saved(place, appended.lsn);
    }

    /// Writes the bulks again that stand before `before`, and those of which more is known than was written: the messages that
    /// tell the rest leave the log with their segments.
    pub(super) fn keep_bulks(&mut self, before: Lsn) {
        for place in self.bulks.unsaved(before) {
            self.record_bulk(place);
        }
    }

    /// The bulk that a submission names, if its account names bulks and it may join that one.
    ///
    /// # Errors
    /// ESME_RINVTLVLEN and ESME_RINVTLVVAL for what is no bulk id, ESME_RSUBMITFAIL if that bulk was cancelled,
    /// ESME_RMSGQFUL if it would be one too many, ESME_RINVSCHED for a mode that doesn't wait.
    pub(super) fn bulk_of(&mut self, sm: &Sm<'_>, account: AccountId) -> Result<Option<Name>, Status> {
        let Some(tag) = self.accounts[usize::from(account.0)].bulk_tlv else { return Ok(None) };
        let Some(value) = sm.tlvs.find(tag) else { return Ok(None) };
        // Some end every text with a NUL.
        let name = Name::read(value.strip_suffix(b"\0").unwrap_or(value)).map_err(|error| match error {
            NameError::Length(_) => Status::RINVTLVLEN,
            NameError::Characters => Status::RINVTLVVAL,
        })?;
        match self.bulks.joining(account, &name) {
            Ok(Joining::Waits(_)) if super::intake::is_datagram(sm) || super::intake::is_transaction(sm) => {
                Err(Status::RINVSCHED)
            }
            Ok(_) => Ok(Some(name)),
            Err(refusal) => {
                self.effects.stats.refuse_bulk(refusal.word());
                Err(if refusal == Refusal::TooMany { Status::RMSGQFUL } else { Status::RSUBMITFAIL })
            }
        }
    }

    /// Puts a submission that may come in into the bulk of that name; gives its body without the name and without its schedule.
    pub(super) fn bundle(&mut self, row: &mut Row, name: Name, body: Bytes) -> Bytes {
        let account = row.account;
        row.bulk = match self.bulks.joining(account, &name) {
            Ok(Joining::Waits(place)) => {
                row.set(flag::BUNDLED);
                place
            }
            Ok(Joining::Counts(place)) => place,
            Ok(Joining::Begins) => {
                row.set(flag::BUNDLED);
                self.begin_bulk(account, name, row.at)
            }
            Err(_) => return body, // it was asked a moment ago
        };
        match self.accounts[usize::from(account.0)].bulk_tlv {
            Some(tag) => without(&body, tag).unwrap_or(body),
            None => body,
        }
    }

    /// A message that has just come in is of its bulk.
    pub(super) fn enter_bulk(&mut self, token: Token) {
        let row = self.table.row(token.slot);
        match (row.bulk, row.is(flag::BUNDLED)) {
            (Row::ALONE, _) => {}
            (place, true) => self.bulks.enter_waiting(place, token.to_u64()),
            (place, false) => self.bulks.enter(place),
        }
    }

    /// Fires what is due and does a slice of the work that bulks bring.
    pub(super) fn go_on_with_bulks(&mut self) {
        let now = self.now.wall;
        for _ in 0..FIRED_MAX {
            let Some(place) = self.bulks.next_fired(now) else { break };
            self.bulks.end(place, now);
            self.record_bulk(place);
        }
        if self.watch.expiry_wait().is_none() {
            self.bulks.forget(FORGOTTEN_MAX, now);
        }
        let (mut left, mut members) = (SLICE, Vec::new());
        while left > 0 {
            members.clear();
            let may_record = self.may_record_more();
            let Some(slice) = self.bulks.next_slice(left, may_record, now, &mut members) else { return };
            left -= members.len().min(left);
            for member in &members {
                self.work_on(slice.place, slice.work, Token::from_u64(*member));
            }
        }
    }

    /// Whether the next turn has work to do for bulks.
    pub(super) fn has_bulk_work(&self) -> bool {
        self.bulks.has_work(self.may_record_more())
    }

    /// Whether the disk keeps up: what a million messages have to say must not wait in memory.
    fn may_record_more(&self) -> bool {
        self.journal.end().0.saturating_sub(self.durable.0) < BACKLOG_OCTETS
    }

    fn work_on(&mut self, place: u32, work: Work, token: Token) {
        let is_waiting = |row: &&mut Row| row.is(flag::BUNDLED) && row.bulk == place;
        let Some(row) = self.table.known(token).filter(is_waiting) else { return };
        let is_durable = row.phase == Phase::Scheduled;
        match work {
            Work::Start => {
                self.unbundle(token.slot);
                self.forgive_pause(place, token.slot);
                if is_durable {
                    self.start(token.slot);
                }
            }
            Work::Delete if is_durable => {
                self.effects.stats.cancelled += 1;
                self.settle(token.slot, Outcome::plain(MessageState::Deleted));
            }
            Work::Delete => {} // as soon as it is
            Work::Watch => {
                self.bulks.keep(place, token.to_u64());
                if is_durable {
                    self.watch(token.slot);
                }
            }
            Work::Tidy => self.bulks.keep(place, token.to_u64()),
        }
    }

    /// What was paused past its time is due since its bulk fired: that it is late is its customer's wish.
    fn forgive_pause(&mut self, place: u32, slot: u32) {
        let Some(fired) = self.bulks.changed(place) else { return };
        let row = self.table.row(slot);
        if fired.since(row.at) > PAUSE_MIN {
            row.at = fired;
        }
    }

    /// A message that waits for its bulk, and is durable, goes as far as its bulk is.
    pub(super) fn start_bundled(&mut self, slot: u32) {
        let row = self.table.row(slot);
        row.phase = Phase::Scheduled;
        let (place, is_safe) = (row.bulk, row.is_readable(self.durable));
        match (self.bulks.state(place), self.bulks.at(place)) {
            (Some(State::Pending | State::Paused), Some(at)) => {
                if is_safe && at.since(self.now.wall) > self.settings.limits.body_age {
                    self.table.park(slot);
                }
                self.watch(slot);
            }
            (Some(State::Canceled), _) => {
                self.settle(slot, Outcome::plain(MessageState::Deleted));
            }
            (Some(State::Processing | State::Finished | State::Failed) | None, _) | (_, None) => {
                self.unbundle(slot);
                self.start(slot);
            }
        }
    }

    /// A message's timer, while it waits for its bulk: one that is paused past its time.
    pub(super) fn watch(&mut self, slot: u32) {
        let (now, expires) = (self.now.wall, self.bundled_until(slot));
        let place = self.table.row(slot).bulk;
        let is_late = self.bulks.at(place).is_some_and(|at| at <= now);
        match self.bulks.state(place) {
            Some(State::Paused) if is_late && now >= expires => {
                if !self.puts_off_end(slot) {
                    self.expire_here(slot);
                }
            }
            Some(State::Paused) if is_late => self.set_timer(slot, expires),
            // Its bulk brings it on; a timer of the time before the bulk was given another is nobody's.
            Some(_) | None => {}
        }
    }

    /// When a message that waits for its bulk stops being worth sending, as its bulk stands.
    pub(super) fn bundled_until(&self, slot: u32) -> UnixMs {
        let Some(row) = self.table.peek(slot) else { return UnixMs(0) };
        self.bulks.at(row.bulk).unwrap_or(row.at).after(row.expires.since(row.at))
    }

    /// The message waits for its bulk no longer: its times are those of the bulk.
    pub(super) fn unbundle(&mut self, slot: u32) {
        let expires = self.bundled_until(slot);
        let row = self.table.row(slot);
        row.clear(flag::BUNDLED);
        let place = row.bulk;
        if let Some(at) = self.bulks.at(place) {
            (row.at, row.expires) = (at, expires);
        }
        self.bulks.unbind(place);
    }

    /// As [`Hub::unbundle`], for a message that the work of its fired bulk has not come to.
    pub(super) fn unbundle_if_fired(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let (place, is_durable) = (row.bulk, row.phase == Phase::Scheduled);
        if row.is(flag::BUNDLED) && self.bulks.state(place) == Some(State::Processing) {
            self.unbundle(slot);
            if is_durable {
                self.start(slot);
            }
        }
    }

    /// Whether a message waits for a bulk that was cancelled, and since when: it has as good as ended.
    pub(super) fn cancelled_with_bulk(&self, row: &Row) -> Option<UnixMs> {
        let is_so = row.is(flag::BUNDLED) && self.bulks.state(row.bulk) == Some(State::Canceled);
        if is_so { self.bulks.changed(row.bulk) } else { None }
    }

    /// Whether a message waits for its bulk, when it is due, and when it expires, as things stand.
    ///
    /// # Errors
    /// ESME_RREPLACEFAIL if its bulk was cancelled.
    pub(super) fn times_of(&self, slot: u32) -> Result<(bool, UnixMs, UnixMs), Status> {
        let row = self.table.peek(slot).ok_or(Status::RREPLACEFAIL)?;
        if self.cancelled_with_bulk(row).is_some() {
            return Err(Status::RREPLACEFAIL);
        }
        match self.bulks.at(row.bulk).filter(|_| row.is(flag::BUNDLED)) {
            Some(at) => Ok((true, at, self.bundled_until(slot))),
            // What came without a schedule is due, even if the clock has gone back since.
            None if row.at <= row.accepted => Ok((false, row.at.min(self.now.wall), row.expires)),
            None => Ok((false, row.at, row.expires)),
        }
    }

    /// A message that waits for its bulk goes by itself from now on.
    pub(super) fn leave_bulk(&mut self, slot: u32) {
        let row = self.table.row(slot);
        row.clear(flag::BUNDLED);
        let place = std::mem::replace(&mut row.bulk, Row::ALONE);
        self.bulks.part(place);
    }

    /// Counts the end that the row says; gives its bulk.
    pub(super) fn end_in_bulk(&mut self, slot: u32) -> Option<u32> {
        let row = self.table.row(slot);
        if row.bulk == Row::ALONE {
            return None;
        }
        let (place, state, was_waiting) = (row.bulk, row.state, row.is(flag::BUNDLED));
        row.clear(flag::BUNDLED);
        if was_waiting {
            self.bulks.unbind(place);
        }
        self.bulks.end_one(place, state);
        Some(place)
    }

    /// Ends the bulk if the end that was counted, and is recorded by now, was the last.
    pub(super) fn end_bulk(&mut self, place: Option<u32>) {
        if let Some(place) = place
            && self.bulks.end(place, self.now.wall)
        {
            self.record_bulk(place);
        }
    }
}

/// The body of a submit_sm without the parameter of that tag, and without a schedule: that is its bulk's.
fn without(body: &[u8], tag: Tag) -> Option<Bytes> {
    let sm = Sm::decode(body, Reading::Lenient).ok()?;
    let mut tlvs = BytesMut::new();
    sm.tlvs.iter().filter(|tlv| tlv.tag != tag).for_each(|tlv| put_tlv(&mut tlvs, tlv.tag, tlv.value));
    let tlvs = Tlvs::read(&tlvs, Reading::Lenient).ok()?;
    let mut out = BytesMut::with_capacity(body.len());
    Sm { tlvs, schedule_delivery_time: b"", ..sm }.encode_body(&mut out);
    Some(out.freeze())
}

/// A bulk that fires later than this after its time was paused.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Messages of bulks that one turn sees to.
const SLICE: usize = 4_000;
/// Bulks that fire, and are forgotten, in one turn at most.
const FIRED_MAX: usize = 1_000;
const FORGOTTEN_MAX: usize = 1_000;
/// Octets that may wait for the disk before bulks have no more to say.
const BACKLOG_OCTETS: u64 = 4 << 20;
