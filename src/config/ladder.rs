//! How a message is tried again: the ladders of everybody, and of one carrier.

use super::section::Section;
use crate::schedule::{Ladder, Retry};
use std::time::Duration;

pub(super) fn retry(section: &mut Section<'_>, retry: &mut Retry) {
    let Retry { transient, queue_full, unknown, unanswered, throttle } = retry;
    let counted = [
        ("transient", transient),
        ("queue_full", queue_full),
        ("unknown", unknown),
        ("unanswered", unanswered),
    ];
    for (key, ladder) in counted {
        let mut section = section.section(key);
        waits(&mut section, ladder);
        section.set("attempts", 0..=255, &mut ladder.attempts);
    }
    // A message that is throttled has lost no attempt.
    waits(&mut section.section("throttle"), throttle);
}

fn waits(section: &mut Section<'_>, ladder: &mut Ladder) {
    if let Some(delays) = section.numbers("delays_s", 1..=604_800, 1..=WAITS_MAX) {
        ladder.delays = delays.into_iter().map(Duration::from_secs).collect();
    }
    section.set_share("jitter", &mut ladder.jitter);
}

/// Steps of a ladder.
const WAITS_MAX: usize = 100;
