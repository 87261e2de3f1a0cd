//! Which instructions the kernels use.

use std::fmt;
use std::str::FromStr;

/// The name of the environment variable that [`InstructionSet::from_environment`] reads.
pub const INSTRUCTION_SET_VARIABLE: &str = "DEEPQ_ISA";

/// A set of instructions that the kernels are compiled for. All of them give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstructionSet {
    /// AVX-512 (F, VL, BW, DQ): vectors of 16, on x86-64.
    Avx512,
    /// AVX2 with FMA: vectors of 8, on x86-64.
    Avx2,
    /// NEON (Advanced SIMD): vectors of 4, on every AArch64.
    Neon,
    /// Plain Rust without intrinsics, on every processor.
    ///
    /// It is compiled twice on x86-64. Where the processor has AVX2 and FMA, the compiler may use them and makes
    /// code that is some 15 % slower than [`Avx2`](Self::Avx2). Elsewhere it uses the base instruction set, which
    /// has no fused multiply-add on x86-64: each one is then worked out by a function of the system's library, a
    /// hundred times as slow. Both give the same bits.
    Portable,
}

/// An instruction set that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InstructionSetError {
    /// No set has this name.
    #[error("instruction set {found:?} is not known; {}", list(.supported))]
    Unknown {
        /// The name that was given.
        found: String,
        /// What can be used here.
        supported: Vec<InstructionSet>,
    },
    /// This processor has not got it.
    #[error("this processor has no {found}; {}", list(.supported))]
    Unsupported {
        /// The set that was asked for.
        found: InstructionSet,
        /// What can be used here.
        supported: Vec<InstructionSet>,
    },
    /// The environment variable holds no such name.
    #[error("environment variable {INSTRUCTION_SET_VARIABLE}: {0}")]
    Environment(Box<InstructionSetError>),
}

fn list(supported: &[InstructionSet]) -> String {
    let names: Vec<_> = supported.iter().map(|set| set.name()).collect();
    format!("here it can be one of: {}", names.join(", "))
}

impl InstructionSet {
    /// All of them, best first.
    pub const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];

    /// Its name: `avx512`, `avx2`, `neon` or `portable`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    /// Whether this processor has it.
    pub fn is_supported(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && Self::Avx2.is_supported()
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Neon => cfg!(target_arch = "aarch64"),
            Self::Portable => true,
        }
    }

    /// Those that this processor has, best first.
    pub fn supported() -> Vec<Self> {
        Self::ALL.into_iter().filter(|set| set.is_supported()).collect()
    }

    /// The best one that this processor has.
    pub fn detect() -> Self {
        Self::ALL.into_iter().find(|set| set.is_supported()).unwrap_or(Self::Portable)
    }

    /// The one that the environment variable `DEEPQ_ISA` names (`avx512`, `avx2`, `neon` or `portable`), or
    /// [`detect`](Self::detect) where it is not set or empty.
    ///
    /// # Errors
    /// Where it names no set, or one that this processor has not got.
    pub fn from_environment() -> Result<Self, InstructionSetError> {
        match std::env::var_os(INSTRUCTION_SET_VARIABLE) {
            Some(value) if !value.is_empty() => Self::usable(&value.to_string_lossy())
                .map_err(|error| InstructionSetError::Environment(Box::new(error))),
            _ => Ok(Self::detect()),
        }
    }

    fn usable(name: &str) -> Result<Self, InstructionSetError> {
        let found: Self = name.parse()?;
        match found.is_supported() {
            true => Ok(found),
            false => Err(InstructionSetError::Unsupported { found, supported: Self::supported() }),
        }
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for InstructionSet {
    type Err = InstructionSetError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|set| set.name().eq_ignore_ascii_case(name.trim())).ok_or_else(|| {
            InstructionSetError::Unknown { found: name.to_string(), supported: Self::supported() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_understood() {
        for set in InstructionSet::ALL {
            assert_eq!(set.name().parse(), Ok(set));
            assert_eq!(set.name().to_uppercase().parse(), Ok(set));
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let message = InstructionSet::usable("avx-2").unwrap_err().to_string();
        assert!(message.starts_with("instruction set \"avx-2\" is not known"), "{message}");
        assert!(message.ends_with("portable"), "{message}");
    }

    #[test]
    fn the_detected_set_is_supported_and_the_best() {
        assert!(InstructionSet::detect().is_supported());
        assert_eq!(InstructionSet::supported()[0], InstructionSet::detect());
        assert_eq!(InstructionSet::supported().last(), Some(&InstructionSet::Portable));
    }
}
