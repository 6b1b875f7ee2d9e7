//! A link between two devices with memory for a fixed number of frames: for tests and firmware, and as the pattern of a
//! driver whose card has such rings.

use alloc::rc::Rc;
use core::cell::RefCell;

use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// `FRAMES` frames of `MTU` octets. What finds no place waits with its sender.
#[derive(Debug)]
struct Ring<const FRAMES: usize, const MTU: usize> {
    frames: [([u8; MTU], usize); FRAMES],
    first: usize,
    len: usize,
}

impl<const FRAMES: usize, const MTU: usize> Ring<FRAMES, MTU> {
    const fn new() -> Self {
        Self { frames: [([0; MTU], 0); FRAMES], first: 0, len: 0 }
    }

    fn push<R>(&mut self, octets: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
        let (frame, len) = &mut self.frames[(self.first + self.len) % FRAMES];
        *len = octets;
        self.len += 1;
        f(&mut frame[..octets])
    }

    fn pop<R>(&mut self, f: impl FnOnce(&[u8]) -> R) -> R {
        let (frame, len) = &self.frames[self.first];
        self.first = (self.first + 1) % FRAMES;
        self.len -= 1;
        f(&frame[..*len])
    }
}

type Shared<const FRAMES: usize, const MTU: usize> = Rc<RefCell<Ring<FRAMES, MTU>>>;

/// One end of the link.
#[derive(Debug)]
pub struct Port<const FRAMES: usize, const MTU: usize> {
    from: Shared<FRAMES, MTU>,
    to: Shared<FRAMES, MTU>,
}

/// A link, by its two ends. It takes `2 * FRAMES * MTU` octets.
pub fn link<const FRAMES: usize, const MTU: usize>() -> [Port<FRAMES, MTU>; 2] {
    let [there, back] = [(); 2].map(|()| Rc::new(RefCell::new(Ring::new())));
    [Port { from: back.clone(), to: there.clone() }, Port { from: there, to: back }]
}

impl<const FRAMES: usize, const MTU: usize> Port<FRAMES, MTU> {
    /// Whether a frame waits here: the interrupt of a card.
    pub fn has_arrived(&self) -> bool {
        self.from.borrow().len > 0
    }
}

impl<const FRAMES: usize, const MTU: usize> phy::Device for Port<FRAMES, MTU> {
    type RxToken<'a> = Arrived<'a, FRAMES, MTU>;
    type TxToken<'a> = Room<'a, FRAMES, MTU>;

    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.has_arrived().then_some((Arrived(&self.from), Room(&self.to)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Self::TxToken<'_>> {
        let room = self.to.borrow().len < FRAMES;
        room.then_some(Room(&self.to))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut facts = DeviceCapabilities::default();
        facts.medium = Medium::Ip;
        facts.max_transmission_unit = MTU;
        facts
    }
}

/// A frame that arrived.
#[derive(Debug)]
pub struct Arrived<'a, const FRAMES: usize, const MTU: usize>(&'a RefCell<Ring<FRAMES, MTU>>);

impl<const FRAMES: usize, const MTU: usize> phy::RxToken for Arrived<'_, FRAMES, MTU> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.borrow_mut().pop(f)
    }
}

/// Room for a frame.
#[derive(Debug)]
pub struct Room<'a, const FRAMES: usize, const MTU: usize>(&'a RefCell<Ring<FRAMES, MTU>>);

impl<const FRAMES: usize, const MTU: usize> phy::TxToken for Room<'_, FRAMES, MTU> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.0.borrow_mut().push(len, f)
    }
}
