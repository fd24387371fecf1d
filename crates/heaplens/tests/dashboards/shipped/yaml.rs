//! YAML as JSON values.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

/// The documents of a file. A key that is there twice, or a value that is not what its tag says,
/// is an error.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    documents.iter().map(value).collect()
}

/// The only document of a file of the repository.
pub(crate) fn file(name: &str) -> Option<Value> {
    let mut documents = files(name)?;
    assert_eq!(documents.len(), 1, "{name} has several documents");
    documents.pop()
}

/// The documents of a file of the repository.
pub(crate) fn files(name: &str) -> Option<Vec<Value>> {
    let documents = documents(&super::text(name)?);
    Some(documents.unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// The elements of a list; none where there is no list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The names in a mapping that are not among those known.
pub(crate) fn unknown<'a>(value: &'a Value, known: &[&str]) -> Vec<&'a str> {
    let names = value.as_object().into_iter().flat_map(Map::keys);
    names
        .map(String::as_str)
        .filter(|name| !known.contains(name))
        .collect()
}

fn value(yaml: &Yaml<'_>) -> Result<Value, String> {
    Ok(match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(told)) => (*told).into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Sequence(items) => items.iter().map(value).collect::<Result<_, _>>()?,
        Yaml::Mapping(pairs) => {
            let mut object = Map::new();
            for (key, told) in pairs {
                let key = key.as_str().ok_or_else(|| format!("the key {key:?}"))?;
                object.insert(key.to_owned(), value(told)?);
            }
            object.into()
        }
        other => return Err(format!("{other:?}")),
    })
}

#[test]
fn what_is_no_good_yaml_is_an_error() {
    for text in ["a: 1\na: 2\n", "a: [1", "a:\n\t- 1\n", "a: *nothing\n"] {
        assert!(documents(text).is_err(), "{text:?}");
    }
    let told = documents("a: \"1\"\nb: [x, 2, true, null]\n---\nc: >-\n  d\n  e\n").unwrap();
    let expected = serde_json::json!([{"a": "1", "b": ["x", 2, true, null]}, {"c": "d e"}]);
    assert_eq!(Value::from(told), expected);
}
