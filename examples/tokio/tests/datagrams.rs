//! Devices that carry octets.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use segue::host::{EndpointConfig, Keys, Listen};
use segue::ip::{Format, Offload};
use segue::{Arc, Config};
use segue_tokio::{Datagrams, Host, Ip};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::world::{World, text};

/// One end of a tunnel in memory.
struct Tunnel {
    offload: Offload,
    received: UnboundedReceiver<Bytes>,
    sent: UnboundedSender<Bytes>,
    /// Datagrams that come first, and bring nothing.
    junk: u32,
}

impl Datagrams for Tunnel {
    fn format(&self) -> Format {
        Format { offload: self.offload, ..Format::default() }
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.junk > 0 {
            self.junk -= 1; // and tokio's budget, by which channels yield, knows nothing of it
            return Poll::Ready(Ok(self.junk.to_be_bytes().repeat(20).into()));
        }
        self.received.poll_recv(cx).map(|datagram| datagram.ok_or(io::ErrorKind::BrokenPipe.into()))
    }

    fn send(&mut self, datagram: &[u8]) {
        let _ = self.sent.send(Bytes::copy_from_slice(datagram));
    }
}

/// Two hosts on a tunnel.
fn hosts(offload: Offload, junk: u32) -> [Host; 2] {
    let ((there, at_there), (back, at_back)) = (unbounded_channel(), unbounded_channel());
    let connection = Arc::new(Config::builder().max_transmit(60_000).build().expect("in range"));
    let config = EndpointConfig { connection, ..EndpointConfig::default() };
    let (first, second) = ([198, 51, 100, 7].into(), [192, 0, 2, 1].into());
    let host = |sent, received, address, key| {
        Host::spawn(Ip::new(Tunnel { offload, received, sent, junk }), address, Keys::new(key), config.clone())
    };
    [host(there, at_back, first, *b"a client's key.."), host(back, at_there, second, *b"a server's key..")]
}

#[tokio::test(start_paused = true)]
async fn text_crosses_a_tunnel_of_datagrams() {
    for offload in [Offload::None, Offload::Checksum, Offload::VirtioNet] {
        let [client, server] = hosts(offload, 0);
        let mut listener = server.listen(Listen::port(9)).unwrap();
        let (stream, accepted) = tokio::join!(client.connect(World::at(9)), listener.accept());
        let (mut stream, mut accepted) = (stream.unwrap(), accepted.unwrap());
        let sent = text(500_000, 1);
        let writing = async {
            stream.write_all(&sent).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let mut read = Vec::new();
        let ((), all) = tokio::join!(writing, accepted.read_to_end(&mut read));
        assert!(all.unwrap() == sent.len() && read == sent, "{offload:?}");
    }
}

/// Neither ends the device, nor starves what is good.
#[tokio::test(start_paused = true)]
async fn datagrams_that_bring_nothing_are_passed_over() {
    let [client, server] = hosts(Offload::None, 2000);
    let mut listener = server.listen(Listen::port(9)).unwrap();
    let both = async { tokio::join!(client.connect(World::at(9)), listener.accept()) };
    let (stream, accepted) = timeout(Duration::from_secs(1), both).await.expect("it does not hang");
    assert!(stream.is_ok() && accepted.is_ok());
}
