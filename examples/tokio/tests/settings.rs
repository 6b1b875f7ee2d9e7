//! The congestion controller of a host and of a stream, and Fast Open.

use std::time::Duration;

use bytes::Bytes;
use segue::Error;
use segue::congestion::{Algorithm, Bbr, Prague, Reno};
use segue::host::{EndpointConfig, Keys, Listen};
use segue_tokio::{Host, Link};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use crate::world::{World, text};

fn bbr() -> Algorithm {
    Algorithm::Bbr(Bbr::default())
}

/// Both ends of a lossy link work with the controller that they were given, and go on with another one.
#[tokio::test(start_paused = true)]
async fn the_congestion_controller_is_chosen_and_exchanged() {
    let (here, there) = Link { lost: 10, ..Link::default() }.open();
    let config = EndpointConfig::default();
    let keys = [*b"a client's key..", *b"a server's key.."].map(Keys::new);
    let [of_client, of_server] = keys;
    let client = Host::spawn_with(bbr(), here, "198.51.100.7".parse().unwrap(), of_client, config.clone());
    let server = Host::spawn(there, "192.0.2.1".parse().unwrap(), of_server, config);
    let mut listener = server.listen(Listen::port(9)).unwrap();
    let mut ours = client.connect(World::at(9)).await.unwrap();
    let mut theirs = listener.accept().await.unwrap();
    let sent = text(300_000, 1);
    let expected = sent.clone();
    let reading = tokio::spawn(async move {
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).await.unwrap();
        (read, theirs)
    });
    ours.write_all(&sent[..200_000]).await.unwrap();
    let before = ours.set_congestion(Algorithm::Reno(Reno::default())).unwrap();
    assert!(matches!(before, Algorithm::Bbr(_)), "{before:?}");
    ours.write_all(&sent[200_000..250_000]).await.unwrap();
    let before = ours.set_congestion(Algorithm::Prague(Prague::default())).unwrap();
    assert!(matches!(before, Algorithm::Reno(_)), "{before:?}");
    ours.write_all(&sent[250_000..]).await.unwrap();
    ours.shutdown().await.unwrap();
    let (read, theirs) = reading.await.unwrap();
    assert!(read == expected);
    let before = theirs.set_congestion(bbr()).unwrap();
    assert!(matches!(before, Algorithm::Cubic(_)), "the default: {before:?}");
    theirs.abort();
    assert_eq!(theirs.set_congestion(bbr()), Err(Error::NotConnected));
}

/// The first connection fetches the cookie; the request of the second is at the server after half a round trip, and the
/// answer back after a whole one. What does not fit the SYN follows.
#[tokio::test(start_paused = true)]
async fn fast_open_saves_a_round_trip() {
    let world = World::new(0);
    let mut listener = world.server.listen(Listen { fast_open: 64, ..Listen::port(9) }).unwrap();
    tokio::spawn(async move {
        loop {
            let mut stream = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut octets, mut buffer) = (0, vec![0; 65_536]);
                while octets < buffer.len() {
                    let read = stream.read(&mut buffer[..]).await.unwrap();
                    octets += read;
                    if octets == read {
                        stream.write_all(b"first").await.unwrap(); // as soon as there is anything
                    }
                    if read == 0 {
                        break;
                    }
                }
                stream.write_all(&u32::try_from(octets).unwrap().to_be_bytes()).await.unwrap();
            });
        }
    });
    let request = Bytes::from(text(20_000, 2));
    let mut times = Vec::new();
    for _ in 0..3 {
        let begin = Instant::now();
        let mut stream = world.client.connect_fast_open(World::at(9), request.clone()).await.unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"first");
        times.push(begin.elapsed());
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read_u32().await.unwrap(), 20_000);
        sleep(Duration::from_secs(1)).await;
    }
    let round_trip = 2 * Link::default().delay;
    assert!(times[0] >= 2 * round_trip, "{times:?}");
    assert!(times[1..].iter().all(|time| (round_trip..round_trip * 3 / 2).contains(time)), "{times:?}");
}

/// Without a listener the open fails as any other does.
#[tokio::test(start_paused = true)]
async fn fast_open_is_refused_as_other_opens() {
    let world = World::new(0);
    let refused = world.client.connect_fast_open(World::at(9), Bytes::from_static(b"hello")).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}
