//! The two directions of a stream, for two tasks.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::TcpStream;

impl TcpStream {
    /// Both directions at once, in one task.
    pub const fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf(self), WriteHalf(self))
    }

    /// Both directions, for two tasks. Dropping the write half sends the FIN, and reading goes on.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let stream = Arc::new(self);
        (OwnedReadHalf(Arc::clone(&stream)), OwnedWriteHalf(stream))
    }
}

/// What the peer sends, from [`TcpStream::split`]. It is a view: dropping it does nothing.
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// What the peer gets, from [`TcpStream::split`]. It is a view: dropping it does nothing.
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// What the peer sends, from [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// What the peer gets, from [`TcpStream::into_split`]. Dropping it is a `shutdown`.
#[derive(Debug)]
pub struct OwnedWriteHalf(Arc<TcpStream>);

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        let _ = self.0.poll_shutdown_shared(); // a connection that is over has no FIN to send
    }
}

/// The stream of a half: its addresses, and `abort`.
macro_rules! half {
    ($half:ty) => {
        impl AsRef<TcpStream> for $half {
            fn as_ref(&self) -> &TcpStream {
                &self.0
            }
        }
    };
}

macro_rules! reads {
    ($half:ty) => {
        half!($half);

        impl AsyncRead for $half {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                self.0.poll_read_shared(cx, buf)
            }
        }
    };
}

macro_rules! writes {
    ($half:ty) => {
        half!($half);

        impl AsyncWrite for $half {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.0.poll_write_shared(cx, &[IoSlice::new(buf)])
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.0.poll_write_shared(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.poll_shutdown_shared()
            }
        }
    };
}

reads!(ReadHalf<'_>);
reads!(OwnedReadHalf);
writes!(WriteHalf<'_>);
writes!(OwnedWriteHalf);
