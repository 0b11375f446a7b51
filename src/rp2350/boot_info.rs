//! The board's facts: its identity, why it was reset, its last panic.

use super::memory::RawMemory;
use super::panic::{self, Reason};
use super::rom::rom;
use super::{processor, rom_table};
use crate::chip::flash_length;
use crate::files::{BoardFacts, ResetReason};
use crate::volume::BoardIdentity;
use rp235x_pac as pac;

/// Collects them. To be called once, at boot, because it consumes the stored panic.
pub(super) fn read(identity: Option<BoardIdentity>, flash: Option<u32>) -> BoardFacts<'static> {
    let kept = processor::singleton!(: Option<Reason> = panic::take_reason());
    let panic = kept.and_then(|reason| reason.as_ref()).map(Reason::text);
    let reset = if panic.is_some() { ResetReason::Panic } else { reset() };
    BoardFacts { chip: "RP2350", bootrom: Some(rom_table::version()), flash, identity, reset, panic }
}

/// Length in bytes of the flash chip, if that is less than `reserved`.
///
/// From the bootrom, which reads FLASH_DEVINFO in OTP (sections 5.4.8.17 and 13.10): 16 MiB if it was never written, as on
/// the Pico 2.
#[must_use]
pub fn flash(reserved: u32) -> Option<u32> {
    const FLASH_DEV_INFO: u32 = 0x0008;
    let mut words = [0; 2];
    let filled = rom(|rom| rom.get_sys_info(&mut words, FLASH_DEV_INFO));
    let [known, info] = words;
    // CS0_SIZE, bits 8 to 11: 1 for 8 KiB, doubling with each step.
    let size = info >> 8 & 0xF;
    let told = (filled == 2 && known & FLASH_DEV_INFO != 0 && size != 0).then(|| 4096 << size);
    flash_length(&RawMemory, reserved, told)
}

/// Why the chip was reset (sections 12.9.7 and 6.4). The watchdog is checked first: its resets do not change what the power
/// manager reports about the last reset of the whole chip.
fn reset() -> ResetReason {
    // SAFETY: both registers are read-only, and reading them has no side effect.
    let (watchdog, chip) =
        unsafe { ((*pac::WATCHDOG::ptr()).reason().read(), (*pac::POWMAN::ptr()).chip_reset().read()) };
    let bitten = chip.had_watchdog_reset_powman_async().bit()
        || chip.had_watchdog_reset_powman().bit()
        || chip.had_watchdog_reset_swcore().bit()
        || chip.had_watchdog_reset_rsm().bit();
    let reasons = [
        (watchdog.force().bit(), ResetReason::Requested),
        (watchdog.timer().bit() || bitten, ResetReason::Watchdog),
        (chip.had_rescue().bit(), ResetReason::Rescue),
        (chip.had_dp_reset_req().bit() || chip.had_hzd_sys_reset_req().bit(), ResetReason::Debugger),
        (chip.had_glitch_detect().bit(), ResetReason::Glitch),
        (chip.had_run_low().bit(), ResetReason::RunPin),
        (chip.had_bor().bit(), ResetReason::BrownOut),
        (chip.had_por().bit(), ResetReason::PowerOn),
        (chip.had_swcore_pd().bit(), ResetReason::PowerDown),
    ];
    reasons.into_iter().find_map(|(was, reason)| was.then_some(reason)).unwrap_or_default()
}
