//! Where only the target of the host is there, links for it all the same: no C runtime, no C library. Nobody runs it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie", "-Wl,--unresolved-symbols=ignore-all"] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}
