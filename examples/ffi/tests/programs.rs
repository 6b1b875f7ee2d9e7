//! The programs in other languages, with the libraries that cargo builds beside its tests.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

fn library(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("this program");
    let path = tests.with_file_name(name);
    assert!(path.exists(), "{} is missing: `cargo test -p segue-ffi` builds it", path.display());
    path
}

/// Runs a program; `missing` says what to do when there is none.
fn run(command: &mut Command, missing: &str) -> Output {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{} does not run ({error}): {missing}", command.get_program().to_string_lossy());
    });
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    output
}

fn compiler() -> Command {
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
    compiler
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(Path::new(PACKAGE).join("include"));
    compiler
}

const NO_COMPILER: &str = "install a C compiler (Debian: `apt-get install gcc`), or name one in the variable CC";

#[test]
fn a_program_in_c_echoes() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("echo");
    let mut compiler = compiler();
    compiler.arg(Path::new(PACKAGE).join("c/echo.c")).arg(library("libsegue_ffi.a"));
    run(compiler.args(["-lpthread", "-ldl", "-lm", "-o"]).arg(&program), NO_COMPILER);
    let output = run(&mut Command::new(&program), "the compiler wrote it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("100000 of 100000 octets came back, the same, both sides closed\n"), "{said}");
    let help = run(Command::new(&program).arg("--help"), "the compiler wrote it");
    assert!(String::from_utf8_lossy(&help.stdout).contains("Usage: echo\n"));
    let wrong = Command::new(&program).arg("--port").output().expect("it ran before");
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(said.contains("\"--port\"") && said.contains("Usage: echo\n") && wrong.stdout.is_empty(), "{said}");
}

#[test]
fn a_program_in_python_echoes() {
    let library = library(&format!("{DLL_PREFIX}segue_ffi{DLL_SUFFIX}"));
    let mut python = Command::new("python3");
    let script = Path::new(PACKAGE).join("python/echo.py");
    python.arg("-B").arg(&script).arg(library);
    let output = run(&mut python, "install Python 3 (Debian: `apt-get install python3`)");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("16384 of 16384 octets came back; finished: both sides closed\n"), "{said}");
    let wrong = Command::new("python3").arg("-B").arg(&script).arg("--port").output().expect("it ran before");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stdout.is_empty() && !wrong.stderr.is_empty());
}
