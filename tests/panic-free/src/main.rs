//! A program that links only while no panic is reachable from what a host or an application may do to the library: its panic
//! handler calls a function that does not exist. `cargo xtask size` builds it for the chip; it is never run, and empty
//! elsewhere.
//!
//! With the feature `application` it has a group of settings, too, which serde-json-core reads: that one's own panics are in the
//! list of xtask/budgets.toml, against which the places are held that the program has then.
//!
//! All values that decide anything come out of `black_box`, so that the compiler takes any of them for possible. usb-device is
//! left out: its own panics are in the list of xtask/budgets.toml.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
picovd::tables!(disk);

#[cfg(all(target_os = "none", feature = "application"))]
mod application;

#[cfg(target_os = "none")]
mod contents;

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use super::disk;
    use core::hint::black_box;
    use picovd::bot::{Direction, PaddingTransport, Transport};
    use picovd::clock::Instant;
    use picovd::device::Device;
    use picovd::dynamic::{FromRegistry, Registered};
    use picovd::settings::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
    use picovd::settings::{Configured, FlashError, PAGE_LENGTH, SECTOR_LENGTH, Storage, Store};
    use picovd::volume::{BoardIdentity, Memory, Volume};

    #[cfg(not(feature = "application"))]
    unsafe extern "C" {
        /// Nowhere.
        safe fn a_panic_is_reachable() -> !;
    }

    #[cfg(not(feature = "application"))]
    #[panic_handler]
    fn on_panic(_: &core::panic::PanicInfo<'_>) -> ! {
        a_panic_is_reachable()
    }

    /// All sites that may get here can be found in the program.
    #[cfg(feature = "application")]
    #[panic_handler]
    fn on_panic(info: &core::panic::PanicInfo<'_>) -> ! {
        loop {
            black_box(info.location());
        }
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

    impl ErrorType for Anything {
        type Error = FlashError;
    }

    impl ReadNorFlash for Anything {
        const READ_SIZE: usize = 1;

        fn read(&mut self, address: u32, out: &mut [u8]) -> Result<(), FlashError> {
            out.fill(black_box(address) as u8);
            black_box(out);
            black_box(Ok(()))
        }

        fn capacity(&self) -> usize {
            black_box(4 << 20)
        }
    }

    impl NorFlash for Anything {
        const WRITE_SIZE: usize = PAGE_LENGTH;
        const ERASE_SIZE: usize = SECTOR_LENGTH as usize;

        fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
            black_box((from, to));
            black_box(Err(FlashError::Failed))
        }

        fn write(&mut self, address: u32, page: &[u8]) -> Result<(), FlashError> {
            black_box((address, page));
            black_box(Ok(()))
        }
    }

    impl MultiwriteNorFlash for Anything {}

    // SAFETY: nothing else in the program has this name.
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let description = black_box(&disk::DESCRIPTION);
        let _ = description.built_in.register(description.files);
        let identity = black_box(Some(BoardIdentity(0)));
        let settings = description.settings;
        let files = Registered::of(description.files);
        let volume = Volume::of(black_box(description.layout), identity, Anything, files, settings);
        let mut device = Device::new(volume, black_box(description.unit), black_box(description.announcing));
        let mut transport = Transport::new();
        let mut padding = PaddingTransport::padding();
        let mut store = Store::open(Anything, black_box(0x3F_D000), black_box(2));
        let mut kept = Store::open(Anything, black_box(0x3F_D000), black_box(2));
        if let Some(settings) = settings.settings() {
            let kept = &raw mut kept;
            // SAFETY: this function does not return, and nothing else uses it.
            let kept = unsafe { &mut *kept };
            settings.start(kept as &mut (dyn Storage + Send));
            #[cfg(feature = "application")]
            black_box(super::application::add(settings));
        }
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
                8 => {
                    let Some(settings) = settings.settings() else { continue };
                    settings.listen(|packet| {
                        *packet = black_box([0; 64]);
                        black_box(64)
                    });
                    settings.execute(black_box(picovd::clock::Instant(1)));
                    let length = settings.answer(&mut packet);
                    packet = black_box(packet);
                    settings.answered(black_box(length));
                    settings.printed(packet.get(..black_box(length)).unwrap_or(&packet));
                    settings.forget_printed();
                    if black_box(false) {
                        settings.disconnect();
                    }
                }
                9 => {
                    let Some(settings) = settings.settings() else { continue };
                    let mut strings = [[0; 96]; 2];
                    black_box((settings.take_restart(), settings.take_changed()));
                    black_box((settings.announcing(), settings.usb_strings(&mut strings)));
                    #[cfg(feature = "application")]
                    black_box(super::application::change(settings));
                }
                10 => {
                    if padding.wants_packet() {
                        padding.receive(packet.get(..black_box(31)).unwrap_or(&packet), &mut device);
                    }
                    let length = padding.transmit(&mut packet, &mut device);
                    packet = black_box(packet);
                    if black_box(length).is_none() {
                        padding.bulk_only_reset(&mut device);
                        padding.bus_reset(&mut device);
                    }
                }
                11 => super::contents::act(&mut packet),
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
