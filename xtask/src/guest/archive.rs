//! The guest's initial file system in the kernel's format: a cpio archive of type "newc"
//! (Documentation/driver-api/early-userspace/buffer-format.rst of the kernel).

/// Mode bits (inode(7)).
pub const DIRECTORY: u32 = 0o040_755;
pub const PROGRAM: u32 = 0o100_755;
pub const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;

/// An archive under construction.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    directories: std::collections::BTreeSet<String>,
}

impl Archive {
    /// Adds an executable file. The path has no leading slash; its folders are created.
    pub fn file(&mut self, path: &str, contents: &[u8]) {
        for (end, _) in path.match_indices('/') {
            let folder = &path[..end];
            if self.directories.insert(folder.to_owned()) {
                self.entry(folder, DIRECTORY, &[]);
            }
        }
        self.entry(path, PROGRAM, contents);
    }

    /// The finished archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    /// Adds a symbolic link, whose folder must exist.
    pub fn link(&mut self, path: &str, target: &str) {
        self.entry(path, LINK, target.as_bytes());
    }

    /// Adds anything, whose folder must exist.
    pub fn entry(&mut self, path: &str, mode: u32, contents: &[u8]) {
        self.entries += 1;
        let length = u32::try_from(contents.len()).expect("a guest's file is below 4 GiB");
        let name = u32::try_from(path.len() + 1).expect("a path is short");
        // Magic, then: inode, mode, uid, gid, links, time, length, device (2), special device (2), name length, checksum.
        self.bytes.extend(b"070701");
        for field in [self.entries, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name, 0] {
            self.bytes.extend(format!("{field:08X}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(contents);
        self.pad();
    }

    /// Names and contents start at multiples of four.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn entries_are_aligned_and_end_with_the_trailer() {
        let mut archive = Archive::default();
        archive.file("a/b/init", b"hello");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("070701").count(), 4);
        assert!(text.find("a\0").unwrap() < text.find("a/b\0").unwrap());
        assert!(text.find("hello").unwrap() < text.find("TRAILER!!!").unwrap());
    }
}
