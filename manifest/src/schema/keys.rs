//! The keys of a table as its type declares them, obtained from serde so that no list is kept twice.

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::{
    ChipTable, CrashTable, DynamicTable, FileTable, InfoTable, LogTable, MemoryTable, PageTable, PartitionsTable,
    RedactTable, SensorTable, SettingsTable, UsbTable, VolumeTable,
};

/// The keys of a table as its type declares them.
#[must_use]
pub fn keys<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // This always ends with an error; only the requested fields matter.
    let _ = T::deserialize(KeyReader(&mut keys));
    keys
}

/// Every table's heading and its keys.
#[must_use]
pub fn tables() -> [(&'static str, &'static [&'static str]); 14] {
    [
        ("[volume]", keys::<VolumeTable>()),
        ("[usb]", keys::<UsbTable>()),
        ("[chip]", keys::<ChipTable>()),
        ("[[file]]", keys::<FileTable>()),
        ("[[memory]]", keys::<MemoryTable>()),
        ("[partitions]", keys::<PartitionsTable>()),
        ("[log]", keys::<LogTable>()),
        ("[info]", keys::<InfoTable>()),
        ("[page]", keys::<PageTable>()),
        ("[sensor]", keys::<SensorTable>()),
        ("[crash]", keys::<CrashTable>()),
        ("[dynamic]", keys::<DynamicTable>()),
        ("[settings]", keys::<SettingsTable>()),
        ("[[redact]]", keys::<RedactTable>()),
    ]
}

struct KeyReader<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for KeyReader<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("only structures have keys"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(de::Error::custom("the keys are known"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tables;
    use super::{ChipTable, VolumeTable, keys, tables};

    #[test]
    fn keys_are_those_of_the_types() {
        assert_eq!(keys::<ChipTable>(), ["flash-size", "program"]);
        assert!(keys::<Tables>().contains(&"redact"));
        assert!(keys::<VolumeTable>().contains(&"label-board-digits"));
        let headings: Vec<&str> = tables().iter().map(|(title, _)| title.trim_matches(['[', ']'])).collect();
        assert_eq!(headings, keys::<Tables>());
    }
}
