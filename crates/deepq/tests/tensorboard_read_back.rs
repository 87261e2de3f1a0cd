//! Event files read back by the tensorboard package itself.
//!
//! Python with tensorboard is found through `DEEPQ_TEST_PYTHON`, which `cargo xtask test` sets.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use deepq::tensorboard::EventWriter;
use serde::Deserialize;
use skip::skip;

#[path = "../../../xtask/skip.rs"]
mod skip;

/// Floats go as the bits of a double, so that no decimal notation stands between the file and the comparison.
const READER: &str = r#"
import json, struct, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
bits = lambda number: struct.unpack("<Q", struct.pack("<d", number))[0]
accumulator = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
accumulator.Reload()
tags = accumulator.Tags()
print(json.dumps({
    "scalars": {tag: [[bits(e.wall_time), e.step, bits(e.value)] for e in accumulator.Scalars(tag)]
                for tag in tags["scalars"]},
    "texts": {tag: [[bits(e.wall_time), e.step, e.tensor_proto.string_val[0].decode()]
                    for e in accumulator.Tensors(tag)] for tag in tags["tensors"]},
    "text_tags": sorted(accumulator.PluginTagToContent("text")),
}))
"#;

#[derive(Deserialize)]
struct ReadBack {
    scalars: BTreeMap<String, Vec<(u64, u64, u64)>>,
    texts: BTreeMap<String, Vec<(u64, u64, String)>>,
    text_tags: Vec<String>,
}

fn read_with(python: &Path, directory: &Path) -> ReadBack {
    let output = Command::new(python).args(["-c", READER]).arg(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Values of every magnitude, each exact in single precision.
fn loss(step: u64) -> f32 {
    (1.0 / (1.0 + step as f32)) * if step.is_multiple_of(3) { -1e30 } else { 1e-30 }
}

#[test]
fn tensorboard_reads_back_every_step_and_value() {
    let Some(python) = std::env::var_os("DEEPQ_TEST_PYTHON") else {
        return skip("tensorboard_reads_back_every_step_and_value", "DEEPQ_TEST_PYTHON is not set");
    };
    const STEPS: u64 = 5_000;
    const TEXT: &str = "`lr = 1e-3`  \n한글, ε → 0";
    let directory = tempfile::tempdir().unwrap();
    let before_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let mut writer = EventWriter::create(directory.path()).unwrap();
    for step in 0..STEPS {
        writer.scalar_at(1.6e9 + step as f64 / 8.0, "train/loss", step, loss(step)).unwrap();
        if step % 10 == 0 {
            writer.scalar("rollout/ep_rew_mean", step << 40, step as f32 / 8.0).unwrap();
        }
    }
    writer.text("config", 7, TEXT).unwrap();
    drop(writer);
    let after_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let read = read_with(Path::new(&python), directory.path());

    assert_eq!(read.scalars["train/loss"].len() as u64, STEPS);
    for (step, found) in (0..STEPS).zip(&read.scalars["train/loss"]) {
        assert_eq!(*found, ((1.6e9 + step as f64 / 8.0).to_bits(), step, f64::from(loss(step)).to_bits()));
    }
    let returns = &read.scalars["rollout/ep_rew_mean"];
    assert_eq!(returns.len() as u64, STEPS / 10);
    for (step, (wall_time_s, found_step, value)) in (0..STEPS).step_by(10).zip(returns) {
        assert_eq!((*found_step, *value), (step << 40, (step as f64 / 8.0).to_bits()));
        assert!((before_s..=after_s).contains(&f64::from_bits(*wall_time_s)), "{wall_time_s}");
    }
    let [(wall_time_s, 7, text)] = read.texts["config"].as_slice() else {
        panic!("one text at step 7, not {:?}", read.texts);
    };
    assert_eq!(text, TEXT);
    assert!((before_s..=after_s).contains(&f64::from_bits(*wall_time_s)), "{wall_time_s}");
    assert_eq!(read.text_tags, ["config"]);
    assert_eq!((read.scalars.len(), read.texts.len()), (2, 1));
}
