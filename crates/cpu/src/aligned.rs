//! Vectors of `f32` that begin on a cache line.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Elements of one cache line of 64 bytes.
pub(crate) const LINE: usize = 16;

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
        let storage = vec![0.0; len + LINE - 1];
        // `align_offset` may give up with a huge number; alignment is for speed only.
        let start = storage.as_ptr().align_offset(4 * LINE).min(LINE - 1);
        Self { storage, start, len }
    }

    /// Makes room for `len` elements. Where there was less, the contents become zeros.
    pub(crate) fn grow(&mut self, len: usize) {
        if self.len < len {
            *self = Self::zeros(len);
        }
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
}
