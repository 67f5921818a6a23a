//! The house keeps its order: who may name whom, who may read clocks, how big a file and a function may grow.
//!
//! The table below is section 3 of the design as data. The checks read the source text, not the compiler's
//! mind; what they read is stripped of comments, strings and test modules first (`support/source.rs`).

#[path = "support/source.rs"]
mod source;

use source::Source;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One floor: its rooms, and the rooms that they may name beside themselves. Siblings never name each other.
struct Floor {
    rooms: &'static [&'static str],
    may_name: &'static [&'static [&'static str]],
}

const FLOOR_1: &[&str] = &["clock", "guard", "id", "metrics"];
const FLOOR_2: &[&str] = &["codec", "wheel", "throttle", "text", "assembly"];
const FLOOR_3: &[&str] = &["session", "message", "conversion"];
const FLOOR_4: &[&str] =
    &["admission", "screening", "spool", "schedule", "correlation", "route", "esme", "carrier", "bulk"];
const FLOOR_5: &[&str] = &["hub"];
const FLOOR_6: &[&str] = &["runtime", "http"];

const HOUSE: &[Floor] = &[
    Floor { rooms: FLOOR_1, may_name: &[] },
    Floor { rooms: FLOOR_2, may_name: &[&["clock"]] },
    Floor { rooms: FLOOR_3, may_name: &[&["codec", "id", "clock", "text"]] },
    Floor { rooms: FLOOR_4, may_name: &[FLOOR_1, FLOOR_2, FLOOR_3] },
    Floor { rooms: FLOOR_5, may_name: &[FLOOR_1, FLOOR_2, FLOOR_3, FLOOR_4] },
    Floor { rooms: FLOOR_6, may_name: &[FLOOR_1, FLOOR_2, FLOOR_3, FLOOR_4, FLOOR_5] },
    // Our own peers use the driver and the protocol, never the hub and its parts.
    Floor { rooms: &["tool"], may_name: &[FLOOR_1, FLOOR_2, FLOOR_3, FLOOR_6] },
    Floor { rooms: &["config"], may_name: &[FLOOR_1, FLOOR_2, FLOOR_3, FLOOR_4, FLOOR_5, FLOOR_6] },
];

/// The two files at the root, which may name everything.
const ROOTS: &[&str] = &["lib", "main"];

/// Rooms that may use all of tokio; the others at most `tokio::sync`.
const WITH_TOKIO: &[&str] = &["runtime", "http", "tool", "config", "main"];

/// Rooms that may read a clock.
const WITH_CLOCK: &[&str] = &["runtime", "tool", "main"];

/// Lines of code in a file, and in a function: neither blank nor comment nor test.
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

#[test]
fn rooms_name_only_what_lies_below() {
    assert_clean(each(&["src"], breaches));
}

#[test]
fn files_and_functions_fit_their_size() {
    assert_clean(each(&["src", "tests", "benches"], |_, source| {
        let lines = source.code_lines();
        (lines > FILE_LINES)
            .then(|| format!("{lines} lines of code, {FILE_LINES} allowed"))
            .into_iter()
            .collect()
    }));
    assert_clean(each(&["src"], |_, source| long_functions(source)));
}

#[test]
fn modules_say_first_what_they_are() {
    assert_clean(each(&["src", "tests", "benches"], |_, source| {
        let said = source.raw().starts_with("//!");
        (!said).then(|| "does not begin with //!".to_owned()).into_iter().collect()
    }));
}

#[test]
fn no_two_siblings_differ_by_an_s() {
    let mut all = BTreeSet::new();
    for folder in ["src", "tests", "benches"] {
        for path in rust_files(folder) {
            all.extend(path.ancestors().map(|part| part.with_extension("")));
        }
    }
    assert_clean(twins(&all));
}

/// A fault that is planted nowhere, or looked for by nobody, proves nothing.
#[test]
fn planted_faults_have_their_place_and_their_test() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap_or_default();
    let list: toml::Table = read("tests/planted.toml").parse().expect("the list is TOML");
    let faults = list["fault"].as_array().expect("a list of faults");
    let tests: String = ["src", "tests"]
        .into_iter()
        .flat_map(rust_files)
        .map(|path| fs::read_to_string(path).expect("a file that was listed"))
        .collect();

    for fault in faults {
        let said = |key: &str| fault[key].as_str().expect("a text");
        let name = said("name");
        assert_eq!(read(said("file")).matches(said("old")).count(), 1, "{name}: places in {}", said("file"));
        assert_ne!(said("old"), said("new"), "{name}");
        match said("test").split(' ').collect::<Vec<_>>()[..] {
            ["--test", file] => assert!(root().join(format!("tests/{file}.rs")).exists(), "{name}"),
            ["--lib", test] | ["--test", _, test] => {
                assert!(tests.contains(&format!("fn {test}()")), "{name}: no test {test}");
            }
            _ => panic!("{name}: which test?"),
        }
    }
    assert!(faults.len() >= 20, "only {}", faults.len());
}

/// What a merge leaves where it could not decide.
#[test]
fn no_file_has_marks_of_a_conflict() {
    let mut found = Vec::new();
    for path in files(root()) {
        let Ok(text) = fs::read_to_string(&path) else { continue }; // not text
        let lines = text.lines().enumerate().filter(|(_, line)| is_conflict_mark(line));
        found.extend(lines.map(|(place, _)| format!("{}:{}: a conflict's mark", path.display(), place + 1)));
    }
    assert_clean(found);
}

fn is_conflict_mark(line: &str) -> bool {
    let [ours, between, theirs] = ["<", "=", ">"].map(|mark| mark.repeat(7));
    line == between
        || [ours, theirs].iter().any(|mark| line.strip_prefix(mark).is_some_and(|rest| rest.starts_with(' ')))
}

#[test]
fn marks_of_a_conflict_are_found() {
    for (mark, is_one) in [("<", true), (">", true), ("=", false)] {
        assert_eq!(is_conflict_mark(&format!("{} main", mark.repeat(7))), is_one, "{mark}");
        assert!(!is_conflict_mark(&format!("{} main", mark.repeat(8))) && !is_conflict_mark(&mark.repeat(6)));
    }
    assert!(is_conflict_mark(&"=".repeat(7)) && !is_conflict_mark(&"=".repeat(8)));
}

#[test]
fn every_dependency_is_accounted_for() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("cargo has read it");
    let table = fs::read_to_string(root().join("docs/dependencies.md")).expect("the table is in docs/");

    let (depended, told) = (dependencies(&manifest), table_rows(&table));

    assert!(depended.contains("tokio"), "{depended:?}: the manifest was misread");
    assert_eq!(depended, told, "left: Cargo.toml, right: docs/dependencies.md");
}

/// The crates that a manifest depends on, whatever for.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim_end().ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside) {
            found.insert(name.trim());
        }
    }
    found
}

/// The first cells of a table's rows.
fn table_rows(text: &str) -> BTreeSet<&str> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells.filter(|cell| !cell.starts_with("---") && *cell != "crate").collect()
}

/// Every reference of a file that the table, or the rules on tokio and clocks, do not allow.
fn breaches(path: &Path, source: &Source) -> Vec<String> {
    let modules = module_path(path);
    let room = modules.first().map_or_else(|| stem(path), String::as_str);
    let mut found = Vec::new();
    if !ROOTS.contains(&room) {
        let Some(floor) = HOUSE.iter().find(|floor| floor.rooms.contains(&room)) else {
            return vec![format!("the room `{room}` is not in the table")];
        };
        for name in source.rooms_named(&modules) {
            if name != room && !floor.may_name.iter().any(|rooms| rooms.contains(&name.as_str())) {
                found.push(format!("`{room}` names `{name}`"));
            }
        }
    }
    if !WITH_TOKIO.contains(&room) {
        let parts = source.named_under("tokio").into_iter().filter(|part| part != "sync");
        found.extend(parts.map(|part| format!("`{room}` uses `tokio::{part}`")));
    }
    if !WITH_CLOCK.contains(&room) {
        for clock in ["Instant", "SystemTime"] {
            if source.named_under(clock).contains("now") {
                found.push(format!("`{room}` reads `{clock}::now`"));
            }
        }
    }
    found
}

fn long_functions(source: &Source) -> Vec<String> {
    let long = source.functions().into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES);
    long.map(|(name, lines)| format!("fn {name} has {lines} lines, {FUNCTION_LINES} allowed")).collect()
}

fn twins(all: &BTreeSet<PathBuf>) -> Vec<String> {
    let plural = |path: &PathBuf| PathBuf::from(format!("{}s", path.display()));
    let pairs = all.iter().filter(|path| all.contains(&plural(path)));
    pairs.map(|path| format!("{}: has a sibling that differs by an s alone", path.display())).collect()
}

/// Where a file of `src/` stands in the crate: `src/hub/intake.rs` is `[hub, intake]`, a root file is `[]`.
fn module_path(path: &Path) -> Vec<String> {
    let inside = path.strip_prefix("src").unwrap_or(path).with_extension("");
    let mut parts: Vec<String> =
        inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") || (parts.len() == 1 && ROOTS.contains(&&*parts[0])) {
        parts.pop();
    }
    parts
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `check` finds in each Rust file under `folders`, each finding with its file.
fn each(folders: &[&str], check: impl Fn(&Path, &Source) -> Vec<String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut count = 0;
    for folder in folders {
        // Not those that exist in tests alone (`tests.rs` beside its module).
        for path in rust_files(folder).filter(|path| stem(path) != "tests") {
            count += 1;
            let text = fs::read_to_string(&path).expect("a source file is text");
            let relative = path.strip_prefix(root()).expect("found below it");
            let findings = check(relative, &Source::new(&text));
            found.extend(findings.into_iter().map(|finding| format!("{}: {finding}", relative.display())));
        }
    }
    assert!(count > 0, "no source files in {folders:?}: nothing was checked");
    found
}

/// All Rust files of one of the repository's folders.
fn rust_files(folder: &str) -> impl Iterator<Item = PathBuf> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files(&root().join(folder)).into_iter().filter(is_rust)
}

/// All files under `folder` in order, but those that are built or fetched.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let entry = entry.expect("it can be listed");
        let (path, name) = (entry.path(), entry.file_name());
        let is_ours =
            !name.to_string_lossy().starts_with(".git") && name != "target" && name != "node_modules";
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && is_ours => found.extend(files(&path)),
            Ok(kind) if kind.is_file() && is_ours => found.push(path),
            _ => {} // a link leads to what is elsewhere
        }
    }
    found.sort();
    found
}

fn assert_clean(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// What the checker finds in `text` as the file `path`.
fn found_in(path: &str, text: &str) -> Vec<String> {
    breaches(Path::new(path), &Source::new(text))
}

#[test]
fn naming_downward_passes() {
    let text = "use crate::{clock::Now, codec::{self, Pdu}};\nfn f(id: crate::id::Lsn) { super::own(); }";

    assert_eq!(found_in("src/spool/record.rs", text), Vec::<String>::new());
    assert_eq!(found_in("src/main.rs", "use enroute::hub;"), Vec::<String>::new());
}

#[test]
fn naming_a_sibling_or_upward_is_found() {
    assert_eq!(found_in("src/spool/mod.rs", "use crate::hub::Hub;"), ["`spool` names `hub`"]);
    assert_eq!(found_in("src/route/mod.rs", "fn f() { crate :: spool :: g() }"), ["`route` names `spool`"]);
    assert_eq!(found_in("src/codec/pdu.rs", "use crate::{clock, id::Lsn};"), ["`codec` names `id`"]);
    assert_eq!(found_in("src/http/mod.rs", "use crate::runtime;"), ["`http` names `runtime`"]);
    assert_eq!(found_in("src/tool/load.rs", "use crate::{runtime, route};"), ["`tool` names `route`"]);
    assert_eq!(found_in("src/wheel.rs", "use crate::nowhere;"), ["`wheel` names `nowhere`"]);
    assert_eq!(found_in("src/wheel.rs", "use crate::*;"), ["`wheel` names `*`"]);
    assert_eq!(found_in("src/attic/mod.rs", ""), ["the room `attic` is not in the table"]);
}

#[test]
fn naming_by_super_is_found() {
    assert_eq!(found_in("src/spool/record.rs", "use super::super::hub;"), ["`spool` names `hub`"]);
    assert_eq!(found_in("src/spool/mod.rs", "use super::{clock, hub::Hub};"), ["`spool` names `hub`"]);
    assert_eq!(found_in("src/spool/mod.rs", "mod a { use super::super::hub; }"), ["`spool` names `hub`"]);
    assert_eq!(found_in("src/spool/mod.rs", "mod a { use super::hub; }"), Vec::<String>::new());
}

#[test]
fn comments_strings_and_tests_name_nothing() {
    let text = concat!(
        "//! crate::hub\n/* /* crate::hub */ crate::hub */\n",
        "const A: &str = \"crate::hub \\\" crate::hub\"; const B: &str = r#\"crate::hub \" \"#;\n",
        "const C: char = '\"'; fn f<'a>(x: &'a str) -> &'a str { x }\n",
        "#[cfg(test)]\nmod tests { use crate::hub; fn f() { tokio::spawn(g) } }\n",
        "#[cfg(test)] #[path = \"x.rs\"] mod more;\n#[cfg(test)] use crate::hub;\n",
    );

    assert_eq!(found_in("src/spool/mod.rs", text), Vec::<String>::new());
    let after = format!("{text}fn g() {{ crate::hub::h() }}");
    assert_eq!(found_in("src/spool/mod.rs", &after), ["`spool` names `hub`"]);
}

#[test]
fn tokio_and_clocks_are_found_where_they_do_not_belong() {
    assert_eq!(found_in("src/hub/mod.rs", "use tokio::{sync::mpsc, time};"), ["`hub` uses `tokio::time`"]);
    assert_eq!(found_in("src/runtime/mod.rs", "use tokio::time;"), Vec::<String>::new());
    assert_eq!(
        found_in("src/hub/mod.rs", "let a = std::time::Instant :: now();"),
        ["`hub` reads `Instant::now`"]
    );
    assert_eq!(found_in("src/http/mod.rs", "SystemTime::now()"), ["`http` reads `SystemTime::now`"]);
    assert_eq!(found_in("src/tool/load.rs", "SystemTime::now()"), Vec::<String>::new());
}

#[test]
fn lines_of_code_are_neither_blank_nor_comment_nor_test() {
    let source = Source::new(
        "//! doc\n\nfn f() {\n    // why\n    g(\"\n text\n\"); /* c */\n}\n#[cfg(test)]\nmod tests {\n fn g() {}\n}\n",
    );

    assert_eq!(source.code_lines(), 5);
    assert_eq!(source.functions(), [("f".to_owned(), 5)]);
}

#[test]
fn long_function_is_found() {
    let fits = format!("fn fits() -> [u8; 2] {{\n{}}}\n", "x();\n".repeat(FUNCTION_LINES - 2));
    let long = format!("fn long(f: fn(u8)) {{\n{}}}\n", "x();\n".repeat(FUNCTION_LINES - 1));

    assert_eq!(long_functions(&Source::new(&(fits + &long))), ["fn long has 71 lines, 70 allowed"]);
}

#[test]
fn twins_are_found() {
    let all = ["src/route.rs", "src/routes.rs", "src/x/route.rs"]
        .map(|path| PathBuf::from(path).with_extension(""));

    assert_eq!(twins(&all.into()).len(), 1);
}
