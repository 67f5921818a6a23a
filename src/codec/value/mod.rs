//! What the value of an optional parameter means, taken apart on demand (SMPP 5.0 §4.8.4).
//!
//! [`Tlv::typed`] gives the type of every known tag; the composite ones also stand alone, each with its `read`. All of them
//! can be shown in words.

mod broadcast;
mod lifetime;
mod network;
mod number;
mod sar;
mod words;

pub use broadcast::{BroadcastArea, BroadcastContentType, BroadcastFrequencyInterval};
pub use lifetime::{ItsSessionInfo, MsValidity};
pub use network::{NetworkErrorCode, NetworkId};
pub use number::{CallbackNum, CallbackTag, MessageWaiting, Presentation, Subaddress};
pub use sar::Sar;
pub(super) use words::{availability, state};

use super::shown::{Hex, Shown, write_code};
use super::{Status, Tag, Tlv, Tlvs, Version};
use std::fmt;

/// The value of a parameter by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// One octet out of a list of codes; its word, unless it is reserved.
    Code(u8, Option<&'static str>),
    /// An integer of up to four octets, in the unit that the parameter has.
    Number(u32),
    /// Characters, without the NUL.
    Text(&'a [u8]),
    /// Octets that only the peers understand.
    Octets(&'a [u8]),
    /// congestion_state, broadcast_area_success: in per cent; the word for its range, if there is one.
    Percent(u8, Option<&'static str>),
    /// broadcast_error_status.
    Status(Status),
    MessageWaiting(MessageWaiting),
    Presentation(Presentation),
    CallbackNum(CallbackNum<'a>),
    CallbackTag(CallbackTag<'a>),
    Subaddress(Subaddress<'a>),
    NetworkError(NetworkErrorCode),
    NetworkId(NetworkId<'a>),
    /// billing_identification: its format, of which 0x80 and above are vendors', and the data.
    Billing(u8, &'a [u8]),
    MsValidity(MsValidity),
    ItsSession(ItsSessionInfo),
    Area(BroadcastArea<'a>),
    ContentType(BroadcastContentType),
    Frequency(BroadcastFrequencyInterval),
}

impl<'a> Tlv<'a> {
    /// The value as a peer of `version` means it; `None` under tags that we don't know, and if its length or form is illegal.
    pub fn typed(self, version: Version) -> Option<Value<'a>> {
        let value = self.value;
        if self.tag.name().is_none() || !self.tag.takes_length(value.len()) {
            return None;
        }
        Some(match self.tag {
            Tag::ADDITIONAL_STATUS_INFO_TEXT
            | Tag::RECEIPTED_MESSAGE_ID
            | Tag::BROADCAST_END_TIME
            | Tag::SOURCE_NODE_ID
            | Tag::DEST_NODE_ID
            | Tag::DEST_ADDR_NP_INFORMATION => Value::Text(super::field::until_nul(value)),
            Tag::MESSAGE_PAYLOAD
            | Tag::BROADCAST_CONTENT_TYPE_INFO
            | Tag::BROADCAST_SERVICE_GROUP
            | Tag::DEST_ADDR_NP_COUNTRY => Value::Octets(value),
            Tag::QOS_TIME_TO_LIVE
            | Tag::USER_MESSAGE_REFERENCE
            | Tag::USER_RESPONSE_CODE
            | Tag::SOURCE_PORT
            | Tag::DEST_PORT
            | Tag::SAR_MSG_REF_NUM
            | Tag::SAR_TOTAL_SEGMENTS
            | Tag::SAR_SEGMENT_SEQNUM
            | Tag::NUMBER_OF_MESSAGES
            | Tag::DEST_TELEMATICS_ID
            | Tag::SOURCE_TELEMATICS_ID
            | Tag::BROADCAST_REP_NUM
            | Tag::SMS_SIGNAL => Value::Number(number(value)),
            Tag::BROADCAST_ERROR_STATUS => Value::Status(Status(number(value))),
            Tag::CONGESTION_STATE => percent(value, words::congestion)?,
            Tag::BROADCAST_AREA_SUCCESS => percent(value, words::area_success)?,
            Tag::MS_MSG_WAIT_FACILITIES => Value::MessageWaiting(MessageWaiting::read(value)?),
            Tag::CALLBACK_NUM_PRES_IND => Value::Presentation(Presentation::read(value)?),
            Tag::CALLBACK_NUM => Value::CallbackNum(CallbackNum::read(value)?),
            Tag::CALLBACK_NUM_ATAG => Value::CallbackTag(CallbackTag::read(value)?),
            Tag::SOURCE_SUBADDRESS | Tag::DEST_SUBADDRESS => Value::Subaddress(Subaddress::read(value)?),
            Tag::NETWORK_ERROR_CODE => Value::NetworkError(NetworkErrorCode::read(value)?),
            Tag::SOURCE_NETWORK_ID | Tag::DEST_NETWORK_ID => Value::NetworkId(NetworkId::read(value)?),
            Tag::BILLING_IDENTIFICATION => {
                let (format, data) = value.split_first()?;
                Value::Billing(*format, data)
            }
            Tag::MS_VALIDITY => Value::MsValidity(MsValidity::read(value, version)?),
            Tag::ITS_SESSION_INFO => Value::ItsSession(ItsSessionInfo::read(value)?),
            Tag::BROADCAST_AREA_IDENTIFIER => Value::Area(BroadcastArea::read(value)?),
            Tag::BROADCAST_CONTENT_TYPE => Value::ContentType(BroadcastContentType::read(value)?),
            Tag::BROADCAST_FREQUENCY_INTERVAL => Value::Frequency(BroadcastFrequencyInterval::read(value)?),
            // All that is left is one octet out of a list; alert_on_message_delivery may be without it.
            tag => {
                let code = value.first().copied().unwrap_or(0);
                Value::Code(code, words::word(tag, code))
            }
        })
    }
}

impl<'a> Tlvs<'a> {
    /// The value under `tag` by its type; the first one counts if it is repeated. See [`Tlv::typed`].
    pub fn typed(self, tag: Tag, version: Version) -> Option<Value<'a>> {
        self.find(tag).and_then(|value| Tlv { tag, value }.typed(version))
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code, word) => write_code(f, *code, *word),
            Self::Number(number) => number.fmt(f),
            Self::Text(octets) | Self::Octets(octets) => Shown(octets).fmt(f),
            Self::Percent(percent, None) => write!(f, "{percent} %"),
            Self::Percent(percent, Some(word)) => write!(f, "{percent} %, {word}"),
            Self::Status(status) => write!(f, "{:#010x} {status}", status.0),
            Self::MessageWaiting(value) => value.fmt(f),
            Self::Presentation(value) => value.fmt(f),
            Self::CallbackNum(value) => value.fmt(f),
            Self::CallbackTag(value) => value.fmt(f),
            Self::Subaddress(value) => value.fmt(f),
            Self::NetworkError(value) => value.fmt(f),
            Self::NetworkId(value) => value.fmt(f),
            Self::Billing(format, data) => write!(f, "format {format:#04x}, {}", Hex(data)),
            Self::MsValidity(value) => value.fmt(f),
            Self::ItsSession(value) => value.fmt(f),
            Self::Area(value) => value.fmt(f),
            Self::ContentType(value) => value.fmt(f),
            Self::Frequency(value) => value.fmt(f),
        }
    }
}

/// The integer that up to four octets write.
fn number(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet))
}

fn percent(value: &[u8], word: fn(u8) -> Option<&'static str>) -> Option<Value<'static>> {
    let percent = *value.first()?;
    Some(Value::Percent(percent, word(percent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tag: Tag, value: &[u8]) -> Option<String> {
        Tlv { tag, value }.typed(Version::V50).map(|value| value.to_string())
    }

    /// Fact sheet 7.2: each known tag has a type, and of each some legal value can be read.
    #[test]
    fn every_known_tag_has_a_type() {
        for tag in (0..=u16::MAX).map(Tag).filter(|tag| tag.name().is_some()) {
            // Digits make network ids legal; ms_validity wants a code that it knows.
            let value = [if tag == Tag::MS_VALIDITY { 1 } else { b'1' }; 300];
            let mut lengths = (0..=300).filter(|length| tag.takes_length(*length));
            let has_type =
                lengths.any(|length| Tlv { tag, value: &value[..length] }.typed(Version::V50).is_some());
            assert!(has_type, "{tag:?}");
        }
        assert_eq!(Tlv { tag: Tag(0x1501), value: b"1" }.typed(Version::V50), None);
    }

    #[test]
    fn illegal_lengths_have_no_type() {
        for (tag, length) in [
            (Tag::SOURCE_PORT, 1),
            (Tag::QOS_TIME_TO_LIVE, 5),
            (Tag::NETWORK_ERROR_CODE, 2),
            (Tag::MESSAGE_STATE, 0),
        ] {
            assert_eq!(Tlv { tag, value: &[0; 8][..length] }.typed(Version::V50), None, "{tag:?}");
        }
    }

    #[test]
    fn codes_numbers_and_texts_are_shown_with_their_words() {
        let told = |tag, value| shown(tag, value).expect("legal");

        assert_eq!(told(Tag::DEST_ADDR_SUBUNIT, &[1]), "1 MS display");
        assert_eq!(told(Tag::DEST_ADDR_SUBUNIT, &[9]), "9 (reserved)");
        assert_eq!(told(Tag::MESSAGE_STATE, &[2]), "2 DELIVERED");
        assert_eq!(told(Tag::QOS_TIME_TO_LIVE, &[0, 0, 14, 16]), "3600");
        assert_eq!(told(Tag::SOURCE_TELEMATICS_ID, &[1, 2]), "258");
        assert_eq!(told(Tag::RECEIPTED_MESSAGE_ID, b"A1\0"), "\"A1\"");
        assert_eq!(told(Tag::CONGESTION_STATE, &[90]), "90 %, optimum");
        assert_eq!(told(Tag::BROADCAST_AREA_SUCCESS, &[98]), "98 %");
        assert_eq!(told(Tag::BROADCAST_AREA_SUCCESS, &[255]), "255 %, unknown");
        assert_eq!(told(Tag::BROADCAST_ERROR_STATUS, &[0, 0, 0, 0x58]), "0x00000058 ESME_RTHROTTLED");
        assert_eq!(told(Tag::BILLING_IDENTIFICATION, &[0x80, 0xFE]), "format 0x80, fe");
        assert_eq!(told(Tag::ALERT_ON_MESSAGE_DELIVERY, &[]), "0 default");
        assert_eq!(told(Tag::DEST_ADDR_NP_INFORMATION, b"1234567890"), "\"1234567890\"");
    }
}
