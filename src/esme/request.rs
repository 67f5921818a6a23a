//! Which requests of an ESME go on to the hub: those whose every field can be read.

use crate::codec::{
    BroadcastSm, CancelBroadcastSm, CancelSm, Command, DataSm, FieldError, QueryBroadcastSm, QuerySm,
    Reading, ReplaceSm, Sm, Status, SubmitMulti,
};

/// Reads the body of `command` as the hub will.
///
/// # Errors
/// The status of the first field that can't be read; ESME_RINVCMDID for what no ESME asks of us.
#[inline]
pub(super) fn check(command: Command, body: &[u8], reading: Reading) -> Result<(), Status> {
    let read: Result<(), FieldError> = match command {
        Command::SUBMIT_SM => Sm::decode(body, reading).map(drop),
        Command::DATA_SM => DataSm::decode(body, reading).map(drop),
        Command::SUBMIT_MULTI => SubmitMulti::decode(body, reading).map(drop),
        Command::QUERY_SM => QuerySm::decode(body, reading).map(drop),
        Command::CANCEL_SM => CancelSm::decode(body, reading).map(drop),
        Command::REPLACE_SM => ReplaceSm::decode(body, reading).map(drop),
        Command::BROADCAST_SM => BroadcastSm::decode(body, reading).map(drop),
        Command::QUERY_BROADCAST_SM => QueryBroadcastSm::decode(body, reading).map(drop),
        Command::CANCEL_BROADCAST_SM => CancelBroadcastSm::decode(body, reading).map(drop),
        // The session's table lets nothing else through.
        _ => return Err(Status::RINVCMDID),
    };
    read.map_err(|FieldError { status, .. }| status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Address, Tag, put_tlv};
    use bytes::BytesMut;

    const LONG: &[u8] = &[b'7'; 65];

    fn refused(command: Command, body: &[u8]) -> Option<Status> {
        check(command, body, Reading::Lenient).err()
    }

    fn written(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
        let mut body = BytesMut::new();
        write(&mut body);
        body
    }

    /// Fact sheet 11; field bug F10: a body that ends too soon is refused with the length, whatever it is a body of.
    #[test]
    fn empty_bodies_are_refused_by_their_length() {
        for command in (1..0x200).map(Command).filter(|command| command.is_known()) {
            let expected = match command {
                Command::SUBMIT_SM
                | Command::DATA_SM
                | Command::SUBMIT_MULTI
                | Command::QUERY_SM
                | Command::CANCEL_SM
                | Command::REPLACE_SM
                | Command::BROADCAST_SM
                | Command::QUERY_BROADCAST_SM
                | Command::CANCEL_BROADCAST_SM => Status::RINVCMDLEN,
                _ => Status::RINVCMDID,
            };
            assert_eq!(refused(command, b""), Some(expected), "{command}");
        }
    }

    /// Fact sheet 3 and 11: each with the field's own status.
    #[test]
    fn unreadable_field_is_refused_with_its_own_status() {
        let long = Address { addr: LONG, ..Address::default() };
        let query = QuerySm { message_id: LONG, ..QuerySm::default() };
        let cancel = CancelSm { destination: long, ..CancelSm::default() };
        let replace = ReplaceSm { source: long, ..ReplaceSm::default() };
        let data_sm = DataSm::default();
        let broadcast = BroadcastSm::default();

        let cases = [
            (Command::QUERY_SM, written(|out| query.encode_body(out)), Status::RINVMSGID),
            (Command::CANCEL_SM, written(|out| cancel.encode_body(out)), Status::RINVDSTADR),
            (Command::REPLACE_SM, written(|out| replace.encode_body(out)), Status::RINVSRCADR),
            (Command::DATA_SM, written(|out| data_sm.encode_body(out)), Status::RMISSINGTLV),
            (Command::BROADCAST_SM, written(|out| broadcast.encode_body(out)), Status::RMISSINGTLV),
            (Command::SUBMIT_MULTI, BytesMut::from(&[0; 30][..]), Status::RINVNUMDESTS),
            (Command::SUBMIT_MULTI, BytesMut::from(&b"\0\0\0\0\x01\x07"[..]), Status::RINVDESTFLAG),
        ];
        for (command, body, status) in cases {
            assert_eq!(refused(command, &body), Some(status), "{command}");
        }
    }

    #[test]
    fn readable_bodies_go_on() {
        let payload = written(|out| put_tlv(out, Tag::MESSAGE_PAYLOAD, b"hello"));
        let mut data_sm = written(|out| DataSm::default().encode_body(out));
        data_sm.extend_from_slice(&payload);

        assert_eq!(refused(Command::DATA_SM, &data_sm), None);
        assert_eq!(refused(Command::QUERY_SM, &written(|out| QuerySm::default().encode_body(out))), None);
        assert_eq!(refused(Command::CANCEL_SM, &written(|out| CancelSm::default().encode_body(out))), None);
        assert_eq!(refused(Command::REPLACE_SM, &written(|out| ReplaceSm::default().encode_body(out))), None);
    }
}
