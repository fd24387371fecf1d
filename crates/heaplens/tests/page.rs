//! The page for people, as it is without scripts.

mod common;

use common::{agent, get, request};
use heaplens::TrackedHashMap;

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

/// What would be markup, end an attribute, or turn the text around it.
const HOSTILE: &str = "\"><script>alert('1')</script>&amp;\u{202e}\n";

/// Keeps so many bytes, by a function to look for.
#[inline(never)]
fn keep_on_purpose(blocks: usize) -> Vec<Vec<u8>> {
    (0..blocks).map(|_| vec![1u8; 1 << 20]).collect()
}

/// Of the document, the part with this id up to the next part.
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let begin = format!("<section id=\"{id}\"");
    let from = page
        .find(&begin)
        .unwrap_or_else(|| panic!("{id} in {page}"));
    let rest = &page[from..];
    &rest[..rest.find("</section>").unwrap_or(rest.len())]
}

#[test]
fn a_page_without_scripts_informs() {
    let (agent, address) = agent();
    let mut map = TrackedHashMap::named("told");
    map.extend((0..1000).map(|number| (number, [0u64; 4])));
    let held = keep_on_purpose(64);
    // Names may take longer than the whole page waits for.
    let sites = get(address, "/debug/?part=sites");
    let sites = section(sites.text(), "sites").to_owned();
    assert!(sites.contains("keep_on_purpose"), "{sites}");
    assert!(sites.contains("tests/page.rs:"), "{sites}");
    let page = get(address, "/debug/");
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let text = page.text();
    assert!(section(text, "maps").contains(">told</a>"), "{text}");
    assert!(section(text, "maps").contains(">1,000<"), "{text}");
    let memory = section(text, "memory");
    for figure in ["Allocated", "Active", "Resident", "Retained", "Limit"] {
        assert!(memory.contains(&format!("<dt>{figure}</dt>")), "{memory}");
    }
    assert!(section(text, "commands").contains("go tool pprof"));
    assert!(section(text, "paths").contains("/debug/pprof/delta_heap"));
    let of_map = get(address, "/debug/?map=told");
    assert!(section(of_map.text(), "memory").contains(">1,000<"));
    drop((held, map, agent));
}

#[test]
fn parts_are_what_scripts_put_in_place() {
    let (agent, address) = agent();
    let live = get(address, "/debug/?part=live");
    for id in ["state", "memory", "verdicts", "maps"] {
        section(live.text(), id);
    }
    assert!(!live.text().contains("id=\"sites\""));
    assert!(!live.text().contains("id=\"paths\""));
    assert_eq!(get(address, "/debug/?part=all").status, 400);
    drop(agent);
}

#[test]
fn names_never_become_markup() {
    let (agent, address) = agent();
    let mut map = TrackedHashMap::named(HOSTILE);
    map.insert(1, 1);
    let escaped = "&#34;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;\\u{202e}\\n";
    let page = get(address, "/debug/");
    assert!(page.text().contains(escaped), "{}", page.text());
    assert!(!page.text().contains("alert('1')"));
    let links = page.text().split("href=\"?map=").skip(1);
    let mut links = links.filter_map(|rest| rest.split_once("\">"));
    let (link, _) = links.find(|(_, text)| text.starts_with(escaped)).unwrap();
    let of_map = get(address, &format!("/debug/?map={link}"));
    assert_eq!(of_map.status, 200, "{link}");
    assert!(of_map.text().contains(escaped) && !of_map.text().contains("alert('1')"));
    drop((map, agent));
}

#[test]
fn the_policy_allows_nothing_but_our_own_files() {
    let (agent, address) = agent();
    let page = get(address, "/debug/");
    let policy = page.header("content-security-policy").unwrap();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(rule), "{rule} in {policy}");
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
    let text = page.text();
    assert!(
        !text.contains(" style=") && !text.contains("<style"),
        "{text}"
    );
    for script in text.split("<script").skip(1) {
        let (tag, rest) = script.split_once('>').unwrap();
        assert!(tag.contains("src=\"ui/"), "{tag}");
        assert!(rest.starts_with("</script>"), "nothing within");
    }
    drop(agent);
}

#[test]
fn files_are_kept_by_browsers_and_packed() {
    let (agent, address) = agent();
    let page = get(address, "/debug/");
    let file = page
        .text()
        .split("<link rel=\"stylesheet\" href=\"")
        .nth(1)
        .unwrap();
    let file = format!("/debug/{}", file.split('"').next().unwrap());
    let plain = get(address, &file);
    assert_eq!(plain.status, 200);
    assert_eq!(
        plain.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    assert!(plain.header("cache-control").unwrap().contains("immutable"));
    let packed = request(address, "GET", &file, "Accept-Encoding: gzip\r\n");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() * 2 < plain.body.len());
    let tag = plain.header("etag").unwrap();
    let known = request(address, "GET", &file, &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((known.status, known.body.len()), (304, 0));
    let page = request(address, "GET", "/debug/", "Accept-Encoding: gzip\r\n");
    assert_eq!(page.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    let mut reader = flate2::read::GzDecoder::new(page.body.as_slice());
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    assert!(text.ends_with("</html>\n"));
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(
            request(address, method, "/debug/", "").status,
            405,
            "{method}"
        );
    }
    drop(agent);
}
