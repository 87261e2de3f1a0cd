//! Pictures as pixel art: drawn small, with few colours, and then enlarged.

use deepq_core::Frame;

pub(super) type Colour = [u8; 3];

/// How many pixels of the picture a pixel of art is wide and high.
pub(super) const ENLARGED: usize = 4;

pub(super) const INK: Colour = [46, 48, 62];
pub(super) const WHITE: Colour = [252, 252, 248];
pub(super) const RED: Colour = [208, 74, 72];

/// The colour of a sprite's letter; `None` where what lies below shows through.
fn colour(letter: u8) -> Option<Colour> {
    Some(match letter {
        b'k' => INK,
        b'w' => WHITE,
        b'l' => [212, 214, 220],
        b'n' => [150, 154, 166],
        b'r' => RED,
        b'R' => [156, 46, 52],
        b'o' => [240, 160, 64],
        b'y' => [248, 206, 70],
        b'Y' => [214, 160, 38],
        b'g' => [82, 168, 84],
        b'G' => [48, 118, 62],
        b'b' => [104, 152, 220],
        b'B' => [58, 98, 172],
        b'c' => [176, 222, 246],
        b's' => [250, 208, 168],
        b't' => [176, 122, 72],
        b'T' => [118, 76, 46],
        _ => return None,
    })
}

/// A small picture, a letter a pixel; a point is transparent.
pub(super) type Sprite = [&'static str];

/// How a sprite is turned over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Upright,
    LeftForRight,
    TopForBottom,
}

/// A picture in the making.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Colour>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize, colour: Colour) -> Self {
        Self { width, height, pixels: vec![colour; width * height] }
    }

    /// One pixel; outside the picture nothing happens.
    fn set(&mut self, x: i32, y: i32, colour: Colour) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x < self.width && y < self.height {
            self.pixels[y * self.width + x] = colour;
        }
    }

    /// A filled rectangle with its upper left corner at (`x`, `y`).
    pub(super) fn rectangle(&mut self, x: i32, y: i32, width: i32, height: i32, colour: Colour) {
        for row in y..y + height {
            for column in x..x + width {
                self.set(column, row, colour);
            }
        }
    }

    /// The edge of a rectangle, `thickness` pixels inwards.
    pub(super) fn border(&mut self, [x, y, width, height]: [i32; 4], thickness: i32, colour: Colour) {
        self.rectangle(x, y, width, thickness, colour);
        self.rectangle(x, y + height - thickness, width, thickness, colour);
        self.rectangle(x, y, thickness, height, colour);
        self.rectangle(x + width - thickness, y, thickness, height, colour);
    }

    /// A sprite with its upper left corner at (`x`, `y`).
    pub(super) fn sprite(&mut self, x: i32, y: i32, sprite: &Sprite) {
        self.turned(x, y, sprite, Turn::Upright, &[]);
    }

    /// A sprite turned over, some of its letters exchanged for others.
    pub(super) fn turned(&mut self, x: i32, y: i32, sprite: &Sprite, turn: Turn, exchanged: &[(u8, u8)]) {
        for (row, line) in sprite.iter().enumerate() {
            let row = if turn == Turn::TopForBottom { sprite.len() - 1 - row } else { row };
            for (column, letter) in line.bytes().enumerate() {
                let column = if turn == Turn::LeftForRight { line.len() - 1 - column } else { column };
                let letter = exchanged.iter().find(|pair| pair.0 == letter).map_or(letter, |pair| pair.1);
                if let Some(colour) = colour(letter) {
                    self.set(x + column as i32, y + row as i32, colour);
                }
            }
        }
    }

    /// A shape in one colour: every pixel of the sprite that is not transparent.
    pub(super) fn shape(&mut self, x: i32, y: i32, sprite: &Sprite, colour: Colour) {
        self.scaled_shape(x, y, 1, sprite, colour);
    }

    fn scaled_shape(&mut self, x: i32, y: i32, scale: i32, sprite: &Sprite, colour: Colour) {
        for (row, line) in (0..).zip(sprite) {
            for (column, letter) in (0..).zip(line.bytes()) {
                if letter != b'.' {
                    self.rectangle(x + column * scale, y + row * scale, scale, scale, colour);
                }
            }
        }
    }

    /// Writes capital letters, digits and colons, five pixels high times `scale`. Others are left out.
    pub(super) fn text(&mut self, x: i32, y: i32, scale: i32, text: &str, colour: Colour) {
        let mut x = x;
        for letter in text.chars() {
            let glyph = glyph(letter);
            self.scaled_shape(x, y, scale, glyph, colour);
            x += (width(glyph) + 1) * scale;
        }
    }

    /// The picture, enlarged.
    pub(super) fn enlarged(&self) -> Frame {
        self.scaled(self.width * ENLARGED, self.height * ENLARGED)
    }

    /// The picture in another size; each pixel takes the colour of the one it lies on.
    pub(super) fn scaled(&self, width: usize, height: usize) -> Frame {
        let mut rgb = Vec::with_capacity(3 * width * height);
        let mut last = None;
        for y in 0..height {
            let row = y * self.height / height;
            if last == Some(row) {
                rgb.extend_from_within(rgb.len() - 3 * width..);
                continue;
            }
            last = Some(row);
            let pixels = &self.pixels[row * self.width..(row + 1) * self.width];
            rgb.extend((0..width).flat_map(|x| pixels[x * self.width / width]));
        }
        Frame::from_rgb(width, height, rgb)
    }
}

/// How many pixels wide a text is, unscaled.
pub(super) fn text_width(text: &str) -> i32 {
    text.chars().map(|letter| width(glyph(letter)) + 1).sum::<i32>() - 1
}

fn width(glyph: &Sprite) -> i32 {
    glyph.first().map_or(0, |row| row.len() as i32)
}

#[rustfmt::skip]
fn glyph(letter: char) -> &'static Sprite {
    match letter {
        '0' => &["###", "#.#", "#.#", "#.#", "###"],
        '1' => &["##.", ".#.", ".#.", ".#.", "###"],
        '2' => &["###", "..#", "###", "#..", "###"],
        '3' => &["###", "..#", ".##", "..#", "###"],
        '4' => &["#.#", "#.#", "###", "..#", "..#"],
        '5' => &["###", "#..", "###", "..#", "###"],
        '6' => &["###", "#..", "###", "#.#", "###"],
        '7' => &["###", "..#", ".#.", ".#.", ".#."],
        '8' => &["###", "#.#", "###", "#.#", "###"],
        '9' => &["###", "#.#", "###", "..#", "###"],
        'A' => &[".#.", "#.#", "###", "#.#", "#.#"],
        'B' => &["##.", "#.#", "##.", "#.#", "##."],
        'C' => &[".##", "#..", "#..", "#..", ".##"],
        'D' => &["##.", "#.#", "#.#", "#.#", "##."],
        'E' => &["###", "#..", "##.", "#..", "###"],
        'G' => &[".##", "#..", "#.#", "#.#", ".##"],
        'J' => &["..#", "..#", "..#", "#.#", ".#."],
        'K' => &["#.#", "#.#", "##.", "#.#", "#.#"],
        'L' => &["#..", "#..", "#..", "#..", "###"],
        'N' => &["#..#", "##.#", "#.##", "#..#", "#..#"],
        'O' => &[".#.", "#.#", "#.#", "#.#", ".#."],
        'P' => &["##.", "#.#", "##.", "#..", "#.."],
        'Q' => &[".##.", "#..#", "#..#", "#.#.", ".#.#"],
        'R' => &["##.", "#.#", "##.", "#.#", "#.#"],
        'S' => &[".##", "#..", ".#.", "..#", "##."],
        'T' => &["###", ".#.", ".#.", ".#.", ".#."],
        'U' => &["#.#", "#.#", "#.#", "#.#", "###"],
        'W' => &["#...#", "#...#", "#.#.#", "#.#.#", ".#.#."],
        'Y' => &["#.#", "#.#", ".#.", ".#.", ".#."],
        ':' => &[".", "#", ".", "#", "."],
        ' ' => &[".."],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_left_out() {
        let mut canvas = Canvas::new(4, 3, WHITE);
        canvas.rectangle(-5, -5, 6, 6, RED);
        canvas.sprite(3, 2, &["kk", "kk"]);
        canvas.text(-2, 2, 9, "8?é", INK);
        let frame = canvas.scaled(4, 3);
        assert_eq!((frame.pixel(0, 0), frame.pixel(1, 0), frame.pixel(3, 2)), (RED, WHITE, INK));
    }

    #[test]
    fn a_sprite_is_turned_over_about_its_own_middle() {
        let mut canvas = Canvas::new(2, 4, WHITE);
        canvas.turned(0, 0, &["kr"], Turn::LeftForRight, &[]);
        canvas.turned(0, 2, &["k.", ".y"], Turn::TopForBottom, &[(b'y', b'r')]);
        let frame = canvas.scaled(2, 4);
        assert_eq!((frame.pixel(0, 0), frame.pixel(1, 0)), (RED, INK));
        assert_eq!((frame.pixel(1, 2), frame.pixel(0, 3), frame.pixel(0, 2)), (RED, INK, WHITE));
    }

    #[test]
    fn enlarging_repeats_each_pixel_and_shrinking_leaves_some_out() {
        let mut canvas = Canvas::new(3, 2, WHITE);
        canvas.rectangle(1, 1, 1, 1, INK);
        let large = canvas.enlarged();
        assert_eq!((large.width(), large.height()), (12, 8));
        for (x, y) in (0..12).flat_map(|x| (0..8).map(move |y| (x, y))) {
            let expected = if (4..8).contains(&x) && y >= 4 { INK } else { WHITE };
            assert_eq!(large.pixel(x, y), expected, "({x}, {y})");
        }
        assert_eq!(canvas.scaled(1, 1).pixel(0, 0), WHITE);
    }

    #[test]
    fn a_text_is_as_wide_as_said() {
        assert_eq!(text_width("1"), 3);
        assert_eq!(text_width("W:1"), 5 + 1 + 1 + 1 + 3);
    }
}
