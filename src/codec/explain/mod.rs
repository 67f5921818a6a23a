//! One PDU in words, for people who look at traces.

mod message;
mod operation;

use super::shown::Shown;
use super::{Address, Command, FieldError, FrameError, Header, Tlvs, Version};
use std::fmt::{Display, Write};

/// Explains one PDU field by field, a line each; passwords are masked, and what it can't read it shows in hex.
///
/// Takes any octets: what is wrong with them is part of the explanation.
pub fn explain(pdu: &[u8]) -> String {
    let mut page = Page::default();
    let Some((header, rest)) = pdu.split_first_chunk() else {
        page.line("broken", format_args!("{} octets are less than a header", pdu.len()));
        page.octets("octets", pdu);
        return page.0;
    };
    let header = Header::decode(header);
    page.header(header, pdu.len());
    let end = (header.length as usize).saturating_sub(Header::LEN).min(rest.len());
    let (body, after) = rest.split_at(end);
    if header.command.is_response() {
        page.response(header, body);
    } else {
        page.request(header.command, body);
    }
    if !after.is_empty() {
        page.octets("after the PDU", after);
    }
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, name: &str, value: impl Display) {
        // Writing to a String never fails.
        let _ = writeln!(self.0, "{name:<24} {value}");
    }

    fn octets(&mut self, name: &str, octets: &[u8]) {
        self.line(name, Shown(octets));
    }

    fn header(&mut self, header: Header, have: usize) {
        self.line("command_length", header.length);
        if header.length as usize != have {
            let error = FrameError::TooShort { length: header.length };
            match header.length {
                0..16 => self.line("broken", error),
                _ => self.line("broken", format_args!("{have} octets are here")),
            }
        }
        let name = header.command.name();
        self.line("command_id", format_args!("{:#010x} {name}", header.command.0));
        self.line("command_status", format_args!("{:#010x} {}", header.status.0, header.status));
        self.line("sequence_number", header.sequence);
    }

    fn request(&mut self, command: Command, body: &[u8]) {
        let read = match command {
            Command::BIND_RECEIVER | Command::BIND_TRANSMITTER | Command::BIND_TRANSCEIVER => self.bind(body),
            Command::OUTBIND => self.outbind(body),
            Command::SUBMIT_SM | Command::DELIVER_SM => self.sm(command, body),
            Command::DATA_SM => self.data_sm(body),
            Command::SUBMIT_MULTI => self.submit_multi(body),
            Command::QUERY_SM => self.query_sm(body),
            Command::CANCEL_SM => self.cancel_sm(body),
            Command::REPLACE_SM => self.replace_sm(body),
            Command::ALERT_NOTIFICATION => self.alert_notification(body),
            Command::BROADCAST_SM => self.broadcast_sm(body),
            Command::QUERY_BROADCAST_SM => self.query_broadcast_sm(body),
            Command::CANCEL_BROADCAST_SM => self.cancel_broadcast_sm(body),
            _ => return self.unknown(body), // A header alone, or a command that we don't know.
        };
        if let Err(error) = read {
            self.line("broken", error);
            self.octets("body", body);
        }
    }

    fn response(&mut self, header: Header, body: &[u8]) {
        match header.command.request() {
            Command::BIND_RECEIVER | Command::BIND_TRANSMITTER | Command::BIND_TRANSCEIVER => {
                self.bind_resp(body);
            }
            Command::SUBMIT_SM
            | Command::DELIVER_SM
            | Command::DATA_SM
            | Command::BROADCAST_SM
            | Command::QUERY_BROADCAST_SM => self.sm_resp(header.status, body),
            Command::SUBMIT_MULTI if header.status.is_ok() || !body.is_empty() => self.multi_resp(body),
            Command::QUERY_SM if header.status.is_ok() || !body.is_empty() => self.query_resp(body),
            Command::CANCEL_SM | Command::REPLACE_SM | Command::CANCEL_BROADCAST_SM => self.bare(body),
            Command::ENQUIRE_LINK | Command::UNBIND => self.bare(body),
            _ => self.unknown(body), // A refusal's header, or a command that we don't know.
        }
    }

    /// What is no more than a header, but for TLVs that any response may have.
    fn bare(&mut self, body: &[u8]) {
        match Tlvs::read(body, super::Reading::Strict) {
            Ok(tlvs) => self.tlvs(tlvs),
            Err(_) => self.unknown(body),
        }
    }

    fn unknown(&mut self, body: &[u8]) {
        if !body.is_empty() {
            self.octets("body", body);
        }
    }

    fn address(&mut self, [ton, npi, addr]: [&str; 3], address: &Address<'_>) {
        self.line(ton, address.ton);
        self.line(npi, address.npi);
        self.octets(addr, address.addr);
    }

    fn tlvs(&mut self, tlvs: Tlvs<'_>) {
        for tlv in tlvs.iter() {
            let name = tlv.tag.name().unwrap_or("unknown");
            let name = format!("TLV {:#06x} {name}", tlv.tag.0);
            // Nobody says here which version is spoken; the latest one has the most meanings.
            match tlv.typed(Version::V50) {
                Some(value) => self.line(&name, value),
                None => self.octets(&name, tlv.value),
            }
        }
    }

    /// What a strict reader would refuse in what was read all the same.
    fn by_the_letter<T>(&mut self, strict: Result<T, FieldError>) {
        if let Err(error) = strict {
            self.line("by the letter", error);
        }
    }
}

const SOURCE: [&str; 3] = ["source_addr_ton", "source_addr_npi", "source_addr"];
const DESTINATION: [&str; 3] = ["dest_addr_ton", "dest_addr_npi", "destination_addr"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{
        AlertNotification, Bind, BroadcastSm, CancelSm, DataSm, Destination, Destinations, Outbind,
        QueryResp, QuerySm, Reading, ReplaceSm, Sm, Status, SubmitMulti, Tag, encode_multi_resp, header_only,
        put_destination, put_tlv,
    };
    use bytes::BytesMut;

    /// The page of the PDU that `write` appends, which has to have each of `lines`.
    fn assert_explained(write: impl Fn(&mut BytesMut), lines: &[&str]) {
        let mut out = BytesMut::new();
        write(&mut out);
        let page = explain(&out);
        for line in lines {
            assert!(page.contains(line), "{line} isn't in:\n{page}");
        }
        assert!(!page.contains("broken") && !page.contains("body"), "{page}");
    }

    #[test]
    fn receipt_is_explained_down_to_its_state() {
        let mut out = BytesMut::new();
        Sm { esm_class: 0x04, short_message: b"id:7 done date:2601021530 stat:EXPIRED", ..Sm::default() }
            .encode(&mut out, Command::DELIVER_SM, 3);

        let page = explain(&out);

        for words in [
            "0x00000005 deliver_sm",
            "\"id:7 done",
            "receipt state            Expired",
            "2026-01-02 15:30:00",
        ] {
            assert!(page.contains(words), "{words} isn't in:\n{page}");
        }
    }

    #[test]
    fn password_is_masked() {
        let mut out = BytesMut::new();
        let bind = Bind { system_id: b"acme", password: b"secret", ..Bind::default() };
        bind.encode(&mut out, Command::BIND_RECEIVER, 1);

        let page = explain(&out);

        assert!(page.contains("\"acme\""));
        assert!(!page.contains("secret"));
    }

    #[test]
    fn what_cannot_be_read_is_shown_in_hex() {
        let mut out = BytesMut::new();
        Sm::default().encode(&mut out, Command::SUBMIT_SM, 1);
        out.truncate(18);

        let page = explain(&out);

        assert!(page.contains("18 octets are here"), "{page}");
        assert!(page.contains("broken"), "{page}");
        assert!(explain(&[0, 1]).contains("0001"));
        let unknown = [0, 0, 0, 17, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xFE];
        assert!(explain(&unknown).contains("body                     fe"));
    }

    const FAR: Address<'_> = Address { ton: 1, npi: 1, addr: b"447700900123" };

    #[test]
    fn every_destination_of_a_submit_multi_is_listed() {
        let mut list = BytesMut::new();
        put_destination(&mut list, &Destination::Sme(FAR));
        put_destination(&mut list, &Destination::List(b"staff"));
        let destinations = Destinations::read(&list).expect("just written");
        let sm = Sm { short_message: b"Fan out", ..Sm::default() };

        assert_explained(
            |out| SubmitMulti { sm, destinations }.encode(out, 1),
            &[
                "number_of_dests          2",
                "\"447700900123\"",
                "dl_name                  \"staff\"",
                "\"Fan out\"",
            ],
        );
        assert_explained(
            |out| encode_multi_resp(out, Status::ROK, 1, b"77", &[(FAR, Status::RINVDSTADR)]),
            &["\"77\"", "no_unsuccess             1", "\"447700900123\"", "ESME_RINVDSTADR"],
        );
    }

    #[test]
    fn parameters_are_explained_by_their_types() {
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, b"Road closed");
        put_tlv(&mut tlvs, Tag::BROADCAST_AREA_IDENTIFIER, b"\0Dublin");
        put_tlv(&mut tlvs, Tag::BROADCAST_CONTENT_TYPE, &[1, 0, 0x30]);
        put_tlv(&mut tlvs, Tag::BROADCAST_FREQUENCY_INTERVAL, &[9, 0, 31]);
        put_tlv(&mut tlvs, Tag::SOURCE_PORT, &[7]);
        let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("just written");

        assert_explained(
            |out| BroadcastSm { priority_flag: 1, tlvs, ..BroadcastSm::default() }.encode(out, 1),
            &[
                "broadcast_sm",
                "alias \"Dublin\"",
                "0x0030 local traffic",
                "every 31 x 9 minutes",
                "source_port   07",
                "by the letter            source_port: ESME_RINVTLVLEN",
            ],
        );
        assert_explained(
            |out| DataSm { source: FAR, tlvs, ..DataSm::default() }.encode(out, 1),
            &[
                "data_sm",
                "source_addr              \"447700900123\"",
                "TLV 0x0424 message_payload \"Road closed\"",
            ],
        );
    }

    #[test]
    fn operations_are_explained() {
        let source = Address { ton: 5, npi: 0, addr: b"ACME" };
        let id = "message_id               \"A1\"";
        assert_explained(|out| QuerySm { message_id: b"A1", source }.encode(out, 1), &[id, "\"ACME\""]);
        let resp = QueryResp { message_id: b"A1", message_state: 2, ..QueryResp::default() };
        assert_explained(
            |out| resp.encode(out, Status::ROK, 1),
            &[id, "message_state            2 DELIVERED"],
        );
        let cancel = CancelSm { message_id: b"A1", source, ..CancelSm::default() };
        assert_explained(|out| cancel.encode(out, 1), &[id, "\"ACME\"", "destination_addr"]);
        let replace = ReplaceSm { message_id: b"A1", short_message: b"new", ..ReplaceSm::default() };
        assert_explained(|out| replace.encode(out, 1), &[id, "short_message            \"new\""]);
        let alert = AlertNotification { source, bare_status: Some(1), ..AlertNotification::default() };
        assert_explained(|out| alert.encode(out, 1), &["esme_addr", "denied", "by the letter"]);
    }

    #[test]
    fn password_of_an_outbind_is_masked() {
        let mut out = BytesMut::new();
        Outbind { system_id: b"MC1", password: b"obpass" }.encode(&mut out, 1);

        let page = explain(&out);

        assert!(page.contains("\"MC1\"") && page.contains("(6 octets)"), "{page}");
        assert!(!page.contains("obpass"), "{page}");
    }

    #[test]
    fn bare_response_may_tell_of_congestion() {
        let congested = |out: &mut BytesMut| {
            header_only(out, Command::ENQUIRE_LINK.response(), Status::ROK, 1);
            crate::codec::add_congestion_state(out, 0, 85);
        };
        assert_explained(congested, &["congestion_state 85 %, optimum"]);
    }
}
