//! Tells what is wrong with a spool, and puts aside what can be put aside if it is told to.

use crate::runtime::{Findings, mend};
use std::fmt::{Display, Write};
use std::path::PathBuf;

/// Which spool, and whether anything may be changed.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The spool's directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Do it; without this nothing is changed. No hub may be using the spool.
    #[arg(long)]
    yes: bool,
}

/// Says on stdout what is found, and what is done about it.
///
/// # Errors
/// If there is no spool, it can't be read, or a hub has it while something is to be changed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let (findings, done) = match options.yes {
        true => mend(&options.directory).map(|(findings, done)| (findings, Some(done)))?,
        false => (Findings::of(&options.directory)?, None),
    };
    let mut page = String::new();
    add_line(&mut page, "spool", &options.directory.display());
    tell(&findings, &mut page);
    match done {
        None if findings.is_clean() => add_line(&mut page, "to be done", &"nothing"),
        None => add_line(&mut page, "to be done", &"with --yes; nothing was changed"),
        Some(done) if done.is_empty() => {
            add_line(&mut page, "done", &"as a start does; no file was put aside")
        }
        Some(done) => done.iter().for_each(|name| add_line(&mut page, "put aside", name)),
    }
    Ok(std::io::Write::write_all(&mut std::io::stdout(), page.as_bytes())?)
}

fn tell(findings: &Findings, page: &mut String) {
    let Findings { survey, foreign, headless, leftover, aside, strangers } = findings;
    let report = &survey.report;
    add_line(page, "living messages", &survey.living().count());
    add_line(page, "unsynced tail, octets", &format!("{}, which a start cuts", report.cut_octets));
    add_line(page, "damaged octets", &report.damaged_octets);
    for damage in &report.damaged {
        let (from, to, saved) = (damage.from, damage.to, damage.saved);
        let told = format!(
            "{from}..{to}, {saved} records saved; the file stays, and is kept when it leaves the log"
        );
        add_line(page, &format!("  {}", damage.file), &told);
    }
    for (names, told) in [
        (&foreign[..], "belongs to another store, so no hub starts: to be put aside"),
        (headless, "a segment that can't be read at all: to be put aside"),
        (leftover.as_slice(), "left by a start that was cut off: to be put aside"),
        (aside, "was put aside before; enroute needs it no more"),
        (strangers, "is none of enroute's; it stays"),
    ] {
        names.iter().for_each(|name| add_line(page, name, &told));
    }
}

fn add_line(page: &mut String, name: &str, value: &dyn Display) {
    // Writing to a String never fails.
    let _ = writeln!(page, "{name:<24} {value}");
}
