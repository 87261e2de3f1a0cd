//! The value of one setting, as `--set` is given it.

use toml::{Table, Value};

/// A value as TOML writes it; what is not TOML is a string, where it does not begin like something else. A whole number
/// may be written as `1e6`.
///
/// # Errors
/// What TOML says of a table, a list or a string that is not written as one.
pub(super) fn parse_value(text: &str) -> Result<Value, String> {
    let parsed: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    match parsed.map(|mut table| if table.len() == 1 { table.remove("value") } else { None }) {
        Ok(Some(value)) if has_exponent(text) => Ok(with_whole_numbers(value)),
        Ok(Some(value)) => Ok(value),
        Err(error) if text.starts_with(['{', '[', '"', '\'']) => Err(error.message().to_owned()),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Whether a number in it is written as `1e6`.
fn has_exponent(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| pair[0].is_ascii_digit() && matches!(pair[1], b'e' | b'E'))
}

/// The same with whole numbers that are no integers as integers, which stand for either.
fn with_whole_numbers(value: Value) -> Value {
    match value {
        Value::Float(number) => whole_number(number).map_or(Value::Float(number), Value::Integer),
        Value::Array(values) => Value::Array(values.into_iter().map(with_whole_numbers).collect()),
        Value::Table(table) => {
            Value::Table(table.into_iter().map(|(key, value)| (key, with_whole_numbers(value))).collect())
        }
        other => other,
    }
}

/// A whole number that no rounding has touched, as an integer: what `1e6` stands for.
pub fn whole_number(number: f64) -> Option<i64> {
    let is_whole = number.fract() == 0.0 && number.abs() < (1_u64 << f64::MANTISSA_DIGITS) as f64;
    is_whole.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_toml_and_is_none_is_told() {
        for broken in ["{", "[1, 2", "{kind=", "\"a", "'a", "[1 2]"] {
            assert!(parse_value(broken).is_err(), "{broken}");
        }
        for word in ["radam", "two words", "a=b", "1\nvalue2 = 3", ""] {
            assert_eq!(parse_value(word), Ok(Value::String(word.into())), "{word}");
        }
        assert_eq!(parse_value("1e3"), Ok(Value::Integer(1000)));
        assert_eq!(parse_value("[1e3]"), Ok(Value::Array(vec![Value::Integer(1000)])));
    }
}
