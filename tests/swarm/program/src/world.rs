//! A world of any kind.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use segue_kit::Rng;
use segue_kit::swarm::search;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::{hosts, pair};

/// The kinds of worlds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Two connections.
    Pair,
    /// Hosts with many flows over a network of several links.
    Endpoints,
    /// The same with smoltcp's sockets at one end of each flow.
    Smoltcp,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Pair, Self::Endpoints, Self::Smoltcp];

    /// The kind that a number decides: of ten worlds seven, two and one.
    pub const fn of(seed: u64) -> Self {
        match Rng::new(seed ^ 0x6B1D_5EED).below(10) {
            0 => Self::Smoltcp,
            1 | 2 => Self::Endpoints,
            _ => Self::Pair,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Endpoints => "endpoints",
            Self::Smoltcp => "smoltcp",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happened in worlds that kept the laws, by name: how much a campaign had to judge.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts(pub BTreeMap<&'static str, u64>);

impl Counts {
    pub fn add(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    pub fn add_all(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, times)| self.add(what, *times));
    }
}

/// All that a number decides, as a plain value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum World {
    Pair(Box<pair::Pair>),
    Hosts(Box<hosts::Plan>),
}

impl World {
    pub fn draw(seed: u64) -> Self {
        match Kind::of(seed) {
            Kind::Pair => Self::Pair(Box::new(pair::Pair::draw(seed))),
            Kind::Endpoints => Self::Hosts(Box::new(hosts::draw::endpoints(seed))),
            Kind::Smoltcp => Self::Hosts(Box::new(hosts::draw::smoltcp(seed))),
        }
    }

    /// Whether it makes sense to play it.
    pub fn check(&self) -> Check {
        match self {
            Self::Pair(pair) => pair.check(),
            Self::Hosts(plan) => hosts::check::check(plan),
        }
    }

    /// Plays it: what there was to judge, or which law was broken.
    pub fn play(&self) -> Result<Counts, String> {
        match self {
            Self::Pair(pair) => pair.play(),
            Self::Hosts(plan) => hosts::play(plan),
        }
    }

    /// Simpler worlds, the simplest first.
    pub fn simpler(&self) -> Vec<Self> {
        match self {
            Self::Pair(pair) => pair.simpler().into_iter().map(|pair| Self::Pair(Box::new(pair))).collect(),
            Self::Hosts(plan) => {
                hosts::shrink::simpler(plan).into_iter().map(|plan| Self::Hosts(Box::new(plan))).collect()
            }
        }
    }

    /// The smallest world found that breaks the same law.
    pub fn shrink(&self, problem: String, budget: Duration) -> (String, Self) {
        let judge = |world: &Self| world.play().map(drop);
        search::shrink((problem, self.clone()), budget, Self::simpler, judge)
    }

    /// Plays it again and tells its last steps, for a person.
    pub fn ladder(&self) -> String {
        match self {
            Self::Pair(pair) => pair.ladder(),
            Self::Hosts(plan) => hosts::ladder(plan),
        }
    }
}
