//! One end whose events are counted, and the segments of a peer that keeps no rules.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use segue::congestion::{Algorithm, Controller};
use segue::{Action, Arc, Config, Connection, Event, Flags, Info, Instant, Options, Path, Secrets, Segment, SeqNum};

/// What an event met.
pub(crate) struct Facts {
    pub(crate) name: String,
    /// Segments that came in.
    pub(crate) segments: u64,
    /// Actions that went out.
    pub(crate) actions: u64,
    /// Records of segments in flight, and ranges held out of order, before or after.
    pub(crate) records: u64,
    pub(crate) ranges: u64,
    /// Octets that came in or went out.
    pub(crate) octets: u64,
    /// What goes out is paced: then no shortcut sends it, each segment is weighed twice, and each record holds a sample.
    pub(crate) paced: bool,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, segments, actions, records, ranges, octets, paced } = self;
        write!(f, "{name},{segments},{actions},{records},{ranges},{octets},{}", u8::from(*paced))
    }
}

impl FromStr for Facts {
    type Err = Box<dyn std::error::Error>;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let [name, numbers @ ..] = &line.split(',').collect::<Vec<_>>()[..] else { return Err("an empty line".into()) };
        let numbers: Vec<u64> = numbers.iter().map(|number| number.parse()).collect::<Result<_, _>>()?;
        let [segments, actions, records, ranges, octets, paced] = numbers[..] else {
            return Err("not six numbers".into());
        };
        Ok(Self { name: (*name).to_owned(), segments, actions, records, ranges, octets, paced: paced != 0 })
    }
}

const ISS: SeqNum = SeqNum::new(1000);
const IRS: SeqNum = SeqNum::new(u32::MAX - 5000);

/// A connection that was opened passively, with everything that its peer can ask for.
pub(crate) struct End {
    name: String,
    pub(crate) tcp: Connection,
    pub(crate) now: Instant,
    actions: Vec<Action>,
}

/// The only thing that is counted.
#[inline(never)]
fn counted_event(tcp: &mut Connection, event: Event, now: Instant, actions: &mut Vec<Action>) {
    let _refused = tcp.handle(event, now, actions);
}

/// Hands the event in, and prints what it met.
pub(crate) fn count(name: &str, tcp: &mut Connection, event: Event, now: Instant, actions: &mut Vec<Action>) {
    let (before, same, paced) = (tcp.info(), event.clone(), is_paced(tcp));
    actions.clear();
    counted_event(tcp, event, now, actions);
    println!("{}", Facts { paced, ..facts(name, &same, &before, actions, &tcp.info()) });
}

/// Whether segments leave by a rate: that of the controller, or of the configuration.
fn is_paced(tcp: &Connection) -> bool {
    tcp.config().pacing() || tcp.controller().is_some_and(Controller::requires_pacing)
}

/// The segments that an event hands in.
fn coming(event: &Event) -> Vec<&Segment> {
    match event {
        Event::Segment(segment) => vec![segment],
        Event::Segments(segments) => segments.iter().collect(),
        Event::Batch(parts) => parts.iter().flat_map(coming).collect(),
        _ => Vec::new(),
    }
}

pub(crate) fn facts(name: &str, event: &Event, before: &Info, actions: &[Action], after: &Info) -> Facts {
    let coming = coming(event);
    let went = actions.iter().map(|action| match action {
        Action::Transmit(segment) => segment.payload.len(),
        Action::Deliver(text) => text.len(),
        _ => 0,
    });
    let octets = coming.iter().map(|segment| segment.payload.len()).chain(went).sum::<usize>();
    Facts {
        name: name.to_owned(),
        segments: coming.len() as u64,
        actions: actions.len() as u64,
        records: before.flight_segments.max(after.flight_segments) as u64,
        ranges: before.held_ranges.max(after.held_ranges) as u64,
        octets: octets as u64,
        paced: false, // who counts knows
    }
}

impl End {
    /// Established; the peer takes segments of `mss` octets.
    pub(crate) fn new(name: &str, controller: Algorithm, config: Config, mss: u16) -> Self {
        let options = Options { mss: Some(mss), window_scale: Some(7), sack_permitted: true, ..Options::default() };
        let syn =
            Segment { seq: IRS, flags: Flags::SYN, window: 65_535, options: options.into(), ..Segment::default() };
        let secrets = Secrets { iss: ISS, ts_offset: 0 };
        let now = Instant::from_secs(1);
        let (tcp, _) = Connection::accept_with(controller, Arc::new(config), Path::ipv4(1500), secrets, syn, now);
        let mut end = Self { name: name.to_owned(), tcp, now, actions: Vec::with_capacity(1 << 16) };
        end.event(Event::Segment(end.segment(0, 0, 2000, &[])));
        end
    }

    /// A segment of the peer: offsets in its text and in ours, its window in units of 128 octets.
    pub(crate) fn segment(&self, offset: u32, acked: u32, window: u16, text: &[u8]) -> Segment {
        Segment {
            seq: IRS + 1 + offset,
            ack: ISS + 1 + acked,
            flags: Flags::ACK,
            window,
            payload: Bytes::copy_from_slice(text),
            ..Segment::default()
        }
    }

    /// The number of an octet of our text.
    pub(crate) fn ours(offset: u32) -> SeqNum {
        ISS + 1 + offset
    }

    pub(crate) fn event(&mut self, event: Event) {
        count(&self.name, &mut self.tcp, event, self.now, &mut self.actions);
    }

    /// What follows has another name.
    pub(crate) fn is_now(&mut self, name: String) {
        self.name = name;
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// The same, uncounted.
    pub(crate) fn quietly(&mut self, event: Event) {
        self.actions.clear();
        let _refused = self.tcp.handle(event, self.now, &mut self.actions);
    }

    /// Where the text ends that the last event sent: offsets in our text.
    pub(crate) fn sent(&self) -> impl Iterator<Item = u32> {
        self.actions.iter().filter_map(|action| match action {
            Action::Transmit(segment) if !segment.payload.is_empty() => Some(segment.end() - (ISS + 1)),
            _ => None,
        })
    }

    /// The next timer runs.
    pub(crate) fn timer(&mut self) {
        if let Some((timer, at)) = self.tcp.next_deadline() {
            self.now = self.now.max(at);
            self.event(Event::Timer(timer));
        }
    }
}
