//! The model's steps that concern bulks.

use super::Model;
use super::time_model::{Bulk, Stage, Version, relative, version};
use super::world::*;
use enroute::bulk::{Ask, Refusal, State};
use enroute::clock::UnixMs;
use enroute::codec::Status;

/// Bulks that go by a name at one time.
const NAMES: usize = 4;

impl Model {
    /// Where the last bulk of that name is.
    fn named(&self, name: &str) -> Option<usize> {
        self.bulks.iter().rposition(|bulk| bulk.name == name)
    }

    pub fn submit_to_bulk(&mut self) {
        let number = self.next;
        self.next += 1;
        let words = format!("m{number}");
        let name = format!("b{}", self.dice.usize(0..NAMES));
        let schedule = (self.dice.u8(0..5) != 0).then(|| self.seconds());
        let validity = self.dice.bool().then(|| self.seconds());
        self.note(format!("submit {words} to {name} in {schedule:?} for {validity:?}"));
        let (at, until) = (schedule.map(relative), validity.map(relative));
        let now = self.world.now.wall;
        let due = now.after(secs(schedule.unwrap_or(0)));
        let foretold = version(words.clone(), due, validity.map(|seconds| now.after(secs(seconds))));
        let of_name = self.named(&name);
        let is_canceled = of_name.is_some_and(|place| self.bulks[place].state == State::Canceled);
        self.world.submit_to(
            &name,
            &[Text {
                schedule: at.as_ref().map_or(b"", |at| at.as_slice()),
                validity: until.as_ref().map_or(b"", |until| until.as_slice()),
                ..text(&words)
            }],
        );
        self.world.run();
        let (_, answer) = self.world.answers.pop().expect("an answer");
        let (id, version) = match (answer.outcome, foretold) {
            (Ok(id), Ok(version)) if !is_canceled => (id, version),
            (Err(Status::RSUBMITFAIL), Ok(_)) if is_canceled => return self.settle(),
            (Err(status), Err(expected)) => {
                assert!(status == expected || is_canceled && status == Status::RSUBMITFAIL);
                return self.settle();
            }
            (told, expected) => panic!("{told:?}, not {expected:?}"),
        };
        let place = match of_name.filter(|place| !is_over(&self.bulks[*place])) {
            Some(place) => place,
            None => {
                self.bulks.push(Bulk { name, state: State::Pending, at: version.due, has_reached: false });
                self.bulks.len() - 1
            }
        };
        let bulk = &self.bulks[place];
        let version = match schedule {
            _ if bulk.is_unfired() => version.moved_to(bulk.at),
            Some(_) => version,
            None => version.at_once(),
        };
        let id = self.world.name(id);
        self.known.insert(id.clone(), number);
        self.enter(number, Some(id), version, Some(place));
        self.settle();
    }

    pub fn ask_bulk(&mut self) {
        let name = format!("b{}", self.dice.usize(0..NAMES));
        let seconds = self.seconds();
        let ask = match self.dice.u8(0..10) {
            0..=2 => Ask::Pause,
            3..=5 => Ask::Resume,
            6..=8 => Ask::Schedule(self.world.after(secs(seconds))),
            _ => Ask::Cancel,
        };
        self.note(format!("{ask:?} of {name}"));
        let Some(place) = self.named(&name) else {
            if !matches!(ask, Ask::Schedule(_)) {
                assert_eq!(self.world.bulk(&name, ask), Err(Refusal::Unknown));
            }
            return;
        };
        self.check_bulk(place);
        let after = self.bulks[place].after(ask);
        if self.dice.u8(0..20) == 0 {
            self.world.ask_bulk(ACCOUNT, 78, &name, ask);
            return self.crash_with_bulk(place, ask, after);
        }
        let answer = self.world.bulk(&name, ask);
        assert_eq!(answer.is_ok(), after.is_some(), "{:?}: {ask:?} gives {answer:?}", self.bulks[place]);
        if let Some(state) = after {
            self.change_bulk(place, ask, state);
        }
        self.settle();
    }

    /// What was asked last may have come through.
    fn crash_with_bulk(&mut self, place: usize, ask: Ask, after: Option<State>) {
        self.break_down();
        let name = self.bulks[place].name.clone();
        let view = self.world.shown(&name).expect("it is on disk");
        let bulk = &self.bulks[place];
        let stands = (view.state, view.at) == (bulk.state, bulk.at);
        if let Some(state) = after.filter(|_| !stands) {
            self.change_bulk(place, ask, state);
        }
        self.settle();
        self.check_bulk(place);
    }

    fn change_bulk(&mut self, place: usize, ask: Ask, state: State) {
        let bulk = &mut self.bulks[place];
        bulk.state = state;
        if let Ask::Schedule(at) = ask {
            bulk.at = at;
        }
        let at = bulk.at;
        for (number, message) in &mut self.messages {
            if message.bulk != Some(place) || !message.is_bundled || message.stage != Stage::Waiting {
                continue;
            }
            self.restless.insert(*number);
            match state {
                State::Canceled => message.stage = Stage::Cancelled,
                _ => {
                    // The rest goes by the time of the bulk.
                    message.versions = message.versions.iter().map(|version| version.moved_to(at)).collect();
                    let times = message.versions.iter().flat_map(|version| [version.due, version.expires]);
                    self.agenda.extend(times.map(|at| (at, *number)));
                }
            }
        }
    }

    /// What is due and not paused has fired.
    pub fn fire_bulks(&mut self) {
        let now = self.world.now.wall;
        for (place, bulk) in self.bulks.iter_mut().enumerate() {
            if bulk.state != State::Pending || bulk.at > now {
                continue;
            }
            bulk.state = State::Processing;
            for (number, message) in &mut self.messages {
                if message.bulk == Some(place) && std::mem::take(&mut message.is_bundled) {
                    self.restless.insert(*number);
                    message.is_late = now.since(bulk.at) > secs(1);
                    // What came after its bulk's time has no schedule.
                    if message.accepted >= bulk.at {
                        let at_once = |version: &Version| Version { due: UnixMs(0), ..version.clone() };
                        let at_once: Vec<_> = message.versions.iter().map(at_once).collect();
                        message.versions.extend(at_once);
                    }
                }
            }
        }
    }

    /// What has fired and has nobody left is over.
    pub fn end_bulks(&mut self) {
        for (place, bulk) in self.bulks.iter_mut().enumerate() {
            let is_open = || self.messages.values().any(|message| message.bulk == Some(place));
            if bulk.state == State::Processing && !is_open() {
                bulk.state = if bulk.has_reached { State::Finished } else { State::Failed };
            }
        }
    }

    fn check_bulk(&mut self, place: usize) {
        let Bulk { name, state, at, .. } = self.bulks[place].clone();
        let open = self.messages.values().filter(|message| message.bulk == Some(place)).count() as u64;
        let view = self.world.shown(&name).expect("it is remembered");
        assert_eq!((view.state, view.at, view.counts.open), (state, at, open), "{name}");
    }
}

fn is_over(bulk: &Bulk) -> bool {
    matches!(bulk.state, State::Finished | State::Failed)
}
