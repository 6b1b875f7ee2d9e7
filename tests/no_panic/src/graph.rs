//! The one object that holds the crate and all that it uses: which section refers to which. The linker follows the same
//! references with `--gc-sections`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use object::Endianness;
use object::elf::{FileHeader64, SHT_RELA};
use object::read::archive::ArchiveFile;
use object::read::elf::{FileHeader, Rela, SectionHeader};

use crate::Outcome;
use crate::build::Library;

/// What the panic handler calls.
pub(crate) const UNDEFINED: &str = "PANIC_REACHABLE";

type Elf = FileHeader64<Endianness>;
type Section = usize;

/// A reference from a place in a section to another section.
struct Edge {
    at: u64,
    to: Section,
    /// Where in the file the relocation stands.
    entry: usize,
}

/// A reference from ordinary code to a panic.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Panic {
    /// The function that may panic, and how the panic is named.
    pub(crate) function: String,
    pub(crate) panic: String,
    /// The lines of the sources from which the reference comes, innermost first.
    pub(crate) lines: Vec<String>,
    at: u64,
    entry: usize,
}

impl Panic {
    /// Where the line stands that comes to the panic, without the standard library: `bytes-1.12.0/src/bytes.rs`.
    pub(crate) fn written(&self) -> &str {
        self.lines.iter().find(|line| !line.starts_with("library/")).map_or("", String::as_str)
    }

    /// The file of segue, or else of another crate, that comes to the panic.
    pub(crate) fn source(&self) -> &str {
        let file = |line: &str| line.starts_with("src/") || line.starts_with("tests/");
        let line = self.lines.iter().find(|line| file(line)).map_or_else(|| self.written(), String::as_str);
        line.split(':').next().unwrap_or_default()
    }
}

pub(crate) struct Graph {
    pub(crate) object: Vec<u8>,
    names: BTreeMap<Section, String>,
    edges: BTreeMap<Section, Vec<Edge>>,
    symbols: BTreeMap<String, Section>,
    /// The lines of the sources from which a place comes that refers to a panic, or may lead to one.
    lines: BTreeMap<(Section, u64), Vec<String>>,
}

impl Graph {
    pub(crate) fn read(library: &Library) -> Outcome<Self> {
        let archive = library.read()?;
        for member in ArchiveFile::parse(&*archive)?.members() {
            let octets = member?.data(&*archive)?;
            if Elf::parse(octets).is_ok() && octets.windows(UNDEFINED.len()).any(|name| name == UNDEFINED.as_bytes()) {
                let mut graph = Self::of(octets)?;
                library.keep(octets)?;
                graph.find_lines(library)?;
                return Ok(graph);
            }
        }
        Err(format!("no object of the library refers to {UNDEFINED}").into())
    }

    fn of(octets: &[u8]) -> Outcome<Self> {
        let header = Elf::parse(octets)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, octets)?;
        let symbols = sections.symbols(endian, octets, object::elf::SHT_SYMTAB)?;
        let mut graph = Self {
            object: octets.to_vec(),
            names: BTreeMap::new(),
            edges: BTreeMap::new(),
            symbols: BTreeMap::new(),
            lines: BTreeMap::new(),
        };
        for (index, section) in sections.enumerate() {
            graph.names.insert(index.0, String::from_utf8_lossy(sections.section_name(endian, section)?).into_owned());
        }
        for (index, symbol) in symbols.enumerate() {
            if let Some(section) = symbols.symbol_section(endian, symbol, index)? {
                let name = String::from_utf8_lossy(symbols.symbol_name(endian, symbol)?).into_owned();
                graph.symbols.insert(name, section.0);
            }
        }
        for section in sections.iter().filter(|section| section.sh_type(endian) == SHT_RELA) {
            let from = usize::try_from(section.sh_info(endian))?;
            if graph.names.get(&from).is_none_or(|name| name.starts_with(".debug") || name.starts_with(".eh_frame")) {
                continue;
            }
            let Some((relocations, _)) = section.rela(endian, octets)? else { continue };
            let start = usize::try_from(section.sh_offset(endian))?;
            for (n, relocation) in relocations.iter().enumerate() {
                let Some(index) = relocation.symbol(endian, false) else { continue };
                if let Some(to) = symbols.symbol_section(endian, symbols.symbol(index)?, index)? {
                    let entry = start + n * size_of_val(relocation);
                    graph.edges.entry(from).or_default().push(Edge {
                        at: relocation.r_offset(endian),
                        to: to.0,
                        entry,
                    });
                }
            }
        }
        Ok(graph)
    }

    fn find_lines(&mut self, library: &Library) -> Outcome<()> {
        let mut lines = BTreeMap::new();
        for (&from, edges) in &self.edges {
            let name = self.name(from);
            let of_interest = |edge: &&Edge| {
                let to = self.name(edge.to);
                !is_panic(&name) && (is_panic(&to) || is_foreign(&to) && !is_foreign(&name))
            };
            let places: Vec<u64> = edges.iter().filter(of_interest).map(|edge| edge.at).collect();
            if let (true, false, Some(raw)) = (self.is_text(from), places.is_empty(), self.names.get(&from)) {
                let found = library.lines(raw, &places)?;
                lines.extend(places.into_iter().map(|at| (from, at)).zip(found));
            }
        }
        self.lines = lines;
        Ok(())
    }

    /// The entry points, by name.
    pub(crate) fn entries(&self) -> Vec<String> {
        self.symbols.keys().filter(|name| name.starts_with("entry_")).cloned().collect()
    }

    /// The function of a section, as its author wrote it.
    fn name(&self, section: Section) -> String {
        let raw = self.names.get(&section).map_or("", String::as_str);
        let symbol = [".text.unlikely.", ".text.hot.", ".text."].iter().find_map(|prefix| raw.strip_prefix(prefix));
        format!("{:#}", rustc_demangle::demangle(symbol.unwrap_or(raw)))
    }

    fn is_text(&self, section: Section) -> bool {
        self.names.get(&section).is_some_and(|name| name.starts_with(".text"))
    }

    fn edges(&self, section: Section) -> &[Edge] {
        self.edges.get(&section).map_or(&[], Vec::as_slice)
    }

    fn panics_in(&self, section: Section) -> Vec<Panic> {
        let is_panic = |edge: &&Edge| is_panic(&self.name(edge.to)) && !is_panic(&self.name(section));
        self.edges(section).iter().filter(is_panic).map(|edge| self.panic(section, edge)).collect()
    }

    fn panic(&self, section: Section, edge: &Edge) -> Panic {
        let lines = self.lines.get(&(section, edge.at)).cloned().unwrap_or_default();
        Panic { function: self.name(section), panic: self.name(edge.to), lines, at: edge.at, entry: edge.entry }
    }

    /// The sections that can be reached, but for the panics.
    fn reached(&self, from: Section, through: impl Fn(Section) -> bool) -> BTreeSet<Section> {
        let (mut found, mut queue) = (BTreeSet::from([from]), VecDeque::from([from]));
        while let Some(section) = queue.pop_front() {
            for edge in self.edges(section) {
                if !is_panic(&self.name(edge.to)) && through(edge.to) && found.insert(edge.to) {
                    queue.push_back(edge.to);
                }
            }
        }
        found
    }

    /// The references to panics that can be reached from an entry point.
    pub(crate) fn panics_of(&self, entry: &str) -> BTreeSet<Panic> {
        let reached = self.symbols.get(entry).map(|&from| self.reached(from, |_| true)).unwrap_or_default();
        reached.into_iter().flat_map(|section| self.panics_in(section)).collect()
    }

    /// The calls from segue to functions of other crates that reach panics by themselves, each with these panics, as far as
    /// entry points can reach it.
    pub(crate) fn calls(&self) -> Vec<(Panic, BTreeSet<Panic>)> {
        let entries = self.entries();
        let from = entries.iter().filter_map(|entry| self.symbols.get(entry));
        let sections: BTreeSet<Section> = from.flat_map(|&from| self.reached(from, |_| true)).collect();
        let mut calls = Vec::new();
        // Tables of pointers to functions are made by the crates that the pointers lead into.
        let calls_others = |section: &Section| self.is_text(*section) && !is_foreign(&self.name(*section));
        for section in sections.into_iter().filter(calls_others) {
            for edge in self.edges(section) {
                let to = self.name(edge.to);
                if is_foreign(&to) && !is_panic(&to) {
                    let reached = self.reached(edge.to, |section| is_foreign(&self.name(section)));
                    let panics = reached.into_iter().flat_map(|section| self.panics_in(section)).collect();
                    calls.push((self.panic(section, edge), panics));
                }
            }
        }
        calls
    }

    /// The object with the references to such panics taken out. What reaches a panic in another way still does not link.
    pub(crate) fn without(&self, apart: impl Fn(&Panic) -> bool) -> Vec<u8> {
        let mut object = self.object.clone();
        for &section in self.edges.keys() {
            for panic in self.panics_in(section).into_iter().filter(|panic| apart(panic)) {
                // The kind 0 is none, on every processor.
                if let Some(info) = object.get_mut(panic.entry + 8..panic.entry + 16) {
                    info.fill(0);
                }
            }
        }
        object
    }
}

/// Whether a function does nothing but panic. The names serve to set panics apart and to explain; whether one can be reached
/// is for the linker to say.
fn is_panic(name: &str) -> bool {
    let begins = [
        "core::panicking::",
        "alloc::raw_vec::handle_error",
        "alloc::raw_vec::capacity_overflow",
        "bytes::panic_",
        "bytes::abort",
    ];
    let ends = ["::assert_failed", "::unwrap_failed", "::expect_failed", "_fail", "::panic_for_nonpositive_argument"];
    begins.iter().any(|begin| name.starts_with(begin)) || ends.iter().any(|end| name.ends_with(end))
}

/// Whether a function belongs to a crate that segue uses. An implementation of a trait of segue for its type does not.
pub(crate) fn is_foreign(name: &str) -> bool {
    let of = name.trim_start_matches(['<', '&', '[', '(']);
    let of = of.strip_prefix("mut ").unwrap_or(of);
    let crates = ["core::", "alloc::", "std::", "bytes::", "etherparse::", "arrayvec::"];
    crates.iter().any(|begin| of.starts_with(begin)) && !name.contains(" as segue::")
}
