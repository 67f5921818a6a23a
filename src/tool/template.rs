//! The body of each message of a load run but for its number.

use super::{DUE_DIGITS, DUE_MARK, NUMBER_DIGITS, NUMBER_MARK, write_number};
use crate::clock::UnixMs;
use crate::codec::{
    Address, Command, Destination, Destinations, Sm, SubmitMulti, put_destination, write_absolute,
    write_relative,
};
use bytes::{BufMut, BytesMut};
use clap::ValueEnum;
use std::ops::Range;
use std::time::Duration;

/// The PDU that submits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    #[value(name = "submit_sm")]
    SubmitSm,
    #[value(name = "data_sm")]
    DataSm,
    /// With one destination.
    #[value(name = "submit_multi")]
    SubmitMulti,
}

/// When messages are to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    Now,
    /// So long after the hub has taken them.
    In(Duration),
    /// The same; each text says when that is, counted from when it is written.
    SaidIn(Duration),
    /// From then on, so many a second, a tenth of them together; each text says when.
    Due {
        from: UnixMs,
        per_second: u32,
    },
}

impl Schedule {
    /// When message `number` is due that is written now, if its text says so. A set time is in whole tenths of a second, as
    /// finely as SMPP says it.
    fn due(self, number: u32, now: UnixMs) -> Option<UnixMs> {
        match self {
            Self::Now | Self::In(_) => None,
            Self::SaidIn(span) => Some(now.after(span)),
            Self::Due { from, per_second } => {
                let tenths = u64::from(number) * 10 / u64::from(per_second.max(1));
                Some(UnixMs((from.0 / TENTH_MS + tenths) * TENTH_MS))
            }
        }
    }
}

/// What is asked of a message's way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    pub receipts: bool,
    /// priority_flag.
    pub priority: u8,
}

/// A body, and where its number goes.
pub(super) struct Template {
    pub command: Command,
    body: Vec<u8>,
    number_at: usize,
    schedule: Schedule,
    /// Where schedule_delivery_time goes.
    schedule_at: usize,
    /// Different destinations, and where the digits stand that tell them from each other.
    destinations: u32,
    destination_at: Range<usize>,
}

impl Template {
    /// Texts of `text_len` octets, at least as long as the number needs, to that many destinations in turn: `to`, and others that
    /// differ from it in their last digits.
    pub fn new(
        operation: Operation,
        from: &str,
        to: &str,
        destinations: u32,
        text_len: usize,
        wish: Wish,
        schedule: Schedule,
    ) -> Self {
        let mut text = Vec::with_capacity(text_len);
        text.extend_from_slice(NUMBER_MARK);
        text.extend_from_slice(&[b'0'; NUMBER_DIGITS]);
        let time = match schedule {
            Schedule::Now => None,
            Schedule::In(span) | Schedule::SaidIn(span) => Some(write_relative(span)),
            Schedule::Due { from, .. } => Some(write_absolute(from)),
        };
        if matches!(schedule, Schedule::SaidIn(_) | Schedule::Due { .. }) {
            text.extend_from_slice(DUE_MARK);
            text.extend_from_slice(&[b'0'; DUE_DIGITS]);
        }
        text.push(b' ');
        while text.len() < text_len {
            text.push(b'a' + (text.len() % 26) as u8);
        }
        let destination = Address { ton: 1, npi: 1, addr: to.as_bytes() };
        let source = match from.bytes().all(|octet| octet.is_ascii_digit()) {
            true => Address { ton: 1, npi: 1, addr: from.as_bytes() },
            false => Address { ton: 5, npi: 0, addr: from.as_bytes() },
        };
        let sm = Sm {
            source,
            destination,
            registered_delivery: u8::from(wish.receipts),
            priority_flag: wish.priority,
            short_message: &text,
            schedule_delivery_time: time.as_ref().map_or(b"", |time| time),
            ..Sm::default()
        };
        let mut body = BytesMut::new();
        let command = match operation {
            Operation::SubmitSm => {
                sm.encode_body(&mut body);
                Command::SUBMIT_SM
            }
            Operation::DataSm => {
                sm.encode_data_body(&mut body);
                Command::DATA_SM
            }
            Operation::SubmitMulti => {
                let mut list = BytesMut::new();
                put_destination(&mut list, &Destination::Sme(destination));
                let destinations = Destinations::read(&list).unwrap_or_default();
                SubmitMulti { sm: Sm { destination: Address::default(), ..sm }, destinations }
                    .encode_body(&mut body);
                Command::SUBMIT_MULTI
            }
        };
        let text_at = body.windows(text.len()).rposition(|window| window == text).unwrap_or(0);
        let schedule_at =
            time.and_then(|time| body.windows(time.len()).position(|window| window == time)).unwrap_or(0);
        let to_at =
            body[..text_at].windows(to.len()).rposition(|window| window == to.as_bytes()).unwrap_or(0);
        let digits = if destinations > 1 { (destinations - 1).to_string().len().min(to.len()) } else { 0 };
        let destination_at = to_at + to.len() - digits..to_at + to.len();
        let number_at = text_at + NUMBER_MARK.len();
        Self { command, body: body.to_vec(), number_at, schedule, schedule_at, destinations, destination_at }
    }

    /// Appends the body of message `number`, which is written now.
    pub fn write(&self, number: u32, out: &mut BytesMut, now: UnixMs) {
        let start = out.len();
        out.put_slice(&self.body);
        let body = &mut out[start..];
        write_number(&mut body[self.number_at..][..NUMBER_DIGITS], u64::from(number));
        if self.destinations > 1 {
            write_number(&mut body[self.destination_at.clone()], u64::from(number % self.destinations));
        }
        let Some(due) = self.schedule.due(number, now) else { return };
        write_number(&mut body[self.number_at + NUMBER_DIGITS + DUE_MARK.len()..][..DUE_DIGITS], due.0);
        if matches!(self.schedule, Schedule::Due { .. }) {
            let mut time = write_absolute(due);
            time[TENTHS_AT] = b'0' + (due.0 / TENTH_MS % 10) as u8;
            body[self.schedule_at..][..time.len()].copy_from_slice(&time);
        }
    }
}

/// Milliseconds of a tenth of a second.
const TENTH_MS: u64 = 100;
/// Where an absolute time has its tenths.
const TENTHS_AT: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{DataSm, Reading, SmppTime, read_time};
    use crate::tool::{read_due, read_number};

    #[test]
    fn each_operation_says_the_same_with_its_number() {
        let body = |operation| {
            let template = Template::new(
                operation,
                "me",
                "4477",
                1,
                20,
                Wish { receipts: true, priority: 0 },
                Schedule::Now,
            );
            let mut out = BytesMut::new();
            template.write(42, &mut out, UnixMs(0));
            (template.command, out.freeze())
        };
        let bodies = [Operation::SubmitSm, Operation::DataSm, Operation::SubmitMulti].map(body);

        let [(_, submit_sm), (_, data_sm), (_, multi)] = &bodies;
        let submit_sm = Sm::decode(submit_sm, Reading::Strict).expect("legal");
        let data_sm = DataSm::decode(data_sm, Reading::Strict).expect("legal").as_sm();
        let multi = SubmitMulti::decode(multi, Reading::Strict).expect("legal");
        let multi = multi.sm_to(submit_sm.destination);

        assert_eq!(
            bodies.each_ref().map(|(command, _)| *command),
            [Command::SUBMIT_SM, Command::DATA_SM, Command::SUBMIT_MULTI]
        );
        for sm in [submit_sm, data_sm, multi] {
            assert_eq!((read_number(sm.text()), sm.registered_delivery), (Some(42), 1));
            assert_eq!(sm.destination.addr, b"4477");
        }
    }

    #[test]
    fn destinations_take_turns_and_differ_in_their_last_digits() {
        let template = Template::new(
            Operation::SubmitSm,
            "4477",
            "4477",
            11,
            20,
            Wish { receipts: true, priority: 0 },
            Schedule::Now,
        );

        let destinations = [0, 9, 10, 11].map(|number| {
            let mut out = BytesMut::new();
            template.write(number, &mut out, UnixMs(0));
            let sm = Sm::decode(&out, Reading::Strict).expect("legal");
            assert_eq!(sm.source.addr, b"4477");
            String::from_utf8_lossy(sm.destination.addr).into_owned()
        });

        assert_eq!(destinations, ["4400", "4409", "4410", "4400"]);
    }

    #[test]
    fn scheduled_messages_say_when_they_are_due_twice() {
        let from = UnixMs(1_773_568_800_050);
        let schedule = Schedule::Due { from, per_second: 20 };
        let template = Template::new(Operation::SubmitSm, "me", "4477", 1, 20, Wish::default(), schedule);
        let mut out = BytesMut::new();

        template.write(7, &mut out, from);

        let sm = Sm::decode(&out, Reading::Strict).expect("legal");
        let due = UnixMs(1_773_568_800_300);
        assert_eq!((read_number(sm.text()), read_due(sm.text())), (Some(7), Some(due)));
        let time = read_time(sm.schedule_delivery_time, from);
        assert_eq!(time, Ok(Some(SmppTime::Absolute(due))));

        let schedule = Schedule::SaidIn(Duration::from_secs(90));
        let template = Template::new(Operation::SubmitSm, "me", "4477", 1, 20, Wish::default(), schedule);
        let mut out = BytesMut::new();
        template.write(7, &mut out, from);

        let sm = Sm::decode(&out, Reading::Strict).expect("legal");
        assert_eq!(read_due(sm.text()), Some(UnixMs(from.0 + 90_000)));
        assert_eq!(sm.schedule_delivery_time, b"000000000130000R");
    }
}
