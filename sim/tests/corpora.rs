//! The corpora of the fuzz targets (fuzz/), replayed: what was found once stays mended.

use picovd_sim::fuzz::TARGETS;
use std::fs;
use std::path::Path;

#[test]
fn every_input_of_every_corpus_is_judged() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let names: Vec<_> = fs::read_dir(&corpora).expect("fuzz/corpus").map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), TARGETS.len(), "a corpus for each target, and no other: {names:?}");
    for (target, judge) in TARGETS {
        let mut files: Vec<_> =
            fs::read_dir(corpora.join(target)).expect(target).map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 3, "{target} has {} inputs", files.len());
        for file in files {
            let data = fs::read(&file).expect("an input can be read");
            println!("{target}: {}", file.display());
            judge(&data);
        }
    }
}
