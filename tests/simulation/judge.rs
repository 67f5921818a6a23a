//! Compares the ledgers: what was promised, and what came of it (reliability: I1 to I6, I11, I12).

use super::Sim;
use super::agenda::{MINUTE, Micros, SECOND};
use super::carrier::fate;
use super::ledger::{Death, Dispatched, Ledger, Message, Offer, Told};
use enroute::codec::{MessageState, Status};
use enroute::hub::Durability;
use std::collections::{BTreeMap, BTreeSet};

/// What the comparison brought.
pub struct Verdict {
    pub wrong: Vec<String>,
    pub doubles: usize,
}

/// What all comparisons need.
struct Judge<'a> {
    sim: &'a Sim,
    ledger: &'a Ledger,
    /// How long the hub waits for an answer, less what a network takes.
    response: Micros,
    wrong: Vec<String>,
    doubles: usize,
    /// Doubles that the end of a connection excuses.
    excused: BTreeMap<usize, usize>,
    /// Messages of which something is wrong.
    damaged: BTreeSet<usize>,
}

/// Judges a run that is over.
pub fn judge(sim: &Sim) -> Verdict {
    let ledger = &sim.scene.ledger;
    let response = sim.plan.session.timers.response.as_micros() as Micros;
    let mut judge = Judge {
        sim,
        ledger,
        response: response.saturating_sub(SECOND),
        wrong: ledger.wrong.clone(),
        doubles: 0,
        excused: BTreeMap::new(),
        damaged: BTreeSet::new(),
    };
    if judge.wrong.is_empty() {
        judge.judge_rest();
        for number in 0..ledger.messages.len() {
            judge.judge_message(number);
        }
        judge.judge_inbound();
        judge.judge_windows();
    }
    Verdict { wrong: judge.wrong, doubles: judge.doubles }
}

impl Judge<'_> {
    fn wrong(&mut self, number: usize, what: &str) {
        self.damaged.insert(number);
        // A bit that turned over costs a record, and so at most a message.
        if self.damaged.len() <= self.ledger.flips {
            return;
        }
        if self.wrong.len() < 5 {
            self.wrong.push(format!("{what}\n{}", self.ledger.story(number)));
        }
    }

    /// In the end the hub holds nothing, owes nothing, and all its links stand.
    fn judge_rest(&mut self) {
        let Some(process) = &self.sim.process else {
            return self.wrong.push("I8: the hub doesn't stand in the end".to_owned());
        };
        let gauges = process.hub.gauges();
        let in_flight: u64 = gauges.carriers.iter().map(|carrier| carrier.in_flight).sum();
        if (gauges.messages, gauges.held, gauges.remembered, in_flight) != (0, 0, 0, 0) {
            self.wrong.push(format!("I8: something is left in the end: {gauges:?}, {:?}", process.writer));
        }
        for (place, plan) in self.sim.plan.hub.carriers.iter().enumerate() {
            let links = process.sessions.values().filter_map(|session| session.link());
            let bound = links.filter(|carrier| usize::from(carrier.0) == place).count();
            if bound != plan.carrier.links {
                self.wrong.push(format!("I8: carrier {place} has {bound} links of {}", plan.carrier.links));
            }
        }
    }

    fn judge_message(&mut self, number: usize) {
        let message = &self.ledger.messages[number];
        match &message.answer {
            Some((_, Ok(_))) => self.judge_accepted(number, message),
            Some((_, Err(_))) if !message.dispatches.is_empty() || !message.told.is_empty() => {
                self.wrong(number, "I3: it was refused and goes on");
            }
            Some((_, Err(_))) | None => {}
        }
        self.judge_doubles(number, message);
        self.judge_receipts(number, message);
        if message.is_long {
            self.judge_parts(number, message);
        }
    }

    /// I1: what was accepted arrives, or there is a reason.
    fn judge_accepted(&mut self, number: usize, message: &Message) {
        if self.may_be_lost(message) {
            return;
        }
        if message.wants_receipt {
            if message.told.is_empty() {
                self.wrong(number, "I1: accepted, and nobody hears of it again");
            }
            return;
        }
        let is_refused = message.offers.iter().any(|offer| is_final(offer.status));
        let after_war = self.sim.scene.agenda.believed(self.sim.plan.war + 20 * MINUTE).1;
        // A clock that was set brought some ends forward.
        let had_time = message.expires.0 > after_war && self.sim.scene.agenda.settings.len() == 1;
        let is_taken = message.offers.iter().any(|offer| offer.is_taken);
        if !is_taken && !is_refused && message.cancel.is_none() && had_time && !self.waits_in_line(message) {
            self.wrong(number, "I1: accepted, and never handed on");
        }
    }

    /// Whether the message was good for no longer than others before it kept its carrier at work: a link with one place, two seconds from the
    /// hub, takes fewer messages than a run may bring. The clock was never set.
    fn waits_in_line(&self, message: &Message) -> bool {
        let carrier = usize::from(message.destination.starts_with("4478"));
        let start = self.sim.scene.agenda.believed(0).1.0;
        let [due, end] = [message.schedule.unwrap_or_default(), message.expires.1]
            .map(|at| at.0.saturating_sub(start) * (SECOND / 1000));
        let due = due.max(message.sent);
        let of_carrier = |way: &&Dispatched| self.ledger.wires[&way.connection].carrier == Some(carrier);
        let ways = self.ledger.messages.iter().flat_map(|message| &message.dispatches).filter(of_carrier);
        let mut times: Vec<Micros> = ways.map(|way| way.at).filter(|at| (due..end).contains(at)).collect();
        times.extend([due, end]);
        times.sort_unstable();
        times.windows(2).all(|pair| pair[1] - pair[0] <= self.response + 5 * SECOND)
    }

    /// Whether its account chose not to wait for the disk, and paid for it.
    fn may_be_lost(&self, message: &Message) -> bool {
        let durability = self.sim.plan.hub.accounts[message.account].durability;
        let Some((answered, _)) = message.answer else { return false };
        let ends = |death: Death| match durability {
            Durability::Disk => false,
            Durability::Os => death == Death::Power,
            Durability::Memory => death != Death::Order,
        };
        // The answer may have been under way already.
        let soon = message.sent..answered + 2 * MINUTE;
        self.ledger.deaths.iter().any(|(at, death)| soon.contains(at) && ends(*death))
    }

    /// I2: nothing is handed on twice unless nobody could know what became of the first time.
    fn judge_doubles(&mut self, number: usize, message: &Message) {
        let mut last: BTreeMap<Option<(u16, u8, u8)>, &Offer> = BTreeMap::new();
        for offer in message.offers.iter().filter(|offer| offer.is_taken) {
            let Some(before) = last.insert(offer.part, offer) else { continue };
            self.doubles += 1;
            let wire = &self.ledger.wires[&before.connection];
            let is_late = before.answered.is_none_or(|(at, _)| at - before.at >= self.response);
            let is_deaf = wire.is_deaf || self.ledger.wires[&offer.connection].is_deaf;
            if is_late || is_deaf {
                continue;
            }
            match (wire.ended, before.answered) {
                (Some((ended, _)), _) if ended > offer.at => {
                    self.wrong(number, "I2: handed on twice while nothing was wrong");
                }
                (Some((_, read)), Some((_, end)))
                    if read >= end && !self.ledger.died_badly_between(before.at, offer.at) =>
                {
                    self.wrong(number, "I2: handed on twice though the hub had the answer");
                }
                (Some(_), _) => *self.excused.entry(before.connection).or_default() += 1,
                (None, _) => self.wrong(number, "I2: handed on twice on links that stand"),
            }
        }
    }

    fn judge_windows(&mut self) {
        for (connection, doubles) in &self.excused {
            let window = self.ledger.wires[connection].window;
            if *doubles > window {
                self.wrong.push(format!("I2: {doubles} doubles of #{connection}, whose window was {window}"));
            }
        }
    }

    /// I4: one outcome, the carrier's if it told one, and told once unless the answer was lost.
    fn judge_receipts(&mut self, number: usize, message: &Message) {
        let Some(first) = message.told.first() else { return };
        if !message.wants_receipt {
            return self.wrong(number, "I4: a receipt that nobody asked for");
        }
        if message.told.iter().any(|told| told.state != first.state) {
            self.wrong(number, "I4: two outcomes");
        }
        if let Some((_, Ok(id))) = &message.answer
            && message.told.iter().any(|told| told.id != *id)
        {
            self.wrong(number, "I5: the receipt names another message");
        }
        if !self.may_end_as(number, message, first) {
            self.wrong(number, "I4: it did not end like that");
        }
        let heard = |told: &Told| (told.at, told.connection, told.said);
        for (before, after) in message.told.iter().zip(message.told.iter().skip(1)) {
            if self.is_twice_for_nothing(heard(before), heard(after)) {
                self.wrong(number, "I4: told twice though it was answered");
            }
        }
    }

    /// How messages end that this one may be taken for, because their carrier gave them the same id.
    fn likely_fates(&self, number: usize) -> Vec<MessageState> {
        let named = |offer: &Offer| (offer.carrier, offer.id.clone());
        let offers = self.ledger.messages[number].offers.iter().filter(|offer| offer.is_taken);
        let names = offers.filter_map(|offer| self.ledger.by_carrier_id.get(&named(offer)));
        names.flatten().map(|number| fate(*number)).collect()
    }

    /// Whether a receipt for this offer may be taken for another's: its carrier gave several messages its id, and of one of them
    /// the hub did not hear first the id, then, once, the outcome.
    fn is_ambiguous(&self, offer: &Offer) -> bool {
        let numbers = &self.ledger.by_carrier_id[&(offer.carrier, offer.id.clone())];
        let offers = numbers.iter().flat_map(|number| &self.ledger.messages[*number].offers);
        let mut same = offers.filter(|other| other.carrier == offer.carrier && other.id == offer.id);
        let is_plain = |other: &Offer| {
            let Some((answered, _)) = other.answered else { return false };
            let wire = &self.ledger.wires[&other.connection];
            let is_heard = wire.ended.is_none_or(|(at, _)| at > answered + SECOND) && !wire.is_deaf;
            let is_later = other.receipt_taken.is_none_or(|taken| taken > answered + SECOND);
            is_heard && is_later && other.receipts < 2 && answered - other.at < self.response
        };
        numbers.len() > 1 && !same.all(is_plain)
    }

    fn may_end_as(&self, number: usize, message: &Message, told: &Told) -> bool {
        let is_taken = message.offers.iter().any(|offer| offer.is_taken);
        let is_refused = message.offers.iter().any(|offer| is_final(offer.status));
        let is_over = self.sim.scene.agenda.believed(told.at).1 >= message.expires.0;
        if !is_refused && message.cancel.is_none() && self.was_told(message, told.at) {
            return self.likely_fates(number).contains(&told.state);
        }
        match told.state {
            state if is_taken && self.likely_fates(number).contains(&state) => true,
            MessageState::Rejected => is_refused,
            MessageState::Deleted => message.cancel.is_some(),
            MessageState::Expired => is_over,
            MessageState::Unknown => is_over || self.ledger.poison.contains(&told.id),
            _ => false,
        }
    }

    /// Whether the hub certainly had the outcome from the carrier in good time.
    fn was_told(&self, message: &Message, before: Micros) -> bool {
        message.offers.iter().filter(|offer| offer.part.is_none()).any(|offer| {
            let wire = &self.ledger.wires[&offer.connection];
            let (Some((answered, end)), Some(taken)) = (offer.answered, offer.receipt_taken) else {
                return false;
            };
            let was_read = wire.ended.is_none_or(|(_, read)| read >= end);
            let in_time = answered - offer.at < self.response
                && self.sim.scene.agenda.believed(taken).1 < message.expires.0;
            // A receipt that overtook its answer is kept, and tells nothing where the answer is lost.
            let safe_at = if answered < taken { taken } else { before };
            was_read
                && in_time
                && !wire.is_deaf
                && !self.is_ambiguous(offer)
                && taken < before
                && self.ledger.outlived_all(answered, safe_at)
                && !self.ledger.died_between(offer.at, answered)
        })
    }

    /// I11: the parts of a text are all there and make the text.
    fn judge_parts(&mut self, number: usize, message: &Message) {
        let mut texts: BTreeMap<(u16, u8), BTreeMap<u8, &[u8]>> = BTreeMap::new();
        let mut whole = false;
        for offer in message.offers.iter().filter(|offer| offer.is_taken) {
            match offer.part {
                Some((reference, total, part)) => {
                    let before = texts.entry((reference, total)).or_default().insert(part, &offer.text);
                    if before.is_some_and(|before| before != offer.text) {
                        self.wrong(number, "I11: a part changes its text");
                    }
                }
                None => whole = true,
            }
        }
        let is_made = texts.iter().any(|((_, total), parts)| {
            let text: Vec<u8> =
                parts.values().flat_map(|part| without_header(part).iter().copied()).collect();
            parts.len() == usize::from(*total) && text == message.text
        });
        let is_delivered = message.told.first().is_some_and(|told| told.state == MessageState::Delivered);
        if is_delivered && !whole && !is_made {
            self.wrong(number, "I11: delivered, and not all of it");
        }
        let firsts = message.offers.iter().filter(|offer| offer.part.is_some());
        let firsts: Vec<&Offer> = firsts.collect();
        let is_plain =
            |offer: &&Offer| offer.status == Some(Status::ROK) && offer.connection == firsts[0].connection;
        // What is tried again is tried at its own time.
        let is_smooth = message.dispatches.len() == firsts.len()
            && firsts.iter().all(is_plain)
            && texts.values().all(|parts| parts.len() == firsts.len());
        let in_order = firsts.windows(2).all(|pair| pair[0].part < pair[1].part);
        if is_smooth && !in_order {
            self.wrong(number, "I11: parts out of order");
        }
    }

    fn judge_inbound(&mut self) {
        for (number, inbound) in self.ledger.inbound.iter().enumerate() {
            let is_lost = inbound.taken.is_some() && inbound.heard.is_empty();
            if is_lost && self.ledger.flips == 0 {
                self.wrong.push(format!("I1: M{number} was taken and never came: {inbound:?}"));
            }
            if inbound.refused && inbound.taken.is_none() && !inbound.heard.is_empty() {
                self.wrong.push(format!("I3: M{number} was refused and came: {inbound:?}"));
            }
            let pairs = inbound.heard.iter().zip(inbound.heard.iter().skip(1));
            let twice = pairs.into_iter().any(|(before, after)| self.is_twice_for_nothing(*before, *after));
            if twice && inbound.tells == 1 && self.ledger.flips == 0 {
                self.wrong.push(format!("I2: M{number} came twice: {inbound:?}"));
            }
        }
    }

    /// Whether a customer heard something again though the hub had its answer to the first time.
    fn is_twice_for_nothing(&self, before: Heard, after: Heard) -> bool {
        let ((at, connection, said), (again, other, _)) = (before, after);
        let wires = [connection, other].map(|connection| self.ledger.wires.get(&connection));
        let is_deaf = wires.iter().flatten().any(|wire| wire.is_deaf);
        // A slow reader may read the first one last.
        let ended = wires.iter().flatten().filter_map(|wire| wire.ended).any(|(at, _)| at <= again);
        let is_said = said.is_some_and(|(said, status)| status.is_ok() && said - at < self.response);
        is_said && !ended && !is_deaf
    }
}

/// When something was heard, on which connection, and what was answered when.
type Heard = (Micros, usize, Option<(Micros, Status)>);

/// Whether a carrier that says so never takes the message.
fn is_final(status: Option<Status>) -> bool {
    matches!(status, Some(Status::RINVDSTADR | Status::RUNKNOWNERR))
}

/// A part's text without its user data header, if it has one.
fn without_header(part: &[u8]) -> &[u8] {
    match part.first() {
        Some(length @ (5 | 6)) => &part[1 + usize::from(*length)..],
        _ => part,
    }
}
