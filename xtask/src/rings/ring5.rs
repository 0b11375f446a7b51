//! Ring 5: the firmware's ELF, byte for byte what is flashed, on an emulated RP2350: the same host code and the same stories
//! as for the library on the PC.

use std::fs;
use std::ops::Range;
use std::path::Path;

use super::{Context, Ring, simulator};
use crate::command::{self, LONG};
use crate::firmware;
use crate::readers;
use crate::report::Report;
use crate::truth::{Expected, Truth, difference};

/// This ring.
pub const RING: Ring = Ring {
    number: 5,
    title: "the firmware's ELF on an emulated RP2350",
    packages: &[super::ring2::EXFATPROGS],
    chip: true,
    run,
};

const BLOCK_LENGTH: usize = 512;

fn run(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let built = report.check("the firmware builds", || firmware::build(workspace, context.chip()?, "picovd", true));
    let Some(elf) = built.map(|built| built.elf) else { return };
    let Some(program) = report.check("the simulator builds", || simulator::build(workspace)) else { return };
    let Some(scratch) = report.check("a scratch folder is there", || workspace.scratch("ring5")) else { return };
    let manifest = workspace.root.join("picovd.toml");
    let sim = |words: &[&str]| {
        let mut command = simulator::command(workspace, &program);
        command.args(words).arg("--manifest").arg(&manifest);
        command
    };

    report.check("the host enumerates the board and reads every file right", || {
        command::run(sim(&["show"]).arg("--elf").arg(&elf), LONG).map(|_| ())
    });
    report.check("the volume follows the exFAT specification", || {
        command::run(sim(&["check"]).arg("--elf").arg(&elf), LONG).map(|_| ())
    });
    let truth = report.check("static files are byte for byte the manifest's", || {
        let truth = Truth::read(&manifest)?;
        for (path, expected) in &truth.files {
            if let Expected::Bytes(expected) = expected {
                let mut cat = sim(&["cat"]);
                let seen = command::run(cat.arg("--elf").arg(&elf).arg("--").arg(path), LONG)?.stdout;
                difference(&seen, expected).map_or(Ok(()), |what| Err(format!("{path}: {what}")))?;
            }
        }
        Ok(truth)
    });
    report.check("the stories run on the board", || {
        command::run(sim(&["story"]).arg("--elf").arg(&elf), LONG).map(|_| ())
    });
    let (board, library) = (scratch.join("board.img"), scratch.join("library.img"));
    let read = report.check("the whole volume is read from the board and from the library", || {
        command::run(sim(&["image"]).arg(&board).arg("--elf").arg(&elf), LONG)?;
        command::run(sim(&["image"]).arg(&library), LONG)?;
        Ok(())
    });
    if read.is_none() {
        return;
    }
    report.check("both are the same outside memory windows", || {
        let windows = windows(&command::run(&mut sim(&["layout"]), LONG)?.text())?;
        same(&board, &library, &windows)
    });
    if let Some(truth) = truth {
        report.check("fsck.exfat finds the board's volume clean", || readers::fsck(&truth, &board));
    }
}

/// The blocks of memory windows, from the simulator's map of the disk: `LBA blocks memory window ...`. What the two boards
/// have in memory differs.
fn windows(layout: &str) -> Result<Vec<Range<usize>>, String> {
    let mut found = Vec::new();
    for line in layout.lines().filter(|line| line.contains("memory window")) {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<usize>().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(first), Some(count)) => found.push(first..first + count),
            _ => return Err(format!("no numbers in `{line}`")),
        }
    }
    if found.is_empty() { Err(format!("no memory window in\n{layout}")) } else { Ok(found) }
}

/// Holds two images against each other, block by block, outside the given blocks.
fn same(board: &Path, library: &Path, windows: &[Range<usize>]) -> Result<(), String> {
    let read = |path: &Path| fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let (board, library) = (read(board)?, read(library)?);
    if board.len() != library.len() {
        return Err(format!("{} bytes from the board, {} from the library", board.len(), library.len()));
    }
    let blocks = board.chunks(BLOCK_LENGTH).zip(library.chunks(BLOCK_LENGTH)).enumerate();
    for (block, (board, library)) in blocks.filter(|(block, _)| !windows.iter().any(|window| window.contains(block))) {
        difference(board, library).map_or(Ok(()), |what| Err(format!("block {block}: {what}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::windows;

    #[test]
    fn windows_are_found_in_the_map() {
        let layout = "   LBA    blocks  holds\n  104      1040  memory window       5.1           SRAM.BIN\n 9400 2048 dynamic window 5.1\n";
        let found = windows(layout).unwrap();
        assert_eq!((found.len(), found.first().cloned()), (1, Some(104..1144)));
        assert!(windows("nothing").is_err());
        assert!(windows("memory window").is_err());
    }
}
