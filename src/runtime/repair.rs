//! What keeps a spool from starting, or lies in it without use: looked for through glass, and put aside when that is wanted.
//!
//! Nothing is thrown away: what is put aside keeps its name with [`ASIDE`] behind it. Damaged segments stay where they are, for what
//! can be read in them is read at each start; their files are kept when they leave the log.

use super::survey::{Survey, SurveyError};
use super::{FileDisk, now};
use crate::spool::{self, OpenError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What is not as it should be.
pub struct Findings {
    /// What the spool holds, seen without the files of other stores.
    pub survey: Survey,
    /// Files of other stores: with them no hub starts.
    pub foreign: Vec<String>,
    /// Segments of the log of which nothing can be read, and whose place in it is unknown.
    pub headless: Vec<String>,
    /// What a start that was cut off has left.
    pub leftover: Option<String>,
    /// Files that an earlier start, or an earlier repair, has put aside.
    pub aside: Vec<String>,
    /// Files that enroute has not made.
    pub strangers: Vec<String>,
}

/// Why a spool can't be repaired.
#[derive(Debug, Error)]
pub enum RepairError {
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// Whose store it is can't be told: too much of it is another's.
    #[error(
        "{count} files belong to another store than the rest, {first} among them: move one store away by hand"
    )]
    Mixed { count: usize, first: String },
    /// A hub has it, or the directory can't be written.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Findings {
    /// Looks through a spool's directory and changes nothing, not even while a hub uses it.
    ///
    /// # Errors
    /// If there is no spool, none that this program can read, or two of them.
    pub fn of(directory: &Path) -> Result<Self, RepairError> {
        let mut foreign = Vec::new();
        let survey = loop {
            match Survey::without(directory, &foreign) {
                // What is hidden can't be named again.
                Err(SurveyError::Open(OpenError::Foreign(name))) => foreign.push(name),
                other => break other?,
            }
        };
        if foreign.len() as u64 > survey.report.segments {
            return Err(RepairError::Mixed { count: foreign.len(), first: foreign.swap_remove(0) });
        }
        let names = fs::read_dir(directory)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>())
            .map_err(|error| RepairError::Io(directory.to_owned(), error))?;
        let mut names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
        names.sort();
        let aside: Vec<String> =
            names.extract_if(.., |name| name.ends_with(".damaged") || name.ends_with(ASIDE)).collect();
        let leftover = names.extract_if(.., |name| name == LEFTOVER).next();
        let is_ours = |name: &String| name.ends_with(".segment") || OWN.contains(&name.as_str());
        let strangers = names.into_iter().filter(|name| !is_ours(name)).collect();
        let headless = survey.report.aside.clone();
        Ok(Self { survey, foreign, headless, leftover, aside, strangers })
    }

    /// Whether there is nothing for [`mend`] to do.
    pub fn is_clean(&self) -> bool {
        self.foreign.is_empty() && self.headless.is_empty() && self.leftover.is_none()
    }
}

/// Puts aside what [`Findings::of`] finds, under the spool's lock, then does what a start does: cuts the torn tail, writes what may not
/// have been synced once more, and puts the file `store` right. Gives what it found, and the name of each file that it put aside.
///
/// # Errors
/// If a hub has the spool, or the disk would not; what was done until then stays done.
pub fn mend(directory: &Path) -> Result<(Findings, Vec<String>), RepairError> {
    let failed = |error| RepairError::Io(directory.to_owned(), error);
    Findings::of(directory)?; // before the lock makes a directory of what is none
    let disk = FileDisk::open(directory).map_err(failed)?;
    let findings = Findings::of(directory)?;
    let mut done = Vec::new();
    for name in findings.foreign.iter().chain(&findings.leftover) {
        let to = free_name(directory, name);
        fs::rename(directory.join(name), directory.join(&to)).map_err(failed)?;
        done.push(to);
    }
    fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    let (.., report) = spool::open(disk, spool::Settings::default(), 0, now(), &mut |_, _| {})?;
    done.extend(report.aside.iter().map(|name| format!("{name}.damaged")));
    Ok((findings, done))
}

/// A name beside `name` that no file has.
fn free_name(directory: &Path, name: &str) -> String {
    let numbered = (2..).map(|number| format!("{name}.{number}{ASIDE}"));
    let mut names = std::iter::once(format!("{name}{ASIDE}")).chain(numbered);
    names.find(|name| !directory.join(name).exists()).expect("the numbers don't end")
}

/// What files that were put aside end in.
const ASIDE: &str = ".aside";
/// What a start that is cut off leaves.
const LEFTOVER: &str = "tail";
/// Files of a spool beside its segments.
const OWN: [&str; 3] = ["lock", "reserve", "store"];
