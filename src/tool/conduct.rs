//! How a simulated carrier behaves, and what it reports.

use super::handset::Handsets;
use clap::{Args, ValueEnum};
use serde::Serialize;

/// How the simulated carrier behaves.
#[derive(Args, Clone, Debug)]
pub struct Conduct {
    /// How message ids are written in answers.
    #[arg(long, value_enum, default_value_t = IdFormat::Hex)]
    pub id_format: IdFormat,
    /// How message ids are written in receipts; the same as in answers unless said. A UUID stays one.
    #[arg(long, value_enum)]
    pub receipt_id_format: Option<IdFormat>,
    /// Milliseconds before each answer.
    #[arg(long, default_value_t = 0)]
    pub resp_delay_ms: u64,
    /// Milliseconds from the answer to the receipt.
    #[arg(long, default_value_t = 0)]
    pub receipt_delay_ms: u64,
    /// Share of submissions that are refused for good (ESME_RSUBMITFAIL), 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    pub fail_share: f64,
    /// Share of submissions that are throttled (ESME_RTHROTTLED), 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    pub throttle_share: f64,
    /// Share of messages whose receipt says UNDELIV, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    pub undelivered_share: f64,
    /// Cut all connections each so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub drop_every_s: Option<f64>,
    /// Send the receipt before the answer.
    #[arg(long)]
    pub early_receipts: bool,
    /// Send receipts on another session than the message came on.
    #[arg(long)]
    pub receipts_on_other_link: bool,
    /// Take sessions of different system_ids for those of different carriers: receipts go to sessions with the message's system_id.
    #[arg(long)]
    pub apart: bool,
    /// Send receipts only after SIGUSR1.
    #[arg(long)]
    pub hold_receipts: bool,
    /// Send receipts as data_sm.
    #[arg(long)]
    pub data_receipts: bool,
    /// Before each receipt, send an alert_notification for its handset.
    #[arg(long)]
    pub alerts: bool,
    /// Unanswered receipts of each session.
    #[arg(long, default_value_t = 500)]
    pub receipt_window: usize,
    #[command(flatten)]
    pub handsets: Handsets,
    /// Makes the draws repeatable.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// How a message id is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IdFormat {
    Hex,
    Decimal,
    Uuid,
}

impl Conduct {
    /// A carrier that takes and delivers everything at once.
    pub fn obliging() -> Self {
        Self {
            id_format: IdFormat::Hex,
            receipt_id_format: None,
            resp_delay_ms: 0,
            receipt_delay_ms: 0,
            fail_share: 0.0,
            throttle_share: 0.0,
            undelivered_share: 0.0,
            drop_every_s: None,
            early_receipts: false,
            receipts_on_other_link: false,
            apart: false,
            hold_receipts: false,
            data_receipts: false,
            alerts: false,
            receipt_window: 500,
            handsets: Handsets::silent(),
            seed: 1,
        }
    }
}

/// What a simulated carrier has seen; what `--json` prints.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Messages taken.
    pub messages: u64,
    /// Different numbers among them.
    pub distinct: u64,
    /// Messages whose number had been taken before.
    pub duplicates: u64,
    /// Numbers below the highest one that never came.
    pub missing: u64,
    pub refused: u64,
    pub receipts_sent: u64,
    pub receipts_answered: u64,
    /// Messages of handsets: sent, each time counted; taken; and refused for good.
    pub inbound_sent: u64,
    pub inbound_taken: u64,
    pub inbound_refused: u64,
    pub binds: u64,
    pub broadcasts: u64,
    /// Messages whose text says when they are due.
    pub timed: u64,
    /// Those of them that came before.
    pub early: u64,
    /// How late they came, in milliseconds.
    pub late_p50_ms: u64,
    pub late_p99_ms: u64,
    pub late_max_ms: u64,
    pub cpu_s: f64,
}
