//! Journals of connections whose congestion controller is exchanged.

use segue::congestion::{Algorithm, Bbr, Cubic, Prague, Reno};
use segue::journal::{Journal, Line, Step};
use segue::{Connection, Error};

use crate::pair::{Plan, Run};
use crate::replay::read_again;

/// Bits of SplitMix64.
struct Bits(u64);

impl Bits {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) % end
    }

    fn controller(&mut self) -> Algorithm {
        match self.below(4) {
            0 => Algorithm::Reno(Reno::default()),
            1 => Algorithm::Cubic(Cubic::default()),
            2 => Algorithm::Bbr(Bbr::default()),
            _ => Algorithm::Prague(Prague::default()),
        }
    }
}

/// The connection after each of the first steps of an end, where the run was looked at.
type Seen = Vec<(usize, Connection)>;

/// A drawn run in which controllers take over at any time, from drawn ones on; what was seen of both ends.
fn run(seed: u64) -> (Run, [Algorithm; 2], [Seen; 2]) {
    let plan = Plan::of(seed);
    let (mut bits, mut seen) = (Bits(seed), [vec![], vec![]]);
    let first = [bits.controller(), bits.controller()];
    let plan = match seed % 8 {
        0 => plan.busy(|end| bits.below(end)),
        1..4 => plan.gentle(),
        _ => plan,
    };
    let run = Run::play_with(&plan, first.clone(), |run| {
        for (end, seen) in seen.iter_mut().enumerate() {
            if bits.below(4) == 0 {
                run.exchange(end, bits.controller());
            }
            seen.push((run.lines[end].len() - 1, run.connection(end).clone()));
        }
    });
    (run, first, seen)
}

/// Lines as octets and back: a binary format, too.
fn from_octets(lines: &[Line]) -> Journal {
    let octets = postcard::to_allocvec(lines).expect("they are written");
    Journal::read(postcard::from_bytes::<Vec<Line>>(&octets).expect("they are read")).expect("a journal")
}

/// Controllers are exchanged at any time over a lossy link: the record, written and read again, replays to the same values, with
/// the same actions at each step. Without the exchanges it would not.
#[test]
fn exchanged_controllers_replay() {
    let (mut exchanges, mut differ) = (0, 0);
    for seed in 0..100 {
        let (run, first, seen) = run(seed);
        for end in 0..2 {
            let journal = read_again(&run.lines[end]);
            assert_eq!(journal, from_octets(&run.lines[end]), "seed {seed}");
            let replayed = journal.replay_with(first[end].clone());
            let replayed = replayed.unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
            assert!(replayed == *run.connection(end), "seed {seed}: another connection");
            // each step gives the same actions and leads to the same value
            let (mut connection, _) = journal.start.open_with(first[end].clone());
            let mut seen = seen[end].iter().peekable();
            for (step, number) in journal.steps.iter().zip(1..) {
                assert_eq!(step.apply(&mut connection), step.answer(), "seed {seed}, step {number}");
                while let Some((_, then)) = seen.next_if(|(at, _)| *at == number) {
                    assert!(connection == *then, "seed {seed}, step {number}: another connection");
                }
            }
            let mut without = journal;
            let before = without.steps.len();
            without.steps.retain(|step| matches!(step, Step::Entry(_)));
            exchanges += before - without.steps.len();
            differ += usize::from(without.replay_with(first[end].clone()).is_err());
        }
    }
    assert!(exchanges > 500, "{exchanges} exchanges");
    assert!(differ > 20, "without the exchanges only {differ} replays give other actions");
}

/// In CLOSED there is no controller: the new one comes back, and the exchange changes nothing.
#[test]
fn an_exchange_in_closed_is_recorded_and_replays() {
    let mut run = Run::play(&Plan::plain(), |_| ());
    run.event(0, segue::Event::Abort);
    run.exchange(0, Algorithm::Reno(Reno::default()));
    run.event(0, segue::Event::Close);
    let journal = read_again(&run.lines[0]);
    assert_eq!(journal.replay().as_ref(), Ok(run.connection(0)));
    let [.., exchange, close] = &journal.steps[..] else { panic!("two steps at least") };
    assert!(matches!(exchange, Step::Exchange(_)) && exchange.event().is_none());
    assert_eq!(exchange.answer().actions(), []);
    assert_eq!(close.answer(), segue::journal::Answer::Refused(Error::NotConnected));
    assert!(journal.lines().eq(run.lines[0].iter().cloned()));
}

/// Another controller than the recorded one is a difference that is named by its number.
#[test]
fn another_controller_than_the_recorded_one_is_a_difference() {
    let mut found = 0;
    for seed in (0..160).step_by(8) {
        let (run, first, _) = run(seed);
        let mut journal = run.journal(0);
        let Some(at) = journal.steps.iter().position(|step| matches!(step, Step::Exchange(_))) else { continue };
        let Step::Exchange(exchange) = &mut journal.steps[at] else { continue };
        exchange.controller = match &exchange.controller {
            Algorithm::Bbr(_) => Algorithm::Reno(Reno::default()),
            _ => Algorithm::Bbr(Bbr::default()),
        };
        if let Err(difference) = journal.replay_with(first[0].clone()) {
            assert!(difference.event > at, "seed {seed}: {difference}");
            found += 1;
        }
    }
    assert!(found > 10, "{found} of 20");
}
