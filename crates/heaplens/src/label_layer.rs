//! Fields of tracing's spans as labels.

use std::cell::RefCell;
use std::fmt::{self, Write};

use heaplens_alloc::{LabelScope, Labels, MAX_LABEL_VALUE, untracked};
use tracing_core::Subscriber;
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// A layer for `tracing_subscriber` that turns chosen fields of spans into
/// [`Labels`]: while a span is entered, on whatever thread, samples bear them.
///
/// ```
/// use heaplens::LabelLayer;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry().with(LabelLayer::new(["tenant", "route"]));
/// tracing::subscriber::with_default(subscriber, || {
///     let span = tracing::info_span!("request", tenant = "acme", bytes_in = 17);
///     let _entered = span.enter();
///     assert_eq!(heaplens::Labels::current().get("tenant"), Some("acme"));
/// });
/// ```
///
/// A span has the labels of its parent too, those that the parent had when the span
/// was made, also where the parent is not entered. A field recorded later
/// (`Span::record`) counts from then on: at once on the thread that records it, on
/// others from the next time that the span is entered.
///
/// Values are taken as they are displayed; what [`Labels`] refuses is refused.
///
/// Costs a comparison of each field's name with the chosen ones and, where one is
/// among them, a look-up of some 100 ns, for each new span; and for each entered span
/// that has labels a look-up in the registry and one of the labels. Spans without them
/// cost a look-up in the registry.
#[derive(Debug)]
pub struct LabelLayer {
    fields: Vec<String>,
}

impl LabelLayer {
    /// A layer that makes labels of the fields of these names.
    pub fn new<I>(fields: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        LabelLayer {
            fields: fields.into_iter().map(Into::into).collect(),
        }
    }
}

/// The labels of a span, among its extensions.
struct SpanLabels(Labels);

/// A span that is entered on this thread.
struct Entered {
    span: Id,
    labels: Labels,
    /// Dropped, in the reverse order, when the span is left.
    scope: LabelScope,
}

thread_local! {
    /// Those with labels, the innermost last.
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

impl<S> Layer<S> for LabelLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        let inherited = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            extensions.get::<SpanLabels>().map(|of| of.0)
        });
        let mut found = Found {
            fields: &self.fields,
            labels: inherited,
        };
        attributes.record(&mut found);
        if let Some(labels) = found.labels {
            untracked(|| span.extensions_mut().insert(SpanLabels(labels)));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        let before = span.extensions().get::<SpanLabels>().map(|of| of.0);
        let mut found = Found {
            fields: &self.fields,
            labels: before,
        };
        // The program's own code may run here: no lock is held.
        values.record(&mut found);
        if let Some(labels) = found.labels
            && before != found.labels
        {
            untracked(|| span.extensions_mut().replace(SpanLabels(labels)));
            change(id, labels);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let labels = context
            .span(id)
            .and_then(|span| span.extensions().get::<SpanLabels>().map(|of| of.0));
        // Also without labels: they may be recorded before it is left.
        enter(id.clone(), labels.unwrap_or_default());
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        leave(id);
    }
}

/// Runs `f` on the spans of this thread; not while the thread is torn down, nor from
/// within itself.
fn with_entered(f: impl FnOnce(&mut Vec<Entered>)) {
    let _ = ENTERED.try_with(|entered| {
        if let Ok(mut entered) = entered.try_borrow_mut() {
            untracked(|| f(&mut entered));
        }
    });
}

fn enter(span: Id, labels: Labels) {
    with_entered(|entered| {
        entered.push(Entered {
            span,
            labels,
            scope: labels.enter(),
        });
    });
}

fn leave(span: &Id) {
    with_entered(|entered| {
        let place = entered.iter().rposition(|of| of.span == *span);
        if let Some(place) = place {
            rebuild(entered, place, |inner| {
                inner.next();
            });
        }
    });
}

/// Gives a span other labels, if it is entered on this thread.
fn change(span: &Id, labels: Labels) {
    with_entered(|entered| {
        let place = entered.iter().position(|of| of.span == *span);
        if let Some(place) = place {
            for of in entered.iter_mut().filter(|of| of.span == *span) {
                of.labels = labels;
            }
            rebuild(entered, place, |_| {});
        }
    });
}

/// Leaves all spans from this place on, the innermost first, and enters them again
/// but for those that `skip` takes. Spans may be left in any order.
fn rebuild(
    entered: &mut Vec<Entered>,
    place: usize,
    skip: impl FnOnce(&mut dyn Iterator<Item = (Id, Labels)>),
) {
    let mut left = Vec::with_capacity(entered.len().saturating_sub(place));
    while entered.len() > place
        && let Some(Entered {
            span,
            labels,
            scope,
        }) = entered.pop()
    {
        drop(scope);
        left.push((span, labels));
    }
    let mut again = left.into_iter().rev();
    skip(&mut again);
    entered.extend(again.map(|(span, labels)| Entered {
        span,
        labels,
        scope: labels.enter(),
    }));
}

/// The labels that fields give.
struct Found<'a> {
    fields: &'a [String],
    labels: Option<Labels>,
}

impl Found<'_> {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.is_wanted(field) {
            let mut text = Text::default();
            // An error is one of the value's own: what was written counts.
            let _ = text.write_fmt(value);
            self.set(field, text.as_str());
        }
    }

    fn is_wanted(&self, field: &Field) -> bool {
        self.fields.iter().any(|name| name == field.name())
    }

    fn set(&mut self, field: &Field, value: &str) {
        let labels = self.labels.unwrap_or_default();
        self.labels = Some(labels.and(field.name(), value));
    }
}

impl Visit for Found<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if self.is_wanted(field) {
            self.set(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

/// Text on the stack: one byte more than a label takes, so that what is longer is
/// refused as it is elsewhere.
struct Text {
    bytes: [u8; MAX_LABEL_VALUE + 1],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Text {
            bytes: [b'.'; MAX_LABEL_VALUE + 1],
            len: 0,
        }
    }
}

impl Text {
    fn as_str(&self) -> &str {
        let written = self.bytes.get(..self.len).unwrap_or_default();
        str::from_utf8(written).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        if let Some(free) = self.bytes.get_mut(self.len..end) {
            free.copy_from_slice(text.as_bytes());
            self.len = end;
            return Ok(());
        }
        // Too long for a label, whatever is in it.
        *self = Text {
            len: self.bytes.len(),
            ..Text::default()
        };
        Err(fmt::Error)
    }
}
