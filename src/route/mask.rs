//! Sets of rules, as bits, for one kind of question each: which rules an account, a source or a network leaves in play.

use foldhash::HashMap;

/// Sets of rules; equal ones are kept once.
#[derive(Clone, Debug, Default)]
pub(super) struct Masks {
    /// Words of one set.
    words: usize,
    bits: Vec<u64>,
}

impl Masks {
    /// One word of a set: rules 64 `word` and on.
    #[inline]
    pub fn word(&self, mask: u16, word: usize) -> u64 {
        self.bits[usize::from(mask) * self.words + word]
    }

    /// Octets that they take.
    pub fn octets(&self) -> usize {
        self.bits.capacity() * 8
    }
}

/// Puts sets together.
#[derive(Debug)]
pub(super) struct MaskMaker {
    masks: Masks,
    rules: usize,
    known: HashMap<Box<[u64]>, u16>,
}

impl MaskMaker {
    pub fn new(rules: usize) -> Self {
        let masks = Masks { words: rules.div_ceil(64), bits: Vec::new() };
        Self { masks, rules, known: HashMap::default() }
    }

    /// The set of the rules that are `in_play`.
    pub fn make(&mut self, in_play: impl Fn(usize) -> bool) -> u16 {
        self.with(&[], (0..self.rules).filter(|rule| in_play(*rule)))
    }

    /// The set of the rules in `base`, if there are any, and of some `more`.
    pub fn with(&mut self, base: &[u64], more: impl Iterator<Item = usize>) -> u16 {
        let mut set = match base {
            [] => vec![0u64; self.masks.words],
            base => base.to_vec(),
        };
        for rule in more {
            set[rule / 64] |= 1 << (rule % 64);
        }
        let next = self.known.len() as u16;
        let Self { masks, known, .. } = self;
        *known.entry(set.into()).or_insert_with_key(|set| {
            masks.bits.extend_from_slice(set);
            next
        })
    }

    /// The words of a set.
    pub fn words(&self, mask: u16) -> Vec<u64> {
        (0..self.masks.words).map(|word| self.masks.word(mask, word)).collect()
    }

    pub fn finish(self) -> Masks {
        self.masks
    }
}
