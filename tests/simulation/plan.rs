//! What one seed decides before anything happens: sizes, habits, and everything that goes wrong.

use super::agenda::{HOUR, MINUTE, MS, Micros, SECOND};
use enroute::admission::Rules;
use enroute::carrier::Carrier;
use enroute::clock::Caution;
use enroute::conversion::{Long, Profile};
use enroute::correlation::{IdForm, IdForms};
use enroute::esme::Account;
use enroute::hub::{AccountPlan, CarrierPlan, Durability, Limits, Settings};
use enroute::id::{AccountId, CarrierId};
use enroute::route::inbound::Rule;
use enroute::route::{Inbound, Reach, Routes};
use enroute::schedule::{Ladder, Retry};
use enroute::session::{self, BindKind, Timers};
use enroute::spool::{self, CompactionRules};
use fastrand::Rng;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a seed decides ahead.
pub struct Plan {
    pub hub: Settings,
    pub session: session::Settings,
    pub spool: spool::Settings,
    pub commit_gap: Micros,
    /// Octets that are given up when the disk is full.
    pub reserve_octets: u64,
    /// Until when there are faults and new messages.
    pub war: Micros,
    /// When everything must be over, counted from the end of the war.
    pub peace: Micros,
    pub faults: Vec<(Micros, Fault)>,
    pub customers: Vec<Habits>,
    pub carriers: Vec<Conduct>,
    /// Of a hundred writes to the network so many are cut into pieces.
    pub splits: u32,
    /// The longest validity that messages ask for, in seconds.
    pub validity_s: u64,
}

/// How a customer is.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    pub account: usize,
    /// It is no customer at all: it says whatever it likes.
    pub is_hostile: bool,
    pub kind: BindKind,
    /// interface_version of its bind.
    pub version: u8,
    pub window: usize,
    /// Mean time between two batches of submissions.
    pub pause: Micros,
    /// Submissions of a batch at most.
    pub batch: usize,
    /// Of a hundred deliveries so many are not answered, answered late, and refused for now.
    pub mute: u32,
    pub slow: u32,
    pub sulky: u32,
    /// Octets that it reads at one time, and how long it rests after that; 0: it reads everything at once.
    pub sip: usize,
    pub rest: Micros,
}

/// How a carrier is.
#[derive(Clone, Copy, Debug)]
pub struct Conduct {
    /// Longest time to an ordinary answer.
    pub latency: Micros,
    /// Of a thousand messages so many meet this.
    pub throttled: u32,
    pub full: u32,
    pub unknown: u32,
    pub permanent: u32,
    pub silent: u32,
    pub late: u32,
    pub twice: u32,
    pub early: u32,
    /// Receipts that never come, and receipts that take up to an hour.
    pub unreceipted: u32,
    pub delayed: u32,
    /// Ids begin again after so many.
    pub ids: u64,
    /// Receipts write ids in hex.
    pub hex: bool,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine loses power, for so long; so many starts after it are cut short.
    PowerCut {
        away: Micros,
        again: u32,
    },
    /// kill -9.
    Kill {
        away: Micros,
        again: u32,
    },
    /// SIGTERM.
    Terminate {
        away: Micros,
    },
    /// The nth sync from now fails.
    Sync {
        after: u32,
    },
    Write {
        after: u32,
    },
    Directory {
        after: u32,
    },
    Read {
        after: u32,
    },
    /// Every sync of the disk fails.
    Sick {
        lasts: Micros,
    },
    Full {
        lasts: Micros,
    },
    /// Syncs and reads take seconds.
    Slow {
        lasts: Micros,
    },
    /// A connection breaks: one of the hub's, whichever `pick` means.
    Break {
        pick: usize,
    },
    /// A connection goes half-open.
    Swallow {
        pick: usize,
        both: bool,
    },
    Stall {
        pick: usize,
        lasts: Micros,
    },
    Carrier {
        carrier: usize,
        mood: Mood,
        lasts: Micros,
    },
    Clock {
        by_ms: i64,
    },
    /// A customer has much to say at once.
    Burst {
        customer: usize,
        messages: usize,
    },
    /// A bit of the store turns over, and nobody is told.
    Flip,
}

/// What a carrier does for a while instead of what it usually does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Usual,
    /// Nobody can connect, and all connections break.
    Away,
    /// It takes no binds.
    Refusing,
    Throttling,
    Full,
    /// It answers enquire_link and nothing else.
    Mute,
    /// It answers after the response timer.
    Late,
    /// It writes octets that mean nothing.
    Babbling,
    /// It says goodbye as soon as it is bound.
    Leaving,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let war = 10 * MINUTE + random.u64(0..10 * MINUTE);
        let long = random.u8(0..10) == 0;
        let validity_s = if long { 72 * 3600 } else { random.u64(300..3600) };
        let grace = if long { HOUR } else { 5 * MINUTE };
        let carriers: Vec<Conduct> = (0..2).map(|_| conduct(&mut random)).collect();
        let customers = (0..random.usize(2..5)).map(|place| habits(place, &mut random)).collect();
        let hub = settings(&carriers, validity_s, grace, &mut random);
        let longest =
            hub.rules.max_validity.as_micros() as Micros + hub.rules.max_schedule.as_micros() as Micros;
        let timers = Timers {
            response: Duration::from_secs(random.u64(5..31)),
            enquire: Duration::from_secs(random.u64(10..61)),
            ..Timers::default()
        };
        let segment_kib = random.u64(16..128);
        Self {
            session: session::Settings { timers, ..session::Settings::default() },
            spool: spool::Settings {
                segment_octets: segment_kib << 10,
                frame_octets: 1 << random.u32(9..12),
                spares: random.usize(0..3),
            },
            commit_gap: random.u64(0..3) * MS,
            reserve_octets: [0, random.u64(4..64) << 10][random.usize(0..2)],
            war,
            // An hour, and two that the clock may be set back by.
            peace: longest + grace + 3 * HOUR,
            faults: faults(war, &mut random),
            hub,
            customers,
            carriers,
            splits: random.u32(0..30),
            validity_s,
        }
    }
}

/// How common trouble is in this run: now and then there is none of a kind at all.
fn share(most: u32, random: &mut Rng) -> u32 {
    if random.bool() { 0 } else { random.u32(0..=most) }
}

fn habits(place: usize, random: &mut Rng) -> Habits {
    let is_slow = random.u8(0..8) == 0;
    // The first of each account does everything.
    let kinds = [BindKind::Transceiver, BindKind::Transmitter, BindKind::Receiver];
    let kind = if place < ACCOUNTS { BindKind::Transceiver } else { kinds[random.usize(0..3)] };
    Habits {
        account: place % ACCOUNTS,
        is_hostile: place >= ACCOUNTS && random.bool(),
        kind,
        version: [0x34, 0x34, 0x33, 0x50][random.usize(0..4)],
        window: random.usize(1..20),
        pause: random.u64(2 * SECOND..10 * SECOND),
        batch: random.usize(1..12),
        mute: share(5, random),
        slow: share(10, random),
        sulky: share(10, random),
        sip: if is_slow { random.usize(1..200) } else { 0 },
        rest: random.u64(10 * MS..SECOND),
    }
}

fn conduct(random: &mut Rng) -> Conduct {
    Conduct {
        latency: random.u64(MS..2 * SECOND),
        throttled: share(50, random),
        full: share(20, random),
        unknown: share(20, random),
        permanent: share(50, random),
        silent: share(20, random),
        late: share(20, random),
        twice: share(20, random),
        early: share(200, random),
        unreceipted: share(20, random),
        delayed: share(100, random),
        ids: if random.u8(0..4) == 0 { random.u64(3..30) } else { u64::MAX },
        hex: random.u8(0..3) == 0,
    }
}

fn settings(carriers: &[Conduct], validity_s: u64, grace: Micros, random: &mut Rng) -> Settings {
    let carriers = carriers.iter().enumerate().map(|(place, conduct)| {
        let profile = Profile {
            long: match random.u8(0..5) {
                0 => Long::Udh8,
                1 => Long::Udh16,
                2 => Long::Sar,
                _ => Long::Pass,
            },
            ..Profile::default()
        };
        let carrier = Carrier {
            window: random.usize(1..20),
            links: random.usize(1..4),
            reconnect: (Duration::from_secs(1), Duration::from_secs(random.u64(2..30))),
            profile: Arc::new(profile),
            ..Carrier::new(CARRIERS[place], "")
        };
        let forms = match conduct.hex {
            true => IdForms { response: IdForm::Decimal, receipt: IdForm::Hex },
            false => IdForms { response: IdForm::Text, receipt: IdForm::Text },
        };
        CarrierPlan { ids: forms, ..CarrierPlan::new(carrier) }
    });
    let carriers: Vec<_> = carriers.collect();
    let accounts = (0..ACCOUNTS).map(|place| {
        let account = Account {
            window: random.usize(5..50),
            deliver_window: random.usize(1..20),
            ..Account::new(NAMES[place], "secret")
        };
        let durability = match random.u8(0..8) {
            0 => Durability::Memory,
            1 => Durability::Os,
            _ => Durability::Disk,
        };
        // The first one relies on the disk in every run.
        let durability = if place == 0 { Durability::Disk } else { durability };
        AccountPlan { durability, ..AccountPlan::new(account) }
    });
    let accounts: Vec<_> = accounts.collect();
    let routes = Routes::by_prefix([("4478", CarrierId(1))], Some(CarrierId(0))).expect("digits");
    let mut inbound = Inbound::default();
    for (place, code) in CODES.iter().enumerate() {
        let destination = Reach::Whole((*code).to_owned());
        let account = AccountId(place as u16);
        inbound.insert(Rule::new(destination, account)).expect("different");
    }
    Settings {
        accounts,
        carriers,
        lists: Vec::new(),
        routes: routes.into(),
        inbound,
        screening: Default::default(),
        rules: Rules {
            max_validity: Duration::from_secs(validity_s.min(48 * 3600)),
            default_validity: Duration::from_secs(validity_s.min(48 * 3600)),
            max_schedule: Duration::from_secs(validity_s),
        },
        retry: retry(random),
        limits: Limits {
            bodies: random.usize(4..200),
            backlog: random.usize(0..40),
            body_age: Duration::from_secs(random.u64(1..5)),
            receipt_grace: Duration::from_micros(grace),
            ..Limits::default()
        },
        compaction: CompactionRules { factor: random.u64(2..4), slack_octets: random.u64(1..64) << 10 },
        caution: Caution { hold: Duration::from_secs(120), ..Caution::default() },
    }
}

fn retry(random: &mut Rng) -> Retry {
    match random.bool() {
        true => Retry::default(),
        false => {
            let quick = Ladder::of_seconds(&[2, 5, 10, 20]);
            Retry {
                transient: quick.clone(),
                queue_full: quick.clone(),
                unanswered: quick,
                ..Retry::default()
            }
        }
    }
}

fn faults(war: Micros, random: &mut Rng) -> Vec<(Micros, Fault)> {
    let mut faults = Vec::new();
    // One run in ten sees nothing but its peers.
    if random.u8(0..10) == 0 {
        return faults;
    }
    let has_clock = random.u8(0..4) == 0;
    let flips = if random.u8(0..12) == 0 { random.u32(1..4) } else { 0 };
    for _ in 0..flips {
        let at = random.u64(MINUTE..war);
        // What is damaged shows when it is read again.
        let kill = Fault::Kill { away: SECOND, again: 0 };
        faults.extend([(at, Fault::Flip), (at + random.u64(0..MINUTE), kill)]);
    }
    for _ in 0..random.u32(1..40) {
        let at = random.u64(SECOND..war);
        let lasts = random.u64(SECOND..MINUTE);
        let away = random.u64(SECOND / 10..20 * SECOND);
        let again = if random.u8(0..3) == 0 { random.u32(1..4) } else { 0 };
        let pick = random.usize(0..1000);
        let fault = match random.u8(0..20) {
            0 | 1 => Fault::PowerCut { away, again },
            2 | 3 => Fault::Kill { away, again },
            4 => Fault::Terminate { away },
            5 => Fault::Sync { after: random.u32(0..20) },
            6 if random.bool() => Fault::Write { after: random.u32(0..20) },
            6 => Fault::Read { after: random.u32(0..20) },
            7 => Fault::Directory { after: random.u32(0..5) },
            8 => Fault::Sick { lasts },
            9 => Fault::Full { lasts },
            10 => Fault::Slow { lasts },
            11 | 12 => Fault::Break { pick },
            13 => Fault::Swallow { pick, both: random.bool() },
            14 => Fault::Stall { pick, lasts },
            15 => Fault::Burst { customer: pick, messages: random.usize(10..100) },
            16 if has_clock => Fault::Clock { by_ms: step(random) },
            _ => Fault::Carrier { carrier: random.usize(0..2), mood: mood(random), lasts: 3 * lasts },
        };
        // The end comes while much is under way and little of it is on the disk.
        let is_sudden = matches!(fault, Fault::PowerCut { .. } | Fault::Kill { .. });
        if is_sudden && random.u8(0..3) == 0 {
            let before = at.saturating_sub(10 * SECOND);
            let messages = random.usize(20..100);
            faults.push((before, Fault::Slow { lasts: 11 * SECOND }));
            faults.extend((0..4).map(|customer| (before, Fault::Burst { customer, messages })));
        }
        faults.push((at, fault));
    }
    faults.sort_by_key(|(at, _)| *at);
    faults
}

fn step(random: &mut Rng) -> i64 {
    let most = if random.bool() { 30_000 } else { 3_600_000 };
    random.i64(-most..most)
}

fn mood(random: &mut Rng) -> Mood {
    const MOODS: [Mood; 8] = [
        Mood::Away,
        Mood::Refusing,
        Mood::Throttling,
        Mood::Full,
        Mood::Mute,
        Mood::Late,
        Mood::Babbling,
        Mood::Leaving,
    ];
    MOODS[random.usize(0..MOODS.len())]
}

/// Accounts that there are, and where handsets write to reach them.
pub const ACCOUNTS: usize = 2;
pub const NAMES: [&str; ACCOUNTS] = ["shop", "bank"];
pub const CODES: [&str; ACCOUNTS] = ["70001", "70002"];
const CARRIERS: [&str; 2] = ["alpha", "beta"];
