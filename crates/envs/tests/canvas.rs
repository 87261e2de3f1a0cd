//! The canvas against what pygame 2.6.1 drew: `fixtures/pygame`, and the script that made it.

mod common;

use common::{Digest, fixture};
use deepq_envs::picture::{Canvas, Colour, Point};
use serde::Deserialize;

#[derive(Deserialize)]
struct Shapes {
    outline: Vec<Case>,
    fill: Vec<Case>,
    circle: Vec<Case>,
    disc: Vec<Case>,
    row: Vec<Case>,
    column: Vec<Case>,
}

/// The numbers of a shape, its colour, the colour beneath, and the digest of the picture.
#[derive(Deserialize)]
struct Case(Vec<Point>, Colour, Colour, String);

fn assert_same(cases: &[Case], draw: fn(&mut Canvas, &[Point], Colour)) {
    assert_eq!(cases.len(), 150);
    let differing: Vec<_> = cases
        .iter()
        .enumerate()
        .filter(|(_, Case(points, colour, background, expected))| {
            let mut canvas = Canvas::from_top(96, 64, *background);
            draw(&mut canvas, points, *colour);
            Digest::of(canvas.into_frame().rgb()) != *expected
        })
        .map(|(index, Case(points, ..))| (index, points))
        .collect();
    assert!(differing.is_empty(), "{} of {} differ: {differing:?}", differing.len(), cases.len());
}

fn shapes() -> Shapes {
    fixture("pygame/canvas.json")
}

#[test]
fn outlines_of_polygons_are_pygames_to_the_bit() {
    assert_same(&shapes().outline, |canvas, points, colour| canvas.outline(points, colour));
}

#[test]
fn filled_polygons_are_pygames_to_the_bit() {
    assert_same(&shapes().fill, |canvas, points, colour| canvas.fill(points, colour));
}

#[test]
fn circles_are_pygames_to_the_bit() {
    assert_same(&shapes().circle, |canvas, points, colour| canvas.circle(points[0], points[1].0, colour));
}

#[test]
fn discs_are_pygames_to_the_bit() {
    assert_same(&shapes().disc, |canvas, points, colour| canvas.disc(points[0], points[1].0, colour));
}

#[test]
fn rows_and_columns_are_pygames_to_the_bit() {
    let Shapes { row, column, .. } = shapes();
    assert_same(&row, |canvas, points, colour| canvas.row(points[0].0, points[1].0, points[0].1, colour));
    assert_same(&column, |canvas, points, colour| {
        canvas.column(points[0].0, points[0].1, points[1].1, colour)
    });
}
