//! The heap that a connection holds. A value of its own, never cloned: text that two values share would be counted at one
//! and given back at the other.

use allocation_counter::measure;
use bytes::Bytes;
use segue::{Action, Arc, Config, Connection, Event, Info, Instant, Segment};
use segue_kit::bounds;

/// A connection and the octets of heap that it holds.
#[derive(Debug)]
pub(super) struct Metered {
    connection: Connection,
    config: Arc<Config>,
    heap: i64,
}

impl Metered {
    /// Opens a connection as the other one was opened.
    pub(super) fn new(config: Arc<Config>, open: impl FnOnce() -> (Connection, Vec<Action>)) -> Self {
        let mut connection = None;
        let taken = measure(|| connection = Some(open().0));
        Self { connection: connection.expect("it was opened"), config, heap: taken.bytes_current }
    }

    /// Its user has turned a knob.
    pub(super) fn turn(&mut self, config: Arc<Config>) {
        self.config = config;
    }

    /// The same event; what it gives is thrown away.
    pub(super) fn handle(&mut self, event: &Event, now: Instant) {
        let connection = &mut self.connection;
        let before = connection.info();
        let mut delivers = 0;
        let mut transmits = 0;
        let taken = measure(|| {
            let event = match event {
                Event::Segment(segment) => Event::Segment(own(segment)),
                other => other.clone(),
            };
            let _refused = connection.handle(event, now, &mut |action| {
                match action {
                    Action::Deliver(_) => delivers += 1,
                    Action::Transmit(_) => transmits += 1,
                    _ => {}
                };
            });
        });
        self.heap += taken.bytes_current;
        self.check(&before, 1, delivers, transmits);
    }

    /// The same for a batch.
    pub(super) fn batch(&mut self, segments: &[Segment], now: Instant) {
        let connection = &mut self.connection;
        let before = connection.info();
        let (mut delivers, mut transmits) = (0, 0);
        let taken = measure(|| {
            let segments: Vec<Segment> = segments.iter().map(own).collect();
            connection.handle_segments(segments, now, &mut |action| match action {
                Action::Deliver(_) => delivers += 1,
                Action::Transmit(_) => transmits += 1,
                _ => {}
            });
        });
        self.heap += taken.bytes_current;
        self.check(&before, segments.len() as u64, delivers, transmits);
    }

    fn check(&self, before: &Info, segments: u64, delivers: u64, transmits: u64) {
        let after = self.connection.info();
        let config = &*self.config;
        let most = bounds::deliveries(config, before, &after, segments);
        assert!(delivers <= most, "{delivers} Delivers in one event, {most} are allowed");
        let mss = before.eff_snd_mss.min(after.eff_snd_mss);
        let queued = if before.send_queue > after.send_queue { before } else { &after };
        let most = bounds::transmissions(config, queued, mss, segments);
        assert!(transmits <= most, "{transmits} Transmits in one event, {most} are allowed");
        let most = bounds::records(config, mss);
        let records = after.flight_segments as u64;
        assert!(records <= most, "{records} records of segments in flight, {most} are allowed");
        let most = bounds::heap(config, &after);
        assert!(
            self.heap <= i64::try_from(most).unwrap_or(i64::MAX),
            "{} octets of heap, {most} are allowed",
            self.heap
        );
    }

    /// Both values must be the same after the same events.
    pub(super) fn agrees(&self, other: &Connection) -> bool {
        self.connection == *other
    }
}

/// A segment whose text is in a buffer of its own.
fn own(segment: &Segment) -> Segment {
    Segment { payload: Bytes::copy_from_slice(&segment.payload), ..segment.clone() }
}
