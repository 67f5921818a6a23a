//! What the hub is told once, at its start.

use super::breaker::BreakerRules;
use super::held::Durability;
use super::pace::OverLimit;
use super::queue_classes::Guard;
use crate::admission::{Rules, Times};
use crate::assembly;
use crate::bulk;
use crate::carrier::{Carrier, Statuses};
use crate::clock::Caution;
use crate::codec::Tag;
use crate::conversion::Profile;
use crate::correlation::IdForms;
use crate::esme::Account;
use crate::id::AccountId;
use crate::route;
use crate::schedule::Retry;
use crate::screening;
use crate::spool::CompactionRules;
use crate::throttle;
use std::sync::Arc;
use std::time::Duration;

/// What the hub is told once, at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    pub accounts: Vec<AccountPlan>,
    pub carriers: Vec<CarrierPlan>,
    /// Distribution lists, for submit_multi.
    pub lists: Vec<List>,
    pub routes: Arc<route::Routes>,
    /// Whose messages from handsets are.
    pub inbound: route::Inbound,
    /// What screening wants of everybody.
    pub screening: Arc<screening::Common>,
    pub rules: Rules,
    pub retry: Retry,
    pub limits: Limits,
    pub compaction: CompactionRules,
    /// When the wall clock is not believed.
    pub caution: Caution,
}

impl Settings {
    /// Accounts that we may call.
    pub(super) fn callable(&self) -> Vec<AccountId> {
        let called = |(_, plan): &(usize, &AccountPlan)| plan.account.outbind.is_some();
        self.accounts.iter().enumerate().filter(called).map(|(place, _)| AccountId(place as u16)).collect()
    }
}

/// A customer, and what it may have in the hub.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountPlan {
    pub account: Account,
    /// What it has in common with others, for the rules of routes.
    pub group: Option<String>,
    /// Messages of it that the hub holds at most; beyond it ESME_RMSGQFUL.
    pub queue_max: usize,
    /// What its texts mean.
    pub profile: Arc<Profile>,
    /// Which receipts it gets for a text that we divided.
    pub part_receipts: PartReceipts,
    /// How it writes times.
    pub times: Times,
    /// The optional parameter of its submissions that names their bulk; carriers don't see it.
    pub bulk_tlv: Option<Tag>,
    /// It gets long texts of handsets whole.
    pub join_inbound: bool,
    /// What validity and schedule its messages may have; `None`: what everybody's may.
    pub rules: Option<Rules>,
    /// What screening wants of it.
    pub policy: Arc<screening::Policy>,
    /// What its answers wait for.
    pub durability: Durability,
    /// Its share of a carrier against others that wait there: 1 to 1000.
    pub weight: u16,
    /// Segments that it may submit, or have sent.
    pub limits: throttle::Limits,
    pub over_limit: OverLimit,
}

impl AccountPlan {
    /// An account that is allowed what is usual.
    pub fn new(account: Account) -> Self {
        Self {
            account,
            group: None,
            queue_max: 5_000_000,
            profile: Arc::default(),
            part_receipts: PartReceipts::default(),
            times: Times::default(),
            bulk_tlv: None,
            join_inbound: false,
            rules: None,
            policy: Arc::default(),
            durability: Durability::default(),
            weight: 1,
            limits: throttle::Limits::default(),
            over_limit: OverLimit::default(),
        }
    }
}

/// Which receipts an account gets for a text that we divided into several messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartReceipts {
    /// One, when all parts have ended: the worst of their outcomes.
    #[default]
    Worst,
    /// One, when all parts have ended: the outcome of the one that ended last.
    Last,
    /// One for each part, all with the id of the message.
    Each,
}

/// A distribution list: a name that stands for several destinations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// 1 to 20 octets.
    pub name: String,
    /// Whose it is; `None`: everybody's.
    pub account: Option<AccountId>,
    pub members: Vec<Member>,
}

/// One destination of a distribution list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub ton: u8,
    pub npi: u8,
    /// 1 to 20 octets.
    pub addr: String,
}

/// A carrier, and how it writes message ids.
#[derive(Clone, Debug, PartialEq)]
pub struct CarrierPlan {
    pub carrier: Carrier,
    pub ids: IdForms,
    /// What it means by its statuses.
    pub statuses: Statuses,
    /// How its messages are tried again; `None`: as everybody's.
    pub retry: Option<Retry>,
    /// What becomes of a message that it does not answer.
    pub unanswered: Unanswered,
    /// When it counts as sick.
    pub breaker: BreakerRules,
}

impl CarrierPlan {
    /// A carrier that does as carriers usually do.
    pub fn new(carrier: Carrier) -> Self {
        Self {
            carrier,
            ids: IdForms::default(),
            statuses: Statuses::default(),
            retry: None,
            unanswered: Unanswered::default(),
            breaker: BreakerRules::default(),
        }
    }
}

/// What becomes of a message that went out and was not answered in time, or whose link was lost before: the carrier may have it, and
/// another attempt may double it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unanswered {
    /// It goes to the carrier again: twice rather than never.
    #[default]
    Retry,
    /// It ends UNKNOWN: never rather than twice.
    Fail,
    /// It counts as taken, under no id: its receipt is found by its destination, and without one it ends as any that has none.
    AssumeSent,
}

/// What bounds the hub's memory and patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages in all; beyond it ESME_RMSGQFUL.
    pub messages: usize,
    /// Octets of memory that the hub may use by its own books; what comes in beyond it gets ESME_RMSGQFUL.
    pub memory_octets: u64,
    /// Messages whose bodies are at hand; the rest is parked on disk.
    pub bodies: usize,
    /// How long a body stays at hand.
    pub body_age: Duration,
    /// Attempts after which a message is given up that its carrier, or our own words for it, fell over each time; 0: never.
    pub poison_attempts: u8,
    /// Dispatches in a row that a link leaves unanswered before it is ended, to be connected anew; 0: any number.
    pub silences: u32,
    /// How long a carrier is down before what waits for it goes on to other candidates.
    pub failover: Duration,
    /// Receipts held for messages that are not known yet.
    pub early_receipts: usize,
    /// How long after its validity a message waits for its receipt.
    pub receipt_grace: Duration,
    /// How a message ends then.
    pub unreceipted: Unreceipted,
    /// How long a receipt waits for its account to bind.
    pub receipt_retention: Duration,
    /// How long a message from a handset waits for its account to bind.
    pub inbound_retention: Duration,
    /// How long a receipt, or a message from a handset, that its account refused for now waits.
    pub receipt_retry: Duration,
    /// Messages that are gone and can still be asked for.
    pub final_states: usize,
    /// How long the answer to a message in transaction mode waits for its outcome.
    pub transaction: Duration,
    /// Parts of long texts that wait to be joined.
    pub gathering: assembly::Limits,
    /// What becomes of submitted parts whose others never came; those of handsets go to their account as they came.
    pub overdue_parts: Overdue,
    /// Bulks, and how long they are remembered.
    pub bulks: bulk::Limits,
    /// How messages of low priority get their turns at a carrier.
    pub aging: Guard,
    /// Messages that stand before carriers that take them, beyond which submissions wait if the hub has no time; 0: they never do.
    pub backlog: usize,
}

/// How a message ends whose carrier took it and never told its outcome (fact sheet 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreceipted {
    /// UNKNOWN: nobody can say whether it arrived.
    Unknown,
    /// EXPIRED.
    Expired,
}

/// What becomes of parts of a text whose others never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// They go out as they came.
    Send,
    /// They end REJECTED.
    Fail,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages: 20_000_000,
            memory_octets: u64::MAX,
            bodies: 500_000,
            body_age: Duration::from_secs(2),
            poison_attempts: 5,
            silences: 10,
            failover: Duration::from_secs(10),
            early_receipts: 100_000,
            receipt_grace: Duration::from_secs(3600),
            unreceipted: Unreceipted::Unknown,
            receipt_retention: Duration::from_secs(7 * 24 * 3600),
            inbound_retention: Duration::from_secs(48 * 3600),
            receipt_retry: Duration::from_secs(5),
            final_states: 20_000,
            transaction: Duration::from_secs(20),
            gathering: assembly::Limits::default(),
            overdue_parts: Overdue::Send,
            bulks: bulk::Limits::default(),
            aging: Guard::default(),
            backlog: 4_096,
        }
    }
}
