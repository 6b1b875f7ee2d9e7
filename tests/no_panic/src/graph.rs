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
    pub(crate) section: String,
    pub(crate) at: u64,
    entry: usize,
}

pub(crate) struct Graph {
    pub(crate) object: Vec<u8>,
    names: BTreeMap<Section, String>,
    edges: BTreeMap<Section, Vec<Edge>>,
    symbols: BTreeMap<String, Section>,
}

impl Graph {
    pub(crate) fn read(library: &Library) -> Outcome<Self> {
        let archive = library.read()?;
        for member in ArchiveFile::parse(&*archive)?.members() {
            let octets = member?.data(&*archive)?;
            if Elf::parse(octets).is_ok() && octets.windows(UNDEFINED.len()).any(|name| name == UNDEFINED.as_bytes()) {
                return Self::of(octets);
            }
        }
        Err(format!("no object of the library refers to {UNDEFINED}").into())
    }

    fn of(octets: &[u8]) -> Outcome<Self> {
        let header = Elf::parse(octets)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, octets)?;
        let symbols = sections.symbols(endian, octets, object::elf::SHT_SYMTAB)?;
        let mut graph =
            Self { object: octets.to_vec(), names: BTreeMap::new(), edges: BTreeMap::new(), symbols: BTreeMap::new() };
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

    fn edges(&self, section: Section) -> &[Edge] {
        self.edges.get(&section).map_or(&[], Vec::as_slice)
    }

    fn panics_in(&self, section: Section) -> Vec<Panic> {
        let function = self.name(section);
        let mut panics = Vec::new();
        for edge in self.edges(section) {
            let panic = self.name(edge.to);
            if is_panic(&panic) && !is_panic(&function) {
                let section = self.names.get(&section).cloned().unwrap_or_default();
                panics.push(Panic { function: function.clone(), panic, section, at: edge.at, entry: edge.entry });
            }
        }
        panics
    }

    /// The references to panics that can be reached from an entry point.
    pub(crate) fn panics_of(&self, entry: &str) -> BTreeSet<Panic> {
        let Some(&from) = self.symbols.get(entry) else { return BTreeSet::new() };
        let (mut found, mut queue) = (BTreeSet::from([from]), VecDeque::from([from]));
        let mut panics = BTreeSet::new();
        while let Some(section) = queue.pop_front() {
            panics.extend(self.panics_in(section));
            for edge in self.edges(section) {
                if !is_panic(&self.name(edge.to)) && found.insert(edge.to) {
                    queue.push_back(edge.to);
                }
            }
        }
        panics
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
