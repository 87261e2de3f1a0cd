//! Row 6: prioritised replay (Schaul et al. 2016).

use proptest::prelude::*;

use deepq_core::loss::{ErrorFunction, ExpectedLoss, TargetRule};
use deepq_core::network::{Initialization, NetworkSpec, OptimizerConfig};
use deepq_core::replay::{Normalization, ReplayStore, ReplayStoreConfig, Sampler, SamplerConfig};
use deepq_core::testing::ReferenceNetwork;
use deepq_core::{
    ElementKind, Learner, LearnerConfig, Observation, Period, Progress, RandomStream, Schedule, StateReader,
    StateWriter, TargetUpdate, Transition,
};

const EPSILON: f64 = 1e-3;

fn config(alpha: f64, beta: Schedule, normalization: Normalization) -> SamplerConfig {
    SamplerConfig::Prioritized { alpha, beta, normalization, epsilon: EPSILON }
}

fn prioritized(alpha: f64, capacity: usize) -> Sampler {
    Sampler::new(config(alpha, Schedule::Constant { value: 0.5 }, Normalization::Batch), capacity)
}

fn store(capacity: usize) -> ReplayStore {
    let mut store = ReplayStore::new(ReplayStoreConfig {
        capacity,
        envs: 1,
        actions: 1,
        n_step: 1,
        element: ElementKind::F32,
        observation_len: 1,
        stacked_frames: 1,
        stack_padding: deepq_core::StackPadding::Reset,
        action_masks: false,
    });
    store.push_observations(Observation::F32(&[0.0]), &[], |_| true);
    store
}

fn push(store: &mut ReplayStore, count: usize) {
    let at = store.newest(0);
    let transition =
        Transition { observation: at, action: 0, reward: 0.0, discount: 0.0, next_observation: at };
    (0..count).for_each(|_| store.push(transition));
}

fn full(capacity: usize) -> ReplayStore {
    let mut store = store(capacity);
    push(&mut store, capacity);
    store
}

fn stream() -> RandomStream {
    RandomStream::new(1, "replay", 0)
}

/// Draws a batch; gives its slots and weights.
fn sample(
    sampler: &mut Sampler,
    store: &ReplayStore,
    stream: &mut RandomStream,
    batch: usize,
) -> (Vec<u32>, Vec<f32>) {
    let (mut indices, mut weights) = (vec![u32::MAX; batch], vec![f32::NAN; batch]);
    sampler.sample(store, Progress::default(), stream, &mut indices, &mut weights);
    (indices, weights)
}

/// How often each slot is drawn in `draws` batches of `batch`.
fn frequencies(sampler: &mut Sampler, store: &ReplayStore, batch: usize, draws: usize) -> Vec<f64> {
    let (mut stream, mut counts) = (stream(), vec![0.0; store.config().capacity]);
    for _ in 0..draws {
        sample(sampler, store, &mut stream, batch).0.iter().for_each(|slot| counts[*slot as usize] += 1.0);
    }
    counts
}

/// Errors of many sizes, both signs, and 0.
fn errors(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i % 7) as f32 * 0.3 * if i % 2 == 0 { 1.0 } else { -1.0 }).collect()
}

/// The 99.99 % quantile of χ², by Wilson and Hilferty's approximation.
fn chi_squared_limit(freedom: f64) -> f64 {
    let term = 2.0 / (9.0 * freedom);
    freedom * (1.0 - term + 3.719 * term.sqrt()).powi(3)
}

fn assert_drawn_by(counts: &[f64], priorities: &[f64], what: &str) {
    let (draws, total) = (counts.iter().sum::<f64>(), priorities.iter().sum::<f64>());
    let mut chi_squared = 0.0;
    for (count, priority) in counts.iter().zip(priorities) {
        let expected = draws * priority / total;
        assert!(expected > 0.0 || *count == 0.0, "{what}: {counts:?}");
        chi_squared += if expected > 0.0 { (count - expected).powi(2) / expected } else { 0.0 };
    }
    let freedom = priorities.iter().filter(|priority| **priority > 0.0).count() as f64 - 1.0;
    assert!(chi_squared < chi_squared_limit(freedom), "{what}: {chi_squared} with {counts:?}");
}

fn tell(sampler: &mut Sampler, errors: &[f32]) {
    let all: Vec<u32> = (0..errors.len() as u32).collect();
    sampler.update(&all, errors);
}

/// Row 6: each transition is drawn as often as p^α/Σp^α says, at capacities that are no power of two as well.
#[test]
fn row_6_draws_are_proportional_to_the_priorities_raised_to_alpha() {
    for capacity in [5, 7, 64, 100] {
        for alpha in [0.0, 0.4, 0.6, 1.0] {
            let (store, mut sampler) = (full(capacity), prioritized(alpha, capacity));
            sample(&mut sampler, &store, &mut stream(), 1);
            let errors = errors(capacity);
            tell(&mut sampler, &errors);
            let counts = frequencies(&mut sampler, &store, 1, 40_000);
            let priorities = errors.iter().map(|error| (f64::from(error.abs()) + EPSILON).powf(alpha));
            assert_drawn_by(&counts, &priorities.collect::<Vec<_>>(), &format!("{capacity} {alpha}"));
        }
    }
}

/// Row 6: one draw in each equal part of the total, which makes batches more alike than draws of their own would.
#[test]
fn row_6_each_part_of_the_total_has_a_draw() {
    let (store, mut sampler, mut stream) = (full(8), prioritized(1.0, 8), stream());
    for _ in 0..100 {
        assert_eq!(sample(&mut sampler, &store, &mut stream, 8).0, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
    let errors = [1.0, 1.0, 2.0, 4.0, 8.0, 8.0, 4.0, 4.0].map(|error: f32| error - EPSILON as f32);
    tell(&mut sampler, &errors);
    for _ in 0..100 {
        let (indices, _) = sample(&mut sampler, &store, &mut stream, 4);
        // The parts end at 8, 16, 24 and 32; rounding may move a border by one slot at most.
        assert!(indices[0] <= 3 && (4..=4).contains(&indices[1]), "{indices:?}");
        assert!((5..=5).contains(&indices[2]) && indices[3] >= 6, "{indices:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Row 6: each minibatch of a batch has one draw in each equal part of the whole total, and is what it would be
    /// if it were sampled by itself.
    #[test]
    fn row_6_each_minibatch_is_drawn_over_the_whole_memory(
        errors in prop::collection::vec(0.0..8.0f32, 1..60),
        batch in 1..40usize,
        share in 0.0..1.0f64,
        by_batch in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let (capacity, minibatch) = (errors.len(), 1 + (share * batch as f64) as usize);
        let normalization = if by_batch { Normalization::Batch } else { Normalization::Memory };
        let config = config(0.6, Schedule::Constant { value: 0.5 }, normalization);
        let (store, mut sampler) = (full(capacity), Sampler::new(config, capacity));
        let (mut stream, progress) = (RandomStream::new(seed, "replay", 0), Progress::default());
        sample(&mut sampler, &store, &mut stream, 1);
        tell(&mut sampler, &errors);
        let (mut alone, mut same) = (sampler.clone(), stream.clone());
        let (mut indices, mut weights) = (vec![u32::MAX; batch], vec![f32::NAN; batch]);
        sampler.sample_minibatches(&store, progress, &mut stream, minibatch, &mut indices, &mut weights);

        let mut sums = vec![0.0];
        for error in &errors {
            sums.push(sums[sums.len() - 1] + (f64::from(*error) + EPSILON).powf(0.6));
        }
        let total = sums[capacity];
        for (slots, weights) in indices.chunks(minibatch).zip(weights.chunks(minibatch)) {
            for (i, slot) in slots.iter().enumerate() {
                let [from, to] = [i, i + 1].map(|edge| total * edge as f64 / slots.len() as f64);
                // What rounding may move a border by.
                let (before, with) = (sums[*slot as usize] - 1e-9 * total, sums[*slot as usize + 1] + 1e-9 * total);
                prop_assert!(before < to && with > from, "draw {} of {:?} is no slot of its part", i, slots);
            }
            let expected = sample(&mut alone, &store, &mut same, slots.len());
            prop_assert_eq!((slots, weights), (&expected.0[..], &expected.1[..]));
        }
    }
}

/// A learner's minibatches are those: of 16 equal priorities each minibatch of four has one in each quarter.
#[test]
fn row_6_every_minibatch_of_a_learner_sees_the_whole_memory() {
    let (store, mut stream) = (full(16), stream());
    let mut learner = learner(8, 4);
    for _ in 0..10 {
        // A new one has told no errors yet.
        learner.learn(&store, &mut prioritized(0.6, 16), &mut stream, Progress::default(), 0.0);
        let quarters: Vec<u32> = learner.batch().1.iter().map(|slot| slot / 4).collect();
        assert_eq!(quarters, [0, 1, 2, 3, 0, 1, 2, 3]);
    }
}

/// Row 6: a slot without a transition is never drawn.
#[test]
fn row_6_a_slot_without_a_transition_is_never_drawn() {
    for capacity in [5, 7, 64, 100] {
        let mut store = store(capacity);
        let (mut sampler, mut stream) = (prioritized(0.6, capacity), stream());
        for filled in 1..=capacity {
            push(&mut store, 1);
            for _ in 0..50 {
                let (indices, _) = sample(&mut sampler, &store, &mut stream, 8);
                assert!(indices.iter().all(|slot| (*slot as usize) < filled), "{indices:?} of {filled}");
                sampler.update(&indices, &errors(8));
            }
        }
    }
}

/// Row 6: what is new has the greatest priority that there has been, however the ring has wrapped meanwhile.
#[test]
fn row_6_new_transitions_have_the_greatest_priority_so_far() {
    for (pushed, new) in [(1, 1), (3, 3), (9, 9), (10, 10), (25, 10), (1003, 10)] {
        let (mut store, mut sampler) = (full(10), prioritized(0.6, 10));
        sample(&mut sampler, &store, &mut stream(), 1);
        // The greatest has been 9, of slot 4, which is learned from again.
        tell(&mut sampler, &[0.0, 0.5, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        sampler.update(&[4, 0], &[0.1, 0.2]);
        push(&mut store, pushed);
        let old = [0.2, 0.5, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0];
        let mut priorities = old.map(|error| (error + EPSILON).powf(0.6));
        (0..new).for_each(|i| priorities[(pushed - 1 - i) % 10] = (9.0 + EPSILON).powf(0.6));
        let counts = frequencies(&mut sampler, &store, 1, 40_000);
        assert_drawn_by(&counts, &priorities, &format!("after {pushed} more"));
    }
}

/// At first the greatest is 1, and smaller errors leave it there.
#[test]
fn row_6_the_first_greatest_priority_is_1() {
    let (mut store, mut sampler) = (full(4), prioritized(1.0, 5));
    let mut wider = self::store(5);
    push(&mut wider, 4);
    std::mem::swap(&mut store, &mut wider);
    sample(&mut sampler, &store, &mut stream(), 1);
    tell(&mut sampler, &[0.25; 4]);
    push(&mut store, 1);
    let counts = frequencies(&mut sampler, &store, 1, 20_000);
    assert_drawn_by(&counts, &[0.251, 0.251, 0.251, 0.251, 1.0], "the fifth is new");
}

/// Row 6: w = (N·P)^−β / max w, over the batch and over the memory; β from its schedule.
#[test]
fn row_6_importance_weights_are_as_stated() {
    let beta = Schedule::Linear { from: 0.4, to: 1.0, env_steps: 100 };
    for normalization in [Normalization::Batch, Normalization::Memory] {
        let (store, mut sampler) = (full(7), Sampler::new(config(0.6, beta, normalization), 7));
        let mut stream = stream();
        sample(&mut sampler, &store, &mut stream, 1);
        let errors = [0.1, 2.0, 0.5, 3.0, 1.0, 0.01, 4.0];
        tell(&mut sampler, &errors);
        let raised = errors.map(|error| (f64::from(error) + EPSILON).powf(0.6));
        let total: f64 = raised.iter().sum();
        for (env_steps, beta) in [(0, 0.4), (50, 0.7), (100, 1.0), (1000, 1.0)] {
            let (mut indices, mut weights) = ([0; 4], [0.0; 4]);
            let progress = Progress { env_steps, ..Progress::default() };
            sampler.sample(&store, progress, &mut stream, &mut indices, &mut weights);
            let weight = |slot: usize| (7.0 * raised[slot] / total).powf(-beta);
            let greatest = match normalization {
                Normalization::Batch => indices.iter().map(|slot| weight(*slot as usize)).fold(0.0, f64::max),
                Normalization::Memory => (0..7).map(weight).fold(0.0, f64::max),
            };
            for (slot, found) in indices.iter().zip(weights) {
                let expected = weight(*slot as usize) / greatest;
                assert!((f64::from(found) - expected).abs() < 1e-6, "{found}, expected {expected}");
            }
        }
    }
}

/// With α = 0 every transition is equally likely and every weight 1.
#[test]
fn row_6_an_alpha_of_0_is_uniform() {
    let (store, mut sampler) = (full(7), prioritized(0.0, 7));
    sample(&mut sampler, &store, &mut stream(), 1);
    tell(&mut sampler, &errors(7));
    let (_, weights) = sample(&mut sampler, &store, &mut stream(), 5);
    assert_eq!(weights, [1.0; 5]);
    assert_drawn_by(&frequencies(&mut sampler, &store, 3, 20_000), &[1.0; 7], "uniform");
}

#[test]
fn uniform_samplers_give_weights_of_1() {
    for config in [SamplerConfig::Uniform, SamplerConfig::UniformWithoutReplacement] {
        let (store, mut sampler) = (full(7), Sampler::new(config, 7));
        let (indices, weights) = sample(&mut sampler, &store, &mut stream(), 5);
        assert_eq!(weights, [1.0; 5]);
        sampler.update(&indices, &errors(5));
        let mut alone = vec![0; 5];
        Sampler::new(config, 7).sample_uniform(7, &mut stream(), &mut alone);
        assert_eq!(indices, alone);
    }
}

/// The last error counts of a transition that is in the batch twice; one that is no number is the greatest.
#[test]
fn odd_errors_spoil_no_later_draw() {
    let (mut store, mut sampler) = (full(4), prioritized(1.0, 4));
    sample(&mut sampler, &store, &mut stream(), 1);
    let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    sampler.update(&[0, 0, 1, 2, 3], &[9.0, 2.0, bad[0], bad[1], bad[2]]);
    let nine = 9.0 + EPSILON;
    let counts = frequencies(&mut sampler, &store, 1, 20_000);
    assert_drawn_by(&counts, &[2.0 + EPSILON, nine, nine, nine], "the greatest so far");
    push(&mut store, 1);
    let counts = frequencies(&mut sampler, &store, 1, 20_000);
    assert_drawn_by(&counts, &[nine; 4], "a new one");
}

fn state_of(sampler: &Sampler) -> Vec<u8> {
    let mut state = StateWriter::new();
    sampler.save_state(&mut state);
    state.into_bytes()
}

fn load(sampler: &mut Sampler, bytes: &[u8], store: &ReplayStore) -> Result<(), deepq_core::StateError> {
    let mut reader = StateReader::new(bytes);
    sampler.load_state(&mut reader, store)?;
    reader.finish()
}

/// Rows 6 and 18: a loaded sampler goes on to the bit, and damage is refused and changes nothing.
#[test]
fn row_18_priorities_are_saved_and_loaded() {
    for normalization in [Normalization::Batch, Normalization::Memory] {
        let config = config(0.6, Schedule::Constant { value: 0.5 }, normalization);
        let (mut store, mut stream) = (store(11), stream());
        let mut sampler = Sampler::new(config, 11);
        for round in 0..30 {
            push(&mut store, 1 + round % 3);
            // Loaded before the new ones are noticed.
            let bytes = state_of(&sampler);
            let mut other = Sampler::new(config, 11);
            load(&mut other, &bytes, &store).unwrap();
            assert_eq!(state_of(&other), bytes);
            let mut same = stream.clone();
            let (indices, weights) = sample(&mut sampler, &store, &mut stream, 6);
            assert_eq!(sample(&mut other, &store, &mut same, 6), (indices.clone(), weights));
            sampler.update(&indices, &errors(6));
        }
        let bytes = state_of(&sampler);
        for len in 0..bytes.len() {
            assert!(load(&mut sampler, &bytes[..len], &store).is_err());
        }
        for (place, value) in (0..bytes.len()).flat_map(|place| [(place, 0x01), (place, 0xff)]) {
            let mut damaged = bytes.clone();
            damaged[place] ^= value;
            let mut other = Sampler::new(config, 11);
            if load(&mut other, &damaged, &store).is_ok() {
                let (indices, weights) = sample(&mut other, &store, &mut stream, 6);
                assert!(
                    indices.iter().all(|slot| *slot < 11) && weights.iter().all(|w| (0.0..=1.0).contains(w))
                );
            }
        }
        assert_eq!(state_of(&sampler), bytes);
        let behind = full(11);
        assert!(load(&mut sampler, &bytes, &behind).is_err(), "a store with fewer transitions");
        assert!(load(&mut prioritized(0.5, 11), &bytes, &store).is_err(), "another alpha");
    }
}

/// A learner of a network of zeros.
fn learner(batch_size: usize, minibatch_size: usize) -> Learner {
    let spec = NetworkSpec::mlp(1, &[], 1, Initialization::FanInUniform);
    let network = ReferenceNetwork::new(&spec, OptimizerConfig::default(), &[0.0; 2]);
    let target_update = TargetUpdate { tau: 1.0, period: Period::GradientSteps { every: 100 } };
    let config =
        LearnerConfig { batch_size, minibatch_size, max_gradient_norm: None, target_update, reset: None };
    let loss = ExpectedLoss::new(TargetRule::Q_LEARNING, ErrorFunction::Squared);
    Learner::new(Box::new(network), Box::new(loss), config, 1)
}

/// A learner weighs by the sampler's weights, and tells it the errors it found.
#[test]
fn row_6_a_learner_weighs_and_tells_its_errors() {
    let mut store = store(16);
    let at = store.newest(0);
    for slot in 0..16 {
        let reward = slot as f32;
        store.push(Transition { observation: at, action: 0, reward, discount: 0.0, next_observation: at });
    }
    let mut learner = learner(4, 4);
    let beta = Schedule::LinearInGradientSteps { from: 0.0, to: 1.0, gradient_steps: 2 };
    let mut sampler = Sampler::new(config(0.6, beta, Normalization::Memory), 16);
    let mut stream = stream();
    for gradient_steps in 0..3 {
        let progress = Progress { gradient_steps, ..Progress::default() };
        let (mut expected, mut same) = (sampler.clone(), stream.clone());
        let (mut indices, mut weights) = ([0; 4], [0.0; 4]);
        expected.sample(&store, progress, &mut same, &mut indices, &mut weights);
        let metrics = learner.learn(&store, &mut sampler, &mut stream, progress, 0.0);
        let errors = indices.map(|slot| slot as f32);
        assert_eq!(learner.td_errors(), errors, "rewards alone");
        assert_eq!(learner.batch().0.weight, weights);
        let losses: f32 = errors.iter().zip(weights).map(|(error, weight)| weight * error * error).sum();
        assert!((metrics.loss - losses / 4.0).abs() < 1e-4, "{} and {losses}", metrics.loss);
        expected.update(&indices, &errors);
        assert_eq!(state_of(&sampler), state_of(&expected), "told of the errors");
    }
}

#[test]
fn settings_are_read_checked_and_counted() {
    let read = |json: &str| serde_json::from_str::<SamplerConfig>(json);
    let all = r#"{"kind":"prioritized","alpha":0.5,"beta":{"kind":"linear","from":0.4,"to":1.0,"env_steps":9},"normalization":"memory","epsilon":0.01}"#;
    assert_eq!(serde_json::to_string(&read(all).unwrap()).unwrap(), all);
    let least = read(r#"{"kind":"prioritized"}"#).unwrap();
    let beta = Schedule::Constant { value: 0.4 };
    let expected =
        SamplerConfig::Prioritized { alpha: 0.6, beta, normalization: Normalization::Batch, epsilon: 1e-6 };
    assert_eq!(least, expected);
    assert!(read(r#"{"kind":"prioritized","gamma":1}"#).is_err());
    assert_eq!(least.validate(), Ok(()));
    for (json, setting) in [
        (r#"{"kind":"prioritized","alpha":1.5}"#, "alpha"),
        (r#"{"kind":"prioritized","alpha":-0.1}"#, "alpha"),
        (r#"{"kind":"prioritized","epsilon":0}"#, "epsilon"),
    ] {
        assert_eq!(read(json).unwrap().validate().unwrap_err().setting, setting);
    }
    assert_eq!((least.bytes(1000), read(all).unwrap().bytes(1000)), (16_000, 32_000));
    assert_eq!(prioritized(0.6, 1000).bytes(), 16_000);
}
