//! Backpressure: a writer waits for its reader, and memory is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use segue::host::EndpointConfig;
use segue_tokio::Link;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::world::{World, text};

#[tokio::test(start_paused = true)]
async fn a_reader_that_rests_holds_the_writer() {
    let config = EndpointConfig::default();
    let buffers = (config.connection.send_buffer() + config.connection.receive_buffer()) as usize;
    let world = World::with(Link::default(), config);
    let (mut client, mut server) = world.connection().await;
    let written = Arc::new(AtomicUsize::new(0));
    let (sent, count) = (text(2_000_000, 3), Arc::clone(&written));
    tokio::spawn(async move {
        for piece in sent.chunks(1000) {
            client.write_all(piece).await.unwrap();
            count.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    sleep(Duration::from_secs(600)).await;
    let held = written.load(Ordering::Relaxed);
    assert!((100_000..=buffers).contains(&held), "{held} octets");
    let mut read = vec![0; 150_000];
    server.read_exact(&mut read).await.unwrap();
    sleep(Duration::from_secs(600)).await;
    let more = written.load(Ordering::Relaxed);
    assert!(more > held && more <= buffers + 150_000, "{more} octets");
    server.read_to_end(&mut read).await.unwrap();
    assert!(read == text(2_000_000, 3));
}

#[tokio::test(start_paused = true)]
async fn the_budget_holds_for_all_streams_together() {
    let memory = 6_000_000;
    let world = World::with(Link::default(), EndpointConfig { memory, ..EndpointConfig::default() });
    let mut listener = world.listen(9);
    let server = tokio::spawn(async move {
        let mut streams = Vec::new();
        while streams.len() < 10 {
            streams.push(listener.accept().await.unwrap());
        }
        sleep(Duration::from_secs(60)).await; // meanwhile nobody reads
        for mut stream in streams {
            let mut read = Vec::new();
            stream.read_to_end(&mut read).await.unwrap();
            assert!(read == text(1_000_000, 4));
        }
    });
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(world.client.connect(World::at(9)).await.unwrap());
    }
    for mut stream in streams {
        tokio::spawn(async move { stream.write_all(&text(1_000_000, 4)).await.unwrap() });
    }
    let mut most = 0;
    while !server.is_finished() {
        most = most.max(world.client.memory()).max(world.server.memory());
        sleep(Duration::from_millis(10)).await;
    }
    server.await.unwrap();
    assert!((memory / 2..=memory).contains(&most), "{most} octets");
}
