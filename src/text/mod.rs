//! Text: alphabets, user data headers, and how many short messages a text takes.
//!
//! Octets become characters and back, user data headers elements and back, and [`split`] is the one function that says
//! into how many parts a text falls and where it is cut; whoever counts, counts by it. No IO, no state, and nothing is
//! allocated beyond what the caller's buffer needs. After 3GPP TS 23.038 and TS 23.040 §9.2.3.24.

mod alphabet;
mod chars;
mod charset;
mod choice;
mod encode;
mod gsm;
mod pack;
mod reference;
mod show;
mod split;
mod tables;
mod udh;

pub use alphabet::{Alphabet, says_default, with_alphabet};
pub use chars::Chars;
pub use choice::{Encoding, cheapest};
pub use encode::{Missing, NoCounterpart, encode};
pub use gsm::Shifts;
pub use pack::{Padding, Septets, fill_bits, pack, packed_len};
pub use reference::References;
pub use show::show;
pub use split::{Headers, Parts, Text, TooLong, split};
pub use udh::{Concat, Element, Udh, UdhBuilder};

#[cfg(test)]
mod tests;
