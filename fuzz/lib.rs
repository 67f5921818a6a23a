//! The rooms under test, by path: what a target names as `enroute::codec` is the hub's own source.

#[path = "../src/clock.rs"]
pub mod clock;
#[path = "../src/codec/mod.rs"]
pub mod codec;
#[path = "../src/conversion/mod.rs"]
pub mod conversion;
#[path = "../src/session/mod.rs"]
pub mod session;
#[path = "../src/text/mod.rs"]
pub mod text;
