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
        ("enumeration", &["settings are a `struct`", "enum Enumeration {"]),
        ("two-words", &["two variants have the word \"red\"", "Ruby,"]),
        ("values", &["a variant of a choice has no values", "Of(u8),"]),
    ];
    compile::refuses("derive_mistakes", mistakes);
}
