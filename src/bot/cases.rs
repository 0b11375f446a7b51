//! The thirteen cases of agreement and disagreement between host and device (BOT 6.7).
//!
//! |              | Hn | Hi               | Ho                  |
//! |--------------|----|------------------|---------------------|
//! | device: Dn   | 1  | 4                | 9                   |
//! | device: Di   | 2  | 5 `>` 6 `=` 7 `<`| 10                  |
//! | device: Do   | 3  | 8                | 11 `>` 12 `=` 13 `<`|
//!
//! `>` means that the host expects more data than the device intends to transfer, and so on.

use core::cmp::Ordering;

use super::Intent;

/// The number, 1 to 13, of the case in which the host expects `host` and the device intends `device`.
///
/// On both sides, a length of 0 means no data.
#[must_use]
pub fn case(host: Intent, device: Intent) -> u8 {
    match (normal(host), normal(device)) {
        (Intent::None, Intent::None) => 1,
        (Intent::None, Intent::In(_)) => 2,
        (Intent::None, Intent::Out(_)) => 3,
        (Intent::In(_), Intent::None) => 4,
        (Intent::In(host), Intent::In(device)) => match host.cmp(&device) {
            Ordering::Greater => 5,
            Ordering::Equal => 6,
            Ordering::Less => 7,
        },
        (Intent::In(_), Intent::Out(_)) => 8,
        (Intent::Out(_), Intent::None) => 9,
        (Intent::Out(_), Intent::In(_)) => 10,
        (Intent::Out(host), Intent::Out(device)) => match host.cmp(&device) {
            Ordering::Greater => 11,
            Ordering::Equal => 12,
            Ordering::Less => 13,
        },
    }
}

fn normal(intent: Intent) -> Intent {
    match intent {
        Intent::In(0) | Intent::Out(0) => Intent::None,
        other => other,
    }
}

/// How this device handles a case.
///
/// The rest follows from that: the number of bytes transferred is the smaller of both lengths; if the host expects more, a
/// halt of the endpoint ends the transfer, or zeros complete it if there are no halts; the residue is what was not transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conduct {
    /// Whether data is transferred between the host and the command set.
    pub moves_data: bool,
    /// Whether the CSW reports Phase Error, whatever the command set reports.
    pub phase_error: bool,
}

/// How this device handles case `case`, 1 to 13. Any other number is treated as a disagreement without data.
///
/// - 1, 4, 9 (Dn): no data; the command's own status.
/// - 5, 6, 11, 12: data; the command's own status.
/// - 7 (Hi < Di): as much data as the host expects (BOT 6.7.2 allows it), then Phase Error.
/// - 2, 3, 8, 10: Phase Error, no data.
/// - 13 (Ho < Do): Phase Error. BOT 6.7.3 would allow the device to accept the data, but a command cannot use half of it.
#[must_use]
pub const fn conduct(case: u8) -> Conduct {
    let (moves_data, phase_error) = match case {
        1 | 4 | 9 => (false, false),
        5 | 6 | 11 | 12 => (true, false),
        7 => (true, true),
        _ => (false, true),
    };
    Conduct { moves_data, phase_error }
}
