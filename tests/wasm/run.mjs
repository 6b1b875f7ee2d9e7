// node run.mjs MODULE: prints the hashes of the first conversations in WebAssembly.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]));
for (let seed = 1; seed <= 5; seed++) {
    const hash = BigInt.asUintN(64, instance.exports.conversation(seed));
    console.log(seed, hash.toString(16).padStart(16, "0"));
}
