//! What the bus and the processor did, counted in emulated time.
//!
//! The margin to re-arm is more precise than bytes per frame: a driver that is one cycle late costs a NAK, and one NAK for
//! each packet costs two packets per frame (FACTS 7).

use std::collections::VecDeque;
use std::fmt;

use super::clocks::CPU_MHZ;

/// CPU cycles that a driver has to arm an endpoint again before the next token finds it busy (FACTS 7).
pub const REARM_BUDGET: u64 = 500;
/// Length of a packet that may be followed by more.
const FULL_PACKET: u32 = 64;

/// Maximum payload of 64-byte bulk packets in a full-speed frame (USB 2.0 5.8.4): 19 packets.
pub const FRAME_LIMIT: u64 = 19 * 64;

/// Bytes of a sector.
const SECTOR: f64 = 512.0;

/// Numbers of one endpoint and direction.
#[derive(Clone, Debug, Default)]
pub struct EndpointCount {
    /// Packets moved.
    pub packets: u64,
    /// Payload bytes moved.
    pub bytes: u64,
    /// Tokens that were answered with NAK.
    pub naks: u64,
    /// Times an endpoint was armed again after a packet.
    pub rearmed: u64,
    /// Cycles from the end of a packet until its endpoint was armed again: sum, minimum, maximum.
    pub rearm_cycles: u64,
    /// The minimum.
    pub rearm_least: Option<u64>,
    /// The maximum, including waits for the host or for work.
    pub rearm_most: u64,
    completed_at: Option<u64>,
    /// Margins between two packets of full length: their number, the number that were not negative, their sum, the minimum.
    margins: u64,
    margins_kept: u64,
    margin_sum: i64,
    margin_least: Option<i64>,
    /// When the packets in the endpoint were handed over.
    waiting: VecDeque<u64>,
    /// End of the last packet of full length, if nothing has followed it yet.
    followed_by_nothing: Option<u64>,
}

impl EndpointCount {
    /// How long before the host's next token the next packet was ready, in cycles, negative if it was late: mean and
    /// minimum over packets that follow one of full length. A packet that was ready before its predecessor was sent, in a
    /// second packet buffer, has a margin above the budget.
    #[must_use]
    pub fn margins(&self) -> Option<(f64, i64)> {
        self.margin_least.map(|least| (self.margin_sum as f64 / self.margins as f64, least))
    }

    fn margin_of(&mut self, completed: u64, armed: u64) {
        let margin = completed as i64 + REARM_BUDGET as i64 - armed as i64;
        self.margins += 1;
        self.margins_kept += u64::from(margin >= 0);
        self.margin_sum += margin;
        self.margin_least = Some(self.margin_least.map_or(margin, |least| least.min(margin)));
    }

    /// Mean number of cycles left of the budget: negative if the driver is late on average.
    #[must_use]
    pub fn margin(&self) -> Option<f64> {
        (self.rearmed > 0).then(|| REARM_BUDGET as f64 - self.rearm_cycles as f64 / self.rearmed as f64)
    }
}

/// Counters since the last [`Statistics::clear`].
#[derive(Clone, Debug)]
pub struct Statistics {
    /// By endpoint and direction: 2 n for IN, 2 n + 1 for OUT.
    pub endpoints: Vec<EndpointCount>,
    /// Frames that began.
    pub frames: u64,
    /// Payload bytes of bulk endpoints in the current frame.
    frame_bytes: u64,
    /// Maximum payload in one frame.
    pub frame_most: u64,
    /// Frames with payload, and how much.
    pub busy_frames: u64,
    /// Payload bytes in them.
    pub busy_bytes: u64,
    /// SETUP packets that found endpoint 0 armed for the control transfer that they ended.
    pub voided: u64,
    /// Maximum number of cycles that it stayed armed: above [`SETUP_WINDOW`](super::device::SETUP_WINDOW), the host's next
    /// token may get the previous transfer's data.
    pub voided_most: u64,
    voided_at: Option<u64>,
    /// Instructions executed.
    pub instructions: u64,
    /// Cycles not spent asleep.
    pub awake_cycles: u64,
    /// Total number of cycles.
    pub cycles: u64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            endpoints: vec![EndpointCount::default(); 32],
            frames: 0,
            frame_bytes: 0,
            frame_most: 0,
            busy_frames: 0,
            busy_bytes: 0,
            voided: 0,
            voided_most: 0,
            voided_at: None,
            instructions: 0,
            awake_cycles: 0,
            cycles: 0,
        }
    }
}

impl Statistics {
    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// A buffer completed.
    pub fn completed(&mut self, i: usize, now: u64, bytes: u32) {
        let count = &mut self.endpoints[i];
        count.packets += 1;
        count.bytes += u64::from(bytes);
        count.completed_at = Some(now);
        count.waiting.pop_front();
        if bytes == FULL_PACKET {
            match count.waiting.front() {
                Some(&armed) => count.margin_of(now, armed),
                None => count.followed_by_nothing = Some(now),
            }
        }
        if i >= 2 {
            self.frame_bytes += u64::from(bytes);
        }
    }

    /// A buffer was handed to the controller.
    pub fn armed(&mut self, i: usize, now: u64) {
        let count = &mut self.endpoints[i];
        count.waiting.push_back(now);
        if let Some(at) = count.followed_by_nothing.take() {
            count.margin_of(at, now);
        }
        if let Some(at) = count.completed_at.take() {
            let cycles = now.saturating_sub(at);
            count.rearmed += 1;
            count.rearm_cycles += cycles;
            count.rearm_least = Some(count.rearm_least.map_or(cycles, |least| least.min(cycles)));
            count.rearm_most = count.rearm_most.max(cycles);
        }
    }

    /// A buffer was taken back from the controller, unused.
    pub fn disarmed(&mut self, i: usize) {
        self.endpoints[i].waiting.pop_back();
    }

    /// A SETUP packet came while endpoint 0 was armed for the previous transfer.
    pub fn void_begins(&mut self, now: u64) {
        self.voided += 1;
        self.voided_at = Some(now);
    }

    /// Whether that was not disarmed yet.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.voided_at.is_some()
    }

    /// It was disarmed, or the host has received it.
    pub fn void_ends(&mut self, now: u64) {
        if let Some(at) = self.voided_at.take() {
            self.voided_most = self.voided_most.max(now.saturating_sub(at));
        }
    }

    /// A token was answered with NAK.
    pub fn nak(&mut self, i: usize) {
        self.endpoints[i].naks += 1;
    }

    /// A frame begins.
    pub fn frame(&mut self) {
        self.frames += 1;
        let bytes = std::mem::take(&mut self.frame_bytes);
        self.frame_most = self.frame_most.max(bytes);
        if bytes > 0 {
            self.busy_frames += 1;
            self.busy_bytes += bytes;
        }
    }

    /// Mean payload of frames with any.
    #[must_use]
    pub fn bytes_per_frame(&self) -> f64 {
        if self.busy_frames == 0 { 0.0 } else { self.busy_bytes as f64 / self.busy_frames as f64 }
    }

    /// Awake cycles for every 512 bytes that endpoint and direction `i` transferred.
    #[must_use]
    pub fn cycles_per_sector(&self, i: usize) -> Option<f64> {
        let bytes = self.endpoints.get(i)?.bytes;
        (bytes > 0).then(|| self.awake_cycles as f64 * SECTOR / bytes as f64)
    }

    /// The bulk IN endpoint with the most bytes.
    fn busiest(&self) -> Option<usize> {
        let moved = |i: &usize| self.endpoints.get(*i).map_or(0, |count| count.bytes);
        (2..self.endpoints.len()).step_by(2).filter(|i| moved(i) > 0).max_by_key(moved)
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, busy_frames, frame_most, instructions, cycles, awake_cycles, .. } = self;
        writeln!(f, "The emulated board, at {CPU_MHZ} MHz on a full-speed bus:")?;
        let average = self.bytes_per_frame();
        writeln!(
            f,
            "  frames          {frames} of 1 ms, {busy_frames} with bulk data: {average:.0} bytes a frame, at most \
             {frame_most} of {FRAME_LIMIT}"
        )?;
        write!(f, "  processor       {instructions} instructions, awake for {awake_cycles} of {cycles} cycles")?;
        if let Some(cycles) = self.busiest().and_then(|i| self.cycles_per_sector(i)) {
            write!(f, ": {cycles:.0} cycles a sector")?;
        }
        writeln!(f)?;
        for (i, count) in self.endpoints.iter().enumerate().filter(|(_, count)| count.packets + count.naks > 0) {
            let name = format!("endpoint {} {}", i / 2, if i & 1 == 0 { "IN" } else { "OUT" });
            let naks = count.naks as f64 / count.packets.max(1) as f64;
            write!(f, "  {name:<16}{} packets, {} bytes, {naks:.2} NAKs a packet", count.packets, count.bytes)?;
            // Endpoint 0 waits for the host's next request, and so does OUT: their times say nothing about the driver.
            if let (Some((mean, least)), true) = (count.margins(), i >= 2 && i & 1 == 0) {
                // Rounded down: 100 % means always in time.
                let share = (count.margins_kept as f64 * 100.0 / count.margins as f64).floor();
                write!(
                    f,
                    ",\n{:18}margin to re-arm {mean:.0} cycles on average, {least} at least, {share:.0} % in time",
                    ""
                )?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_what_is_shown() {
        let mut statistics =
            Statistics { awake_cycles: 3000, cycles: 9000, instructions: 2000, ..Statistics::default() };
        // Two sectors in one frame; a packet is armed in time, the next too late, then one NAK for each two packets.
        for packet in 0..16u64 {
            statistics.completed(2, packet * 1000, 64);
            statistics.armed(2, packet * 1000 + if packet % 2 == 0 { 400 } else { 700 });
            (0..packet % 2).for_each(|_| statistics.nak(2));
        }
        statistics.frame();
        statistics.frame();
        assert_eq!(statistics.bytes_per_frame(), 1024.0);
        assert_eq!(statistics.cycles_per_sector(2), Some(1500.0));
        assert_eq!(statistics.endpoints[2].margin(), Some(-50.0));
        let text = statistics.to_string();
        for part in [
            "2 of 1 ms, 1 with bulk data: 1024 bytes a frame, at most 1024 of 1216",
            "awake for 3000 of 9000 cycles: 1500 cycles a sector",
            "16 packets, 1024 bytes, 0.50 NAKs a packet",
            "margin to re-arm -50 cycles on average, -200 at least, 50 % in time",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }
}
