//! Reading Rust source just far enough to tell code from comments and literals.

/// `source` with comments, strings and characters replaced by blanks; the lines stay where they are.
pub(crate) fn code_only(source: &str) -> String {
    let mut rest = source;
    let mut code = String::with_capacity(source.len());
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment_bytes(rest),
            '"' => string_bytes(rest),
            'r' if !code.ends_with(is_word) || code.ends_with(['b', 'c']) => raw_string_bytes(rest),
            '\'' => character_bytes(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().map(|skipped| if skipped == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    code
}

/// The numbers of the lines, from 1, on which `word` stands as a whole word.
pub(crate) fn lines_with_word(code: &str, word: &str) -> Vec<usize> {
    let has_word = |line: &str| line.split(|letter| !is_word(letter)).any(|found| found == word);
    code.lines().enumerate().filter(|(_, line)| has_word(line)).map(|(index, _)| index + 1).collect()
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Block comments nest.
fn block_comment_bytes(text: &str) -> usize {
    let mut depth = 1;
    let mut position = 2;
    while depth > 0 {
        let rest = &text[position..];
        let Some(next) = [rest.find("/*"), rest.find("*/")].into_iter().flatten().min() else {
            return text.len();
        };
        if rest[next..].starts_with("/*") {
            depth += 1
        } else {
            depth -= 1
        }
        position += next + 2;
    }
    position
}

fn string_bytes(text: &str) -> usize {
    let mut escaped = false;
    for (position, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return position + 1,
            _ => {}
        }
    }
    text.len()
}

/// 0 where `r` begins no raw string but a name.
fn raw_string_bytes(text: &str) -> usize {
    let hashes = text[1..].len() - text[1..].trim_start_matches('#').len();
    let opening_bytes = 1 + hashes + 1;
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    text[opening_bytes..].find(&closing).map_or(text.len(), |end| opening_bytes + end + closing.len())
}

/// 0 where the quote begins no character but a lifetime.
fn character_bytes(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => {
            // The escaped letter itself may be a quote; the closing one comes after it.
            let after_escaped = letters.nth(1).map_or(text.len(), |(position, _)| position);
            text[after_escaped..].find('\'').map_or(0, |end| after_escaped + end + 1)
        }
        Some(_) => {
            letters.next().filter(|(_, letter)| *letter == '\'').map_or(0, |(position, _)| position + 1)
        }
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str) -> Vec<usize> {
        lines_with_word(&code_only(source), "secret")
    }

    #[test]
    fn code_is_found_where_it_stands() {
        assert_eq!(lines("fn f() {\n    secret { g() }\n}\n#[secret(no_mangle)]"), [2, 4]);
        assert_eq!(lines("let a = 'x'; secret {}\nfn f<'a>(x: &'a str) { secret {} }"), [1, 2]);
        assert_eq!(
            lines("let a = '\\''; secret {}\nlet b = '\"'; secret {}\nlet c = b'\\\\'; secret {}"),
            [1, 2, 3]
        );
        assert_eq!(
            lines("let a = \"\\\"\"; secret {}\nlet b = r#\"\"\"#; secret {}\nlet c = '\\u{1F600}'; secret"),
            [1, 2, 3]
        );
        assert_eq!(lines("/* /* */ */ secret {}\nlet r#type = r; secret {}\n/**/ secret {}"), [1, 2, 3]);
        assert_eq!(lines("/*/ secret */ secret {}\n/* *//* */ secret {}"), [1, 2]);
    }

    #[test]
    fn comments_literals_and_longer_words_are_not_code() {
        assert_eq!(lines("// secret\n/// secret\n/* a /* secret */ secret */"), [0; 0]);
        assert_eq!(
            lines("\"secret \\\" secret\"\nr##\"secret \"# secret\"##\nbr\"secret\" c\"secret\" b\"secret\""),
            [0; 0]
        );
        assert_eq!(lines("#![allow(secret_code)] let not_secret = 1; super_secret()"), [0; 0]);
        assert_eq!(lines("\"one\ntwo secret\nthree\""), [0; 0]);
    }
}
