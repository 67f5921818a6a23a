//! The tags of optional parameters and the lengths that they may have (SMPP 5.0 §4.8.1).

/// The tag of a TLV; any 16 bits can come off the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u16);

/// Declares the known tags, their names and their legal lengths in octets in one table.
macro_rules! tags {
    ($($constant:ident = $tag:literal, $name:literal, $length:pat,)*) => {
        impl Tag {
            $(
                #[doc = concat!("`", $name, "` (", stringify!($tag), "), octets of value: ", stringify!($length), ".")]
                pub const $constant: Self = Self($tag);
            )*

            /// The name as the specification prints it; `None` for vendors' and unassigned tags.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($tag => Some($name),)*
                    // Unassigned or a vendor's.
                    _ => None,
                }
            }

            /// Whether a value of `length` octets is legal under this tag; always so for tags that we do not know.
            pub const fn takes_length(self, length: usize) -> bool {
                match (self.0, length) {
                    $(($tag, $length) => true,)*
                    $(($tag, _) => false,)*
                    // Unassigned or a vendor's: theirs to judge.
                    (_, _) => true,
                }
            }
        }
    };
}

impl Tag {
    /// Whether the hub acts on this parameter of a submission, so that a wrong length must be refused.
    pub(super) const fn is_acted_on(self) -> bool {
        matches!(
            self,
            Self::SAR_MSG_REF_NUM
                | Self::SAR_TOTAL_SEGMENTS
                | Self::SAR_SEGMENT_SEQNUM
                | Self::SOURCE_PORT
                | Self::DEST_PORT
                | Self::QOS_TIME_TO_LIVE
                | Self::USER_MESSAGE_REFERENCE
                | Self::MESSAGE_STATE
                | Self::RECEIPTED_MESSAGE_ID
        )
    }
}

tags! {
    DEST_ADDR_SUBUNIT = 0x0005, "dest_addr_subunit", 1,
    DEST_NETWORK_TYPE = 0x0006, "dest_network_type", 1,
    DEST_BEARER_TYPE = 0x0007, "dest_bearer_type", 1,
    DEST_TELEMATICS_ID = 0x0008, "dest_telematics_id", 2,
    SOURCE_ADDR_SUBUNIT = 0x000D, "source_addr_subunit", 1,
    SOURCE_NETWORK_TYPE = 0x000E, "source_network_type", 1,
    SOURCE_BEARER_TYPE = 0x000F, "source_bearer_type", 1,
    SOURCE_TELEMATICS_ID = 0x0010, "source_telematics_id", 1..=2,
    QOS_TIME_TO_LIVE = 0x0017, "qos_time_to_live", 4,
    PAYLOAD_TYPE = 0x0019, "payload_type", 1,
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D, "additional_status_info_text", 1..=256,
    RECEIPTED_MESSAGE_ID = 0x001E, "receipted_message_id", 1..=65,
    MS_MSG_WAIT_FACILITIES = 0x0030, "ms_msg_wait_facilities", 1,
    PRIVACY_INDICATOR = 0x0201, "privacy_indicator", 1,
    SOURCE_SUBADDRESS = 0x0202, "source_subaddress", 2..=23,
    DEST_SUBADDRESS = 0x0203, "dest_subaddress", 2..=23,
    USER_MESSAGE_REFERENCE = 0x0204, "user_message_reference", 2,
    USER_RESPONSE_CODE = 0x0205, "user_response_code", 1,
    SOURCE_PORT = 0x020A, "source_port", 2,
    DEST_PORT = 0x020B, "dest_port", 2,
    SAR_MSG_REF_NUM = 0x020C, "sar_msg_ref_num", 2,
    LANGUAGE_INDICATOR = 0x020D, "language_indicator", 1,
    SAR_TOTAL_SEGMENTS = 0x020E, "sar_total_segments", 1,
    SAR_SEGMENT_SEQNUM = 0x020F, "sar_segment_seqnum", 1,
    SC_INTERFACE_VERSION = 0x0210, "sc_interface_version", 1,
    CALLBACK_NUM_PRES_IND = 0x0302, "callback_num_pres_ind", 1,
    CALLBACK_NUM_ATAG = 0x0303, "callback_num_atag", 0..=65,
    NUMBER_OF_MESSAGES = 0x0304, "number_of_messages", 1,
    CALLBACK_NUM = 0x0381, "callback_num", 4..=19,
    DPF_RESULT = 0x0420, "dpf_result", 1,
    SET_DPF = 0x0421, "set_dpf", 1,
    MS_AVAILABILITY_STATUS = 0x0422, "ms_availability_status", 1,
    NETWORK_ERROR_CODE = 0x0423, "network_error_code", 3,
    MESSAGE_PAYLOAD = 0x0424, "message_payload", 0..=65_535,
    DELIVERY_FAILURE_REASON = 0x0425, "delivery_failure_reason", 1,
    MORE_MESSAGES_TO_SEND = 0x0426, "more_messages_to_send", 1,
    MESSAGE_STATE = 0x0427, "message_state", 1,
    CONGESTION_STATE = 0x0428, "congestion_state", 1,
    USSD_SERVICE_OP = 0x0501, "ussd_service_op", 1,
    BROADCAST_CHANNEL_INDICATOR = 0x0600, "broadcast_channel_indicator", 1,
    BROADCAST_CONTENT_TYPE = 0x0601, "broadcast_content_type", 3,
    BROADCAST_CONTENT_TYPE_INFO = 0x0602, "broadcast_content_type_info", 1..=255,
    BROADCAST_MESSAGE_CLASS = 0x0603, "broadcast_message_class", 1,
    BROADCAST_REP_NUM = 0x0604, "broadcast_rep_num", 1..=2,
    BROADCAST_FREQUENCY_INTERVAL = 0x0605, "broadcast_frequency_interval", 3,
    BROADCAST_AREA_IDENTIFIER = 0x0606, "broadcast_area_identifier", 1..=101,
    BROADCAST_ERROR_STATUS = 0x0607, "broadcast_error_status", 4,
    BROADCAST_AREA_SUCCESS = 0x0608, "broadcast_area_success", 1,
    BROADCAST_END_TIME = 0x0609, "broadcast_end_time", 16..=17,
    BROADCAST_SERVICE_GROUP = 0x060A, "broadcast_service_group", 1..=255,
    BILLING_IDENTIFICATION = 0x060B, "billing_identification", 1..=1024,
    SOURCE_NETWORK_ID = 0x060D, "source_network_id", 7..=65,
    DEST_NETWORK_ID = 0x060E, "dest_network_id", 7..=65,
    SOURCE_NODE_ID = 0x060F, "source_node_id", 6,
    DEST_NODE_ID = 0x0610, "dest_node_id", 6,
    DEST_ADDR_NP_RESOLUTION = 0x0611, "dest_addr_np_resolution", 1,
    DEST_ADDR_NP_INFORMATION = 0x0612, "dest_addr_np_information", 10,
    DEST_ADDR_NP_COUNTRY = 0x0613, "dest_addr_np_country", 1..=5,
    DISPLAY_TIME = 0x1201, "display_time", 1,
    SMS_SIGNAL = 0x1203, "sms_signal", 2,
    MS_VALIDITY = 0x1204, "ms_validity", 1 | 4,
    ALERT_ON_MESSAGE_DELIVERY = 0x130C, "alert_on_message_delivery", 0..=1,
    ITS_REPLY_TYPE = 0x1380, "its_reply_type", 1,
    ITS_SESSION_INFO = 0x1383, "its_session_info", 2,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_tags_have_names_and_lengths() {
        assert_eq!(Tag::MESSAGE_PAYLOAD.name(), Some("message_payload"));
        assert!(Tag::MESSAGE_PAYLOAD.takes_length(0));
        assert!(Tag::MESSAGE_PAYLOAD.takes_length(65_535));
        assert!(Tag::SOURCE_PORT.takes_length(2));
        assert!(!Tag::SOURCE_PORT.takes_length(1));
        assert!(Tag::MS_VALIDITY.takes_length(4));
        assert!(!Tag::MS_VALIDITY.takes_length(3));
    }

    /// Fact sheet 17: where sources disagree about a length, each of theirs is read.
    #[test]
    fn disputed_lengths_are_all_taken() {
        let lengths = |tag: Tag| (0..80).filter(|length| tag.takes_length(*length)).collect::<Vec<_>>();

        assert_eq!(lengths(Tag::BROADCAST_REP_NUM), [1, 2]);
        assert_eq!(lengths(Tag::BROADCAST_END_TIME), [16, 17]);
        assert_eq!(lengths(Tag::SOURCE_TELEMATICS_ID), [1, 2]);
        assert_eq!(lengths(Tag::DEST_ADDR_NP_COUNTRY), [1, 2, 3, 4, 5]);
        assert_eq!(lengths(Tag::MS_VALIDITY), [1, 4]);
        assert_eq!(lengths(Tag::ALERT_ON_MESSAGE_DELIVERY), [0, 1]);
        assert_eq!(lengths(Tag::CALLBACK_NUM_ATAG), (0..=65).collect::<Vec<_>>());
    }

    #[test]
    fn vendor_tags_take_any_length() {
        assert_eq!(Tag(0x1501).name(), None);
        assert!(Tag(0x1501).takes_length(0));
        assert!(Tag(0x1501).takes_length(9_999));
    }
}
