//! What `docs/routing.md` says of its examples is what they do; and faulty routes are told all their faults, with file and line.

use enroute::clock::UnixMs;
use enroute::config::{Config, Fault};
use enroute::route::{Question, read_parameter};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

const TAUGHT: &str = include_str!("../docs/routing.md");

/// Two accounts and four carriers, and `routes`; read as if it lay in docs/.
fn config(routes: &str) -> Result<Config, Vec<String>> {
    read(routes, Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/example.toml"))
}

fn read(routes: &str, file: PathBuf) -> Result<Config, Vec<String>> {
    let mut text = String::new();
    for (name, group) in [("bank", "banks"), ("shop", "retail")] {
        text += &format!("[[account]]\nsystem_id = \"{name}\"\npassword = \"x\"\ngroup = \"{group}\"\n");
    }
    for name in ["alpha", "beta", "gamma", "sim"] {
        text += &format!(
            "[[carrier]]\nname = \"{name}\"\naddress = \"127.0.0.1:2776\"\nsystem_id = \"enroute\"\n"
        );
    }
    let lines = text.lines().count();
    let name = file.display().to_string();
    let folder = file.parent().expect("it is in one").display().to_string() + "/";
    Config::parse(&(text + routes), &name).map_err(|faults| {
        // Lines of the example itself.
        let told = faults.iter().map(|fault| Fault {
            line: fault.line - if fault.file == name { lines } else { 0 },
            ..fault.clone()
        });
        told.map(|fault| fault.to_string().replace(&folder, "")).collect()
    })
}

/// A block of TOML, and the rows of the tables that follow it, by the names of their columns.
struct Example {
    toml: String,
    rows: Vec<HashMap<String, String>>,
}

fn examples(text: &str) -> Vec<Example> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let (mut found, mut columns, mut inside): (Vec<Example>, Option<Vec<String>>, bool) = Default::default();
    for line in text.lines() {
        match line {
            "```toml" => {
                found.push(Example { toml: String::new(), rows: Vec::new() });
                inside = true;
            }
            "```" => inside = false,
            line if inside => found.last_mut().expect("it is inside one").toml += &format!("{line}\n"),
            line if !line.starts_with('|') => columns = None,
            line if line.starts_with("| ---") => {}
            line => match &columns {
                None => columns = Some(cells(line)),
                Some(names) if names[0] == "account" => {
                    let row = names.iter().cloned().zip(cells(line)).collect();
                    found.last_mut().expect("an example stands before it").rows.push(row);
                }
                Some(_) => {} // a table of words
            },
        }
    }
    found
}

fn question(row: &HashMap<String, String>) -> Question {
    let said = |column: &str| row.get(column).cloned().unwrap_or_default();
    let at = row.get("at").map(|at| {
        let at: jiff::Timestamp = at.parse().expect("a time");
        UnixMs(at.as_millisecond() as u64)
    });
    let text = match said("text") {
        text if text == "400 characters" => "x".repeat(400),
        text => text,
    };
    let priority = row.get("priority").map_or(0, |priority| priority.parse().expect("a number"));
    let esm_class = row.get("esm_class").map_or(0, |octet| octet.parse().expect("a number"));
    let tlvs = said("tlv");
    let tlvs = tlvs.split(' ').filter(|tlv| !tlv.is_empty());
    Question {
        account: said("account"),
        to: said("to"),
        from: said("from"),
        at,
        text,
        priority,
        esm_class,
        parameters: tlvs.map(|tlv| read_parameter(tlv).expect("a parameter")).collect(),
        ..Question::default()
    }
}

#[test]
fn every_example_of_the_document_does_what_it_says() {
    let mut rows = 0;
    for example in examples(TAUGHT) {
        let config = config(&example.toml).unwrap_or_else(|faults| panic!("{}\n{faults:?}", example.toml));
        for row in &example.rows {
            let told =
                config.explain(&question(row), UnixMs(1_795_000_000_000)).expect("the account is there");

            let (rule, missed) = told.rules.last().expect("a rule wins");
            assert_eq!(*missed, None, "{row:?}\n{told}");
            let carriers: Vec<&str> = told.candidates.iter().map(|way| way.carrier.as_str()).collect();
            assert_eq!(
                Some(&carriers[0]),
                row.get("goes to").map(String::as_str).as_ref(),
                "{row:?}\n{told}"
            );
            if let Some(wanted) = row.get("by the rule") {
                assert_eq!(rule, wanted, "{row:?}\n{told}");
            }
            if let Some(then) = row.get("then") {
                assert_eq!(carriers[1..].join(", "), *then, "{row:?}\n{told}");
            }
            if let Some(price) = row.get("price") {
                let told = told.candidates[0].price.map(|price| price.to_string());
                assert_eq!(told.as_deref(), Some(price.as_str()), "{row:?}");
            }
            rows += 1;
        }
    }
    assert!(rows >= 25, "only {rows} rows were found");
}

/// A share of the traffic is that share, and the same message always falls on the same side.
#[test]
fn trial_of_the_document_gets_its_share() {
    let example = examples(TAUGHT).into_iter().find(|example| example.toml.contains("percent = 5"));
    let config = config(&example.expect("it is there").toml).expect("sound");
    let goes_to = |n: u32| {
        let question = Question {
            account: "shop".into(),
            to: format!("49170{n:07}"),
            from: "ACME".into(),
            ..Question::default()
        };
        config.explain(&question, UnixMs(0)).expect("sound").candidates[0].carrier.clone()
    };

    let first: Vec<String> = (0..4000).map(goes_to).collect();

    let trial = first.iter().filter(|carrier| *carrier == "gamma").count();
    assert!((150..250).contains(&trial), "{trial} of 4000");
    assert_eq!(first, (0..4000).map(goes_to).collect::<Vec<_>>());
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

#[test]
fn all_faults_of_rules_groups_and_files_are_told_at_once_with_file_and_line() {
    let folder = folder("faulty-routes");
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file can be written");
    write(
        "set.csv",
        "prefix;target\n44;alpha\n4x;alpha\n\n# a remark\n45;nobody\n44\n12345678901234567;beta\n",
    );
    write("plan.csv", "49,262,01,Telekom\n49,262,02,Vodafone\n50,26,1,\n51,262\n");
    write("prices.csv", "44;0.01\n44;0.02\n45;cheap\n262-*;1\n262-*;2\n-;1\n");
    let routes = r#"[route]
number_plan = "plan.csv"
default = "nobody"
[[route.rule]]
name = "set"
prefixes = ["44", "46", "46"]
prefix_file = "set.csv"
target = "alpha"
[[route.rule]]
name = "set"
accounts = ["nobody"]
account_groups = ["nowhere"]
networks = ["26", "262-1"]
source_kinds = ["long"]
segments_min = 3
segments_max = 2
esm_class = 8
esm_class_mask = 4
weekdays = ["caturday"]
from = "24:00"
zone = "Mars/Olympus"
percent = 101
[[route.rule]]
name = "default"
prefix_file = "missing.csv"
zone = "UTC"
target = "alpha"
colour = "red"
[[route.group]]
name = "alpha"
kind = "random"
members = []
[[route.group]]
name = "a"
kind = "failover"
members = ["b", "alpha"]
weights = [1, 2]
[[route.group]]
name = "b"
kind = "weighted"
members = ["a"]
weights = [1, 2]
[[route.price]]
carrier = "alpha"
file = "prices.csv"
[[route.price]]
carrier = "beta"
price = "0,1"
"#;

    let faults = read(routes, folder.join("enroute.toml")).expect_err("faulty");

    let expected = [
        "enroute.toml:3: route.default: no carrier and no group is named \"nobody\"",
        "enroute.toml:6: route.rule[0].prefixes: 46 is there twice",
        "enroute.toml:10: route.rule[1].name: \"set\" is the name of a rule before it",
        "enroute.toml:11: route.rule[1].accounts[0]: no account is named \"nobody\"",
        "enroute.toml:12: route.rule[1].account_groups[0]: no account is in a group \"nowhere\"",
        "enroute.toml:13: route.rule[1].networks[0]: \"26\" is neither",
        "enroute.toml:13: route.rule[1].networks[1]: \"262-1\" is neither",
        "enroute.toml:14: route.rule[1].source_kinds[0]: \"long\" is none of alphanumeric, short_code",
        "enroute.toml:15: route.rule[1].segments_min: is more than segments_max, which is 2",
        "enroute.toml:17: route.rule[1].esm_class: 0x08 has bits that the mask 0x04 leaves out",
        "enroute.toml:19: route.rule[1].weekdays[0]: \"caturday\" is none of mon, tue",
        "enroute.toml:20: route.rule[1].from: 24:00 is an end",
        "enroute.toml:21: route.rule[1].zone: \"Mars/Olympus\" is neither a zone",
        "enroute.toml:22: route.rule[1].percent: 101 is outside 0..=100",
        "route.rule[1].target: is missing, and not every prefix names its own",
        "enroute.toml:24: route.rule[2].name: \"default\" is the name of a rule of our own",
        "enroute.toml:25: route.rule[2].prefix_file: can't read missing.csv",
        "enroute.toml:26: route.rule[2].zone: stands without weekdays, from and to",
        "enroute.toml:28: route.rule[2].colour: unknown key",
        "enroute.toml:30: route.group[0].name: \"alpha\" is the name of a carrier",
        "enroute.toml:31: route.group[0].kind: \"random\" is none of failover, weighted",
        "enroute.toml:32: route.group[0].members: names no carrier and no group",
        "enroute.toml:36: route.group[1].members: is within itself",
        "enroute.toml:37: route.group[1].weights: belongs to the kind \"weighted\" only",
        "enroute.toml:41: route.group[2].members: is within itself",
        "enroute.toml:42: route.group[2].weights: 2 weights for 1 members",
        "enroute.toml:48: route.price[1].price: \"0,1\" is not a price",
        "plan.csv:2: 49 is there twice: in line 1 too",
        "plan.csv:3: \"26\" and \"1\" are not a mobile country code and a mobile network code",
        "plan.csv:4: has 2 cells, not 3: prefix, mcc, mnc",
        "prices.csv:2: 44 is there twice: in line 1 too",
        "prices.csv:3: \"cheap\" is not a price",
        "prices.csv:5: 262 is there twice: in line 4 too",
        "prices.csv:6: \"-\" is neither a network",
        "set.csv:3: prefix \"4x\" has characters other than digits",
        "set.csv:6: no carrier and no group is named \"nobody\"",
        "set.csv:7: 44 is there twice: in line 2 too",
        "set.csv:8: prefix \"12345678901234567\" has more than 16 digits",
    ];
    for wanted in expected {
        assert!(
            faults.iter().any(|fault| fault.contains(wanted)),
            "{wanted}\nis not among\n{}",
            faults.join("\n")
        );
    }
    let is_expected = |fault: &&String| expected.iter().any(|wanted| fault.contains(wanted));
    let others: Vec<&String> = faults.iter().filter(|fault| !is_expected(fault)).collect();
    assert_eq!(others, ["enroute.toml:6: route.rule[0].prefixes: 44 is there, and in line 7 of its file"]);
    assert_eq!(faults.len(), expected.len() + 1, "{}", faults.join("\n"));
}

#[test]
fn file_with_very_many_faults_tells_the_first_and_their_number() {
    let folder = folder("many-faults");
    fs::write(folder.join("set.csv"), "x\n".repeat(5000)).expect("a file can be written");
    let routes = "[[route.rule]]\nname = \"set\"\nprefix_file = \"set.csv\"\ntarget = \"alpha\"\n";

    let faults = read(routes, folder.join("enroute.toml")).expect_err("faulty");

    assert_eq!(faults.len(), 101);
    assert!(faults[0].ends_with("set.csv has 5000 faults; only the first 100 are told"), "{}", faults[0]);
}

#[test]
fn commas_and_quotation_marks_and_a_byte_order_mark_are_read() {
    let folder = folder("other-tables");
    fs::write(folder.join("set.csv"), "\u{FEFF}\"Prefix\",\"Target\"\r\n\"44\",\"beta\"\r\n45 , \r\n")
        .expect("written");
    let routes = "[route]\ndefault = \"alpha\"\n[[route.rule]]\nname = \"set\"\nprefix_file = \"set.csv\"\ntarget = \"gamma\"\n";

    let config = read(routes, folder.join("enroute.toml")).expect("sound");

    for (to, carrier) in [("441", "beta"), ("451", "gamma"), ("46", "alpha")] {
        let question = Question { account: "shop".into(), to: to.into(), ..Question::default() };
        let told = config.explain(&question, UnixMs(0)).expect("sound");
        assert_eq!(told.candidates[0].carrier, carrier, "{to}");
    }
}
