//! Carriers: they take messages or don't, answer or don't, and owe receipts.

use super::agenda::{HOUR, Happening, MINUTE, MS, Micros, SECOND};
use super::ledger::{DIGITS, Inbound, Offer, number_in, part};
use super::plan::{CODES, Conduct, Mood};
use super::scene::Scene;
use super::wire::Seat;
use enroute::codec::{
    Address, BindResp, Command, Frame, Header, MessageState, Reading, Receipt, Sm, Status, Version,
    encode_submit_resp, next_frame,
};
use std::collections::BTreeMap;

/// What is to be done at a time.
#[derive(Clone, Debug)]
enum Due {
    Answer { connection: usize, sequence: u32, number: usize, offer: usize },
    Receipt(Owed),
    Inbound(usize),
}

/// A receipt that the hub has to have.
#[derive(Clone, Debug)]
struct Owed {
    number: usize,
    offer: usize,
}

/// One carrier with all its sessions.
pub struct Carrier {
    place: usize,
    conduct: Conduct,
    pub mood: Mood,
    pub mood_until: Micros,
    /// Longer than the hub waits for an answer.
    late: Micros,
    seats: BTreeMap<usize, Seat>,
    due: BTreeMap<(Micros, u64), Due>,
    number: u64,
    /// What the hub was told and has not answered, by connection and sequence.
    told: BTreeMap<(usize, u32), (Micros, Due)>,
    ids: u64,
    next_handset: Micros,
    next_watch: Micros,
}

impl Carrier {
    pub fn new(place: usize, conduct: Conduct, late: Micros) -> Self {
        Self {
            place,
            conduct,
            mood: Mood::Usual,
            mood_until: 0,
            late,
            seats: BTreeMap::new(),
            due: BTreeMap::new(),
            number: 0,
            told: BTreeMap::new(),
            ids: 0,
            next_handset: 0,
            next_watch: 0,
        }
    }

    pub fn mood(&self, scene: &Scene) -> Mood {
        if scene.agenda.time < self.mood_until { self.mood } else { Mood::Usual }
    }

    pub fn connections(&self) -> Vec<usize> {
        self.seats.keys().copied().collect()
    }

    fn plan(&mut self, at: Micros, due: Due, scene: &mut Scene) {
        self.number += 1;
        self.due.insert((at, self.number), due);
        scene.agenda.at(at, Happening::Carrier { carrier: self.place });
    }

    /// The hub connected.
    pub fn accept(&mut self, connection: usize, scene: &mut Scene) {
        self.seats.insert(connection, Seat::new(connection, scene.agenda.time));
        scene.agenda.after(WATCH, Happening::Carrier { carrier: self.place });
    }

    fn lose(&mut self, connection: usize, scene: &mut Scene) {
        self.seats.remove(&connection);
        scene.net.break_off(connection, &mut scene.agenda);
        let lost: Vec<_> =
            self.told.range((connection, 0)..=(connection, u32::MAX)).map(|(key, _)| *key).collect();
        for key in lost {
            if let Some((_, due)) = self.told.remove(&key) {
                let wait = scene.random.u64(SECOND..5 * SECOND);
                self.plan(scene.agenda.time + wait, due, scene);
            }
        }
    }

    /// Something came on a connection, or there is room.
    pub fn hear(&mut self, connection: usize, scene: &mut Scene) {
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        let goes_on = seat.read(usize::MAX, scene);
        while let Some(frame) = self.seats.get_mut(&connection).and_then(Seat::frame) {
            let Ok(Some(frame)) = next_frame(&frame, usize::MAX) else { break };
            self.take(connection, frame, scene);
        }
        let flushed = self.seats.get_mut(&connection).is_some_and(|seat| seat.flush(scene));
        if !goes_on || !flushed {
            self.lose(connection, scene);
        }
    }

    fn take(&mut self, connection: usize, frame: Frame<'_>, scene: &mut Scene) {
        let Header { command, status, sequence, .. } = frame.header;
        let mood = self.mood(scene);
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        match command {
            Command::ENQUIRE_LINK => seat.header(command.response(), Status::ROK, sequence),
            Command::UNBIND => {
                seat.bound = false;
                seat.header(command.response(), Status::ROK, sequence);
            }
            Command::BIND_TRANSCEIVER => {
                let resp = BindResp { system_id: b"smsc", sc_interface_version: Some(0x34) };
                let answer = if mood == Mood::Refusing { Status::RINVPASWD } else { Status::ROK };
                seat.bound = answer.is_ok();
                resp.encode(&mut seat.out, command.response(), answer, sequence);
                if mood == Mood::Leaving {
                    let sequence = seat.next_sequence();
                    seat.header(Command::UNBIND, Status::ROK, sequence);
                }
            }
            Command::SUBMIT_SM => self.take_message(connection, sequence, frame.body, scene),
            _ if command == Command::DELIVER_SM.response() => {
                self.take_thanks(connection, sequence, status, scene)
            }
            _ if command.is_response() => {}
            _ => scene.ledger.wrong(scene.agenda.time, format!("{command} to a carrier")),
        }
    }

    fn take_message(&mut self, connection: usize, sequence: u32, body: &[u8], scene: &mut Scene) {
        let time = scene.agenda.time;
        let Ok(sm) = Sm::decode(body, Reading::Strict) else {
            return scene.ledger.wrong(time, "a submission to a carrier can't be read".to_owned());
        };
        let Some(number) = number_in(&sm) else {
            return scene.ledger.wrong(time, format!("I6: nobody wrote {:?}", sm.text()));
        };
        if number >= scene.ledger.messages.len() {
            return scene.ledger.wrong(time, format!("I3: T{number} was never submitted"));
        }
        let (status, wait) = self.decide(scene);
        let is_taken = status.is_none_or(|status| status.is_ok());
        let id = if is_taken { self.next_id() } else { String::new() };
        scene.ledger.check_content(number, &sm, time);
        let part = part(&sm);
        if is_taken {
            scene.ledger.by_carrier_id.entry((self.place, id.clone())).or_default().insert(number);
        }
        let offers = &mut scene.ledger.messages[number].offers;
        let offer = offers.len();
        offers.push(Offer {
            at: time,
            connection,
            carrier: self.place,
            part,
            text: sm.text().to_vec(),
            status,
            is_taken,
            id,
            answered: None,
            receipts: 0,
            receipt_taken: None,
        });
        if status.is_some() {
            let due = Due::Answer { connection, sequence, number, offer };
            if scene.strikes(self.conduct.twice) {
                self.plan(time + wait, due.clone(), scene);
            }
            self.plan(time + wait, due, scene);
        }
        let is_owed = is_taken && sm.registered_delivery & 3 != 0;
        if is_owed && !scene.strikes(self.conduct.unreceipted) {
            let owed = Owed { number, offer };
            let after = if scene.strikes(self.conduct.early) {
                scene.random.u64(0..=wait)
            } else if scene.strikes(self.conduct.delayed) {
                let most = if scene.random.u8(0..10) == 0 { HOUR } else { 2 * MINUTE };
                wait + scene.random.u64(10 * SECOND..most)
            } else {
                wait + scene.random.u64(MS..5 * SECOND)
            };
            self.plan(time + after, Due::Receipt(owed), scene);
        }
    }

    /// What it says of a message, and after how long; `None`: nothing.
    fn decide(&mut self, scene: &mut Scene) -> (Option<Status>, Micros) {
        let Conduct { latency, throttled, full, unknown, permanent, silent, late, .. } = self.conduct;
        let wait = scene.random.u64(MS / 2..=latency);
        let later = self.late + scene.random.u64(0..10 * SECOND);
        match self.mood(scene) {
            Mood::Throttling => return (Some(Status::RTHROTTLED), wait),
            Mood::Full => return (Some(Status::RMSGQFUL), wait),
            Mood::Mute => return (None, wait),
            Mood::Late => return (Some(Status::ROK), later),
            Mood::Usual | Mood::Away | Mood::Refusing | Mood::Babbling | Mood::Leaving => {}
        }
        let mut lot = if scene.is_peace { u32::MAX } else { scene.random.u32(0..1000) };
        let habits = [
            (throttled, Some(Status::RTHROTTLED), wait),
            (full, Some(Status::RMSGQFUL), wait),
            (unknown, Some(Status::RUNKNOWNERR), wait),
            (permanent, Some(Status::RINVDSTADR), wait),
            (silent, None, wait),
            (late, Some(Status::ROK), later),
        ];
        for (share, status, wait) in habits {
            if lot < share {
                return (status, wait);
            }
            lot -= share;
        }
        (Some(Status::ROK), wait)
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("{}", 1_000 + self.ids % self.conduct.ids)
    }

    fn take_thanks(&mut self, connection: usize, sequence: u32, status: Status, scene: &mut Scene) {
        let Some((_, due)) = self.told.remove(&(connection, sequence)) else { return };
        let time = scene.agenda.time;
        match (due, status.is_ok()) {
            (Due::Receipt(Owed { number, offer }), true) => {
                scene.ledger.messages[number].offers[offer].receipt_taken.get_or_insert(time);
            }
            (Due::Inbound(number), true) => {
                scene.ledger.inbound[number].taken.get_or_insert(time);
            }
            (Due::Inbound(number), false) if status == Status::RX_R_APPN => {
                scene.ledger.inbound[number].refused = true;
            }
            (due, false) => {
                let wait = scene.random.u64(SECOND..10 * SECOND);
                self.plan(time + wait, due, scene);
            }
            (Due::Answer { .. }, true) => {}
        }
    }

    /// Does what is due.
    pub fn act(&mut self, scene: &mut Scene) {
        let time = scene.agenda.time;
        if self.mood(scene) != Mood::Away {
            while let Some(first) = self.due.first_entry().filter(|first| first.key().0 <= time) {
                let due = first.remove();
                self.carry_out(due, scene);
            }
        }
        self.give_up_waiting(scene);
        self.let_handsets_write(scene);
        for connection in self.connections() {
            if self.mood(scene) == Mood::Babbling && scene.random.u8(0..50) == 0 {
                self.babble(connection, scene);
            }
            if self.seats.get_mut(&connection).is_some_and(|seat| !seat.flush(scene)) {
                self.lose(connection, scene);
            }
        }
    }

    fn carry_out(&mut self, due: Due, scene: &mut Scene) {
        match due {
            Due::Answer { connection, sequence, number, offer } => {
                let Some(seat) = self.seats.get_mut(&connection) else { return };
                let offer = &mut scene.ledger.messages[number].offers[offer];
                let status = offer.status.unwrap_or(Status::ROK);
                encode_submit_resp(&mut seat.out, status, sequence, offer.id.as_bytes());
                let end = seat.end_of_stream(&scene.net);
                offer.answered.get_or_insert((scene.agenda.time, end));
            }
            Due::Receipt(_) | Due::Inbound(_) => self.tell(due, scene),
        }
    }

    /// Delivers something on any session that stands, and again later if there is none.
    fn tell(&mut self, due: Due, scene: &mut Scene) {
        let time = scene.agenda.time;
        let bound: Vec<usize> =
            self.seats.values().filter(|seat| seat.bound).map(|seat| seat.connection).collect();
        if bound.is_empty() || self.told.len() > 50 {
            let wait = scene.random.u64(SECOND / 2..3 * SECOND);
            return self.plan(time + wait, due, scene);
        }
        let connection = bound[scene.random.usize(0..bound.len())];
        let hex = self.conduct.hex;
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        let sequence = seat.next_sequence();
        let start = enroute::codec::begin(&mut seat.out, Command::DELIVER_SM, Status::ROK, sequence);
        match &due {
            Due::Receipt(Owed { number, offer }) => {
                scene.ledger.messages[*number].offers[*offer].receipts += 1;
                let message = &scene.ledger.messages[*number];
                let id = receipt_id(&message.offers[*offer].id, hex);
                let sm = Sm {
                    source: Address { ton: 0, npi: 0, addr: message.source.as_bytes() },
                    destination: Address { ton: 1, npi: 1, addr: message.destination.as_bytes() },
                    ..Sm::default()
                };
                Receipt::new(id.as_bytes(), fate(*number)).write_body(&sm, Version::V34, &mut seat.out);
            }
            Due::Inbound(number) => {
                scene.ledger.inbound[*number].tells += 1;
                let inbound = &scene.ledger.inbound[*number];
                let sm = Sm {
                    source: Address { ton: 1, npi: 1, addr: b"447700900555" },
                    destination: Address { ton: 0, npi: 0, addr: CODES[inbound.account].as_bytes() },
                    short_message: &inbound.text,
                    ..Sm::default()
                };
                sm.encode_body(&mut seat.out);
            }
            Due::Answer { .. } => unreachable!("answers have their own way"),
        }
        enroute::codec::finish(&mut seat.out, start);
        self.told.insert((connection, sequence), (time, due));
    }

    /// What was told on a session that answers nothing is told elsewhere.
    fn give_up_waiting(&mut self, scene: &mut Scene) {
        let time = scene.agenda.time;
        let stuck = self.told.iter().find(|(_, (since, _))| since + PATIENCE < time).map(|(key, _)| key.0);
        if let Some(connection) = stuck {
            self.lose(connection, scene);
        }
        if time >= self.next_watch && !(self.told.is_empty() && self.seats.is_empty()) {
            self.next_watch = time + WATCH;
            scene.agenda.after(WATCH, Happening::Carrier { carrier: self.place });
        }
    }

    fn let_handsets_write(&mut self, scene: &mut Scene) {
        let time = scene.agenda.time;
        if scene.is_peace || time < self.next_handset {
            return;
        }
        self.next_handset = time + scene.random.u64(5 * SECOND..MINUTE);
        let number = scene.ledger.inbound.len();
        let account = scene.random.usize(0..CODES.len());
        let text = format!("M{number:0DIGITS$} hello").into_bytes();
        scene.ledger.inbound.push(Inbound {
            account,
            text,
            taken: None,
            refused: false,
            tells: 0,
            heard: Vec::new(),
        });
        self.plan(time, Due::Inbound(number), scene);
        scene.agenda.at(self.next_handset, Happening::Carrier { carrier: self.place });
    }

    fn babble(&mut self, connection: usize, scene: &mut Scene) {
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        let len = scene.random.usize(1..200);
        seat.out.extend((0..len).map(|_| scene.random.u8(..)));
        scene.ledger.wires.entry(connection).or_default().is_deaf = true;
    }

    /// It begins to be in another mood.
    pub fn turn(&mut self, mood: Mood, until: Micros, scene: &mut Scene) {
        (self.mood, self.mood_until) = (mood, until);
        for connection in self.connections() {
            match mood {
                Mood::Away => self.lose(connection, scene),
                Mood::Babbling if scene.random.bool() => self.babble(connection, scene),
                _ => {}
            }
        }
        scene.agenda.after(MS, Happening::Carrier { carrier: self.place });
        scene.agenda.at(until, Happening::Carrier { carrier: self.place });
    }
}

/// How the message of this number ends, whichever carrier has it.
pub fn fate(number: usize) -> MessageState {
    match number % 10 {
        0 => MessageState::Undeliverable,
        1 => MessageState::Expired,
        2 => MessageState::Rejected,
        _ => MessageState::Delivered,
    }
}

fn receipt_id(id: &str, hex: bool) -> String {
    match id.parse::<u64>() {
        Ok(number) if hex => format!("{number:x}"),
        Ok(_) | Err(_) => id.to_owned(),
    }
}

/// How long the hub may take to answer a delivery before it is told elsewhere.
const PATIENCE: Micros = 40 * SECOND;
const WATCH: Micros = 10 * SECOND;
