//! Text of others on a terminal: as wide as it looks, and unable to move the cursor.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Longest reason that is shown, in characters.
const MAX_LINE: usize = 600;

/// Columns that `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` without control characters, which could move the cursor or change
/// the terminal's settings.
pub(crate) fn printable(text: &str) -> String {
    let is_harmful = |character: char| {
        // Marks that turn the direction of writing can disguise a name.
        character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|character| {
            if is_harmful(character) {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}

/// `text` on one line of bounded length.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = printable(&words.join(" "));
    match line.char_indices().nth(MAX_LINE) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Columns that the end of a text gets before its beginning gets any: it has the
/// function's own name and its place.
const END: usize = 60;

/// At most so many columns of `text`: what is too much is left out of the
/// middle, or at the beginning where there is little room.
pub(crate) fn shortened(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else {
        return String::new();
    };
    let head = prefix(text, room.saturating_sub(END).min(room / 3));
    let tail = suffix(text, room - width(head));
    format!("{head}…{tail}")
}

/// As much of the beginning as takes at most so many columns.
pub(crate) fn prefix(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, character) in text.char_indices() {
        taken += character.width().unwrap_or(0);
        if taken > columns {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

fn suffix(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, character) in text.char_indices().rev() {
        taken += character.width().unwrap_or(0);
        if taken > columns {
            return text.get(at + character.len_utf8()..).unwrap_or_default();
        }
    }
    text
}

/// Lines of at most so many columns, broken between words.
pub(crate) fn wrapped(text: &str, columns: usize, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let taken = width(&line) + width(word) + 1 + indent.len();
        if !line.is_empty() && taken > columns {
            lines.push(format!("{indent}{line}"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(format!("{indent}{line}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 11, "  "), ["  one two", "  three"]);
        assert_eq!(wrapped("unbreakable", 4, " "), [" unbreakable"]);
        assert!(wrapped("  ", 10, "").is_empty());
    }

    #[test]
    fn the_middle_is_left_out() {
        assert_eq!(shortened("abcdefghij", 10), "abcdefghij");
        assert_eq!(shortened("abcdefghij", 7), "…efghij");
        assert_eq!(shortened("größe::größe", 6), "…größe");
        let (front, end) = ("f".repeat(100), "e".repeat(100));
        let both = shortened(&(front + &end), 100);
        assert_eq!(both, "f".repeat(33) + "…" + &"e".repeat(66));
        assert_eq!(shortened("日本語日本語", 5), "…本語");
        assert_eq!(shortened("abc", 1), "…");
        assert_eq!(shortened("abc", 0), "");
        for columns in 0..20 {
            assert!(width(&shortened("日本x語日y本語", columns)) <= columns);
        }
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(
            printable("a\u{1b}[2Jb\n\u{202e}c"),
            "a\u{fffd}[2Jb\u{fffd}\u{fffd}c"
        );
        assert_eq!(one_line(" a\n b\t\tc "), "a b c");
        assert_eq!(one_line(&"x".repeat(2000)).chars().count(), MAX_LINE + 1);
    }
}
