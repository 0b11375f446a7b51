//! Ring 6: the simulated device on the USB port of a virtual machine that runs Debian's own kernel, and GRUB without any.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{Context, Ring, simulator};
use crate::command::{self, SHORT};
use crate::firmware;
use crate::guest::machine::{Background, Machine};
use crate::guest::packages::Packages;
use crate::report::Report;
use crate::setup::Package;
use crate::traffic::{Phase, Record, summary, table};
use crate::truth::{Expected, Truth};
use crate::workspace::Workspace;

/// This ring.
pub const RING: Ring = Ring {
    number: 6,
    title: "a real kernel: Debian's in QEMU, with its usb-storage, sd and exfat drivers; GRUB without a kernel",
    packages: &[
        Package { name: "qemu-system-x86", program: "qemu-system-x86_64", purpose: "the machine to plug into" },
        Package { name: "grub-common", program: "grub-mkimage", purpose: "a GRUB that reads the stick" },
    ],
    chip: true,
    run,
};

/// Limit for a command in the guest.
const STEP: Duration = Duration::from_secs(20);
/// Limit for commands that read the whole stick.
const READ: Duration = Duration::from_secs(60);
/// Limit for the guest's start.
const BOOT: Duration = Duration::from_secs(60);

fn run(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let Some(program) = report.check("the simulator builds", || simulator::build(workspace)) else { return };
    let Some(packages) = report.check("the guest's packages are in the cache", Packages::get) else { return };
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
    grub(report, &bench);
    let elf = report.check("the firmware builds", || {
        Ok::<PathBuf, String>(firmware::build(workspace, context.chip()?, "picovd", true)?.elf)
    });
    if let Some(elf) = elf {
        device(context, report, &bench, Some(&elf));
    }
}

/// What every guest is made from.
struct Bench<'a> {
    workspace: &'a Workspace,
    program: PathBuf,
    packages: Packages,
    initial: PathBuf,
    scratch: PathBuf,
}

/// The device behind its socket.
struct Served {
    background: Background,
    socket: PathBuf,
    usbip: u16,
    record: Record,
    truth: PathBuf,
}

impl Bench<'_> {
    fn serve(&self, name: &str, elf: Option<&Path>) -> Result<Served, String> {
        let folder = self.scratch.join(name);
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        // A socket's path has 108 bytes at most (unix(7)): the target folder may be too deep for that.
        let socket = std::env::temp_dir().join(format!("picovd-{}-{name}.sock", std::process::id()));
        let usbip = free_port()?;
        let (record, truth, log) = (folder.join("record"), folder.join("truth"), folder.join("log"));
        let log = fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let mut serve = simulator::command(self.workspace, &self.program);
        serve.arg("serve").arg("--usbredir").arg(&socket).args(["--usbip", &format!("127.0.0.1:{usbip}")]);
        serve.arg("--record").arg(&record).arg("--truth").arg(&truth);
        if let Some(elf) = elf {
            serve.arg("--elf").arg(elf);
        }
        let background = Background::start(serve.stdout(log))?;
        let end = Instant::now() + Duration::from_secs(30);
        while !socket.exists() || !record.exists() {
            if Instant::now() > end {
                return Err(format!("`{}` opened no socket", command::line(&serve)));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(Served { background, socket, usbip, record: Record::new(record), truth })
    }

    fn boot(&self, name: &str) -> Result<Machine, String> {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut arguments = words("-m 512 -device qemu-xhci,id=xhci -netdev user,id=net -device e1000,netdev=net");
        arguments.extend(["-kernel".to_owned(), self.packages.kernel.display().to_string()]);
        arguments.extend(["-initrd".to_owned(), self.initial.display().to_string()]);
        arguments.push("-append".to_owned());
        // pm_test_delay: how long a tested suspend lasts; delay_use: usb-storage's wait for slow disks.
        arguments.push(
            "console=ttyS0 quiet loglevel=1 mitigations=off nokaslr panic=-1 random.trust_cpu=on \
             suspend.pm_test_delay=1 usb_storage.delay_use=0"
                .to_owned(),
        );
        let monitor = std::env::temp_dir().join(format!("picovd-{}-{name}.monitor", std::process::id()));
        let mut machine = Machine::start(&arguments, monitor)?;
        machine.wait_for("@@ ready @@\n", BOOT)?;
        Ok(machine)
    }
}

fn free_port() -> Result<u16, String> {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|e| format!("no free port: {e}"))
}

/// Everything that a user does with the stick, on one boot of the guest.
fn device(context: &Context, report: &mut Report, bench: &Bench, elf: Option<&Path>) {
    let (name, what) = if elf.is_some() { ("elf", "the ELF") } else { ("native", "the library") };
    let served = report.check(&format!("{what}: `cargo sim serve` offers it"), || bench.serve(name, elf));
    let Some(mut served) = served else { return };
    let machine = report.check(&format!("{what}: the guest boots"), || bench.boot(name));
    let Some(mut machine) = machine else { return };
    let mut phases = Vec::new();

    let attached = report.check(&format!("{what}: plugged in, the kernel finds a disk"), || {
        machine.plug(&served.socket, "xhci.0")?;
        wait_for_disk(&mut machine)?;
        phases.push(Phase::new("attach", served.record.settle()?));
        Ok(())
    });
    if attached.is_none() {
        explain(report, &mut machine);
        return;
    }
    let mounted = report.check(&format!("{what}: the kernel's exfat mounts it"), || {
        machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
        phases.push(Phase::new("mount", served.record.settle()?));
        machine.must("ls -lR /mnt", STEP)?;
        phases.push(Phase::new("ls -lR", served.record.settle()?));
        machine.must("cat /mnt/README.TXT", STEP)?;
        phases.push(Phase::new("cat README.TXT", served.record.settle()?));
        Ok(())
    });
    if mounted.is_none() {
        explain(report, &mut machine);
        return;
    }
    report.check(&format!("{what}: every file has the bytes that the manifest promises"), || {
        hashes(&mut machine, &served.truth, bench.workspace)
    });
    report.check(&format!("{what}: the kernel has no complaint"), || quiet(&mut machine));
    report.check(&format!("{what}: writing fails as on a read-only disk"), || read_only(&mut machine));
    report.check(&format!("{what}: a bus reset in the middle of a read is survived"), || {
        served.record.settle()?;
        reset_during_read(&mut machine, &mut served)
    });
    report.check(&format!("{what}: suspend and resume are survived"), || {
        machine.must("echo devices >/sys/power/pm_test && echo freeze >/sys/power/state", READ)?;
        machine.must("echo 3 >/proc/sys/vm/drop_caches", STEP)?;
        let log = machine.must("dmesg", STEP)?;
        if !log.contains("suspend debug") || !log.contains("PM: suspend exit") {
            return Err(format!("the kernel did not suspend\n{}", command::tail(&log, 20)));
        }
        hashes(&mut machine, &served.truth, bench.workspace)
    });
    report.check(&format!("{what}: unplugged while mounted and plugged in again, it is there again"), || {
        machine.unplug()?;
        machine
            .must("i=0; while [ -b /dev/sda ]; do i=$((i+1)); [ $i -lt 100 ]; sleep 0.1; done; umount /mnt", STEP)?;
        served.record.settle()?;
        machine.plug(&served.socket, "xhci.0")?;
        wait_for_disk(&mut machine)?;
        machine.must("dmesg -c >/dev/null; mount -t exfat -o ro /dev/sda /mnt", STEP)?;
        hashes(&mut machine, &served.truth, bench.workspace)?;
        quiet(&mut machine)
    });
    report.check(&format!("{what}: eject takes the medium out"), || {
        machine.must("umount /mnt && sg_start --eject /dev/sg0", STEP)?;
        let said = machine.run("dd if=/dev/sda of=/dev/null bs=512 count=1", STEP)?;
        if said.status == 0 { Err("the disk can still be read".to_owned()) } else { Ok(()) }
    });
    if elf.is_none() {
        report.check("Debian's `usbip attach` takes the library's device", || usbip(&mut machine, &mut served, bench));
        report.check("the kernel's commands up to the mounted volume are the blessed ones", || {
            blessed(context, &table(&phases))
        });
        for line in summary(&phases).lines() {
            report.note(line);
        }
    }
    report.check(&format!("{what}: its driver did nothing that the strict bus refuses"), || {
        let all = served.record.all()?;
        let faults: Vec<&str> = all.lines().filter(|line| line.starts_with("fault\t")).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    });
    report.check(&format!("{what}: `cargo sim serve` stops at Ctrl-C and takes its socket away"), || {
        let status = served.background.interrupt()?;
        if status.success() && !served.socket.exists() { Ok(()) } else { Err(format!("{status}")) }
    });
}

/// After a failure: what the kernel says.
fn explain(report: &mut Report, machine: &mut Machine) {
    if let Ok(said) = machine.run("dmesg", STEP) {
        for line in command::tail(&said.text, 40).lines() {
            report.note(line);
        }
    }
}

fn wait_for_disk(machine: &mut Machine) -> Result<(), String> {
    let wait = "i=0; until [ -b /dev/sda ]; do i=$((i+1)); [ $i -lt 150 ] || break; sleep 0.1; done; [ -b /dev/sda ]";
    match machine.must(wait, STEP) {
        Ok(_) => Ok(()),
        Err(e) => Err(format!("{e}\n{}", machine.must("dmesg", STEP)?)),
    }
}

/// Hashes every file in the guest and holds it against the manifest's truth. Files of changing memory only have to be read.
fn hashes(machine: &mut Machine, truth: &Path, workspace: &Workspace) -> Result<(), String> {
    let manifest = Truth::read(&workspace.root.join("picovd.toml"))?;
    let said = machine.must("cd /mnt && find . -type f -exec sha256sum {} +; cd /", READ)?;
    let mut seen = BTreeMap::new();
    for line in said.lines() {
        let (hash, path) = line.split_once("  ./").ok_or_else(|| format!("not a hash: {line}"))?;
        seen.insert(path.to_owned(), hash.to_owned());
    }
    let mut wrong = Vec::new();
    for (path, expected) in &manifest.files {
        let file = truth.join(path);
        match seen.remove(path) {
            None => wrong.push(format!("{path} is missing")),
            Some(_) if !file.exists() && *expected == Expected::Board => {}
            Some(hash) => {
                let sum = command::run(Command::new("sha256sum").arg(&file), SHORT)?.text();
                if !sum.starts_with(&hash) {
                    wrong.push(format!("{path} has hash {hash}, should be {sum}"));
                }
            }
        }
    }
    wrong.extend(seen.into_keys().map(|path| format!("{path} is not in the manifest")));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Lines of the kernel's log that no healthy stick provokes.
fn quiet(machine: &mut Machine) -> Result<(), String> {
    const COMPLAINTS: [&str; 12] = [
        "error",
        "fail",
        "warn",
        "invalid",
        "corrupt",
        "exfat-fs",
        "reset",
        "unaligned",
        "assum",
        "timeout",
        "bug",
        "offline",
    ];
    let log = machine.must("dmesg", STEP)?;
    let found: Vec<&str> = log
        .lines()
        .filter(|line| {
            let line = line.to_lowercase();
            // Every unit reports its power-on once.
            COMPLAINTS.iter().any(|word| line.contains(word)) && !line.contains("power-on or device reset occurred")
        })
        .collect();
    if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
}

fn read_only(machine: &mut Machine) -> Result<(), String> {
    let flag = machine.must("cat /sys/block/sda/ro", STEP)?;
    if flag != "1" {
        return Err(format!("/sys/block/sda/ro is {flag}"));
    }
    for line in ["echo x >/mnt/NEW.TXT", "mount -o remount,rw /mnt", "echo x >/mnt/README.TXT", "rm -f /mnt/README.TXT"]
    {
        let said = machine.run(line, STEP)?;
        let words = said.text.to_lowercase();
        // The kernel refuses to remount a protected device by EACCES.
        let reasons = ["read-only", "write-protected", "permission denied"];
        if said.status == 0 || !reasons.iter().any(|reason| words.contains(reason)) {
            return Err(format!("`{line}` ended {}: {}", said.status, said.text));
        }
    }
    let said = machine.run("dd if=/dev/zero of=/dev/sda bs=512 count=1 conv=fsync", STEP)?;
    if said.status == 0 { Err("the disk could be written".to_owned()) } else { Ok(()) }
}

/// Resets the bus while a file is read. Where the reset falls is the guest's affair: several delays are tried.
fn reset_during_read(machine: &mut Machine, served: &mut Served) -> Result<(), String> {
    let expected = command::run(Command::new("sha256sum").arg(served.truth.join("FLASH.BIN")), SHORT)?.text();
    let mut seen = String::new();
    for delay in ["0.05", "0.02", "0.1", "0.2", "0.01", "0.4", "0.8"] {
        machine.must("echo 3 >/proc/sys/vm/drop_caches; dmesg -c >/dev/null", STEP)?;
        served.record.settle()?;
        let line = format!("sha256sum /mnt/FLASH.BIN >/tmp/sum & sleep {delay}; sg_reset --bus /dev/sg0; wait");
        machine.must(&line, READ)?;
        let during = served.record.settle()?;
        let sum = machine.must("cat /tmp/sum", STEP)?;
        if sum.split_whitespace().next() != expected.split_whitespace().next() {
            return Err(format!("`{sum}` should be `{expected}`\n{}", machine.must("dmesg", STEP)?));
        }
        let reset = during.iter().position(|line| line == "bus reset").unwrap_or(during.len());
        let (before, after) = during.split_at(reset);
        let reads = |lines: &[String]| lines.iter().filter(|line| line.starts_with("READ(10)")).count();
        if reads(before) > 0 && reads(after) > 0 {
            return Ok(());
        }
        seen += &format!("after {delay} s: {} reads, then the reset, then {}\n", reads(before), reads(after));
    }
    Err(format!("no reset fell into a read:\n{seen}"))
}

fn usbip(machine: &mut Machine, served: &mut Served, bench: &Bench) -> Result<(), String> {
    machine.unplug()?;
    machine.must(
        "i=0; while [ -b /dev/sda ]; do i=$((i+1)); [ $i -lt 100 ]; sleep 0.1; done; dmesg -c >/dev/null",
        STEP,
    )?;
    machine.must("ifconfig eth0 10.0.2.15 up", STEP)?;
    let port = served.usbip;
    let list = machine.must(&format!("usbip --tcp-port {port} list --remote=10.0.2.2"), STEP)?;
    if !list.contains("1-1") {
        return Err(format!("`usbip list` does not show it: {list}"));
    }
    machine.must(&format!("usbip --tcp-port {port} attach --remote=10.0.2.2 --busid=1-1"), STEP)?;
    wait_for_disk(machine)?;
    machine.must("mount -t exfat -o ro /dev/sda /mnt", STEP)?;
    hashes(machine, &served.truth, bench.workspace)?;
    quiet(machine)?;
    machine.must("umount /mnt && usbip detach --port=00", STEP).map(|_| ())
}

/// GRUB from Debian's modules on a BIOS and a UHCI controller: a reader that shares no line with any kernel.
fn grub(report: &mut Report, bench: &Bench) {
    report.check("GRUB reads a file by itself", || {
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

        let mut served = bench.serve("grub", None)?;
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
        let monitor = std::env::temp_dir().join(format!("picovd-{}-grub.monitor", std::process::id()));
        let mut machine = Machine::start(&arguments, monitor)?;
        machine.wait_for("grub>", BOOT)?;
        machine.type_line("sha256sum (usb0)/README.TXT")?;
        let expected = command::run(Command::new("sha256sum").arg(served.truth.join("README.TXT")), SHORT)?.text();
        let hash = expected.split_whitespace().next().unwrap_or("?");
        machine.wait_for(hash, STEP)?;
        served.background.interrupt().map(|_| ())
    });
}

/// Holds the table against the one in the tree, or writes that one with `--bless`.
fn blessed(context: &Context, table: &str) -> Result<(), String> {
    let path = context.workspace.root.join("tests/blessed/kernel-commands.txt");
    if context.bless {
        return fs::write(&path, table).map_err(|e| format!("{}: {e}", path.display()));
    }
    let expected = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    if expected == table {
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
