//! The terminal as a screen: frames as half blocks in true colour, with the values below.

use std::fmt;
use std::io::{self, IsTerminal, stdout};
use std::ops::ControlFlow;
use std::sync::Once;
use std::time::Duration;

use deepq_core::Frame;
use ratatui::DefaultTerminal;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, is_raw_mode_enabled,
};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::prelude::CrosstermBackend;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use crate::frame_ops::fit;
use crate::player::{Screen, ScreenError, Status};

/// The half of a cell that its foreground colours; the background colours the other.
const UPPER_HALF: &str = "▀";

/// Blank columns between two fields.
const FIELD_GAP: usize = 3;

/// Rows that are kept for the picture before fields get more of them.
const FEWEST_PICTURE_ROWS: u16 = 6;

/// The terminal, taken over until it is dropped.
///
/// Escape, `q` and Ctrl-C end it. What other parts of the program print meanwhile spoils the picture.
pub struct Terminal {
    inner: DefaultTerminal,
}

/// Why the terminal cannot be drawn on.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// Standard output goes to a file or a pipe.
    #[error(
        "standard output is not a terminal, so there is nothing to draw on; leave out the redirection, use --render \
         window, or record videos with deepq record"
    )]
    NotATerminal,
    /// The terminal refused.
    #[error("the terminal could not be {action}: {source}")]
    Io {
        /// What was tried: `taken over`, `drawn on` …
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl Terminal {
    /// Takes the terminal over. It is given back when the value is dropped, and when the program panics.
    ///
    /// # Errors
    /// If standard output is no terminal, or the terminal refuses.
    pub fn open() -> Result<Self, TerminalError> {
        if !stdout().is_terminal() {
            return Err(TerminalError::NotATerminal);
        }
        restore_on_panic();
        let failed = |source| TerminalError::Io { action: "taken over", source };
        enable_raw_mode().map_err(failed)?;
        let opened = execute!(stdout(), EnterAlternateScreen)
            .and_then(|()| ratatui::Terminal::new(CrosstermBackend::new(stdout())));
        match opened {
            Ok(inner) => Ok(Self { inner }),
            Err(error) => {
                restore();
                Err(failed(error))
            }
        }
    }

    /// Shows a frame with the status around it; breaks if the user pressed Escape, `q` or Ctrl-C.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn show(&mut self, frame: &Frame, status: &Status) -> Result<ControlFlow<()>, TerminalError> {
        self.inner
            .draw(|canvas| draw(canvas.area(), canvas.buffer_mut(), frame, status))
            .map_err(|source| TerminalError::Io { action: "drawn on", source })?;
        self.poll()
    }

    /// Reads the keyboard without a new frame; breaks if the user pressed Escape, `q` or Ctrl-C.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn poll(&mut self) -> Result<ControlFlow<()>, TerminalError> {
        let failed = |source| TerminalError::Io { action: "read from", source };
        while event::poll(Duration::ZERO).map_err(failed)? {
            if let Event::Key(key) = event::read().map_err(failed)?
                && ends(&key)
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

impl Screen for Terminal {
    fn show(&mut self, frame: &Frame, status: &Status) -> Result<ControlFlow<()>, ScreenError> {
        Ok(Terminal::show(self, frame, status)?)
    }

    fn poll(&mut self) -> Result<ControlFlow<()>, ScreenError> {
        Ok(Terminal::poll(self)?)
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Terminal").finish_non_exhaustive()
    }
}

fn ends(key: &KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Esc => true,
            KeyCode::Char('q' | 'Q') => !control,
            KeyCode::Char('c') => control,
            _ => false,
        }
}

/// Gives the terminal back, once: a second time would put the cursor where it stood at first, over what was printed
/// since.
fn restore() {
    if is_raw_mode_enabled().unwrap_or(false) {
        // A terminal that is gone needs no restoring, and there is nobody left to tell.
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    }
}

/// Puts the restoring before the printing of a panic's message, which would be lost with the alternate screen.
fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            previous(panic);
        }));
    });
}

/// Draws the title, the picture and the fields into `area`.
fn draw(area: Rect, buffer: &mut Buffer, frame: &Frame, status: &Status) {
    let fields = field_lines(status, usize::from(area.width));
    let room = area.height.saturating_sub(1 + FEWEST_PICTURE_ROWS);
    let field_rows = (fields.len() as u16).min(room.max(1));
    let [title, picture, below] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(field_rows)])
            .areas(area);
    draw_title(title, buffer, status.title());
    draw_picture(picture, buffer, frame);
    Paragraph::new(fields).render(below, buffer);
}

fn draw_title(area: Rect, buffer: &mut Buffer, title: &str) {
    let dim = Style::new().add_modifier(Modifier::DIM);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let [left, right] = Layout::horizontal([Constraint::Min(0), Constraint::Length(11)]).areas(area);
    Line::styled(format!(" {title}"), bold).render(left, buffer);
    Line::styled("q to quit ", dim).right_aligned().render(right, buffer);
}

/// The fields side by side, as many in a line as fit.
fn field_lines(status: &Status, width: usize) -> Vec<Line<'_>> {
    let dim = Style::new().add_modifier(Modifier::DIM);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut used = 0;
    for (label, value) in status.fields() {
        let field = [Span::styled(label.as_str(), dim), Span::raw(" "), Span::styled(value.as_str(), bold)];
        let field_width: usize = field.iter().map(Span::width).sum();
        match lines.last_mut() {
            Some(line) if used + FIELD_GAP + field_width < width => {
                line.push_span(Span::raw(" ".repeat(FIELD_GAP)));
                line.extend(field);
                used += FIELD_GAP + field_width;
            }
            _ => {
                let mut line = Line::raw(" ");
                line.extend(field);
                lines.push(line);
                used = 1 + field_width;
            }
        }
    }
    lines
}

/// The frame in the middle of `area`, two of its rows in each row of cells.
fn draw_picture(area: Rect, buffer: &mut Buffer, frame: &Frame) {
    let picture = fit(frame, usize::from(area.width), 2 * usize::from(area.height));
    let rows = picture.height().div_ceil(2);
    let left = area.x + (area.width - picture.width() as u16) / 2;
    let top = area.y + (area.height - rows as u16) / 2;
    for row in 0..rows {
        for column in 0..picture.width() {
            let Some(cell) = buffer.cell_mut((left + column as u16, top + row as u16)) else { continue };
            cell.set_symbol(UPPER_HALF).set_fg(colour(picture.pixel(column, 2 * row)));
            if 2 * row + 1 < picture.height() {
                cell.set_bg(colour(picture.pixel(column, 2 * row + 1)));
            }
        }
    }
}

fn colour([red, green, blue]: [u8; 3]) -> Color {
    Color::Rgb(red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: u16, height: u16, frame: &Frame, status: &Status) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        draw(buffer.area, &mut buffer, frame, status);
        buffer
    }

    fn row(buffer: &Buffer, y: u16) -> String {
        (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned()
    }

    fn status() -> Status {
        Status::new("CartPole-v1").with("episode", 7).with("step", 120).with("return", "119.0")
    }

    #[test]
    fn two_rows_of_the_frame_share_one_row_of_cells() {
        let mut rgb = vec![0; 3 * 2 * 3];
        for (index, byte) in rgb.iter_mut().enumerate() {
            *byte = index as u8;
        }
        let frame = Frame::from_rgb(2, 3, rgb);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 2));
        draw_picture(buffer.area, &mut buffer, &frame);
        let upper = &buffer[(1, 0)];
        assert_eq!((upper.fg, upper.bg), (Color::Rgb(0, 1, 2), Color::Rgb(6, 7, 8)));
        let lower = &buffer[(2, 1)];
        assert_eq!((lower.symbol(), lower.fg, lower.bg), ("▀", Color::Rgb(15, 16, 17), Color::Reset));
        assert_eq!(buffer[(0, 0)].symbol(), " ");
        assert_eq!(buffer[(3, 0)].symbol(), " ");
    }

    #[test]
    fn the_title_stands_above_and_the_fields_below() {
        let buffer = drawn(80, 24, &Frame::filled(600, 400, [255; 3]), &status());
        assert!(row(&buffer, 0).starts_with(" CartPole-v1 "), "{:?}", row(&buffer, 0));
        assert!(row(&buffer, 0).ends_with("q to quit"), "{:?}", row(&buffer, 0));
        assert_eq!(row(&buffer, 23), " episode 7   step 120   return 119.0");
        assert_eq!(row(&buffer, 12).chars().filter(|&symbol| symbol == '▀').count(), 66);
    }

    #[test]
    fn fields_that_do_not_fit_go_to_the_next_line() {
        let status = status().with("epsilon", "0.050").with("loss", "0.0123");
        let buffer = drawn(40, 20, &Frame::filled(60, 40, [9; 3]), &status);
        assert_eq!(row(&buffer, 18), " episode 7   step 120   return 119.0");
        assert_eq!(row(&buffer, 19), " epsilon 0.050   loss 0.0123");
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(0, 0), (1, 1), (3, 2), (200, 1), (1, 200), (12, 7)] {
            drawn(width, height, &Frame::filled(600, 400, [255; 3]), &status());
        }
        drawn(80, 24, &Frame::filled(0, 0, [0; 3]), &status());
        drawn(80, 24, &Frame::filled(10, 10, [0; 3]), &Status::default());
    }

    #[test]
    fn the_keys_that_end_it() {
        let press = |code, modifiers| KeyEvent::new(code, modifiers);
        assert!(ends(&press(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(ends(&press(KeyCode::Esc, KeyModifiers::NONE)));
        assert!(ends(&press(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!ends(&press(KeyCode::Char('c'), KeyModifiers::NONE)));
        assert!(!ends(&press(KeyCode::Char('x'), KeyModifiers::NONE)));
    }
}
