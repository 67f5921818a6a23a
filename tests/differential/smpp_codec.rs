//! The reading of smpp-codec. A further PDU is one arm.

use crate::fields::Fields;
use enroute::codec::{Command, Frame};
use smpp_codec::common::{Npi, PduError, Ton};
use smpp_codec::pdus::*;
use smpp_codec::tlv::Tlv;

/// Names a PDU's fields, those that smpp-codec calls otherwise with their name in the specification.
macro_rules! fields {
    ($type:ident, $octets:expr; $($name:ident)* $(, $spec:literal $theirs:ident)*) => {{
        let _pdu = $type::decode($octets)?;
        Fields::default()
            $(.and(stringify!($name), _pdu.$name.octets()))*
            $(.and($spec, _pdu.$theirs.octets()))*
    }};
}

/// The fields of a PDU, or smpp-codec's reason to refuse it.
pub fn read(frame: &Frame<'_>, pdu: &[u8]) -> Result<Fields, String> {
    let command = frame.header.command;
    let read = if command.is_response() { response(command.request(), pdu) } else { request(command, pdu) };
    match read {
        // Where there is no body the fields are made up, empty ones.
        Ok(_) if frame.body.is_empty() && command.is_response() => Ok(Fields::default()),
        Ok(fields) => Ok(fields),
        Err(error) => Err(format!("{error:?}")),
    }
}

fn request(command: Command, pdu: &[u8]) -> Result<Fields, PduError> {
    Ok(match command {
        Command::BIND_RECEIVER | Command::BIND_TRANSMITTER | Command::BIND_TRANSCEIVER => {
            fields!(BindRequest, pdu; system_id password system_type interface_version addr_ton addr_npi address_range)
        }
        Command::OUTBIND => fields!(OutbindRequest, pdu; system_id password),
        Command::ALERT_NOTIFICATION => fields!(AlertNotification, pdu;
            source_addr_ton source_addr_npi source_addr esme_addr_ton esme_addr_npi esme_addr,
            "tlvs" optional_params),
        Command::SUBMIT_SM => fields!(SubmitSmRequest, pdu;
            service_type source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi esm_class
            protocol_id priority_flag schedule_delivery_time validity_period registered_delivery
            replace_if_present_flag data_coding sm_default_msg_id short_message,
            "destination_addr" dest_addr, "tlvs" optional_params),
        Command::DELIVER_SM => fields!(DeliverSmRequest, pdu;
            service_type source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi esm_class
            protocol_id priority_flag schedule_delivery_time validity_period registered_delivery
            replace_if_present_flag data_coding sm_default_msg_id short_message,
            "destination_addr" dest_addr, "tlvs" optional_params),
        Command::SUBMIT_MULTI => fields!(SubmitMulti, pdu;
            service_type source_addr_ton source_addr_npi source_addr esm_class protocol_id priority_flag
            schedule_delivery_time validity_period registered_delivery replace_if_present_flag data_coding
            sm_default_msg_id short_message,
            "dest_address" destinations, "tlvs" optional_params),
        Command::DATA_SM => fields!(DataSm, pdu;
            service_type source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi esm_class
            registered_delivery data_coding,
            "destination_addr" dest_addr, "tlvs" optional_params),
        Command::QUERY_SM => {
            fields!(QuerySmRequest, pdu; message_id source_addr_ton source_addr_npi source_addr)
        }
        Command::CANCEL_SM => fields!(CancelSmRequest, pdu;
            service_type message_id source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi,
            "destination_addr" dest_addr),
        Command::REPLACE_SM => fields!(ReplaceSm, pdu;
            message_id source_addr_ton source_addr_npi source_addr schedule_delivery_time validity_period
            registered_delivery sm_default_msg_id short_message),
        Command::BROADCAST_SM => fields!(BroadcastSm, pdu;
            service_type source_addr_ton source_addr_npi source_addr message_id priority_flag
            schedule_delivery_time validity_period replace_if_present_flag data_coding sm_default_msg_id,
            "tlvs" optional_params),
        Command::QUERY_BROADCAST_SM => fields!(QueryBroadcastSm, pdu;
            message_id source_addr_ton source_addr_npi source_addr, "tlvs" optional_params),
        Command::CANCEL_BROADCAST_SM => fields!(CancelBroadcastSm, pdu;
            service_type message_id source_addr_ton source_addr_npi source_addr, "tlvs" optional_params),
        Command::UNBIND => fields!(UnbindRequest, pdu;),
        Command::ENQUIRE_LINK => fields!(EnquireLinkRequest, pdu;),
        command => panic!("{command} is in none of our lists"),
    })
}

fn response(request: Command, pdu: &[u8]) -> Result<Fields, PduError> {
    Ok(match request {
        Command::BIND_RECEIVER | Command::BIND_TRANSMITTER | Command::BIND_TRANSCEIVER => {
            fields!(BindResponse, pdu; system_id, "tlvs" optional_params)
        }
        Command::SUBMIT_SM => fields!(SubmitSmResponse, pdu; message_id),
        Command::DELIVER_SM => fields!(DeliverSmResponse, pdu; message_id),
        Command::DATA_SM => fields!(DataSmResp, pdu; message_id, "tlvs" optional_params),
        Command::SUBMIT_MULTI => fields!(SubmitMultiResp, pdu; message_id, "unsuccess_sme" unsuccess_smes),
        Command::QUERY_SM => fields!(QuerySmResponse, pdu; message_id final_date message_state error_code),
        Command::CANCEL_SM => fields!(CancelSmResponse, pdu;),
        Command::REPLACE_SM => fields!(ReplaceSmResp, pdu;),
        Command::BROADCAST_SM => fields!(BroadcastSmResp, pdu; message_id, "tlvs" optional_params),
        Command::QUERY_BROADCAST_SM => {
            fields!(QueryBroadcastSmResp, pdu; message_id, "tlvs" optional_params)
        }
        Command::CANCEL_BROADCAST_SM => fields!(CancelBroadcastSmResp, pdu;),
        Command::UNBIND => fields!(UnbindResponse, pdu;),
        Command::ENQUIRE_LINK => fields!(EnquireLinkResponse, pdu;),
        _ => fields!(GenericNack, pdu;),
    })
}

/// The octets of a field: strings without their NUL, lists as they stand on the wire.
trait Octets {
    fn octets(&self) -> Vec<u8>;
}

impl Octets for String {
    fn octets(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

impl Octets for u8 {
    fn octets(&self) -> Vec<u8> {
        vec![*self]
    }
}

impl Octets for Ton {
    fn octets(&self) -> Vec<u8> {
        vec![*self as u8]
    }
}

impl Octets for Npi {
    fn octets(&self) -> Vec<u8> {
        vec![*self as u8]
    }
}

impl Octets for Vec<u8> {
    fn octets(&self) -> Vec<u8> {
        self.clone()
    }
}

impl Octets for Vec<Tlv> {
    fn octets(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for tlv in self {
            tlv.encode(&mut out).expect("a Vec takes what it is given");
        }
        out
    }
}

impl Octets for Vec<Destination> {
    fn octets(&self) -> Vec<u8> {
        let one = |destination: &Destination| match destination {
            Destination::SmeAddress { ton, npi, address } => {
                [&[1, *ton as u8, *npi as u8], address.as_bytes(), &[0]].concat()
            }
            Destination::DistributionList(name) => [&[2], name.as_bytes(), &[0]].concat(),
        };
        self.iter().flat_map(one).collect()
    }
}

impl Octets for Vec<UnsuccessfulDelivery> {
    fn octets(&self) -> Vec<u8> {
        let one = |refused: &UnsuccessfulDelivery| {
            let address =
                [&[refused.ton as u8, refused.npi as u8], refused.address.as_bytes(), &[0]].concat();
            [&address[..], &refused.error_status.to_be_bytes()].concat()
        };
        self.iter().flat_map(one).collect()
    }
}
