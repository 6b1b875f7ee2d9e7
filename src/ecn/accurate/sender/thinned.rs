//! Paths that thin acknowledgments out, without options: marks that are counted against marks that there are.

use super::*;
use alloc::vec;
use alloc::vec::Vec;

/// What a path acknowledges at once, over and over; marks in a thousand; and packets.
struct Thinned {
    covers: Vec<u32>,
    permille: u64,
    packets: u32,
}

/// Marks counted, marks that there were, and acknowledgments that hid a cycle of the field.
#[derive(PartialEq, Eq, Debug, Default)]
struct Count {
    counted: u32,
    real: u32,
    hidden: u32,
}

impl Thinned {
    fn run(&self, seed: u64) -> Count {
        let mut sender = DataSender::new();
        let (mut seed, mut cep, mut count) = (seed, FIRST_CEP, Count::default());
        let mut packets = 0;
        for covers in self.covers.iter().copied().cycle() {
            if packets >= self.packets {
                return count;
            }
            packets += covers;
            let mut real = 0;
            for _ in 0..covers {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                real += u32::from((seed >> 33) % 1000 < self.permille);
            }
            cep += u64::from(real);
            let (una, nxt) = (Position::ISS + packets, Position::ISS + packets + 100);
            let ace = u8::try_from(cep % 8).unwrap();
            let octets = covers * 1460;
            let told = Told { ace, option: None, packets: covers, octets, mss: 1460, una, nxt };
            let counted = sender.on_ack(&told).packets;
            assert!(counted % 8 == real % 8 && counted <= covers, "{counted} {real} {covers}");
            assert!(counted >= real || real >= 8, "less than there was only where the field has cycled");
            count.hidden += u32::from(counted < real);
            (count.counted, count.real) = (count.counted + counted, count.real + real);
        }
        count
    }
}

/// §3.2.2.5.2: a second of 5000 packets. However acknowledgments are thinned out, no more than twice the marks are counted, and the first
/// one with a cycle in doubt; and fewer than there were only where eight or more come in one acknowledgment (App. A.2.1: where many
/// cover as much, the least increment is reasonable).
#[test]
fn rfc_9768_3_2_2_5_2_thinned_acknowledgments_are_counted_within_limits() {
    let paths = [
        vec![2],
        vec![4],
        vec![7],
        vec![8],
        vec![10],
        vec![16],
        vec![24],
        vec![45],
        vec![2, 2, 2, 10],
        vec![2, 8],
        vec![1, 2, 31],
        vec![2, 2, 4, 2, 12, 2, 2, 2, 20],
    ];
    for covers in paths {
        for permille in [0, 5, 20, 50, 100, 200] {
            for seed in 0..8 {
                let most = covers.iter().copied().max().unwrap_or(0);
                let path = Thinned { covers: covers.clone(), permille, packets: 5000 };
                let count = path.run(seed);
                assert!(count.counted <= 2 * count.real + most, "{covers:?} {permille}: {count:?}");
                if most < 8 {
                    assert_eq!(count.counted, count.real, "{covers:?} {permille}");
                }
                if permille * u64::from(most) <= 2000 {
                    assert!(count.hidden * 20 <= count.real, "{covers:?} {permille}: {count:?}");
                }
            }
        }
    }
}

/// App. A.2.1: runs of lost acknowledgments now and then are no thinning: no mark is hidden, whatever the marks.
#[test]
fn rfc_9768_a_2_1_rare_runs_of_lost_acknowledgments_hide_nothing() {
    for lost in [8, 12, 16, 33, 60] {
        let mut covers = vec![2; 20];
        covers.push(lost);
        for permille in [20, 100, 500, 900] {
            let count = Thinned { covers: covers.clone(), permille, packets: 5000 }.run(lost.into());
            assert!(count.hidden == 0 && count.counted >= count.real, "{lost} {permille}: {count:?}");
        }
    }
}

/// §3.2.2.3: with acknowledgments of multiples of eight the field stands still while all is marked. Marks of the first ones show what
/// it means; after four rounds they are not heeded.
#[test]
fn rfc_9768_3_2_2_3_continuous_marking_shows_in_acknowledgments_of_multiples_of_eight() {
    for (covers, acks) in [(8, 1), (8, 3), (16, 1), (24, 2), (64, 1)] {
        let mut sender = DataSender::new();
        let (mut cep, mut una) = (FIRST_CEP, 0);
        let mut ack = |sender: &mut DataSender, packets: u32, flight: u32| {
            cep += u64::from(packets);
            una += packets;
            let (una, nxt) = (Position::ISS + una, Position::ISS + una + flight);
            let ace = u8::try_from(cep % 8).unwrap();
            let told = Told { ace, option: None, packets, octets: packets * 1460, mss: 1460, una, nxt };
            sender.on_ack(&told).packets
        };
        (0..4).for_each(|_| assert_eq!(ack(&mut sender, 2, 8), 2));
        let heeded = (0..40).take_while(|_| ack(&mut sender, covers, covers * acks) == covers).count();
        assert!(!sender.sets_ect() && heeded <= 4 * usize::try_from(acks).unwrap(), "{covers} {acks}: {heeded}");
    }
}
