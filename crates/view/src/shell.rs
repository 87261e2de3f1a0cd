//! Words of commands as one types them into a shell.

use crate::report::is_deceptive;

/// An argument as a POSIX shell reads it back, or bash where it has characters that one cannot see: what is not plain
/// is quoted.
pub fn quoted(argument: &str) -> String {
    if argument.chars().any(is_deceptive) {
        return escaped(argument);
    }
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    match !argument.is_empty() && argument.chars().all(is_plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}

/// Characters that one cannot see are written as what they are.
fn escaped(argument: &str) -> String {
    let escaped: String = argument
        .chars()
        .map(|c| match c {
            '\'' | '\\' => format!("\\{c}"),
            _ if is_deceptive(c) => c.to_string().bytes().map(|byte| format!("\\x{byte:02x}")).collect(),
            _ => c.to_string(),
        })
        .collect();
    format!("$'{escaped}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let odd = [
            "plain-1.0",
            "",
            "a b",
            "it's",
            "$(reboot)",
            "`x`;*",
            "line\nbreak's\\",
            "\u{1b}[2J",
            "left\u{202e}right",
            "--set",
            "a={b=1}",
            "ünïcode",
        ];
        let line = odd.map(quoted).join(" ");
        assert!(!line.chars().any(is_deceptive), "{line:?}");
        let Ok(output) =
            std::process::Command::new("bash").args(["-c", &format!("printf '%s\\0' {line}")]).output()
        else {
            return assert!(line.contains(r"$'line\x0abreak\'s\\'"), "{line}");
        };
        let read: Vec<&str> = str::from_utf8(&output.stdout).unwrap().split_terminator('\0').collect();
        assert_eq!(read, odd);
    }
}
