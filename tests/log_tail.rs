//! STDOUT-TAIL.TXT, followed as `tail -F` does: a reader of each whole generation gets every byte once, and where the ring
//! did not keep up, exactly so many bytes are missing as the file says.

use picovd::vd::{Announcing, Refresh, Timing};
use std::time::Duration;

use picovd::files::LogRing;
use picovd_sim::host::system::{Event, LINUX_DESKTOP, MACOS, Profile, System, WINDOWS};
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug;

const MANIFEST: &str = "
[log]
tail = true
ring-size = '64 KiB'
";

const FILE: &str = "STDOUT-TAIL.TXT";

/// A line, numbered.
fn line(number: u64) -> String {
    format!("{number:08} the quick brown fox\r\n")
}

/// A board whose log is followed.
fn board(refresh: Refresh) -> (NativeDevice, &'static LogRing) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let manifest = picovd_manifest::read_text("tail.toml", MANIFEST, folder).expect("the manifest is right");
    let plan = picovd_manifest::check(&manifest, None).and_then(|checked| picovd_manifest::plan(&checked));
    let plan = plan.expect("the manifest is right");
    let mut board = plug::board(plan.clone(), Contents::noise(plan.chip.flash_size as usize));
    board.announcing = Announcing {
        refresh,
        timing: Timing::new(Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2)),
    };
    let device = NativeDevice::new(board);
    let log = device.log().expect("the manifest asks for a log");
    (device, log)
}

/// What a follower has: the text in pieces between which something was lost, and how much.
#[derive(Default)]
struct Followed {
    pieces: Vec<Vec<u8>>,
    lost: u64,
}

impl Followed {
    /// Takes one generation of the file.
    fn take(&mut self, text: &[u8]) {
        let loss = text.strip_prefix(b"[").and_then(|rest| {
            let digits = std::str::from_utf8(rest.get(..15)?).ok()?;
            rest.get(15..)?.starts_with(b" bytes lost]").then(|| digits.parse::<u64>().expect("digits"))
        });
        let text = match loss {
            Some(lost) => {
                self.lost += lost;
                self.pieces.push(Vec::new());
                &text[32..]
            }
            None => text,
        };
        if self.pieces.is_empty() {
            self.pieces.push(Vec::new());
        }
        self.pieces.last_mut().expect("there is one").extend_from_slice(text);
    }

    /// Reads the file whenever a volume was mounted.
    fn follow(&mut self, system: &mut System<'_>, time: Duration) {
        const STEP: Duration = Duration::from_millis(100);
        let end = system.now() + time;
        while system.now() < end {
            system.elapse(STEP);
            if system.take_events().iter().any(|event| matches!(event, Event::Mounted(_))) {
                // What was announced away under the reader comes again.
                if let Ok(text) = system.read(FILE) {
                    self.take(&text);
                }
            }
        }
    }
}

/// Lets a program write so many lines a second for a while, and returns what was written and what was followed.
fn run(profile: Profile, refresh: Refresh, rate: u64, seconds: u64) -> (Vec<u8>, Followed) {
    let (device, log) = board(refresh);
    let mut system = System::boot(profile, Box::new(device)).expect("the stick is right");
    let mut followed = Followed::default();
    let mut written = Vec::new();
    let steps = seconds * 10;
    for step in 0..steps {
        for number in rate * step / 10..rate * (step + 1) / 10 {
            let line = line(number);
            log.write(line.as_bytes());
            written.extend_from_slice(line.as_bytes());
        }
        followed.follow(&mut system, Duration::from_millis(100));
    }
    followed.follow(&mut system, Duration::from_secs(40));
    (written, followed)
}

#[test]
fn nothing_is_lost_and_nothing_repeated_while_the_ring_keeps_up() {
    for profile in [LINUX_DESKTOP, WINDOWS, MACOS] {
        for refresh in [Refresh::Auto, Refresh::Reinsert, Refresh::Reconnect] {
            for (rate, seconds) in [(1, 60), (100, 30)] {
                let (written, followed) = run(profile, refresh, rate, seconds);
                let what = format!("{}, {refresh:?}, {rate} lines a second", profile.name);
                assert_eq!(followed.lost, 0, "{what}");
                let text = followed.pieces.concat();
                assert_eq!(text.len(), written.len(), "{what}");
                assert!(text == written, "{what}");
            }
        }
    }
}

#[test]
fn where_the_ring_does_not_keep_up_the_file_says_how_much_is_missing() {
    // 10,000 lines a second are five times what the ring holds.
    for profile in [LINUX_DESKTOP, WINDOWS] {
        let (written, followed) = run(profile, Refresh::Auto, 10_000, 10);
        // Text that fell out while it was being read shows as NUL, and the next count has it.
        let kept: usize = followed.pieces.iter().flatten().filter(|byte| **byte != 0).count();
        assert!(followed.lost > 0, "{}", profile.name);
        assert_eq!(kept as u64 + followed.lost, written.len() as u64, "{}", profile.name);
        let mut from = 0;
        for piece in &followed.pieces {
            // NUL is where text fell out, and only there.
            let text = &written[from..];
            let place = (0..=text.len() - piece.len())
                .find(|at| text[*at..][..piece.len()].iter().zip(piece).all(|(a, b)| a == b || *b == 0));
            from += place.unwrap_or_else(|| panic!("{}: a piece that was never written", profile.name)) + piece.len();
        }
    }
}
