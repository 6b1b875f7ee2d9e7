//! The window, the flight and the round-trip time over time, as a picture and as numbers.

use std::fmt::Write;

use super::host::{Sample, Track};
use super::link::{MILLISECOND, SECOND};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const TALL: f64 = 260.0;
const SHORT: f64 = 140.0;
const GAP: f64 = 40.0;

/// A line in a panel: its name, its colour, its value in a sample.
type Line = (&'static str, &'static str, fn(&Sample) -> Option<f64>);

const WINDOWS: [Line; 3] = [
    ("cwnd", "#1f77b4", |s| Some(f64::from(s.cwnd) / 1000.0)),
    ("flight", "#ff7f0e", |s| Some(f64::from(s.flight) / 1000.0)),
    // While it is unknown it would only flatten the others.
    ("ssthresh", "#7f7f7f", |s| (s.ssthresh < 1 << 30).then(|| f64::from(s.ssthresh) / 1000.0)),
];
const TIMES: [Line; 1] = [("smoothed RTT", "#2ca02c", |s| s.srtt.map(|t| t as f64 / MILLISECOND as f64))];

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

    fn line(&self, samples: &[Sample], (_, colour, value): &Line, dashes: &str, svg: &mut String) {
        let point = |s: &Sample| Some((self.x(s.at as f64 / SECOND as f64), self.y(value(s)?)));
        let points = samples.iter().filter_map(point).map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>();
        let points = points.join(" ");
        let _ = writeln!(svg, r#"<polyline points="{points}" fill="none" stroke="{colour}"{dashes}/>"#);
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

/// How the lines of each track are drawn: the first solid.
const DASHES: [&str; 3] = ["", r#" stroke-dasharray="7 3""#, r#" stroke-dasharray="2 2""#];

fn styled(tracks: &[Track]) -> impl Iterator<Item = (&Track, &'static str)> {
    tracks.iter().zip(DASHES.into_iter().cycle())
}

/// Which track has which dashes, from the right; of a single one, its name.
fn legend(tracks: &[Track], svg: &mut String) {
    let mut end = WIDTH - RIGHT;
    for (Track { name, .. }, dashes) in
        styled(tracks).filter(|(track, _)| !track.name.is_empty()).collect::<Vec<_>>().into_iter().rev()
    {
        let y = TOP - 8.0;
        let _ = writeln!(svg, r#"<text x="{end}" y="{y}" text-anchor="end">{}</text>"#, escaped(name));
        end -= 7.0 * name.len() as f64 + 8.0;
        let _ = writeln!(svg, r#"<path d="M{} {:.1}h24" stroke="black"{dashes}/>"#, end - 24.0, y - 4.0);
        end -= 24.0 + 20.0;
    }
}

fn most(tracks: &[Track], lines: &[Line]) -> f64 {
    let samples = tracks.iter().flat_map(|track| &track.samples);
    let values = samples.flat_map(|s| lines.iter().filter_map(|(_, _, value)| value(s)));
    values.fold(1.0, f64::max) * 1.05
}

/// The picture: each quantity of each track.
pub fn plot(title: &str, tracks: &[Track]) -> String {
    let last = tracks.iter().filter_map(|track| track.samples.last()).map(|s| s.at).max();
    let seconds = last.map_or(1.0, |at| at as f64 / SECOND as f64).max(0.001);
    let second_top = TOP + TALL + GAP;
    let height = second_top + SHORT + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let _ = writeln!(svg, r#"<text x="{LEFT}" y="20" font-size="15">{}</text>"#, escaped(title));
    legend(tracks, &mut svg);
    let panels = [(&WINDOWS[..], TOP, TALL, "kB"), (&TIMES[..], second_top, SHORT, "ms")];
    for (lines, top, height, unit) in panels {
        let panel = Panel { top, height, seconds, most: most(tracks, lines) };
        panel.axes(unit, &mut svg);
        for (i, line) in lines.iter().enumerate() {
            styled(tracks).for_each(|(track, dashes)| panel.line(&track.samples, line, dashes, &mut svg));
            let (x, y) = (LEFT + 100.0 * i as f64, top - 8.0);
            let _ = writeln!(svg, r#"<text x="{x}" y="{y}" fill="{}">{}</text>"#, line.1, line.0);
        }
    }
    let _ = writeln!(svg, r#"<text x="{}" y="{}" text-anchor="end">seconds</text>"#, WIDTH - RIGHT, height - 6.0);
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The same as comma-separated values: microseconds and octets; of several tracks, the name of each before them.
pub fn numbers(tracks: &[Track]) -> String {
    let named = tracks.len() > 1;
    let mut csv = if named { "flow,".to_string() } else { String::new() };
    csv += "time_us,cwnd,ssthresh,flight,srtt_us\n";
    for Track { name, samples } in tracks {
        for Sample { at, cwnd, ssthresh, flight, srtt } in samples {
            let name = if named { format!("{name},") } else { String::new() };
            let ssthresh = if *ssthresh < 1 << 30 { ssthresh.to_string() } else { String::new() };
            let srtt = srtt.map_or(String::new(), |t| (t / 1000).to_string());
            let _ = writeln!(csv, "{name}{},{cwnd},{ssthresh},{flight},{srtt}", at / 1000);
        }
    }
    csv
}
