//! The manifest compiler for CONFIGURE.HTM, in WebAssembly.
//!
//! `page/` is the page. Its worker calls the functions of `exports`: bytes go in and come out through linear memory, and reports are
//! JSON. Everything that is decided about a manifest is decided by the crates that the program `picovd` uses, too.

#[cfg(target_arch = "wasm32")]
mod exports;
mod json;
mod page;

pub use page::Page;
