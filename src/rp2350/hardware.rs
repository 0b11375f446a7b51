//! The chip as a stick's platform: identity, flash, partitions, settings. Needs no HAL.

use super::flash::SettingsFlash;
use super::memory::{self, AddressSpace};
use super::partitions::Bootrom;
use super::{board_id, boot_info, processor, reboot, xip};
use crate::files::{BoardFacts, PartitionFiles, PartitionPlan};
use crate::settings::{Configured, Plan, Storage, Store, Volatile};
use crate::stick::{self, Description, Firmware, Found, Platform};
use crate::vd::Files;
use crate::volume::layout::Redactions;
use crate::volume::{BoardIdentity, Memory};
use core::sync::atomic::{AtomicPtr, Ordering};
use rp235x_pac as pac;
use static_cell::{ConstStaticCell, StaticCell};

/// The chip, as far as a stick needs to know it.
#[derive(Clone, Copy, Debug)]
pub struct Chip;

impl Chip {
    /// What a program with a USB stack of its own does once, before a host can see the disk: finds out about the board, sets up
    /// what the description asks for, and returns what was found.
    ///
    /// `None` if it was called before.
    #[must_use]
    pub fn boot<F: Firmware<'static>>(self, description: &Description<'static, F::Settings>) -> Option<Found<'static>> {
        processor::singleton!(: () = ())?;
        Some(self.begin::<F>(description))
    }

    /// The same, for a caller that knows that it is the first one.
    #[inline]
    pub(super) fn begin<F: Firmware<'static>>(
        mut self,
        description: &Description<'static, F::Settings>,
    ) -> Found<'static> {
        if let Some(log) = description.built_in.log {
            crate::files::set_log(log);
        }
        #[cfg(feature = "defmt")]
        if let Some(ring) = description.built_in.defmt {
            super::defmt::set_ring(ring);
        }
        if description.program_in_sram {
            xip::connect();
        }
        #[cfg(target_arch = "arm")]
        if F::crash().is_some() {
            super::crash::guard_stack();
        }
        stick::boot::<_, F>(&mut self, description)
    }

    /// The USB device's serial number: of the manifest, or of the board.
    #[must_use]
    pub fn serial_number<S>(self, description: &Description<'static, S>) -> &'static str {
        static ROOM: StaticCell<[u8; 16]> = StaticCell::new();
        /// Set once. Stored with release and loaded with acquire, so that either core sees the digits.
        static DIGITS: AtomicPtr<[u8; 16]> = AtomicPtr::new(core::ptr::null_mut());

        let board = || {
            let digits = critical_section::with(|_| {
                let make = || board_id::read().unwrap_or(BoardIdentity(0)).digits();
                if let Some(digits) = ROOM.try_init_with(make) {
                    DIGITS.store(digits, Ordering::Release);
                }
                // SAFETY: the pointer is null, or digits that are never freed or changed.
                unsafe { DIGITS.load(Ordering::Acquire).as_ref() }
            });
            // The digits are ASCII.
            digits.and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or_default()
        };
        description.usb_serial.unwrap_or_else(board)
    }

    /// Connects the USB controller's pull-up resistor, or disconnects it: then the device is not on the bus. For drivers that
    /// leave it connected from their start on.
    pub fn pull_up(self, on: bool) {
        /// Aliases of registers that set and clear bits (section 2.1.3).
        const SET: usize = 0x2000;
        const CLEAR: usize = 0x3000;
        /// SIE_CTRL's PULLUP_EN (section 12.7.4).
        const PULLUP_EN: u32 = 1 << 16;

        // SAFETY: an alias of a register of the USB controller, which changes that bit only.
        unsafe {
            let register = (*pac::USB::ptr()).sie_ctrl().as_ptr();
            register.byte_add(if on { SET } else { CLEAR }).write_volatile(PULLUP_EN);
        }
    }

    /// Restarts the program a tenth of a second later, so that what is being sent still arrives.
    pub fn restart_soon(self) {
        reboot::to_flash();
    }
}

impl Platform<'static> for Chip {
    type Memory = AddressSpace;

    fn identity(&mut self) -> Option<BoardIdentity> {
        board_id::read()
    }

    fn flash(&mut self, reserved: u32) -> Option<u32> {
        boot_info::flash(reserved)
    }

    fn hide<S: Configured<'static>>(&mut self, settings: S, redacted: Redactions<'static>, flash: u32) {
        memory::hide(settings, redacted, flash);
    }

    fn facts(&mut self, identity: Option<BoardIdentity>, flash: Option<u32>) -> BoardFacts<'static> {
        boot_info::read(identity, flash)
    }

    #[inline(never)]
    fn show_partitions(&mut self, plan: PartitionPlan<'static>, files: &'static Files<'static>) {
        // Built at compile time: it would not fit on the stack.
        static ROOM: ConstStaticCell<PartitionFiles<'static, AddressSpace>> =
            ConstStaticCell::new(PartitionFiles::new());
        if let Some(room) = ROOM.try_take() {
            // The manifest's checks ensure that PARTITIONS.JSON has room, and an error could not be reported.
            let _ = room.register(plan, &mut Bootrom, AddressSpace, files);
        }
    }

    fn storage(&mut self, plan: &Plan<'static>, flash: Option<u32>) -> Option<&'static mut (dyn Storage + Send)> {
        let chip = flash.and_then(SettingsFlash::new);
        let store = chip.and_then(|chip| {
            // Hidden, because it contains checksums of secrets, from which short secrets could be guessed.
            #[unsafe(link_section = ".settings.store")]
            static STORE: StaticCell<Store<SettingsFlash>> = StaticCell::new();
            let store = STORE.try_init_with(|| Store::open(chip, plan.start, plan.sectors))?;
            Some(store as &'static mut (dyn Storage + Send))
        });
        let volatile =
            || processor::singleton!(: Volatile = Volatile).map(|storage| storage as &'static mut (dyn Storage + Send));
        store.or_else(volatile)
    }

    fn reach(&mut self) -> Option<(&'static (dyn Memory + Sync), &'static (dyn Fn() + Sync))> {
        Some((&AddressSpace, &|| reboot::to_bootsel(false, false, None)))
    }

    fn strings(&mut self) -> Option<&'static mut [[u8; 96]; 2]> {
        processor::singleton!(: [[u8; 96]; 2] = [[0; 96]; 2])
    }
}
