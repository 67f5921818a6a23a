//! A time that could be read is written so that it reads the same, to the second, within the years that two digits name.
#![no_main]

use enroute::clock::UnixMs;
use enroute::codec::{ReceiptDate, SmppTime, read_time, write_absolute};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, &[u8])| {
    let (now_s, field) = input;
    let now = UnixMs(u64::from(now_s) * 1000);
    match read_time(field, now) {
        Ok(Some(SmppTime::Absolute(at))) => {
            let written = write_absolute(at);
            let back = read_time(&written, at)
                .expect("just written")
                .expect("not empty")
                .at();
            assert_eq!(back.0, at.0 / 1000 * 1000);
        }
        Ok(Some(SmppTime::Relative(at))) => assert!(at >= now),
        Ok(None) => assert!(field.is_empty()),
        Err(_) => assert!(!field.is_empty()),
    }
    if let Some(date) = ReceiptDate::parse(field) {
        let year = date.parts().0;
        assert!(field.len() == 14 || (2000..2100).contains(&year));
    }
});
