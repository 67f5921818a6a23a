//! The figures of the table: what each is, what is wanted of it, and what was measured.

use super::machine::Beside;
use serde_json::{Value, json};

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    pub name: &'static str,
    pub unit: Unit,
    /// What must be reached, and what is aimed at; neither for a figure that others are compared with.
    pub wanted: Option<Wanted>,
}

/// What is wanted, in the line's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    AtLeast { bar: f64, goal: f64 },
    AtMost { bar: f64, goal: f64 },
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Messages a second.
    PerSecond,
    /// A share of one; shown as per cent.
    Share,
    Micros,
    Millis,
    Kib,
}

/// How far a figure came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    Goal,
    Bar,
    Missed,
    /// Nothing is wanted of it.
    Nothing,
}

/// What was measured of one line.
#[derive(Clone, Debug)]
pub struct Figure {
    pub line: &'static Line,
    /// One value for each run.
    pub values: Vec<f64>,
    pub beside: Beside,
    /// What else a reader should know; empty if nothing.
    pub remark: String,
}

const fn at_least(name: &'static str, unit: Unit, bar: f64, goal: f64) -> Line {
    Line { name, unit, wanted: Some(Wanted::AtLeast { bar, goal }) }
}

const fn at_most(name: &'static str, unit: Unit, bar: f64, goal: f64) -> Line {
    Line { name, unit, wanted: Some(Wanted::AtMost { bar, goal }) }
}

const fn reference(name: &'static str) -> Line {
    Line { name, unit: Unit::PerSecond, wanted: None }
}

pub const PATH: Line =
    at_least("full path with receipts, fsync, 8 binds, window 100", Unit::PerSecond, 120_000.0, 300_000.0);
pub const RELAY: Line = reference("bare relay in the same run");
pub const SHARE: Line = at_least("full path / bare relay", Unit::Share, 0.07, 0.18);
pub const CPU: Line = at_most("hub CPU per message on that path", Unit::Micros, 8.0, 4.0);
pub const ACCEPT: Line =
    at_least("accept only, fsync, carrier paused", Unit::PerSecond, 200_000.0, 500_000.0);
pub const MEMORY: Line =
    at_least("accept only, durability memory, carrier paused", Unit::PerSecond, 500_000.0, 1_500_000.0);
pub const SERVER: Line = reference("bare server in the same run");
pub const WINDOW: Line =
    at_least("window 10, one bind, full path, fsync", Unit::PerSecond, 8_000.0, 20_000.0);
pub const SUBMIT_P50: Line = at_most("submit to response at 20,000/s, fsync, p50", Unit::Millis, 1.0, 0.5);
pub const SUBMIT_P99: Line = at_most("submit to response at 20,000/s, fsync, p99", Unit::Millis, 5.0, 2.0);
pub const RECEIPT_P99: Line = at_most("submit to receipt at 20,000/s, p99", Unit::Millis, 10.0, 4.0);
pub const IDLE_KIB: Line = at_most("10,000 idle bound sessions, memory each", Unit::Kib, 16.0, 8.0);
pub const IDLE_CPU: Line = at_most("10,000 idle bound sessions, of one core", Unit::Share, 0.02, 0.005);
pub const BINDS: Line = at_most("loss from 1 to 1,000 busy binds", Unit::Share, 0.15, 0.05);
pub const CARRIERS: Line = at_most("loss from 1 to 200 carriers", Unit::Share, 0.15, 0.05);
pub const PARKED: Line = at_most("loss from 1,000 to 10 M parked messages", Unit::Share, 0.15, 0.05);
pub const RESIDENT: Line =
    at_most("resident memory, growth from 2 M to 10 M messages passed", Unit::Share, 0.1, 0.05);

/// All lines, in the order of the table.
pub const LINES: [&Line; 17] = [
    &PATH,
    &RELAY,
    &SHARE,
    &CPU,
    &ACCEPT,
    &MEMORY,
    &SERVER,
    &WINDOW,
    &SUBMIT_P50,
    &SUBMIT_P99,
    &RECEIPT_P99,
    &IDLE_KIB,
    &IDLE_CPU,
    &BINDS,
    &CARRIERS,
    &PARKED,
    &RESIDENT,
];

impl Figure {
    /// The middle of the runs.
    pub fn median(&self) -> f64 {
        median(self.values.iter().copied())
    }

    /// How far the median came.
    pub fn reached(&self) -> Reached {
        let (value, reaches) = (self.median(), |reached, wins: bool| wins.then_some(reached));
        let (bar, goal) = match self.line.wanted {
            None => return Reached::Nothing,
            Some(Wanted::AtLeast { bar, goal }) => (value >= bar, value >= goal),
            Some(Wanted::AtMost { bar, goal }) => (value <= bar, value <= goal),
        };
        reaches(Reached::Goal, goal).or(reaches(Reached::Bar, bar)).unwrap_or(Reached::Missed)
    }

    /// The cells of its line: name, median and spread, bar, goal, how far it came, what was beside it.
    pub fn cells(&self) -> [String; 6] {
        let unit = self.line.unit;
        let (low, high) = (
            self.values.iter().copied().fold(f64::MAX, f64::min),
            self.values.iter().copied().fold(f64::MIN, f64::max),
        );
        let mut measured = unit.show(self.median());
        if self.values.len() > 1 {
            measured += &format!(" ({} to {})", unit.show(low), unit.show(high));
        }
        if !self.remark.is_empty() {
            measured += &format!("; {}", self.remark);
        }
        let (bar, goal) = match self.line.wanted {
            None => (String::new(), String::new()),
            Some(Wanted::AtLeast { bar, goal } | Wanted::AtMost { bar, goal }) => {
                (unit.show(bar), unit.show(goal))
            }
        };
        let reached = match self.reached() {
            Reached::Goal => "goal",
            Reached::Bar => "bar",
            Reached::Missed => "**missed**",
            Reached::Nothing => "",
        };
        let noisy = if self.beside.is_noisy() { ", **noisy**" } else { "" };
        let beside = format!("{:.2}, {:.2}{noisy}", self.beside.foreign, self.beside.stolen);
        [self.line.name.to_owned(), measured, bar, goal, reached.to_owned(), beside]
    }

    /// The figure as JSON.
    pub fn json(&self) -> Value {
        let [name, _, bar, goal, ..] = self.cells();
        json!({
            "figure": name, "median": self.median(), "values": self.values, "bar": bar, "goal": goal,
            "reached": format!("{:?}", self.reached()).to_lowercase(), "noisy": self.beside.is_noisy(),
            "foreign_cores": self.beside.foreign, "stolen_cores": self.beside.stolen, "remark": self.remark,
        })
    }
}

impl Unit {
    /// A figure as the table shows it.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", thousands(value)),
            Self::Share => format!("{:.1} %", value * 100.0),
            Self::Micros => format!("{value:.1} µs"),
            Self::Millis => format!("{value:.2} ms"),
            Self::Kib => format!("{value:.1} KiB"),
        }
    }
}

/// The middle of some figures, the upper one of two; 0 of none.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// A figure to three digits at least, in groups of three.
pub fn thousands(value: f64) -> String {
    let step = 10f64.powi((value.max(1.0).log10() as i32 - 2).max(0));
    let digits = ((value / step).round() * step).to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
