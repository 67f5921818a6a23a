//! Which PDU is legal in which state: the one table (SMPP 5.0 §2.4, the more tolerant matrix, for every version).

use crate::codec::Command;

/// What a session was bound as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindKind {
    Transmitter,
    Receiver,
    Transceiver,
}

impl BindKind {
    /// The bind that `command` asks for.
    pub const fn of(command: Command) -> Option<Self> {
        match command {
            Command::BIND_TRANSMITTER => Some(Self::Transmitter),
            Command::BIND_RECEIVER => Some(Self::Receiver),
            Command::BIND_TRANSCEIVER => Some(Self::Transceiver),
            _ => None, // every other PDU binds nothing
        }
    }

    /// The request that asks for this bind.
    pub const fn command(self) -> Command {
        match self {
            Self::Transmitter => Command::BIND_TRANSMITTER,
            Self::Receiver => Command::BIND_RECEIVER,
            Self::Transceiver => Command::BIND_TRANSCEIVER,
        }
    }

    /// Whether the ESME may submit.
    pub const fn submits(self) -> bool {
        matches!(self, Self::Transmitter | Self::Transceiver)
    }

    /// Whether the ESME is delivered to.
    pub const fn receives(self) -> bool {
        matches!(self, Self::Receiver | Self::Transceiver)
    }

    /// The word for it in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transmitter => "transmitter",
            Self::Receiver => "receiver",
            Self::Transceiver => "transceiver",
        }
    }
}

/// Which end of the session somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The message centre: accepts binds.
    Mc,
    /// The external short message entity: binds.
    Esme,
}

impl Side {
    /// The other end.
    pub const fn peer(self) -> Self {
        match self {
            Self::Mc => Self::Esme,
            Self::Esme => Self::Mc,
        }
    }
}

/// Whether `sender` may send the request `command` on a session bound as `kind`.
pub const fn legal(command: Command, sender: Side, kind: BindKind) -> bool {
    match (command, sender) {
        (
            Command::SUBMIT_SM
            | Command::SUBMIT_MULTI
            | Command::QUERY_SM
            | Command::CANCEL_SM
            | Command::REPLACE_SM
            | Command::BROADCAST_SM
            | Command::QUERY_BROADCAST_SM
            | Command::CANCEL_BROADCAST_SM,
            Side::Esme,
        ) => kind.submits(),
        (Command::DELIVER_SM | Command::ALERT_NOTIFICATION, Side::Mc) => kind.receives(),
        (Command::DATA_SM, Side::Esme) => kind.submits(),
        (Command::DATA_SM, Side::Mc) => kind.receives(),
        (Command::UNBIND | Command::ENQUIRE_LINK, Side::Mc | Side::Esme) => true,
        _ => false, // binds on a bound session, outbind after the bind, and whatever the other side alone may send
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submits_belong_to_transmitters_and_deliveries_to_receivers() {
        use BindKind::{Receiver, Transceiver, Transmitter};

        assert!(legal(Command::SUBMIT_SM, Side::Esme, Transmitter));
        assert!(legal(Command::SUBMIT_SM, Side::Esme, Transceiver));
        assert!(!legal(Command::SUBMIT_SM, Side::Esme, Receiver));
        assert!(!legal(Command::SUBMIT_SM, Side::Mc, Transceiver));
        assert!(legal(Command::DELIVER_SM, Side::Mc, Receiver));
        assert!(!legal(Command::DELIVER_SM, Side::Mc, Transmitter));
        assert!(!legal(Command::DELIVER_SM, Side::Esme, Transceiver));
        assert!(!legal(Command::BIND_TRANSCEIVER, Side::Esme, Transceiver));
        assert!(legal(Command::ENQUIRE_LINK, Side::Mc, Transmitter));
    }
}
