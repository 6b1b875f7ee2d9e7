//! Journals and snapshots as data: decoding gives a value that behaves, or an error.
//!
//! The first octet of an input says what is decoded (a connection, a detached one, a journal, other values), in which
//! format, and from what: the rest of the input as it is, or something that was written before and then changed in a few
//! places. Nothing panics. A connection that is read keeps the invariants, is written and read again as the same, answers
//! questions, and takes events. A journal replays, or names its first difference.

mod change;

use arbitrary::{Arbitrary as _, Unstructured};
use segue::congestion::{Algorithm, Bbr, Cubic, Prague, Reno};
use segue::host::{Detached, Flow};
use segue::journal::{Journal, Line, Opening, Recorder, Start, Step};
use segue::{
    Action, Config, Connection, Event, FastOpen, FastOpenAnswer, FastOpenCookie, Instant, Path, Secrets, Segment,
    SeqNum, Timer,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::events::setup::{NUMBERS, config};
use super::reader::Reader;
use super::{behaviour, triples};

/// Events of a journal that is written to be changed.
const MAX_EVENTS: usize = 24;

/// A format: of text, or of octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Json,
    Postcard,
}

impl Form {
    fn write<T: Serialize>(self, value: &T) -> Vec<u8> {
        match self {
            Self::Json => serde_json::to_vec(value).expect("every value is written"),
            Self::Postcard => postcard::to_allocvec(value).expect("every value is written"),
        }
    }

    fn read<T: DeserializeOwned>(self, octets: &[u8]) -> Option<T> {
        match self {
            Self::Json => serde_json::from_slice(octets).ok(),
            Self::Postcard => postcard::from_bytes(octets).ok(),
        }
    }
}

/// Plays the input; panics when a law does not hold.
pub fn run(data: &[u8]) {
    let mut input = Reader::new(data);
    let first = input.u8();
    let form = if first & 4 == 0 { Form::Postcard } else { Form::Json };
    let changed = first & 8 != 0;
    match first & 3 {
        0 => {
            let octets = given(changed, form, &mut input, super::events::reach);
            connection(form, &octets, first >> 4);
        }
        1 => {
            let octets = given(changed, form, &mut input, |input| {
                let flow = Flow::new(([192, 0, 2, 1], 80).into(), ([198, 51, 100, 7], 49_152).into());
                Detached::new(flow.expect("unicast"), super::events::reach(input), [b"unread"[..].to_vec().into()])
            });
            if let Some(Some(detached)) = form.read::<Option<Detached>>(&octets) {
                behaves(form, detached.connection(), first >> 4);
                assert!(form.read::<Option<Detached>>(&form.write(&Some(&detached))) == Some(Some(detached)));
            }
        }
        2 => journal(form, &given(changed, form, &mut input, |input| lines(input, first >= 0xE0))),
        _ => values(form, &given(changed, form, &mut input, any_event)),
    }
}

/// The rest of the input as it is, or a written value, changed in a few places.
fn given<T: Serialize>(
    changed: bool,
    form: Form,
    input: &mut Reader<'_>,
    make: impl FnOnce(&mut Reader<'_>) -> T,
) -> Vec<u8> {
    if !changed {
        return input.take(usize::MAX).to_vec();
    }
    let changes = usize::from(input.u8() % 8);
    let changes = input.take(8 * changes);
    change::all(changes, form == Form::Json, form.write(&make(input)))
}

fn connection(form: Form, octets: &[u8], then: u8) {
    if let Some(connection) = form.read::<Connection>(octets) {
        behaves(form, &connection, then);
    }
}

/// A value that was read keeps the invariants, is written as it was read, answers questions, and takes events.
fn behaves(form: Form, connection: &Connection, then: u8) {
    connection.check_invariants();
    assert!(form.read::<Connection>(&form.write(connection)).as_ref() == Some(connection), "read again");
    let (info, next) = (connection.info(), connection.next_deadline());
    let now = next.map_or(Instant::ZERO, |(_, at)| at);
    let _ = (connection.canonical(now), connection.send_room(), format!("{connection:?}").len());
    let segment = Segment { seq: info.rcv_nxt, ack: info.snd_nxt, window: 1000, ..Segment::default() };
    let mut other = connection.clone();
    let mut actions: Vec<Action> = Vec::new();
    let events = match then & 3 {
        0 => vec![Event::Segment(segment)],
        1 => vec![Event::Timer(Timer::Retransmit)],
        2 => vec![Event::Send(vec![b'x'; 100].into()), Event::Consume(10), Event::Close],
        _ => vec![Event::Abort],
    };
    for event in events {
        let (state, before) = (other.state(), actions.len());
        let _refused = other.handle(event.clone(), now, &mut actions).is_err();
        triples::note(state, &event, &actions[before..]);
        behaviour::note(|| (&actions[before..], other.info()));
        other.check_invariants();
    }
}

/// The lines of a journal, recorded as the input says; controllers take over where it `exchanges` them.
fn lines(input: &mut Reader<'_>, exchanges: bool) -> Vec<Line> {
    let (choice, numbers) = (input.u8(), input.u8());
    let secrets = Secrets { iss: SeqNum::new(NUMBERS[usize::from(numbers & 7)]), ts_offset: 7 };
    let syn = Segment { flags: segue::Flags::SYN, window: 1000, payload: "GET /".into(), ..Segment::default() };
    let opening = match numbers >> 6 {
        0 | 1 if numbers & 8 != 0 => Opening::ConnectFastOpen(FastOpen {
            cookie: FastOpenCookie::new(&[7; 8]).unwrap_or_default(),
            mss: None,
            text: vec![7; 100 * usize::from(numbers >> 4 & 7)].into(),
        }),
        0 | 1 => Opening::Connect,
        2 => Opening::Listen,
        _ if numbers & 8 != 0 => Opening::AcceptFastOpen(syn, FastOpenAnswer { valid: true, cookie: None }),
        _ => Opening::Accept(Segment { payload: "".into(), ..syn }),
    };
    let config = config(choice, input);
    let at = Instant::from_millis(1000);
    let (mut recorder, first) = Recorder::begin(Start { opening, config, path: Path::ipv4(1500), secrets, at });
    let (mut lines, mut now) = (vec![first], at);
    let mut octets = Unstructured::new(input.take(usize::MAX));
    while let Ok(event) = Event::arbitrary(&mut octets) {
        if lines.len() > MAX_EVENTS || octets.is_empty() {
            break;
        }
        now += core::time::Duration::from_millis(u64::from(u8::arbitrary(&mut octets).unwrap_or(0)));
        lines.push(recorder.handle(event, now));
        if exchanges && let Some(controller) = controller(u8::arbitrary(&mut octets).unwrap_or(0)) {
            lines.push(recorder.replace_controller(controller, now).1);
        }
    }
    behaviour::note(|| &lines);
    lines
}

/// A controller of each kind for one half of the numbers, none for the other.
fn controller(number: u8) -> Option<Algorithm> {
    match number & 7 {
        0 => Some(Algorithm::Reno(Reno::default())),
        1 => Some(Algorithm::Cubic(Cubic::default())),
        2 => Some(Algorithm::Bbr(Bbr::default())),
        3 => Some(Algorithm::Prague(Prague::default())),
        4..=u8::MAX => None,
    }
}

fn journal(form: Form, octets: &[u8]) {
    let Some(lines) = form.read::<Vec<Line>>(octets) else { return };
    let Ok(journal) = Journal::read(lines) else { return };
    assert!(Journal::read(journal.lines()).as_ref() == Ok(&journal), "its lines are the journal");
    match journal.replay() {
        Ok(connection) => connection.check_invariants(),
        Err(difference) => assert!(difference.event <= journal.steps.len() && !difference.to_string().is_empty()),
    }
    for event in journal.steps.iter().filter_map(Step::event) {
        let _ = event.cause(segue::State::Established, segue::State::CloseWait);
    }
}

fn any_event(input: &mut Reader<'_>) -> Event {
    Event::arbitrary(&mut Unstructured::new(input.take(512))).unwrap_or(Event::Continue)
}

/// Values that go in and out: each octet string is one or none.
fn values(form: Form, octets: &[u8]) {
    fn same<T: Serialize + DeserializeOwned + PartialEq + core::fmt::Debug>(form: Form, octets: &[u8]) {
        if let Some(value) = form.read::<T>(octets) {
            let written = form.write(&value);
            assert_eq!(form.read::<T>(&written).as_ref(), Some(&value), "read again");
        }
    }
    same::<Event>(form, octets);
    same::<Action>(form, octets);
    same::<Segment>(form, octets);
    same::<Flow>(form, octets);
    same::<Path>(form, octets);
    if let Some(config) = form.read::<Config>(octets) {
        assert_eq!(config.to_builder().build(), Ok(config), "a valid configuration");
    }
}
