//! The picture of the town, after the look of Gymnasium's.

use deepq_core::Frame;

use super::town::{IN_TAXI, RANKS, SIDE, TaxiState, WALLS};
use crate::toy_text::pixel_art::{Canvas, Colour, ENLARGED, INK, Sprite, Turn, WHITE};

const WIDTH: usize = 134;
const HEIGHT: usize = 114;
pub(super) const SIZE: (usize, usize) = (WIDTH * ENLARGED, HEIGHT * ENLARGED);

/// The upper left corner of the town, and width and height of a place with the line behind it.
const TOWN: (i32, i32) = (12, 32);
const PLACE: (i32, i32) = (22, 14);

const SKY: Colour = [244, 247, 250];
const STREET: Colour = [228, 227, 222];
const STREET_LINE: Colour = [206, 204, 197];
const RANK_COLOURS: [Colour; 4] = [[216, 96, 92], [120, 184, 104], [240, 198, 84], [104, 146, 208]];
const RANK_LETTERS: [&str; 4] = ["R", "G", "Y", "B"];

/// Seen from above, driving east.
const TAXI_EAST: &Sprite = &[
    "...kkk.....kkk...",
    ".kkkkkkkkkkkkkkk.",
    "kryyyckYYYYkcyywk",
    "kryycckyyyykccywk",
    "kyyyccyyttyyccyyk",
    "kyyyccyyttyyccyyk",
    "kryycckyyyykccywk",
    "kryyyckYYYYkcyywk",
    ".kkkkkkkkkkkkkkk.",
    "...kkk.....kkk...",
];
/// Seen from above, driving north.
const TAXI_NORTH: &Sprite = &[
    "..kkkkkk..",
    ".kwwyywwk.",
    "kkyyyyyykk",
    "kkyccccykk",
    ".kcccccck.",
    ".kYyyyyYk.",
    ".kYyttyYk.",
    ".kYyttyYk.",
    ".kYyyyyYk.",
    "kkyccccykk",
    "kkyyyyyykk",
    ".krryyrrk.",
    "..kkkkkk..",
];
/// A taxi with its passenger is green, and the passenger's head shows.
const EMPTY: [(u8, u8); 1] = [(b't', b'k')];
const FULL: [(u8, u8); 3] = [(b'y', b'g'), (b'Y', b'G'), (b't', b's')];

const PASSENGER: &Sprite = &[
    "..www..", ".wkkkw.", ".wsssw.", ".wsssw.", "wwkkkww", "wkkkkkw", "wskkksw", "wwkkkww", ".wkwkw.",
    ".wkwkw.", ".wwwww.",
];
const FLAG: &Sprite =
    &["kkkkkkk", "kkwkwkw", "kwkwkwk", "kkwkwkw", "k......", "k......", "k......", "k......"];

/// The town in the state, the taxi heading south (0), north (1), east (2) or west (3).
pub(super) fn draw(state: TaxiState, heading: u8) -> Frame {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, SKY);
    draw_skyline(&mut canvas);
    draw_streets(&mut canvas);
    let (x, y) = corner(RANKS[state.destination % RANKS.len()]);
    canvas.border([x, y, PLACE.0 - 1, PLACE.1 - 1], 2, INK);
    canvas.sprite(x + 13, y + 2, FLAG);
    draw_taxi(&mut canvas, state, heading);
    if state.passenger != IN_TAXI {
        let (x, y) = corner(RANKS[state.passenger % RANKS.len()]);
        canvas.sprite(x + 11, y + 1, PASSENGER);
    }
    canvas.enlarged()
}

fn corner((row, column): (usize, usize)) -> (i32, i32) {
    (TOWN.0 + column as i32 * PLACE.0, TOWN.1 + row as i32 * PLACE.1)
}

fn draw_taxi(canvas: &mut Canvas, state: TaxiState, heading: u8) {
    let (x, y) = corner((state.row, state.column));
    let exchanged: &[_] = if state.passenger == IN_TAXI { &FULL } else { &EMPTY };
    let (x, y, sprite, turn) = match heading {
        1 => (x + 5, y, TAXI_NORTH, Turn::Upright),
        2 => (x + 2, y + 1, TAXI_EAST, Turn::Upright),
        3 => (x + 2, y + 1, TAXI_EAST, Turn::LeftForRight),
        _ => (x + 5, y, TAXI_NORTH, Turn::TopForBottom),
    };
    // A seam of light keeps the taxi apart from a rank of its own colour.
    canvas.shape(x - 1, y, sprite, WHITE);
    canvas.shape(x + 1, y, sprite, WHITE);
    canvas.turned(x, y, sprite, turn, exchanged);
}

fn draw_streets(canvas: &mut Canvas) {
    let side = SIDE as i32;
    let (width, height) = (side * PLACE.0, side * PLACE.1);
    canvas.border([TOWN.0 - 3, TOWN.1 - 3, width + 5, height + 5], 2, INK);
    canvas.rectangle(TOWN.0 - 1, TOWN.1 - 1, width + 1, height + 1, STREET);
    for line in 1..side {
        canvas.rectangle(TOWN.0 + line * PLACE.0 - 1, TOWN.1, 1, height - 1, STREET_LINE);
        canvas.rectangle(TOWN.0, TOWN.1 + line * PLACE.1 - 1, width - 1, 1, STREET_LINE);
    }
    for ((rank, colour), letter) in RANKS.into_iter().zip(RANK_COLOURS).zip(RANK_LETTERS) {
        let (x, y) = corner(rank);
        canvas.rectangle(x, y, PLACE.0 - 1, PLACE.1 - 1, colour);
        canvas.text(x + 3, y + 4, 1, letter, WHITE);
    }
    for (row, column) in WALLS {
        let (x, y) = corner((row, column + 1));
        canvas.rectangle(x - 2, y - 1, 2, PLACE.1 + 1, INK);
    }
}

/// Houses and trees beyond the town.
fn draw_skyline(canvas: &mut Canvas) {
    const BRICK: Colour = [206, 132, 100];
    const SAND: Colour = [226, 190, 132];
    const SLATE: Colour = [112, 124, 152];
    const TILES: Colour = [184, 78, 72];
    const LEAVES: Colour = [96, 158, 92];
    let ground = TOWN.1 - 3;
    for (x, width, height, wall, roof) in [
        (14, 18, 14, SAND, TILES),
        (44, 14, 19, BRICK, SLATE),
        (58, 22, 12, SAND, SLATE),
        (100, 20, 17, BRICK, TILES),
    ] {
        draw_house(canvas, [x, ground - height, width, height], wall, roof);
    }
    for x in [35, 84, 91] {
        canvas.rectangle(x + 2, ground - 4, 2, 4, [122, 84, 56]);
        canvas.rectangle(x, ground - 10, 6, 6, LEAVES);
        canvas.rectangle(x + 1, ground - 11, 4, 1, LEAVES);
    }
}

fn draw_house(canvas: &mut Canvas, [x, y, width, height]: [i32; 4], wall: Colour, roof: Colour) {
    const PANE: Colour = [190, 222, 240];
    canvas.rectangle(x, y, width, height, INK);
    canvas.rectangle(x + 1, y, width - 2, height, wall);
    for (row, inset) in [(1, 0), (2, 0), (3, 1), (4, 2), (5, 3)] {
        canvas.rectangle(x - 1 + inset, y - row, width + 2 - 2 * inset, 1, roof);
    }
    canvas.rectangle(x - 1, y, width + 2, 1, INK);
    for row in 0..height / 6 {
        for place in 0..(width - 2) / 5 {
            canvas.rectangle(x + 2 + place * 5, y + 2 + row * 6, 3, 3, PANE);
        }
    }
}
