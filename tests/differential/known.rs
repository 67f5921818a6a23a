//! Where the decoders are known to differ, who is right, and by what.

use crate::fields::Fields;
use enroute::codec::{Command, FieldError, Reading, Status, Tag, Tlvs};

/// Who else reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    Rusmpp,
    SmppCodec,
}

/// Who is right by the fact sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// We: the other is wrong, or leaves out what the protocol has.
    Enroute,
    /// The other, by the letter; ours is a rule of this project, which the reason names.
    Other,
    /// Neither is wrong: the sheet leaves it open, or both do what their callers want.
    Both,
}

/// What two decoders say differently of one PDU.
#[derive(Debug)]
pub enum Difference {
    WeRefuse(FieldError),
    TheyRefuse(String),
    Field(&'static str),
}

/// A PDU of which two decoders say something different.
pub struct Case<'a> {
    pub other: Other,
    pub command: Command,
    pub body: &'a [u8],
    /// Both readings, as far as there are any.
    pub ours: Option<&'a Fields>,
    pub theirs: Option<&'a Fields>,
}

impl Case<'_> {
    fn is_response(&self) -> bool {
        self.command.is_response()
    }

    /// The octets of a field in both readings.
    fn both(&self, name: &str) -> (Option<&[u8]>, Option<&[u8]>) {
        (self.ours.and_then(|fields| fields.value(name)), self.theirs.and_then(|fields| fields.value(name)))
    }
}

/// One way in which the other decoder is known to differ.
pub struct Known {
    pub other: Other,
    pub what: &'static str,
    pub right: Right,
    /// Section of the fact sheet, or the reason.
    pub because: &'static str,
    pub covers: fn(&Case<'_>, &Difference) -> bool,
}

use Difference::{Field, TheyRefuse, WeRefuse};
use Other::{Rusmpp, SmppCodec};

/// All of them. One that no sample meets any more is out of date: the test says so.
pub const KNOWN: [Known; 25] = [
    Known {
        other: Rusmpp,
        what: "refuses octets above 0x7F in C-octet strings",
        right: Right::Other,
        because: "section 0: their content is ASCII; we pass them on, since senders in Latin-1 are common",
        covers: |_, difference| they_refuse(difference, "NotAscii"),
    },
    Known {
        other: Rusmpp,
        what: "takes at most 20 characters for the addresses of a data_sm",
        right: Right::Enroute,
        because: "section 3.3: CStr 65",
        covers: |case, difference| {
            let long = |name| case.both(name).0.is_some_and(|addr| addr.len() > 20);
            case.command == Command::DATA_SM
                && they_refuse(difference, "NotNullTerminated")
                && (long("source_addr") || long("destination_addr"))
        },
    },
    Known {
        other: Rusmpp,
        what: "reads broadcast_rep_num as one octet and then stumbles over the second",
        right: Right::Enroute,
        because: "section 17: 5.0 has 2 octets; emit 2, read 1 or 2",
        covers: |case, difference| {
            case.command == Command::BROADCAST_SM && matches!(difference, TheyRefuse(_))
        },
    },
    Known {
        other: Rusmpp,
        what: "refuses parameters whose length is legal in one version and not in another, or is not the type's own",
        right: Right::Enroute,
        because: "section 7.1: unknown, vendor and odd parameters are kept; only the lengths of the table are judged",
        covers: |case, difference| !case.is_response() && they_refuse_tlv(case, difference),
    },
    Known {
        other: Rusmpp,
        what: "refuses responses whose body is cut, too long or without its NUL",
        right: Right::Enroute,
        because: "section 2.3: accept any body length, never fail on it; section 13, rows 3, 7 and 9",
        covers: |case, difference| case.is_response() && matches!(difference, TheyRefuse(_)),
    },
    Known {
        other: Rusmpp,
        what: "reads what it can of a response's parameters and leaves the rest, or none of it",
        right: Right::Both,
        because: "section 2.3: TLVs of a response are decoded as far as they can be",
        covers: |case, difference| {
            case.is_response() && matches!(difference, Field("tlvs" | "left over" | "unsuccess_sme"))
        },
    },
    Known {
        other: Rusmpp,
        what: "reads one optional parameter only where 5.0 lists one, and leaves what follows it",
        right: Right::Enroute,
        because: "section 7.1: any TLV may follow any PDU; unknown ones are passed through",
        covers: |case, difference| {
            let one = [Command::ALERT_NOTIFICATION, Command::REPLACE_SM, Command::QUERY_BROADCAST_SM];
            one.contains(&case.command) && matches!(difference, Field("tlvs" | "left over"))
        },
    },
    Known {
        other: Rusmpp,
        what: "leaves octets after the last field that it knows",
        right: Right::Both,
        because: "section 13, row 37, and SMPP 5.0 §2.6: what follows is skipped; we skip it too",
        covers: |_, difference| matches!(difference, Field("left over")),
    },
    Known {
        other: Rusmpp,
        what: "takes stray octets after the last field or parameter",
        right: Right::Enroute,
        because: "section 11: 0xC0 by the letter, 0x02 after address_range; Reading::Lenient takes NULs as well",
        covers: |case, difference| match difference {
            WeRefuse(error) => {
                error.status == Status::RINVTLVSTREAM || error.field == "address_range" && left_over(case)
            }
            _ => false, // about strays alone
        },
    },
    Known {
        other: Rusmpp,
        what: "takes a request without a body",
        right: Right::Enroute,
        because: "section 11: a body that ends before a NUL is 0x02",
        covers: |case, difference| {
            case.body.is_empty()
                && matches!(difference, WeRefuse(error) if error.status == Status::RINVCMDLEN)
        },
    },
    Known {
        other: Rusmpp,
        what: "judges no field beside its type: header without room, needed parameters that are missing",
        right: Right::Both,
        because: "sections 9.7, 3.3 and 3.7: left to its caller; ours are 0x43 and 0xC3",
        covers: |_, difference| we_refuse_meaning(difference),
    },
    Known {
        other: Rusmpp,
        what: "takes parameters of no octets where one is needed",
        right: Right::Enroute,
        because: "section 7: lengths; 0xC2",
        covers: |_, difference| matches!(difference, WeRefuse(error) if error.status == Status::RINVTLVLEN),
    },
    Known {
        other: Rusmpp,
        what: "loses bits of parameters that it reads into types: reserved ones of callback_num_pres_ind",
        right: Right::Enroute,
        because: "section 7.1: parameters are passed on octet for octet",
        covers: |case, difference| {
            matches!(difference, Field("tlvs")) && only_in(case, &[Tag::CALLBACK_NUM_PRES_IND])
        },
    },
    Known {
        other: Rusmpp,
        what: "keeps blanks around the id of a response",
        right: Right::Enroute,
        because: "section 13, rows 5 and 32: blank ids are none, ids are trimmed",
        covers: |case, difference| {
            let (ours, theirs) = case.both("message_id");
            matches!(difference, Field("message_id"))
                && case.is_response()
                && ours == theirs.map(<[u8]>::trim_ascii)
        },
    },
    Known {
        other: SmppCodec,
        what: "turns numbers that it doesn't know into 0",
        right: Right::Enroute,
        because: "section 5: reserved TON and NPI are passed on as they come",
        covers: |_, difference| match difference {
            Field("dest_address" | "unsuccess_sme") => true,
            Field(name) => name.ends_with("_ton") || name.ends_with("_npi"),
            WeRefuse(_) | TheyRefuse(_) => false,
        },
    },
    Known {
        other: SmppCodec,
        what: "knows no parameters of replace_sm, nor of the responses to submit_sm, submit_multi and deliver_sm",
        right: Right::Enroute,
        because: "sections 3.5 and 7.1: message_payload in replace_sm, congestion_state in any response",
        covers: |case, difference| {
            let without =
                [Command::REPLACE_SM, Command::SUBMIT_SM, Command::SUBMIT_MULTI, Command::DELIVER_SM];
            matches!(difference, Field("tlvs"))
                && without.contains(&case.command.request())
                && case.both("tlvs").1.is_none()
        },
    },
    Known {
        other: SmppCodec,
        what: "gives the octets after a response's id as they come, or only whole parameters of them",
        right: Right::Both,
        because: "section 2.3: TLVs of a response are decoded as far as they can be",
        covers: |case, difference| case.is_response() && matches!(difference, Field("tlvs")),
    },
    Known {
        other: SmppCodec,
        what: "refuses responses whose body is cut, without its NUL or missing",
        right: Right::Enroute,
        because: "section 2.3: accept any body length, never fail on it",
        covers: |case, difference| case.is_response() && matches!(difference, TheyRefuse(_)),
    },
    Known {
        other: SmppCodec,
        what: "reads nothing of the body of a refusal, or what is there where the id is not whole",
        right: Right::Both,
        because: "section 2.3: a receiver ignores the body of an error, or reads what it can",
        covers: |case, difference| {
            case.is_response()
                && matches!(
                    difference,
                    Field("message_id" | "system_id" | "final_date" | "message_state" | "error_code")
                )
        },
    },
    Known {
        other: SmppCodec,
        what: "refuses C-octet strings that are not UTF-8",
        right: Right::Both,
        because: "section 0: their content is ASCII; we pass others on, since senders in Latin-1 are common",
        covers: |_, difference| they_refuse(difference, "Utf8"),
    },
    Known {
        other: SmppCodec,
        what: "takes strings of any length",
        right: Right::Enroute,
        because: "section 11: a status of its own for each string that is too long",
        covers: |_, difference| match difference {
            WeRefuse(error) => TOO_LONG.contains(&error.status),
            Field(_) | TheyRefuse(_) => false,
        },
    },
    Known {
        other: SmppCodec,
        what: "takes times of any length",
        right: Right::Enroute,
        because: "section 6: 1 or 17 octets; 0x61, 0x62",
        covers: |_, difference| match difference {
            WeRefuse(error) => [Status::RINVSCHED, Status::RINVEXPIRY].contains(&error.status),
            Field(_) | TheyRefuse(_) => false,
        },
    },
    Known {
        other: SmppCodec,
        what: "takes stray octets after the last field or parameter",
        right: Right::Enroute,
        because: "section 11: 0xC0 by the letter, 0x02 after address_range; Reading::Lenient takes NULs as well",
        covers: |_, difference| match difference {
            WeRefuse(error) => error.status == Status::RINVTLVSTREAM || error.field == "address_range",
            Field(_) | TheyRefuse(_) => false,
        },
    },
    Known {
        other: SmppCodec,
        what: "judges no field beside its type, nor the lengths of parameters",
        right: Right::Both,
        because: "sections 7.1, 9.7, 3.3 and 3.7: left to its caller; ours are 0xC2, 0x43 and 0xC3",
        covers: |_, difference| {
            we_refuse_meaning(difference)
                || matches!(difference, WeRefuse(error) if error.status == Status::RINVTLVLEN)
        },
    },
    Known {
        other: SmppCodec,
        what: "takes any dest_flag for that of a distribution list, and a list of none",
        right: Right::Enroute,
        because: "section 3.4: any other flag is 0x40, a count of 0 is 0x33",
        covers: |_, difference| match difference {
            WeRefuse(error) => [Status::RINVDESTFLAG, Status::RINVNUMDESTS].contains(&error.status),
            Field(_) | TheyRefuse(_) => false,
        },
    },
];

const TOO_LONG: [Status; 8] = [
    Status::RINVSYSID,
    Status::RINVPASWD,
    Status::RINVSYSTYP,
    Status::RINVSERTYP,
    Status::RINVSRCADR,
    Status::RINVDSTADR,
    Status::RINVMSGID,
    Status::RINVDLNAME,
];

fn they_refuse(difference: &Difference, reason: &str) -> bool {
    matches!(difference, TheyRefuse(theirs) if theirs.contains(reason))
}

/// They refuse, and there are parameters for them to refuse.
fn they_refuse_tlv(case: &Case<'_>, difference: &Difference) -> bool {
    matches!(difference, TheyRefuse(_)) && case.both("tlvs").0.is_some_and(|tlvs| !tlvs.is_empty())
}

/// The parameters of both differ in the values of these alone.
fn only_in(case: &Case<'_>, tags: &[Tag]) -> bool {
    let (Some(ours), Some(theirs)) = case.both("tlvs") else { return false };
    let (Ok(ours), Ok(theirs)) = (Tlvs::read(ours, Reading::Strict), Tlvs::read(theirs, Reading::Strict))
    else {
        return false;
    };
    ours.iter().count() == theirs.iter().count()
        && ours.iter().zip(theirs.iter()).all(|(our, their)| {
            our == their
                || our.tag == their.tag && our.value.len() == their.value.len() && tags.contains(&our.tag)
        })
}

fn left_over(case: &Case<'_>) -> bool {
    case.both("left over").1.is_some()
}

/// We refuse what is readable and makes no sense.
fn we_refuse_meaning(difference: &Difference) -> bool {
    let meaning = [Status::RINVESMCLASS, Status::RMISSINGTLV];
    matches!(difference, WeRefuse(error) if meaning.contains(&error.status))
}
