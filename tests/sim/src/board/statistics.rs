//! What the bus and the processor did, counted in emulated time.

use std::fmt;

/// CPU cycles that a driver has to arm an endpoint again before the next token finds it busy (FACTS 7).
pub const REARM_BUDGET: u64 = 500;

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
    /// Cycles from the end of a packet until its endpoint was armed again: sum, least, most.
    pub rearm_cycles: u64,
    /// Least of them.
    pub rearm_least: Option<u64>,
    /// Most of them, waits for the host or for work included.
    pub rearm_most: u64,
    completed_at: Option<u64>,
}

impl EndpointCount {
    /// Mean cycles left of the budget: negative if the driver is late on the average.
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
    /// Payload bytes of bulk endpoints in the frame under way.
    frame_bytes: u64,
    /// Most payload bytes in one frame.
    pub frame_most: u64,
    /// Frames that moved payload, and what they moved.
    pub busy_frames: u64,
    /// Payload bytes in them.
    pub busy_bytes: u64,
    /// Instructions executed.
    pub instructions: u64,
    /// Cycles not slept away.
    pub awake_cycles: u64,
    /// Cycles in all.
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
        if i >= 2 {
            self.frame_bytes += u64::from(bytes);
        }
    }

    /// A buffer was handed to the controller.
    pub fn armed(&mut self, i: usize, now: u64) {
        let count = &mut self.endpoints[i];
        if let Some(at) = count.completed_at.take() {
            let cycles = now.saturating_sub(at);
            count.rearmed += 1;
            count.rearm_cycles += cycles;
            count.rearm_least = Some(count.rearm_least.map_or(cycles, |least| least.min(cycles)));
            count.rearm_most = count.rearm_most.max(cycles);
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

    /// Mean payload bytes in frames that moved any.
    #[must_use]
    pub fn bytes_per_frame(&self) -> f64 {
        if self.busy_frames == 0 { 0.0 } else { self.busy_bytes as f64 / self.busy_frames as f64 }
    }

    /// Awake cycles for every 512 bytes that endpoint and direction `i` moved.
    #[must_use]
    pub fn cycles_per_sector(&self, i: usize) -> Option<f64> {
        let bytes = self.endpoints.get(i)?.bytes;
        (bytes > 0).then(|| self.awake_cycles as f64 * 512.0 / bytes as f64)
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "frames {}, busy {}, bytes per busy frame {:.0}, most {}",
            self.frames,
            self.busy_frames,
            self.bytes_per_frame(),
            self.frame_most
        )?;
        writeln!(f, "instructions {}, cycles {}, awake {}", self.instructions, self.cycles, self.awake_cycles)?;
        for (i, count) in self.endpoints.iter().enumerate().filter(|(_, count)| count.packets + count.naks > 0) {
            let direction = if i & 1 == 0 { "IN" } else { "OUT" };
            write!(
                f,
                "endpoint {} {direction}: {} packets, {} bytes, {:.2} NAKs a packet",
                i / 2,
                count.packets,
                count.bytes,
                count.naks as f64 / count.packets.max(1) as f64
            )?;
            if let (Some(margin), Some(least)) = (count.margin(), count.rearm_least) {
                write!(f, ", re-armed after {least} to {} cycles, mean margin {margin:.0}", count.rearm_most)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
