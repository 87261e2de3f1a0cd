//! The optimiser of a network: its state, and what of a step is worked out once, not once an element.

mod numbers;

use deepq_core::network::{OptimizerConfig, SpecError};
use deepq_core::{StateError, StateReader, StateWriter};

use self::numbers::numbers;
use crate::aligned::AlignedBuffer;
use crate::kernels::{Kernels, MOST_SLOTS, OptimizerStep, Stretch, Team, partial_sums};
use crate::plan::Plan;

/// The greatest count of steps that is loaded: no run counts further.
const MOST_STEPS: u64 = 1 << 62;

/// An optimiser with all that it keeps from step to step.
#[derive(Debug)]
pub(crate) struct OptimizerState {
    config: OptimizerConfig,
    gradient_steps: u64,
    /// Those since the last reset, which the means are corrected for.
    steps_since_reset: u64,
    /// Vectors as long as the parameters; those that this optimiser has no use for are empty.
    slots: [AlignedBuffer; MOST_SLOTS],
    /// The sums of squares of the gradient's chunks.
    partial: Vec<f32>,
}

impl OptimizerState {
    /// Before the first step, for flat vectors of `len` elements, a multiple of 16.
    ///
    /// # Errors
    /// Where a setting cannot be used, or this engine has no such optimiser.
    pub(crate) fn new(config: OptimizerConfig, len: usize) -> Result<Self, SpecError> {
        let fail = |message: String| SpecError { layer: "optimizer".to_string(), message };
        config.validate().map_err(|error| fail(error.to_string()))?;
        if names(&config).is_none() {
            return Err(fail("the CPU engine has no such optimiser".to_string()));
        }
        let used = config.state_vectors();
        let slots = std::array::from_fn(|slot| AlignedBuffer::zeros(if slot < used { len } else { 0 }));
        Ok(Self {
            config,
            gradient_steps: 0,
            steps_since_reset: 0,
            slots,
            partial: vec![0.0; partial_sums(len)],
        })
    }

    /// The number of steps taken.
    pub(crate) fn gradient_steps(&self) -> u64 {
        self.gradient_steps
    }

    /// Back to before the first step, but for the number of steps taken.
    pub(crate) fn reset(&mut self) {
        self.steps_since_reset = 0;
        self.slots.iter_mut().for_each(|slot| slot.fill(0.0));
    }

    /// One step along `gradient`, scaled down to the norm `max_gradient_norm` where it is longer. The team shares
    /// it where the vectors are long.
    pub(crate) fn step(
        &mut self,
        kernels: &Kernels,
        team: &mut Team,
        learning_rate: f32,
        max_gradient_norm: Option<f32>,
        parameters: &mut [f32],
        gradient: &[f32],
    ) {
        let scale = max_gradient_norm.map_or(1.0, |limit| {
            clipping_scale(limit, kernels.sum_of_squares(team, gradient, &mut self.partial))
        });
        let step = self.begin(learning_rate, scale);
        kernels.update(team, &step, self.stretch(parameters, gradient));
    }

    /// Counts a step and works out its numbers.
    fn begin(&mut self, learning_rate: f32, gradient_scale: f32) -> OptimizerStep {
        self.gradient_steps += 1;
        self.steps_since_reset += 1;
        let rate = f64::from(learning_rate);
        let (formula, decay) = numbers(&self.config, self.steps_since_reset, rate);
        OptimizerStep { gradient_scale, decay, formula }
    }

    /// All vectors that a step works on.
    fn stretch<'a>(&'a mut self, parameters: &'a mut [f32], gradient: &'a [f32]) -> Stretch<'a> {
        let slots = self.slots.each_mut().map(|slot| &mut **slot);
        Stretch { parameters, gradient, slots }
    }

    /// Writes the step counts and the state, in the order of the plan's layout.
    pub(crate) fn save(&self, plan: &Plan, state: &mut StateWriter) {
        state.tag(self.names().0);
        state.u64(self.gradient_steps);
        state.u64(self.steps_since_reset);
        for slot in &self.slots[..self.config.state_vectors()] {
            state.f32_slice(&plan.canonical(slot));
        }
    }

    /// Takes over what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// Where the bytes are not the state of this optimiser on this network; it then is as it was.
    pub(crate) fn load(&mut self, plan: &Plan, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let (tag, names) = self.names();
        state.tag(tag)?;
        let gradient_steps = state.u64_at_most("the optimiser's steps", MOST_STEPS)?;
        let steps_since_reset = state.u64_at_most("its steps since the last reset", gradient_steps)?;
        let mut vectors = Vec::new();
        for what in names {
            let mut values = vec![0.0; plan.layout.len()];
            state.f32_slice(what, &mut values)?;
            vectors.push(values);
        }
        // Only now: a state that does not fit must leave everything as it was.
        (self.gradient_steps, self.steps_since_reset) = (gradient_steps, steps_since_reset);
        for (values, slot) in vectors.iter().zip(&mut self.slots) {
            plan.take_canonical(values, slot);
        }
        Ok(())
    }

    fn names(&self) -> (&'static str, &'static [&'static str]) {
        names(&self.config).unwrap_or(("none", &[]))
    }
}

/// What multiplies a gradient whose squares have the sum `sum_of_squares` so that its norm is at most `limit`:
/// as PyTorch's `clip_grad_norm_`.
pub(crate) fn clipping_scale(limit: f32, sum_of_squares: f64) -> f32 {
    let scale = f64::from(limit) / (sum_of_squares.sqrt() + 1e-6);
    // Not `min`: where the norm is NaN, the gradient must go on as it is, and be seen.
    if scale < 1.0 { scale as f32 } else { 1.0 }
}

const MEANS: &str = "the means of the gradients";
const SQUARES: &str = "the means of their squares";
const MOMENTUM: &str = "the momentum";

/// The tag of an optimiser's state, which tells all that its meaning depends on, and what the vectors are.
/// None where this engine has no such optimiser.
fn names(config: &OptimizerConfig) -> Option<(&'static str, &'static [&'static str])> {
    Some(match *config {
        OptimizerConfig::Adam { .. } => ("adam", &[MEANS, SQUARES]),
        OptimizerConfig::AdamW { .. } => ("adamw", &[MEANS, SQUARES]),
        OptimizerConfig::RAdam { .. } => ("radam", &[MEANS, SQUARES]),
        OptimizerConfig::RmsProp { centered, momentum, .. } => match (centered, momentum > 0.0) {
            (false, false) => ("rmsprop", &[SQUARES]),
            (false, true) => ("rmsprop-momentum", &[SQUARES, MOMENTUM]),
            (true, false) => ("rmsprop-centered", &[SQUARES, MEANS]),
            (true, true) => ("rmsprop-centered-momentum", &[SQUARES, MEANS, MOMENTUM]),
        },
        OptimizerConfig::Sgd { momentum, .. } if momentum > 0.0 => ("sgd-momentum", &[MOMENTUM]),
        OptimizerConfig::Sgd { .. } => ("sgd", &[]),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InstructionSet;
    use crate::kernels::CHUNK;

    /// Every kernel once, with every form of decay.
    fn configs() -> Vec<OptimizerConfig> {
        let (beta1, beta2, epsilon, weight_decay) = (0.9, 0.999, 1e-8, 0.01);
        let mut configs = vec![
            OptimizerConfig::default(),
            OptimizerConfig::AdamW { beta1, beta2, epsilon, weight_decay },
            OptimizerConfig::RAdam { beta1, beta2, epsilon, weight_decay, decoupled_weight_decay: false },
        ];
        for momentum in [0.0, 0.9] {
            for (flag, weight_decay) in [(false, 0.0), (true, 0.01)] {
                let nesterov = flag && momentum > 0.0;
                configs.push(OptimizerConfig::Sgd { momentum, nesterov, weight_decay });
                configs.push(OptimizerConfig::RmsProp {
                    alpha: 0.95,
                    epsilon: 1e-5,
                    epsilon_inside_root: momentum > 0.0,
                    momentum,
                    centered: flag,
                    weight_decay,
                });
            }
        }
        configs
    }

    fn kernels() -> Vec<Kernels> {
        InstructionSet::supported().into_iter().filter_map(Kernels::new).collect()
    }

    /// Numbers of very different sizes.
    fn values(len: usize, salt: usize) -> Vec<f32> {
        let size = |index: usize| [1e-6, 1.0, 1e3, 1e-2, 1e-20][index % 5];
        (0..len).map(|index| (((index * 37 + salt) % 101) as f32 / 50.0 - 1.0) * size(index / 7)).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn all_bits(parameters: &[f32], optimizer: &OptimizerState) -> Vec<Vec<u32>> {
        std::iter::once(bits(parameters)).chain(optimizer.slots.iter().map(|slot| bits(slot))).collect()
    }

    #[test]
    fn a_step_in_parts_is_the_step() {
        const LEN: usize = 240;
        for kernels in kernels() {
            for config in configs() {
                let mut whole = OptimizerState::new(config, LEN).unwrap();
                let mut parts = OptimizerState::new(config, LEN).unwrap();
                let mut parameters = values(LEN, 1);
                let mut others = parameters.clone();
                for step in 0..10 {
                    let gradient = values(LEN, step);
                    whole.step(&kernels, &mut Team::new(1), 0.01, None, &mut parameters, &gradient);
                    let numbers = parts.begin(0.01, 1.0);
                    let (first, rest) = parts.stretch(&mut others, &gradient).split_at(16);
                    let (second, third) = rest.split_at(112);
                    let update = |part| kernels.update_stretch(&numbers, part);
                    [third, first, second].into_iter().for_each(update);
                    let (found, expected) = (all_bits(&others, &parts), all_bits(&parameters, &whole));
                    assert!(found == expected, "{config:?}, {kernels:?}, step {step}");
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes too long")]
    fn a_team_gives_the_same_bits() {
        const LEN: usize = 5 * CHUNK + 96;
        let kernels = Kernels::new(InstructionSet::detect()).unwrap();
        for config in configs() {
            let mut results = [1, 2, 3, 7].map(|threads| {
                let mut team = Team::new(threads);
                let mut optimizer = OptimizerState::new(config, LEN).unwrap();
                let mut parameters = values(LEN, 1);
                for step in 0..3 {
                    let limit = Some(0.5);
                    optimizer.step(&kernels, &mut team, 0.01, limit, &mut parameters, &values(LEN, step));
                }
                let mut target = values(LEN, 9);
                kernels.move_towards(&mut team, 0.1, &parameters, &mut target);
                let mut bits_of_all = all_bits(&parameters, &optimizer);
                bits_of_all.push(bits(&target));
                bits_of_all
            });
            let alone = std::mem::take(&mut results[0]);
            assert!(results[1..].iter().all(|result| *result == alone), "{config:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes too long")]
    fn every_instruction_set_gives_the_same_bits() {
        const LEN: usize = 1008;
        for config in configs() {
            let results: Vec<_> = kernels()
                .iter()
                .map(|kernels| {
                    let mut optimizer = OptimizerState::new(config, LEN).unwrap();
                    let mut parameters = values(LEN, 1);
                    for step in 0..100 {
                        let limit = (step % 2 == 0).then_some(0.5);
                        optimizer.step(
                            kernels,
                            &mut Team::new(1),
                            0.01,
                            limit,
                            &mut parameters,
                            &values(LEN, step),
                        );
                    }
                    all_bits(&parameters, &optimizer)
                })
                .collect();
            assert!(results.iter().all(|result| *result == results[0]), "{config:?}");
        }
    }

    #[test]
    fn padding_stays_zero() {
        for kernels in kernels() {
            for config in configs() {
                let mut optimizer = OptimizerState::new(config, 48).unwrap();
                let (mut parameters, mut gradient) = ([0.0; 48], [0.0; 48]);
                parameters[20] = 1.0;
                for step in 0..20 {
                    gradient[20] = [1e3, -1e-3, 0.0][step % 3];
                    optimizer.step(&kernels, &mut Team::new(1), 0.1, Some(1.0), &mut parameters, &gradient);
                }
                parameters[20] = 0.0;
                assert!(parameters.iter().all(|value| value.to_bits() == 0), "{config:?}: {parameters:?}");
                for slot in &mut optimizer.slots {
                    slot.iter_mut().skip(20).take(1).for_each(|value| *value = 0.0);
                    assert!(slot.iter().all(|value| value.to_bits() == 0), "{config:?}: {:?}", &slot[..]);
                }
            }
        }
    }

    /// Numbers that stay subnormal for ever would slow every later step down.
    #[test]
    #[cfg_attr(miri, ignore = "takes too long")]
    fn state_of_gradients_that_stay_zero_becomes_zero() {
        for kernels in kernels() {
            for config in configs() {
                let mut optimizer = OptimizerState::new(config, 16).unwrap();
                let mut parameters = [0.0; 16];
                optimizer.step(&kernels, &mut Team::new(1), 1e-3, None, &mut parameters, &[1.0; 16]);
                for _ in 0..3_000 {
                    // Weight decay is a gradient of its own: hold the parameter where there is none.
                    parameters.fill(0.0);
                    optimizer.step(&kernels, &mut Team::new(1), 1e-3, None, &mut parameters, &[0.0; 16]);
                    let mut state = optimizer.slots.iter().flat_map(|slot| slot.iter());
                    assert!(state.all(|value| !value.is_subnormal()), "{config:?}, {kernels:?}");
                }
                if let OptimizerConfig::RmsProp { .. } | OptimizerConfig::Sgd { .. } = config {
                    let mut state = optimizer.slots.iter().flat_map(|slot| slot.iter());
                    assert!(state.all(|value| *value == 0.0), "{config:?}, {kernels:?}");
                }
            }
        }
    }

    /// PyTorch's centred RMSprop gives NaN where gradients are all alike and rounding makes v−m² negative.
    #[test]
    #[cfg_attr(miri, ignore = "takes too long")]
    fn a_variance_below_zero_counts_as_zero() {
        let (alpha, epsilon, epsilon_inside_root, momentum, weight_decay) = (0.9, 1e-8, false, 0.0, 0.0);
        let config = OptimizerConfig::RmsProp {
            alpha,
            epsilon,
            epsilon_inside_root,
            momentum,
            centered: true,
            weight_decay,
        };
        for kernels in kernels() {
            let mut optimizer = OptimizerState::new(config, 1600).unwrap();
            let gradient: Vec<f32> = (0..1600).map(|index| 0.1 + index as f32 * 1e-3).collect();
            let (mut parameters, mut negative) = (vec![0.0; 1600], false);
            for _ in 0..400 {
                optimizer.step(&kernels, &mut Team::new(1), 1e-3, None, &mut parameters, &gradient);
                let [square, mean, _] = &optimizer.slots;
                negative |= square.iter().zip(mean.iter()).any(|(v, m)| (-m).mul_add(*m, *v) < 0.0);
            }
            assert!(negative, "there was such a variance");
            assert!(parameters.iter().all(|value| value.is_finite()), "{kernels:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes too long")]
    fn the_norm_is_the_norm() {
        for len in [16, 48, 64, 80, 1008, CHUNK - 16, CHUNK, CHUNK + 16, 5 * CHUNK + 96] {
            let values = values(len, 3);
            let expected: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
            let mut partial = vec![f32::NAN; partial_sums(len)];
            let mut sum = |kernels: &Kernels, values: &[f32], threads| {
                kernels.sum_of_squares(&mut Team::new(threads), values, &mut partial)
            };
            let sums: Vec<f64> = kernels().iter().map(|kernels| sum(kernels, &values, 1)).collect();
            assert!((sums[0] / expected - 1.0).abs() < 1e-6, "{len}: {} and {expected}", sums[0]);
            assert!(sums.iter().all(|sum| sum.to_bits() == sums[0].to_bits()), "{len}: {sums:?}");
            // Neither padding nor threads change anything.
            let mut padded = values.clone();
            padded.resize(len.next_multiple_of(CHUNK), 0.0);
            assert_eq!(sum(&kernels()[0], &padded, 1), sums[0]);
            for threads in [2, 3, 5, 100] {
                assert_eq!(sum(&kernels()[0], &values, threads), sums[0], "{len}, {threads} threads");
            }
        }
    }

    #[test]
    fn gradients_are_scaled_to_the_limit_and_no_further() {
        assert_eq!(clipping_scale(5.0, 100.0), (5.0 / (10.0 + 1e-6)) as f32);
        assert_eq!(clipping_scale(10.0, 100.0), (10.0 / (10.0 + 1e-6)) as f32);
        assert_eq!(clipping_scale(10.1, 100.0), 1.0);
        assert_eq!(clipping_scale(1.0, 0.0), 1.0);
        assert_eq!(clipping_scale(1.0, f64::NAN), 1.0);
        assert_eq!(clipping_scale(1.0, f64::INFINITY), 0.0);
    }

    #[test]
    fn only_the_vectors_that_are_used_are_there() {
        for config in configs() {
            let optimizer = OptimizerState::new(config, 32).unwrap();
            let lengths = optimizer.slots.each_ref().map(|slot| slot.len());
            let (_, names) = optimizer.names();
            assert_eq!(names.len(), config.state_vectors(), "{config:?}");
            for (slot, len) in lengths.into_iter().enumerate() {
                assert_eq!(len, if slot < names.len() { 32 } else { 0 }, "{config:?}");
            }
        }
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        let config = OptimizerConfig::Sgd { momentum: 1.0, nesterov: false, weight_decay: 0.0 };
        let error = OptimizerState::new(config, 16).unwrap_err().to_string();
        assert!(error.contains("momentum: found 1"), "{error}");
    }
}
