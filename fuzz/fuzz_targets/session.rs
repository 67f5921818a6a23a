//! Whatever a peer sends and whatever its owner does, in whatever order: a session keeps the promises of its room.
//!
//! Each request of ours ends in exactly one response, timeout or entry among the unanswered; each request of the peer is handed
//! out or answered, once; windows are kept; what is written is whole PDUs; timers come to rest; a closed session is silent.
//!
//! Input: side and kind, the first number, then operations of two octets (`model.rs` says which).
#![no_main]

#[path = "../model.rs"]
mod model;

use libfuzzer_sys::fuzz_target;
use model::Model;

fuzz_target!(|input: &[u8]| {
    let [opening, number, operations @ ..] = input else { return };
    let mut model = Model::new(*opening, *number);
    for operation in operations.as_chunks::<2>().0.iter().take(MAX_OPERATIONS) {
        model.step(operation[0], operation[1]);
    }
    model.end();
});

/// Enough for several windows, timers and an unbind; more would only be slower.
const MAX_OPERATIONS: usize = 400;
