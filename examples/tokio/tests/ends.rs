//! How connections end, and what their users hear of it.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use segue::IcmpKind;
use segue::codec::{Flow, Packet, PseudoHeader};
use segue::host::{EndpointConfig, Keys, Listen};
use segue::ip::{Datagram, IcmpError};
use segue_tokio::{Device, Host, Link};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn the_client_closes_its_direction_first_and_still_reads() {
    let world = World::new(0);
    let (mut client, mut server) = world.connection().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(client.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut question = Vec::new();
    server.read_to_end(&mut question).await.unwrap();
    sleep(Duration::from_secs(30)).await; // the other direction stays open
    server.write_all(b"answer").await.unwrap();
    server.shutdown().await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!((&*question, &*answer), (&b"question"[..], &b"answer"[..]));
    client.shutdown().await.unwrap(); // again: nothing happens
    sleep(Duration::from_secs(1)).await; // both ends are over by now
    assert_eq!((client.read(&mut [0; 9]).await.unwrap(), server.read(&mut [0; 9]).await.unwrap()), (0, 0));
    assert_eq!(server.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn the_server_closes_its_direction_first_and_still_reads() {
    let world = World::new(0);
    let (client, server) = world.connection().await;
    let (mut reader, mut writer) = server.into_split();
    writer.write_all(b"greeting").await.unwrap();
    drop(writer); // a half that is dropped sends the FIN
    let (mut from_server, mut to_server) = client.into_split();
    let mut greeting = Vec::new();
    from_server.read_to_end(&mut greeting).await.unwrap();
    drop(from_server); // and this one does nothing
    sleep(Duration::from_secs(30)).await;
    to_server.write_all(b"thanks").await.unwrap();
    to_server.shutdown().await.unwrap();
    let mut thanks = Vec::new();
    reader.read_to_end(&mut thanks).await.unwrap();
    assert_eq!((&*greeting, &*thanks), (&b"greeting"[..], &b"thanks"[..]));
}

#[tokio::test(start_paused = true)]
async fn halves_of_a_borrowed_stream_work_in_one_task() {
    let world = World::new(0);
    let (mut client, mut server) = world.connection().await;
    let (mut reader, mut writer) = client.split();
    let mut answer = [0; 2];
    let (read, write, _) = tokio::join!(reader.read_exact(&mut answer), writer.write_all(b"hi"), async {
        let mut question = [0; 2];
        server.read_exact(&mut question).await.unwrap();
        server.write_all(&question).await.unwrap();
    });
    assert_eq!((read.unwrap(), write.unwrap(), &answer), (2, (), b"hi"));
}

#[tokio::test(start_paused = true)]
async fn both_ends_know_the_addresses() {
    let world = World::new(0);
    let (client, server) = world.connection().await;
    assert_eq!((client.peer_addr(), client.local_addr()), (server.local_addr(), server.peer_addr()));
    assert_eq!(client.peer_addr(), World::at(9));
    let named = "198.51.100.7:4000".parse().unwrap();
    let mut listener = world.listen(10);
    let stream = world.client.connect_from(named, World::at(10)).await.unwrap();
    assert_eq!((stream.local_addr(), listener.accept().await.unwrap().peer_addr()), (named, named));
    let again = world.client.connect_from(named, World::at(10)).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[tokio::test(start_paused = true)]
async fn abort_resets_the_peer_and_ends_all_calls() {
    let world = World::new(0);
    let (client, mut server) = world.connection().await;
    let (mut reader, mut writer) = client.into_split();
    let reading = tokio::spawn(async move { reader.read_u8().await });
    let reset = tokio::spawn(async move { server.read_u8().await });
    sleep(Duration::from_secs(1)).await;
    writer.as_ref().abort();
    assert_eq!(reading.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionAborted);
    assert_eq!(writer.write(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    assert_eq!(reset.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn what_arrived_before_a_reset_is_read_first() {
    let world = World::new(0);
    let (mut client, mut server) = world.connection().await;
    client.write_all(b"last words").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    client.abort();
    sleep(Duration::from_secs(1)).await;
    let mut words = [0; 10];
    server.read_exact(&mut words).await.unwrap();
    assert_eq!(&words, b"last words");
    assert_eq!(server.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(server.write(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_with_text_unread_resets_the_peer() {
    let world = World::new(0);
    let (mut client, server) = world.connection().await;
    client.write_all(b"nobody reads this").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    drop(server);
    assert_eq!(client.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn what_was_written_before_a_drop_arrives_with_2_percent_lost() {
    let world = World::new(20);
    let (mut client, mut server) = world.connection().await;
    client.write_all(&[7; 200_000]).await.unwrap();
    drop((client, world.client)); // the host lives on until it is done
    let mut read = Vec::new();
    server.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, [7; 200_000]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_nobody_has_ends_when_its_connections_have() {
    let world = World::new(0);
    let (client, server) = world.connection().await;
    let World { client: host, server: other, counts } = world;
    drop((host, other));
    sleep(Duration::from_secs(100)).await;
    assert_eq!(counts.each_ref().map(Arc::strong_count), [2, 2], "a stream keeps its host");
    drop((client, server));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(counts.each_ref().map(Arc::strong_count), [1, 1], "the devices are gone");
}

#[tokio::test(start_paused = true)]
async fn a_port_without_listener_refuses() {
    let world = World::new(0);
    let refused = world.client.connect(World::at(81)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let reason = refused.get_ref().and_then(|inner| inner.downcast_ref());
    assert_eq!((refused.to_string(), reason), ("connection refused".to_owned(), Some(&segue::CloseReason::Refused)));
    assert_eq!(world.client.connections(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_dropped_refuses_and_frees_its_port() {
    let world = World::new(0);
    let mut listener = world.listen(80);
    assert_eq!(world.server.listen(Listen::port(80)).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(timeout(Duration::from_secs(1), listener.accept()).await.is_err());
    drop(listener);
    assert_eq!(world.client.connect(World::at(80)).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    drop(world.listen(80));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_came_while_nobody_waited_any_more_is_not_lost() {
    let world = World::new(0);
    let mut listener = world.listen(80);
    assert!(timeout(Duration::from_millis(12), listener.accept()).await.is_err());
    {
        let mut accepting = std::pin::pin!(listener.accept());
        assert!(std::future::poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx).is_pending())).await);
        let _stream = world.client.connect(World::at(80)).await.unwrap();
        sleep(Duration::from_secs(1)).await; // the driver has chosen the connection for this call, which is dropped
    }
    timeout(Duration::from_secs(1), listener.accept()).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_dropped_resets_a_connection_that_a_call_was_given() {
    let world = World::new(0);
    let mut listener = world.listen(80);
    {
        let mut accepting = std::pin::pin!(listener.accept());
        assert!(std::future::poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx).is_pending())).await);
        sleep(Duration::from_millis(1)).await;
    }
    let mut stream = world.client.connect(World::at(80)).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    drop(listener);
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(world.server.connections(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn ipv6_is_as_good() {
    let (here, there) = Link::default().open();
    let (keys, config) = (|| Keys::new(*b"a key of a test."), EndpointConfig::default());
    let client = Host::spawn(here, "2001:db8::7".parse().unwrap(), keys(), config.clone());
    let server = Host::spawn(there, "2001:db8::1".parse().unwrap(), keys(), config);
    let at = "[2001:db8::1]:80".parse().unwrap();
    let mut listener = server.listen(Listen::on(at)).unwrap();
    let (stream, accepted) = tokio::join!(client.connect(at), listener.accept());
    let (mut stream, mut accepted) = (stream.unwrap(), accepted.unwrap());
    stream.write_all(b"hello").await.unwrap();
    let mut hello = [0; 5];
    accepted.read_exact(&mut hello).await.unwrap();
    assert_eq!((&hello, accepted.local_addr()), (b"hello", at));
    let other = client.connect(World::at(80)).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::InvalidInput); // IPv4, from a host with an address of IPv6
}

/// A network that answers each packet with an ICMP error: nobody listens there.
#[derive(Default)]
struct Nobody(Vec<IcmpError>, Option<Waker>);

impl Device for Nobody {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        self.1 = Some(cx.waker().clone());
        self.0.pop().map_or(Poll::Pending, |error| Poll::Ready(Ok(Datagram::Icmp(error))))
    }

    fn send(&mut self, ends: PseudoHeader, packet: Packet) {
        let [from, to] = [(ends.src(), packet.src_port).into(), (ends.dst(), packet.dst_port).into()];
        let (kind, quoted_seq) = (IcmpKind::PortUnreachable, packet.segment.seq);
        self.0.push(IcmpError { flow: Flow::new(from, to).unwrap(), kind, mtu: 0, quoted_seq });
        self.1.take().into_iter().for_each(Waker::wake);
    }
}

#[tokio::test(start_paused = true)]
async fn an_icmp_error_about_the_syn_ends_connect() {
    let keys = Keys::new(*b"a key of a test.");
    let client = Host::spawn(Nobody::default(), [198, 51, 100, 7].into(), keys, EndpointConfig::default());
    let failed = client.connect(World::at(80)).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_times_out() {
    let world = World::new(1000);
    assert_eq!(world.client.connect(World::at(80)).await.unwrap_err().kind(), ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_future_of_connect_that_is_dropped_leaves_nothing() {
    let world = World::new(1000);
    assert!(timeout(Duration::from_secs(3), world.client.connect(World::at(80))).await.is_err());
    assert_eq!(world.client.connections(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_fails_ends_every_call() {
    struct Unplugged(segue_tokio::Memory, std::pin::Pin<Box<tokio::time::Sleep>>);
    impl Device for Unplugged {
        fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
            if self.1.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::Error::new(ErrorKind::NotConnected, "unplugged")));
            }
            self.0.poll_recv(cx)
        }
        fn send(&mut self, addresses: PseudoHeader, packet: Packet) {
            self.0.send(addresses, packet);
        }
    }
    let (here, there) = Link::default().open();
    let unplugged = Unplugged(there, Box::pin(sleep(Duration::from_secs(1))));
    let (keys, config) = (|| Keys::new(*b"a key of a test."), EndpointConfig::default());
    let client = Host::spawn(here, [198, 51, 100, 7].into(), keys(), config.clone());
    let server = Host::spawn(unplugged, [192, 0, 2, 1].into(), keys(), config);
    let mut listener = server.listen(Listen::port(9)).unwrap();
    let (_client, stream) = tokio::join!(client.connect(World::at(9)), listener.accept());
    let mut stream = stream.unwrap();
    let reading = tokio::spawn(async move { stream.read_u8().await });
    let accepting = tokio::spawn(async move { listener.accept().await });
    let (read, accepted) = (reading.await.unwrap(), accepting.await.unwrap());
    for error in [read.unwrap_err(), accepted.unwrap_err(), server.listen(Listen::port(1)).unwrap_err()] {
        assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::NotConnected, "the device failed: unplugged"));
    }
}

/// When a second short text arrives that was written 1 ms after the first.
async fn second_text(nodelay: bool) -> Duration {
    let world = World::new(0);
    let (mut client, mut server) = world.connection().await;
    client.set_nodelay(nodelay);
    let begun = Instant::now();
    client.write_all(b"one").await.unwrap();
    sleep(Duration::from_millis(1)).await;
    client.write_all(b"two").await.unwrap();
    server.read_exact(&mut [0; 6]).await.unwrap();
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn nodelay_sends_a_short_text_although_another_is_under_way() {
    // 5 ms there; the acknowledgment of the first comes back after 10.
    let [soon, late] = [second_text(true).await, second_text(false).await].map(|time| time.as_millis());
    assert!((6..=8).contains(&soon) && late >= 15, "{soon} ms, {late} ms");
}
