//! TCP Fast Open (RFC 7413): text on the SYN, and answers to it before the handshake is complete.

use alloc::vec::Vec;

use bytes::Bytes;

use super::accurate::option_room;
use super::syn_sent::SynSent;
use super::tcb::{Cx, Tcb};
use super::{Connection, Phase};
use crate::send::Sender;
use crate::{
    Action, Algorithm, Arc, Config, Controller, Error, FastOpen, FastOpenAnswer, FastOpenCookie, FastOpenRefusal,
    IcmpKind, Instant, Options, Path, Report, Secrets, Segment, SeqNum, Sink,
};

/// Fast Open in SYN-SENT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Asked {
    /// What the SYN carries; empty: a request.
    cookie: FastOpenCookie,
    mss: Option<u16>,
    /// Octets of text on the SYN.
    text: u32,
    /// The user was told that it does not work.
    refused: bool,
}

impl Connection {
    /// Active OPEN with Fast Open (RFC 7413 §4.2.2): returns the SYN, with text where a cookie is known.
    ///
    /// The option stands on the first SYN only. What came of it tells [`Report::FastOpenCookie`] or
    /// [`Report::FastOpenRefused`]; keep both, as §4.1.3 says, by the addresses of the host and the server, and the refusal
    /// by the server's port as well. Text that the server did not take follows the handshake: none is lost.
    ///
    /// # Errors
    /// [`Error::NoRoom`]: there is more text than [`Config::send_buffer`] octets.
    ///
    /// ```
    /// use segue::{Action, Arc, Config, Connection, FastOpen, FastOpenAnswer, FastOpenCookie};
    /// use segue::{Instant, Path, Secrets, SeqNum};
    /// # fn sent(actions: &[Action]) -> segue::Segment {
    /// #     actions.iter().find_map(|a| if let Action::Transmit(s) = a { Some(s.clone()) } else { None }).expect("one")
    /// # }
    /// let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// let cookie = FastOpenCookie::new(&[7; 8]).expect("4 to 16 octets, an even number");
    /// let open = FastOpen { cookie, mss: Some(1460), text: "GET /".into() };
    /// let (client, actions) = Connection::connect_fast_open(config.clone(), path, secrets(100), open, now)?;
    /// let answer = FastOpenAnswer { valid: true, cookie: None }; // the host has checked it
    /// let syn = sent(&actions);
    /// let (server, actions) = Connection::accept_fast_open(config, path, secrets(300), syn, answer, now);
    /// assert!(actions.contains(&Action::Deliver("GET /".into()))); // a round trip earlier
    /// # drop((client, server));
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn connect_fast_open(
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        open: FastOpen,
        now: Instant,
    ) -> Result<(Self, Vec<Action>), Error> {
        let (algorithm, mut actions) = (Algorithm::default(), Vec::new());
        let client = Self::connect_fast_open_with_into(algorithm, config, path, secrets, open, now, &mut actions)?;
        Ok((client, actions))
    }

    /// Passive OPEN as [`accept`](Self::accept), with an answer to the Fast Open option of the SYN (RFC 7413 §4.2.2).
    ///
    /// Where the cookie is valid, [`Action::Connected`] and the text come at once, in SYN-RECEIVED, and the user may send:
    /// its text leaves before the handshake is complete, as far as the initial window and the window of the SYN allow.
    /// Until then a reset, a timeout or an ICMP error may show that the client's address was forged.
    ///
    /// ```
    /// use segue::{Action, Arc, Config, Connection, FastOpenAnswer, Flags, Instant, Path, Secrets, Segment, SeqNum};
    /// let syn = Segment { flags: Flags::SYN, window: 65535, payload: "GET /".into(), ..Segment::default() };
    /// let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
    /// let secrets = Secrets { iss: SeqNum::new(300), ts_offset: 0 };
    /// let answer = FastOpenAnswer { valid: true, cookie: None };
    /// let (mut server, actions) = Connection::accept_fast_open(config, path, secrets, syn, answer, Instant::ZERO);
    /// assert!(actions.contains(&Action::Connected) && actions.contains(&Action::Deliver("GET /".into())));
    /// let actions = server.send(&mut "200 OK".into(), Instant::ZERO)?;
    /// assert!(actions.iter().any(|action| matches!(action, Action::Transmit(_)))); // before the handshake is complete
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn accept_fast_open(
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        syn: Segment,
        answer: FastOpenAnswer,
        now: Instant,
    ) -> (Self, Vec<Action>) {
        let mut actions = Vec::new();
        let opening = (config, path, secrets);
        (Self::accept_fast_open_with_into(Algorithm::default(), opening, syn, answer, now, &mut actions), actions)
    }
}

impl<C: Controller> Connection<C> {
    /// [`connect_fast_open`](Connection::connect_fast_open) with this congestion controller, and the actions into `sink`.
    ///
    /// # Errors
    /// [`Error::NoRoom`]: there is more text than [`Config::send_buffer`] octets.
    ///
    /// ```
    /// use segue::congestion::Reno;
    /// use segue::{Action, Arc, Config, Connection, Error, FastOpen, Instant, Path, Secrets, SeqNum};
    /// let (config, path) = (Arc::new(Config::builder().send_buffer(4096).build()?), Path::ipv4(1500));
    /// let secrets = Secrets { iss: SeqNum::new(100), ts_offset: 0 };
    /// let open = FastOpen::request(vec![0; 5000].into());
    /// let (reno, now, mut actions) = (Reno::default(), Instant::ZERO, Vec::new());
    /// let refused = Connection::connect_fast_open_with_into(reno, config, path, secrets, open, now, &mut actions);
    /// assert_eq!(refused.err(), Some(Error::NoRoom { room: 4096 }));
    /// # Ok::<(), segue::ConfigError>(())
    /// ```
    pub fn connect_fast_open_with_into(
        controller: C,
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        open: FastOpen,
        now: Instant,
        sink: &mut impl Sink,
    ) -> Result<Self, Error> {
        let room = usize::try_from(config.send_buffer()).unwrap_or(usize::MAX);
        if open.text.len() > room {
            return Err(Error::NoRoom { room });
        }
        Ok(Self::ask(controller, (config, path, secrets), open, now, sink))
    }

    /// The same with text that is known to fit the send buffer.
    pub(crate) fn ask(
        controller: C,
        (config, path, secrets): (Arc<Config>, Path, Secrets),
        open: FastOpen,
        now: Instant,
        sink: &mut impl Sink,
    ) -> Self {
        let FastOpen { cookie, mss, text } = open;
        let mut connection = Self::new(Phase::Closed, config, path);
        connection.event(now, sink, false, |phase, cx| {
            let mut snd = Sender::new(secrets.iss, controller, cx.config, cx.now);
            if !text.is_empty() {
                snd.queue(text, true, cx.config);
            }
            let asked = Asked { cookie, mss, text: 0, refused: false };
            *phase = Phase::SynSent(SynSent::asking(snd, secrets.ts_offset, asked, cx.now));
        });
        connection
    }

    /// [`accept_fast_open`](Connection::accept_fast_open) with this congestion controller, and the actions into `sink`.
    ///
    /// ```
    /// use segue::congestion::Reno;
    /// use segue::{Action, Arc, Config, Connection, FastOpenAnswer, Flags, Instant, Path, Secrets, Segment, SeqNum, State};
    /// let syn = Segment { flags: Flags::SYN, window: 65535, payload: "GET /".into(), ..Segment::default() };
    /// let secrets = Secrets { iss: SeqNum::new(300), ts_offset: 0 };
    /// let opening = (Arc::new(Config::default()), Path::ipv4(1500), secrets);
    /// let (answer, now, mut actions) = (FastOpenAnswer { valid: true, cookie: None }, Instant::ZERO, Vec::new());
    /// let server =
    ///     Connection::accept_fast_open_with_into(Reno::default(), opening, syn, answer, now, &mut actions);
    /// assert_eq!(server.state(), State::SynReceived);
    /// assert!(actions.contains(&Action::Deliver("GET /".into())));
    /// ```
    pub fn accept_fast_open_with_into(
        controller: C,
        (config, path, secrets): (Arc<Config>, Path, Secrets),
        syn: Segment,
        answer: FastOpenAnswer,
        now: Instant,
        sink: &mut impl Sink,
    ) -> Self {
        Self::open_passive(controller, (config, path, secrets), syn, now, sink, |tcb, syn, cx| {
            tcb.answer_fast_open(syn, answer, cx);
        })
    }
}

impl<C: Controller> SynSent<C> {
    /// The SYN leaves: its options, and its text. Both belong to the first SYN; where the option has no room, the handshake
    /// is an ordinary one (RFC 7413 §4.2.2).
    #[inline(never)]
    pub(super) fn with_fast_open(&mut self, options: Options, cx: &Cx<'_, '_>) -> (Options, Bytes) {
        let Some(asked) = &mut self.fast_open else { return (options, Bytes::new()) };
        let with = |user_timeout| Options { fast_open: Some(asked.cookie), user_timeout, ..options };
        let room = option_room(cx.config, cx.path);
        let fits = |options: &Options| options.wire_len() <= room;
        // The user timeout may come with a later segment (RFC 5482 §3), the cookie may not.
        let both = [with(options.user_timeout), with(None)].into_iter().find(fits);
        let Some(options) = both else {
            self.fast_open = None;
            return (options, Bytes::new());
        };
        if !asked.cookie.as_slice().is_empty() {
            let octets = u16::try_from(options.wire_len()).unwrap_or(u16::MAX);
            let known = asked.mss.unwrap_or(cx.path.ip.default_mss()).min(cx.path.mss());
            let mss = known.min(cx.config.max_mss()).min(cx.config.max_sent_mss());
            let most = mss.saturating_sub(cx.path.ip_options).saturating_sub(octets); // none, where options leave no room
            asked.text = self.snd.buffer.len().min(most.into());
        }
        let text = asked.text;
        if text > 0 {
            self.snd.sent_early(text, cx.now);
        }
        (options, self.snd.text(self.snd.iss + 1, text))
    }

    /// The SYN goes again, without the option and without text: that is in the queue (RFC 7413 §4.2.2).
    pub(super) fn refuse_fast_open(&mut self, why: FastOpenRefusal, cx: &mut Cx<'_, '_>) {
        if let Some(asked) = self.fast_open.as_mut().filter(|asked| !asked.refused) {
            asked.refused = true;
            cx.out.push(Action::Report(Report::FastOpenRefused(why)));
        }
    }

    /// An ICMP error for our SYN. Text on it may have made the packet too big.
    pub(super) fn doubt_fast_open(&mut self, kind: IcmpKind, cx: &mut Cx<'_, '_>) {
        let Some(asked) = self.fast_open.filter(|asked| asked.text > 0 && !asked.refused) else { return };
        self.refuse_fast_open(FastOpenRefusal::Icmp(kind), cx);
        if kind == IcmpKind::PacketTooBig && asked.text > 0 {
            self.snd.repeat_syn();
            cx.timers.clear(crate::Timer::Retransmit);
        }
    }
}

impl<C: Controller> Tcb<C> {
    /// SYN,ACK: what came of Fast Open.
    pub(super) fn conclude_fast_open(&mut self, asked: Asked, syn_ack: &Segment, cx: &mut Cx<'_, '_>) {
        let cookie = syn_ack.options.fast_open().filter(|cookie| !cookie.as_slice().is_empty());
        if let Some(cookie) = cookie {
            let mss = cx.settings.agreed_mss;
            cx.out.push(Action::Report(Report::FastOpenCookie { cookie, mss }));
        }
        let asks = asked.cookie.as_slice().is_empty();
        let took = SeqNum::after(syn_ack.ack, self.snd.iss + 1);
        let refusal = match (asks, asked.text > 0) {
            (true, _) => cookie.is_none().then_some(FastOpenRefusal::NoCookie),
            (false, true) => (!took).then_some(FastOpenRefusal::NotAcknowledged),
            (false, false) => None,
        };
        if let Some(why) = refusal.filter(|_| !asked.refused) {
            cx.out.push(Action::Report(Report::FastOpenRefused(why)));
        }
    }

    /// SYN-RECEIVED by a SYN whose cookie the host has checked.
    fn answer_fast_open(&mut self, syn: &Segment, answer: FastOpenAnswer, cx: &mut Cx<'_, '_>) {
        if answer == FastOpenAnswer::default() {
            return;
        }
        self.seldom.begin().fast_open = Some(answer);
        if !answer.valid {
            return;
        }
        self.snd.set_window(u32::from(syn.window), syn.seq, self.snd.iss); // never scaled in a SYN (RFC 7323 §2.2)
        self.start_sending(self.initial_window(cx.config), cx);
        cx.out.push(Action::Connected);
        if self.rcv.holds_next() {
            self.deliver_held(cx);
        }
    }

    /// The cookie for the client, on the first SYN,ACK and no other (RFC 7413 §4.2.2).
    pub(super) fn add_fast_open_cookie(&mut self, options: &mut Options, config: &Config, path: &Path) {
        let answer = self.seldom.active().and_then(|seldom| seldom.fast_open.as_mut());
        let Some(cookie) = answer.and_then(|answer| answer.cookie.take()) else { return };
        let with = Options { fast_open: Some(cookie), ..*options };
        if with.wire_len() <= option_room(config, path) {
            *options = with;
        }
    }
}
