//! The picture of a frozen lake, after the look of Gymnasium's.

use deepq_core::Frame;

use super::{Map, Tile};
use crate::toy_text::pixel_art::{Canvas, Colour, ENLARGED, INK, RED, Sprite};
use crate::toy_text::walker::{ELF, Facing, HAT, STOOL, Suit, draw_elf};

/// Pixels of art along the side of a tile.
const TILE: i32 = 16;
const MAX_SIZE: usize = 512;
/// Of a greater map the tiles are too small for a picture each.
const MAX_DETAILED: usize = MAX_SIZE / TILE as usize;

const ICE: Colour = [198, 225, 245];
const ICE_EDGE: Colour = [168, 200, 230];
const ICE_SHINE: Colour = [228, 242, 252];
const WATER: Colour = [58, 106, 170];
const WATER_RIM: Colour = [36, 72, 128];
const WATER_SHINE: Colour = [112, 162, 214];

const HOLE: &Sprite = &[
    "..#########..",
    ".###########.",
    "#############",
    "#############",
    "#############",
    "#############",
    "#############",
    "#############",
    "#############",
    "#############",
    "#############",
    ".###########.",
    "..#########..",
];

const SCRATCHES: [&Sprite; 3] = [
    &["......#", ".....#.", "....#..", ".......", ".#.....", "#......"],
    &["..#....", ".#.....", "#....#.", "....#..", "......."],
    &["...#...", "..#....", ".......", "......#", ".....#."],
];

const PRESENT: &Sprite = &[
    "..kk..kk..",
    ".kyykkyyk.",
    "..kyyyyk..",
    "kkkkyykkkk",
    "krrryyrrrk",
    "kkkkyykkkk",
    "krrryyrrRk",
    "krrryyrrRk",
    "krrryyrrRk",
    "kRRRYYRRRk",
    "kkkkkkkkkk",
];

/// Width and height of the picture: 64 pixels a tile, 512 at most.
pub(super) fn size(map: &Map) -> (usize, usize) {
    let side = |tiles: usize| (tiles * TILE as usize * ENLARGED).min(MAX_SIZE);
    (side(map.columns()), side(map.rows()))
}

/// The lake with the elf on the tile `state`, looking where the action led.
pub(super) fn draw(map: &Map, state: usize, last_action: Option<u8>) -> Frame {
    let (width, height) = size(map);
    if map.columns().max(map.rows()) > MAX_DETAILED {
        return draw_coarsely(map, state, width, height);
    }
    let mut canvas = Canvas::new(map.columns() * TILE as usize, map.rows() * TILE as usize, ICE);
    for (index, tile) in map.tiles().iter().enumerate() {
        draw_tile(&mut canvas, *tile, index, corner(map, index));
    }
    let (x, y) = corner(map, state);
    let (x, y) = (x + (TILE - ELF.0) / 2, y + (TILE - ELF.1) / 2);
    match map.tiles()[state] {
        Tile::Hole => canvas.sprite(x, y + 4, &HAT),
        Tile::Goal => {
            draw_elf(&mut canvas, (x - 3, y - 1), facing(last_action), Suit::Green);
            canvas.sprite(x + 3, y + 4, PRESENT);
        }
        Tile::Start | Tile::Frozen => draw_elf(&mut canvas, (x, y), facing(last_action), Suit::Green),
    }
    canvas.scaled(width, height)
}

fn facing(last_action: Option<u8>) -> Facing {
    match last_action {
        Some(0) => Facing::Left,
        Some(2) => Facing::Right,
        Some(3) => Facing::Up,
        _ => Facing::Down,
    }
}

fn corner(map: &Map, tile: usize) -> (i32, i32) {
    ((tile % map.columns()) as i32 * TILE, (tile / map.columns()) as i32 * TILE)
}

fn draw_tile(canvas: &mut Canvas, tile: Tile, index: usize, (x, y): (i32, i32)) {
    canvas.rectangle(x, y + TILE - 1, TILE, 1, ICE_EDGE);
    canvas.rectangle(x + TILE - 1, y, 1, TILE, ICE_EDGE);
    match tile {
        Tile::Frozen => {
            // The same tile has the same scratches in every picture.
            let mixed = index.wrapping_mul(0x9e37_79b9) >> 7;
            if mixed % 5 < SCRATCHES.len() {
                let (dx, dy) = ((mixed / 5 % 7) as i32, (mixed / 35 % 8) as i32);
                canvas.shape(x + 1 + dx, y + 1 + dy, SCRATCHES[mixed % 5], ICE_SHINE);
            }
        }
        Tile::Hole => {
            canvas.shape(x + 1, y + 1, HOLE, WATER_RIM);
            canvas.rectangle(x + 2, y + 3, TILE - 5, 10, WATER);
            canvas.rectangle(x + 3, y + 13, TILE - 7, 1, WATER);
            canvas.rectangle(x + 4, y + 6, 4, 1, WATER_SHINE);
            canvas.rectangle(x + 8, y + 10, 4, 1, WATER_SHINE);
        }
        Tile::Start => canvas.sprite(x + 3, y + 7, STOOL),
        Tile::Goal => canvas.sprite(x + 3, y + 3, PRESENT),
    }
}

/// A great lake: a colour a tile, the elf in ink, with a ring around.
fn draw_coarsely(map: &Map, state: usize, width: usize, height: usize) -> Frame {
    let mut canvas = Canvas::new(map.columns(), map.rows(), ICE);
    let place = |tile: usize| ((tile % map.columns()) as i32, (tile / map.columns()) as i32);
    for (index, tile) in map.tiles().iter().enumerate() {
        let (x, y) = place(index);
        let colour = match tile {
            Tile::Frozen => continue,
            Tile::Hole => WATER,
            Tile::Start => ICE_EDGE,
            Tile::Goal => RED,
        };
        canvas.rectangle(x, y, 1, 1, colour);
    }
    let (x, y) = place(state);
    canvas.rectangle(x, y, 1, 1, INK);
    canvas.scaled(width, height)
}
