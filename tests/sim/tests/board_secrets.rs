//! Secrets are nowhere on the stick: whatever a host may read of it, and whenever, is searched for every piece of every secret
//! that was ever typed.
//!
//! The program (tests/secrets-board) uses its secrets all the time. It comes compiled in several ways, served by polling and
//! by interrupts, with a second core and without.

mod ring5 {
    use picovd_sim::board::ElfDevice;
    use picovd_sim::board::device::DEFAULT_FLASH_SIZE;
    use picovd_sim::host::bot::Data;
    use picovd_sim::host::enumerate::get_descriptor;
    use picovd_sim::host::scsi::read_cdb;
    use picovd_sim::host::terminal::Terminal;
    use picovd_sim::host::{Host, Initiator};
    use picovd_sim::link::Link;
    use picovd_sim::plug;
    use picovd_sim::random::Random;
    use std::collections::BTreeSet;
    use std::ops::Range;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    /// Length of the pieces that are searched for; shorter secrets are searched for whole.
    const PIECE: usize = 6;
    /// Where the manifest puts the settings, and how long they are.
    const SETTINGS: usize = 0x7_D000;
    const LENGTH: usize = 0x2000;
    const SECTOR: usize = 0x1000;

    /// The programs among this test's arguments, in the order of their names.
    fn programs() -> Vec<(String, Vec<u8>)> {
        let paths = std::env::args_os().map(PathBuf::from);
        let name = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let mut programs: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "elf"))
            .filter_map(|path| Some((name(&path)?, std::fs::read(&path).unwrap_or_else(|e| panic!("{path:?}: {e}")))))
            .filter(|(name, _)| name.starts_with("secrets-"))
            .collect();
        programs.sort();
        assert!(
            !programs.is_empty(),
            "no argument names secrets-*.elf: cargo xtask test --ring 5 builds and names them"
        );
        programs
    }

    /// Whether all lengths are tried, each by itself: `cargo xtask test --long`.
    fn long() -> bool {
        std::env::var_os("PICOVD_LONG").is_some()
    }

    /// Every piece of every secret that was typed.
    #[derive(Default)]
    struct Pieces {
        pieces: BTreeSet<Vec<u8>>,
        /// Lengths of the pieces, and the bytes that they begin with.
        lengths: BTreeSet<usize>,
        first: BTreeSet<u8>,
    }

    impl Pieces {
        fn learn(&mut self, secret: &str) {
            let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
            for (text, length) in [(secret.as_bytes(), PIECE), (&utf16[..], 2 * PIECE)] {
                for piece in text.windows(length.min(text.len())) {
                    self.pieces.insert(piece.to_vec());
                    self.lengths.insert(piece.len());
                    self.first.insert(piece[0]);
                }
            }
        }

        /// The first place where one of them stands.
        fn find(&self, bytes: &[u8]) -> Option<usize> {
            let first: Vec<bool> = (0..=255).map(|byte| self.first.contains(&byte)).collect();
            (0..bytes.len()).filter(|at| first[usize::from(bytes[*at])]).find(|at| {
                let fits =
                    |length: &usize| bytes.get(*at..at + length).is_some_and(|piece| self.pieces.contains(piece));
                self.lengths.iter().any(fits)
            })
        }
    }

    /// A host with the board plugged in and the port open.
    struct Desk<'d> {
        program: &'d str,
        initiator: Initiator<'d>,
        terminal: Terminal,
        /// All that the console said.
        said: Vec<u8>,
        pieces: Pieces,
        random: Random,
        sram: Range<u64>,
        blocks: u64,
        /// The volume as it was before any secret was typed.
        before: Vec<u8>,
    }

    impl<'d> Desk<'d> {
        fn new(program: &'d str, device: &'d mut ElfDevice, seed: u64) -> Self {
            let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../secrets-board/picovd.toml");
            let plan = plug::plan(Some(&manifest)).unwrap_or_else(|problems| panic!("{problems}"));
            let sram = plan.files.iter().find(|file| file.path == "SRAM.BIN").expect("the manifest shows it");
            let first = u64::from(plan.cluster_heap_offset + (sram.first_cluster - 2) * 8);
            let sram = first..first + sram.length / 512;
            let mut initiator = Initiator::attach(Host::new(Box::new(device))).expect("it enumerates");
            initiator.wait_ready().expect("it is ready");
            let terminal = Terminal::open(&mut initiator).expect("it has a port");
            let blocks = initiator.read_capacity().expect("a disk").0;
            let (said, pieces) = (Vec::new(), Pieces::default());
            let random = Random::new(seed);
            let mut desk =
                Self { program, initiator, terminal, said, pieces, random, sram, blocks, before: Vec::new() };
            desk.before = desk.read(0..blocks);
            desk
        }

        fn type_in(&mut self, text: &str) {
            self.terminal.send(&mut self.initiator, text.as_bytes()).expect("taken");
        }

        /// Types a line. Returns its answer.
        fn ask(&mut self, line: &str) -> String {
            self.type_in(&format!("{line}\r\n"));
            for _ in 0..1000 {
                self.terminal.take(&mut self.initiator).expect("it works");
                while let Some(answer) = self.terminal.line() {
                    self.said.extend(answer.bytes());
                    if answer.starts_with('{') {
                        return answer;
                    }
                }
            }
            panic!("{}: no answer to {line:?}", self.program);
        }

        fn tell(&mut self, line: &str, ok: &str) {
            let answer = self.ask(line);
            assert!(answer.starts_with(&format!("{{\"ok\":\"{ok}\"")), "{}: {line}: {answer}", self.program);
        }

        fn read(&mut self, blocks: std::ops::Range<u64>) -> Vec<u8> {
            let mut bytes = Vec::new();
            for lba in blocks.clone().step_by(128) {
                let count = 128.min(blocks.end - lba) as u32;
                let mut tries = 0;
                let outcome = loop {
                    match self.initiator.scsi(&read_cdb(10, lba, count), Data::In(count * 512)) {
                        Ok(outcome) => break outcome,
                        // The log grows, and the volume with it: the medium is out for a moment, and then another one.
                        Err(error) if tries == 20 => panic!("{}: block {lba}: {error:?}", self.program),
                        Err(_) => self.initiator.host.elapse(Duration::from_millis(200)),
                    }
                    tries += 1;
                };
                bytes.extend(outcome.data);
            }
            bytes
        }

        /// Text of an alphabet of which no piece is on the stick.
        fn secret(&mut self, length: usize) -> String {
            loop {
                let letter = |random: &mut Random| b"QXZJKVWY^~|`%&@#"[random.below(16) as usize] as char;
                let secret: String = (0..length).map(|_| letter(&mut self.random)).collect();
                let mut pieces = Pieces::default();
                pieces.learn(&secret);
                if pieces.find(&self.before).is_none() {
                    self.pieces.learn(&secret);
                    return secret;
                }
            }
        }

        /// The blocks in which secrets are searched for.
        fn places(&self, all: bool) -> Vec<Range<u64>> {
            let Range { start, end } = self.sram;
            match (all, long()) {
                (true, _) => std::iter::once(0..self.blocks).collect(),
                (false, true) => vec![start..end, start..end],
                // Where the variables are, and the stacks; the latter twice, since they change while they are read.
                (false, false) => vec![end - 80..end, start..start + 80, end - 80..end],
            }
        }

        /// Nothing of a secret is in memory; with `all`, nowhere on the volume, in no descriptor and no answer.
        fn search(&mut self, moment: &str, all: bool) {
            for blocks in self.places(all) {
                let image = self.read(blocks.clone());
                if let Some(at) = self.pieces.find(&image) {
                    let lba = blocks.start + at as u64 / 512;
                    let end = (at + 16).min(image.len());
                    let address =
                        lba.checked_sub(self.sram.start).map_or(0, |block| 0x2000_0000 + block * 512) + at as u64 % 512;
                    panic!(
                        "{}, {moment}: block {lba} shows {:?} (in SRAM.BIN {address:#x})",
                        self.program,
                        String::from_utf8_lossy(&image[at..end])
                    );
                }
            }
            assert_eq!(self.pieces.find(&self.said), None, "{}, {moment}: the console said it", self.program);
            if all {
                let mut answers = Vec::new();
                for (kind, length) in [(1, 18), (2, 512), (3, 255), (0x0F, 255)] {
                    for index in 0..8 {
                        answers.extend(
                            get_descriptor(&mut self.initiator.host, kind, index, 0x409, length).unwrap_or_default(),
                        );
                    }
                }
                let commands: [&[u8]; 7] = [
                    &[0x12, 0, 0, 0, 255, 0],
                    &[0x12, 1, 0x80, 0, 255, 0],
                    &[0x12, 1, 0x83, 0, 255, 0],
                    &[0x03, 0, 0, 0, 252, 0],
                    &[0x1A, 0, 0x3F, 0, 252, 0],
                    &[0x23, 0, 0, 0, 0, 0, 0, 0, 252, 0],
                    &[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                ];
                for cdb in commands {
                    let length = if cdb[0] == 0x25 { 8 } else { 252 };
                    if let Ok(outcome) = self.initiator.command(0, cdb, Data::In(length)) {
                        answers.extend(outcome.data);
                    }
                }
                assert!(answers.len() > 200);
                assert_eq!(self.pieces.find(&answers), None, "{}, {moment}: an answer has it", self.program);
            }
        }

        /// The board is there again, after a restart.
        fn come_back(&mut self) {
            self.initiator.enumerate_again().expect("it is there again");
            self.initiator.wait_ready().expect("it is ready");
            self.terminal = Terminal::open(&mut self.initiator).expect("it has a port");
        }
    }

    /// All that happens to a secret, and a search after each step.
    fn live_with(desk: &mut Desk<'_>, length: usize) {
        let secret = desk.secret(length);
        let set = format!(r#"set {{"password":"{secret}","name":"Lantern"}}"#);
        desk.tell(&set, "set");
        desk.search("set", false);
        assert!(desk.ask("get").contains(r#""password":"set""#));
        desk.tell("save", "save");
        desk.search("saved", true);
        // Lines that fail, with the secret where something else belongs.
        for line in [
            format!("get {secret}"),
            secret.clone(),
            format!(r#"set {{"{secret}":"password"}}"#),
            format!(r#"set {{"password":"{secret}{secret}{secret}{secret}{secret}{secret}{secret}{secret}{secret}"}}"#),
            format!(r#"set {{"password":"{secret}",}}"#),
            format!(r#"set {{"name":"{secret}{secret}{secret}{secret}{secret}{secret}{secret}"}}"#),
        ] {
            let answer = desk.ask(&line);
            assert!(answer.starts_with("{\"error\":"), "{line}: {answer}");
        }
        desk.search("refused", false);
        // Half of a line, for as long as somebody thinks.
        desk.type_in(&format!(r#"set {{"password":"{secret}"#));
        desk.search("half typed", false);
        desk.tell("\"}", "set");
        let other = format!("{secret}{}", &secret[..secret.len().min(32 - length)]);
        desk.tell(&format!(r#"set {{"password":"{other}"}}"#), "set");
        desk.tell("revert", "revert");
        desk.search("reverted", false);
        desk.tell("reboot", "reboot");
        desk.initiator.host.elapse(Duration::from_millis(500));
        desk.come_back();
        desk.search("restarted", true);
        assert!(desk.ask("get password").contains(r#""set""#), "it is still there");
        desk.initiator.host.replug();
        desk.come_back();
        desk.search("powered on", false);
        desk.tell("defaults", "defaults");
        desk.search("forgotten", false);
        desk.tell("save", "save");
        desk.search("gone", false);
    }

    #[test]
    #[ignore = "needs the firmware of tests/secrets-board: cargo xtask test --ring 5"]
    fn a_secret_is_nowhere_at_any_moment() {
        for (number, (program, elf)) in programs().iter().enumerate() {
            let mut device = ElfDevice::new(elf).expect("the board boots it");
            {
                let mut desk = Desk::new(program, &mut device, 0x5EC2_E700 + number as u64);
                let lengths: Vec<usize> = if long() { (4..=32).collect() } else { vec![[4, 5, 6, 21, 32][number % 5]] };
                for length in lengths {
                    live_with(&mut desk, length);
                }
                // Something is found by this way of searching.
                desk.pieces = Pieces::default();
                desk.pieces.learn("Lantern");
                desk.tell(r#"set {"name":"Lantern"}"#, "set");
                let blocks = 0..desk.blocks;
                desk.initiator.host.elapse(Duration::from_secs(1));
                let image = desk.read(blocks);
                assert!(
                    program.contains("unmarked") || desk.pieces.find(&image).is_some(),
                    "{program}: what is no secret shows"
                );
            }
            assert_eq!(device.fault(), None, "{program}");
            for core in 0..2 {
                let logins = device.machine().symbol("LOGINS").and_then(|at| device.machine().word(at + 4 * core));
                let uses = core == 0 || program.contains("second") || program.contains("unmarked");
                assert_eq!(logins.is_some_and(|logins| logins > 10), uses, "{program}: core {core} uses it");
            }
        }
    }

    /// The program runs inside a partition: windows with address translation show what the partition holds, the settings at
    /// another place than their own, and nothing behind its end.
    #[test]
    #[ignore = "needs the firmware of tests/secrets-board: cargo xtask test --ring 5"]
    fn nor_through_address_translation() {
        let all = programs();
        let (program, elf) = &all[0];
        // From it on the settings are in the partition; what is in front of them ends it in the second case.
        for partition in [0x1_0000..0x8_0000, 0x1_0000..0x7_E000_u32] {
            let mut device = ElfDevice::in_partition(elf, partition.clone()).expect("the board boots it");
            let marker = b"Partitions end where they end.";
            assert!(device.machine().flash().preload(SETTINGS - 256, marker));
            {
                let mut desk = Desk::new(program, &mut device, 7);
                let secret = desk.secret(24);
                desk.tell(&format!(r#"set {{"password":"{secret}"}}"#), "set");
                desk.tell("save", "save");
                desk.search("in a partition", true);
                let blocks = 0..desk.blocks;
                let image = desk.read(blocks);
                let shown = image.windows(marker.len()).filter(|window| window == marker).count();
                assert_eq!(shown, 2, "in FLASH.BIN, and where the partition has it");
                desk.tell("reboot", "reboot");
                desk.initiator.host.elapse(Duration::from_millis(500));
                desk.come_back();
                desk.search("in a partition, restarted", true);
            }
            assert_eq!(device.fault(), None);
        }
    }

    /// Settings that an older firmware kept at another place.
    #[test]
    #[ignore = "needs the firmware of tests/secrets-board: cargo xtask test --ring 5"]
    fn nor_where_settings_were_once() {
        let all = programs();
        let (program, elf) = &all[0];
        let mut device = ElfDevice::new(elf).expect("the board boots it");
        let secret = {
            let mut desk = Desk::new(program, &mut device, 11);
            let secret = desk.secret(32);
            // Some records, each of which holds it.
            for name in ["one", "two", "three"] {
                desk.tell(&format!(r#"set {{"password":"{secret}","name":"{name}"}}"#), "set");
                desk.tell("save", "save");
            }
            secret
        };
        let flash = device.machine().flash().bytes().to_vec();
        assert_eq!(flash.len(), DEFAULT_FLASH_SIZE);
        let sectors = flash[SETTINGS..SETTINGS + LENGTH].to_vec();
        let mut pieces = Pieces::default();
        pieces.learn(&secret);
        assert!(pieces.find(&sectors).is_some());
        // Whole sectors, a single page, and one whose sector it shares with something else.
        let page = sectors.chunks(256).find(|page| pieces.find(page).is_some()).expect("a record").to_vec();
        for (place, bytes) in [
            (0x6_0000, &sectors),
            (0x7_8000, &sectors),
            (0x5_1300, &page),
            (0x5_3F00, &page),
            (SETTINGS - SECTOR, &page),
        ] {
            assert!(device.machine().flash().preload(place, bytes));
        }
        device.replug();
        let mut desk = Desk::new(program, &mut device, 12);
        desk.pieces = pieces;
        desk.search("moved", true);
    }
}
