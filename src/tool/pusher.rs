//! One session of a load run: submits as fast as it may, counts what comes back.

use super::tally::Tally;
use super::{NUMBER_DIGITS, NUMBER_MARK, write_number};
use crate::clock::Now;
use crate::codec::{self, Address, Bind, Command, Receipt, Sm, SmResp, Status, Tlvs};
use crate::runtime::Machine;
use crate::session::{BindKind, Event, Session, Settings, frames};
use bytes::{BufMut, BytesMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What the sessions of a run are told.
pub(super) struct Orders {
    pub system_id: String,
    pub password: String,
    pub count: u32,
    /// Messages a second of each session; `None`: as fast as the window allows.
    pub rate: Option<f64>,
    pub template: Template,
    /// No more new messages.
    pub enough: AtomicBool,
    /// Say goodbye.
    pub leave: AtomicBool,
    pub tally: Mutex<Tally>,
}

/// The body of each submit_sm but for its number.
pub(super) struct Template {
    body: Vec<u8>,
    number_at: usize,
}

impl Template {
    /// Texts of `text_len` octets, at least as long as the number needs.
    pub fn new(from: &str, to: &str, text_len: usize, receipts: bool) -> Self {
        let mut text = Vec::with_capacity(text_len);
        text.extend_from_slice(NUMBER_MARK);
        text.extend_from_slice(&[b'0'; NUMBER_DIGITS]);
        text.push(b' ');
        while text.len() < text_len {
            text.push(b'a' + (text.len() % 26) as u8);
        }
        let mut body = BytesMut::new();
        Sm {
            service_type: b"",
            source: Address { ton: 5, npi: 0, addr: from.as_bytes() },
            destination: Address { ton: 1, npi: 1, addr: to.as_bytes() },
            esm_class: 0,
            protocol_id: 0,
            priority_flag: 0,
            schedule_delivery_time: b"",
            validity_period: b"",
            registered_delivery: u8::from(receipts),
            replace_if_present_flag: 0,
            data_coding: 0,
            sm_default_msg_id: 0,
            short_message: &text,
            tlvs: Tlvs::empty(),
        }
        .encode_body(&mut body);
        let text_at = body.windows(text.len()).rposition(|window| window == text).unwrap_or(0);
        Self { body: body.to_vec(), number_at: text_at + NUMBER_MARK.len() }
    }

    fn write(&self, number: u32, out: &mut BytesMut) {
        let start = out.len() + self.number_at;
        out.put_slice(&self.body);
        write_number(&mut out[start..start + NUMBER_DIGITS], number);
    }
}

/// One session.
pub(super) struct Pusher {
    session: Session,
    orders: Arc<Orders>,
    bell: Arc<Notify>,
    /// When this session may send its next message, if there is a rate.
    next_at: Option<Instant>,
    pushes: bool,
    left: bool,
}

impl Pusher {
    pub fn new(orders: Arc<Orders>, kind: BindKind, window: usize, bell: Arc<Notify>, now: Now) -> Self {
        let settings = Settings { window_in: 10_000, window_out: window, ..Settings::default() };
        let mut session = Session::connect(settings, now);
        let bind = Bind {
            system_id: orders.system_id.as_bytes(),
            password: orders.password.as_bytes(),
            interface_version: 0x34,
            ..Bind::default()
        };
        session.bind(kind, &bind, now);
        Self { session, orders, bell, next_at: None, pushes: kind.submits(), left: false }
    }

    /// Whether the session stood when it ended, or was refused with this status.
    pub fn end(mut self) {
        let mut tally = self.orders.tally.lock().unwrap_or_else(PoisonError::into_inner);
        for sent in self.session.unanswered() {
            tally.unanswered(sent.token);
        }
    }

    fn handle(&mut self, event: Event<'_>, tally: &mut Tally, now: Now) {
        match event {
            Event::Bound { .. } => {
                tally.binds += 1;
                self.next_at = Some(now.mono);
            }
            Event::BindRefused(status) => eprintln!("bind refused: {status}"),
            Event::Response { sent, status, body } => {
                tally.answer(sent.token, status, SmResp::decode(body).message_id, now.mono);
            }
            Event::Unanswered(sent) => tally.unanswered(sent.token),
            Event::Request { command: Command::DELIVER_SM, sequence, body } => {
                if let Ok(sm) = Sm::decode(body, codec::Reading::Carrier)
                    && let Some(receipt) = Receipt::read(&sm)
                    && !sm.is_intermediate()
                {
                    tally.receipt(receipt.message_id, receipt.state, now.mono);
                }
                self.session.answer(|out| codec::encode_deliver_resp(out, Status::ROK, sequence));
            }
            Event::Request { command, sequence, .. } => {
                let response = command.response();
                self.session.answer(|out| codec::header_only(out, response, Status::RINVCMDID, sequence));
            }
            Event::BindRequested { .. } => {} // nobody binds to us
        }
    }

    fn push(&mut self, tally: &mut Tally, now: Now) {
        let orders = Arc::clone(&self.orders);
        if !self.pushes || self.session.bound().is_none() || orders.enough.load(Ordering::Relaxed) {
            return;
        }
        while self.session.room() > 0 && tally.next < orders.count {
            if let (Some(rate), Some(at)) = (orders.rate, self.next_at) {
                if now.mono < at {
                    return;
                }
                // A session that fell behind does not catch up in one burst of more than its window.
                self.next_at = Some(at.max(now.mono - CATCH_UP) + Duration::from_secs_f64(1.0 / rate));
            }
            let number = tally.next;
            let token = tally.token(number, now.mono);
            let sent = self
                .session
                .request(Command::SUBMIT_SM, token, now, |out| orders.template.write(number, out));
            if sent.is_none() {
                return;
            }
            tally.next += 1;
        }
    }
}

impl Machine for Pusher {
    fn receive(&mut self, input: &mut BytesMut, now: Now) {
        let orders = Arc::clone(&self.orders);
        let mut tally = orders.tally.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let batch = self.session.take_frames(input, now);
            if batch.is_empty() {
                break;
            }
            for (_, frame) in frames(&batch) {
                if let Some(event) = self.session.handle(frame, now) {
                    self.handle(event, &mut tally, now);
                }
            }
        }
        self.push(&mut tally, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        let orders = Arc::clone(&self.orders);
        let mut tally = orders.tally.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(event) = self.session.handle_timeout(now) {
            self.handle(event, &mut tally, now);
        }
        self.push(&mut tally, now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        let paced = self.orders.rate.is_some() && self.session.room() > 0;
        let next = self.next_at.filter(|_| paced && !self.orders.enough.load(Ordering::Relaxed));
        [next, self.session.next_timeout()].into_iter().flatten().min()
    }

    fn wake(&mut self, now: Now) {
        if self.orders.leave.load(Ordering::Relaxed) && !std::mem::replace(&mut self.left, true) {
            self.session.unbind(now);
        }
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

const CATCH_UP: Duration = Duration::from_millis(100);
