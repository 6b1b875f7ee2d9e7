//! Builds the library and links entry points.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::graph::{Panic, UNDEFINED};

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

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// As Cargo builds for release: an overflow wraps.
    Release,
    /// With overflow checks.
    Checked,
}

impl Build {
    pub(crate) const ALL: [Self; 2] = [Self::Release, Self::Checked];

    const fn profile(self) -> &'static str {
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

    /// The lines of the sources from which a reference was made, innermost first.
    pub(crate) fn place(&self, panic: &Panic) -> String {
        let mut command = Command::new("addr2line");
        command.args(["--inlines", "--exe"]).arg(self.scratch.join("entries.o"));
        command.args(["--section", &panic.section, &format!("{:#x}", panic.at)]);
        let output = command.output().map(|output| output.stdout).unwrap_or_default();
        let lines = String::from_utf8_lossy(&output);
        let short = |line: &str| {
            let at = ["/library/", "/src/"].iter().find_map(|mark| line.rfind(mark)).unwrap_or(0);
            line.get(at..).unwrap_or(line).trim_start_matches('/').to_owned()
        };
        lines.lines().map(short).collect::<Vec<_>>().join(" < ")
    }
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
