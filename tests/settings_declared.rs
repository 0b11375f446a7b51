//! Settings that are declared wrong: the compiler refuses them, and names the field.

mod compile;

#[test]
fn the_compiler_refuses_what_is_declared_wrong() {
    let mistakes: &[(&str, &[&str])] = &[
        ("low", &["setting `interval`: it may not have its default"]),
        ("null", &["setting `offset`: it may not have its default"]),
        ("infinite", &["setting `scale`: it may not have its default"]),
        ("short", &["setting `place`: it may not have its default"]),
        ("long", &["setting `place`: it may not have its default"]),
        ("narrow", &["setting `name`: its type has fewer bytes than it may have characters"]),
        ("unbounded", &["a text setting cannot be a `std::string::String`"]),
        ("far", &["setting `level`: its range ends beyond what its type can hold"]),
        ("backwards", &["setting `level`: no value is in its range: the smaller end comes first"]),
        ("no-integer", &["an integer setting cannot be a `f32`"]),
        ("swapped", &["a setting cannot be a `u16`"]),
        ("type", &["expected `bool`, found `u8`"]),
        ("twice", &["field `on` is already declared"]),
        ("apart", &["this function takes 0 arguments but 2 arguments were supplied"]),
        ("misspelt", &["no field `intervall` on type `&Lamp`"]),
    ];
    compile::refuses("settings_mistakes", mistakes);
}

#[test]
fn the_compiler_refuses_what_is_derived_wrong() {
    let mistakes: &[(&str, &[&str])] = &[
        ("nameless", &["a group needs a name", "struct Lamp {"]),
        ("key", &["a group has `name = \"...\"` and `rule = ...`", "nam = "]),
        ("length", &["setting `name`: it may not have its default", "name: String<24>,"]),
        ("narrow", &["setting `name`: its type has fewer bytes than it may have characters", "name: String<24>,"]),
        ("default", &["setting `interval`: it may not have its default", "default = 3601"]),
        ("half-open", &["a range is written `1..=10`: both ends are included", "range = 1..3600"]),
        ("undocumented", &["`on` has no documentation", "on: bool,"]),
        ("range", &["`range` is for whole numbers", "range = 0..=1"]),
        ("attribute", &["a setting has `default = ...`, `range = ...`, `length = ...` and `secret`", "rang = 0..=1"]),
        ("type", &["expected `bool`, found integer", "default = 1"]),
        ("no-default", &["`color` needs a default", "color: Color,"]),
        ("wide", &["a `u64` needs a range", "count: u64,"]),
        ("unbounded", &["a text setting cannot be a `std::string::String`", "text: std::string::String,"]),
        ("no-choice", &["a setting cannot be a `()`", "`#[derive(picovd::Choice)]`", "nothing: (),"]),
        ("apart", &["`Apart` is no group of settings", "`#[derive(picovd::Settings)]`"]),
        ("group-key-twice", &["`name` is there twice", "name = \"lamps\""]),
        ("field-on-group", &["`#[setting(...)]` belongs to a field", "setting(secret)"]),
        ("group-on-field", &["`#[settings(...)]` belongs to the structure", "settings(range = 0..=1)"]),
        ("key-twice", &["`default` is there twice", "default = false"]),
        ("keys-apart", &["`secret` is there twice", "setting(secret)"]),
        ("range-twice", &["`range` is there twice", "range = 2..=3"]),
        ("length-twice", &["`length` is there twice", "length = 2..=3"]),
        ("far", &["literal out of range for `u16`", "range = 1..=70000"]),
        ("below", &["cannot apply unary operator `-` to type `u16`", "range = -1..=5"]),
        ("fraction", &["mismatched types", "expected `u16`", "range = 1..=1.5"]),
        ("constant", &["expected `u16`, found `u32`", "range = 1..=WIDE"]),
        ("backwards", &["setting `interval`: no value is in its range", "range = 3600..=1"]),
        ("far-default", &["literal out of range for `u16`", "default = 70000"]),
        ("too-far", &["setting `count`: its range ends beyond i64::MAX", "range = 0..=u64::MAX"]),
        ("too-long", &["setting `name`: its range ends beyond u16::MAX", "length = 0..=65536"]),
        ("word-twice", &["`word` is there twice", "word = \"rubies\""]),
        ("word-on-choice", &["`#[setting(word = \"...\")]` belongs to a variant", "setting(word = \"color\")"]),
        ("enumeration", &["settings are a `struct`", "enum Enumeration {"]),
        ("two-words", &["two variants have the word \"red\"", "Ruby,"]),
        ("values", &["a variant of a choice has no values", "Of(u8),"]),
    ];
    compile::refuses("derive_mistakes", mistakes);
}
