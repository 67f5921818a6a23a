//! One session of a load run: submits as fast as it may, counts what comes back.

use super::tally::Tally;
use super::template::Template;
use crate::clock::Now;
use crate::codec::{
    self, Bind, Command, DataSm, FieldError, MultiResp, Reading, Receipt, Sm, SmResp, Status,
};
use crate::runtime::Machine;
use crate::session::{BindKind, Event, Session, Settings, frames};
use bytes::BytesMut;
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
    /// Messages count from when they were due by the rate, and are all made up for.
    pub open_loop: bool,
    pub template: Template,
    /// Leave it to the hub to ask whether the link is alive.
    pub idle: bool,
    /// No more new messages.
    pub enough: AtomicBool,
    /// Say goodbye.
    pub leave: AtomicBool,
    pub tally: Mutex<Tally>,
}

/// One session.
pub(super) struct Pusher {
    session: Session,
    orders: Arc<Orders>,
    bell: Arc<Notify>,
    /// When this session may send its next message, if there is a rate.
    next_at: Option<Instant>,
    kind: BindKind,
    left: bool,
}

impl Pusher {
    /// A session on a connection that we made: binds at once.
    pub fn new(orders: Arc<Orders>, kind: BindKind, window: usize, bell: Arc<Notify>, now: Now) -> Self {
        let mut pusher = Self::called(orders, kind, window, bell, now);
        pusher.bind(now);
        pusher
    }

    /// A session on a connection that was made to us: binds when it is asked to by outbind.
    pub fn called(orders: Arc<Orders>, kind: BindKind, window: usize, bell: Arc<Notify>, now: Now) -> Self {
        let mut settings = Settings { window_in: 10_000, window_out: window, ..Settings::default() };
        if orders.idle {
            settings.timers.enquire = NEVER;
        }
        let session = Session::connect(settings, now);
        Self { session, orders, bell, kind, next_at: None, left: false }
    }

    fn bind(&mut self, now: Now) {
        let bind = Bind {
            system_id: self.orders.system_id.as_bytes(),
            password: self.orders.password.as_bytes(),
            interface_version: 0x34,
            ..Bind::default()
        };
        self.session.bind(self.kind, &bind, now);
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
                let refused = match sent.command {
                    Command::SUBMIT_MULTI => MultiResp::decode(body).unsuccess.iter().next(),
                    _ => None,
                };
                // One destination: refused is refused, wherever it says so.
                let status = refused.map_or(status, |(_, status)| status);
                tally.answer(sent.token, status, SmResp::decode(body).message_id, now.mono);
            }
            Event::Unanswered(sent) => tally.unanswered(sent.token),
            Event::Request {
                command: command @ (Command::DELIVER_SM | Command::DATA_SM),
                sequence,
                body,
            } => {
                if let Ok(sm) = delivered(command, body) {
                    match Receipt::read(&sm).filter(|_| sm.is_receipt()) {
                        Some(receipt) => tally.receipt(receipt.message_id, receipt.state, now.mono),
                        None if sm.is_intermediate() => {} // news, and no end
                        None => tally.inbound(sm.text(), now.mono),
                    }
                }
                self.session.answer(|out| codec::encode_receiver_resp(out, command, Status::ROK, sequence));
            }
            Event::Request { command: Command::ALERT_NOTIFICATION, .. } => tally.alerts += 1,
            Event::Request { command, sequence, .. } => {
                let response = command.response();
                self.session.answer(|out| codec::header_only(out, response, Status::RINVCMDID, sequence));
            }
            Event::Outbind(_) => self.bind(now),
            Event::BindRequested { .. } => {} // nobody binds to us
        }
    }

    fn push(&mut self, tally: &mut Tally, now: Now) {
        let orders = Arc::clone(&self.orders);
        if !self.kind.submits() || self.session.bound().is_none() || orders.enough.load(Ordering::Relaxed) {
            return;
        }
        while self.session.room() > 0 && tally.next < orders.count {
            let mut from = now.mono;
            if let (Some(rate), Some(at)) = (orders.rate, self.next_at) {
                if now.mono < at {
                    return;
                }
                let pause = Duration::from_secs_f64(1.0 / rate);
                if orders.open_loop {
                    (self.next_at, from) = (Some(at + pause), due(at, now.mono));
                } else {
                    // A session that fell behind does not catch up in one burst of more than its window.
                    self.next_at = Some(at.max(now.mono - CATCH_UP) + pause);
                }
            }
            let number = tally.next;
            let token = tally.token(number, from);
            let sent = self.session.request(orders.template.command, token, now, |out| {
                orders.template.write(number, out, now.wall)
            });
            if sent.is_none() {
                return;
            }
            tally.next += 1;
        }
    }
}

/// From when the times of a message count that was due at `at` and leaves now: what our own timer is late by is not the hub's doing.
fn due(at: Instant, now: Instant) -> Instant {
    if now - at > TIMER_GRAIN { at } else { now }
}

/// What was delivered to us, by either PDU.
fn delivered(command: Command, body: &[u8]) -> Result<Sm<'_>, FieldError> {
    match command {
        Command::DATA_SM => DataSm::decode(body, Reading::Carrier).map(|data_sm| data_sm.as_sm()),
        _ => Sm::decode(body, Reading::Carrier),
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

/// A day, by which a session that is idle has ended or heard from the hub.
const NEVER: Duration = Duration::from_secs(86_400);
const CATCH_UP: Duration = Duration::from_millis(100);
/// How late a timer of whole milliseconds may ring.
const TIMER_GRAIN: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_when_a_message_was_due_if_more_than_our_timer_kept_it() {
        let at = crate::runtime::now().mono;
        let [soon, late] = [1, 3].map(|late_ms| at + Duration::from_millis(late_ms));

        assert_eq!((due(at, soon), due(at, late)), (soon, at));
    }
}
