//! The handsets of a simulated carrier: numbered texts to an ESME, at a rate.

use super::{NUMBER_DIGITS, NUMBER_MARK, write_number};
use crate::codec::{Address, Sm};
use bytes::BytesMut;
use clap::Args;
use std::time::{Duration, Instant};

/// What the handsets of a simulated carrier write.
#[derive(Args, Clone, Debug)]
pub struct Handsets {
    /// Messages from handsets to deliver each second, over all sessions that receive.
    #[arg(long, value_name = "RATE", default_value_t = 0.0)]
    pub inbound_per_second: f64,
    /// How many of them in all; without it, as long as we run.
    #[arg(long, value_name = "COUNT")]
    pub inbound_count: Option<u32>,
    /// Who writes.
    #[arg(long, value_name = "NUMBER", default_value = "447700900123")]
    pub inbound_from: String,
    /// Whom to.
    #[arg(long, value_name = "NUMBER", default_value = "10010")]
    pub inbound_to: String,
    /// What they write, behind the number that each message has.
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    pub inbound_text: String,
    /// Deliver them as data_sm.
    #[arg(long)]
    pub inbound_data: bool,
}

impl Handsets {
    /// Nobody writes.
    pub fn silent() -> Self {
        Self {
            inbound_per_second: 0.0,
            inbound_count: None,
            inbound_from: String::new(),
            inbound_to: String::new(),
            inbound_text: String::new(),
            inbound_data: false,
        }
    }

    /// When message `number` is due, if the first one was at `start`; `None`: never.
    pub(super) fn due(&self, number: u32, start: Instant) -> Option<Instant> {
        let is_written =
            self.inbound_per_second > 0.0 && self.inbound_count.is_none_or(|count| number < count);
        is_written.then(|| start + Duration::from_secs_f64(f64::from(number) / self.inbound_per_second))
    }

    /// The body of message `number`.
    pub(super) fn write(&self, number: u32) -> Vec<u8> {
        let mut text = [NUMBER_MARK, &[b'0'; NUMBER_DIGITS], b" ", self.inbound_text.as_bytes()].concat();
        write_number(&mut text[NUMBER_MARK.len()..][..NUMBER_DIGITS], u64::from(number));
        let mut body = BytesMut::with_capacity(64 + text.len());
        Sm {
            source: Address { ton: 1, npi: 1, addr: self.inbound_from.as_bytes() },
            destination: Address { ton: 0, npi: 0, addr: self.inbound_to.as_bytes() },
            short_message: &text,
            ..Sm::default()
        }
        .encode_body(&mut body);
        body.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Reading;
    use crate::tool::read_number;

    #[test]
    fn messages_are_numbered_and_due_at_their_rate_until_there_are_enough() {
        let handsets = Handsets {
            inbound_per_second: 4.0,
            inbound_count: Some(3),
            inbound_to: "10010".to_owned(),
            ..Handsets::silent()
        };
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let start = Instant::now();

        let due = [0, 1, 2, 3].map(|number| handsets.due(number, start).map(|at| at - start));
        let quarter = Duration::from_millis(250);
        assert_eq!(due, [Some(Duration::ZERO), Some(quarter), Some(2 * quarter), None]);
        assert_eq!(Handsets::silent().due(0, start), None);
        let body = handsets.write(42);
        let sm = Sm::decode(&body, Reading::Strict).expect("legal");
        assert_eq!((sm.destination.addr, read_number(sm.text())), (&b"10010"[..], Some(42)));
    }
}
