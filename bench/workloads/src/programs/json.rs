//! A large JSON document, parsed into a tree.

use super::random::Random;
use super::{Job, Work, on_each_thread};
use serde_json::Value;
use std::fmt::Write;
use std::hint::black_box;

/// Records of the document, of some 300 bytes each.
const RECORDS: usize = 6_000;

/// A unit is the document of 2 MB, parsed and dropped.
pub(super) fn prepare(job: Job) -> Work {
    let document = document();
    Box::new(move |count| {
        on_each_thread(job.threads, |_| {
            for _ in 0..count {
                black_box(serde_json::from_str::<Value>(&document).ok());
            }
        })
    })
}

fn document() -> String {
    let mut random = Random::new(3);
    let mut text = String::from("[");
    for number in 0..RECORDS {
        if number > 0 {
            text.push(',');
        }
        // Writing to a string does not fail.
        let _ = record(&mut text, number, &mut random);
    }
    text.push(']');
    text
}

fn record(text: &mut String, number: usize, random: &mut Random) -> std::fmt::Result {
    write!(
        text,
        r#"{{"id":{number},"name":"customer {:08x}","active":{},"score":{:.3},"#,
        random.bits() >> 32,
        number.is_multiple_of(3),
        random.fraction() * 1000.0
    )?;
    write!(
        text,
        r#""address":{{"street":"{} Main Street","city":"city {}","zip":"{:05}"}},"tags":["#,
        random.below(999),
        random.below(5000),
        random.below(100_000)
    )?;
    for tag in 0..=random.below(6) {
        let comma = if tag > 0 { "," } else { "" };
        write!(text, r#"{comma}"tag{}""#, random.below(400))?;
    }
    write!(
        text,
        r#"],"history":[{},{},{}],"note":"{}\n"}}"#,
        random.below(1 << 20),
        random.below(1 << 20),
        random.below(1 << 20),
        "lorem ipsum ".repeat(random.below(8))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_json_of_some_2_mb() {
        let document = document();
        let value: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(value.as_array().map(Vec::len), Some(RECORDS));
        assert!(
            (1_200_000..2_500_000).contains(&document.len()),
            "{} bytes",
            document.len()
        );
    }
}
