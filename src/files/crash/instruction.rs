//! What a Thumb instruction does to memory, as far as a crash needs it (Armv8-M C2.4).

/// A load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether it writes.
    pub store: bool,
    /// Number of bytes; 0 for several registers.
    pub bytes: u8,
}

/// The access of an instruction, given as its halfwords, the first one in the lower half.
pub fn access(instruction: u32) -> Option<Access> {
    let (first, second) = (instruction & 0xFFFF, instruction >> 16);
    let some = |store: bool, bytes: u8| Some(Access { store, bytes });
    match first >> 11 {
        // LDR (literal).
        0b01001 => some(false, 4),
        // By register offset: STR, STRH, STRB, LDRSB, LDR, LDRH, LDRB, LDRSH.
        0b01010 | 0b01011 => {
            let (store, bytes) =
                *[(true, 4), (true, 2), (true, 1), (false, 1), (false, 4), (false, 2), (false, 1), (false, 2)]
                    .get(first as usize >> 9 & 7)?;
            some(store, bytes)
        }
        0b01100 | 0b10010 => some(true, 4),
        0b01101 | 0b10011 => some(false, 4),
        0b01110 => some(true, 1),
        0b01111 => some(false, 1),
        0b10000 => some(true, 2),
        0b10001 => some(false, 2),
        0b11000 => some(true, 0),
        0b11001 => some(false, 0),
        // PUSH and POP.
        0b10110 if first >> 9 & 3 == 0b10 => some(true, 0),
        0b10111 if first >> 9 & 3 == 0b10 => some(false, 0),
        // Load and store multiple, dual, exclusive.
        0b11101 if first >> 9 & 3 == 0 => {
            let store = first >> 4 & 1 == 0;
            let exclusive = first & 0x0140 == 0x0040 && first & 0x0020 == 0;
            match (first >> 6 & 1, exclusive) {
                (0, _) => some(store, 0),
                // STREX, LDREX; then STL, LDA and their byte and halfword forms.
                (_, true) if first >> 7 & 1 == 0 => some(store, 4),
                (_, true) => some(store, *[1, 2, 4, 0].get(second as usize >> 4 & 3)?),
                _ => some(store, 8),
            }
        }
        // Single data item.
        0b11111 if first >> 9 & 3 == 0 => {
            let bytes = *[1, 2, 4, 0].get(first as usize >> 5 & 3)?;
            some(first >> 4 & 1 == 0, bytes)
        }
        _ => None,
    }
}
