//! The second core's turns.

use super::super::engine::{Engine, Entry, Halt};
use super::super::sio::{Launch, SecondCore};
use super::{Machine, RunState};

/// The second core, once launched.
pub(super) struct Second<E> {
    pub core: E,
    /// Its own time. The first core's is ahead, or behind by the overrun of the last instruction.
    pub now: u64,
}

/// Maximum number of cycles of a turn while both cores are awake. An odd number, so that turns and loops do not
/// synchronize.
const TURN: u32 = 97;

/// If a turn overruns its end by this much, it was a call into the ROM, during which the other core has continued.
const ROM_CALL: u64 = 1000;

impl<E: Engine + Default> Machine<E> {
    /// The end of the first core's turn: some time away if the second core is awake.
    pub(super) fn limit_turn(&mut self, limit: u64) -> u64 {
        let now = self.system.clock.now;
        let Some(second) = &mut self.second else { return limit };
        if second.core.sleeping() {
            // An event since then may wake it.
            second.now = second.now.max(now);
            self.step_second(now);
            self.system.switch(0, now);
        }
        match &self.second {
            Some(second) if !second.core.sleeping() => limit.min(now + 1 + u64::from(self.turns.below(TURN))),
            _ => limit,
        }
    }

    /// The second core's turn: up to the first core's time, which was to reach `limit`.
    pub(super) fn follow(&mut self, limit: u64) {
        let now = self.system.clock.now;
        if let Some(launch) = self.system.sio.launch.take() {
            self.launch(launch);
        }
        if self.system.sio.second_core != SecondCore::Executes {
            // Reset again.
            self.second = None;
            return;
        }
        let in_rom = now > limit.saturating_add(ROM_CALL);
        match &mut self.second {
            Some(second) if second.core.sleeping() && !in_rom => second.now = second.now.max(now),
            _ => {
                while self.second.as_ref().is_some_and(|second| second.now < now) && self.state == RunState::Running {
                    self.step_second(now);
                }
            }
        }
        if self.state == RunState::Running {
            self.system.switch(0, now);
        }
    }

    /// The second core executes up to a cycle, or to the next event of a peripheral.
    fn step_second(&mut self, until: u64) {
        let Some(second) = &mut self.second else { return };
        self.system.switch(1, second.now);
        self.system.advance();
        self.system.clock.limit = until.min(self.system.next_event_of_turn());
        let result = second.core.run(&mut self.system);
        second.now = self.system.clock.now;
        self.system.advance();
        if let Some(what) = self.system.failure.take() {
            self.fail(&what);
        } else if result == Err(Halt) {
            self.fail("stopped without a reason");
        }
        self.report_notes();
    }

    /// The boot ROM's last step for the second core.
    fn launch(&mut self, launch: Launch) {
        let mut core = E::default();
        core.enter(Entry { stack_pointer: launch.stack_pointer, reset_vector: launch.entry });
        self.system.interrupts[1].vector_table = launch.vector_table & !0x7F;
        self.second = Some(Second { core, now: self.system.clock.now });
        if launch.entry & 1 == 0 {
            self.fail(&format!("the second core's entry {:#010x} has no Thumb bit", launch.entry));
        }
    }
}
