//! Knobs: the settings that change while the connection lives, and what follows from each at once.

use super::parts::Open;
use super::tcb::{Cx, Tcb};
use super::{Connection, Phase};
use crate::send::Fin;
use crate::time::Micros;
use crate::{Action, Arc, Config, ConfigError, Controller, Instant, Knob, Report, Sink, Timer};

impl<C: Controller> Connection<C> {
    /// Whether [`Event::Set`](crate::Event::Set) takes this value. The connection is in any state; in CLOSED a value
    /// counts for nothing more.
    ///
    /// # Errors
    /// [`ConfigError`] when the value is out of the range of its setting, or contradicts another one.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// use segue::{ConfigError, Knob};
    /// let (client, _) = Connection::connect(config, path, secrets(100), now);
    /// assert_eq!(client.check_knob(Knob::AckEvery(1)), Ok(()));
    /// let error = client.check_knob(Knob::AckEvery(3)).unwrap_err();
    /// assert_eq!(error, ConfigError::OutOfRange { field: "ack_every", range: "1..=2" });
    /// ```
    pub fn check_knob(&self, knob: Knob) -> Result<(), ConfigError> {
        self.config.turned(knob).map(drop)
    }

    /// Turns a knob. From now on the connection has a configuration of its own, if the value is another one. Returns the
    /// one before.
    fn turn(&mut self, knob: Knob) -> Arc<Config> {
        let before = self.config.clone();
        match before.turned(knob) {
            Ok(config) if config != *before => self.config = Arc::new(config),
            Ok(_) | Err(_) => {} // `check_call` has refused what is no setting
        }
        before
    }

    #[inline(never)]
    pub(super) fn set(&mut self, knob: Knob, now: Instant, sink: &mut dyn Sink, shortcuts: bool) {
        let before = self.turn(knob);
        self.event(now, sink, shortcuts, |phase, cx| phase.set(knob, &before, cx));
    }

    #[inline(never)]
    pub(super) fn set_part(&mut self, knob: Knob, now: Instant, open: &mut Open, sink: &mut dyn Sink) {
        let before = self.turn(knob);
        self.rare_part(now, open, sink, |phase, cx| phase.set(knob, &before, cx));
    }
}

impl<C: Controller> Phase<C> {
    /// A knob was turned: `cx.config` has what `before` had not.
    fn set(&mut self, knob: Knob, before: &Config, cx: &mut Cx<'_, '_>) {
        if *before != *cx.config {
            self.adapt(before, cx);
        } else if let Knob::Nagle(on) = knob {
            cx.settings.nagle = on;
        } else if let Knob::Cork(on) = knob {
            cx.settings.cork = on;
        } else if let Knob::KeepAliveIdle(idle) = knob {
            cx.settings.keep_alive_idle = Micros::from(idle).max(Micros::from_secs(1));
        } else if let Knob::KeepAlive(on) = knob {
            cx.settings.keep_alive = on;
            if let Self::Live(tcb) = self {
                tcb.keep_alive.unanswered = 0;
            }
        } else if let Knob::UserTimeout(limit) = knob {
            cx.settings.user_timeout = limit.map(|limit| Micros::from(limit).max(Micros::from_secs(1)));
            cx.settings.changeable = false; // RFC 5482 §3
            if let Self::Live(tcb) = self {
                tcb.owes_user_timeout = cx.config.user_timeout_option();
            }
        } else if let (Knob::ReceiveBuffer(octets), Self::Live(tcb)) = (knob, self) {
            tcb.rcv.limit_buffer(octets, cx.now);
        }
    }

    /// The configuration is another one: what was derived from it follows. All else reads it when it needs it.
    fn adapt(&mut self, before: &Config, cx: &mut Cx<'_, '_>) {
        if let Some(snd) = self.sender_mut() {
            let config = cx.config;
            snd.rtt.set_limits(config);
            if before.preserve_window() != config.preserve_window() {
                snd.preserve_window(config);
            }
            snd.buffer.note_full(config.send_buffer());
            if snd.fin == Fin::None && snd.takes_again(config) {
                cx.out.push(Action::Writable);
            }
            if (config.r1()..before.r1()).contains(&u8::try_from(snd.repeats).unwrap_or(u8::MAX)) {
                cx.out.push(Action::Report(Report::Unresponsive { retransmissions: snd.repeats.into() })); // R1 is reached
            }
            cx.timers.hasten(Timer::Retransmit, cx.now + snd.rtt.rto());
            cx.timers.hasten(Timer::Persist, cx.now + snd.persist_interval(config.max_rto().into()));
        }
        if let Self::Live(tcb) = self {
            tcb.adapt(before, cx);
        }
    }
}

impl<C: Controller> Tcb<C> {
    fn adapt(&mut self, before: &Config, cx: &mut Cx<'_, '_>) {
        let (config, now) = (cx.config, cx.now);
        self.rcv.policy.on_settings(&mut self.ack, config);
        cx.timers.hasten(Timer::DelayedAck, now + config.delayed_ack());
        cx.timers.hasten(Timer::Override, now + config.sws_override());
        cx.timers.hasten(Timer::FinWait2, now + config.fin_wait_2());
        if let Some(after) = self.snd.tail_probe_after(self.eff_snd_mss.into(), config.max_ack_delay().into()) {
            cx.timers.hasten(Timer::TailLossProbe, now + after);
        }
        if let Some(timeout) = cx.timers.get(Timer::Retransmit) {
            cx.timers.hasten(Timer::TailLossProbe, timeout); // never later (RFC 8985 §7.2)
        }
        if before.user_timeout_option() != config.user_timeout_option() {
            self.owes_user_timeout = config.user_timeout_option();
            self.remote_user_timeout = 0; // the option applies to both directions, or to none (RFC 5482 §3)
        }
        if before.pacing() != config.pacing() && !self.snd.syn {
            self.snd.tell_pacing(config);
        }
        if before.mtu_probing() != config.mtu_probing() {
            let policy = self.mtu_policy(config, cx.path);
            self.snd.path_mtu.on_probing(cx.path.mtu, &policy, now);
        }
        if before.mtu_retry() != config.mtu_retry() {
            let policy = self.mtu_policy(config, cx.path);
            self.snd.path_mtu.on_retry(cx.path.mtu, &policy, now);
        }
        if before.max_sent_mss() != config.max_sent_mss() {
            self.cap_mss(cx);
            let policy = self.mtu_policy(config, cx.path);
            self.snd.path_mtu.on_ceiling(cx.path.mtu, &policy, now);
            self.resize(config, cx.path);
        }
    }
}
