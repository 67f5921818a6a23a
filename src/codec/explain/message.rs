//! Messages in words: submit_sm, deliver_sm, data_sm, submit_multi, and the receipts in them.

use super::super::shown::Hex;
use super::super::{
    Command, DataSm, Destination, FieldError, MultiResp, Reading, Receipt, ReceiptDate, Sm, SmResp, Status,
    SubmitMulti,
};
use super::{DESTINATION, Page, SOURCE};

impl Page {
    pub(super) fn sm(&mut self, command: Command, body: &[u8]) -> Result<(), FieldError> {
        let sm = Sm::decode(body, Reading::Carrier)?;
        self.octets("service_type", sm.service_type);
        self.address(SOURCE, &sm.source);
        self.address(DESTINATION, &sm.destination);
        self.sm_tail(&sm);
        self.by_the_letter(Sm::decode(body, Reading::Strict));
        if command == Command::DELIVER_SM {
            self.receipt(&sm);
        }
        Ok(())
    }

    pub(super) fn data_sm(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let data_sm = DataSm::decode(body, Reading::Carrier)?;
        let sm = data_sm.as_sm();
        self.octets("service_type", sm.service_type);
        self.address(SOURCE, &sm.source);
        self.address(DESTINATION, &sm.destination);
        self.line("esm_class", format_args!("{:#04x}", sm.esm_class));
        self.line("registered_delivery", format_args!("{:#04x}", sm.registered_delivery));
        self.line("data_coding", format_args!("{:#04x}", sm.data_coding));
        self.udh(&sm);
        self.tlvs(sm.tlvs);
        self.by_the_letter(DataSm::decode(body, Reading::Strict));
        self.receipt(&sm);
        Ok(())
    }

    pub(super) fn submit_multi(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let multi = SubmitMulti::decode(body, Reading::Carrier)?;
        self.octets("service_type", multi.sm.service_type);
        self.address(SOURCE, &multi.sm.source);
        self.line("number_of_dests", multi.destinations.len());
        for destination in multi.destinations.iter() {
            match destination {
                Destination::Sme(address) => self.address(DESTINATION, &address),
                Destination::List(name) => self.octets("dl_name", name),
            }
        }
        self.sm_tail(&multi.sm);
        self.by_the_letter(SubmitMulti::decode(body, Reading::Strict));
        Ok(())
    }

    pub(super) fn sm_resp(&mut self, status: Status, body: &[u8]) {
        let resp = SmResp::decode(body);
        if status.is_ok() || !body.is_empty() {
            self.octets("message_id", resp.message_id);
        }
        self.tlvs(resp.tlvs);
    }

    pub(super) fn multi_resp(&mut self, body: &[u8]) {
        let resp = MultiResp::decode(body);
        self.octets("message_id", resp.message_id);
        self.line("no_unsuccess", resp.unsuccess.len());
        for (address, status) in resp.unsuccess.iter() {
            self.address(DESTINATION, &address);
            self.line("error_status_code", format_args!("{:#010x} {status}", status.0));
        }
        self.tlvs(resp.tlvs);
    }

    /// The fields from esm_class on.
    fn sm_tail(&mut self, sm: &Sm<'_>) {
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
        self.udh(sm);
        self.tlvs(sm.tlvs);
    }

    fn udh(&mut self, sm: &Sm<'_>) {
        if let Some(udh) = sm.udh() {
            self.line("user data header", Hex(udh));
        }
    }

    /// What the receipt says, if it is one.
    fn receipt(&mut self, sm: &Sm<'_>) {
        if !sm.is_receipt() && !sm.is_intermediate() {
            return;
        }
        let wide = super::super::decode_receipt_text(sm);
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
}
