//! Manifests at random, as text: everything that the stock firmware can hold, in any combination.

use std::fmt::Write;

use picovd_sim::random::Random;

/// A value in TOML for a key that may be left out, one time in `rarity`.
fn maybe(random: &mut Random, rarity: u32, text: &mut String, line: impl FnOnce(&mut Random) -> String) {
    if random.below(rarity) == 0 {
        let line = line(random);
        text.push_str(&line);
        text.push('\n');
    }
}

/// A name that no other file has.
fn name(random: &mut Random, number: usize) -> String {
    const PARTS: [&str; 8] = ["A", "readme", "Größe", "日本語", "a name with spaces", "x.y.z", "Ωmega", "long-"];
    let part = PARTS[random.below(PARTS.len() as u32) as usize];
    let repeated = part.repeat(1 + random.below(6) as usize);
    format!("{repeated}{number}.TXT")
}

/// The folder of a file: one of a few, nested up to three times.
fn folder(random: &mut Random) -> String {
    (0..random.below(4)).map(|level| format!("dir{level}{}/", random.below(2))).collect()
}

/// A memory window: SRAM, ROM, or flash through one of its windows.
fn window(random: &mut Random, number: usize) -> String {
    let place = match random.below(6) {
        0 => "window = \"sram\"".to_owned(),
        1 => "window = \"bootrom\"".to_owned(),
        2 => "window = \"flash\"".to_owned(),
        3 => format!("base = {}\nlength = {}", 0x2000_0000 + random.below(0x8_0000), 1 + random.below(8192)),
        4 => format!("base = {}\nlength = {}", random.below(0x7000), 1 + random.below(0x1000)),
        _ => {
            let window = [0x1000_0000, 0x1400_0000, 0x1C00_0000][random.below(3) as usize];
            format!("base = {}\nlength = {}", window + random.below(0xE_0000), 1 + random.below(0x1_0000))
        }
    };
    format!("[[memory]]\npath = \"{}WINDOW{number}.BIN\"\n{place}\nhidden = {}\n", folder(random), random.below(4) == 0)
}

/// A manifest. Some are wrong, such as one whose redaction hides nothing.
pub fn text(seed: u64) -> String {
    let mut random = Random::new(seed);
    let random = &mut random;
    let mut text = String::from("[volume]\n");
    maybe(random, 2, &mut text, |random| format!("label = \"L{}\"", random.below(100_000)));
    maybe(random, 3, &mut text, |random| format!("minimum-size = \"{} MiB\"", 1 + random.below(12)));
    maybe(random, 4, &mut text, |_| "quiet-hosts = true".to_owned());
    maybe(random, 4, &mut text, |_| "partition-table = true".to_owned());
    maybe(random, 3, &mut text, |random| {
        format!(
            "timestamp = 20{:02}-0{}-1{}T0{}:00:00Z",
            10 + random.below(80),
            1 + random.below(9),
            random.below(10),
            random.below(10)
        )
    });
    // A short chip: each block is read from the emulated board.
    text.push_str("[chip]\nflash-size = \"1 MiB\"\n[usb]\n");
    maybe(random, 2, &mut text, |_| "console = true".to_owned());
    maybe(random, 3, &mut text, |_| "picotool-reset = true".to_owned());
    maybe(random, 3, &mut text, |random| format!("product = \"Product {}\"", random.below(1000)));
    maybe(random, 4, &mut text, |random| format!("max-power = {}", 2 + 2 * random.below(240)));
    text.push_str("[info]\n");
    maybe(random, 2, &mut text, |_| "text = true".to_owned());
    maybe(random, 2, &mut text, |_| "json = true".to_owned());
    maybe(random, 3, &mut text, |_| "manifest = false".to_owned());
    text.push_str("[log]\n");
    maybe(random, 3, &mut text, |_| "stdout = true".to_owned());
    maybe(random, 3, &mut text, |_| "tail = true".to_owned());
    maybe(random, 2, &mut text, |random| format!("ring-size = {}", 256 << random.below(7)));
    text.push_str("max-file = \"64 KiB\"\n");
    if random.below(3) == 0 {
        let _ = writeln!(text, "[settings]\nsectors = {}\nshow-stacks = {}", 2 + random.below(8), random.below(2) == 0);
    }
    if random.below(3) == 0 {
        let _ = writeln!(
            text,
            "[partitions]\nenabled = true\nfolder = \"{}\"",
            ["", "parts", "parts/deep"][random.below(3) as usize]
        );
    }
    if random.below(2) == 0 {
        let _ = writeln!(
            text,
            "[dynamic]\nfiles = {}\nwindow = \"{} KiB\"\nmax-name = {}",
            1 + random.below(16),
            128 + random.below(512),
            1 + random.below(255)
        );
    }
    for number in 0..random.below(24) as usize {
        let length = [0, 1, 511, 512, 4096, 5000][random.below(6) as usize] + random.below(2) as usize;
        let _ = writeln!(
            text,
            "[[file]]\npath = \"{}{}\"\ntext = \"{}\"\nhidden = {}",
            folder(random),
            name(random, number),
            "x".repeat(length),
            random.below(6) == 0
        );
    }
    for number in 0..random.below(4) as usize {
        text.push_str(&window(random, number));
    }
    if random.below(3) == 0 {
        let _ = writeln!(
            text,
            "[[redact]]\nbase = {}\nlength = {}",
            0x1000_0000 + random.below(0x8_0000),
            1 + random.below(4096)
        );
    }
    text
}
