//! Partition tables as board programmers write them (RP2350 datasheet 5.9.1, 5.9.4), and what a host should see of them.

#![allow(dead_code, reason = "each test file takes what it needs")]

const BLOCK_START: u32 = 0xFFFF_DED3;
const BLOCK_END: u32 = 0xAB12_3579;
const ITEM_PARTITION_TABLE: u32 = 0x0A;
const ITEM_LAST: u32 = 0xFF;
/// Everybody may read and write.
const ALL: u32 = 0xFC00_0000;
/// What picotool gives space outside of partitions when nothing is said.
const UNPARTITIONED: u32 = 0xFC07_8000;

/// One partition: sectors of 4 KiB, the last one included.
#[derive(Clone, Debug)]
pub struct Entry {
    pub first: u32,
    pub last: u32,
    pub permissions: u32,
    pub flags: u32,
    pub id: Option<u64>,
    pub families: Vec<u32>,
    pub name: Option<Vec<u8>>,
}

impl Entry {
    pub fn new(first: u32, last: u32) -> Self {
        Self { first, last, permissions: ALL, flags: 0, id: None, families: Vec::new(), name: None }
    }

    pub fn named(first: u32, last: u32, name: impl AsRef<[u8]>) -> Self {
        Self { name: Some(name.as_ref().to_vec()), ..Self::new(first, last) }
    }

    fn words(&self) -> Vec<u32> {
        let has_id = u32::from(self.id.is_some());
        let has_name = u32::from(self.name.is_some()) << 12;
        let families = (self.families.len() as u32) << 7;
        let mut words = vec![
            self.permissions | self.last << 13 | self.first,
            self.permissions | self.flags | has_id | has_name | families,
        ];
        words.extend(self.id.into_iter().flat_map(|id| [id as u32, (id >> 32) as u32]));
        words.extend(&self.families);
        if let Some(name) = &self.name {
            let mut bytes = vec![name.len() as u8];
            bytes.extend(name);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            words.extend(bytes.chunks(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])));
        }
        words
    }
}

/// The block of a table, `next` bytes in front of the next one: 0 closes the loop.
pub fn block(entries: &[Entry], next: i32) -> Vec<u8> {
    let mut item = vec![0, UNPARTITIONED];
    item.extend(entries.iter().flat_map(Entry::words));
    let size = item.len() as u32;
    item[0] = ITEM_PARTITION_TABLE | (size & 0xFF) << 8 | (size >> 8) << 16 | (entries.len() as u32) << 24;
    // An item with a size of two bytes says so in its type.
    item[0] |= u32::from(size > 0xFF) << 7;
    let mut words = vec![BLOCK_START];
    words.extend(&item);
    words.extend([ITEM_LAST | size << 8, next as u32, BLOCK_END]);
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A table, and the files that a host should see: name, and place in the table.
pub struct Case {
    pub what: &'static str,
    /// `None`: no table.
    pub entries: Option<Vec<Entry>>,
    pub files: Vec<(String, usize)>,
}

/// Sectors 512 and up are free on every board here: flash has 1024. The table of sixteen is longer than the 640 bytes that the
/// true ROM takes for a block: more than any board shows.
pub fn cases() -> Vec<Case> {
    let files = |names: &[(&str, usize)]| names.iter().map(|(name, index)| ((*name).to_owned(), *index)).collect();
    let long: Vec<u8> = (0..127).map(|index| b"abcdefghij"[index % 10]).collect();
    let long_text = String::from_utf8(long.clone()).unwrap();
    vec![
        Case { what: "no table", entries: None, files: files(&[]) },
        Case { what: "a table of nothing", entries: Some(vec![]), files: files(&[]) },
        Case {
            what: "one without a name",
            entries: Some(vec![Entry::new(512, 767)]),
            files: files(&[("PART0.BIN", 0)]),
        },
        Case {
            what: "four of all kinds",
            entries: Some(vec![
                Entry {
                    id: Some(0x0123_4567_89AB_CDEF),
                    families: vec![0xE48B_FF59, 0x1234_5678, 0xFFFF_FFFF],
                    ..Entry::named(512, 575, "Firmware A")
                },
                // The B of partition 0, not looked at by RISC-V.
                Entry { flags: 1 << 1 | 1 << 10 | 1 << 17, ..Entry::named(576, 639, "Firmware B") },
                // Only the bootrom may write; all may read.
                Entry { permissions: 0xD400_0000, flags: 2 << 1 | 1 << 3, ..Entry::named(640, 640, "a/b:c*?\"\u{7}") },
                Entry::new(1000, 1023),
            ]),
            files: files(&[("Firmware A.BIN", 0), ("Firmware B.BIN", 1), ("a_b_c____.BIN", 2), ("PART3.BIN", 3)]),
        },
        Case {
            what: "sixteen with one name of 127 bytes",
            entries: Some(
                (0..16)
                    .map(|index| {
                        let name = if index % 2 == 0 { long.clone() } else { long.to_ascii_uppercase() };
                        Entry::named(512 + 32 * index, 543 + 32 * index, name)
                    })
                    .collect(),
            ),
            files: (0..16)
                .map(|index| {
                    let name = if index % 2 == 0 { long_text.clone() } else { long_text.to_uppercase() };
                    let suffix = if index == 0 { String::new() } else { format!("~{}", index + 1) };
                    (format!("{name}{suffix}.BIN"), index)
                })
                .collect(),
        },
        Case {
            what: "names from everywhere",
            entries: Some(vec![
                Entry::named(512, 519, "Größe"),
                Entry::named(520, 527, "GRÖßE"),
                Entry::named(528, 535, "größe~2"),
                Entry::named(536, 543, "日本語"),
                Entry::named(544, 551, "🦀".repeat(31)),
                Entry::named(552, 559, b"a\xFF\xC3b\xE6\x97"),
                Entry::named(560, 567, "con"),
                Entry::named(568, 575, ""),
                Entry::named(576, 583, "part7"),
                Entry::named(584, 591, "PARTITIONS.JSON"),
                Entry::named(592, 599, ".."),
                Entry::named(600, 607, "LPT1.log"),
                // A name from a device may be anything: what Windows keeps, what does not show, what turns the text around.
                Entry::named(608, 615, "CONIN$"),
                Entry::named(616, 623, "com\u{B9}.x"),
                Entry::named(624, 631, "exe\u{202E}txt\u{7F}\u{85}\u{FEFF}"),
                // macOS takes it for the first one.
                Entry::named(632, 639, "Gro\u{308}ße"),
            ]),
            files: vec![
                ("Größe.BIN".into(), 0),
                ("GRÖßE~2.BIN".into(), 1),
                ("größe~2~2.BIN".into(), 2),
                ("日本語.BIN".into(), 3),
                (format!("{}.BIN", "🦀".repeat(31)), 4),
                ("a__b__.BIN".into(), 5),
                ("_con.BIN".into(), 6),
                ("PART7.BIN".into(), 7),
                ("part7~2.BIN".into(), 8),
                ("PARTITIONS.JSON.BIN".into(), 9),
                ("...BIN".into(), 10),
                ("_LPT1.log.BIN".into(), 11),
                ("_CONIN$.BIN".into(), 12),
                ("_com\u{B9}.x.BIN".into(), 13),
                ("exe_txt___.BIN".into(), 14),
                ("Gro\u{308}ße~3.BIN".into(), 15),
            ],
        },
        Case {
            what: "places that cannot be",
            entries: Some(vec![
                Entry::named(1000, 1024, "too far"),
                Entry::named(8000, 8191, "far out"),
                Entry::named(600, 599, "backwards"),
                Entry::named(700, 600, "more backwards"),
                Entry::named(0, 1023, "all of flash"),
                Entry::named(512, 512, "twice"),
            ]),
            files: files(&[("all of flash.BIN", 4)]),
        },
    ]
}
