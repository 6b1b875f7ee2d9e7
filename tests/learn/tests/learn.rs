//! The parts that make the learned automaton and the lockstep trustworthy: each of them can fail.

use std::rc::Rc;

use segue_kit::Rng;
use segue_kit::table::cell::{Set, St};
use segue_kit::table::parse::{TEXT, parse};
use segue_kit::table::rows::Table;
use segue_learn::alphabet::{ALL, Alphabet, KERNEL};
use segue_learn::differences::{self, Row};
use segue_learn::document::{table as differences_from, with_parts};
use segue_learn::lockstep::{Counts, Pairing};
use segue_learn::product::{Mealy, projection, projection_beside_others, tester, walk};
use segue_learn::segue::{Segue, config};
use segue_learn::smoltcp::Smoltcp;
use segue_learn::table::Model;
use segue_learn::word::Word;

fn table() -> Rc<Table> {
    Rc::new(parse(TEXT).expect("the table"))
}

/// Random words to segue with this configuration and to the table.
fn walks(config: &segue::Config, alphabet: &Alphabet, runs: u64) -> Result<(), String> {
    let (table, words) = (table(), alphabet.words());
    (1..=runs).try_for_each(|seed| {
        let mut rng = Rng::new(seed);
        let mut one = tester(Segue::new(*config), alphabet, true);
        let mut two = tester(Model::new(Rc::clone(&table), alphabet.timestamps), alphabet, true);
        walk(&mut one, &mut two, (0..60).map(|_| rng.pick(&words)))
    })
}

#[test]
fn words_are_read_as_they_are_written() {
    for alphabet in ALL.iter().chain(&KERNEL) {
        for word in alphabet.words() {
            assert_eq!(word.to_string().parse::<Word>(), Ok(word));
        }
    }
    for wrong in ["", "SYM", "ACK@nowhere", "ACK^", "CLOSE@gap"] {
        assert!(wrong.parse::<Word>().is_err(), "{wrong}");
    }
}

#[test]
fn each_alphabet_has_a_finite_projection() {
    let (table, mut lines) = (table(), std::collections::BTreeSet::new());
    for alphabet in &ALL {
        let (mealy, found) = projection(&table, alphabet).unwrap();
        assert_eq!(mealy.minimal().difference(&mealy), None, "{}", alphabet.name);
        assert_eq!(mealy.minimal().rows.len(), mealy.minimal_states(), "{}", alphabet.name);
        lines.extend(found);
    }
    for alphabet in &KERNEL {
        projection_beside_others(&table, alphabet).unwrap();
    }
    // No word opens with Fast Open.
    let ordinary = |states: Set<St>| states.values().any(|state| !state.is_early() && !state.has_early_text());
    let segments = table.segments.iter().filter(|row| ordinary(row.pattern.state)).count();
    let rows = segments + table.calls.iter().filter(|row| ordinary(row.pattern.state)).count();
    assert!(lines.len() * 10 > rows * 6, "the alphabets lead to {} of {rows} rows", lines.len());
}

#[test]
fn random_words_find_what_the_table_says() {
    for alphabet in &ALL {
        walks(&config(alphabet.timestamps).build().unwrap(), alphabet, 300).unwrap();
    }
}

#[test]
fn faults_are_found_by_random_words() {
    let faults = [
        ("closing", config(false).rfc1337(false)),
        ("attacker", config(false).rfc5961(false)),
        ("active", config(false).drop_syn_fin(true)),
        ("closing", config(false).time_wait_reuse(false)),
        ("timestamps", config(true).tolerate_missing_timestamps(true)),
    ];
    for (name, fault) in faults {
        let alphabet = Alphabet::named(name).unwrap();
        assert!(walks(&fault.build().unwrap(), alphabet, 300).is_err(), "{name}");
    }
}

#[test]
fn the_shortest_words_tell_two_automata_apart() {
    let one = "0\ta\tx\t1\n0\tb\ty\t0\n1\ta\tx\t0\n1\tb\ty\t1\n";
    let other = "0\ta\tx\t1\n0\tb\ty\t0\n1\ta\tx\t0\n1\tb\tz\t1\n";
    let [one, other] = [one, other].map(|text| Mealy::parse(text).unwrap());
    assert_eq!(one.minimal_states(), 1);
    assert_eq!(other.minimal_states(), 2);
    assert_eq!(one.difference(&one.minimal()), None);
    let (way, answers) = one.difference(&other).unwrap();
    assert_eq!((way.join(" "), answers.join(" ")), ("a b".to_owned(), "y z".to_owned()));
    assert_eq!(one.differences(&other).len(), 1);
    for wrong in ["", "0\ta\tx\n", "0\ta\tx\t7\n", "1\ta\tx\t0\n", "0\ta\tx\t0\n1\tb\tx\t0\n1\tc\tx\t0\n"] {
        assert!(Mealy::parse(wrong).is_err(), "{wrong}");
    }
}

fn smoltcp(rows: Vec<Row>) -> Pairing<Smoltcp> {
    Pairing { make: Smoltcp::default, opens: "CONNECT LISTEN", rows }
}

#[test]
fn a_difference_that_no_row_knows_is_found_and_shrunk() {
    let all = differences::parse(include_str!("../smoltcp.txt")).unwrap();
    let pairing = smoltcp(all.clone());
    (1..=200).try_for_each(|seed| pairing.run(&mut pairing.draw(seed), &mut Counts::default())).unwrap();
    let rest = all.into_iter().filter(|row| !row.columns[6].starts_with("After the peer's FIN there is no more text"));
    let pairing = smoltcp(rest.collect());
    let unknown = (1..=200).find_map(|seed| pairing.run(&mut pairing.draw(seed), &mut Counts::default()).err());
    let short = pairing.shrink(&unknown.expect("smoltcp delivers text behind a FIN"));
    assert!(short.words.len() <= 6 && short.signature.other.contains("delivered"), "{short:?}");
    assert!(pairing.ladder(&short.words).contains("delivered"));
}

#[test]
fn the_document_has_the_differences_and_the_automaton() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/differences.md");
    let document = std::fs::read_to_string(file).unwrap();
    let files = [
        ("the kernel", include_str!("../kernel.txt")),
        ("smoltcp", include_str!("../smoltcp.txt")),
        ("vtcp", include_str!("../vtcp.txt")),
    ];
    let mut parts = Vec::from(files.map(|(name, text)| {
        let rows = differences::parse(text).unwrap_or_else(|why| panic!("{name}: {why}"));
        (name, differences_from(name, &rows))
    }));
    let (closing, _) = projection(&table(), Alphabet::named("closing").unwrap()).unwrap();
    parts.push(("closing", closing.minimal().mermaid()));
    let wanted = with_parts(&document, &parts).unwrap();
    if std::env::var("SEGUE_BLESS").is_ok_and(|bless| bless == "1") {
        std::fs::write(file, &wanted).unwrap();
    } else {
        let hint = "stale: SEGUE_BLESS=1 cargo test --manifest-path tests/learn/Cargo.toml";
        assert!(wanted == document, "docs/differences.md is {hint}");
    }
}
