//! `cargo sim` as a person or a script uses it: output, exit status, pipes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use picovd_sim::plug;

fn sim(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picovd"));
    command.args(words);
    command
}

fn run(words: &[&str]) -> Output {
    sim(words).output().expect("the program starts")
}

/// Standard output of a run that succeeds without a word on standard error.
fn succeed(words: &[&str]) -> String {
    let output = run(words);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{words:?}: {} {error}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn alone_it_shows_the_stick_and_ends_0() {
    let text = succeed(&[]);
    for part in ["boot region", "README.TXT", "SRAM.BIN", "about/", "all match the manifest"] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn ls_lists_a_directory_and_ignores_case() {
    let root = succeed(&["ls"]);
    assert!(root.lines().any(|line| line.trim() == "about/"), "{root}");
    assert_eq!(succeed(&["ls", "about"]), succeed(&["ls", "/ABOUT/"]));
    let output = run(&["ls", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere"));
}

#[test]
fn partitions_of_the_board_are_files() {
    let table = ["--partition", "Calibration=2M,64K", "--partition", "=3M,4K"];
    let with = |words: &[&'static str]| succeed(&[words, &table].concat());
    let listed = with(&["ls", "partitions"]);
    let sizes: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    assert_eq!(sizes.len(), 3, "{listed}");
    assert!(sizes.contains(&("65536", "Calibration.BIN")) && sizes.contains(&("4096", "PART1.BIN")), "{listed}");
    // Flash as the same board shows it.
    let cat = |path: &str| sim(&[&["cat", path][..], &table].concat()).output().expect("the program starts").stdout;
    assert!(cat("partitions/Calibration.BIN") == cat("FLASH.BIN")[2 << 20..][..64 << 10]);
    for wrong in ["Calibration", "A=1,4K", "A=0,0", "A=32M,4K", "A=4K,99999999999M"] {
        assert_eq!(run(&["ls", "--partition", wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn cat_writes_the_bytes_alone() {
    let plug = plug::open(None, None).expect("the stock manifest is good");
    for file in plug.files.iter().filter(|file| !file.live) {
        let output = run(&["cat", "--", &file.path]);
        assert!(output.status.success(), "{}", file.path);
        assert!(output.stdout == file.bytes, "{} differs", file.path);
    }
    let output = run(&["cat", "about"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("directory"));
}

#[test]
fn an_image_passes_the_check_until_it_is_damaged() {
    let path = temporary("command-line.img");
    let name = path.to_str().expect("UTF-8");
    succeed(&["image", name]);
    let mut bytes = fs::read(&path).expect("the image is there");
    let blocks = bytes.len() / 512;
    assert!(succeed(&["layout"]).contains(&format!("{blocks} blocks")), "the image has {blocks} blocks");
    succeed(&["check", name]);
    // As in a package, whose `cargo sim` says which program it is for.
    let stock = plug::stock_manifest();
    let package = ["--manifest", stock.to_str().expect("UTF-8"), "--elf", "its.elf"];
    succeed(&[&package[..], &["check", name]].concat());
    succeed(&[&package[..], &["verify", name]].concat());
    succeed(&[&package[..], &["layout"]].concat());
    // The FAT's first entry.
    bytes[24 * 512] ^= 0xFF;
    fs::write(&path, bytes).expect("writable");
    let output = run(&["check", name]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("fat-media"));
}

#[cfg(unix)]
#[test]
fn an_image_is_sparse() {
    use std::os::unix::fs::MetadataExt;
    let manifest = temporary("sparse.toml");
    fs::write(&manifest, "[volume]\nminimum-size = \"8 MiB\"\n\n[[file]]\npath = \"A.TXT\"\ntext = \"a\"\n")
        .expect("writable");
    let image = temporary("sparse.img");
    succeed(&["image", image.to_str().expect("UTF-8"), "--manifest", manifest.to_str().expect("UTF-8")]);
    let metadata = fs::metadata(&image).expect("the image is there");
    assert!(metadata.len() >= 8 << 20, "{} bytes", metadata.len());
    assert!(metadata.blocks() * 512 < 1 << 20, "{} bytes on the disk", metadata.blocks() * 512);
}

#[test]
fn wrong_words_get_an_error_and_status_2() {
    let cases: [(&[&str], &str); 25] = [
        (&["new", "--manifest", "x", "y"], "--manifest is for show, ls"),
        (&["--manifest", "x", "new", "y"], "unexpected argument '--manifest'"),
        (&["ls", "--watch"], "--watch is for show\n"),
        (&["--watch", "ls"], "unexpected argument '--watch'"),
        (&["--svg", "x"], "--svg is for layout\n"),
        (&["cat", "A", "--usbip", "127.0.0.1:1"], "--usbip is for serve\n"),
        (&["layout", "--partition", "A=2M,64K"], "unexpected argument '--partition'"),
        (&["check", "x.img", "--flash-size", "2M"], "--flash-size and --partition do not apply to an IMAGE"),
        (&["cat", "A", "--after", "10"], "`10` is not a time of up to a day"),
        (&["ls", "--after", "1s"], "--after is for cat, log\n"),
        (&["ls", "--flash-size", "3M"], "`3M` is not the length of a flash chip; try 2M"),
        (&["ls", "--partition", "A"], "`A` is not a partition; try Calibration=2M,64K"),
        (&["serve", "--usbip", "here"], "`here` is not an address; try 127.0.0.1:3240"),
        (&["serve", "--quiet"], "serve needs --usbredir SOCKET or --usbip ADDRESS:PORT"),
        (&["ls", "--i2c0", "0x76"], "`0x76` is not a device; try 0x76=bme280.toml"),
        (&["new", "x", "--git", "a", "--registry"], "'--git <URL>' cannot be used with '--registry'"),
        (&["lss"], "'ls'"),
        (&["chekc"], "'check'"),
        (&["frobnicate"], "'frobnicate'"),
        (&["--manifst", "x"], "'--manifst' found\n\n  tip: a similar argument exists: '--manifest'"),
        (&["--manifst", "x", "ls"], "'--manifst'"),
        (&["cat"], "Usage: picovd cat"),
        (&["ls", "a", "b"], "Usage: picovd ls"),
        (&["--manifest"], "--manifest"),
        (&["story", "no-such-story"], "enumerate"),
    ];
    for (words, hint) in cases {
        let output = run(words);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {error}");
        assert!(error.contains(hint), "{words:?}: {error}");
        assert!(error.starts_with("error: ") && error.lines().count() < 10, "{words:?}: {error}");
        assert!(output.stdout.is_empty(), "{words:?} prints something");
    }
}

#[test]
fn every_command_has_help() {
    let overview = succeed(&["--help"]);
    for name in ["ls", "cat", "image", "check", "layout", "story"] {
        assert!(overview.contains(&format!("\n  {name}")), "{name} is missing in\n{overview}");
        let help = succeed(&[name, "--help"]);
        assert!(help.contains(&format!("Usage: picovd {name}")) && help.contains("--manifest"), "{help}");
    }
    // Each lists the options that it takes, and no other.
    let device = ["--elf <FILE>", "--flash-size <N>", "--partition <NAME"];
    for (name, listed, others) in [
        ("show", &["--manifest <FILE>", "--watch\n", device[0]][..], &["--svg", "--usbip"][..]),
        ("ls", &["--manifest <FILE>", device[0], device[1], device[2]], &["--watch", "--svg"]),
        ("layout", &["--manifest <FILE>", "--json", "--svg <FILE>"], &device),
        ("new", &["--help"], &["--manifest <FILE>", device[0], device[1], device[2]]),
        ("verify", &["The manifest to compare the files with (default: none)"], &["stock", device[0], device[1]]),
        ("serve", &["--manifest <FILE>", "--usbip <ADDRESS", device[2]], &["--watch", "--svg"]),
    ] {
        let help = succeed(&[name, "--help"]);
        for option in listed {
            assert!(help.contains(option), "{name}: {option} is missing in\n{help}");
        }
        for option in others {
            assert!(!help.contains(option), "{name}: {option} is in\n{help}");
        }
    }
}

#[test]
fn help_is_asked_for_in_several_ways() {
    let of_ls = succeed(&["ls", "--help"]);
    // As in a package, whose alias has options before the user's words.
    let package = ["--manifest", "picovd.toml", "--elf", "its.elf"];
    for words in [&["help", "ls"][..], &["--help", "ls"], &[&package[..], &["help", "ls"]].concat()] {
        assert_eq!(succeed(words), of_ls, "{words:?}");
    }
    for words in [&["help"][..], &["-h"], &[&package[..], &["help"]].concat(), &[&package[..], &["--help"]].concat()] {
        assert!(succeed(words).starts_with("A PicoVD stick in a simulated USB port"), "{words:?}");
    }
}

#[test]
fn an_option_that_is_given_again_takes_the_place_of_the_first() {
    let manifest = temporary("again.toml");
    fs::write(&manifest, "[[file]]\npath = \"AGAIN.TXT\"\ntext = \"a\"\n").expect("writable");
    let listed = succeed(&["--manifest", "no/such.toml", "ls", "--manifest", manifest.to_str().expect("UTF-8")]);
    assert!(listed.contains("AGAIN.TXT"), "{listed}");
    // Without a command, too.
    let shown = succeed(&["--manifest", "no/such.toml", "--manifest", manifest.to_str().expect("UTF-8")]);
    assert!(shown.contains("AGAIN.TXT"), "{shown}");
}

#[test]
fn shells_complete_the_words() {
    for shell in ["bash", "zsh", "fish"] {
        let script = succeed(&["completions", shell]);
        assert!(script.contains("picovd") && script.contains("flash-size"), "{shell}: {script}");
    }
    assert!(succeed(&["--help"]).contains("\n  completions"), "it is listed");
}

#[test]
fn bash_completes_commands_and_options() {
    // What the script offers for the last of these words.
    let offers = |words: &str| {
        let script = format!(
            "source <(\"$0\" completions bash) && COMP_WORDS=({words}) && COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)) && \
             _picovd picovd \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\" && echo \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").args(["-c", &script, env!("CARGO_BIN_EXE_picovd")]).output().expect("bash");
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(offers("picovd ver").trim(), "verify");
    assert_eq!(offers("picovd layout --js").trim(), "--json");
}

#[test]
fn a_missing_or_wrong_manifest_is_told_and_ends_1() {
    let output = run(&["ls", "--manifest", "no/such.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such.toml"));
    let manifest = temporary("wrong.toml");
    fs::write(&manifest, "[volume]\nlable = \"X\"\n").expect("writable");
    let output = run(&["ls", "--manifest", manifest.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("wrong.toml:2"), "no place in the message");
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child =
        sim(&["cat", "FLASH.BIN"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut first = Vec::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_until(b'\n', &mut first).expect("readable");
    drop(out);
    let mut error = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut error).expect("text");
    let status = child.wait().expect("it ends");
    assert!(!error.contains("panicked") && error.is_empty(), "{error}");
    assert!(status.success(), "{status}");
}

#[test]
fn whoever_closes_the_output_hears_nothing_of_it() {
    let text: String = (0..500).map(|n| format!("this is no key {n}\n")).collect();
    let wrong = temporary("no-manifest.toml");
    fs::write(&wrong, text).expect("writable");
    let wrong = wrong.to_str().expect("UTF-8");
    let image = temporary("closed.img");
    let image = image.to_str().expect("UTF-8");
    succeed(&["image", image]);
    // The problems are not read: the status is enough.
    for words in [&["ls", "--manifest", wrong][..], &["ls", "nowhere"], &["lss"]] {
        let mut child = sim(words).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts");
        drop(child.stderr.take());
        let status = child.wait().expect("it ends").code();
        assert!(matches!(status, Some(1 | 2)), "{words:?}: {status:?}");
    }
    // Nobody reads the output, from the first line on.
    let new = temporary("closed-package");
    let new = new.to_str().expect("UTF-8");
    let _ = fs::remove_dir_all(new);
    for words in [
        &["show"][..],
        &["show", "--watch"],
        &["ls"],
        &["cat", "README.TXT"],
        &["check"],
        &["layout"],
        &["layout", "--json"],
        &["layout", "--svg", "-"],
        &["story", "reads-agree"],
        &["verify", image],
        &["image", image],
        &["new", new],
        &["serve", "--usbip", "127.0.0.1:0"],
        &["--help"],
        &["--version"],
        &["completions", "bash"],
    ] {
        let mut command = sim(words);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let mut error = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut error).expect("text");
        let status = child.wait().expect("it ends");
        assert!(error.is_empty() && status.success(), "{words:?}: {status} {error}");
    }
}

#[test]
fn a_file_that_is_no_manifest_does_not_fill_the_screen() {
    let text: String = (0..500).map(|n| format!("this is no key {n}\n")).collect();
    let wrong = temporary("no-manifest-either.toml");
    fs::write(&wrong, text).expect("writable");
    let output = run(&["ls", "--manifest", wrong.to_str().expect("UTF-8")]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("more of this kind") && error.lines().count() < 300, "{error}");
}

/// What a terminal on the device's port says to these lines, and the status.
fn typed(manifest: &str, lines: &str) -> (Option<i32>, String, String) {
    let mut command = sim(&["console", "--manifest", manifest]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it is taken");
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_console_without_settings_says_that_commands_are_not_answered() {
    let silent = temporary("silent.toml");
    fs::write(&silent, "[usb]\nconsole = true\n").expect("writable");
    let silent = silent.to_str().expect("UTF-8");
    let (status, out, error) = typed(silent, "get\n");
    assert_eq!(status, Some(1), "{error}");
    assert!(out.starts_with("PicoVD ") && error.contains("commands are not answered"), "{out}{error}");
    assert!(error.contains("lines without an answer: 1; set sectors in [settings]"), "{error}");
    // Without a command, there is no missing answer.
    let (status, _, error) = typed(silent, "");
    assert_eq!((status, error.lines().count()), (Some(0), 1), "{error}");
    let settings = temporary("answers.toml");
    fs::write(&settings, "[usb]\nconsole = true\n\n[settings]\nsectors = 2\n").expect("writable");
    let (status, out, error) = typed(settings.to_str().expect("UTF-8"), "get label\n");
    assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("{\"label\":"), "{out}");
}

#[test]
fn a_story_runs_by_its_name() {
    let text = succeed(&["story", "reads-agree"]);
    assert!(text.starts_with("ok") && text.contains("reads-agree"), "{text}");
}

#[test]
fn stories_are_listed_and_the_version_is_told() {
    let text = succeed(&["story", "--list"]);
    assert!(text.lines().any(|line| line.starts_with("reads-agree ")) && text.lines().count() > 10, "{text}");
    for words in [&["--version"][..], &["-V"], &["--elf", "x", "--version"], &["ls", "--version"]] {
        assert_eq!(succeed(words), format!("picovd {}\n", env!("CARGO_PKG_VERSION")), "{words:?}");
    }
    for block in ["I2C", "ADC", "UART", "SPI", "GPIO", "DMA", "TRNG", "PWM, PIO"] {
        assert!(succeed(&["--help"]).contains(&format!("\n  {block}")), "{block}");
    }
}

#[test]
fn an_image_goes_to_standard_output() {
    let image = temporary("to-compare.img");
    succeed(&["image", image.to_str().expect("UTF-8")]);
    let output = run(&["image", "-"]);
    assert!(output.status.success() && output.stderr.is_empty());
    // Live memory apart, of which the stock manifest shows some, the volume is the same: the boot sector here.
    let file = fs::read(&image).expect("the image is there");
    assert_eq!((output.stdout.len(), &output.stdout[..512]), (file.len(), &file[..512]));
}

#[test]
fn a_file_is_shown_as_it_is_later() {
    let plug = plug::open(None, None).expect("the stock manifest is good");
    let file = plug.files.iter().find(|file| !file.live).expect("there is one");
    let output = run(&["cat", "--after", "3s", "--", &file.path]);
    assert!(output.status.success() && output.stdout == file.bytes, "{}", String::from_utf8_lossy(&output.stderr));
    let output = run(&["log", "--after", "1s", "--manifest", temporary("no-log.toml").to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn every_manifest_is_shown_without_a_complaint() {
    let sensor = "two readings of the sensor";
    let cases = [
        ("info", "[info]\ntext = true\n", "not shown: [dynamic] files"),
        ("log", "[log]\nstdout = true\ntail = true\n", "not shown: [dynamic] files"),
        ("partitions", "[partitions]\nenabled = true\nfolder = \"p\"\n", "not shown: [dynamic] files"),
        ("settings", "[usb]\nconsole = true\n\n[settings]\nsectors = 2\n", "not shown: [dynamic] files"),
        ("one", "[dynamic]\nfiles = 1\nwindow = \"8 KiB\"\nmax-name = 10\nhold = \"1 s\"\n", sensor),
        ("name", "[dynamic]\nfiles = 1\nmax-name = 9\n", "not shown: [dynamic] max-name is 9"),
        ("taken", "[[file]]\npath = \"Sensor.csv\"\ntext = \"mine\"\n\n[dynamic]\nfiles = 1\n", "of its own"),
        ("attention", "[dynamic]\nfiles = 1\nrefresh = \"attention\"\n", "not shown: with [dynamic] refresh"),
        ("hold", "[dynamic]\nfiles = 1\nhold = \"60 min\"\n", "not shown: by [dynamic] max-age and hold"),
        ("slow", "[dynamic]\nfiles = 1\nhold = \"45 s\"\n", sensor),
    ];
    for (name, text, part) in cases {
        let manifest = temporary(&format!("shown-{name}.toml"));
        fs::write(&manifest, text).expect("writable");
        let shown = succeed(&["--manifest", manifest.to_str().expect("UTF-8")]);
        if part == sensor {
            assert!(shown.contains("SENSOR.CSV  (new)") && shown.contains("SENSOR.CSV  (changed)"), "{name}: {shown}");
        } else {
            assert!(shown.contains(part) && !shown.contains("SENSOR.CSV  ("), "{name}: {shown}");
        }
    }
}

/// An image of a stick with one file, for others to spoil.
fn small_image(name: &str) -> (PathBuf, Vec<u8>) {
    let (manifest, image) = (temporary(&format!("{name}.toml")), temporary(&format!("{name}.img")));
    fs::write(&manifest, "[[file]]\npath = \"NAMED.TXT\"\ntext = \"a\"\n").expect("writable");
    let paths = [&image, &manifest].map(|path| path.to_str().expect("UTF-8"));
    succeed(&["image", paths[0], "--manifest", paths[1]]);
    let bytes = fs::read(&image).expect("the image is there");
    (image, bytes)
}

#[test]
fn names_from_a_foreign_disk_are_printed_escaped() {
    let (path, mut bytes) = small_image("escaped");
    let name: Vec<u8> = "NAMED.TXT".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = bytes.windows(name.len()).position(|window| window == name).expect("its name");
    // ESC, a line feed, and U+202E: a terminal would be recoloured, a report would get a line, a name would be read backwards.
    for (place, unit) in [(0, 0x1B_u16), (1, 0x0A), (2, 0x202E)] {
        bytes[at + 2 * place..][..2].copy_from_slice(&unit.to_le_bytes());
    }
    // The label, too.
    let label: Vec<u8> = "PICOVD".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = bytes.windows(label.len()).position(|window| window == label).expect("its label");
    bytes[at..at + 2].copy_from_slice(&0x9B_u16.to_le_bytes());
    fs::write(&path, &bytes).expect("writable");
    for command in ["check", "verify"] {
        let output = run(&[command, path.to_str().expect("UTF-8")]);
        assert_eq!(output.status.code(), Some(1));
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).expect("text");
        assert!(said.contains("\\u{1b}\\u{a}\\u{202e}ED.TXT"), "{command}: {said:?}");
        assert!(!said.contains(['\u{1B}', '\u{202E}', '\u{9B}']), "{command}: {said:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_image_of_terabytes_has_an_answer_in_bounded_memory() {
    let (path, mut bytes) = small_image("terabytes");
    let sectors: u64 = 3_300_000_000_000 / 512;
    let clusters = 800_000_000_u32;
    let fat_length = (clusters + 2).div_ceil(128);
    let heap = (24 + fat_length).next_multiple_of(8);
    let volume_length = u64::from(heap) + u64::from(clusters) * 8;
    assert!(volume_length <= sectors);
    bytes[72..80].copy_from_slice(&volume_length.to_le_bytes());
    for (at, value) in [(84, fat_length), (88, heap), (92, clusters)] {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    fs::write(&path, &bytes[..24 * 512]).expect("writable");
    fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(sectors * 512)).expect("a sparse file");
    for command in ["check", "verify"] {
        let words = format!("ulimit -v 1000000; exec \"$0\" {command} \"$1\"");
        let mut limited = Command::new("sh");
        limited.args(["-c", &words, env!("CARGO_BIN_EXE_picovd"), path.to_str().expect("UTF-8")]);
        let output = limited.output().expect("the shell starts");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("800000000 clusters"), "{command}: {said}");
    }
    fs::remove_file(&path).expect("it was there");
    // What has no end at all.
    for words in [&["ls", "--manifest", "/dev/zero"][..], &["ls", "--elf", "/dev/zero"], &["check", "/dev/zero"]] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
    }
}

#[test]
fn warnings_are_told_and_the_command_goes_on() {
    let manifest = temporary("warnings.toml");
    fs::write(&manifest, "[usb]\nserial = \"0123456789ABCDEF0123\"\npicotool-reset = true\n").expect("writable");
    let output = run(&["ls", "--manifest", manifest.to_str().expect("UTF-8")]);
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success() && error.contains("warning[M041]"), "{error}");
}
