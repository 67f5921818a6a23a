//! Before the route: what a submission's addresses become, and whether they may be used at all.
//!
//! What the operator wants of everybody ([`Common`]) and of one account ([`Policy`]) is read once; [`screen`] holds one submission
//! against both: numbers into one form ([`Dialling`]), then the sender ([`Senders`]), then the destination ([`Numbers`]). Who
//! doesn't want to hear from an account any more ([`OptOuts`]), and what goes in circles ([`Circles`]), grows at run time; whoever
//! owns those two asks them.
//!
//! Everything behind it, routes, lists and carriers, sees the addresses as they are after it.

mod barred;
mod circle;
mod dialling;
mod opt_out;
mod sender;

pub use barred::{ENTRIES_MAX, LineFault, Numbers, NumbersBuilder};
pub use circle::{CircleRule, Circles};
pub use dialling::{DialRule, Dialling, Side, TooLong, Written};
pub use opt_out::{OptOut, OptOuts, Scope, Wish, Words};
pub use sender::{SenderEntry, SenderVerdict, Senders};

use crate::codec::{Address, Status};
use std::sync::Arc;

/// What is wanted of everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// How numbers are written that no rule of their account's is for.
    pub dialling: Dialling,
    /// Nobody sends to these.
    pub blocked: Vec<Arc<Numbers>>,
    /// If there are any, everybody sends to these alone.
    pub allowed: Vec<Arc<Numbers>>,
    /// What handsets say that don't want to hear more, or want to again.
    pub words: Words,
    /// Who opted out: so many are remembered at most.
    pub opt_outs_max: usize,
    /// When a message goes in circles; `None`: never.
    pub circles: Option<CircleRule>,
}

/// What is wanted of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// How it writes numbers; before what holds for all.
    pub dialling: Dialling,
    pub senders: Senders,
    /// It doesn't send to these.
    pub blocked: Vec<Arc<Numbers>>,
    /// If there are any, it sends to these alone.
    pub allowed: Vec<Arc<Numbers>>,
    /// What a handset's wish not to hear more is about.
    pub scope: Scope,
}

/// Why a submission is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its sender is none that its account may use.
    Sender,
    /// Its number in the one form is longer than an address may be.
    TooLong,
    /// It is for a number that nobody, or its account, may send to.
    Blocked,
    /// It is for a number that is not among those that may be sent to.
    NotAllowed,
    /// Whom it is for doesn't want it.
    OptedOut,
    /// It has passed too often.
    Circle,
}

impl Refusal {
    /// What its customer is told (fact sheet 4.2).
    pub const fn status(self) -> Status {
        match self {
            Self::Sender => Status::RINVSRCADR,
            Self::TooLong | Self::Blocked | Self::NotAllowed | Self::OptedOut => Status::RINVDSTADR,
            // Neither address is at fault, and it must not come again.
            Self::Circle => Status::RSUBMITFAIL,
        }
    }

    /// Its word in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::TooLong => "number_too_long",
            Self::Blocked => "blocked",
            Self::NotAllowed => "not_allowed",
            Self::OptedOut => "opted_out",
            Self::Circle => "circle",
        }
    }
}

/// What takes the place of a submission's addresses; nothing where they may stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screened {
    pub source: Option<Written>,
    pub destination: Option<Written>,
    /// The source is not the number in another form, but another sender.
    pub other_sender: bool,
}

impl Screened {
    /// Whether anything has to be written anew.
    pub const fn changes(&self) -> bool {
        self.source.is_some() || self.destination.is_some()
    }
}

/// Holds the addresses of one submission against what is wanted of everybody and of its account.
///
/// # Errors
/// Why it may not come in.
pub fn screen(
    common: &Common,
    policy: &Policy,
    source: &Address<'_>,
    destination: &Address<'_>,
) -> Result<Screened, Refusal> {
    let (source, other_sender) = screen_source(common, policy, source)?;
    let written = in_one_form(common, policy, Side::Destination, destination)?;
    if policy.looks_at_destinations() || common.looks_at_destinations() {
        let number = written.as_ref().map_or(destination.addr, Written::addr);
        check_destination(common, policy, number)?;
    }
    Ok(Screened { source, destination: written, other_sender })
}

/// As whom a submission from `source` goes out: what takes its place, and whether that is another sender.
///
/// # Errors
/// If its account may not use it.
pub fn screen_source(
    common: &Common,
    policy: &Policy,
    source: &Address<'_>,
) -> Result<(Option<Written>, bool), Refusal> {
    let written = in_one_form(common, policy, Side::Source, source)?;
    let addr = written.as_ref().map_or(source.addr, Written::addr);
    match policy.senders.judge(addr) {
        SenderVerdict::Allowed => Ok((written, false)),
        SenderVerdict::Replaced(other) => Ok((Some(other), true)),
        SenderVerdict::Refused => Err(Refusal::Sender),
    }
}

/// What takes the place of `address` if it is a number and a rule is for it: the account's first.
///
/// # Errors
/// If the number is too long then.
pub fn in_one_form(
    common: &Common,
    policy: &Policy,
    side: Side,
    address: &Address<'_>,
) -> Result<Option<Written>, Refusal> {
    if policy.dialling.is_empty() && common.dialling.is_empty() {
        return Ok(None);
    }
    let found = policy.dialling.apply(side, address).or_else(|| common.dialling.apply(side, address));
    match found {
        None => Ok(None),
        Some(Err(_)) => Err(Refusal::TooLong),
        Some(Ok(written)) => Ok((written.address() != *address).then_some(written)),
    }
}

fn check_destination(common: &Common, policy: &Policy, number: &[u8]) -> Result<(), Refusal> {
    for blocked in [&common.blocked, &policy.blocked] {
        if blocked.iter().any(|numbers| numbers.holds(number)) {
            return Err(Refusal::Blocked);
        }
    }
    for allowed in [&common.allowed, &policy.allowed] {
        if !allowed.is_empty() && !allowed.iter().any(|numbers| numbers.holds(number)) {
            return Err(Refusal::NotAllowed);
        }
    }
    Ok(())
}

impl Common {
    fn looks_at_destinations(&self) -> bool {
        !(self.blocked.is_empty() && self.allowed.is_empty())
    }
}

impl Policy {
    fn looks_at_destinations(&self) -> bool {
        !(self.blocked.is_empty() && self.allowed.is_empty())
    }
}

/// A number without the plus sign in front.
fn bare(addr: &[u8]) -> &[u8] {
    addr.strip_prefix(b"+").unwrap_or(addr)
}

/// The digits of a number, as one number with a one before them, so that leading zeros count; `None` for what isn't digits, and
/// for more than [`DIGITS_MAX`] of them.
fn key_of(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    digits
        .iter()
        .try_fold(1, |key: u64, digit| digit.is_ascii_digit().then(|| key * 10 + u64::from(digit - b'0')))
}

/// Digits that a key has room for; the longest international number has 15 (E.164 §6.1).
const DIGITS_MAX: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(lines: &[&str]) -> Vec<Arc<Numbers>> {
        let mut builder = NumbersBuilder::default();
        lines.iter().for_each(|line| builder.take(line.as_bytes()).expect("a number"));
        vec![Arc::new(builder.finish())]
    }

    fn address(addr: &str) -> Address<'_> {
        Address { ton: 0, npi: 0, addr: addr.as_bytes() }
    }

    fn judged(common: &Common, policy: &Policy, destination: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let screened = screen(common, policy, &address("1000"), &address(destination))?;
        Ok(screened.destination.map(|written| written.addr().to_vec()))
    }

    #[test]
    fn nothing_is_changed_or_refused_where_nothing_is_said() {
        let screened = screen(&Common::default(), &Policy::default(), &address("1000"), &address("+44 7700"));

        assert_eq!(screened, Ok(Screened::default()));
    }

    #[test]
    fn lists_are_asked_for_the_number_in_its_one_form() {
        let dialling = Dialling::new([dialling::rule("0", "44", Side::Destination)]);
        let common = Common { dialling, blocked: numbers(&["447700900666"]), ..Common::default() };
        let policy = Policy { blocked: numbers(&["4470*"]), ..Policy::default() };

        assert_eq!(judged(&common, &policy, "07700900666"), Err(Refusal::Blocked));
        assert_eq!(judged(&common, &policy, "+447700900666"), Err(Refusal::Blocked));
        assert_eq!(judged(&common, &policy, "07000900667"), Err(Refusal::Blocked));
        assert_eq!(judged(&common, &policy, "07700900667"), Ok(Some(b"447700900667".to_vec())));
        assert_eq!(judged(&common, &Policy::default(), "447000900667"), Ok(None));
    }

    #[test]
    fn where_some_are_allowed_the_others_are_not_and_blocked_stays_blocked() {
        let common = Common { allowed: numbers(&["44*"]), ..Common::default() };
        let policy = Policy {
            allowed: numbers(&["447700900123", "447700900124"]),
            blocked: numbers(&["447700900124"]),
            ..Policy::default()
        };

        assert_eq!(judged(&common, &policy, "447700900123"), Ok(None));
        assert_eq!(judged(&common, &policy, "447700900124"), Err(Refusal::Blocked));
        assert_eq!(judged(&common, &policy, "447700900125"), Err(Refusal::NotAllowed));
        assert_eq!(judged(&common, &Policy::default(), "4917012345"), Err(Refusal::NotAllowed));
        assert_eq!(judged(&common, &Policy::default(), "SHOP"), Err(Refusal::NotAllowed));
    }

    /// Fact sheet 4.2.
    #[test]
    fn each_refusal_has_its_status() {
        assert_eq!(Refusal::Sender.status(), Status::RINVSRCADR);
        for refusal in [Refusal::TooLong, Refusal::Blocked, Refusal::NotAllowed, Refusal::OptedOut] {
            assert_eq!(refusal.status(), Status::RINVDSTADR);
        }
        assert_eq!(Refusal::Circle.status(), Status::RSUBMITFAIL);
    }
}
