//! A window on the desktop.

use std::cell::Cell;
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use deepq_core::Frame;
use minifb::{InputCallback, Key, ScaleMode, WindowOptions};

use crate::player::{Screen, ScreenError, Status};

/// The longest side of a frame, in pixels, that is shown.
const MAX_SIDE: usize = 8192;

/// Small frames are enlarged by the largest whole factor that keeps both sides within this many pixels.
const USUAL_SIDE: usize = 640;

/// The title is renewed at most this often: each time asks the window system twice.
const TITLE_PERIOD: Duration = Duration::from_millis(100);

/// Around a frame whose shape is not the window's.
const BORDER: u32 = 0x20_20_20;

/// A window that shows frames, enlarged or shrunk with their aspect ratio kept when the user resizes it.
///
/// Closing it, Escape and `q` end it. The window system is served only inside [`show`](Screen::show) and
/// [`poll`](Screen::poll), which belong on the thread that opened the window.
pub struct Window {
    inner: minifb::Window,
    pixels: Vec<u32>,
    stop: Rc<Cell<bool>>,
    title: String,
    titled_at: Instant,
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// No window system to be seen.
    #[error(
        "there is no display: $DISPLAY and $WAYLAND_DISPLAY are unset; use --render terminal, or record videos with \
         deepq record"
    )]
    NoDisplay,
    /// A Wayland desktop without its X11 side.
    #[error(
        "there is no X11 display: $DISPLAY is unset, and windows on Wayland need XWayland; use --render terminal, or \
         record videos with deepq record"
    )]
    OnlyWayland,
    /// The window system refused.
    #[error(
        "no window could be opened{display}: {reason}; check that the display is reachable, use --render terminal, or \
         record videos with deepq record"
    )]
    Open {
        /// Which display was tried.
        display: String,
        /// The window system's words.
        reason: String,
    },
    /// Frames of this size cannot be shown.
    #[error("a frame of {width} × {height} pixels cannot be shown: each side must be 1 to {MAX_SIDE} pixels")]
    Size {
        /// Its columns.
        width: usize,
        /// Its rows.
        height: usize,
    },
    /// The window stopped working.
    #[error("the window could not be drawn: {reason}")]
    Draw {
        /// The window system's words.
        reason: String,
    },
}

/// Hears Escape and `q` even when they are pressed and released between two frames.
struct StopKeys(Rc<Cell<bool>>);

impl InputCallback for StopKeys {
    fn add_char(&mut self, _: u32) {}

    fn set_key_state(&mut self, key: Key, is_down: bool) {
        if is_down && matches!(key, Key::Escape | Key::Q) {
            self.0.set(true);
        }
    }
}

impl Window {
    /// Opens a window for frames of `width` × `height` pixels. Frames smaller than 640 pixels are enlarged by a
    /// whole factor.
    ///
    /// # Errors
    /// If there is no display, it cannot be reached, or the size is not 1 to 8192 pixels a side.
    pub fn open(title: &str, width: usize, height: usize) -> Result<Self, WindowError> {
        let factor = factor(width, height)?;
        let display = display()?;
        let title = printable(title);
        let options = WindowOptions {
            resize: true,
            scale_mode: ScaleMode::AspectRatioStretch,
            ..WindowOptions::default()
        };
        let mut inner = minifb::Window::new(&title, width * factor, height * factor, options)
            .map_err(|error| WindowError::Open { display, reason: reason(error) })?;
        // The pace is the player's.
        inner.set_target_fps(0);
        let red_green_blue = BORDER.to_be_bytes();
        inner.set_background_color(red_green_blue[1], red_green_blue[2], red_green_blue[3]);
        let stop = Rc::new(Cell::new(false));
        inner.set_input_callback(Box::new(StopKeys(Rc::clone(&stop))));
        Ok(Self { inner, pixels: Vec::new(), stop, title, titled_at: Instant::now() })
    }

    /// Shows a frame with `caption` as the window's title; breaks if the user closed the window or pressed Escape
    /// or `q`.
    ///
    /// # Errors
    /// If the frame has no pixels or too many, or the window system fails.
    pub fn show(&mut self, frame: &Frame, caption: &str) -> Result<ControlFlow<()>, WindowError> {
        let factor = factor(frame.width(), frame.height())?;
        if self.is_closed() {
            return Ok(ControlFlow::Break(()));
        }
        self.renew_title(caption);
        pack(frame, factor, &mut self.pixels);
        self.inner
            .update_with_buffer(&self.pixels, frame.width() * factor, frame.height() * factor)
            .map_err(|error| WindowError::Draw { reason: reason(error) })?;
        Ok(self.flow())
    }

    /// Answers the window system without a new frame; breaks if the user closed the window or pressed Escape or
    /// `q`.
    pub fn poll(&mut self) -> ControlFlow<()> {
        if !self.is_closed() {
            self.inner.update();
        }
        self.flow()
    }

    fn renew_title(&mut self, caption: &str) {
        if self.titled_at.elapsed() >= TITLE_PERIOD && self.title != caption {
            caption.clone_into(&mut self.title);
            self.inner.set_title(&printable(caption));
            self.titled_at = Instant::now();
        }
    }

    fn is_closed(&self) -> bool {
        self.stop.get() || !self.inner.is_open()
    }

    fn flow(&self) -> ControlFlow<()> {
        if self.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Screen for Window {
    fn show(&mut self, frame: &Frame, status: &Status) -> Result<ControlFlow<()>, ScreenError> {
        Ok(Window::show(self, frame, &status.caption())?)
    }

    fn poll(&mut self) -> Result<ControlFlow<()>, ScreenError> {
        Ok(Window::poll(self))
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Window").field("title", &self.title).finish_non_exhaustive()
    }
}

/// By how much frames of this size are enlarged.
fn factor(width: usize, height: usize) -> Result<usize, WindowError> {
    let long = width.max(height);
    if width.min(height) == 0 || long > MAX_SIDE {
        return Err(WindowError::Size { width, height });
    }
    Ok((USUAL_SIDE / long).max(1))
}

/// The frame, enlarged, as the window system takes it: one word 0x00RRGGBB a pixel.
fn pack(frame: &Frame, factor: usize, pixels: &mut Vec<u32>) {
    pixels.clear();
    let row_length = frame.width() * factor;
    for row in frame.rgb().chunks_exact(3 * frame.width()) {
        let start = pixels.len();
        for pixel in row.chunks_exact(3) {
            let word = u32::from_be_bytes([0, pixel[0], pixel[1], pixel[2]]);
            pixels.extend(std::iter::repeat_n(word, factor));
        }
        for _ in 1..factor {
            pixels.extend_from_within(start..start + row_length);
        }
    }
}

/// Titles end at a zero byte: it becomes a space.
fn printable(title: &str) -> String {
    title.replace('\0', " ")
}

fn reason(error: minifb::Error) -> String {
    match error {
        minifb::Error::WindowCreate(reason) | minifb::Error::UpdateFailed(reason) => reason,
        other => other.to_string(),
    }
}

/// Which display will be tried, in words that follow "opened"; an error where none is set.
#[cfg(all(unix, not(target_os = "macos")))]
fn display() -> Result<String, WindowError> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    match variable("DISPLAY") {
        Some(display) => Ok(format!(" on $DISPLAY {}", display.to_string_lossy())),
        None if variable("WAYLAND_DISPLAY").is_some() => Err(WindowError::OnlyWayland),
        None => Err(WindowError::NoDisplay),
    }
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn display() -> Result<String, WindowError> {
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_are_enlarged_by_whole_factors() {
        assert_eq!(factor(600, 400).unwrap(), 1);
        assert_eq!(factor(10, 10).unwrap(), 64);
        assert_eq!(factor(160, 210).unwrap(), 3);
        assert_eq!(factor(4000, 10).unwrap(), 1);
        assert!(factor(0, 10).is_err());
        assert!(factor(10, MAX_SIDE + 1).is_err());
    }

    #[test]
    fn pixels_are_packed_red_first() {
        let mut pixels = vec![7];
        pack(&Frame::from_rgb(2, 1, vec![1, 2, 3, 4, 5, 6]), 2, &mut pixels);
        let row = [0x01_02_03, 0x01_02_03, 0x04_05_06, 0x04_05_06];
        assert_eq!(pixels, [row, row].concat());
    }
}
