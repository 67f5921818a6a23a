//! One session of a simulated carrier, and the book that all its sessions share.

use super::conduct::{Conduct, IdFormat, Report};
use super::ledger::Ledger;
use super::read_number;
use crate::clock::Now;
use crate::codec::{self, Command, MessageState, Reading, Receipt, ReceiptDate, Sm, Status, Version};
use crate::runtime::Machine;
use crate::session::{Event, Session, Settings, frames};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What all sessions of a carrier share.
pub(super) struct Book {
    pub conduct: Conduct,
    pub inner: Mutex<Inner>,
    /// How often connections have been cut.
    pub drops: AtomicU64,
    held: AtomicBool,
}

/// The part that changes.
pub(super) struct Inner {
    pub ledger: Ledger,
    report: Report,
    seen: Vec<u64>,
    highest: Option<u32>,
    random: fastrand::Rng,
    next_id: u64,
    /// Receipts to be sent, by when.
    owed: VecDeque<Owed>,
    /// Receipts that are out, by token.
    out: Vec<Option<Owed>>,
    free: Vec<u32>,
    bells: Vec<(u64, Arc<Notify>)>,
    next_session: u64,
}

/// A receipt.
struct Owed {
    at: Instant,
    /// The session that the message came on.
    session: u64,
    /// The carrier's id as the answer had it, for the ledger.
    id: Box<[u8]>,
    body: Vec<u8>,
    state: MessageState,
}

impl Book {
    pub fn new(conduct: Conduct, ledger: Ledger, now: Now) -> Self {
        let inner = Inner {
            ledger,
            report: Report::default(),
            seen: Vec::new(),
            highest: None,
            random: fastrand::Rng::with_seed(conduct.seed),
            next_id: now.wall.0 << 16,
            owed: VecDeque::new(),
            out: Vec::new(),
            free: Vec::new(),
            bells: Vec::new(),
            next_session: 0,
        };
        Self {
            held: AtomicBool::new(conduct.hold_receipts),
            conduct,
            inner: Mutex::new(inner),
            drops: AtomicU64::new(0),
        }
    }

    /// Lets receipts go that were held.
    pub fn release_receipts(&self) {
        self.held.store(false, Ordering::Relaxed);
        self.ring();
    }

    /// Wakes all sessions.
    pub fn ring(&self) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.bells.iter().for_each(|(_, bell)| bell.notify_one());
    }
}

impl Inner {
    pub fn report(&self) -> Report {
        let numbers = self.highest.map_or(0, |highest| u64::from(highest) + 1);
        let missing = numbers.saturating_sub(self.report.distinct);
        Report { missing, cpu_s: super::cpu_s(), ..self.report.clone() }
    }

    /// Counts a message; true if its number is new.
    fn count(&mut self, text: &[u8]) -> Option<u32> {
        self.report.messages += 1;
        let number = read_number(text)?;
        let (word, bit) = (number as usize / 64, 1u64 << (number % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.report.distinct += 1;
        } else {
            self.report.duplicates += 1;
        }
        self.highest = self.highest.max(Some(number));
        Some(number)
    }

    fn write_id(&mut self, format: IdFormat) -> (Vec<u8>, u64) {
        self.next_id += 1;
        (id_text(self.next_id, format), self.next_id)
    }

    fn put_out(&mut self, owed: Owed) -> u32 {
        match self.free.pop() {
            Some(token) => {
                self.out[token as usize] = Some(owed);
                token
            }
            None => {
                self.out.push(Some(owed));
                self.out.len() as u32 - 1
            }
        }
    }

    fn take_out(&mut self, token: u64) -> Option<Owed> {
        let owed = self.out.get_mut(token as usize)?.take()?;
        self.free.push(token as u32);
        Some(owed)
    }
}

fn id_text(id: u64, format: IdFormat) -> Vec<u8> {
    match format {
        IdFormat::Hex => format!("{id:x}").into_bytes(),
        IdFormat::Decimal => id.to_string().into_bytes(),
        IdFormat::Uuid => {
            let high = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let (a, b, c) = (high >> 32, high >> 16 & 0xFFFF, high & 0x0FFF);
            format!("{a:08x}-{b:04x}-4{c:03x}-8000-{:012x}", id & 0xFFFF_FFFF_FFFF).into_bytes()
        }
    }
}

/// One session.
pub(super) struct Simulator {
    session: Session,
    book: Arc<Book>,
    bell: Arc<Notify>,
    number: u64,
    drops: u64,
    receives: bool,
    /// Answers that wait for their time.
    delayed: VecDeque<(Instant, u32, Status, Vec<u8>)>,
    next_receipt: Option<Instant>,
}

impl Simulator {
    pub fn new(book: Arc<Book>, now: Now) -> Self {
        let settings = Settings { window_in: 100_000, ..Settings::default() };
        let bell = Arc::new(Notify::new());
        let mut inner = book.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.next_session += 1;
        let number = inner.next_session;
        inner.bells.push((number, Arc::clone(&bell)));
        drop(inner);
        Self {
            session: Session::serve(settings, now),
            drops: book.drops.load(Ordering::Relaxed),
            book,
            bell,
            number,
            receives: false,
            delayed: VecDeque::new(),
            next_receipt: None,
        }
    }

    /// The connection is gone: receipts that were not answered go out again elsewhere.
    pub fn end(mut self) {
        let mut inner = self.book.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.bells.retain(|(number, _)| *number != self.number);
        let lost: Vec<u64> = self.session.unanswered().map(|sent| sent.token).collect();
        for token in lost.into_iter().rev() {
            if let Some(owed) = inner.take_out(token) {
                inner.owed.push_front(owed);
            }
        }
    }

    fn handle(&mut self, event: Event<'_>, inner: &mut Inner, now: Now) {
        match event {
            Event::BindRequested { kind, bind } => {
                inner.report.binds += 1;
                self.receives = kind.receives();
                let version = Version::from_interface(bind.interface_version);
                let window = self.book.conduct.receipt_window;
                self.session.accept_bind(b"smsc", version, 100_000, window, now);
            }
            Event::Request { command: Command::SUBMIT_SM, sequence, body } => {
                self.take_submit(sequence, body, inner, now);
            }
            Event::Request { command, sequence, .. } => {
                let response = command.response();
                self.session.answer(|out| codec::header_only(out, response, Status::RINVCMDID, sequence));
            }
            Event::Response { sent, status, .. } => {
                if let Some(owed) = inner.take_out(sent.token) {
                    if status.is_ok() {
                        inner.report.receipts_answered += 1;
                    } else {
                        inner.owed.push_back(Owed { at: now.mono + REFUSED_AGAIN, ..owed });
                    }
                }
            }
            Event::Unanswered(sent) => {
                if let Some(owed) = inner.take_out(sent.token) {
                    inner.owed.push_front(owed);
                }
            }
            Event::Bound { .. } | Event::BindRefused(_) => {} // we never bind
        }
    }

    fn take_submit(&mut self, sequence: u32, body: &[u8], inner: &mut Inner, now: Now) {
        let Ok(sm) = Sm::decode(body, Reading::Lenient) else {
            self.answer(now, sequence, Status::RINVMSGLEN, Vec::new());
            return;
        };
        let conduct = &self.book.conduct;
        let draw = inner.random.f64();
        if draw < conduct.fail_share + conduct.throttle_share {
            inner.report.refused += 1;
            let status = if draw < conduct.fail_share { Status::RSUBMITFAIL } else { Status::RTHROTTLED };
            self.answer(now, sequence, status, Vec::new());
            return;
        }
        let number = inner.count(sm.text());
        let (text, id) = inner.write_id(conduct.id_format);
        if let Some(number) = number {
            inner.ledger.line("took", &[number.to_string().as_bytes(), &text]);
        }
        let receipt = (sm.registered_delivery & 0b11 != 0).then(|| {
            let undelivered =
                conduct.undelivered_share > 0.0 && inner.random.f64() < conduct.undelivered_share;
            let state = if undelivered { MessageState::Undeliverable } else { MessageState::Delivered };
            let format = conduct.receipt_id_format.unwrap_or(conduct.id_format);
            let in_receipt = if format == conduct.id_format { text.clone() } else { id_text(id, format) };
            let body = receipt_body(&sm, &in_receipt, state, self.session.version(), now);
            let delay = Duration::from_millis(conduct.resp_delay_ms + conduct.receipt_delay_ms);
            Owed { at: now.mono + delay, session: self.number, id: text.as_slice().into(), body, state }
        });
        let early = conduct.early_receipts && !self.book.held.load(Ordering::Relaxed);
        match receipt {
            Some(owed) if early && self.session.room() > 0 && self.receives => {
                self.send(owed, inner, now);
            }
            Some(owed) => inner.owed.push_back(owed),
            None => {}
        }
        self.answer(now, sequence, Status::ROK, text);
    }

    fn answer(&mut self, now: Now, sequence: u32, status: Status, id: Vec<u8>) {
        let delay = self.book.conduct.resp_delay_ms;
        if delay > 0 {
            self.delayed.push_back((now.mono + Duration::from_millis(delay), sequence, status, id));
            return;
        }
        self.session.answer(|out| codec::encode_submit_resp(out, status, sequence, &id));
    }

    fn send(&mut self, owed: Owed, inner: &mut Inner, now: Now) {
        let token = inner.put_out(owed);
        let Some(Some(owed)) = inner.out.get(token as usize) else { return };
        let body = &owed.body;
        let sent = self
            .session
            .request(Command::DELIVER_SM, u64::from(token), now, |out| out.extend_from_slice(body));
        if sent.is_some() {
            inner.report.receipts_sent += 1;
            inner.ledger.line("receipt", &[&owed.id, owed.state.receipt_word()]);
        } else if let Some(owed) = inner.take_out(u64::from(token)) {
            inner.owed.push_front(owed);
        }
    }

    /// Does what is due: delayed answers, and receipts as far as the window goes.
    fn go_on(&mut self, inner: &mut Inner, now: Now) {
        while self.delayed.front().is_some_and(|(at, ..)| *at <= now.mono) {
            if let Some((_, sequence, status, id)) = self.delayed.pop_front() {
                self.session.answer(|out| codec::encode_submit_resp(out, status, sequence, &id));
            }
        }
        self.next_receipt = None;
        if !self.receives || self.session.bound().is_none() || self.book.held.load(Ordering::Relaxed) {
            return;
        }
        let elsewhere = self.book.conduct.receipts_on_other_link;
        while self.session.room() > 0 {
            let Some(first) = inner.owed.front() else { break };
            if first.at > now.mono {
                self.next_receipt = Some(first.at);
                break;
            }
            if elsewhere && first.session == self.number && inner.bells.len() > 1 {
                // Its turn comes on another session, which is told.
                inner
                    .bells
                    .iter()
                    .filter(|(number, _)| *number != self.number)
                    .for_each(|(_, bell)| bell.notify_one());
                break;
            }
            if let Some(owed) = inner.owed.pop_front() {
                self.send(owed, inner, now);
            }
        }
        if self.session.room() == 0 && !inner.owed.is_empty() {
            inner
                .bells
                .iter()
                .filter(|(number, _)| *number != self.number)
                .for_each(|(_, bell)| bell.notify_one());
        }
    }
}

fn receipt_body(sm: &Sm<'_>, id: &[u8], state: MessageState, version: Version, now: Now) -> Vec<u8> {
    let receipt = Receipt {
        submit_date: Some(ReceiptDate::from_utc(now.wall)),
        done_date: Some(ReceiptDate::from_utc(now.wall)),
        ..Receipt::new(id, state)
    };
    let mut body = BytesMut::with_capacity(320);
    receipt.write_body(sm, version, &mut body);
    body.to_vec()
}

impl Machine for Simulator {
    fn receive(&mut self, input: &mut BytesMut, now: Now) {
        let book = Arc::clone(&self.book);
        let mut inner = book.inner.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut inner = book.inner.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(event) = self.session.handle_timeout(now) {
            self.handle(event, &mut inner, now);
        }
        self.go_on(&mut inner, now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        let delayed = self.delayed.front().map(|(at, ..)| *at);
        [delayed, self.next_receipt, self.session.next_timeout()].into_iter().flatten().min()
    }

    fn wake(&mut self, now: Now) {
        let book = Arc::clone(&self.book);
        if book.drops.load(Ordering::Relaxed) != self.drops {
            self.session.close(crate::session::Reason::Dropped);
            return;
        }
        let mut inner = book.inner.lock().unwrap_or_else(PoisonError::into_inner);
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

/// How long a receipt that was refused waits before it is sent again.
const REFUSED_AGAIN: Duration = Duration::from_secs(1);
