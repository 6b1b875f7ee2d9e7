//! Every octet arrives, once and in order.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::world::{World, text};

/// A server that sends back what it gets, on as many connections as come.
fn echo(world: &World) {
    let mut listener = world.listen(7);
    tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.into_split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
}

/// Sends the octets and reads them back at the same time.
async fn round_trip(world: &World, octets: usize, salt: u64) {
    let sent = text(octets, salt);
    let (mut reader, mut writer) = world.client.connect(World::at(7)).await.unwrap().into_split();
    let (mut echoed, text) = (Vec::new(), sent.clone());
    let writing = tokio::spawn(async move { writer.write_all(&text).await });
    reader.read_to_end(&mut echoed).await.unwrap();
    writing.await.unwrap().unwrap();
    assert!(echoed == sent, "{} octets of {octets}", echoed.len());
}

async fn megabyte(lost: u32) {
    let (world, before) = (World::new(lost), Instant::now());
    echo(&world);
    round_trip(&world, 1_000_000, 1).await;
    println!("1 MB there and back at {lost} in 1000 lost: {:?}, {:?}", before.elapsed(), world.counts);
}

#[tokio::test(start_paused = true)]
async fn a_megabyte_is_echoed_without_loss() {
    megabyte(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_megabyte_is_echoed_with_1_percent_lost() {
    megabyte(10).await;
}

#[tokio::test(start_paused = true)]
async fn a_megabyte_is_echoed_with_2_percent_lost() {
    megabyte(20).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_takes_the_same_time() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (world, before) = (World::new(20), Instant::now());
        echo(&world);
        round_trip(&world, 300_000, 1).await;
        runs.push((before.elapsed(), world.counts.each_ref().map(|counts| counts.now())));
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_streams_at_once_mix_nothing_up() {
    let world = World::new(10);
    echo(&world);
    let world = std::sync::Arc::new(world);
    let streams: Vec<_> = (0..100)
        .map(|n| {
            let world = world.clone();
            tokio::spawn(async move { round_trip(&world, 20_000 + 100 * n, n as u64).await })
        })
        .collect();
    for stream in streams {
        stream.await.unwrap();
    }
}

/// As `git fetch` does: lines of what is wanted and had, an answer to each batch, then one big pack in pieces.
#[tokio::test(start_paused = true)]
async fn many_small_requests_and_one_big_answer_arrive() {
    const PACK: usize = 3_000_000;
    for lost in [0, 10, 20] {
        let (world, before) = (World::new(lost), Instant::now());
        let mut listener = world.listen(9418);
        tokio::spawn(async move {
            let mut stream = listener.accept().await.unwrap();
            let mut line = [0; 50];
            for n in 0..600 {
                stream.read_exact(&mut line).await.unwrap();
                assert_eq!(line, *format!("{n:04}have 0123456789abcdef0123456789abcdef01234567\n").as_bytes());
                if n % 3 == 2 {
                    stream.write_all(format!("{n:04}ACK\n").as_bytes()).await.unwrap();
                }
            }
            for piece in text(PACK, 7).chunks(65_515) {
                stream.write_all(piece).await.unwrap();
            }
        });
        let mut stream = world.client.connect(World::at(9418)).await.unwrap();
        stream.set_nodelay(true);
        for n in 0..600 {
            let line = format!("{n:04}have 0123456789abcdef0123456789abcdef01234567\n");
            stream.write_all(line.as_bytes()).await.unwrap();
            if n % 3 == 2 {
                let mut answer = [0; 8];
                stream.read_exact(&mut answer).await.unwrap();
                assert_eq!(answer, *format!("{n:04}ACK\n").as_bytes());
            }
        }
        let mut pack = Vec::new();
        stream.read_to_end(&mut pack).await.unwrap();
        assert!(pack == text(PACK, 7), "{} octets at {lost}", pack.len());
        println!("fetch at {lost} in 1000 lost: {:?}, {:?}", before.elapsed(), world.counts);
    }
}
