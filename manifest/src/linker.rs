//! The linker scripts: the chip's memories, and the locations of what the bootrom looks for.

use picovd_layout::stock;

use crate::plan::DiskPlan;
use crate::schema::Program;

/// First address of flash (RP2350 datasheet 2.2.2).
const FLASH_BASE: u32 = 0x1000_0000;

/// The section for everything that may hold a secret: whole sectors of the volume, hidden from all files. It follows the
/// variables that files may show. Without settings there are no secrets.
fn settings_section(plan: &DiskPlan, configurable: bool) -> String {
    let alignment = if plan.settings.sectors == 0 && !configurable { 4 } else { 512 };
    format!(
        "\
/* What may hold a secret, after the variables that files may show. Zeroed at the start like .bss. */
SECTIONS {{
    .settings (NOLOAD) : ALIGN({alignment})
    {{
        __settings_start = .;
        *(.settings .settings.*);
        . = ALIGN({alignment});
        __settings_end = .;
    }} > RAM
}} INSERT AFTER .bss;
__picovd_shown_start = {};

",
        match plan.chip.program {
            Program::Flash => "ADDR(.data)",
            // The program itself.
            Program::Sram => "ORIGIN(FLASH)",
        }
    )
}

/// What a program with a memory.x of its own lacks: the section `.settings`, and a check that the program ends before the settings'
/// sectors.
pub(crate) fn picovd_x(plan: &DiskPlan) -> String {
    let settings = settings_section(plan, false);
    let check = match plan.chip.program {
        Program::Flash if plan.settings.sectors > 0 => format!(
            "ASSERT(ORIGIN(FLASH) + LENGTH(FLASH) <= {:#010x}, \"memory.x: FLASH reaches into the sectors of [settings]: it has to \
             end {} KiB after the start of flash\");\n",
            FLASH_BASE + plan.settings.start,
            plan.settings.start >> 10
        ),
        _ => String::new(),
    };
    format!("/* Made from picovd.toml. Change that instead. */\n{settings}{check}")
}

/// The chip's memories, and the sections that the bootrom and picotool look for.
pub(crate) fn memory_x(plan: &DiskPlan, configurable: bool) -> String {
    let memories = memories(plan, configurable);
    let settings = settings_section(plan, configurable);
    format!(
        r"/* Made from picovd.toml. Change that instead. */
MEMORY {{
{memories}
    SRAM8 : ORIGIN = 0x20080000, LENGTH = 4K
    SRAM9 : ORIGIN = 0x20081000, LENGTH = 4K
}}

/* The image definition: the bootrom searches the first 4 KiB for it (RP2350 datasheet 5.9.5). */
SECTIONS {{
    .start_block : ALIGN(4)
    {{
        __start_block_addr = .;
        KEEP(*(.start_block));
        KEEP(*(.boot_info));
    }} > FLASH
}} INSERT AFTER .vector_table;

/* The program begins after it. cortex-m-rt sets the address of .text, so it has to be aligned here. */
_stext = ALIGN(ADDR(.start_block) + SIZEOF(.start_block), ALIGNOF(.text));

/* What picotool tells of a program. */
SECTIONS {{
    .bi_entries : ALIGN(4)
    {{
        __bi_entries_start = .;
        KEEP(*(.bi_entries));
        . = ALIGN(4);
        __bi_entries_end = .;
    }} > FLASH
}} INSERT AFTER .text;

/* Blocks after the program, such as a signature. */
SECTIONS {{
    .end_block : ALIGN(4)
    {{
        __end_block_addr = .;
        KEEP(*(.end_block));
        __flash_binary_end = .;
    }} > FLASH
}} INSERT AFTER .uninit;

{settings}/* Distances between the first block and the last one: the blocks form a ring. */
PROVIDE(start_to_end = __end_block_addr - __start_block_addr);
PROVIDE(end_to_start = __start_block_addr - __end_block_addr);
"
    )
}

/// The same for the Hazard3 cores, whose start-up code is riscv-rt's.
///
/// A program without an entry point is entered at its lowest address (RP2350 datasheet 5.9.3): a jump is there, followed by
/// the image definition and riscv-rt's sections.
pub(crate) fn memory_x_riscv(plan: &DiskPlan, configurable: bool) -> String {
    let memories = memories(plan, configurable);
    let settings = settings_section(plan, configurable);
    format!(
        r#"/* Made from picovd.toml. Change that instead. */
MEMORY {{
{memories}
    SRAM8 : ORIGIN = 0x20080000, LENGTH = 4K
    SRAM9 : ORIGIN = 0x20081000, LENGTH = 4K
}}

REGION_ALIAS("REGION_TEXT", FLASH);
REGION_ALIAS("REGION_RODATA", FLASH);
REGION_ALIAS("REGION_DATA", RAM);
REGION_ALIAS("REGION_BSS", RAM);
REGION_ALIAS("REGION_HEAP", RAM);
REGION_ALIAS("REGION_STACK", RAM);

/* The first instructions, and the image definition within the first 4 KiB (RP2350 datasheet 5.9.5). */
SECTIONS {{
    .start_block ORIGIN(FLASH) :
    {{
        KEEP(*(.picovd_boot));
        . = ALIGN(4);
        __start_block_addr = .;
        KEEP(*(.start_block));
        KEEP(*(.boot_info));
        . = ALIGN(4);
    }} > FLASH
}} INSERT BEFORE .text.dummy;

_stext = ORIGIN(FLASH) + SIZEOF(.start_block);

/* Variables that outlive a reset. */
SECTIONS {{
    .uninit (NOLOAD) : ALIGN(4)
    {{
        *(.uninit .uninit.*);
        . = ALIGN(4);
    }} > RAM
}} INSERT AFTER .bss;

PROVIDE(__euninit = _sheap);

/* What picotool tells of a program. */
SECTIONS {{
    .bi_entries : ALIGN(4)
    {{
        __bi_entries_start = .;
        KEEP(*(.bi_entries));
        . = ALIGN(4);
        __bi_entries_end = .;
    }} > FLASH
}} INSERT AFTER .rodata;

/* Blocks after the program, such as a signature. */
SECTIONS {{
    .end_block : ALIGN(4)
    {{
        __end_block_addr = .;
        KEEP(*(.end_block));
        __flash_binary_end = .;
    }} > FLASH
}} INSERT AFTER .rodata;

{settings}/* Distances between the first block and the last one: the blocks form a ring. */
PROVIDE(start_to_end = __end_block_addr - __start_block_addr);
PROVIDE(end_to_start = __start_block_addr - __end_block_addr);

/* Handlers that nobody has defined. */
INCLUDE device.x
"#
    )
}

/// The lines of MEMORY for the program and its variables.
fn memories(plan: &DiskPlan, configurable: bool) -> String {
    match plan.chip.program {
        Program::Flash if configurable => format!(
            "\
    /* The compiled manifest begins 512 KiB after the start of flash. */
    FLASH : ORIGIN = {FLASH_BASE:#010x}, LENGTH = {:#x}
    /* SRAM 0 to 7 are striped into one range; 8 and 9 stand alone (RP2350 datasheet 2.2.3). */
    RAM   : ORIGIN = 0x20000000, LENGTH = 512K",
            stock::MANIFEST
        ),
        // The program ends where the settings begin, or before the last sector, which UF2 tools may overwrite (RP2350-E10).
        Program::Flash => format!(
            "\
    /* Without the settings' sectors and the last sector, which UF2 tools may overwrite (RP2350-E10). */
    FLASH : ORIGIN = {FLASH_BASE:#010x}, LENGTH = {:#x} /* Already defined? link.x is named twice: by rustflags and a build script. */
    /* SRAM 0 to 7 are striped into one range; 8 and 9 stand alone (RP2350 datasheet 2.2.3). */
    RAM   : ORIGIN = 0x20000000, LENGTH = 512K",
            plan.settings.start
        ),
        Program::Sram => "\
    /* The program, loaded by the bootrom from a UF2 file. cortex-m-rt expects it in a memory named FLASH. */
    FLASH : ORIGIN = 0x20000000, LENGTH = 256K
    /* SRAM 0 to 7 are striped into one range; 8 and 9 stand alone (RP2350 datasheet 2.2.3). */
    RAM   : ORIGIN = 0x20040000, LENGTH = 256K"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::picovd_x;

    /// The message says what to write into memory.x.
    #[test]
    fn a_memory_x_that_is_too_long_learns_where_flash_ends() {
        let text = "[settings]\nsectors = 2\n[usb]\nconsole = true\n";
        let manifest = crate::read_text("picovd.toml", text, &std::env::temp_dir()).expect("the manifest is right");
        let checked = crate::check(&manifest, None).expect("the manifest is right");
        let script = picovd_x(&crate::plan(&checked).expect("there is room"));
        assert!(script.contains("<= 0x103fd000, \"memory.x: FLASH"), "{script}");
        assert!(script.contains("end 4084 KiB after the start of flash"), "{script}");
    }
}
