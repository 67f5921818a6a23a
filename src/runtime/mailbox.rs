//! How batches cross threads: by swapping whole vectors, under a lock that is held for a push.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Many senders, one thread that sleeps until something comes.
#[derive(Debug)]
pub struct Mailbox<T> {
    inner: Mutex<Inner<T>>,
    comes: Condvar,
}

#[derive(Debug)]
struct Inner<T> {
    letters: Vec<T>,
    poked: bool,
    sleeps: bool,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let inner = Inner { letters: Vec::new(), poked: false, sleeps: false };
        Self { inner: Mutex::new(inner), comes: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    /// Puts a letter in.
    pub fn send(&self, letter: T) {
        let mut inner = lock(&self.inner);
        inner.letters.push(letter);
        self.wake(inner);
    }

    /// Puts letters in, in order, and leaves `letters` empty.
    pub fn send_all(&self, letters: &mut Vec<T>) {
        if letters.is_empty() {
            return;
        }
        let mut inner = lock(&self.inner);
        inner.letters.append(letters);
        self.wake(inner);
    }

    /// Wakes the reader though there is no letter.
    pub fn poke(&self) {
        let mut inner = lock(&self.inner);
        inner.poked = true;
        self.wake(inner);
    }

    fn wake(&self, inner: MutexGuard<'_, Inner<T>>) {
        let sleeps = inner.sleeps;
        drop(inner);
        if sleeps {
            self.comes.notify_one();
        }
    }

    /// Moves everything that is in it to `letters`; sleeps until something is, somebody pokes, or `deadline`.
    #[allow(clippy::disallowed_methods)] // sleeping until an instant needs to know how far off it is
    pub fn receive(&self, letters: &mut Vec<T>, deadline: Option<Instant>) {
        let mut inner = lock(&self.inner);
        while inner.letters.is_empty() && !inner.poked {
            inner.sleeps = true;
            let Some(deadline) = deadline else {
                inner = self.comes.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (inner, _) = self.comes.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner);
        }
        (inner.sleeps, inner.poked) = (false, false);
        if letters.is_empty() {
            std::mem::swap(letters, &mut inner.letters);
        } else {
            letters.append(&mut inner.letters);
        }
    }
}

/// One sender, one task that is told by a bell. Who puts something in rings later, see [`Bells`].
#[derive(Debug)]
pub struct Outbox<T> {
    batches: Mutex<Vec<T>>,
    bell: Arc<Notify>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self { batches: Mutex::new(Vec::new()), bell: Arc::default() }
    }
}

impl<T> Outbox<T> {
    /// Puts a batch in; gives the bell that is to be rung for it, unless that is so already for another.
    pub fn put(&self, batch: T) -> Option<&Arc<Notify>> {
        let mut batches = lock(&self.batches);
        batches.push(batch);
        (batches.len() == 1).then_some(&self.bell)
    }

    /// Takes all batches out.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut lock(&self.batches))
    }

    /// What rings when a batch has come.
    pub fn bell(&self) -> &Notify {
        &self.bell
    }
}

/// The bells of those who have something in their outboxes, rung together and not too often.
///
/// Each ring costs a wake-up, a write and the peer's read, whatever it is for; with hundreds of busy sessions that is most of what a
/// message costs, while more of it comes for each of them within moments. So a round of rings is followed by a rest that grows
/// with the number of bells: few sessions hear at once, many hear of more at a time.
#[derive(Debug)]
pub struct Bells {
    waiting: Vec<Arc<Notify>>,
    /// The rest after a round, for each bell in it.
    rest: Duration,
    /// When the last round's rest is over.
    rested: Option<Instant>,
}

impl Bells {
    /// Bells that rest so long for each of a round, and [`REST_MAX`] at most.
    pub fn new(rest: Duration) -> Self {
        Self { waiting: Vec::new(), rest, rested: None }
    }

    /// This one is to ring in the next round.
    pub fn add(&mut self, bell: &Arc<Notify>) {
        self.waiting.push(Arc::clone(bell));
    }

    /// When [`Bells::ring`] has something to do.
    pub fn next_round(&self) -> Option<Instant> {
        self.rested.filter(|_| !self.waiting.is_empty())
    }

    /// Rings all that wait, if the last round's rest is over.
    pub fn ring(&mut self, now: Instant) {
        if self.waiting.is_empty() || self.rested.is_some_and(|rested| now < rested) {
            return;
        }
        let rest = self.rest * u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        self.rested = Some(now + rest.min(REST_MAX));
        self.ring_all();
    }

    /// Rings all that wait, rest or not.
    pub fn ring_all(&mut self) {
        for bell in self.waiting.drain(..) {
            bell.notify_one();
        }
    }
}

/// The longest rest of [`Bells`].
pub const REST_MAX: Duration = Duration::from_millis(10);

/// Nothing panics while it holds one of these locks; if it did, what is inside would still be whole vectors.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    #[test]
    fn letters_come_in_order_and_all_at_once() {
        let mailbox = Arc::new(Mailbox::default());
        let sender = Arc::clone(&mailbox);
        let thread = std::thread::spawn(move || (0..1000).for_each(|letter| sender.send(letter)));

        let (mut all, mut letters) = (Vec::new(), Vec::new());
        while all.len() < 1000 {
            mailbox.receive(&mut letters, None);
            all.append(&mut letters);
        }

        assert!(thread.join().is_ok());
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn poke_wakes_without_a_letter() {
        let mailbox = Mailbox::<u8>::default();
        let mut letters = Vec::new();

        mailbox.poke();
        mailbox.receive(&mut letters, None);

        assert!(letters.is_empty());
    }

    #[test]
    fn few_bells_ring_at_once_and_many_in_rounds() {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        let start = Instant::now();
        let at = |us| start + Duration::from_micros(us);
        let mut bells = Bells::new(Duration::from_micros(20));
        let outboxes: Vec<Outbox<u8>> = (0..2000).map(|_| Outbox::default()).collect();
        let put = |bells: &mut Bells, number: usize| {
            outboxes[number].put(0).into_iter().for_each(|bell| bells.add(bell));
        };
        let rung = |number: usize| {
            pin!(outboxes[number].bell().notified()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
        };

        put(&mut bells, 0);
        bells.ring(at(0));
        assert!(rung(0));
        put(&mut bells, 1);
        put(&mut bells, 1);
        assert_eq!(bells.next_round(), Some(at(20)));
        bells.ring(at(19));
        assert!(!rung(1), "the others' rest is not over");
        bells.ring(at(20));
        assert!(rung(1) && outboxes[1].take().len() == 2);
        assert_eq!(bells.next_round(), None);

        (2..2000).for_each(|number| put(&mut bells, number));
        bells.ring(at(1000));
        put(&mut bells, 1);
        assert_eq!(bells.next_round(), Some(at(1000) + REST_MAX));
        assert!(!rung(0), "nothing was put there since");
        bells.ring_all();
        assert!(rung(1));
    }
}
