//! Broken fields of a submit_sm over real sockets: each is refused with its own status, and the session lives.
//!
//! The statuses are those of the fact sheet, sections 4.2, 6.3, 7.1 and 11.

#[path = "support/attacker.rs"]
mod attacker;
mod support;

use attacker::*;
use support::alone;

/// F8 to F11: each broken field of a submit_sm has its own status, and the next submit_sm is read as if nothing had been.
#[test]
fn broken_fields_of_a_submit_are_refused_each_with_its_status() {
    let _turn = alone();
    let scene = Scene::new();
    let submit = Submit::default;
    let whole = submit().body();
    let cases: Vec<(&str, Vec<u8>, u32)> = vec![
        ("no body", Vec::new(), 0x02),
        ("no NUL to the end", b"CMT".to_vec(), 0x02),
        ("cut inside of an address", whole[..8].to_vec(), 0x02),
        ("cut inside of the flags", whole[..whole.len() - 8].to_vec(), 0x02),
        ("service_type of 6", Submit { service_type: b"CMTCMT", ..submit() }.body(), 0x15),
        ("source of 20", Submit { source: &[b'1'; 20], ..submit() }.body(), 0x00),
        ("source of 21", Submit { source: &[b'1'; 21], ..submit() }.body(), 0x0A),
        ("source of 200", Submit { source: &[b'1'; 200], ..submit() }.body(), 0x0A),
        ("destination of 21", Submit { destination: &[b'1'; 21], ..submit() }.body(), 0x0B),
        ("no destination", Submit { destination: b"", ..submit() }.body(), 0x0B),
        ("priority 4", Submit { priority: 4, ..submit() }.body(), 0x06),
        ("replace 2", Submit { replace: 2, ..submit() }.body(), 0x54),
        ("sm_length above", Submit { length: Some(6), ..submit() }.body(), 0x01),
        ("sm_length 255", Submit { length: Some(255), ..submit() }.body(), 0x01),
        ("sm_length below by 2", Submit { length: Some(3), ..submit() }.body(), 0xC0),
        ("sm_length below by 5", Submit { length: Some(0), ..submit() }.body(), 0xC0),
        ("NUL behind the text", Submit { tail: vec![0], ..submit() }.body(), 0x00),
        ("NUL inside of the text", Submit { text: b"he\0lo", ..submit() }.body(), 0x00),
        ("empty text", Submit { text: b"", ..submit() }.body(), 0x00),
        ("UDHI without a text", Submit { esm_class: 0x40, text: b"", ..submit() }.body(), 0x43),
        ("UDH past the text", Submit { esm_class: 0x40, text: &[5, 0, 3, 1], ..submit() }.body(), 0x43),
        ("a receipt of an ESME", Submit { esm_class: 0x04, ..submit() }.body(), 0x43),
        ("an intermediate of an ESME", Submit { esm_class: 0x20, ..submit() }.body(), 0x43),
        ("an acknowledgement of an ESME", Submit { esm_class: 0x08, ..submit() }.body(), 0x00),
    ];

    let accounted = refuse_each(&scene, &cases);

    scene.end(&as_series(&accounted));
}

/// F11: optional parameters.
#[test]
fn broken_parameters_are_refused_and_strange_ones_taken() {
    let _turn = alone();
    let scene = Scene::new();
    let with = |tails: &[&[u8]]| Submit { tail: tails.concat(), ..Submit::default() }.body();
    let port = tlv(0x020A, &[0x23, 0xF0]);
    let cases: Vec<(&str, Vec<u8>, u32)> = vec![
        ("length past the end", with(&[&port, &[0x02, 0x0B, 0, 3, 1, 2]]), 0xC0),
        ("length of 65 535", with(&[&[0x04, 0x24, 0xFF, 0xFF, 1]]), 0xC0),
        ("one stray octet", with(&[&port, &[7]]), 0xC0),
        ("two stray octets", with(&[&port, &[0, 7]]), 0xC0),
        ("three stray octets", with(&[&port, &[7, 0, 0]]), 0xC0),
        ("three NULs", with(&[&port, &[0, 0, 0]]), 0x00),
        ("a NUL in front", with(&[&[0], &port]), 0x00),
        ("unknown tags", with(&[&tlv(0x1501, b"x"), &tlv(0xFFFF, b"y"), &tlv(0, b"")]), 0x00),
        ("zero length", with(&[&tlv(0x130C, b""), &tlv(0x1501, b"")]), 0x00),
        ("twice the same", with(&[&port, &port]), 0x00),
        ("a thousand", with(&[&tlv(0x1501, b"z").repeat(1000)]), 0x00),
        ("sar_msg_ref_num of 1", with(&[&tlv(0x020C, &[1])]), 0xC2),
        ("text twice", with(&[&tlv(0x0424, b"payload")]), 0x00),
    ];

    let accounted = refuse_each(&scene, &cases);

    scene.end(&as_series(&accounted));
}

/// Fact sheet 6.3: times.
#[test]
fn bad_times_are_refused() {
    let _turn = alone();
    let scene = Scene::new();
    let bad: [&[u8]; 12] = [
        b"0",
        b"0000010000000R",    // 13 and an R
        b"00000100000000R",   // 15
        b"0000010000000000R", // 17
        b"000001000000000r",
        b"000001000000000",
        b"OOOOO1000000000R",
        b"000001000000000*",
        b"260230120000000+", // 30 February
        b"261301120000000+",
        b"260101240000000+",
        b"260101120000049+",
    ];
    let mut cases: Vec<(&str, Vec<u8>, u32)> = Vec::new();
    for time in bad {
        cases.push(("schedule", Submit { schedule: time, ..Submit::default() }.body(), 0x61));
        cases.push(("validity", Submit { validity: time, ..Submit::default() }.body(), 0x62));
    }
    let both = |schedule, validity| Submit { schedule, validity, ..Submit::default() }.body();
    cases.extend([
        ("schedule long past", both(b"200101000000000+", b""), 0x61),
        ("schedule beyond a year", both(b"010100000000000R", b""), 0x61),
        ("validity past", both(b"", b"200101000000000+"), 0x62),
        ("validity before schedule", both(b"000001000000000R", b"000000010000000R"), 0x62),
        ("schedule of zero", both(b"000000000000000R", b""), 0x00),
        ("validity of zero", both(b"", b"000000000000000R"), 0x00),
        ("ninety minutes", both(b"", b"000000009000000R"), 0x00),
    ]);

    let accounted = refuse_each(&scene, &cases);

    scene.end(&as_series(&accounted));
}

/// Two faults in one read are counted each under its own status.
#[test]
fn faults_of_one_read_are_counted_apart() {
    let _turn = alone();
    let scene = Scene::new();
    let mut peer = Peer::bound(scene.port, BIND_TRANSMITTER);
    // Too long for its field, so that it is refused as early as the other fault: answers come in the order of decisions.
    let times = Submit { schedule: b"00000000000000000", ..Submit::default() };
    let text = Submit { length: Some(6), ..Submit::default() };

    peer.send(&[times.pdu(2), text.pdu(3), text.pdu(4)].concat());

    peer.expect("schedule", SUBMIT_SM | RESP, 0x61, 2);
    peer.expect("sm_length", SUBMIT_SM | RESP, 1, 3);
    peer.expect("sm_length", SUBMIT_SM | RESP, 1, 4);
    peer.lives("three faults");
    scene.end(&[(&refused("ESME_RINVSCHED"), 1), (&refused("ESME_RINVMSGLEN"), 2)]);
}

/// Submits each body on one session, which answers each with its status and lives; gives the refusals by status.
fn refuse_each(scene: &Scene, cases: &[(&str, Vec<u8>, u32)]) -> Vec<(String, u64)> {
    let mut peer = Peer::bound(scene.port, BIND_TRANSMITTER);
    let mut accounted: Vec<(String, u64)> = Vec::new();
    for (sequence, (what, body, status)) in (2..).zip(cases) {
        peer.send(&pdu(SUBMIT_SM, sequence, body));
        let answer = peer.expect(what, SUBMIT_SM | RESP, *status, sequence);
        match status {
            0 => assert!(matches!(&answer[..], [_, .., 0]), "{what}: no id in {answer:?}"),
            _ => assert!(answer.is_empty(), "{what}: a refusal is its header alone"),
        }
        peer.lives(what);
        let Some(name) = name_of(*status) else { continue };
        let series = refused(name);
        match accounted.iter_mut().find(|(known, _)| *known == series) {
            Some((_, count)) => *count += 1,
            None => accounted.push((series, 1)),
        }
    }
    assert!(!accounted.is_empty(), "nothing was refused");
    accounted
}

fn as_series(counts: &[(String, u64)]) -> Vec<(&str, u64)> {
    counts.iter().map(|(name, count)| (name.as_str(), *count)).collect()
}

/// The specification's name of a refusal; `None` for a success.
fn name_of(status: u32) -> Option<&'static str> {
    Some(match status {
        0x00 => return None,
        0x01 => "ESME_RINVMSGLEN",
        0x02 => "ESME_RINVCMDLEN",
        0x06 => "ESME_RINVPRTFLG",
        0x0A => "ESME_RINVSRCADR",
        0x0B => "ESME_RINVDSTADR",
        0x15 => "ESME_RINVSERTYP",
        0x43 => "ESME_RINVESMCLASS",
        0x54 => "ESME_RINVREPFLAG",
        0x61 => "ESME_RINVSCHED",
        0x62 => "ESME_RINVEXPIRY",
        0xC0 => "ESME_RINVTLVSTREAM",
        0xC2 => "ESME_RINVTLVLEN",
        other => panic!("{other:#x} is not of these tests"),
    })
}
