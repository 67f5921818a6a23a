//! The registry: names, bounds, times, work, and what becomes of a bulk that is over.

use super::*;

const SHOP: AccountId = AccountId(0);
const OTHER: AccountId = AccountId(1);
const NOW: UnixMs = UnixMs(1_000_000);
const LATER: UnixMs = UnixMs(2_000_000);
const LONGEST: Duration = Duration::from_secs(86_400);

fn name(text: &str) -> Name {
    Name::read(text.as_bytes()).expect("a bulk id")
}

fn bulks() -> Bulks {
    Bulks::new(Limits { in_all: 3, each: 2, retention: Duration::from_secs(10) })
}

/// Everything that is to be done now, in slices of `most`: what work, and how many members each.
fn work(bulks: &mut Bulks, most: usize, now: UnixMs) -> Vec<(Work, usize)> {
    let (mut done, mut members) = (Vec::new(), Vec::new());
    while let Some(slice) = bulks.next_slice(most, true, now, &mut members) {
        done.push((slice.work, members.len()));
        if matches!(slice.work, Work::Watch | Work::Tidy) {
            members.iter().for_each(|member| bulks.keep(slice.place, *member));
        }
        members.clear();
    }
    done
}

#[test]
fn same_name_of_two_accounts_is_two_bulks() {
    let mut bulks = bulks();

    let ours = bulks.begin(SHOP, name("spring"), 1, LATER, NOW);
    let theirs = bulks.begin(OTHER, name("spring"), 2, LATER, NOW);
    bulks.change(ours, Ask::Cancel, LONGEST, NOW).expect("it waits");

    assert_eq!(bulks.joining(OTHER, &name("spring")), Ok(Joining::Waits(theirs)));
    assert_eq!(bulks.joining(SHOP, &name("spring")), Err(ChangeError::Canceled.into()));
}

#[test]
fn one_account_may_have_so_many_and_all_together_so_many() {
    let mut bulks = bulks();
    bulks.begin(SHOP, name("a"), 1, LATER, NOW);
    bulks.begin(SHOP, name("b"), 2, LATER, NOW);

    assert_eq!(bulks.joining(SHOP, &name("c")), Err(Refusal::TooMany));
    assert_eq!(bulks.joining(OTHER, &name("c")), Ok(Joining::Begins));
    bulks.begin(OTHER, name("c"), 3, LATER, NOW);
    assert_eq!(bulks.joining(OTHER, &name("d")), Err(Refusal::TooMany));
    assert_eq!(bulks.by_state(), [3, 0, 0, 0, 0, 0]);
}

#[test]
fn new_time_is_neither_past_nor_too_far_off() {
    let mut bulks = bulks();
    let place = bulks.begin(SHOP, name("a"), 1, LATER, NOW);
    let mut schedule = |at| bulks.change(place, Ask::Schedule(at), LONGEST, NOW);

    assert_eq!(schedule(UnixMs(NOW.0 - 1)), Err(Refusal::Past));
    assert_eq!(schedule(NOW.after(LONGEST).after(Duration::from_millis(1))), Err(Refusal::TooFar));
    assert_eq!(schedule(NOW.after(LONGEST)), Ok(true));
    assert_eq!(bulks.next_due(), Some(NOW.after(LONGEST)));
}

#[test]
fn paused_bulk_does_not_fire_and_fires_at_once_when_it_is_resumed_too_late() {
    let mut bulks = bulks();
    let place = bulks.begin(SHOP, name("a"), 1, LATER, NOW);
    bulks.enter_waiting(place, 7);
    bulks.change(place, Ask::Pause, LONGEST, NOW).expect("it waits");

    assert_eq!(bulks.next_fired(LATER), None);
    assert_eq!(work(&mut bulks, 10, LATER), [(Work::Watch, 1)]);
    bulks.change(place, Ask::Resume, LONGEST, LATER).expect("it is paused");

    assert_eq!(bulks.state(place), Some(State::Processing));
    assert_eq!(work(&mut bulks, 10, LATER), [(Work::Start, 1)]);
}

#[test]
fn work_comes_in_slices_and_those_of_one_bulk_do_not_hold_up_another() {
    let mut bulks = bulks();
    let (a, b) = (bulks.begin(SHOP, name("a"), 1, NOW, NOW), bulks.begin(SHOP, name("b"), 2, NOW, NOW));
    (0..25).for_each(|member| bulks.enter_waiting(a, member));
    bulks.enter_waiting(b, 99);
    assert_eq!(
        [bulks.next_fired(NOW), bulks.next_fired(NOW), bulks.next_fired(NOW)],
        [Some(a), Some(b), None]
    );

    let sizes: Vec<usize> = work(&mut bulks, 10, NOW).into_iter().map(|(_, members)| members).collect();

    assert_eq!(sizes, [10, 1, 10, 5]);
    assert!(!bulks.has_work(true));
}

#[test]
fn cancelling_waits_while_nothing_may_be_recorded() {
    let mut bulks = bulks();
    let (a, b) = (bulks.begin(SHOP, name("a"), 1, NOW, NOW), bulks.begin(SHOP, name("b"), 2, NOW, NOW));
    bulks.enter_waiting(a, 1);
    bulks.enter_waiting(b, 2);
    bulks.change(a, Ask::Cancel, LONGEST, NOW).expect("it waits");
    assert!(!bulks.has_work(false));
    assert_eq!(bulks.next_fired(NOW), Some(b));

    let mut members = Vec::new();
    let slice = bulks.next_slice(10, false, NOW, &mut members);

    assert_eq!((slice, &members[..]), (Some(Slice { place: b, work: Work::Start }), &[2][..]));
    assert_eq!(bulks.next_slice(10, false, NOW, &mut members), None);
    assert_eq!(work(&mut bulks, 10, NOW), [(Work::Delete, 1)]);
}

/// A customer who cancels what he submitted again and again must not make the list of a bulk grow.
#[test]
fn those_that_wait_no_longer_are_forgotten_before_they_are_many() {
    let mut bulks = bulks();
    let place = bulks.begin(SHOP, name("a"), 1, LATER, NOW);
    bulks.enter_waiting(place, 0);
    let mut members = Vec::new();
    for member in 1..100_000 {
        bulks.enter_waiting(place, member);
        bulks.unbind(place);
        while let Some(slice) = bulks.next_slice(100, true, NOW, &mut members) {
            assert_eq!(slice.work, Work::Tidy);
            members.drain(..).filter(|member| *member == 0).for_each(|member| bulks.keep(place, member));
        }
        let listed = bulks.places[place as usize].as_ref().map_or(0, |bulk| bulk.members.listed());
        assert!(listed <= 1100, "{listed} after {member}");
    }

    assert_eq!(bulks.next_fired(LATER), Some(place));
    assert_eq!(bulks.next_slice(9, true, LATER, &mut members).map(|slice| slice.work), Some(Work::Start));
    assert_eq!(members[0], 0);
}

#[test]
fn bulk_ends_with_its_last_message_as_the_best_of_them() {
    for (states, expected) in [
        (&[MessageState::Delivered, MessageState::Expired][..], State::Finished),
        (&[MessageState::Accepted], State::Finished),
        (&[MessageState::Rejected, MessageState::Expired], State::Failed),
        (&[], State::Failed),
    ] {
        let mut bulks = bulks();
        let place = bulks.begin(SHOP, name("a"), 1, NOW, NOW);
        states.iter().for_each(|_| bulks.enter_waiting(place, 0));
        assert!(!bulks.end(place, NOW));
        bulks.next_fired(NOW).expect("due");
        for state in states {
            assert!(!bulks.end(place, NOW));
            bulks.end_one(place, *state);
        }

        assert!(bulks.end(place, NOW));
        assert_eq!(bulks.state(place), Some(expected));
    }
}

#[test]
fn bulk_that_is_over_is_remembered_for_a_while_and_as_long_as_a_message_of_it_is_there() {
    let mut bulks = bulks();
    let place = bulks.begin(SHOP, name("a"), 1, LATER, NOW);
    bulks.enter_waiting(place, 1);
    bulks.change(place, Ask::Cancel, LONGEST, NOW).expect("it waits");
    bulks.end_one(place, MessageState::Deleted);
    let late = NOW.after(Duration::from_secs(10));

    bulks.forget(10, UnixMs(late.0 - 1));
    assert_eq!(bulks.find(SHOP, &name("a")), Some(place));
    bulks.forget(10, late);
    assert_eq!(bulks.find(SHOP, &name("a")), Some(place), "its message is there");
    bulks.leave(place, MessageState::Deleted);

    assert_eq!((bulks.find(SHOP, &name("a")), bulks.len()), (None, 0));
    assert_eq!(bulks.by_state(), [0; 6]);
    assert_eq!(bulks.joining(SHOP, &name("a")), Ok(Joining::Begins));
}

#[test]
fn name_of_a_bulk_that_is_over_goes_to_the_next_and_the_old_one_with_its_last_message() {
    let mut bulks = bulks();
    let old = bulks.begin(SHOP, name("a"), 1, NOW, NOW);
    bulks.enter_waiting(old, 1);
    bulks.next_fired(NOW).expect("due");
    bulks.end_one(old, MessageState::Delivered);
    assert!(bulks.end(old, NOW));
    assert_eq!(bulks.joining(SHOP, &name("a")), Ok(Joining::Begins));

    let new = bulks.begin(SHOP, name("a"), 2, LATER, NOW);

    assert_eq!((bulks.find(SHOP, &name("a")), bulks.len()), (Some(new), 2));
    bulks.leave(old, MessageState::Delivered);
    assert_eq!((bulks.find(SHOP, &name("a")), bulks.len(), bulks.state(old)), (Some(new), 1, None));
}

#[test]
fn replay_takes_records_in_any_order_that_compaction_leaves_behind() {
    let mut before = bulks();
    let place = before.begin(SHOP, name("a"), 5, LATER, NOW);
    before.enter_waiting(place, 1);
    before.enter_waiting(place, 2);
    before.end_one(place, MessageState::Expired);
    before.leave(place, MessageState::Expired);
    let saved = before.save(place).expect("named");

    let mut after = bulks();
    let place = after.recall(5);
    after.wait(place, 2);
    assert_eq!(after.restore(saved, Lsn(9)), place);
    after.recall(6);
    assert_eq!(after.drop_nameless().len(), 1);
    after.count_living(place, None);

    assert!(after.resume().is_empty());
    assert_eq!(after.view(place), before.view(place));
    assert_eq!(after.find(SHOP, &name("a")), Some(place));
    assert_eq!((after.next_due(), after.len(), after.by_state()), (Some(LATER), 1, [1, 0, 0, 0, 0, 0]));
    assert!(after.unsaved(Lsn(8)).is_empty());
    assert_eq!(after.unsaved(Lsn(9)), [place]);
}

/// A list is looked through in slices, and the clock may go back a little between two of them.
#[test]
fn bulk_whose_overdue_messages_are_being_looked_at_when_the_clock_goes_back_is_looked_at_again() {
    let mut bulks = bulks();
    let place = bulks.begin(SHOP, name("a"), 1, LATER, NOW);
    bulks.enter_waiting(place, 7);
    bulks.change(place, Ask::Pause, LONGEST, NOW).expect("it waits");
    assert_eq!(bulks.next_fired(LATER), None);

    assert_eq!(work(&mut bulks, 10, UnixMs(LATER.0 - 1)), [(Work::Tidy, 1)]);

    assert_eq!(bulks.next_due(), Some(LATER));
    assert_eq!(bulks.next_fired(LATER), None);
    assert_eq!(work(&mut bulks, 10, LATER), [(Work::Watch, 1)]);
}
