//! The picture of the cliff, after the look of Gymnasium's.

use deepq_core::Frame;

use super::{COLUMNS, GOAL, ROWS, START, STATES, is_cliff};
use crate::toy_text::pixel_art::{Canvas, Colour, ENLARGED, INK, Sprite};
use crate::toy_text::walker::{ELF, Facing, STOOL, Suit, draw_elf};

const TILE: usize = 16;
pub(super) const SIZE: (usize, usize) = (COLUMNS * TILE * ENLARGED, ROWS * TILE * ENLARGED);

const GRASS: Colour = [190, 214, 142];
const GRASS_EDGE: Colour = [166, 194, 118];
const GRASS_BLADE: Colour = [140, 174, 96];
const ROCK: Colour = [164, 116, 76];
const ROCK_SHADE: Colour = [122, 82, 54];
const ROCK_DEEP: Colour = [84, 56, 44];

const BLADES: [&Sprite; 3] = [&["#.#", ".#."], &["#..#", ".##."], &["#"]];
const FLAG: &Sprite = &[
    "kk........",
    "kkrrrr....",
    "kkrrrrrr..",
    "kkrrrrrrrr",
    "kkrrrrrr..",
    "kkrrRR....",
    "kk........",
    "kk........",
    "kk........",
    "kk........",
    "kk........",
    "kkk.......",
];

/// The world with the elf on the tile `state`, looking where the action led.
pub(super) fn draw(state: usize, last_action: Option<u8>) -> Frame {
    let mut canvas = Canvas::new(COLUMNS * TILE, ROWS * TILE, GRASS);
    for tile in 0..STATES {
        let (x, y) = corner(tile);
        if is_cliff(tile) { draw_cliff(&mut canvas, tile, x, y) } else { draw_grass(&mut canvas, tile, x, y) }
    }
    let (x, y) = corner(START);
    canvas.sprite(x + 3, y + 7, STOOL);
    let (x, y) = corner(GOAL);
    canvas.sprite(x + 5, y + 3, FLAG);
    let (x, y) = corner(state);
    let (dx, dy) = ((TILE as i32 - ELF.0) / 2, (TILE as i32 - ELF.1) / 2);
    let aside = if state == GOAL { 3 } else { 0 };
    draw_elf(&mut canvas, (x + dx - aside, y + dy), facing(last_action), Suit::Blue);
    canvas.enlarged()
}

fn facing(last_action: Option<u8>) -> Facing {
    match last_action {
        Some(0) => Facing::Up,
        Some(1) => Facing::Right,
        Some(3) => Facing::Left,
        _ => Facing::Down,
    }
}

fn corner(tile: usize) -> (i32, i32) {
    ((tile % COLUMNS * TILE) as i32, (tile / COLUMNS * TILE) as i32)
}

fn draw_grass(canvas: &mut Canvas, tile: usize, x: i32, y: i32) {
    let side = TILE as i32;
    canvas.rectangle(x, y + side - 1, side, 1, GRASS_EDGE);
    canvas.rectangle(x + side - 1, y, 1, side, GRASS_EDGE);
    let mixed = tile.wrapping_mul(0x9e37_79b9) >> 5;
    if let Some(blades) = BLADES.get(mixed % 5) {
        canvas.shape(x + 1 + (mixed / 5 % 10) as i32, y + 2 + (mixed / 50 % 10) as i32, blades, GRASS_BLADE);
    }
}

/// A piece of the rock face: grass above, cracks, and darkness below.
fn draw_cliff(canvas: &mut Canvas, tile: usize, x: i32, y: i32) {
    let side = TILE as i32;
    canvas.rectangle(x, y, side, side, ROCK);
    canvas.rectangle(x, y, side, 1, INK);
    for (place, height) in [(0, 2), (3, 1), (5, 3), (8, 1), (10, 2), (13, 3), (15, 1)] {
        canvas.rectangle(x + place, y + 1, 2, height, GRASS_BLADE);
    }
    let shift = (tile % 2) as i32 * 4;
    canvas.rectangle(x + 2 + shift, y + 5, 1, 4, ROCK_SHADE);
    canvas.rectangle(x + 9 - shift / 2, y + 6, 1, 5, ROCK_SHADE);
    canvas.rectangle(x + 4 + shift, y + 9, 5, 1, ROCK_SHADE);
    canvas.rectangle(x, y + 11, side, 2, ROCK_SHADE);
    canvas.rectangle(x, y + 13, side, 3, ROCK_DEEP);
    if tile == START + 1 {
        canvas.rectangle(x, y, 1, side, INK);
    }
    if tile == GOAL - 1 {
        canvas.rectangle(x + side - 1, y, 1, side, INK);
    }
}
