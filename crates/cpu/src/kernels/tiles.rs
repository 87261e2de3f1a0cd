//! Tiles: the part of a product whose sums stay in registers, and the moving of blocks between layouts.
//!
//! A tile is `ROWS` rows of `VECTORS` vectors. Its sums run over the depth in order, one fused multiply-add an
//! element, so that the shape of the tile never changes a bit of the result.

use super::simd::Simd;

/// A matrix whose elements are taken one at a time: `(row, depth)` stands at
/// `start + row·row_stride + depth·depth_stride`.
#[derive(Clone, Copy)]
pub(super) struct Scalars {
    pub(super) start: *const f32,
    pub(super) row_stride: usize,
    pub(super) depth_stride: usize,
}

/// A matrix whose rows are taken as vectors, one row for each step of the depth.
#[derive(Clone, Copy)]
pub(super) struct Vectors {
    pub(super) start: *const f32,
    pub(super) depth_stride: usize,
}

/// The sums of a tile.
pub(super) type Sums<S, const ROWS: usize, const VECTORS: usize> = [[<S as Simd>::Vector; VECTORS]; ROWS];

/// `sums[row][·] += Σ_depth scalars(row, depth) · vectors(depth, ·)`.
///
/// # Safety
/// That of [`Simd`]; both matrices must be good for the tile and the depth.
#[inline(always)]
pub(super) unsafe fn accumulate<S: Simd, const ROWS: usize, const VECTORS: usize>(
    depth: usize,
    scalars: Scalars,
    vectors: Vectors,
    sums: &mut Sums<S, ROWS, VECTORS>,
) {
    // A copy of its own, since sums behind a reference would be written back in every step.
    let mut local = *sums;
    let (mut scalar, mut vector) = (scalars.start, vectors.start);
    for _ in 0..depth {
        // SAFETY: inside both matrices, which the caller vouches for.
        unsafe {
            let mut right = [S::splat(0.0); VECTORS];
            for index in 0..VECTORS {
                right[index] = S::load(vector.add(index * S::LANES));
            }
            for row in 0..ROWS {
                let left = S::splat(*scalar.add(row * scalars.row_stride));
                for index in 0..VECTORS {
                    local[row][index] = S::multiply_add(left, right[index], local[row][index]);
                }
            }
        }
        // The last step moves past the end, where nothing is read.
        scalar = scalar.wrapping_add(scalars.depth_stride);
        vector = vector.wrapping_add(vectors.depth_stride);
    }
    *sums = local;
}

/// Calls `$function::<$S, ROWS, VECTORS>($arguments)` for a shape that is only known at run time, of at most
/// `$widest` vectors.
///
/// A macro and no closure: what is called must be inlined into the function compiled for the instruction set. The
/// guards are constants, so that shapes which a set does not use are not even compiled.
macro_rules! with_shape {
    ($S:ty, $rows:expr, $vectors:expr, $function:ident $arguments:tt) => {
        with_shape!($S, 4, $rows, $vectors, $function $arguments)
    };
    ($S:ty, $widest:expr, $rows:expr, $vectors:expr, $function:ident $arguments:tt) => {
        match $vectors {
            4 if const { $widest >= 4 && <$S>::MAX_VECTORS >= 4 } => {
                with_shape!(@rows $S, 4, $rows, $function $arguments, 1 2 3 4 5 6)
            }
            2 if const { $widest >= 2 && <$S>::MAX_VECTORS >= 2 } => {
                with_shape!(@rows $S, 2, $rows, $function $arguments, 1 2 3 4 5 6 7 8 9 10 11 12)
            }
            1 => with_shape!(@rows $S, 1, $rows, $function $arguments, 1 2 3 4 5 6 7 8 9 10 11 12),
            _ => unreachable!("no tile is that wide"),
        }
    };
    (@rows $S:ty, $vectors:literal, $rows:expr, $function:ident $arguments:tt, $($count:literal)*) => {
        match $rows {
            $($count if const { <$S>::MAX_ROWS[$vectors / 2] >= $count } => {
                with_shape!(@call $S, $count, $vectors, $function $arguments)
            })*
            _ => unreachable!("no tile is that high"),
        }
    };
    (@call $S:ty, $rows:literal, $vectors:literal, $function:ident ($($argument:expr),*)) => {
        $function::<$S, $rows, $vectors>($($argument),*)
    };
}
pub(super) use with_shape;

/// Cuts `total` rows into tiles of nearly equal height, at most `limit` each.
#[derive(Clone, Copy)]
pub(super) struct Split {
    height: usize,
    higher: usize,
    position: usize,
    total: usize,
}

impl Split {
    #[inline(always)]
    pub(super) fn new(total: usize, limit: usize) -> Self {
        let tiles = total.div_ceil(limit).max(1);
        Self { height: total / tiles, higher: total % tiles, position: 0, total }
    }

    /// The next tile's first row and its height.
    #[inline(always)]
    pub(super) fn step(&mut self) -> Option<(usize, usize)> {
        if self.position >= self.total {
            return None;
        }
        let start = self.position;
        let height = self.height + usize::from(self.higher > 0);
        self.higher = self.higher.saturating_sub(1);
        self.position += height;
        Some((start, height))
    }
}

/// The width of the next tile, in vectors, where `left` vectors are left: the greatest power of two that fits.
#[inline(always)]
pub(super) fn next_width<S: Simd>(left: usize) -> usize {
    match left {
        4.. if S::MAX_VECTORS >= 4 => 4,
        2.. => 2,
        _ => 1,
    }
}

/// A part of a batch that stands feature-major, `[feature][width]`.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    /// The first sample.
    pub(super) start: usize,
    /// Samples in it; the columns behind them are padding, which nothing but padding is computed from.
    pub(super) samples: usize,
    /// Columns, in vectors.
    pub(super) vectors: usize,
    /// Columns.
    pub(super) width: usize,
}

/// Cuts a batch into panels. All but the last few have the greatest width.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    start: usize,
    batch: usize,
}

impl Panels {
    #[inline(always)]
    pub(super) fn new(batch: usize) -> Self {
        Self { start: 0, batch }
    }

    /// Leaves out the next `count` panels.
    #[inline(always)]
    pub(super) fn skip<S: Simd>(&mut self, count: usize) {
        let width = S::MAX_VECTORS * S::LANES;
        let full = count.min(self.batch.saturating_sub(self.start) / width);
        self.start += full * width;
        for _ in full..count {
            self.step::<S>();
        }
    }

    /// The next panel.
    #[inline(always)]
    pub(super) fn step<S: Simd>(&mut self) -> Option<Panel> {
        let left = self.batch.saturating_sub(self.start);
        if left == 0 {
            return None;
        }
        let vectors = next_width::<S>(left.div_ceil(S::LANES));
        let width = vectors * S::LANES;
        let panel = Panel { start: self.start, samples: left.min(width), vectors, width };
        self.start += width;
        Some(panel)
    }
}

/// As [`Panels`], with all full panels of the greatest width in one step.
#[derive(Clone, Copy)]
pub(super) struct PanelRuns {
    panels: Panels,
}

impl PanelRuns {
    #[inline(always)]
    pub(super) fn new(batch: usize) -> Self {
        Self { panels: Panels::new(batch) }
    }

    /// The first panel of the next run, and the number of panels in it.
    #[inline(always)]
    pub(super) fn step<S: Simd>(&mut self) -> Option<(Panel, usize)> {
        let panel = self.panels.step::<S>()?;
        if panel.vectors < S::MAX_VECTORS || panel.samples < panel.width {
            return Some((panel, 1));
        }
        let more = self.panels.batch.saturating_sub(self.panels.start) / panel.width;
        self.panels.start += more * panel.width;
        Some((panel, more + 1))
    }
}

/// `to[column][row] = from[row][column]` for `rows` rows of `columns` elements.
///
/// # Safety
/// That of [`Simd`]; both sides must be good for the whole.
#[inline(always)]
pub(super) unsafe fn transpose<S: Simd>(
    (rows, columns): (usize, usize),
    (from, from_stride): (*const f32, usize),
    (to, to_stride): (*mut f32, usize),
) {
    // Two actions are common, and too narrow for blocks. The compiler makes vectors of these loops.
    if rows == 2 && to_stride == 2 {
        for column in 0..columns {
            // SAFETY: rows 0 and 1.
            unsafe {
                *to.add(2 * column) = *from.add(column);
                *to.add(2 * column + 1) = *from.add(from_stride + column);
            }
        }
        return;
    }
    if columns == 2 && from_stride == 2 {
        for row in 0..rows {
            // SAFETY: columns 0 and 1.
            unsafe {
                *to.add(row) = *from.add(2 * row);
                *to.add(to_stride + row) = *from.add(2 * row + 1);
            }
        }
        return;
    }
    let mut row = 0;
    while row < rows {
        let height = if row + 8 <= rows { 8 } else { (rows - row).min(4) };
        let mut column = 0;
        while column < columns {
            // SAFETY: every branch stays inside `rows` and `columns`.
            unsafe {
                let (from, to) = (from.add(row * from_stride + column), to.add(column * to_stride + row));
                if height == 8 && column + 8 <= columns {
                    S::transpose_8x8(from, from_stride, to, to_stride);
                    column += 8;
                } else if height >= 4 && column + 4 <= columns {
                    S::transpose_4x4(from, from_stride, to, to_stride);
                    if height == 8 {
                        S::transpose_4x4(from.add(4 * from_stride), from_stride, to.add(4), to_stride);
                    }
                    column += 4;
                } else {
                    for line in 0..height {
                        *to.add(line) = *from.add(line * from_stride);
                    }
                    column += 1;
                }
            }
        }
        row += height;
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::Portable;
    use super::*;

    #[test]
    fn a_split_covers_every_row_once() {
        for total in 0..100 {
            for limit in 1..14 {
                let (mut split, mut next) = (Split::new(total, limit), 0);
                while let Some((start, height)) = split.step() {
                    assert_eq!(start, next);
                    assert!((1..=limit).contains(&height));
                    next += height;
                }
                assert_eq!(next, total);
            }
        }
    }

    #[test]
    fn panels_cover_a_batch_once() {
        for batch in 0..200 {
            let (mut panels, mut next) = (Panels::new(batch), 0);
            while let Some(panel) = panels.step::<Portable>() {
                assert_eq!(panel.start, next);
                assert!(panel.samples <= panel.width && panel.samples > 0);
                next += panel.samples;
            }
            assert_eq!(next, batch);
            let (mut runs, mut next) = (PanelRuns::new(batch), 0);
            while let Some((panel, count)) = runs.step::<Portable>() {
                assert_eq!(panel.start, next);
                assert!(count == 1 || panel.samples == panel.width);
                next += panel.samples * count;
            }
            assert_eq!(next, batch);
        }
    }

    #[test]
    fn a_panel_is_the_same_whether_those_before_it_are_walked_or_skipped() {
        for batch in 0..200 {
            let mut walked = Panels::new(batch);
            for count in 0..30 {
                let mut skipped = Panels::new(batch);
                skipped.skip::<Portable>(count);
                let place = |panel: Option<Panel>| panel.map(|of| (of.start, of.samples, of.width));
                assert_eq!(place(skipped.step::<Portable>()), place(walked.step::<Portable>()), "{batch}");
            }
        }
    }

    #[test]
    fn every_size_is_transposed_and_nothing_else_is_touched() {
        let limit = if cfg!(miri) { 14 } else { 20 };
        let sizes = (0..limit).flat_map(|rows| (0..limit).map(move |columns| (rows, columns)));
        for ((rows, columns), spare) in sizes.flat_map(|size| [(size, 0), (size, 3)]) {
            let (from_stride, to_stride) = (columns + spare, rows + spare);
            let from: Vec<f32> = (0..rows * from_stride).map(|index| index as f32 + 1.0).collect();
            let mut to = vec![0.0; columns * to_stride];
            // SAFETY: plain Rust; both vectors hold `rows` and `columns` lines of their strides.
            unsafe {
                let (from, to) = ((from.as_ptr(), from_stride), (to.as_mut_ptr(), to_stride));
                transpose::<Portable>((rows, columns), from, to);
            }
            for (index, value) in to.iter().enumerate() {
                let (column, row) = (index / to_stride, index % to_stride);
                let expected = if row < rows { from[row * from_stride + column] } else { 0.0 };
                assert_eq!(*value, expected, "{rows} rows, {columns} columns, {spare} to spare");
            }
        }
    }
}
