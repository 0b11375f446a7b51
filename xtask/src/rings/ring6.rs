//! Ring 6: the simulated device on the USB port of a virtual machine that runs Debian's own kernel, and GRUB without any.

mod classes;
mod desktop;
mod settings;
mod tail;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::projects::{self, Project};
use super::{Context, Lane, Ring, examples, simulator};
use crate::command::{self, SHORT};
use crate::firmware;
use crate::guest::console::{self, INTERRUPT, MAIN};
use crate::guest::desktop::Desktop;
use crate::guest::live::{self, Folder};
use crate::guest::machine::{Background, Machine};
use crate::guest::packages::Packages;
use crate::guest::stick::{self, STEP, Sums, settle};
use crate::report::Report;
use crate::setup::{Package, Policy};
use crate::traffic::{Phase, Record, summary, table};
use crate::workspace::Workspace;

/// This ring.
pub const RING: Ring = Ring {
    number: 6,
    title: "a real kernel: Debian's in QEMU, with its usb-storage, sd and exfat drivers; GRUB without a kernel",
    packages: &[
        Package { name: "qemu-system-x86", program: "qemu-system-x86_64", purpose: "the machine to plug into" },
        Package { name: "grub-common", program: "grub-mkimage", purpose: "a GRUB that reads the stick" },
        Package { name: "xz-utils", program: "xz", purpose: "the kernel of the machine, unpacked" },
    ],
    chip: true,
    lane: Lane::Alone,
    run,
};

/// Time limit for the guest's start, and for the start of a simulator with the ELF file. Both take seconds on an idle
/// machine.
const BOOT: Duration = Duration::from_secs(240);

/// The guests' packages, for the tasks that install what is missing; with `long` also the heavier guest's.
pub fn components(policy: Policy, long: bool) -> Result<(), String> {
    Packages::get(policy)?;
    if long { Desktop::get(policy).map(|_| ()) } else { Ok(()) }
}

fn run(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let Some(program) = report.check("the simulator builds", || simulator::build(workspace)) else { return };
    let Some(packages) = report.check("the guest's packages are in the cache", || Packages::get(Policy::Refuse)) else {
        return;
    };
    let Some(scratch) = report.check("a scratch folder is there", || workspace.scratch("ring6")) else { return };
    let initial = scratch.join("initramfs");
    let made = report.check("the guest's first file system is made", || {
        let bytes = packages.initial_file_system(&workspace.root.join("tests/guest/init"))?;
        fs::write(&initial, bytes).map_err(|e| format!("{}: {e}", initial.display()))
    });
    if made.is_none() {
        return;
    }
    report.note(&format!("kernel {}", packages.version));
    let bench = Bench { workspace, program, packages, initial, scratch };
    device(context, report, &bench, None);
    report.check("the library: GRUB reads a file without any kernel", || grub(&bench, None));
    let elf = report.check("the firmware builds", || {
        let manifest = bench.plain();
        let variant = firmware::Variant { binary: firmware::BINARY, manifest: Some(&manifest), name: "plain" };
        Ok::<PathBuf, String>(firmware::build_variant(workspace, context.chip()?, variant, true)?.elf)
    });
    if let Some(elf) = elf {
        device(context, report, &bench, Some(&elf));
        report.check("the ELF: GRUB reads a file without any kernel", || grub(&bench, Some(&elf)));
    }
    if context.long {
        desktop::run(report, &bench);
    }
}

/// What every guest is created from.
struct Bench<'a> {
    workspace: &'a Workspace,
    program: PathBuf,
    packages: Packages,
    initial: PathBuf,
    scratch: PathBuf,
}

/// The device and its socket.
struct Served {
    background: Background,
    socket: PathBuf,
    usbip: u16,
    record: Record,
    sums: Sums,
}

impl Served {
    /// Checks that the device's driver did only what the strict bus allows.
    fn faultless(&self) -> Result<(), String> {
        let all = self.record.all()?;
        let faults: Vec<&str> = all.lines().filter(|line| line.starts_with("fault\t")).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A simulator that stopped normally has removed it already.
        let _ = fs::remove_file(&self.socket);
    }
}

impl Bench<'_> {
    fn serve(&self, name: &str, elf: Option<&Path>) -> Result<Served, String> {
        let elf = elf.map(|elf| [OsStr::new("--elf"), elf.as_os_str()]);
        self.offer(name, &self.plain(), elf.as_ref().map_or(&[], |words| words))
    }

    /// The manifest of a disk that does not change by itself.
    fn plain(&self) -> PathBuf {
        self.workspace.root.join("tests/manifests/plain.toml")
    }

    /// Starts `cargo sim serve` for a manifest, with additional options.
    fn offer(&self, name: &str, manifest: &Path, options: &[&OsStr]) -> Result<Served, String> {
        let folder = self.scratch.join(name);
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        // As for the monitor's.
        let socket = std::env::temp_dir().join(format!("picovd-{}-{name}.sock", std::process::id()));
        let usbip = free_port()?;
        let (record, truth, log) = (folder.join("record"), folder.join("truth"), folder.join("log"));
        let log = fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let mut serve = simulator::command(self.workspace, &self.program);
        serve.arg("serve").arg("--usbredir").arg(&socket).args(["--usbip", &format!("127.0.0.1:{usbip}")]);
        serve.arg("--record").arg(&record).arg("--truth").arg(&truth);
        serve.arg("--manifest").arg(manifest).args(options);
        let background = Background::start(serve.stdout(log))?;
        let end = Instant::now() + BOOT;
        while !socket.exists() || !record.exists() {
            if Instant::now() > end {
                return Err(format!("`{}` opened no socket", command::line(&serve)));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let sums = Sums::new(manifest, &truth)?;
        Ok(Served { background, socket, usbip, record: Record::new(record), sums })
    }

    fn boot(&self, name: &str) -> Result<Machine, String> {
        self.boot_from(name, &self.initial, 512)
    }

    /// Boots a guest with that initial file system and that much memory in MiB.
    fn boot_from(&self, name: &str, initial: &Path, memory: u32) -> Result<Machine, String> {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut arguments = words("-device qemu-xhci,id=xhci -netdev user,id=net -device e1000,netdev=net");
        arguments.extend(["-m".to_owned(), memory.to_string()]);
        arguments.extend(["-kernel".to_owned(), self.packages.kernel.display().to_string()]);
        arguments.extend(["-initrd".to_owned(), initial.display().to_string()]);
        arguments.push("-append".to_owned());
        // no_timer_check, nowatchdog, tsc, rcupdate: a machine that is busy elsewhere must not count as a timer defect.
        // pm_test_delay: how long a tested suspend lasts; delay_use: usb-storage's wait for slow disks.
        arguments.push(
            "console=ttyS0 quiet loglevel=1 mitigations=off nokaslr panic=-1 random.trust_cpu=on \
             no_timer_check nowatchdog tsc=nowatchdog rcupdate.rcu_cpu_stall_suppress=1 \
             suspend.pm_test_delay=1 usb_storage.delay_use=0"
                .to_owned(),
        );
        let mut machine = Machine::start(&arguments, self.monitor(name))?;
        let before = machine.wait_for("@@ ready @@\n", BOOT)?;
        if before.contains("insmod") { Err(format!("the guest lacks a driver\n{before}")) } else { Ok(machine) }
    }

    /// The path of a machine's monitor socket: it may have at most 108 bytes (unix(7)), for which the target folder may be
    /// too deep.
    fn monitor(&self, name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("picovd-{}-{name}.monitor", std::process::id()))
    }
}

fn free_port() -> Result<u16, String> {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|e| format!("no free port: {e}"))
}

/// Everything that a user does with the stick, in one boot of the guest.
fn device(context: &Context, report: &mut Report, bench: &Bench, elf: Option<&Path>) {
    let (name, what) = if elf.is_some() { ("elf", "the ELF") } else { ("native", "the library") };
    let served = report.check(&format!("{what}: `cargo sim serve` offers it"), || bench.serve(name, elf));
    let Some(mut served) = served else { return };
    let machine = report.check(&format!("{what}: the guest boots"), || bench.boot(name));
    let Some(mut machine) = machine else { return };
    let mut phases = Vec::new();

    let attached = report.check(&format!("{what}: plugged in, the kernel finds a disk"), || {
        machine.plug(&served.socket, "xhci.0")?;
        stick::appears(&mut machine)?;
        phases.push(Phase::new("attach", settle(&mut machine, &mut served.record)?));
        Ok(())
    });
    if attached.is_none() {
        explain(report, &mut machine);
        return;
    }
    let mounted = report.check(&format!("{what}: the kernel's exfat mounts it"), || {
        machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
        phases.push(Phase::new("mount", settle(&mut machine, &mut served.record)?));
        machine.must("ls -lR /mnt", STEP)?;
        phases.push(Phase::new("ls -lR", settle(&mut machine, &mut served.record)?));
        machine.must("cat /mnt/README.TXT", STEP)?;
        phases.push(Phase::new("cat README.TXT", settle(&mut machine, &mut served.record)?));
        Ok(())
    });
    if mounted.is_none() {
        explain(report, &mut machine);
        return;
    }
    report.check(&format!("{what}: every file has the bytes that the manifest promises"), || {
        stick::hashes(&mut machine, &served.sums)
    });
    report.check(&format!("{what}: the kernel has no complaint"), || stick::quiet(&mut machine));
    report.check(&format!("{what}: writing fails as on a read-only disk"), || stick::read_only(&mut machine));
    report.check(&format!("{what}: a halted pipe is cleared and continues"), || {
        stick::halts(&mut machine, &mut served.record)
    });
    report.check(&format!("{what}: a bus reset in the middle of a read is survived"), || {
        stick::reset_during_read(&mut machine, &mut served.record, &served.sums)
    });
    report.check(&format!("{what}: suspend and resume are survived"), || stick::suspend(&mut machine, &served.sums));
    report.check(&format!("{what}: unplugged while mounted and plugged in again, it is there again"), || {
        machine.unplug()?;
        stick::disappears(&mut machine)?;
        machine.must("umount /mnt; dmesg -c >/dev/null", STEP)?;
        machine.plug(&served.socket, "xhci.0")?;
        stick::appears(&mut machine)?;
        machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
        stick::hashes(&mut machine, &served.sums)?;
        stick::quiet(&mut machine)
    });
    report.check(&format!("{what}: eject removes the medium"), || {
        machine.must("umount /mnt && sg_start --eject /dev/sg0", STEP)?;
        let said = machine.run("dd if=/dev/sda of=/dev/null bs=512 count=1", STEP)?;
        if said.status == 0 { Err("the disk can still be read".to_owned()) } else { Ok(()) }
    });
    report.check(&format!("{what}: the kernel's commands up to the mounted volume are the blessed ones"), || {
        blessed(context, elf.is_none(), &table(&phases))
    });
    if elf.is_none() {
        report.check("the library: Debian's `usbip attach` takes it", || usbip(&mut machine, &served));
        for line in summary(&phases).lines() {
            report.note(line);
        }
        changes(report, bench, &mut machine);
    }
    together(context, report, bench, &mut machine, elf.is_some());
    settings::run(context, report, bench, &mut machine, elf.is_some());
    if elf.is_some() {
        classes::run(context, report, bench, &mut machine);
        stock(context, report, bench, &mut machine);
        new_package(context, report, bench, &mut machine);
        for found in &projects::PROJECTS {
            project(context, report, bench, &mut machine, found);
        }
    }
    report.check(&format!("{what}: its driver did nothing that the strict bus refuses"), || served.faultless());
    report.check(&format!("{what}: `cargo sim serve` stops at Ctrl-C and removes its socket"), || {
        let status = served.background.interrupt()?;
        if status.success() && !served.socket.exists() { Ok(()) } else { Err(format!("{status}")) }
    });
}

/// Files that change while the volume is mounted, on a guest with nothing plugged in.
fn changes(report: &mut Report, bench: &Bench, machine: &mut Machine) {
    let bound = live::BOUND.as_secs();
    let offered = report.check("live files: `cargo sim serve --live` offers a folder, and the guest mounts it", || {
        let (served, mut folder) = followed(bench, "auto", "auto")?;
        folder.write("GROWS.LOG", 1, 10)?;
        folder.write("CHANGES.TXT", 1, 20)?;
        folder.write("GOES.TXT", 1, 30)?;
        // The device checks every 50 ms, and takes everything that it finds within 100 ms as one change: no host has seen
        // it yet.
        thread::sleep(Duration::from_millis(500));
        machine.plug(&served.socket, "xhci.0")?;
        stick::appears(machine)?;
        live::poll(machine, 0)?;
        live::mount(machine, &folder, "sda")?;
        Ok((served, folder))
    });
    let Some((mut served, mut folder)) = offered else {
        explain(report, machine);
        return;
    };
    let polled = format!(
        "live files: with a poll each 2 s, one appears, one grows, one changes, one goes: the kernel loses the medium; \
         unmounted and mounted again, the truth is there within {bound} s"
    );
    let took = report.check(&polled, || {
        live::poll(machine, 2_000)?;
        let first = live::reinserted(machine, &mut folder, |folder| {
            folder.write("APPEARS.TXT", 1, 5)?;
            folder.write("GROWS.LOG", 1, 400)
        })?;
        let second = live::reinserted(machine, &mut folder, |folder| {
            folder.write("CHANGES.TXT", 2, 20)?;
            folder.remove("GOES.TXT")
        })?;
        Ok(first.max(second))
    });
    if took.is_none() {
        explain(report, machine);
    }
    let reconnected = format!(
        "live files: with no poll, the device goes and comes by itself; mounted again, the truth is there within {bound} s"
    );
    let again = report.check(&reconnected, || {
        live::poll(machine, 0)?;
        live::reconnected(machine, &mut folder, |folder| folder.write("CHANGES.TXT", 3, 40))
    });
    if again.is_none() {
        explain(report, machine);
    }
    for (way, took) in [("polled", took), ("reconnected", again)] {
        if let Some(took) = took {
            report.note(&format!("{way}: {:.1} s from the change to the hash", took.as_secs_f64()));
        }
    }
    report.check("live files: the driver did nothing that the strict bus refuses", || {
        machine.unplug()?;
        machine.until("[ ! -b /dev/sda ] && [ ! -b /dev/sdb ]", STEP)?;
        machine.must("dmesg -c >/dev/null", STEP)?;
        served.background.interrupt()?;
        served.faultless()
    });
    let known =
        "live files: by `attention` alone, the mounted volume goes on showing what it was; mounted again, it is new";
    let told = report.check(known, || {
        let (served, mut folder) = followed(bench, "attention", "attention")?;
        machine.plug(&served.socket, "xhci.0")?;
        stick::appears(machine)?;
        let emptied = live::attention_alone(machine, &mut folder)?;
        machine.unplug()?;
        stick::disappears(machine)?;
        served.faultless()?;
        Ok(emptied)
    });
    match told {
        Some(emptied) => report.note(&format!("mounted all along, its caches emptied: {emptied}")),
        None => explain(report, machine),
    }
}

/// A device with three functions that are used at the same time: the guest reads the log from the serial port while it
/// reads and hashes the disk. On a guest whose other device is no longer used.
fn together(context: &Context, report: &mut Report, bench: &Bench, machine: &mut Machine, chip: bool) {
    let workspace = bench.workspace;
    let what = if chip { "the ELF" } else { "the library" };
    let plugged = report.check(&format!("{what}: disk, serial port and reset interface are found"), || {
        let manifest = workspace.root.join("tests/chatter/picovd.toml");
        let served = if chip {
            let elf = firmware::test_program(workspace, context.chip()?, "picovd-chatter")?;
            bench.offer("together-elf", &manifest, &[OsStr::new("--elf"), elf.as_os_str()])?
        } else {
            bench.offer("together", &manifest, &[OsStr::new("--print")])?
        };
        // The previous device may be unplugged already.
        let _ = machine.unplug();
        stick::disappears(machine)?;
        machine.plug(&served.socket, "xhci.0")?;
        stick::appears(machine)?;
        console::appears(machine)?;
        Ok(served)
    });
    let Some(mut served) = plugged else {
        explain(report, machine);
        return;
    };
    let took = report.check(&format!("{what}: log lines arrive while every file is read and has its hash"), || {
        console::listen(machine)?;
        machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
        let before = console::lines(machine)?;
        stick::hashes(machine, &served.sums)?;
        let after = console::lines(machine)?;
        machine.must("umount /mnt", STEP)?;
        if after > before { Ok(after - before) } else { Err(format!("{before} lines before and after")) }
    });
    if let Some(lines) = took {
        report.note(&format!("{lines} lines while the disk was read"));
    }
    report.check(&format!("{what}: every line of main loop and interrupt handler arrives, whole and in order"), || {
        console::complete(machine, &[MAIN, INTERRUPT], &bench.scratch)?;
        stick::quiet(machine)
    });
    report.check(
        &format!("{what}: what the driver read, each command's bytes, and nothing that the bus refuses"),
        || {
            console::reads_are_whole(&settle(machine, &mut served.record)?)?;
            machine.unplug()?;
            stick::disappears(machine)?;
            served.background.interrupt()?;
            served.faultless()
        },
    );
}

/// The stock firmware, as a newcomer gets it. The guest's previous device is no longer needed.
fn stock(context: &Context, report: &mut Report, bench: &Bench, machine: &mut Machine) {
    let read =
        report.check("the stock firmware: the kernel mounts its disk, finds its port, and reads a temperature", || {
            let elf = firmware::build(bench.workspace, context.chip()?, true)?.elf;
            let manifest = bench.workspace.root.join("picovd.toml");
            let mut served = bench.offer("stock", &manifest, &[OsStr::new("--elf"), elf.as_os_str()])?;
            let _ = machine.unplug();
            stick::disappears(machine)?;
            machine.plug(&served.socket, "xhci.0")?;
            stick::appears(machine)?;
            machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
            let said = machine.must("cat /mnt/SENSOR.CSV && umount /mnt && ls /dev/ttyACM0", STEP)?;
            machine.unplug()?;
            stick::disappears(machine)?;
            served.background.interrupt()?;
            served.faultless()?;
            // The temperature of the emulated chip.
            let row = said.lines().nth(1).and_then(|row| row.split_once(','));
            match row.map(|(_, celsius)| celsius.trim()) {
                Some("27.13") if said.starts_with("second,celsius") && said.contains("/dev/ttyACM0") => Ok(()),
                _ => Err(format!("SENSOR.CSV and the port: {said:?}")),
            }
        });
    if read.is_none() {
        explain(report, machine);
    }
}

/// What `cargo sim new` writes, whose file changes each second. The guest's previous device is no longer needed.
fn new_package(context: &Context, report: &mut Report, bench: &Bench, machine: &mut Machine) {
    let read =
        report.check("what `cargo sim new` writes: the kernel mounts its disk, and reads a count that goes up", || {
            let (manifest, elf) = examples::new_package(context, &bench.program)?;
            let mut served = bench.offer("new", &manifest, &[OsStr::new("--elf"), elf.as_os_str()])?;
            let _ = machine.unplug();
            stick::disappears(machine)?;
            machine.plug(&served.socket, "xhci.0")?;
            stick::appears(machine)?;
            machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
            let said = machine.must("cat /mnt/README.TXT >/dev/null && cat /mnt/COUNT.TXT && umount /mnt", STEP)?;
            let count: u32 = said.trim().parse().map_err(|_| format!("COUNT.TXT says {said:?}"))?;
            machine.unplug()?;
            stick::disappears(machine)?;
            served.background.interrupt()?;
            served.faultless()?;
            if count < 60 { Ok(()) } else { Err(format!("COUNT.TXT says {count} seconds after the start")) }
        });
    if read.is_none() {
        explain(report, machine);
    }
}

/// A third-party project that has a disk in addition to its own function. The guest's previous device is no longer needed.
fn project(context: &Context, report: &mut Report, bench: &Bench, machine: &mut Machine, project: &Project) {
    let Project { name, file: (path, text), .. } = project;
    let workspace = bench.workspace;
    let read =
        report.check(&format!("project {name}: the kernel mounts its disk, and every file has its hash"), || {
            let elf = examples::project(workspace, context.chip()?, name)?;
            let manifest = projects::folder(workspace, name).join("picovd.toml");
            let mut served =
                bench.offer(&format!("project-{name}"), &manifest, &[OsStr::new("--elf"), elf.as_os_str()])?;
            let expected = bench.scratch.join(format!("project-{name}-{path}"));
            fs::write(&expected, text).map_err(|e| format!("{}: {e}", expected.display()))?;
            served.sums.set(path, &expected)?;
            let _ = machine.unplug();
            stick::disappears(machine)?;
            machine.plug(&served.socket, "xhci.0")?;
            stick::appears(machine)?;
            machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
            stick::hashes(machine, &served.sums)?;
            machine.must("umount /mnt", STEP)?;
            stick::quiet(machine)?;
            machine.unplug()?;
            stick::disappears(machine)?;
            served.background.interrupt()?;
            served.faultless()
        });
    if read.is_none() {
        explain(report, machine);
    }
}

/// A device that shows an empty folder, and announces changes as `refresh` says.
fn followed(bench: &Bench, name: &str, refresh: &str) -> Result<(Served, Folder), String> {
    let name = format!("live-{name}");
    let path = bench.scratch.join(format!("{name}-folder"));
    let manifest = bench.scratch.join(format!("{name}.toml"));
    fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    fs::write(&manifest, live::manifest(refresh)).map_err(|e| format!("{}: {e}", manifest.display()))?;
    let mut served = bench.offer(&name, &manifest, &[OsStr::new("--live"), path.as_os_str()])?;
    let folder = Folder::new(path, std::mem::take(&mut served.sums))?;
    Ok((served, folder))
}

/// After a failure: prints the kernel's messages.
fn explain(report: &mut Report, machine: &mut Machine) {
    if let Ok(said) = machine.run("dmesg", STEP) {
        for line in command::tail(&said.text, 40).lines() {
            report.note(line);
        }
    }
}

/// The device through the guest's network instead of its USB port.
fn usbip(machine: &mut Machine, served: &Served) -> Result<(), String> {
    machine.unplug()?;
    stick::disappears(machine)?;
    // QEMU's own network: the machine that runs it is 10.0.2.2.
    machine.must("ifconfig eth0 10.0.2.15 up", STEP)?;
    let port = served.usbip;
    let list = machine.must(&format!("usbip --tcp-port {port} list --remote=10.0.2.2"), STEP)?;
    if !list.contains("1-1") {
        return Err(format!("`usbip list` does not show it: {list}"));
    }
    machine.must(&format!("usbip --tcp-port {port} attach --remote=10.0.2.2 --busid=1-1"), STEP)?;
    stick::appears(machine)?;
    machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
    stick::hashes(machine, &served.sums)?;
    stick::quiet(machine)?;
    machine.must("umount /mnt && usbip detach --port=00", STEP).map(|_| ())
}

/// GRUB from Debian's modules on a BIOS and a UHCI controller: a reader that shares no code with any kernel.
fn grub(bench: &Bench, elf: Option<&Path>) -> Result<(), String> {
    let name = if elf.is_some() { "grub-elf" } else { "grub" };
    let modules = bench.packages.grub();
    let (core, disk) = (bench.scratch.join("core.img"), bench.scratch.join("grub.img"));
    let config = bench.scratch.join("grub.cfg");
    fs::write(&config, "serial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n")
        .map_err(|e| format!("{}: {e}", config.display()))?;
    let mut image = command::program("grub-mkimage");
    image.arg("-O").arg("i386-pc").arg("-d").arg(&modules).arg("-o").arg(&core).arg("-c").arg(&config);
    image.args(["-p", "/"]).args(["biosdisk", "serial", "terminal", "uhci", "usbms", "exfat", "ls", "cat"]);
    image.args(["normal", "hashsum", "gcry_sha256", "minicmd", "echo", "pci"]);
    command::run(&mut image, SHORT)?;
    // boot.img loads the sector after itself, which is where the core starts.
    let mut bytes = fs::read(modules.join("boot.img")).map_err(|e| format!("boot.img: {e}"))?;
    bytes.extend(fs::read(&core).map_err(|e| format!("{}: {e}", core.display()))?);
    bytes.resize(bytes.len().next_multiple_of(1 << 20), 0);
    fs::write(&disk, bytes).map_err(|e| format!("{}: {e}", disk.display()))?;

    let mut served = bench.serve(name, elf)?;
    let arguments = [
        "-m".to_owned(),
        "64".to_owned(),
        "-drive".to_owned(),
        format!("file={},format=raw,if=ide", disk.display()),
        "-device".to_owned(),
        "piix3-usb-uhci,id=uhci".to_owned(),
        "-chardev".to_owned(),
        format!("socket,id=wire,path={}", served.socket.display()),
        "-device".to_owned(),
        "usb-redir,chardev=wire,bus=uhci.0".to_owned(),
    ];
    let mut machine = Machine::start(&arguments, bench.monitor(name))?;
    machine.wait_for("grub>", BOOT)?;
    machine.type_line("sha256sum (usb0)/README.TXT")?;
    machine.wait_for(served.sums.of("README.TXT")?, STEP)?;
    served.background.interrupt().map(|_| ())
}

/// Compares the table with the one in the tree, or replaces that one with `--bless` if it is the library's.
fn blessed(context: &Context, native: bool, table: &str) -> Result<(), String> {
    let path = context.workspace.root.join("tests/blessed/kernel-commands.txt");
    if context.bless && native {
        return fs::write(&path, table).map_err(|e| format!("{}: {e}", path.display()));
    }
    let expected = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    // One release of the kernel reads the FAT before the up-case table, the next one after the bitmap: the order within a
    // phase depends on the kernel.
    let phases = |text: &str| -> Vec<Vec<String>> {
        let sorted = |phase: &str| {
            let mut lines: Vec<String> = phase.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        text.trim_end().split("\n\n").map(sorted).collect()
    };
    if phases(&expected) == phases(table) {
        return Ok(());
    }
    let left: Vec<&str> = expected.lines().collect();
    let right: Vec<&str> = table.lines().collect();
    let first = left.iter().zip(&right).position(|(a, b)| a != b).unwrap_or(left.len().min(right.len()));
    Err(format!(
        "differs from {} at line {}:\n- {}\n+ {}\n`cargo xtask test --ring 6 --bless` accepts the new one:\n{table}",
        path.display(),
        first + 1,
        left.get(first).unwrap_or(&"(end)"),
        right.get(first).unwrap_or(&"(end)"),
    ))
}
