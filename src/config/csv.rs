//! Tables that the configuration names: a row a line, cells between semicolons or commas.
//!
//! The first line that is no remark tells the sign between cells: a semicolon if it has one, else a comma. It may name the
//! columns instead of being a row. Lines that are empty or begin with `#` are remarks. Cells may stand in quotation marks.

use super::section::Section;

/// Reads the table under `key`: calls `row` with the number and the cells of each line, one for each of `columns`; those at the end
/// from `needed` on may be missing and are empty then. What it can't read, and what `row` finds wrong, are faults of that line.
pub(super) fn read(
    section: &Section<'_>,
    key: &str,
    name: &str,
    (columns, needed): (&[&str], usize),
    mut row: impl FnMut(u32, &[&str]) -> Result<(), String>,
) {
    let path = section.report().beside(name);
    let text = match std::fs::read(&path) {
        Ok(octets) => octets,
        Err(error) => return section.fault(key, format!("can't read {}: {error}", path.display())),
    };
    let file = path.display().to_string();
    let mut sign = None;
    let mut faults = 0usize;
    let mut cells: Vec<&str> = Vec::new();
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text); // Excel's way to say UTF-8
    for (place, line) in text.split(|octet| *octet == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let done = match std::str::from_utf8(line) {
            Err(_) => Err("is not UTF-8".to_owned()),
            Ok(line) => {
                let is_first = sign.is_none();
                let sign = *sign.get_or_insert(if line.contains(';') { ';' } else { ',' });
                cells.clear();
                cells.extend(line.splitn(columns.len(), sign).map(bare));
                if is_first && cells[0].eq_ignore_ascii_case(columns[0]) {
                    continue;
                }
                let found = cells.len();
                cells.resize(columns.len(), "");
                if found < needed {
                    Err(format!("has {found} cells, not {needed}: {}", columns[..needed].join(", ")))
                } else {
                    row(place as u32 + 1, &cells)
                }
            }
        };
        if let Err(message) = done {
            faults += 1;
            if faults <= FAULTS_MAX {
                section.report().note_elsewhere(&file, place + 1, message);
            }
        }
    }
    if faults > FAULTS_MAX {
        section.fault(key, format!("{file} has {faults} faults; only the first {FAULTS_MAX} are told"));
    }
}

/// A cell without the space and the quotation marks around it.
fn bare(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell)
}

/// Faults of one file that are told.
pub(super) const FAULTS_MAX: usize = 100;
