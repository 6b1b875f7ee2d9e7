//! Accurate feedback on an acknowledgment (RFC 9768).

use super::Sender;
use super::delivered::Delivered;
use crate::ecn::accurate::sender::{DataSender, Marks, Told};
use crate::{AccEcn, Controller, Ecn};

/// What a segment of the peer says of marks.
pub(crate) struct Feedback<'a> {
    pub(crate) sender: &'a mut DataSender,
    /// The ACE field.
    pub(crate) ace: u8,
    pub(crate) option: Option<AccEcn>,
    /// Its timestamp is later than any before.
    pub(crate) later: bool,
}

impl<C: Controller> Sender<C> {
    /// Whether text is sent as ECT(1), and its marks are those of L4S: the controller is scalable, and feedback is accurate
    /// (RFC 9331 §4.2).
    pub(crate) fn is_l4s(&self) -> bool {
        self.ecn.is_accurate() && self.cc.is_scalable()
    }

    /// The codepoint of new text that is ECN-capable.
    pub(crate) fn codepoint(&self) -> Ecn {
        if self.is_l4s() { Ecn::Ect1 } else { Ecn::Ect0 }
    }

    /// What the peer says of marks, unless another acknowledgment has superseded this one (RFC 9768 App. A.1). Returns
    /// whether there are any.
    pub(super) fn take_feedback(&mut self, feedback: Feedback<'_>, delivered: &mut Delivered, mss: u32) -> bool {
        let Feedback { sender, ace, option, later } = feedback;
        let new = delivered.octets > 0 || delivered.packets > 0; // without SACK, a duplicate brings nothing new
        if !new && !later {
            return false;
        }
        let octets = if new { delivered.delivered } else { 0 };
        let packets = delivered.packets.max(u32::from(new));
        let (una, nxt) = (self.board.una(), self.board.nxt());
        let marks = sender.on_ack(&Told { ace, option, packets, octets, mss, una, nxt });
        if self.ecn.is_capable() && !sender.sets_ect() {
            self.ecn.agree_accurate(false);
        }
        delivered.marks = Marks { octets: marks.octets.min(octets), ..marks };
        marks != Marks::default()
    }
}
