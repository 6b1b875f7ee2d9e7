//! Prints the hashes of the first conversations on this machine.

fn main() {
    for seed in 1..=5 {
        println!("{seed} {:016x}", segue_wasm::conversation(seed));
    }
}
