//! How Windows interprets a device's Microsoft OS 2.0 descriptors (Microsoft OS 2.0 Descriptors Specification, July 2018),
//! read as strictly as its tables say.

use std::collections::BTreeMap;

use super::bytes::{le16, le32};
use super::controller::{Host, Request, TransferError};

/// bDevCapabilityType of a platform capability (USB 3.2 table 9-14).
const PLATFORM: u8 = 5;
/// {D8DD60DF-4589-4CC7-9CD2-659D9E648A9F}, with the first three groups in little endian (table 3).
const UUID: [u8; 16] = [0xDF, 0x60, 0xDD, 0xD8, 0x89, 0x45, 0xC7, 0x4C, 0x9C, 0xD2, 0x65, 0x9D, 0x9E, 0x64, 0x8A, 0x9F];
/// MS_OS_20_DESCRIPTOR_INDEX (table 8).
pub const DESCRIPTOR_INDEX: u16 = 7;
/// NTDDI version of Windows 8.1, the first one with these descriptors.
const WINDOWS_8_1: u32 = 0x0603_0000;

/// What a BOS says about the descriptor set (tables 4 and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetInformation {
    /// wMSOSDescriptorSetTotalLength.
    pub length: u16,
    /// bMS_VendorCode.
    pub vendor_code: u8,
}

impl SetInformation {
    /// The information for Windows 8.1 and later among the capabilities of a BOS.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn find(capabilities: &[(u8, Vec<u8>)]) -> Result<Option<Self>, String> {
        let ours = |(kind, data): &&(u8, Vec<u8>)| *kind == PLATFORM && data.get(1..17) == Some(&UUID[..]);
        let Some((_, data)) = capabilities.iter().find(ours) else { return Ok(None) };
        let &[0, .., code, alternate] = &data[..] else {
            return Err("bReserved of the platform capability".to_owned());
        };
        if data.len() != 25 {
            return Err(format!("a platform capability of {} bytes, not one set information", data.len() + 3));
        }
        if le32(data, 17) != WINDOWS_8_1 || alternate != 0 {
            return Err(format!("dwWindowsVersion {:08x}h, bAltEnumCode {alternate}", le32(data, 17)));
        }
        Ok(Some(Self { length: le16(data, 21), vendor_code: code }))
    }

    /// The request that fetches `length` bytes of the set (table 7).
    #[must_use]
    pub fn request(&self, length: u16) -> Request {
        Request { request_type: 0xC0, request: self.vendor_code, value: 0, index: DESCRIPTOR_INDEX, length }
    }

    /// Fetches the set.
    ///
    /// # Errors
    /// As the control transfer.
    pub fn fetch(&self, host: &mut Host<'_>) -> Result<Vec<u8>, TransferError> {
        host.control_in(self.request(self.length))
    }
}

/// What Windows is given for one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// bFirstInterface.
    pub first_interface: u8,
    /// CompatibleID, without NULs.
    pub compatible_id: String,
    /// Registry properties: their strings by name.
    pub properties: BTreeMap<String, Vec<String>>,
}

/// The functions that a descriptor set describes, in one configuration.
///
/// # Errors
/// What is wrong with it.
pub fn parse(set: &[u8]) -> Result<Vec<Function>, String> {
    let (header, rest) = set.split_at_checked(10).ok_or("a descriptor set of less than its header")?;
    if le16(header, 0) != 10 || le16(header, 2) != 0 || le32(header, 4) != WINDOWS_8_1 {
        return Err(format!("a set header (table 10) of {header:02x?}"));
    }
    if usize::from(le16(header, 8)) != set.len() {
        return Err(format!("wTotalLength is {}, {} bytes came", le16(header, 8), set.len()));
    }
    let [configuration] = &subsets(rest, 1)?[..] else { return Err("not exactly one configuration subset".to_owned()) };
    // bConfigurationValue counts from 0 (table 11).
    if configuration.0 != 0 {
        return Err(format!("a subset for configuration {}", configuration.0));
    }
    subsets(&configuration.1, 2)?.into_iter().map(|(first, features)| function(first, &features)).collect()
}

/// Subset headers of one type (tables 11 and 12) with their contents. `bytes` must not contain anything else.
fn subsets(bytes: &[u8], kind: u16) -> Result<Vec<(u8, Vec<u8>)>, String> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let header = rest.get(..8).filter(|header| le16(header, 0) == 8 && le16(header, 2) == kind && header[5] == 0);
        let header = header.ok_or_else(|| format!("no subset header of type {kind} at {rest:02x?}"))?;
        let (subset, after) = rest
            .split_at_checked(usize::from(le16(header, 6)))
            .filter(|(subset, _)| subset.len() >= 8)
            .ok_or("a subset longer than the set, or shorter than its header")?;
        found.push((header[4], subset[8..].to_vec()));
        rest = after;
    }
    Ok(found)
}

fn function(first_interface: u8, features: &[u8]) -> Result<Function, String> {
    let mut function = Function { first_interface, ..Function::default() };
    let mut rest = features;
    while rest.len() >= 4 {
        let (feature, after) = rest
            .split_at_checked(usize::from(le16(rest, 0)))
            .filter(|(feature, _)| feature.len() >= 4)
            .ok_or("a feature descriptor longer than its subset")?;
        rest = after;
        match (le16(feature, 2), feature.len()) {
            // Compatible id (table 13): 8 bytes, and 8 for the sub-compatible one, ASCII capitals and digits.
            (3, 20) => {
                let id = feature[4..12].iter().copied().take_while(|&byte| byte != 0).collect();
                function.compatible_id = String::from_utf8(id).map_err(|_| "a compatible id that is not ASCII")?;
            }
            // Registry property (table 14).
            (4, _) => {
                let (name, data) = property(feature)?;
                function.properties.insert(name, data);
            }
            (kind, length) => return Err(format!("feature descriptor {kind} of {length} bytes")),
        }
    }
    if rest.is_empty() { Ok(function) } else { Err(format!("{} bytes after the last feature", rest.len())) }
}

/// A registry property's name and its strings; all have NULs on the wire.
fn property(feature: &[u8]) -> Result<(String, Vec<String>), String> {
    let cut = || "a registry property that is cut off".to_owned();
    let head = feature.get(..8).ok_or_else(cut)?;
    let (name, rest) = feature[8..].split_at_checked(usize::from(le16(head, 6))).ok_or_else(cut)?;
    let (length, data) = rest.split_at_checked(2).ok_or_else(cut)?;
    if usize::from(le16(length, 0)) != data.len() || name.len() % 2 + data.len() % 2 != 0 {
        return Err("a registry property whose lengths do not add up".to_owned());
    }
    let text = |bytes: &[u8]| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| le16(unit, 0)).collect();
        String::from_utf16(&units).map_err(|_| "a registry property that is not UTF-16".to_owned())
    };
    let name = text(name)?;
    let name = name.strip_suffix('\0').filter(|name| !name.contains('\0')).ok_or("a name without its NUL")?;
    let data = text(data)?;
    // REG_SZ is 1, REG_MULTI_SZ is 7 (table 15).
    let strings = match le16(head, 4) {
        1 => vec![data.strip_suffix('\0').filter(|text| !text.contains('\0')).ok_or("a string without its NUL")?],
        7 => data.strip_suffix("\0\0").ok_or("strings without their two NULs")?.split('\0').collect(),
        other => return Err(format!("a registry property of type {other}")),
    };
    Ok((name.to_owned(), strings.into_iter().map(str::to_owned).collect()))
}
