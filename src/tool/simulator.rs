//! One session of a simulated carrier.

use super::book::{Book, Inner, Out, Owed, REFUSED_AGAIN, Seat, id_text};
use super::conduct::IdFormat;
use crate::clock::Now;
use crate::codec::{
    self, Address, AlertNotification, Command, DataSm, Destination, MessageState, Outbind, Reading, Receipt,
    ReceiptDate, Sm, Status, SubmitMulti, Tlvs, Version,
};
use crate::runtime::Machine;
use crate::session::{Event, Session, Settings, frames};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// An answer to a submission.
struct Answer {
    command: Command,
    sequence: u32,
    status: Status,
    id: Vec<u8>,
}

impl Answer {
    fn write(&self, out: &mut BytesMut) {
        let Self { command, sequence, status, id } = self;
        match *command {
            Command::SUBMIT_MULTI => codec::encode_multi_resp(out, *status, *sequence, id, &[]),
            command => codec::encode_id_resp(out, command, *status, *sequence, id, Tlvs::empty()),
        }
    }
}

/// One session.
pub(super) struct Simulator {
    pub(super) session: Session,
    book: Arc<Book>,
    bell: Arc<Notify>,
    number: u64,
    house: usize,
    drops: u64,
    receives: bool,
    /// What the others know of its window.
    full: bool,
    out: Out,
    /// Where the next receipts are written, one behind the other: a processor fetches such places before they are written to.
    room: BytesMut,
    /// Answers that wait for their time.
    delayed: VecDeque<(Instant, Answer)>,
    next_receipt: Option<Instant>,
    next_inbound: Option<Instant>,
}

impl Simulator {
    pub fn new(book: Arc<Book>, now: Now) -> Self {
        let settings = Settings { window_in: 100_000, ..Settings::default() };
        let bell = Arc::new(Notify::new());
        let mut inner = book.lock();
        inner.next_session += 1;
        let number = inner.next_session;
        inner.seats.push(Seat { number, house: 0, full: false, bell: Arc::clone(&bell) });
        drop(inner);
        Self {
            session: Session::serve(settings, now),
            drops: book.drops.load(Ordering::Relaxed),
            book,
            bell,
            number,
            house: 0,
            receives: false,
            full: false,
            out: Out::default(),
            room: BytesMut::new(),
            delayed: VecDeque::new(),
            next_receipt: None,
            next_inbound: None,
        }
    }

    /// A session on a connection that we made: calls the ESME there, as `system_id`, and waits for its bind.
    pub fn call(book: Arc<Book>, outbind: &Outbind<'_>, now: Now) -> Self {
        let mut simulator = Self::new(book, now);
        simulator.session.outbind(outbind);
        simulator
    }

    /// The connection is gone: receipts that were not answered go out again elsewhere.
    pub fn end(mut self) {
        let book = Arc::clone(&self.book);
        let mut inner = book.lock();
        inner.seats.retain(|seat| seat.number != self.number);
        let lost: Vec<u64> = self.session.unanswered().map(|sent| sent.token).collect();
        lost.into_iter().rev().for_each(|token| self.put_back(token, &mut inner));
    }

    pub(super) fn id_format(&self) -> IdFormat {
        self.book.conduct.id_format
    }

    fn handle(&mut self, event: Event<'_>, inner: &mut Inner, now: Now) {
        match event {
            Event::BindRequested { kind, bind } => {
                inner.report.binds += 1;
                self.receives = kind.receives();
                if self.book.conduct.apart {
                    self.house = inner.seat(self.number, bind.system_id);
                }
                let version = Version::from_interface(bind.interface_version);
                let window = self.book.conduct.receipt_window;
                self.session.accept_bind(b"smsc", version, 100_000, window, now);
            }
            Event::Request { command, sequence, body } => {
                let is_submission =
                    matches!(command, Command::SUBMIT_SM | Command::DATA_SM | Command::SUBMIT_MULTI);
                match is_submission {
                    true => self.take_submission(command, sequence, body, inner, now),
                    false => self.take_operation(command, sequence, body, inner, now),
                }
            }
            Event::Response { sent, status, .. } => {
                let receipt = status.is_ok().then(|| self.out.end_receipt(sent.token)).flatten();
                if let Some((id, state)) = receipt {
                    inner.report.receipts_answered += 1;
                    inner.end(id, state);
                } else if let Some(owed) = self.out.take(sent.token) {
                    match owed.is_inbound {
                        true => inner.end_inbound(owed, status, now),
                        false => inner.owe_last(Owed { at: now.mono + REFUSED_AGAIN, ..owed }),
                    }
                }
            }
            Event::Unanswered(sent) => self.put_back(sent.token, inner),
            Event::Bound { .. } | Event::BindRefused(_) | Event::Outbind(_) => {} // we never bind
        }
    }

    /// What was out under this token was not answered: it goes out again.
    fn put_back(&mut self, token: u64, inner: &mut Inner) {
        if let Some(owed) = self.out.take(token) {
            inner.put_back(owed);
        }
    }

    fn take_submission(&mut self, command: Command, sequence: u32, body: &[u8], inner: &mut Inner, now: Now) {
        let refuse = |status| Answer { command, sequence, status, id: Vec::new() };
        let read = match command {
            Command::DATA_SM => DataSm::decode(body, Reading::Lenient).map(|data_sm| data_sm.as_sm()),
            Command::SUBMIT_MULTI => SubmitMulti::decode(body, Reading::Lenient).map(|multi| multi.sm),
            _ => Sm::decode(body, Reading::Lenient),
        };
        let sm = match read {
            Ok(sm) => sm,
            Err(error) => return self.answer(refuse(error.status), now),
        };
        // None for one destination.
        let destinations = match command {
            Command::SUBMIT_MULTI => match destinations(body) {
                Some(destinations) => destinations,
                None => return self.answer(refuse(Status::RINVDLNAME), now),
            },
            _ => Vec::new(),
        };
        let conduct = &self.book.conduct;
        let draw = inner.random.f64();
        if draw < conduct.fail_share + conduct.throttle_share {
            inner.report.refused += 1;
            let status = if draw < conduct.fail_share { Status::RSUBMITFAIL } else { Status::RTHROTTLED };
            return self.answer(refuse(status), now);
        }
        let number = inner.count(sm.text(), now);
        let (text, id) = inner.write_id(conduct.id_format);
        if let Some(number) = number {
            inner.ledger.line("took", || [number.to_string().into_bytes(), text.clone()]);
        }
        if sm.registered_delivery & 0b11 != 0 {
            for (ton, npi, addr) in &destinations {
                let sm = Sm { destination: Address { ton: *ton, npi: *npi, addr }, ..sm };
                self.owe_receipt(&sm, &text, id, inner, now);
            }
            if command != Command::SUBMIT_MULTI {
                self.owe_receipt(&sm, &text, id, inner, now);
            }
        }
        self.answer(Answer { command, sequence, status: Status::ROK, id: text }, now);
    }

    fn owe_receipt(&mut self, sm: &Sm<'_>, text: &[u8], id: u64, inner: &mut Inner, now: Now) {
        let conduct = &self.book.conduct;
        let undelivered = conduct.undelivered_share > 0.0 && inner.random.f64() < conduct.undelivered_share;
        let state = if undelivered { MessageState::Undeliverable } else { MessageState::Delivered };
        let format = conduct.receipt_id_format.unwrap_or(conduct.id_format);
        let other = (format != conduct.id_format).then(|| id_text(id, format));
        if self.room.capacity() < BODY_ROOM {
            self.room = BytesMut::with_capacity(ROOM);
        }
        let text = other.as_deref().unwrap_or(text);
        write_receipt(sm, text, state, self.session.version(), now, &mut self.room);
        let body = self.room.split().freeze();
        let delay = Duration::from_millis(conduct.resp_delay_ms + conduct.receipt_delay_ms);
        let (at, session, house) = (now.mono + delay, self.number, self.house);
        let owed = Owed { at, session, house, id, body, state, is_inbound: false };
        let early = conduct.early_receipts && !self.book.held.load(Ordering::Relaxed);
        if early && self.session.room() > 0 && self.receives {
            self.send(owed, inner, now);
        } else {
            inner.owe_last(owed);
        }
    }

    fn answer(&mut self, answer: Answer, now: Now) {
        let delay = self.book.conduct.resp_delay_ms;
        if delay > 0 {
            return self.delayed.push_back((now.mono + Duration::from_millis(delay), answer));
        }
        self.session.answer(|out| answer.write(out));
    }

    fn send(&mut self, owed: Owed, inner: &mut Inner, now: Now) {
        let (token, owed) = self.out.put(owed);
        let conduct = &self.book.conduct;
        let sm = (conduct.alerts || conduct.data_receipts)
            .then(|| Sm::decode(&owed.body, Reading::Carrier).ok())
            .flatten();
        if let Some(sm) = sm.filter(|_| conduct.alerts) {
            let alert = AlertNotification { source: sm.source, esme: sm.destination, ..Default::default() };
            self.session.tell(Command::ALERT_NOTIFICATION, |out| alert.encode_body(out));
        }
        let sent = match sm.filter(|_| conduct.data_receipts) {
            Some(sm) => self.session.request(Command::DATA_SM, token, now, |out| sm.encode_data_body(out)),
            None => {
                self.session.request(Command::DELIVER_SM, token, now, |out| out.extend_from_slice(&owed.body))
            }
        };
        if sent.is_some() {
            inner.report.receipts_sent += 1;
            let format = conduct.id_format;
            inner.ledger.line("receipt", || [id_text(owed.id, format), owed.state.receipt_word().to_vec()]);
        } else if let Some(owed) = self.out.take(token) {
            inner.owe_first(owed);
        }
    }

    /// Sends what handsets have written by now, as far as the window goes.
    fn deliver(&mut self, inner: &mut Inner, now: Now) {
        let handsets = &self.book.conduct.handsets;
        let command = if handsets.inbound_data { Command::DATA_SM } else { Command::DELIVER_SM };
        while self.session.room() > 0 {
            let owed = match inner.next_inbound(handsets, now) {
                Ok(owed) => owed,
                Err(next) => {
                    self.next_inbound = next;
                    return;
                }
            };
            let (token, owed) = self.out.put(owed);
            let Ok(sm) = Sm::decode(&owed.body, Reading::Carrier) else { return };
            let sent = self.session.request(command, token, now, |out| match command {
                Command::DATA_SM => sm.encode_data_body(out),
                _ => out.extend_from_slice(&owed.body),
            });
            if sent.is_none() {
                return self.put_back(token, inner);
            }
            inner.ledger.line("inbound", || [owed.id.to_string().into_bytes()]);
            inner.report.inbound_sent += 1;
        }
    }

    /// Does what is due: delayed answers, messages of handsets, and receipts as far as the window goes.
    fn go_on(&mut self, inner: &mut Inner, now: Now) {
        while self.delayed.front().is_some_and(|(at, _)| *at <= now.mono) {
            if let Some((_, answer)) = self.delayed.pop_front() {
                self.session.answer(|out| answer.write(out));
            }
        }
        (self.next_receipt, self.next_inbound) = (None, None);
        if !self.receives || self.session.bound().is_none() {
            return;
        }
        self.deliver(inner, now);
        if self.book.held.load(Ordering::Relaxed) {
            return;
        }
        let elsewhere = self.book.conduct.receipts_on_other_link;
        while self.session.room() > 0 {
            let Some(first) = inner.owed[self.house].front() else { break };
            if first.at > now.mono {
                self.next_receipt = Some(first.at);
                break;
            }
            if elsewhere && first.session == self.number && inner.seats.len() > 1 {
                // Its turn comes on another session, which is told.
                inner.ring_others(self.number, self.house);
                break;
            }
            if let Some(owed) = inner.owed[self.house].pop_front() {
                self.send(owed, inner, now);
            }
        }
        let owed = &mut inner.owed[self.house];
        if owed.is_empty() {
            owed.clear(); // the next ones go where these were, which a cache has
        }
        let full = self.session.room() == 0;
        if std::mem::replace(&mut self.full, full) != full {
            inner.note_full(self.number, full);
        }
        if full && !inner.owed[self.house].is_empty() {
            inner.ring_others(self.number, self.house);
        }
    }
}

/// The destinations of a submit_multi; `None` if a list is among them, for this carrier has none.
fn destinations(body: &[u8]) -> Option<Vec<(u8, u8, Vec<u8>)>> {
    let multi = SubmitMulti::decode(body, Reading::Lenient).ok()?;
    let one = |destination| match destination {
        Destination::Sme(Address { ton, npi, addr }) => Some((ton, npi, addr.to_vec())),
        Destination::List(_) => None,
    };
    multi.destinations.iter().map(one).collect()
}

/// Writes the receipt that the message ended so.
pub(super) fn write_receipt(
    sm: &Sm<'_>,
    id: &[u8],
    state: MessageState,
    version: Version,
    now: Now,
    body: &mut BytesMut,
) {
    let receipt = Receipt {
        submit_date: Some(ReceiptDate::from_utc(now.wall)),
        done_date: Some(ReceiptDate::from_utc(now.wall)),
        ..Receipt::new(id, state)
    };
    receipt.write_body(sm, version, body);
}

impl Machine for Simulator {
    fn receive(&mut self, input: &mut BytesMut, now: Now) {
        let book = Arc::clone(&self.book);
        let mut inner = book.lock();
        loop {
            let batch = self.session.take_frames(input, now);
            if batch.is_empty() {
                break;
            }
            for (_, frame) in frames(&batch) {
                if let Some(event) = self.session.handle(frame, now) {
                    self.handle(event, &mut inner, now);
                }
            }
        }
        self.go_on(&mut inner, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        let book = Arc::clone(&self.book);
        let mut inner = book.lock();
        while let Some(event) = self.session.handle_timeout(now) {
            self.handle(event, &mut inner, now);
        }
        self.go_on(&mut inner, now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        let delayed = self.delayed.front().map(|(at, _)| *at);
        [delayed, self.next_receipt, self.next_inbound, self.session.next_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn wake(&mut self, now: Now) {
        let book = Arc::clone(&self.book);
        if book.drops.load(Ordering::Relaxed) != self.drops {
            self.session.close(crate::session::Reason::Dropped);
            return;
        }
        let mut inner = book.lock();
        self.go_on(&mut inner, now);
    }

    fn bell(&self) -> &Notify {
        &self.bell
    }

    fn transmit(&mut self) -> &mut BytesMut {
        self.session.transmit()
    }

    fn wants_read(&self) -> bool {
        self.session.wants_read()
    }

    fn is_closed(&self) -> bool {
        self.session.closed().is_some()
    }
}

/// Octets of receipts that are written behind each other, and room for any of them.
const ROOM: usize = 8 * 1024;
const BODY_ROOM: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Bind;
    use crate::session::BindKind;
    use crate::tool::conduct::Conduct;
    use crate::tool::ledger::Ledger;
    use std::pin::pin;
    use std::task::{Context, Waker};

    /// A session bound as `system_id`, and what binds it.
    fn bound(book: &Arc<Book>, system_id: &[u8], now: Now) -> (Simulator, Session) {
        let mut simulator = Simulator::new(Arc::clone(book), now);
        let settings = Settings { window_in: 100_000, window_out: 100_000, ..Settings::default() };
        let mut client = Session::connect(settings, now);
        let bind = Bind { system_id, password: b"enroute", interface_version: 0x34, ..Bind::default() };
        client.bind(BindKind::Transceiver, &bind, now);
        simulator.receive(client.transmit(), now);
        let batch = client.take_frames(simulator.transmit(), now);
        for (_, frame) in frames(&batch) {
            client.handle(frame, now);
        }
        assert!(client.bound().is_some());
        (simulator, client)
    }

    /// They would keep a processor busy between them, and take it from whoever is to answer.
    #[test]
    fn sessions_whose_windows_are_full_let_each_other_rest() {
        let now = crate::runtime::now();
        let book = Arc::new(Book::new(Conduct::obliging(), Ledger::default(), now));
        let (mut one, mut client) = bound(&book, b"one", now);
        let (mut other, _silent) = bound(&book, b"one", now);
        let submission = Sm { registered_delivery: 1, short_message: b"n=0000000000", ..Sm::default() };
        let room = one.session.room() + other.session.room();
        let rung = |simulator: &Simulator| {
            pin!(simulator.bell().notified()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
        };

        for number in 0..room as u64 + 10 {
            client.request(Command::SUBMIT_SM, number, now, |out| submission.encode_body(out));
        }
        one.receive(client.transmit(), now);
        assert!(rung(&other), "the first is full and has more");
        other.wake(now);

        assert_eq!((one.session.room(), other.session.room()), (0, 0));
        assert!(!rung(&one) && !rung(&other));
        one.wake(now);
        assert!(!rung(&other));
    }

    #[test]
    fn carriers_apart_send_the_receipts_of_their_own_messages() {
        let now = crate::runtime::now();
        let conduct = Conduct { apart: true, receipt_delay_ms: 1000, ..Conduct::obliging() };
        let book = Arc::new(Book::new(conduct, Ledger::default(), now));
        let (mut one, mut client) = bound(&book, b"one", now);
        let (mut other, _) = bound(&book, b"other", now);
        let submission = Sm { registered_delivery: 1, short_message: b"n=0000000000", ..Sm::default() };

        client.request(Command::SUBMIT_SM, 0, now, |out| submission.encode_body(out));
        one.receive(client.transmit(), now);
        one.transmit().clear();
        let later = Now { mono: now.mono + Duration::from_secs(2), ..now };
        other.handle_timeout(later);
        one.handle_timeout(later);

        assert!(other.transmit().is_empty(), "another carrier's receipt");
        assert_eq!(book.lock().report.receipts_sent, 1);
        assert!(!one.transmit().is_empty());
    }
}
