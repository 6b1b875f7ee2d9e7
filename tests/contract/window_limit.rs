//! `Knob::ReceiveBuffer`: how far the window may grow and shrink, while the connection lives.

use std::sync::Arc;

use segue::{Action, Config, Connection, Event, Instant, Knob, Path, Secrets, Segment, SeqNum};
use segue_kit::ms;

fn segments(actions: Vec<Action>) -> Vec<Segment> {
    actions.into_iter().filter_map(|a| if let Action::Transmit(segment) = a { Some(segment) } else { None }).collect()
}

/// The client sends as fast as it may for this number of milliseconds, the server takes all at once.
fn pour(ends: &mut [Connection; 2], wires: &mut [Vec<Segment>; 2], now: &mut Instant, millis: u32) {
    for _ in 0..millis {
        *now += ms(1);
        for end in [0, 1] {
            let mut actions = Vec::new();
            ends[end].handle_segments(wires[end].drain(..), *now, &mut actions);
            let texts = actions.iter().map(|a| if let Action::Deliver(text) = a { text.len() } else { 0 });
            let taken = texts.sum();
            ends[end].handle(Event::Consume(taken), *now, &mut actions).unwrap();
            if end == 0 {
                let room = ends[0].send_room();
                ends[0].handle(Event::Send(vec![7; room].into()), *now, &mut actions).unwrap();
            }
            wires[1 - end].extend(segments(actions));
        }
    }
}

#[test]
fn receive_buffer_knob_grows_and_shrinks_and_takes_nothing_back() {
    let config = Config::builder().receive_buffer_initial(14_600).receive_buffer(1 << 20).send_buffer(1 << 20);
    let (config, path) = (Arc::new(config.build().unwrap()), Path::ipv4(1500));
    let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    let mut now = Instant::from_millis(1);
    let (client, actions) = Connection::connect(config.clone(), path, secrets(1), now);
    let syn = segments(actions).remove(0);
    let (server, actions) = Connection::accept(config, path, secrets(2), syn, now);
    let mut wires = [segments(actions), Vec::new()];
    let mut ends = [client, server];
    let limit = |ends: &mut [Connection; 2], octets, now| {
        ends[1].handle(Event::Set(Knob::ReceiveBuffer(octets)), now, &mut Vec::new()).unwrap();
    };
    limit(&mut ends, 100_000, now);
    pour(&mut ends, &mut wires, &mut now, 200);
    assert_eq!(ends[1].info().rcv_buff, 100_000);
    limit(&mut ends, 200_000, now);
    pour(&mut ends, &mut wires, &mut now, 200);
    assert_eq!(ends[1].info().rcv_buff, 200_000);
    let edge = |ends: &[Connection; 2]| ends[1].info().rcv_nxt + ends[1].info().rcv_wnd;
    let promised = edge(&ends);
    limit(&mut ends, 20_000, now); // what was promised stays
    assert_eq!(edge(&ends), promised);
    assert!(ends[1].info().rcv_buff >= ends[1].info().rcv_wnd);
    for _ in 0..200 {
        let before = edge(&ends);
        pour(&mut ends, &mut wires, &mut now, 1);
        assert!(!edge(&ends).before(before), "the window shrinks");
    }
    assert_eq!((ends[1].info().rcv_buff, ends[1].info().rcv_wnd <= 20_000), (20_000, true));
    limit(&mut ends, 2 << 20, now); // more than at the opening
    pour(&mut ends, &mut wires, &mut now, 400);
    assert_eq!(ends[1].info().rcv_buff, 2 << 20);
}
