//! TCP streams and listeners for tokio, over segue instead of the kernel: on a TUN device, in a VPN client, in a simulated
//! network.
//!
//! [`TcpStream`] is `AsyncRead + AsyncWrite`, so TLS (tokio-rustls), HTTP (hyper) and everything else that takes a stream
//! runs over it unchanged. A [`Host`] has the connections, and a [`Device`] carries its packets. [`Link`] makes two devices
//! joined in memory, with delay and loss: under `tokio::time::pause`, tests of network programs take no time and give the
//! same result each time.
//!
//! ```
//! use segue::host::{EndpointConfig, Keys, Listen};
//! use segue_tokio::{Host, Link};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> std::io::Result<()> {
//! let (here, there) = Link { lost: 20, ..Link::default() }.open(); // 2 % of the packets
//! let config = EndpointConfig::default();
//! // 16 octets from the system's generator of random numbers, drawn at startup.
//! let client = Host::spawn(here, "198.51.100.7".parse().unwrap(), Keys::new(*b"drawn at startup"), config.clone());
//! let server = Host::spawn(there, "192.0.2.1".parse().unwrap(), Keys::new(*b"drawn by another"), config);
//!
//! let mut listener = server.listen(Listen::port(7))?;
//! tokio::spawn(async move {
//!     while let Ok(stream) = listener.accept().await {
//!         tokio::spawn(async move {
//!             let (mut reader, mut writer) = stream.into_split();
//!             tokio::io::copy(&mut reader, &mut writer).await // dropping the writer sends the FIN
//!         });
//!     }
//! });
//!
//! let mut stream = client.connect("192.0.2.1:7".parse().unwrap()).await?;
//! stream.write_all(b"hello").await?;
//! stream.shutdown().await?;
//! let mut echoed = Vec::new();
//! stream.read_to_end(&mut echoed).await?;
//! assert_eq!(echoed, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **Exact wakes.** A task is woken when its call can proceed, never for nothing, and once. The task with the device is
//!   woken by packets, by the first deadline of all connections, and by calls that leave something to send. An idle
//!   connection wakes nobody.
//! * **Few segments.** A turn ends with one flush, after the tasks that it woke have run: the response carries the
//!   acknowledgment of the request, the FIN goes on the last text.
//! * **Bounded memory.** A write waits when the send buffer is full, and the peer waits when nobody reads
//!   ([`Config::send_buffer`], [`Config::receive_buffer`]). [`EndpointConfig::memory`] bounds all connections together.
//! * **Errors as tokio's streams give them**: [`Host::connect`] and [`TcpStream`] list the kinds.
//!
//! # To copy its shape
//!
//! `driver.rs` is the loop of any asynchronous host; `stream.rs` shows what each call does with a
//! [`Socket`](segue::host::Socket). The endpoint stands in a `std` mutex that the driver and the calls share: a call reads
//! and writes at once, without a channel between, and nobody waits while it is locked. tokio gives the time, the wakers and
//! the task, and nothing else.
//!
//! What a driver must not forget:
//!
//! * A call that leaves something to flush wakes it. A new deadline alone does not: the flush that follows tells it.
//! * Wakers are called, and the device is used, after the lock is given back: both run code of others.
//! * The tasks that a turn woke run before its flush.
//! * When it ends, by a panic too, all that wait are woken and fail.
//!
//! `cargo run -p segue-tokio --example tokio` makes requests by HTTP/2 (hyper) over a lossy link; the tests also have
//! TLS 1.3 (rustls) and traffic as `git fetch` makes it.
//!
//! # Left out
//!
//! The gate of a listener, several addresses for one host (`connect_from` names one), urgent data, reports (of the end of the
//! handshake after Fast Open, too). [`Config`](segue::Config) sets the options of all connections of a host,
//! [`TcpStream::set`] and [`TcpStream::set_congestion`] those of one.
//!
//! [`Config::send_buffer`]: segue::Config::send_buffer
//! [`Config::receive_buffer`]: segue::Config::receive_buffer
//! [`EndpointConfig::memory`]: segue::host::EndpointConfig::memory
#![warn(missing_docs)]

mod device;
mod driver;
mod error;
mod host;
mod listener;
mod memory;
mod split;
mod stream;

pub use device::{Datagrams, Device, Ip};
pub use host::Host;
pub use listener::TcpListener;
pub use memory::{Link, Memory};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
pub use stream::TcpStream;
