//! What the firmware tells about the board: who it is, why it was reset, what it panicked of.

use super::panic::{self, Reason};
use crate::files::{BoardFacts, ResetReason};
use crate::volume::BoardIdentity;
use rp235x_hal::{pac, rom_data};

/// Finds out. To be called once, at boot; the kept panic is taken.
#[must_use]
pub fn read(identity: Option<BoardIdentity>) -> BoardFacts<'static> {
    let kept = cortex_m::singleton!(: Option<Reason> = panic::take_reason());
    let panic = kept.and_then(|reason| reason.as_ref()).map(Reason::text);
    let reset = if panic.is_some() { ResetReason::Panic } else { reset() };
    BoardFacts { chip: "RP2350", bootrom: Some(rom_data::rom_version_number()), identity, reset, panic }
}

/// Why the chip was reset (sections 12.9.7 and 6.4). The watchdog's answer comes first: its resets leave what the power
/// manager knows of the last one of the whole chip.
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
