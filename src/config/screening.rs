//! What comes before the route: numbers, senders, lists and opt-outs.

use super::section::Section;
use super::value::{choice, octets};
use crate::screening::{
    CircleRule, Common, DialRule, Dialling, Numbers, NumbersBuilder, Policy, Scope, SenderEntry, Senders,
    Words, Written,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Lists of numbers that were read already, by file: accounts may name the same.
#[derive(Default)]
pub(super) struct Lists(RefCell<BTreeMap<PathBuf, Arc<Numbers>>>);

/// What is wanted of everybody where nothing is said.
pub(super) fn usual() -> Common {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let words = Words::new(&owned(&OPT_OUT_WORDS), &owned(&OPT_IN_WORDS));
    Common { words, opt_outs_max: OPT_OUTS_MAX, ..Common::default() }
}

/// `[screening]`: what is wanted of everybody.
pub(super) fn common(section: &mut Section<'_>, lists: &Lists) -> Common {
    let dialling = numbers(section);
    let blocked = lists.read(section, "block");
    let allowed = lists.read(section, "allow");
    let mut opt_outs_max = OPT_OUTS_MAX;
    section.set("opt_outs_max", 1..=100_000_000, &mut opt_outs_max);
    let words = |section: &mut Section<'_>, key, usual: &[&str]| match section.has(key) {
        true => section.texts(key, word),
        false => usual.iter().map(|word| (*word).to_owned()).collect(),
    };
    let (out, back) =
        (words(section, "opt_out_words", &OPT_OUT_WORDS), words(section, "opt_in_words", &OPT_IN_WORDS));
    if let Some(both) = out.iter().find(|word| back.iter().any(|other| other.eq_ignore_ascii_case(word))) {
        section.fault("opt_in_words", format!("\"{both}\" is among the opt_out_words too"));
    }
    let passes = section.number("circle_passes", 0..=1_000_000).unwrap_or(0);
    let mut within = Duration::from_secs(3600);
    section.set_time("circle_s", Duration::from_secs(1), 1..=604_800, &mut within);
    let circles = (passes > 0).then_some(CircleRule { passes: passes as u32, within }); // in range
    Common { dialling, blocked, allowed, words: Words::new(&out, &back), opt_outs_max, circles }
}

/// The settings of an account that are about it.
pub(super) fn policy(section: &mut Section<'_>, lists: &Lists) -> Policy {
    let entries = section.has("senders").then(|| section.texts("senders", sender));
    let other = section.text("sender_default", replacement);
    let mut scope = Scope::default();
    let scopes = [("off", Scope::Nothing), ("account", Scope::Account), ("sender", Scope::Sender)];
    section.set_text("opt_out", |text| choice(text, &scopes), &mut scope);
    Policy {
        dialling: numbers(section),
        senders: Senders::new(entries, other),
        blocked: lists.read(section, "block"),
        allowed: lists.read(section, "allow"),
        scope,
    }
}

/// The rules for numbers, one for each `[[...number]]`.
fn numbers(section: &mut Section<'_>) -> Dialling {
    let mut rules = Vec::new();
    for entry in &mut section.list("number") {
        rules.push(number(entry));
    }
    if rules.len() > RULES_MAX {
        section.fault("number", format!("{} are too many; at most {RULES_MAX}", rules.len()));
    }
    Dialling::new(rules)
}

fn number(entry: &mut Section<'_>) -> DialRule {
    let digits = |text: &str| match text.bytes().all(|octet| octet.is_ascii_digit()) {
        true if text.len() <= DIGITS_MAX => Ok(text.to_owned()),
        _ => Err(format!("\"{text}\" is not up to {DIGITS_MAX} digits")), // too many, or others
    };
    let prefix = entry
        .required("prefix", |text| digits(text.strip_prefix('+').unwrap_or(text)).map(|_| text.to_owned()));
    let replace = entry.text("replace", digits).unwrap_or_default();
    let (mut fewest, mut most) = (1, DIGITS_MAX);
    entry.set("digits_min", 1..=20, &mut fewest);
    entry.set("digits_max", 1..=20, &mut most);
    if fewest > most {
        entry.fault("digits_min", format!("is more than digits_max, which is {most}"));
    }
    let ton = entry.number("only_ton", 0..=255).map(|ton| ton as u8); // in range
    let mut becomes = (1, 1);
    entry.set("ton", 0..=255, &mut becomes.0);
    entry.set("npi", 0..=255, &mut becomes.1);
    let mut of = (false, true);
    let sides = [("destination", (false, true)), ("source", (true, false)), ("both", (true, true))];
    entry.set_text("of", |text| choice(text, &sides), &mut of);
    DialRule {
        prefix: prefix.unwrap_or_default(),
        ton,
        digits: fewest..=most,
        replace,
        becomes,
        of_sources: of.0,
        of_destinations: of.1,
    }
}

/// An allowed sender: a number or a name, what some begin with and a star, `#` for any number, `*` for anything.
fn sender(text: &str) -> Result<SenderEntry, String> {
    let whole = octets(text, 1..=20, "SMPP's limit for an address (SMPP 3.4 §5.2.8)")?;
    Ok(match (text, text.strip_suffix('*')) {
        ("#", _) => SenderEntry::AnyNumber,
        ("*", _) => SenderEntry::Anything,
        (_, Some(prefix)) => SenderEntry::Prefix(prefix.to_owned()),
        (_, None) => SenderEntry::Whole(whole),
    })
}

/// The sender that takes the place of others: a number, international if a plus sign stands before it, or a name.
fn replacement(text: &str) -> Result<Written, String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let (kind, addr) = match text.strip_prefix('+') {
        Some(digits) if is_number(digits) => ((1, 1), digits),
        Some(_) => return Err(format!("\"{text}\" is not a number")),
        None if is_number(text) => ((0, 1), text),
        None => ((5, 0), text),
    };
    let most = if kind.0 == 5 { NAME_MAX } else { DIGITS_MAX };
    octets(addr, 1..=most, "what a network has room for (3GPP TS 23.040 §9.1.2.5)")?;
    Written::new(kind, [addr.as_bytes(), b""]).map_err(|_| format!("\"{text}\" is too long"))
}

/// A word that a handset says.
fn word(text: &str) -> Result<String, String> {
    let is_whole = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
    let ends = is_whole(text.chars().next()) && is_whole(text.chars().next_back());
    match ends && text.chars().count() <= WORD_MAX {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "\"{text}\" is not 1 to {WORD_MAX} characters that begin and end with letters or digits"
        )),
    }
}

impl Lists {
    /// The lists of numbers in the files that are named under `key`.
    fn read(&self, section: &mut Section<'_>, key: &'static str) -> Vec<Arc<Numbers>> {
        let names = section.texts(key, |text| match text.is_empty() {
            true => Err("is empty".to_owned()),
            false => Ok(text.to_owned()),
        });
        names.iter().filter_map(|name| self.file(section, key, name)).collect()
    }

    fn file(&self, section: &Section<'_>, key: &str, name: &str) -> Option<Arc<Numbers>> {
        let path = section.report().beside(name);
        if let Some(known) = self.0.borrow().get(&path) {
            return Some(Arc::clone(known));
        }
        let mut reader = match std::fs::File::open(&path) {
            Ok(file) => BufReader::with_capacity(1 << 20, file),
            Err(error) => {
                section.fault(key, format!("{}: {error}", path.display()));
                return None;
            }
        };
        let mut builder = NumbersBuilder::default();
        let (mut line, mut number, mut faults) = (Vec::new(), 0, 0);
        loop {
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => number += 1,
                Err(error) => {
                    section.fault(key, format!("{}: {error}", path.display()));
                    return None;
                }
            }
            let Err(fault) = builder.take(&line) else { continue };
            faults += 1;
            let shown = String::from_utf8_lossy(&line[..line.len().min(40)]);
            section.report().note_elsewhere(
                &path.display().to_string(),
                number,
                format!("\"{}\" {fault}", shown.trim_end()),
            );
            if faults >= FAULTS_MAX {
                section.report().note_elsewhere(
                    &path.display().to_string(),
                    number,
                    format!("{FAULTS_MAX} lines are faulty; the rest is not looked at"),
                );
                break;
            }
        }
        let numbers = Arc::new(builder.finish());
        self.0.borrow_mut().insert(path, Arc::clone(&numbers));
        Some(numbers)
    }
}

/// Words of a handset that wants to hear no more, or again (CTIA, Messaging Principles and Best Practices, §5.1.3).
const OPT_OUT_WORDS: [&str; 6] = ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"];
const OPT_IN_WORDS: [&str; 2] = ["START", "UNSTOP"];
/// Handsets that are remembered to want no more; each takes less than 200 octets of memory.
const OPT_OUTS_MAX: usize = 1_000_000;
/// Characters of an address (SMPP 3.4 §5.2.9).
const DIGITS_MAX: usize = 20;
/// Characters of a name that a network has room for (3GPP TS 23.040 §9.1.2.5).
const NAME_MAX: usize = 11;
const WORD_MAX: usize = 64;
const RULES_MAX: usize = 1000;
/// Faulty lines of one list that are told.
const FAULTS_MAX: usize = 100;
