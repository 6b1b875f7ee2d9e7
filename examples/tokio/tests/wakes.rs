//! Who is woken, and how much is sent.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::sleep;

use crate::world::{World, text};

/// A waker that counts and passes on.
struct Counter(AtomicUsize, Waker);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        self.1.wake_by_ref();
    }
}

/// What a task did: how often its calls waited, and how often it was woken.
#[derive(Debug, Default, PartialEq)]
struct Log {
    waits: usize,
    wakes: usize,
}

/// Makes the call, and asserts that each wake makes it proceed: it waits once at the most and is woken once.
async fn call<R>(log: &mut Log, mut step: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let counter = Arc::new(Counter(AtomicUsize::new(0), waker));
    let counting = Waker::from(Arc::clone(&counter));
    let mut waited = 0;
    let result = poll_fn(|_| {
        let outcome = step(&mut Context::from_waker(&counting));
        if outcome.is_pending() {
            waited += 1;
        }
        outcome
    })
    .await;
    let wakes = counter.0.load(Ordering::Relaxed);
    assert!(waited <= 1 && wakes == waited, "waited {waited} times, woken {wakes} times");
    log.waits += waited;
    log.wakes += wakes;
    result
}

#[tokio::test(start_paused = true)]
async fn nobody_is_woken_without_progress() {
    for lost in [0, 20] {
        let world = World::new(lost);
        let mut listener = world.listen(9);
        let accepting = tokio::spawn(async move {
            let mut log = Log::default();
            let stream = call(&mut log, |cx| listener.poll_accept(cx)).await.unwrap();
            assert_eq!(log, Log { waits: 1, wakes: 1 });
            stream
        });
        let (_, mut writer) = world.client.connect(World::at(9)).await.unwrap().into_split();
        let mut server = accepting.await.unwrap();
        let writing = tokio::spawn(async move {
            let (mut log, mut rest) = (Log::default(), &*text(1_000_000, 8));
            while !rest.is_empty() {
                let octets = call(&mut log, |cx| Pin::new(&mut writer).poll_write(cx, rest)).await.unwrap();
                rest = &rest[octets..];
            }
            log
        });
        let (mut log, mut read) = (Log::default(), 0);
        loop {
            let mut octets = [0; 5000];
            let mut buf = ReadBuf::new(&mut octets);
            call(&mut log, |cx| Pin::new(&mut server).poll_read(cx, &mut buf)).await.unwrap();
            if buf.filled().is_empty() {
                break;
            }
            read += buf.filled().len();
        }
        assert_eq!(read, 1_000_000);
        println!("{lost} in 1000 lost: reader {log:?}, writer {:?}, {:?}", writing.await.unwrap(), world.counts);
        // The driver looks when it begins a turn and when it begins to wait. A call of a user that leaves nothing to send
        // yet makes two looks without a packet between; there are no three such turns in a row.
        for counts in &world.counts {
            assert!(counts.idle_most.load(Ordering::Relaxed) <= 4, "{counts:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_wakes_nobody() {
    let world = World::new(0);
    let (mut client, mut server) = world.connection().await;
    client.write_all(b"x").await.unwrap();
    server.read_u8().await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let before = world.counts.each_ref().map(|counts| counts.now());
    sleep(Duration::from_secs(36_000)).await;
    assert_eq!(before, world.counts.each_ref().map(|counts| counts.now()));
}

#[tokio::test(start_paused = true)]
async fn a_request_and_its_response_take_at_most_3_segments() {
    let world = World::new(0);
    let (mut client, mut server) = world.connection().await;
    tokio::spawn(async move {
        let mut request = [0; 100];
        while server.read_exact(&mut request).await.is_ok() {
            server.write_all(&[2; 1000]).await.unwrap();
        }
    });
    let mut response = [0; 1000];
    let before = world.counts.each_ref().map(|counts| counts.now().2);
    for _ in 0..100 {
        client.write_all(&[1; 100]).await.unwrap();
        client.read_exact(&mut response).await.unwrap();
    }
    let sent: usize = world.counts.iter().zip(before).map(|(counts, before)| counts.now().2 - before).sum();
    println!("100 requests: {sent} segments");
    assert!(sent <= 300, "{sent} segments");
}

#[tokio::test(start_paused = true)]
async fn a_connection_for_a_request_takes_at_most_8_segments() {
    let world = World::new(0);
    let mut listener = world.listen(80);
    tokio::spawn(async move {
        while let Ok(mut stream) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 100];
                stream.read_exact(&mut request).await.unwrap();
                stream.write_all(&[2; 1000]).await.unwrap();
            });
        }
    });
    for _ in 0..100 {
        let mut stream = world.client.connect(World::at(80)).await.unwrap();
        stream.write_all(&[1; 100]).await.unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.unwrap();
        assert_eq!(response.len(), 1000);
    }
    sleep(Duration::from_secs(1)).await;
    let sent: usize = world.counts.iter().map(|counts| counts.now().2).sum();
    println!("100 connections: {sent} segments");
    assert!(sent <= 800, "{sent} segments");
}
