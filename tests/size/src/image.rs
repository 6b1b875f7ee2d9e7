//! What a linked program consists of.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;

use addr2line::Loader;
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use rustc_demangle::demangle;

use crate::Outcome;

pub(crate) struct Image {
    file: PathBuf,
    octets: Vec<u8>,
}

impl Image {
    pub(crate) fn read(file: PathBuf) -> Outcome<Self> {
        let octets = std::fs::read(&file)?;
        object::File::parse(&*octets)?;
        Ok(Self { file, octets })
    }

    fn object(&self) -> object::File<'_> {
        object::File::parse(&*self.octets).expect("parsed before")
    }

    /// Octets of code, constants and initial values: what lies in the device's flash.
    pub(crate) fn size(&self) -> u64 {
        let object = self.object();
        let in_flash = object.sections().filter(|section| match section.kind() {
            SectionKind::Text | SectionKind::Data => true,
            SectionKind::ReadOnlyData | SectionKind::ReadOnlyString => section.name() != Ok(".eh_frame"),
            _ => false,
        });
        in_flash.map(|section| section.size()).sum()
    }

    /// The functions, the largest first. Two instances of a generic function are two.
    pub(crate) fn functions(&self) -> Vec<(String, u64)> {
        let object = self.object();
        let symbols = object.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
        let mut functions: Vec<_> =
            symbols.map(|symbol| (format!("{:#}", demangle(symbol.name().unwrap_or("?"))), symbol.size())).collect();
        functions.sort_by_key(|&(_, size)| Reverse(size));
        functions
    }

    /// Octets of code by the source that they come from, the largest first: segue's file where code of a library became
    /// part of segue's function.
    pub(crate) fn by_source(&self) -> Outcome<Vec<(String, u64)>> {
        let loader = Loader::new(&self.file)?;
        let mut sources = BTreeMap::<String, u64>::new();
        for section in self.object().sections().filter(|section| section.kind() == SectionKind::Text) {
            // Two octets are the smallest instruction of the device.
            for address in (section.address()..section.address() + section.size()).step_by(2) {
                *sources.entry(source_of(&loader, address)?).or_default() += 2;
            }
        }
        let mut sources: Vec<_> = sources.into_iter().collect();
        sources.sort_by_key(|&(_, octets)| Reverse(octets));
        Ok(sources)
    }
}

fn source_of(loader: &Loader, address: u64) -> Outcome<String> {
    let mut frames = loader.find_frames(address)?;
    let mut innermost = None;
    while let Some(frame) = frames.next()? {
        let Some(file) = frame.location.and_then(|location| location.file) else { continue };
        let crate_root = env!("CARGO_MANIFEST_DIR").trim_end_matches("tests/size");
        if let Some(own) = file.strip_prefix(crate_root).filter(|own| own.starts_with("src/")) {
            return Ok(own.to_owned());
        }
        innermost.get_or_insert_with(|| library_of(file));
    }
    Ok(innermost.unwrap_or_else(|| "unknown".to_owned()))
}

/// The library's name and its file's first folder, or so.
fn library_of(file: &str) -> String {
    let tail = ["/library/", "/registry/src/", "/tests/size/"].iter().find_map(|part| Some(file.split_once(part)?.1));
    tail.unwrap_or(file).to_owned()
}
