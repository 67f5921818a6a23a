//! message_state: what became of a message (SMPP 5.0 §4.7.15).

use super::Version;

/// The state of a message, as the TLV and the text of a receipt and a query response say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageState {
    /// Waiting for its time; 5.0 only.
    Scheduled = 0,
    Enroute = 1,
    Delivered = 2,
    Expired = 3,
    Deleted = 4,
    Undeliverable = 5,
    /// Taken by the next hop, or read by an operator on behalf of the subscriber; not final here.
    Accepted = 6,
    /// Nobody knows; not final here.
    Unknown = 7,
    Rejected = 8,
    /// Left out on purpose; 5.0 only.
    Skipped = 9,
}

impl MessageState {
    /// The state behind the octet of a TLV or a query_sm_resp.
    pub const fn from_octet(octet: u8) -> Option<Self> {
        Some(match octet {
            0 => Self::Scheduled,
            1 => Self::Enroute,
            2 => Self::Delivered,
            3 => Self::Expired,
            4 => Self::Deleted,
            5 => Self::Undeliverable,
            6 => Self::Accepted,
            7 => Self::Unknown,
            8 => Self::Rejected,
            9 => Self::Skipped,
            10..=255 => return None,
        })
    }

    /// The octet of a TLV.
    pub const fn octet(self) -> u8 {
        self as u8
    }

    /// The seven letters after `stat:` (SMPP 3.4 appendix B; the appendix has no word for three of them).
    pub const fn receipt_word(self) -> &'static [u8; 7] {
        match self {
            Self::Scheduled => b"SCHEDUL",
            Self::Enroute => b"ENROUTE",
            Self::Delivered => b"DELIVRD",
            Self::Expired => b"EXPIRED",
            Self::Deleted => b"DELETED",
            Self::Undeliverable => b"UNDELIV",
            Self::Accepted => b"ACCEPTD",
            Self::Unknown => b"UNKNOWN",
            Self::Rejected => b"REJECTD",
            Self::Skipped => b"SKIPPED",
        }
    }

    /// The state behind the word after `stat:`, in any case and with the spellings seen in the field; `None` for other words.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        WORDS
            .iter()
            .find(|(start, _)| word.get(..start.len()).is_some_and(|have| have.eq_ignore_ascii_case(start)))
            .map(|(_, state)| *state)
    }

    /// Whether nothing may follow. ACCEPTED and UNKNOWN are not final, because carriers say them and then something else.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Delivered
            | Self::Expired
            | Self::Deleted
            | Self::Undeliverable
            | Self::Rejected
            | Self::Skipped => true,
            Self::Scheduled | Self::Enroute | Self::Accepted | Self::Unknown => false,
        }
    }

    /// The state to tell a peer of `version`: the two that are new in 5.0 have older words.
    pub const fn for_version(self, version: Version) -> Self {
        match (version, self) {
            (Version::V33 | Version::V34, Self::Scheduled) => Self::Enroute,
            (Version::V33 | Version::V34, Self::Skipped) => Self::Undeliverable,
            (_, _) => self,
        }
    }
}

/// How the words start; the rest of a word doesn't matter (DELIVRD, DELIVERED).
const WORDS: [(&[u8], MessageState); 14] = [
    (b"DELIV", MessageState::Delivered),
    (b"UNDELIV", MessageState::Undeliverable),
    (b"EXPIR", MessageState::Expired),
    (b"DELET", MessageState::Deleted),
    (b"REJECT", MessageState::Rejected),
    (b"ACCEPT", MessageState::Accepted),
    (b"UNKNOWN", MessageState::Unknown),
    (b"ENROUTE", MessageState::Enroute),
    (b"BUFF", MessageState::Enroute),
    (b"ACK", MessageState::Enroute),
    (b"FAIL", MessageState::Undeliverable),
    (b"SCHED", MessageState::Scheduled),
    (b"SKIP", MessageState::Skipped),
    (b"CANCEL", MessageState::Deleted),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octet_and_word_lead_back_to_the_state() {
        for octet in 0..=9 {
            let state = MessageState::from_octet(octet).expect("ten states");

            assert_eq!(state.octet(), octet);
            assert_eq!(state.receipt_word().len(), 7);
            assert_eq!(MessageState::from_word(state.receipt_word()), Some(state));
        }
        assert_eq!(MessageState::from_octet(10), None);
    }

    /// D9: words that the appendix doesn't have.
    #[test]
    fn words_of_the_field_are_understood() {
        let state = MessageState::from_word;

        assert_eq!(state(b"DELIVERED"), Some(MessageState::Delivered));
        assert_eq!(state(b"delivrd"), Some(MessageState::Delivered));
        assert_eq!(state(b"BUFFRED"), Some(MessageState::Enroute));
        assert_eq!(state(b"BUFFERD"), Some(MessageState::Enroute));
        assert_eq!(state(b"ACKED"), Some(MessageState::Enroute));
        assert_eq!(state(b"SCHEDULD"), Some(MessageState::Scheduled));
        assert_eq!(state(b"FAILED"), Some(MessageState::Undeliverable));
        assert_eq!(state(b"SKIPPED"), Some(MessageState::Skipped));
        assert_eq!(state(b"XYZZY"), None);
        assert_eq!(state(b""), None);
    }

    #[test]
    fn what_carriers_take_back_is_not_final() {
        assert!(!MessageState::Accepted.is_final());
        assert!(!MessageState::Unknown.is_final());
        assert!(!MessageState::Enroute.is_final());
        assert!(MessageState::Delivered.is_final());
        assert!(MessageState::Skipped.is_final());
    }

    #[test]
    fn states_of_5_0_have_older_words() {
        assert_eq!(MessageState::Scheduled.for_version(Version::V34), MessageState::Enroute);
        assert_eq!(MessageState::Skipped.for_version(Version::V33), MessageState::Undeliverable);
        assert_eq!(MessageState::Skipped.for_version(Version::V50), MessageState::Skipped);
        assert_eq!(MessageState::Delivered.for_version(Version::V34), MessageState::Delivered);
    }
}
