//! Submissions of every kind, drawn by lot and entered into the ledger.

use super::agenda::{Agenda, MS, SECOND};
use super::ledger::{DIGITS, Message};
use super::plan::Habits;
use super::scene::Scene;
use bytes::BytesMut;
use enroute::clock::UnixMs;
use enroute::codec::{Address, Reading, Sm, Tag, Tlvs, put_tlv, write_absolute, write_relative};
use std::time::Duration;

/// How a customer writes.
#[derive(Clone, Debug)]
pub struct Submitting {
    /// The longest validity that it asks for, and what it gets if it asks for none, in seconds.
    pub validity_s: u64,
    pub max_validity_s: u64,
    /// Parts that are left of a text that it began: their header, and whom they are for.
    rest: Vec<([u8; 6], String)>,
    reference: u8,
}

impl Submitting {
    pub fn new(validity_s: u64, max_validity_s: u64) -> Self {
        Self { validity_s, max_validity_s, rest: Vec::new(), reference: 0 }
    }

    /// Writes the body of a submit_sm; gives its number in the ledger.
    pub fn write(&mut self, habits: &Habits, out: &mut BytesMut, scene: &mut Scene) -> usize {
        let number = scene.ledger.messages.len();
        let random = &mut scene.random;
        let mut destination = format!("447{}{number:08}", random.u8(7..9));
        let word = format!("T{number:0DIGITS$} ");
        let (mut esm_class, mut data_coding) = (0, [0, 0, 0, 3, 4, 8][random.usize(0..6)]);
        let mut text = word.repeat(random.usize(1..15)).into_bytes();
        let mut is_long = false;
        if let Some((header, whom)) = self.rest.pop() {
            (esm_class, data_coding, destination) = (0x40, 0, whom);
            text = [&header[..], &text].concat();
        } else if random.u8(0..10) == 0 {
            let total = random.u8(2..4);
            self.reference = self.reference.wrapping_add(1);
            let header = |part| [5, 0, 3, self.reference, total, part];
            self.rest = (2..=total).rev().map(|part| (header(part), destination.clone())).collect();
            (esm_class, data_coding) = (0x40, 0);
            text = [&header(1)[..], &text].concat();
        } else if habits.version > 0x33 && random.u8(0..10) == 0 {
            (is_long, data_coding) = (true, 0);
            text = word.repeat(random.usize(25..70)).into_bytes();
        } else if data_coding == 8 {
            text.truncate(64);
            text = text.iter().flat_map(|octet| [0, *octet]).collect();
        }
        let times = self.times(scene);
        let mut tlvs = BytesMut::new();
        if is_long {
            put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, &text);
        }
        let registered_delivery = u8::from(scene.random.u8(0..5) > 0);
        let source = format!("{}", 10_000 + number % 7);
        Sm {
            source: Address { ton: 0, npi: 0, addr: source.as_bytes() },
            destination: Address { ton: 1, npi: 1, addr: destination.as_bytes() },
            esm_class,
            data_coding,
            registered_delivery,
            schedule_delivery_time: &times.schedule,
            validity_period: &times.validity,
            short_message: if is_long { b"" } else { &text },
            tlvs: Tlvs::read(&tlvs, Reading::Strict).expect("well formed"),
            ..Sm::default()
        }
        .encode_body(out);
        scene.ledger.messages.push(Message {
            account: habits.account,
            source,
            destination,
            esm_class,
            data_coding,
            text,
            is_long,
            wants_receipt: registered_delivery == 1,
            sent: scene.agenda.time,
            schedule: times.due,
            is_relative: !times.is_absolute,
            expires: (times.expires, UnixMs(u64::MAX)),
            span_ms: times.span_ms,
            answer: None,
            cancel: None,
            dispatches: Vec::new(),
            offers: Vec::new(),
            told: Vec::new(),
        });
        number
    }

    fn times(&self, scene: &mut Scene) -> Times {
        let (low, _) = scene.agenda.believed(scene.agenda.time);
        let random = &mut scene.random;
        let longest = self.validity_s;
        let wait_s = match random.u8(0..6) {
            0 => random.u64(1..60),
            1 if longest > 1200 => random.u64(60..longest / 2),
            _ => 0,
        };
        let asked_s = match random.u8(0..4) {
            0 => Some(random.u64(20..120) + wait_s),
            1 => Some(random.u64(120..longest.max(200)) + wait_s),
            _ => None,
        };
        let wait = Duration::from_secs(wait_s);
        let is_absolute = random.bool();
        // What is written as a date is one, whatever the hub believes.
        let date = UnixMs(scene.agenda.wall().after(wait).0.next_multiple_of(1000));
        let (schedule, due) = match (wait_s, is_absolute) {
            (0, _) => (Vec::new(), None),
            (_, true) => (write_absolute(date).to_vec(), Some(date)),
            (_, false) => (write_relative(wait).to_vec(), Some(low.after(wait))),
        };
        let most_s = self.max_validity_s + wait_s;
        let span_s = asked_s.map_or(most_s, |asked| asked.min(most_s));
        let validity = asked_s.map(|asked| write_relative(Duration::from_secs(asked)).to_vec());
        Times {
            schedule,
            validity: validity.unwrap_or_default(),
            due,
            is_absolute,
            expires: low.after(Duration::from_secs(span_s)),
            span_ms: span_s * SECOND / MS,
        }
    }
}

struct Times {
    schedule: Vec<u8>,
    validity: Vec<u8>,
    due: Option<UnixMs>,
    /// It is written as a date.
    is_absolute: bool,
    /// Not before this its time is over.
    expires: UnixMs,
    span_ms: u64,
}

impl Message {
    /// The hub has answered: it took the message between when it was sent and now, and counts from there.
    pub fn close_bounds(&mut self, agenda: &Agenda) {
        let (_, high) = agenda.believed(agenda.time);
        // A second for what is written in whole seconds, a tick for the wheel.
        self.expires.1 = UnixMs(high.0 + self.span_ms + 2_000);
        let back_ms = agenda.believed(self.sent).0.0 - agenda.lowest_since(self.sent).0;
        self.expires.0 = UnixMs(self.expires.0.0 - back_ms);
        if self.is_relative {
            self.schedule = self.schedule.map(|at| UnixMs(at.0 - back_ms));
        }
    }
}
