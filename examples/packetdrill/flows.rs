//! The connections of a script.

use crate::flow::Flow;
use crate::setup::Setup;

/// All flows, and the one that packets without ports belong to.
#[derive(Debug)]
pub struct Flows {
    flows: Vec<Flow>,
    current: Option<usize>,
    shift: u32,
}

/// The port of the peer of a first passive open.
const PEER_PORT: u16 = 49152;

impl Flows {
    pub const fn new(shift: u32) -> Self {
        Self { flows: Vec::new(), current: None, shift }
    }

    fn find(&self, local: u16, remote: u16) -> Option<usize> {
        self.flows.iter().position(|flow| (flow.local.port(), flow.remote.port()) == (local, remote))
    }

    /// The flow between these ports, made if it is new.
    fn between(&mut self, setup: &Setup, local: u16, remote: u16) -> usize {
        self.find(local, remote).unwrap_or_else(|| {
            self.flows.push(Flow::new(setup.local(local), setup.remote(remote), self.shift));
            self.flows.len() - 1
        })
    }

    /// The flow of a packet that arrives: of these ports, source first, or the current one.
    pub fn of_arriving(&mut self, setup: &Setup, ports: Option<(u16, u16)>) -> &mut Flow {
        let place = match (ports, self.current) {
            (Some((source, destination)), _) => self.between(setup, destination, source),
            (None, Some(current)) => current,
            (None, None) => self.between(setup, setup.bind_port, PEER_PORT),
        };
        self.current = Some(place);
        &mut self.flows[place]
    }

    /// The stack opens this flow.
    pub fn open(&mut self, setup: &Setup, local: u16, remote: u16) {
        let place = self.between(setup, local, remote);
        self.flows[place].opens();
        self.current = Some(place);
    }

    /// The flow of what left between these ports.
    pub fn of_leaving(&mut self, setup: &Setup, source: u16, destination: u16) -> &mut Flow {
        let place = self.between(setup, source, destination);
        &mut self.flows[place]
    }

    pub fn current(&mut self) -> Option<&mut Flow> {
        self.flows.get_mut(self.current?)
    }

    /// The first number of the peer's payload on this flow.
    pub fn first_received(&self, local: u16, remote: u16) -> u32 {
        self.find(local, remote).map_or(1, |place| self.flows[place].first_received())
    }
}
