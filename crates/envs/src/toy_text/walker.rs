//! The elf who walks over frozen lakes and along cliffs.

use super::pixel_art::{Canvas, Sprite, Turn};

/// Where the elf looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Facing {
    Left,
    Down,
    Right,
    Up,
}

/// Width and height of the elf in pixels of art.
pub(super) const ELF: (i32, i32) = (10, 14);

const FRONT: [&str; 14] = [
    "....kk....",
    "...krrk...",
    "...kggk...",
    "..kggggk..",
    ".kggggggk.",
    ".kwwwwwwk.",
    "kskssssksk",
    "kskssssksk",
    ".ksswwssk.",
    "..kssssk..",
    ".kgggGggk.",
    ".ksgyygsk.",
    "..kgggGk..",
    "..kTkkTk..",
];

const BACK: [&str; 14] = [
    "....kk....",
    "...krrk...",
    "...kggk...",
    "..kggggk..",
    ".kggggggk.",
    ".kwwwwwwk.",
    "ksttttttsk",
    "ksttttttsk",
    ".kttttttk.",
    "..kttttk..",
    ".kggggGgk.",
    ".ksggggsk.",
    "..kgggGk..",
    "..kTkkTk..",
];

const SIDE: [&str; 14] = [
    ".kk.......",
    "krrkkk....",
    ".kkgggk...",
    "..kggggk..",
    "..kgggggk.",
    ".kwwwwwwk.",
    ".kttsssksk",
    ".kttksskss",
    ".ktsssssk.",
    "..kssswk..",
    "..kggggk..",
    ".kggsggGk.",
    "..kggGgk..",
    "..kTTkTTk.",
];

/// What swims on the water where an elf fell in.
pub(super) const HAT: [&str; 6] =
    ["....kk....", "...krrk...", "..kggggk..", ".kggggggk.", ".kwwwwwwk.", "..kkkkkk.."];

/// The colour of the elf's clothes, which stands out from what they walk on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suit {
    Green,
    Blue,
}

/// Draws the elf with the upper left corner at (`x`, `y`).
pub(super) fn draw_elf(canvas: &mut Canvas, (x, y): (i32, i32), facing: Facing, suit: Suit) {
    let (sprite, turn): (&Sprite, _) = match facing {
        Facing::Left => (&SIDE, Turn::LeftForRight),
        Facing::Right => (&SIDE, Turn::Upright),
        Facing::Down => (&FRONT, Turn::Upright),
        Facing::Up => (&BACK, Turn::Upright),
    };
    let exchanged: &[_] = match suit {
        Suit::Green => &[],
        Suit::Blue => &[(b'g', b'b'), (b'G', b'B')],
    };
    canvas.turned(x, y, sprite, turn, exchanged);
}

/// Where every walk begins.
pub(super) const STOOL: &Sprite =
    &[".kkkkkkkk.", "kttttttttk", "kTTTTTTTTk", ".kTkkkkTk.", ".kTk..kTk.", ".kTk..kTk.", ".kk....kk."];
