//! Builds the library and links entry points.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::graph::UNDEFINED;

/// What this machine lacks.
#[derive(Debug)]
pub(crate) struct Missing(&'static str);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Missing {}

/// # Errors
///
/// [`Missing`].
pub(crate) fn check_tools() -> Outcome<()> {
    if !cfg!(all(unix, target_pointer_width = "64", target_endian = "little", not(target_vendor = "apple"))) {
        return Err(Missing("it reads ELF of 64 bits, little-endian").into());
    }
    for (tool, why) in [
        ("cc", "no cc here (Debian: apt-get install gcc)"),
        ("addr2line", "no addr2line here (Debian: apt-get install binutils)"),
    ] {
        let runs = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !runs.is_ok_and(|status| status.success()) {
            return Err(Missing(why).into());
        }
    }
    Ok(())
}

/// The compiler and the kind of machine, on which the number of places depends.
pub(crate) fn compiler() -> String {
    let said = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    format!("{}, {}", String::from_utf8_lossy(&said).trim(), std::env::consts::ARCH)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Build {
    /// As Cargo builds for release: an overflow wraps.
    Release,
    /// With overflow checks.
    Checked,
}

impl Build {
    pub(crate) const ALL: [Self; 2] = [Self::Release, Self::Checked];

    pub(crate) const fn profile(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Checked => "checked",
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Release => "for release",
            Self::Checked => "with overflow checks",
        }
    }
}

/// The static library of entry points.
pub(crate) struct Library {
    path: PathBuf,
    /// Where the linked programs go.
    scratch: PathBuf,
}

impl Library {
    pub(crate) fn build(build: Build) -> Outcome<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("target"), PathBuf::from);
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--locked", "--quiet", "--profile", build.profile(), "--manifest-path"]);
        cargo.arg(here.join("entries/Cargo.toml")).arg("--target-dir").arg(&target);
        // The lines of the sources are in the profiles of the package: nobody may take them away.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PROFILE_")) {
            cargo.env_remove(name);
        }
        if !cargo.status()?.success() {
            return Err("the entry points do not compile".into());
        }
        let built = std::path::absolute(target.join(build.profile()))?;
        let scratch = built.join("no_panic");
        std::fs::create_dir_all(&scratch)?;
        Ok(Self { path: built.join("libsegue_no_panic_entries.a"), scratch })
    }

    pub(crate) fn read(&self) -> Outcome<Vec<u8>> {
        Ok(std::fs::read(&self.path)?)
    }

    /// Whether a program that calls this entry point links with the object.
    ///
    /// # Errors
    ///
    /// Where the linker fails for another reason than a panic that can be reached.
    pub(crate) fn links(&self, entry: &str, object: &[u8]) -> Outcome<bool> {
        let (program, whole) = (self.scratch.join("main.c"), self.scratch.join("entries.o"));
        std::fs::write(&program, PROGRAM)?;
        std::fs::write(&whole, object)?;
        let mut cc = Command::new("cc");
        cc.env("LC_ALL", "C").arg(format!("-DENTRY={entry}")).arg(&program).arg(&whole).arg(&self.path);
        cc.args(["-Wl,--gc-sections", "-Wl,--strip-all", "-o"]).arg(self.scratch.join("linked"));
        let output = cc.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() || said.contains(&format!("undefined reference to `{UNDEFINED}'")) {
            return Ok(output.status.success());
        }
        Err(format!("{entry} does not link, and not because of a panic:\n{said}").into())
    }

    /// Where this object is, for [`lines`](Self::lines).
    pub(crate) fn keep(&self, object: &[u8]) -> Outcome<()> {
        Ok(std::fs::write(self.kept(), object)?)
    }

    fn kept(&self) -> PathBuf {
        self.scratch.join("kept.o")
    }

    /// The lines of the sources from which each of these places of a section comes, innermost first.
    pub(crate) fn lines(&self, section: &str, places: &[u64]) -> Outcome<Vec<Vec<String>>> {
        let mut command = Command::new("addr2line");
        command.args(["--addresses", "--inlines", "--exe"]).arg(self.kept()).args(["--section", section]);
        command.args(places.iter().map(|at| format!("{at:#x}")));
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let mut all: Vec<Vec<String>> = Vec::new();
        for said in said.lines() {
            match all.last_mut() {
                _ if said.starts_with("0x") => all.push(Vec::new()),
                Some(lines) => lines.push(line(said)),
                None => {}
            }
        }
        if all.len() == places.len() {
            Ok(all)
        } else {
            Err(format!("addr2line does not read {section}: {said}").into())
        }
    }
}

/// A line of the sources, without the root of the repository.
fn line(line: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_default();
    let at = ["/library/", "/registry/src/"].iter().find_map(|mark| line.find(mark)).map_or(0, |at| at + 1);
    let inside = line.strip_prefix(&*root.to_string_lossy()).map(|inside| inside.trim_start_matches('/'));
    // The line of the registry begins with its index: `registry/src/index.crates.io-0123/bytes-1.12.0/src/bytes.rs:1`.
    let line = inside.unwrap_or_else(|| line.get(at..).unwrap_or(line));
    line.strip_prefix("registry/src/").and_then(|line| line.split_once('/')).map_or(line, |(_, line)| line).to_owned()
}

/// What the entry points need of a host: memory, a sink, and a beginning.
const PROGRAM: &str = "\
void ENTRY(void);
int main(void) { ENTRY(); return 0; }
void host_takes(void) {}
void *host_alloc(void) { return 0; }
void *host_realloc(void) { return 0; }
void host_free(void) {}
";
