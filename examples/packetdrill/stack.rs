//! What a TCP must offer to be put under test: datagrams in and out, a clock, and the calls of RFC 9293 §3.9.1.

use std::net::SocketAddr;
use std::time::Duration;

use crate::call::Errno;

/// A connection or a listener of a stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handle(pub usize);

/// A TCP under test. Times count from the start of the script; nothing in it waits.
///
/// The socket calls of a script become these calls: descriptors, blocking, `poll` and the texts of errors are the runner's.
pub trait Stack {
    /// Its name, for reports.
    fn name(&self) -> &'static str;

    /// Sets a variable that a script names in a `sysctl` line, for all that is opened later.
    ///
    /// # Errors
    /// The mistake in the name or value, with the names that it knows.
    fn sysctl(&mut self, name: &str, value: &str) -> Result<(), String>;

    /// A datagram arrives.
    fn receive_datagram(&mut self, datagram: &[u8], now: Duration);

    /// Takes the datagrams that left since the last call.
    fn take_sent(&mut self) -> Vec<Vec<u8>>;

    /// When a timer is due next.
    fn next_deadline(&mut self) -> Option<Duration>;

    /// Runs the timers that are due.
    fn run_timers(&mut self, now: Duration);

    /// Passive OPEN.
    ///
    /// # Errors
    /// As of `listen`.
    fn listen(&mut self, local: SocketAddr, backlog: usize, options: &[SocketOption]) -> Result<Handle, Errno>;

    /// The next connection of a listener whose handshake is complete, with its peer.
    fn accept(&mut self, listener: Handle) -> Option<(Handle, SocketAddr)>;

    /// Active OPEN. It returns before the handshake.
    ///
    /// # Errors
    /// As of `connect`, but for what happens later: that is in [`Status::error`].
    fn connect(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        options: &[SocketOption],
        now: Duration,
    ) -> Result<Handle, Errno>;

    /// SEND. Takes as many octets as there is room for, perhaps none.
    ///
    /// # Errors
    /// As of `send`.
    fn send(&mut self, connection: Handle, text: &[u8], how: Send, now: Duration) -> Result<usize, Errno>;

    /// RECEIVE: up to `most` octets of what waits.
    fn receive(&mut self, connection: Handle, most: usize, now: Duration) -> Vec<u8>;

    /// CLOSE: a FIN follows the text; receiving goes on.
    ///
    /// # Errors
    /// As of `shutdown`.
    fn shutdown(&mut self, connection: Handle, now: Duration) -> Result<(), Errno>;

    /// The user is gone, as after `close`; with `abort`, the connection is reset (SO_LINGER of 0).
    fn close(&mut self, handle: Handle, abort: bool, now: Duration);

    /// Changes an option of a connection.
    ///
    /// # Errors
    /// [`Errno::ENOPROTOOPT`] when it cannot change any more.
    fn set(&mut self, connection: Handle, option: SocketOption, now: Duration) -> Result<(), Errno>;

    /// What a user can do with the connection now.
    fn status(&mut self, connection: Handle) -> Status;

    /// The variables for assertions: fields of Linux's `tcp_info` by their names, and the stack's own.
    fn info(&mut self, connection: Handle) -> Vec<(&'static str, i64)>;
}

/// How text is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Send {
    /// `MSG_OOB`: the urgent pointer goes behind this text.
    pub urgent: bool,
    /// `MSG_MORE`: more text follows.
    pub more: bool,
}

/// The state of a connection for its user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// The handshake is not complete.
    pub opening: bool,
    /// Why the connection ended, unless it closed in order.
    pub error: Option<Errno>,
    /// Octets that wait for the user.
    pub readable: usize,
    /// The peer closed, and no text but `readable` will come.
    pub at_end: bool,
    /// Octets that `send` would take.
    pub writable: usize,
    /// Urgent text waits.
    pub urgent: bool,
}

/// An option of a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SocketOption {
    /// `TCP_NODELAY`: Nagle's algorithm is off.
    NoDelay(bool),
    /// `TCP_CORK`
    Cork(bool),
    /// `SO_KEEPALIVE`
    KeepAlive(bool),
    /// `TCP_KEEPIDLE`
    KeepIdle(Duration),
    /// `TCP_KEEPINTVL`
    KeepInterval(Duration),
    /// `TCP_KEEPCNT`
    KeepCount(u8),
    /// `TCP_USER_TIMEOUT`; zero: the default.
    UserTimeout(Duration),
    /// `TCP_MAXSEG`
    MaxSegment(u16),
    /// `TCP_SYNCNT`
    SynCount(u8),
    /// `SO_RCVBUF`
    ReceiveBuffer(u32),
    /// `SO_SNDBUF`
    SendBuffer(u32),
    /// `TCP_LINGER2`: the limit of FIN-WAIT-2.
    Linger2(Duration),
    /// `TCP_CONGESTION`: `reno`, or else `cubic`.
    Reno(bool),
}
