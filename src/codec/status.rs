//! command_status: the outcome that a response carries, and what the hub makes of it.

use super::Version;
use std::fmt;

/// A command_status as it stands in the header; any 32 bits can come off the wire and are kept as they are.
///
/// The constants are SMPP 5.0 §4.7.6 without the `ESME_` prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u32);

/// What a carrier's answer means for the message that it answers.
///
/// An outcome that never came isn't a status and has no class here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Taken: wait for the receipt.
    Ok,
    /// This message will never be taken by anybody: final.
    Permanent,
    /// Not on this route: try the next one, and if there is none it is final.
    Route,
    /// Not now: try again after a delay that doubles.
    Transient,
    /// Too fast: slow this bind down; does not count as an attempt.
    Throttle,
    /// Their queue is full: as transient, with a longer first delay.
    QueueFull,
    /// Trouble of the session or the account: the message goes back unharmed, an operator is told.
    Session,
    /// They hold our PDU for malformed or unsupported: as `Route`, and an operator is told.
    Malformed,
}

/// Declares the known statuses, their names and their classes in one table.
macro_rules! statuses {
    ($($constant:ident = $code:literal, $name:literal, $class:ident, $meaning:literal;)*) => {
        impl Status {
            $(
                #[doc = concat!("`", $name, "` (", stringify!($code), "): ", $meaning, ".")]
                pub const $constant: Self = Self($code);
            )*

            /// The name with its prefix, `"ESME_ROK"`; `None` for vendors' and reserved codes.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($name),)*
                    // Reserved, vendor's or invented.
                    _ => None,
                }
            }

            /// What it means for an outgoing message, before any table of the carrier's own.
            ///
            /// Vendors' and unknown codes are taken as `Route`.
            pub const fn class(self) -> Class {
                match self.0 {
                    $($code => Class::$class,)*
                    // Reserved, vendor's or invented: another route may fare better.
                    _ => Class::Route,
                }
            }
        }
    };
}

impl Status {
    /// Whether the request was taken.
    pub const fn is_ok(self) -> bool {
        self.0 == Self::ROK.0
    }

    /// The status to send to a peer of `version` in place of this one: codes above 0xFF go to 5.0 peers only.
    pub const fn for_version(self, version: Version) -> Self {
        match (version, self) {
            (Version::V50, _) | (_, Self(0..=0xFF)) => self,
            (_, Self::RSERTYPUNAUTH | Self::RSERTYPDENIED) => Self::RINVSERTYP,
            (_, Self::RSERTYPUNAVAIL) => Self::RSYSERR,
            // RPROHIBITED, RINVDCS, the broadcast family and vendors' codes have nothing closer.
            (_, _) => Self::RSUBMITFAIL,
        }
    }
}

impl fmt::Display for Status {
    /// The name, or the number in hex for what has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

statuses! {
    ROK = 0x0000_0000, "ESME_ROK", Ok, "success";
    RINVMSGLEN = 0x0000_0001, "ESME_RINVMSGLEN", Route, "user data too long (or otherwise wrong length)";
    RINVCMDLEN = 0x0000_0002, "ESME_RINVCMDLEN", Malformed, "PDU length too short, too long or not matching the PDU";
    RINVCMDID = 0x0000_0003, "ESME_RINVCMDID", Malformed, "operation unknown or not supported";
    RINVBNDSTS = 0x0000_0004, "ESME_RINVBNDSTS", Session, "PDU not allowed in this session state";
    RALYBND = 0x0000_0005, "ESME_RALYBND", Session, "already bound";
    RINVPRTFLG = 0x0000_0006, "ESME_RINVPRTFLG", Permanent, "priority_flag illegal or not supported";
    RINVREGDLVFLG = 0x0000_0007, "ESME_RINVREGDLVFLG", Permanent, "registered_delivery illegal or receipts not permitted";
    RSYSERR = 0x0000_0008, "ESME_RSYSERR", Transient, "MC (partly) unavailable";
    RINVSRCADR = 0x0000_000A, "ESME_RINVSRCADR", Route, "source address not acceptable";
    RINVDSTADR = 0x0000_000B, "ESME_RINVDSTADR", Route, "destination address empty, too long, bad characters, not reachable";
    RINVMSGID = 0x0000_000C, "ESME_RINVMSGID", Permanent, "message_id unknown or malformed (query, cancel, replace)";
    RBINDFAIL = 0x0000_000D, "ESME_RBINDFAIL", Session, "bind refused, including wrong credentials";
    RINVPASWD = 0x0000_000E, "ESME_RINVPASWD", Session, "password: by the 5.0 text a wrong length";
    RINVSYSID = 0x0000_000F, "ESME_RINVSYSID", Session, "system_id: by the 5.0 text a wrong length";
    RCANCELFAIL = 0x0000_0011, "ESME_RCANCELFAIL", Permanent, "cancel_sm failed";
    RREPLACEFAIL = 0x0000_0013, "ESME_RREPLACEFAIL", Permanent, "replace_sm failed";
    RMSGQFUL = 0x0000_0014, "ESME_RMSGQFUL", QueueFull, "message queue full, per destination or global";
    RINVSERTYP = 0x0000_0015, "ESME_RINVSERTYP", Route, "service_type not recognised or wrong length";
    RINVNUMDESTS = 0x0000_0033, "ESME_RINVNUMDESTS", Permanent, "number_of_dests illegal";
    RINVDLNAME = 0x0000_0034, "ESME_RINVDLNAME", Permanent, "distribution list unknown";
    RINVDESTFLAG = 0x0000_0040, "ESME_RINVDESTFLAG", Permanent, "dest_flag illegal";
    RINVSUBREP = 0x0000_0042, "ESME_RINVSUBREP", Permanent, "submit-with-replace not supported, not permitted or unsuitable";
    RINVESMCLASS = 0x0000_0043, "ESME_RINVESMCLASS", Route, "esm_class not supported";
    RCNTSUBDL = 0x0000_0044, "ESME_RCNTSUBDL", Permanent, "distribution lists not supported or denied";
    RSUBMITFAIL = 0x0000_0045, "ESME_RSUBMITFAIL", Route, "generic submission failure";
    RINVSRCTON = 0x0000_0048, "ESME_RINVSRCTON", Route, "source TON";
    RINVSRCNPI = 0x0000_0049, "ESME_RINVSRCNPI", Route, "source NPI";
    RINVDSTTON = 0x0000_0050, "ESME_RINVDSTTON", Route, "destination TON";
    RINVDSTNPI = 0x0000_0051, "ESME_RINVDSTNPI", Route, "destination NPI";
    RINVSYSTYP = 0x0000_0053, "ESME_RINVSYSTYP", Session, "system_type in the bind";
    RINVREPFLAG = 0x0000_0054, "ESME_RINVREPFLAG", Permanent, "replace_if_present_flag illegal";
    RINVNUMMSGS = 0x0000_0055, "ESME_RINVNUMMSGS", Permanent, "number of messages (3.3 query_last_msgs)";
    RTHROTTLED = 0x0000_0058, "ESME_RTHROTTLED", Throttle, "rate limit exceeded";
    RINVSCHED = 0x0000_0061, "ESME_RINVSCHED", Permanent, "schedule_delivery_time wrong length or value";
    RINVEXPIRY = 0x0000_0062, "ESME_RINVEXPIRY", Permanent, "validity_period wrong length or value";
    RINVDFTMSGID = 0x0000_0063, "ESME_RINVDFTMSGID", Permanent, "canned message unknown";
    RX_T_APPN = 0x0000_0064, "ESME_RX_T_APPN", Transient, "receiver: temporary failure, deliver again later";
    RX_P_APPN = 0x0000_0065, "ESME_RX_P_APPN", Permanent, "receiver: permanent failure for this destination, stop its other messages too";
    RX_R_APPN = 0x0000_0066, "ESME_RX_R_APPN", Permanent, "receiver: this one message is rejected, others unaffected";
    RQUERYFAIL = 0x0000_0067, "ESME_RQUERYFAIL", Permanent, "query_sm failed";
    RINVTLVSTREAM = 0x0000_00C0, "ESME_RINVTLVSTREAM", Malformed, "TLV area corrupt: 1-3 octets left over, or a TLV longer than the rest";
    RTLVNOTALLWD = 0x0000_00C1, "ESME_RTLVNOTALLWD", Malformed, "TLV not permitted here";
    RINVTLVLEN = 0x0000_00C2, "ESME_RINVTLVLEN", Malformed, "TLV has an illegal length";
    RMISSINGTLV = 0x0000_00C3, "ESME_RMISSINGTLV", Malformed, "a needed TLV is absent";
    RINVTLVVAL = 0x0000_00C4, "ESME_RINVTLVVAL", Malformed, "TLV value illegal";
    RDELIVERYFAILURE = 0x0000_00FE, "ESME_RDELIVERYFAILURE", Permanent, "transaction-mode delivery failed";
    RUNKNOWNERR = 0x0000_00FF, "ESME_RUNKNOWNERR", Transient, "unknown error";
    RSERTYPUNAUTH = 0x0000_0100, "ESME_RSERTYPUNAUTH", Route, "not authorised for this service_type [5.0]";
    RPROHIBITED = 0x0000_0101, "ESME_RPROHIBITED", Route, "operation known but denied to this ESME [5.0]";
    RSERTYPUNAVAIL = 0x0000_0102, "ESME_RSERTYPUNAVAIL", Transient, "service_type out of service now [5.0]";
    RSERTYPDENIED = 0x0000_0103, "ESME_RSERTYPDENIED", Route, "service_type denied for this content [5.0]";
    RINVDCS = 0x0000_0104, "ESME_RINVDCS", Route, "data_coding invalid or unsupported [5.0]";
    RINVSRCADDRSUBUNIT = 0x0000_0105, "ESME_RINVSRCADDRSUBUNIT", Permanent, "source address subunit [5.0]";
    RINVDSTADDRSUBUNIT = 0x0000_0106, "ESME_RINVDSTADDRSUBUNIT", Permanent, "destination address subunit [5.0]";
    RINVBCASTFREQINT = 0x0000_0107, "ESME_RINVBCASTFREQINT", Permanent, "broadcast frequency interval [5.0]";
    RINVBCASTALIAS_NAME = 0x0000_0108, "ESME_RINVBCASTALIAS_NAME", Permanent, "broadcast alias name [5.0]";
    RINVBCASTAREAFMT = 0x0000_0109, "ESME_RINVBCASTAREAFMT", Permanent, "broadcast area format [5.0]";
    RINVNUMBCAST_AREAS = 0x0000_010A, "ESME_RINVNUMBCAST_AREAS", Permanent, "number of broadcast areas [5.0]";
    RINVBCASTCNTTYPE = 0x0000_010B, "ESME_RINVBCASTCNTTYPE", Permanent, "broadcast content type [5.0]";
    RINVBCASTMSGCLASS = 0x0000_010C, "ESME_RINVBCASTMSGCLASS", Permanent, "broadcast message class [5.0]";
    RBCASTFAIL = 0x0000_010D, "ESME_RBCASTFAIL", Permanent, "broadcast_sm failed [5.0]";
    RBCASTQUERYFAIL = 0x0000_010E, "ESME_RBCASTQUERYFAIL", Permanent, "query_broadcast_sm failed [5.0]";
    RBCASTCANCELFAIL = 0x0000_010F, "ESME_RBCASTCANCELFAIL", Permanent, "cancel_broadcast_sm failed [5.0]";
    RINVBCAST_REP = 0x0000_0110, "ESME_RINVBCAST_REP", Permanent, "number of repeats [5.0]";
    RINVBCASTSRVGRP = 0x0000_0111, "ESME_RINVBCASTSRVGRP", Permanent, "service group [5.0]";
    RINVBCASTCHANIND = 0x0000_0112, "ESME_RINVBCASTCHANIND", Permanent, "channel indicator [5.0]";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F16: a status outside of the table keeps its value.
    #[test]
    fn vendor_status_is_kept_and_shown_in_hex() {
        let status = Status(0x412);

        assert_eq!(status.name(), None);
        assert_eq!(status.to_string(), "0x00000412");
        assert_eq!(status.class(), Class::Route);
        assert_eq!(Status(u32::MAX).class(), Class::Route);
        assert!(!status.is_ok());
    }

    #[test]
    fn classes_follow_the_table() {
        let class = |code| Status(code).class();

        assert_eq!(class(0x00), Class::Ok);
        assert_eq!(class(0x06), Class::Permanent);
        assert_eq!(class(0x0B), Class::Route);
        assert_eq!(class(0x08), Class::Transient);
        assert_eq!(class(0x58), Class::Throttle);
        assert_eq!(class(0x14), Class::QueueFull);
        assert_eq!(class(0x0D), Class::Session);
        assert_eq!(class(0xC0), Class::Malformed);
        assert_eq!(Status::RTHROTTLED.to_string(), "ESME_RTHROTTLED");
    }

    #[test]
    fn statuses_of_5_0_are_mapped_down_for_older_peers() {
        for version in [Version::V33, Version::V34] {
            assert_eq!(Status::RSERTYPUNAUTH.for_version(version), Status::RINVSERTYP);
            assert_eq!(Status::RPROHIBITED.for_version(version), Status::RSUBMITFAIL);
            assert_eq!(Status::RSERTYPUNAVAIL.for_version(version), Status::RSYSERR);
            assert_eq!(Status::RSERTYPDENIED.for_version(version), Status::RINVSERTYP);
            assert_eq!(Status::RINVDCS.for_version(version), Status::RSUBMITFAIL);
            assert_eq!(Status::RUNKNOWNERR.for_version(version), Status::RUNKNOWNERR);
        }
        assert_eq!(Status::RINVDCS.for_version(Version::V50), Status::RINVDCS);
    }
}
