//! A program that links only while no panic is reachable from what a host or an application may do to the library: its panic
//! handler calls a function that does not exist. `cargo xtask size` builds it for the chip; it is never run, and empty
//! elsewhere.
//!
//! All values that decide anything come out of `black_box`, so that the compiler takes any of them for possible. usb-device is
//! left out: its own panics are in the list of xtask/budgets.toml.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
picovd::tables!(disk);

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use super::disk;
    use core::hint::black_box;
    use picovd::bot::{Direction, Transport};
    use picovd::clock::Instant;
    use picovd::device::Device;
    use picovd::settings::{FlashError, NorFlash, PAGE_LENGTH, Store};
    use picovd::volume::{BoardIdentity, Memory, Volume};

    unsafe extern "C" {
        /// Nowhere.
        safe fn a_panic_is_reachable() -> !;
    }

    #[panic_handler]
    fn on_panic(_: &core::panic::PanicInfo<'_>) -> ! {
        a_panic_is_reachable()
    }

    struct Section;
    critical_section::set_impl!(Section);

    // SAFETY: the program is never run.
    unsafe impl critical_section::Impl for Section {
        unsafe fn acquire() -> critical_section::RawRestoreState {
            black_box(())
        }
        unsafe fn release(_: critical_section::RawRestoreState) {}
    }

    /// Memory of any contents.
    struct Anything;

    impl Memory for Anything {
        fn read(&self, address: u32, out: &mut [u8]) {
            out.fill(black_box(address) as u8);
        }
    }

    impl NorFlash for Anything {
        fn read(&mut self, offset: u32, out: &mut [u8]) {
            out.fill(black_box(offset) as u8);
            black_box(out);
        }

        fn erase(&mut self, _: u32) -> Result<(), FlashError> {
            black_box(Err(FlashError::Failed))
        }

        fn program(&mut self, _: u32, page: &[u8; PAGE_LENGTH]) -> Result<(), FlashError> {
            black_box(page);
            black_box(Ok(()))
        }
    }

    // SAFETY: nothing else in the program has this name.
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let description = black_box(&disk::DESCRIPTION);
        let _ = description.built_in.register(description.files);
        let identity = black_box(Some(BoardIdentity(0)));
        let volume = Volume::new(black_box(description.layout), identity, Anything).with_files(description.files);
        let mut device = Device::new(volume, black_box(description.unit), black_box(description.announcing));
        let mut transport = Transport::new();
        let mut store = Store::open(Anything, black_box(2));
        let mut packet = black_box([0; 256]);
        let mut now = 0;
        loop {
            let number = black_box(0_usize);
            now += number as u64;
            match number {
                0 => transport.receive(packet.get(..black_box(31)).unwrap_or(&packet), &mut device),
                1 => {
                    let length = transport.transmit(&mut packet, &mut device);
                    packet = black_box(packet);
                    black_box(length);
                }
                2 => transport.bulk_only_reset(&mut device),
                3 => transport.bus_reset(&mut device),
                4 => transport.halted_by_host(black_box(Direction::In)),
                5 => {
                    black_box(transport.halt_cleared(black_box(Direction::Out)));
                }
                6 => {
                    black_box((transport.max_lun(&device), transport.halts(), transport.wants_packet()));
                }
                7 => {
                    let length = store.load(&mut packet);
                    packet = black_box(packet);
                    let saved = store.save(packet.get(..black_box(length.unwrap_or(9))).unwrap_or(&packet));
                    black_box((length, saved.is_ok(), store.health()));
                }
                _ => {
                    description.built_in.follow(description.files);
                    let poll = device.poll(Instant(now));
                    black_box((poll.reconnect, poll.again.is_some()));
                }
            }
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
