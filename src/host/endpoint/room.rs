//! A flush into a device that may have no room.

use alloc::collections::VecDeque;
use core::net::SocketAddr;

use super::Endpoint;
use crate::codec::{Packet, PseudoHeader};
use crate::host::flow::Flow;
use crate::{Controller, Instant};

impl<C: Controller> Endpoint<C> {
    /// [`flush`](Self::flush) into a device with bounded room, such as the ring of a network card. `send` says whether it
    /// took the packet. One that it did not take waits with all that follow, and they come first in the next flush of any
    /// kind: so none is lost that would have to be sent again. [`wants_flush`](Self::wants_flush) tells that some wait: flush
    /// when the device has room. Up to [`EndpointConfig::answers`](crate::host::EndpointConfig::answers) packets wait, with
    /// text that the send buffers hold anyway; more are dropped, as a network may.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::host::{Endpoint, EndpointConfig, Keys};
    ///
    /// let mut tcp = Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default());
    /// tcp.connect("192.0.2.1".parse()?, "198.51.100.7:80".parse()?, Instant::ZERO)?;
    /// tcp.flush_while(Instant::ZERO, |_, _| false); // the ring is full
    /// assert!(tcp.wants_flush());
    /// tcp.flush_while(Instant::ZERO, |_, packet| packet.dst_port == 80); // it takes the SYN
    /// assert!(!tcp.wants_flush());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush_while(&mut self, now: Instant, mut send: impl FnMut(PseudoHeader, &Packet) -> bool) {
        let (mut waiting, mut room, most) = (VecDeque::new(), true, self.answers.most);
        self.flush(now, |addresses, packet| {
            room = room && send(addresses, &packet);
            if room || waiting.len() >= most {
                return;
            }
            let [local, remote] = [(addresses.src(), packet.src_port), (addresses.dst(), packet.dst_port)];
            let flow = Flow::new(SocketAddr::from(local), SocketAddr::from(remote));
            waiting.extend(flow.map(|flow| (flow, packet.segment)));
        });
        self.answers.queue.append(&mut waiting); // the flush has emptied it
    }
}
