//! enroute: an SMS hub. SMPP in, durable, scheduled, routed, SMPP out, and the receipt back.
//!
//! # A tour of the house
//!
//! Begin in [`hub`]: a message walks one line, from its submission to its receipt, and the line is written in that one room. The
//! hub is one value on one thread. It takes events and gives effects, and all else in this house exists to bring the ones
//! and to carry out the others.
//!
//! ```text
//!  customer ⇄ esme::Port ─► hub: intake ─► spool ┄durable┄► dispatch ─► carrier::Link ⇄ carrier
//!                  ▲               │ answer after durable                     │
//!                  │               ▼                                          ▼
//!                  └────────── delivery ◄┄durable┄ outcome ◄──── answers and receipts
//! ```
//!
//! **Ground floor: values.** [`clock`] is time as an argument, [`id`] the names of things, [`metrics`] every figure that is shown.
//!
//! **What the wire says.** [`codec`] turns octets into PDUs and back, [`session`] is one SMPP session from either side, with neither
//! socket nor clock. [`esme`] is that session towards customers, [`carrier`] its mirror towards carriers.
//!
//! **What a message says.** [`text`] knows the alphabets and how many short messages a text takes, [`conversion`] says the same to a
//! peer with other habits, [`assembly`] gathers the parts of a long text.
//!
//! **What becomes of a message.** [`message`] names its phases. [`screening`] says as whom and to whom, [`admission`] whether it may come in, [`spool`] keeps
//! it, [`wheel`] wakes it, [`schedule`] says how long to wait, [`route`] whither, and [`correlation`] whose receipt this is; [`bulk`] has the messages that are scheduled and controlled together. None of these rooms knows
//! another; the hub knows them all.
//!
//! **Where it touches the world.** [`runtime`] has the tasks, threads, sockets, files and clocks; [`http`] is the operators' door;
//! [`config`] reads the file and hands each part its settings; [`tool`] holds peers and looking glasses of our own.
//!
//! Names go downward only, and `tests/tidy.rs` watches over it; the table of floors, the threads, and what waits for the
//! disk are in `docs/architecture.md`.
//!
//! # Run it from a test
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use enroute::{config::Config, metrics::Metrics, runtime};
//!
//! let mut config = Config::default_plan("127.0.0.1:2776");
//! config.plan.address = "127.0.0.1:0".to_owned();
//! let hub = runtime::start(config.plan, Metrics::new()).await?;
//! println!("bind to {}", hub.address);
//! hub.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod admission;
pub mod assembly;
pub mod bulk;
pub mod carrier;
pub mod clock;
pub mod codec;
pub mod config;
pub mod conversion;
pub mod correlation;
pub mod esme;
pub mod guard;
pub mod http;
pub mod hub;
pub mod id;
pub mod message;
pub mod metrics;
pub mod route;
pub mod runtime;
pub mod schedule;
pub mod screening;
pub mod session;
pub mod spool;
pub mod text;
pub mod throttle;
pub mod tool;
pub mod wheel;
