//! What a segment costs at the border to IP: decoding and encoding with four sets of options, and the checksum.

use std::hint::black_box;
use std::net::Ipv4Addr;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use segue::codec::{self, Fill, Packet, PseudoHeader, Sum, Verify};
use segue::{Flags, Options, SackBlock, Segment, SeqNum, Timestamps};

const THERE: PseudoHeader = PseudoHeader::V4 { src: Ipv4Addr::new(192, 0, 2, 1), dst: Ipv4Addr::new(198, 51, 100, 7) };

/// Few enough results to stay in the cache.
const BATCH: BatchSize = BatchSize::NumIterations(128);

/// The four sets, each on the segment it is common on.
fn packets() -> [(&'static str, Packet); 4] {
    let timestamps = Some(Timestamps { value: 0x0102_0304, echo: 0x0506_0708 });
    let syn =
        Options { mss: Some(1460), sack_permitted: true, timestamps, window_scale: Some(10), ..Options::default() };
    let mut sack = Options { timestamps, ..Options::default() };
    for n in 0..3u32 {
        sack.sack.push(SackBlock { left: SeqNum::new(n * 3000), right: SeqNum::new(n * 3000 + 1448) });
    }
    let packet = |flags, options| {
        let (seq, ack) = (SeqNum::new(0x1234_5678), SeqNum::new(0x9ABC_DEF0));
        let segment = Segment { seq, ack, flags, window: 502, options, ..Segment::default() };
        Packet { src_port: 49_152, dst_port: 443, segment }
    };
    [
        ("none", packet(Flags::ACK, Options::default().into())),
        ("syn", packet(Flags::SYN, syn.into())),
        ("timestamps", packet(Flags::ACK, Options { timestamps, ..Options::default() }.into())),
        ("timestamps+3sack", packet(Flags::ACK, sack.into())),
    ]
}

fn octets(packet: &Packet) -> Bytes {
    let mut octets = Vec::new();
    codec::encode(packet, Fill::Now(THERE), &mut octets).expect("a packet of this file");
    octets.into()
}

fn headers(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for (name, packet) in packets() {
        let octets = octets(&packet);
        for (who, verify) in [("software", Verify::Now(THERE)), ("hardware", Verify::ByHardware)] {
            group.bench_function(BenchmarkId::new(name, who), |b| {
                let next = || octets.clone();
                b.iter_batched(next, |octets| codec::decode(octets, black_box(verify)), BATCH);
            });
        }
    }
    group.finish();
    let mut group = c.benchmark_group("encode");
    for (name, packet) in packets() {
        for (who, fill) in [("software", Fill::Now(THERE)), ("hardware", Fill::ByHardware(THERE))] {
            let mut storage = [0; 64];
            group.bench_function(BenchmarkId::new(name, who), |b| {
                b.iter(|| codec::encode(black_box(&packet), black_box(fill), &mut &mut storage[..]));
            });
        }
    }
    group.finish();
}

/// A full-sized segment, copied into a frame and back.
fn full_segment(c: &mut Criterion) {
    let [_, _, (_, mut packet), _] = packets();
    packet.segment.payload = vec![0xA5; 1448].into();
    let octets = octets(&packet);
    let mut group = c.benchmark_group("1448 octets of text");
    group.bench_function("decode", |b| {
        b.iter_batched(|| octets.clone(), |octets| codec::decode(octets, Verify::Now(THERE)), BATCH);
    });
    let mut storage = [0; 1500];
    group.bench_function("encode", |b| {
        b.iter(|| codec::encode(black_box(&packet), Fill::Now(THERE), &mut &mut storage[..]));
    });
    group.finish();
}

fn checksums(c: &mut Criterion) {
    let mut group = c.benchmark_group("checksum");
    let storage: Vec<u8> = (0..=u8::MAX).cycle().take(65_537).collect();
    for len in [20, 21, 64, 256, 1460, 9000, 65_536] {
        group.throughput(Throughput::Bytes(len));
        let len = usize::try_from(len).expect("small");
        let measure = |b: &mut criterion::Bencher<'_>, octets: &[u8]| {
            b.iter(|| {
                let mut sum = Sum::new();
                sum.add(black_box(octets));
                sum.checksum()
            });
        };
        group.bench_with_input(BenchmarkId::new("aligned", len), &storage[..len], measure);
        group.bench_with_input(BenchmarkId::new("off by one", len), &storage[1..=len], measure);
    }
    group.finish();
}

criterion_group!(benches, headers, full_segment, checksums);
criterion_main!(benches);
