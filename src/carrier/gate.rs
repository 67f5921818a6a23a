//! When the links of one carrier may bind, all together.
//!
//! Each link has its own [`super::Backoff`]. But a carrier that refuses our name or password counts what all of them try, and locks
//! us out: so once it has, the links take turns, and until it has let anybody in they do so as well.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The gate that the links of one carrier go through.
#[derive(Debug)]
pub struct Gate {
    /// The wait between two binds before the first is accepted, and after one that was refused.
    paces: (Duration, Duration),
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The wait between two binds; `None`: it lets us in.
    pace: Option<Duration>,
    /// Nobody binds before.
    next: Option<Instant>,
}

impl Gate {
    /// The gate of a carrier with these shortest and longest waits between two attempts to connect.
    pub fn new((min, max): (Duration, Duration)) -> Self {
        let paces = (min.min(FIRST_PACE), max.min(REFUSED_PACE));
        Self { paces, inner: Mutex::new(Inner { pace: Some(paces.0), next: None }) }
    }

    /// Takes a turn; or tells until when there is none.
    ///
    /// # Errors
    /// The time at which to ask again; others may have the turn then.
    pub fn enter(&self, now: Instant) -> Result<(), Instant> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pace) = inner.pace else { return Ok(()) };
        match inner.next.filter(|next| *next > now) {
            Some(next) => Err(next),
            None => {
                inner.next = Some(now + pace);
                Ok(())
            }
        }
    }

    /// A link was let in: so are the others.
    pub fn accepted(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.pace, inner.next) = (None, None);
    }

    /// A link was refused for who we say we are.
    pub fn refused(&self, now: Instant) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = self.paces.1;
        (inner.pace, inner.next) = (Some(pace), Some(now + pace));
    }
}

/// The longest wait between binds until the first is accepted: long enough to hear how that one ends.
const FIRST_PACE: Duration = Duration::from_secs(1);
/// The longest wait after one that was refused: 19 more in ten minutes, however many links there are (reliability X20).
const REFUSED_PACE: Duration = Duration::from_millis(31_500);

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

    fn start() -> Instant {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        Instant::now()
    }

    /// Reliability X20: at most 20 in ten minutes, of all links together.
    #[test]
    fn many_links_of_a_carrier_that_refuses_us_try_twenty_times_in_ten_minutes() {
        let (gate, now) = (Gate::new(WAITS), start());
        let mut tries = 0;

        for millisecond in (0..600_000).step_by(50) {
            let at = now + Duration::from_millis(millisecond);
            for _link in 0..50 {
                if gate.enter(at).is_ok() {
                    tries += 1;
                    gate.refused(at + Duration::from_millis(200));
                }
            }
        }

        assert!((15..=20).contains(&tries), "{tries}");
    }

    #[test]
    fn first_link_that_is_let_in_opens_the_gate_for_all() {
        let (gate, now) = (Gate::new(WAITS), start());

        assert_eq!(gate.enter(now), Ok(()));
        let later = now + Duration::from_secs(1);
        assert_eq!(gate.enter(now), Err(later));
        gate.accepted();

        assert_eq!((gate.enter(now), gate.enter(now)), (Ok(()), Ok(())));
    }
}
