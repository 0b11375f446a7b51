//! The effects of the boot ROM's functions on the board.

use super::super::bootrom::Services;
use super::super::clocks::CPU_MHZ;
use super::super::engine::{Bus, Halt};
use super::super::flash::Flash;
use super::super::interrupts::{IRQ_BASE, IRQ_COUNT, SYSTICK};
use super::xip::is_flash;
use super::{ResetRequest, SRAM_BASE, SRAM_SIZE, System};

/// The board as the ROM sees it during a call.
pub(super) struct Gate<'a> {
    pub system: &'a mut System,
    /// Whether the caller has masked all interrupts, with PRIMASK or FAULTMASK. BASEPRI still allows urgent ones.
    pub masked: bool,
}

impl Services for Gate<'_> {
    fn read(&mut self, address: u32) -> Result<u32, String> {
        self.system.load32(address).map_err(|Halt| format!("argument at {address:#010x}"))
    }

    fn write(&mut self, address: u32, value: u32) -> Result<(), String> {
        if address.wrapping_sub(SRAM_BASE) as usize >= SRAM_SIZE {
            return Err(format!("result to {address:#010x}, outside SRAM"));
        }
        self.system.store32(address, value).map_err(|Halt| format!("result to {address:#010x}"))
    }

    fn spend_us(&mut self, microseconds: u64) {
        self.system.clock.now += microseconds * CPU_MHZ;
        self.system.flash_busy = self.system.clock.now;
    }

    fn flash(&mut self) -> &mut Flash {
        &mut self.system.flash
    }

    fn flash_changed(&mut self, offset: usize) {
        self.system.stale.get_or_insert(offset);
        self.system.code_changed();
    }

    fn connect_xip(&mut self, connected: bool) {
        self.system.xip_connected = connected;
        // Decoded code in flash is not executed while flash is inaccessible.
        self.system.code_changed();
    }

    fn reset_pads(&mut self) {
        for pads in &mut self.system.qspi {
            pads.reset();
        }
    }

    fn exit_xip(&mut self) {
        self.system.serial = true;
        self.system.read_slowly();
    }

    fn obstacle(&mut self) -> Option<String> {
        if !self.system.serial {
            return Some("flash operation before flash_exit_xip: the chip does not take commands".into());
        }
        (!self.system.second_core_is_out_of_flash())
            .then(|| "flash operation while the second core runs from flash".into())
    }

    fn flush_cache(&mut self) {
        self.system.stale = None;
    }

    fn translate(&self, offset: u32) -> Option<u32> {
        self.system.translated_offset(offset)
    }

    fn reset_translation(&mut self) {
        self.system.qmi.reset();
        self.system.translated = false;
        self.system.code_changed();
    }

    fn interruption(&self) -> Option<String> {
        if self.masked {
            return None;
        }
        let (interrupts, ppb) = (&self.system.interrupts[self.system.core], &self.system.ppb[self.system.core]);
        let table = interrupts.vector_table;
        if is_flash(table) {
            return Some(format!("the vector table at {table:#010x}"));
        }
        let comes = |exception| interrupts.is_enabled(exception) && (exception != SYSTICK || ppb.systick_interrupts());
        (SYSTICK..IRQ_BASE + IRQ_COUNT).filter(|exception| comes(*exception)).find_map(|exception| {
            let handler = self.system.sram_word(table.wrapping_add(4 * u32::from(exception)));
            is_flash(handler).then(|| format!("the handler of exception {exception} at {handler:#010x}"))
        })
    }

    fn reboot(&mut self, flags: u32, delay_ms: u32, parameters: [u32; 2]) {
        let at = self.system.clock.now + u64::from(delay_ms) * 1000 * CPU_MHZ;
        self.system.request = Some(ResetRequest::Reboot { flags, parameters, delay: delay_ms, at });
    }

    fn power_cut(&mut self) {
        self.system.request = Some(ResetRequest::PowerCut);
    }
}
