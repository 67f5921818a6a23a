//! How batches cross threads: by swapping whole vectors, under a lock that is held for a push.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
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

/// One sender, one task that is told by a bell.
#[derive(Debug)]
pub struct Outbox<T> {
    batches: Mutex<Vec<T>>,
    bell: Notify,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self { batches: Mutex::new(Vec::new()), bell: Notify::new() }
    }
}

impl<T> Outbox<T> {
    /// Puts a batch in and rings.
    pub fn send(&self, batch: T) {
        lock(&self.batches).push(batch);
        self.bell.notify_one();
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

/// Nothing panics while it holds one of these locks; if it did, what is inside would still be whole vectors.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

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
}
