//! The congestion controller, exchanged while the connection lives.

use core::mem;

#[cfg(feature = "host")]
use super::parts::Open;
use super::tcb::{Cx, Tcb};
use super::{Connection, Phase};
use crate::{Controller, Instant, SeqNum, Sink};

impl<C: Controller> Connection<C> {
    /// Another congestion controller takes over, in any state and at any moment. Returns the one before; in CLOSED,
    /// where there is none, `controller` itself.
    ///
    /// It is told whether segments are paced, its seed and its [`start`](Controller::start), as at the opening, and the round
    /// trip ([`set_rtt`](Controller::set_rtt)); before the handshake is complete, when it is complete, and no round trip. The
    /// window that it starts with is no more than the one before it, and of that as much as is in flight, or the initial
    /// window where less is, or losses of a controller by rates are being repaired. The slow-start threshold stays. Loss recovery goes on towards the new window; the reduction
    /// before it is not undone any more. A controller that works by rates hears of no rates of segments that were sent before. Text leaves as ECT(1) from now on, or as ECT(0), as the
    /// new controller [is scalable](Controller::is_scalable) or not; marks of what was sent before are told to the new one.
    ///
    /// This is no [`Event`](crate::Event), since a controller of any type may be exchanged. A journal holds the new controller by
    /// value: `Recorder::replace_controller` writes it (feature `serde`).
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// use segue::congestion::{Algorithm, Reno};
    /// let (mut client, mut actions) = Connection::connect(config, path, secrets(100), now);
    /// let before = client.replace_controller(Algorithm::Reno(Reno::default()), now, &mut actions);
    /// assert_eq!(before, Algorithm::default());
    /// assert!(matches!(client.controller(), Some(Algorithm::Reno(_))));
    /// ```
    pub fn replace_controller(&mut self, controller: C, now: Instant, sink: &mut impl Sink) -> C {
        let mut controller = controller; // the new one, and then the one before
        self.event(now, sink, false, |phase, cx| phase.exchange_controller(&mut controller, cx));
        if cfg!(any(debug_assertions, fuzzing)) {
            self.check_invariants();
        }
        controller
    }

    /// The same as a part of a batch.
    #[cfg(feature = "host")]
    pub(crate) fn controller_part(&mut self, controller: C, now: Instant, open: &mut Open, sink: &mut dyn Sink) -> C {
        let mut controller = controller;
        self.rare_part(now, open, sink, |phase, cx| phase.exchange_controller(&mut controller, cx));
        controller
    }
}

impl<C: Controller> Phase<C> {
    /// Puts the controller in its place, and the one before in its own.
    fn exchange_controller(&mut self, controller: &mut C, cx: &mut Cx<'_, '_>) {
        match self {
            Self::Closed => {}
            Self::Listen(listen) => mem::swap(&mut listen.controller, controller),
            Self::SynSent(opening) => opening.snd.swap_controller(controller, cx.now),
            Self::Live(tcb) if tcb.snd.syn => tcb.snd.swap_controller(controller, cx.now),
            Self::Live(tcb) => {
                let (mss, initial) = (u32::from(tcb.eff_snd_mss), tcb.initial_window(cx.config));
                let seed = tcb.seed();
                tcb.snd.exchange_controller(controller, seed, (mss, initial), cx.config, cx.now);
                if tcb.snd.cc.is_scalable() || controller.is_scalable() {
                    tcb.tell_codepoint();
                }
            }
        }
    }
}

impl<C: Controller> Tcb<C> {
    /// Random bits for the controller.
    pub(super) fn seed(&self) -> u64 {
        u64::from(self.snd.iss - SeqNum::new(0)) << 32 | u64::from(self.rcv.irs - SeqNum::new(0))
    }
}
