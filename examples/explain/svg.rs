//! The ladder as a picture.

use std::fmt::{self, Write};

use crate::ladder::{NAMES, Row, millis};

const LINE: usize = 22;
const LEFT: usize = 250;
const RIGHT: usize = 950;
const WIDTH: usize = 1200;

/// Draws the rows.
///
/// # Errors
/// None: a `String` takes all.
pub fn draw(rows: &[Row], title: &str) -> Result<String, fmt::Error> {
    let height = (rows.len() + 4) * LINE;
    let mut svg = String::new();
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="12">"##
    )?;
    writeln!(svg, r##"<rect width="100%" height="100%" fill="#fff"/><text x="20" y="24">{}</text>"##, escape(title))?;
    writeln!(
        svg,
        r##"<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>"##
    )?;
    for (x, name) in [LEFT, RIGHT].into_iter().zip(NAMES) {
        writeln!(svg, r##"<text x="{x}" y="46" text-anchor="middle" font-weight="bold">{name}</text>"##)?;
        writeln!(svg, r##"<line x1="{x}" y1="54" x2="{x}" y2="{height}" stroke="#888"/>"##)?;
    }
    let mut shown = [""; 2];
    for (row, number) in rows.iter().zip(3..) {
        let y = (number * LINE) + 10;
        writeln!(svg, r##"<text x="10" y="{y}" fill="#666">{}</text>"##, millis(row.at))?;
        for (end, x, anchor) in [(0, LEFT - 8, "end"), (1, RIGHT + 8, "start")] {
            let state = row.states[end].name();
            if state != shown[end] {
                writeln!(svg, r##"<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="bold">{state}</text>"##)?;
                shown[end] = state;
            }
        }
        draw_row(&mut svg, row, y)?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn draw_row(svg: &mut String, row: &Row, y: usize) -> fmt::Result {
    let words = escape(&row.words);
    if row.is_segment {
        let (from, to) = if row.end == 0 { (LEFT, RIGHT) } else { (RIGHT, LEFT) };
        let (middle, line) = ((LEFT + RIGHT) / 2, y + 4);
        writeln!(svg, r##"<text x="{middle}" y="{y}" text-anchor="middle">{words}</text>"##)?;
        return writeln!(
            svg,
            r##"<line x1="{from}" y1="{line}" x2="{to}" y2="{line}" stroke="#000" marker-end="url(#tip)"/>"##
        );
    }
    let (x, anchor) = if row.end == 0 { (LEFT + 8, "start") } else { (RIGHT - 8, "end") };
    let colour = if row.words.starts_with("discards") { "#b00" } else { "#06c" };
    writeln!(svg, r##"<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{words}</text>"##)
}

fn escape(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
