//! Contents of files, set and read in any order. Numbers with a fraction are left out: core's formatting of those has places of its
//! own that may panic.

use core::hint::black_box;
use picovd::files::{RingLog, Snapshot, TextBuffer};
use picovd::heapless::String;
use picovd::vd::{Content, Generation};

static TEXT: TextBuffer<100> = TextBuffer::new();
static LOG: RingLog<128> = RingLog::new();
static NAME: Snapshot<String<16>> = Snapshot::new(String::new());
static LIST: Snapshot<(u32, Option<char>, &str)> = Snapshot::json((0, None, ""));

/// One call of one of them.
pub fn act(packet: &mut [u8]) {
    let contents: [&dyn Content; 4] = [&TEXT, &LOG, &NAME, &LIST];
    let text = core::str::from_utf8(packet).unwrap_or_default();
    match black_box(0_u32) {
        0 => write!(TEXT, "{text}"),
        1 => TEXT.push_str(text),
        2 => write!(LOG, "{text}"),
        3 => LOG.write(packet),
        4 => NAME.set(text.try_into().unwrap_or_default()),
        5 => LIST.set(black_box((1, Some('a'), "b"))),
        number => {
            let Some(content) = contents.get(black_box(number as usize)) else { return };
            black_box((content.length(), content.accept(black_box(5))));
            black_box(content.freeze(Generation::default()).length);
            content.read(black_box(1), black_box(2), packet);
        }
    }
}
