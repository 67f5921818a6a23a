//! What `docs/protocol.md` and `docs/guarantees.md` say is shown by tests that exist; the former leaves out no PDU and no parameter that `codec` knows.

use enroute::codec::{Command, Tag};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_row_names_tests_that_exist() {
    let (page, tests) = (page(), all_tests());
    let mut wrong = Vec::new();

    for row in rows(&page) {
        let shown_by = row.last().expect("a row has cells");
        let named = quoted(shown_by);
        if named.is_empty() {
            wrong.push(format!("{}: no test", row[0]));
        }
        wrong.extend(
            named.into_iter().filter(|name| !tests.contains(*name)).map(|name| format!("{name}: not there")),
        );
    }

    assert!(rows(&page).len() > 50 && tests.len() > 300, "too little was read");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn guarantees_name_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/guarantees.md")).expect("the page is in docs/");
    let tests = all_tests();

    let named: Vec<&str> = quoted(&page).into_iter().filter(|name| name.contains("::")).collect();
    let wrong: Vec<_> =
        named.iter().filter(|name| **name != "hub::a_fact" && !tests.contains(**name)).collect();

    assert!(named.len() > 30, "too little was read");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_pdu_and_parameter_has_a_row() {
    let page = page();
    let told: BTreeSet<&str> = rows(&page).iter().flat_map(|row| quoted(row[0])).collect();
    let commands = (0..0x200).flat_map(|id| [Command(id), Command(id).response()]);
    let known = commands.filter(|command| command.is_known()).map(Command::name);
    let known: BTreeSet<&str> = known.chain((0..=u16::MAX).filter_map(|tag| Tag(tag).name())).collect();

    let missing: Vec<&&str> = known.difference(&told).collect();

    assert!(known.len() > 90, "{} known", known.len());
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn row_without_its_test_is_found() {
    let page = "| what | shown by |\n| --- | --- |\n| `a`, b | `x::y`, `x::z` |\n| c | nothing |\n";

    let rows = rows(page);

    assert_eq!(rows, [vec!["`a`, b", "`x::y`, `x::z`"], vec!["c", "nothing"]]);
    assert_eq!((quoted(rows[0][0]), quoted(rows[0][1])), (vec!["a"], vec!["x::y", "x::z"]));
    assert!(quoted(rows[1][1]).is_empty());
    let source =
        "#[test]\nfn plain() {}\n    #[test]\n    #[ignore]\n    /// Doc.\n    fn inner() {\nfn other() {}\n";
    assert_eq!(tests_of(source), ["plain", "inner"]);
}

fn page() -> String {
    fs::read_to_string(root().join("docs/protocol.md")).expect("the page is in docs/")
}

/// The rows of all tables, cell by cell, without their heads.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        let cells = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        let Some(cells) = cells else {
            inside = false;
            continue;
        };
        if cells.starts_with("---") {
            inside = true;
        } else if inside {
            found.push(cells.split(" | ").collect());
        }
    }
    found
}

/// What stands between back quotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Every test of the sources, as the page names it.
fn all_tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["src", "tests"] {
        let folder = root().join(folder);
        for path in rust_files(&folder) {
            let place = path.strip_prefix(&folder).expect("found inside of it").with_extension("");
            let text = fs::read_to_string(&path).expect("a source file is text");
            found.extend(tests_of(&text).into_iter().map(|name| format!("{}::{name}", place.display())));
        }
    }
    found
}

/// The names of the test functions in a source file.
fn tests_of(text: &str) -> Vec<&str> {
    let mut lines = text.lines().map(str::trim);
    let mut found = Vec::new();
    while lines.any(|line| line == "#[test]") {
        let function = lines.by_ref().find(|line| !line.starts_with("#[") && !line.starts_with("//"));
        found.extend(
            function.and_then(|line| line.strip_prefix("fn ")?.split_once('(')).map(|(name, _)| name),
        );
    }
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the project");
    let paths = entries.map(|entry| entry.expect("an entry can be read").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.partition(|path| path.is_dir());
    let rust = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    rust.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
