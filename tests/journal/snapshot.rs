//! Snapshots of live connections.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use quickcheck::quickcheck;
use segue::congestion::{Algorithm, Prague};
use segue::{
    Action, Arc, Config, Connection, Ecn, EcnMode, Flags, Instant, Options, Path, Secrets, Segment, SeqNum, State,
    Timestamps,
};

use crate::pair::{Plan, Run};

/// To a binary format and back, and to text and back.
fn restored(connection: &Connection) -> [Connection; 2] {
    let octets = postcard::to_allocvec(connection).expect("it is written");
    let text = serde_json::to_string(connection).expect("it is written");
    let from_octets = postcard::from_bytes(&octets).expect("it is read");
    [from_octets, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))]
}

quickcheck! {
    /// What is restored is the same value, whatever goes on.
    fn restoring_a_snapshot_is_the_identity(seed: u64, gentle: bool) -> bool {
        let plan = Plan::of(seed);
        Run::play(&if gentle { plan.gentle() } else { plan }, |run| {
            for end in 0..2 {
                let connection = run.connection(end);
                for restored in restored(connection) {
                    assert_eq!(&restored, connection);
                    restored.check_invariants();
                }
            }
        });
        true
    }

    /// It goes on as the connection that it was taken of: no octet and no timer is different.
    fn a_restored_connection_goes_on(seed: u64, at: u16) -> bool {
        let run = Run::play(&Plan::of(seed), |_| ());
        for end in 0..2 {
            let journal = run.journal(end);
            let at = usize::from(at) % (journal.steps.len() + 1);
            let before = journal.state_after(at).unwrap_or_else(|difference| panic!("{difference}"));
            for mut restored in restored(&before) {
                for step in &journal.steps[at..] {
                    assert_eq!(step.apply(&mut restored), step.answer(), "seed {seed}, snapshot after {at}");
                }
                assert_eq!(restored, *run.connection(end));
            }
        }
        true
    }
}

#[test]
fn every_state_has_its_snapshot() {
    let mut states = HashSet::new();
    for seed in 0..400 {
        let plan = Plan::of(seed);
        Run::play(&if seed % 4 < 2 { plan.gentle() } else { plan }, |run| {
            for end in 0..2 {
                if states.insert(run.connection(end).state()) {
                    assert_eq!(restored(run.connection(end))[0], *run.connection(end));
                }
            }
        });
    }
    assert_eq!(states.len(), State::ALL.len(), "{states:?}");
}

#[test]
fn another_version_is_refused_for_its_version() {
    let run = Run::play(&Plan::plain(), |_| ());
    let text = serde_json::to_string(run.connection(0)).unwrap();
    assert!(text.starts_with(r#"{"version":1,"#), "{text}");
    // whatever else has changed
    let refused = serde_json::from_str::<Connection>(r#"{"version":2,"clocks":[]}"#).unwrap_err().to_string();
    assert!(refused.starts_with("the snapshot has version 2, this crate reads version 1"), "{refused}");
    let other = text.replacen(r#""nagle":true"#, r#""ack_every":7,"nagle":true"#, 1);
    assert!(serde_json::from_str::<Connection>(&other).is_err(), "a configuration that is none");
}

/// Octets that are no snapshot give an error: cut anywhere, or with one octet changed where that makes no value.
#[test]
fn spoiled_octets_do_no_harm() {
    let run = Run::play(&Plan::of(2), |_| ());
    let octets = postcard::to_allocvec(run.connection(0)).unwrap();
    for end in 0..octets.len() {
        assert!(postcard::from_bytes::<Connection>(&octets[..end]).is_err(), "cut at {end}");
    }
    for place in 0..octets.len() {
        for change in [1, 0x80, 0xFF] {
            let mut spoiled = octets.clone();
            spoiled[place] ^= change;
            if let Ok(read) = postcard::from_bytes::<Connection>(&spoiled) {
                read.check_invariants();
            }
        }
    }
}

/// The places of the numbers in a text that are fields: not the octets of payload.
fn numbers(text: &str) -> Vec<std::ops::Range<usize>> {
    let octets = text.as_bytes();
    let starts = |i: &usize| octets[*i].is_ascii_digit() && octets[*i - 1] == b':';
    let end = |start: usize| start + octets[start..].iter().take_while(|octet| octet.is_ascii_digit()).count();
    (1..octets.len()).filter(starts).map(|start| start..end(start)).collect()
}

/// A snapshot in which a number is another is refused where that breaks an invariant: no chain without end is read, no count
/// that is none.
#[test]
fn a_forged_snapshot_keeps_the_invariants_or_is_refused() {
    let (mut taken, mut refused, mut holding) = (0, 0, 0);
    for seed in 0..400 {
        let plan = Plan::of(seed);
        let mut last = None;
        Run::play(&plan, |run| {
            let info = run.connection(1).info();
            last =
                (info.held_ranges > 1 || info.flight_segments > 2).then(|| run.connection(1).clone()).or(last.take());
        });
        let Some(connection) = last else { continue };
        if holding == 4 {
            break;
        }
        holding += 1;
        let text = serde_json::to_string(&connection).unwrap();
        for place in numbers(&text).into_iter().skip(holding).step_by(3) {
            let old: u64 = text[place.clone()].parse().unwrap_or(0);
            for new in [0, old.wrapping_add(1), u64::MAX] {
                let forged = [&text[..place.start], &new.to_string(), &text[place.end..]].concat();
                match serde_json::from_str::<Connection>(&forged) {
                    Ok(read) => {
                        read.check_invariants();
                        taken += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(holding >= 2 && taken > 100 && refused > 100, "{holding} snapshots, {taken} taken, {refused} refused");
}

#[test]
fn a_refused_snapshot_says_which_invariant_is_broken() {
    let run = Run::play(&Plan::plain(), |_| ());
    let text = serde_json::to_string(run.connection(0)).unwrap();
    let edge = format!(r#""una":{}"#, run.connection(0).info().snd_una.value());
    let forged = text.replacen(&edge, r#""una":77"#, 1);
    assert_ne!(forged, text, "{edge} is in {text}");
    let refused = serde_json::from_str::<Connection>(&forged).unwrap_err().to_string();
    assert!(refused.starts_with("no connection can be so: "), "{refused}");
}

fn established() -> Connection {
    let config = Arc::new(Config::default());
    let (path, now) = (Path::ipv4(1500), Instant::from_millis(1000));
    let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    let sent = |actions: &[Action]| {
        actions
            .iter()
            .find_map(|a| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None })
            .unwrap()
    };
    let (mut client, syn) = Connection::connect(config.clone(), path, secrets(1000), now);
    let (_, syn_ack) = Connection::accept(config, path, secrets(5000), sent(&syn), now);
    client.handle_segment(sent(&syn_ack), now);
    client
}

/// A connection with ten segments in flight that a timeout found lost.
fn after_a_timeout() -> Connection {
    let mut client = established();
    client.send(&mut Bytes::from(vec![b'a'; 100_000]), Instant::from_millis(1000)).unwrap();
    while client.info().counters.timeouts == 0 {
        let (timer, at) = client.next_deadline().unwrap();
        client.handle_timer(timer, at);
    }
    client
}

/// Octets in no record that count as lost would be sent again for ever, all in one event.
#[test]
fn a_snapshot_whose_losses_were_never_sent_is_refused() {
    let text = serde_json::to_string(&after_a_timeout()).unwrap();
    let lost = text.find(r#""lost":{"#).unwrap(); // the ranges; what a segment remembers has a number of this name
    let end = lost + text[lost..].find(r#""end":"#).unwrap() + 6;
    let digits = text[end..].chars().take_while(char::is_ascii_digit).count();
    let old: u64 = text[end..end + digits].parse().unwrap();
    for more in [1, 100_000] {
        let forged = [&text[..end], &(old + more).to_string(), &text[end + digits..]].concat();
        let refused = serde_json::from_str::<Connection>(&forged).unwrap_err().to_string();
        assert!(refused.starts_with("no connection can be so: what is lost was never sent"), "{refused}");
    }
}

#[test]
fn a_snapshot_whose_counters_are_at_their_end_is_refused() {
    let connection = after_a_timeout();
    let text = serde_json::to_string(&connection).unwrap();
    let field = format!(r#""segments_out":{}"#, connection.info().counters.segments_out);
    let forged = text.replacen(&field, &format!(r#""segments_out":{}"#, u64::MAX), 1);
    assert_ne!(forged, text, "{field} is in {text}");
    let refused = serde_json::from_str::<Connection>(&forged).unwrap_err().to_string();
    assert!(refused.starts_with("no connection can be so: a counter is at its end"), "{refused}");
}

/// A build without shortcuts predicts nothing: its connections go on where there are shortcuts, and the other way.
#[test]
fn a_snapshot_of_a_build_with_other_shortcuts_is_read() {
    for connection in [established(), after_a_timeout()] {
        let text = serde_json::to_string(&connection).unwrap();
        let at = text.find(r#""prediction":""#).expect("the name of the field") + 14;
        let end = at + text[at..].find('"').unwrap();
        for prediction in ["Off", "Steps", "Flush"] {
            let other = [&text[..at], prediction, &text[end..]].concat();
            assert_eq!(serde_json::from_str::<Connection>(&other).unwrap(), connection, "{prediction}");
        }
    }
}

/// A client in AccECN mode that sends by Prague, with text in flight.
fn with_prague() -> Connection {
    let config = Arc::new(Config::builder().ecn(EcnMode::Accurate).build().unwrap());
    let (path, now) = (Path::ipv4(1500), Instant::from_secs(1));
    let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    let sent = |actions: Vec<Action>| {
        let of = |action| if let Action::Transmit(segment) = action { Some(segment) } else { None };
        actions.into_iter().filter_map(of).collect::<Vec<_>>()
    };
    let prague = Algorithm::Prague(Prague::default());
    let (mut client, syn) = Connection::connect_with(prague, config.clone(), path, secrets(1), now);
    let (mut server, syn_ack) = Connection::accept(config, path, secrets(9), sent(syn).remove(0), now);
    let ack = client.handle_segment(sent(syn_ack).remove(0), now);
    sent(ack).into_iter().for_each(|segment| drop(server.handle_segment(segment, now)));
    for round in 1..4 {
        let now = now + Duration::from_millis(20 * round);
        for mut text in sent(client.send(&mut vec![7; 8000].into(), now).unwrap()) {
            text.ecn = Ecn::Ce;
            for ack in sent(server.handle_segment(text, now)) {
                client.handle_segment(ack, now);
            }
            let _ = server.consume(usize::MAX, now);
        }
    }
    client.send(&mut vec![7; 8000].into(), now + Duration::from_millis(100)).unwrap();
    client
}

/// Numbers of accurate feedback and of Prague, forged: the snapshot is refused, or it goes on without harm.
#[test]
fn forged_feedback_and_windows_do_no_harm() {
    let client = with_prague();
    let text = serde_json::to_string(&client).unwrap();
    let part = |name: &str| text.find(name).map(|at| at..at + 1200).expect(name);
    let parts = [part(r#""accurate":{"#), part(r#""Prague":{"#)];
    let (una, nxt) = (client.info().snd_una, client.info().snd_nxt);
    let mut taken = 0;
    for place in numbers(&text).into_iter().filter(|place| parts.iter().any(|part| part.contains(&place.start))) {
        for new in [0, 255, 65_535, u64::from(u32::MAX), u64::MAX / 4, u64::MAX] {
            let forged = [&text[..place.start], &new.to_string(), &text[place.end..]].concat();
            let Ok(mut read) = serde_json::from_str::<Connection>(&forged) else { continue };
            taken += 1;
            let mut now = Instant::from_secs(2);
            for (step, marks) in (1..6).zip([Flags::ECE, Flags::CWR, Flags::AE, Flags::empty(), Flags::ECE]) {
                now += Duration::from_millis(30);
                let ack = una + (nxt - una) / 5 * step;
                let options = Options { timestamps: stamps(now), ..Options::default() };
                let segment = Segment {
                    seq: read.info().rcv_nxt,
                    ack,
                    flags: Flags::ACK | marks,
                    window: 60_000,
                    options: options.into(),
                    ecn: Ecn::Ce,
                    payload: "text".into(),
                    ..Segment::default()
                };
                read.handle_segment(segment, now);
            }
            while let Some((timer, at)) = read.next_deadline().filter(|(_, at)| *at < now + Duration::from_secs(5)) {
                now = now.max(at);
                read.handle_timer(timer, now);
            }
            read.check_invariants();
        }
    }
    assert!(taken > 50, "{taken} were read");
}

/// The peer's timestamps, which count milliseconds.
fn stamps(now: Instant) -> Option<Timestamps> {
    let millis = u32::try_from(now.as_micros() / 1000).unwrap();
    Some(Timestamps { value: millis, echo: millis - 10 })
}
