//! Answers a carrier that calls us by outbind (SMPP 5.0 §4.1.1.7): its connection becomes a link beside those that we hold.
//!
//! Who is no carrier of ours, or can't prove it, learns nothing and is left after a second.

use super::connector::{Gates, run_link};
use super::shared::Shared;
use crate::esme::Caller;
use bytes::BytesMut;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tracing::{info, warn};

/// Goes on with a connection whose peer, `caller`, wants us to bind; `input` came after its outbind.
pub(super) async fn answer(
    stream: &mut TcpStream,
    mut input: BytesMut,
    caller: &Caller,
    peer: SocketAddr,
    shared: &Shared,
) {
    let system_id = caller.system_id.escape_ascii().to_string();
    let outbinds = |outcome| shared.metrics.outbinds.with_label_values(&["in", outcome]).inc();
    let Some(calling) = shared.calling().into_iter().find(|calling| calling.is(caller)) else {
        warn!(%peer, system_id, "outbind of somebody who is no carrier of ours, or can't prove it");
        outbinds("refused");
        tokio::time::sleep(REFUSAL_DELAY).await;
        return;
    };
    let Some(place) = calling.take_place() else {
        warn!(%peer, system_id, "outbind of a carrier that has called too often already");
        outbinds("refused");
        return;
    };
    info!(%peer, carrier = calling.carrier.name, "called by outbind");
    let ended = run_link(
        stream,
        &mut input,
        (&calling.carrier, calling.carrier.bind_of_call()),
        calling.id,
        Gates::default(),
        shared,
    )
    .await;
    outbinds(if ended.stood { "bound" } else { "failed" });
    drop(place);
}

/// How long who is refused is kept, so that guessing is slow (fact sheet 10.1).
const REFUSAL_DELAY: Duration = Duration::from_secs(1);
