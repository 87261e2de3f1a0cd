//! Building HTML and SVG so that nothing from a file can become markup.

use std::fmt::{Display, Write};

/// A piece of a page.
///
/// Markup itself can only be a literal of this program: `raw` takes nothing else. Everything that was read or
/// computed goes through `text`, which escapes it.
#[derive(Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds tags.
    pub(super) fn raw(&mut self, literal: &'static str) -> &mut Self {
        self.0.push_str(literal);
        self
    }

    /// Adds text, or the value of a quoted attribute.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(Escaping(&mut self.0), "{text}");
        self
    }

    /// Adds bytes in base64.
    pub(super) fn base64(&mut self, bytes: &[u8]) -> &mut Self {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode_string(bytes, &mut self.0);
        self
    }

    /// Adds another piece.
    pub(super) fn append(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: impl Display) -> &mut Self {
        self.raw("<p>").text(text).raw("</p>\n")
    }

    /// A table. The first column is its text, the others are set as numbers.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> &mut Self {
        self.raw("<div class=\"scroll\"><table>\n<thead><tr>");
        for cell in head {
            self.raw("<th scope=\"col\">").text(cell).raw("</th>");
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for cell in row {
                self.raw("<td>").text(cell).raw("</td>");
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody></table></div>\n")
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(character),
                '\r' => {}
                _ if is_deceptive(character) => self.0.push('\u{fffd}'),
                _ => self.0.push(character),
            }
        }
        Ok(())
    }
}

/// Control characters, what HTML and XML forbid, and what turns the direction of the text that follows, which
/// makes a command look like another one.
pub(crate) fn is_deceptive(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
        || character.is_control()
}
