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
        ("swapped", &["the trait bound `u16: Choice` is not satisfied"]),
        ("type", &["expected `bool`, found `u8`"]),
        ("twice", &["field `on` is already declared"]),
        ("apart", &["no function or associated item named `new` found for struct `Group"]),
        ("misspelt", &["no field `intervall` on type `&Lamp`"]),
    ];
    compile::refuses("settings_mistakes", mistakes);
}
