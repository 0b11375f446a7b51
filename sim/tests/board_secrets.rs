//! Secrets are nowhere on the stick: whatever a host may read of it, and whenever, is searched for every piece of every secret
//! that was ever typed.
//!
//! The program (tests/secrets-board) uses its secrets all the time. It comes compiled in several ways, served by polling and
//! by interrupts, with a second core and without. The other programs are those that users flash: the stock firmware, images of
//! the tests' manifests, the examples.

mod ring5 {
    use picovd_sim::board::ElfDevice;
    use picovd_sim::board::bootrom::ChipIdentity;
    use picovd_sim::host::bot::Data;
    use picovd_sim::host::enumerate::get_descriptor;
    use picovd_sim::host::scsi::read_cdb;
    use picovd_sim::host::terminal::Terminal;
    use picovd_sim::host::{Host, Initiator};
    use picovd_sim::link::Link;
    use picovd_sim::plug;
    use picovd_sim::random::Random;
    use std::collections::{BTreeSet, HashSet};
    use std::ops::Range;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    /// Length of the pieces that are searched for; shorter secrets are searched for whole.
    const PIECE: usize = 6;
    /// Where the manifest puts the settings, and how long they are.
    const SETTINGS: usize = 0x7_D000;
    const LENGTH: usize = 0x2000;
    const SECTOR: usize = 0x1000;

    /// A program, and the manifest that it was built from.
    struct Program {
        name: String,
        elf: Vec<u8>,
        manifest: PathBuf,
    }

    /// The programs among this test's arguments, in the order of their names: `secrets-*.elf`, or all others.
    fn programs(of_tests: bool) -> Vec<Program> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let manifest = |path: &Path, name: &str| {
            let is_example = path.parent().is_some_and(|folder| folder.ends_with("examples"));
            root.join(match name {
                _ if is_example => format!("examples/{name}/picovd.toml"),
                _ if name.starts_with("secrets-") => "tests/secrets-board/picovd.toml".to_owned(),
                "picovd" => "picovd.toml".to_owned(),
                _ => format!("tests/manifests/{name}.toml"),
            })
        };
        let paths = std::env::args_os().map(PathBuf::from);
        let mut programs: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "elf"))
            .map(|path| {
                let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                let elf = std::fs::read(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
                Program { manifest: manifest(&path, &name), name, elf }
            })
            .filter(|program| program.name.starts_with("secrets-") == of_tests)
            .collect();
        programs.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(
            !programs.is_empty(),
            "no argument names such a program: cargo xtask test --ring 5 builds and names them"
        );
        programs
    }

    /// Whether more lengths are tried, and all of RAM is read at each moment: `cargo xtask test --long`.
    fn long() -> bool {
        std::env::var_os("PICOVD_LONG").is_some()
    }

    /// Every piece of every secret that was typed.
    struct Pieces {
        pieces: HashSet<Vec<u8>>,
        lengths: BTreeSet<usize>,
        /// Whether a piece may begin with four bytes, by their hash: most bytes are settled by it.
        starts: Vec<bool>,
    }

    /// A place in `starts`.
    fn start(bytes: [u8; 4]) -> usize {
        (u32::from_le_bytes(bytes).wrapping_mul(0x9E37_79B1) >> 16) as usize
    }

    impl Default for Pieces {
        fn default() -> Self {
            Self { pieces: HashSet::new(), lengths: BTreeSet::new(), starts: vec![false; 1 << 16] }
        }
    }

    impl Pieces {
        /// A secret of at least four bytes.
        fn learn(&mut self, secret: &str) {
            let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
            for (text, length) in [(secret.as_bytes(), PIECE), (&utf16[..], 2 * PIECE)] {
                for piece in text.windows(length.min(text.len())) {
                    self.starts[start(*piece.first_chunk().expect("four bytes"))] = true;
                    self.lengths.insert(piece.len());
                    self.pieces.insert(piece.to_vec());
                }
            }
        }

        /// The first place where one of them is.
        fn find(&self, bytes: &[u8]) -> Option<usize> {
            let places = bytes.windows(4).enumerate();
            let mut possible = places.filter(|(_, four)| self.starts[start([four[0], four[1], four[2], four[3]])]);
            let found = possible.find(|(at, _)| {
                let fits =
                    |length: &usize| bytes.get(*at..at + length).is_some_and(|piece| self.pieces.contains(piece));
                self.lengths.iter().any(fits)
            });
            found.map(|(at, _)| at)
        }
    }

    /// Text of an alphabet of which nothing is in the program.
    fn nonsense(random: &mut Random, elf: &[u8], length: usize) -> String {
        loop {
            let mut letter = || b"QXZJKVWY^~|`%&@#"[random.below(16) as usize] as char;
            let secret: String = (0..length).map(|_| letter()).collect();
            let mut pieces = Pieces::default();
            pieces.learn(&secret);
            if pieces.find(elf).is_none() {
                return secret;
            }
        }
    }

    /// A host with the board plugged in, and the port open where there is one.
    struct Desk<'d> {
        program: &'d Program,
        initiator: Initiator<'d>,
        terminal: Option<Terminal>,
        /// All that the console said.
        said: Vec<u8>,
        pieces: Pieces,
        random: Random,
        /// The blocks of SRAM.BIN.
        sram: Option<Range<u64>>,
        blocks: u64,
    }

    impl<'d> Desk<'d> {
        fn new(program: &'d Program, device: &'d mut ElfDevice, seed: u64) -> Self {
            let plan = plan(program);
            let sram = plan.files.iter().find(|file| file.path == "SRAM.BIN").map(|file| {
                let first = u64::from(plan.cluster_heap_offset + (file.first_cluster - 2) * 8);
                first..first + file.length / 512
            });
            // An image may have another USB stack, whose descriptors are no matter here.
            device.machine().set_tolerant(true);
            let initiator = Initiator::attach(Host::new(Box::new(device))).expect("it enumerates");
            let (said, pieces, random) = (Vec::new(), Pieces::default(), Random::new(seed));
            let mut desk = Self { program, initiator, terminal: None, said, pieces, random, sram, blocks: 0 };
            desk.open();
            desk.blocks = desk.initiator.read_capacity().expect("a disk").0;
            desk
        }

        /// Waits for the disk, and opens the port.
        fn open(&mut self) {
            self.initiator.wait_ready().expect("it is ready");
            let has_port = self.initiator.device.console.is_some();
            self.terminal = has_port.then(|| Terminal::open(&mut self.initiator).expect("it has a port"));
        }

        fn terminal(&mut self) -> (&mut Terminal, &mut Initiator<'d>) {
            (self.terminal.as_mut().expect("a port"), &mut self.initiator)
        }

        fn type_in(&mut self, text: &str) {
            let (terminal, initiator) = self.terminal();
            terminal.send(initiator, text.as_bytes()).expect("taken");
        }

        /// Types a line. Returns its answer.
        fn ask(&mut self, line: &str) -> String {
            self.type_in(&format!("{line}\r\n"));
            for _ in 0..1000 {
                let (terminal, initiator) = self.terminal();
                terminal.take(initiator).expect("it works");
                while let Some(answer) = self.terminal().0.line() {
                    self.said.extend(answer.bytes());
                    if answer.starts_with('{') {
                        return answer;
                    }
                }
            }
            panic!("{}: no answer to {line:?}", self.program.name);
        }

        fn command(&mut self, line: &str, ok: &str) {
            let answer = self.ask(line);
            assert!(answer.starts_with(&format!("{{\"ok\":\"{ok}\"")), "{}: {line}: {answer}", self.program.name);
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
                        Err(error) if tries == 20 => panic!("{}: block {lba}: {error:?}", self.program.name),
                        Err(_) => self.initiator.host.elapse(Duration::from_millis(200)),
                    }
                    tries += 1;
                };
                bytes.extend(outcome.data);
            }
            bytes
        }

        /// A secret, which is searched for from now on.
        fn secret(&mut self, length: usize) -> String {
            let secret = nonsense(&mut self.random, &self.program.elf, length);
            self.pieces.learn(&secret);
            secret
        }

        /// The blocks in which secrets are searched for.
        fn places(&self, all: bool) -> Vec<Range<u64>> {
            match (&self.sram, all) {
                (_, true) => std::iter::once(0..self.blocks).collect(),
                (None, false) => Vec::new(),
                (Some(sram), false) if long() => vec![sram.clone(), sram.clone()],
                // Where the variables are, and the stacks; the latter twice, since they change while they are read.
                (Some(Range { start, end }), false) => vec![end - 40..*end, *start..start + 48, end - 40..*end],
            }
        }

        /// Where a block is in memory, in words.
        fn address(&self, lba: u64) -> String {
            let sram = self.sram.clone().filter(|sram| sram.contains(&lba));
            sram.map_or_else(String::new, |sram| format!(", SRAM {:#x}", 0x2000_0000 + (lba - sram.start) * 512))
        }

        /// Nothing of a secret is in memory; with `all`, nowhere on the volume, in no descriptor and no answer.
        fn search(&mut self, moment: &str, all: bool) {
            for blocks in self.places(all) {
                let image = self.read(blocks.clone());
                if let Some(at) = self.pieces.find(&image) {
                    let lba = blocks.start + at as u64 / 512;
                    let seen = String::from_utf8_lossy(&image[at..(at + 16).min(image.len())]).into_owned();
                    panic!("{}, {moment}: block {lba} shows {seen:?}{}", self.program.name, self.address(lba));
                }
            }
            assert_eq!(self.pieces.find(&self.said), None, "{}, {moment}: the console said it", self.program.name);
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
                assert_eq!(self.pieces.find(&answers), None, "{}, {moment}: an answer has it", self.program.name);
            }
        }

        /// The board is there again, after a restart.
        fn come_back(&mut self) {
            self.initiator.enumerate_again().expect("it is there again");
            self.open();
        }

        /// Restarts it by the console.
        fn reboot(&mut self) {
            self.command("reboot", "reboot");
            self.initiator.host.elapse(Duration::from_millis(500));
            self.come_back();
        }
    }

    fn plan(program: &Program) -> picovd_manifest::DiskPlan {
        plug::plan(Some(&program.manifest)).unwrap_or_else(|problems| panic!("{}: {problems}", program.name))
    }

    /// Lines that no firmware takes, with a secret where something else belongs.
    fn refused(secret: &str) -> Vec<String> {
        vec![
            format!("get {secret}"),
            secret.to_owned(),
            format!(r#"set {{"{secret}":"password"}}"#),
            format!(r#"set {{"label":"{}"}}"#, secret.repeat(7)),
            format!(r#"set {{"label":{secret}}}"#),
            format!(r#"set {{"hold":"{secret}"}}"#),
            format!("set {}", secret.repeat(200)),
        ]
    }

    /// All that happens to a secret, and a search after each step.
    fn live_with(desk: &mut Desk<'_>, length: usize, all: bool) {
        // Of many lengths, the longer over the shorter.
        for length in (4..=32).step_by(if long() { 1 } else { 4 }) {
            let secret = desk.secret(length);
            desk.command(&format!(r#"set {{"password":"{secret}"}}"#), "set");
        }
        let secret = desk.secret(length);
        desk.command(&format!(r#"set {{"password":"{secret}","name":"Lantern"}}"#), "set");
        desk.search("set", false);
        assert!(desk.ask("get").contains(r#""password":"set""#));
        desk.command("save", "save");
        desk.search("saved", long());
        let lines = refused(&secret).into_iter().chain([
            format!(r#"set {{"password":"{}"}}"#, secret.repeat(9)),
            format!(r#"set {{"password":"{secret}",}}"#),
            format!(r#"set {{"name":"{}"}}"#, secret.repeat(7)),
        ]);
        for line in lines {
            let answer = desk.ask(&line);
            assert!(answer.starts_with("{\"error\":"), "{line}: {answer}");
        }
        desk.search("refused", false);
        // Half of a line, as if the user pauses to think.
        desk.type_in(&format!(r#"set {{"password":"{secret}"#));
        desk.search("half typed", false);
        desk.command("\"}", "set");
        let other = format!("{secret}{}", &secret[..secret.len().min(32 - length)]);
        desk.command(&format!(r#"set {{"password":"{other}"}}"#), "set");
        desk.command("revert", "revert");
        desk.search("reverted", false);
        // Half of a line, and then nothing more.
        desk.type_in(&format!(r#"set {{"password":"{secret}"#));
        let terminal = desk.terminal.take().expect("a port");
        terminal.close(&mut desk.initiator).expect("it closes");
        desk.search("abandoned", false);
        desk.open();
        desk.reboot();
        desk.search("restarted", all);
        assert!(desk.ask("get password").contains(r#""set""#), "it is still there");
        desk.type_in(&format!(r#"set {{"password":"{secret}"#));
        desk.initiator.host.replug();
        desk.come_back();
        desk.search("powered on", false);
        desk.command("defaults", "defaults");
        desk.search("forgotten", false);
        desk.command("save", "save");
        desk.search("gone", long());
    }

    #[test]
    #[ignore = "needs the firmware of tests/secrets-board: cargo xtask test --ring 5"]
    fn a_secret_is_nowhere_at_any_moment() {
        let all = programs(true);
        std::thread::scope(|threads| {
            for (number, program) in all.iter().enumerate() {
                threads.spawn(move || live_on(number, program));
            }
        });
    }

    fn live_on(number: usize, program: &Program) {
        let Program { name, elf, .. } = program;
        let on_both = name.contains("second") || name.contains("unmarked");
        let mut device = ElfDevice::new(elf).expect("the board boots it");
        {
            let mut desk = Desk::new(program, &mut device, 0x5EC2_E700 + number as u64);
            // All lengths among the programs of the long run.
            let lengths =
                if long() { vec![4 + number % 16, 17 + number % 16] } else { vec![[4, 5, 6, 21][number % 4]] };
            for length in lengths {
                // A second core takes the emulator thrice the time.
                live_with(&mut desk, length, long() || !on_both);
            }
            // Something is found by this way of searching, where RAM is shown.
            desk.pieces = Pieces::default();
            desk.pieces.learn("Lantern");
            desk.command(r#"set {"name":"Lantern"}"#, "set");
            let start = desk.sram.clone().expect("the manifest shows it").start;
            let image = desk.read(start..start + 48);
            if name.contains("unmarked") {
                // The second core's stack is a variable like others: nothing of RAM is shown any more.
                assert!(image.iter().all(|byte| *byte == 0), "{name}: RAM shows");
            } else {
                assert!(image.iter().filter(|byte| **byte != 0).count() > 500, "{name}: variables show");
                assert!(desk.ask("get name").contains("Lantern"));
                assert!(desk.pieces.find(&desk.said).is_some(), "{name}: what is no secret is found");
            }
        }
        assert_eq!(device.fault(), None, "{name}");
        for core in 0..2 {
            let logins = device.machine().symbol("LOGINS").and_then(|at| device.machine().word(at + 4 * core));
            assert_eq!(logins.is_some_and(|logins| logins > 10), core == 0 || on_both, "{name}: core {core} uses it");
        }
    }

    /// What a board's flash may hold of the settings of an earlier firmware: sectors of tests/secrets-board, and the secret in
    /// them.
    fn old_settings() -> (Vec<u8>, String) {
        let all = programs(true);
        let mut device = ElfDevice::new(&all[0].elf).expect("the board boots it");
        let secret = {
            let mut desk = Desk::new(&all[0], &mut device, 11);
            let secret = desk.secret(32);
            // Some records, each of which holds it.
            for name in ["one", "two", "three"] {
                desk.command(&format!(r#"set {{"password":"{secret}","name":"{name}"}}"#), "set");
                desk.command("save", "save");
            }
            secret
        };
        let sectors = device.machine().flash().bytes()[SETTINGS..SETTINGS + LENGTH].to_vec();
        let mut pieces = Pieces::default();
        pieces.learn(&secret);
        assert!(pieces.find(&sectors).is_some());
        (sectors, secret)
    }

    /// A page of these sectors that holds a secret.
    fn a_page<'s>(sectors: &'s [u8], secret: &str) -> &'s [u8] {
        let mut pieces = Pieces::default();
        pieces.learn(secret);
        sectors.chunks(256).find(|page| pieces.find(page).is_some()).expect("a record")
    }

    /// What users flash: with an earlier firmware's settings in flash, and with everything typed that its console takes.
    #[test]
    #[ignore = "needs the images of the tests: cargo xtask test --ring 5"]
    fn nor_on_any_image() {
        let (sectors, secret) = old_settings();
        for (number, program) in programs(false).iter().enumerate() {
            let name = &program.name;
            let plan = plan(program);
            let length = plan.chip.flash_size as usize;
            let identity = ChipIdentity::default();
            let mut device = ElfDevice::with_board(&program.elf, length, identity).expect("the board boots it");
            // Whole sectors, a page, one amid a sector and one at the end of a sector: after the program, and in front of what
            // it saves itself.
            let page = a_page(&sectors, &secret);
            let own = plan.settings.start as usize;
            let places: [(usize, &[u8]); 4] =
                [(own - 0x8000, &sectors), (own - 0x5000, page), (own - 0x3D00, page), (length / 2 + 0xF00, page)];
            let marker = b"What nobody hides is shown.";
            for (place, bytes) in places {
                assert!(device.machine().flash().preload(place, bytes));
            }
            assert!(device.machine().flash().preload(own - 0x2000, marker));
            device.replug();
            {
                let mut desk = Desk::new(program, &mut device, 0x5EC2_E800 + number as u64);
                desk.pieces.learn(&secret);
                let flash = plan.files.iter().find(|file| file.path == "FLASH.BIN");
                if flash.is_some_and(|flash| flash.by_setting) {
                    desk.command(r#"set {"exposed":["FLASH.BIN"]}"#, "set");
                    desk.initiator.host.elapse(Duration::from_secs(15));
                }
                let image = desk.read(0..desk.blocks);
                let shows = image.windows(marker.len()).any(|window| window == marker);
                assert!(shows || flash.is_none(), "{name}: flash is shown");
                assert_eq!(desk.pieces.find(&image), None, "{name}: settings of an earlier firmware show");
                // Without settings there are no secrets: what is typed is the program's, and in RAM, which is shown.
                let asks = desk.terminal.is_some() && plan.settings.sectors != 0;
                if asks && desk.ask("get").contains("password") {
                    // Values of another program's group are none.
                    desk.command("defaults", "defaults");
                    live_with(&mut desk, 12, true);
                } else if asks {
                    let secret = desk.secret(20);
                    for line in refused(&secret) {
                        let answer = desk.ask(&line);
                        assert!(answer.starts_with("{\"error\":"), "{name}: {line}: {answer}");
                    }
                    desk.type_in(&secret);
                    desk.search("typed", true);
                    desk.ask("");
                    desk.reboot();
                    desk.search("restarted", false);
                }
            }
            assert_eq!(device.fault(), None, "{name}");
        }
    }

    /// The program runs inside a partition: windows with address translation show the partition's contents, the settings at a
    /// different address, and nothing after its end.
    #[test]
    #[ignore = "needs the firmware of tests/secrets-board: cargo xtask test --ring 5"]
    fn nor_through_address_translation() {
        let all = programs(true);
        let program = &all[0];
        // From it on the settings are in the partition; what is in front of them ends it in the second case.
        for partition in [0x1_0000..0x8_0000, 0x1_0000..0x7_E000_u32] {
            let mut device = ElfDevice::in_partition(&program.elf, partition.clone()).expect("the board boots it");
            let marker = b"Partitions end where they end.";
            assert!(device.machine().flash().preload(SETTINGS - 0x600, marker));
            // The manifest redacts from 16 bytes before the settings on; that is widened to sectors of 512 bytes.
            let hidden = b"Redactions are widened to whole sectors.";
            assert!(device.machine().flash().preload(SETTINGS - 0x180, hidden));
            {
                let mut desk = Desk::new(program, &mut device, 7);
                let secret = desk.secret(24);
                desk.command(&format!(r#"set {{"password":"{secret}"}}"#), "set");
                desk.command("save", "save");
                let image = desk.read(0..desk.blocks);
                assert_eq!(desk.pieces.find(&image), None, "in a partition");
                let shown = image.windows(marker.len()).filter(|window| window == marker).count();
                assert_eq!(shown, 2, "in FLASH.BIN, and where the partition has it");
                assert!(!image.windows(hidden.len()).any(|window| window == hidden), "in the sector of a redaction");
                if long() || partition.end == 0x8_0000 {
                    desk.reboot();
                    desk.search("in a partition, restarted", long());
                }
            }
            assert_eq!(device.fault(), None);
        }
    }

    /// Settings that an older firmware kept at another place.
    #[test]
    #[ignore = "needs the firmware of tests/secrets-board: cargo xtask test --ring 5"]
    fn nor_where_settings_were_once() {
        let (sectors, secret) = old_settings();
        let all = programs(true);
        let program = &all[0];
        let mut device = ElfDevice::new(&program.elf).expect("the board boots it");
        // Whole sectors, a single page, and one whose sector it shares with something else.
        let page = a_page(&sectors, &secret);
        for (place, bytes) in [
            (0x6_0000, &sectors[..]),
            (0x7_8000, &sectors),
            (0x5_1300, page),
            (0x5_3F00, page),
            (SETTINGS - SECTOR, page),
        ] {
            assert!(device.machine().flash().preload(place, bytes));
        }
        device.replug();
        let mut desk = Desk::new(program, &mut device, 12);
        desk.pieces.learn(&secret);
        desk.search("moved", true);
    }
}
