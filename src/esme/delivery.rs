//! How a delivery is said to one session: as the hub wrote it, as data_sm, or without what 3.3 doesn't know.

use super::Account;
use crate::codec::{Command, Reading, Sm, Tlvs, Version};
use bytes::BytesMut;

/// What a session's deliveries look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// deliver_sm with TLVs.
    #[default]
    Usual,
    /// data_sm, the text in message_payload.
    Data,
    /// deliver_sm for a peer of 3.3: no TLVs (fact sheet 10.7).
    Bare,
}

impl Form {
    /// What `account` takes on a session of `version`.
    pub fn of(account: &Account, version: Version) -> Self {
        match (version, account.deliver_as) {
            (Version::V33, _) => Self::Bare,
            (Version::V34 | Version::V50, Command::DATA_SM) => Self::Data,
            (Version::V34 | Version::V50, _) => Self::Usual,
        }
    }

    /// The request that carries it.
    pub const fn command(self) -> Command {
        match self {
            Self::Usual | Self::Bare => Command::DELIVER_SM,
            Self::Data => Command::DATA_SM,
        }
    }

    /// Appends the delivery whose deliver_sm has this `body`.
    pub fn write(self, body: &[u8], out: &mut BytesMut) {
        let sm = match self {
            Self::Usual => None,
            // The hub wrote it: there is nothing in it that a carrier's reading doesn't take.
            Self::Data | Self::Bare => Sm::decode(body, Reading::Carrier).ok(),
        };
        match (self, sm) {
            (Self::Data, Some(sm)) => sm.encode_data_body(out),
            (Self::Bare, Some(sm)) if !sm.tlvs.is_empty() => {
                // What is too long for short_message ends there: 3.3 has no other place for it.
                let text = sm.text();
                let short_message = &text[..text.len().min(SHORT_MESSAGE_MAX)];
                Sm { short_message, tlvs: Tlvs::empty(), ..sm }.encode_body(out);
            }
            (Self::Usual | Self::Data | Self::Bare, _) => out.extend_from_slice(body),
        }
    }
}

/// Octets of short_message that everybody takes.
const SHORT_MESSAGE_MAX: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Address, DataSm, MessageState, Receipt, Tag, put_tlv};

    fn receipt() -> BytesMut {
        let mut body = BytesMut::new();
        let message = Sm { destination: Address { ton: 1, npi: 1, addr: b"4477" }, ..Sm::default() };
        Receipt::new(b"A1", MessageState::Delivered).write_body(&message, Version::V34, &mut body);
        body
    }

    fn written(form: Form, body: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        form.write(body, &mut out);
        out
    }

    #[test]
    fn data_sm_says_what_the_deliver_sm_says() {
        let body = receipt();

        let out = written(Form::Data, &body);

        let (sm, data_sm) = (
            Sm::decode(&body, Reading::Strict).expect("ours"),
            DataSm::decode(&out, Reading::Strict).expect("legal"),
        );
        assert_eq!(data_sm.as_sm().text(), sm.short_message);
        assert_eq!((data_sm.source, data_sm.esm_class), (sm.source, sm.esm_class));
        assert_eq!(data_sm.tlvs.cstr(Tag::RECEIPTED_MESSAGE_ID), Some(&b"A1"[..]));
    }

    /// Fact sheet 10.7: no TLVs at all to 3.3, and the text is where it looks for it.
    #[test]
    fn peer_of_3_3_gets_the_text_and_no_parameters() {
        let mut body = BytesMut::new();
        Sm::default().encode_body(&mut body);
        put_tlv(&mut body, Tag::MESSAGE_PAYLOAD, b"hello");

        let out = written(Form::Bare, &body);

        let sm = Sm::decode(&out, Reading::Strict).expect("legal");
        assert_eq!((sm.short_message, sm.tlvs.is_empty()), (&b"hello"[..], true));
        let plain = written(Form::Bare, &receipt());
        assert!(Sm::decode(&plain, Reading::Strict).expect("legal").tlvs.is_empty());
    }

    #[test]
    fn account_decides_but_never_against_3_3() {
        let account = Account { deliver_as: Command::DATA_SM, ..Account::new("demo", "demo") };

        let forms = [Version::V33, Version::V34, Version::V50].map(|version| Form::of(&account, version));

        assert_eq!(forms, [Form::Bare, Form::Data, Form::Data]);
        assert_eq!(Form::of(&Account::new("demo", "demo"), Version::V34), Form::Usual);
    }
}
