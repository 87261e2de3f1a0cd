//! Times.
#![allow(missing_docs)]
use deepq_core::Observation;
use deepq_core::RandomStream;
use deepq_core::network::*;
use deepq_cpu::*;
use std::time::Instant;
fn main() {
    let n: usize = std::env::args().nth(1).map(|x| x.parse().unwrap()).unwrap_or(1);
    let only = std::env::args().nth(2).unwrap_or_default();
    let onlyset = std::env::args().nth(3).unwrap_or_default();
    for set in InstructionSet::supported() {
        if !onlyset.is_empty() && set.name() != onlyset {
            continue;
        }
        println!("{set} peak {:.1}", peak_flops(set) / 1e9);
        for (name, spec, batch) in [
            ("A", NetworkSpec::mlp(4, &[24, 24], 2, Initialization::FanInUniform), 64),
            ("B", NetworkSpec::mlp(4, &[120, 84], 2, Initialization::FanInUniform), 128),
            ("C", NetworkSpec::mlp(4, &[256, 256], 2, Initialization::FanInUniform), 128),
            ("D", NetworkSpec::nature(4, 4), 32),
            ("E", NetworkSpec::minatar(4, 6), 32),
        ] {
            if !only.is_empty() && only != name {
                continue;
            }
            let mut st = RandomStream::new(1, "x", 0);
            let mut net = CpuNetwork::with_instruction_set(&spec, OptimizerConfig::default(), &mut st, set)
                .unwrap()
                .with_threads(n);
            let f: Vec<f32> = (0..batch * spec.inputs()).map(|_| st.uniform_f32()).collect();
            let u: Vec<u8> = f.iter().map(|x| (x * 255.) as u8).collect();
            let o = if name == "D" { Observation::U8(&u) } else { Observation::F32(&f) };
            let mut out = vec![0.0; batch * spec.outputs()];
            let d: Vec<f32> = (0..out.len()).map(|_| st.uniform_f32() * 0.01).collect();
            let mut t = [f64::MAX; 5];
            let s = Instant::now();
            let reps = if name == "D" {
                1
            } else if name == "A" {
                200
            } else {
                10
            };
            while s.elapsed().as_secs_f64() < 1.5 {
                let mut q = [0.0; 5];
                for _ in 0..reps {
                    let a = Instant::now();
                    net.forward(Parameters::Target, o, &mut out);
                    let b = Instant::now();
                    net.forward_train(o, &mut out);
                    let c = Instant::now();
                    net.backward(&d);
                    let e = Instant::now();
                    net.optimizer_step(1e-6, None);
                    let g = Instant::now();
                    q[0] += (b - a).as_secs_f64();
                    q[1] += (c - b).as_secs_f64();
                    q[2] += (e - c).as_secs_f64();
                    q[3] += (g - e).as_secs_f64();
                    q[4] += (g - a).as_secs_f64();
                }
                for i in 0..5 {
                    t[i] = t[i].min(q[i] * 1e6 / reps as f64);
                }
            }
            let gf = 2.0 * spec.gradient_step_multiply_adds(batch) as f64 / t[4] / 1e3;
            println!(
                "{name} fwd {:.2} train {:.2} back {:.2} opt {:.2} total {:.2} µs  {gf:.1} GFLOP/s",
                t[0], t[1], t[2], t[3], t[4]
            );
        }
    }
}
