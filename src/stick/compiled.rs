//! What a compiled manifest decides, in the library's own types.

use crate::announcement::{Announcing, Refresh, Timing};
use crate::clock::Milliseconds;
use crate::scsi::UnitIdentity;
use crate::usb::Identity;
use crate::volume::layout::{self, Compiled};

/// How hosts are notified of changes.
#[must_use]
pub const fn announcing(compiled: &Compiled<'_>) -> Announcing {
    let layout::Announcing { refresh, quiet, max_age, hold, max_hold } = compiled.announcing();
    Announcing {
        refresh: match refresh {
            layout::Refresh::Attention => Refresh::Attention,
            layout::Refresh::Reinsert => Refresh::Reinsert,
            layout::Refresh::Reconnect => Refresh::Reconnect,
            layout::Refresh::Auto => Refresh::Auto,
        },
        timing: Timing {
            quiet: Milliseconds(quiet),
            max_age: Milliseconds(max_age),
            hold: Milliseconds(hold),
            max_hold: Milliseconds(max_hold),
        },
    }
}

/// How the USB device describes itself.
#[must_use]
pub const fn usb<'a>(compiled: &Compiled<'a>) -> Identity<'a> {
    let layout::Usb { vid, pid, manufacturer, product, console, picotool_reset, max_power, .. } = compiled.usb();
    Identity { vid, pid, manufacturer, product, console, picotool_reset, max_power }
}

/// How the SCSI unit describes itself; its serial number is the USB device's.
#[must_use]
pub const fn unit<'a>(compiled: &Compiled<'a>) -> UnitIdentity<'a> {
    let layout::ScsiUnit { vendor, product, revision } = compiled.scsi_unit();
    UnitIdentity { vendor, product, revision, serial: "" }
}
