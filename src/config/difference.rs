//! What another text of a configuration changes: by table and key, never by value, for some are secrets.

use super::fault::Fault;
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// What is different, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// What a hub at work goes by at once.
    pub now: Vec<String>,
    /// What it goes by after a restart.
    pub later: Vec<String>,
}

/// What is in `new` and not in `old`, or the other way round, or otherwise. Both are sound: what can't be read is empty.
pub(super) fn difference(old: &str, new: &str) -> Difference {
    let [old, new] = [old, new].map(|text| parts(&text.parse().unwrap_or_default()));
    let mut found = Difference::default();
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        match (old.get(name), new.get(name)) {
            (Some(before), Some(after)) => compare(name, before, after, &mut found),
            (None, Some(part)) => found.note(name, "added", part.keys()),
            (Some(part), None) => found.note(name, "removed", part.keys()),
            (None, None) => {} // it is in one of them
        }
    }
    found
}

impl Difference {
    fn note<'k>(&mut self, name: &str, verb: &str, keys: impl Iterator<Item = &'k String>) {
        // A table that isn't a list's is nothing by itself: its keys are.
        if !name.contains(['"', '(']) {
            let (later, now): (Vec<_>, Vec<_>) = keys.partition(|key| waits_for_restart(name, key));
            self.keys(name, verb, &now, &later);
        } else {
            self.now.push(format!("{name} {verb}"));
        }
    }

    fn keys(&mut self, name: &str, verb: &str, now: &[&String], later: &[&String]) {
        let line = |keys: &[&String]| {
            let keys: Vec<_> = keys.iter().map(|key| key.as_str()).collect();
            format!("{name}: {} {verb}", keys.join(", "))
        };
        if !now.is_empty() {
            self.now.push(line(now));
        }
        if !later.is_empty() {
            self.later.push(line(later));
        }
    }
}

fn compare(name: &str, old: &Part, new: &Part, found: &mut Difference) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    let (later, now): (Vec<_>, Vec<_>) = changed.partition(|key| waits_for_restart(name, key));
    found.keys(name, "changed", &now, &later);
}

/// Keys of one table, those of tables in it with a dot between, each with its value as written.
type Part = BTreeMap<String, String>;

/// All tables of a file: each entry of a list by what it is called, or else by what it says.
fn parts(file: &Table) -> BTreeMap<String, Part> {
    let mut all = BTreeMap::new();
    for (key, value) in file {
        enter(key, value, &mut all);
    }
    all
}

fn enter(path: &str, value: &Value, all: &mut BTreeMap<String, Part>) {
    match value {
        Value::Table(table) => {
            let mut part = Part::new();
            for (key, value) in table {
                match value {
                    Value::Array(entries) if is_list(entries) => enter(&format!("{path}.{key}"), value, all),
                    value => flatten(key, value, &mut part),
                }
            }
            all.insert(path.to_owned(), part);
        }
        Value::Array(entries) if is_list(entries) => {
            for entry in entries {
                let mut part = Part::new();
                for (key, value) in entry.as_table().into_iter().flatten() {
                    flatten(key, value, &mut part);
                }
                let mut name = called(path, &part);
                // Two that say the same are two all the same.
                while all.contains_key(&name) {
                    name.push('\'');
                }
                all.insert(name, part);
            }
        }
        value => {
            all.entry("the file".to_owned()).or_default().insert(path.to_owned(), value.to_string());
        }
    }
}

fn is_list(entries: &[Value]) -> bool {
    !entries.is_empty() && entries.iter().all(Value::is_table)
}

fn flatten(key: &str, value: &Value, part: &mut Part) {
    match value {
        Value::Table(table) => {
            for (inner, value) in table {
                flatten(&format!("{key}.{inner}"), value, part);
            }
        }
        value => {
            part.insert(key.to_owned(), value.to_string());
        }
    }
}

/// What an entry of a list is called.
fn called(path: &str, part: &Part) -> String {
    if let Some(name) = NAMES.iter().find_map(|key| part.get(*key)) {
        return format!("{path} {name}");
    }
    let said: Vec<_> = part.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{path} ({})", said.join(", "))
}

/// Whether a hub at work can't go by another value of this key.
fn waits_for_restart(table: &str, key: &str) -> bool {
    RESTART.iter().any(|(known, keys)| *known == table && (keys.is_empty() || keys.contains(&key)))
}

/// What a hub is told when other settings are faulty, a line each.
pub(super) fn in_words(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(Fault::to_string).collect()
}

/// Keys that name an entry of a list, the first of them that it has: a carrier's system_id is what we bind as, and no name. Prefixes
/// do where nothing else does.
const NAMES: [&str; 3] = ["name", "system_id", "prefix"];

/// Tables whose keys, or some of them, are read at the start alone.
const RESTART: [(&str, &[&str]); 7] = [
    ("listener", &[]),
    ("http", &[]),
    ("clock", &[]),
    ("log", &[]),
    ("runtime", &[]),
    ("spool", &["directory", "segment_mib", "commit_gap_us", "reserve_mib"]),
    (
        "limits",
        &[
            "memory_mib",
            "early_receipts",
            "final_states",
            "gathered_texts",
            "gathered_octets",
            "gather_s",
            "bulks",
            "bulks_each",
            "bulk_retention_h",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"
[listener]
address = "127.0.0.1:2775"
[limits]
messages = 1000
final_states = 10
[[account]]
system_id = "shop"
password = "secret"
[account.outbind]
address = "127.0.0.1:1"
[[account]]
system_id = "bank"
[[carrier]]
name = "north"
system_id = "enroute"
[route]
default = "north"
[[route.prefix]]
prefix = "44"
carrier = "north"
[[inbound]]
account = "shop"
"#;

    fn changed(replace: &[(&str, &str)]) -> Difference {
        let mut new = OLD.to_owned();
        for (old, text) in replace {
            assert!(new.contains(old), "{old}");
            new = new.replacen(old, text, 1);
        }
        difference(OLD, &new)
    }

    #[test]
    fn what_is_the_same_is_no_difference_however_it_is_written() {
        let spaced = OLD.replace(" = ", "=").replace("[limits]", "\n# a comment\n[limits]");

        assert_eq!(difference(OLD, &spaced), Difference::default());
    }

    #[test]
    fn changes_are_told_by_table_and_key_and_no_secret_with_them() {
        let found = changed(&[
            ("\"secret\"", "\"other\""),
            ("127.0.0.1:1\"", "127.0.0.1:2\""),
            ("system_id = \"bank\"", "system_id = \"post\""),
            ("messages = 1000", "messages = 2000"),
            ("prefix = \"44\"", "prefix = \"45\""),
            ("account = \"shop\"", "account = \"post\""),
            ("system_id = \"enroute\"", "system_id = \"we\""),
        ]);

        let expected = [
            "account \"bank\" removed",
            "account \"post\" added",
            "account \"shop\": outbind.address, password changed",
            "carrier \"north\": system_id changed",
            "inbound (account = \"post\") added",
            "inbound (account = \"shop\") removed",
            "limits: messages changed",
            "route.prefix \"44\" removed",
            "route.prefix \"45\" added",
        ];
        assert_eq!((found.now, found.later), (expected.map(str::to_owned).to_vec(), Vec::new()));
    }

    #[test]
    fn what_needs_a_restart_is_told_apart() {
        let found = changed(&[
            ("127.0.0.1:2775", "127.0.0.1:2776"),
            ("final_states = 10", "final_states = 20"),
            ("messages = 1000", "messages = 7"),
            ("[limits]", "[log]\nlevel = \"debug\"\n[limits]"),
        ]);

        assert_eq!(found.now, ["limits: messages changed"]);
        let later = ["limits: final_states changed", "listener: address changed", "log: level added"];
        assert_eq!(found.later, later);
    }

    #[test]
    fn two_entries_that_say_the_same_are_two() {
        let found = changed(&[("[[inbound]]", "[[inbound]]\naccount = \"shop\"\n[[inbound]]")]);

        assert_eq!(found.now, ["inbound (account = \"shop\")' added"]);
    }
}
