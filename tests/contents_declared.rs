//! Contents of a type that cannot be one: the compiler refuses them, and says what to use.

mod compile;

#[test]
fn the_compiler_says_what_to_use_in_place_of_what_cannot_be_contents() {
    let mistakes: &[(&str, &[&str])] = &[
        (
            "bare",
            &[
                "`picovd::heapless::String<16>` cannot be the contents of a file",
                "use `picovd::files::Snapshot`",
                "`picovd::files::TextBuffer<N>`",
            ],
        ),
        ("number", &["`u32` cannot be the contents of a file", "use `picovd::files::Snapshot`"]),
        ("display", &["`Reading` cannot be the value of a `Snapshot`", "use `Snapshot::json`"]),
        ("serialize", &["`Reading` cannot be the value of a `Snapshot::json`", "derive `serde::Serialize`"]),
        ("row", &["`(u32, Reading)` cannot be a row of a `CsvRing`", "`heapless::String<N>`"]),
    ];
    compile::refuses("contents_mistakes", mistakes);
}
