//! Congestion marks on what the peer sends (RFC 3168 §6.1.3).

use super::tcb::{Cx, Tcb};
use crate::{Controller, Ecn, Flags, Segment};

impl<C: Controller> Tcb<C> {
    /// The ECN codepoint and CWR of text inside of the window (RFC 3168 §6.1.3); of other text they do not count
    /// (§6.1.5).
    pub(super) fn note_mark(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) {
        let ce = segment.ecn == Ecn::Ce;
        if ce && self.echo.is_enabled() {
            cx.out.counters.rare().ecn_marks += 1;
        }
        if self.echo.on_text(segment.flags.contains(Flags::CWR), ce) {
            self.ack.at_once();
        }
    }
}
