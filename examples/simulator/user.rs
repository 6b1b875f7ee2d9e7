//! The users at both ends of a connection. They act on signals alone.

use bytes::Bytes;
use segue::Error;
use segue::host::Socket;

use crate::task::{HEAD, Task, Text, head, parse_head};

/// What is still to be written: some octets, then text.
#[derive(Debug, Default)]
struct Outbox {
    head: Bytes,
    place: u32,
    left: u32,
}

impl Outbox {
    fn is_empty(&self) -> bool {
        self.head.is_empty() && self.left == 0
    }

    /// Writes what fits. If it is not all, a signal will come.
    fn write(&mut self, socket: &mut Socket<'_>, text: &Text) -> Result<(), Error> {
        socket.write_bytes(&mut self.head)?;
        while self.head.is_empty() && self.left > 0 {
            let took = socket.write_bytes(&mut text.at(self.place, self.left))?;
            if took == 0 {
                break;
            }
            let took = u32::try_from(took).expect("not more than was given");
            (self.place, self.left) = (self.place + took, self.left - took);
        }
        Ok(())
    }
}

/// The user of an active open.
#[derive(Debug)]
pub struct Client {
    task: Task,
    requests: u32,
    outbox: Outbox,
    /// Octets of this answer, of all answers.
    answer: u32,
    read: u32,
    closed: bool,
}

impl Client {
    pub fn new(task: Task) -> Self {
        Self { task, requests: 0, outbox: Outbox::default(), answer: task.answer, read: 0, closed: false }
    }

    /// Goes as far as it can. Returns whether it wants to give up.
    pub fn act(&mut self, socket: &mut Socket<'_>, text: &Text) -> Result<bool, Error> {
        while let Some(piece) = socket.chunk() {
            assert!(text.is(self.answer, &piece), "an answer of other text");
            let octets = u32::try_from(piece.len()).expect("a packet");
            (self.answer, self.read) = (self.answer + octets, self.read + octets);
        }
        if self.task.gives_up_at.is_some_and(|octets| self.read > octets) {
            return Ok(true);
        }
        if self.closed {
            return Ok(false);
        }
        if self.outbox.is_empty() && self.answer == self.task.answer {
            if self.requests == self.task.requests {
                self.closed = true;
                socket.close()?;
                return Ok(false);
            }
            self.requests += 1;
            self.answer = 0;
            let Task { request, answer, .. } = self.task;
            self.outbox = Outbox { head: head(request, answer), place: 0, left: request };
        }
        self.outbox.write(socket, text)?;
        Ok(false)
    }

    /// Whether it got all that it wanted.
    pub const fn is_served(&self) -> bool {
        self.closed
    }

    /// Octets of answers.
    pub const fn read(&self) -> u32 {
        self.read
    }
}

/// The user of a passive open.
#[derive(Debug, Default)]
pub struct Server {
    head: Vec<u8>,
    /// Of this request: where its text is, what is still to come, what to answer.
    place: u32,
    left: u32,
    outbox: Outbox,
    read: u64,
    closed: bool,
}

impl Server {
    pub fn act(&mut self, socket: &mut Socket<'_>, text: &Text) -> Result<(), Error> {
        while let Some(mut piece) = socket.chunk() {
            self.read += u64::try_from(piece.len()).expect("a packet");
            while !piece.is_empty() {
                self.take(&mut piece, text);
            }
        }
        if self.closed {
            return Ok(());
        }
        self.outbox.write(socket, text)?;
        if socket.eof() && self.outbox.is_empty() {
            self.closed = true;
            socket.close()?; // the FIN goes on the last text
        }
        Ok(())
    }

    /// Octets of requests.
    pub const fn read(&self) -> u64 {
        self.read
    }

    /// Takes the head of a request, or some of its text.
    fn take(&mut self, piece: &mut Bytes, text: &Text) {
        if self.left == 0 {
            let wanted = HEAD as usize - self.head.len();
            self.head.extend(piece.split_to(wanted.min(piece.len())));
            let Ok(octets) = <[u8; HEAD as usize]>::try_from(&self.head[..]) else { return };
            self.head.clear();
            let (request, answer) = parse_head(octets);
            (self.place, self.left) = (0, request);
            assert!(self.outbox.is_empty(), "the client waits for its answer");
            self.outbox = Outbox { head: Bytes::new(), place: 0, left: answer };
            return;
        }
        let part = piece.split_to(piece.len().min(self.left as usize));
        assert!(text.is(self.place, &part), "a request of other text");
        let octets = u32::try_from(part.len()).expect("not more than is left");
        (self.place, self.left) = (self.place + octets, self.left - octets);
    }
}
