//! Commands of an application at the console.

use super::*;
use crate::console::{Command, Commands};
use core::sync::atomic::{AtomicU32, Ordering};

static RUNS: AtomicU32 = AtomicU32::new(0);

static COMMANDS: Commands<16> = Commands::new(&[
    Command {
        name: "count",
        usage: "count up|\"down\"",
        run: |arguments, answer| match arguments {
            "up" | "" => {
                let runs = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
                write!(answer, "\"{runs}\"\r\n").map_err(|_| "no room")
            }
            _ => Err("up only"),
        },
    },
    Command {
        name: "long",
        usage: "long",
        run: |_, answer| {
            // A command that does not look at what it gets.
            let _ = answer.write_str("sixteen bytes are");
            let _ = answer.write_str(".");
            Ok(())
        },
    },
    // The stick's own command goes first.
    Command { name: "get", usage: "get nothing", run: |_, _| Err("never") },
]);

#[test]
fn an_application_has_commands_of_its_own() {
    let settings = fresh();
    assert!(ask(settings, "count up").starts_with(r#"{"error":"no such command""#));
    let before = ask(settings, "help");
    settings.set_commands(&COMMANDS);
    // Fetched in pieces of any length, carried out once.
    assert_eq!(ask(settings, "count up"), r#"{"count":"\"1\"\u000d\u000a"}"#);
    assert_eq!(ask(settings, "  count  "), r#"{"count":"\"2\"\u000d\u000a"}"#);
    assert_eq!(ask(settings, "count down"), r#"{"error":"up only","allowed":"count up|\"down\""}"#);
    assert_eq!(ask(settings, "long"), r#"{"error":"the answer is too long","allowed":"long"}"#);
    assert_eq!(ask(settings, "counts"), ask(settings, "nothing"));
    assert_eq!(ask(settings, "get"), FRESH);
    let help = ask(settings, "help");
    let more = help.strip_prefix(before.strip_suffix('}').expect("an object")).expect("the stick's own come first");
    assert_eq!(more, r#","application":["count up|\"down\"","long","get nothing"]}"#);
    assert!(say(settings, b"count \xFF\r").starts_with(r#"{"error":"not UTF-8""#));
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);
}

#[test]
fn its_names_are_commands_where_a_terminal_echoes() {
    let settings = fresh();
    settings.set_commands(&COMMANDS);
    settings.printed(b"line of the log\r\n");
    assert_eq!(say(settings, b"line of the log\r\n"), "");
    // Remains of other lines are dropped for the rest of the session, commands are not.
    assert_eq!(say(settings, b"the log\r\n"), "");
    assert_eq!(ask(settings, "long"), r#"{"error":"the answer is too long","allowed":"long"}"#);
}
