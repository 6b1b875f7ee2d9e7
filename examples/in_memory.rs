//! Two connections in memory. The client sends a greeting, the server echoes it, both close. `docs/embedding.md` explains
//! each action.
//!
//! ```sh
//! cargo run --example in_memory
//! ```

use segue::{Action, Arc, CloseReason, Config, Connection, Instant, Path, Secrets, SeqNum, State};

const CLIENT: usize = 0;
const SERVER: usize = 1;

fn main() -> Result<(), segue::Error> {
    let config = Arc::new(Config::default());
    let path = Path::ipv4(1500);
    let mut now = Instant::ZERO; // the caller tells the time

    // A host takes these numbers from RFC 6528 and never uses one twice.
    let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    let server = Connection::listen(config.clone(), path, secrets(7_000_000));
    let (client, actions) = Connection::connect(config, path, secrets(1_000), now);

    let mut ends = [client, server];
    let mut to_do: Vec<(usize, Action)> = actions.into_iter().map(|action| (CLIENT, action)).collect();
    let mut echoed = Vec::new();
    loop {
        // Carry out the actions, in order.
        while !to_do.is_empty() {
            let (end, action) = to_do.remove(0);
            let peer = 1 - end;
            let (who, actions) = match (end, action) {
                (_, Action::Transmit(segment)) => (peer, ends[peer].handle_segment(segment, now)),
                (CLIENT, Action::Connected) => (end, ends[end].send(&mut "hello".into(), now)?),
                (CLIENT, Action::Deliver(payload)) => {
                    echoed.extend_from_slice(&payload);
                    let taken = ends[end].consume(payload.len(), now); // opens the window again
                    (end, [taken, ends[end].close(now)?].concat())
                }
                (SERVER, Action::Deliver(mut payload)) => {
                    let taken = ends[end].consume(payload.len(), now);
                    (end, [taken, ends[end].send(&mut payload, now)?].concat())
                }
                (SERVER, Action::PeerClosed) => (end, ends[end].close(now)?),
                (_, Action::Closed(reason)) => {
                    assert_eq!(reason, CloseReason::Finished);
                    continue;
                }
                _ => continue, // timers: below, by `next_deadline`
            };
            to_do.extend(actions.into_iter().map(|action| (who, action)));
        }
        // The link is empty: time moves on to the next deadline.
        let timers = (0..2).filter_map(|end| ends[end].next_deadline().map(|(timer, at)| (at, end, timer)));
        let Some((at, end, timer)) = timers.min() else { break };
        now = at;
        to_do.extend(ends[end].handle_timer(timer, now).into_iter().map(|action| (end, action)));
    }

    assert_eq!(echoed, b"hello");
    assert_eq!(ends.map(|end| end.state()), [State::Closed, State::Closed]);
    assert_eq!(now.as_micros(), 240_000_000); // the client was in TIME-WAIT for 2 MSL
    Ok(())
}
