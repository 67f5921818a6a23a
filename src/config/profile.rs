//! What a peer's texts mean and what it takes: the keys that make a profile.

use super::section::Section;
use super::value::{choice, hexadecimal};
use crate::codec::Tag;
use crate::conversion::{Fallback, Long, Profile, TlvRules};
use crate::text::Alphabet;
use std::sync::Arc;

/// What the texts of an account mean.
pub(super) fn account(section: &mut Section<'_>) -> Arc<Profile> {
    let mut profile = Profile::default();
    section.set_text("alphabet", |text| choice(text, &ALPHABETS[..DEFAULTS]), &mut profile.default_alphabet);
    for (octet, alphabet) in codings(section) {
        profile.meanings.set(octet, alphabet);
    }
    Arc::new(profile)
}

/// What a carrier's texts mean, and what it takes.
pub(super) fn carrier(section: &mut Section<'_>) -> Arc<Profile> {
    let mut profile = Profile::default();
    section.set_text("alphabet", |text| choice(text, &ALPHABETS[..DEFAULTS]), &mut profile.default_alphabet);
    let mut codings = codings(section);
    codings.reverse(); // of several octets for one alphabet, the first one is sent
    for (octet, alphabet) in codings {
        profile.meanings.set(octet, alphabet);
        profile.octets.set(alphabet, octet);
    }
    let fallbacks = [("ucs2", Fallback::Ucs2), ("replace", Fallback::Replace), ("refuse", Fallback::Refuse)];
    section.set_text("missing_characters", |text| choice(text, &fallbacks), &mut profile.fallback);
    let forms = [
        ("pass", Long::Pass),
        ("udh8", Long::Udh8),
        ("udh16", Long::Udh16),
        ("sar", Long::Sar),
        ("payload", Long::Payload),
    ];
    section.set_text("long_messages", |text| choice(text, &forms), &mut profile.long);
    profile.tlvs = tlv_rules(section);
    Arc::new(profile)
}

/// What single data_coding octets mean, each at most once.
fn codings(section: &mut Section<'_>) -> Vec<(u8, Alphabet)> {
    let mut codings: Vec<(u8, Alphabet)> = Vec::new();
    for entry in &mut section.list("coding") {
        let octet = required_number(entry, "octet", 0xFF);
        let alphabet = entry.required("alphabet", |text| choice(text, &ALPHABETS));
        let (Some(octet), Some(alphabet)) = (octet, alphabet) else { continue };
        let octet = octet as u8; // in range
        if codings.iter().any(|(known, _)| *known == octet) {
            entry.fault("octet", format!("{octet:#04x} is there twice"));
        }
        codings.push((octet, alphabet));
    }
    codings
}

/// What one [[carrier.tlv]] does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Add,
    Drop,
    Rename,
}

fn tlv_rules(section: &mut Section<'_>) -> TlvRules {
    let mut rules = TlvRules::default();
    for entry in &mut section.list("tlv") {
        let tag = required_number(entry, "tag", 0xFFFF).map(|tag| Tag(tag as u16));
        let actions = [("add", Action::Add), ("drop", Action::Drop), ("rename", Action::Rename)];
        let action = entry.required("action", |text| choice(text, &actions));
        let value = entry.text("value", hexadecimal);
        let to = entry.number("to", 0..=0xFFFF).map(|tag| Tag(tag as u16));
        let is_told = |key| entry.has(key);
        let (wants_value, wants_to) = (action == Some(Action::Add), action == Some(Action::Rename));
        for (key, wanted, of) in [("value", wants_value, "add"), ("to", wants_to, "rename")] {
            if wanted && !is_told(key) {
                entry.fault(key, "is missing");
            } else if is_told(key) && !wanted && action.is_some() {
                entry.fault(key, format!("belongs to the action \"{of}\" only"));
            }
        }
        let Some(tag) = tag else { continue };
        match (action, value, to) {
            (Some(Action::Add), Some(value), _) => rules.add.push((tag, value)),
            (Some(Action::Drop), _, _) => rules.drop.push(tag),
            (Some(Action::Rename), _, Some(to)) => rules.rename.push((tag, to)),
            _ => {} // it was told what is missing
        }
    }
    rules
}

fn required_number(entry: &mut Section<'_>, key: &'static str, max: u64) -> Option<u64> {
    if !entry.has(key) {
        entry.fault(key, "is missing");
    }
    entry.number(key, 0..=max)
}

/// What an octet may mean: the first [`DEFAULTS`] of them, data_coding 0 too.
const ALPHABETS: [(&str, Alphabet); 11] = [
    ("gsm", Alphabet::Gsm),
    ("gsm-packed", Alphabet::GsmPacked),
    ("ascii", Alphabet::Ascii),
    ("latin1", Alphabet::Latin1),
    ("cp1252", Alphabet::Cp1252),
    ("utf8", Alphabet::Utf8),
    ("cyrillic", Alphabet::Cyrillic),
    ("hebrew", Alphabet::Hebrew),
    ("ucs2", Alphabet::Ucs2),
    ("ucs2-little", Alphabet::Ucs2Little),
    ("octets", Alphabet::Octets),
];

/// How many of [`ALPHABETS`] data_coding 0 may mean.
const DEFAULTS: usize = 6;
