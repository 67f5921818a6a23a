//! Numbers of rules that last: messages keep the number of theirs while the rules are replaced by others.
//!
//! A rule has a place, which says when it is looked at, and a number, which is what others know it by. Rules of one name have one
//! number, however often they are written anew; who is gone keeps his.

use super::RouteId;

/// Which rule has which number.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbering {
    /// Of the rule in each place.
    ids: Vec<u16>,
    /// By number; [`GONE`] for a rule that is not there any more.
    places: Vec<u16>,
    /// By number.
    names: Vec<String>,
}

impl Numbering {
    /// The rules of these names, in the order of their places, after those that are `known` by number: who has a name among them has
    /// its number too.
    pub fn after(known: &[String], rules: impl Iterator<Item = String>) -> Self {
        let mut numbering = Self { ids: Vec::new(), places: vec![GONE; known.len()], names: known.to_vec() };
        let known: foldhash::HashMap<&str, u16> = known.iter().map(String::as_str).zip(0..).collect();
        for (place, name) in (0..).zip(rules) {
            let id = match known.get(name.as_str()) {
                Some(id) if numbering.places[usize::from(*id)] == GONE => *id,
                // New, or one of two with one name.
                Some(_) | None => numbering.new_id(name),
            };
            numbering.places[usize::from(id)] = place;
            numbering.ids.push(id);
        }
        numbering
    }

    /// A number for a new rule: the next one, or when there are no more that of one that is gone.
    fn new_id(&mut self, name: String) -> u16 {
        if self.names.len() < NUMBERS_MAX {
            self.places.push(GONE);
            self.names.push(name);
            return self.names.len() as u16 - 1;
        }
        let free = self.places.iter().rposition(|place| *place == GONE).unwrap_or(NUMBERS_MAX - 1);
        self.names[free] = name;
        free as u16
    }

    /// The number of the rule in this place.
    #[inline]
    pub fn id(&self, place: usize) -> RouteId {
        RouteId(self.ids[place])
    }

    /// The place of the rule of this number, if it is there.
    #[inline]
    pub fn place(&self, route: RouteId) -> Option<usize> {
        let place = *self.places.get(usize::from(route.0))?;
        (place != GONE).then(|| usize::from(place))
    }

    /// What rules are, or were, called, by number.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// No place.
const GONE: u16 = u16::MAX;
/// Numbers that there are; one more stands for none.
const NUMBERS_MAX: usize = u16::MAX as usize - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn numbering(known: &[String], rules: &[&str]) -> Numbering {
        Numbering::after(known, rules.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn rule_keeps_its_number_wherever_it_stands_and_who_is_gone_keeps_his() {
        let first = numbering(&[], &["one", "two", "default"]);
        let second = numbering(first.names(), &["new", "two", "default"]);

        assert_eq!((0..3).map(|place| first.id(place).0).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!((0..3).map(|place| second.id(place).0).collect::<Vec<_>>(), [3, 1, 2]);
        assert_eq!(
            [0, 1, 2, 3, 9].map(|id| second.place(RouteId(id))),
            [None, Some(1), Some(2), Some(0), None]
        );
        let third = numbering(second.names(), &["one", "default"]);
        assert_eq!((third.id(0), third.id(1)), (RouteId(0), RouteId(2)));
        assert_eq!(third.names(), ["one", "two", "default", "new"]);
    }

    #[test]
    fn numbers_of_those_who_are_gone_are_used_again_when_there_are_no_others() {
        let known: Vec<String> = (0..NUMBERS_MAX).map(|number| format!("old {number}")).collect();

        let full = numbering(&known, &["old 7", "new"]);

        assert_eq!(full.id(0), RouteId(7));
        assert_eq!(full.names()[usize::from(full.id(1).0)], "new");
        assert_eq!(full.names().len(), NUMBERS_MAX);
    }
}
