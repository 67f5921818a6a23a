//! One PDU in words, for people who look at traces.

use super::{
    Address, Bind, BindResp, Command, FrameError, Header, Receipt, ReceiptDate, Sm, SmResp, Status, Tag, Tlvs,
};
use super::{MessageState, Reading};
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
    page.body(header, body);
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

    fn body(&mut self, header: Header, body: &[u8]) {
        let command = header.command;
        match (command.request(), command.is_response()) {
            (Command::BIND_RECEIVER | Command::BIND_TRANSMITTER | Command::BIND_TRANSCEIVER, false) => {
                self.bind(body);
            }
            (Command::BIND_RECEIVER | Command::BIND_TRANSMITTER | Command::BIND_TRANSCEIVER, true) => {
                self.bind_resp(body);
            }
            (Command::SUBMIT_SM | Command::DELIVER_SM, false) => self.sm(command, body),
            (Command::SUBMIT_SM | Command::DELIVER_SM, true) => self.sm_resp(header.status, body),
            // Header-only PDUs, and those that we can't take apart.
            (_, _) if body.is_empty() => {}
            (_, _) => self.octets("body", body),
        }
    }

    fn bind(&mut self, body: &[u8]) {
        let bind = match Bind::decode(body, Reading::Carrier) {
            Ok(bind) => bind,
            Err(error) => return self.unreadable(error, body),
        };
        self.octets("system_id", bind.system_id);
        self.line("password", format_args!("({} octets)", bind.password.len()));
        self.octets("system_type", bind.system_type);
        self.line("interface_version", format_args!("{:#04x}", bind.interface_version));
        self.line("addr_ton", bind.addr_ton);
        self.line("addr_npi", bind.addr_npi);
        self.octets("address_range", bind.address_range);
        if let Err(error) = Bind::decode(body, Reading::Strict) {
            self.line("by the letter", error);
        }
    }

    fn bind_resp(&mut self, body: &[u8]) {
        let resp = BindResp::decode(body);
        self.octets("system_id", resp.system_id);
        if let Some(version) = resp.sc_interface_version {
            self.line("sc_interface_version", format_args!("{version:#04x}"));
        }
    }

    fn sm(&mut self, command: Command, body: &[u8]) {
        let sm = match Sm::decode(body, Reading::Carrier) {
            Ok(sm) => sm,
            Err(error) => return self.unreadable(error, body),
        };
        self.octets("service_type", sm.service_type);
        self.address(["source_addr_ton", "source_addr_npi", "source_addr"], &sm.source);
        self.address(["dest_addr_ton", "dest_addr_npi", "destination_addr"], &sm.destination);
        self.line("esm_class", format_args!("{:#04x}", sm.esm_class));
        self.line("protocol_id", sm.protocol_id);
        self.line("priority_flag", sm.priority_flag);
        self.octets("schedule_delivery_time", sm.schedule_delivery_time);
        self.octets("validity_period", sm.validity_period);
        self.line("registered_delivery", format_args!("{:#04x}", sm.registered_delivery));
        self.line("replace_if_present_flag", sm.replace_if_present_flag);
        self.line("data_coding", format_args!("{:#04x}", sm.data_coding));
        self.line("sm_default_msg_id", sm.sm_default_msg_id);
        self.line("sm_length", sm.short_message.len());
        self.octets("short_message", sm.short_message);
        if let Some(udh) = sm.udh() {
            self.line("user data header", Hex(udh));
        }
        self.tlvs(sm.tlvs);
        if let Err(error) = Sm::decode(body, Reading::Strict) {
            self.line("by the letter", error);
        }
        if command == Command::DELIVER_SM && (sm.is_receipt() || sm.is_intermediate()) {
            self.receipt(&sm);
        }
    }

    fn address(&mut self, [ton, npi, addr]: [&str; 3], address: &Address<'_>) {
        self.line(ton, address.ton);
        self.line(npi, address.npi);
        self.octets(addr, address.addr);
    }

    fn sm_resp(&mut self, status: Status, body: &[u8]) {
        let resp = SmResp::decode(body);
        if status.is_ok() || !body.is_empty() {
            self.octets("message_id", resp.message_id);
        }
        self.tlvs(resp.tlvs);
    }

    fn tlvs(&mut self, tlvs: Tlvs<'_>) {
        for tlv in tlvs.iter() {
            let name = tlv.tag.name().unwrap_or("unknown");
            let name = format!("TLV {:#06x} {name}", tlv.tag.0);
            match (tlv.tag, tlv.value) {
                (Tag::MESSAGE_STATE, [octet]) => match MessageState::from_octet(*octet) {
                    Some(state) => self.line(&name, format_args!("{octet} {state:?}")),
                    None => self.line(&name, octet),
                },
                (_, _) => self.octets(&name, tlv.value),
            }
        }
    }

    fn receipt(&mut self, sm: &Sm<'_>) {
        let wide = super::decode_receipt_text(sm);
        let text = wide.as_deref().unwrap_or(sm.text());
        let Some(receipt) = Receipt::read_decoded(sm, text) else {
            return self.line("receipt", "neither an id nor a state can be found");
        };
        self.octets("receipt id", receipt.message_id);
        if let Some(id) = receipt.text_id {
            self.octets("receipt id in the text", id);
        }
        self.line("receipt state", format_args!("{:?}", receipt.state));
        self.octets("receipt err", receipt.error);
        self.date("receipt submit date", receipt.submit_date);
        self.date("receipt done date", receipt.done_date);
    }

    fn date(&mut self, name: &str, date: Option<ReceiptDate>) {
        if let Some((year, month, day, hour, minute, second)) = date.map(ReceiptDate::parts) {
            self.line(name, format_args!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"));
        }
    }

    fn unreadable(&mut self, error: impl Display, body: &[u8]) {
        self.line("broken", error);
        self.octets("body", body);
    }
}

/// Octets as text in quotes if they are printable ASCII, else in hex.
struct Shown<'a>(&'a [u8]);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match std::str::from_utf8(self.0) {
            Ok(text) if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) => write!(f, "\"{text}\""),
            Ok(_) | Err(_) => Hex(self.0).fmt(f),
        }
    }
}

/// Octets as two digits each.
struct Hex<'a>(&'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

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
}
