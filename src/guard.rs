//! Work on one message that must not take the process with it.
//!
//! A panic ends the process: the spool survives it, and a restart is safer than a hub with half a thread. But a message that makes
//! our own words for it panic would do so again after the restart, and again. So what is pure, concerns one message and may meet
//! anything in it is done inside [`guarded`]: a panic there is that message's alone. Whoever installs a hook that
//! ends the process asks [`is_guarded`] first.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// What `work` gives, or `None` if it panicked. What `work` was changing then is half done: the caller throws it away.
#[inline]
pub fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    DEPTH.set(DEPTH.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    done.ok()
}

/// Whether a panic of this thread would end inside [`guarded`].
pub fn is_guarded() -> bool {
    DEPTH.get() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_inside_stays_inside() {
        let mut was_guarded = false;

        let done = guarded(|| {
            was_guarded = is_guarded();
            let empty: Vec<u8> = Vec::new();
            empty[empty.len()]
        });

        assert_eq!((done, was_guarded, is_guarded()), (None, true, false));
        assert_eq!(guarded(|| 7), Some(7));
    }
}
