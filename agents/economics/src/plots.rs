//! Plots as SVG.

use anyhow::{Result, anyhow};
use plotters::{
    coord::ranged1d::{AsRangedCoord, ValueFormatter},
    prelude::*,
};
use std::ops::Range;

const SIZE: (u32, u32) = (840, 480);
const COLOURS: [RGBColor; 5] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
];

/// A line, or marks where it is of measurements.
pub struct Series {
    /// In the legend.
    pub name: String,
    /// x and y.
    pub points: Vec<(f64, f64)>,
    /// Whether they were measured, and are drawn as marks.
    pub measured: bool,
}

/// A plot.
pub struct Plot<'a> {
    /// Above it.
    pub title: &'a str,
    /// Below the x axis, with its unit.
    pub x: &'a str,
    /// Beside the y axis, with its unit.
    pub y: &'a str,
    /// Of x.
    pub across: Range<f64>,
    /// Of y.
    pub up: Range<f64>,
    /// Where there is room for the legend.
    pub legend: SeriesLabelPosition,
    /// What is drawn.
    pub series: Vec<Series>,
}

impl Plot<'_> {
    /// Draws it with both axes linear.
    ///
    /// # Errors
    /// If a range is empty.
    pub fn linear(&self) -> Result<String> {
        self.draw(self.across.clone(), self.up.clone())
    }

    /// Draws it with both axes logarithmic.
    ///
    /// # Errors
    /// If a range is empty.
    pub fn logarithmic(&self) -> Result<String> {
        self.draw(self.across.clone().log_scale(), self.up.clone().log_scale())
    }

    fn draw<X, Y>(&self, across: X, up: Y) -> Result<String>
    where
        X: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let failed = |e: &dyn std::fmt::Display| anyhow!("cannot draw \"{}\": {e}", self.title);
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        // White below, so that it can be read on a dark page.
        area.fill(&WHITE).map_err(|e| failed(&e))?;
        let mut builder = ChartBuilder::on(&area);
        builder.caption(self.title, ("sans-serif", 20)).margin(14).x_label_area_size(46).y_label_area_size(70);
        let mut chart = builder.build_cartesian_2d(across, up).map_err(|e| failed(&e))?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(self.x).y_desc(self.y).label_style(("sans-serif", 14)).light_line_style(RGBColor(240, 240, 240));
        mesh.x_label_formatter(&|value| label(*value)).y_label_formatter(&|value| label(*value));
        mesh.draw().map_err(|e| failed(&e))?;
        for (series, colour) in self.series.iter().zip(COLOURS.into_iter().cycle()) {
            let inside = series.points.iter().copied().filter(|(x, y)| self.across.contains(x) && self.up.contains(y));
            let drawn = if series.measured {
                chart.draw_series(inside.map(|at| Circle::new(at, 4, colour.filled())))
            } else {
                chart
                    .draw_series(LineSeries::new(inside, colour.stroke_width(2)))
                    .map(|drawn| {
                        drawn
                            .label(series.name.as_str())
                            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2)))
                    })
                    .map_err(|e| failed(&e))?;
                continue;
            };
            drawn
                .map_err(|e| failed(&e))?
                .label(series.name.as_str())
                .legend(move |(x, y)| Circle::new((x + 9, y), 4, colour.filled()));
        }
        let mut legend = chart.configure_series_labels();
        legend.background_style(WHITE.mix(0.85)).border_style(RGBColor(200, 200, 200)).label_font(("sans-serif", 14));
        legend.position(self.legend.clone()).draw().map_err(|e| failed(&e))?;
        drop(chart);
        area.present().map_err(|e| failed(&e))?;
        drop(area);
        Ok(svg)
    }
}

/// A number on an axis.
fn label(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        large if large >= 10_000.0 => format!("{}k", value / 1000.0),
        middle if middle >= 1.0 => format!("{}", (value * 100.0).round() / 100.0),
        _ => format!("{}", (value * 1e6).round() / 1e6),
    }
}
