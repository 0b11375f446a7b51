//! What JavaScript calls. Arguments are written to the memory that [`page_room`] returns; the answer is at [`page_answer`].

use std::cell::RefCell;

use crate::Page;

#[derive(Default)]
struct State {
    page: Page,
    input: Vec<u8>,
    answer: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Calls the page with the input, and keeps its answer. Returns 1 for success, 0 for a reason.
fn call(work: impl FnOnce(&mut Page, &[u8]) -> Result<Vec<u8>, String>) -> u32 {
    STATE.with_borrow_mut(|State { page, input, answer }| {
        let input = std::mem::take(input);
        let (done, bytes) = match work(page, &input) {
            Ok(bytes) => (1, bytes),
            Err(reason) => (0, reason.into_bytes()),
        };
        *answer = bytes;
        done
    })
}

/// Memory for `length` bytes of input. It is valid until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn page_room(length: usize) -> *const u8 {
    STATE.with_borrow_mut(|state| {
        state.answer = Vec::new();
        state.input = vec![0; length];
        state.input.as_ptr()
    })
}

/// Where the answer is.
#[unsafe(no_mangle)]
pub extern "C" fn page_answer() -> *const u8 {
    STATE.with_borrow(|state| state.answer.as_ptr())
}

/// The answer's length.
#[unsafe(no_mangle)]
pub extern "C" fn page_answer_length() -> usize {
    STATE.with_borrow(|state| state.answer.len())
}

/// Checks the manifest in the input: the report as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn page_examine() -> u32 {
    call(|page, text| page.examine(text))
}

/// Adds a file: `name_length` bytes of name, and its bytes.
#[unsafe(no_mangle)]
pub extern "C" fn page_add_file(name_length: usize) -> u32 {
    call(|page, input| page.add_file(input, name_length))
}

/// Removes the file with this name.
#[unsafe(no_mangle)]
pub extern "C" fn page_remove_file() -> u32 {
    call(Page::remove_file)
}

/// Takes the stock firmware, picovd.uf2: its version.
#[unsafe(no_mangle)]
pub extern "C" fn page_set_firmware() -> u32 {
    call(Page::set_firmware)
}

/// Takes the firmware that is inside the page: its version.
#[unsafe(no_mangle)]
pub extern "C" fn page_set_image(family: u32) -> u32 {
    call(|page, image| page.set_image(image, family))
}

/// The manifest's text in any file.
#[unsafe(no_mangle)]
pub extern "C" fn page_open() -> u32 {
    call(Page::open)
}

/// CONFIG.UF2 for the manifest that was examined last.
#[unsafe(no_mangle)]
pub extern "C" fn page_config_uf2() -> u32 {
    call(|page, _| page.config_uf2())
}

/// PICOVD.UF2 for the manifest that was examined last.
#[unsafe(no_mangle)]
pub extern "C" fn page_picovd_uf2() -> u32 {
    call(|page, _| page.picovd_uf2())
}

/// The file that takes the manifest in flash away.
#[unsafe(no_mangle)]
pub extern "C" fn page_none_uf2() -> u32 {
    call(|_, _| Page::none_uf2())
}
