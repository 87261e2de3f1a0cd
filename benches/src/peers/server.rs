//! Our own engine as one of the processes that are compared.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use deepq::network::QNetwork;
use deepq_cpu::InstructionSet;
use serde_json::{Value, json};

use super::data::COMPARED_STEPS;
use crate::networks::{Case, Training};

/// Answers lines until standard input ends; what they are stands in [`super::process`].
pub(crate) fn run(network: &str) -> Result<(), Box<dyn Error>> {
    let case = Case::named(network).ok_or_else(|| format!("there is no network {network}"))?;
    let mut output = std::io::stdout();
    let set = InstructionSet::from_environment()?;
    let greeting = json!({ "versions": { "instruction_set": set.name() }, "forms": { "step": 1 } });
    writeln!(output, "{greeting}")?;
    let mut training = training(case, set)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer: Value = match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["losses", "step"] => {
                training = self::training(case, set)?;
                (0..COMPARED_STEPS).map(|_| training.step().loss).collect()
            }
            ["time", "step", calls] => {
                let calls: usize = calls.parse()?;
                let timer = Instant::now();
                for _ in 0..calls {
                    training.step();
                }
                json!(timer.elapsed().as_secs_f64())
            }
            _ => return Err(format!("{line:?} is no question").into()),
        };
        writeln!(output, "{answer}")?;
    }
    Ok(())
}

fn training(case: &Case, set: InstructionSet) -> Result<Training, String> {
    let network: Box<dyn QNetwork> = Box::new(case.network(set, 1).map_err(|error| error.0)?);
    Ok(Training::new(case, network))
}
