//! Two hosts on a link in memory, on a Cortex-M3 with 64 KB of RAM: a handshake, an echo and a close. The debugger of
//! qemu shows what it prints, and gets its exit code.
//!
//! It takes about 130 KB of flash, and a heap of 40 KB for both hosts, their connections and the frames on the link.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use panic_semihosting as _;

use segue::host::{Endpoint, Id, Keys, Listen, ListenerId, Signal, Socket};
use segue::{Error, Instant};
use segue_smoltcp_device::ring::{Port, link};
use segue_smoltcp_device::{Host, small};

/// The heap: both hosts, their connections and the frames of the link.
const HEAP_OCTETS: usize = 40 * 1024;
#[global_allocator]
static HEAP: emballoc::Allocator<HEAP_OCTETS> = emballoc::Allocator::new();

/// The client sends these many octets.
const TEXT: usize = 20_000;
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// Milliseconds since the start.
static TICKS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    TICKS.fetch_add(1, Ordering::Relaxed);
}

fn now() -> Instant {
    Instant::from_millis(TICKS.load(Ordering::Relaxed).into())
}

#[entry]
fn main() -> ! {
    if let Some(board) = cortex_m::Peripherals::take() {
        let mut clock = board.SYST;
        clock.set_clock_source(SystClkSource::Core);
        clock.set_reload(12_000 - 1); // 1 ms at 12 MHz
        clock.enable_counter();
        clock.enable_interrupt();
    }
    run();
    debug::exit(debug::EXIT_SUCCESS);
    panic!("the debugger goes on");
}

fn run() {
    let [a, b] = link::<4, 576>();
    // A board draws the keys from its source of entropy.
    let mut server = Host::new(b, vec![SERVER], Keys::new(*b"drawn by a board"), small(1));
    let mut client = Host::new(a, vec![CLIENT], Keys::new(*b"drawn by another"), small(1));
    let listener = server.tcp.listen(Listen::port(7)).expect("nobody listens yet");
    let (mut user, mut echo) = (User::default(), Echo::default());
    let id = client.tcp.connect(CLIENT, SocketAddr::new(SERVER, 7), now()).expect("there is room");

    while !user.over {
        let at = now();
        client.poll(at, |tcp| user.turn(tcp, id, at));
        server.poll(at, |tcp| echo.turn(tcp, listener, at));
        assert!(at < Instant::from_millis(60_000), "it hangs: {user:?}");
        wait(&[&client, &server]);
    }
    assert_eq!(user.read, TEXT);
    hprintln!("echo: {} octets came back in {}", user.read, now());
}

/// Sleeps until the next interrupt, if there is nothing to do before it. The cards of a board would wake it, too.
fn wait(hosts: &[&Host<Port<4, 576>>; 2]) {
    let at = now();
    let due = |host: &&Host<_>| host.next_deadline().is_some_and(|deadline| deadline <= at);
    if !hosts.iter().any(|host| due(host) || host.is_sending() || host.device.has_arrived()) {
        cortex_m::asm::wfi();
    }
}

/// The server: what comes goes back, as far as there is room for it.
#[derive(Debug, Default)]
struct Echo {
    open: Vec<Id>,
}

impl Echo {
    fn turn(&mut self, tcp: &mut Endpoint, listener: ListenerId, now: Instant) {
        while let Some(id) = tcp.accept(listener) {
            hprintln!("server: connection {} at {}, {} octets of memory at most", id, now, tcp.memory());
            self.open.push(id);
        }
        while let Some((id, signal)) = tcp.poll_signal() {
            if let Signal::Closed(reason) = signal {
                hprintln!("server: {} is over: {}", id, reason);
            }
        }
        self.open.retain(|&id| tcp.socket(id, now).is_ok_and(|mut socket| Self::serve(&mut socket).is_ok()));
    }

    /// Few connections: each is looked at in each turn, whatever its signals say.
    fn serve(socket: &mut Socket<'_>) -> Result<(), Error> {
        let mut text = [0; 512];
        loop {
            let room = socket.writable()?.min(text.len());
            let octets = socket.read(&mut text[..room]);
            if octets == 0 {
                return if socket.eof() { socket.close() } else { Ok(()) };
            }
            socket.write(&text[..octets])?;
        }
    }
}

/// The client's user: sends its text, closes, and reads until the server has closed, too.
#[derive(Debug, Default)]
struct User {
    connected: bool,
    closed: bool,
    written: usize,
    read: usize,
    over: bool,
}

/// The octet at a place of the text.
fn octet(at: usize) -> u8 {
    (at % 251) as u8
}

impl User {
    fn turn(&mut self, tcp: &mut Endpoint, id: Id, now: Instant) {
        while let Some((_, signal)) = tcp.poll_signal() {
            match signal {
                Signal::Connected => self.connected = true,
                Signal::Closed(reason) => {
                    hprintln!("client: over: {}", reason);
                    self.over = true;
                }
                _ => {}
            }
        }
        let Ok(mut socket) = tcp.socket(id, now) else { return };
        for text in socket.chunks() {
            for got in text {
                assert_eq!(got, octet(self.read), "at {}", self.read);
                self.read += 1;
            }
        }
        if self.connected && !self.closed {
            self.write(&mut socket).expect("it is open");
        }
    }

    fn write(&mut self, socket: &mut Socket<'_>) -> Result<(), Error> {
        let mut text = [0; 512];
        loop {
            let octets = socket.writable()?.min(text.len()).min(TEXT - self.written);
            if octets == 0 {
                break;
            }
            (0..octets).for_each(|at| text[at] = octet(self.written + at));
            self.written += socket.write(&text[..octets])?;
        }
        if self.written == TEXT {
            socket.close()?; // the FIN goes on the last text
            self.closed = true;
        }
        Ok(())
    }
}
