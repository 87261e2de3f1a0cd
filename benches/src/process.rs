//! Engines as processes that live through the whole comparison and answer one line to each line.
//!
//! | line | answer |
//! |---|---|
//! | (at the start) | `{"versions": {name: version}, "forms": {form: steps of one call}}` |
//! | `losses FORM` | the losses of the compared steps, from the first parameters: a list of numbers |
//! | `time FORM CALLS` | seconds that so many calls took |
//!
//! A step is a gradient step in the comparison of engines, an env step in that of environments.
//!
//! Instead of any answer there may be `{"error": what could not be done}`. A process ends with its standard input.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// One thread each. The variables are those of OpenMP and MKL, which PyTorch uses, and of XLA, which JAX uses.
const ONE_THREAD: [(&str, &str); 4] = [
    ("OMP_NUM_THREADS", "1"),
    ("MKL_NUM_THREADS", "1"),
    ("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false"),
    ("JAX_PLATFORMS", "cpu"),
];

pub(crate) struct Engine {
    name: String,
    child: Child,
    /// `None` once the process is to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What it said at its start.
    pub(crate) greeting: Value,
}

impl Engine {
    /// Starts `program` with `arguments`, on `core` alone where one is given.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        arguments: &[&Path],
        core: Option<usize>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut command = match core {
            Some(core) => {
                let mut taskset = Command::new("taskset");
                taskset.args(["--cpu-list", &core.to_string()]).arg(program);
                taskset
            }
            None => Command::new(program),
        };
        command.args(arguments).envs(ONE_THREAD).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{name} did not start: {error}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take().ok_or("no standard output")?);
        let output = BufReader::new(output);
        let mut engine = Self { name: name.to_owned(), child, input, output, greeting: Value::Null };
        engine.greeting = engine.answer()?;
        Ok(engine)
    }

    /// Its forms, each with the steps of one call.
    pub(crate) fn forms(&self) -> Result<Vec<(String, usize)>, Box<dyn Error>> {
        let forms = self.greeting["forms"].as_object().ok_or_else(|| self.wrong(&self.greeting))?;
        let steps = |steps: &Value| steps.as_u64().filter(|steps| *steps > 0).map(|steps| steps as usize);
        forms
            .iter()
            .map(|(form, value)| Ok((form.clone(), steps(value).ok_or_else(|| self.wrong(&self.greeting))?)))
            .collect()
    }

    pub(crate) fn losses(&mut self, form: &str) -> Result<Vec<f64>, Box<dyn Error>> {
        let answer = self.ask(&format!("losses {form}"))?;
        let losses = answer.as_array().map(|all| all.iter().filter_map(Value::as_f64).collect());
        losses.ok_or_else(|| self.wrong(&answer).into())
    }

    /// Seconds of so many calls.
    pub(crate) fn seconds(&mut self, form: &str, calls: usize) -> Result<f64, Box<dyn Error>> {
        let answer = self.ask(&format!("time {form} {calls}"))?;
        answer.as_f64().filter(|seconds| *seconds > 0.0).ok_or_else(|| self.wrong(&answer).into())
    }

    fn ask(&mut self, question: &str) -> Result<Value, Box<dyn Error>> {
        let input = self.input.as_mut().ok_or("the process was told to end")?;
        writeln!(input, "{question}").map_err(|error| format!("{}: {question}: {error}", self.name))?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value, Box<dyn Error>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            return Err(format!("{} ended without an answer; what it says is above", self.name).into());
        }
        let answer: Value = serde_json::from_str(&line)
            .map_err(|error| format!("{} answered {line:?}: {error}", self.name))?;
        match answer["error"].as_str() {
            Some(error) => Err(format!("{}: {error}", self.name).into()),
            None => Ok(answer),
        }
    }

    fn wrong(&self, answer: &Value) -> String {
        format!("{} gave an answer that does not fit: {answer}", self.name)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.input = None;
        // A process that does not end with its input is not waited for.
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last of the cores that this process may run on, where `taskset` can be had to use it alone.
pub(crate) fn last_core() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let taskset = Command::new("taskset").arg("--version").stdout(Stdio::null()).status();
    taskset.is_ok_and(|status| status.success()).then(|| last_of_list(list)).flatten()
}

/// The last number of a list as `0-3,8`.
fn last_of_list(list: &str) -> Option<usize> {
    list.trim().rsplit([',', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Engine, Box<dyn Error>> {
        Engine::start("sh", Path::new("sh"), &[Path::new("-c"), Path::new(script)], None)
    }

    #[test]
    fn an_engine_is_asked_line_by_line() {
        let mut engine = shell(
            r#"echo '{"versions": {}, "forms": {"one": 1, "many": 100}}'
               read line && echo "[0.5, 0.25]"
               read line && [ "$line" = "time many 3" ] && echo 1.5
               read line && echo '{"error": "no such wheel"}'"#,
        )
        .unwrap();
        assert_eq!(engine.forms().unwrap(), [("one".to_owned(), 1), ("many".to_owned(), 100)]);
        assert_eq!(engine.losses("one").unwrap(), [0.5, 0.25]);
        assert_eq!(engine.seconds("many", 3).unwrap(), 1.5);
        let error = engine.seconds("one", 1).unwrap_err().to_string();
        assert_eq!(error, "sh: no such wheel");
        let error = engine.seconds("many", 3).unwrap_err().to_string();
        assert!(error.starts_with("sh"), "{error}");
    }

    #[test]
    fn answers_that_do_not_fit_are_errors() {
        assert!(shell("exit 1").is_err_and(|error| error.to_string().contains("without an answer")));
        assert!(
            shell(r#"echo '{"error": "no wheel"}'"#).is_err_and(|error| error.to_string() == "sh: no wheel")
        );
        assert!(shell("echo no JSON").is_err_and(|error| error.to_string().contains("no JSON")));
        let mut engine = shell("echo '{\"forms\": {\"one\": 0}}'; read line; echo 0").unwrap();
        assert!(engine.forms().is_err());
        assert!(engine.seconds("one", 1).is_err());
    }

    #[test]
    fn the_last_core_of_a_list() {
        assert_eq!(["0-3,8", " 0-1\n", "5"].map(last_of_list), [Some(8), Some(1), Some(5)]);
    }
}
