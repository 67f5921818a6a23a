//! Our own reading, by the letter. A further PDU is one arm.

use crate::fields::{DESTINATION, ESME, Fields, SOURCE};
use bytes::BytesMut;
use enroute::codec::{
    AlertNotification, Bind, BindResp, BroadcastSm, CancelBroadcastSm, CancelSm, Command, DataSm,
    Destination, FieldError, Frame, MultiResp, Outbind, QueryBroadcastSm, QueryResp, QuerySm, Reading,
    ReplaceSm, Sm, SmResp, SubmitMulti, Tag, put_destination, put_tlv,
};

/// The fields of a PDU, or why we refuse it.
pub fn read(frame: &Frame<'_>) -> Result<Fields, FieldError> {
    let (command, body) = (frame.header.command, frame.body);
    let fields = Fields::default();
    if command.is_response() {
        return Ok(if body.is_empty() { fields } else { response(command.request(), body) });
    }
    Ok(match command {
        Command::BIND_RECEIVER | Command::BIND_TRANSMITTER | Command::BIND_TRANSCEIVER => {
            let bind = Bind::decode(body, STRICT)?;
            fields
                .and("system_id", bind.system_id)
                .and("password", bind.password)
                .and("system_type", bind.system_type)
                .octet("interface_version", bind.interface_version)
                .octet("addr_ton", bind.addr_ton)
                .octet("addr_npi", bind.addr_npi)
                .and("address_range", bind.address_range)
        }
        Command::OUTBIND => {
            let outbind = Outbind::decode(body, STRICT)?;
            fields.and("system_id", outbind.system_id).and("password", outbind.password)
        }
        Command::ALERT_NOTIFICATION => {
            let alert = AlertNotification::decode(body, STRICT)?;
            fields
                .address(SOURCE, &alert.source)
                .address(ESME, &alert.esme)
                .and("tlvs", alert.tlvs.as_bytes())
        }
        Command::SUBMIT_SM | Command::DELIVER_SM => {
            let sm = Sm::decode(body, STRICT)?;
            tail(head(fields, &sm).address(DESTINATION, &sm.destination), &sm)
        }
        Command::SUBMIT_MULTI => {
            let multi = SubmitMulti::decode(body, STRICT)?;
            tail(head(fields, &multi.sm).and("dest_address", list(multi.destinations.iter())), &multi.sm)
        }
        Command::DATA_SM => {
            let data = DataSm::decode(body, STRICT)?;
            head(fields, &data.as_sm())
                .address(DESTINATION, &data.destination)
                .octet("esm_class", data.esm_class)
                .octet("registered_delivery", data.registered_delivery)
                .octet("data_coding", data.data_coding)
                .and("tlvs", data.tlvs.as_bytes())
        }
        Command::QUERY_SM => {
            let query = QuerySm::decode(body, STRICT)?;
            fields.and("message_id", query.message_id).address(SOURCE, &query.source)
        }
        Command::CANCEL_SM => {
            let cancel = CancelSm::decode(body, STRICT)?;
            fields
                .and("service_type", cancel.service_type)
                .and("message_id", cancel.message_id)
                .address(SOURCE, &cancel.source)
                .address(DESTINATION, &cancel.destination)
        }
        Command::REPLACE_SM => replace(&ReplaceSm::decode(body, STRICT)?),
        Command::BROADCAST_SM => broadcast(&BroadcastSm::decode(body, STRICT)?),
        Command::QUERY_BROADCAST_SM => {
            let query = QueryBroadcastSm::decode(body, STRICT)?;
            fields
                .and("message_id", query.message_id)
                .address(SOURCE, &query.source)
                .and("tlvs", query.tlvs.as_bytes())
        }
        Command::CANCEL_BROADCAST_SM => {
            let cancel = CancelBroadcastSm::decode(body, STRICT)?;
            fields
                .and("service_type", cancel.service_type)
                .and("message_id", cancel.message_id)
                .address(SOURCE, &cancel.source)
                .and("tlvs", cancel.tlvs.as_bytes())
        }
        _ => fields, // a header alone
    })
}

fn response(request: Command, body: &[u8]) -> Fields {
    let fields = Fields::default();
    match request {
        Command::BIND_RECEIVER | Command::BIND_TRANSMITTER | Command::BIND_TRANSCEIVER => {
            let resp = BindResp::decode(body);
            let mut tlvs = BytesMut::new();
            if let Some(version) = resp.sc_interface_version {
                put_tlv(&mut tlvs, Tag::SC_INTERFACE_VERSION, &[version]);
            }
            fields.and("system_id", resp.system_id).and("tlvs", tlvs)
        }
        Command::SUBMIT_SM
        | Command::DELIVER_SM
        | Command::DATA_SM
        | Command::BROADCAST_SM
        | Command::QUERY_BROADCAST_SM => {
            let resp = SmResp::decode(body);
            fields.and("message_id", resp.message_id).and("tlvs", resp.tlvs.as_bytes())
        }
        Command::SUBMIT_MULTI => {
            let resp = MultiResp::decode(body);
            let mut list = Vec::new();
            for (address, status) in resp.unsuccess.iter() {
                list.extend(
                    [&[address.ton, address.npi], address.addr, &[0], &status.0.to_be_bytes()].concat(),
                );
            }
            fields
                .and("message_id", resp.message_id)
                .and("unsuccess_sme", list)
                .and("tlvs", resp.tlvs.as_bytes())
        }
        Command::QUERY_SM => {
            let resp = QueryResp::decode(body);
            fields
                .and("message_id", resp.message_id)
                .and("final_date", resp.final_date)
                .octet("message_state", resp.message_state)
                .octet("error_code", resp.error_code)
        }
        _ => fields, // a header alone, whatever follows it
    }
}

fn head(fields: Fields, sm: &Sm<'_>) -> Fields {
    fields.and("service_type", sm.service_type).address(SOURCE, &sm.source)
}

fn tail(fields: Fields, sm: &Sm<'_>) -> Fields {
    fields
        .octet("esm_class", sm.esm_class)
        .octet("protocol_id", sm.protocol_id)
        .octet("priority_flag", sm.priority_flag)
        .and("schedule_delivery_time", sm.schedule_delivery_time)
        .and("validity_period", sm.validity_period)
        .octet("registered_delivery", sm.registered_delivery)
        .octet("replace_if_present_flag", sm.replace_if_present_flag)
        .octet("data_coding", sm.data_coding)
        .octet("sm_default_msg_id", sm.sm_default_msg_id)
        .and("short_message", sm.short_message)
        .and("tlvs", sm.tlvs.as_bytes())
}

fn replace(replace: &ReplaceSm<'_>) -> Fields {
    Fields::default()
        .and("message_id", replace.message_id)
        .address(SOURCE, &replace.source)
        .and("schedule_delivery_time", replace.schedule_delivery_time)
        .and("validity_period", replace.validity_period)
        .octet("registered_delivery", replace.registered_delivery)
        .octet("sm_default_msg_id", replace.sm_default_msg_id)
        .and("short_message", replace.short_message)
        .and("tlvs", replace.tlvs.as_bytes())
}

fn broadcast(broadcast: &BroadcastSm<'_>) -> Fields {
    Fields::default()
        .and("service_type", broadcast.service_type)
        .address(SOURCE, &broadcast.source)
        .and("message_id", broadcast.message_id)
        .octet("priority_flag", broadcast.priority_flag)
        .and("schedule_delivery_time", broadcast.schedule_delivery_time)
        .and("validity_period", broadcast.validity_period)
        .octet("replace_if_present_flag", broadcast.replace_if_present_flag)
        .octet("data_coding", broadcast.data_coding)
        .octet("sm_default_msg_id", broadcast.sm_default_msg_id)
        .and("tlvs", broadcast.tlvs.as_bytes())
}

fn list<'a>(destinations: impl Iterator<Item = Destination<'a>>) -> BytesMut {
    let mut out = BytesMut::new();
    destinations.for_each(|destination| put_destination(&mut out, &destination));
    out
}

const STRICT: Reading = Reading::Strict;
