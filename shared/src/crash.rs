//! Crash points: the moments right before and right after everything that has an effect outside the program. The effect
//! clients (`store`, `queue`, `blobs`, `events` and both vendors' clients) call [`around`] themselves, so that a new step of a
//! handler has its points without anybody's doing.
//!
//! They exist with the cargo feature `crash-points` only, which the test kit's tests turn on. Without it [`around`] is its
//! argument. A build without debug assertions refuses the feature.

use std::future::Future;

#[cfg(all(feature = "crash-points", not(debug_assertions)))]
compile_error!("`crash-points` is for tests: a release build must not have it");

/// What has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// A transaction is committed.
    Commit,
    /// One statement that writes, committed by itself.
    Write,
    /// A request to a vendor, of any kind.
    Http,
    /// An object is stored whole.
    Put,
    /// An upload in parts begins.
    UploadBegin,
    /// One part of it.
    Part,
    /// Its object appears.
    UploadEnd,
    /// An object is copied.
    Copy,
    /// An object is deleted.
    Delete,
    /// A message is sent.
    Send,
    /// A message is hidden for a while.
    Postpone,
    /// An event is posted to an endpoint of the owner's.
    Post,
    /// Events are put on the owner's bus.
    Publish,
    /// A schedule is switched on or off.
    Switch,
}

/// `work`, with a crash point before and after it.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub(crate) fn around<F: Future>(_effect: Effect, work: F) -> F {
    work
}

/// `work`, with a crash point before and after it.
#[cfg(feature = "crash-points")]
pub(crate) async fn around<F: Future>(effect: Effect, work: F) -> F::Output {
    // Boxed, because the SDK's futures are large and the stack of a test is not.
    let work = Box::pin(work);
    armed::pass(armed::Point::Before(effect)).await;
    let done = work.await;
    armed::pass(armed::Point::After(effect)).await;
    done
}

#[cfg(feature = "crash-points")]
pub use armed::{Point, run};

#[cfg(feature = "crash-points")]
mod armed {
    use std::fmt;
    use std::future::{Future, pending, poll_fn};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::task::Poll;

    use super::Effect;

    /// Where a run can die.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Point {
        /// Nothing of the effect has happened.
        Before(Effect),
        /// All of it has happened.
        After(Effect),
    }

    impl fmt::Display for Point {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Before(effect) => write!(f, "before {effect:?}"),
                Self::After(effect) => write!(f, "after {effect:?}"),
            }
        }
    }

    #[derive(Default)]
    struct Run {
        passed: Vec<Point>,
        stop_at: Option<usize>,
        stopped: bool,
    }

    tokio::task_local! {
        static RUN: Arc<Mutex<Run>>;
    }

    /// Runs `work` and notes the points that it passes. With `stop_at`, it dies at the point of this number (from 0): its
    /// future is dropped there, and there is no output.
    pub async fn run<F: Future>(stop_at: Option<usize>, work: F) -> (Vec<Point>, Option<F::Output>) {
        let run = Arc::new(Mutex::new(Run { stop_at, ..Run::default() }));
        let output = {
            let mut work = Box::pin(RUN.scope(Arc::clone(&run), work));
            poll_fn(|context| match work.as_mut().poll(context) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if locked(&run, |run| run.stopped) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            })
            .await
        };
        (locked(&run, |run| std::mem::take(&mut run.passed)), output)
    }

    pub(super) async fn pass(point: Point) {
        let stop = RUN.try_with(|run| {
            locked(run, |run| {
                run.stopped |= run.stop_at == Some(run.passed.len());
                run.passed.push(point);
                run.stopped
            })
        });
        if stop == Ok(true) {
            pending::<()>().await;
        }
    }

    fn locked<T>(run: &Mutex<Run>, look: impl FnOnce(&mut Run) -> T) -> T {
        look(&mut run.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
