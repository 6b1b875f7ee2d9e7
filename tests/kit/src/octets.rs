//! A receiver as it may be, one octet of the stream at a time.

use std::ops::Range;

/// Octet `n` of the peer's stream.
const fn octet(n: u64) -> u8 {
    (n * 31 + n / 251) as u8
}

pub fn text(range: Range<u64>) -> Vec<u8> {
    range.map(octet).collect()
}

/// What a receiver may know, octet by octet.
#[derive(Clone, Debug)]
pub struct Model {
    /// Which octets have arrived.
    pub arrived: Vec<bool>,
    /// The first that has not: RCV.NXT.
    pub next: u64,
    /// The furthest right edge that a segment promised.
    pub promised: u64,
    pub consumed: u64,
}

impl Model {
    fn has(&self, n: u64) -> bool {
        self.arrived.get(n as usize).copied().unwrap_or(false)
    }

    /// The ranges beyond RCV.NXT, each as long as can be.
    pub fn held(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for n in (self.next..self.arrived.len() as u64).filter(|&n| self.has(n)) {
            match ranges.last_mut() {
                Some(last) if last.end == n => last.end += 1,
                _ => ranges.push(n..n + 1),
            }
        }
        ranges
    }

    /// Text arrives, and no more ranges than these can be held. The octets that it does not refuse lie inside the
    /// window; `None`: all of it is thrown away.
    pub fn arrive(&mut self, text: Range<u64>, ranges: usize) -> Option<()> {
        let inside = |n: u64| self.next <= n && n < self.promised;
        if text.is_empty() || !(inside(text.start) || inside(text.end - 1)) {
            return None; // Table 6
        }
        let before = self.arrived.clone();
        let end = text.end.min(self.promised);
        self.arrived.resize(self.arrived.len().max(end as usize), false);
        (text.start.max(self.next)..end).for_each(|n| self.arrived[n as usize] = true);
        if text.start > self.next && self.held().len() > ranges {
            self.arrived = before; // it would open one more range than can be held
            return None;
        }
        while self.has(self.next) {
            self.next += 1;
        }
        Some(())
    }
}
