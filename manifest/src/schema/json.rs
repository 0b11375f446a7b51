//! picovd.schema.json, generated from the types, with which editors (taplo, Even Better TOML) complete, explain and check
//! keys.
//!
//! The file is at the top of the repository, and the test here compares it with the types. `PICOVD_BLESS=1`, which `cargo
//! xtask test --bless` sets, rewrites it.

use std::borrow::Cow;
use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{Field, Interval, Moment, Size, Tables};

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 0, "pattern": r"^[0-9_]+\s*(B|KiB|MiB|GiB)\s*$" })
    }
}

impl JsonSchema for Interval {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Interval".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 0, "pattern": r"^[0-9_]+\s*(ms|s|min)\s*$" })
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    /// JSON has no dates: editors pass a TOML date and time to the schema as text.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(19[89][0-9]|20[0-9]{2}|210[0-7])-[0-9]{2}-[0-9]{2}" })
    }
}

/// Removes what TOML cannot express or what has no use: null, the names of Rust's number types, line breaks of comments.
fn plain(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    schema.remove("format");
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    for word in ["anyOf", "oneOf"] {
        let Some(Value::Array(choices)) = schema.get_mut(word) else { continue };
        choices.retain(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
        let [Value::Object(only)] = choices.as_slice() else { continue };
        let only = only.clone();
        schema.remove(word);
        for (key, value) in only {
            if schema.get(&key).is_none() {
                schema.insert(key, value);
            }
        }
    }
}

/// The schema as it is in the file.
fn generated() -> String {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Tables>();
    RecursiveTransform(plain).transform(&mut schema);
    let mut text = serde_json::to_string_pretty(&schema).expect("JSON from JSON");
    text.push('\n');
    text
}

#[test]
fn the_schema_at_the_top_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../picovd.schema.json");
    let text = generated();
    if std::env::var_os("PICOVD_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the repository is writable");
    }
    let blessed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == blessed,
        "{} is not what the types say; PICOVD_BLESS=1 or `cargo xtask test --bless` writes it again:\n{text}",
        path.display()
    );
}
