//! What the documents say is so: tables are those of the code, links lead somewhere, commands exist. Their Rust
//! examples are doctests of the crate.
//!
//! After a change of a setting: `SEGUE_BLESS=1 cargo test --test machine docs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use segue::{Config, Field, Timer};

use crate::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The Markdown files of the repository.
fn documents() -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![root()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != ".git" {
                folders.push(path);
            } else if name.ends_with(".md") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.contains(&root().join("README.md")));
    files
}

/// `ms(40)` is 40 ms, `1_000` is 1000, `ms(0)..=secs(60)` is 0 ms to 60 s.
fn tidy(code: &str) -> String {
    if let Some((low, high)) = code.split_once("..=") {
        return match (tidy(low).as_str(), tidy(high).as_str()) {
            ("no", "yes") => "yes, no".into(),
            (low, high) => format!("{low} to {high}"),
        };
    }
    let plain = |number: &str| number.replace('_', "");
    match code.split_once('(').map(|(unit, rest)| (unit, rest.trim_end_matches(')'))) {
        Some(("ms", number)) => format!("{} ms", plain(number)),
        Some(("secs", number)) => format!("{} s", plain(number)),
        Some(("Some", value)) => tidy(value),
        Some((other, _)) => panic!("a unit that the table does not know: {other}"),
        None if code == "true" => "yes".into(),
        None if code == "false" => "no".into(),
        None if code == "None" => "none".into(),
        None => match code.strip_suffix("ms") {
            Some(number) => format!("{number} ms"),
            None => match code.strip_suffix('s') {
                Some(number) => format!("{number} s"),
                None => plain(code),
            },
        },
    }
}

fn row(field: &Field) -> String {
    let Field { name, doc, default, range, clause, knob, fixed, .. } = field;
    let lives =
        knob.map(|knob| format!("`{knob}`")).or(fixed.map(|why| format!("fixed: {why}"))).expect("one of the two");
    let optional = if default.starts_with("Some") || default == "None" { ", or none" } else { "" };
    format!("| `{name}` | {} | {}{optional} | {doc} | {lives} | {clause} |\n", tidy(default), tidy(range))
}

/// `docs/configuration.md` as the code says it.
fn configuration() -> String {
    let head = "\
# Configuration

Every number that the RFCs leave to policy is a setting of `Config`. `Config::builder()` starts from the defaults; `build`
refuses a value outside its range and settings that contradict each other (`ConfigError`). Sizes are in octets unless the
table says otherwise. One `Config` serves any number of connections.

```rust
use std::time::Duration;

use segue::{Config, ConfigError};

let config = Config::builder().receive_buffer(1_000_000).msl(Duration::from_secs(30)).build()?;
assert_eq!(config.receive_buffer(), 1_000_000);
assert!(matches!(Config::builder().ack_every(3).build(), Err(ConfigError::OutOfRange { field: \"ack_every\", .. })));
Ok::<(), ConfigError>(())
```

These settings limit each other: `min_rto` and `initial_rto` ≤ `max_rto`; `min_mss` ≤ `max_mss`; `user_timeout_lower` ≤
`user_timeout_upper`; 2^`window_shift` ≤ half of `receive_buffer`; `send_low_water` ≤ `send_buffer`.

## While a connection lives

`Event::Set` with a `Knob` changes a setting of one connection, in any state; `Socket::set` does so in an endpoint. The table
names the knob of each setting, or says why it is fixed when the connection opens. `Knob::Cork` belongs to no setting.

- A value that `build` would refuse is refused, and nothing changes: `Error::InvalidSetting`; `Connection::check_knob` tells
  the `ConfigError`. So lower `send_low_water` before a `send_buffer` below it.
- The new value counts from the event on. A timer that runs is due no later than the new setting says, and no later than it
  was to: a longer time counts from the next start of the timer on.
- A count that was exceeded already ends the connection with the next timeout; `r1` is reached at once.
- A smaller send buffer holds what is queued until it is acknowledged, and takes no more meanwhile.
- A smaller receive buffer takes no promise back (RFC 9293 §3.8.6): it shrinks as the user takes what arrives. A larger one
  may exceed the setting; windows are limited by the shift of the SYN. Before the peer's SYN it has no effect.
- `MaxSentMss` counts for new segments. What is in flight stays as it is, and goes again in smaller segments if it is lost.
  The search for a larger path MTU looks for no more than what is of use to it.
- The connection then has a `Config` of its own, of as many octets as any (`Connection::config`). The settings that steady
  traffic reads each time, and the receive buffer, lie in the connection itself and leave the `Config` as it is.

`Connection::replace_controller` exchanges the congestion controller (`Socket::replace_controller` in an endpoint).

## The settings

`SEGUE_BLESS=1 cargo test --test machine docs` generates this file from the code.

| setting | default | range | meaning | while it lives | clause |
|---|---|---|---|---|---|
";
    Config::fields().iter().map(row).fold(head.to_string(), |table, row| table + &row)
}

#[test]
fn configuration_is_that_of_the_code() {
    let (path, wanted) = (root().join("docs/configuration.md"), configuration());
    if std::env::var_os("SEGUE_BLESS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(wanted.lines()).find(|(a, b)| a != b);
    assert!(
        there == wanted,
        "docs/configuration.md is stale, at {differs:?}: run `SEGUE_BLESS=1 cargo test --test machine docs` and commit it"
    );
}

#[test]
fn numbers_and_units_are_tidied() {
    let tidied = ["ms(0)..=secs(1_000_000)", "1..=65_535", "false..=true", "Some(300s)", "40ms", "262144"].map(tidy);
    assert_eq!(tidied, ["0 ms to 1000000 s", "1 to 65535", "yes, no", "300 s", "40 ms", "262144"]);
}

/// The text outside of code blocks, line by line.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The lines of code blocks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        code && !fence
    })
}

/// The anchors that a forge makes of the headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let keep = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    headings.map(|h| h.to_lowercase().replace(' ', "-").chars().filter(|&c| keep(c)).collect()).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut dead = Vec::new();
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for line in prose(&text) {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
                let place = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
                let found = place.exists()
                    && (anchor.is_empty() || anchors(&fs::read_to_string(&place).unwrap_or_default()).contains(anchor));
                if !found {
                    dead.push(format!("{}: {target}", file.display()));
                }
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

/// Paths in the style of code, such as `src/lib.rs`, below one of the folders of the repository.
#[test]
fn files_that_are_named_exist() {
    let mut missing = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for quoted in prose(&text).flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let folder = ["src/", "tests/", "docs/", "examples/", "benches/", "fuzz/", ".ci/"];
            let is_path = folder.iter().any(|f| quoted.starts_with(f)) && !quoted.contains([' ', '*', '<', '{']);
            let file = quoted.split("::").next().unwrap_or(quoted); // `file::item`
            if is_path && !root().join(file).exists() {
                missing.push(format!("{}: {quoted}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "files that do not exist:\n{}", missing.join("\n"));
}

#[test]
fn the_two_commands_are_those_that_the_check_runs() {
    let (readme, check) = (read("README.md"), read(".ci/run"));
    let first = |start: &str| code(&readme).find(|line| line.starts_with(start));
    assert_eq!(first("cargo"), Some("cargo run --example handshake"), "the first command");
    assert_eq!(first("cargo test"), Some("cargo test"));
    for rule in ["&& /^cargo run/ { print; exit }' README.md", "&& /^cargo test/ { print; exit }' README.md"] {
        assert!(check.contains(rule), ".ci/run does not look for the command any more: {rule}");
    }
}

/// The examples: files, and packages with a program.
fn examples() -> BTreeSet<String> {
    let paths = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let is_example = |path: &PathBuf| path.extension().is_some_and(|e| e == "rs") || path.join("main.rs").exists();
    paths.filter(is_example).map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// What `--example`, `--test`, `--bench`, `-p` and `--features` name exists.
#[test]
fn commands_name_what_exists() {
    let test_targets = read("tests/Cargo.toml") + &read("tests/kernel/Cargo.toml");
    let packages = read("Cargo.lock");
    let mut seen = 0;
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        let quoted = prose(&text).flat_map(|line| line.split('`').skip(1).step_by(2));
        for command in code(&text).chain(quoted).filter(|line| line.contains("cargo ")) {
            let words: Vec<_> = command.split_whitespace().collect();
            let named = words.windows(2).find(|pair| pair[0] == "--manifest-path").map_or("Cargo.toml", |pair| pair[1]);
            for pair in words.windows(2) {
                let known = match pair[0] {
                    "--example" => examples().contains(pair[1]),
                    "--test" => test_targets.contains(&format!("[[test]]\nname = \"{}\"\n", pair[1])),
                    "-p" => packages.contains(&format!("\"{}\"", pair[1])),
                    "--bench" => root().join("benches").join(pair[1]).with_extension("rs").exists(),
                    "--features" => read(named).contains(&format!("\n{} = [", pair[1])),
                    _ => continue,
                };
                assert!(known, "{}: there is no {} in `{command}`", file.display(), pair[1]);
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "the documents show commands");
}

/// The names in the first column of the tables of a document.
fn first_column(text: &str) -> BTreeSet<String> {
    let cells = prose(text).filter_map(|line| line.strip_prefix("| `")?.split(['`', '(', ' ']).next());
    cells.map(str::to_string).collect()
}

/// The variants of an enum of the crate, as its source says.
fn variants(file: &str, name: &str) -> Vec<String> {
    let source = read(file);
    let body = source.split_once(&format!("pub enum {name} {{\n")).expect("the enum").1.split_once("\n}").unwrap().0;
    let starts = |line: &str| line.starts_with("    ") && line[4..].starts_with(|c: char| c.is_ascii_uppercase());
    body.lines().filter(|l| starts(l)).map(|l| l.trim().split(['(', ' ', ',']).next().unwrap().to_string()).collect()
}

#[test]
fn embedding_tells_of_every_action_and_event() {
    let told = first_column(&read("docs/embedding.md"));
    let actions = variants("src/event.rs", "Action");
    assert!(actions.len() >= 15 && actions.contains(&"Transmit".to_string()), "{actions:?}");
    for name in actions.into_iter().chain(variants("src/event.rs", "Event")) {
        assert!(told.contains(&name), "docs/embedding.md has no row for {name}");
    }
}

#[test]
fn architecture_tells_of_every_timer() {
    let told = first_column(&read("docs/architecture.md"));
    for timer in Timer::ALL {
        assert!(told.contains(&format!("{timer:?}")), "docs/architecture.md has no row for Timer::{timer:?}");
    }
}

/// There is no list of files: the first line of each says what it is for.
#[test]
fn every_source_file_begins_with_its_purpose() {
    let (mut folders, mut silent) = (vec![root().join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if !fs::read_to_string(&path).unwrap().starts_with("//! ") {
                silent.push(path);
            }
        }
    }
    assert!(silent.is_empty(), "these files do not say what they are for: {silent:#?}");
}

#[test]
fn the_readme_tells_what_there_is() {
    let (readme, manifest) = (read("README.md"), read("Cargo.toml"));
    let told = first_column(&readme);
    let features = manifest.split_once("[features]\n").unwrap().1.split_once("\n[").unwrap().0;
    for feature in features.lines().filter_map(|line| Some(line.split_once(" = ")?.0)).filter(|f| *f != "default") {
        assert!(told.contains(feature), "README.md does not tell of the feature {feature}");
    }
    let ignored = read(".gitignore"); // what programs write, and whoever runs them
    for entry in fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        let own = name.starts_with('.') || ignored.lines().any(|line| line.strip_prefix('/') == Some(&name));
        assert!(own || told.contains(&name), "README.md does not tell of {name}/");
    }
    for name in examples() {
        assert!(told.contains(&name), "README.md does not tell of the example {name}");
    }
    for file in fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name()) {
        let name = file.to_string_lossy();
        let has_row = !name.ends_with(".md") || readme.contains(&format!("| [docs/{name}](docs/{name}) | "));
        assert!(has_row, "README.md has no row for docs/{name}");
    }
    let version = manifest.split_once("rust-version = \"").unwrap().1.split('"').next().unwrap();
    assert!(readme.contains(&format!("Rust {version},")), "README.md names another rust-version than {version}");
}

#[test]
fn testing_tells_of_every_test() {
    let text = read("docs/testing.md");
    for path in fs::read_dir(root().join("tests")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".rs") && name != "main.rs" {
            assert!(text.contains(&format!("`tests/{name}`")), "docs/testing.md does not tell of tests/{name}");
        }
    }
}

/// The complete program of the guide is the example that the published crate contains.
#[test]
fn the_complete_program_is_the_example_in_memory() {
    let (guide, example) = (read("docs/embedding.md"), read("examples/in_memory.rs"));
    let program = guide.split_once("\n## A complete program\n").unwrap().1.split_once("```rust\n").unwrap().1;
    assert_eq!(program.split_once("```").unwrap().0, &example[example.find("use segue::").unwrap()..]);
}
