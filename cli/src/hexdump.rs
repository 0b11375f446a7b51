//! Bytes as `hexdump -C` prints them: sixteen to a line, hexadecimal and as ASCII; `*` in place of lines that repeat the one
//! before; the offset of the end last.

use std::io::{self, Write};

/// Bytes in a line.
const LINE: usize = 16;

/// Bytes on their way to the output.
pub struct Hexdump<'o> {
    out: &'o mut dyn Write,
    offset: u64,
    /// What is not printed yet: less than a line.
    rest: Vec<u8>,
    /// The last whole line.
    last: Option<[u8; LINE]>,
    /// Whether the last line stands for others that were the same.
    repeats: bool,
    anything: bool,
}

impl<'o> Hexdump<'o> {
    /// The first byte is at `offset`.
    pub fn new(offset: u64, out: &'o mut dyn Write) -> Self {
        Self { out, offset, rest: Vec::new(), last: None, repeats: false, anything: false }
    }

    /// Prints bytes, as far as they make whole lines.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.anything |= !bytes.is_empty();
        let mut bytes = bytes;
        if !self.rest.is_empty() {
            let (head, tail) = bytes.split_at((LINE - self.rest.len()).min(bytes.len()));
            self.rest.extend_from_slice(head);
            bytes = tail;
            let Ok(line) = <[u8; LINE]>::try_from(&self.rest[..]) else { return Ok(()) };
            self.rest.clear();
            self.whole_line(line)?;
        }
        let (lines, rest) = bytes.as_chunks::<LINE>();
        lines.iter().try_for_each(|line| self.whole_line(*line))?;
        self.rest.extend_from_slice(rest);
        Ok(())
    }

    /// Prints the rest, and where it ends. Without any bytes, nothing is printed.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            writeln!(self.out, "{}", line(self.offset, &rest))?;
            self.offset += rest.len() as u64;
        }
        if self.anything { writeln!(self.out, "{:08x}", self.offset) } else { Ok(()) }
    }

    fn whole_line(&mut self, bytes: [u8; LINE]) -> io::Result<()> {
        if self.last != Some(bytes) {
            (self.last, self.repeats) = (Some(bytes), false);
            writeln!(self.out, "{}", line(self.offset, &bytes))?;
        } else if !self.repeats {
            self.repeats = true;
            writeln!(self.out, "*")?;
        }
        self.offset += LINE as u64;
        Ok(())
    }
}

/// A line of at most sixteen bytes.
fn line(offset: u64, bytes: &[u8]) -> String {
    let mut text = format!("{offset:08x} ");
    for place in 0..LINE {
        if place % 8 == 0 {
            text.push(' ');
        }
        match bytes.get(place) {
            Some(byte) => text.push_str(&format!("{byte:02x} ")),
            None => text.push_str("   "),
        }
    }
    text.push_str(" |");
    text.extend(bytes.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' }));
    text.push('|');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// What the real one prints.
    fn real(bytes: &[u8]) -> String {
        let mut hexdump = Command::new("hexdump");
        hexdump.arg("-C").env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = hexdump.spawn().expect("hexdump (Debian's bsdextrautils) runs");
        child.stdin.take().expect("a pipe").write_all(bytes).expect("it reads");
        String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("ASCII")
    }

    /// What this one prints if it gets the bytes in pieces of that length.
    fn ours(bytes: &[u8], piece: usize) -> String {
        let mut out = Vec::new();
        let mut dump = Hexdump::new(0, &mut out);
        bytes.chunks(piece).try_for_each(|piece| dump.write(piece)).expect("a vector takes it");
        dump.finish().expect("a vector takes it");
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn it_prints_what_hexdump_prints() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let noise: Vec<u8> = (0..5000_u32).map(|n| (n.wrapping_mul(0x9E37_79B9) >> 13) as u8).collect();
        let mut cases = vec![every_byte, noise, b"abc".repeat(100)];
        // Repetitions that end within a line, at its end, and after it.
        for zeros in [0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 52, 64, 80] {
            for tail in [&b""[..], b"abc", &[0; 5], &[7; 16], &[7; 40]] {
                cases.push([&vec![0; zeros], tail].concat());
                cases.push([&[7; 16], &vec![0; zeros][..], tail].concat());
            }
        }
        for case in cases {
            let real = real(&case);
            for piece in [1, 7, 16, 33, 512] {
                assert_eq!(ours(&case, piece), real, "{} bytes by {piece}", case.len());
            }
        }
    }

    #[test]
    fn offsets_beyond_4_gib_have_more_digits() {
        assert_eq!(line(0x1_0000_0000, b"A")[..13], *"100000000  41");
    }
}
