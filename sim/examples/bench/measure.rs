//! READs of one kind of sector, and what they cost.

use super::pace::{Pace, Paced};
use super::partitioned::program;
use super::wire::{Cable, Port, Seen};
use picovd_sim::board::{ChipIdentity, ElfDevice};
use picovd_sim::host::bot::{CswStatus, Data};
use picovd_sim::host::exfat::Volume;
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::Link;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

/// Blocks of the READs that are measured: a whole read-ahead, a cluster, one.
pub const SIZES: [u32; 3] = [128, 8, 1];
/// Blocks that are read for a measurement, at least.
const ENOUGH: u32 = 256;
/// Endpoint 1 IN among the board's statistics.
const BULK_IN: usize = 2;
const BLOCK: u32 = 512;

/// What READs of one size cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Blocks of one READ.
    pub blocks: u32,
    /// Awake cycles for each sector, the command's share included.
    pub cycles: f64,
    /// Bytes of sectors for each frame.
    pub bytes_per_frame: f64,
    /// Share of the time that a device which never says NAK would take for the same transactions.
    pub share: f64,
    /// NAKs for each packet of data, between packets of data.
    pub naks: f64,
    /// NAKs for each command: before its data, and before its CSW.
    pub command_naks: [f64; 2],
    /// Cycles between an endpoint getting its next packet and the host's asking for it: mean and least.
    pub margin: Option<(f64, i64)>,
}

/// One kind of sector.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub name: &'static str,
    /// By [`SIZES`].
    pub costs: Vec<Cost>,
}

/// A host with the board plugged in.
pub struct Bench {
    port: Port,
    pub(super) initiator: Initiator<'static>,
}

impl Bench {
    /// Boots the firmware, enumerates it, and takes the unit attention away.
    pub fn plug(elf: &[u8], flash_size: usize, pace: Pace) -> Result<Self, Box<dyn Error>> {
        Self::plug_after(Duration::ZERO, elf, flash_size, pace)
    }

    /// The same when the program has run for a while, beside a partition table.
    pub fn plug_after(alone: Duration, elf: &[u8], flash_size: usize, pace: Pace) -> Result<Self, Box<dyn Error>> {
        Self::plug_prepared(alone, elf, flash_size, pace, |_| {})
    }

    /// The same with a board that is prepared before it starts.
    pub fn plug_prepared(
        alone: Duration,
        elf: &[u8],
        flash_size: usize,
        pace: Pace,
        prepare: impl FnOnce(&mut ElfDevice<Paced>),
    ) -> Result<Self, Box<dyn Error>> {
        let mut board: ElfDevice<Paced> = ElfDevice::with_engine(elf, flash_size, ChipIdentity::default())?;
        prepare(&mut board);
        board.machine().core_mut().pace = pace;
        if !alone.is_zero() {
            program(&mut board, flash_size)?;
        }
        board.elapse(alone);
        let port = Port(Rc::new(RefCell::new(Cable { board, seen: Seen::default() })));
        let mut initiator = Initiator::attach(Host::new(Box::new(port.clone())))?;
        initiator.command(0, &[0x00, 0, 0, 0, 0, 0], Data::None)?;
        initiator.command(0, &[0x03, 0, 0, 0, 18, 0], Data::In(18))?;
        Ok(Self { port, initiator })
    }

    /// Where a file, or a folder, is on the volume: its first block, and how many there are of its bytes. Nothing is the root
    /// directory.
    pub fn find(self, path: &str) -> Result<(Self, u32, u32), Box<dyn Error>> {
        let mut disk = Disk::open(self.initiator)?;
        let mut volume = Volume::open(&mut disk)?;
        let root = path.is_empty();
        let node = if root { volume.root() } else { volume.find(path)? };
        let clusters = volume.clusters(&node)?;
        let first = *clusters.first().ok_or_else(|| format!("{path} is empty"))?;
        let cluster = volume.cluster_length() as u32 / BLOCK;
        let lba = volume.boot().cluster_heap_offset + (first - 2) * cluster;
        let blocks = if root { clusters.len() as u32 * cluster } else { (node.data_length as u32).div_ceil(BLOCK) };
        Ok((Self { port: self.port, initiator: disk.initiator }, lba, blocks))
    }

    /// The board.
    pub fn with_board<R>(&mut self, work: impl FnOnce(&mut ElfDevice<Paced>) -> R) -> R {
        work(&mut self.port.0.borrow_mut().board)
    }

    /// Waits until everything that the program has changed so far is announced.
    pub fn settle_down(&mut self) -> Result<(), Box<dyn Error>> {
        for _ in 0..4 {
            self.initiator.wait_ready()?;
            self.initiator.host.elapse(Duration::from_secs(3));
        }
        Ok(self.initiator.wait_ready()?)
    }

    /// Lets time pass, with a TEST UNIT READY at the end.
    pub fn poll_after(&mut self, time: Duration) -> Result<(), Box<dyn Error>> {
        self.initiator.host.elapse(time);
        self.initiator.test_unit_ready()?;
        Ok(())
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        self.initiator.host.elapse(time);
    }

    /// READ(10).
    pub fn read(&mut self, lba: u32, blocks: u32) -> Result<(), Box<dyn Error>> {
        let (a, n) = (lba.to_be_bytes(), blocks.to_be_bytes());
        let cdb = [0x28, 0, a[0], a[1], a[2], a[3], 0, n[2], n[3], 0];
        let outcome = self.initiator.command(0, &cdb, Data::In(blocks * BLOCK))?;
        let whole = outcome.csw.status == CswStatus::CommandPassed && outcome.data.len() as u32 == blocks * BLOCK;
        if whole { Ok(()) } else { Err(format!("READ of {blocks} blocks at {lba} failed").into()) }
    }

    /// Lets the board finish what it does.
    fn settle(&mut self) {
        self.initiator.host.elapse(Duration::from_millis(2));
    }

    /// What sectors of one kind cost: `blocks` of them from `first` on.
    pub fn row(&mut self, name: &'static str, first: u32, blocks: u32) -> Result<Row, Box<dyn Error>> {
        let mut costs: Vec<Cost> = Vec::new();
        for size in SIZES.map(|size| size.min(blocks)) {
            match costs.iter().find(|cost| cost.blocks == size) {
                Some(same) => costs.push(*same),
                None => costs.push(self.cost(first, blocks, size)?),
            }
        }
        if let Some(fault) = self.port.0.borrow().board.fault() {
            return Err(fault.to_owned().into());
        }
        Ok(Row { name, costs })
    }

    fn cost(&mut self, first: u32, blocks: u32, size: u32) -> Result<Cost, Box<dyn Error>> {
        let rounds = ENOUGH.div_ceil(size);
        let place = |round: u32| first + round * size % (blocks - size + 1);

        // Awake cycles: each command alone, so that what follows the CSW is not counted.
        let mut awake = 0;
        for round in 0..rounds.min(16) {
            self.settle();
            self.port.0.borrow_mut().board.machine().statistics().clear();
            self.read(place(round), size)?;
            awake += self.port.0.borrow_mut().board.machine().statistics().awake_cycles;
        }
        let cycles = awake as f64 / f64::from(rounds.min(16) * size);

        // Speed: command after command.
        self.settle();
        {
            let mut cable = self.port.0.borrow_mut();
            cable.board.machine().statistics().clear();
            cable.seen = Seen::default();
        }
        let start = self.port.now();
        for round in 0..rounds {
            self.read(place(round), size)?;
        }
        let time = self.port.now().checked_sub(start).unwrap();
        let mut cable = self.port.0.borrow_mut();
        let (seen, commands) = (cable.seen, f64::from(rounds));
        let margin = cable.board.machine().statistics().endpoints[BULK_IN].margins();
        Ok(Cost {
            blocks: size,
            cycles,
            bytes_per_frame: f64::from(rounds * size * BLOCK) / (time.as_secs_f64() * 1000.0),
            share: seen.ideal.duration().as_secs_f64() / time.as_secs_f64(),
            naks: seen.waits.data as f64 / seen.waits.packets.max(1) as f64,
            command_naks: [seen.waits.command as f64 / commands, seen.waits.status as f64 / commands],
            margin,
        })
    }

    /// Awake cycles by address for READs of one kind of sector, of so many blocks or 128.
    pub fn profile(&mut self, first: u32, blocks: u32) -> Result<BTreeMap<u32, u64>, Box<dyn Error>> {
        let size = blocks.min(128);
        self.settle();
        self.with_board(|board| {
            board.machine().statistics().clear();
            board.machine().core_mut().profile = Some(BTreeMap::new());
        });
        for _ in 0..ENOUGH.div_ceil(size) {
            self.read(first, size)?;
        }
        self.with_board(|board| {
            let profile = board.machine().core_mut().profile.take().unwrap_or_default();
            // Two counts of the same, one by turn and one by instruction.
            let (counted, awake) = (profile.values().sum::<u64>(), board.machine().statistics().awake_cycles);
            if counted == awake {
                Ok(profile)
            } else {
                Err(format!("{counted} cycles by address, {awake} awake").into())
            }
        })
    }
}
