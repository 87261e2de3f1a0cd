//! Vectors of `f32` that begin on a cache line.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Elements of one cache line of 64 bytes.
pub(crate) const LINE: usize = 16;

/// Elements on both sides that nobody may write to: unit tests look at them when a buffer goes.
const MARGIN: usize = if cfg!(test) { 128 } else { 0 };
/// What stands there: in unit tests a NaN that no calculation gives, which would spread from where it is read.
const OUTSIDE: f32 = if cfg!(test) { f32::from_bits(0x7fc5_a5a5) } else { 0.0 };

/// Zeros at first, and never moved unless it grows.
///
/// The kernels are right for any alignment; an aligned start saves them loads that cross a cache line.
#[derive(Default)]
pub(crate) struct AlignedBuffer {
    storage: Vec<f32>,
    start: usize,
    len: usize,
}

impl AlignedBuffer {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut storage = vec![OUTSIDE; len + LINE - 1 + 2 * MARGIN];
        // `align_offset` may give up with a huge number; alignment is for speed only.
        let start = MARGIN + storage[MARGIN..].as_ptr().align_offset(4 * LINE).min(LINE - 1);
        storage[start..start + len].fill(0.0);
        Self { storage, start, len }
    }

    /// Makes room for `len` elements. Where there was less, the contents become zeros.
    pub(crate) fn grow(&mut self, len: usize) {
        if self.len < len {
            *self = Self::zeros(len);
        }
    }
}

#[cfg(test)]
impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        let outside =
            self.storage.iter().take(self.start).chain(self.storage.iter().skip(self.start + self.len));
        let untouched = outside.into_iter().all(|value| value.to_bits() == OUTSIDE.to_bits());
        assert!(untouched || std::thread::panicking(), "a buffer of {} elements was overrun", self.len);
    }
}

impl fmt::Debug for AlignedBuffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AlignedBuffer({} elements)", self.len)
    }
}

impl Deref for AlignedBuffer {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedBuffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_on_a_cache_line_and_grows() {
        let mut buffer = AlignedBuffer::zeros(5);
        for len in [5, 3, 100, 1000] {
            buffer.grow(len);
            assert!(buffer.len() >= len);
            assert_eq!(buffer.as_ptr() as usize % 64, 0);
            assert!(buffer.iter().all(|value| *value == 0.0));
        }
    }

    #[test]
    #[should_panic(expected = "a buffer of 5 elements was overrun")]
    fn an_overrun_is_noticed() {
        let mut buffer = AlignedBuffer::zeros(5);
        let behind = buffer.start + buffer.len;
        buffer.storage[behind] = 1.0;
    }
}
