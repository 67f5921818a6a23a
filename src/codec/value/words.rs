//! The words for coded values (SMPP 5.0 §4.8.4).

use crate::codec::{Availability, MessageState, Tag};

/// The word for the octet `code` under `tag`; `None` if it is reserved, or isn't out of a list.
pub(super) fn word(tag: Tag, code: u8) -> Option<&'static str> {
    if let Some((_, words)) = LISTS.iter().find(|(tags, _)| tags.contains(&tag)) {
        return words.get(usize::from(code)).copied();
    }
    match tag {
        Tag::MESSAGE_STATE => MessageState::from_octet(code).map(state),
        Tag::SC_INTERFACE_VERSION => version(code),
        Tag::USSD_SERVICE_OP => ussd(code),
        _ => None, // Not out of a list.
    }
}

/// The specification's name of a state.
pub(in crate::codec) const fn state(state: MessageState) -> &'static str {
    match state {
        MessageState::Scheduled => "SCHEDULED",
        MessageState::Enroute => "ENROUTE",
        MessageState::Delivered => "DELIVERED",
        MessageState::Expired => "EXPIRED",
        MessageState::Deleted => "DELETED",
        MessageState::Undeliverable => "UNDELIVERABLE",
        MessageState::Accepted => "ACCEPTED",
        MessageState::Unknown => "UNKNOWN",
        MessageState::Rejected => "REJECTED",
        MessageState::Skipped => "SKIPPED",
    }
}

/// The word for a handset's availability.
pub(in crate::codec) const fn availability(availability: Availability) -> &'static str {
    match availability {
        Availability::Available => "available",
        Availability::Denied => "denied",
        Availability::Unavailable => "unavailable",
    }
}

/// The word for congestion_state; 90 is "optimum" here (fact sheet 17).
pub(super) const fn congestion(percent: u8) -> Option<&'static str> {
    Some(match percent {
        0 => "idle",
        1..=29 => "low load",
        30..=49 => "medium load",
        50..=79 => "high load",
        80..=90 => "optimum",
        91..=99 => "nearing congestion",
        100 => "congested",
        101..=255 => return None,
    })
}

/// The word for the one broadcast_area_success that is no percentage.
pub(super) const fn area_success(percent: u8) -> Option<&'static str> {
    match percent {
        255 => Some("unknown"),
        0..=254 => None,
    }
}

const fn version(octet: u8) -> Option<&'static str> {
    match octet {
        0x33 => Some("SMPP 3.3"),
        0x34 => Some("SMPP 3.4"),
        0x50 => Some("SMPP 5.0"),
        _ => None, // Reserved.
    }
}

const fn ussd(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "PSSD indication",
        1 => "PSSR indication",
        2 => "USSR request",
        3 => "USSN request",
        16 => "PSSD response",
        17 => "PSSR response",
        18 => "USSR confirm",
        19 => "USSN confirm",
        32..=255 => "vendor's",
        4..=15 | 20..=31 => return None,
    })
}

/// The lists that start with 0 and have no gaps, and the tags that they belong to.
const LISTS: [(&[Tag], &[&str]); 17] = [
    (
        &[Tag::DEST_ADDR_SUBUNIT, Tag::SOURCE_ADDR_SUBUNIT],
        &["unknown", "MS display", "mobile equipment", "smart card 1", "external unit 1"],
    ),
    (
        &[Tag::DEST_NETWORK_TYPE, Tag::SOURCE_NETWORK_TYPE],
        &["unknown", "GSM", "ANSI-136/TDMA", "IS-95/CDMA", "PDC", "PHS", "iDEN", "AMPS", "paging network"],
    ),
    (
        &[Tag::DEST_BEARER_TYPE, Tag::SOURCE_BEARER_TYPE],
        &["unknown", "SMS", "CSD", "packet data", "USSD", "CDPD", "DataTAC", "FLEX/ReFLEX", "cell broadcast"],
    ),
    (&[Tag::PAYLOAD_TYPE], &["default", "WCMP"]),
    (&[Tag::PRIVACY_INDICATOR], &["not restricted", "restricted", "confidential", "secret"]),
    (&[Tag::LANGUAGE_INDICATOR], &["unspecified", "English", "French", "Spanish", "German", "Portuguese"]),
    (&[Tag::DPF_RESULT], &["not set", "set"]),
    (&[Tag::SET_DPF], &["not wanted", "wanted"]),
    (&[Tag::MS_AVAILABILITY_STATUS], &["available", "denied", "unavailable"]),
    (
        &[Tag::DELIVERY_FAILURE_REASON],
        &[
            "destination unavailable",
            "destination invalid",
            "permanent network error",
            "temporary network error",
        ],
    ),
    (&[Tag::MORE_MESSAGES_TO_SEND], &["no more", "more"]),
    (&[Tag::BROADCAST_CHANNEL_INDICATOR], &["basic channel", "extended channel"]),
    (&[Tag::BROADCAST_MESSAGE_CLASS], &["no class", "class 1", "class 2", "class 3"]),
    (&[Tag::DEST_ADDR_NP_RESOLUTION], &["not queried", "queried, not ported", "queried, ported"]),
    (&[Tag::DISPLAY_TIME], &["temporary", "default", "invoke"]),
    (&[Tag::ALERT_ON_MESSAGE_DELIVERY], &["default", "low priority", "medium priority", "high priority"]),
    (
        &[Tag::ITS_REPLY_TYPE],
        &[
            "digit",
            "number",
            "telephone number",
            "password",
            "character line",
            "menu",
            "date",
            "time",
            "continue",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_codes_have_no_word() {
        assert_eq!(word(Tag::ITS_REPLY_TYPE, 8), Some("continue"));
        assert_eq!(word(Tag::ITS_REPLY_TYPE, 9), None);
        assert_eq!(word(Tag::USSD_SERVICE_OP, 19), Some("USSN confirm"));
        assert_eq!(word(Tag::USSD_SERVICE_OP, 20), None);
        assert_eq!(word(Tag::SC_INTERFACE_VERSION, 0x34), Some("SMPP 3.4"));
        assert_eq!(word(Tag::SC_INTERFACE_VERSION, 0x22), None);
        assert_eq!(word(Tag::SOURCE_PORT, 0), None);
        assert_eq!(word(Tag::MESSAGE_STATE, 10), None);
    }

    #[test]
    fn congestion_has_a_word_for_each_hundredth() {
        assert!((0..=100).all(|percent| congestion(percent).is_some()));
        assert_eq!((congestion(79), congestion(90)), (Some("high load"), Some("optimum")));
        assert_eq!(congestion(101), None);
    }
}
