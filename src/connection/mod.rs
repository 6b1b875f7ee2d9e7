//! One connection.

use alloc::vec::Vec;
use core::iter;

use bytes::Bytes;

use crate::{
    Action, Algorithm, Arc, Config, Controller, Error, Event, Info, Instant, Path, Secrets, Segment, Sink, State, Timer,
};

/// One TCP connection as a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connection<C: Controller = Algorithm> {
    config: Arc<Config>,
    c: C,
}

/// The state with numbers relative to ISS/IRS and times relative to now, without statistics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Canonical<C: Controller = Algorithm>(Connection<C>);

#[allow(missing_docs, unused_variables, clippy::todo, clippy::missing_const_for_fn, clippy::needless_pass_by_value)]
impl Connection {
    pub fn accept(
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        syn: Segment,
        now: Instant,
    ) -> (Self, Vec<Action>) {
        todo!()
    }
    pub fn listen(config: Arc<Config>, path: Path, secrets: Secrets) -> Self {
        todo!()
    }
    pub fn connect(config: Arc<Config>, path: Path, secrets: Secrets, now: Instant) -> (Self, Vec<Action>) {
        todo!()
    }
}

#[allow(
    missing_docs,
    unused_variables,
    clippy::todo,
    clippy::missing_const_for_fn,
    clippy::needless_pass_by_value,
    clippy::needless_pass_by_ref_mut
)]
impl<C: Controller> Connection<C> {
    pub fn accept_with(
        controller: C,
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        syn: Segment,
        now: Instant,
    ) -> (Self, Vec<Action>) {
        todo!()
    }
    pub fn listen_with(controller: C, config: Arc<Config>, path: Path, secrets: Secrets) -> Self {
        todo!()
    }
    pub fn connect_with(
        controller: C,
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        now: Instant,
    ) -> (Self, Vec<Action>) {
        todo!()
    }
    pub fn handle_segment(&mut self, segment: Segment, now: Instant) -> Vec<Action> {
        let mut v = Vec::new();
        self.handle_segments(iter::once(segment), now, &mut v);
        v
    }
    pub fn handle_timer(&mut self, timer: Timer, now: Instant) -> Vec<Action> {
        todo!()
    }
    pub fn send(&mut self, data: &mut Bytes, now: Instant) -> Result<Vec<Action>, Error> {
        todo!()
    }
    pub fn consume(&mut self, octets: usize, now: Instant) -> Vec<Action> {
        todo!()
    }
    pub fn close(&mut self, now: Instant) -> Result<Vec<Action>, Error> {
        todo!()
    }
    pub fn release(&mut self, now: Instant) -> Vec<Action> {
        todo!()
    }
    pub fn abort(&mut self, now: Instant) -> Vec<Action> {
        todo!()
    }
    pub fn handle(&mut self, event: Event, now: Instant, sink: &mut impl Sink) -> Result<(), Error> {
        todo!()
    }
    pub fn handle_segments(&mut self, segments: impl IntoIterator<Item = Segment>, now: Instant, sink: &mut impl Sink) {
        todo!()
    }
    pub fn state(&self) -> State {
        todo!()
    }
    pub fn deadline(&self, timer: Timer) -> Option<Instant> {
        todo!()
    }
    pub fn next_deadline(&self) -> Option<(Timer, Instant)> {
        todo!()
    }
    pub fn send_room(&self) -> usize {
        todo!()
    }
    pub fn info(&self) -> Info {
        todo!()
    }
    pub fn canonical(&self, now: Instant) -> Canonical<C> {
        todo!()
    }
    /// Panics when an invariant of the machine does not hold; for tests and fuzzing.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        todo!()
    }
}
