//! The body of each message of a load run but for its number.

use super::{NUMBER_DIGITS, NUMBER_MARK, write_number};
use crate::codec::{Address, Command, Destination, Destinations, Sm, SubmitMulti, put_destination};
use bytes::{BufMut, BytesMut};
use clap::ValueEnum;

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

/// A body, and where its number goes.
pub(super) struct Template {
    pub command: Command,
    body: Vec<u8>,
    number_at: usize,
}

impl Template {
    /// Texts of `text_len` octets, at least as long as the number needs.
    pub fn new(operation: Operation, from: &str, to: &str, text_len: usize, receipts: bool) -> Self {
        let mut text = Vec::with_capacity(text_len);
        text.extend_from_slice(NUMBER_MARK);
        text.extend_from_slice(&[b'0'; NUMBER_DIGITS]);
        text.push(b' ');
        while text.len() < text_len {
            text.push(b'a' + (text.len() % 26) as u8);
        }
        let destination = Address { ton: 1, npi: 1, addr: to.as_bytes() };
        let sm = Sm {
            source: Address { ton: 5, npi: 0, addr: from.as_bytes() },
            destination,
            registered_delivery: u8::from(receipts),
            short_message: &text,
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
        Self { command, body: body.to_vec(), number_at: text_at + NUMBER_MARK.len() }
    }

    /// Appends the body of message `number`.
    pub fn write(&self, number: u32, out: &mut BytesMut) {
        let start = out.len() + self.number_at;
        out.put_slice(&self.body);
        write_number(&mut out[start..start + NUMBER_DIGITS], number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{DataSm, Reading};
    use crate::tool::read_number;

    #[test]
    fn each_operation_says_the_same_with_its_number() {
        let body = |operation| {
            let template = Template::new(operation, "me", "4477", 20, true);
            let mut out = BytesMut::new();
            template.write(42, &mut out);
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
}
