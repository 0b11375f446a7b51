//! Images of volumes with dynamic files, among those of the manifest and in folders of their own, for readers that others
//! wrote: `cargo xtask test --ring 2` names a folder, and judges what is written there.

mod ring2 {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;
    use std::time::Duration;

    use picovd::vd::{
        Content, File, Files, Frozen, Generation, vd_add_file, vd_remove_file, vd_rename_file, vd_update_file,
    };
    use picovd_sim::host::exfat::check::check;
    use picovd_sim::host::scsi::Disk;
    use picovd_sim::host::system::{LINUX_DESKTOP, System};
    use picovd_sim::host::{BlockSource, Host, Initiator};
    use picovd_sim::memory::Contents;
    use picovd_sim::native::NativeDevice;
    use picovd_sim::plug;
    use picovd_sim::random::Random;

    const MANIFEST: &str = r#"
[volume]
label = "RUNTIME"

[[file]]
path = "docs/STATIC.TXT"
text = "It never changes."

[[file]]
path = "docs/deep/OTHER.TXT"
text = "Nor does this."

[dynamic]
files = 40
max-name = 60
window = "4 MiB"
"#;

    /// Most bytes of a file.
    const CAPACITY: u32 = 40_000;

    /// Longer than any change takes to be announced and mounted.
    const LONG: Duration = Duration::from_secs(60);

    /// Bytes that come next, and those that hosts see.
    #[derive(Default)]
    struct Kept(Mutex<[Vec<u8>; 2]>);

    impl Content for Kept {
        fn length(&self) -> u32 {
            self.0.lock().expect("not poisoned")[0].len() as u32
        }

        fn freeze(&self, _: Generation) -> Frozen {
            let mut bytes = self.0.lock().expect("not poisoned");
            let kept = bytes[0].starts_with(&bytes[1]);
            let [next, shown] = &mut *bytes;
            shown.clone_from(next);
            Frozen { length: bytes[1].len() as u32, kept }
        }

        fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
            out.copy_from_slice(&self.0.lock().expect("not poisoned")[1][offset as usize..][..out.len()]);
        }
    }

    /// The program: its files, and what they are to hold.
    struct Program {
        files: &'static Files<'static>,
        known: BTreeMap<String, (&'static File<'static>, &'static Kept)>,
    }

    impl Program {
        fn add(&mut self, path: &str, bytes: &[u8]) {
            let content: &'static Kept = Box::leak(Box::default());
            content.0.lock().expect("not poisoned")[0] = bytes.to_vec();
            let file = Box::leak(Box::new(File::new(path.to_owned().leak(), content, CAPACITY)));
            vd_add_file(self.files, file).unwrap_or_else(|error| panic!("{path}: {error:?}"));
            self.known.insert(path.to_owned(), (file, content));
        }

        fn set(&self, path: &str, bytes: &[u8]) {
            let (file, content) = self.known[path];
            content.0.lock().expect("not poisoned")[0] = bytes.to_vec();
            vd_update_file(self.files, file).unwrap_or_else(|error| panic!("{path}: {error:?}"));
        }

        fn remove(&mut self, path: &str) {
            let (file, _) = self.known.remove(path).expect("it is one of them");
            vd_remove_file(self.files, file).unwrap_or_else(|error| panic!("{path}: {error:?}"));
        }

        fn rename(&mut self, path: &str, to: &str) {
            let (file, content) = self.known.remove(path).expect("it is one of them");
            let new = Box::leak(Box::new(File::new(to.to_owned().leak(), content, CAPACITY)));
            vd_rename_file(self.files, file, new).unwrap_or_else(|error| panic!("{path}: {error:?}"));
            self.known.insert(to.to_owned(), (new, content));
        }
    }

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        Random::new(seed).fill(&mut bytes);
        bytes
    }

    /// Writes `NAME.img`, as a host reads it, and below `NAME/` what should be on it.
    fn write(folder: &Path, name: &str, device: &mut NativeDevice, program: &Program) {
        // All changes are announced, and a host has looked.
        let mut system = System::boot(LINUX_DESKTOP, Box::new(&mut *device)).expect("it is mounted");
        system.elapse(LONG);
        drop(system);
        let mut disk =
            Disk::open(Initiator::attach(Host::new(Box::new(device))).expect("it enumerates")).expect("it is ready");
        let findings = check(&mut disk).expect("the volume is readable");
        assert!(findings.is_empty(), "{name}: {findings:?}");
        let blocks = disk.block_count();
        let image: Vec<u8> = (0..blocks)
            .step_by(64)
            .flat_map(|lba| disk.read(lba, (blocks - lba).min(64) as u32).expect("read"))
            .collect();
        fs::write(folder.join(format!("{name}.img")), image).expect("the folder is there");
        let put = |path: &str, bytes: &[u8]| {
            let path = folder.join(name).join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        };
        put("docs/STATIC.TXT", b"It never changes.");
        put("docs/deep/OTHER.TXT", b"Nor does this.");
        for (path, (_, content)) in &program.known {
            put(path, &content.0.lock().expect("not poisoned")[0]);
        }
    }

    #[test]
    #[ignore = "writes into a folder that is named: cargo xtask test --ring 2"]
    fn images_at_three_moments() {
        let folder = std::env::args_os().skip(1).map(PathBuf::from).find(|word| word.is_dir());
        let folder = folder.expect("no argument names a folder; `cargo xtask test --ring 2` does");
        let manifest = picovd_manifest::read_text("runtime.toml", MANIFEST, Path::new(".")).expect("it is TOML");
        let plan = picovd_manifest::check(&manifest, None).and_then(|checked| picovd_manifest::plan(&checked));
        let plan = plan.expect("the manifest is right");
        let contents = Contents::noise(plan.chip.flash_size as usize);
        let mut device = NativeDevice::new(plug::board(plan, contents));
        let mut program = Program { files: device.files(), known: BTreeMap::new() };

        program.add("docs/NOTE.TXT", b"Beside the manifest's own.\r\n");
        program.add("docs/deep/DATA.BIN", &noise(1, 100));
        program.add("docs/EMPTY.TXT", b"");
        program.add("own/LOG.TXT", &noise(2, 4096));
        program.add("own/below/Ein langer Name, länger als fünfzehn Zeichen.txt", &noise(3, 4097));
        program.add("ROOT.TXT", &noise(4, 511));
        for number in 0..20 {
            program.add(&format!("docs/RUN{number:02}.CSV"), &noise(100 + number, 600));
        }
        write(&folder, "present", &mut device, &program);

        // One grows where it is, one changes and grows, one shrinks, one is no longer empty.
        let grown = [&noise(1, 100)[..], &noise(5, 29_900)].concat();
        program.set("docs/deep/DATA.BIN", &grown);
        program.set("own/LOG.TXT", &noise(6, 9000));
        program.set("ROOT.TXT", &noise(7, 3));
        program.set("docs/EMPTY.TXT", &noise(8, 40_000));
        write(&folder, "changed", &mut device, &program);

        // The last file of a folder goes, and the folder with it; one moves into a folder of the manifest.
        program.remove("own/below/Ein langer Name, länger als fünfzehn Zeichen.txt");
        program.remove("own/LOG.TXT");
        program.remove("docs/NOTE.TXT");
        program.rename("ROOT.TXT", "docs/deep/ROOT.TXT");
        for number in (0..20).step_by(2) {
            program.remove(&format!("docs/RUN{number:02}.CSV"));
        }
        write(&folder, "removed", &mut device, &program);
    }
}
