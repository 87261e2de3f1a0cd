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
    plain_polygon: Vec<Case>,
    plain_disc: Vec<Case>,
    smooth_lines: Vec<Case>,
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

#[test]
fn plain_polygons_are_pygames_to_the_bit() {
    assert_same(&shapes().plain_polygon, |canvas, points, colour| canvas.plain_polygon(points, colour));
}

#[test]
fn plain_discs_are_pygames_to_the_bit() {
    assert_same(&shapes().plain_disc, |canvas, points, colour| {
        canvas.plain_disc(points[0], points[1].0, colour);
    });
}

#[test]
fn smooth_lines_are_pygames_to_the_bit() {
    assert_same(&shapes().smooth_lines, |canvas, points, colour| {
        let place = |(x, y): &Point| (f64::from(*x) / 100.0, f64::from(*y) / 100.0);
        let places: Vec<_> = points.iter().map(place).collect();
        canvas.smooth_lines(&places, places.len() % 2 == 1, colour);
    });
}

#[test]
fn shapes_of_any_numbers_can_be_drawn() {
    let extremes = [i32::MIN, -9000, -1, 0, 5, 9000, i32::MAX];
    let places = [f64::NAN, f64::NEG_INFINITY, -1e9, -1.0, 0.0, 3.5, 1e9, f64::INFINITY];
    for mut canvas in [Canvas::from_top(8, 4, [0; 3]), Canvas::from_bottom(0, 0, [0; 3])] {
        for (x, y) in extremes.iter().flat_map(|x| extremes.map(|y| (*x, y))) {
            let points = [(0, 0), (x, y), (y, x), (7, 3), (x, x)];
            for points in [&points[..], &points[..1], &[]] {
                canvas.polygon(points, [9; 3]);
                canvas.plain_polygon(points, [9; 3]);
            }
            canvas.row(x, y, 1, [9; 3]);
            canvas.column(1, x, y, [9; 3]);
            canvas.smooth_disc((x, y), x.min(100), [9; 3]);
            canvas.plain_disc((1, 1), x.min(100), [9; 3]);
        }
        for (x, y) in places.iter().flat_map(|x| places.map(|y| (*x, y))) {
            canvas.smooth_lines(&[(0.0, 0.0), (x, y), (y, x)], true, [9; 3]);
        }
        canvas.smooth_lines(&[], true, [9; 3]);
    }
}
