//! Charts as SVG: of curves here, of intervals in `intervals`.
//!
//! Colours come from the classes of `chart.css`, so that a chart follows the page's theme.

use super::markup::Markup;
use super::scale::{Axis, Spacing};
use super::thin::{Bucket, Point, buckets};

/// What `chart.css` says of the classes used here.
pub(super) const STYLE: &str = include_str!("chart.css");

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Each point alone.
    Dots,
    /// A line. Where there are too many points it is their mean, with the range of the values behind it.
    Line,
    /// A line with its points marked.
    MarkedLine,
    /// Its points marked, with nothing between them.
    Rings,
}

/// Points that belong together.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// What the legend says; nothing where it is empty.
    pub(super) name: String,
    /// Its colour, `a` to `h`, and where it applies `faint`, `heavy` or `dashed`.
    pub(super) class: &'static str,
    /// How it is drawn.
    pub(super) mark: Mark,
    /// The points, in the order of their place.
    pub(super) points: Vec<Point>,
    /// Places with the ends of an interval there, in the order of the places.
    pub(super) band: Vec<(f64, f64, f64)>,
}

/// Colours of groups that are told apart; after these they come again.
pub(super) const CLASSES: [&str; 16] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "a dashed", "b dashed", "c dashed", "d dashed", "e dashed",
    "f dashed", "g dashed", "h dashed",
];

impl Series {
    /// A series of the points that can be drawn.
    pub(super) fn new(
        name: impl Into<String>,
        class: &'static str,
        mark: Mark,
        points: impl IntoIterator<Item = Point>,
    ) -> Self {
        let mut points: Vec<Point> =
            points.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { name: name.into(), class, mark, points, band: vec![] }
    }

    /// The series with an interval behind it.
    pub(super) fn with_band(self, band: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        let is_finite =
            |(x, low, high): &(f64, f64, f64)| [x, low, high].iter().all(|value| value.is_finite());
        Self { band: band.into_iter().filter(is_finite).collect(), ..self }
    }

    /// All points that must have room.
    fn extent(&self) -> impl Iterator<Item = Point> {
        let band = self.band.iter().flat_map(|&(x, low, high)| [(x, low), (x, high)]);
        self.points.iter().copied().chain(band)
    }
}

/// What is drawn across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Across {
    /// Env steps, from 0.
    EnvSteps,
    /// Something else, of this name, from its least value.
    Values(&'static str),
}

/// A chart of curves.
pub(super) struct Chart {
    /// What a reader who cannot see it is told.
    pub(super) description: String,
    /// What is drawn upwards, with its unit.
    pub(super) y_title: &'static str,
    /// What is drawn across.
    pub(super) across: Across,
    /// What is drawn, from back to front.
    pub(super) series: Vec<Series>,
    /// How the values are spaced.
    pub(super) spacing: Spacing,
    /// Whether the legend is shown.
    pub(super) legend: bool,
}

/// The size of a chart, in its own units. Text is 12 high.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The rectangle that the data is drawn in, with its axes.
struct Plot {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
}

impl Plot {
    fn place(&self, (x, y): Point) -> Point {
        let across = self.left + (self.right - self.left) * self.x.place(x);
        (across, self.bottom - (self.bottom - self.top) * self.y.place(y))
    }
}

/// About how wide a letter is.
pub(super) const LETTER: f64 = 6.4;
const LEGEND_ROW: f64 = 20.0;
const LEGEND_SAMPLE: f64 = 26.0;

/// More bands than these make one colour of all where they overlap.
const MOST_PLAIN_BANDS: usize = 4;

impl Chart {
    /// Whether there is nothing to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.points.is_empty())
    }

    /// The chart as one `<svg>` element of this class.
    pub(super) fn svg(&self, size: Size, class: &'static str, style: Option<&'static str>) -> Markup {
        let mut svg = Markup::default();
        svg.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"").raw(class).raw("\" viewBox=\"0 0 ");
        svg.text(size.width).raw(" ").text(size.height).raw("\" role=\"img\" aria-label=\"");
        svg.text(&self.description).raw("\">\n");
        if let Some(style) = style {
            svg.raw("<style>").raw(style).raw("</style>\n");
            svg.raw("<rect class=\"paper\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n");
        }
        let (legend, rows) = self.legend(size.width - 16.0);
        svg.append(&legend);
        let plot = self.plot(size, 16.0 + LEGEND_ROW * rows);
        axes(&mut svg, &plot, self.across, self.y_title);
        self.bands(&mut svg, &plot);
        for series in self.series.iter().filter(|series| !series.points.is_empty()) {
            draw(&mut svg, &plot, series);
        }
        svg.raw("</svg>\n");
        svg
    }

    /// The intervals, behind all lines; fainter where there are many.
    fn bands(&self, svg: &mut Markup, plot: &Plot) {
        let with_band = || self.series.iter().filter(|series| !series.band.is_empty());
        let kind = if with_band().count() > MOST_PLAIN_BANDS { "band crowded" } else { "band" };
        for series in with_band() {
            let high = series.band.iter().map(|&(x, _, high)| (x, high));
            let low = series.band.iter().rev().map(|&(x, low, _)| (x, low));
            let outline: Vec<Point> = high.chain(low).map(|point| plot.place(point)).collect();
            path(svg, kind, series.class, &polyline(&outline));
        }
    }

    fn plot(&self, size: Size, top: f64) -> Plot {
        let points = || self.series.iter().flat_map(Series::extent);
        let (begin, end) = match self.across {
            Across::EnvSteps => (0.0, range(points().map(|point| point.0)).1.max(0.0)),
            Across::Values(_) => range(points().map(|point| point.0)),
        };
        let (mut low, high) = range(points().map(|point| point.1));
        let height = size.height - top - 44.0;
        let ticks = (height / 32.0).max(2.0) as usize;
        let y = match self.spacing {
            Spacing::Logarithmic => Axis::logarithmic(low, high),
            Spacing::Linear => {
                // Zero belongs to the picture, unless the values are far from it.
                low = if low > 0.0 && low < high * 0.6 { 0.0 } else { low };
                Axis::linear(low, high, ticks, false)
            }
        };
        let widest = y.ticks.iter().map(|tick| y.label(*tick).chars().count()).max().unwrap_or(0);
        let left = 30.0 + LETTER * widest as f64;
        let right = size.width - 18.0;
        let x = Axis::linear(begin, end, ((right - left) / 64.0).max(2.0) as usize, true);
        Plot { left, top, right, bottom: size.height - 44.0, x, y }
    }

    /// The legend, and how many rows it takes.
    fn legend(&self, width: f64) -> (Markup, f64) {
        let mut legend = Markup::default();
        let named: Vec<&Series> = self.series.iter().filter(|series| !series.name.is_empty()).collect();
        if !self.legend || named.is_empty() {
            return (legend, 0.0);
        }
        let (mut x, mut row) = (12.0, 0.0);
        for series in named.into_iter().filter(|series| !series.points.is_empty()) {
            let needed = LEGEND_SAMPLE + LETTER * series.name.chars().count() as f64 + 16.0;
            if x > 12.0 && x + needed > width {
                (x, row) = (12.0, row + 1.0);
            }
            let y = 16.0 + LEGEND_ROW * row;
            sample(&mut legend, series, x, y);
            legend.raw("<text x=\"").text(x + LEGEND_SAMPLE).raw("\" y=\"").text(y + 4.0).raw("\">");
            legend.text(&series.name).raw("</text>\n");
            x += needed;
        }
        (legend, row + 1.0)
    }
}

/// The least and the greatest value.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

fn sample(svg: &mut Markup, series: &Series, x: f64, y: f64) {
    let middle = (x + 10.0, y);
    let line = [(x, y), (x + 20.0, y)];
    match series.mark {
        Mark::Dots => path(
            svg,
            "dots",
            series.class,
            &dots(&[(x + 3.0, y + 2.0), (x + 10.0, y - 2.0), (x + 17.0, y + 1.0)]),
        ),
        Mark::Line => path(svg, "line", series.class, &polyline(&line)),
        Mark::MarkedLine => {
            path(svg, "line", series.class, &polyline(&line));
            path(svg, "marks", series.class, &dots(&[middle]));
        }
        Mark::Rings => rings(svg, series.class, &[middle]),
    }
}

fn axes(svg: &mut Markup, plot: &Plot, across: Across, y_title: &'static str) {
    svg.raw("<g class=\"grid\">\n");
    for tick in &plot.y.ticks {
        let (_, y) = plot.place((0.0, *tick));
        line(svg, (plot.left, y), (plot.right, y));
    }
    svg.raw("</g>\n<g class=\"axis\">\n");
    line(svg, (plot.left, plot.bottom), (plot.right, plot.bottom));
    for tick in &plot.x.ticks {
        let x = plot.left + (plot.right - plot.left) * plot.x.place(*tick);
        line(svg, (x, plot.bottom), (x, plot.bottom + 5.0));
    }
    svg.raw("</g>\n<g text-anchor=\"end\">\n");
    for tick in &plot.y.ticks {
        let (_, y) = plot.place((0.0, *tick));
        label(svg, (plot.left - 6.0, y + 4.0), plot.y.label(*tick));
    }
    svg.raw("</g>\n<g text-anchor=\"middle\">\n");
    for tick in &plot.x.ticks {
        let x = plot.left + (plot.right - plot.left) * plot.x.place(*tick);
        label(svg, (x, plot.bottom + 19.0), plot.x.label(*tick));
    }
    let x_title = match across {
        Across::EnvSteps => "env steps",
        Across::Values(title) => title,
    };
    label(svg, ((plot.left + plot.right) / 2.0, plot.bottom + 37.0), x_title);
    let middle = (plot.top + plot.bottom) / 2.0;
    svg.raw("<text transform=\"translate(13 ").text(format_args!("{middle:.1}")).raw(") rotate(-90)\">");
    svg.raw(y_title).raw("</text>\n</g>\n");
}

pub(super) fn line(svg: &mut Markup, from: Point, to: Point) {
    svg.raw("<path d=\"").text(polyline(&[from, to])).raw("\"/>\n");
}

pub(super) fn label(svg: &mut Markup, (x, y): Point, text: impl std::fmt::Display) {
    svg.raw("<text x=\"").text(format_args!("{x:.1}")).raw("\" y=\"").text(format_args!("{y:.1}")).raw("\">");
    svg.text(text).raw("</text>\n");
}

fn draw(svg: &mut Markup, plot: &Plot, series: &Series) {
    // As many as one can tell apart.
    let most = ((plot.right - plot.left) / 2.0) as usize;
    let place = |points: Vec<Point>| points.into_iter().map(|point| plot.place(point)).collect::<Vec<_>>();
    let thinned = buckets(&series.points, most);
    let means = || place(thinned.iter().map(|bucket| (bucket.x, bucket.mean)).collect());
    let is_thinned = thinned.len() < series.points.len();
    match series.mark {
        Mark::Dots => path(svg, "dots", series.class, &dots(&place(extremes(&series.points, &thinned)))),
        Mark::Line | Mark::MarkedLine => {
            if is_thinned {
                let high = thinned.iter().map(|bucket| (bucket.x, bucket.max));
                let low = thinned.iter().rev().map(|bucket| (bucket.x, bucket.min));
                path(svg, "band", series.class, &polyline(&place(high.chain(low).collect())));
            }
            path(svg, "line", series.class, &polyline(&means()));
            if series.mark == Mark::MarkedLine && thinned.len() <= most / 4 {
                path(svg, "marks", series.class, &dots(&means()));
            }
        }
        Mark::Rings => rings(svg, series.class, &means()),
    }
}

/// Of each bucket that holds several points its least, mean and greatest value.
fn extremes(points: &[Point], thinned: &[Bucket]) -> Vec<Point> {
    if thinned.len() == points.len() {
        return points.to_vec();
    }
    thinned.iter().flat_map(|bucket| [bucket.min, bucket.mean, bucket.max].map(|y| (bucket.x, y))).collect()
}

fn rings(svg: &mut Markup, class: &'static str, places: &[Point]) {
    for (x, y) in places {
        svg.raw("<circle class=\"ring ").raw(class).raw("\" r=\"5\" cx=\"").text(format_args!("{x:.1}"));
        svg.raw("\" cy=\"").text(format_args!("{y:.1}")).raw("\"/>\n");
    }
}

pub(super) fn path(svg: &mut Markup, kind: &'static str, class: &'static str, data: &str) {
    svg.raw("<path class=\"").raw(kind).raw(" ").raw(class).raw("\" d=\"").text(data).raw("\"/>\n");
}

pub(super) fn polyline(places: &[Point]) -> String {
    // A line of one point is drawn as a dot.
    let end = if places.len() == 1 { "h0" } else { "" };
    let points = places.iter().enumerate().map(|(index, (x, y))| {
        let command = if index == 0 { "M" } else { "L" };
        format!("{command}{x:.1} {y:.1}")
    });
    points.chain([end.to_owned()]).collect()
}

/// Lines of no length, whose round ends are the dots.
pub(super) fn dots(places: &[Point]) -> String {
    places.iter().map(|(x, y)| format!("M{x:.1} {y:.1}h0")).collect()
}
