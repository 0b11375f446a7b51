//! `picovd cat` and `picovd tail` on files of this system, as on those of a mounted stick. Ring 6 has a real one.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

fn picovd(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picovd"));
    command.args(words);
    command
}

fn run(words: &[&str]) -> Output {
    picovd(words).output().expect("the program starts")
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mounted-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("writable");
    folder
}

fn name(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn cat_reads_files_of_every_length() {
    let folder = folder("lengths");
    for length in [0, 1, 511, 512, 513, 4096, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let (path, bytes) = (folder.join("A.BIN"), (0..length).map(|n| (n * 7 + n / 251) as u8).collect::<Vec<_>>());
        fs::write(&path, &bytes).expect("writable");
        let output = run(&["cat", name(&path)]);
        assert!(output.status.success(), "{length}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == bytes, "{length}: {} bytes", output.stdout.len());
    }
}

#[test]
fn a_path_means_the_disk_of_the_manifest_unless_it_is_there() {
    let folder = folder("meaning");
    let (own, manifest) = (folder.join("README.TXT"), folder.join("own.toml"));
    fs::write(&own, "of this system").expect("writable");
    fs::write(&manifest, "[[file]]\npath = \"README.TXT\"\ntext = \"of the disk\"\n").expect("writable");
    let cat = |words: &[&str]| {
        let output = picovd(words).current_dir(&folder).output().expect("the program starts");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    for path in [name(&own), "./README.TXT", "../mounted-meaning/README.TXT"] {
        assert_eq!(cat(&["cat", path]), "of this system", "{path}");
    }
    for path in ["README.TXT", "/README.TXT"] {
        assert_eq!(cat(&["cat", path, "--manifest", "own.toml"]), "of the disk", "{path}");
        assert_ne!(cat(&["cat", path]), "of this system", "{path}: the stock manifest's");
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = folder("refused");
    for (path, hint) in [(name(&folder), "is a directory"), ("/dev/zero", "could have no end")] {
        for command in ["cat", "tail"] {
            let output = run(&[command, path]);
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{command} {path}: {error}");
            assert!(error.contains(hint) && output.stdout.is_empty(), "{command} {path}: {error}");
        }
    }
    let file = folder.join("A");
    fs::write(&file, "a").expect("writable");
    let output = run(&["cat", name(&file), "--follow"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`tail` follows it"));
}

/// A `tail` that runs; it ends with the test.
struct Tail {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for Tail {
    fn drop(&mut self) {
        // It has ended already unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Tail {
    fn start(words: &[&str]) -> Self {
        let mut child =
            picovd(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            while out.read_line(&mut line).expect("text") > 0 && send.send(std::mem::take(&mut line)).is_ok() {}
        });
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        match self.lines.recv_timeout(Duration::from_secs(60)) {
            Ok(line) => line,
            Err(reason) => panic!("no line: {reason}"),
        }
    }

    /// Ends it, and returns what it has printed on standard error, and what was not read.
    fn end(mut self) -> (String, String) {
        self.child.kill().expect("it runs");
        let (rest, mut error) = (self.lines.iter().collect(), String::new());
        self.child.stderr.take().expect("a pipe").read_to_string(&mut error).expect("text");
        self.child.wait().expect("it ends");
        (error, rest)
    }
}

#[test]
fn tail_follows_a_file_from_mount_to_mount() {
    let folder = folder("tail");
    let path = folder.join("LOG.TXT");
    fs::write(&path, "1\n2\n3\n").expect("writable");
    let mut tail = Tail::start(&["tail", "-n", "2", name(&path)]);
    assert_eq!([tail.line(), tail.line()], ["2\n", "3\n"]);
    // It grows, with the volume still there.
    fs::OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(b"4\n")).expect("writable");
    assert_eq!(tail.line(), "4\n");
    // The volume goes, and comes back with a longer file.
    fs::remove_dir_all(&folder).expect("it is there");
    thread::sleep(Duration::from_millis(500));
    fs::create_dir_all(&folder).expect("writable");
    fs::write(&path, "1\n2\n3\n4\n5\n").expect("writable");
    assert_eq!(tail.line(), "5\n");
    // As STDOUT-TAIL.TXT: each volume shows what nobody has read, even if its length is the same.
    fs::remove_file(&path).expect("it is there");
    thread::sleep(Duration::from_millis(500));
    fs::write(&path, "6\n7\n8\n9\n0\n").expect("writable");
    for line in ["6\n", "7\n", "8\n", "9\n", "0\n"] {
        assert_eq!(tail.line(), line);
    }
    thread::sleep(Duration::from_millis(500));
    let (error, rest) = tail.end();
    assert_eq!(rest, "");
    assert!(error.ends_with("LOG.TXT has started over\n") && error.lines().count() == 1, "{error}");
}

#[test]
fn tail_follows_the_disk_of_a_manifest() {
    let mut tail = Tail::start(&["tail", "README.TXT"]);
    assert!(!tail.line().is_empty());
    tail.end();
}
