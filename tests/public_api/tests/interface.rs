//! The public interface of segue: what it is, against `interface.txt`, and that rustdoc shows an example of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use public_api::Builder;
use rustdoc_types::{Crate, FORMAT_VERSION, Id, Item, ItemEnum, Visibility};
use serde::Deserialize;

/// All but `portable-atomic`, which names another `Arc`.
const FEATURES: &str = "arbitrary,host,ip,serde,std";

#[derive(Deserialize)]
struct Form {
    format_version: u32,
}

/// What rustdoc tells of the crate as JSON. `None`, with words, where this compiler writes another form of it.
fn described() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let output = Command::new(env!("CARGO"))
        .args(["rustdoc", "--locked", "--lib", "-p", "segue", "--features", FEATURES, "--manifest-path"])
        .arg(here.join("../../Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .args(["--", "-Zunstable-options", "--output-format", "json", "--cap-lints", "allow"])
        .env("RUSTC_BOOTSTRAP", "1") // the form is unstable
        .env_remove("RUSTDOCFLAGS")
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo rustdoc:\n{}", String::from_utf8_lossy(&output.stderr));
    let json = target.join("doc/segue.json");
    let form: Form = serde_json::from_str(&fs::read_to_string(&json).expect("rustdoc wrote it")).expect("JSON");
    if form.format_version == FORMAT_VERSION {
        return Some(json);
    }
    println!(
        "SKIPPED: rustdoc writes form {} of its JSON, and tests/public_api reads form {FORMAT_VERSION}. \
         Take the versions of `public-api` and `rustdoc-types` in tests/public_api/Cargo.toml that read form {}.",
        form.format_version, form.format_version
    );
    None
}

/// The lines that only one of the two sorted texts has.
fn difference<'a>(old: &'a str, new: &'a str) -> Vec<String> {
    let gone = old.lines().filter(|line| !new.lines().any(|other| other == *line)).map(|line| format!("- {line}"));
    let come = new.lines().filter(|line| !old.lines().any(|other| other == *line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect()
}

#[test]
fn the_interface_is_the_recorded_one() {
    let Some(json) = described() else { return };
    let api = Builder::from_rustdoc_json(json).omit_blanket_impls(true).omit_auto_trait_impls(true).build();
    let now = api.expect("the form is known").to_string();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("interface.txt");
    let recorded = fs::read_to_string(&file).unwrap_or_default();
    if now == recorded {
        return;
    }
    if env::var_os("SEGUE_BLESS").is_some() {
        fs::write(&file, now).expect("it can be written");
        return;
    }
    let difference = difference(&recorded, &now).join("\n");
    panic!(
        "the public interface is another than tests/public_api/interface.txt says:\n{difference}\n\
         If that is meant: SEGUE_BLESS=1 cargo test --manifest-path tests/public_api/Cargo.toml, commit the file, and write \
         a line in CHANGELOG.md. A line with a minus breaks users of the crate."
    );
}

/// The public types, traits and functions below a module, with their paths, where they are exported.
fn exported<'a>(krate: &'a Crate, module: &Id, path: &str, found: &mut Vec<(String, &'a Item)>) {
    let Some(Item { inner: ItemEnum::Module(module), .. }) = krate.index.get(module) else { return };
    for item in module.items.iter().filter_map(|id| krate.index.get(id)) {
        let (item, name) = match &item.inner {
            ItemEnum::Use(import) => match import.id.as_ref().and_then(|id| krate.index.get(id)) {
                Some(item) => (item, import.name.as_str()),
                None => continue, // of another crate
            },
            _ => (item, item.name.as_deref().unwrap_or_default()),
        };
        let path = format!("{path}::{name}");
        match &item.inner {
            ItemEnum::Module(_) if name != "guide" => exported(krate, &item.id, &path, found),
            ItemEnum::Struct(_) | ItemEnum::Enum(_) | ItemEnum::Trait(_) | ItemEnum::Function(_)
                if item.visibility == Visibility::Public =>
            {
                found.push((path, item));
            }
            _ => {}
        }
    }
}

/// What the lint of rustdoc does not see: the items that are exported from private modules.
#[test]
fn each_type_trait_and_function_has_an_example() {
    let Some(json) = described() else { return };
    let krate: Crate = serde_json::from_str(&fs::read_to_string(json).expect("rustdoc wrote it")).expect("JSON");
    let mut found = Vec::new();
    exported(&krate, &krate.root, "segue", &mut found);
    assert!(found.len() > 80, "{} items", found.len());
    let bare = found.iter().filter(|(_, item)| !item.docs.as_deref().unwrap_or_default().contains("```"));
    let bare: Vec<_> = bare.map(|(path, _)| path.as_str()).collect();
    assert!(bare.is_empty(), "write an example for {bare:?}: what would a user do with it?");
}
