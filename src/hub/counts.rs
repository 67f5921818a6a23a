//! What calendar limits have counted survives a restart, without a record for each message.
//!
//! After a restart, what a carrier took is counted anew from the records of its messages, and what an account submitted too. Segments
//! of the spool go, and such records with them: so before one goes, what was counted until then is written down ([`Record::Used`]).
//! What compaction writes again is known by its id, and counts once.

use super::Hub;
use super::pace::{AccountPace, CarrierPace, Meter, OverLimit};
use super::replay::Replay;
use crate::carrier::Carrier;
use crate::clock::UnixMs;
use crate::spool::{Journal, Record};
use crate::throttle::{Limits, Quota};

impl Hub {
    /// Writes down what limits have counted in the windows that are open.
    pub(super) fn keep_counts(&mut self) {
        let Self { carriers, accounts, journal, now, .. } = self;
        for carrier in carriers.iter() {
            keep(journal, (&carrier.name, false), carrier.pace.counts(), now.wall);
        }
        for account in accounts {
            if let Some(pace) = &account.pace {
                keep(journal, (&account.name, true), pace.counts(), now.wall);
            }
        }
    }
}

impl Replay {
    pub(super) fn take_used(&mut self, name: &[u8], is_account: bool, minute: (u64, u64), day: (u64, u64)) {
        match is_account {
            false => {
                let carrier = self.carrier(name);
                self.carriers[usize::from(carrier.0)].pace.resume(minute, day);
            }
            true => {
                let account = self.account(name);
                if let Some(pace) = &mut self.accounts[usize::from(account.0)].pace {
                    pace.resume(minute, day);
                }
            }
        }
    }
}

impl CarrierPace {
    /// With the limits of `carrier`; what it has counted in this minute and day counts on.
    pub fn go_on(&self, carrier: &Carrier) -> Self {
        let mut pace = Self::new(carrier);
        carry([&self.meter.minute, &self.meter.day], [&mut pace.meter.minute, &mut pace.meter.day]);
        carry(self.taken.each_ref(), pace.taken.each_mut());
        pace
    }

    fn counts(&self) -> [Option<&Quota>; 2] {
        self.taken.each_ref().map(Option::as_ref)
    }

    fn resume(&mut self, minute: (u64, u64), day: (u64, u64)) {
        let [minutes, days] = &mut self.taken;
        resume([&mut self.meter.minute, minutes], minute);
        resume([&mut self.meter.day, days], day);
    }
}

impl AccountPace {
    /// As [`CarrierPace::go_on`].
    pub fn go_on(before: Option<&Self>, limits: &Limits, over: OverLimit) -> Option<Box<Self>> {
        let mut pace = Self::new(limits, over)?;
        if let Some(before) = before {
            let Meter { minute, day, .. } = &mut pace.meter;
            carry([&before.meter.minute, &before.meter.day], [minute, day]);
        }
        Some(pace)
    }

    fn counts(&self) -> [Option<&Quota>; 2] {
        [self.meter.minute.as_ref(), self.meter.day.as_ref()]
    }

    fn resume(&mut self, minute: (u64, u64), day: (u64, u64)) {
        resume([&mut self.meter.minute], minute);
        resume([&mut self.meter.day], day);
    }
}

fn carry(before: [&Option<Quota>; 2], now: [&mut Option<Quota>; 2]) {
    for (before, now) in before.into_iter().zip(now) {
        if let (Some((number, used)), Some(now)) = (before.as_ref().and_then(Quota::state), now) {
            now.resume(number, used);
        }
    }
}

fn resume<const N: usize>(quotas: [&mut Option<Quota>; N], (number, used): (u64, u64)) {
    quotas.into_iter().flatten().for_each(|quota| quota.resume(number as i64, used));
}

fn keep(
    journal: &mut Journal,
    (name, is_account): (&[u8], bool),
    [minute, day]: [Option<&Quota>; 2],
    at: UnixMs,
) {
    let count = |quota: Option<&Quota>| quota.and_then(Quota::state).unwrap_or_default();
    let (minute, day) = (count(minute), count(day));
    if minute.1 + day.1 > 0 {
        let [minute, day] = [minute, day].map(|(number, used)| (number.max(0) as u64, used));
        journal.append(&Record::Used { name, is_account, at, minute, day });
    }
}
