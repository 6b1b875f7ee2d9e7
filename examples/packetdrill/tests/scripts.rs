//! Every script holds, and names what it shows.

use segue_packetdrill::check;
use segue_packetdrill::segue_host::Segue;
use segue_packetdrill::setup::Setup;

use crate::common::{all, directory};

/// Runs all scripts with these numbers; the reports of those that fail.
fn failing(iss: Option<u32>, shift: u32) -> Vec<String> {
    let run = |(name, text): &(String, String)| {
        let setup = Setup { iss, shift, ..Setup::default() };
        let checked = check(text, setup, Some(&directory(name)), &|setup| Box::new(Segue::new(setup)));
        checked.err().map(|failure| failure.report(&format!("tests/packetdrill/{name}"), text))
    };
    all().iter().filter_map(run).collect()
}

fn assert_none(failing: &[String], what: &str) {
    assert!(failing.is_empty(), "{} scripts fail {what}:\n\n{}", failing.len(), failing.join("\n"));
}

#[test]
fn every_script_holds() {
    let scripts = all().len();
    assert!(scripts >= 150, "the suite has {scripts} scripts only");
    assert_none(&failing(None, 0), "with the stack's own initial sequence numbers");
}

/// RFC 9293 §3.4: all arithmetic on sequence numbers is modulo 2³².
#[test]
fn every_script_holds_wherever_the_numbers_begin() {
    for (iss, shift) in [(u32::MAX, 0), (0x7FFF_FFFF, u32::MAX), (0xFFFF_F000, 0x7FFF_F000)] {
        assert_none(
            &failing(Some(iss), shift),
            &format!("with the ISS {iss:#x} and the peer's numbers moved by {shift:#x}"),
        );
    }
}

#[test]
fn every_script_names_the_clause_of_its_directory() {
    for (name, text) in all() {
        let rfc: String =
            name.split('/').next().and_then(|directory| directory.strip_prefix("rfc")).unwrap_or("").into();
        let first = text.lines().next().unwrap_or("");
        let Some(rest) = first.strip_prefix(&format!("// RFC {rfc} ")) else {
            panic!("tests/packetdrill/{name} must begin with // RFC {rfc} and the clause, not {first:?}");
        };
        let clause = rest.split([':', ',']).next().unwrap_or("");
        let named = clause.starts_with('§') || clause.starts_with('(') || clause.starts_with("App.");
        assert!(
            named && rest.contains(": "),
            "{name}: write // RFC {rfc} §1.2.3: the rule in a sentence, not {first:?}"
        );
    }
}

/// The table of tests/packetdrill/README.md has a row for each directory, and no other.
#[test]
fn the_readme_lists_the_directories() {
    let readme = std::fs::read_to_string(crate::common::root().join("README.md")).expect("README.md");
    let listed: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("| `rfc")?.split('`').next()).collect();
    let mut there: Vec<String> =
        all().iter().filter_map(|(name, _)| Some(name.strip_prefix("rfc")?.split('/').next()?.into())).collect();
    there.dedup();
    assert_eq!(listed, there);
}

/// The MUSTs of RFC 9293 that no script shows, and why.
const NO_SCRIPT: [(u32, &str); 14] = [
    (2, "the runner checks the checksum of every packet that leaves"),
    (8, "a script counts from the ISS, whatever it is"),
    (9, "a script counts from the ISS, whatever it is"),
    (18, "the scripts of RFC 6298 show it"),
    (43, "the runner has one local address"),
    (44, "the runner has one local address"),
    (45, "the runner checks the addresses of every packet that leaves"),
    (48, "a field of IP, which the host sets"),
    (49, "a field of IP, which the host sets"),
    (50, "the language has no word for IP options"),
    (51, "the language has no word for IP options"),
    (52, "the language has no word for IP options"),
    (53, "the language has no word for IP options"),
    (69, "the runner checks the padding of every packet that leaves"),
];

#[test]
fn every_must_of_rfc_9293_has_a_script() {
    let scripts = all();
    let shows = |must: u32| {
        let named = |text: &str| {
            let first = text.lines().next().unwrap_or("");
            first.split([' ', ',', ':', '.']).any(|word| word == format!("MUST-{must}"))
        };
        scripts.iter().any(|(name, text)| name.starts_with("rfc9293/") && named(text))
    };
    for must in 1..=69 {
        let excused = NO_SCRIPT.iter().any(|(own, _)| *own == must);
        assert!(
            shows(must) != excused,
            "MUST-{must}: needs a script of tests/packetdrill/rfc9293, or a reason why it has none"
        );
    }
}

/// The requirements of a page of `docs/conformance` that are MUSTs and met: the first cell of each row.
fn musts_that_are_met(page: &str) -> Vec<String> {
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
        let (id, requirement, status) = (*cells.first()?, *cells.get(1)?, *cells.get(2)?);
        (requirement.contains("MUST") && status.starts_with("met")).then(|| id.to_string())
    });
    rows.collect()
}

/// `tests/packetdrill/musts.txt`: of each MUST of the other pages, the script that shows it, or why none can.
#[test]
fn every_must_of_the_other_rfcs_has_a_script_or_a_reason() {
    let listed = std::fs::read_to_string(crate::common::root().join("musts.txt")).expect("musts.txt");
    let listed: Vec<(&str, &str)> = listed
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(' ').unwrap_or_else(|| panic!("musts.txt: {line}")))
        .collect();
    let mut wanted = Vec::new();
    for rfc in pages().into_iter().filter(|rfc| *rfc != 9293) {
        let page = crate::common::root().join(format!("../../docs/conformance/rfc{rfc}.md"));
        wanted.extend(musts_that_are_met(&std::fs::read_to_string(page).expect("a page")));
    }
    assert!(wanted.len() > 150, "{} MUSTs only", wanted.len());
    let ids: Vec<&str> = listed.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, wanted, "musts.txt needs a line for each MUST of the pages that is met, in their order");
    let scripts = all();
    for (id, shown) in listed {
        match shown.strip_prefix("- ") {
            Some(reason) => assert!(reason.len() > 20 && !reason.ends_with(".pkt"), "{id}: why has it no script?"),
            None => assert!(scripts.iter().any(|(name, _)| name == shown), "{id}: there is no script {shown}"),
        }
    }
}

/// The RFCs that have a page in `docs/conformance`.
fn pages() -> Vec<u32> {
    let pages = crate::common::root().join("../../docs/conformance");
    let names = std::fs::read_dir(&pages).expect("the pages").map(|entry| entry.expect("a page").file_name());
    let number = |name: &std::ffi::OsString| -> Option<u32> {
        name.to_str()?.strip_prefix("rfc")?.strip_suffix(".md")?.parse().ok()
    };
    let mut rfcs: Vec<u32> = names.filter_map(|name| number(&name)).collect();
    rfcs.sort_unstable();
    rfcs
}

/// The RFCs of `docs/conformance` that no script is about, and why.
const RFCS_WITHOUT_SCRIPT: [(u32, &str); 6] = [
    (2385, "the keys are the host's, and a script's host has none"),
    (4987, "floods concern the listeners of a whole host, and a script has a peer"),
    (5925, "the keys are the host's, and a script's host has none"),
    (5926, "the keys are the host's, and a script's host has none"),
    (6528, "the initial sequence numbers are the host's, and a script counts from them"),
    (9331, "the controller is the host's choice, and a script's host has none for L4S"),
];

#[test]
fn every_rfc_of_the_conformance_pages_has_scripts() {
    let rfcs = pages();
    assert!(rfcs.len() >= 32, "{} pages only", rfcs.len());
    let scripts = all();
    for rfc in rfcs {
        let has_script = scripts.iter().any(|(name, _)| name.starts_with(&format!("rfc{rfc}/")));
        let excused = RFCS_WITHOUT_SCRIPT.iter().any(|(own, _)| *own == rfc);
        assert!(
            has_script != excused,
            "RFC {rfc}: needs a directory of tests/packetdrill, or a reason why it has none"
        );
    }
    let readme = std::fs::read_to_string(crate::common::root().join("README.md")).expect("README.md");
    for (rfc, reason) in RFCS_WITHOUT_SCRIPT {
        let told = readme.contains(&format!("| RFC {rfc} | {reason} |"));
        assert!(told, "tests/packetdrill/README.md does not say why RFC {rfc} has no script: {reason}");
    }
}

#[test]
fn the_suite_covers_the_table_of_the_readme() {
    let readme = std::fs::read_to_string(crate::common::root().join("../../README.md")).expect("README.md");
    let scope =
        readme.split("## Scope").nth(1).and_then(|text| text.split("| the host provides").next()).expect("the table");
    let there: Vec<String> = all().iter().filter_map(|(name, _)| Some(name.split('/').next()?.to_string())).collect();
    for row in scope.lines().filter_map(|line| line.strip_prefix("| RFC ")?.split('|').next()) {
        let numbers = row.split([',', ' ']).filter(|word| word.len() >= 3 && word.chars().all(|c| c.is_ascii_digit()));
        for rfc in numbers {
            let excused = RFCS_WITHOUT_SCRIPT.iter().any(|(own, _)| rfc == own.to_string());
            assert!(
                excused || there.contains(&format!("rfc{rfc}")),
                "no script is about RFC {rfc} of the README's table"
            );
        }
    }
}
