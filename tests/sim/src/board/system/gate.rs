//! What the boot ROM's functions do to the board.

use super::super::bootrom::Services;
use super::super::clocks::CPU_MHZ;
use super::super::engine::{Bus, Halt};
use super::super::flash::{Flash, SECTOR};
use super::{M0_TIMING, M1, ResetRequest, SLOW, SRAM_BASE, SRAM_SIZE, System};

/// The board as the ROM sees it during a call.
pub(super) struct Gate<'a> {
    pub system: &'a mut System,
    /// Whether the caller has masked interrupts.
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
        self.system.stale.push(offset / SECTOR);
        self.system.code_changed();
    }

    fn connect_xip(&mut self, connected: bool) {
        self.system.xip_connected = connected;
        // Decoded code of flash is not executed while flash is away.
        self.system.code_changed();
    }

    fn reset_pads(&mut self) {
        for pads in &mut self.system.qspi {
            pads.reset();
        }
    }

    fn exit_xip(&mut self) {
        self.system.serial = true;
        for (n, word) in SLOW.into_iter().enumerate() {
            self.system.qmi.preset(M0_TIMING + 4 * n as u32, word);
            self.system.qmi.preset(M1[n], word);
        }
    }

    fn obstacle(&mut self) -> Option<String> {
        if !self.system.serial {
            return Some("flash operation before flash_exit_xip: the chip does not take commands".into());
        }
        (!self.system.second_core_is_out_of_flash())
            .then(|| "flash operation while the second core runs from flash".into())
    }

    fn flush_cache(&mut self) {
        self.system.stale.clear();
    }

    fn translate(&self, offset: u32) -> Option<u32> {
        self.system.translated_offset(offset)
    }

    fn reset_translation(&mut self) {
        self.system.qmi.reset();
        self.system.translated = false;
        self.system.code_changed();
    }

    fn interruptible(&self) -> bool {
        !self.masked && (16..68).any(|n| self.system.interrupts[self.system.core].is_enabled(n))
    }

    fn reboot(&mut self, flags: u32, delay_ms: u32, parameters: [u32; 2]) {
        let at = self.system.clock.now + u64::from(delay_ms) * 1000 * CPU_MHZ;
        self.system.request = Some(ResetRequest::Reboot { flags, parameters, at });
    }

    fn power_cut(&mut self) {
        self.system.request = Some(ResetRequest::PowerCut);
    }
}
