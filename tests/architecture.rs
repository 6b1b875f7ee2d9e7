//! Which module may use which: the table of `docs/architecture.md` against the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// The modules from the ground up, and what each may use. Everything stands above what uses it, so there are no cycles.
/// `send` and `recv` stand for their own files; the parts below them are modules of their own here.
const MAY_USE: &[(&str, &[&str])] = &[
    ("seq", &[]),
    ("stream", &[]),
    ("time", &[]),
    ("features", &[]),
    ("invariant", &[]),
    ("ranges", &["invariant"]),
    ("few_ranges", &["invariant"]),
    ("recent", &[]),
    ("rare", &[]),
    ("planted", &[]),
    ("path", &["seq"]),
    ("segment", &["seq"]),
    ("fast_open", &["segment"]),
    ("codec", &["seq", "path", "segment"]),
    ("config", &["time"]),
    ("auth", &["seq", "path", "segment", "codec", "config"]),
    ("event", &["seq", "time", "path", "segment", "config"]),
    ("ip", &["seq", "path", "segment", "codec", "auth", "event"]),
    ("info", &["seq", "event"]),
    ("counts", &["info", "invariant", "rare"]),
    ("timestamps", &["seq", "time", "segment"]),
    ("ecn", &["stream", "features", "segment", "config", "info"]),
    ("user_timeout", &["time", "config"]),
    ("send::buffer", &["stream", "invariant", "rare"]),
    ("send::congestion", &["time"]),
    ("send::ecn", &["stream", "time", "features"]),
    ("send::pace", &["time", "rare"]),
    ("send::path_mtu", &["stream", "time", "features", "rare", "config"]),
    ("send::prr", &[]),
    ("send::rate", &["stream", "time", "rare", "send::congestion"]),
    ("send::rtt", &["time", "invariant", "config"]),
    ("send::scoreboard", &["stream", "time", "features", "invariant", "ranges", "recent", "rare", "send::rate"]),
    ("send::rack", &["stream", "time", "features", "invariant", "send::rtt", "send::scoreboard"]),
    ("send::recovery", &["stream", "send::prr", "send::scoreboard"]),
    ("send::small", &["seq", "invariant"]),
    ("send::tail", &["stream"]),
    ("send::undo", &["stream", "time", "features", "invariant", "ranges", "send::rack"]),
    ("send::validation", &["stream", "time", "features"]),
    (
        "send",
        &[
            "seq",
            "stream",
            "time",
            "features",
            "invariant",
            "rare",
            "segment",
            "config",
            "counts",
            "ecn",
            "send::buffer",
            "send::congestion",
            "send::ecn",
            "send::pace",
            "send::path_mtu",
            "send::prr",
            "send::rack",
            "send::rate",
            "send::recovery",
            "send::rtt",
            "send::scoreboard",
            "send::small",
            "send::tail",
            "send::undo",
            "send::validation",
        ],
    ),
    ("recv::ack", &["time", "config"]),
    ("recv::filling", &["seq", "time"]),
    ("recv::limits", &["stream", "config"]),
    ("recv::in_order", &["stream", "invariant", "recent", "recv::limits"]),
    ("recv::pieces", &["invariant"]),
    ("recv::reassembly", &["stream", "invariant", "ranges", "recent", "recv::limits", "recv::pieces"]),
    ("recv::tuning", &["seq", "time", "invariant", "rare", "config"]),
    (
        "recv",
        &[
            "seq",
            "stream",
            "time",
            "invariant",
            "rare",
            "segment",
            "config",
            "recv::ack",
            "recv::filling",
            "recv::limits",
            "recv::reassembly",
            "recv::tuning",
        ],
    ),
    ("options", &["time", "path", "segment", "config", "timestamps", "recv"]),
    (
        "connection",
        &[
            "seq",
            "time",
            "features",
            "invariant",
            "path",
            "segment",
            "fast_open",
            "config",
            "event",
            "info",
            "counts",
            "rare",
            "timestamps",
            "ecn",
            "user_timeout",
            "options",
            "send",
            "send::congestion",
            "recv",
            "recv::ack",
            "recv::limits",
            "recv::tuning",
        ],
    ),
    ("journal", &["time", "path", "segment", "fast_open", "config", "event", "send::congestion", "connection"]),
    ("host::table", &[]),
    ("host::budget", &[]),
    ("host::deadlines", &["time"]),
    ("host::flow", &["codec"]),
    ("host::keys", &["seq", "time", "path", "segment", "host::flow"]),
    ("host::ports", &["host::keys"]),
    ("host::queue", &[]),
    ("host::fast_open", &["time", "segment", "event", "fast_open", "host::keys"]),
    (
        "host::cookies",
        &[
            "seq",
            "time",
            "path",
            "segment",
            "config",
            "event",
            "timestamps",
            "ecn",
            "connection",
            "host::flow",
            "host::keys",
        ],
    ),
    ("host::listener", &["time"]),
    ("host::signal", &["codec", "event"]),
    (
        "host",
        &[
            "seq",
            "time",
            "features",
            "path",
            "segment",
            "fast_open",
            "codec",
            "auth",
            "ip",
            "config",
            "event",
            "info",
            "connection",
            "send::congestion",
            "host::table",
            "host::budget",
            "host::deadlines",
            "host::flow",
            "host::keys",
            "host::ports",
            "host::queue",
            "host::fast_open",
            "host::cookies",
            "host::listener",
            "host::signal",
        ],
    ),
    ("system", &["time", "event"]),
];

/// The algorithms are told facts: none of these names occurs in them.
const NOT_IN_ALGORITHMS: [&str; 7] = ["Segment", "State", "Sink", "Timer", "Event", "Action", "Connection"];
const ALGORITHMS: [&str; 31] = [
    "ecn",
    "ranges",
    "few_ranges",
    "recent",
    "rare",
    "timestamps",
    "user_timeout",
    "options",
    "send",
    "send::buffer",
    "send::congestion",
    "send::ecn",
    "send::pace",
    "send::path_mtu",
    "send::prr",
    "send::rack",
    "send::rate",
    "send::recovery",
    "send::rtt",
    "send::scoreboard",
    "send::small",
    "send::tail",
    "send::undo",
    "send::validation",
    "recv::ack",
    "recv::filling",
    "recv::in_order",
    "recv::limits",
    "recv::pieces",
    "recv::reassembly",
    "recv::tuning",
];

/// One name that a source file takes from another module of the crate.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Use {
    module: String,
    name: String,
}

fn used(module: &str, name: &str) -> Use {
    Use { module: module.into(), name: name.into() }
}

fn is_known(module: &str) -> bool {
    MAY_USE.iter().any(|(name, _)| *name == module)
}

/// The module of a path below `src`, such as `send::rtt`: the longest known one.
fn module_of(segments: &[&str]) -> Option<String> {
    (1..=segments.len().min(2)).rev().map(|n| segments[..n].join("::")).find(|m| is_known(m))
}

/// The path of a source file as segments: `src/send/rtt.rs` is `send`, `rtt`; `src/send/mod.rs` is `send`.
fn segments_of(file: &Path) -> Vec<String> {
    let mut segments: Vec<_> = file.with_extension("").iter().map(|s| s.to_string_lossy().into_owned()).collect();
    if segments.last().is_some_and(|s| s == "mod") {
        segments.pop();
    }
    segments
}

/// The source without comments, strings that look like code, and the test module at its end.
fn code_of(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The paths of a use tree: `a::{b, c::{d}}` is `a::b`, `a::c::d`.
fn expand(tree: &str) -> Vec<String> {
    let Some((head, rest)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap_or_default().trim().to_string()];
    };
    let inner = rest.rsplit_once('}').expect("a closed brace").0;
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
    parts.flat_map(expand).map(|part| format!("{}{part}", head.trim())).collect()
}

/// Every path in the code that starts with `crate::` or `super::`, in a `use` or not, and the children that it declares and uses.
fn paths_in(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for (at, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(is_path) {
            continue; // the middle of a longer path
        }
        let rest = &code[at..];
        let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
        if !rest[end..].starts_with('{') {
            paths.insert(rest[..end].to_string());
            continue;
        }
        let close = rest.find(';').expect("a use declaration");
        paths.extend(expand(&rest[..close]));
    }
    let children =
        code.lines().filter_map(|line| Some(line.trim().strip_suffix(';')?.rsplit_once("mod ")?.1.to_string()));
    for child in children {
        let trees = code.split("use ").skip(1).filter_map(|rest| rest.split_once(';')).map(|(tree, _)| tree.trim());
        for tree in trees.filter(|tree| tree.strip_prefix(child.as_str()).is_some_and(|rest| rest.starts_with("::"))) {
            paths.extend(expand(tree).into_iter().map(|path| format!("self::{path}")));
        }
    }
    paths
}

/// Where `crate::Name` comes from: the re-exports of `lib.rs`.
fn reexports(lib: &str) -> BTreeMap<String, String> {
    let code = code_of(lib);
    let trees = code.split("pub use ").skip(1).filter_map(|rest| rest.split_once(';')).map(|(tree, _)| tree);
    let mut names = BTreeMap::new();
    for path in trees.flat_map(expand) {
        let segments: Vec<_> = path.split("::").filter(|s| *s != "self").collect();
        if let (Some(module), Some(name)) = (module_of(&segments), segments.last()) {
            names.insert((*name).to_string(), module);
        }
    }
    names
}

/// What a file of the crate takes from other modules.
fn uses_of(file: &Path, source: &str, names: &BTreeMap<String, String>) -> BTreeSet<Use> {
    let own = segments_of(file);
    let own_module = module_of(&own.iter().map(String::as_str).collect::<Vec<_>>());
    let mut uses = BTreeSet::new();
    for path in paths_in(&code_of(source)) {
        let mut at: Vec<&str> = own.iter().map(String::as_str).collect();
        for segment in path.split("::") {
            match segment {
                "crate" => at.clear(),
                "self" => {}
                "super" => {
                    at.pop();
                }
                segment => at.push(segment),
            }
        }
        let name = at.last().copied().unwrap_or_default();
        let module = match names.get(at.first().copied().unwrap_or_default()) {
            Some(module) => Some(module.clone()),
            None => module_of(&at),
        };
        // The remainder are helpers of lib.rs itself.
        if let Some(module) = module.filter(|module| Some(module) != own_module.as_ref()) {
            let name = if names.contains_key(at[0]) { at[0] } else { name };
            uses.insert(used(&module, name));
        }
    }
    uses
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = root().join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push((path.strip_prefix(&root).unwrap().to_path_buf(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// What each module uses, over all its files.
fn crate_uses() -> BTreeMap<String, BTreeSet<Use>> {
    let files = sources();
    let lib = &files.iter().find(|(file, _)| file == Path::new("lib.rs")).expect("src/lib.rs").1;
    let names = reexports(lib);
    let mut all: BTreeMap<String, BTreeSet<Use>> = BTreeMap::new();
    for (file, source) in files.iter().filter(|(file, _)| file != Path::new("lib.rs")) {
        let segments = segments_of(file);
        let module = module_of(&segments.iter().map(String::as_str).collect::<Vec<_>>());
        let module = module.unwrap_or_else(|| panic!("src/{} is in no module of the table", file.display()));
        all.entry(module).or_default().extend(uses_of(file, source, &names));
    }
    all
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for (module, uses) in crate_uses() {
        let allowed = MAY_USE.iter().find(|(name, _)| *name == module).expect("a module of the table").1;
        for Use { module: other, name } in uses {
            if !allowed.contains(&other.as_str()) {
                wrong.push(format!("{module} uses {other} ({name})"));
            }
        }
    }
    assert!(wrong.is_empty(), "against docs/architecture.md:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_says_no_more_than_is_used() {
    let uses = crate_uses();
    for (module, allowed) in MAY_USE {
        let used = uses.get(*module).unwrap_or_else(|| panic!("there is no module {module}"));
        for other in *allowed {
            assert!(used.iter().any(|u| u.module == *other), "{module} does not use {other}: strike it out");
        }
    }
}

#[test]
fn the_table_has_no_cycles() {
    for (place, (module, allowed)) in MAY_USE.iter().enumerate() {
        for other in *allowed {
            let below = MAY_USE[..place].iter().any(|(name, _)| name == other);
            assert!(below, "{module} uses {other}, which does not stand before it");
        }
    }
}

#[test]
fn algorithms_are_told_facts() {
    for (module, uses) in crate_uses() {
        if ALGORITHMS.contains(&module.as_str()) {
            let seen: Vec<_> = uses.iter().filter(|u| NOT_IN_ALGORITHMS.contains(&u.name.as_str())).collect();
            assert!(seen.is_empty(), "{module} is an algorithm and sees {seen:?}");
        }
    }
}

#[test]
fn the_table_of_the_document_is_this_one() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for (module, allowed) in MAY_USE {
        let list = if allowed.is_empty() { "nothing".to_string() } else { format!("`{}`", allowed.join("`, `")) };
        let row = format!("| `{module}` | {list} |");
        assert!(text.contains(&row), "docs/architecture.md lacks the row\n{row}");
    }
}

/// The scanner itself: every form in which a module can name another.
#[test]
fn every_form_of_a_path_is_seen() {
    let names = reexports(
        "pub use seq::SeqNum;\npub use send::congestion::{self, Controller};\npub use event::{Event, Timer};",
    );
    let uses =
        |file: &str, source: &str| -> Vec<Use> { uses_of(Path::new(file), source, &names).into_iter().collect() };
    assert_eq!(
        uses("recv/ack.rs", "use crate::{\n    SeqNum,\n    Timer,\n};"),
        [used("event", "Timer"), used("seq", "SeqNum")]
    );
    assert_eq!(uses("recv/ack.rs", "use crate::{send::{rtt::Rtt}};"), [used("send::rtt", "Rtt")]);
    assert_eq!(uses("recv/ack.rs", "fn f(x: crate::Event) {}"), [used("event", "Event")]);
    assert_eq!(uses("recv/ack.rs", "use super::Receiver;"), [used("recv", "Receiver")]);
    assert_eq!(uses("send/next.rs", "use super::{Fin, rtt};"), [used("send::rtt", "rtt")]);
    assert_eq!(uses("send/mod.rs", "pub(crate) mod rtt;\nuse rtt::{Rtt};"), [used("send::rtt", "Rtt")]);
    assert_eq!(uses("send/congestion/reno.rs", "use super::Controller;\nuse crate::congestion::Acked;"), []);
    assert_eq!(uses("seq.rs", "// crate::Event\n#[cfg(test)]\nmod tests { use crate::Event; }"), []);
}
