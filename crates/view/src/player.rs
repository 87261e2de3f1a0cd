//! What shows frames, and at which pace.

use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use deepq_core::Frame;

use crate::terminal::TerminalError;
use crate::window::WindowError;

/// How long a wait may go on without looking at the keyboard.
const LONGEST_SLEEP: Duration = Duration::from_millis(40);

/// How far behind its timetable a [`Pacer`] may fall before it starts a new one instead of hurrying.
const LONGEST_DELAY: Duration = Duration::from_millis(250);

/// What a screen tells beside the picture: a title, and labelled values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    title: String,
    fields: Vec<(String, String)>,
}

impl Status {
    /// A status of a title (such as the environment's id) and nothing else.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), fields: Vec::new() }
    }

    /// The same with one more labelled value at the end.
    #[must_use]
    pub fn with(mut self, label: impl Into<String>, value: impl fmt::Display) -> Self {
        self.fields.push((label.into(), value.to_string()));
        self
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Labels and values in the order they were given.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// Everything in one line, as a window's title shows it.
    pub fn caption(&self) -> String {
        let mut caption = self.title.clone();
        for (label, value) in &self.fields {
            if !caption.is_empty() {
                caption.push_str(" · ");
            }
            caption.push_str(label);
            caption.push(' ');
            caption.push_str(value);
        }
        caption
    }
}

/// Why a screen stopped working, or could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// The window.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// The terminal.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// A pace that is none.
    #[error("{found} frames per second: must be above 0 and finite")]
    FramesPerSecond {
        /// What was asked for.
        found: f64,
    },
}

/// Something that shows frames to somebody who may close it.
pub trait Screen {
    /// Shows a frame at once; breaks if the user closed the screen.
    ///
    /// # Errors
    /// If the screen is gone or cannot show the frame.
    fn show(&mut self, frame: &Frame, status: &Status) -> Result<ControlFlow<()>, ScreenError>;

    /// Answers the keyboard, the mouse and the window system without a new frame; breaks if the user closed the
    /// screen.
    ///
    /// # Errors
    /// If the screen is gone.
    fn poll(&mut self) -> Result<ControlFlow<()>, ScreenError>;
}

/// Holds frames to a rate, without drift: each is due at a whole number of periods after the first.
#[derive(Clone, Debug)]
pub struct Pacer {
    period: Option<Duration>,
    due: Option<Instant>,
}

impl Pacer {
    /// A pace of so many frames each second; `None` is as fast as possible.
    ///
    /// # Errors
    /// If the rate is not above zero and finite.
    pub fn new(frames_per_second: Option<f64>) -> Result<Self, ScreenError> {
        let period = match frames_per_second {
            None => None,
            Some(rate) => Some(
                Some(1.0 / rate)
                    .filter(|_| rate > 0.0 && rate.is_finite())
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                    .ok_or(ScreenError::FramesPerSecond { found: rate })?,
            ),
        };
        Ok(Self { period, due: None })
    }

    /// Waits until the next frame is due; call it after each [`Screen::show`]. The screen stays awake meanwhile,
    /// and the wait breaks off when the user closes it.
    ///
    /// # Errors
    /// If the screen is gone.
    pub fn wait(&mut self, screen: &mut dyn Screen) -> Result<ControlFlow<()>, ScreenError> {
        let due = self.next_due(Instant::now());
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(ControlFlow::Continue(()));
            }
            std::thread::sleep(left.min(LONGEST_SLEEP));
            if left > LONGEST_SLEEP && screen.poll()?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// When the frame after the one shown `now` is due.
    fn next_due(&mut self, now: Instant) -> Instant {
        let Some(period) = self.period else { return now };
        let on_time = self.due.filter(|&due| now.saturating_duration_since(due) <= LONGEST_DELAY);
        let due = on_time.unwrap_or(now).checked_add(period).unwrap_or(now);
        self.due = Some(due);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caption_names_every_field_in_order() {
        let status = Status::new("CartPole-v1").with("episode", 3).with("return", format!("{:.1}", 12.0));
        assert_eq!(status.caption(), "CartPole-v1 · episode 3 · return 12.0");
        assert_eq!(Status::new("").with("step", 1).caption(), "step 1");
    }

    #[test]
    fn frames_are_due_at_whole_periods_however_long_drawing_takes() {
        let mut pacer = Pacer::new(Some(50.0)).unwrap();
        let start = Instant::now();
        let mut now = start;
        for frame in 1..=500_u32 {
            let due = pacer.next_due(now);
            assert_eq!(due, start + Duration::from_millis(20) * frame);
            now = due + Duration::from_micros(u64::from(frame * 7919 % 9000));
        }
    }

    #[test]
    fn after_a_long_stop_the_timetable_starts_anew() {
        let mut pacer = Pacer::new(Some(50.0)).unwrap();
        let start = Instant::now();
        pacer.next_due(start);
        let late = start + Duration::from_secs(5);
        assert_eq!(pacer.next_due(late), late + Duration::from_millis(20));
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut pacer = Pacer::new(None).unwrap();
        let now = Instant::now();
        assert_eq!(pacer.next_due(now), now);
    }

    #[test]
    fn rates_that_are_none_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300] {
            let error = Pacer::new(Some(rate)).unwrap_err().to_string();
            assert!(error.contains("frames per second"), "{rate}: {error}");
        }
    }

    /// A screen that is closed after so many polls.
    struct ClosesAfter(usize);

    impl Screen for ClosesAfter {
        fn show(&mut self, _: &Frame, _: &Status) -> Result<ControlFlow<()>, ScreenError> {
            Ok(ControlFlow::Continue(()))
        }

        fn poll(&mut self) -> Result<ControlFlow<()>, ScreenError> {
            self.0 -= 1;
            Ok(if self.0 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        }
    }

    #[test]
    fn a_wait_breaks_off_when_the_screen_is_closed() {
        let mut pacer = Pacer::new(Some(0.05)).unwrap();
        let start = Instant::now();
        assert!(pacer.wait(&mut ClosesAfter(2)).unwrap().is_break());
        assert!(start.elapsed() < Duration::from_secs(10), "it slept through the closing");
    }

    #[test]
    fn waiting_takes_as_long_as_the_rate_says() {
        let mut pacer = Pacer::new(Some(100.0)).unwrap();
        let start = Instant::now();
        for _ in 0..10 {
            assert!(pacer.wait(&mut ClosesAfter(1)).unwrap().is_continue());
        }
        assert!(start.elapsed() >= Duration::from_millis(99), "{:?}", start.elapsed());
    }
}
