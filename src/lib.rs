//! enroute: an SMS hub. The map of the house follows with its last room.

pub mod admission;
pub mod carrier;
pub mod clock;
pub mod codec;
pub mod config;
pub mod correlation;
pub mod esme;
pub mod http;
pub mod hub;
pub mod id;
pub mod message;
pub mod metrics;
pub mod route;
pub mod runtime;
pub mod schedule;
pub mod session;
pub mod spool;
pub mod tool;
pub mod wheel;
