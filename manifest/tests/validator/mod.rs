//! A validator for the part of JSON Schema (draft 7) that picovd.schema.json uses. An unknown keyword is an error, because
//! otherwise it would seem to be satisfied.

use regex_lite::Regex;
use serde_json::{Map, Value};

/// A TOML value as editors pass it to a schema: dates are texts.
pub fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => serde_json::Number::from_f64(*number).map_or(Value::Null, Value::Number),
        toml::Value::Boolean(is) => Value::Bool(*is),
        toml::Value::Datetime(moment) => Value::String(moment.to_string()),
        toml::Value::Array(items) => Value::Array(items.iter().map(json).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.clone(), json(value))).collect())
        }
    }
}

/// What is wrong with a value, each problem with its path.
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    visit(schema.as_object().expect("a schema is an object"), value, "", &mut wrong);
    wrong
}

fn visit(schema: &Map<String, Value>, value: &Value, path: &str, wrong: &mut Vec<String>) {
    for (word, demand) in schema {
        let holds = match word.as_str() {
            "$schema" | "title" | "description" | "default" => true,
            "type" => match demand {
                Value::Array(names) => names.iter().any(|name| is_of(value, name)),
                name => is_of(value, name),
            },
            "enum" => list(demand).contains(value),
            "const" => demand == value,
            "oneOf" => list(demand).iter().filter(|choice| violations(choice, value).is_empty()).count() == 1,
            "minimum" => value.as_f64().is_none_or(|number| number >= number_of(demand)),
            "maximum" => value.as_f64().is_none_or(|number| number <= number_of(demand)),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as f64 >= number_of(demand)),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as f64 <= number_of(demand)),
            "pattern" => {
                let pattern = Regex::new(demand.as_str().expect("a pattern is a text")).expect("a pattern");
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "required" => value.as_object().is_none_or(|object| {
                list(demand).iter().all(|key| object.contains_key(key.as_str().expect("a key is a text")))
            }),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    visit(demand.as_object().expect("a schema"), item, &format!("{path}[{index}]"), wrong);
                }
                true
            }
            "properties" => {
                for (key, schema) in demand.as_object().expect("properties are an object") {
                    if let Some(value) = value.get(key) {
                        visit(schema.as_object().expect("a schema"), value, &format!("{path}.{key}"), wrong);
                    }
                }
                true
            }
            "additionalProperties" => {
                assert_eq!(demand, &Value::Bool(false), "unknown keys are refused everywhere");
                let known = schema.get("properties").and_then(Value::as_object);
                let unknown = value.as_object().into_iter().flatten().map(|(key, _)| key);
                let unknown: Vec<&String> =
                    unknown.filter(|key| known.is_none_or(|known| !known.contains_key(*key))).collect();
                wrong.extend(unknown.iter().map(|key| format!("{path}.{key}: no such key")));
                true
            }
            _ => panic!("the validator does not know `{word}` at {path}"),
        };
        if !holds {
            wrong.push(format!("{path}: {value} is against {word} {demand}"));
        }
    }
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a type's name is a text") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("the validator does not know the type `{other}`"),
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn number_of(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}
