//! The texts of CRASH.TXT and CRASH.JSON.

use super::super::Program;
use super::record::{BUILD, LOG, NO_STACK, TEXT, View, word};
use super::words;
use crate::text::{Writer, divide};
use core::fmt;
use core::num::NonZero;

/// CRASH.TXT. Lines end as on every system.
const PLAIN: &str = "Crash          $k: $w\r\n\
    Message        $m\r\n\
    At             $p\r\n\
    Called from    $c\r\n\
    Uptime         $u ms\r\n\
    Core           $o\r\n\
    Later crashes  $l, which are not stored\r\n\
    Program        $n $v, build $b\r\n\
    $s\
    \r\n\
    $r\
    \r\n\
    To see the functions and variables, with the program's ELF file of this build:\r\n\
    \r\n\
    \x20   gdb-multiarch -ex bt PROGRAM.elf CORE.ELF\r\n\
    \r\n\
    $i\
    This is in RAM and goes with the power. `crash clear` at the serial port removes it.\r\n\
    $g";

/// After several crashes in a row.
const SAFE: &str = "Started safe   without the application, which crashed three times within 10 s of its start\r\n\
    \x20              (the next start tries it again)\r\n";

/// CRASH.JSON.
const JSON: &str = r#"{
  "kind": "$k",
  "what": "$w",
  "message": $m,
  "pc": $p,
  "calls": [$c],
  "uptime_ms": $u,
  "core": $o,
  "later": $l,
  "program": { "name": "$n", "version": "$v", "build": "$b" },
  "registers": { $r },
  "log": $g
}
"#;

const NAMES: [&str; 22] = [
    "r0",
    "r1",
    "r2",
    "r3",
    "r4",
    "r5",
    "r6",
    "r7",
    "r8",
    "r9",
    "r10",
    "r11",
    "r12",
    "sp",
    "lr",
    "pc",
    "xpsr",
    "exc_return",
    "cfsr",
    "hfsr",
    "mmfar",
    "bfar",
];

/// Writes CRASH.TXT.
pub fn text(view: &View<'_>, program: &Program<'_>, safe: bool, out: &mut Writer<'_>) -> fmt::Result {
    out.template(PLAIN, &mut |letter, out| match letter {
        b's' if safe => out.text(SAFE),
        b's' => Ok(()),
        b'm' if view.text_length() == 0 => out.text("none"),
        b'm' => line(view, TEXT.start, view.text_length(), out),
        b'p' if view.is_without_frame() => out.text("unknown: the stack had no room for it"),
        b'p' => address(view.register(15), out),
        b'c' => {
            if view.calls().next().is_none() {
                return out.text("unknown");
            }
            let mut before = "";
            for call in view.calls() {
                out.text(core::mem::replace(&mut before, "\r\n               "))?;
                address(call, out)?;
            }
            out.text("\r\n               (words of the stack that follow a call; some may be of earlier calls)")
        }
        b'r' => NAMES.iter().enumerate().try_for_each(|(index, name)| {
            let known = !(view.is_without_frame() && (14..17).contains(&index));
            out.text(name)?;
            (name.len()..11).try_for_each(|_| out.text(" "))?;
            if known { address(view.word(word::REGISTERS + index), out)? } else { out.text("unknown")? }
            out.text(if index % 3 == 2 || index == 21 { "\r\n" } else { "    " })
        }),
        b'i' if view.word(word::FLAGS) & NO_STACK != 0 => out.text(
            "The stack is not in it: this program has settings, and a stack may hold copies of secrets\r\n(`show-stacks` in [settings] of \
             the manifest).\r\n\r\n",
        ),
        b'i' if view.is_without_frame() => out.text(
            "The stack overflowed so far that the processor could not store where: SP is the stack's limit, and LR and PC are\r\nunknown. The \
             return addresses above lead there.\r\n\r\n",
        ),
        b'i' => Ok(()),
        b'g' if view.log_length() == 0 => Ok(()),
        b'g' => {
            out.text("\r\nThe log ended with:\r\n\r\n")?;
            bytes(view, LOG.start, view.log_length(), out, |piece, out| out.bytes(piece))
        }
        _ => common(letter, view, program, out),
    })
}

/// Writes CRASH.JSON.
pub fn json(view: &View<'_>, program: &Program<'_>, out: &mut Writer<'_>) -> fmt::Result {
    let quoted = |start, length, out: &mut Writer<'_>| {
        out.text("\"")?;
        // Piece by piece, so characters of several bytes could be cut: only ASCII is kept.
        bytes(view, start, length, out, |piece, out| {
            piece.iter().try_for_each(|byte| out.escaped(&[if byte.is_ascii() { *byte } else { b'?' }]))
        })?;
        out.text("\"")
    };
    out.template(JSON, &mut |letter, out| match letter {
        b'm' if view.text_length() == 0 => out.text("null"),
        b'm' => quoted(TEXT.start, view.text_length(), out),
        b'p' if view.is_without_frame() => out.text("null"),
        b'p' => out.decimal(view.register(15).into()),
        b'c' => {
            let mut before = "";
            view.calls().try_for_each(|call| {
                out.text(core::mem::replace(&mut before, ", "))?;
                out.decimal(call.into())
            })
        }
        b'r' => {
            let mut before = "";
            NAMES.iter().enumerate().try_for_each(|(index, name)| {
                out.text(core::mem::replace(&mut before, ", "))?;
                out.quoted(name)?;
                out.text(": ")?;
                if view.is_without_frame() && (14..17).contains(&index) {
                    return out.text("null");
                }
                out.decimal(view.word(word::REGISTERS + index).into())
            })
        }
        b'g' => quoted(LOG.start, view.log_length(), out),
        _ => common(letter, view, program, out),
    })
}

/// Writes what both texts have.
fn common(letter: u8, view: &View<'_>, program: &Program<'_>, out: &mut Writer<'_>) -> fmt::Result {
    match letter {
        b'k' => out.text(words::kind(view)),
        b'w' => words::what(view, out),
        b'u' => {
            let micros = u64::from(view.word(word::UPTIME + 1)) << 32 | u64::from(view.word(word::UPTIME));
            out.decimal(divide(micros, const { NonZero::new(1000).unwrap() }).0)
        }
        b'o' => out.decimal(view.word(word::CORE).into()),
        b'l' => out.decimal(view.later().into()),
        b'n' => out.text(program.name),
        b'v' => out.text(program.version),
        b'b' => bytes(view, BUILD.start, BUILD.len(), out, |piece, out| {
            piece.iter().filter(|byte| byte.is_ascii_alphanumeric()).try_for_each(|byte| out.bytes(&[*byte]))
        }),
        _ => Ok(()),
    }
}

fn address(address: u32, out: &mut Writer<'_>) -> fmt::Result {
    out.text("0x")?;
    out.hexadecimal(address.into(), 8, b'a')
}

/// Writes bytes of the record as one line.
fn line(view: &View<'_>, start: usize, length: usize, out: &mut Writer<'_>) -> fmt::Result {
    bytes(view, start, length, out, |piece, out| {
        piece.iter().try_for_each(|byte| out.bytes(&[if byte.is_ascii_control() { b' ' } else { *byte }]))
    })
}

/// Passes bytes of the record on, a few at a time.
fn bytes(
    view: &View<'_>,
    start: usize,
    length: usize,
    out: &mut Writer<'_>,
    mut write: impl FnMut(&[u8], &mut Writer<'_>) -> fmt::Result,
) -> fmt::Result {
    const PIECE: usize = 16;
    let mut piece = [0; PIECE];
    (0..length).step_by(PIECE).try_for_each(|at| {
        view.0.read(start + at, &mut piece);
        write(piece.get(..length - at).unwrap_or(&piece), out)
    })
}
