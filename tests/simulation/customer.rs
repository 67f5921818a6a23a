//! Customers: they submit, hear, answer or don't, and keep a ledger of it.

use super::agenda::{Happening, MS, Micros, SECOND};
use super::ledger::{Told, number_of};
use super::net::End;
use super::plan::{Habits, NAMES};
use super::scene::Scene;
use super::wire::Seat;
use bytes::BytesMut;
use enroute::codec::{
    Bind, CancelSm, Command, Frame, Header, QuerySm, Reading, Receipt, Sm, SmResp, Status,
    encode_deliver_resp, next_frame,
};
use std::collections::BTreeMap;

/// What was asked and is not answered.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Bind,
    Submit(usize),
    Cancel(usize),
    Other,
}

/// A delivery whose answer waits.
#[derive(Clone, Copy, Debug)]
struct Owed {
    at: Micros,
    connection: usize,
    sequence: u32,
    status: Status,
    whose: Whose,
}

#[derive(Clone, Copy, Debug)]
enum Whose {
    Receipt(usize),
    Inbound(usize, usize),
    Nobody,
}

/// One customer, with one session at a time.
pub struct Customer {
    place: usize,
    pub habits: Habits,
    pub seat: Option<Seat>,
    open: BTreeMap<u32, Asked>,
    owed: Vec<Owed>,
    next_batch: Micros,
    next_sip: Micros,
    next_watch: Micros,
    /// Messages that it still wants to submit.
    pub eager: usize,
    pub submitting: super::submission::Submitting,
    /// Its accepted messages that may be asked for.
    mine: Vec<usize>,
}

impl Customer {
    pub fn new(place: usize, habits: Habits, submitting: super::submission::Submitting) -> Self {
        Self {
            place,
            habits,
            seat: None,
            open: BTreeMap::new(),
            owed: Vec::new(),
            next_batch: 0,
            next_sip: 0,
            next_watch: 0,
            eager: 0,
            submitting,
            mine: Vec::new(),
        }
    }

    fn soon(&self, wait: Micros, scene: &mut Scene) {
        scene.agenda.after(wait, Happening::Customer { customer: self.place });
    }

    pub fn call_later(&self, scene: &mut Scene) {
        let wait = scene.random.u64(SECOND / 2..5 * SECOND);
        scene.agenda.after(wait, Happening::Call { customer: self.place });
    }

    /// Its connection was accepted.
    pub fn begin(&mut self, connection: usize, scene: &mut Scene) {
        let mut seat = Seat::new(connection, scene.agenda.time);
        // It may hear after the hub has stopped waiting.
        scene.ledger.wires.entry(connection).or_default().is_deaf = self.habits.sip > 0;
        if self.habits.is_hostile && !scene.is_peace {
            self.babble(&mut seat, scene);
        } else {
            let sequence = seat.next_sequence();
            let bind = Bind {
                system_id: NAMES[self.habits.account].as_bytes(),
                password: b"secret",
                interface_version: self.habits.version,
                ..Bind::default()
            };
            bind.encode(&mut seat.out, self.habits.kind.command(), sequence);
            self.open.insert(sequence, Asked::Bind);
        }
        self.seat = Some(seat);
        self.flush(scene);
        self.next_watch = scene.agenda.time + WATCH;
        self.soon(WATCH, scene);
    }

    /// Says something that no customer says.
    fn babble(&mut self, seat: &mut Seat, scene: &mut Scene) {
        let random = &mut scene.random;
        match random.u8(0..4) {
            0 => seat.out.extend((0..random.usize(1..400)).map(|_| random.u8(..))),
            1 => seat.out.extend_from_slice(&[0xFF; 64]),
            2 => {
                for sequence in 1..random.u32(2..6) {
                    let sm = Sm { short_message: b"nobody", ..Sm::default() };
                    sm.encode(&mut seat.out, Command::SUBMIT_SM, sequence);
                }
            }
            _ => {
                let bind = Bind { system_id: b"shop", password: b"guess", ..Bind::default() };
                bind.encode(&mut seat.out, Command::BIND_TRANSCEIVER, 1);
            }
        }
    }

    fn lose(&mut self, scene: &mut Scene) {
        if let Some(seat) = self.seat.take() {
            scene.net.break_off(seat.connection, &mut scene.agenda);
        }
        self.open.clear();
        self.owed.clear();
        self.call_later(scene);
    }

    fn flush(&mut self, scene: &mut Scene) {
        if let Some(seat) = &mut self.seat
            && !seat.flush(scene)
        {
            self.lose(scene);
        }
    }

    /// Something came, or there is room.
    pub fn hear(&mut self, connection: usize, scene: &mut Scene) {
        if self.seat.as_ref().is_none_or(|seat| seat.connection != connection) {
            return;
        }
        let (sip, rest) = (self.habits.sip, self.habits.rest);
        let sips = sip > 0 && !scene.is_peace;
        if sips && scene.agenda.time < self.next_sip {
            return; // comes back when it has rested
        }
        let Some(seat) = &mut self.seat else { return };
        let most = if sips { sip } else { usize::MAX };
        let goes_on = seat.read(most, scene);
        if sips {
            self.next_sip = scene.agenda.time + rest;
            self.soon(rest, scene);
        }
        while let Some(frame) = self.seat.as_mut().and_then(Seat::frame) {
            let Ok(Some(frame)) = next_frame(&frame, usize::MAX) else { break };
            self.take(frame, scene);
        }
        if !goes_on {
            return self.lose(scene);
        }
        self.say(scene);
    }

    fn take(&mut self, frame: Frame<'_>, scene: &mut Scene) {
        let Header { command, status, sequence, .. } = frame.header;
        let Some(seat) = &mut self.seat else { return };
        match command {
            Command::ENQUIRE_LINK => seat.header(Command::ENQUIRE_LINK.response(), Status::ROK, sequence),
            Command::UNBIND => seat.header(Command::UNBIND.response(), Status::ROK, sequence),
            Command::DELIVER_SM => self.take_delivery(frame, scene),
            _ if command.is_response() => self.take_response(status, sequence, frame.body, scene),
            _ => scene.ledger.wrong(scene.agenda.time, format!("{command} to a customer")),
        }
    }

    fn take_response(&mut self, status: Status, sequence: u32, body: &[u8], scene: &mut Scene) {
        let time = scene.agenda.time;
        match self.open.remove(&sequence) {
            Some(Asked::Bind) if status.is_ok() => {
                if let Some(seat) = &mut self.seat {
                    seat.bound = true;
                }
                self.next_batch = time;
            }
            Some(Asked::Bind) => self.lose(scene),
            Some(Asked::Submit(number)) => {
                let id = String::from_utf8_lossy(SmResp::decode(body).message_id).into_owned();
                let answer = if status.is_ok() { Ok(id) } else { Err(status) };
                if answer.is_ok() {
                    self.mine.push(number);
                }
                scene.ledger.messages[number].close_bounds(&scene.agenda);
                scene.ledger.answered(number, time, answer);
            }
            Some(Asked::Cancel(number)) => {
                if status.is_ok()
                    && let Some((_, agreed)) = &mut scene.ledger.messages[number].cancel
                {
                    *agreed = Some(time);
                }
            }
            Some(Asked::Other) | None => {}
        }
    }

    fn take_delivery(&mut self, frame: Frame<'_>, scene: &mut Scene) {
        let time = scene.agenda.time;
        let Some(connection) = self.seat.as_ref().map(|seat| seat.connection) else { return };
        let Ok(sm) = Sm::decode(frame.body, Reading::Lenient) else {
            return scene.ledger.wrong(time, "a delivery can't be read".to_owned());
        };
        let whose = if sm.is_receipt() {
            self.take_receipt(&sm, connection, scene)
        } else {
            self.take_inbound(&sm, connection, scene)
        };
        let Habits { mute, slow, sulky, .. } = self.habits;
        if scene.strikes(10 * mute) {
            return;
        }
        let status = if scene.strikes(10 * sulky) { Status::RX_T_APPN } else { Status::ROK };
        let wait = if scene.strikes(10 * slow) { scene.random.u64(SECOND..60 * SECOND) } else { 0 };
        let owed = Owed { at: time + wait, connection, sequence: frame.header.sequence, status, whose };
        self.owed.push(owed);
        if wait > 0 {
            self.soon(wait, scene);
        }
    }

    fn take_receipt(&mut self, sm: &Sm<'_>, connection: usize, scene: &mut Scene) -> Whose {
        let at = scene.agenda.time;
        let Some(receipt) = Receipt::read(sm) else {
            scene.ledger.wrong(at, "a receipt can't be read".to_owned());
            return Whose::Nobody;
        };
        scene.ledger.receipts.push(Told {
            account: self.habits.account,
            destination: String::from_utf8_lossy(sm.source.addr).into_owned(),
            at,
            connection,
            state: receipt.state,
            id: String::from_utf8_lossy(receipt.message_id).into_owned(),
            said: None,
        });
        Whose::Receipt(scene.ledger.receipts.len() - 1)
    }

    fn take_inbound(&mut self, sm: &Sm<'_>, connection: usize, scene: &mut Scene) -> Whose {
        let at = scene.agenda.time;
        let Some(number) = number_of(b'M', sm.text()) else {
            scene.ledger.wrong(at, format!("an inbound message of nobody: {:?}", sm.text()));
            return Whose::Nobody;
        };
        let inbound = &mut scene.ledger.inbound[number];
        inbound.heard.push((at, connection, None));
        let (is_mine, is_whole) = (inbound.account == self.habits.account, inbound.text == sm.text());
        let place = inbound.heard.len() - 1;
        if !is_mine || !is_whole {
            scene.ledger.wrong(at, format!("I6: M{number} came as {:?}", sm.text()));
        }
        Whose::Inbound(number, place)
    }

    /// Does what is due: answers, submissions, a look whether the hub is still there.
    pub fn act(&mut self, scene: &mut Scene) {
        let Some(seat) = &mut self.seat else { return };
        let time = scene.agenda.time;
        let connection = seat.connection;
        if time > seat.heard + SILENCE {
            return self.lose(scene);
        }
        if time >= seat.heard + ASK && self.open.len() < 100 {
            let sequence = seat.next_sequence();
            seat.header(Command::ENQUIRE_LINK, Status::ROK, sequence);
            self.open.insert(sequence, Asked::Other);
        }
        if time >= self.next_watch {
            self.next_watch = time + WATCH;
            self.soon(WATCH, scene);
        }
        self.say(scene);
        if self.habits.sip > 0 || scene.is_peace {
            self.hear(connection, scene);
        }
    }

    fn say(&mut self, scene: &mut Scene) {
        let time = scene.agenda.time;
        let Some(seat) = &mut self.seat else { return };
        for owed in self.owed.extract_if(.., |owed| owed.at <= time) {
            if owed.connection != seat.connection {
                continue;
            }
            encode_deliver_resp(&mut seat.out, owed.status, owed.sequence);
            match owed.whose {
                Whose::Receipt(place) => scene.ledger.receipts[place].said = Some((time, owed.status)),
                Whose::Inbound(number, place) => {
                    scene.ledger.inbound[number].heard[place].2 = Some((time, owed.status))
                }
                Whose::Nobody => {}
            }
        }
        if seat.bound && !scene.is_peace && self.habits.kind.submits() {
            self.submit(scene);
        }
        self.flush(scene);
    }

    fn submit(&mut self, scene: &mut Scene) {
        let time = scene.agenda.time;
        if time >= self.next_batch {
            self.eager += scene.random.usize(1..=self.habits.batch);
            let wait = scene.random.u64(0..2 * self.habits.pause);
            self.next_batch = time + wait;
            self.soon(wait, scene);
            self.ask(scene);
        }
        let waiting = self.open.values().filter(|asked| matches!(asked, Asked::Submit(_))).count();
        let mut room = self.habits.window.saturating_sub(waiting);
        while room > 0 && self.eager > 0 {
            self.eager -= 1;
            let mut body = BytesMut::new();
            let number = self.submitting.write(&self.habits, &mut body, scene);
            let Some(seat) = &mut self.seat else { return };
            let sequence = seat.next_sequence();
            let start = enroute::codec::begin(&mut seat.out, Command::SUBMIT_SM, Status::ROK, sequence);
            seat.out.extend_from_slice(&body);
            enroute::codec::finish(&mut seat.out, start);
            self.open.insert(sequence, Asked::Submit(number));
            room -= 1;
        }
    }

    /// Now and then asks after a message, or for its end.
    fn ask(&mut self, scene: &mut Scene) {
        if self.mine.is_empty() || scene.random.u8(0..8) > 0 {
            return;
        }
        let number = self.mine[scene.random.usize(0..self.mine.len())];
        let Some(seat) = &mut self.seat else { return };
        let message = &mut scene.ledger.messages[number];
        let Some((_, Ok(id))) = &message.answer else { return };
        let sequence = seat.next_sequence();
        let source = enroute::codec::Address { ton: 0, npi: 0, addr: message.source.as_bytes() };
        if scene.random.bool() {
            QuerySm { message_id: id.as_bytes(), source }.encode(&mut seat.out, sequence);
            self.open.insert(sequence, Asked::Other);
        } else {
            let cancel = CancelSm { message_id: id.as_bytes(), source, ..CancelSm::default() };
            cancel.encode(&mut seat.out, sequence);
            message.cancel.get_or_insert((scene.agenda.time, None));
            self.open.insert(sequence, Asked::Cancel(number));
        }
    }

    /// Peace: it forgets its bad habits.
    pub fn calm_down(&mut self, scene: &mut Scene) {
        self.eager = 0;
        if let Some(seat) = &self.seat
            && self.habits.is_hostile
        {
            scene.net.close(seat.connection, End::Peer, &mut scene.agenda);
        }
        if self.habits.is_hostile {
            self.lose(scene);
        }
        self.owed.iter_mut().for_each(|owed| owed.at = owed.at.min(scene.agenda.time));
        self.soon(MS, scene);
    }
}

/// How long a silent hub is left alone before it is asked, and before it is given up.
const ASK: Micros = 30 * SECOND;
const SILENCE: Micros = 60 * SECOND;
const WATCH: Micros = 31 * SECOND;
