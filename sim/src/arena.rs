//! What a power cycle of a simulated board allocates. The library's types borrow it for `'static`, like a firmware's
//! statics.

use std::fmt;

/// Values that live until [`free`](Self::free), or for the rest of the process.
#[derive(Default)]
pub struct Arena {
    values: Vec<Box<dyn Any>>,
}

/// A value of any type that can be freed.
trait Any: Send {
    /// Frees it.
    ///
    /// # Safety
    /// Nothing refers to it any more, and it was not freed before.
    unsafe fn free(&mut self);
}

struct Value<T>(*mut T);

// SAFETY: it owns the value.
unsafe impl<T: Send> Send for Value<T> {}

impl<T: Send> Any for Value<T> {
    unsafe fn free(&mut self) {
        // SAFETY: by this function's contract; it came from a box.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

impl Arena {
    /// Stores a value.
    pub fn keep<T: Send + 'static>(&mut self, value: T) -> &'static mut T {
        let value = Box::into_raw(Box::new(value));
        self.values.push(Box::new(Value(value)));
        // SAFETY: it came from a box, and nothing else refers to it.
        unsafe { &mut *value }
    }

    /// Frees everything.
    ///
    /// # Safety
    /// No reference that [`keep`](Self::keep) returned, nor a copy of one, is used any more.
    pub unsafe fn free(self) {
        // In reverse order, since a value may refer to earlier ones.
        for mut value in self.values.into_iter().rev() {
            // SAFETY: by this function's contract; each value is here once.
            unsafe { value.free() };
        }
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Arena").field("values", &self.values.len()).finish()
    }
}
