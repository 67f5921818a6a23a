//! query_sm, cancel_sm and replace_sm: what became of a message, and changing one's mind while nobody but the hub has it.
//!
//! Ids are good for the account that got them; a foreign one is answered exactly like one that never was. Addresses are
//! compared by the hashes that each row keeps, so no body is read for a query or a cancel.

use super::caller::Caller;
use super::fetch::fetch_if_parked;
use super::intake::{is_datagram, with_schedule};
use super::screen::EitherWay;
use super::search::{Errand, Wanted};
use super::table::{Row, Token, flag};
use super::way::Question;
use super::{AccountState, Hub};
use crate::admission::admit;
use crate::codec::{
    CancelSm, MessageState, QueryResp, QuerySm, Reading, ReplaceSm, Sm, Status, Tag, Tlvs, header_only,
    put_tlv, write_absolute, write_final_date,
};
use crate::guard::guarded;
use crate::id::{AccountId, Lsn, MessageId};
use crate::message::{Outcome, Phase, receipt_wish};
use bytes::{Bytes, BytesMut};

/// A replace_sm whose message is being read back.
#[derive(Debug)]
pub(super) struct Replacing {
    caller: Caller,
    token: Token,
    body: Bytes,
}

impl Hub {
    pub(super) fn take_query(&mut self, caller: Caller, body: &[u8]) {
        let query = match QuerySm::decode(body, Reading::Lenient) {
            Ok(query) => query,
            Err(error) => return self.refuse(caller, error.status),
        };
        let source = self.source_either_way(caller.account, &query.source);
        let Some(id) = self.parse_id(query.message_id) else { return self.refuse(caller, Status::RINVMSGID) };
        let told = match self.kin_of(id, caller.account, source) {
            alive if !alive.is_empty() => {
                // Of several the one that is furthest from its end speaks for all.
                let stage =
                    |slot: &u32| self.table.peek(*slot).map_or(0, |row| u8::from(super::is_open(row.phase)));
                let slot = alive.iter().max_by_key(|slot| stage(slot));
                slot.and_then(|slot| self.table.peek(*slot)).map(|row| match self.cancelled_with_bulk(row) {
                    Some(since) => (MessageState::Deleted, 0, since),
                    None => told(row),
                })
            }
            _ => self
                .table
                .gone(id)
                .filter(|row| row.account == caller.account && source.contains(&row.source))
                .map(told),
        };
        let Some((state, error, at)) = told else { return self.refuse(caller, Status::RINVMSGID) };
        let mut room = [0; 16];
        let final_date = match !matches!(state, MessageState::Scheduled | MessageState::Enroute) {
            true => write_final_date(at, caller.version, &mut room),
            false => b"",
        };
        let mut pdu = BytesMut::new();
        QueryResp {
            message_id: query.message_id,
            final_date,
            message_state: state.for_version(caller.version).octet(),
            error_code: error,
        }
        .encode(&mut pdu, Status::ROK, caller.sequence);
        self.reply(caller.port, caller.session, &pdu);
    }

    pub(super) fn take_cancel(&mut self, caller: Caller, body: &[u8]) {
        let cancel = match CancelSm::decode(body, Reading::Lenient) {
            Ok(cancel) => cancel,
            Err(error) => return self.refuse(caller, error.status),
        };
        if let Err(status) = self.check_store() {
            return self.refuse(caller, status);
        }
        let source = self.source_either_way(caller.account, &cancel.source);
        let destination = self.destination_either_way(caller.account, &cancel.destination);
        if cancel.message_id.is_empty() {
            if cancel.destination.addr.is_empty() {
                return self.refuse(caller, Status::RINVDSTADR);
            }
            let service_type = super::search::service(cancel.service_type);
            let wanted =
                Wanted { account: Some(caller.account), source: Some(source), destination, service_type };
            return self.search(caller, wanted, Errand::Cancel { last: None });
        }
        let Some(id) = self.parse_id(cancel.message_id) else {
            return self.refuse(caller, Status::RINVMSGID);
        };
        let known = self.kin_of(id, caller.account, source);
        if known.is_empty() {
            let is_gone = self
                .table
                .gone(id)
                .is_some_and(|row| row.account == caller.account && source.contains(&row.source));
            return self.refuse(caller, if is_gone { Status::RCANCELFAIL } else { Status::RINVMSGID });
        }
        let mut last = None;
        for slot in known {
            let fits =
                cancel.destination.addr.is_empty() || destination.contains(&self.table.row(slot).destination);
            if fits {
                last = self.cancel(slot).or(last);
            }
        }
        self.end_cancel(caller, last);
    }

    /// Cancels the message in `slot` if it still can be; gives where that is recorded.
    pub(super) fn cancel(&mut self, slot: u32) -> Option<Lsn> {
        let row = self.table.peek(slot).filter(|row| row.is_pending())?;
        if self.cancelled_with_bulk(row).is_some() {
            return None; // it has as good as ended
        }
        self.effects.stats.cancelled += 1;
        Some(self.settle(slot, Outcome::plain(MessageState::Deleted)))
    }

    /// Answers a cancel_sm that cancelled something if there is a `last` record of it.
    pub(super) fn end_cancel(&mut self, caller: Caller, last: Option<Lsn>) {
        match last {
            Some(lsn) => self.agree_after(lsn, caller),
            None => self.refuse(caller, Status::RCANCELFAIL),
        }
    }

    /// Says yes once `lsn` is durable, with a header alone.
    fn agree_after(&mut self, lsn: Lsn, caller: Caller) {
        let mut pdu = BytesMut::new();
        header_only(&mut pdu, caller.command.response(), Status::ROK, caller.sequence);
        self.reply_after(lsn, caller, pdu);
    }

    pub(super) fn take_replace(&mut self, caller: Caller, body: Bytes) {
        let (message_id, source) = match ReplaceSm::decode(&body, Reading::Lenient) {
            Ok(replace) => {
                (self.parse_id(replace.message_id), self.source_either_way(caller.account, &replace.source))
            }
            Err(error) => return self.refuse(caller, error.status),
        };
        let Some(id) = message_id else { return self.refuse(caller, Status::RINVMSGID) };
        if let Err(status) = self.check_store() {
            return self.refuse(caller, status);
        }
        if self.full {
            return self.refuse(caller, Status::RMSGQFUL); // a new text takes room
        }
        let known = self.kin_of(id, caller.account, source);
        // One text for all of a submit_multi can't be replaced for some of them: only while it is one message.
        let [slot] = known[..] else {
            let status = if known.is_empty() { Status::RINVMSGID } else { Status::RREPLACEFAIL };
            return self.refuse(caller, status);
        };
        let token = self.table.token(slot);
        self.replacing.push(Replacing { caller, token, body });
        self.go_on_replacing(token);
    }

    /// Those who want to replace texts that could not be read back go on, for now they may be.
    pub(super) fn look_again_at_replacing(&mut self) {
        for token in self.replacing.iter().map(|replacing| replacing.token).collect::<Vec<_>>() {
            self.go_on_replacing(token);
        }
    }

    /// Those who want to replace the text of this message go on if its body is at hand, or never will be.
    pub(super) fn go_on_replacing(&mut self, token: Token) {
        let Self { table, effects, durable, .. } = self;
        if table.known(token).is_some_and(|row| row.is_parked() && row.is_pending()) {
            return fetch_if_parked(table, effects, token, *durable);
        }
        while let Some(place) = self.replacing.iter().position(|replacing| replacing.token == token) {
            let Replacing { caller, body, .. } = self.replacing.remove(place);
            match self.replace(caller, token, &body) {
                Ok(lsn) => self.agree_after(lsn, caller),
                Err(status) => self.refuse(caller, status),
            }
        }
    }

    fn replace(&mut self, caller: Caller, token: Token, body: &[u8]) -> Result<Lsn, Status> {
        let replace = ReplaceSm::decode(body, Reading::Lenient).map_err(|error| error.status)?;
        if self.table.holds(token) {
            self.unbundle_if_fired(token.slot);
        }
        // A part that waits for the others of its text stays one: whose would it be with another text?
        let may_be = |row: &&mut Row| row.is_pending() && row.phase != Phase::Gathering;
        let row = self.table.known(token).filter(may_be).ok_or(Status::RREPLACEFAIL)?;
        let (account, carrier, route) = (row.account, row.carrier, row.route);
        let (was_tried, is_counted) = (row.attempts > 0, row.bulk != Row::ALONE);
        let (bulk, at, expires) = self.times_of(token.slot)?;
        let expires = write_absolute(expires);
        let old = self.table.body(token.slot).clone();
        let sm = Sm::decode(&old, Reading::Lenient).map_err(|_| Status::RREPLACEFAIL)?;
        let question = Question::new(&sm, account, u64::from(token.serial), at);
        let carrier = self.likely_carrier(&question, route, carrier);
        let passed_on = self.passed_schedule(carrier, &sm);
        let at = passed_on.unwrap_or(at);
        let due = write_absolute(at);
        // What is due already has no schedule any more.
        let due: &[u8] = if at > self.now.wall { &due } else { b"" };
        let tlvs = without_text_and_lifetime(sm.tlvs);
        let (schedule, kept) = (replace.schedule_delivery_time, |given: &'_ [u8]| given.is_empty());
        let new = Sm {
            schedule_delivery_time: if kept(schedule) { due } else { schedule },
            validity_period: if kept(replace.validity_period) { &expires } else { replace.validity_period },
            registered_delivery: replace.registered_delivery,
            sm_default_msg_id: replace.sm_default_msg_id,
            short_message: replace.text(),
            tlvs: Tlvs::read(&tlvs, Reading::Lenient).unwrap_or(Tlvs::empty()),
            ..sm
        };
        let AccountState { rules, times, .. } = &self.accounts[usize::from(account.0)];
        let admitted = admit(&new, rules, times, self.now)?;
        // One that waits for its bulk goes on doing so: its times are told from those of the bulk.
        let stays = bulk && kept(schedule);
        // Nor does a carrier keep a bulk's time for us, or our own wait for another attempt.
        let is_wait = was_tried && kept(schedule) && passed_on.is_none();
        let may_pass = !is_wait && (!is_counted || bulk && !stays);
        let passed = self.schedule_to_pass(carrier, admitted.due).filter(|_| may_pass);
        let due = match passed {
            Some(_) => self.now.wall,
            None if kept(schedule) => at,
            None => admitted.due,
        };
        let expires =
            if stays { admitted.expires.min(at.after(rules.max_validity)) } else { admitted.expires };
        if expires <= self.now.wall {
            return Err(Status::RINVEXPIRY); // its bulk is too late for any
        }
        let seen = guarded(|| self.examine(&new, account, carrier)).unwrap_or(Err(Status::RSYSERR))?.flags;
        let mut out = BytesMut::with_capacity(old.len() + replace.text().len());
        let new = if stays { Sm { schedule_delivery_time: b"", ..new } } else { new };
        new.encode_body(&mut out);
        let body = passed.map_or(out.freeze(), |schedule| with_schedule(&new, schedule));
        let wish = if is_datagram(&new) { 0 } else { receipt_wish(new.registered_delivery, caller.version) };
        let row = self.table.row(token.slot);
        row.registered_delivery = wish;
        row.flags = row.flags & !(flag::RESHAPE | flag::TOGETHER) | seen;
        (row.at, row.expires) = (due, expires);
        row.accepted = row.accepted.min(self.now.wall); // a schedule lies after it, however the clock went
        if !is_wait && admitted.due > self.now.wall {
            (row.attempts, row.error) = (0, [0; 3]); // what it waits for is its schedule
        }
        if bulk && !stays {
            self.leave_bulk(token.slot);
        }
        let lsn = self.write_again(token, body);
        self.effects.stats.replaced += 1;
        self.start(token.slot);
        Ok(lsn)
    }

    /// Writes a message that waits as its row says, with another body; gives where that is recorded.
    fn write_again(&mut self, token: Token, body: Bytes) -> Lsn {
        let row = self.table.row(token.slot);
        row.losses = 0; // another text is another message to whoever fell over it
        let due = row.at;
        let lsn = self.rewrite(token.slot, due, &body);
        self.table.keep_body(token.slot, body);
        self.bodies.push_back((self.now.mono, token));
        lsn
    }

    /// The message that `text` means, if it is an id of ours, of either length.
    pub(super) fn parse_id(&self, text: &[u8]) -> Option<MessageId> {
        if let Some(id) = MessageId::parse(text, &self.id_key) {
            return Some(id);
        }
        let half = MessageId::parse_short(text, &self.id_key)?;
        let slot = *self.short_ids.get(&half)?;
        let row = self.table.peek(slot).filter(|row| row.serial as u32 == half)?;
        Some(MessageId { serial: row.serial, slot })
    }

    /// Slots of the messages that `account` knows by `id`, sent from `source`; none if it is nobody's, or another's.
    fn kin_of(&mut self, id: MessageId, account: AccountId, source: EitherWay) -> Vec<u32> {
        let mut known = vec![id];
        known.extend(self.kin.members(id));
        known.retain(|member| {
            self.table.find(*member).is_some_and(|row| {
                // A part of a divided text is nobody's to ask for; its whole is. Nor is what we joined.
                let is_own = *member == id && !row.is(flag::PART | flag::WHOLE) || row.is(flag::SHARED);
                let is_theirs = row.account == account && source.contains(&row.source);
                is_own && !row.is(flag::INBOUND) && is_theirs
            })
        });
        known.into_iter().map(|id| id.slot).collect()
    }
}

/// State, network error and time of a message, as query_sm_resp has them.
fn told(row: &Row) -> (MessageState, u8, crate::clock::UnixMs) {
    let state = match row.phase {
        Phase::Accepting | Phase::Scheduled if row.attempts == 0 => MessageState::Scheduled,
        phase if super::is_open(phase) => MessageState::Enroute,
        _ => row.state, // it has ended
    };
    (state, row.error[2], row.at)
}

/// What a text was said with, but for the text, whose place the new one takes, and for a time that counted from then.
fn without_text_and_lifetime(tlvs: Tlvs<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    let is_replaced = |tag| matches!(tag, Tag::MESSAGE_PAYLOAD | Tag::QOS_TIME_TO_LIVE);
    for tlv in tlvs.iter().filter(|tlv| !is_replaced(tlv.tag)) {
        put_tlv(&mut out, tlv.tag, tlv.value);
    }
    out
}
