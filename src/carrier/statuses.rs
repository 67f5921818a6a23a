//! What one carrier means by its statuses, where that is not what everybody means.
//!
//! A rule names one code or a range; the one for a single code counts more than a range around it (fact sheet 4).

use crate::codec::{Class, Status};
use thiserror::Error;

/// Classes of a carrier's own, over those of [`Status::class`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses {
    /// Sorted by code.
    exact: Vec<(u32, Class)>,
    /// First and last code, sorted; none meets another.
    ranges: Vec<(u32, u32, Class)>,
}

/// Why a rule can't be entered. The fault is the configuration's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StatusError {
    /// 0 is success and nothing else.
    #[error("0 is ESME_ROK, which is no refusal")]
    Success,
    #[error("the range ends before it begins")]
    Backwards,
    #[error("a rule before it is for {0:#010x} too")]
    Twice(u32),
}

impl Statuses {
    /// Gives the codes `from..=to` this class.
    ///
    /// # Errors
    /// Success can't be anything else, and two rules of one kind must not meet.
    pub fn insert(&mut self, from: u32, to: u32, class: Class) -> Result<(), StatusError> {
        if from == 0 {
            return Err(StatusError::Success);
        }
        if to < from {
            return Err(StatusError::Backwards);
        }
        if from == to {
            return match self.exact.binary_search_by_key(&from, |(code, _)| *code) {
                Ok(_) => Err(StatusError::Twice(from)),
                Err(place) => {
                    self.exact.insert(place, (from, class));
                    Ok(())
                }
            };
        }
        let place = self.ranges.partition_point(|(_, last, _)| *last < from);
        match self.ranges.get(place) {
            Some((first, ..)) if *first <= to => Err(StatusError::Twice(from.max(*first))),
            Some(_) | None => {
                self.ranges.insert(place, (from, to, class));
                Ok(())
            }
        }
    }

    /// What this carrier means by `status`.
    pub fn class(&self, status: Status) -> Class {
        if status.is_ok() {
            return Class::Ok;
        }
        if let Ok(place) = self.exact.binary_search_by_key(&status.0, |(code, _)| *code) {
            return self.exact[place].1;
        }
        let place = self.ranges.partition_point(|(_, last, _)| *last < status.0);
        match self.ranges.get(place) {
            Some((first, _, class)) if *first <= status.0 => *class,
            Some(_) | None => status.class(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field bug R10: what is temporary is the carrier's to say.
    #[test]
    fn single_code_counts_more_than_its_range_and_both_more_than_the_common_table() {
        let mut statuses = Statuses::default();
        statuses.insert(0x400, 0x4FF, Class::Transient).expect("fits");
        statuses.insert(0x412, 0x412, Class::Permanent).expect("fits");
        statuses.insert(0x45, 0x45, Class::Transient).expect("fits");
        statuses.insert(0x500, 0x5FF, Class::Throttle).expect("fits");

        let classes = [0, 0x08, 0x45, 0x3FF, 0x400, 0x412, 0x4FF, 0x500, 0x600]
            .map(|code| statuses.class(Status(code)));

        let (transient, route) = (Class::Transient, Class::Route);
        let expected = [
            Class::Ok,
            transient,
            transient,
            route,
            transient,
            Class::Permanent,
            transient,
            Class::Throttle,
            route,
        ];
        assert_eq!(classes, expected);
    }

    #[test]
    fn rules_that_meet_or_make_no_sense_are_refused() {
        let mut statuses = Statuses::default();
        statuses.insert(0x10, 0x20, Class::Route).expect("fits");
        statuses.insert(0x15, 0x15, Class::Transient).expect("fits");

        for (from, to, error) in [
            (0, 9, StatusError::Success),
            (9, 8, StatusError::Backwards),
            (0x20, 0x30, StatusError::Twice(0x20)),
            (0x05, 0x10, StatusError::Twice(0x10)),
            (0x01, 0x99, StatusError::Twice(0x10)),
            (0x15, 0x15, StatusError::Twice(0x15)),
        ] {
            assert_eq!(statuses.insert(from, to, Class::Permanent), Err(error), "{from:#x}..={to:#x}");
        }
        assert_eq!(statuses.insert(0x21, 0x30, Class::Permanent), Ok(()));
    }
}
