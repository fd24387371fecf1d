//! `/debug/pprof/symbol`: names for addresses, as `go tool pprof` asks for
//! what it could not resolve itself.

use std::fmt::Write as _;
use std::sync::Arc;

use heaplens_profile::Symbolizer;
use hyper::body::{Body, Bytes};

use crate::body;
use crate::respond::{self, Reply};
use crate::state::App;
use crate::work::Failure;

/// pprof sends all unresolved addresses of a mapping at once, some 15 bytes
/// each.
const LONGEST_BODY: usize = 1 << 20;

/// Answers a GET, with the addresses in its raw query.
pub(crate) async fn get(app: &Arc<App>, query: &str) -> Reply {
    answer(app, addresses(query.as_bytes())).await
}

/// Answers a POST, with the addresses in its body.
pub(crate) async fn post<B>(app: &Arc<App>, body: B) -> Reply
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    match body::read(body, LONGEST_BODY).await {
        Ok(bytes) => answer(app, addresses(&bytes)).await,
        Err(reply) => *reply,
    }
}

async fn answer(app: &Arc<App>, addresses: Vec<u64>) -> Reply {
    if addresses.is_empty() {
        return respond::text(FIRST_LINE);
    }
    let work = Arc::clone(app);
    match app.costly.run(move || names(&work, &addresses)).await {
        Ok(Ok(lines)) => respond::text(lines),
        Ok(Err(failure)) | Err(failure) => failure.reply(),
    }
}

/// Says that there are symbols here at all.
const FIRST_LINE: &str = "num_symbols: 1\n";

/// One line an address that has a name. The names are mangled: pprof takes
/// them as the system name too, and demangles them itself.
fn names(app: &App, addresses: &[u64]) -> Result<String, Failure> {
    let mappings = app.mappings()?;
    let mut symbolizer = Symbolizer::new();
    let mut lines = FIRST_LINE.to_owned();
    for &address in addresses {
        if let Some(name) = symbolizer.symbol_name(&mappings, address) {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{address:#x} {name}");
        }
    }
    Ok(lines)
}

/// The numbers between `+`; what is 0 or no number is skipped.
fn addresses(text: &[u8]) -> Vec<u64> {
    text.split(|&byte| byte == b'+')
        .filter_map(|word| std::str::from_utf8(word.trim_ascii()).ok())
        .filter_map(number)
        .filter(|&address| address != 0)
        .collect()
}

/// A number in the base that its prefix says, as Go reads one.
fn number(word: &str) -> Option<u64> {
    let digits = |prefixes: [&str; 2]| prefixes.iter().find_map(|p| word.strip_prefix(p));
    let (digits, radix) = if let Some(digits) = digits(["0x", "0X"]) {
        (digits, 16)
    } else if let Some(digits) = digits(["0b", "0B"]) {
        (digits, 2)
    } else if let Some(digits) = digits(["0o", "0O"]) {
        (digits, 8)
    } else if let Some(digits) = word.strip_prefix('0').filter(|rest| !rest.is_empty()) {
        (digits, 8)
    } else {
        (word, 10)
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_go_reads_them() {
        let cases: [(&[u8], &[u64]); 12] = [
            (b"0x1000+0x2A", &[0x1000, 0x2a]),
            (b"0x1000+0x2A\n", &[0x1000, 0x2a]),
            (b"4096", &[4096]),
            (b"0b101+0o17+017", &[5, 15, 15]),
            (b"0", &[]),
            (b"zzz", &[]),
            (b"zzz+0x10", &[0x10]),
            (b"++0x10++", &[0x10]),
            (b"0x", &[]),
            (b"-0x10", &[]),
            (b"0x10000000000000000", &[]),
            (b"\xff\xfe+0x10", &[0x10]),
        ];
        for (text, expected) in cases {
            assert_eq!(addresses(text), expected, "{text:?}");
        }
    }
}
