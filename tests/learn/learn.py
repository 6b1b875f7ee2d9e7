"""Learns the automaton of a subject by experiment, with AALpy, and knows nothing about TCP.

The subject is a program that speaks over stdin and stdout: `query WORD...` brings the answers with tabs between them,
`reset` and `step WORD` the answer to one word. What is learned goes to a file, one line for each state and word.
"""

import argparse
import random
import subprocess
import sys
import time

from aalpy.base import Oracle, SUL
from aalpy.learning_algs import run_KV, run_Lsharp
from aalpy.oracles import RandomWMethodEqOracle, WpMethodEqOracle


class Program(SUL):
    """The program as AALpy wants it: a whole word is one line."""

    def __init__(self, command):
        super().__init__()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"the subject ended at `{line}`: its message is above")
        return answer.rstrip("\n")

    def query(self, word):
        self.num_queries += 1
        self.num_steps += len(word)
        return self.ask("query " + " ".join(word)).split("\t") if word else []

    def pre(self):
        self.ask("reset")

    def post(self):
        pass

    def step(self, letter):
        return self.ask("step " + letter)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Tests(Oracle):
    """The words that are given come first, then random words. Then the Wp-method: it misses nothing as long as
    the subject has no more states than were found and `extra`."""

    def __init__(self, alphabet, sul, extra, walks, given, progress):
        super().__init__(alphabet, sul)
        self.progress = progress
        self.extra = extra
        self.walks = walks
        self.given = given

    def wrong(self, hypothesis, word):
        self.num_queries += 1
        self.num_steps += len(word)
        seen = self.sul.query(word)
        hypothesis.reset_to_initial()
        for place, letter in enumerate(word):
            if hypothesis.step(letter) != seen[place]:
                return word[: place + 1]
        return None

    def find_cex(self, hypothesis):
        if self.progress:
            print(f"  {len(hypothesis.states)} states so far", file=sys.stderr)
        for word in self.given:
            found = self.wrong(hypothesis, word)
            if found:
                return found
        oracles = [RandomWMethodEqOracle(self.alphabet, self.sul, walks_per_state=self.walks, walk_len=12)]
        if self.extra >= 0:
            oracles.append(WpMethodEqOracle(self.alphabet, self.sul, len(hypothesis.states) + self.extra))
        for oracle in oracles:
            found = oracle.find_cex(hypothesis)
            self.num_queries += oracle.num_queries
            self.num_steps += oracle.num_steps
            if found:
                return found
        return None


def lines(machine, alphabet):
    """Breadth first from the initial state, so that the same automaton gives the same file."""
    order = [machine.initial_state]
    for state in order:
        for word in alphabet:
            if state.transitions[word] not in order:
                order.append(state.transitions[word])
    for number, state in enumerate(order):
        for word in alphabet:
            yield f"{number}\t{word}\t{state.output_fun[word]}\t{order.index(state.transitions[word])}\n"


def learn(args):
    words = subprocess.run([args.program, "words", args.alphabet], check=True, capture_output=True, text=True)
    alphabet = words.stdout.split()
    random.seed(args.seed)
    sul = Program([args.program, args.talk, args.alphabet])
    given = []
    if args.suite:
        suite = subprocess.run([args.program, "suite", args.alphabet], check=True, capture_output=True, text=True)
        given = [tuple(line.split()) for line in suite.stdout.splitlines()]
    oracle = Tests(alphabet, sul, args.extra, args.walks, given, args.progress)
    began = time.monotonic()
    if args.algorithm == "kv":
        machine, data = run_KV(alphabet, sul, oracle, "mealy", print_level=0, return_data=True)
    else:
        machine, data = run_Lsharp(alphabet, sul, oracle, "mealy", print_level=0, return_data=True)
    seconds = time.monotonic() - began
    sul.close()
    with open(args.out, "w") as file:
        file.writelines(lines(machine, alphabet))
    learning, testing = data["queries_learning"], data["queries_eq_oracle"]
    print(
        f"{args.alphabet}: {len(machine.states)} states, {len(alphabet)} words, {learning} queries to learn and "
        f"{testing} to test, {seconds:.1f} s"
    )


def main():
    parser = argparse.ArgumentParser(description="Learns the automaton of a subject and writes it to a file.")
    parser.add_argument("program", help="the program segue-learn")
    parser.add_argument("alphabet")
    parser.add_argument("out", help="the file for what is learned")
    parser.add_argument("--talk", default="talk", help="the program's command that makes it a subject")
    parser.add_argument("--algorithm", choices=["lsharp", "kv"], default="lsharp")
    parser.add_argument("--extra", type=int, default=1, help="states that the Wp-method allows for; -1: no Wp-method")
    parser.add_argument("--walks", type=int, default=20, help="random words from each state")
    parser.add_argument("--suite", action="store_true", help="tests each transition of the reference table's automaton")
    parser.add_argument("--progress", action="store_true", help="tells how many states each hypothesis has")
    parser.add_argument("--seed", type=int, default=1)
    learn(parser.parse_args())


if __name__ == "__main__":
    main()
