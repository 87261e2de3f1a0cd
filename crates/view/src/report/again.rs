//! The command that trains a run again, as one types it into a shell.

use crate::shell::quoted;

/// Arguments of a command, each as a shell reads it back.
pub(super) fn command_line(arguments: &[String]) -> String {
    arguments.iter().map(|argument| quoted(argument)).collect::<Vec<_>>().join(" ")
}

/// The command that trains one run again from its recorded command line: without where it was written to, how it
/// was watched and which other seeds and algorithms were trained beside it: an `--algo` names the run's preset alone,
/// which has the algorithm's name. `None` where it is no `deepq train`.
pub(super) fn training_again(command: &[String], preset: &str, seed: u64) -> Option<Vec<String>> {
    let [_, train, rest @ ..] = command else { return None };
    if train != "train" {
        return None;
    }
    const LEFT_OUT: [&str; 5] = ["--out", "--seed", "--seeds", "--render", "--fps"];
    let mut again = vec!["deepq".to_owned(), "train".to_owned()];
    let mut rest = rest.iter();
    while let Some(argument) = rest.next() {
        let name = argument.split('=').next().unwrap_or_default();
        if name == "--algo" {
            if name == argument {
                rest.next();
            }
            // Named more than once, it would be named so here as well.
            if !again.iter().any(|argument| argument == "--algo") {
                again.extend(["--algo".to_owned(), preset.to_owned()]);
            }
        } else if LEFT_OUT.contains(&name) {
            if name == argument {
                rest.next();
            }
        } else if !matches!(argument.as_str(), "--json" | "-q" | "--quiet" | "-v" | "--verbose") {
            again.push(argument.clone());
        }
    }
    again.extend(["--seed".to_owned(), seed.to_string()]);
    Some(again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(String::from).collect()
    }

    #[test]
    fn training_again_keeps_what_determines_the_run() {
        let command = words(
            "/usr/bin/deepq train CartPole-v1 --preset sb3-dqn --seeds 4 --out runs/x --set learning.gamma=0.9 --seed=3 -q",
        );
        let again = training_again(&command, "sb3-dqn", 6).unwrap();
        assert_eq!(
            again,
            words("deepq train CartPole-v1 --preset sb3-dqn --set learning.gamma=0.9 --seed 6")
        );
        assert_eq!(training_again(&words("python3 my.py"), "x", 6), None);
        assert_eq!(training_again(&[], "x", 6), None);
    }

    #[test]
    fn training_again_names_the_algorithm_of_the_run_alone() {
        for given in ["--algo dqn,c51,double-dqn", "--algo=dqn,c51", "--algo dqn --algo=c51", "--algo c51"] {
            let command = words(&format!("deepq train Acrobot-v1 {given} --seeds 4"));
            let again = training_again(&command, "c51", 2).unwrap();
            assert_eq!(again, words("deepq train Acrobot-v1 --algo c51 --seed 2"), "{given}");
        }
    }
}
