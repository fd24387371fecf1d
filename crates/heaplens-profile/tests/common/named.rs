//! Profiles of functions by name, as another program might have written them.

use heaplens_profile::{Profile, pprof, proto};
use prost::Message;

/// Functions root first, label (key, value), values.
pub(crate) type Row<'a> = (&'a [&'a str], Option<(&'a str, &'a str)>, [i64; 4]);

/// A message with the four types of a heap profile; each function is in a file
/// named after its crate and has a location of its own.
pub(crate) fn message(rows: &[Row<'_>]) -> proto::Profile {
    let mut strings = Strings(vec![String::new()]);
    let mut message = proto::Profile::default();
    for (kind, unit) in [
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ] {
        message.sample_type.push(proto::ValueType {
            r#type: strings.index(kind),
            unit: strings.index(unit),
        });
    }
    message.period_type = Some(proto::ValueType {
        r#type: strings.index("space"),
        unit: strings.index("bytes"),
    });
    message.period = 524_288;
    message.time_nanos = 1_795_379_340_250_000_000;
    message.mapping.push(proto::Mapping {
        id: 1,
        memory_start: 0x40_0000,
        memory_limit: 0x80_0000,
        filename: strings.index("/opt/svc/bin/svc"),
        has_functions: true,
        ..proto::Mapping::default()
    });
    for (functions, label, values) in rows {
        let leaf_first = functions.iter().rev();
        let ids = leaf_first.map(|name| location(&mut message, &mut strings, name));
        let location_id = ids.collect();
        let label = label.iter().map(|(key, value)| proto::Label {
            key: strings.index(key),
            str: strings.index(value),
            ..proto::Label::default()
        });
        let label = label.collect();
        message.sample.push(proto::Sample {
            location_id,
            value: values.to_vec(),
            label,
        });
    }
    message.string_table = strings.0;
    message
}

fn location(message: &mut proto::Profile, strings: &mut Strings, name: &str) -> u64 {
    let name_index = strings.index(name);
    let known = message.function.iter().find(|of| of.name == name_index);
    if let Some(known) = known {
        return known.id;
    }
    let id = message.function.len() as u64 + 1;
    let file = format!("/src/{}.rs", name.split("::").next().unwrap_or_default());
    message.function.push(proto::Function {
        id,
        name: name_index,
        filename: strings.index(&file),
        ..proto::Function::default()
    });
    message.location.push(proto::Location {
        id,
        mapping_id: 1,
        address: 0x40_0000 + id * 16,
        line: vec![proto::Line {
            function_id: id,
            line: 7,
            column: 0,
        }],
        is_folded: false,
    });
    id
}

struct Strings(Vec<String>);

impl Strings {
    fn index(&mut self, text: &str) -> i64 {
        let known = self.0.iter().position(|of| of == text);
        let index = known.unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        i64::try_from(index).expect("few strings")
    }
}

/// The same as a profile.
pub(crate) fn profile(rows: &[Row<'_>]) -> Profile {
    pprof::decode(&message(rows).encode_to_vec()).expect("a valid message")
}
