//! Flame graphs: an interactive SVG that a browser opens as it is.
//!
//! Widths are values of one type, summed over all that was called from there.
//! A click zooms, `Search` marks functions by regular expression.
//!
//! In a difference widths are those of the later profile, and colours tell what
//! changed in the function itself, without what it calls: red has grown, blue
//! has shrunk.

mod caption;
mod document;
mod tree;

use crate::model::Profile;
use crate::stacks::NamedStacks;
use caption::Caption;
use tree::Tree;

pub use document::scripts;

/// How many frames are drawn unless [`Options::max_frames`] says otherwise.
pub const MAX_FRAMES: usize = 10_000;

/// How a flame graph is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    title: String,
    note: String,
    inverted: bool,
    reversed: bool,
    max_frames: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options::new()
    }
}

impl Options {
    /// Roots at the bottom, at most [`MAX_FRAMES`] frames.
    pub fn new() -> Self {
        Options {
            title: "Heap".to_owned(),
            note: String::new(),
            inverted: false,
            reversed: false,
            max_frames: MAX_FRAMES,
        }
    }

    /// The title, in place of `Heap`.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Self {
        let title = title.into();
        Options { title, ..self }
    }

    /// What is said below the title after the figures.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        let note = note.into();
        Options { note, ..self }
    }

    /// Whether roots are at the top, as icicles hang.
    #[must_use]
    pub fn inverted(self, inverted: bool) -> Self {
        Options { inverted, ..self }
    }

    /// Whether stacks begin with the leaf, so that what allocates stands
    /// together, whoever called it.
    #[must_use]
    pub fn reversed(self, reversed: bool) -> Self {
        Options { reversed, ..self }
    }

    /// The most frames that are drawn, in place of [`MAX_FRAMES`]: the widest
    /// ones. What is left out counts for the function that called it.
    #[must_use]
    pub fn max_frames(self, max_frames: usize) -> Self {
        Options { max_frames, ..self }
    }
}

/// Draws the values of one type; `type_index` is a place in
/// [`Profile::types`]. Of a difference only what has grown is drawn; the rest is
/// stated.
///
/// Costs some 100 ns a frame of each sample, and some microseconds a frame that
/// is drawn.
pub fn render(profile: &Profile, type_index: usize, options: &Options) -> String {
    let stacks = NamedStacks::of((profile, type_index));
    let caption = Caption::new(profile, type_index, &stacks);
    draw(stacks, &caption, false, options)
}

/// Draws the values of one type with what changed since `base`. The two indices
/// are the places of the type in [`Profile::types`] of each. Stacks are the same
/// if the names of their functions are, so that the two may be of different
/// runs, or of different builds.
///
/// Costs as much as [`render`] of both.
pub fn difference(
    (base, base_type_index): (&Profile, usize),
    (profile, type_index): (&Profile, usize),
    options: &Options,
) -> String {
    let stacks = NamedStacks::of_both((base, base_type_index), (profile, type_index));
    let caption = Caption::new(profile, type_index, &stacks).since(base, base_type_index);
    draw(stacks, &caption, true, options)
}

fn draw(stacks: NamedStacks, caption: &Caption, is_difference: bool, options: &Options) -> String {
    let stacks = if options.reversed {
        stacks.reversed()
    } else {
        stacks
    };
    let lines = Tree::of(&stacks).lines(options.max_frames.max(1), is_difference);
    let text = caption.text(lines.left_out, &options.note);
    document::draw(&lines, &text, &caption.unit, options)
}
