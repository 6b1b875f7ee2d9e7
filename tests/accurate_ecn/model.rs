//! A peer of RFC 9768, written from the text: the tables, a Data Receiver, a Data Sender's view. It shares no code with
//! segue, and works on plain numbers.

/// The two ECN bits of an IP header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Codepoint(pub(super) u8);

impl Codepoint {
    pub(super) const NOT_ECT: Self = Self(0b00);
    pub(super) const ECT_1: Self = Self(0b01);
    pub(super) const ECT_0: Self = Self(0b10);
    pub(super) const CE: Self = Self(0b11);
    pub(super) const ALL: [Self; 4] = [Self::NOT_ECT, Self::ECT_1, Self::ECT_0, Self::CE];
}

/// A feedback mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Accurate,
    Classic,
    NotEcn,
}

/// What a host does of its own accord, and as a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Host {
    /// It knows AccECN, and knows classic ECN.
    pub(super) accurate: bool,
    pub(super) classic: bool,
}

/// Table 2, and Table 3: how a codepoint is told.
pub(super) fn told(arrived: Codepoint) -> u8 {
    [0b010, 0b011, 0b100, 0b110][usize::from(arrived.0)]
}

/// Table 2 and §3.1.3: what a server makes of a SYN, and the three bits of its SYN,ACK.
pub(super) fn server(host: Host, syn: u8, arrived: Codepoint) -> (Mode, u8) {
    match (host.accurate, syn) {
        (true, 0b000) => (Mode::NotEcn, 0b000),
        (true, 0b011) if host.classic => (Mode::Classic, 0b001),
        (true, 0b011) => (Mode::NotEcn, 0b000),
        (true, _) => (Mode::Accurate, told(arrived)),
        (false, 0b011 | 0b111) if host.classic => (Mode::Classic, 0b001), // RFC 3168 does not know AE
        (false, _) => (Mode::NotEcn, 0b000),
    }
}

/// Table 2 and §3.1.3: what a client that asked for AccECN makes of a SYN,ACK.
pub(super) fn client(syn_ack: u8) -> Mode {
    match syn_ack {
        0b010..=0b110 => Mode::Accurate, // four tell of the SYN, 101 is reserved
        0b001 => Mode::Classic,
        0b000 | 0b111 => Mode::NotEcn,
        _ => unreachable!("three bits"),
    }
}

/// Table 4: what a server learns of the pure ACK of its SYN,ACK: s.cep, unless it is disabled.
pub(super) fn s_cep_after_handshake(ace: u8) -> Option<u64> {
    match ace {
        0b000 => None,
        0b110 => Some(6),
        _ => Some(5),
    }
}

/// §3.2.2.3: whether what was sent without ECT, and is said to have arrived so, was changed.
pub(super) fn mangled(ace: u8) -> bool {
    [0b011, 0b100, 0b110].contains(&ace)
}

/// A Data Receiver: §3.2, §3.2.1.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    pub(super) cep: u64,
    pub(super) e0b: u64,
    pub(super) ceb: u64,
    pub(super) e1b: u64,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self { cep: 5, e0b: 1, ceb: 0, e1b: 1 }
    }

    /// An acceptable packet that is no SYN.
    pub(super) fn packet(&mut self, arrived: Codepoint, octets: usize) {
        self.cep += u64::from(arrived == Codepoint::CE);
        *match arrived {
            Codepoint::ECT_1 => &mut self.e1b,
            Codepoint::ECT_0 => &mut self.e0b,
            Codepoint::CE => &mut self.ceb,
            _ => return,
        } += octets as u64;
    }

    pub(super) fn ace(&self) -> u8 {
        (self.cep % 8) as u8
    }

    /// EE0B, ECEB, EE1B.
    pub(super) fn fields(&self) -> [u32; 3] {
        [self.e0b, self.ceb, self.e1b].map(|counter| (counter % (1 << 24)) as u32)
    }
}
