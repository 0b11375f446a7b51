//! The interface through which picotool restarts a board.

use std::time::Duration;

use super::{Context, Story, StoryError, ensure};
use crate::host::controller::{Request, TransferError};
use crate::host::descriptor;
use crate::host::ms_os_20::{self, SetInformation};
use crate::host::picotool::{BOOTSEL, FLASH, ResetInterface};

/// The stories of a device with the reset interface.
pub const STORIES: &[Story] = &[
    Story {
        name: "windows-binds",
        about: "Microsoft OS 2.0 descriptors bind WinUSB to the reset interface",
        run: windows,
    },
    Story { name: "reset-refusals", about: "requests that picotool does not send restart nothing", run: refusals },
    Story { name: "reset-to-flash", about: "picotool restarts the program", run: to_flash },
    Story { name: "reset-to-bootsel", about: "picotool restarts the board in BOOTSEL mode", run: to_bootsel },
];

/// Maximum time until a restart begins.
const SOON: Duration = Duration::from_millis(500);
/// How long a board in BOOTSEL mode is watched.
const WATCH: Duration = Duration::from_secs(3);

impl Context<'_> {
    fn reset_interface(&self) -> Result<ResetInterface, StoryError> {
        self.initiator.device.reset_interface.ok_or_else(|| StoryError("the device has no reset interface".to_owned()))
    }

    /// Whether the device answers at its address.
    fn answers(&mut self) -> bool {
        let status = Request { request_type: 0x80, request: 0, value: 0, index: 0, length: 2 };
        self.initiator.host.control_in(status).is_ok()
    }

    /// Checks that the device leaves the bus, but not before the request's status stage, which has been completed.
    fn leaves(&mut self) -> Result<(), StoryError> {
        let start = self.initiator.host.now();
        while self.answers() {
            let gone = self.initiator.host.now().saturating_sub(start);
            ensure!(gone < SOON, "no restart within {} ms", gone.as_millis());
            self.initiator.host.elapse(Duration::from_millis(5));
        }
        Ok(())
    }
}

fn windows(context: &mut Context<'_>) -> Result<(), StoryError> {
    let interface = context.reset_interface()?;
    let bos = context.initiator.device.bos.clone().ok_or_else(|| StoryError("no BOS".to_owned()))?;
    let capabilities = descriptor::parse_bos(&bos).map_err(StoryError)?;
    let information = SetInformation::find(&capabilities).map_err(StoryError)?;
    let information = information.ok_or_else(|| StoryError("the BOS announces no descriptor set".to_owned()))?;
    let host = &mut context.initiator.host;
    let set = information.fetch(host)?;
    let functions = ms_os_20::parse(&set).map_err(StoryError)?;
    let [function] = &functions[..] else { return Err(StoryError(format!("not exactly one function: {functions:?}"))) };
    ensure!(function.first_interface == interface.number, "WinUSB is for interface {}", function.first_interface);
    ensure!(function.compatible_id == "WINUSB", "the compatible id is {:?}", function.compatible_id);
    let guids = function.properties.get("DeviceInterfaceGUIDs").map(Vec::as_slice).unwrap_or_default();
    let is_guid = |text: &str| {
        let digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parts: Vec<_> = text.trim_start_matches('{').trim_end_matches('}').split('-').collect();
        text.len() == 38 && parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, n)| digits(part, n))
    };
    ensure!(guids.len() == 1 && is_guid(&guids[0]), "DeviceInterfaceGUIDs is {guids:?}");
    // Windows fetches the header first.
    for length in [1, 10, 64, 65, 128, information.length - 1] {
        let part = host.control_in(information.request(length))?;
        ensure!(part == set[..usize::from(length)], "the set with wLength {length}: {part:02x?}");
    }
    let more = host.control_in(information.request(4096))?;
    ensure!(more == set, "the set with wLength 4096: {} bytes", more.len());
    let right = information.request(information.length);
    let wrong = [
        Request { index: 8, ..right },
        Request { index: 0, ..right },
        Request { value: 1, ..right },
        Request { request_type: 0xC1, ..right },
        Request { request_type: 0xA0, ..right },
        Request { request: information.vendor_code.wrapping_add(1), ..right },
    ];
    for request in wrong {
        let reply = host.control_in(request);
        ensure!(reply == Err(TransferError::Stall), "{request:02x?}: {reply:02x?}, not STALL");
    }
    context.works()
}

fn refusals(context: &mut Context<'_>) -> Result<(), StoryError> {
    let interface = context.reset_interface()?;
    let right = interface.request(FLASH, 0);
    let wrong: &[(Request, &[u8])] = &[
        (Request { request: 0, ..right }, &[]),
        (Request { request: 3, ..right }, &[]),
        (Request { request: 0xFF, ..right }, &[]),
        (Request { length: 1, ..right }, &[0]),
        (Request { index: right.index + 1, ..right }, &[]),
        (Request { index: right.index | 0x100, ..right }, &[]),
        (Request { request_type: 0x41, ..right }, &[]),
        (Request { request_type: 0x20, ..right }, &[]),
        (Request { request_type: 0x22, ..right }, &[]),
    ];
    for (request, data) in wrong {
        let reply = context.initiator.host.control_out(*request, data);
        ensure!(reply == Err(TransferError::Stall), "{request:02x?}: {reply:02x?}, not STALL");
    }
    let reply = context.initiator.host.control_in(Request { request_type: 0xA1, length: 1, ..right });
    ensure!(reply == Err(TransferError::Stall), "FLASH as a request for data: {reply:02x?}, not STALL");
    context.initiator.host.elapse(SOON);
    ensure!(context.answers(), "a refused request restarted the board");
    context.works()
}

fn to_flash(context: &mut Context<'_>) -> Result<(), StoryError> {
    let before = context.read(10, 0, 1)?;
    let device = context.initiator.device.clone();
    for value in [0, 1, 3] {
        let interface = context.reset_interface()?;
        interface.send(&mut context.initiator.host, FLASH, value)?;
        context.leaves()?;
        context.initiator.enumerate_again()?;
        ensure!(context.initiator.device == device, "the descriptors changed with a restart");
        context.works()?;
        ensure!(context.read(10, 0, 1)? == before, "the boot sector changed with a restart");
    }
    Ok(())
}

fn to_bootsel(context: &mut Context<'_>) -> Result<(), StoryError> {
    let interface = context.reset_interface()?;
    interface.send(&mut context.initiator.host, BOOTSEL, 0)?;
    context.leaves()?;
    // A board in BOOTSEL mode is another device, one that is not on this cable.
    let start = context.initiator.host.now();
    while context.initiator.host.now().saturating_sub(start) < WATCH {
        ensure!(!context.initiator.host.link().attached(), "the program is back after a restart in BOOTSEL mode");
        context.initiator.host.elapse(Duration::from_millis(50));
    }
    context.initiator.host.replug();
    context.initiator.enumerate_again()?;
    context.works()
}
