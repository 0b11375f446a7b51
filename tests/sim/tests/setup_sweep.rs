//! A SETUP packet at every moment after a control transfer that the host gave up, on the image with everything in it.

mod ring5 {
    use picovd_sim::plug;
    use picovd_sim::story::{Effort, SETUP_SWEEP};
    use std::path::{Path, PathBuf};

    /// How many are drawn without `--long`.
    const DRAWN: u32 = 5_000;

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn each_setup_packet_begins_a_transfer_of_its_own() {
        let elf = std::env::args_os().map(PathBuf::from).find(|word| word.ends_with("full.elf"));
        let elf = elf.expect("no argument names full.elf; `cargo xtask test --ring 5` builds it");
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/full.toml");
        let plug = plug::open(Some(&manifest), Some(&elf)).unwrap_or_else(|error| panic!("{error}"));
        let drawn = if std::env::var_os("PICOVD_LONG").is_some() { u32::MAX } else { DRAWN };
        let effort = Effort { random_wrappers: drawn, ..Effort::EMULATED };
        SETUP_SWEEP.play(plug.link, effort).unwrap_or_else(|error| panic!("{error}"));
    }
}
