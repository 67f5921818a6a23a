//! What a message costs in instructions, by part, as `tests/counts.toml` has it: counts, which are the same on a busy machine, never
//! seconds. `benches/counts.rs` is the load, callgrind counts.
//!
//! `scripts/count` shows the figures and where they come from; `scripts/count --write` writes them down anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// A change that makes a message dearer by more than this fails; one that makes it cheaper by more has to be written down, so that
/// the gain stays.
const TOLERANCE_PERCENT: u64 = 10;

/// Parts of the load, in the order of the line; the first is in the others, too.
const PARTS: [&str; 5] = ["codec", "esme", "hub", "spool", "carrier"];

#[test]
fn message_costs_what_is_written_down() {
    let profile = env::var("COUNTS_PROFILE").unwrap_or_else(|_| PROFILE.to_owned());
    let (messages, report) = counted(&build(&profile));
    let profiled = Profile::read(&report);
    let counts = profiled.parts(messages);
    print!("{}", told(&counts, &profiled, messages));
    if profile != PROFILE {
        return; // looked at only
    }
    let path = root().join("tests/counts.toml");
    if env::var_os("COUNTS_WRITE").is_some() {
        fs::write(&path, written(&counts)).expect("the repository is writable");
    }

    let known = fs::read_to_string(&path).expect("tests/counts.toml");
    let known: toml::Table = known.parse().expect("TOML");
    let faults: Vec<_> =
        counts.iter().filter_map(|(part, count)| fault(part, *count, expected(&known, part))).collect();
    assert!(
        faults.is_empty(),
        "{}\n(written down with {}, this is {}; if it has to be so: scripts/count --write)",
        faults.join("\n"),
        known["compiler"],
        compiler()
    );
}

/// What is wrong with a count, if anything is.
fn fault(part: &str, count: u64, expected: u64) -> Option<String> {
    let (dear, cheap) = (100 + TOLERANCE_PERCENT, 100 - TOLERANCE_PERCENT);
    if count * 100 > expected * dear {
        return Some(format!("{part}: {count} instructions a message, {expected} are written down"));
    }
    (count * 100 < expected * cheap).then(|| {
        format!("{part}: {count} instructions a message, only; write the gain down (it was {expected})")
    })
}

fn expected(known: &toml::Table, part: &str) -> u64 {
    let count = known["instructions"].get(part).and_then(toml::Value::as_integer);
    count.and_then(|count| u64::try_from(count).ok()).unwrap_or_else(|| panic!("no count for {part}"))
}

fn written(counts: &BTreeMap<String, u64>) -> String {
    let mut out = String::from(
        "# Instructions a message takes from submission to receipt, by part, with what they cause in memory and hashes; `line` is all of\n\
         # them but the codec's, whose work is in the others. Checked by tests/counts.rs, written by scripts/count --write.\n",
    );
    writeln!(out, "compiler = \"{}\"\n\n[instructions]", compiler()).expect("a string takes all");
    for (part, count) in counts {
        writeln!(out, "{part} = {count}").expect("a string takes all");
    }
    out
}

fn told(counts: &BTreeMap<String, u64>, profile: &Profile, messages: u64) -> String {
    let mut out = String::from("instructions a message, by part:\n");
    for (part, count) in counts {
        writeln!(out, "  {part:24} {count:>7}").expect("a string takes all");
    }
    out.push_str("by where they are written, the peers of the load included:\n");
    let mut rooms: Vec<_> = profile.rooms.iter().map(|(room, count)| (count / messages, room)).collect();
    rooms.sort_unstable();
    for (count, room) in rooms.into_iter().rev().filter(|(count, _)| *count >= ROOM_MIN) {
        writeln!(out, "  {room:24} {count:>7}").expect("a string takes all");
    }
    out
}

/// Builds the load; gives its path.
fn build(profile: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "--bench", "counts", "--message-format", "json"]);
    let built = run(cargo.args(["--profile", profile]).current_dir(root()));
    let messages = String::from_utf8(built.stdout).expect("JSON is UTF-8");
    let executable = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let executable = executable.filter(|message| message["target"]["name"] == "counts");
    let path = executable.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    path.expect("cargo names what it built")
}

/// Runs the load under callgrind; gives how many messages were counted, and callgrind's file.
fn counted(load: &Path) -> (u64, String) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counts.callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--toggle-collect=*counts::measured*"]);
    let output = run(valgrind.arg(format!("--callgrind-out-file={}", file.display())).arg(load));
    let said = String::from_utf8_lossy(&output.stdout);
    let messages = said.split(' ').next().and_then(|count| count.parse().ok()).expect("it says how many");
    (messages, fs::read_to_string(file).expect("callgrind writes its file"))
}

fn run(command: &mut Command) -> Output {
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/test installs it"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{told}", output.status);
    output
}

fn compiler() -> String {
    let version = run(Command::new("rustc").arg("--version").current_dir(root()));
    String::from_utf8_lossy(&version.stdout).split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What callgrind's file says (its format: positions and names in short, one line of costs for each line of source).
#[derive(Debug, Default, PartialEq)]
struct Profile {
    /// By function, what it calls included.
    functions: BTreeMap<String, u64>,
    /// By room or library, each instruction once, where its source stands, inlined or not.
    rooms: BTreeMap<String, u64>,
}

impl Profile {
    fn read(report: &str) -> Self {
        let mut read = Self::default();
        let (mut files, mut functions) = (BTreeMap::new(), BTreeMap::new());
        let (mut file, mut function) = (String::new(), String::new());
        let mut is_call = false;
        for line in report.lines() {
            if let Some((key, name)) = line.split_once('=') {
                match key {
                    "fl" | "fi" | "fe" => file = full_name(name, &mut files),
                    "cfi" | "cfl" => drop(full_name(name, &mut files)),
                    "fn" => function = full_name(name, &mut functions),
                    "cfn" => drop(full_name(name, &mut functions)),
                    "calls" => is_call = true,
                    _ => {} // objects, and what is said of the run
                }
                continue;
            }
            if function.is_empty() || line.starts_with("totals") {
                continue; // its head and its end
            }
            let Some(cost) = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok()) else {
                continue;
            };
            *read.functions.entry(function.clone()).or_default() += cost;
            if !std::mem::take(&mut is_call) {
                *read.rooms.entry(room(&file)).or_default() += cost;
            }
        }
        read
    }

    /// Instructions a message, by part; `line` is the sum of those that are not in one another.
    fn parts(&self, messages: u64) -> BTreeMap<String, u64> {
        let of = |part: &str| {
            let name = format!("counts::part_{part}");
            let costs = self.functions.iter().filter(|(function, _)| function.starts_with(&name));
            let cost: u64 = costs.map(|(_, cost)| cost).sum();
            assert_ne!(cost, 0, "{name} is not in callgrind's file");
            cost / messages
        };
        let mut parts: BTreeMap<_, _> = PARTS.iter().map(|part| ((*part).to_owned(), of(part))).collect();
        parts.insert("line".to_owned(), PARTS[1..].iter().map(|part| of(part)).sum());
        parts
    }
}

/// A name that is written `(7) name` the first time and `(7)` from then on.
fn full_name(name: &str, known: &mut BTreeMap<String, String>) -> String {
    match name.split_once(' ') {
        Some((number, name)) => {
            known.insert(number.to_owned(), name.to_owned());
            name.to_owned()
        }
        None => known.get(name).cloned().unwrap_or_else(|| name.to_owned()),
    }
}

/// The room of a file of ours, the crate of another's.
fn room(file: &str) -> String {
    if let Some((_, inside)) = file.split_once("/registry/src/") {
        return inside.split('/').nth(1).unwrap_or(inside).to_owned();
    }
    let ours = root().join("src/");
    let inside = file.strip_prefix(&*ours.to_string_lossy()).or_else(|| file.strip_prefix("src/"));
    match inside {
        Some(inside) => inside.split(['/', '.']).next().unwrap_or(inside).to_owned(),
        None if file.contains("/library/") => "the standard library".to_owned(),
        None if file.contains("benches/counts") => "the load".to_owned(),
        None => "the system's library".to_owned(),
    }
}

/// Rooms with less than this are not shown.
const ROOM_MIN: u64 = 20;

/// How the load is built for the figures that are written down.
const PROFILE: &str = "dev";

#[test]
fn what_a_part_calls_is_in_its_count_and_what_is_inlined_in_its_room() {
    let report = "events: Ir\n\nfl=(1) benches/counts.rs\nfn=(1) counts::part_hub\n10 5\nfi=(2) src/hub/mod.rs\n+3 7\nfe=(1)\n\
                  cfi=(3) /c/registry/src/x/bytes-1.1/src/lib.rs\ncfn=(2) grow\ncalls=2 4\n+1 100\n\n\
                  fl=(3)\nfn=(2)\n4 100\n\nfl=(1)\nfn=(1)\n* 1\n\ntotals: 113\n";

    let profile = Profile::read(report);

    let functions = [("counts::part_hub", 113), ("grow", 100)];
    let rooms = [("bytes-1.1", 100), ("hub", 7), ("the load", 6)];
    let named =
        |pairs: &[(&str, u64)]| pairs.iter().map(|(name, cost)| ((*name).to_owned(), *cost)).collect();
    assert_eq!(profile, Profile { functions: named(&functions), rooms: named(&rooms) });
}

#[test]
fn more_than_a_tenth_either_way_is_a_fault() {
    let is_fault = [1101, 1100, 1000, 900, 899].map(|count| fault("hub", count, 1000).is_some());

    assert_eq!(is_fault, [true, false, false, false, true]);
}
