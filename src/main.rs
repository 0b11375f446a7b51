//! The firmware: the stick that picovd.toml describes, and a loop that sleeps when there is nothing to do. On any target
//! except the chip, it is empty.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    picovd::firmware!(disk);

    #[picovd::rp2350::rp235x_hal::entry]
    fn main() -> ! {
        let (mut stick, _) = Stick::start(&disk::DESCRIPTION);
        loop {
            stick.poll();
            stick.sleep();
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
