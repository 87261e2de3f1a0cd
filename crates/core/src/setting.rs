//! Settings that cannot be used.

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: found {found}, allowed is {allowed}")]
pub struct SettingError {
    /// Its name.
    pub setting: &'static str,
    /// What it is.
    pub found: String,
    /// What it may be.
    pub allowed: &'static str,
}

impl SettingError {
    /// Refuses a setting where it does not hold what it must.
    pub(crate) fn unless(
        holds: bool,
        setting: &'static str,
        found: impl ToString,
        allowed: &'static str,
    ) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self { setting, found: found.to_string(), allowed }) }
    }
}
