//! Several carriers, a link each, and groups of them.

use super::*;
use enroute::route::{Draft, Group, GroupKind, Routes, Rule, Target};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// The link of each carrier.
pub const LINKS: [SessionId; 3] = [SessionId(20), SessionId(21), SessionId(22)];

pub fn to(place: u16) -> Target {
    Target::Carrier(CarrierId(place))
}

pub fn group(kind: GroupKind, members: &[Target]) -> Group {
    Group { name: format!("{kind:?}"), kind, members: members.iter().map(|member| (*member, 1)).collect() }
}

pub fn routes(groups: Vec<Group>) -> Arc<Routes> {
    let rules = vec![Rule::new("all", Some(Target::Group(groups.len() as u16 - 1)))];
    Arc::new(Draft { accounts: 1, rules, groups, ..Draft::default() }.build().expect("sound"))
}

/// Carriers of which one is chosen so.
pub fn with(kind: GroupKind, carriers: u16) -> Settings {
    with_groups(vec![group(kind, &(0..carriers).map(to).collect::<Vec<_>>())], carriers)
}

pub fn with_groups(groups: Vec<Group>, carriers: u16) -> Settings {
    let plan = |name: &&str| CarrierPlan::new(Carrier { window: 10, ..Carrier::new(name, "127.0.0.1:1") });
    let carriers = NAMES[..usize::from(carriers)].iter().map(plan).collect();
    Settings { carriers, routes: routes(groups), ..settings() }
}

impl World {
    pub fn link_up(&mut self, place: usize) {
        self.link_up_with(place, 10);
    }

    pub fn link_up_with(&mut self, place: usize, window: usize) {
        let (carrier, kind) = (CarrierId(place as u16), BindKind::Transceiver);
        self.inbox.push(Event::LinkBound { session: LINKS[place], carrier, kind, window });
        self.run();
    }

    pub fn link_down(&mut self, place: usize, lost: Vec<u64>) {
        self.inbox.push(Event::LinkClosed { session: LINKS[place], lost });
        self.run();
    }

    /// The port and these carriers are bound.
    pub fn with_links(settings: Settings, up: &[usize]) -> Self {
        let mut world = Self::new(settings);
        world.bind_port(PORT);
        up.iter().for_each(|place| world.link_up(*place));
        world.run();
        world
    }

    /// What went out since the last time: to which carrier, and what.
    pub fn went_where(&mut self) -> Vec<(usize, u64, String)> {
        let place = |session| LINKS.iter().position(|link| *link == session).expect("one of ours");
        self.sent().into_iter().map(|(session, token, text)| (place(session), token, text)).collect()
    }

    pub fn went_once(&mut self) -> (usize, u64) {
        let mut out = self.went_where();
        assert_eq!(out.len(), 1, "{out:?}");
        let (place, token, _) = out.remove(0);
        (place, token)
    }

    pub fn carrier_says(&mut self, place: usize, token: u64, word: Word, id: &str) {
        self.say(LINKS[place], token, word, id);
        self.run();
    }

    pub fn carrier_refuses(&mut self, place: usize, token: u64, status: Status) {
        self.carrier_says(place, token, Word::Answered(status), "");
    }

    pub fn numbered_texts(&mut self, count: usize) {
        let names: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let texts: Vec<Text<'_>> = names.iter().map(|name| text(name)).collect();
        self.submit(&texts);
        self.run();
    }

    /// The carrier takes everything that is out and all that follows; gives what each carrier had.
    pub fn serve_all(&mut self) -> BTreeMap<usize, Vec<String>> {
        let mut served: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        loop {
            let out = self.went_where();
            if out.is_empty() {
                return served;
            }
            for (place, token, text) in out {
                let id = format!("{place}-{token}");
                self.say(LINKS[place], token, Word::Answered(Status::ROK), &id);
                served.entry(place).or_default().push(text);
            }
            self.run();
        }
    }
}
