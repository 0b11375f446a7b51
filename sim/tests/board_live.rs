//! Files that come, change, move and go on the emulated board, from its main loop, from an interrupt handler and from its second
//! core: hosts see whole versions of one generation, and in the end what the program wants.

mod board_elf;

mod ring5 {
    use picovd_sim::board::ElfDevice;
    use picovd_sim::host::exfat::Node;
    use picovd_sim::host::system::{LINUX_DESKTOP, MACOS, Profile, System};
    use std::collections::BTreeMap;
    use std::time::Duration;

    /// Changes of the main loop, of the handler, and of the second core, in tests/live-board.
    const CHANGES: u32 = 250;

    /// Two names of each file there.
    const NAMES: [[&str; 2]; 9] = [
        ["A.BIN", "A-RENAMED.BIN"],
        ["docs/B.BIN", "docs/B-RENAMED.BIN"],
        ["folder/C.BIN", "folder/C-RENAMED.BIN"],
        ["D.BIN", "D-RENAMED.BIN"],
        ["docs/E.BIN", "docs/E-RENAMED.BIN"],
        ["folder/F.BIN", "folder/F-RENAMED.BIN"],
        ["G.BIN", "G-RENAMED.BIN"],
        ["docs/H.BIN", "docs/H-RENAMED.BIN"],
        ["folder/I.BIN", "folder/I-RENAMED.BIN"],
    ];

    fn boot(profile: Profile, seed: u64) -> System<'static> {
        let mut device = ElfDevice::new(&super::board_elf::bytes()).expect("the board boots it");
        device.machine().interleave(seed);
        System::boot(profile, Box::new(device)).expect("it is mounted")
    }

    /// MurmurHash3's finalizer.
    fn mix(value: u32) -> u32 {
        let value = (value ^ value >> 16).wrapping_mul(0x85EB_CA6B);
        let value = (value ^ value >> 13).wrapping_mul(0xC2B2_AE35);
        value ^ value >> 16
    }

    fn words(bytes: &[u8]) -> Vec<u32> {
        bytes.chunks(4).map(|word| word.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))).collect()
    }

    /// The version that a file's bytes have, all of them.
    fn version(id: u32, bytes: &[u8]) -> Result<u32, String> {
        let [of, version, ..] = words(bytes)[..] else { return Err(format!("{} bytes", bytes.len())) };
        let seed = mix(id << 24 ^ version);
        let length = 8 + seed as usize % (3 * 4096 - 8);
        if (of, bytes.len()) != (id, length) {
            return Err(format!("{} bytes of file {of}, version {version} has {length}", bytes.len()));
        }
        let wrong = bytes.iter().enumerate().skip(8).find(|(place, byte)| {
            let word = mix(seed.wrapping_add(*place as u32 / 4));
            **byte != (word >> (8 * (place % 4))) as u8
        });
        wrong.map_or(Ok(version), |(place, _)| Err(format!("version {version} has another byte {place}")))
    }

    /// What the program says of its files: version wanted, version shown, name wanted; and how many changes there were.
    fn ledger(bytes: &[u8]) -> (Vec<[u32; 3]>, [u32; 3]) {
        let words = words(bytes);
        let rows = words.chunks_exact(3).take(9).map(|row| [row[0], row[1], row[2]]).collect();
        (rows, [words[27], words[28], words[29]])
    }

    /// A file's time stamp, in seconds since 2027-01-15 08:00:00, which is what the program takes the moment for that it began at.
    fn stamped(node: &Node) -> u64 {
        let shown = node.modified.to_string();
        let rest =
            shown.strip_prefix("2027-01-15 08:").unwrap_or_else(|| panic!("{shown} is not by the program's clock"));
        let (minutes, seconds) = rest.split_once(':').expect("minutes and seconds");
        minutes.parse::<u64>().expect("a number") * 60 + seconds.parse::<u64>().expect("a number")
    }

    /// What a host sees: the version of each dynamic file, and its time stamp; and what the program says.
    struct Seen {
        files: BTreeMap<String, u32>,
        stamps: BTreeMap<String, u64>,
        rows: Vec<[u32; 3]>,
        done: [u32; 3],
    }

    /// All dynamic files, each whole and of the generation that is shown. `None`: the volume went meanwhile.
    fn look(system: &mut System<'_>) -> Option<Seen> {
        let mut paths = Vec::new();
        let mut stamps = BTreeMap::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for node in system.list(&folder).ok()? {
                let path = if folder.is_empty() { node.name.clone() } else { format!("{folder}/{}", node.name) };
                if NAMES.iter().flatten().any(|name| *name == path) {
                    stamps.insert(path.clone(), stamped(&node));
                }
                if node.is_directory() { folders.push(path) } else { paths.push(path) }
            }
        }
        assert!(paths.iter().any(|path| path == "docs/STATIC.TXT"), "{paths:?}");
        let mut seen = BTreeMap::new();
        for path in paths {
            let Some(id) = NAMES.iter().position(|names| names.contains(&&*path)) else { continue };
            let read = system.read(&path).ok()?;
            let version = version(id as u32, &read).unwrap_or_else(|problem| panic!("{path}: {problem}"));
            assert!(seen.insert(path, version).is_none());
        }
        let (rows, done) = ledger(&system.read("LEDGER.BIN").ok()?);
        for (path, version) in &seen {
            let id = NAMES.iter().position(|names| names.contains(&&**path)).expect("it is one of them");
            assert_eq!(*version, rows[id][1], "{path} is of another generation than the one that is shown");
        }
        Some(Seen { files: seen, stamps, rows, done })
    }

    fn run(profile: Profile, seed: u64) {
        let mut system = boot(profile, seed);
        let (mut looks, mut states, mut latest) = (0, 0, 0);
        let mut last: Option<Seen> = None;
        let mut end = None;
        while end.is_none_or(|end| system.now() < end) {
            system.elapse(Duration::from_millis(370));
            assert!(system.now() < Duration::from_secs(180), "the program does not come to its end");
            let Some(seen) = look(&mut system) else { continue };
            looks += 1;
            for (path, stamp) in &seen.stamps {
                assert!(*stamp <= system.now().as_secs(), "{path} is from the future: {stamp} s");
                let before = last.as_ref().and_then(|last: &Seen| last.stamps.get(path));
                assert!(before.is_none_or(|before| before <= stamp), "{path} has become older");
                latest = latest.max(*stamp);
            }
            states += u32::from(last.as_ref().is_some_and(|last| last.files != seen.files));
            let done = seen.done;
            last = Some(seen);
            if done == [CHANGES; 3] && end.is_none() {
                // max-age, hold, the reader's pause, and what the host needs.
                end = Some(system.now() + Duration::from_secs(12));
            }
        }
        // The last generation may be on its way to the host.
        let Seen { files: seen, rows, .. } = look(&mut system).expect("it is mounted");
        let wanted: BTreeMap<String, u32> = rows
            .iter()
            .zip(NAMES)
            .filter_map(|(row, names)| Some((names.get(row[2] as usize)?.to_string(), row[0])))
            .collect();
        assert_eq!(seen, wanted, "{}: what the program wants", profile.name);
        assert!((15..=30).contains(&latest), "{}: the last change was made after {latest} s", profile.name);
        assert!(looks > 10 && states >= 3, "{}: {looks} looks, {states} changes seen", profile.name);
    }

    #[test]
    #[ignore = "needs tests/live-board: cargo xtask test --ring 5"]
    fn random_changes_of_main_loop_interrupt_handler_and_second_core_are_seen_whole_by_a_linux_desktop() {
        run(LINUX_DESKTOP, 1);
    }

    #[test]
    #[ignore = "needs tests/live-board: cargo xtask test --ring 5"]
    fn random_changes_of_main_loop_interrupt_handler_and_second_core_are_seen_whole_by_macos() {
        run(MACOS, 2);
    }
}
