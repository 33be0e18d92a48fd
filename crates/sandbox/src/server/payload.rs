//! Reply bodies on their way out: whole, or bent by a fault (cut short, stalled, dripping).

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// A connection that is ended on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the connection was ended by a fault")]
pub(super) struct Ended;

/// One step of sending a bent body.
#[derive(Debug)]
pub(super) enum Step {
    Send(Bytes),
    Wait(Duration),
    Silence,
    End,
}

#[derive(Debug)]
pub(super) enum Payload {
    Whole(Bytes),
    Bent {
        steps: VecDeque<Step>,
        dripping: Option<(Bytes, Duration)>,
        length: u64,
        nap: Option<Pin<Box<Sleep>>>,
    },
}

/// How long the first half of a cut body gets to leave before the connection is closed.
const LEAVE: Duration = Duration::from_millis(30);

impl Payload {
    fn bent(steps: impl IntoIterator<Item = Step>, length: usize) -> Self {
        // A body of nothing cannot be cut: promise one byte that never comes.
        let length = length.max(1) as u64;
        Self::Bent {
            steps: steps.into_iter().collect(),
            dripping: None,
            length,
            nap: None,
        }
    }

    /// Half of the body, then the connection is closed.
    pub(super) fn truncated(body: &Bytes) -> Self {
        Self::bent(
            [
                Step::Send(body.slice(..body.len() / 2)),
                Step::Wait(LEAVE),
                Step::End,
            ],
            body.len(),
        )
    }

    /// Half of the body, then silence.
    pub(super) fn stalled(body: &Bytes) -> Self {
        Self::bent(
            [Step::Send(body.slice(..body.len() / 2)), Step::Silence],
            body.len(),
        )
    }

    /// One byte at a time.
    pub(super) fn dripping(body: Bytes, every: Duration) -> Self {
        let length = body.len() as u64;
        Self::Bent {
            steps: VecDeque::new(),
            dripping: Some((body, every)),
            length,
            nap: None,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        let (steps, dripping, nap) = match self.get_mut() {
            Self::Whole(body) if body.is_empty() => return Poll::Ready(None),
            Self::Whole(body) => return Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
            Self::Bent {
                steps, dripping, nap, ..
            } => (steps, dripping, nap),
        };
        loop {
            if let Some(timer) = nap {
                match timer.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => *nap = None,
                }
            }
            if let Some((rest, every)) = dripping {
                if rest.is_empty() {
                    return Poll::Ready(None);
                }
                *nap = Some(Box::pin(sleep(*every)));
                return Poll::Ready(Some(Ok(Frame::data(rest.split_to(1)))));
            }
            match steps.pop_front() {
                Some(Step::Send(part)) if part.is_empty() => {}
                Some(Step::Send(part)) => return Poll::Ready(Some(Ok(Frame::data(part)))),
                Some(Step::Wait(time)) => *nap = Some(Box::pin(sleep(time))),
                Some(Step::End) => return Poll::Ready(Some(Err(Ended))),
                // Never woken: the connection ends when the client gives up or the sandbox stops.
                Some(Step::Silence) | None => {
                    steps.push_front(Step::Silence);
                    return Poll::Pending;
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_empty(),
            Self::Bent { length, .. } => *length == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Whole(body) => body.len() as u64,
            Self::Bent { length, .. } => *length,
        })
    }
}
