//! What every engine learns from, written down so that all of them learn from the same.
//!
//! A folder holds `header.json` and plain little-endian arrays: `parameters.f32` (in the order of the header's
//! tensors), `observation` and `next_observation` (`.f32` or `.u8`, `[transition][element]`), `action.u32`,
//! `reward.f32`, `discount.f32`, and `indices.u32` (`[step][batch]`), the batches of the steps that are compared.

use std::error::Error;
use std::path::Path;

use deepq::network::{InputShape, NetworkSpec, SpecError};
use deepq::replay::Batch;
use deepq::{Observation, ObservationBuffer};
use serde_json::json;

use crate::networks::{Case, HUBER_KAPPA, TARGET_EVERY};

/// Gradient steps whose losses are compared.
pub(super) const COMPARED_STEPS: usize = 20;

/// Writes everything of `case`, the network's first parameters included.
pub(super) fn write(case: &Case, folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let file = |name: &str, bytes: Vec<u8>| std::fs::write(folder.join(name), bytes);
    let (spec, store) = (case.spec(), case.replay());
    file("header.json", serde_json::to_vec_pretty(&header(case, &spec)?)?)?;
    file("parameters.f32", of_f32(&spec.initial_parameters(&mut case.initialization_stream())?))?;

    let all: Vec<u32> = (0..store.len() as u32).collect();
    let mut batch = Batch::zeros(all.len(), spec.element, spec.inputs());
    store.gather(&all, &mut batch);
    for (name, buffer) in [("observation", &batch.observation), ("next_observation", &batch.next_observation)]
    {
        let (kind, bytes) = of_observations(buffer);
        file(&format!("{name}.{kind}"), bytes)?;
    }
    file("action.u32", of_u32(&batch.action))?;
    file("reward.f32", of_f32(&batch.reward))?;
    file("discount.f32", of_f32(&batch.discount))?;

    let (mut sampler, mut stream) = (case.sampler(), case.sampling_stream());
    let mut indices = vec![0; COMPARED_STEPS * case.batch_size];
    for step in indices.chunks_exact_mut(case.batch_size) {
        sampler.sample_uniform(store.len(), &mut stream, step);
    }
    Ok(file("indices.u32", of_u32(&indices))?)
}

fn header(case: &Case, spec: &NetworkSpec) -> Result<serde_json::Value, SpecError> {
    let (order, shape) = match spec.input {
        InputShape::Vector { len } => ("vector", vec![len]),
        InputShape::ChannelsFirst { channels, height, width } => {
            ("channels-first", vec![channels, height, width])
        }
        InputShape::ChannelsLast { height, width, channels } => {
            ("channels-last", vec![height, width, channels])
        }
    };
    let layout = spec.layout()?;
    let tensors: Vec<_> =
        layout.tensors().iter().map(|t| json!({ "name": t.name, "shape": t.shape })).collect();
    Ok(json!({
        "network": case.name, "layers": spec.layers, "actions": spec.actions,
        "input": { "order": order, "shape": shape },
        "batch_size": case.batch_size, "transitions": case.transitions,
        "learning_rate": case.learning_rate, "huber_kappa": HUBER_KAPPA, "target_every": TARGET_EVERY,
        "adam": { "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8 },
        "compared_steps": COMPARED_STEPS, "scan_steps": case.scan_steps, "tensors": tensors,
    }))
}

fn of_f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn of_u32(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn of_observations(buffer: &ObservationBuffer) -> (&'static str, Vec<u8>) {
    match buffer.as_observation() {
        Observation::F32(values) => ("f32", of_f32(values)),
        Observation::U8(bytes) => ("u8", bytes.to_vec()),
    }
}
