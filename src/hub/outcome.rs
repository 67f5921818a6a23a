//! What carriers say: answers to dispatches, and receipts.

use super::inbound::Refusal;
use super::table::{Token, Whereabouts, flag};
use super::whose::{Given, is_for_another, may_be_for};
use super::{Held, Hub, Stage, Unanswered, Unreceipted};
use crate::carrier::{Arrival, LinkIntake, Matter, Verdict};
use crate::clock::UnixMs;
use crate::codec::{AlertNotification, Class, Command, MessageState, Reading, Status};
use crate::correlation::{EARLY_AGE, Early, IdHash};
use crate::id::{CarrierId, Lsn, MessageId, SessionId};
use crate::message::{Outcome, Phase};
use crate::schedule::Failure;
use crate::spool::Record;
use bytes::Bytes;

impl Hub {
    pub(super) fn take_link_intake(&mut self, session: SessionId, intake: &LinkIntake) {
        let Some(seat) = self.links.seat(session) else { return };
        let Some((_, link)) = self.links.here(seat) else { return };
        let carrier = link.carrier;
        let mut again = Vec::new();
        intake.glance();
        self.glance(intake.outcomes.iter().map(|outcome| Token::from_u64(outcome.token).slot));
        for outcome in &intake.outcomes {
            let (token, id) = (Token::from_u64(outcome.token), intake.id(&outcome.id));
            self.note_health(carrier, outcome.verdict);
            match outcome.verdict {
                Verdict::Answered(_) => {
                    self.note_answer(seat);
                    self.leave_trial(seat, carrier);
                }
                Verdict::Late(_) => self.note_answer(seat),
                Verdict::Unanswered | Verdict::Unfit(_) | Verdict::Unsayable | Verdict::NotSent => {
                    self.leave_trial(seat, carrier);
                }
            }
            match outcome.verdict {
                Verdict::Answered(Status::ROK) => self.take_taken(token, id, Some((seat, session))),
                Verdict::Late(Status::ROK) => self.take_late(token, id, carrier),
                Verdict::Answered(status) => {
                    self.give_room(seat, session);
                    self.take_refusal(token, status, &mut again);
                }
                Verdict::Unfit(status) => {
                    self.give_room(seat, session);
                    self.take_unfit(token, status);
                }
                // The retry that is under way settles it.
                Verdict::Late(status) => {
                    self.effects.stats.late_answers += 1;
                    self.hear_late(token, status, b"");
                }
                Verdict::Unanswered => {
                    self.give_room(seat, session);
                    self.note_silence(seat);
                    self.take_silence(token);
                }
                Verdict::Unsayable => {
                    self.give_room(seat, session);
                    self.take_unsayable(token);
                }
                // A session that takes nothing any more gets nothing any more: its room is not given back.
                Verdict::NotSent => {
                    self.note_unsent(token);
                    again.push(token);
                }
            }
        }
        for token in again.into_iter().rev() {
            self.dispatch_again(token, None);
        }
        for reply in &intake.replies {
            self.take_reply(reply, intake.id(&reply.body));
        }
        for alert in &intake.alerts {
            self.take_alert(intake.id(alert));
        }
        self.note_waits(seat, intake);
        match intake.congestion {
            Some(congestion) => self.steer(seat, congestion),
            None => self.steer_by_silence(seat),
        }
        let keys = self.keys(carrier, intake);
        for (arrival, key) in intake.arrivals.iter().zip(keys) {
            self.take_arrival((seat, session), carrier, intake, arrival, key);
        }
    }

    /// A carrier took the message, and says so after it was given up: its retry may be under way, here or elsewhere.
    fn take_late(&mut self, token: Token, id: &[u8], carrier: CarrierId) {
        self.effects.stats.late_answers += 1;
        if self.hear_late(token, Status::ROK, id) {
            return;
        }
        let waits = |phase| matches!(phase, Phase::Scheduled | Phase::Queued);
        let Some(row) = self.table.known(token).filter(|row| waits(row.phase)) else {
            return self.take_second_id(token, id, carrier);
        };
        let before = std::mem::replace(&mut row.carrier, carrier);
        self.wake_carrier(before); // those behind it there may have waited for its body
        self.take_taken(token, id, None);
    }

    /// The carrier took the message; `link` is where its place in the window is to be freed.
    fn take_taken(&mut self, token: Token, id: &[u8], link: Option<(u32, SessionId)>) {
        let fits = |phase| match link {
            Some(_) => phase == Phase::Dispatched,
            // Late: its retry must not be out already.
            None => matches!(phase, Phase::Scheduled | Phase::Queued),
        };
        let Some(row) = self.table.known(token).filter(|row| fits(row.phase)) else {
            if let Some((seat, session)) = link {
                self.give_room(seat, session);
            }
            return;
        };
        (row.phase, row.losses, row.at) = (Phase::Awaiting, 0, self.now.wall);
        let (carrier, message, expires) = (row.carrier, row.id(token.slot), row.expires);
        self.carriers.in_passing(usize::from(carrier.0)).throttles = 0;
        if row.is(flag::QUEUED) {
            self.wake_carrier(carrier); // those behind it may have waited for its body
        }
        let lsn = self.record_sent(message, carrier, id, self.now.wall);
        if let Some((link, session)) = link {
            self.hold(lsn, Held::Sent { link, session });
        }
        self.effects.stats.taken += 1;
        self.note_taken(token.slot);
        self.set_timer(token.slot, expires.after(self.settings.limits.receipt_grace));
        match id.is_empty() {
            true => {
                self.effects.stats.nameless += 1;
                self.enter_nameless(token.slot);
            }
            false => self.enter_named(token.slot, id),
        }
        if self.table.holds(token) {
            self.end_unless_receipted(token.slot);
        }
    }

    /// Records that a carrier has this message, and under which id.
    pub(super) fn record_sent(&mut self, id: MessageId, carrier: CarrierId, named: &[u8], at: UnixMs) -> Lsn {
        let carrier = &self.carriers[usize::from(carrier.0)].name;
        self.journal.append(&Record::Sent { id, carrier, carrier_message_id: named, at }).lsn
    }

    /// The carrier of this message knows it by `id`.
    pub(super) fn enter_named(&mut self, slot: u32, id: &[u8]) {
        let carrier = self.table.row(slot).carrier;
        let form = self.carriers[usize::from(carrier.0)].ids.response;
        let hash = self.correlation.key(carrier, id, form);
        let row = self.table.row(slot);
        row.carrier_message_id = Some(id.into());
        row.whereabouts = Whereabouts::Known(hash);
        if self.correlation.find(hash).next().is_some() {
            self.carriers[usize::from(carrier.0)].repeats_ids = true;
        }
        self.correlation.insert(hash, slot);
        self.claim_early(slot, carrier, id);
    }

    /// Ends a message that its carrier has taken, if it was not asked how that goes on.
    pub(super) fn end_unless_receipted(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let receipts = self.carriers[usize::from(row.carrier.0)].receipts;
        if row.phase == Phase::Awaiting && !receipts.asks(row.registered_delivery) {
            self.settle(slot, Outcome::plain(MessageState::Accepted));
        }
    }

    /// A receipt may have overtaken the answer.
    pub(super) fn claim_early(&mut self, slot: u32, carrier: CarrierId, id: &[u8]) {
        if self.correlation.early_len() == 0 {
            return;
        }
        let ids = self.carriers[usize::from(carrier.0)].ids;
        let keys = self.correlation.held_keys(carrier, id, ids);
        let Self { correlation, table, .. } = self;
        let (row, body) = table.row_and_body(slot);
        let serial = row.serial;
        // What came before the message itself was of an earlier one with its id: it may have come twice.
        let in_time = |early: &Early| serial < early.serial;
        let fits = |early: &Early| in_time(early) && may_be_for(row, body, &early.destination);
        let early = keys.into_iter().find_map(|key| correlation.claim(key, fits));
        // An id as configured counts more than an odd address: some carriers swap these (field bug D17).
        let odd = |early: &Early| in_time(early) && !is_for_another(row, &early.destination);
        let early = early.or_else(|| keys[..2].iter().find_map(|key| correlation.claim(*key, odd)));
        if let Some(early) = early {
            self.effects.stats.early_matched += 1;
            self.settle(slot, Outcome { state: early.state, error: early.error });
        }
    }

    /// The carrier refused the message; `again` gathers what is to be tried again at once.
    pub(super) fn take_refusal(&mut self, token: Token, status: Status, again: &mut Vec<Token>) {
        self.effects.stats.refuse_by_carrier(status);
        let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Dispatched) else {
            return;
        };
        self.carriers[usize::from(row.carrier.0)].note_refused(status, row.segments, self.now);
        let (carrier, whereabouts) = (row.carrier, row.whereabouts);
        row.losses = 0;
        let class = self.carriers[usize::from(carrier.0)].statuses.class(status);
        if class == Class::Throttle {
            self.slow_down(carrier, whereabouts);
        }
        if matches!(class, Class::Throttle | Class::Session) {
            self.pause(carrier, u64::from(token.serial));
        }
        if self.ends_with_refusal(token, status) {
            return;
        }
        match class {
            Class::Throttle | Class::Session => again.push(token),
            Class::Transient if status == Status::RUNKNOWNERR => {
                self.defer(token.slot, Failure::Unknown, Outcome::refused(status));
            }
            Class::Transient => self.defer(token.slot, Failure::Transient, Outcome::refused(status)),
            Class::QueueFull => self.defer(token.slot, Failure::QueueFull, Outcome::refused(status)),
            Class::Permanent => drop(self.settle(token.slot, Outcome::refused(status))),
            Class::Route | Class::Malformed => self.go_on_elsewhere(token.slot, status),
            // A success never comes here.
            Class::Ok => {}
        }
    }

    /// Its carrier can't be told this message.
    fn take_unfit(&mut self, token: Token, status: Status) {
        self.effects.stats.refuse_by_carrier(status);
        let is_out = self.table.known(token).is_some_and(|row| row.phase == Phase::Dispatched);
        if is_out && !self.ends_with_refusal(token, status) {
            self.go_on_elsewhere(token.slot, status);
        }
    }

    /// Sees to a refused message that no other attempt is for; gives whether that is so.
    fn ends_with_refusal(&mut self, token: Token, status: Status) -> bool {
        if self.fall_back(token) {
            return true;
        }
        // Its time ran out while the carrier thought about it: that is how it ends, and why is told beside it.
        let is_over = self.now.wall >= self.table.row(token.slot).expires;
        if is_over {
            let Outcome { error, .. } = Outcome::refused(status);
            self.expire(token.slot, Stage::InFlight, Outcome { state: MessageState::Expired, error });
        }
        is_over
    }

    /// The carrier did not answer: it may have the message, and gets it again rather than never.
    fn take_silence(&mut self, token: Token) {
        self.effects.stats.unanswered += 1;
        let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Dispatched) else {
            return;
        };
        row.set(flag::DOUBTFUL);
        self.effects.stats.doubtful += 1;
        if self.fall_back(token) {
            return;
        }
        if self.leave_unanswered(token) {
            return;
        }
        if self.now.wall >= self.table.row(token.slot).expires {
            return self.expire(token.slot, Stage::InFlight, Outcome::plain(MessageState::Unknown));
        }
        self.defer(token.slot, Failure::Unanswered, Outcome::plain(MessageState::Unknown));
    }

    /// Sees to a message that was not answered and does not go to its carrier again; gives whether that is so there.
    pub(super) fn leave_unanswered(&mut self, token: Token) -> bool {
        let carrier = self.table.row(token.slot).carrier;
        match self.carriers[usize::from(carrier.0)].unanswered {
            Unanswered::Retry => return false,
            Unanswered::Fail => drop(self.settle(token.slot, Outcome::plain(MessageState::Unknown))),
            Unanswered::AssumeSent => self.assume_taken(token),
        }
        true
    }

    /// Lets a message wait for its next attempt, if its validity and its ladder allow one; `last` is how it ends without.
    pub(super) fn defer(&mut self, slot: u32, failure: Failure, last: Outcome) {
        let row = self.table.row(slot);
        if row.is(flag::ONCE) {
            let Outcome { error, .. } = last;
            self.settle(slot, Outcome { state: MessageState::Undeliverable, error });
            return;
        }
        row.attempts = row.attempts.saturating_add(1);
        let ladder = self.carriers[usize::from(row.carrier.0)].retry.ladder(failure);
        if ladder.is_used_up(row.attempts) {
            self.settle(slot, last);
            return;
        }
        row.at = self.now.wall.after(ladder.wait(row.attempts, row.serial));
        (row.phase, row.error) = (Phase::Scheduled, last.error);
        let (due, carrier) = (row.at, row.carrier);
        // A carrier that said nothing may have it: another one would be paid for the double.
        if failure != Failure::Unanswered {
            self.turn_to_next(slot);
        }
        self.note_attempts(slot, due);
        self.effects.stats.deferred += 1;
        self.carriers[usize::from(carrier.0)].counts.retries += 1;
        self.await_due(slot);
    }

    fn take_arrival(
        &mut self,
        (link, session): (u32, SessionId),
        carrier: CarrierId,
        intake: &LinkIntake,
        arrival: &Arrival,
        key: Option<IdHash>,
    ) {
        let request = (arrival.command, arrival.sequence);
        let (command, sequence) = request;
        match &arrival.matter {
            Matter::Receipt { id, text_id, state, error, destination } => {
                self.effects.stats.receipts_in += 1;
                let given = Given {
                    carrier,
                    id: intake.id(id),
                    key,
                    text_id: intake.id(text_id),
                    destination: intake.id(destination),
                    outcome: Outcome { state: *state, error: *error },
                };
                match self.take_receipt(given) {
                    Some(lsn) => {
                        self.hold(lsn, Held::Arrived { link, session, command, sequence });
                    }
                    None => self.answer_arrival(link, session, request, Status::ROK),
                }
            }
            Matter::Inbound { body } => {
                self.take_inbound((link, session), carrier, request, intake.id(body));
            }
            Matter::Illegible => self.refuse_inbound((link, session), request, Refusal::Illegible),
            Matter::Unreadable => {
                self.effects.stats.receipts_unreadable += 1;
                self.answer_arrival(link, session, request, Status::ROK);
            }
        }
    }

    /// A handset is there again: whoever waits for it may hear so.
    fn take_alert(&mut self, body: &[u8]) {
        let Ok(alert) = AlertNotification::decode(body, Reading::Carrier) else { return };
        self.search_for_alert(alert.source.addr, Bytes::copy_from_slice(body));
    }

    pub(super) fn answer_arrival(
        &mut self,
        link: u32,
        session: SessionId,
        (command, sequence): (Command, u32),
        status: Status,
    ) {
        let Some(state) = self.links.at(link, session) else { return };
        state.batch.answers.push((command, sequence, status));
        self.links.mark(link);
    }

    /// Gives where the outcome is recorded, or `None` if there is nothing to record.
    fn take_receipt(&mut self, given: Given<'_>) -> Option<Lsn> {
        if !given.outcome.state.is_final() {
            self.effects.stats.receipts_intermediate += 1;
            if let Some(slot) = self.match_receipt(given) {
                self.note_interim(slot, given.outcome);
                self.take_notice(slot, given.outcome.state, given.outcome.error);
            }
            return None;
        }
        if let Some(slot) = self.match_receipt(given).or_else(|| self.match_nameless(given)) {
            return Some(self.settle(slot, given.outcome));
        }
        self.effects.stats.receipts_early += 1;
        let Given { carrier, id, destination, outcome, .. } = given;
        let lsn = self
            .journal
            .append(&Record::Early {
                carrier: &self.carriers[usize::from(carrier.0)].name,
                carrier_message_id: id,
                destination,
                state: outcome.state.octet(),
                error: outcome.error,
                at: self.now.wall,
            })
            .lsn;
        self.hold_early(given, (self.now.wall, self.journal.serial()), lsn);
        Some(lsn)
    }

    /// ACCEPTED and UNKNOWN are how a message ends if nothing better comes before its time is over (fact sheet 5.6).
    fn note_interim(&mut self, slot: u32, outcome: Outcome) {
        let row = self.table.row(slot);
        if row.phase == Phase::Awaiting
            && matches!(outcome.state, MessageState::Accepted | MessageState::Unknown)
        {
            (row.state, row.error) = (outcome.state, outcome.error);
        }
    }

    /// The grace after a message's validity is over, and its carrier never told how it ended (fact sheet 8.4).
    pub(super) fn give_up_awaiting(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let (state, error) = (row.state, row.error);
        match state {
            MessageState::Accepted => drop(self.settle(slot, Outcome { state, error })),
            MessageState::Unknown => self.expire(slot, Stage::Awaiting, Outcome { state, error }),
            // It said nothing, or nothing that counts.
            _ => {
                let state = match self.settings.limits.unreceipted {
                    Unreceipted::Unknown => MessageState::Unknown,
                    Unreceipted::Expired => MessageState::Expired,
                };
                self.expire(slot, Stage::Awaiting, Outcome::plain(state));
            }
        }
    }

    /// Takes a receipt up again that was held when the hub stopped.
    pub(super) fn resume_early(&mut self, given: Given<'_>, (at, serial): (UnixMs, u64), lsn: Lsn) {
        // How old it is nobody knows while the clock may be wrong.
        let is_doubtful = self.watch.expiry_wait().is_some();
        let at = if is_doubtful { self.now.wall } else { at };
        if self.now.wall.since(at) > EARLY_AGE {
            return;
        }
        match self.match_receipt(given) {
            Some(slot) => {
                self.effects.stats.early_matched += 1;
                self.settle(slot, given.outcome);
            }
            None => self.hold_early(given, (at, serial), lsn),
        }
    }

    fn hold_early(&mut self, given: Given<'_>, (at, serial): (UnixMs, u64), lsn: Lsn) {
        let Given { carrier, id: text, destination, outcome: Outcome { state, error }, .. } = given;
        let id = self.correlation.key(carrier, text, self.carriers[usize::from(carrier.0)].ids.receipt);
        let (text, destination) = (text.into(), destination.into());
        let early = Early { id, carrier, text, state, error, destination, at, serial, lsn };
        let lost = self.correlation.hold(early, self.now);
        self.effects.stats.receipts_unmatched += u64::from(lost.is_some());
    }
}
