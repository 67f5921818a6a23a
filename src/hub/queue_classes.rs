//! What waits for a carrier: four classes by priority, and in each the accounts take turns ([`Turns`]).
//!
//! The highest class that has anything goes first, always; only a lower one whose next message has waited for longer than
//! [`Guard::patience`] gets every so-manieth turn, so that nobody starves. A queue of any length costs little more than eight octets a
//! message: only what leaves next is read back from the spool.

use super::queue_turns::Turns;
use super::table::Token;
use crate::id::AccountId;
use std::time::Duration;

/// One carrier's queue.
#[derive(Debug, Default)]
pub struct Classes {
    /// By priority, 0 to 3.
    classes: [Turns; CLASSES],
    /// Turns that others had since a class had one.
    passed: [u32; CLASSES],
    /// The class that [`Classes::front`] chose last.
    chosen: usize,
    /// How long it may become before the places of those that are gone are looked for.
    sweep_at: usize,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug)]
pub struct Stand {
    /// 0 to 3.
    pub class: u8,
    pub account: AccountId,
    /// Of the account.
    pub weight: u16,
}

/// That lower classes don't starve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// A message that has waited for longer has its class given turns.
    pub patience: Duration,
    /// One turn of so many; at least four, so that the highest class has turns too.
    pub each: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self { patience: Duration::from_secs(30), each: 16 }
    }
}

impl Classes {
    /// Messages that wait, and some that ended where they stand.
    pub fn len(&self) -> usize {
        self.classes.iter().map(Turns::len).sum()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As [`Classes::len`], by priority.
    pub fn lengths(&self) -> [usize; CLASSES] {
        std::array::from_fn(|class| self.classes[class].len())
    }

    /// Puts a message at the end of its account's; `is_there` says which messages are not gone.
    ///
    /// Messages end where they stand and leave their places behind: while nobody takes from the front, these are at most as
    /// many as the messages, and [`SWEEP_MIN`].
    pub fn push_back(&mut self, stand: Stand, token: Token, is_there: impl Fn(Token) -> bool) {
        if self.len() > self.sweep_at {
            self.classes.iter_mut().for_each(|class| class.sweep(&is_there));
            self.sweep_at = 2 * self.len() + SWEEP_MIN;
        }
        self.class(stand).push_back(stand.account, stand.weight, token);
    }

    /// Puts a message back where it came from: to the front, behind those of its account that came before it and are back already.
    pub fn put_back(&mut self, stand: Stand, token: Token) {
        self.class(stand).put_back(stand.account, stand.weight, token);
    }

    /// Puts a message before all others of its account.
    pub fn push_front(&mut self, stand: Stand, token: Token) {
        self.class(stand).push_front(stand.account, stand.weight, token);
    }

    /// The message that goes next, and whose it is; `is_old` says which have waited for too long.
    pub fn front(&mut self, guard: Guard, is_old: impl Fn(Token) -> bool) -> Option<(AccountId, Token)> {
        let top = (0..CLASSES).rev().find(|class| self.classes[*class].front().is_some())?;
        let each = guard.each.max(CLASSES as u32);
        let aged = (0..top).rev().find(|class| {
            self.passed[*class] + 1 >= each
                && self.classes[*class].front().is_some_and(|(_, token)| is_old(token))
        });
        self.chosen = aged.unwrap_or(top);
        self.classes[self.chosen].front()
    }

    /// Takes off the message that [`Classes::front`] gave; it costs its account so many segments, and none if it only left its
    /// place behind.
    pub fn pop(&mut self, segments: u32) -> Option<Token> {
        let token = self.classes[self.chosen].pop(segments)?;
        if segments > 0 {
            for class in 0..CLASSES {
                let is_passed = class < CLASSES - 1 && self.classes[class].len() > 0;
                self.passed[class] = if is_passed { self.passed[class].saturating_add(1) } else { 0 };
            }
            self.passed[self.chosen] = 0;
        }
        Some(token)
    }

    /// The account whose turn it is gets none in any class until it is woken.
    pub fn sleep(&mut self) {
        self.classes[self.chosen].sleep();
    }

    /// Whether any account has none.
    pub fn has_sleepers(&self) -> bool {
        self.classes.iter().any(Turns::has_sleepers)
    }

    /// The account has its turns again.
    pub fn wake(&mut self, account: AccountId) {
        self.classes.iter_mut().for_each(|class| class.wake(account));
    }

    /// Every account has its turns again.
    pub fn wake_all(&mut self) {
        self.classes.iter_mut().for_each(Turns::wake_all);
    }

    /// Has a look at about `most` messages that leave next with the one that [`Classes::front`] gave, unless that was done.
    pub fn look_ahead(&mut self, most: usize, look: impl FnMut(Token)) {
        self.classes[self.chosen].look_ahead(most, look);
    }

    /// Bodies at the front may have been parked: look again.
    pub fn look_again(&mut self) {
        self.classes[self.chosen].look_again();
    }

    /// The first message of each account in a class, in no order.
    pub fn firsts(&self, class: usize) -> impl Iterator<Item = Token> + '_ {
        self.classes[class].firsts()
    }

    fn class(&mut self, stand: Stand) -> &mut Turns {
        &mut self.classes[usize::from(stand.class).min(CLASSES - 1)]
    }
}

/// Priorities 0 to 3 (SMPP 3.4 §5.2.14); what is above counts as the highest.
pub const CLASSES: usize = 4;
/// A queue as short as this is not looked through for those that are gone.
const SWEEP_MIN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    const SHOP: AccountId = AccountId(0);

    fn stand(class: u8, account: u16) -> Stand {
        Stand { class, account: AccountId(account), weight: 1 }
    }

    fn token(number: u32) -> Token {
        Token { slot: number, serial: number }
    }

    fn filled(class: u8, count: u32) -> Classes {
        let mut queue = Classes::default();
        for number in 0..count {
            queue.push_back(stand(class, 0), token(number), |_| true);
        }
        queue
    }

    fn take(queue: &mut Classes, guard: Guard, is_old: impl Fn(Token) -> bool) -> Option<u32> {
        queue.front(guard, is_old)?;
        queue.pop(1).map(|token| token.slot)
    }

    proptest! {
        /// Against a plain list: while nothing is old, the highest class goes first, and each account's in their order.
        #[test]
        fn classes_are_strict(steps in prop::collection::vec((any::<bool>(), 0u8..4, 0u16..3), 1..300)) {
            let mut queue = Classes::default();
            let mut model: Vec<VecDeque<(u16, u32)>> = vec![VecDeque::new(); CLASSES];
            for (number, (is_push, class, account)) in steps.into_iter().enumerate() {
                let number = number as u32;
                if is_push {
                    queue.push_back(stand(class, account), token(number), |_| true);
                    model[usize::from(class)].push_back((account, number));
                    continue;
                }
                let front = queue.front(Guard::default(), |_| false);
                let Some(top) = model.iter_mut().rev().find(|class| !class.is_empty()) else {
                    prop_assert_eq!(front, None);
                    continue;
                };
                let (account, next) = front.expect("something waits");
                let first = top.iter().position(|(whose, _)| AccountId(*whose) == account);
                let first = first.and_then(|place| top.remove(place));
                prop_assert_eq!(first, Some((account.0, next.slot)));
                queue.pop(1);
            }
        }
    }

    #[test]
    fn class_that_waits_for_too_long_gets_every_nth_turn_and_no_more() {
        for each in [4, 16, 50] {
            let guard = Guard { each, ..Guard::default() };
            let mut queue = filled(3, 10_000);
            (10_000..15_000).for_each(|number| queue.push_back(stand(0, 0), token(number), |_| true));

            let low = (0..5_000).filter(|_| take(&mut queue, guard, |_| true) >= Some(10_000)).count();

            assert_eq!(low, 5_000 / each as usize);
        }
    }

    #[test]
    fn three_classes_that_wait_leave_turns_to_the_highest() {
        let guard = Guard { each: 1, ..Guard::default() }; // as if somebody had set it so
        let mut queue = filled(3, 1_000);
        for class in 0..3 {
            (0..1_000).for_each(|number| queue.push_back(stand(class, 0), token(number), |_| true));
        }

        for _ in 0..1_000 {
            take(&mut queue, guard, |_| true);
        }

        let left = queue.lengths();
        assert!(left.iter().all(|left| (700..=800).contains(left)), "{left:?}");
    }

    #[test]
    fn low_class_waits_while_it_is_young() {
        let mut queue = filled(1, 100);
        (100..200).for_each(|number| queue.push_back(stand(2, 0), token(number), |_| true));

        let order: Vec<u32> = std::iter::from_fn(|| take(&mut queue, Guard::default(), |_| false)).collect();

        assert_eq!(order, (100..200).chain(0..100).collect::<Vec<_>>());
    }

    #[test]
    fn what_comes_back_goes_in_its_old_order_before_the_others() {
        let mut queue = filled(0, 5);
        let mut out: Vec<Token> = Vec::new();
        for _ in 0..3 {
            queue.front(Guard::default(), |_| false);
            out.extend(queue.pop(1));
        }

        for place in [2, 0, 1] {
            queue.put_back(stand(0, 0), out[place]);
        }

        let order: Vec<u32> = std::iter::from_fn(|| take(&mut queue, Guard::default(), |_| false)).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn places_of_those_that_are_gone_are_at_most_as_many_as_the_rest() {
        let mut queue = Classes::default();
        for number in 0..100_000u32 {
            // Only the last hundred are there.
            queue.push_back(stand(0, (number % 7) as u16), token(number), |token| token.slot + 100 > number);
        }

        assert!(queue.len() <= SWEEP_MIN + 300, "{}", queue.len());
    }

    #[test]
    fn account_that_sleeps_is_passed_over_in_each_class() {
        let mut queue = filled(3, 2);
        queue.push_back(stand(3, 1), token(10), |_| true);

        assert_eq!(queue.front(Guard::default(), |_| false), Some((SHOP, token(0))));
        queue.sleep();
        assert_eq!(take(&mut queue, Guard::default(), |_| false), Some(10));
        assert_eq!(take(&mut queue, Guard::default(), |_| false), None);
        queue.wake(SHOP);

        assert_eq!(take(&mut queue, Guard::default(), |_| false), Some(0));
    }
}
