//! Carriers that may call us, and how many links each has on its calls.

use crate::carrier::Carrier;
use crate::esme::Caller;
use crate::id::CarrierId;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A carrier that may call us.
pub(super) struct Calling {
    pub id: CarrierId,
    pub carrier: Carrier,
    /// Links that stand on its calls, or are about to.
    links: AtomicUsize,
}

impl Calling {
    /// Those of `carriers` that may call.
    pub fn of<'c>(carriers: impl Iterator<Item = &'c Carrier>) -> Vec<Arc<Self>> {
        let calling = carriers.enumerate().filter(|(_, carrier)| carrier.outbind.is_some());
        calling
            .map(|(place, carrier)| {
                let (id, carrier) = (CarrierId(place as u16), carrier.clone());
                Arc::new(Self { id, carrier, links: AtomicUsize::new(0) })
            })
            .collect()
    }

    /// Whether `caller` is this carrier, and proves it.
    pub fn is(&self, caller: &Caller) -> bool {
        self.carrier.outbind.as_ref().is_some_and(|known| known.is(&caller.system_id, &caller.password))
    }

    /// Takes a place among the links that it may have on its calls.
    pub fn take_place(&self) -> Option<Place<'_>> {
        let taken = self.links.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |links| {
            (links < CALLED_LINKS_MAX).then_some(links + 1)
        });
        taken.ok().map(|_| Place(&self.links))
    }
}

/// Gives its place back when dropped.
pub(super) struct Place<'c>(&'c AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Links that one carrier may have on its own calls at one time.
pub const CALLED_LINKS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier;

    #[test]
    fn carrier_has_so_many_links_on_its_calls_and_no_more() {
        let caller = carrier::Caller { system_id: "smsc".to_owned(), password: "theirs".to_owned() };
        let mute = Carrier::new("mute", "127.0.0.1:1");
        let calls = Carrier { outbind: Some(caller), ..Carrier::new("alpha", "127.0.0.1:2") };
        let calling = Calling::of([&mute, &calls].into_iter());
        assert_eq!(calling.iter().map(|calling| calling.id).collect::<Vec<_>>(), [CarrierId(1)]);

        let mut places: Vec<_> = (0..CALLED_LINKS_MAX).map(|_| calling[0].take_place()).collect();

        assert!(places.iter().all(Option::is_some) && calling[0].take_place().is_none());
        places.pop();
        assert!(calling[0].take_place().is_some());
    }
}
