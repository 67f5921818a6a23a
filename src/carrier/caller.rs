//! A carrier that calls us, and how it proves that it is the carrier.

use subtle::ConstantTimeEq;

/// What a carrier that calls us says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its name for itself, 1 to 15 octets: the system_id of its outbind, which need not be our word for it.
    pub system_id: String,
    /// What proves it, 1 to 8 octets.
    pub password: String,
}

impl Caller {
    /// Whether an outbind with these is from this carrier; takes as long for every wrong password of one length.
    pub fn is(&self, system_id: &[u8], password: &[u8]) -> bool {
        let proven = bool::from(password.ct_eq(self.password.as_bytes()));
        proven && system_id == self.system_id.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_password_both_have_to_be_right() {
        let caller = Caller { system_id: "smsc".to_owned(), password: "theirs".to_owned() };

        assert!(caller.is(b"smsc", b"theirs"));
        for (system_id, password) in
            [(&b"smsc"[..], &b"guess!"[..]), (b"other", b"theirs"), (b"smsc", b""), (b"smsc", b"theirs2")]
        {
            assert!(!caller.is(system_id, password));
        }
    }
}
