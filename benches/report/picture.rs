//! SVG pictures: bars that compare, lines that grow. Each says below what machine it is of.

use std::path::Path;

use plotters::{
    chart::{ChartBuilder, SeriesLabelPosition},
    drawing::{DrawingArea, IntoDrawingArea as _},
    element::{PathElement, Rectangle, Text},
    prelude::SVGBackend,
    series::LineSeries,
    style::{
        Color as _, IntoFont as _, RGBColor, TextStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

const WIDTH: u32 = 800;
const INK: RGBColor = RGBColor(40, 40, 40);
const PALE: RGBColor = RGBColor(105, 105, 105);
/// Told apart by who sees few colours, too (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// What is written around a picture.
pub(crate) struct Words<'a> {
    pub(crate) title: &'a str,
    /// The machine, the date, how it was measured.
    pub(crate) caption: &'a str,
}

/// A bar for each name and value, from the top down, with the value at its end.
pub(crate) fn bars(path: &Path, words: &Words<'_>, unit: &str, bars: &[(String, f64)]) {
    const ROW: i32 = 30;
    const TOP: i32 = 50;
    const LEFT: i32 = 250;
    const LONGEST: f64 = 450.0;
    let rows = i32::try_from(bars.len()).expect("a few bars");
    let height = u32::try_from(TOP + rows * ROW + 40).expect("some pixels");
    let canvas = canvas(path, height, words);
    let most = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    for (row, (name, value)) in (0..rows).zip(bars) {
        let top = TOP + row * ROW;
        let end = LEFT + pixels(value / most * LONGEST);
        let corners = [(LEFT, top), (end, top + ROW - 8)];
        canvas.draw(&Rectangle::new(corners, COLOURS[0].filled())).expect("draw a bar");
        let middle = top + (ROW - 8) / 2;
        write(&canvas, name, (LEFT - 10, middle), &style(14, INK, HPos::Right));
        let told = format!("{value:.2}{unit}");
        write(&canvas, &told, (end + 8, middle), &style(14, INK, HPos::Left));
    }
    canvas.present().expect("write the picture");
}

/// Lines over one axis whose places are named, evenly apart.
pub(crate) struct Lines<'a> {
    pub(crate) across: &'a str,
    pub(crate) upward: &'a str,
    pub(crate) places: &'a [String],
    /// A value for each place.
    pub(crate) series: &'a [(String, Vec<f64>)],
}

pub(crate) fn lines(path: &Path, words: &Words<'_>, lines: &Lines<'_>) {
    let canvas = canvas(path, 440, words);
    let (_, below) = canvas.split_vertically(40);
    let (middle, _) = below.split_vertically(365);
    let values = lines.series.iter().flat_map(|(_, values)| values).copied();
    let most = values.fold(f64::MIN_POSITIVE, f64::max) * 1.25;
    let last = position(lines.places.len().saturating_sub(1));
    let mut chart = ChartBuilder::on(&middle)
        .margin(10)
        .x_label_area_size(45)
        .y_label_area_size(60)
        .build_cartesian_2d(-0.1..last + 0.1, 0.0..most)
        .expect("axes");
    let name = |at: &f64| {
        let found = (0..lines.places.len()).find(|&place| (position(place) - at).abs() < 1e-6);
        found.map_or_else(String::new, |place| lines.places[place].clone())
    };
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh().x_labels(lines.places.len() * 2).x_label_formatter(&name);
    mesh.x_desc(lines.across).y_desc(lines.upward).light_line_style(WHITE);
    mesh.label_style(("sans-serif", 13).into_font().color(&INK)).draw().expect("draw axes");
    for (at, (name, values)) in lines.series.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let points = values.iter().enumerate().map(|(place, value)| (position(place), *value));
        let drawn =
            chart.draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3));
        let key = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2));
        drawn.expect("draw a line").label(name.clone()).legend(key);
    }
    let mut labels = chart.configure_series_labels();
    labels
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(PALE);
    labels.label_font(("sans-serif", 13).into_font()).draw().expect("draw what lines mean");
    canvas.present().expect("write the picture");
}

/// A white sheet with the words on it.
fn canvas<'a>(path: &'a Path, height: u32, words: &Words<'_>) -> Canvas<'a> {
    let canvas = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    canvas.fill(&WHITE).expect("fill the sheet");
    write(&canvas, words.title, (20, 25), &style(18, INK, HPos::Left));
    let bottom = i32::try_from(height).expect("some pixels") - 18;
    write(&canvas, words.caption, (20, bottom), &style(12, PALE, HPos::Left));
    canvas
}

fn write(canvas: &Canvas<'_>, text: &str, at: (i32, i32), style: &TextStyle<'_>) {
    canvas.draw(&Text::new(text, at, style)).expect("write a text");
}

fn style(size: i32, colour: RGBColor, anchor: HPos) -> TextStyle<'static> {
    let text: TextStyle<'static> = ("sans-serif", size).into_font().color(&colour);
    text.pos(Pos::new(anchor, VPos::Center))
}

#[expect(clippy::cast_precision_loss, reason = "a few places")]
fn position(place: usize) -> f64 {
    place as f64
}

#[expect(clippy::cast_possible_truncation, reason = "within the sheet")]
fn pixels(length: f64) -> i32 {
    length.round() as i32
}
