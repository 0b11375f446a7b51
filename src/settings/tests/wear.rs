//! How often what is set may be saved.

use super::*;
use embedded_storage::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};

/// Flash with a store in it: two sectors.
struct Flash(Vec<u8>, Arc<Mutex<u32>>);

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, address: u32, out: &mut [u8]) -> Result<(), FlashError> {
        out.copy_from_slice(&self.0[address as usize..][..out.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = PAGE_LENGTH;
    const ERASE_SIZE: usize = SECTOR_LENGTH as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        self.0[from as usize..to as usize].fill(0xFF);
        *self.1.lock().unwrap() += 1;
        Ok(())
    }

    fn write(&mut self, address: u32, page: &[u8]) -> Result<(), FlashError> {
        self.0[address as usize..].iter_mut().zip(page).for_each(|(old, new)| *old &= new);
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}

const SAVED: &str = r#"{"ok":"save","saved":true}"#;
const TOO_OFTEN: &str = r#"{"error":"not saved: too many saves wear the flash out","allowed":"again in a minute"}"#;

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn a_script_at_the_port_cannot_wear_the_flash_out() {
    let settings: &'static Settings<'static> =
        Box::leak(Box::new(Settings::new(*PLAN, Box::leak(Box::new(Room::new())))));
    let count = Arc::new(Mutex::new(0));
    let flash = Flash(vec![0xFF; 8192], count.clone());
    let storage: &'static mut Store<Flash> = Box::leak(Box::new(Store::open(flash, 0, 2)));
    settings.start(storage);
    settings.add(&NEW).unwrap();
    let erases = || *count.lock().unwrap();
    let ask_at = |seconds: u64, line: &str| {
        for byte in line.bytes().chain([b'\r']) {
            settings.take_byte(byte);
        }
        settings.execute(Instant(seconds * 1_000_000));
        let mut out = [0; 200];
        let filled = settings.answer(&mut out);
        settings.answered(filled);
        String::from_utf8(out[..filled].to_vec()).unwrap().trim_end().to_string()
    };
    // An hour at the port, ten saves a second.
    let (mut saved, mut refused) = (0, 0);
    for number in 0..36_000_u64 {
        ask_at(number / 10, &format!(r#"set {{"hold":{number}}}"#));
        match ask_at(number / 10, "save").as_str() {
            SAVED => {
                saved += 1;
                assert_eq!(ask_at(number / 10, "save"), SAVED, "nothing has changed: nothing is written");
            }
            TOO_OFTEN => refused += 1,
            other => panic!("{other}"),
        }
        // Two at the start, and one each minute.
        assert!(u64::from(erases()) <= 2 + number / 600, "{number}");
    }
    assert!(saved > 60 && refused > 30_000, "{saved} saved, {refused} refused");
    assert!((55..=62).contains(&erases()), "{}", erases());
    // What is refused is not lost, and a minute later it is saved.
    assert_eq!(ask_at(3600, "get hold"), r#"{"hold":35999}"#);
    assert_eq!(ask_at(3700, "save"), SAVED);
}
