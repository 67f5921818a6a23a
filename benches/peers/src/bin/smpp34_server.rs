//! A server on the crate smpp34 that answers binds and submissions and does nothing else: `smpp34_server PORT`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use async_trait::async_trait;
use smpp34::{
    SmppConnectionInformation, SmppServer, SmppServerListener, bind_transceiver, bind_transceiver_resp,
    submit_sm, submit_sm_resp,
};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Accepts everybody and everything.
struct Everything(AtomicU64);

#[async_trait]
impl SmppServerListener for Everything {
    async fn on_bind_transceiver(
        &self,
        request: bind_transceiver,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> bind_transceiver_resp {
        request.accept("smpp34".to_owned(), Some(0x34))
    }

    async fn on_submit_sm(
        &self,
        request: submit_sm,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> submit_sm_resp {
        request.accept(self.0.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("a port to listen on");
    let everything = Arc::new(Everything(AtomicU64::new(1)));
    let mut server = SmppServer::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port, everything);
    server.start().await;
    println!("ready");
    std::future::pending().await
}
