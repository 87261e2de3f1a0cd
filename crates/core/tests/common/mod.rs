//! Golden numbers from files.
#![allow(dead_code)] // Each test program uses a part of it.

use serde_json::Value;

/// A file of the folder fixtures.
pub(crate) fn fixture(path: &str) -> Value {
    let path = format!("{}/../../fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All numbers of an array of arrays of any depth, row-major.
pub(crate) fn floats(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(values) => values.iter().flat_map(floats).collect(),
        number => vec![number.as_f64().unwrap_or_else(|| panic!("{number} is no number")) as f32],
    }
}

/// Equal to 1e-6, in the size of 1 or of the number, whichever is greater.
pub(crate) fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "the length of {what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let allowed = 1e-6 * expected.abs().max(1.0);
        assert!((found - expected).abs() <= allowed, "{what}, element {i}: {found}, expected {expected}");
    }
}
