//! Audio and MIDI functions, the host's side: which interfaces a driver such as Linux's snd-usb-audio takes (USB Audio 1.0).

use super::descriptor::Configuration;

/// bInterfaceClass and bInterfaceSubClass of the interface that lists the others (USB Audio 1.0 A.1, A.2).
const AUDIO_CONTROL: [u8; 2] = [1, 1];
/// The same of audio streaming, and of MIDI streaming.
const STREAMING: [[u8; 2]; 2] = [[1, 2], [1, 3]];
/// bDescriptorSubtype of the header (A.5).
const HEADER: u8 = 1;

/// Checks that each audio control interface lists streaming interfaces only (4.3.2, baInterfaceNr): drivers take no others.
///
/// # Errors
/// Which interface is listed wrongly.
pub fn check(configuration: &Configuration) -> Result<(), String> {
    for control in configuration.interfaces.iter().filter(|interface| interface.class[..2] == AUDIO_CONTROL) {
        let header = control.functional.iter().find(|bytes| bytes.first() == Some(&HEADER));
        // bcdADC and wTotalLength of 2 bytes each, bInCollection.
        let listed = header.and_then(|bytes| bytes.get(6..)).unwrap_or_default();
        let streams = |class: [u8; 3]| STREAMING.iter().any(|streaming| class[..2] == *streaming);
        let is_wrong = |number: &u8| configuration.interface(*number).is_none_or(|found| !streams(found.class));
        if let Some(wrong) = listed.iter().copied().find(is_wrong) {
            let streaming: Vec<u8> = configuration
                .interfaces
                .iter()
                .filter(|found| streams(found.class))
                .map(|found| found.number)
                .collect();
            return Err(format!(
                "audio control interface {} lists interface {wrong}, the streaming ones are {streaming:?} (USB Audio 1.0 4.3.2): \
                 drivers find no audio or MIDI",
                control.number
            ));
        }
    }
    Ok(())
}
