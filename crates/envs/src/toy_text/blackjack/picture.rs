//! The picture of the table: both hands as cards, and their sums.

use std::cmp::Ordering;

use deepq_core::Frame;

use super::OpenCard;
use super::hand::Hand;
use crate::toy_text::pixel_art::{Canvas, Colour, ENLARGED, INK, RED, Sprite, WHITE, text_width};

const WIDTH: usize = 96;
const HEIGHT: usize = 94;
pub(super) const SIZE: (usize, usize) = (WIDTH * ENLARGED, HEIGHT * ENLARGED);

const FELT: Colour = [126, 184, 128];
const FELT_LINE: Colour = [104, 162, 108];
const CARD: (i32, i32) = (20, 27);
/// Where the hands lie, and how wide a place they have.
const CARDS_LEFT: i32 = 31;
const CARDS_WIDTH: i32 = WIDTH as i32 - CARDS_LEFT - 3;
const DEALER_TOP: i32 = 6;
const PLAYER_TOP: i32 = 52;

const SUITS: [&Sprite; 4] = [
    &["...###...", "..#####..", "..#####..", ".#######.", "#########", "#########", ".##.#.##.", "...###..."],
    &["....#....", "...###...", "..#####..", ".#######.", ".#######.", "..#####..", "...###...", "....#...."],
    &[".##...##.", "####.####", "#########", "#########", ".#######.", "..#####..", "...###...", "....#...."],
    &["....#....", "...###...", "..#####..", ".#######.", "#########", "#########", ".##.#.##.", "...###..."],
];

/// For cards that others cover.
const SMALL_SUITS: [&Sprite; 4] = [
    &[".###.", ".###.", "#####", "#####", "..#.."],
    &["..#..", ".###.", "#####", ".###.", "..#.."],
    &[".#.#.", "#####", "#####", ".###.", "..#.."],
    &["..#..", ".###.", "#####", "#####", "..#.."],
];

/// The table. `end` is what the episode earned where it has ended: the dealer's cards are then all open, unless
/// the player went above 21, whom the dealer need not show anything.
pub(super) fn draw(player: &Hand, dealer: &Hand, open_card: OpenCard, end: Option<f64>) -> Frame {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, FELT);
    canvas.border([1, 1, WIDTH as i32 - 2, HEIGHT as i32 - 2], 1, FELT_LINE);
    let revealed = end.is_some() && !player.is_bust();
    let dealer_sum = if revealed { dealer.sum() } else { dealer.first().into() };
    draw_label(&mut canvas, DEALER_TOP, "DEALER", dealer_sum);
    draw_label(&mut canvas, PLAYER_TOP, "PLAYER", player.sum());
    draw_dealer(&mut canvas, dealer, open_card, revealed);
    let suit = |place: usize| (usize::from(open_card.suit) + place * 3 + 1) % 4;
    for (place, value) in player.cards().iter().enumerate() {
        let corner = (card_left(place, player.cards().len()), PLAYER_TOP);
        draw_card(&mut canvas, corner, rank(*value), suit(place), seen(place, player.cards().len()));
    }
    if player.has_usable_ace() {
        canvas.text(CARDS_LEFT, PLAYER_TOP + CARD.1 + 4, 1, "USABLE ACE", INK);
    }
    if let Some(reward) = end {
        let (word, colour) = match reward.partial_cmp(&0.0) {
            _ if player.is_bust() => ("BUST", RED),
            Some(Ordering::Greater) => ("WON", WHITE),
            Some(Ordering::Less) => ("LOST", RED),
            _ => ("DRAW", INK),
        };
        canvas.text(CARDS_LEFT, 38, 2, word, colour);
    }
    canvas.enlarged()
}

fn draw_label(canvas: &mut Canvas, y: i32, name: &str, sum: u32) {
    canvas.text(4, y, 1, name, INK);
    let sum = sum.min(999).to_string();
    let scale = if sum.len() > 2 { 2 } else { 3 };
    canvas.text(4, y + 9, scale, &sum, INK);
}

fn draw_dealer(canvas: &mut Canvas, dealer: &Hand, open_card: OpenCard, revealed: bool) {
    let count = if revealed { dealer.cards().len() } else { 2 };
    for (place, value) in dealer.cards().iter().enumerate().take(count) {
        let corner = (card_left(place, count), DEALER_TOP);
        let (rank, suit) = match place {
            0 => (open_rank(*value, open_card.court), open_card.suit.into()),
            _ => (rank(*value), (usize::from(open_card.suit) + place) % 4),
        };
        if place == 0 || revealed {
            draw_card(canvas, corner, rank, suit, seen(place, count));
        } else {
            draw_back(canvas, corner);
        }
    }
}

/// The left edge of a card of a hand: side by side where there is room, else one over the other.
fn card_left(place: usize, count: usize) -> i32 {
    let room = CARDS_WIDTH - CARD.0;
    let gap = CARD.0 + 2;
    let last = count.max(2) as i32 - 1;
    CARDS_LEFT + if gap * last <= room { gap * place as i32 } else { room * place as i32 / last }
}

/// How much of a card's width the next one leaves to be seen.
fn seen(place: usize, count: usize) -> i32 {
    if place + 1 == count { CARD.0 } else { card_left(place + 1, count) - card_left(place, count) }
}

fn rank(value: u8) -> &'static str {
    match value {
        1 => "A",
        2 => "2",
        3 => "3",
        4 => "4",
        5 => "5",
        6 => "6",
        7 => "7",
        8 => "8",
        9 => "9",
        _ => "10",
    }
}

/// The rank of the dealer's open card: a value of 10 is always a court card.
pub(super) fn open_rank(value: u8, court: u8) -> &'static str {
    match (value, court) {
        (10, 0) => "J",
        (10, 1) => "Q",
        (10, _) => "K",
        _ => rank(value),
    }
}

fn draw_blank(canvas: &mut Canvas, (x, y): (i32, i32), colour: Colour) {
    canvas.rectangle(x + 1, y, CARD.0 - 2, CARD.1, INK);
    canvas.rectangle(x, y + 1, CARD.0, CARD.1 - 2, INK);
    canvas.rectangle(x + 1, y + 1, CARD.0 - 2, CARD.1 - 2, colour);
}

/// An open card of which the left part, `seen` pixels wide, is not covered by another.
fn draw_card(canvas: &mut Canvas, (x, y): (i32, i32), rank: &str, suit: usize, seen: i32) {
    draw_blank(canvas, (x, y), WHITE);
    let colour = if suit == 1 || suit == 2 { RED } else { INK };
    if 4 + text_width(rank) * 2 <= seen {
        canvas.text(x + 3, y + 3, 2, rank, colour);
    } else {
        canvas.text(x + 2, y + 3, 1, rank, colour);
    }
    if seen >= CARD.0 - 3 {
        canvas.shape(x + 8, y + 16, SUITS[suit % SUITS.len()], colour);
    } else {
        canvas.shape(x + 2, y + 18, SMALL_SUITS[suit % SUITS.len()], colour);
    }
}

fn draw_back(canvas: &mut Canvas, (x, y): (i32, i32)) {
    const PATTERN: Colour = [228, 128, 120];
    draw_blank(canvas, (x, y), WHITE);
    canvas.rectangle(x + 2, y + 2, CARD.0 - 4, CARD.1 - 4, RED);
    for row in (0..CARD.1 - 8).step_by(2) {
        for column in (row / 2 % 2 * 2..CARD.0 - 8).step_by(4) {
            canvas.rectangle(x + 4 + column, y + 4 + row, 2, 2, PATTERN);
        }
    }
}
