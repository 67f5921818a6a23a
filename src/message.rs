//! What a message is while the hub is responsible for it: where it stands, and how it ended.
//!
//! ```text
//!  Accepting ─durable─► Scheduled ─due─► Queued ─room─► Dispatched ─ROK─► Awaiting ─receipt─► Settled ─► gone
//!                           ▲               ▲               │                                    ▲
//!                           │               └── link lost ──┤                                    │
//!                           └──────── retry later ──────────┴── refused, expired ────────────────┘
//! ```
//!
//! Settled is where a message's outcome is known and its account has yet to hear of it:
//!
//! ```text
//!  Settled ─durable─► Waiting ─port with room─► Delivering ─taken─► gone
//!                        ▲                          │
//!                        └──── refused for now ─────┘
//! ```
//!
//! A message from a handset goes from Accepting to Waiting at once (to Gathering and Joined if it is a part that its account wants joined).

use crate::codec::{MessageState, Status, Version};

/// Where a message stands on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nobody's: the slot is free.
    Free,
    /// Written, not yet durable; the customer has no answer.
    Accepting,
    /// Waits for its due time or for the next attempt.
    Scheduled,
    /// Waits for a link with room.
    Queued,
    /// Waits for the other parts of its text, to be joined with them.
    Gathering,
    /// Its text goes on in several messages; it ends when they have ended.
    Divided,
    /// Its text goes on in another message together with others; it ends when that one ends.
    Joined,
    /// With the carrier, which has not answered.
    Dispatched,
    /// Taken by the carrier; its receipt is awaited.
    Awaiting,
    /// Its outcome is written, not yet durable.
    Settled,
    /// The account's receipt, or the message from a handset, waits for a port with room.
    Waiting,
    /// The account's receipt, or the message from a handset, is with a port, which has not answered.
    Delivering,
}

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub state: MessageState,
    /// What the account is told as network_error_code (SMPP 5.0 §4.8.4.42).
    pub error: [u8; 3],
}

impl Outcome {
    /// Nowhere to go (fact sheet 8.4): MC specific, with the status that a submission would get.
    pub const NO_ROUTE: Self =
        Self { state: MessageState::Rejected, error: [MC_SPECIFIC, 0, Status::RINVDSTADR.0 as u8] };

    /// What is known of a transaction that nobody told the end of in time.
    pub const TOO_LATE: Self = Self::plain(MessageState::Unknown);

    /// delivery_failure_reason: what kind of failure it is (SMPP 5.0 §4.8.4.19).
    pub const fn failure_reason(&self) -> u8 {
        match self.state {
            MessageState::Rejected => DESTINATION_INVALID,
            MessageState::Undeliverable | MessageState::Deleted | MessageState::Skipped => NETWORK_PERMANENT,
            MessageState::Delivered
            | MessageState::Accepted
            | MessageState::Scheduled
            | MessageState::Enroute
            | MessageState::Expired
            | MessageState::Unknown => NETWORK_TEMPORARY,
        }
    }

    /// A final state of our own making.
    pub const fn plain(state: MessageState) -> Self {
        Self { state, error: [0; 3] }
    }

    /// Refused for good by the carrier with `status` (fact sheet 8.4).
    pub const fn refused(status: Status) -> Self {
        let [_, _, high, low] = status.0.to_be_bytes();
        Self { state: MessageState::Rejected, error: [SMPP_ERROR, high, low] }
    }
}

/// registered_delivery as a peer of `version` means it (SMPP 3.4 §5.2.17, 5.0 §4.7.21).
///
/// 11 is "success only" in 5.0 and reserved before; there it is read as "any outcome", since a receipt too many hurts
/// less than one that never comes (fact sheet 5.2).
pub const fn receipt_wish(registered_delivery: u8, version: Version) -> u8 {
    match (registered_delivery & OUTCOME_MASK, version) {
        (ON_SUCCESS, Version::V33 | Version::V34) => registered_delivery & !OUTCOME_MASK | ALWAYS,
        _ => registered_delivery, // meant as it stands in every version
    }
}

/// Whether a message with this [`receipt_wish`] is owed a receipt that says `state`.
pub const fn wants_receipt(wish: u8, state: MessageState) -> bool {
    let succeeded = matches!(state, MessageState::Delivered | MessageState::Accepted);
    match wish & OUTCOME_MASK {
        NEVER => false,
        ON_FAILURE => !succeeded,
        ON_SUCCESS => succeeded,
        _ => true, // always
    }
}

/// Whether a message with this [`receipt_wish`] is owed intermediate notifications.
pub const fn wants_notices(wish: u8) -> bool {
    wish & INTERMEDIATE != 0
}

/// registered_delivery bits 1-0: which outcomes are reported (SMPP 5.0 §4.7.21).
const OUTCOME_MASK: u8 = 0b11;
const NEVER: u8 = 0b00;
const ALWAYS: u8 = 0b01;
const ON_FAILURE: u8 = 0b10;
const ON_SUCCESS: u8 = 0b11;
/// registered_delivery bit 4: intermediate notifications.
const INTERMEDIATE: u8 = 0x10;

const DESTINATION_INVALID: u8 = 1;
const NETWORK_PERMANENT: u8 = 2;
const NETWORK_TEMPORARY: u8 = 3;
/// network_error_code, octet 1: an SMPP error (SMPP 5.0 §4.8.4.42).
const SMPP_ERROR: u8 = 7;
/// network_error_code, octet 1: MC specific.
const MC_SPECIFIC: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipt_on_failure_only_says_nothing_of_success() {
        assert!(!wants_receipt(0b00, MessageState::Expired));
        assert!(wants_receipt(0b01, MessageState::Delivered));
        assert!(!wants_receipt(0b10, MessageState::Delivered));
        assert!(wants_receipt(0b10, MessageState::Expired));
        assert!(wants_receipt(0x11, MessageState::Delivered));
    }

    /// Fact sheet 5.2: 11 is a word of 5.0.
    #[test]
    fn receipt_on_success_only_is_meant_by_5_0_alone() {
        let wish = receipt_wish(0b11, Version::V50);
        assert!(wants_receipt(wish, MessageState::Delivered));
        assert!(!wants_receipt(wish, MessageState::Undeliverable));

        for version in [Version::V33, Version::V34] {
            let wish = receipt_wish(0x13, version);
            assert!(wants_receipt(wish, MessageState::Undeliverable));
            assert!(wants_notices(wish));
        }
    }

    #[test]
    fn refusal_keeps_the_carriers_status() {
        let outcome = Outcome::refused(Status(0x0000_0412));

        assert_eq!((outcome.state, outcome.error), (MessageState::Rejected, [7, 0x04, 0x12]));
    }
}
