//! Long texts as their carrier wants them: divided into parts, or joined into one.

use super::entry::stand;
use super::kin::TextKey;
use super::table::{Row, Token, flag};
use super::way::FIXED;
use super::{Hub, Overdue};
use crate::assembly;
use crate::codec::{MessageState, Reading, Sm, Status};
use crate::conversion::{self, Long, Part, Profile};
use crate::guard::guarded;
use crate::id::MessageId;
use crate::message::{Outcome, Phase};
use crate::spool::Record;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// In which shape a carrier gets a text.
enum Shape {
    Kept,
    /// One part, which it wants together with the others.
    Part(Part),
    /// In parts, which have these bodies.
    Divided(Vec<Bytes>),
    /// In none.
    Refused(Status),
}

fn shape_of(body: &[u8], from: &Profile, to: &Profile, reference: impl FnOnce() -> u16) -> Shape {
    let Ok(sm) = Sm::decode(body, Reading::Lenient) else {
        return Shape::Kept; // can't be: it was read when it came in
    };
    if to.long == Long::Payload
        && let Some(part) = conversion::part_of(&sm)
    {
        return Shape::Part(part);
    }
    if conversion::needs_division(&sm, from, to).is_none() {
        return Shape::Kept;
    }
    let mut bodies = Vec::new();
    let divided =
        conversion::divide(&sm, from, to, reference(), |_, part| bodies.push(Bytes::copy_from_slice(part)));
    divided.map_or_else(Shape::Refused, |_| Shape::Divided(bodies))
}

impl Hub {
    /// Sees to a message at the front of its carrier's queue, its body at hand, that may have to change its shape. It
    /// is out of the queue.
    pub(super) fn reshape(&mut self, token: Token) {
        let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Queued) else { return };
        let (carrier, account) = (row.carrier, row.account);
        row.clear(flag::RESHAPE);
        let body = self.table.body(token.slot).clone();
        let from = Arc::clone(&self.accounts[usize::from(account.0)].profile);
        let to = Arc::clone(&self.carriers[usize::from(carrier.0)].profile);
        let row = self.table.row(token.slot);
        let key = u64::from(row.source) << 32 | u64::from(row.destination);
        let references = &mut self.kin.references;
        match guarded(|| shape_of(&body, &from, &to, || references.next(key))) {
            Some(Shape::Kept) => self.requeue(token),
            Some(Shape::Part(part)) => self.gather(token, part, &body),
            Some(Shape::Divided(bodies)) => self.divide(token, bodies),
            Some(Shape::Refused(status)) => self.go_on_elsewhere(token.slot, status),
            // Our own words fail for it, and will the next time: nothing is worth a second try.
            None => self.give_up(token, Outcome::plain(MessageState::Undeliverable)),
        }
    }

    /// Puts a message that keeps its shape back to the front.
    fn requeue(&mut self, token: Token) {
        let row = self.table.row(token.slot);
        row.set(flag::QUEUED);
        let (carrier, stand) = (row.carrier, stand(row, &self.accounts));
        self.carriers[usize::from(carrier.0)].queue.push_front(stand, token);
        self.wake_carrier(carrier);
    }

    /// Sends the parts of a message in its place.
    fn divide(&mut self, token: Token, bodies: Vec<Bytes>) {
        let is_chosen = !self.is_sole(token.slot);
        let whole = self.table.row(token.slot);
        whole.phase = Phase::Divided;
        let id = whole.id(token.slot);
        let like = |whole: &Row| Row {
            accepted: whole.accepted,
            expires: whole.expires,
            at: whole.at,
            account: whole.account,
            carrier: whole.carrier,
            route: whole.route,
            tried: if is_chosen { FIXED } else { 0 },
            from: whole.from,
            registered_delivery: whole.registered_delivery,
            flags: whole.flags & (flag::SHORT_ID | flag::SUCCESS_ONLY | flag::ONCE)
                | flag::PART
                | flag::TOGETHER
                | (whole.flags & flag::COUNTED),
            class: whole.class,
            source: whole.source,
            destination: whole.destination,
            service_type: whole.service_type,
            phase: Phase::Queued,
            ..Row::default()
        };
        let rows: Vec<Row> = bodies.iter().map(|_| like(whole)).collect();
        self.wheel.cancel(token.slot);
        self.effects.stats.divided += 1;
        let mut parts = Vec::with_capacity(rows.len());
        for (row, body) in rows.into_iter().zip(bodies) {
            let (_, part) = self.admit_row(row, body, Some(id));
            if is_chosen {
                self.note_attempts(part.slot, self.now.wall); // it is in the words of this carrier
            }
            parts.push(part);
        }
        self.journal.append(&Record::Divided { id });
        for part in parts.into_iter().rev() {
            let expires = self.table.row(part.slot).expires;
            self.set_timer(part.slot, expires);
            self.requeue(part);
        }
    }

    /// Keeps a part until the others of its text are here too.
    pub(super) fn gather(&mut self, token: Token, part: Part, body: &Bytes) {
        let row = self.table.row(token.slot);
        let is_inbound = row.is(flag::INBOUND);
        let key = TextKey {
            account: row.account,
            carrier: is_inbound.then_some(row.carrier),
            source: row.source,
            destination: row.destination,
            reference: part.reference,
            wide: part.wide,
            total: part.total,
        };
        row.phase = Phase::Gathering;
        let kept = (token, Bytes::copy_from_slice(body)); // for minutes: not with the whole read that it came in
        match self.kin.gathering.insert(key, part.total, part.number, kept, body.len(), self.now) {
            assembly::Outcome::Kept => {}
            assembly::Outcome::Whole(parts) => self.join(parts),
            // The second of a kind, or one too many: it goes as it is.
            assembly::Outcome::Duplicate((token, body)) => {
                let first = self.kin.gathering.part(&key, part.number);
                let is_there = first.is_some_and(|(first, same)| self.table.holds(*first) && *same == body);
                match is_inbound && is_there {
                    true => self.drop_twin(token),
                    false => self.release_part(token),
                }
            }
            assembly::Outcome::Refused((token, _)) => self.release_part(token),
        }
    }

    /// Lets a part go as it came.
    fn release_part(&mut self, token: Token) {
        let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Gathering) else { return };
        row.clear(flag::RESHAPE);
        if row.is(flag::INBOUND) {
            return self.release_inbound(token);
        }
        self.effects.stats.parts_alone += 1;
        self.enqueue(token.slot);
    }

    /// Parts whose others never came: they go as they are, or fail.
    pub(super) fn give_up_gathering(&mut self) {
        while let Some((_, parts)) = self.kin.gathering.expire(self.now) {
            for (token, _) in parts {
                let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Gathering) else {
                    continue; // cancelled meanwhile
                };
                match self.settings.limits.overdue_parts {
                    // Nobody could be told that a message from a handset failed.
                    _ if row.is(flag::INBOUND) => self.release_part(token),
                    Overdue::Send => self.release_part(token),
                    Overdue::Fail => drop(self.settle(token.slot, Outcome::refused(Status::RINVMSGLEN))),
                }
            }
        }
    }

    /// All parts of a text are here: sends one message in their place.
    fn join(&mut self, parts: Vec<(Token, Bytes)>) {
        let all_wait = parts
            .iter()
            .all(|(token, _)| self.table.known(*token).is_some_and(|row| row.phase == Phase::Gathering));
        let first = parts[0].0.slot;
        let account = self.table.row(first).account;
        let from = Arc::clone(&self.accounts[usize::from(account.0)].profile);
        let mut body = BytesMut::new();
        let is_joined = guarded(|| {
            let sms: Result<Vec<_>, _> =
                parts.iter().map(|(_, body)| Sm::decode(body, Reading::Lenient)).collect();
            sms.is_ok_and(|sms| conversion::join(&sms, &from, &mut body).is_ok())
        });
        let is_joined = is_joined.unwrap_or(false); // our own words fail for them: they go as they came
        if !all_wait || !is_joined {
            return parts.into_iter().for_each(|(token, _)| self.release_part(token));
        }
        if self.table.row(first).is(flag::INBOUND) {
            return self.join_inbound(&parts, &body);
        }
        let into = self.new_id();
        let mut expires = self.table.row(first).expires;
        for (token, _) in &parts {
            let row = self.table.row(token.slot);
            row.phase = Phase::Joined;
            expires = expires.min(row.expires);
            let id: MessageId = row.id(token.slot);
            self.wheel.cancel(token.slot);
            self.journal.append(&Record::Joined { id, into });
            self.kin.join(into, id);
        }
        let like = self.table.row(first);
        let row = Row {
            accepted: like.accepted,
            expires,
            at: like.accepted,
            account,
            carrier: like.carrier,
            route: like.route,
            from: like.from,
            registered_delivery: like.registered_delivery,
            flags: flag::WHOLE,
            source: like.source,
            destination: like.destination,
            service_type: like.service_type,
            segments: u8::try_from(parts.len()).unwrap_or(u8::MAX),
            class: like.class,
            phase: Phase::Queued,
            ..Row::default()
        };
        self.effects.stats.joined += 1;
        let (_, whole) = self.admit_as(into, row, body.freeze(), None);
        self.set_timer(whole.slot, expires);
        self.requeue(whole);
    }
}
