//! The model's steps that nobody asked for: the clock is set, the link comes and goes, the hub is killed.

use super::Model;
use super::time_model::{GRACE, Stage, Version};
use super::world::*;
use enroute::clock::UnixMs;
use enroute::hub::Event;

impl Model {
    /// Somebody sets the wall clock, by less than what is a step, and by more than what is overlooked.
    pub fn set_clock(&mut self) {
        let by_ms = 1000 * self.dice.u64(2..290);
        if self.messages.values().any(|message| message.is_late && message.stage == Stage::Waiting) {
            return;
        }
        let wall = &mut self.world.now.wall;
        *wall = if self.dice.bool() { UnixMs(wall.0 + by_ms) } else { UnixMs(wall.0 - by_ms) };
        self.note(format!("set the clock by {by_ms} ms: it is {:?}", self.world.now.wall));
        // Times may come again.
        for (number, message) in &self.messages {
            let times = |version: &Version| [version.due, version.expires, version.expires.after(GRACE)];
            let times = message.versions.iter().flat_map(times);
            self.agenda.extend(times.map(|at| (at, *number)));
        }
        self.settle();
    }

    pub fn turn_link(&mut self) {
        self.link_up = !self.link_up;
        self.note(format!("link up: {}", self.link_up));
        match self.link_up {
            true => self.world.bind_link(LINK, 10_000),
            false => self.world.inbox.push(Event::LinkClosed { session: LINK, lost: Vec::new() }),
        }
        self.settle();
    }

    /// The hub is killed with what was handed in last at some stage of its way; `unheard` may have come in.
    pub fn crash(&mut self, unheard: Option<(u64, Version)>) {
        let before = self.messages.len() as u64;
        self.note(format!("crash with {unheard:?}"));
        let came_in = self.break_down() - before;
        assert!(came_in <= u64::from(unheard.is_some()), "{came_in} messages too many");
        if let Some((number, version)) = unheard.filter(|_| came_in == 1) {
            self.enter(number, None, version, None);
        }
        self.settle();
    }

    /// The hub is killed and begins again; gives how many messages it knows then. What the dead one did in its last turns it
    /// does again: nobody answered.
    pub fn break_down(&mut self) -> u64 {
        let turns = self.dice.u8(0..3);
        self.note(format!("the hub dies after {turns} turns"));
        for turn in 0..turns {
            self.world.turn();
            if turn > 0 {
                self.world.commit();
            }
        }
        let mut dice = self.dice.fork();
        let world = std::mem::replace(&mut self.world, World::new(super::plan()));
        self.world = world.crash(&mut || dice.bool());
        let messages = self.world.hub.gauges().messages;
        self.world.bind_port(PORT);
        if self.link_up {
            self.world.bind_link(LINK, 10_000);
        }
        messages
    }
}
