//! How a message is said to one carrier: as what, in which alphabet and form, with which times and wishes.

use super::{Carrier, Dispatch, Duties, Validity, Words};
use crate::clock::Now;
use crate::codec::{
    Address, Command, DataSm, FieldError, Reading, Relay, SUBMITTED_AS, Sm, SmppTime, Status, Tag, Tlvs,
    Version, put_tlv, read_time, relay_read, write_absolute, write_relative,
};
use crate::conversion::{Profile, convert, status_for_refused_text};
use bytes::BytesMut;
use std::sync::Arc;
use std::time::Duration;

/// What a carrier takes, and room for what has to be put in other words.
#[derive(Debug)]
pub(super) struct Wording {
    profile: Arc<Profile>,
    /// What an account means that says nothing special.
    usual: Profile,
    /// Everything that comes in plain words passes as it is.
    plain: bool,
    takes_data_sm: bool,
    duties: Duties,
    scratch: BytesMut,
}

/// One message in a carrier's words.
pub(super) struct Said<'a> {
    pub command: Command,
    body: &'a [u8],
    sm: Sm<'a>,
    version: Version,
    /// As validity_period, if its customer set a limit.
    validity: Option<[u8; 16]>,
    left: Duration,
    /// Empty unless the carrier is to keep it.
    schedule: &'a [u8],
    registered_delivery: u8,
    /// TON and NPI that the sender and the destination go out with, where not as they came.
    source: Option<(u8, u8)>,
    destination: Option<(u8, u8)>,
}

impl Wording {
    pub fn new(carrier: &Carrier) -> Self {
        Self {
            plain: carrier.profile.is_plain(),
            profile: Arc::clone(&carrier.profile),
            usual: Profile::default(),
            takes_data_sm: carrier.takes_data_sm,
            duties: carrier.duties,
            scratch: BytesMut::new(),
        }
    }

    /// Finds the words for `dispatch`, to a carrier that speaks `version`.
    ///
    /// # Errors
    /// The status that the carrier would refuse it with, if it can't be said at all.
    #[inline]
    pub fn say<'a>(
        &'a mut self,
        dispatch: &'a Dispatch,
        version: Version,
        now: Now,
    ) -> Result<Said<'a>, Status> {
        let refuse = |FieldError { .. }| Status::RINVMSGLEN; // can't be: it was read when it came in
        let mut body = &dispatch.body[..];
        let mut sm = Sm::decode(body, Reading::Lenient).map_err(refuse)?;
        let from = match &dispatch.words {
            Words::Common => (!self.plain).then_some(&self.usual),
            Words::Account(profile) => Some(&**profile),
            Words::Carrier => None,
        };
        if let Some(from) = from {
            self.scratch.clear();
            convert(&sm, from, &self.profile, &mut self.scratch).map_err(|status| match status {
                Status::RINVDCS => status_for_refused_text(version),
                status => status,
            })?;
            body = &self.scratch;
            sm = Sm::decode(body, Reading::Lenient).map_err(refuse)?;
        }
        #[cfg(test)]
        assert_ne!(sm.tlvs.u16(Tag::USER_MESSAGE_REFERENCE), Some(PANIC), "a panic for a test");
        if !version.takes_tlvs() && sm.text().len() > SHORT_MESSAGE_MAX {
            return Err(Status::RINVMSGLEN);
        }
        let is_limited = !sm.validity_period.is_empty() || sm.tlvs.find(Tag::QOS_TIME_TO_LIVE).is_some();
        let Duties { source, destination, validity, validity_max, .. } = &self.duties;
        let left = validity_max.map_or(dispatch.left, |most| most.min(dispatch.left));
        let end = || now.wall.after(left).min(dispatch.expires);
        let validity = match (validity, version) {
            (Validity::None, _) => None,
            (Validity::Remaining, _) if !is_limited => None,
            // 3.3 knows no other times (fact sheet 3.7).
            (Validity::Absolute, _) | (_, Version::V33) => Some(write_absolute(end())),
            (Validity::Remaining | Validity::Relative, _) => Some(write_relative(left)),
        };
        let as_data = dispatch.is_data && self.takes_data_sm && version.takes_tlvs();
        Ok(Said {
            command: if as_data { Command::DATA_SM } else { Command::SUBMIT_SM },
            body,
            sm,
            version,
            validity,
            left,
            schedule: if dispatch.is_scheduled { yet_to_come(&sm, now) } else { b"" },
            registered_delivery: wishes(sm.registered_delivery, dispatch.is_receipted, version),
            source: (!source.is_plain()).then(|| source.of(&sm.source)),
            destination: (!destination.is_plain()).then(|| destination.of(&sm.destination)),
        })
    }
}

impl Said<'_> {
    /// Appends the body.
    #[inline]
    pub fn write(&self, out: &mut BytesMut) {
        if self.command == Command::DATA_SM {
            return self.write_data(out);
        }
        let relay = Relay {
            // The hub keeps the schedule, or the carrier does; and is told what is left of a validity that the customer gave.
            schedule_delivery_time: self.schedule,
            validity_period: self.validity.as_ref().map_or(b"", |validity| &validity[..]),
            registered_delivery: self.registered_delivery,
            source: self.source,
            destination: self.destination,
        };
        if relay_read(&self.sm, self.body, &relay, self.version.takes_tlvs(), out).is_err() {
            out.extend_from_slice(self.body); // can't be: too long a text was refused before
        }
    }

    /// What is left of a validity is qos_time_to_live: data_sm has no other place for it.
    fn write_data(&self, out: &mut BytesMut) {
        let Sm { service_type, source, destination, esm_class, data_coding, .. } = self.sm;
        DataSm {
            service_type,
            source: with_kind(source, self.source),
            destination: with_kind(destination, self.destination),
            esm_class,
            registered_delivery: self.registered_delivery,
            data_coding,
            tlvs: Tlvs::empty(),
        }
        .encode_body(out);
        let is_ours = |tag| matches!(tag, Tag::QOS_TIME_TO_LIVE | Tag::MESSAGE_PAYLOAD | SUBMITTED_AS);
        for tlv in self.sm.tlvs.iter().filter(|tlv| !is_ours(tlv.tag)) {
            put_tlv(out, tlv.tag, tlv.value);
        }
        if self.validity.is_some() {
            let seconds = u32::try_from(self.left.as_secs()).unwrap_or(u32::MAX);
            put_tlv(out, Tag::QOS_TIME_TO_LIVE, &seconds.max(1).to_be_bytes());
        }
        put_tlv(out, Tag::MESSAGE_PAYLOAD, self.sm.text());
    }
}

/// Its schedule, which the hub wrote as a date, if that is not over.
fn yet_to_come<'a>(sm: &Sm<'a>, now: Now) -> &'a [u8] {
    match read_time(sm.schedule_delivery_time, now.wall) {
        Ok(Some(SmppTime::Absolute(at))) if at > now.wall => sm.schedule_delivery_time,
        _ => b"", // it was never there, or the message waited until it was due
    }
}

/// An address with this TON and NPI, where it goes out with others than it came with.
fn with_kind<'a>(address: Address<'a>, kind: Option<(u8, u8)>) -> Address<'a> {
    let (ton, npi) = kind.unwrap_or((address.ton, address.npi));
    Address { ton, npi, ..address }
}

/// registered_delivery for the carrier: a receipt for every outcome, since the hub wants to know how each message ends, asked
/// for or not, unless the carrier is not to be asked; and what the customer wants of the handset and of the way there, which only
/// the carrier can give.
const fn wishes(registered_delivery: u8, is_receipted: bool, version: Version) -> u8 {
    let outcome = if is_receipted { EACH_OUTCOME } else { 0 };
    match version {
        Version::V33 => outcome,
        Version::V34 | Version::V50 => registered_delivery & PASSED_ON | outcome,
    }
}

/// registered_delivery bits 1-0: a receipt at any final outcome (SMPP 3.4 §5.2.17).
const EACH_OUTCOME: u8 = 0b0_00_01;
/// Bits 3-2, acknowledgements of the SME, and bit 4, intermediate notifications.
const PASSED_ON: u8 = 0b1_11_00;
/// Octets of short_message that everybody takes.
const SHORT_MESSAGE_MAX: usize = 254;

/// The user_message_reference that tests know a message by which our words fail for.
#[cfg(test)]
pub(super) const PANIC: u16 = 0xDEAD;

#[cfg(test)]
mod tests {
    use super::super::Numbering;
    use super::*;
    use crate::clock::UnixMs;
    use crate::conversion::{Fallback, TlvRules};
    use crate::text::Alphabet;
    use bytes::Bytes;
    use std::time::Instant;

    fn now() -> Now {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) }
    }

    fn sm() -> Sm<'static> {
        Sm {
            service_type: b"CMT",
            destination: Address { ton: 1, npi: 1, addr: b"447700900123" },
            registered_delivery: 0xFE,
            data_coding: 8,
            short_message: b"\0h\0i",
            ..Sm::default()
        }
    }

    fn dispatch(sm: &Sm<'_>, tlvs: &[(Tag, &[u8])], is_data: bool) -> Dispatch {
        let mut body = BytesMut::new();
        sm.encode_body(&mut body);
        tlvs.iter().for_each(|(tag, value)| put_tlv(&mut body, *tag, value));
        let left = Duration::from_secs(90);
        let expires = now().wall.after(left);
        Dispatch {
            token: 1,
            body: body.freeze(),
            expires,
            left,
            is_scheduled: false,
            is_receipted: true,
            is_data,
            words: Words::Common,
        }
    }

    fn said(carrier: &Carrier, dispatch: &Dispatch, version: Version) -> Result<(Command, Bytes), Status> {
        let mut wording = Wording::new(carrier);
        let said = wording.say(dispatch, version, now())?;
        let mut out = BytesMut::new();
        said.write(&mut out);
        Ok((said.command, out.freeze()))
    }

    fn carrier() -> Carrier {
        Carrier::new("alpha", "127.0.0.1:1")
    }

    /// Fact sheet 5.2: every outcome is reported; 0x0C and 0x10 are the customer's business, 3.3 knows 0 and 1.
    #[test]
    fn receipt_of_every_outcome_is_wished_for_beside_the_customers_wishes() {
        for (version, expected) in [(Version::V33, 1), (Version::V34, 0x1D), (Version::V50, 0x1D)] {
            let (_, body) = said(&carrier(), &dispatch(&sm(), &[], false), version).expect("sayable");

            assert_eq!(Sm::decode(&body, Reading::Strict).map(|sm| sm.registered_delivery), Ok(expected));
        }
    }

    #[test]
    fn carrier_that_is_not_to_be_asked_for_receipts_is_not() {
        for (version, expected) in [(Version::V33, 0), (Version::V34, 0x1C), (Version::V50, 0x1C)] {
            let unasked = Dispatch { is_receipted: false, ..dispatch(&sm(), &[], false) };

            let (_, body) = said(&carrier(), &unasked, version).expect("sayable");

            assert_eq!(Sm::decode(&body, Reading::Strict).map(|sm| sm.registered_delivery), Ok(expected));
        }
    }

    #[test]
    fn numbers_go_out_with_the_kinds_that_the_carrier_wants() {
        let source = Numbering { by_kind: true, ..Numbering::default() };
        let destination = Numbering { ton: Some(2), npi: Some(8), ..Numbering::default() };
        let duties = Duties { source, destination, ..Duties::default() };
        let wanting = Carrier { duties, takes_data_sm: true, ..carrier() };
        let from = Address { ton: 0, npi: 1, addr: b"ACME" };
        for is_data in [false, true] {
            let dispatch = dispatch(&Sm { source: from, ..sm() }, &[], is_data);

            let (_, body) = said(&wanting, &dispatch, Version::V34).expect("sayable");

            let sm = match is_data {
                true => DataSm::decode(&body, Reading::Strict).expect("legal").as_sm(),
                false => Sm::decode(&body, Reading::Strict).expect("legal"),
            };
            assert_eq!(sm.source, Address { ton: 5, npi: 0, addr: b"ACME" });
            assert_eq!(sm.destination, Address { ton: 2, npi: 8, addr: b"447700900123" });
            assert_eq!(sm.text(), b"\0h\0i");
        }
    }

    /// 90 s are left; the customer gave a validity, or none.
    #[test]
    fn validity_is_told_as_the_carrier_wants_it() {
        let minute = Some(Duration::from_secs(60));
        for (validity, validity_max, given, expected) in [
            (Validity::Remaining, None, true, &b"000000000130000R"[..]),
            (Validity::Remaining, minute, true, b"000000000100000R"),
            (Validity::Remaining, minute, false, b""),
            (Validity::None, None, true, b""),
            (Validity::Relative, None, false, b"000000000130000R"),
            (Validity::Absolute, None, false, b"260315100130000+"),
            (Validity::Absolute, minute, true, b"260315100100000+"),
        ] {
            let duties = Duties { validity, validity_max, ..Duties::default() };
            let wanting = Carrier { duties, ..carrier() };
            let validity_period: &[u8] = if given { b"000000010000000R" } else { b"" };

            let (_, body) =
                said(&wanting, &dispatch(&Sm { validity_period, ..sm() }, &[], false), Version::V34)
                    .expect("sayable");

            let told = Sm::decode(&body, Reading::Strict).expect("legal").validity_period;
            assert_eq!(told, expected, "{validity:?} {validity_max:?} {given}");
        }
    }

    #[test]
    fn what_came_as_data_sm_goes_as_data_sm_where_that_is_taken() {
        let taking = Carrier { takes_data_sm: true, ..carrier() };
        let dispatch =
            dispatch(&sm(), &[(Tag::SOURCE_PORT, &[1, 2]), (Tag::QOS_TIME_TO_LIVE, &[0, 0, 9, 9])], true);

        let (command, body) = said(&taking, &dispatch, Version::V34).expect("sayable");

        assert_eq!(command, Command::DATA_SM);
        let data_sm = DataSm::decode(&body, Reading::Strict).expect("legal");
        assert_eq!((data_sm.as_sm().text(), data_sm.data_coding), (&b"\0h\0i"[..], 8));
        assert_eq!(
            (data_sm.tlvs.u16(Tag::SOURCE_PORT), data_sm.tlvs.u32(Tag::QOS_TIME_TO_LIVE)),
            (Some(0x0102), Some(90))
        );
        for (carrier, version) in [(carrier(), Version::V34), (taking, Version::V33)] {
            let (command, body) = said(&carrier, &dispatch, version).expect("sayable");
            let sm = Sm::decode(&body, Reading::Strict).expect("legal");
            assert_eq!((command, sm.text()), (Command::SUBMIT_SM, &b"\0h\0i"[..]));
        }
    }

    /// Fact sheet 3.7, 7.1: absolute times and no TLVs to 3.3; what needs a TLV is refused here.
    #[test]
    fn carrier_of_3_3_gets_absolute_times_and_no_parameters() {
        let limited = Sm { validity_period: b"000000010000000R", ..sm() };
        let dispatch_limited = dispatch(&limited, &[(Tag::USER_MESSAGE_REFERENCE, &[1, 2])], false);

        let (_, body) = said(&carrier(), &dispatch_limited, Version::V33).expect("sayable");

        let sm = Sm::decode(&body, Reading::Strict).expect("legal");
        assert!(sm.tlvs.is_empty() && sm.validity_period.ends_with(b"+"));
        let (_, body) = said(&carrier(), &dispatch_limited, Version::V34).expect("sayable");
        let sm = Sm::decode(&body, Reading::Strict).expect("legal");
        assert_eq!(sm.validity_period, b"000000000130000R");
        let long =
            dispatch(&Sm { short_message: b"", ..self::sm() }, &[(Tag::MESSAGE_PAYLOAD, &[65; 255])], false);
        assert_eq!(said(&carrier(), &long, Version::V33).err(), Some(Status::RINVMSGLEN));
        assert!(said(&carrier(), &long, Version::V34).is_ok());
    }

    #[test]
    fn schedule_is_told_to_a_carrier_that_keeps_it_until_it_is_over() {
        let told = |is_scheduled, date| {
            let scheduled = dispatch(&Sm { schedule_delivery_time: date, ..sm() }, &[], false);
            let scheduled = Dispatch { is_scheduled, ..scheduled };
            let (_, body) = said(&carrier(), &scheduled, Version::V34).expect("sayable");
            Sm::decode(&body, Reading::Strict).expect("legal").schedule_delivery_time.to_vec()
        };

        assert_eq!(told(true, b"260315120000000+"), b"260315120000000+");
        assert_eq!(told(true, b"260315090000000+"), b"");
        assert_eq!(told(false, b"260315120000000+"), b"");
    }

    #[test]
    fn lifetime_that_only_a_parameter_sets_is_told_as_what_is_left() {
        let dispatch = dispatch(&sm(), &[(Tag::QOS_TIME_TO_LIVE, &[0, 0, 9, 9])], false);

        let (_, body) = said(&carrier(), &dispatch, Version::V34).expect("sayable");

        let sm = Sm::decode(&body, Reading::Strict).expect("legal");
        assert_eq!((sm.validity_period, sm.tlvs.is_empty()), (&b"000000000130000R"[..], true));
        assert!(read_time(sm.validity_period, now().wall).is_ok());
    }

    /// Field bug T8: data_coding 0 of an account and of a carrier need not be the same.
    #[test]
    fn text_is_said_in_the_carriers_alphabet() {
        let latin = Profile { default_alphabet: Alphabet::Latin1, ..Profile::default() };
        let text = Sm { data_coding: 0, short_message: b"\xA3 5 @ home", ..sm() };
        let ours = Dispatch { words: Words::Account(Arc::new(latin.clone())), ..dispatch(&text, &[], false) };

        let (_, body) = said(&carrier(), &ours, Version::V34).expect("sayable");

        let sm = Sm::decode(&body, Reading::Strict).expect("legal");
        assert_eq!((sm.data_coding, sm.short_message), (0, &b"\x01 5 \x00 home"[..]));
        let theirs = Carrier { profile: Arc::new(latin), ..carrier() };
        let gsm = dispatch(&Sm { short_message: b"\x01 5", data_coding: 0, ..text }, &[], false);
        let (_, body) = said(&theirs, &gsm, Version::V34).expect("sayable");
        assert_eq!(Sm::decode(&body, Reading::Strict).map(|sm| sm.short_message), Ok(&b"\xA3 5"[..]));
        let spoken = Dispatch { words: Words::Carrier, ..gsm };
        let (_, body) = said(&theirs, &spoken, Version::V34).expect("sayable");
        assert_eq!(Sm::decode(&body, Reading::Strict).map(|sm| sm.short_message), Ok(&b"\x01 5"[..]));
    }

    /// Fact sheet 4.2: what can't be said is refused as a carrier would, in the words of its version.
    #[test]
    fn text_without_counterpart_is_refused_where_that_is_set() {
        let profile =
            Profile { default_alphabet: Alphabet::Ascii, fallback: Fallback::Refuse, ..Profile::default() };
        let strict = Carrier { profile: Arc::new(profile), ..carrier() };
        let text = dispatch(&Sm { data_coding: 0, short_message: b"\x01 5", ..sm() }, &[], false);

        assert_eq!(said(&strict, &text, Version::V50).err(), Some(Status::RINVDCS));
        assert_eq!(said(&strict, &text, Version::V34).err(), Some(Status::RSUBMITFAIL));
    }

    /// Fact sheet 7.1: a carrier's own rules, for what goes as submit_sm and as data_sm.
    #[test]
    fn parameters_are_dropped_renamed_and_added_by_rule() {
        let tlvs = TlvRules {
            drop: vec![Tag(0x1400)],
            rename: vec![(Tag(0x1401), Tag(0x1402))],
            add: vec![(Tag(0x1403), b"x".to_vec())],
        };
        let profile = Arc::new(Profile { tlvs, ..Profile::default() });
        let ruled = Carrier { profile, takes_data_sm: true, ..carrier() };
        for is_data in [false, true] {
            let dispatch = dispatch(&sm(), &[(Tag(0x1400), b"a"), (Tag(0x1401), b"b")], is_data);

            let (_, body) = said(&ruled, &dispatch, Version::V34).expect("sayable");

            let tlvs = match is_data {
                true => DataSm::decode(&body, Reading::Strict).expect("legal").tlvs,
                false => Sm::decode(&body, Reading::Strict).expect("legal").tlvs,
            };
            let found = [0x1400, 0x1401, 0x1402, 0x1403].map(|tag| tlvs.find(Tag(tag)));
            assert_eq!(found, [None, None, Some(&b"b"[..]), Some(&b"x"[..])]);
        }
    }
}
