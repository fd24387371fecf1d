//! A text split into words, and these counted.

use super::map::Fixed;
use super::random::Random;
use super::{Job, Work, on_each_thread};
use std::collections::HashMap;
use std::hint::black_box;

const LINES: usize = 8_000;
const VOCABULARY: usize = 5_000;

/// A unit is the text of 1 MB.
pub(super) fn prepare(job: Job) -> Work {
    let text = text();
    Box::new(move |count| {
        on_each_thread(job.threads, |_| {
            for _ in 0..count {
                black_box(counted(&text));
            }
        })
    })
}

/// How often each word occurs, whatever its case. The words of a line are gathered first, as
/// where a tokenizer and what uses it are apart.
fn counted(text: &str) -> HashMap<String, u64, Fixed> {
    let mut counts = HashMap::default();
    for line in text.lines() {
        for word in words(line) {
            *counts.entry(word).or_default() += 1;
        }
    }
    counts
}

fn words(line: &str) -> Vec<String> {
    line.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Lines of 4 to 27 words; the first words of the vocabulary are the most common.
fn text() -> String {
    let mut random = Random::new(4);
    let vocabulary: Vec<String> = (0..VOCABULARY).map(|_| word(&mut random)).collect();
    let mut text = String::new();
    for _ in 0..LINES {
        for _ in 0..4 + random.below(24) {
            let limit = 1 + random.below(VOCABULARY);
            let chosen = random.below(limit);
            text.push_str(&vocabulary[chosen]);
            text.push_str(if random.below(10) == 0 { ", " } else { " " });
        }
        text.push('\n');
    }
    text
}

fn word(random: &mut Random) -> String {
    let mut word: String = (0..2 + random.below(11))
        .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz"[random.below(26)]))
        .collect();
    if random.below(8) == 0 {
        word[..1].make_ascii_uppercase();
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_whatever_their_case() {
        let counts = counted("One, two  one\nTWO two;");
        assert_eq!(counts.len(), 2);
        assert_eq!((counts["one"], counts["two"]), (2, 3));
    }

    #[test]
    fn the_text_has_common_words_and_rare_ones() {
        let text = text();
        let counts = counted(&text);
        let most = counts.values().max().copied().unwrap_or_default();
        assert!(
            (800_000..1_300_000).contains(&text.len()),
            "{} bytes",
            text.len()
        );
        assert!(
            counts.len() > 4_000 && most > 200,
            "{} words, {most}",
            counts.len()
        );
    }
}
