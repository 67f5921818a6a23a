//! The table on a page of the documentation: rewritten between two marks, a line for each figure.

use super::figure::{Figure, LINES};
use super::machine::{describe, said};
use std::path::Path;
use std::{fs, io};

/// Figures as a table, each measured at `when`.
pub fn table(figures: &[Figure], when: &str) -> String {
    let lines = figures.iter().map(|figure| line(figure, when));
    HEAD.to_owned() + &lines.collect::<String>()
}

fn line(figure: &Figure, when: &str) -> String {
    let [name, measured, bar, goal, reached, beside] = figure.cells();
    format!("| {name} | {measured} | {bar} | {goal} | {reached} | {beside} | {when} |\n")
}

/// Puts figures in their places on a page; those that were not measured now stay as they are.
///
/// # Errors
/// If the page can't be read or written, or lacks its marks.
pub fn rewrite(page: &Path, figures: &[Figure]) -> io::Result<()> {
    let dirty = !said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
    let commit = said("git", &["rev-parse", "--short", "HEAD"]) + if dirty { "+" } else { "" };
    let when = format!("{}, {commit}", said("date", &["-u", "+%F"]));
    let text = merge(&fs::read_to_string(page)?, figures, &when, &describe());
    fs::write(page, text.ok_or_else(|| io::Error::other(format!("no {BEGIN} and {END} in it")))?)
}

/// The page with those figures in it; `None` if it lacks its marks.
pub fn merge(page: &str, figures: &[Figure], when: &str, machine: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (old, after) = rest.split_once(END)?;
    let mut text = format!("{before}{BEGIN}\n{machine}.\n\n{HEAD}");
    for wanted in LINES {
        match figures.iter().find(|figure| figure.line == wanted) {
            Some(figure) => text += &line(figure, when),
            None => {
                let start = format!("| {} |", wanted.name);
                old.lines()
                    .filter(|line| line.starts_with(&start))
                    .for_each(|line| text += &format!("{line}\n"));
            }
        }
    }
    Some(text + END + after)
}

/// What stands before the table on a page.
pub const BEGIN: &str = "<!-- scripts/bench writes from here -->";
/// What stands after it.
pub const END: &str = "<!-- to here -->";
/// The first two lines of the table.
pub const HEAD: &str = "| | median (lowest to highest) | bar | goal | reached | cores of others, stolen | measured, commit |\n\
                    | --- | --- | --- | --- | --- | --- | --- |\n";
