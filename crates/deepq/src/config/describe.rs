//! A reader's error in words that need no knowledge of the reader.

use super::LAYERS;
use super::parse::{ConfigError, nearest};

/// Says where in `text` the error is, and which of the allowed names is nearest to an unknown one.
pub(super) fn describe(error: &toml::de::Error, text: &str, file: &str) -> ConfigError {
    let line = error
        .span()
        .filter(|_| !text.is_empty())
        .map(|span| 1 + text[..span.start.min(text.len())].bytes().filter(|byte| *byte == b'\n').count());
    let place = match line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    };
    let message = error.message();
    // Errors in a list of layers begin with the layer's place.
    let (layer, told) = match message.split_once(": ") {
        Some((layer, told)) if layer.starts_with(LAYERS) => (format!("{layer}: "), told),
        _ => (String::new(), message),
    };
    let mut described = ConfigError::new(place, format!("{layer}{}", in_words(told)));
    if let Some((found, allowed)) = unknown_name_in(told) {
        described.nearest = nearest(found, &allowed);
        described.allowed = allowed;
    }
    described
}

/// The name that serde does not know in what it `told`, and those that it would have known.
pub(super) fn unknown_name_in(told: &str) -> Option<(&str, Vec<String>)> {
    if !told.starts_with("unknown field") && !told.starts_with("unknown variant") {
        return None;
    }
    // serde quotes the unknown name first and then each allowed one.
    let mut quoted = told.split('`').skip(1).step_by(2);
    let found = quoted.next()?;
    Some((found, quoted.map(str::to_owned).collect()))
}

/// The beginning and the end of what is told of a key that has to be there.
const MISSING: (&str, &str) = ("the key '", "' is missing");

/// Whether the error is that a key is not there which has to be.
pub(super) fn is_missing_key(error: &ConfigError) -> bool {
    error.message.starts_with(MISSING.0) && error.message.ends_with(MISSING.1)
}

/// What serde `told`, in the words of the other messages; as it is where it told something else.
pub(super) fn in_words(told: &str) -> String {
    let quoted = |text: &str| text.split('`').nth(1).map(str::to_owned);
    if let Some((found, _)) = unknown_name_in(told) {
        let what = if told.starts_with("unknown field") { "key" } else { "value" };
        return format!("there is no {what} '{found}' here");
    }
    if let Some(missing) = told.strip_prefix("missing field ").and_then(quoted) {
        return format!("{}{missing}{}", MISSING.0, MISSING.1);
    }
    let wrong = ["invalid type: ", "invalid value: "].iter().find_map(|start| told.strip_prefix(start));
    match wrong.and_then(|wrong| wrong.rsplit_once(", expected ")) {
        Some((found, expected)) => format!("found {}, allowed is {}", value(found), kind(expected)),
        None => told.to_owned(),
    }
}

/// A value as serde names it, without its type.
fn value(found: &str) -> &str {
    match found {
        "map" => "a table",
        "sequence" => "a list",
        "unit variant" => "what is no text",
        _ => match found.strip_prefix("string ") {
            Some(text) => text,
            None => found.split_once(" `").map_or(found, |(_, number)| number.trim_end_matches('`')),
        },
    }
}

/// A type as serde names it, as what may be written.
fn kind(expected: &str) -> &str {
    match expected {
        "f32" | "f64" => "a number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        "variant identifier" | "string only" => "a name",
        _ if expected.starts_with("a nonzero") => "a whole number, 1 or more",
        "internally tagged enum Period" => {
            "a table with its unit, as in { unit = \"env-steps\", every = 1000 }"
        }
        _ if expected.starts_with("internally tagged enum") => {
            "a table with its kind, as in { kind = \"…\" }"
        }
        _ if expected.starts_with("struct ") => "a table",
        _ if expected.starts_with("enum ") => "a name",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_the_reader_is_left() {
        for (told, words) in [
            ("invalid type: string \"high\", expected f64", "found \"high\", allowed is a number"),
            ("invalid value: integer `-5`, expected usize", "found -5, allowed is a whole number, 0 or more"),
            (
                "invalid type: floating point `1.5`, expected u64",
                "found 1.5, allowed is a whole number, 0 or more",
            ),
            ("invalid type: map, expected a boolean", "found a table, allowed is true or false"),
            ("invalid type: integer `3`, expected a sequence", "found 3, allowed is a list"),
            (
                "invalid type: string \"c51\", expected internally tagged enum Head",
                "found \"c51\", allowed is a table with its kind, as in { kind = \"…\" }",
            ),
            ("missing field `v_min`", "the key 'v_min' is missing"),
            ("unknown field `gama`, expected `gamma` or `n_step`", "there is no key 'gama' here"),
            ("unknown variant `adm`, expected `adam`", "there is no value 'adm' here"),
            (
                "invalid value: integer `5000000000`, expected u32",
                "found 5000000000, allowed is a whole number from 0 to 4294967295",
            ),
            (
                "invalid type: string \"a, expected `b\", expected f64",
                "found \"a, expected `b\", allowed is a number",
            ),
            ("invalid type: integer `5`, expected variant identifier", "found 5, allowed is a name"),
            ("something else", "something else"),
        ] {
            assert_eq!(in_words(told), words);
        }
    }
}
