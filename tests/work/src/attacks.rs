//! Conversations that make single events as dear as they get.

use std::time::Duration;

use segue::congestion::{Algorithm, Bbr, Prague, Reno};
use segue::{Config, Event, SackBlock, Segment};

use crate::end::End;
use crate::way::{self, octets};

pub(crate) fn run() {
    for controller in controllers() {
        sack_of_many_holes(&controller);
        flight_that_is_lost(&controller);
        acknowledged_at_once(&controller);
        window_that_opens_at_once(&controller);
        path_that_narrows(&controller);
        segment_that_goes_again_and_again(&controller);
    }
    gaps_of_one_octet();
    tiny_segments_in_order();
}

/// Each of them, the default first.
pub(crate) fn controllers() -> [Algorithm; 4] {
    [
        Algorithm::default(),
        Algorithm::Reno(Reno::default()),
        Algorithm::Bbr(Bbr::default()),
        Algorithm::Prague(Prague::default()),
    ]
}

/// The name of a conversation with this controller.
pub(crate) fn with(what: &str, controller: &Algorithm) -> String {
    let name = match controller {
        Algorithm::Reno(_) => "NewReno",
        Algorithm::Bbr(_) => "BBR",
        Algorithm::Prague(_) => "Prague",
        _ => return what.to_owned(), // the default
    };
    format!("{what} ({name})")
}

/// An end that sends.
fn sender(what: &str, controller: &Algorithm, config: Config, mss: u16) -> End {
    End::new(&with(what, controller), controller.clone(), config, mss)
}

/// One that receives: its controller has nothing to do.
fn receiver(what: &str) -> End {
    End::new(what, Algorithm::default(), config(), 1460)
}

pub(crate) fn config() -> Config {
    Config::builder().receive_buffer_initial(262_144).build().expect("within the ranges")
}

/// Small segments fill the window; how much was acknowledged.
fn fill(end: &mut End) -> u32 {
    way::fill(end, 600)
}

/// Every second segment is reported, four blocks at a time, then the rest, from the front and from the back.
fn sack_of_many_holes(controller: &Algorithm) {
    let mut end = sender("SACK of many holes", controller, config(), 64);
    let una = fill(&mut end);
    let records = end.tcp.info().flight_segments as u32;
    let mss = u32::from(end.tcp.info().eff_snd_mss);
    let report = |end: &mut End, places: &[u32]| {
        let mut segment = end.segment(0, una, 2000, &[]);
        segment.options.update(|options| {
            for place in places {
                let left = End::ours(una + place * mss);
                options.sack.push(SackBlock { left, right: left + mss });
            }
        });
        end.event(Event::Segment(segment));
    };
    let holes: Vec<u32> = (0..records / 2).map(|n| 2 * n + 1).collect();
    for places in holes.chunks(4).take(60) {
        end.wait(Duration::from_micros(100));
        report(&mut end, places);
    }
    for places in holes.rchunks(4).take(60) {
        end.wait(Duration::from_micros(100));
        report(&mut end, places);
    }
    // One block over all of it.
    let mut segment = end.segment(0, una, 2000, &[]);
    segment.options.update(|options| {
        options.sack.push(SackBlock { left: End::ours(una + mss), right: End::ours(una + records * mss) })
    });
    end.event(Event::Segment(segment));
}

/// The timer marks all that is in flight, again and again.
fn flight_that_is_lost(controller: &Algorithm) {
    let mut end = sender("a flight that is lost", controller, config(), 64);
    fill(&mut end);
    for _ in 0..12 {
        end.timer();
    }
}

fn acknowledged_at_once(controller: &Algorithm) {
    let mut end = sender("acknowledged at once", controller, config(), 64);
    let una = fill(&mut end);
    let flight = end.tcp.info().flight;
    end.wait(Duration::from_millis(20));
    end.event(Event::Segment(end.segment(0, una + flight, 2000, &[])));
}

/// Text in pieces of one octet waits for a window, which then opens for all of it.
fn window_that_opens_at_once(controller: &Algorithm) {
    let mut end = sender("a window that opens at once", controller, config(), 64);
    end.event(Event::Segment(end.segment(0, 0, 0, &[])));
    for _ in 0..500 {
        end.event(Event::Send(octets(1)));
    }
    for _ in 0..60 {
        end.event(Event::Send(octets(1030))); // too large to be merged
    }
    for _ in 0..3 {
        end.timer();
    }
    end.event(Event::Segment(end.segment(0, 1, 2000, &[])));
    end.event(Event::Continue);
}

/// A flight of large segments goes again in small ones, as fast as acknowledgments let it.
fn path_that_narrows(controller: &Algorithm) {
    let mut end = sender("a path that narrows", controller, config(), 1460);
    let mut una = way::fill(&mut end, 170);
    let flight = end.tcp.info().flight;
    end.event(Event::Mtu(108));
    for _ in 0..8 {
        end.wait(Duration::from_millis(20));
        una += flight / 16;
        end.event(Event::Segment(end.segment(0, una, 2000, &[])));
    }
    for _ in 0..4 {
        end.timer();
    }
    end.wait(Duration::from_millis(20));
    end.event(Event::Segment(end.segment(0, una + flight / 4, 2000, &[])));
}

/// Nobody answers; each timeout sends the same text.
fn segment_that_goes_again_and_again(controller: &Algorithm) {
    let patient = config().to_builder().user_timeout(None).build().expect("within the ranges");
    let mut end = sender("a segment that goes again and again", controller, patient, 1460);
    end.event(Event::Send(octets(10)));
    for _ in 0..100 {
        end.timer();
    }
}

/// Each second octet, then one segment over all of it.
fn gaps_of_one_octet() {
    let mut end = receiver("gaps of one octet");
    for n in 0..300 {
        end.event(Event::Segment(end.segment(2 * n + 1, 0, 2000, &[1])));
    }
    for n in (0..100).rev() {
        end.event(Event::Segment(end.segment(1000 + 2 * n, 0, 2000, &[1])));
    }
    end.event(Event::Segment(end.segment(0, 0, 2000, &[2; 1300])));
}

fn tiny_segments_in_order() {
    let mut end = receiver("tiny segments in order");
    for n in 0..20 {
        end.event(Event::Segment(end.segment(n, 0, 2000, &[1])));
    }
    let segments: Vec<Segment> = (20..84).map(|n| end.segment(n, 0, 2000, &[1])).collect();
    end.event(Event::Segments(segments));
}
