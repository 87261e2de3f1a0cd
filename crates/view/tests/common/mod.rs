//! What the tests of this crate share.
#![allow(dead_code, reason = "each test program uses a part")]

use std::io::Write;
use std::path::PathBuf;

use deepq_core::Frame;

/// The program `name` of the search path. Where it is missing, the test is to be skipped, which is said on standard
/// error; with `DEEPQ_REQUIRE_TOOLS=1` it fails instead.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    any_tool(&[name])
}

/// The first of the programs `names` that the search path has, otherwise as [`tool`].
pub(crate) fn any_tool(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = |name| std::env::split_paths(&path).map(move |directory| directory.join(name));
    let found = names.iter().flat_map(places).find(|place| place.is_file());
    if found.is_none() {
        skip(&format!("{} not found", names.join(" or ")));
    }
    found
}

/// Says that the test at hand is skipped; with `DEEPQ_REQUIRE_TOOLS=1` it fails.
fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    assert!(
        std::env::var_os("DEEPQ_REQUIRE_TOOLS").is_none_or(|value| value != "1"),
        "{test} needs it: {why}"
    );
    // Not eprintln: the test harness would swallow it.
    let _ = writeln!(std::io::stderr(), "{test} skipped: {why}");
}

/// A picture like CartPole's, 600 × 400: a cart, a pole and the track on white. It moves with `step`.
pub(crate) fn cart_pole(step: usize) -> Frame {
    let seconds = step as f64 * 0.02;
    let x = 300.0 + 60.0 * (0.7 * seconds).sin() + 6.0 * (4.0 * seconds).sin();
    let angle = 0.08 * (2.1 * seconds).sin() + 0.02 * (9.0 * seconds).sin();
    let (sine, cosine) = angle.sin_cos();
    let turned = |a: f64, b: f64| (x + a * cosine - b * sine, 292.5 + a * sine + b * cosine);
    let mut frame = Frame::filled(600, 400, [255; 3]);
    fill(&mut frame, [(x - 25.0, 285.0), (x + 25.0, 285.0), (x + 25.0, 315.0), (x - 25.0, 315.0)], [0; 3]);
    let pole = [turned(-5.0, 5.0), turned(-5.0, -120.0), turned(5.0, -120.0), turned(5.0, 5.0)];
    fill(&mut frame, pole, [202, 152, 101]);
    let axle = [(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)].map(|(a, b)| (x + a, 292.5 + b));
    fill(&mut frame, axle, [129, 132, 203]);
    let track = 3 * 600 * 299;
    frame.rgb_mut()[track..track + 3 * 600].fill(0);
    frame
}

/// Fills a convex quadrilateral whose corners go round clockwise on the screen.
fn fill(frame: &mut Frame, corners: [(f64, f64); 4], colour: [u8; 3]) {
    let width = frame.width();
    let bound = |value: f64, limit: usize| (value.max(0.0) as usize).min(limit);
    let range = |values: [f64; 4], limit| {
        bound(values.iter().copied().fold(f64::INFINITY, f64::min), limit)
            ..bound(values.iter().copied().fold(0.0, f64::max) + 1.0, limit)
    };
    for y in range(corners.map(|corner| corner.1), frame.height()) {
        for x in range(corners.map(|corner| corner.0), width) {
            let (px, py) = (x as f64 + 0.5, y as f64 + 0.5);
            let inside = (0..4).all(|i| {
                let (a, b) = (corners[i], corners[(i + 1) % 4]);
                (b.0 - a.0) * (py - a.1) - (b.1 - a.1) * (px - a.0) >= 0.0
            });
            if inside {
                frame.rgb_mut()[3 * (y * width + x)..][..3].copy_from_slice(&colour);
            }
        }
    }
}
