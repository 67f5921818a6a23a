//! Our codec against two others over generated and damaged PDUs: the same verdict and the same fields, or a known difference.
//!
//! rusmpp-core and smpp-codec are libraries by other hands. Where they and we differ the list in `differential/known.rs` says
//! how, who is right by the fact sheet, and why; a difference that it doesn't have fails, and so does an entry that nothing
//! meets any more. A further PDU is a line in `support/sample.rs` and an arm in each of the three readings.

#[path = "differential/fields.rs"]
mod fields;
#[path = "differential/known.rs"]
mod known;
#[path = "differential/ours.rs"]
mod ours;
#[path = "differential/rusmpp.rs"]
mod rusmpp;
#[path = "support/sample.rs"]
mod sample;
#[path = "differential/smpp_codec.rs"]
mod smpp_codec;

use enroute::codec::{Frame, next_frame};
use fastrand::Rng;
use fields::Fields;
use known::{Case, Difference, KNOWN, Other};
use proptest::prelude::*;
use sample::{Damage, KINDS};
use std::collections::BTreeSet;

/// What the comparison of one PDU with one other decoder came to.
enum Outcome {
    Agreed,
    /// Only entries of [`KNOWN`], by their places there.
    Known(Vec<usize>),
    Unknown(String),
}

fn frame(pdu: &[u8]) -> Frame<'_> {
    next_frame(pdu, usize::MAX).expect("framed").expect("whole")
}

/// Compares both other readings of `pdu` with ours.
fn compare(pdu: &[u8]) -> [Outcome; 2] {
    let frame = frame(pdu);
    let ours = ours::read(&frame);
    [(Other::Rusmpp, rusmpp::read(&frame, pdu)), (Other::SmppCodec, smpp_codec::read(&frame, pdu))].map(
        |(other, theirs)| {
            let differences = match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => ours.differing(theirs).into_iter().map(Difference::Field).collect(),
                (Err(ours), Ok(_)) => vec![Difference::WeRefuse(*ours)],
                (Ok(_), Err(theirs)) => vec![Difference::TheyRefuse(theirs.clone())],
                (Err(_), Err(_)) => Vec::new(),
            };
            let case = Case {
                other,
                command: frame.header.command,
                body: frame.body,
                ours: ours.as_ref().ok(),
                theirs: theirs.as_ref().ok(),
            };
            judge(&case, &differences)
        },
    )
}

fn judge(case: &Case<'_>, differences: &[Difference]) -> Outcome {
    let mut met = Vec::new();
    for difference in differences {
        let place =
            KNOWN.iter().position(|known| known.other == case.other && (known.covers)(case, difference));
        let Some(place) = place else {
            let Case { other, command, body, ours, theirs } = case;
            return Outcome::Unknown(format!(
                "{command} {body:02x?}: {difference:?}\n enroute {ours:?}\n {other:?} {theirs:?}"
            ));
        };
        met.push(place);
    }
    if met.is_empty() { Outcome::Agreed } else { Outcome::Known(met) }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<u16>(), any::<u8>()).prop_map(|(at, octet)| Damage::Set(at, octet)),
        (any::<u16>(), any::<u8>()).prop_map(|(at, octet)| Damage::Insert(at, octet)),
        any::<u16>().prop_map(Damage::Remove),
        any::<u16>().prop_map(Damage::Cut),
        any::<u8>().prop_map(Damage::Append),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Shrinks to the least damage that does it.
    #[test]
    fn damaged_pdus_are_read_alike_or_differ_as_known(
        kind in prop::sample::select(&KINDS[..]),
        seed in 0..1_000_000u64,
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let mut pdu = kind.of_seed(seed).to_vec();
        damages.iter().for_each(|damage| damage.apply(&mut pdu));

        for outcome in compare(&pdu) {
            if let Outcome::Unknown(difference) = outcome {
                prop_assert!(false, "{difference}");
            }
        }
    }
}

/// Legal PDUs: we take each, and most are read alike by all three.
#[test]
fn legal_pdus_are_read_alike_or_differ_as_known() {
    const EACH: u64 = 600;
    let mut agreed = [0; 2];

    for kind in &KINDS {
        for seed in 0..EACH {
            let pdu = kind.of_seed(seed);
            assert_eq!(ours::read(&frame(&pdu)).err(), None, "{} of seed {seed}", kind.command);
            for (outcome, agreed) in compare(&pdu).iter().zip(&mut agreed) {
                match outcome {
                    Outcome::Agreed => *agreed += 1,
                    Outcome::Known(_) => {}
                    Outcome::Unknown(difference) => panic!("seed {seed}: {difference}"),
                }
            }
        }
    }

    let all = EACH * KINDS.len() as u64;
    let [rusmpp, smpp_codec] = agreed.map(|agreed| agreed * 100 / all);
    assert!(rusmpp >= 85, "only {rusmpp} % of legal PDUs are read like rusmpp reads them");
    assert!(smpp_codec >= 60, "only {smpp_codec} % of legal PDUs are read like smpp-codec reads them");
}

/// The list of differences may not outlive its reasons.
#[test]
fn every_known_difference_is_met() {
    const MOST: u64 = 400_000;
    let mut unmet: BTreeSet<usize> = (0..KNOWN.len()).collect();

    for seed in 0..MOST {
        let mut rng = Rng::with_seed(!seed);
        let mut pdu = KINDS[seed as usize % KINDS.len()].of_seed(seed).to_vec();
        (0..rng.usize(0..3)).for_each(|_| Damage::any(&mut rng).apply(&mut pdu));
        for outcome in compare(&pdu) {
            match outcome {
                Outcome::Known(places) => unmet.retain(|place| !places.contains(place)),
                Outcome::Agreed => {}
                Outcome::Unknown(difference) => panic!("seed {seed}: {difference}"),
            }
        }
        if unmet.is_empty() {
            return;
        }
    }

    let unmet: Vec<String> = unmet
        .into_iter()
        .map(|place| {
            let known = &KNOWN[place];
            format!("{:?} {} ({:?} right: {})", known.other, known.what, known.right, known.because)
        })
        .collect();
    panic!("in {MOST} PDUs nothing was met of:\n{}", unmet.join("\n"));
}

/// The comparison compares: another octet in a field is told by the field's name.
#[test]
fn difference_is_found_where_it_is() {
    let one = Fields::default().octet("esm_class", 0).and("source_addr", "123");
    let other = Fields::default().octet("esm_class", 1).and("source_addr", "123").and("tlvs", "");

    assert_eq!(one.differing(&other), ["esm_class", "tlvs"]);
    assert_eq!(one.differing(&one), Vec::<&str>::new());
}
