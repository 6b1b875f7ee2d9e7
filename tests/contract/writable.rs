//! When a user that filled the send queue hears that it takes text again: `send_low_water`.

use segue::{Config, Error, Event};
use segue_kit::rig::{At, Rig};

/// The peer acknowledges `octets` octets more, or all that are in flight. Whether that gave `Writable`.
fn acknowledged(rig: &mut Rig, acked: &mut i64, octets: u32) -> bool {
    let octets = octets.min(rig.connection.info().flight);
    assert!(octets > 0, "text waits, and nothing is in flight");
    *acked += i64::from(octets);
    rig.arrives(rig.ack(1, 1 + *acked)).contains("Writable")
}

/// A user that writes whenever it is woken, and a peer that acknowledges every second segment: how often it is woken in 20 MB,
/// and how much room it finds.
#[test]
fn a_bulk_sender_is_woken_when_writing_is_worth_it() {
    let mut rig = At::default().with(|config| config.send_buffer(262_144)).established();
    rig.send(262_144);
    let (mut acked, mut woken, mut least) = (0, 0, usize::MAX);
    while acked < 20_000_000 {
        if acknowledged(&mut rig, &mut acked, 2000) {
            let room = rig.connection.send_room();
            rig.send(room);
            woken += 1;
            least = least.min(room);
        }
    }
    assert!(least >= 262_144 / 3, "{least} octets of room");
    assert!(woken > 0 && woken <= 20_000_000 / (262_144 / 3) + 1, "woken {woken} times");
}

/// Whatever the mark, the size of the queue and the steps of the acknowledgments: `Writable` comes once after the queue was
/// full, with the first acknowledgment that leaves room for the mark or nothing queued.
#[test]
fn a_user_that_waits_is_woken_at_the_mark_and_never_forgotten() {
    for buffer in [1, 2, 3, 10, 999, 1000, 5000, 60_000] {
        for mark in [None, Some(0), Some(1), Some(2), Some(buffer / 2), Some(buffer - 1), Some(buffer)] {
            let mark = mark.filter(|mark| *mark <= buffer);
            let enough = mark.unwrap_or(buffer / 3).max(1) as usize;
            for step in [1, 2, 7, 1000, 1500, 60_000].into_iter().filter(|step| buffer / step < 1100) {
                let limits =
                    |config: segue::ConfigBuilder| config.send_buffer(buffer).send_low_water(mark).nagle(false);
                let mut rig = At::default().with(limits).established();
                let mut acked = 0;
                for _ in 0..3 {
                    rig.send(buffer as usize - rig.connection.info().send_queue);
                    let refused = rig.handle(Event::Send("x".into()));
                    assert_eq!(refused, Err(Error::NoRoom { room: 0 }));
                    loop {
                        let woken = acknowledged(&mut rig, &mut acked, step);
                        let room = rig.connection.send_room();
                        assert_eq!(woken, room >= enough, "{buffer} {mark:?} {step}: {room} octets of room");
                        if woken {
                            break;
                        }
                        // what fits meanwhile is taken, and the user waits on
                        rig.handle(Event::Send(vec![b'.'; room + 1].into())).unwrap_err();
                    }
                    while rig.connection.info().send_queue > 0 && acked % 2 == 0 {
                        assert!(!acknowledged(&mut rig, &mut acked, step), "woken twice");
                    }
                }
            }
        }
    }
}

/// A queue that was never full keeps nobody waiting; one that was is still waited for after more was written.
#[test]
fn only_a_full_queue_is_waited_for() {
    let mut rig =
        At::default().with(|config| config.send_buffer(3000).send_low_water(Some(2000)).nagle(false)).established();
    rig.send(2999);
    assert_eq!(rig.arrives(rig.ack(1, 3000)), "Acked(2999); Flushed");
    rig.send(3000);
    assert_eq!(rig.arrives(rig.ack(1, 4000)), "Acked(1000)");
    rig.send(500);
    assert_eq!(rig.arrives(rig.ack(1, 5000)), "Acked(1000)");
    assert_eq!(rig.arrives(rig.ack(1, 6000)), "Acked(1000); Writable");
    assert!(Config::builder().send_buffer(3000).send_low_water(Some(3001)).build().is_err());
}
