//! Builds the program for the small device.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;

const DEVICE: &str = "thumbv7m-none-eabi";

/// What the program is built for.
pub(crate) struct Target {
    pub(crate) name: String,
}

impl Target {
    /// The small device, whose `core` rustup installs if it can; else the machine that this runs on.
    pub(crate) fn choose() -> Outcome<Self> {
        if has_core(DEVICE) {
            return Ok(Self { name: DEVICE.to_owned() });
        }
        eprintln!("installing the target {DEVICE}");
        let mut install = Command::new("rustup");
        let installed = install.args(["target", "add", DEVICE]).status().is_ok_and(|status| status.success());
        if installed && has_core(DEVICE) {
            return Ok(Self { name: DEVICE.to_owned() });
        }
        let version = said(Command::new("rustc").arg("-vV"));
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc tells no host")?;
        eprintln!("NOT MEASURED on {DEVICE}: there is no `core` for it here. Measuring on {host} instead.");
        Ok(Self { name: host.to_owned() })
    }
}

fn has_core(target: &str) -> bool {
    let lib = said(Command::new("rustc").args(["--print", "target-libdir", "--target", target]));
    let Ok(entries) = Path::new(lib.trim()).read_dir() else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn said(command: &mut Command) -> String {
    let output = command.stderr(Stdio::null()).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).into_owned()
}

/// The compiler, on which the sizes depend.
pub(crate) fn compiler() -> String {
    said(Command::new("rustc").arg("--version")).trim().to_owned()
}

/// What the program contains.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Features {
    /// No segue at all.
    Bare,
    /// segue with all default features.
    Default,
    /// segue with no feature.
    Least,
    /// segue with all default features but one.
    Without(String),
}

impl Features {
    pub(crate) const fn name(&self) -> &str {
        match self {
            Self::Bare => "bare",
            Self::Default => "default",
            Self::Least => "least",
            Self::Without(feature) => feature.as_str(),
        }
    }

    /// The features of the program's package.
    fn of_package(&self) -> Outcome<Vec<String>> {
        let machine = |features: Vec<String>| {
            let features = features.iter().map(|feature| format!("segue/{feature}"));
            Ok(["machine".to_owned()].into_iter().chain(features).collect())
        };
        match self {
            Self::Bare => Ok(Vec::new()),
            Self::Least => machine(Vec::new()),
            Self::Default => machine(features()?),
            Self::Without(left_out) => {
                let manifest = manifest()?;
                // What needs it, as in `rack = ["sack"]`, goes with it, and what needs that.
                let needs = |feature: &str, gone: &[String]| {
                    let line = manifest.lines().find_map(|line| line.strip_prefix(feature)?.strip_prefix(" = ["));
                    line.is_some_and(|list| gone.iter().any(|gone| list.contains(&format!("\"{gone}\""))))
                };
                let (mut gone, mut left) = (vec![left_out.clone()], features()?);
                left.retain(|feature| feature != left_out);
                while let Some(at) = left.iter().position(|feature| needs(feature, &gone)) {
                    gone.push(left.remove(at));
                }
                machine(left)
            }
        }
    }
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifest() -> Outcome<String> {
    Ok(std::fs::read_to_string(package().join("../../Cargo.toml"))?)
}

/// segue's default features, from its manifest.
pub(crate) fn features() -> Outcome<Vec<String>> {
    let manifest = manifest()?;
    let (_, default) = manifest.split_once("\ndefault = [").ok_or("no default features in Cargo.toml")?;
    let (list, _) = default.split_once(']').ok_or("the list of default features has no end")?;
    Ok(list.split('"').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Builds the program; returns where it is.
pub(crate) fn build(target: &Target, features: &Features) -> Outcome<PathBuf> {
    let target_dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| package().join("target"), PathBuf::from);
    let target_dir = std::path::absolute(target_dir)?;
    eprintln!("building the program for {}: {}", target.name, features.name());
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--locked", "--quiet", "--release", "--target", &target.name, "--manifest-path"]);
    cargo.arg(package().join("program/Cargo.toml")).arg("--target-dir").arg(&target_dir);
    cargo.arg("--features").arg(features.of_package()?.join(","));
    // Flags for the machine that this runs on do not suit the device.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    if !cargo.status()?.success() {
        return Err(format!("the program does not build with the features {}", features.name()).into());
    }
    Ok(target_dir.join(&target.name).join("release/segue-size-program"))
}
