//! interface_version: what a peer may be told (SMPP 5.0 §4.7.13).

/// The version of SMPP that a peer declared, which decides what may be sent to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 3.3 or older: no TLVs, ids of at most eight characters.
    V33,
    /// 3.4: the version nearly everybody means.
    #[default]
    V34,
    /// 5.0: statuses above 0xFF, congestion_state.
    V50,
}

impl Version {
    /// The version behind an interface_version; reserved values fall to the nearest version below, those above 5.0 to 5.0.
    ///
    /// Decimal mistakes (34 = 0x22, 50 = 0x32) are 3.3 here; an account's setting may say otherwise.
    pub const fn from_interface(octet: u8) -> Self {
        match octet {
            0x00..=0x33 => Self::V33,
            0x34..=0x4F => Self::V34,
            0x50..=0xFF => Self::V50,
        }
    }

    /// The interface_version that declares this version.
    pub const fn octet(self) -> u8 {
        match self {
            Self::V33 => 0x33,
            Self::V34 => 0x34,
            Self::V50 => 0x50,
        }
    }

    /// Whether TLVs may be sent to such a peer, sc_interface_version included.
    pub const fn takes_tlvs(self) -> bool {
        !matches!(self, Self::V33)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_interface_versions_fall_to_a_known_version() {
        let declared = [0x00, 0x05, 0x22, 0x33, 0x34, 0x4F, 0x50, 0xFF].map(Version::from_interface);

        use Version::{V33, V34, V50};
        assert_eq!(declared, [V33, V33, V33, V33, V34, V34, V50, V50]);
    }

    #[test]
    fn octet_leads_back_to_its_version() {
        for version in [Version::V33, Version::V34, Version::V50] {
            assert_eq!(Version::from_interface(version.octet()), version);
        }
        assert!(!Version::V33.takes_tlvs());
        assert!(Version::V34.takes_tlvs());
    }
}
