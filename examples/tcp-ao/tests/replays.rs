//! Signed segments that were captured come again at whole hosts, in floods: their signatures are right.

use bytes::Bytes;
use segue::host::Listen;
use segue_kit::secs;
use segue_tcp_ao::world::{Host, PORT, User, World, policy};

use super::conversations::{KINDS, pair};

/// All of it arrives again where it arrived, so many times, and the answers are lost. Each segment has one answer at most.
/// Returns how many answers there were.
fn replay(world: &mut World, captured: &[(usize, Bytes)], times: usize) -> usize {
    let mut answers = 0;
    for _ in 0..times {
        for (from, datagram) in captured {
            let (now, host) = (world.now, &mut world.hosts[1 - from]);
            let _ = host.receive(datagram.clone(), now);
            let leaving = host.turn(now).len();
            assert!(leaving <= 1, "{leaving} answers to {datagram:?}");
            answers += leaving;
            let (live, waiting) = host.endpoint.len();
            assert!(host.associations.len() <= 2 * (live + waiting) + 65);
        }
    }
    answers
}

/// What does not change by replays.
#[derive(PartialEq, Debug)]
struct Told {
    /// Live, and in TIME-WAIT.
    connections: (usize, usize),
    associations: usize,
    memory: usize,
    /// What each user has read, and whether it is told of the end.
    users: Vec<(u64, bool)>,
}

fn told(world: &World) -> Vec<Told> {
    let of = |host: &Host| Told {
        connections: host.endpoint.len(),
        associations: host.associations.len(),
        memory: host.endpoint.memory(),
        users: host.users.values().map(|user| (user.read, user.closed.is_some())).collect(),
    };
    world.hosts.iter().map(of).collect()
}

/// A whole conversation again, ten times: while the connection lives, while an end waits, and when nothing is left of it. Text
/// counts once, no state is kept, and the connection goes on to its end.
#[test]
fn floods_of_replays_change_nothing() {
    for (space, algorithm) in KINDS {
        let mut world = World::new(1, &policy(space, |config| config), pair(algorithm));
        world.hosts[1].listen(Listen::port(PORT));
        world.hosts[1].accepted = User { octets: 3000, ..User::default() };
        world.captured = Some(Vec::new());
        let id = world.connect(User { octets: 20_000, ..User::default() });
        let read = |world: &World, octets| world.hosts[1].users.values().any(|user| user.read == octets);
        assert!(world.until(secs(5), |world| read(world, 20_000)));
        world.pass(secs(2));
        let captured = world.captured.clone().expect("it is kept");
        assert!(captured.len() > 20, "{}", captured.len());

        let before = told(&world);
        let answers = replay(&mut world, &captured, 10);
        assert_eq!(told(&world), before, "{algorithm:?}");
        assert!(answers <= 10 * captured.len());
        world.hosts[0].users.get_mut(&id).expect("its user").octets = 40_000;
        world.turn(0);
        assert!(world.until(secs(60), |world| read(world, 40_000)), "{algorithm:?}");

        world.hosts[0].users.get_mut(&id).expect("its user").closes = true;
        world.turn(0);
        assert!(world.until(secs(60), |world| world.is_done([40_000, 3000])), "{algorithm:?}");
        assert_eq!(world.hosts[0].endpoint.len().1, 1, "it waits");
        let captured = world.captured.take().expect("it is kept");
        let before = told(&world);
        replay(&mut world, &captured[..captured.len() / 2], 3);
        assert_eq!(told(&world)[0], before[0], "{algorithm:?}");

        world.pass(secs(600));
        assert!(world.hosts.iter().all(|host| host.endpoint.len() == (0, 0)));
        let idle: Vec<usize> = world.hosts.iter().map(|host| host.endpoint.memory()).collect();
        let users = world.hosts[1].users.len();
        replay(&mut world, &captured, 10);
        assert!(world.hosts[0].endpoint.len() == (0, 0) && world.hosts[1].endpoint.len().0 <= 1);
        world.pass(secs(600));
        assert!(world.hosts.iter().all(|host| host.endpoint.len() == (0, 0)));
        assert_eq!(world.hosts.iter().map(|host| host.endpoint.memory()).collect::<Vec<_>>(), idle);
        assert_eq!(world.hosts[1].users.len(), users, "no connection is complete by replays");
        assert!(world.hosts.iter().all(|host| host.unsent.is_empty() && host.associations.len() <= 65));
    }
}
