//! picovd.schema.json as editors use it: valid manifests pass, unknown keys and wrong types do not, every key is
//! documented. A unit test in src/schema/json.rs compares the file with the types.

mod mutate;
mod validator;

use std::fs;
use std::path::{Path, PathBuf};

use picovd_manifest::{Code, check, plan, read, read_text, schema};
use picovd_property::Cases;
use serde_json::Value;
use validator::{json, violations};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(root().join("picovd.schema.json")).unwrap()).unwrap()
}

fn validate(schema: &Value, text: &str) -> Vec<String> {
    violations(schema, &json(&toml::Value::Table(text.parse().unwrap())))
}

fn manifests(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    assert!(found.len() > 3, "{folder}");
    found
}

#[test]
fn good_manifests_are_valid() {
    let schema = schema();
    let stock = root().join("picovd.toml");
    let first = fs::read_to_string(&stock).unwrap().lines().next().map(str::to_owned);
    assert_eq!(
        first.as_deref(),
        Some("#:schema ./picovd.schema.json"),
        "editors look for the schema in the first line"
    );
    for path in manifests("tests/manifests").into_iter().chain([stock]) {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(validate(&schema, &text), Vec::<String>::new(), "{}", path.display());
    }
    for text in mutate::good() {
        assert_eq!(validate(&schema, &text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn every_key_is_there_with_a_description_and_a_type() {
    let root = schema();
    let tables = root["properties"].as_object().unwrap();
    assert_eq!(tables.len(), schema::tables().len());
    for (title, keys) in schema::tables() {
        let name = title.trim_matches(['[', ']']);
        let entry = &tables[name];
        let described = |value: &Value| value["description"].as_str().is_some_and(|text| text.len() > 8);
        assert!(described(entry), "{title}");
        let table = if title.starts_with("[[") { &entry["items"] } else { entry };
        assert_eq!(table["additionalProperties"], Value::Bool(false), "{title}");
        let properties = table["properties"].as_object().unwrap();
        assert_eq!(properties.keys().collect::<Vec<_>>(), keys, "{title}");
        for (key, property) in properties {
            assert!(described(property), "{title} {key}");
            assert!(!property["description"].as_str().unwrap().contains('\n'), "{title} {key}");
            let choices = property["oneOf"].as_array();
            assert!(property.get("type").is_some() || choices.is_some(), "{title} {key}");
            assert!(choices.into_iter().flatten().all(described), "{title} {key}: every word is explained");
        }
    }
}

#[test]
fn unknown_keys_and_wrong_types_are_invalid() {
    let root = schema();
    for (title, keys) in schema::tables() {
        for key in ["no-such-key", "lable"] {
            assert_eq!(validate(&root, &format!("{title}\n{key} = 1\n")).iter().filter(|w| w.contains(key)).count(), 1);
        }
        for key in keys {
            // No key takes a list or a fraction.
            for value in ["[1]", "1.5"] {
                let wrong = validate(&root, &format!("{title}\n{key} = {value}\n"));
                assert!(wrong.iter().any(|line| line.contains(key)), "{title} {key} = {value}: {wrong:?}");
            }
        }
    }
    assert!(!validate(&root, "[volumes]\n").is_empty());
    assert!(!validate(&root, "[file]\npath = \"a\"\n").is_empty());
    assert!(!validate(&root, "volume = 3\n").is_empty());
}

/// What the schema cannot express is left to the rules; it covers these codes completely.
#[test]
fn bad_manifests_with_unknown_keys_and_wrong_types_are_invalid() {
    let schema = schema();
    let mut seen = 0;
    for path in manifests("tests/bad-manifests") {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let Ok(table) = text.parse::<toml::Table>() else { continue };
        let problems = read(&path).and_then(|manifest| check(&manifest, None)).map(|_| ());
        let codes =
            problems.map_or_else(|problems| problems.items().iter().map(|item| item.code).collect(), |()| vec![]);
        if codes.iter().any(|code| matches!(code, Code::UnknownKey | Code::WrongType)) {
            assert!(!violations(&schema, &json(&toml::Value::Table(table))).is_empty(), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn the_schema_is_never_stricter_than_the_rules() {
    let (schema, good) = (schema(), mutate::good());
    let of = 1..good.len();
    let mut accepted = 0;
    Cases { count: 20_000, seed: 0 }.check(mutate::mutated(good, of), |mutated| {
        let Ok(manifest) = read_text("m", &mutated.text, Path::new("/nowhere")) else { return };
        if check(&manifest, None).is_ok_and(|checked| plan(&checked).is_ok()) {
            accepted += 1;
            assert_eq!(validate(&schema, &mutated.text), Vec::<String>::new());
        }
    });
    assert!(accepted > 500, "{accepted}");
}
