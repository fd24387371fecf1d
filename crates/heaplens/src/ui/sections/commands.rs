//! What to type to look further with other tools.

use crate::params;
use crate::ui::Place;
use crate::ui::html::Html;

/// What goes before a command's address, its path and query, what it is for.
const OF_ALL: [(&str, &str, &str); 4] = [
    ("go tool pprof -http=: ", "heap", "in pprof's own pages"),
    (
        "go tool pprof -top -cum ",
        "heap",
        "in a terminal, by all that a function called",
    ),
    (
        "go tool pprof -http=: ",
        "heap?seconds=30",
        "what changes within 30 seconds",
    ),
    (
        "curl -o heap.pb.gz ",
        "heap",
        "to keep, and to compare with later: -diff_base=heap.pb.gz",
    ),
];

const OF_A_MAP: [(&str, &str, &str); 2] = [
    (
        "go tool pprof -http=: ",
        "heap?map=",
        "what this map holds, in pprof's own pages",
    ),
    ("curl ", "maps/", "all that is known of it, JSON"),
];

/// Writes the commands. Scripts put the server's address in the place of HOST.
pub(in crate::ui) fn render(html: &mut Html, map: Option<&str>, place: Place) {
    html.raw("<section id=\"commands\" class=\"panel\" aria-labelledby=\"commands-h\"><h2 id=\"commands-h\">With other tools</h2>\n<ul class=\"commands\">");
    match map {
        None => {
            for (command, path, what) in OF_ALL {
                one(html, command, path, "", what);
            }
        }
        Some(map) => {
            for (command, path, what) in OF_A_MAP {
                one(html, command, path, &params::escape(map), what);
            }
        }
    }
    html.raw("</ul>\n");
    if !place.mounted {
        html.raw("<p class=\"note\">Where a token is wanted: <code>http://user:TOKEN@…</code>, any user name.</p>\n");
    }
    html.raw("</section>\n");
}

fn one(html: &mut Html, command: &'static str, path: &'static str, name: &str, what: &'static str) {
    html.raw("<li><code data-path=\"").raw(path).text(name);
    html.raw("\" data-command=\"")
        .raw(command)
        .raw("\">")
        .raw(command);
    html.raw("'http://HOST/debug/")
        .raw(path)
        .text(name)
        .raw("'</code><span>");
    html.raw(what).raw("</span></li>");
}
