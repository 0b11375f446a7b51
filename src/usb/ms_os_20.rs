//! Descriptors that make Windows bind WinUSB to the reset interface without a custom driver: a platform capability in the
//! BOS, and the descriptor set that it announces (Microsoft OS 2.0 Descriptors Specification, July 2018; table numbers
//! refer to it).

/// bDevCapabilityType of a platform capability (USB 3.2 table 9-14).
pub(super) const CAPABILITY_PLATFORM: u8 = 5;
/// bMS_VendorCode: bRequest of the vendor request that fetches the descriptor set.
pub(super) const VENDOR_CODE: u8 = 1;
/// wIndex of that request: MS_OS_20_DESCRIPTOR_INDEX (table 8).
pub(super) const DESCRIPTOR_INDEX: u16 = 7;

/// dwWindowsVersion: Windows 8.1, the first version that supports these descriptors.
const WINDOWS_VERSION: u32 = 0x0603_0000;

/// wDescriptorType (table 9).
mod kind {
    pub const SET_HEADER: u16 = 0;
    pub const SUBSET_HEADER_CONFIGURATION: u16 = 1;
    pub const SUBSET_HEADER_FUNCTION: u16 = 2;
    pub const FEATURE_COMPATIBLE_ID: u16 = 3;
    pub const FEATURE_REGISTRY_PROPERTY: u16 = 4;
}

/// REG_MULTI_SZ (table 15): strings with a NUL each, and a final NUL.
const REG_MULTI_SZ: u16 = 7;
/// The property under which WinUSB registers an interface.
const PROPERTY_NAME: &str = "DeviceInterfaceGUIDs\0";
/// The GUID that the pico-sdk's reset interface registers as well: both support the same two requests.
const PROPERTY_DATA: &str = "{bc7398c1-73cd-4cb7-98b8-913a8fca7bf6}\0\0";

const SET_HEADER_LENGTH: usize = 10;
const SUBSET_HEADER_LENGTH: usize = 8;
const COMPATIBLE_ID_LENGTH: usize = 20;
const PROPERTY_LENGTH: usize = 10 + 2 * PROPERTY_NAME.len() + 2 * PROPERTY_DATA.len();
const FUNCTION_LENGTH: usize = SUBSET_HEADER_LENGTH + COMPATIBLE_ID_LENGTH + PROPERTY_LENGTH;
const CONFIGURATION_LENGTH: usize = SUBSET_HEADER_LENGTH + FUNCTION_LENGTH;
const SET_LENGTH: usize = SET_HEADER_LENGTH + CONFIGURATION_LENGTH;

/// Offset of bFirstInterface.
const FIRST_INTERFACE: usize = SET_HEADER_LENGTH + SUBSET_HEADER_LENGTH + 4;

// It fits into one control transfer: usb-device's buffer has 256 bytes.
const _: () = assert!(SET_LENGTH <= 256);

/// Builds bytes in constant expressions: a write beyond the end does not compile.
struct Fields<const LENGTH: usize> {
    bytes: [u8; LENGTH],
    at: usize,
}

impl<const LENGTH: usize> Fields<LENGTH> {
    const fn new() -> Self {
        Self { bytes: [0; LENGTH], at: 0 }
    }

    const fn bytes(mut self, bytes: &[u8]) -> Self {
        let mut index = 0;
        while index < bytes.len() {
            self.bytes[self.at] = bytes[index];
            self.at += 1;
            index += 1;
        }
        self
    }

    const fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    const fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    /// ASCII as UTF-16.
    const fn utf16(mut self, text: &str) -> Self {
        let mut index = 0;
        while index < text.len() {
            assert!(text.as_bytes()[index].is_ascii());
            self = self.u16(text.as_bytes()[index] as u16);
            index += 1;
        }
        self
    }

    const fn done(self) -> [u8; LENGTH] {
        assert!(self.at == LENGTH);
        self.bytes
    }
}

/// The platform capability after its first three bytes (table 4, with one descriptor set information, table 5).
pub(super) const PLATFORM_CAPABILITY: [u8; 25] = Fields::new()
    .bytes(&[0])
    // PlatformCapabilityUUID: {D8DD60DF-4589-4CC7-9CD2-659D9E648A9F}.
    .u32(0xD8DD_60DF)
    .u16(0x4589)
    .u16(0x4CC7)
    .bytes(&[0x9C, 0xD2, 0x65, 0x9D, 0x9E, 0x64, 0x8A, 0x9F])
    .u32(WINDOWS_VERSION)
    .u16(SET_LENGTH as u16)
    // bAltEnumCode: no alternate enumeration.
    .bytes(&[VENDOR_CODE, 0])
    .done();

/// The descriptor set for interface 0.
const DESCRIPTOR_SET: [u8; SET_LENGTH] = Fields::new()
    // Table 10.
    .u16(SET_HEADER_LENGTH as u16)
    .u16(kind::SET_HEADER)
    .u32(WINDOWS_VERSION)
    .u16(SET_LENGTH as u16)
    // Table 11. Despite its name, bConfigurationValue counts configurations from 0.
    .u16(SUBSET_HEADER_LENGTH as u16)
    .u16(kind::SUBSET_HEADER_CONFIGURATION)
    .bytes(&[0, 0])
    .u16(CONFIGURATION_LENGTH as u16)
    // Table 12: bFirstInterface and a reserved byte.
    .u16(SUBSET_HEADER_LENGTH as u16)
    .u16(kind::SUBSET_HEADER_FUNCTION)
    .bytes(&[0, 0])
    .u16(FUNCTION_LENGTH as u16)
    // Table 13: CompatibleID, SubCompatibleID.
    .u16(COMPATIBLE_ID_LENGTH as u16)
    .u16(kind::FEATURE_COMPATIBLE_ID)
    .bytes(b"WINUSB\0\0")
    .bytes(&[0; 8])
    // Table 14.
    .u16(PROPERTY_LENGTH as u16)
    .u16(kind::FEATURE_REGISTRY_PROPERTY)
    .u16(REG_MULTI_SZ)
    .u16(2 * PROPERTY_NAME.len() as u16)
    .utf16(PROPERTY_NAME)
    .u16(2 * PROPERTY_DATA.len() as u16)
    .utf16(PROPERTY_DATA)
    .done();

/// The descriptor set that binds WinUSB to `interface`.
pub(super) fn descriptor_set(interface: u8) -> [u8; SET_LENGTH] {
    let mut set = DESCRIPTOR_SET;
    if let Some(first_interface) = set.get_mut(FIRST_INTERFACE) {
        *first_interface = interface;
    }
    set
}
