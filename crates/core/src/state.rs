//! State as bytes: what a checkpoint is made of.
//!
//! Everything that a run's future depends on writes itself into a [`StateWriter`] and reads itself back from a
//! [`StateReader`]. Values are little-endian; slices carry their length; a reader checks every length against
//! what is left before it allocates, so a damaged or hostile file gives a [`StateError`] and nothing worse.

use crate::{ElementKind, Observation, ObservationBuffer};

/// The bytes are not a state of the thing that reads them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The bytes end too early.
    #[error("{what}: {needed} more bytes were expected, {left} are left")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// How many bytes it needs.
        needed: u64,
        /// How many there are.
        left: u64,
    },
    /// A value that does not fit the thing that reads it.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What was being read.
        what: &'static str,
        /// What would have fitted.
        expected: String,
        /// What was there.
        found: String,
    },
    /// There are bytes behind the end of the state.
    #[error("{left} bytes too many")]
    TooLong {
        /// How many.
        left: u64,
    },
}

impl StateError {
    /// A value `found` where only `expected` fits.
    pub fn mismatch(
        what: &'static str,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Mismatch { what, expected: expected.to_string(), found: found.to_string() }
    }
}

/// Collects state as bytes.
#[derive(Clone, Debug, Default)]
pub struct StateWriter {
    bytes: Vec<u8>,
}

impl StateWriter {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// All bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Begins a part with its name, which the reader checks: a state read in another order is noticed at once.
    pub fn tag(&mut self, name: &str) {
        self.bytes_with_len(name.as_bytes());
    }

    /// Writes a flag.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(value.into());
    }

    /// Writes a number.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }

    /// Writes a number.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }

    /// Writes a number.
    pub fn u128(&mut self, value: u128) {
        self.bytes.extend(value.to_le_bytes());
    }

    /// Writes a number to the bit.
    pub fn f32(&mut self, value: f32) {
        self.bytes.extend(value.to_le_bytes());
    }

    /// Writes a number to the bit.
    pub fn f64(&mut self, value: f64) {
        self.bytes.extend(value.to_le_bytes());
    }

    /// Writes bytes and their number.
    pub fn bytes_with_len(&mut self, values: &[u8]) {
        self.u64(values.len() as u64);
        self.bytes.extend_from_slice(values);
    }

    /// Writes numbers and how many they are.
    pub fn u32_slice(&mut self, values: &[u32]) {
        self.u64(values.len() as u64);
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    /// Writes numbers to the bit, and how many they are.
    pub fn f32_slice(&mut self, values: &[f32]) {
        self.u64(values.len() as u64);
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    /// Writes numbers to the bit, and how many they are.
    pub fn f64_slice(&mut self, values: &[f64]) {
        self.u64(values.len() as u64);
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    /// Writes observations and how many elements they have.
    pub fn observation(&mut self, observation: Observation<'_>) {
        match observation {
            Observation::F32(values) => self.f32_slice(values),
            Observation::U8(values) => self.bytes_with_len(values),
        }
    }
}

/// Reads state from bytes.
#[derive(Clone, Debug)]
pub struct StateReader<'a> {
    bytes: &'a [u8],
}

impl<'a> StateReader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Fails where not every byte was read.
    ///
    /// # Errors
    /// [`StateError::TooLong`].
    pub fn finish(self) -> Result<(), StateError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(StateError::TooLong { left: left as u64 }),
        }
    }

    fn take(&mut self, what: &'static str, len: u64) -> Result<&'a [u8], StateError> {
        let left = self.bytes.len() as u64;
        if len > left {
            return Err(StateError::Truncated { what, needed: len, left });
        }
        let (head, tail) = self.bytes.split_at(len as usize);
        self.bytes = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], StateError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(what, N as u64)?);
        Ok(array)
    }

    fn slice(&mut self, what: &'static str, element_bytes: u64) -> Result<&'a [u8], StateError> {
        let len = self.u64(what)?;
        self.take(what, len.saturating_mul(element_bytes))
    }

    /// Checks that a part named `name` begins here.
    ///
    /// # Errors
    /// [`StateError`] where another part begins or the bytes end.
    pub fn tag(&mut self, name: &'static str) -> Result<(), StateError> {
        let found = self.slice(name, 1)?;
        if found == name.as_bytes() {
            return Ok(());
        }
        let found = String::from_utf8_lossy(&found[..found.len().min(40)]);
        Err(StateError::mismatch("a part of the state", name, found))
    }

    /// Reads a flag.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end or hold no flag.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, StateError> {
        match self.array::<1>(what)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(StateError::mismatch(what, "0 or 1", other)),
        }
    }

    /// Reads a number.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, StateError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// Reads a number.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, StateError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// Reads a number.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end.
    pub fn u128(&mut self, what: &'static str) -> Result<u128, StateError> {
        Ok(u128::from_le_bytes(self.array(what)?))
    }

    /// Reads a number.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end.
    pub fn f32(&mut self, what: &'static str) -> Result<f32, StateError> {
        Ok(f32::from_le_bytes(self.array(what)?))
    }

    /// Reads a number.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end.
    pub fn f64(&mut self, what: &'static str) -> Result<f64, StateError> {
        Ok(f64::from_le_bytes(self.array(what)?))
    }

    /// Reads a number that must be one certain number, a length or a version say.
    ///
    /// # Errors
    /// [`StateError::Mismatch`] where it is another.
    pub fn expect_u64(&mut self, what: &'static str, expected: u64) -> Result<(), StateError> {
        match self.u64(what)? {
            found if found == expected => Ok(()),
            found => Err(StateError::mismatch(what, expected, found)),
        }
    }

    /// Reads a number that must be at most `limit`.
    ///
    /// # Errors
    /// [`StateError::Mismatch`] where it is greater.
    pub fn u64_at_most(&mut self, what: &'static str, limit: u64) -> Result<u64, StateError> {
        match self.u64(what)? {
            found if found <= limit => Ok(found),
            found => Err(StateError::mismatch(what, format!("at most {limit}"), found)),
        }
    }

    /// Reads bytes and their number.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end.
    pub fn bytes_with_len(&mut self, what: &'static str) -> Result<&'a [u8], StateError> {
        self.slice(what, 1)
    }

    /// Reads numbers and how many they are.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end.
    pub fn u32_vec(&mut self, what: &'static str) -> Result<Vec<u32>, StateError> {
        let bytes = self.slice(what, 4)?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
    }

    /// Reads numbers and how many they are.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end.
    pub fn f32_vec(&mut self, what: &'static str) -> Result<Vec<f32>, StateError> {
        let bytes = self.slice(what, 4)?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// Reads numbers and how many they are.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end.
    pub fn f64_vec(&mut self, what: &'static str) -> Result<Vec<f64>, StateError> {
        let bytes = self.slice(what, 8)?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }

    /// Reads numbers into `values`, whose length must be the one written.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end or the length is another.
    pub fn f32_slice(&mut self, what: &'static str, values: &mut [f32]) -> Result<(), StateError> {
        let found = self.f32_vec(what)?;
        if found.len() != values.len() {
            return Err(StateError::mismatch(what, format!("{} numbers", values.len()), found.len()));
        }
        values.copy_from_slice(&found);
        Ok(())
    }

    /// Reads observations of the kind `element` and how many elements they have.
    ///
    /// # Errors
    /// [`StateError`] where the bytes end.
    pub fn observation(
        &mut self,
        what: &'static str,
        element: ElementKind,
    ) -> Result<ObservationBuffer, StateError> {
        match element {
            ElementKind::F32 => Ok(ObservationBuffer::F32(self.f32_vec(what)?)),
            ElementKind::U8 => Ok(ObservationBuffer::U8(self.bytes_with_len(what)?.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let mut writer = StateWriter::new();
        writer.tag("part");
        writer.bool(true);
        writer.u128(7);
        writer.f64(f64::NAN);
        writer.f32_slice(&[1.0, -0.0]);
        writer.observation(Observation::U8(&[3, 4]));
        let bytes = writer.into_bytes();
        let mut reader = StateReader::new(&bytes);
        reader.tag("part").unwrap();
        assert!(reader.bool("flag").unwrap());
        assert_eq!(reader.u128("wide").unwrap(), 7);
        assert_eq!(reader.f64("nan").unwrap().to_bits(), f64::NAN.to_bits());
        assert_eq!(reader.f32_vec("numbers").unwrap()[1].to_bits(), (-0.0f32).to_bits());
        let pixels = reader.observation("pixels", ElementKind::U8).unwrap();
        assert_eq!(pixels, ObservationBuffer::U8(vec![3, 4]));
        reader.finish().unwrap();
    }

    #[test]
    fn damaged_bytes_are_errors_and_allocate_nothing() {
        let endless = u64::MAX.to_le_bytes();
        let error = StateReader::new(&endless).f32_vec("weights").unwrap_err();
        assert_eq!(error, StateError::Truncated { what: "weights", needed: u64::MAX, left: 0 });
        assert!(StateReader::new(&[2]).bool("flag").is_err());
        assert!(StateReader::new(&[1, 2]).finish().is_err());
        let mut other = StateWriter::new();
        other.tag("replay");
        let error = StateReader::new(&other.into_bytes()).tag("env").unwrap_err();
        assert_eq!(error.to_string(), "a part of the state: expected env, found replay");
    }
}
