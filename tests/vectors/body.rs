//! The bodies of the vectors: each is read into its view, compared field by field, and written again.

use super::{list, number, octets, text};
use bytes::BytesMut;
use enroute::codec::{
    Address, AlertNotification, Bind, BindResp, BroadcastSm, CancelBroadcastSm, CancelSm, DataSm,
    Destination, Frame, MultiResp, Outbind, QueryBroadcastSm, QueryResp, QuerySm, Reading, ReplaceSm, Sm,
    SmResp, SubmitMulti, Tlvs, header_only,
};
use serde_json::Value;

/// The reading of the vectors: all of them are legal by the letter.
const STRICT: Reading = Reading::Strict;

/// Compares the body with the vector, and writes its PDU to `out` again.
pub fn check(vector: &Value, frame: &Frame<'_>, out: &mut BytesMut) {
    let header = frame.header;
    if vector["body"].is_string() {
        assert!(frame.is_empty(), "{vector}");
        return header_only(out, header.command, header.status, header.sequence);
    }
    if header.command.is_response() {
        check_response(vector, frame, out);
    } else {
        check_request(vector, frame, out);
    }
}

fn check_request(vector: &Value, frame: &Frame<'_>, out: &mut BytesMut) {
    let (body, sequence) = (frame.body, frame.header.sequence);
    let fields = &vector["fields"];
    match text(vector, "pdu") {
        "bind_receiver" | "bind_transmitter" | "bind_transceiver" => {
            let bind = Bind::decode(body, STRICT).expect("legal");
            check_bind(fields, &bind);
            bind.encode(out, frame.header.command, sequence);
        }
        "outbind" => {
            let outbind = Outbind::decode(body, STRICT).expect("legal");
            strings(fields, &[("system_id", outbind.system_id), ("password", outbind.password)]);
            outbind.encode(out, sequence);
        }
        "submit_sm" | "deliver_sm" => {
            let sm = Sm::decode(body, STRICT).expect("legal");
            check_sm(fields, &sm);
            check_address(fields, DESTINATION, &sm.destination);
            check_tlvs(vector, sm.tlvs);
            sm.encode(out, frame.header.command, sequence);
        }
        "data_sm" => {
            let data_sm = DataSm::decode(body, STRICT).expect("legal");
            check_data_sm(fields, &data_sm);
            check_tlvs(vector, data_sm.tlvs);
            data_sm.encode(out, sequence);
        }
        "submit_multi" => {
            let multi = SubmitMulti::decode(body, STRICT).expect("legal");
            check_multi(fields, &multi);
            check_tlvs(vector, multi.sm.tlvs);
            multi.encode(out, sequence);
        }
        _ => check_operation(vector, frame, out),
    }
}

fn check_operation(vector: &Value, frame: &Frame<'_>, out: &mut BytesMut) {
    let (body, sequence) = (frame.body, frame.header.sequence);
    let fields = &vector["fields"];
    match text(vector, "pdu") {
        "query_sm" => {
            let query = QuerySm::decode(body, STRICT).expect("legal");
            strings(fields, &[("message_id", query.message_id)]);
            check_address(fields, SOURCE, &query.source);
            query.encode(out, sequence);
        }
        "cancel_sm" => {
            let cancel = CancelSm::decode(body, STRICT).expect("legal");
            strings(fields, &[("service_type", cancel.service_type), ("message_id", cancel.message_id)]);
            check_address(fields, SOURCE, &cancel.source);
            check_address(fields, DESTINATION, &cancel.destination);
            cancel.encode(out, sequence);
        }
        "replace_sm" => {
            let replace = ReplaceSm::decode(body, STRICT).expect("legal");
            check_replace(fields, &replace);
            check_tlvs(vector, replace.tlvs);
            replace.encode(out, sequence);
        }
        "alert_notification" => {
            let alert = AlertNotification::decode(body, STRICT).expect("legal");
            check_address(fields, SOURCE, &alert.source);
            check_address(fields, ["esme_addr_ton", "esme_addr_npi", "esme_addr"], &alert.esme);
            check_tlvs(vector, alert.tlvs);
            alert.encode(out, sequence);
        }
        "broadcast_sm" => {
            let broadcast = BroadcastSm::decode(body, STRICT).expect("legal");
            check_broadcast(fields, &broadcast);
            check_tlvs(vector, broadcast.tlvs);
            broadcast.encode(out, sequence);
        }
        "query_broadcast_sm" => {
            let query = QueryBroadcastSm::decode(body, STRICT).expect("legal");
            strings(fields, &[("message_id", query.message_id)]);
            check_address(fields, SOURCE, &query.source);
            check_tlvs(vector, query.tlvs);
            query.encode(out, sequence);
        }
        "cancel_broadcast_sm" => {
            let cancel = CancelBroadcastSm::decode(body, STRICT).expect("legal");
            strings(fields, &[("service_type", cancel.service_type), ("message_id", cancel.message_id)]);
            check_address(fields, SOURCE, &cancel.source);
            check_tlvs(vector, cancel.tlvs);
            cancel.encode(out, sequence);
        }
        other => panic!("{other} isn't read"),
    }
}

fn check_response(vector: &Value, frame: &Frame<'_>, out: &mut BytesMut) {
    let header = frame.header;
    let fields = &vector["fields"];
    match text(vector, "pdu") {
        "bind_receiver_resp" | "bind_transmitter_resp" | "bind_transceiver_resp" => {
            let resp = BindResp::decode(frame.body);
            strings(fields, &[("system_id", resp.system_id)]);
            let version = vector["tlvs"][0]["value"].as_u64();
            assert_eq!(resp.sc_interface_version.map(u64::from), version);
            resp.encode(out, header.command, header.status, header.sequence);
        }
        "submit_multi_resp" => {
            let resp = MultiResp::decode(frame.body);
            check_multi_resp(fields, &resp);
            check_tlvs(vector, resp.tlvs);
            resp.encode(out, header.status, header.sequence);
        }
        "query_sm_resp" => {
            let resp = QueryResp::decode(frame.body);
            strings(fields, &[("message_id", resp.message_id), ("final_date", resp.final_date)]);
            numbers(fields, &[("message_state", resp.message_state), ("error_code", resp.error_code)]);
            resp.encode(out, header.status, header.sequence);
        }
        "submit_sm_resp"
        | "deliver_sm_resp"
        | "data_sm_resp"
        | "broadcast_sm_resp"
        | "query_broadcast_sm_resp" => {
            let resp = SmResp::decode(frame.body);
            strings(fields, &[("message_id", resp.message_id)]);
            check_tlvs(vector, resp.tlvs);
            resp.encode(out, header.command, header.status, header.sequence);
        }
        other => panic!("{other} isn't read"),
    }
}

fn check_bind(fields: &Value, bind: &Bind<'_>) {
    strings(
        fields,
        &[
            ("system_id", bind.system_id),
            ("password", bind.password),
            ("system_type", bind.system_type),
            ("address_range", bind.address_range),
        ],
    );
    numbers(
        fields,
        &[
            ("interface_version", bind.interface_version),
            ("addr_ton", bind.addr_ton),
            ("addr_npi", bind.addr_npi),
        ],
    );
}

/// All but the destination.
fn check_sm(fields: &Value, sm: &Sm<'_>) {
    strings(
        fields,
        &[
            ("service_type", sm.service_type),
            ("schedule_delivery_time", sm.schedule_delivery_time),
            ("validity_period", sm.validity_period),
        ],
    );
    check_address(fields, SOURCE, &sm.source);
    numbers(
        fields,
        &[
            ("esm_class", sm.esm_class),
            ("protocol_id", sm.protocol_id),
            ("priority_flag", sm.priority_flag),
            ("registered_delivery", sm.registered_delivery),
            ("replace_if_present_flag", sm.replace_if_present_flag),
            ("data_coding", sm.data_coding),
            ("sm_default_msg_id", sm.sm_default_msg_id),
        ],
    );
    check_short_message(fields, sm.short_message);
}

fn check_short_message(fields: &Value, short_message: &[u8]) {
    assert_eq!(short_message.len() as u64, fields["sm_length"]);
    assert_eq!(short_message, octets(text(fields, "short_message_hex")));
}

fn check_data_sm(fields: &Value, data_sm: &DataSm<'_>) {
    strings(fields, &[("service_type", data_sm.service_type)]);
    check_address(fields, SOURCE, &data_sm.source);
    check_address(fields, DESTINATION, &data_sm.destination);
    numbers(
        fields,
        &[
            ("esm_class", data_sm.esm_class),
            ("registered_delivery", data_sm.registered_delivery),
            ("data_coding", data_sm.data_coding),
        ],
    );
}

fn check_multi(fields: &Value, multi: &SubmitMulti<'_>) {
    check_sm(fields, &multi.sm);
    assert_eq!(u64::from(multi.destinations.len()), fields["number_of_dests"]);
    let expected = list(fields, "dest_address");
    assert_eq!(multi.destinations.iter().count(), expected.len());
    for (destination, expected) in multi.destinations.iter().zip(expected) {
        match destination {
            Destination::Sme(address) => {
                check_address(expected, DESTINATION, &address);
                assert_eq!(multi.sm_to(address).destination, address);
            }
            Destination::List(name) => strings(expected, &[("dl_name", name)]),
        }
    }
}

fn check_multi_resp(fields: &Value, resp: &MultiResp<'_>) {
    strings(fields, &[("message_id", resp.message_id)]);
    let expected = list(fields, "unsuccess_sme");
    assert_eq!(resp.unsuccess.iter().count(), expected.len());
    for ((address, status), expected) in resp.unsuccess.iter().zip(expected) {
        check_address(expected, DESTINATION, &address);
        assert_eq!(u64::from(status.0), expected["error_status_code"]);
    }
}

fn check_replace(fields: &Value, replace: &ReplaceSm<'_>) {
    strings(
        fields,
        &[
            ("message_id", replace.message_id),
            ("schedule_delivery_time", replace.schedule_delivery_time),
            ("validity_period", replace.validity_period),
        ],
    );
    check_address(fields, SOURCE, &replace.source);
    numbers(
        fields,
        &[
            ("registered_delivery", replace.registered_delivery),
            ("sm_default_msg_id", replace.sm_default_msg_id),
        ],
    );
    check_short_message(fields, replace.short_message);
}

fn check_broadcast(fields: &Value, broadcast: &BroadcastSm<'_>) {
    strings(
        fields,
        &[
            ("service_type", broadcast.service_type),
            ("message_id", broadcast.message_id),
            ("schedule_delivery_time", broadcast.schedule_delivery_time),
            ("validity_period", broadcast.validity_period),
        ],
    );
    check_address(fields, SOURCE, &broadcast.source);
    numbers(
        fields,
        &[
            ("priority_flag", broadcast.priority_flag),
            ("replace_if_present_flag", broadcast.replace_if_present_flag),
            ("data_coding", broadcast.data_coding),
            ("sm_default_msg_id", broadcast.sm_default_msg_id),
        ],
    );
}

fn check_address(fields: &Value, [ton, npi, addr]: [&str; 3], address: &Address<'_>) {
    numbers(fields, &[(ton, address.ton), (npi, address.npi)]);
    strings(fields, &[(addr, address.addr)]);
}

fn check_tlvs(vector: &Value, tlvs: Tlvs<'_>) {
    let expected = vector["tlvs"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(tlvs.iter().count(), expected.len());
    for (tlv, expected) in tlvs.iter().zip(expected) {
        assert_eq!(u32::from(tlv.tag.0), number(text(expected, "tag")));
        assert_eq!(tlv.tag.name(), expected["name"].as_str());
        assert_eq!(tlv.value, octets(text(expected, "value_hex")));
    }
}

fn strings(fields: &Value, expected: &[(&str, &[u8])]) {
    for (name, value) in expected {
        assert_eq!(*value, text(fields, name).as_bytes(), "{name}");
    }
}

fn numbers(fields: &Value, expected: &[(&str, u8)]) {
    for (name, value) in expected {
        assert_eq!(fields[name], u64::from(*value), "{name} in {fields}");
    }
}

const SOURCE: [&str; 3] = ["source_addr_ton", "source_addr_npi", "source_addr"];
const DESTINATION: [&str; 3] = ["dest_addr_ton", "dest_addr_npi", "destination_addr"];
