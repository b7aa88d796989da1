//! A connection with its limits applied.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::Closed;
use super::gate::Ticket;

/// A TCP stream that fails when it has to end.
pub(crate) struct Connection {
    stream: TcpStream,
    ticket: Ticket,
    /// Why it has to close; closed itself when room is needed.
    told: oneshot::Receiver<Closed>,
    /// When to look again whether it has done nothing for too long.
    look: Pin<Box<Sleep>>,
    /// Running while the peer reads nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Why it has failed, which it then does for good.
    ended: Option<Closed>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, ticket: Ticket, told: oneshot::Receiver<Closed>) -> Self {
        let (due, _) = ticket.activity.due(Instant::now(), ticket.gate.limits());
        Self { stream, ticket, told, look: Box::pin(sleep_until(due)), stalled: None, ended: None }
    }

    pub(super) const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    fn end(&mut self, closed: Closed) -> io::Error {
        // The gate has counted those that it told to close.
        if closed != Closed::MadeRoom {
            self.ticket.gate.closed(closed);
        }
        self.ended = Some(closed);
        closed.into()
    }

    /// Whether it has to end. Asked before each read and write, and so whenever the connection's task is woken.
    fn poll_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(closed) = self.ended {
            return Err(closed.into());
        }
        if let Poll::Ready(told) = Pin::new(&mut self.told).poll(context) {
            return Err(self.end(told.unwrap_or(Closed::MadeRoom)));
        }
        while self.look.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let (due, closed) = self.ticket.activity.due(now, self.ticket.gate.limits());
            match closed {
                Some(closed) if due <= now => return Err(self.end(closed)),
                _ => self.look.as_mut().reset(due),
            }
        }
        Ok(())
    }

    /// Bounds the time for which the peer takes nothing.
    fn bounded<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let unread = self.ticket.gate.limits().unread;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(unread)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(self.end(Closed::Unread)))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_end(context)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let now = Instant::now();
        if buffer.filled().len() > before && self.ticket.activity.bytes(now) {
            // Sooner than it would have been: the next read, which has to wait, looks at it.
            let (due, _) = self.ticket.activity.due(now, self.ticket.gate.limits());
            self.look.as_mut().reset(due);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(context)?;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(context)?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
