//! Classes of destinations: numbers that the same rules' prefixes and the same network fit.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// All classes; a number's is found by [`super::span::Spans`]. A class is where it begins in one row of words, so that what is looked
/// at together lies together: its summary (bit n is set if it has rules 64 n and on), its network and targets
/// ([`Tail`]), and the words of rules that the summary names.
#[derive(Clone, Debug, Default)]
pub(super) struct Classes {
    words: Vec<u64>,
    /// Targets that the rows of a rule's prefixes name themselves, by rule.
    targets: Vec<(u16, u16)>,
}

/// The network of a class, and where its targets are.
#[derive(Clone, Copy, Debug)]
struct Tail {
    first_target: u32,
    targets: u16,
    network: u16,
}

/// One class, to be looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'c> {
    at: usize,
    summary: u64,
    all: &'c Classes,
}

impl Classes {
    #[inline]
    pub fn view(&self, spot: Spot) -> View<'_> {
        self.view_at(spot.class())
    }

    #[inline]
    fn view_at(&self, class: u32) -> View<'_> {
        View { at: class as usize, summary: self.words[class as usize], all: self }
    }

    /// The rules that fit what is there.
    #[inline]
    pub fn fit(&self, spot: Spot) -> Fit<'_> {
        match spot.rules() {
            Spot::MANY => Fit::Many(self.view(spot)),
            few => Fit::Few(few),
        }
    }

    /// Where a class is, and its rules if they are few.
    pub fn spot(&self, class: u32) -> Spot {
        let view = self.view_at(class);
        let mut known = [0; 3];
        let mut count = 0;
        for word in (0..64).filter(|word| view.summary >> word & 1 != 0) {
            let mut left = view.word(word);
            while left != 0 && count <= known.len() {
                if count < known.len() {
                    known[count] = (word * 64) as u16 + left.trailing_zeros() as u16;
                }
                count += 1;
                left &= left - 1;
            }
        }
        let rules = match (count, known) {
            (0, _) => Spot::NONE,
            (1, [one, ..]) => [one; 3],
            (2, [one, other, _]) => [one, other, other],
            (3, all) => all,
            _ => Spot::MANY,
        };
        Spot::new(rules, class)
    }

    /// Octets that they take.
    pub fn octets(&self) -> usize {
        self.words.capacity() * 8 + self.targets.capacity() * 4
    }
}

impl Tail {
    const fn pack(self) -> u64 {
        (self.first_target as u64) << 32 | (self.targets as u64) << 16 | self.network as u64
    }

    const fn unpack(word: u64) -> Self {
        Self { first_target: (word >> 32) as u32, targets: (word >> 16) as u16, network: word as u16 }
    }
}

impl View<'_> {
    /// Which words of rules aren't 0.
    #[inline]
    pub const fn summary(self) -> u64 {
        self.summary
    }

    /// The rules 64 `word` and on whose prefixes fit.
    #[inline]
    pub fn word(self, word: usize) -> u64 {
        let bit = 1 << word;
        if self.summary & bit == 0 {
            return 0;
        }
        let before = (self.summary & (bit - 1)).count_ones();
        self.all.words[self.at + HEAD + before as usize]
    }

    /// Whether a prefix of that rule fits.
    pub fn has(self, rule: u16) -> bool {
        self.word(usize::from(rule / 64)) >> (rule % 64) & 1 != 0
    }

    /// The network of such numbers, by its place; 0 if it isn't known.
    #[inline]
    pub fn network(self) -> u16 {
        self.tail().network
    }

    /// The target that the fitting row of that rule names itself.
    pub fn target(self, rule: u16) -> Option<u16> {
        let targets = self.targets();
        let place = targets.binary_search_by_key(&rule, |(rule, _)| *rule).ok()?;
        Some(targets[place].1)
    }

    /// The words that the summary names.
    fn rules(&self) -> &[u64] {
        let first = self.at + HEAD;
        &self.all.words[first..first + self.summary.count_ones() as usize]
    }

    fn targets(&self) -> &[(u16, u16)] {
        let Tail { first_target, targets, .. } = self.tail();
        &self.all.targets[first_target as usize..][..usize::from(targets)]
    }

    #[inline]
    fn tail(&self) -> Tail {
        Tail::unpack(self.all.words[self.at + 1])
    }
}

/// What a number leads to: where its class is, and the rules whose prefixes fit, if they are few. Most decisions need no more.
///
/// Three rules of twelve bits in order, some of them the same, then where the class begins, in words. Where the first is behind the
/// second, there are none ([`Spot::NONE`]), or more than three.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot(pub u64);

/// Rules whose prefixes fit a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fit<'c> {
    Few([u16; 3]),
    Many(View<'c>),
}

impl Spot {
    const NONE: [u16; 3] = [1, 0, 0];
    const MANY: [u16; 3] = [2, 0, 0];

    fn new(rules: [u16; 3], class: u32) -> Self {
        let [first, second, third] = rules.map(u64::from);
        Self(first << 52 | second << 40 | third << 28 | u64::from(class))
    }

    const fn class(self) -> u32 {
        self.0 as u32 & CLASS_MAX
    }

    const fn rules(self) -> [u16; 3] {
        [(self.0 >> 52) as u16, (self.0 >> 40) as u16 & RULE, (self.0 >> 28) as u16 & RULE]
    }
}

impl Fit<'_> {
    /// As [`View::summary`].
    #[inline]
    pub fn summary(self) -> u64 {
        match self {
            Self::Few(Spot::NONE) => 0,
            Self::Few(rules) => rules.iter().fold(0, |words, rule| words | 1 << (rule / 64)),
            Self::Many(view) => view.summary(),
        }
    }

    /// As [`View::word`].
    #[inline]
    pub fn word(self, word: usize) -> u64 {
        let bit = |rule: u16| u64::from(usize::from(rule / 64) == word) << (rule % 64);
        match self {
            Self::Few(Spot::NONE) => 0,
            Self::Few(rules) => rules.iter().fold(0, |bits, rule| bits | bit(*rule)),
            Self::Many(view) => view.word(word),
        }
    }
}

/// Puts classes together, from the outside in.
#[derive(Debug)]
pub(super) struct ClassMaker {
    made: Classes,
    /// All classes that were made, by what is in them.
    known: HashTable<u32>,
    random: FixedState,
    draft: Content,
    /// The last word at which one may begin.
    last: u32,
    /// One would have begun behind it.
    is_over: bool,
}

/// What distinguishes numbers within a prefix from those around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// They are of that network, by its place.
    Network(u16),
    /// They fit a row of that rule, which may name a target itself.
    Rule(u16, Option<u16>),
}

impl Step {
    /// Whose it is: two of one place in one prefix are one too many.
    pub const fn place(self) -> u32 {
        match self {
            Self::Network(_) => 0,
            Self::Rule(rule, _) => rule as u32 + 1,
        }
    }
}

/// What is in a class that is being made.
#[derive(Debug, Default)]
struct Content {
    summary: u64,
    /// The words that the summary names.
    rules: Vec<u64>,
    targets: Vec<(u16, u16)>,
    network: u16,
}

impl ClassMaker {
    /// With class 0: numbers that nothing fits. The others begin at word `last` at the latest, of [`CLASS_MAX`] at most.
    pub fn new(last: u32) -> Self {
        let mut maker = Self {
            made: Classes::default(),
            known: HashTable::new(),
            random: FixedState::default(),
            draft: Content::default(),
            last: last.min(CLASS_MAX),
            is_over: false,
        };
        maker.class();
        maker
    }

    /// The class of those in `around` that `step` is for as well; any, once there is no room.
    pub fn enter(&mut self, around: u32, step: Step) -> u32 {
        let Self { made, draft, .. } = self;
        draft.take(made.view_at(around));
        match step {
            Step::Network(network) => draft.network = network,
            Step::Rule(rule, target) => draft.add(rule, target),
        }
        self.class()
    }

    /// The class with what is in the draft, made if it is new.
    fn class(&mut self) -> u32 {
        let Self { made, known, random, draft, last, is_over } = self;
        let hash = random.hash_one((draft.summary, &draft.rules, &draft.targets, draft.network));
        if let Some(class) = known.find(hash, |class| draft.is(made.view_at(*class))) {
            return *class;
        }
        let class = u32::try_from(made.words.len()).ok().filter(|class| class <= last);
        let (Some(class), Ok(first_target)) = (class, u32::try_from(made.targets.len())) else {
            *is_over = true;
            return 0;
        };
        let tail = Tail {
            first_target,
            targets: draft.targets.len() as u16, // one a rule at most
            network: draft.network,
        };
        made.words.extend_from_slice(&[draft.summary, tail.pack()]);
        made.words.extend_from_slice(&draft.rules);
        made.targets.extend_from_slice(&draft.targets);
        known.insert_unique(hash, class, |class| {
            let view = made.view_at(*class);
            random.hash_one((view.summary, view.rules(), view.targets(), view.network()))
        });
        class
    }

    /// All of them; `None` if there was no room.
    pub fn finish(mut self) -> Option<Classes> {
        self.made.words.shrink_to_fit();
        self.made.targets.shrink_to_fit();
        (!self.is_over).then_some(self.made)
    }
}

impl Content {
    fn take(&mut self, view: View<'_>) {
        self.summary = view.summary;
        self.network = view.network();
        self.rules.clear();
        self.rules.extend_from_slice(view.rules());
        self.targets.clear();
        self.targets.extend_from_slice(view.targets());
    }

    fn add(&mut self, rule: u16, target: Option<u16>) {
        let (word, bit) = (1u64 << (rule / 64), 1u64 << (rule % 64));
        let place = (self.summary & (word - 1)).count_ones() as usize;
        if self.summary & word == 0 {
            self.summary |= word;
            self.rules.insert(place, 0);
        }
        self.rules[place] |= bit;
        match (self.targets.binary_search_by_key(&rule, |(rule, _)| *rule), target) {
            (Ok(place), Some(target)) => self.targets[place].1 = target,
            (Err(place), Some(target)) => self.targets.insert(place, (rule, target)),
            (Ok(place), None) => drop(self.targets.remove(place)),
            (Err(_), None) => {} // it has none, around and here
        }
    }

    fn is(&self, view: View<'_>) -> bool {
        (self.summary, self.network) == (view.summary, view.network())
            && self.rules == view.rules()
            && self.targets == view.targets()
    }
}

/// The bits of a rule's place, of which there are [`super::RULES_MAX`] at most.
const RULE: u16 = 0xFFF;
const _: () = assert!(super::RULES_MAX <= RULE as usize + 1);
/// The last word at which a class can begin: 2 GiB of them.
pub(super) const CLASS_MAX: u32 = (1 << 28) - 1;
/// Words of a class before those of its rules.
const HEAD: usize = 2;
