//! command_id: which operation a PDU is (SMPP 5.0 §4.7.5).

use std::fmt;

/// A command_id as it stands in the header; any 32 bits can come off the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Command(pub u32);

/// Declares the known requests, their names and the names of their responses in one table.
macro_rules! commands {
    ($($constant:ident = $id:literal, $name:literal, $response:literal;)*) => {
        impl Command {
            $(
                #[doc = concat!("`", $name, "`: ", stringify!($id), ".")]
                pub const $constant: Self = Self($id);
            )*

            /// Whether this is a request or a response of the table in SMPP 5.0 §4.7.5 (3.3's three obsolete ones are not).
            pub fn is_known(self) -> bool {
                self != Self::UNUSED && matches!(self.request().0, 0 $(| $id)*) && self.has_form()
            }

            /// The name as the specification prints it, `"submit_sm"` or `"submit_sm_resp"`; `"unknown"` for the rest.
            pub fn name(self) -> &'static str {
                if !self.is_known() {
                    return "unknown";
                }
                match (self.request().0, self.is_response()) {
                    $(
                        ($id, false) => $name,
                        ($id, true) => $response,
                    )*
                    // What is known and not in the table is the one response without a request.
                    _ => "generic_nack",
                }
            }
        }
    };
}

commands! {
    BIND_RECEIVER = 0x0000_0001, "bind_receiver", "bind_receiver_resp";
    BIND_TRANSMITTER = 0x0000_0002, "bind_transmitter", "bind_transmitter_resp";
    QUERY_SM = 0x0000_0003, "query_sm", "query_sm_resp";
    SUBMIT_SM = 0x0000_0004, "submit_sm", "submit_sm_resp";
    DELIVER_SM = 0x0000_0005, "deliver_sm", "deliver_sm_resp";
    UNBIND = 0x0000_0006, "unbind", "unbind_resp";
    REPLACE_SM = 0x0000_0007, "replace_sm", "replace_sm_resp";
    CANCEL_SM = 0x0000_0008, "cancel_sm", "cancel_sm_resp";
    BIND_TRANSCEIVER = 0x0000_0009, "bind_transceiver", "bind_transceiver_resp";
    OUTBIND = 0x0000_000B, "outbind", "unknown";
    ENQUIRE_LINK = 0x0000_0015, "enquire_link", "enquire_link_resp";
    SUBMIT_MULTI = 0x0000_0021, "submit_multi", "submit_multi_resp";
    ALERT_NOTIFICATION = 0x0000_0102, "alert_notification", "unknown";
    DATA_SM = 0x0000_0103, "data_sm", "data_sm_resp";
    BROADCAST_SM = 0x0000_0111, "broadcast_sm", "broadcast_sm_resp";
    QUERY_BROADCAST_SM = 0x0000_0112, "query_broadcast_sm", "query_broadcast_sm_resp";
    CANCEL_BROADCAST_SM = 0x0000_0113, "cancel_broadcast_sm", "cancel_broadcast_sm_resp";
}

impl Command {
    /// `generic_nack`: the answer when no response PDU can be chosen; it has no request.
    pub const GENERIC_NACK: Self = Self(RESPONSE_BIT);

    const UNUSED: Self = Self(0);

    /// The response to this request: the same id with bit 31 set.
    pub const fn response(self) -> Self {
        Self(self.0 | RESPONSE_BIT)
    }

    /// The request that this response answers: the same id with bit 31 clear.
    pub const fn request(self) -> Self {
        Self(self.0 & !RESPONSE_BIT)
    }

    /// Whether bit 31 is set. `generic_nack` is a response.
    pub const fn is_response(self) -> bool {
        self.0 & RESPONSE_BIT != 0
    }

    /// Whether this request is ever answered: all but outbind and alert_notification are (SMPP 5.0 §2.3).
    pub fn has_response(self) -> bool {
        !matches!(self, Self::OUTBIND | Self::ALERT_NOTIFICATION)
    }

    fn has_form(self) -> bool {
        !self.is_response() || self.request().has_response()
    }
}

impl fmt::Display for Command {
    /// The name, or the number in hex for what has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "unknown" => write!(f, "{:#010x}", self.0),
            name => f.write_str(name),
        }
    }
}

const RESPONSE_BIT: u32 = 0x8000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_has_bit_31_and_leads_back() {
        assert_eq!(Command::SUBMIT_SM.response(), Command(0x8000_0004));
        assert_eq!(Command::SUBMIT_SM.response().request(), Command::SUBMIT_SM);
        assert!(Command::GENERIC_NACK.is_response());
        assert!(!Command::SUBMIT_SM.is_response());
    }

    #[test]
    fn names_are_those_of_the_specification() {
        assert_eq!(Command::SUBMIT_SM.name(), "submit_sm");
        assert_eq!(Command::SUBMIT_SM.response().name(), "submit_sm_resp");
        assert_eq!(Command::GENERIC_NACK.name(), "generic_nack");
        assert_eq!(Command(0x0100_0001).name(), "unknown");
        assert_eq!(Command(0x0100_0001).to_string(), "0x01000001");
    }

    #[test]
    fn what_does_not_exist_is_unknown() {
        assert!(Command::GENERIC_NACK.is_known());
        assert!(!Command(0).is_known());
        assert!(!Command::OUTBIND.response().is_known());
        assert!(!Command::ALERT_NOTIFICATION.response().is_known());
        // param_retrieve of 3.3.
        assert!(!Command(0x22).is_known());
    }
}
