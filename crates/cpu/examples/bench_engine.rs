//! Times of the engine's operations and their distance to this processor's limit.
//!
//! ```text
//! cargo run --release -p deepq-cpu --example bench_engine [avx512|avx2|portable]
//! ```
//!
//! One core, `f32`. Each time is the least of many repetitions. "Peak" is what a loop of nothing but independent
//! fused multiply-adds reaches in the same program; a share is measured against the best set's peak.

use std::time::{Duration, Instant};

use deepq_core::network::{Initialization, NetworkSpec, OptimizerConfig, Parameters, QNetwork};
use deepq_core::{Observation, RandomStream};
use deepq_cpu::{CpuNetwork, InstructionSet, peak_flops};

const NETWORKS: [(&str, &[usize], usize); 6] = [
    ("A 4-24-24-2", &[24, 24], 64),
    ("A 4-24-24-2", &[24, 24], 32),
    ("  4-64-64-2", &[64, 64], 64),
    ("B 4-120-84-2", &[120, 84], 128),
    ("C 4-256-256-2", &[256, 256], 64),
    ("C 4-256-256-2", &[256, 256], 128),
];
const FORWARD_BATCHES: [usize; 4] = [1, 4, 16, 64];

/// The least time of one call, in µs.
fn least(mut call: impl FnMut()) -> f64 {
    let timer = Instant::now();
    call();
    let repetitions = (200e-6 / timer.elapsed().as_secs_f64()).clamp(1.0, 1000.0) as u32;
    let (mut least, started) = (f64::INFINITY, Instant::now());
    while started.elapsed() < Duration::from_millis(400) {
        let timer = Instant::now();
        (0..repetitions).for_each(|_| call());
        least = least.min(timer.elapsed().as_secs_f64() * 1e6 / f64::from(repetitions));
    }
    least
}

fn numbers(stream: &mut RandomStream, len: usize) -> Vec<f32> {
    (0..len).map(|_| 2.0 * stream.uniform_f32() - 1.0).collect()
}

fn bench(name: &str, hidden: &[usize], batch: usize, set: InstructionSet, peak: f64) {
    let spec = NetworkSpec::mlp(4, hidden, 2, Initialization::FanInUniform);
    let mut stream = RandomStream::new(1, "bench", 0);
    let mut network = CpuNetwork::with_instruction_set(&spec, OptimizerConfig::default(), &mut stream, set)
        .expect("the network is sound and the set supported");
    let observation = numbers(&mut stream, batch * spec.inputs());
    let d_output = numbers(&mut stream, batch * spec.outputs());
    let mut output = vec![0.0; batch * spec.outputs()];
    let observed = Observation::F32(&observation);
    let parts = [
        least(|| network.forward(Parameters::Target, observed, &mut output)),
        least(|| network.forward_train(observed, &mut output)),
        least(|| network.backward(&d_output)),
        least(|| network.optimizer_step(1e-4, None)),
        least(|| network.update_target(0.005)),
    ];
    let step = least(|| {
        network.forward(Parameters::Target, observed, &mut output);
        network.forward_train(observed, &mut output);
        network.backward(&d_output);
        network.optimizer_step(1e-4, None);
    });
    // Two forward passes, the gradient by the weights, and that by the inputs of all layers but the first.
    let multiply_adds = batch * (4 * spec.multiply_adds() - spec.inputs() * hidden[0]);
    let gflops = 2.0 * multiply_adds as f64 / step / 1e3;
    println!(
        "{name:14} {batch:4} {:9} {step:9.2} {gflops:7.1} {:5.0} %   {}",
        set.name(),
        100.0 * gflops / peak,
        parts.map(|part| format!("{part:8.2}")).join(" ")
    );
}

fn bench_forward(name: &str, hidden: &[usize], set: InstructionSet) {
    let spec = NetworkSpec::mlp(4, hidden, 2, Initialization::FanInUniform);
    let mut stream = RandomStream::new(1, "bench", 0);
    let mut network = CpuNetwork::with_instruction_set(&spec, OptimizerConfig::default(), &mut stream, set)
        .expect("the network is sound and the set supported");
    let times = FORWARD_BATCHES.map(|batch| {
        let observation = numbers(&mut stream, batch * 4);
        let mut output = vec![0.0; batch * 2];
        let observation = Observation::F32(&observation);
        format!("{:9.3}", least(|| network.forward(Parameters::Online, observation, &mut output)))
    });
    println!("{name:14} {:9} {}", set.name(), times.join(" "));
}

fn main() {
    let wanted: Option<InstructionSet> =
        std::env::args().nth(1).map(|name| name.parse().expect("an argument is an instruction set"));
    let sets = InstructionSet::supported().into_iter().filter(|set| wanted.is_none_or(|w| w == *set));
    let sets: Vec<_> = sets.collect();
    let peaks: Vec<f64> = InstructionSet::supported().into_iter().map(|set| peak_flops(set) / 1e9).collect();
    let peak = peaks.iter().copied().fold(0.0, f64::max);
    for (set, peak) in InstructionSet::supported().iter().zip(&peaks) {
        println!("peak of {set}: {peak:.0} GFLOP/s");
    }
    println!("\nOne gradient step (target forward, forward_train, backward, Adam), and its parts, in µs");
    println!(
        "network       batch set         step µs GFLOP/s  share    target    train backward     Adam  tau move"
    );
    for (name, hidden, batch) in NETWORKS {
        sets.iter().for_each(|set| bench(name, hidden, batch, *set, peak));
    }
    println!("\nforward, in µs, for batches of {FORWARD_BATCHES:?}");
    for (name, hidden) in [NETWORKS[0], NETWORKS[3], NETWORKS[5]].map(|(name, hidden, _)| (name, hidden)) {
        sets.iter().for_each(|set| bench_forward(name, hidden, *set));
    }
}
