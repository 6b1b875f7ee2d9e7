//! Which tests the test programs contain. What the program of this test contains, it says itself; for the other programs the
//! lines `mod` lead from a file to the root of its target.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::{env, fs};

use super::source::{Head, Item, Source};
use crate::root;

/// The package of this program.
const HERE: &str = "tests";
/// A test may be for Linux alone: the kernel is a peer there.
const OPERATING_SYSTEM: &str = "target_os=\"linux\"";

/// The source of a file, from the root of the crate. Each file is read once.
pub(super) fn source(file: &str) -> Option<Arc<Source>> {
    static SOURCES: Mutex<BTreeMap<String, Option<Arc<Source>>>> = Mutex::new(BTreeMap::new());
    let read = || fs::read_to_string(root().join(file)).ok().map(|text| Arc::new(Source::new(text)));
    let mut sources = SOURCES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    sources.entry(file.to_string()).or_insert_with(read).clone()
}

/// Why no test program contains this file.
pub(super) fn problem_of_file(file: &str) -> Option<String> {
    static PROBLEMS: Mutex<BTreeMap<String, Option<String>>> = Mutex::new(BTreeMap::new());
    let package = package(file);
    if package == HERE {
        return None; // `runs_here` asks for each test
    }
    let mut problems = PROBLEMS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    problems.entry(file.to_string()).or_insert_with(|| problem_of_module(file, package)).clone()
}

/// The folder with the nearest manifest above this file, from the root of the crate.
fn package(file: &str) -> &str {
    let above = Path::new(file).ancestors().skip(1).find(|folder| root().join(folder).join("Cargo.toml").exists());
    above.and_then(Path::to_str).unwrap_or_default()
}

/// The text of that manifest.
pub(super) fn manifest(file: &str) -> String {
    fs::read_to_string(root().join(package(file)).join("Cargo.toml")).unwrap_or_default()
}

/// Follows the modules from a file up to the root of a target.
fn problem_of_module(file: &str, package: &str) -> Option<String> {
    let Some(source) = source(file) else { return Some(format!("there is no {file}")) };
    let manifest = manifest(file);
    if let Some(attribute) = source.inner_attributes().iter().find(|attribute| may_exclude(attribute, &manifest)) {
        return Some(format!("{file}: {attribute}"));
    }
    let inside = Path::new(file).strip_prefix(package).ok()?.to_str()?;
    if ["src/lib.rs", "src/main.rs"].contains(&inside) || manifest.contains(&format!("\npath = \"{inside}\"\n")) {
        return None;
    }
    let path = Path::new(file).with_extension("");
    let module = if path.ends_with("mod") { path.parent()? } else { &path };
    let (folder, name) = (module.parent()?.to_str()?, module.file_name()?.to_str()?);
    let parents = [".rs", "/mod.rs", "/lib.rs", "/main.rs"].map(|end| format!("{folder}{end}"));
    let mut problem = format!("{file} belongs to no test target");
    for parent in parents.into_iter().filter(|parent| parent != file) {
        for line in self::source(&parent).iter().flat_map(|source| source.modules(name)) {
            match problem_of_declaration(&line, &manifest).or_else(|| problem_of_module(&parent, package)) {
                None => return None,
                Some(found) => problem = format!("{file}: in {parent}: {found}"),
            }
        }
    }
    Some(problem)
}

fn problem_of_declaration(line: &Item, manifest: &str) -> Option<String> {
    let around = line.blocks.iter().flat_map(|block| &block.attributes);
    let excluding = line.attributes.iter().chain(around).find(|attribute| may_exclude(attribute, manifest));
    let nested = line.blocks.iter().find(|block| module_of(block).is_none());
    excluding.cloned().or_else(|| nested.map(|block| format!("`mod` within `{}`", block.words)))
}

/// The name of the module whose block has this head.
fn module_of(head: &Head) -> Option<&str> {
    head.words
        .rsplit_once("mod ")
        .filter(|(before, _)| before.is_empty() || before.starts_with("pub"))
        .map(|both| both.1)
}

/// Whether something with this attribute is left out of some test program, or taken from elsewhere.
fn may_exclude(attribute: &str, manifest: &str) -> bool {
    let plain: String = attribute.chars().filter(|c| !c.is_whitespace()).collect();
    let inside = |name: &str| plain.strip_prefix(&format!("#[{name}(")).and_then(|rest| rest.strip_suffix(")]"));
    if let Some(condition) = inside("cfg") {
        return !holds(condition, manifest);
    }
    if let Some(inside) = inside("cfg_attr") {
        let excludes = |attribute: &&str| ["cfg", "path"].iter().any(|begin| attribute.starts_with(begin));
        return parts(inside).iter().skip(1).any(excludes);
    }
    plain.starts_with("#[cfg") || plain.starts_with("#[path")
}

/// Whether a condition is true of a test program with all features.
fn holds(condition: &str, manifest: &str) -> bool {
    let list = |name: &str| condition.strip_prefix(name).and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
    if let Some(all) = list("all") {
        return parts(all).into_iter().all(|part| holds(part, manifest));
    }
    if let Some(any) = list("any") {
        return parts(any).into_iter().any(|part| holds(part, manifest));
    }
    let feature = condition.strip_prefix("feature=\"").and_then(|rest| rest.strip_suffix('"'));
    let is_feature = |name: &str| {
        manifest.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with("= [")))
    };
    condition == "test" || condition == OPERATING_SYSTEM || feature.is_some_and(is_feature)
}

/// The parts of a list, without those of lists within it.
fn parts(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let between = |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    };
    list.split(between).filter(|part| !part.is_empty()).collect()
}

/// Why the function of a source is no test that always runs, or the modules of the file in which it stands.
pub(super) fn modules_of_test<'a>(function: &'a Item, manifest: &str) -> Result<Vec<&'a str>, &'static str> {
    let attributes = &function.attributes;
    if attributes.iter().any(|attribute| attribute.starts_with("#[ignore") || attribute.starts_with("#[cfg")) {
        return Err("does not run everywhere");
    }
    let (mut modules, mut is_property) = (Vec::new(), false);
    for block in &function.blocks {
        if block.words.ends_with("quickcheck!") {
            is_property = true;
        } else {
            modules.push(module_of(block).ok_or("is no test")?);
        }
        if block.attributes.iter().any(|attribute| may_exclude(attribute, manifest)) {
            return Err("does not run everywhere");
        }
    }
    if is_property || attributes.iter().any(|attribute| attribute == "#[test]") {
        Ok(modules)
    } else {
        Err("is no test")
    }
}

/// Whether the program of this test contains the test, and runs it. It contains what files of the package `tests` have.
pub(super) fn runs_here(file: &str, modules: &[&str], item: &str) -> bool {
    static TESTS: OnceLock<BTreeSet<String>> = OnceLock::new();
    if package(file) != HERE {
        return true;
    }
    let path = file.trim_start_matches("tests/").trim_end_matches(".rs").replace('/', "::");
    let path = path.trim_end_matches("::mod");
    let path = if path == "main" { None } else { Some(path) };
    let name = path.into_iter().chain(modules.iter().copied()).chain([item]).collect::<Vec<_>>().join("::");
    TESTS.get_or_init(tests_of_this_program).contains(&name)
}

fn tests_of_this_program() -> BTreeSet<String> {
    let list = |more: &[&str]| -> BTreeSet<String> {
        let program = env::current_exe().expect("this program");
        let output =
            Command::new(program).args(["--list", "--format", "terse"]).args(more).output().expect("its tests");
        assert!(output.status.success(), "the list of tests: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| Some(line.strip_suffix(": test")?.to_string()))
            .collect()
    };
    let (all, ignored) = (list(&[]), list(&["--ignored"]));
    assert!(all.len() > 100, "this program lists {} tests", all.len());
    all.difference(&ignored).cloned().collect()
}

#[test]
fn what_may_exclude_a_module_is_known() {
    let manifest = "[features]\ncubic = []\nhost = [\"std\"]\n";
    for (attribute, excludes) in [
        ("#[cfg(test)]", false),
        ("#[cfg(feature = \"cubic\")]", false),
        ("#[cfg(all(test, any(feature = \"host\", feature = \"none\")))]", false),
        ("#[allow(dead_code)]", false),
        ("#[cfg_attr(not(feature = \"cubic\"), allow(dead_code))]", false),
        ("#[cfg_attr(docsrs, feature(doc_cfg))]", false),
        ("#[cfg(any())]", true),
        ("#[cfg(feature = \"none\")]", true),
        ("#[cfg(all(test, not(feature = \"cubic\")))]", true),
        ("#[cfg(target_os = \"none\")]", true),
        ("#[cfg_attr(test, cfg(any()))]", true),
        ("#[path = \"other.rs\"]", true),
    ] {
        assert_eq!(may_exclude(attribute, manifest), excludes, "{attribute}");
    }
}

#[test]
fn a_test_in_a_comment_a_function_or_a_module_that_is_left_out_is_none() {
    let text = "
        #[test] fn plain() {} #[cfg(test)] mod tests { #[test] fn inside() {} quickcheck! { fn law(x: u8) -> bool { true } } }
        /* #[test] fn commented() {} */ // #[test] fn after() {}
        fn helper() { #[test] fn nested() {} } #[cfg(any())] mod gone { #[test] fn left_out() {} }
        #[test] #[ignore = \"slow\"] fn slow() {} macro_rules! m { () => { #[test] fn made() {} } } #[cfg(any())] #[test] fn off() {}";
    let source = Source::new(text.to_string());
    let modules = |name: &str| match &source.functions(name)[..] {
        [] => None,
        [function, ..] => modules_of_test(function, "").ok().map(|modules| modules.join("::")),
    };
    assert_eq!(modules("plain").as_deref(), Some(""));
    assert_eq!(modules("inside").as_deref(), Some("tests"));
    assert_eq!(modules("law").as_deref(), Some("tests"));
    for name in ["commented", "after", "helper", "nested", "left_out", "slow", "made", "off", "plai"] {
        assert_eq!(modules(name), None, "{name}");
    }
}

#[test]
fn a_module_belongs_to_a_target_only_with_each_line_above_it() {
    let line = |text: &str| {
        Source::new(text.to_string())
            .modules("a")
            .iter()
            .map(|line| problem_of_declaration(line, ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(line("//! b\n#![no_std]\npub(crate) mod a;"), [None]);
    assert_eq!(line("mod b;\n#[cfg(test)]\nmod a;\nmod ab;"), [None]);
    assert!(line("#[cfg(any())]\n#[allow(dead_code)]\nmod a;")[0].is_some());
    assert!(line("#[cfg(any())] mod b { mod a; }")[0].is_some());
    assert!(line("// mod a;\n/* mod a; */ mod a {} \"mod a;\"").is_empty());
    assert_eq!(problem_of_file("src/host/cookies.rs"), None);
    assert_eq!(problem_of_file("tests/allocation/src/lib.rs"), None);
    assert!(problem_of_file("tests/no_std/src/nowhere.rs").is_some());
    assert!(runs_here("tests/citations/compiled.rs", &[], "what_may_exclude_a_module_is_known"));
    assert!(!runs_here("tests/citations/compiled.rs", &[], "what_nothing_excludes"));
}
