//! Ring 3: every story on the library itself, over the simulated bus.

use picovd_sim::plug;
use picovd_sim::story::{Effort, STORIES};

#[test]
fn every_story_holds_on_the_library() {
    let mut failures = Vec::new();
    for story in STORIES {
        let plug = plug::open(Some(&plug::plain_manifest()), None).unwrap_or_else(|error| panic!("{error}"));
        if let Err(error) = story.play(plug.link, Effort::NATIVE) {
            failures.push(format!("{}: {error}", story.name));
        }
    }
    assert!(failures.is_empty(), "{} stories failed\n{}", failures.len(), failures.join("\n"));
}

/// It has a serial port and a sensor, whose readings are announced.
#[test]
fn every_story_holds_on_the_stock_manifest() {
    let mut failures = Vec::new();
    for story in STORIES {
        let plug = plug::open(None, None).unwrap_or_else(|error| panic!("{error}"));
        if let Err(error) = story.play(plug.link, Effort { changing: true, ..Effort::NATIVE }) {
            failures.push(format!("{}: {error}", story.name));
        }
    }
    assert!(failures.is_empty(), "{} stories failed\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn stories_have_names_of_their_own() {
    let mut names: Vec<_> = STORIES.iter().map(|story| story.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), STORIES.len());
}
