//! The same work done by segue and by others, each by way of its public interface.

mod codec;
mod smoltcp;
mod vtcp;

use std::fmt;
use std::net::Ipv4Addr;
use std::rc::Rc;

pub use codec::{OCTETS, checksums};
use segue_benches::{Form, Run};

/// Octets of text in a full segment.
const MSS: usize = 1448;
static TEXT: [u8; 32 * MSS] = [0x5A; 32 * MSS];
const US: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const THEM: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// The work of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// A full segment sent, received and given to the user, with its half of an acknowledgment.
    Path,
    /// 64 octets there and back.
    RoundTrip,
    /// Open, one octet each way, close.
    Life,
    /// A header with timestamps.
    Decode,
    Encode,
    /// Of 1460 octets.
    Checksum,
}

/// What one does for one kind of work.
#[derive(Clone)]
pub struct Row {
    pub work: Work,
    /// Whether checksums are computed and verified.
    pub checksum: bool,
    pub who: &'static str,
    pub run: Run,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { work, checksum, who, .. } = self;
        write!(f, "{work:?}, checksum {}, {who}", if *checksum { "on" } else { "off" })
    }
}

fn row(work: Work, checksum: bool, who: &'static str, run: impl Fn() -> u32 + 'static) -> Row {
    Row { work, checksum, who, run: Rc::new(run) }
}

/// All rows, grouped by work.
pub fn rows() -> Vec<Row> {
    let mut rows = segue();
    rows.extend(smoltcp::rows());
    rows.extend(vtcp::rows());
    rows.extend(codec::rows());
    rows
}

/// The rows that segue's own benchmarks have already.
fn segue() -> Vec<Row> {
    let works = [
        ("whole path of a segment", Work::Path),
        ("64 octets there and back", Work::RoundTrip),
        ("life of a pair", Work::Life),
        ("decode, timestamps", Work::Decode),
        ("encode, timestamps", Work::Encode),
    ];
    let mut rows = Vec::new();
    for (name, work) in works {
        for own in segue_benches::rows() {
            let checksum = match own.form {
                Form::Value => continue,
                Form::Octets => false,
                Form::Checksum => true,
            };
            if own.name.starts_with(name) && !own.name.contains("SACK") {
                rows.push(Row { work, checksum, who: "segue", run: own.run });
            }
        }
    }
    rows
}
