//! A time that could be read is written so that it reads the same, to the second, within the years that two digits name.
//!
//! Input: now in seconds (four octets), then the field.
#![no_main]

use enroute::clock::UnixMs;
use enroute::codec::{ReceiptDate, SmppTime, read_time, write_absolute, write_relative};
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

fuzz_target!(|input: &[u8]| {
    let Some((now_s, field)) = input.split_first_chunk() else { return };
    let now = UnixMs(u64::from(u32::from_be_bytes(*now_s)) * 1000);
    match read_time(field, now) {
        Ok(Some(SmppTime::Absolute(at))) => {
            let written = write_absolute(at);
            let back = read_time(&written, at).expect("just written").expect("not empty").at();
            assert_eq!(back.0, at.0 / 1000 * 1000);
        }
        Ok(Some(SmppTime::Relative(at))) => {
            assert!(at >= now);
            let span = at.since(now);
            let back = read_time(&write_relative(span), now).expect("just written").expect("not empty").at();
            assert_eq!(back.since(now).as_secs(), span.as_millis().div_ceil(1000).min(LONGEST_S) as u64);
        }
        Ok(None) => assert!(field.is_empty()),
        Err(_) => assert!(!field.is_empty()),
    }
    if let Some(date) = ReceiptDate::parse(field) {
        let year = date.parts().0;
        assert!(field.len() == 14 || (2000..2100).contains(&year));
    }
});

/// The longest span that can be written without months, whose length isn't fixed.
const LONGEST_S: u128 = Duration::from_secs(100 * 86_400 - 1).as_secs() as u128;
