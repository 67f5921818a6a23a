//! Messages from handsets: what a carrier delivers becomes ours, waits for its account, and goes out to one of its ports.
//!
//! ```text
//! deliver_sm → whose → Accepted record ┄durable┄► the carrier is answered; waits ─port with room─► Delivering ─taken─► Done
//! ```
//!
//! It waits in its account's queue among the receipts. It has no state that anybody could ask for, and no carrier ever gets it. It is
//! put in its account's words as it comes in, so that nothing but the record is needed later.

use super::first_parts::Word;
use super::kin::TextKey;
use super::stand_in::case_of;
use super::table::{Row, Token, flag};
use super::{Held, Hub, Mode, PortState};
use crate::codec::{Command, Reading, Sm, Status, Tag, Tlvs, put_tlv};
use crate::conversion::{self, Fallback, Long, Profile};
use crate::esme::Verdict;
use crate::guard::guarded;
use crate::id::{AccountId, CarrierId, Lsn, SessionId};
use crate::message::Phase;
use crate::route::Choice;
use crate::route::inbound::Case;
use crate::spool::Record;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// Why an inbound message doesn't come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its addresses can't be read or passed on.
    Illegible,
    /// No route leads to an account.
    Nowhere,
    /// The first part of its text, which says whose it is, hasn't come yet.
    FirstPart,
    /// Its account has as much in the hub as it may.
    AccountFull,
    /// The hub has.
    HubFull,
    /// It has passed too often.
    Circle,
    /// It wishes to hear no more, and no more such wishes can be remembered.
    OptOuts,
    /// Nothing can be written.
    Store,
}

impl Refusal {
    /// What the carrier is told: for good, or to come again (fact sheet 4.1, 11; field bug D13).
    const fn status(self) -> Status {
        match self {
            Self::Illegible | Self::Nowhere | Self::Circle => Status::RX_R_APPN,
            Self::FirstPart | Self::AccountFull | Self::HubFull | Self::OptOuts | Self::Store => {
                Status::RX_T_APPN
            }
        }
    }

    /// Its word in metrics.
    const fn word(self) -> &'static str {
        match self {
            Self::Illegible => "illegible",
            Self::Nowhere => "no_route",
            Self::FirstPart => "first_part_awaited",
            Self::AccountFull => "account_full",
            Self::HubFull => "hub_full",
            Self::Circle => "circle",
            Self::OptOuts => "opt_outs_full",
            Self::Store => "store",
        }
    }
}

impl Hub {
    /// A message that the carrier of this link delivered, as the body of a deliver_sm.
    pub(super) fn take_inbound(
        &mut self,
        (link, session): (u32, SessionId),
        carrier: CarrierId,
        (command, sequence): (Command, u32),
        body: &[u8],
    ) {
        match self.admit_inbound(carrier, body) {
            Ok((lsn, token)) => {
                self.effects.stats.inbound.received += 1;
                self.hold(lsn, Held::Begun { token });
                self.hold(lsn, Held::Arrived { link, session, command, sequence });
            }
            Err(refusal) => self.refuse_inbound((link, session), (command, sequence), refusal),
        }
    }

    pub(super) fn refuse_inbound(
        &mut self,
        (link, session): (u32, SessionId),
        request: (Command, u32),
        refusal: Refusal,
    ) {
        self.effects.stats.inbound.refuse(refusal.word());
        self.answer_arrival(link, session, request, refusal.status());
    }

    fn admit_inbound(&mut self, carrier: CarrierId, body: &[u8]) -> Result<(Lsn, Token), Refusal> {
        let sm = Sm::decode(body, Reading::Lenient).map_err(|_| Refusal::Illegible)?;
        let wanted = self.account_for(carrier, &sm)?;
        let account = self.stand_in_for(wanted, &case_of(carrier, &sm)).unwrap_or(wanted);
        if self.is_crowded() {
            self.effects.stats.crowded += 1;
            return Err(Refusal::HubFull);
        }
        let state = &self.accounts[usize::from(account.0)];
        if self.mode == Mode::ReadOnly {
            return Err(Refusal::Store);
        }
        if self.full || self.table.len() >= self.settings.limits.messages {
            return Err(Refusal::HubFull);
        }
        if state.held >= state.held_max {
            return Err(Refusal::AccountFull);
        }
        if self.is_in_circles(&sm) {
            return Err(Refusal::Circle);
        }
        let wish = self.take_wish(carrier, wanted, &sm).map_err(|_| Refusal::OptOuts)?;
        let state = &self.accounts[usize::from(account.0)];
        let is_gathered = state.joins && conversion::part_of(&sm).is_some();
        let row = Row {
            accepted: self.now.wall,
            expires: self.now.wall.after(self.settings.limits.inbound_retention),
            at: self.now.wall,
            account,
            carrier,
            flags: flag::INBOUND | super::intake::shape_flags(&sm),
            source: self.table.hash(sm.source.addr),
            destination: self.table.hash(sm.destination.addr),
            phase: Phase::Accepting,
            ..Row::default()
        };
        self.note_pass(&sm);
        let from = Arc::clone(&self.carriers[usize::from(carrier.0)].profile);
        let body = self.in_words_of(account, &from, &sm, body);
        let (mut lsn, token) = self.admit_row(row, body, None);
        lsn = lsn.max(wish.unwrap_or(lsn));
        if is_gathered {
            lsn = self.note_origin(token.slot).unwrap_or(lsn);
        }
        Ok((lsn, token))
    }

    /// Writes where an inbound message came from, if that is known and counts: parts of one carrier are not joined with those of
    /// another.
    pub(super) fn note_origin(&mut self, slot: u32) -> Option<Lsn> {
        let row = self.table.row(slot);
        if !row.is(flag::TOGETHER) || row.is(flag::PART) || row.carrier == Row::NOWHERE {
            return None;
        }
        let (id, carrier, at) = (row.id(slot), row.carrier, row.accepted);
        Some(self.record_sent(id, carrier, b"", at))
    }

    /// Whose it is. A text's keyword stands in its first part, and counts for all of them.
    fn account_for(&mut self, carrier: CarrierId, sm: &Sm<'_>) -> Result<AccountId, Refusal> {
        let case = case_of(carrier, sm);
        match self.settings.inbound.choose(&case) {
            Choice::To(account) => return Ok(account),
            Choice::Nowhere => return Err(Refusal::Nowhere),
            Choice::Depends => {}
        }
        let part = conversion::part_of(sm).filter(|part| part.total > 1);
        let key = part.map(|part| TextKey {
            account: NOBODY,
            carrier: Some(carrier),
            source: self.table.hash(sm.source.addr),
            destination: self.table.hash(sm.destination.addr),
            reference: part.reference,
            wide: part.wide,
            total: part.total,
        });
        let is_first = part.is_none_or(|part| part.number == 1);
        let keyword = match key.filter(|_| !is_first).map(|key| self.first_parts.ask(key, self.now)) {
            Some(Word::Whose(account)) => return account.ok_or(Refusal::Nowhere),
            Some(Word::Wait) => return Err(Refusal::FirstPart),
            Some(Word::GiveUp) => String::new(),
            None => {
                let profile = &self.carriers[usize::from(carrier.0)].profile;
                guarded(|| conversion::first_word(sm, profile)).unwrap_or_default()
            }
        };
        let account = match self.settings.inbound.choose(&Case { keyword: Some(&keyword), ..case }) {
            Choice::To(account) => Some(account),
            Choice::Nowhere | Choice::Depends => None,
        };
        if let Some(key) = key.filter(|_| is_first) {
            self.first_parts.note(key, account, self.now);
        }
        account.ok_or(Refusal::Nowhere)
    }

    /// The body as `account` takes it. What it can't be told otherwise it gets with question marks, or else as it came: nobody is
    /// there who could send it in other words.
    pub(super) fn in_words_of(
        &mut self,
        account: AccountId,
        from: &Profile,
        sm: &Sm<'_>,
        body: &[u8],
    ) -> Bytes {
        let to = &self.accounts[usize::from(account.0)].profile;
        if from.is_plain() && to.is_plain() {
            return Bytes::copy_from_slice(body);
        }
        let mut out = BytesMut::with_capacity(2 * body.len());
        // Words that fail, by a refusal or by a panic, are none.
        let convert = |from: &Profile, to: &Profile, out: &mut BytesMut| {
            out.clear();
            guarded(|| conversion::convert(sm, from, to, out).is_ok()).unwrap_or(false)
        };
        if convert(from, to, &mut out) {
            return out.freeze();
        }
        let replacing = |profile: &Profile| Profile { fallback: Fallback::Replace, ..profile.clone() };
        if convert(&replacing(from), &replacing(to), &mut out) {
            self.effects.stats.inbound.replaced += 1;
            return out.freeze();
        }
        self.effects.stats.inbound.as_it_came += 1;
        Bytes::copy_from_slice(body)
    }

    /// An inbound message is ours: it waits for its account.
    pub(super) fn begin_inbound(&mut self, slot: u32) {
        let token = self.table.token(slot);
        let row = self.table.row(slot);
        row.phase = Phase::Waiting;
        let (account, expires) = (row.account, row.expires);
        if row.is(flag::TOGETHER) && !row.is(flag::PART) && self.accounts[usize::from(account.0)].joins {
            row.set(flag::RESHAPE);
        }
        self.wait(token, account);
        self.set_timer(slot, expires);
    }

    /// Puts an inbound message, or one in its place, to the front of its account's queue.
    fn put_in_front(&mut self, token: Token) {
        let row = self.table.row(token.slot);
        row.phase = Phase::Waiting;
        row.set(flag::QUEUED);
        let (account, expires) = (row.account, row.expires);
        self.accounts[usize::from(account.0)].waiting.push_front(token);
        self.set_timer(token.slot, expires);
        self.wake_account(account);
    }

    /// Sees to an inbound message at the front of its account's queue, its body at hand, that can't go out as it is: a part that
    /// its account wants joined with the others, or a text that is too long for all that are bound. It is out of the queue.
    pub(super) fn reshape_inbound(&mut self, token: Token) {
        let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Waiting) else { return };
        let is_part = row.is(flag::RESHAPE);
        row.clear(flag::RESHAPE);
        let body = self.table.body(token.slot).clone();
        let Ok(sm) = Sm::decode(&body, Reading::Lenient) else {
            return self.put_in_front(token); // can't be: it was read when it came in
        };
        match conversion::part_of(&sm).filter(|_| is_part) {
            Some(part) => self.gather(token, part, &body),
            None if is_part => self.put_in_front(token),
            None => self.divide_inbound(token, &sm),
        }
    }

    /// A part goes out as it came: the others of its text didn't come in time, or make no sense with it.
    pub(super) fn release_inbound(&mut self, token: Token) {
        let row = self.table.row(token.slot);
        row.phase = Phase::Waiting;
        let (account, expires) = (row.account, row.expires);
        self.effects.stats.inbound.parts_alone += 1;
        self.wait(token, account);
        self.set_timer(token.slot, expires);
    }

    /// The same part is here already, word for word: the carrier brought it twice.
    pub(super) fn drop_twin(&mut self, token: Token) {
        self.effects.stats.inbound.twins += 1;
        self.finish(token.slot);
    }

    /// All parts of an inbound text are here: one message takes their place.
    ///
    /// Their end is recorded behind the whole, so that any beginning of the log has either the parts or the whole.
    pub(super) fn join_inbound(&mut self, parts: &[(Token, Bytes)], body: &[u8]) {
        let into = self.new_id();
        let mut row = heir(self.table.row(parts[0].0.slot), flag::INBOUND);
        for (token, _) in parts {
            let part = self.table.row(token.slot);
            part.phase = Phase::Joined;
            row.accepted = row.accepted.min(part.accepted);
            row.expires = row.expires.min(part.expires);
            let id = part.id(token.slot);
            self.journal.append(&Record::Joined { id, into });
            self.kin.join(into, id);
        }
        let (_, whole) = self.admit_as(into, row, as_short_as_may_be(body), None);
        for (token, _) in parts {
            self.finish(token.slot);
        }
        self.effects.stats.inbound.joined += 1;
        self.put_in_front(whole);
    }

    /// Everybody who is bound speaks 3.3, which has no place for so long a text: its parts go in its place.
    ///
    /// The whole ends behind its parts: where the log is cut between, the parts are dropped at the start and the whole is still there.
    fn divide_inbound(&mut self, token: Token, sm: &Sm<'_>) {
        let row = self.table.row(token.slot);
        let (id, account) = (row.id(token.slot), row.account);
        let key = u64::from(row.source) << 32 | u64::from(row.destination);
        let reference = self.kin.references.next(key);
        let from = &self.accounts[usize::from(account.0)].profile;
        let to = Profile { long: Long::Udh8, ..Profile::clone(from) };
        let mut bodies = Vec::new();
        let each = |_, body: &[u8]| bodies.push(Bytes::copy_from_slice(body));
        let is_divided = guarded(|| conversion::divide(sm, from, &to, reference, each).is_ok());
        if !is_divided.unwrap_or(false) || bodies.len() < 2 {
            return self.cut_inbound(token, sm);
        }
        let mut parts = Vec::with_capacity(bodies.len());
        for body in bodies {
            let row = heir(self.table.row(token.slot), flag::INBOUND | flag::PART | flag::TOGETHER);
            parts.push(self.admit_row(row, body, Some(id)).1);
        }
        self.finish(token.slot);
        self.effects.stats.inbound.divided += 1;
        for part in parts.into_iter().rev() {
            self.put_in_front(part);
        }
    }

    /// What can't be divided either ends where 3.3 has no more room, as a receipt does.
    fn cut_inbound(&mut self, token: Token, sm: &Sm<'_>) {
        let mut body = BytesMut::new();
        let short_message = &sm.text()[..SHORT_MESSAGE_MAX.min(sm.text().len())];
        Sm { short_message, tlvs: Tlvs::empty(), ..*sm }.encode_body(&mut body);
        self.table.keep_body(token.slot, body.freeze());
        self.effects.stats.inbound.cut += 1;
        self.put_in_front(token);
    }

    /// What an ESME made of an inbound message.
    pub(super) fn take_inbound_verdict(&mut self, token: Token, verdict: Verdict) {
        let Some(row) = self.table.known(token) else { return };
        match verdict {
            Verdict::Taken => {
                let waited = self.now.wall.since(row.accepted);
                self.effects.stats.inbound.waited.record(waited);
                self.effects.stats.inbound.delivered += 1;
                self.finish(token.slot);
            }
            Verdict::Refused => {
                self.effects.stats.inbound.denied += 1;
                self.finish(token.slot);
            }
            Verdict::Later | Verdict::Misplaced => {
                row.phase = Phase::Waiting;
                let again = self.now.wall.after(self.settings.limits.receipt_retry).min(row.expires);
                self.effects.stats.inbound.deferred += 1;
                self.set_timer(token.slot, again);
            }
            Verdict::Unanswered | Verdict::NotSent => self.deliver_again(token),
        }
    }
}

/// What takes the place of an inbound message.
fn heir(row: &Row, flags: u16) -> Row {
    let Row { accepted, expires, at, account, carrier, source, destination, .. } = *row;
    let phase = Phase::Waiting;
    Row { accepted, expires, at, account, carrier, source, destination, flags, phase, ..Row::default() }
}

/// Whether this body says more than a session without optional parameters can be told at once.
pub(super) fn wants_parameters(body: &[u8]) -> bool {
    body.len() > SHORT_MESSAGE_MAX
        && Sm::decode(body, Reading::Lenient).is_ok_and(|sm| sm.text().len() > SHORT_MESSAGE_MAX)
}

/// Appends an inbound message for one port of an account that means `profile`. To 3.3 a part says what it is in a header: it
/// gets no parameters.
pub(super) fn write_inbound(body: &[u8], port: &mut PortState, profile: &Profile) {
    let out = &mut port.batch.bodies;
    if !port.version.takes_tlvs()
        && let Ok(sm) = Sm::decode(body, Reading::Lenient)
        && !sm.tlvs.is_empty()
    {
        let to = Profile { long: Long::Udh16, ..profile.clone() };
        let before = out.len();
        if guarded(|| conversion::convert(&sm, profile, &to, out).is_ok()).unwrap_or(false) {
            return;
        }
        out.truncate(before);
    }
    out.extend_from_slice(body);
}

/// A joined body, its text in short_message if that has room for it.
fn as_short_as_may_be(body: &[u8]) -> Bytes {
    let Some(sm) = Sm::decode(body, Reading::Lenient).ok().filter(|sm| sm.text().len() <= SHORT_MESSAGE_MAX)
    else {
        return Bytes::copy_from_slice(body);
    };
    let mut tlvs = BytesMut::new();
    for tlv in sm.tlvs.iter().filter(|tlv| tlv.tag != Tag::MESSAGE_PAYLOAD) {
        put_tlv(&mut tlvs, tlv.tag, tlv.value);
    }
    let tlvs = Tlvs::read(&tlvs, Reading::Lenient).unwrap_or_default();
    let mut out = BytesMut::with_capacity(body.len());
    Sm { short_message: sm.text(), tlvs, ..sm }.encode_body(&mut out);
    out.freeze()
}

/// Octets of short_message that everybody takes.
const SHORT_MESSAGE_MAX: usize = 254;
/// The account of a text that is nobody's yet.
const NOBODY: AccountId = AccountId(u16::MAX);
