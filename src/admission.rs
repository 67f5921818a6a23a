//! May this come in: what a submission must be for the hub to take responsibility for it.
//!
//! Looks at fields and times only; how full the hub is, is the hub's business.

use crate::clock::{Now, UnixMs};
use crate::codec::{Sm, SmppTime, Status, Tag, TimeRules, read_time_with};
use std::time::Duration;

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The longest validity, counted from the later of acceptance and schedule.
    pub max_validity: Duration,
    /// The validity of a message that names none.
    pub default_validity: Duration,
    /// The latest schedule, counted from acceptance.
    pub max_schedule: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self { max_validity: 48 * HOUR, default_validity: 48 * HOUR, max_schedule: 180 * 24 * HOUR }
    }
}

/// How one account writes times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// What it writes otherwise than the specification.
    pub rules: TimeRules,
    pub validity_from: ValidityFrom,
}

/// What a relative validity counts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValidityFrom {
    /// The submission, as the specification has it.
    #[default]
    Submission,
    /// The schedule, as some customers mean it.
    Schedule,
}

/// A submission that may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// When the first attempt is due; not before now.
    pub due: UnixMs,
    /// When it stops being worth sending.
    pub expires: UnixMs,
    /// Whether the customer asked for a longer validity than it got.
    pub clamped: bool,
}

/// Decides over one submission.
///
/// # Errors
/// The status that refuses it: ESME_RINVDSTADR without a destination, ESME_RINVSCHED and ESME_RINVEXPIRY for
/// times that are malformed or contradict each other (fact sheet 6.3), ESME_RINVREPFLAG and ESME_RINVPRTFLG
/// for reserved values, ESME_RINVESMCLASS for a user data header that does not fit its text and for what only a
/// message centre may send: receipts and intermediate notifications (fact sheet 17).
pub fn admit(sm: &Sm<'_>, rules: &Rules, times: &Times, now: Now) -> Result<Admitted, Status> {
    if sm.destination.addr.is_empty() {
        return Err(Status::RINVDSTADR);
    }
    if sm.replace_if_present_flag > 1 {
        return Err(Status::RINVREPFLAG);
    }
    if sm.priority_flag > MAX_PRIORITY {
        return Err(Status::RINVPRTFLG);
    }
    let header_is_cut = sm.esm_class & UDHI != 0 && sm.udh().is_none();
    if header_is_cut || sm.is_receipt() || sm.is_intermediate() {
        return Err(Status::RINVESMCLASS);
    }
    let due = due(sm.schedule_delivery_time, rules, times.rules, now)?;
    let latest = due.after(rules.max_validity);
    let from = match times.validity_from {
        ValidityFrom::Submission => now.wall,
        ValidityFrom::Schedule => due,
    };
    let asked = match validity(sm, times.rules, from)? {
        None => due.after(rules.default_validity),
        // Zero from now means one attempt (fact sheet 6.3): worth sending for as long as that takes.
        Some(SmppTime::Relative(at)) if at == from => due.after(ONE_ATTEMPT),
        Some(SmppTime::Relative(at) | SmppTime::Absolute(at)) => at,
    };
    if asked <= due || asked <= now.wall {
        return Err(Status::RINVEXPIRY);
    }
    Ok(Admitted { due, expires: asked.min(latest), clamped: asked > latest })
}

/// When it says that it stops being worth sending; qos_time_to_live, in seconds, wins (SMPP 5.0 §4.8.4.46).
fn validity(sm: &Sm<'_>, rules: TimeRules, from: UnixMs) -> Result<Option<SmppTime>, Status> {
    if !sm.tlvs.is_empty()
        && let Some(seconds) = sm.tlvs.u32(Tag::QOS_TIME_TO_LIVE)
    {
        return Ok(Some(SmppTime::Relative(from.after(Duration::from_secs(u64::from(seconds))))));
    }
    read_time_with(sm.validity_period, from, rules).map_err(|_| Status::RINVEXPIRY)
}

fn due(schedule: &[u8], rules: &Rules, times: TimeRules, now: Now) -> Result<UnixMs, Status> {
    let at = match read_time_with(schedule, now.wall, times).map_err(|_| Status::RINVSCHED)? {
        None => return Ok(now.wall),
        Some(SmppTime::Relative(at) | SmppTime::Absolute(at)) => at,
    };
    if now.wall.since(at) > MAX_PAST || at.since(now.wall) > rules.max_schedule {
        return Err(Status::RINVSCHED);
    }
    Ok(at.max(now.wall))
}

/// esm_class: the text begins with a user data header (SMPP 3.4 §5.2.12).
const UDHI: u8 = 0x40;
const HOUR: Duration = Duration::from_secs(3600);
/// A schedule that lies further back than this comes from a wrong clock (fact sheet 6.3).
const MAX_PAST: Duration = Duration::from_secs(24 * 3600);
/// How long a message that is good for one attempt stays good.
const ONE_ATTEMPT: Duration = Duration::from_secs(60);
/// priority_flag, highest legal value (SMPP 5.0 §4.7.14; 4 belongs to cell broadcast).
const MAX_PRIORITY: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Address, Tlvs};
    use std::time::Instant;

    fn now() -> Now {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) } // 2026-03-15T10:00:00Z
    }

    fn submission<'a>(schedule: &'a [u8], validity: &'a [u8]) -> Sm<'a> {
        Sm {
            service_type: b"",
            source: Address { ton: 0, npi: 0, addr: b"12345" },
            destination: Address { ton: 1, npi: 1, addr: b"447700900123" },
            esm_class: 0,
            protocol_id: 0,
            priority_flag: 0,
            schedule_delivery_time: schedule,
            validity_period: validity,
            registered_delivery: 1,
            replace_if_present_flag: 0,
            data_coding: 0,
            sm_default_msg_id: 0,
            short_message: b"hello",
            tlvs: Tlvs::empty(),
        }
    }

    fn admitted(schedule: &[u8], validity: &[u8]) -> Result<(u64, u64, bool), Status> {
        let now = now();
        admit(&submission(schedule, validity), &Rules::default(), &Times::default(), now).map(|admitted| {
            let seconds = |at: UnixMs| at.since(now.wall).as_secs();
            (seconds(admitted.due), seconds(admitted.expires), admitted.clamped)
        })
    }

    #[test]
    fn message_without_times_is_due_now_and_lives_for_48_hours() {
        assert_eq!(admitted(b"", b""), Ok((0, 48 * 3600, false)));
    }

    #[test]
    fn validity_is_clamped_to_48_hours_after_the_schedule() {
        assert_eq!(admitted(b"", b"000005000000000R"), Ok((0, 48 * 3600, true)));
        assert_eq!(admitted(b"000001000000000R", b"000005000000000R"), Ok((86_400, 72 * 3600, true)));
    }

    #[test]
    fn expiry_not_after_the_schedule_is_refused() {
        assert_eq!(admitted(b"000001000000000R", b"000000010000000R"), Err(Status::RINVEXPIRY));
        assert_eq!(admitted(b"", b"260314100000000+"), Err(Status::RINVEXPIRY));
        assert_eq!(admitted(b"", b"rubbish"), Err(Status::RINVEXPIRY));
    }

    #[test]
    fn schedule_too_far_off_or_long_past_is_refused() {
        assert_eq!(admitted(b"010000000000000R", b""), Err(Status::RINVSCHED));
        assert_eq!(admitted(b"260313090000000+", b""), Err(Status::RINVSCHED));
        assert_eq!(admitted(b"260315090000000+", b"").map(|(due, ..)| due), Ok(0));
    }

    #[test]
    fn relative_zero_validity_is_one_attempt() {
        assert_eq!(admitted(b"", b"000000000000000R"), Ok((0, 60, false)));
    }

    /// Fact sheet 6.3: some customers count a relative validity from the schedule.
    #[test]
    fn relative_validity_counts_from_the_schedule_for_who_means_that() {
        let times = Times { validity_from: ValidityFrom::Schedule, ..Times::default() };
        let now = now();
        let sm = submission(b"000001000000000R", b"000000010000000R");

        let admitted = admit(&sm, &Rules::default(), &times, now).expect("an hour after the schedule");

        assert_eq!(admitted.expires.since(admitted.due), HOUR);
    }

    #[test]
    fn time_to_live_wins_over_the_validity_period() {
        let octets = [0x00, 0x17, 0, 4, 0, 0, 0, 90];
        let tlvs = Tlvs::read(&octets, crate::codec::Reading::Strict).expect("well formed");
        let sm = Sm { tlvs, ..submission(b"", b"000005000000000R") };

        let admitted = admit(&sm, &Rules::default(), &Times::default(), now()).expect("in order");

        assert_eq!(admitted.expires.since(admitted.due), Duration::from_secs(90));
    }

    #[test]
    fn times_that_only_some_may_write_are_refused_to_the_rest() {
        let rules = TimeRules { short_relative: true, lower_case_r: true, wide_offsets: true };
        let lenient = Times { rules, ..Times::default() };
        for (schedule, validity) in
            [(&b"000000010000R"[..], &b""[..]), (b"000000010000000r", b""), (b"", b"260316220000056+")]
        {
            let sm = submission(schedule, validity);

            assert!(admit(&sm, &Rules::default(), &Times::default(), now()).is_err(), "{schedule:?}");
            assert!(admit(&sm, &Rules::default(), &lenient, now()).is_ok(), "{schedule:?} {validity:?}");
        }
    }

    #[test]
    fn submission_without_destination_is_refused() {
        let mut sm = submission(b"", b"");
        sm.destination.addr = b"";

        assert_eq!(admit(&sm, &Rules::default(), &Times::default(), now()), Err(Status::RINVDSTADR));
    }

    /// Fact sheet 5.1: an ESME acknowledges, but receipts are its message centre's to give.
    #[test]
    fn receipt_from_an_esme_is_refused() {
        let verdict = |esm_class| {
            let sm = Sm { esm_class, ..submission(b"", b"") };
            admit(&sm, &Rules::default(), &Times::default(), now()).map(|_| ())
        };

        assert_eq!([0x04, 0x07, 0x84, 0x20].map(verdict), [Err(Status::RINVESMCLASS); 4]);
        assert_eq!([0x00, 0x03, 0x08, 0x10, 0x18].map(verdict), [Ok(()); 5]);
    }

    /// Field bug F9: UDHI without a text.
    #[test]
    fn user_data_header_without_text_is_refused() {
        let mut sm = submission(b"", b"");
        sm.esm_class = 0x40;
        sm.short_message = b"";

        assert_eq!(admit(&sm, &Rules::default(), &Times::default(), now()), Err(Status::RINVESMCLASS));
    }
}
