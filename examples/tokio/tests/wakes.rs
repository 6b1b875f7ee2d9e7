//! Who is woken, and how much is sent.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use segue_tokio::{OwnedReadHalf, OwnedWriteHalf};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{sleep, timeout};

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

/// Writes a megabyte, then the FIN.
async fn write_all(mut writer: OwnedWriteHalf) -> Log {
    let (mut log, mut rest) = (Log::default(), &*text(1_000_000, 8));
    while !rest.is_empty() {
        let octets = call(&mut log, |cx| Pin::new(&mut writer).poll_write(cx, rest)).await.unwrap();
        rest = &rest[octets..];
    }
    log
}

/// Reads a megabyte, and the FIN.
async fn read_all(mut reader: OwnedReadHalf) -> Log {
    let (mut log, mut octets, mut read) = (Log::default(), [0; 5000], 0);
    loop {
        let mut buf = ReadBuf::new(&mut octets);
        call(&mut log, |cx| Pin::new(&mut reader).poll_read(cx, &mut buf)).await.unwrap();
        if buf.filled().is_empty() {
            assert_eq!(read, 1_000_000);
            return log;
        }
        read += buf.filled().len();
    }
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
        let mut tasks = Vec::new();
        for end in [world.client.connect(World::at(9)).await.unwrap(), accepting.await.unwrap()] {
            let (reader, writer) = end.into_split();
            tasks.push(("reader", tokio::spawn(read_all(reader))));
            tasks.push(("writer", tokio::spawn(write_all(writer))));
        }
        for (task, log) in tasks {
            println!("{lost} in 1000 lost: {task} {:?}", log.await.unwrap());
        }
        println!("{:?}", world.counts);
        // The driver looks when it begins a turn and when it begins to wait. A call of a user that leaves nothing to send
        // yet makes two looks without a packet between; there are no three such turns in a row.
        for counts in &world.counts {
            assert!(counts.idle_most.load(Ordering::Relaxed) <= 4, "{counts:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_wakes_nobody_and_calls_that_wait_leave_the_driver_alone() {
    let world = World::new(0);
    let (mut client, mut server) = world.connection().await;
    client.write_all(b"x").await.unwrap();
    server.read_u8().await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let before = world.counts.each_ref().map(|counts| counts.now());
    for _ in 0..100 {
        assert!(timeout(Duration::from_secs(360), server.read_u8()).await.is_err());
        assert!(client.info().is_some());
    }
    assert_eq!(before, world.counts.each_ref().map(|counts| counts.now()));
}

#[tokio::test(start_paused = true)]
async fn a_request_and_its_response_take_2_segments() {
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
    assert_eq!(sent, 200, "the next request carries the acknowledgment");
}

#[tokio::test(start_paused = true)]
async fn a_connection_for_a_request_takes_6_segments() {
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
    // SYN, SYN,ACK, ACK with the request, response with FIN, FIN, ACK.
    assert_eq!(sent, 600);
}
