//! The window, the flight and the round-trip time over time, as a picture and as numbers.

use std::fmt::Write;

use super::host::Sample;
use super::link::{MILLISECOND, SECOND};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const TALL: f64 = 260.0;
const SHORT: f64 = 140.0;
const GAP: f64 = 40.0;

/// A line in a panel: its name, its colour for the first flow and for the second, its value in a sample.
type Line = (&'static str, [&'static str; 2], fn(&Sample) -> Option<f64>);

const WINDOWS: [Line; 3] = [
    ("cwnd", ["#1f77b4", "#d62728"], |s| Some(f64::from(s.cwnd) / 1000.0)),
    ("flight", ["#ff7f0e", "#e377c2"], |s| Some(f64::from(s.flight) / 1000.0)),
    // While it is unknown it would only flatten the others.
    ("ssthresh", ["#7f7f7f", "#8c564b"], |s| (s.ssthresh < 1 << 30).then(|| f64::from(s.ssthresh) / 1000.0)),
];
const TIMES: [Line; 1] = [("smoothed RTT", ["#2ca02c", "#9467bd"], |s| s.srtt.map(|t| t as f64 / MILLISECOND as f64))];

/// A rectangle and what its axes mean.
struct Panel {
    top: f64,
    height: f64,
    seconds: f64,
    most: f64,
}

impl Panel {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * seconds / self.seconds
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - value / self.most)
    }

    /// Both axes with their ticks.
    fn axes(&self, unit: &str, svg: &mut String) {
        let (bottom, end) = (self.top + self.height, WIDTH - RIGHT);
        for value in ticks(self.most) {
            let y = self.y(value);
            let _ = writeln!(svg, r##"<path d="M{LEFT} {y:.1}H{end}" stroke="#ddd"/>"##);
            let _ = writeln!(svg, r#"<text x="{}" y="{:.1}" text-anchor="end">{value}</text>"#, LEFT - 6.0, y + 4.0);
        }
        for seconds in ticks(self.seconds) {
            let (x, y) = (self.x(seconds), bottom + 16.0);
            let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="middle">{seconds}</text>"#);
        }
        let _ = writeln!(svg, r#"<path d="M{LEFT} {:.1}V{bottom:.1}H{end}" fill="none" stroke="black"/>"#, self.top);
        let _ = writeln!(svg, r#"<text x="8" y="{:.1}">{unit}</text>"#, self.top - 8.0);
    }

    fn line(&self, samples: &[Sample], colour: &str, value: fn(&Sample) -> Option<f64>, svg: &mut String) {
        let point = |s: &Sample| Some((self.x(s.at as f64 / SECOND as f64), self.y(value(s)?)));
        let points = samples.iter().filter_map(point).map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>();
        let _ = writeln!(svg, r#"<polyline points="{}" fill="none" stroke="{colour}"/>"#, points.join(" "));
    }
}

/// Round numbers from 0 to `most`, some five of them.
fn ticks(most: f64) -> Vec<f64> {
    let rough = most / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let tidy = |n: u32| (f64::from(n) * step * 1e6).round() / 1e6;
    (0..=20).map(tidy).take_while(|value| *value <= most).collect()
}

fn most(flows: &[Vec<Sample>], lines: &[Line]) -> f64 {
    let values = flows.iter().flatten().flat_map(|s| lines.iter().filter_map(|(_, _, value)| value(s)));
    values.fold(1.0, f64::max) * 1.05
}

/// The picture of one flow or two.
pub fn plot(title: &str, flows: &[Vec<Sample>]) -> String {
    let last = flows.iter().filter_map(|samples| samples.last()).map(|s| s.at).max();
    let seconds = last.map_or(1.0, |at| at as f64 / SECOND as f64).max(0.001);
    let second_top = TOP + TALL + GAP;
    let height = second_top + SHORT + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let _ = writeln!(svg, r#"<text x="{LEFT}" y="20" font-size="15">{}</text>"#, escaped(title));
    let panels = [(&WINDOWS[..], TOP, TALL, "kB"), (&TIMES[..], second_top, SHORT, "ms")];
    for (lines, top, height, unit) in panels {
        let panel = Panel { top, height, seconds, most: most(flows, lines) };
        panel.axes(unit, &mut svg);
        let mut x = LEFT;
        for (number, samples) in flows.iter().enumerate() {
            for (name, colours, value) in lines {
                let colour = colours[number % colours.len()];
                panel.line(samples, colour, *value, &mut svg);
                let name = if flows.len() > 1 { format!("flow {} {name}", number + 1) } else { (*name).to_string() };
                let _ = writeln!(svg, r#"<text x="{x}" y="{}" fill="{colour}">{name}</text>"#, top - 8.0);
                x += 140.0;
            }
        }
    }
    let _ = writeln!(svg, r#"<text x="{}" y="{}" text-anchor="end">seconds</text>"#, WIDTH - RIGHT, height - 6.0);
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The same as comma-separated values: microseconds and octets.
pub fn numbers(flows: &[Vec<Sample>]) -> String {
    let mut csv = "flow,time_us,cwnd,ssthresh,flight,srtt_us\n".to_string();
    for (flow, samples) in (1..).zip(flows) {
        for Sample { at, cwnd, ssthresh, flight, srtt } in samples {
            let ssthresh = if *ssthresh < 1 << 30 { ssthresh.to_string() } else { String::new() };
            let srtt = srtt.map_or(String::new(), |t| (t / 1000).to_string());
            let _ = writeln!(csv, "{flow},{},{cwnd},{ssthresh},{flight},{srtt}", at / 1000);
        }
    }
    csv
}
