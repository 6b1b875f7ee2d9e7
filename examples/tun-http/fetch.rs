//! A client: what a URL names, octet by octet, and how it went. It knows an endpoint and no device: the tests run it in
//! memory.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use segue::host::{Endpoint, Id, OpenError, Signal, Socket};
use segue::{CloseReason, Instant};

/// The longest head of a response, in octets.
const LONGEST_HEAD: usize = 65_536;
/// The most fields of a response.
const MOST_FIELDS: usize = 128;
/// How long the server may take to close, once all is there.
const FAREWELL: Duration = Duration::from_secs(1);

/// An `http` URL whose host is an address: nothing here resolves names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    pub to: SocketAddr,
    /// As the user wrote it, for `Host`.
    authority: String,
    /// With the query.
    path: String,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("'{text}' is not a URL such as http://192.0.2.1:8000/path, with an address for the host");
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let bare = || authority.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let to = authority.parse().ok().or_else(|| bare().map(|ip: IpAddr| SocketAddr::new(ip, 80)));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let clean = path.bytes().all(|octet| octet.is_ascii_graphic());
        Ok(Self { to: to.filter(|_| clean).ok_or_else(wrong)?, authority: authority.to_owned(), path })
    }
}

/// One request, under way.
pub struct Fetch<W> {
    id: Id,
    patience: Duration,
    connected: bool,
    /// When the server has been silent for too long, or takes its time to close.
    deadline: Instant,
    /// The head so far; none: it is complete.
    head: Option<BytesMut>,
    status: String,
    received: u64,
    length: Option<u64>,
    body: W,
    outcome: Option<Result<(), String>>,
    over: bool,
}

impl<W: Write> Fetch<W> {
    /// Asks for it, from this address of the host. The body goes to `body`. `patience`: how long the server may be silent.
    /// `fast_open`: the request goes on the SYN, when the server gave a cookie before (RFC 7413): a GET may come twice.
    ///
    /// # Errors
    /// No connection is possible between these ends.
    pub fn new(
        endpoint: &mut Endpoint,
        from: IpAddr,
        url: &Url,
        patience: Duration,
        body: W,
        fast_open: bool,
        now: Instant,
    ) -> Result<Self, OpenError> {
        // Without chunks, which HTTP/1.0 does not know: the length stands in the head, or the end of the stream is it.
        let request = format!("GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: segue\r\n\r\n", url.path, url.authority);
        let mut request = Bytes::from(request);
        let id = if fast_open {
            endpoint.connect_fast_open(from, url.to, &mut request, now)?
        } else {
            let id = endpoint.connect(from, url.to, now)?;
            if let Ok(mut socket) = endpoint.socket(id, now) {
                let _ = socket.write_bytes(&mut request); // it goes with the ACK of the SYN,ACK
            }
            id
        };
        let (head, status, deadline) = (Some(BytesMut::new()), String::new(), now + patience);
        let (connected, received, length, outcome, over) = (false, 0, None, None, false);
        Ok(Self { id, patience, connected, deadline, head, status, received, length, body, outcome, over })
    }

    /// What there is to do in this turn of the host.
    pub fn turn(&mut self, endpoint: &mut Endpoint, now: Instant) {
        while let Some((_, signal)) = endpoint.poll_signal() {
            match signal {
                Signal::Closed(reason) => self.closed(endpoint, reason, now),
                Signal::Readable | Signal::PeerClosed => self.read(endpoint, now),
                Signal::Connected => (self.connected, self.deadline) = (true, now + self.patience),
                _ => {} // the request fits every send buffer, and reports are for logs
            }
        }
        if now >= self.deadline {
            let silence =
                if self.connected { "nothing came".to_owned() } else { CloseReason::ConnectTimeout.to_string() };
            self.outcome.get_or_insert_with(|| Err(format!("{silence} for {} s", self.patience.as_secs())));
            self.over = true;
            if let Ok(socket) = endpoint.socket(self.id, now) {
                socket.abort();
            }
        }
    }

    /// When it needs a turn although nothing arrives.
    pub fn next_deadline(&self) -> Option<Instant> {
        (!self.over).then_some(self.deadline)
    }

    /// How it went, when all is said.
    pub fn outcome(&self) -> Option<&Result<(), String>> {
        self.outcome.as_ref().filter(|_| self.over)
    }

    /// Octets of the body so far, and of the whole, if the server told.
    pub const fn progress(&self) -> (u64, Option<u64>) {
        (self.received, self.length)
    }

    /// The text that came with the end is read before that counts.
    fn closed(&mut self, endpoint: &mut Endpoint, reason: CloseReason, now: Instant) {
        self.read(endpoint, now);
        let words = match reason {
            CloseReason::Unreachable(kind) => kind.to_string(),
            other => other.to_string(),
        };
        self.outcome.get_or_insert(Err(words));
        self.over = true;
    }

    fn read(&mut self, endpoint: &mut Endpoint, now: Instant) {
        let Ok(mut socket) = endpoint.socket(self.id, now) else { return };
        if self.outcome.is_none() {
            self.deadline = now + self.patience;
            self.outcome = self.take(&mut socket).map_err(|error| error.to_string()).transpose();
            if self.outcome.is_some() {
                self.deadline = now + FAREWELL;
                let _ = socket.close(); // an error: it has ended already
            }
        }
        if self.outcome.is_some() {
            socket.chunks().for_each(drop); // what a server adds to its response
        }
    }

    /// Whether all is there.
    fn take(&mut self, socket: &mut Socket<'_>) -> io::Result<Option<()>> {
        while let Some(mut text) = socket.chunk() {
            if let Some(head) = &mut self.head {
                head.extend_from_slice(&text);
                let Some(rest) = self.understand()? else { continue };
                text = rest.freeze();
            }
            let left = self.length.map_or(u64::MAX, |length| length - self.received);
            text.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            self.body
                .write_all(&text)
                .map_err(|error| io::Error::other(format!("the body cannot be written: {error}")))?;
            self.received += u64::try_from(text.len()).unwrap_or(0);
            if self.length == Some(self.received) {
                return self.whole();
            }
        }
        match (socket.eof(), &self.head, self.length) {
            (false, ..) => Ok(None),
            (true, Some(_), _) => Err(io::Error::other("the server ended without a response")),
            (true, None, Some(length)) => {
                Err(io::Error::other(format!("the server ended after {} of {length} octets", self.received)))
            }
            (true, None, None) => self.whole(),
        }
    }

    fn whole(&mut self) -> io::Result<Option<()>> {
        self.body.flush()?;
        match self.status.as_bytes().first() {
            Some(b'2') => Ok(Some(())),
            _ => Err(io::Error::other(format!("the server answered {}", self.status))),
        }
    }

    /// The octets behind the head, if it is complete.
    fn understand(&mut self) -> io::Result<Option<BytesMut>> {
        let Some(head) = &self.head else { return Ok(None) };
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let octets = match response.parse(head) {
            Ok(httparse::Status::Complete(octets)) => octets,
            Ok(httparse::Status::Partial) if head.len() <= LONGEST_HEAD => return Ok(None),
            Ok(httparse::Status::Partial) => return Err(io::Error::other("the head of the response has no end")),
            Err(error) => return Err(io::Error::other(format!("the server does not speak HTTP: {error}"))),
        };
        let code = response.code.unwrap_or(0);
        self.status = format!("{code} {}", response.reason.unwrap_or(""));
        for field in response.headers.iter() {
            let value = std::str::from_utf8(field.value).unwrap_or("").trim();
            if field.name.eq_ignore_ascii_case("Content-Length") {
                let wrong = || io::Error::other(format!("a Content-Length of '{value}'"));
                self.length = Some(value.parse().map_err(|_| wrong())?);
            } else if field.name.eq_ignore_ascii_case("Transfer-Encoding") {
                return Err(io::Error::other(format!("the server sends a transfer coding, {value}, to HTTP/1.0")));
            }
        }
        if matches!(code, 204 | 304) {
            self.length = Some(0);
        }
        Ok(self.head.take().map(|mut head| {
            head.advance(octets);
            head
        }))
    }
}
