//! Reads of all sizes and positions, and writes, which are refused.

use super::{Context, StoryError, ensure};
use crate::host::bot::Data;
use crate::host::scsi::{Sense, opcode, read_cdb};

/// Number of blocks at the start that never change: boot regions, FAT, bitmap.
const STABLE: u32 = 64;

pub(super) fn reads_agree(context: &mut Context<'_>) -> Result<(), StoryError> {
    for (lba, count) in [(0, 1), (0, 8), (7, 1), (11, 13), (24, 40), (0, STABLE)] {
        let ten = context.read(10, lba, count)?;
        for size in [6, 12, 16] {
            ensure!(context.read(size, lba, count)? == ten, "READ({size}) of {count} at {lba} differs from READ(10)");
        }
    }
    // No transfer length: 256 blocks for READ(6), none for the others (SBC-3 5.10, 5.11).
    let outcome = context.initiator.scsi(&read_cdb(6, 0, 0), Data::In(256 * 512))?;
    ensure!(outcome.data.len() == 256 * 512, "READ(6) of length 0: {} bytes", outcome.data.len());
    ensure!(outcome.data[..4096] == context.read(10, 0, 8)?[..], "READ(6) of length 0 gives other data");
    for size in [10, 12, 16] {
        let outcome = context.initiator.scsi(&read_cdb(size, 0, 0), Data::None)?;
        ensure!(outcome.csw.residue == 0, "READ({size}) of length 0: residue {}", outcome.csw.residue);
    }
    Ok(())
}

pub(super) fn odd_reads(context: &mut Context<'_>) -> Result<(), StoryError> {
    let stable = context.read(10, 0, STABLE)?;
    for round in 0..200 {
        let lba = context.random.below(STABLE);
        let count = 1 + context.random.below((STABLE - lba).min(20));
        let data = context.read(10, u64::from(lba), count)?;
        let expected = &stable[lba as usize * 512..(lba + count) as usize * 512];
        ensure!(data == expected, "round {round}: {count} blocks at {lba} differ from the same in a longer read");
    }
    let last = context.block_count - 1;
    context.read(10, last, 1)?;
    context.read(16, last, 1)?;
    for _ in 0..50 {
        let count = 1 + context.random.below(255);
        let room = context.block_count.saturating_sub(u64::from(count));
        let lba = u64::from(context.random.below(u32::try_from(room).unwrap_or(u32::MAX)));
        context.read(12, lba, count)?;
    }
    Ok(())
}

pub(super) fn out_of_range(context: &mut Context<'_>) -> Result<(), StoryError> {
    let end = context.block_count;
    let mut reads = vec![
        read_cdb(10, end, 1),
        read_cdb(10, end - 1, 2),
        read_cdb(10, u64::from(u32::MAX), 1),
        read_cdb(10, 0, 0xFFFF).into_iter().collect(),
        read_cdb(12, end - 8, 9),
        read_cdb(12, 1, u32::MAX),
        read_cdb(16, end, 1),
        read_cdb(16, 1 << 32, 1),
        read_cdb(16, u64::MAX, u32::MAX),
    ];
    if end > 0xFFFF {
        reads.remove(3);
    }
    if end < 1 << 21 {
        reads.push(read_cdb(6, (1 << 21) - 1, 1));
    }
    for cdb in reads {
        context.refused_without_data(&cdb, Data::In(512), Sense::LBA_OUT_OF_RANGE)?;
    }
    let verify = [opcode::VERIFY_10, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 1, 0];
    context.refused_without_data(&verify, Data::None, Sense::LBA_OUT_OF_RANGE)?;
    context.works()
}

pub(super) fn writes(context: &mut Context<'_>) -> Result<(), StoryError> {
    let before = context.read(10, 0, STABLE)?;
    let data = [0xA5; 4096];
    for blocks in [1u8, 8] {
        let mut write_16 = [0; 16];
        (write_16[0], write_16[13]) = (opcode::WRITE_16, blocks);
        let commands: [&[u8]; 4] = [
            &[opcode::WRITE_6, 0, 0, 0, blocks, 0],
            &[opcode::WRITE_10, 0, 0, 0, 0, 0, 0, 0, blocks, 0],
            &[opcode::WRITE_12, 0, 0, 0, 0, 0, 0, 0, 0, blocks, 0, 0],
            &write_16,
        ];
        for cdb in commands {
            let data = Data::Out(&data[..usize::from(blocks) * 512]);
            context.refused_without_data(cdb, data, Sense::WRITE_PROTECTED)?;
        }
    }
    ensure!(context.read(10, 0, STABLE)? == before, "a refused write changed the medium");
    context.works()
}
