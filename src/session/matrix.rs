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

/// Where a session stands, as the table sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Connected, nothing said yet.
    Open,
    /// The message centre connected and said outbind.
    Outbound,
    Bound(BindKind),
    /// unbind was exchanged, the connection stands.
    Unbound,
}

/// Whether `sender` may send `command`, a PDU that exists, at this `stage`; a response may be where its request may, from the
/// other side.
#[inline]
pub const fn legal(command: Command, sender: Side, stage: Stage) -> bool {
    let (request, asker) = match command.is_response() {
        true => (command.request(), sender.peer()),
        false => (command, sender),
    };
    let column = match stage {
        Stage::Open => 0,
        Stage::Outbound => 1,
        Stage::Bound(BindKind::Transmitter) => 2,
        Stage::Bound(BindKind::Receiver) => 3,
        Stage::Bound(BindKind::Transceiver) => 4,
        Stage::Unbound => 5,
    };
    row(request)[column] & asker.mark() != 0
}

impl Side {
    const fn mark(self) -> u8 {
        match self {
            Self::Mc => M,
            Self::Esme => E,
        }
    }
}

/// Who may send a request, by stage: open, outbound, transmitter, receiver, transceiver, unbound.
#[rustfmt::skip] // a table: a line each
const fn row(request: Command) -> [u8; 6] {
    match request {
        Command::BIND_TRANSMITTER
        | Command::BIND_RECEIVER
        | Command::BIND_TRANSCEIVER => [E, E, O, O, O, O],
        Command::OUTBIND =>            [M, O, O, O, O, O],
        Command::UNBIND =>             [O, O, B, B, B, O],
        Command::SUBMIT_SM
        | Command::SUBMIT_MULTI
        | Command::QUERY_SM
        | Command::CANCEL_SM
        | Command::REPLACE_SM
        | Command::BROADCAST_SM
        | Command::QUERY_BROADCAST_SM
        | Command::CANCEL_BROADCAST_SM => [O, O, E, O, E, O],
        Command::DELIVER_SM
        | Command::ALERT_NOTIFICATION => [O, O, O, M, M, O],
        Command::DATA_SM =>            [O, O, E, M, B, O],
        // The request of a generic_nack is any and none.
        Command::ENQUIRE_LINK
        | NACKED =>                    [B, B, B, B, B, B],
        _ =>                           [O, O, O, O, O, O], // unknown to 5.0: answered with a generic_nack
    }
}

/// The requests that a session hands to its owner, the usual ones first.
pub const HANDED_OUT: [Command; 11] = [
    Command::SUBMIT_SM,
    Command::DELIVER_SM,
    Command::DATA_SM,
    Command::SUBMIT_MULTI,
    Command::QUERY_SM,
    Command::CANCEL_SM,
    Command::REPLACE_SM,
    Command::ALERT_NOTIFICATION,
    Command::BROADCAST_SM,
    Command::QUERY_BROADCAST_SM,
    Command::CANCEL_BROADCAST_SM,
];

/// Nobody, the ESME, the message centre, both.
const O: u8 = 0b00;
const E: u8 = 0b01;
const M: u8 = 0b10;
const B: u8 = 0b11;
const NACKED: Command = Command::GENERIC_NACK.request();

#[cfg(test)]
mod tests {
    use super::*;
    use BindKind::{Receiver, Transceiver, Transmitter};

    /// Fact sheet 2.2, row by row: open, outbound, transmitter, receiver, transceiver, unbound.
    const SHEET: &str = "
        bind_transmitter       | E   | E   | -   | -   | -   | -
        bind_receiver          | E   | E   | -   | -   | -   | -
        bind_transceiver       | E   | E   | -   | -   | -   | -
        bind_transmitter_resp  | M   | M   | -   | -   | -   | -
        bind_receiver_resp     | M   | M   | -   | -   | -   | -
        bind_transceiver_resp  | M   | M   | -   | -   | -   | -
        outbind                | M   | -   | -   | -   | -   | -
        unbind                 | -   | -   | E M | E M | E M | -
        unbind_resp            | -   | -   | E M | E M | E M | -
        submit_sm              | -   | -   | E   | -   | E   | -
        submit_multi           | -   | -   | E   | -   | E   | -
        submit_sm_resp         | -   | -   | M   | -   | M   | -
        submit_multi_resp      | -   | -   | M   | -   | M   | -
        deliver_sm             | -   | -   | -   | M   | M   | -
        deliver_sm_resp        | -   | -   | -   | E   | E   | -
        data_sm                | -   | -   | E   | M   | E M | -
        data_sm_resp           | -   | -   | M   | E   | E M | -
        query_sm               | -   | -   | E   | -   | E   | -
        cancel_sm              | -   | -   | E   | -   | E   | -
        replace_sm             | -   | -   | E   | -   | E   | -
        query_sm_resp          | -   | -   | M   | -   | M   | -
        cancel_sm_resp         | -   | -   | M   | -   | M   | -
        replace_sm_resp        | -   | -   | M   | -   | M   | -
        broadcast_sm           | -   | -   | E   | -   | E   | -
        query_broadcast_sm     | -   | -   | E   | -   | E   | -
        cancel_broadcast_sm    | -   | -   | E   | -   | E   | -
        broadcast_sm_resp        | - | -   | M   | -   | M   | -
        query_broadcast_sm_resp  | - | -   | M   | -   | M   | -
        cancel_broadcast_sm_resp | - | -   | M   | -   | M   | -
        alert_notification     | -   | -   | -   | M   | M   | -
        enquire_link           | E M | E M | E M | E M | E M | E M
        enquire_link_resp      | E M | E M | E M | E M | E M | E M
        generic_nack           | E M | E M | E M | E M | E M | E M";

    const STAGES: [Stage; 6] = [
        Stage::Open,
        Stage::Outbound,
        Stage::Bound(Transmitter),
        Stage::Bound(Receiver),
        Stage::Bound(Transceiver),
        Stage::Unbound,
    ];

    /// Every PDU there is, and every request that is none.
    fn pdus() -> impl Iterator<Item = Command> {
        let requests = (1..0x200).map(Command);
        requests
            .flat_map(|request| [request, request.response()])
            .filter(|command| command.is_known() || !command.is_response())
            .chain([Command::GENERIC_NACK])
    }

    #[test]
    fn table_is_the_fact_sheets() {
        let mut told = 0;
        for command in pdus() {
            let line =
                SHEET.lines().find(|line| line.split('|').next().map(str::trim) == Some(command.name()));
            told += usize::from(line.is_some());
            for (place, stage) in STAGES.into_iter().enumerate() {
                let cell = line.and_then(|line| line.split('|').nth(place + 1)).unwrap_or("-");
                for (side, letter) in [(Side::Esme, 'E'), (Side::Mc, 'M')] {
                    assert_eq!(
                        legal(command, side, stage),
                        cell.contains(letter),
                        "{command} {stage:?} {side:?}"
                    );
                }
            }
        }
        assert_eq!(told, SHEET.trim().lines().count());
    }
}
