//! The path MTU: which ICMP errors are believed (RFC 5927 §7.2), and the remedy where none come (RFC 4821 §7.7).

mod black_hole;
mod conversation;
mod errors;
mod link;
mod narrow;
mod search;
mod switched;

use segue_kit::rig::Rig;
use segue_kit::streams::peer;
use segue_kit::{ms, plain};

/// ESTABLISHED; packets of 1500 octets have got through, the first 2920 octets of our text. A round trip takes 100 ms.
fn proven() -> Rig {
    let mut tcp = Rig::established_with_reno(plain());
    tcp.send(2920);
    tcp.quiet(ms(100));
    tcp.arrives(peer(0, 2920));
    tcp
}
