//! Classes of destinations: numbers that the same rules' prefixes and the same network fit.

use foldhash::HashMap;

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
    pub fn view(&self, class: u32) -> View<'_> {
        View { at: class as usize, summary: self.words[class as usize], all: self }
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

    fn targets(&self) -> &[(u16, u16)] {
        let Tail { first_target, targets, .. } = self.tail();
        &self.all.targets[first_target as usize..][..usize::from(targets)]
    }

    #[inline]
    fn tail(&self) -> Tail {
        Tail::unpack(self.all.words[self.at + 1])
    }
}

/// Puts classes together, from the outside in.
#[derive(Debug)]
pub(super) struct ClassMaker {
    made: Classes,
    /// What was made of which class by what was entered.
    steps: HashMap<(u32, Step), u32>,
    known: HashMap<Content, u32>,
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

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Content {
    rules: Vec<(u8, u64)>,
    targets: Vec<(u16, u16)>,
    network: u16,
}

impl ClassMaker {
    /// With class 0: numbers that nothing fits.
    pub fn new() -> Self {
        let mut maker =
            Self { made: Classes::default(), steps: HashMap::default(), known: HashMap::default() };
        maker.class(Content::default());
        maker
    }

    /// The class of those in `around` that `step` is for as well.
    pub fn enter(&mut self, around: u32, step: Step) -> u32 {
        if let Some(class) = self.steps.get(&(around, step)) {
            return *class;
        }
        let mut content = self.content(around);
        match step {
            Step::Network(network) => content.network = network,
            Step::Rule(rule, target) => {
                let (word, bit) = ((rule / 64) as u8, 1u64 << (rule % 64));
                match content.rules.binary_search_by_key(&word, |(word, _)| *word) {
                    Ok(place) => content.rules[place].1 |= bit,
                    Err(place) => content.rules.insert(place, (word, bit)),
                }
                let place = content.targets.binary_search_by_key(&rule, |(rule, _)| *rule);
                match (place, target) {
                    (Ok(place), Some(target)) => content.targets[place].1 = target,
                    (Err(place), Some(target)) => content.targets.insert(place, (rule, target)),
                    (Ok(place), None) => drop(content.targets.remove(place)),
                    (Err(_), None) => {} // it has none, around and here
                }
            }
        }
        let class = self.class(content);
        self.steps.insert((around, step), class);
        class
    }

    fn content(&self, class: u32) -> Content {
        let view = self.made.view(class);
        let words = (0..64u8).filter(|word| view.summary() >> word & 1 != 0);
        Content {
            rules: words.map(|word| (word, view.word(usize::from(word)))).collect(),
            targets: view.targets().to_vec(),
            network: view.network(),
        }
    }

    fn class(&mut self, content: Content) -> u32 {
        let Self { made, known, .. } = self;
        *known.entry(content).or_insert_with_key(|content| {
            let class = made.words.len() as u32;
            let tail = Tail {
                first_target: made.targets.len() as u32,
                targets: content.targets.len() as u16, // one a rule at most
                network: content.network,
            };
            made.words.push(content.rules.iter().fold(0, |summary, (word, _)| summary | 1 << word));
            made.words.push(tail.pack());
            made.words.extend(content.rules.iter().map(|(_, bits)| *bits));
            made.targets.extend_from_slice(&content.targets);
            class
        })
    }

    pub fn finish(mut self) -> Classes {
        self.made.words.shrink_to_fit();
        self.made.targets.shrink_to_fit();
        self.made
    }
}

/// Words of a class before those of its rules.
const HEAD: usize = 2;
