//! The same parameters to the bit after a thousand gradient steps, on every instruction set that this processor
//! has and with one thread and with two.

use std::error::Error;

use deepq::network::Parameters;
use deepq_cpu::InstructionSet;
use serde_json::{Value, json};

use crate::machine::write_result;
use crate::networks::{CASES, Case, Training};

const THREADS: [usize; 2] = [1, 2];
/// What the study takes where nothing else is asked for.
const STEPS: u64 = 1000;

/// A 64-bit hash (FNV-1a) of the bits of all numbers.
fn hash(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The hash of the parameters and of those of the target network after so many steps.
fn after(case: &Case, steps: u64, set: InstructionSet, threads: usize) -> Result<u64, Box<dyn Error>> {
    let network = case.network(set, threads).map_err(|reason| reason.0)?;
    let mut training = Training::new(case, Box::new(network));
    (0..steps).for_each(|_| {
        training.step();
    });
    let all = [Parameters::Online, Parameters::Target].map(|which| training.network().parameters(which));
    Ok(hash(&all.concat()))
}

/// Compares all instruction sets and numbers of threads after `steps` steps of every network.
pub(crate) fn run(steps: Option<u64>) -> Result<(), Box<dyn Error>> {
    let steps = steps.unwrap_or(STEPS);
    let mut rows = Vec::new();
    for case in &CASES {
        let mut found: Vec<(InstructionSet, usize, u64)> = Vec::new();
        for set in InstructionSet::supported() {
            for threads in THREADS {
                let hash = after(case, steps, set, threads)?;
                println!("{} {:10} {threads} threads  {hash:016x}", case.name, set.name());
                found.push((set, threads, hash));
            }
        }
        if let Some((set, threads, _)) = found.iter().find(|(.., hash)| *hash != found[0].2) {
            let message = format!("{}: {set} with {threads} threads differs from the first", case.name);
            return Err(message.into());
        }
        rows.push(row(case, &found));
    }
    println!("after {steps} gradient steps all are equal to the bit");
    if steps == STEPS {
        write_result("bits", "cargo xtask study bits", json!({ "steps": STEPS, "networks": rows }))?;
    } else {
        println!("not written to benches/results/bits.json: only a run of {STEPS} steps is");
    }
    Ok(())
}

fn row(case: &Case, found: &[(InstructionSet, usize, u64)]) -> Value {
    let engines: Vec<String> =
        found.iter().map(|(set, threads, _)| format!("{set}, {threads} threads")).collect();
    json!({
        "network": format!("{} {}", case.name, case.shape),
        "batch_size": case.batch_size,
        "engines": engines,
        "hash": format!("{:016x}", found[0].2),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_step_gives_other_bits_and_another_engine_the_same() {
        let case = &CASES[0];
        let sets = InstructionSet::supported();
        let first = after(case, 3, sets[0], 1).unwrap();
        assert_ne!(after(case, 4, sets[0], 1).unwrap(), first);
        assert_eq!(after(case, 3, sets[sets.len() - 1], 2).unwrap(), first);
    }
}
