//! Acknowledgments whose work must not grow with what is in flight, nor with the holes in it.

use std::time::Duration;

use segue::congestion::Algorithm;
use segue::{Event, SackBlock};

use crate::attacks::{config, controllers, with};
use crate::end::End;
use crate::way;

/// Names of events with little in flight begin with the first, those of the same with much with the second.
pub(crate) const FEW: &str = "few: ";
pub(crate) const MANY: &str = "many: ";

/// Octets of a segment.
const MSS: u16 = 64;
/// Events of each kind.
const EVENTS: u32 = 16;

pub(crate) fn run() {
    for controller in controllers() {
        for (size, segments) in [(FEW, 64), (MANY, 768)] {
            acknowledged_in_pairs(size, segments, &controller);
            holes_one_by_one(size, segments, &controller);
        }
    }
}

/// An end with this number of segments in flight, and nothing that waits; how much was acknowledged before.
fn with_flight(segments: u32, controller: &Algorithm) -> (End, u32) {
    let mut end = End::new("the way to a flight", controller.clone(), config(), MSS);
    way::fill(&mut end, 800);
    let una = way::drain(&mut end);
    let mss = u32::from(end.tcp.info().eff_snd_mss);
    end.quietly(Event::Send(way::octets((segments * mss) as usize)));
    way::pace(&mut end);
    assert_eq!(end.tcp.info().flight_segments, segments as usize, "{controller:?}");
    (end, una)
}

/// Each acknowledgment is of two segments.
fn acknowledged_in_pairs(size: &str, segments: u32, controller: &Algorithm) {
    let (mut end, una) = with_flight(segments, controller);
    let mss = u32::from(end.tcp.info().eff_snd_mss);
    end.is_now(with(&format!("{size}ACK of two segments"), controller));
    for n in 1..=EVENTS {
        end.wait(Duration::from_micros(100));
        end.event(Event::Segment(end.segment(0, una + 2 * n * mss, 2000, &[])));
    }
}

/// Each acknowledgment reports one more of the last segments; of all before them every second one was reported.
fn holes_one_by_one(size: &str, segments: u32, controller: &Algorithm) {
    let (mut end, una) = with_flight(segments, controller);
    let mss = u32::from(end.tcp.info().eff_snd_mss);
    let block = |n: u32| {
        let left = End::ours(una + (2 * n + 1) * mss);
        SackBlock { left, right: left + mss }
    };
    end.is_now(with(&format!("{size}ACK with one more hole"), controller));
    let reports = segments / 2;
    for n in 0..reports {
        end.wait(Duration::from_micros(100));
        let mut segment = end.segment(0, una, 2000, &[]);
        let blocks = (0..4).map_while(|before| n.checked_sub(before)).map(block);
        segment.options.update(|options| {
            for block in blocks {
                options.sack.push(block);
            }
        });
        let event = Event::Segment(segment);
        if n < reports - EVENTS { end.quietly(event) } else { end.event(event) }
    }
}
