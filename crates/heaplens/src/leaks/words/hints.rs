//! What a name tells of what is kept.

/// What kind of things a map keeps, by the words in its name and in that of the function
/// that fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// Things that somebody registers to be called.
    Callbacks,
    /// Figures by key.
    Metrics,
    /// What can be made again.
    Cache,
    /// What belongs to somebody who may not come back.
    Sessions,
    /// What waits to be done.
    Pending,
}

const WORDS: [(&str, Hint); 24] = [
    ("callback", Hint::Callbacks),
    ("listener", Hint::Callbacks),
    ("handler", Hint::Callbacks),
    ("subscri", Hint::Callbacks),
    ("observer", Hint::Callbacks),
    ("hook", Hint::Callbacks),
    ("watcher", Hint::Callbacks),
    ("metric", Hint::Metrics),
    ("counter", Hint::Metrics),
    ("histogram", Hint::Metrics),
    ("label", Hint::Metrics),
    ("stats", Hint::Metrics),
    ("session", Hint::Sessions),
    ("token", Hint::Sessions),
    ("connection", Hint::Sessions),
    ("client", Hint::Sessions),
    ("pending", Hint::Pending),
    ("inflight", Hint::Pending),
    ("queue", Hint::Pending),
    ("task", Hint::Pending),
    ("job", Hint::Pending),
    ("cache", Hint::Cache),
    ("memo", Hint::Cache),
    ("intern", Hint::Cache),
];

/// The first word of the name, else of the function, that tells something.
pub(super) fn hint(name: &str, function: Option<&str>) -> Option<Hint> {
    [Some(name), function]
        .into_iter()
        .flatten()
        .find_map(|text| {
            let text = text.split(" at ").next().unwrap_or(text).to_lowercase();
            let words = WORDS.iter();
            words
                .filter_map(|(word, hint)| Some((text.find(word)?, *hint)))
                .min_by_key(|(place, _)| *place)
                .map(|(_, hint)| hint)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        assert_eq!(hint("price_listeners", None), Some(Hint::Callbacks));
        assert_eq!(hint("SessionCache", None), Some(Hint::Sessions));
        assert_eq!(
            hint("field", Some("cache_report at src/a.rs:4")),
            Some(Hint::Cache)
        );
        assert_eq!(
            hint("field", Some("f at src/cache.rs:4")),
            None,
            "a file tells nothing"
        );
        assert_eq!(hint("x", None), None);
    }
}
