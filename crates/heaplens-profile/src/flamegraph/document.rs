//! The SVG itself.

use inferno::flamegraph::color::{BasicPalette, Palette};
use inferno::flamegraph::{Direction, Options as Settings, TextTruncateDirection, from_lines};

use super::Options;
use super::tree::Lines;

/// What the document runs when it is opened: an attribute of its root.
const ON_LOAD: &str = "init(evt)";

pub(super) fn draw(lines: &Lines, caption: &str, unit: &str, options: &Options) -> String {
    let (title, caption) = (text(&options.title), text(caption));
    if lines.folded.is_empty() {
        return empty(&title, &caption);
    }
    let mut settings = Settings::default();
    settings.title.clone_from(&title);
    settings.subtitle = Some(caption.clone());
    settings.colors = Palette::Basic(BasicPalette::Mem);
    settings.deterministic = true;
    settings.count_name = match unit {
        "count" => "objects".to_owned(),
        unit => text(unit),
    };
    settings.factor = lines.factor;
    // Frames were chosen before.
    settings.min_width = 0.0;
    // Paths have their telling part at the end.
    settings.text_truncate_direction = TextTruncateDirection::Left;
    if options.inverted {
        settings.direction = Direction::Inverted;
    }
    // Takes lines as they come, last one first: the library's own order tears
    // frames apart whose names contain spaces.
    settings.flame_chart = true;
    let mut svg = Vec::new();
    let drawn = from_lines(
        &mut settings,
        lines.folded.iter().rev().map(String::as_str),
        &mut svg,
    );
    match (drawn, String::from_utf8(svg)) {
        (Ok(()), Ok(svg)) => svg,
        // Writing to a vector does not fail, and all names are UTF-8.
        _ => empty(&title, &caption),
    }
}

/// A document for a profile in which there is nothing to draw.
fn empty(title: &str, caption: &str) -> String {
    let (title, caption) = (escaped(title), escaped(caption));
    format!(
        "<?xml version=\"1.0\" standalone=\"no\"?>\n\
         <svg version=\"1.1\" width=\"1200\" height=\"100\" viewBox=\"0 0 1200 100\" \
         xmlns=\"http://www.w3.org/2000/svg\" font-family=\"monospace\">\n\
         <text id=\"title\" x=\"600\" y=\"24\" text-anchor=\"middle\" font-size=\"17\">{title}</text>\n\
         <text id=\"subtitle\" x=\"600\" y=\"48\" text-anchor=\"middle\" font-size=\"12\">{caption}</text>\n\
         <text x=\"600\" y=\"76\" text-anchor=\"middle\" font-size=\"12\">Nothing to draw.</text>\n\
         </svg>\n"
    )
}

/// Without what XML cannot hold.
fn text(text: &str) -> String {
    let harmless = |character: char| match character {
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        other if other.is_control() => '\u{fffd}',
        other => other,
    };
    text.chars().map(harmless).collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The scripts that a flame graph made by this module runs, as a browser sees
/// them: the element's text, and the handler that its root element has as an
/// attribute. For a `Content-Security-Policy` that allows these by their hashes
/// (`'unsafe-hashes'` for the handler) and nothing else.
pub fn scripts(svg: &str) -> Vec<String> {
    let Some((_, rest)) = svg.split_once("<script") else {
        return Vec::new();
    };
    let element = rest
        .split_once('>')
        .and_then(|(_, rest)| rest.split_once("</script>"));
    let Some((content, _)) = element else {
        return Vec::new();
    };
    let content = content.replace("<![CDATA[", "").replace("]]>", "");
    vec![content, ON_LOAD.to_owned()]
}
