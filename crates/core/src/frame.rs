//! Pictures.

/// A picture: `height` rows from the top, each of `width` pixels from the left, each of the three bytes red,
/// green and blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Frame {
    /// A picture of one colour.
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        Self { width, height, rgb: colour.repeat(width * height) }
    }

    /// A picture from its bytes.
    ///
    /// # Panics
    /// If there are not `3 · width · height` bytes.
    pub fn from_rgb(width: usize, height: usize, rgb: Vec<u8>) -> Self {
        assert_eq!(rgb.len(), 3 * width * height, "a {width}×{height} frame has 3 bytes a pixel");
        Self { width, height, rgb }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All bytes, three a pixel, rows from the top.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// All bytes, to draw on.
    pub fn rgb_mut(&mut self) -> &mut [u8] {
        &mut self.rgb
    }

    /// The colour at column `x` and row `y`, both from the upper left corner.
    ///
    /// # Panics
    /// If the pixel lies outside.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(x < self.width && y < self.height, "pixel ({x}, {y}) lies outside");
        let start = 3 * (y * self.width + x);
        [self.rgb[start], self.rgb[start + 1], self.rgb[start + 2]]
    }
}
