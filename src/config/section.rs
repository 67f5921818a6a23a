//! One table of the file, read key by key; what is wrong goes to the report and reading goes on.

use super::fault::Report;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table, and what has been asked of it. When it is dropped, keys that nobody asked for are faults.
pub(super) struct Section<'d> {
    report: &'d Report<'d>,
    path: String,
    span: Range<usize>,
    /// `None`: the file has no such table, and each key its default.
    table: Option<&'d DeTable<'d>>,
    known: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// The whole file.
    pub fn document(report: &'d Report<'d>, table: &'d DeTable<'d>) -> Self {
        Self { report, path: String::new(), span: 0..0, table: Some(table), known: Vec::new() }
    }

    /// The table under `key`; an empty one if it isn't there.
    pub fn section(&mut self, key: &'static str) -> Section<'d> {
        let path = self.path(key);
        let mut section =
            Section { report: self.report, path, span: self.span.clone(), table: None, known: Vec::new() };
        if let Some(value) = self.find(key) {
            section.span = value.span();
            section.table = value.get_ref().as_table();
            if section.table.is_none() {
                self.fault(key, wrong_type("a table", value));
            }
        }
        section
    }

    /// The tables of the list under `key`.
    pub fn list(&mut self, key: &'static str) -> Vec<Section<'d>> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let Some(entries) = value.get_ref().as_array() else {
            self.fault(key, format!("{}; write [[{}]]", wrong_type("a list", value), self.path(key)));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let path = format!("{}[{place}]", self.path(key));
            match entry.get_ref().as_table() {
                None => self.report.note(&entry.span(), path, wrong_type("a table", entry)),
                table => sections.push(Section {
                    report: self.report,
                    path,
                    span: entry.span(),
                    table,
                    known: Vec::new(),
                }),
            }
        }
        sections
    }

    /// Reads the text under `key`; `None` if it isn't there or `read` says what is wrong with it.
    pub fn text<T>(&mut self, key: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let value = self.find(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.fault(key, wrong_type("a text", value));
            return None;
        };
        read(text).map_err(|message| self.fault(key, message)).ok()
    }

    /// Reads the text under `key`, which must be there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(key) {
            self.fault(key, "is missing");
        }
        self.text(key, read)
    }

    /// Whether `key` is there, sound or not.
    pub fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Overwrites `target` with the text under `key`, if it is there.
    pub fn set_text<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
        target: &mut T,
    ) {
        if let Some(value) = self.text(key, read) {
            *target = value;
        }
    }

    /// Reads the number under `key`; `None` if it isn't there or is a fault.
    pub fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.find(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.fault(key, wrong_type("a whole number", value));
            return None;
        };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if range.contains(&number) => Some(number),
            Ok(_) | Err(_) => {
                self.fault(key, format!("{integer} is outside {}..={}", range.start(), range.end()));
                None
            }
        }
    }

    /// Reads the list of numbers under `key`, so many of them; `None` if it isn't there or is a fault.
    pub fn numbers(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        count: RangeInclusive<usize>,
    ) -> Option<Vec<u64>> {
        let value = self.find(key)?;
        let Some(entries) = value.get_ref().as_array() else {
            self.fault(key, wrong_type("a list of whole numbers", value));
            return None;
        };
        if !count.contains(&entries.len()) {
            self.fault(
                key,
                format!("has {} numbers, not {} to {}", entries.len(), count.start(), count.end()),
            );
            return None;
        }
        let mut numbers = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let integer = entry.get_ref().as_integer();
            let number = integer.and_then(|found| u64::from_str_radix(found.as_str(), found.radix()).ok());
            match number.filter(|number| range.contains(number)) {
                Some(number) => numbers.push(number),
                None => {
                    let message = format!("is no whole number in {}..={}", range.start(), range.end());
                    self.report.note(&entry.span(), format!("{}[{place}]", self.path(key)), message);
                }
            }
        }
        (numbers.len() == entries.len()).then_some(numbers)
    }

    /// Overwrites `target` with the share of one under `key`, if it is there.
    pub fn set_share(&mut self, key: &'static str, target: &mut f64) {
        let share = self.decimal(key, |written| match written.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
            Ok(_) | Err(_) => Err("is outside 0..=1".to_owned()),
        });
        if let Some(share) = share {
            *target = share;
        }
    }

    /// Reads the number under `key`, whole or not, as it is written; `None` if it isn't there or `read` says what is wrong with it.
    pub fn decimal<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.find(key)?;
        let written = match value.get_ref() {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            _ => {
                self.fault(key, wrong_type("a number", value)); // of all the others none is one
                return None;
            }
        };
        read(written).map_err(|message| self.fault(key, format!("{written} {message}"))).ok()
    }

    /// Overwrites `target` with the yes or no under `key`, if it is there.
    pub fn set_flag(&mut self, key: &'static str, target: &mut bool) {
        let Some(value) = self.find(key) else { return };
        match value.get_ref().as_bool() {
            Some(flag) => *target = flag,
            None => self.fault(key, wrong_type("true or false", value)),
        }
    }

    /// Reads each text of the list under `key`; those that `read` finds a fault with are left out.
    pub fn texts<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let Some(entries) = value.get_ref().as_array() else {
            self.fault(key, wrong_type("a list of texts", value));
            return Vec::new();
        };
        let mut found = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let read = match entry.get_ref().as_str() {
                Some(text) => read(text),
                None => Err(wrong_type("a text", entry)),
            };
            match read {
                Ok(value) => found.push(value),
                Err(message) => {
                    self.report.note(&entry.span(), format!("{}[{place}]", self.path(key)), message)
                }
            }
        }
        found
    }

    /// Overwrites `target` with the number under `key`, if it is there. `range` is within what `target` can hold.
    pub fn set<T: TryFrom<u64>>(&mut self, key: &'static str, range: RangeInclusive<u64>, target: &mut T) {
        if let Some(number) = self.number(key, range).and_then(|number| T::try_from(number).ok()) {
            *target = number;
        }
    }

    /// Overwrites `target` with the time under `key`, counted in `unit`, if it is there.
    pub fn set_time(
        &mut self,
        key: &'static str,
        unit: Duration,
        range: RangeInclusive<u32>,
        target: &mut Duration,
    ) {
        let range = u64::from(*range.start())..=u64::from(*range.end());
        if let Some(number) = self.number(key, range) {
            *target = unit * u32::try_from(number).expect("within a range of u32");
        }
    }

    /// Notes a fault of `key`, or of the table itself where the key isn't there.
    pub fn fault(&self, key: &str, message: impl Into<String>) {
        let value = self.table.and_then(|table| table.get(key));
        self.report.note(&value.map_or(self.span.clone(), Spanned::span), self.path(key), message);
    }

    /// Where a file is that the configuration names, and how its faults are told.
    pub fn report(&self) -> &'d Report<'d> {
        self.report
    }

    fn find(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.known.push(key);
        self.table?.get(key)
    }

    fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        let keys = self.table.into_iter().flat_map(|table| table.keys());
        for key in keys.filter(|key| !self.known.iter().any(|known| *known == key.get_ref().as_ref())) {
            let message = format!("{UNKNOWN}{}", self.known.join(", "));
            self.report.note(&key.span(), self.path(key.get_ref()), message);
        }
    }
}

fn wrong_type(wanted: &str, value: &Spanned<DeValue<'_>>) -> String {
    format!("must be {wanted}, is a TOML {}", value.get_ref().type_str())
}

/// How the fault of an unknown key begins; the known ones follow.
pub(super) const UNKNOWN: &str = "unknown key; known here: ";
