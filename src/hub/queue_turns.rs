//! Messages of several accounts that take turns: each account gets its share of the segments by its weight, whatever it has waiting.
//!
//! Deficit round-robin (Shreedhar and Varghese, 1995) in the form that takes a message first and pays afterwards: an account in its
//! turn sends until its credit is used up, and comes back after as many rounds as it needs to have credit again. Rounds are places on
//! a ring, so nobody is looked at who can't send: each step costs the same however many accounts wait.
//!
//! ```text
//!  round       7        8        9       10    ..   one ring of 64
//!            a b c      d                e          a sends `weight` segments, then stands in round 8;
//!            ▲ first                                e sent a long text, and pays it off until round 10
//! ```

use super::table::Token;
use crate::id::AccountId;
use foldhash::HashMap;
use std::collections::VecDeque;

/// The messages of one class, by account.
#[derive(Debug, Default)]
pub(super) struct Turns {
    flows: Vec<Flow>,
    free: Vec<u32>,
    by_account: HashMap<AccountId, u32>,
    /// Accounts by the round in which they are next; none as long as nothing ever waited.
    rounds: Vec<List>,
    /// Which of the rounds have accounts.
    busy: u64,
    round: u64,
    len: usize,
    /// Accounts that sleep.
    asleep: usize,
    /// Messages at the front of an account are known to be looked at if its mark is this one.
    looks: u32,
    /// How many more leave before the front is looked at again.
    looked: usize,
    order: Vec<u32>,
}

/// One account's messages.
#[derive(Debug)]
struct Flow {
    tokens: VecDeque<Token>,
    /// Segments that it may still send in its turn; it has that credit when its round comes.
    credit: i32,
    weight: i32,
    account: AccountId,
    is_asleep: bool,
    /// How many at the front were looked at, at which look.
    ready: u32,
    looks: u32,
    next: u32,
}

/// Accounts in one round, first to last.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

impl Turns {
    /// Messages that wait, with those that are held back.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Puts a message behind the others of its account.
    pub fn push_back(&mut self, account: AccountId, weight: u16, token: Token) {
        let place = self.flow(account, weight);
        self.flows[place as usize].tokens.push_back(token);
        self.note_more();
    }

    /// Puts a message back where it came from: to the front of its account's, behind those that came before it and are back already.
    pub fn put_back(&mut self, account: AccountId, weight: u16, token: Token) {
        let before = |known: &&Token| (known.serial.wrapping_sub(token.serial) as i32) < 0;
        let place = self.flow(account, weight);
        let flow = &mut self.flows[place as usize];
        let at = flow.tokens.iter().take(AHEAD).take_while(before).count();
        flow.tokens.insert(at, token);
        flow.ready = 0; // whoever is first now may have been parked meanwhile: look at all of them again
        self.note_more();
    }

    /// Puts a message before all others of its account.
    pub fn push_front(&mut self, account: AccountId, weight: u16, token: Token) {
        let place = self.flow(account, weight);
        let flow = &mut self.flows[place as usize];
        flow.tokens.push_front(token);
        flow.ready = 0;
        self.note_more();
    }

    /// Whose turn it is, and the message that goes next.
    pub fn front(&mut self) -> Option<(AccountId, Token)> {
        loop {
            let ahead = self.busy.rotate_right(self.place_of(self.round)).trailing_zeros();
            if self.busy == 0 {
                return None;
            }
            self.round += u64::from(ahead);
            let first = self.rounds[self.place_of(self.round) as usize].first;
            let flow = &self.flows[first as usize];
            match flow.tokens.front() {
                None => {
                    self.unlink_first();
                    self.retire(first);
                }
                // It owed more than the ring is long.
                Some(_) if flow.credit <= 0 => {
                    self.unlink_first();
                    self.link(first);
                }
                Some(token) => return Some((flow.account, *token)),
            }
        }
    }

    /// Takes the message off that [`Turns::front`] gave, which costs its account so many segments.
    pub fn pop(&mut self, segments: u32) -> Option<Token> {
        self.front()?;
        let first = self.rounds[self.place_of(self.round) as usize].first;
        let flow = &mut self.flows[first as usize];
        let token = flow.tokens.pop_front()?;
        flow.credit = flow.credit.saturating_sub_unsigned(segments);
        flow.ready = flow.ready.saturating_sub(1);
        self.len -= 1;
        self.looked = self.looked.saturating_sub(1);
        // Who has a debt of several rounds pays it even if nothing of it waits now.
        let is_done = flow.tokens.is_empty() && flow.credit > -flow.weight;
        if is_done || flow.credit <= 0 {
            self.unlink_first();
            match is_done {
                true => self.retire(first),
                false => self.link(first),
            }
        }
        Some(token)
    }

    /// Whose turn it is gets none until it is woken.
    pub fn sleep(&mut self) {
        if self.front().is_some() {
            let first = self.rounds[self.place_of(self.round) as usize].first;
            self.unlink_first();
            self.flows[first as usize].is_asleep = true;
            self.asleep += 1;
        }
    }

    /// An account that was put to sleep has its turns again.
    pub fn wake(&mut self, account: AccountId) {
        let Some(place) = self.by_account.get(&account).copied() else { return };
        if std::mem::take(&mut self.flows[place as usize].is_asleep) {
            self.asleep -= 1;
            self.append(place, 1);
        }
    }

    /// Whether any account sleeps.
    pub fn has_sleepers(&self) -> bool {
        self.asleep > 0
    }

    /// Every account has its turns again.
    pub fn wake_all(&mut self) {
        let mut accounts: Vec<AccountId> = self.by_account.keys().copied().collect();
        accounts.sort_unstable(); // what is done to all is done alike in every run
        accounts.into_iter().for_each(|account| self.wake(account));
    }

    /// Forgets those that are gone.
    pub fn sweep(&mut self, is_there: impl Fn(Token) -> bool) {
        let flows = self.by_account.values();
        for place in flows {
            let flow = &mut self.flows[*place as usize];
            flow.tokens.retain(|token| is_there(*token));
            flow.ready = 0;
        }
        self.len = self.flows.iter().map(|flow| flow.tokens.len()).sum();
    }

    /// Has a look at the messages that leave next, `most` of them or so, that nobody has looked at yet.
    pub fn look_ahead(&mut self, most: usize, mut look: impl FnMut(Token)) {
        if self.looked > 0 {
            return;
        }
        self.looked = (most / 2).max(1);
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        order.extend(self.next_flows().take(most));
        let share: usize = order.iter().map(|place| self.flows[*place as usize].weight as usize).sum();
        let rounds = most.div_ceil(share.max(1));
        let (mut left, looks) = (most, self.looks);
        for place in &order {
            let flow = &mut self.flows[*place as usize];
            let each = (flow.weight as usize * rounds).min(left).min(flow.tokens.len());
            let from = if flow.looks == looks { flow.ready as usize } else { 0 };
            for token in flow.tokens.range(from.min(each)..each) {
                look(*token);
            }
            (flow.ready, flow.looks) = (each.max(from) as u32, looks);
            left -= each;
            if left == 0 {
                break;
            }
        }
        self.order = order;
    }

    /// Bodies at the front may have been parked: look again.
    pub fn look_again(&mut self) {
        self.looks = self.looks.wrapping_add(1);
        self.looked = 0;
    }

    /// The first message of each account, in no order.
    pub fn firsts(&self) -> impl Iterator<Item = Token> + '_ {
        self.by_account.values().filter_map(|place| self.flows[*place as usize].tokens.front().copied())
    }

    fn next_flows(&self) -> impl Iterator<Item = u32> + '_ {
        let rounds = if self.rounds.is_empty() { 0 } else { ROUNDS };
        (0..rounds).flat_map(move |ahead| {
            let first = self.rounds[self.place_of(self.round + ahead) as usize].first;
            std::iter::successors((first != NONE).then_some(first), |place| {
                let next = self.flows[*place as usize].next;
                (next != NONE).then_some(next)
            })
        })
    }

    fn note_more(&mut self) {
        self.len += 1;
        if self.len <= AHEAD {
            self.looked = 0;
        }
    }

    /// The account's place; a new one has its turn in the next round.
    fn flow(&mut self, account: AccountId, weight: u16) -> u32 {
        if let Some(place) = self.by_account.get(&account) {
            return *place;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.flows.push(Flow::default());
            self.flows.len() as u32 - 1
        });
        let flow = &mut self.flows[place as usize];
        let weight = i32::from(weight.max(1));
        (flow.account, flow.weight, flow.credit, flow.ready) = (account, weight, weight, 0);
        self.by_account.insert(account, place);
        self.append(place, 1);
        place
    }

    /// Forgets an account of which nothing waits.
    fn retire(&mut self, place: u32) {
        let flow = &mut self.flows[place as usize];
        if flow.tokens.capacity() > KEPT_CAPACITY {
            flow.tokens = VecDeque::new();
        }
        self.by_account.remove(&flow.account);
        self.free.push(place);
    }

    /// Puts an account into the round in which it has credit again, and gives it that.
    fn link(&mut self, place: u32) {
        let flow = &mut self.flows[place as usize];
        let missing = (1 - i64::from(flow.credit)).max(0) as u64;
        let rounds = missing.div_ceil(flow.weight as u64).clamp(1, ROUNDS - 1);
        flow.credit = flow.credit.saturating_add(flow.weight.saturating_mul(rounds as i32));
        self.append(place, rounds);
    }

    fn append(&mut self, place: u32, rounds: u64) {
        if self.rounds.is_empty() {
            self.rounds = vec![List::EMPTY; ROUNDS as usize];
        }
        let at = self.place_of(self.round + rounds);
        let list = &mut self.rounds[at as usize];
        match list.last {
            NONE => list.first = place,
            last => self.flows[last as usize].next = place,
        }
        list.last = place;
        self.flows[place as usize].next = NONE;
        self.busy |= 1 << at;
    }

    fn unlink_first(&mut self) {
        let at = self.place_of(self.round);
        let list = &mut self.rounds[at as usize];
        list.first = self.flows[list.first as usize].next;
        if list.first == NONE {
            list.last = NONE;
            self.busy &= !(1 << at);
        }
    }

    const fn place_of(&self, round: u64) -> u32 {
        (round % ROUNDS) as u32
    }
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            tokens: VecDeque::new(),
            credit: 0,
            weight: 1,
            account: AccountId(0),
            is_asleep: false,
            ready: 0,
            looks: 0,
            next: NONE,
        }
    }
}

impl List {
    const EMPTY: Self = Self { first: NONE, last: NONE };
}

/// How many messages at the front have their bodies at hand.
pub(super) const AHEAD: usize = 512;
/// Places of the ring: as many as a word has bits.
const ROUNDS: u64 = 64;
const NONE: u32 = u32::MAX;
/// Places that an account which has nothing left keeps for the next one.
const KEPT_CAPACITY: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(number: u32) -> Token {
        Token { slot: number, serial: number }
    }

    /// Sends until `segments` went; gives how many of them each account sent. What went is put in again at the end.
    fn shares(turns: &mut Turns, sizes: &[u32], segments: u32, accounts: usize) -> Vec<u32> {
        let (mut sent, mut left) = (vec![0; accounts], segments as i64);
        while left > 0 {
            let (account, token) = turns.front().expect("they have more");
            let size = sizes[token.slot as usize];
            turns.pop(size);
            turns.push_back(account, 1, token);
            sent[usize::from(account.0)] += size;
            left -= i64::from(size);
        }
        sent
    }

    proptest! {
        /// Whatever their weights and the sizes of their texts.
        #[test]
        fn accounts_get_their_shares_by_weight_within_five_per_cent(
            weights in prop::collection::vec(1u16..40, 2..12),
            sizes in prop::collection::vec(1u32..12, 64),
        ) {
            let mut turns = Turns::default();
            for (account, weight) in weights.iter().enumerate() {
                for number in 0..200 {
                    turns.push_back(AccountId(account as u16), *weight, token((account as u32 * 7 + number) % 64));
                }
            }
            let total: u32 = weights.iter().map(|weight| u32::from(*weight)).sum();

            let sent = shares(&mut turns, &sizes, total * 400, weights.len());

            for (sent, weight) in sent.iter().zip(&weights) {
                let fair = f64::from(*weight) * 400.0;
                prop_assert!((f64::from(*sent) - fair).abs() <= 0.05 * fair + 12.0, "{sent} of {fair}");
            }
        }

        /// Against a list for each account: whatever is done, an account's messages leave in their order, none twice, none lost.
        #[test]
        fn order_inside_an_account_is_kept(steps in prop::collection::vec((0u8..10, 0u16..5), 1..400)) {
            let mut turns = Turns::default();
            let mut model: Vec<VecDeque<Token>> = vec![VecDeque::new(); 5];
            let mut asleep = [false; 5];
            let mut number = 1000;
            for (step, account) in steps {
                let whose = AccountId(account);
                let list = &mut model[usize::from(account)];
                number += 1;
                match step {
                    0..4 => {
                        turns.push_back(whose, account + 1, token(number));
                        list.push_back(token(number));
                    }
                    4 => {
                        turns.push_front(whose, account + 1, token(number));
                        list.push_front(token(number));
                    }
                    5 => if let Some((whose, _)) = turns.front() {
                        turns.sleep();
                        asleep[usize::from(whose.0)] = true;
                    },
                    6 => {
                        turns.wake(whose);
                        asleep[usize::from(account)] = false;
                    }
                    _ => {
                        let front = turns.front();
                        let is_any = model.iter().zip(asleep).any(|(list, asleep)| !asleep && !list.is_empty());
                        prop_assert_eq!(front.is_some(), is_any);
                        if let Some((whose, _)) = front {
                            prop_assert!(!asleep[usize::from(whose.0)]);
                            let popped = turns.pop(u32::from(step) * u32::from(account));
                            prop_assert_eq!(popped, model[usize::from(whose.0)].pop_front());
                        }
                    }
                }
                // One of whom nothing is left begins anew, awake.
                for (asleep, list) in asleep.iter_mut().zip(&model) {
                    *asleep &= !list.is_empty();
                }
                prop_assert_eq!(turns.len(), model.iter().map(VecDeque::len).sum::<usize>());
                prop_assert_eq!(turns.has_sleepers(), asleep.contains(&true));
            }
        }
    }

    #[test]
    fn account_that_sends_one_by_one_gets_no_more_than_its_turn() {
        let mut turns = Turns::default();
        (0..100).for_each(|number| turns.push_back(AccountId(0), 1, token(number)));

        let mut of_the_other = 0;
        for number in 100..150 {
            turns.push_back(AccountId(1), 1, token(number));
            let (account, _) = turns.front().expect("both wait");
            of_the_other += u32::from(account == AccountId(1));
            turns.pop(1);
        }

        assert!((20..=26).contains(&of_the_other), "{of_the_other}");
    }

    #[test]
    fn long_text_is_paid_for_even_if_nothing_waits_behind_it() {
        let mut turns = Turns::default();
        (0..1000).for_each(|number| turns.push_back(AccountId(0), 1, token(number)));

        let (mut short, mut long) = (0, 0);
        for number in 0..400 {
            turns.push_back(AccountId(1), 1, token(1000 + number));
            match turns.front() {
                Some((AccountId(0), _)) => (short, _) = (short + 1, turns.pop(1)),
                _ => (long, _) = (long + 200, turns.pop(200)), // longer than the ring
            }
        }

        assert!((200..=600).contains(&long), "{short} segments of one, {long} of the other");
    }

    #[test]
    fn what_leaves_next_is_looked_at_once_and_no_further_than_asked() {
        let mut turns = Turns::default();
        for account in 0..1000 {
            (0..10).for_each(|number| {
                turns.push_back(AccountId(account), 1, token(u32::from(account) * 10 + number))
            });
        }
        let mut seen = std::collections::HashSet::new();

        for _ in 0..9_000 {
            turns.look_ahead(100, |token| assert!(seen.insert(token.slot)));
            let (_, next) = turns.front().expect("there is more");
            assert!(seen.contains(&next.slot));
            turns.pop(1);
            assert!(seen.len() <= 9_000 + 200);
        }
        turns.look_again();
        let mut again = 0;
        turns.look_ahead(100, |_| again += 1);
        assert!((90..=100).contains(&again), "{again}");
    }

    #[test]
    fn one_account_alone_is_looked_ahead_of_as_far_as_many() {
        let mut turns = Turns::default();
        (0..10_000).for_each(|number| turns.push_back(AccountId(0), 1, token(number)));
        let mut seen = 0;

        turns.look_ahead(AHEAD, |_| seen += 1);

        assert_eq!(seen, AHEAD);
    }
}
