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

use crate::codec::{MessageState, Status};

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
    /// With the carrier, which has not answered.
    Dispatched,
    /// Taken by the carrier; its receipt is awaited.
    Awaiting,
    /// Its outcome is written, not yet durable.
    Settled,
    /// The account's receipt waits for a port with room.
    Waiting,
    /// The account's receipt is with a port, which has not answered.
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

/// Which receipts a customer asked for: bits 1-0 of registered_delivery (SMPP 3.4 §5.2.17).
///
/// 11 is "success only" in 5.0 and reserved before; it is read as "any outcome", since a receipt too many hurts
/// less than one that never comes (fact sheet 5.2).
pub const fn wants_receipt(registered_delivery: u8, state: MessageState) -> bool {
    match registered_delivery & 0b11 {
        0b00 => false,
        0b10 => !matches!(state, MessageState::Delivered | MessageState::Accepted),
        _ => true, // 01 and 11
    }
}

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

    #[test]
    fn refusal_keeps_the_carriers_status() {
        let outcome = Outcome::refused(Status(0x0000_0412));

        assert_eq!((outcome.state, outcome.error), (MessageState::Rejected, [7, 0x04, 0x12]));
    }
}
