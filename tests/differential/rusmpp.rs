//! The reading of rusmpp-core, owned. A further PDU is one arm.

use crate::fields::Fields;
use bytes::BytesMut;
use enroute::codec::Frame;
use rusmpp_core::command::owned::Command;
use rusmpp_core::decode::owned::DecodeWithLength;
use rusmpp_core::encode::owned::Encode;
use rusmpp_core::pdus::owned::Pdu;

/// Names a PDU's public fields, those with a getter and its lists, and gives their octets as rusmpp writes them.
macro_rules! fields {
    ($pdu:ident; $($field:ident)*; $($getter:ident)*; $($list:ident)*) => {
        Fields::default()
            $(.and(stringify!($field), written(stringify!($field), &$pdu.$field)))*
            $(.and(stringify!($getter), written(stringify!($getter), $pdu.$getter())))*
            $(.and(stringify!($list), raw(&$pdu.$list())))*
    };
}

/// The fields of a PDU, or rusmpp's reason to refuse it.
pub fn read(frame: &Frame<'_>, pdu: &[u8]) -> Result<Fields, String> {
    // Its framing takes the length off before it decodes, as the codec of its own does.
    let mut octets = BytesMut::from(&pdu[4..]);
    let (command, size) =
        Command::decode(&mut octets, pdu.len() - 4).map_err(|error| format!("{:?}", error.kind()))?;
    assert_eq!(u32::from(command.id()), frame.header.command.0);
    assert_eq!(command.sequence_number(), frame.header.sequence);
    assert_eq!(u32::from(command.status()), frame.header.status.0);
    let fields = command.pdu().map(of_pdu).unwrap_or_default();
    Ok(if size < pdu.len() - 4 { fields.and("left over", &pdu[4 + size..]) } else { fields })
}

fn of_pdu(pdu: &Pdu) -> Fields {
    match pdu {
        Pdu::BindTransmitter(pdu) => {
            fields!(pdu; system_id password system_type interface_version addr_ton addr_npi address_range;;)
        }
        Pdu::BindReceiver(pdu) => {
            fields!(pdu; system_id password system_type interface_version addr_ton addr_npi address_range;;)
        }
        Pdu::BindTransceiver(pdu) => {
            fields!(pdu; system_id password system_type interface_version addr_ton addr_npi address_range;;)
        }
        Pdu::BindTransmitterResp(pdu) => {
            fields!(pdu; system_id;;).and("tlvs", pdu.sc_interface_version_tlv().map(raw).unwrap_or_default())
        }
        Pdu::BindReceiverResp(pdu) => {
            fields!(pdu; system_id;;).and("tlvs", pdu.sc_interface_version_tlv().map(raw).unwrap_or_default())
        }
        Pdu::BindTransceiverResp(pdu) => {
            fields!(pdu; system_id;;).and("tlvs", pdu.sc_interface_version_tlv().map(raw).unwrap_or_default())
        }
        Pdu::Outbind(pdu) => fields!(pdu; system_id password;;),
        Pdu::AlertNotification(pdu) => {
            fields!(pdu; source_addr_ton source_addr_npi source_addr esme_addr_ton esme_addr_npi esme_addr;;)
                .and("tlvs", pdu.ms_availability_status_tlv().map(raw).unwrap_or_default())
        }
        Pdu::SubmitSm(pdu) => fields!(pdu;
            service_type source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi destination_addr
            esm_class protocol_id priority_flag schedule_delivery_time validity_period registered_delivery
            replace_if_present_flag data_coding sm_default_msg_id; short_message; tlvs),
        Pdu::DeliverSm(pdu) => fields!(pdu;
            service_type source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi destination_addr
            esm_class protocol_id priority_flag schedule_delivery_time validity_period registered_delivery
            replace_if_present_flag data_coding sm_default_msg_id; short_message; tlvs),
        Pdu::SubmitMulti(pdu) => fields!(pdu;
            service_type source_addr_ton source_addr_npi source_addr esm_class protocol_id priority_flag
            schedule_delivery_time validity_period registered_delivery replace_if_present_flag data_coding
            sm_default_msg_id; short_message; dest_address tlvs),
        Pdu::DataSm(pdu) => fields!(pdu;
            service_type source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi destination_addr
            esm_class registered_delivery data_coding;; tlvs),
        Pdu::QuerySm(pdu) => fields!(pdu; message_id source_addr_ton source_addr_npi source_addr;;),
        Pdu::CancelSm(pdu) => fields!(pdu;
            service_type message_id source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi
            destination_addr;;),
        Pdu::ReplaceSm(pdu) => fields!(pdu;
            message_id source_addr_ton source_addr_npi source_addr schedule_delivery_time validity_period
            registered_delivery sm_default_msg_id; short_message;)
        .and("tlvs", pdu.message_payload_tlv().map(raw).unwrap_or_default()),
        Pdu::BroadcastSm(pdu) => fields!(pdu;
            service_type source_addr_ton source_addr_npi source_addr message_id priority_flag schedule_delivery_time
            validity_period replace_if_present_flag data_coding sm_default_msg_id;; tlvs),
        Pdu::QueryBroadcastSm(pdu) => fields!(pdu; message_id source_addr_ton source_addr_npi source_addr;;)
            .and("tlvs", pdu.user_message_reference_tlv().map(raw).unwrap_or_default()),
        Pdu::CancelBroadcastSm(pdu) => {
            fields!(pdu; service_type message_id source_addr_ton source_addr_npi source_addr;; tlvs)
        }
        Pdu::SubmitSmResp(pdu) => fields!(pdu;; message_id; tlvs),
        Pdu::DeliverSmResp(pdu) => fields!(pdu;; message_id; tlvs),
        Pdu::DataSmResp(pdu) => fields!(pdu;; message_id; tlvs),
        Pdu::SubmitMultiResp(pdu) => fields!(pdu; message_id;; unsuccess_sme tlvs),
        Pdu::QuerySmResp(pdu) => fields!(pdu; message_id final_date message_state error_code;;),
        Pdu::BroadcastSmResp(pdu) => fields!(pdu; message_id;; tlvs),
        Pdu::QueryBroadcastSmResp(pdu) => fields!(pdu; message_id;; tlvs),
        Pdu::Unbind
        | Pdu::UnbindResp
        | Pdu::EnquireLink
        | Pdu::EnquireLinkResp
        | Pdu::GenericNack
        | Pdu::CancelSmResp
        | Pdu::ReplaceSmResp
        | Pdu::CancelBroadcastSmResp => Fields::default(),
        Pdu::Other { command_id, .. } => panic!("{command_id:?} is in none of our lists"),
    }
}

/// The octets of a field as it is written; a C-octet string without its NUL.
fn written(name: &str, field: &impl Encode) -> Vec<u8> {
    let mut octets = raw(field);
    if STRINGS.contains(&name) {
        assert_eq!(octets.pop(), Some(0), "{name} is a C-octet string");
    }
    octets
}

fn raw(field: &impl Encode) -> Vec<u8> {
    let mut out = BytesMut::with_capacity(1 << 17);
    field.encode(&mut out);
    out.to_vec()
}

const STRINGS: [&str; 12] = [
    "system_id",
    "password",
    "system_type",
    "address_range",
    "service_type",
    "source_addr",
    "destination_addr",
    "esme_addr",
    "schedule_delivery_time",
    "validity_period",
    "message_id",
    "final_date",
];
