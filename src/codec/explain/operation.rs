//! Sessions, operations on messages and broadcasts in words.

use super::super::value::{availability, state};
use super::super::{
    AlertNotification, Bind, BindResp, BroadcastSm, CancelBroadcastSm, CancelSm, FieldError, MessageState,
    Outbind, QueryBroadcastSm, QueryResp, QuerySm, Reading, ReplaceSm,
};
use super::{DESTINATION, Page, SOURCE};

impl Page {
    pub(super) fn bind(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let bind = Bind::decode(body, Reading::Carrier)?;
        self.octets("system_id", bind.system_id);
        self.password(bind.password);
        self.octets("system_type", bind.system_type);
        self.line("interface_version", format_args!("{:#04x}", bind.interface_version));
        self.line("addr_ton", bind.addr_ton);
        self.line("addr_npi", bind.addr_npi);
        self.octets("address_range", bind.address_range);
        self.by_the_letter(Bind::decode(body, Reading::Strict));
        Ok(())
    }

    pub(super) fn bind_resp(&mut self, body: &[u8]) {
        let resp = BindResp::decode(body);
        self.octets("system_id", resp.system_id);
        if let Some(version) = resp.sc_interface_version {
            self.line("sc_interface_version", format_args!("{version:#04x}"));
        }
    }

    pub(super) fn outbind(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let outbind = Outbind::decode(body, Reading::Carrier)?;
        self.octets("system_id", outbind.system_id);
        self.password(outbind.password);
        self.by_the_letter(Outbind::decode(body, Reading::Strict));
        Ok(())
    }

    fn password(&mut self, password: &[u8]) {
        self.line("password", format_args!("({} octets)", password.len()));
    }

    pub(super) fn query_sm(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let query = QuerySm::decode(body, Reading::Carrier)?;
        self.octets("message_id", query.message_id);
        self.address(SOURCE, &query.source);
        self.by_the_letter(QuerySm::decode(body, Reading::Strict));
        Ok(())
    }

    pub(super) fn query_resp(&mut self, body: &[u8]) {
        let resp = QueryResp::decode(body);
        self.octets("message_id", resp.message_id);
        self.octets("final_date", resp.final_date);
        let word = MessageState::from_octet(resp.message_state).map_or("(reserved)", state);
        self.line("message_state", format_args!("{} {word}", resp.message_state));
        self.line("error_code", resp.error_code);
    }

    pub(super) fn cancel_sm(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let cancel = CancelSm::decode(body, Reading::Carrier)?;
        self.octets("service_type", cancel.service_type);
        self.octets("message_id", cancel.message_id);
        self.address(SOURCE, &cancel.source);
        self.address(DESTINATION, &cancel.destination);
        self.by_the_letter(CancelSm::decode(body, Reading::Strict));
        Ok(())
    }

    pub(super) fn replace_sm(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let replace = ReplaceSm::decode(body, Reading::Carrier)?;
        self.octets("message_id", replace.message_id);
        self.address(SOURCE, &replace.source);
        self.octets("schedule_delivery_time", replace.schedule_delivery_time);
        self.octets("validity_period", replace.validity_period);
        self.line("registered_delivery", format_args!("{:#04x}", replace.registered_delivery));
        self.line("sm_default_msg_id", replace.sm_default_msg_id);
        self.line("sm_length", replace.short_message.len());
        self.octets("short_message", replace.short_message);
        self.tlvs(replace.tlvs);
        self.by_the_letter(ReplaceSm::decode(body, Reading::Strict));
        Ok(())
    }

    pub(super) fn alert_notification(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let alert = AlertNotification::decode(body, Reading::Carrier)?;
        self.address(SOURCE, &alert.source);
        self.address(["esme_addr_ton", "esme_addr_npi", "esme_addr"], &alert.esme);
        self.line("the handset is", availability(alert.availability()));
        self.tlvs(alert.tlvs);
        self.by_the_letter(AlertNotification::decode(body, Reading::Strict));
        Ok(())
    }

    pub(super) fn broadcast_sm(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let broadcast = BroadcastSm::decode(body, Reading::Carrier)?;
        self.octets("service_type", broadcast.service_type);
        self.address(SOURCE, &broadcast.source);
        self.octets("message_id", broadcast.message_id);
        self.line("priority_flag", broadcast.priority_flag);
        self.octets("schedule_delivery_time", broadcast.schedule_delivery_time);
        self.octets("validity_period", broadcast.validity_period);
        self.line("replace_if_present_flag", broadcast.replace_if_present_flag);
        self.line("data_coding", format_args!("{:#04x}", broadcast.data_coding));
        self.line("sm_default_msg_id", broadcast.sm_default_msg_id);
        self.tlvs(broadcast.tlvs);
        self.by_the_letter(BroadcastSm::decode(body, Reading::Strict));
        Ok(())
    }

    pub(super) fn query_broadcast_sm(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let query = QueryBroadcastSm::decode(body, Reading::Carrier)?;
        self.octets("message_id", query.message_id);
        self.address(SOURCE, &query.source);
        self.tlvs(query.tlvs);
        self.by_the_letter(QueryBroadcastSm::decode(body, Reading::Strict));
        Ok(())
    }

    pub(super) fn cancel_broadcast_sm(&mut self, body: &[u8]) -> Result<(), FieldError> {
        let cancel = CancelBroadcastSm::decode(body, Reading::Carrier)?;
        self.octets("service_type", cancel.service_type);
        self.octets("message_id", cancel.message_id);
        self.address(SOURCE, &cancel.source);
        self.tlvs(cancel.tlvs);
        self.by_the_letter(CancelBroadcastSm::decode(body, Reading::Strict));
        Ok(())
    }
}
