//! Charts of estimates with their intervals, one a row.

use super::chart::{LETTER, dots, label, line, path, polyline, range};
use super::markup::Markup;
use super::scale::Axis;

/// An estimate.
pub(super) struct Estimate {
    /// Of what.
    pub(super) label: String,
    /// Its colour, as a [`Series`](super::chart::Series) has it.
    pub(super) class: &'static str,
    /// The estimate itself.
    pub(super) value: f64,
    /// Where there is one, the interval.
    pub(super) interval: Option<(f64, f64)>,
    /// Both as text.
    pub(super) text: String,
}

/// Estimates below one another on a common axis.
pub(super) struct IntervalChart {
    /// What a reader who cannot see it is told.
    pub(super) description: String,
    /// What is estimated, with its unit.
    pub(super) x_title: &'static str,
    /// The estimates, from the top.
    pub(super) rows: Vec<Estimate>,
    /// Whether they are probabilities: the axis is then 0 to 1, with a line where both are as probable.
    pub(super) probabilities: bool,
}

/// Where things are.
struct Layout {
    /// Whether a row's label stands above it rather than to its left.
    stacked: bool,
    left: f64,
    right: f64,
    row: f64,
    bottom: f64,
    axis: Axis,
}

const TOP: f64 = 8.0;
const BELOW: f64 = 44.0;

impl Layout {
    fn across(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * self.axis.place(value)
    }

    /// Where the middle of a row's estimate is.
    fn middle(&self, index: usize) -> f64 {
        TOP + self.row * index as f64 + if self.stacked { 28.0 } else { self.row / 2.0 }
    }
}

fn width(text: &str) -> f64 {
    LETTER * text.chars().count() as f64
}

impl IntervalChart {
    /// The chart as one `<svg>` element of this class, as high as its rows need.
    pub(super) fn svg(&self, width: f64, class: &'static str) -> Markup {
        let layout = self.layout(width);
        let mut svg = Markup::default();
        svg.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"").raw(class).raw("\" viewBox=\"0 0 ");
        svg.text(width).raw(" ").text(layout.bottom + BELOW).raw("\" role=\"img\" aria-label=\"");
        svg.text(&self.description).raw("\">\n");
        self.axis(&mut svg, &layout);
        for (index, row) in self.rows.iter().enumerate() {
            draw(&mut svg, &layout, index, row, width);
        }
        svg.raw("</svg>\n");
        svg
    }

    fn layout(&self, width_of_all: f64) -> Layout {
        let widest =
            |text: fn(&Estimate) -> &str| range(self.rows.iter().map(|row| width(text(row)))).1.max(0.0);
        let (labels, texts) = (widest(|row| &row.label), widest(|row| &row.text));
        let stacked = labels > 0.45 * width_of_all || width_of_all < 500.0;
        let left = if stacked { 16.0 } else { labels + 24.0 };
        let right = (width_of_all - texts - 24.0).max(left + 60.0);
        let row = if stacked { 46.0 } else { 30.0 };
        let (low, high) = self.range();
        let ticks = ((right - left) / 64.0).max(2.0) as usize;
        let axis = Axis::linear(low, high, ticks, false);
        Layout { stacked, left, right, row, bottom: TOP + row * self.rows.len() as f64 + 4.0, axis }
    }

    fn range(&self) -> (f64, f64) {
        if self.probabilities {
            return (0.0, 1.0);
        }
        let ends = |row: &Estimate| row.interval.map_or([row.value; 2], |(low, high)| [low, high]);
        range(self.rows.iter().flat_map(ends).filter(|end| end.is_finite()))
    }

    fn axis(&self, svg: &mut Markup, layout: &Layout) {
        let vertical = |svg: &mut Markup, value: f64| {
            line(svg, (layout.across(value), TOP), (layout.across(value), layout.bottom));
        };
        svg.raw("<g class=\"grid\">\n");
        layout.axis.ticks.iter().for_each(|tick| vertical(svg, *tick));
        if self.probabilities {
            svg.raw("</g>\n<g class=\"even\">\n");
            vertical(svg, 0.5);
        }
        svg.raw("</g>\n<g class=\"axis\">\n");
        line(svg, (layout.left, layout.bottom), (layout.right, layout.bottom));
        svg.raw("</g>\n<g text-anchor=\"middle\">\n");
        for tick in &layout.axis.ticks {
            label(svg, (layout.across(*tick), layout.bottom + 19.0), layout.axis.label(*tick));
        }
        label(svg, ((layout.left + layout.right) / 2.0, layout.bottom + 37.0), self.x_title);
        svg.raw("</g>\n");
    }
}

fn draw(svg: &mut Markup, layout: &Layout, index: usize, row: &Estimate, width: f64) {
    let y = layout.middle(index);
    if row.value.is_finite() {
        if let Some((low, high)) = row.interval.filter(|(low, high)| low.is_finite() && high.is_finite()) {
            let ends = [(layout.across(low), y), (layout.across(high), y)];
            path(svg, "interval", row.class, &polyline(&ends));
        }
        path(svg, "estimate", row.class, &dots(&[(layout.across(row.value), y)]));
    }
    svg.raw("<g class=\"strong-labels\">\n");
    match layout.stacked {
        true => label(svg, (layout.left - 4.0, y - 15.0), clipped(&row.label, width - 24.0)),
        false => label(svg, (8.0, y + 4.0), &row.label),
    }
    svg.raw("</g>\n");
    label(svg, (layout.right + 14.0, y + 4.0), &row.text);
}

/// As much of a text as has room.
fn clipped(text: &str, room: f64) -> String {
    let letters = (room / LETTER) as usize;
    match text.chars().count() > letters {
        true => text.chars().take(letters.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
