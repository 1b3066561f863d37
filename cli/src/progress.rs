//! How far long work is: a bar on a terminal, elsewhere a line every few seconds. On the standard error output, so that the
//! answer stays clean.

use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// Of something that has an end.
    pub(crate) fn bar() -> Self {
        Self::of("{bar:30} {percent:>3}%  {msg}")
    }

    /// Of something that is waited for.
    pub(crate) fn spinner() -> Self {
        Self::of("{spinner} {msg}")
    }

    fn of(template: &str) -> Self {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = Term::stderr().is_term().then(|| {
            let bar = ProgressBar::new(0).with_style(style.progress_chars("##."));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, told: Instant::now() }
    }

    /// Says how far it is.
    pub(crate) fn show(&mut self, done: u64, of: u64, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(done.min(of));
            bar.set_message(message.to_owned());
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            crate::tell(message);
        }
    }

    /// A line that stays.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| crate::tell(text)),
            None => crate::tell(text),
        }
    }

    /// Prints an answer while the bar stands.
    pub(crate) fn around<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
