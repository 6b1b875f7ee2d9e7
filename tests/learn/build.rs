//! The lockstep program has a clock of its own, see `clock.c`.

fn main() {
    println!("cargo::rerun-if-changed=clock.c");
    for object in cc::Build::new().file("clock.c").warnings(true).compile_intermediates() {
        println!("cargo::rustc-link-arg-bin=segue-lockstep={}", object.display());
    }
}
