//! Values and gradients.

use super::super::ReferencePass;
use super::pair::{Pair, bits, compare};
use super::{BATCHES, Make, TOLERANCE, specs};
use crate::network::{OptimizerConfig, Parameters, QNetwork};
use crate::{ElementKind, Observation, ObservationBuffer};

/// Values with either set of parameters, and gradients, agree with the reference for batches of every size.
///
/// # Panics
/// Where they do not.
pub fn values_and_gradients(make: Make<'_>) {
    for spec in specs() {
        let mut pair = Pair::new(make, &spec, OptimizerConfig::default());
        pair.move_target();
        for batch in BATCHES {
            let buffer = pair.observations(batch);
            let observation = buffer.as_observation();
            let mut found = vec![f32::NAN; batch * spec.outputs()];
            let mut expected = found.clone();
            for which in [Parameters::Target, Parameters::Online] {
                pair.network.forward(which, observation, &mut found);
                pair.reference.forward(which, observation, &mut expected);
                compare(&found, &expected, &format!("{which:?} values of a batch of {batch}"), &spec);
            }
            found.fill(f32::NAN);
            pair.network.forward_train(observation, &mut found);
            compare(&found, &expected, &format!("trained values of a batch of {batch}"), &spec);
            pair.backward(observation, batch);
            pair.compare_gradients(&format!("for a batch of {batch}"));
        }
    }
}

/// Gradients agree with central differences of the reference's values, which share no code with its gradients.
///
/// # Panics
/// Where they do not.
pub fn gradients_are_differences(make: Make<'_>) {
    const STEP: f64 = 1e-6;
    for spec in specs() {
        let mut pair = Pair::new(make, &spec, OptimizerConfig::default());
        let buffer = pair.observations(3);
        let d_output = pair.backward(buffer.as_observation(), 3);
        let x: Vec<f64> = match &buffer {
            ObservationBuffer::F32(values) => values.iter().map(|x| f64::from(*x)).collect(),
            ObservationBuffer::U8(values) => values.iter().map(|x| f64::from(*x) / 255.0).collect(),
        };
        let gradient = pair.network.gradient();
        let greatest = gradient.iter().fold(1e-6f32, |greatest, value| greatest.max(value.abs()));
        let mut parameters: Vec<f64> =
            pair.network.parameters(Parameters::Online).iter().map(|p| f64::from(*p)).collect();
        let total = |parameters: &[f64]| -> f64 {
            let pass =
                ReferencePass { spec: &spec, parameters, noise: None, observation: &x, fractions: &[] };
            let values = pass.forward();
            values.iter().zip(&d_output).map(|(value, d)| value * f64::from(*d)).sum()
        };
        // At most 150 of them, the first and the last tensor included.
        let stride = parameters.len().div_ceil(150);
        for place in (0..parameters.len()).rev().step_by(stride) {
            let value = parameters[place];
            parameters[place] = value + STEP;
            let up = total(&parameters);
            parameters[place] = value - STEP;
            let down = total(&parameters);
            parameters[place] = value;
            let (found, difference) = (f64::from(gradient[place]), (up - down) / (2.0 * STEP));
            assert!(
                (found - difference).abs() <= TOLERANCE * f64::from(greatest),
                "the gradient by parameter {place} of {spec:?} is {found}, differences give {difference}"
            );
        }
    }
}

/// `forward` with either set of parameters and a batch of another size between `forward_train` and `backward`
/// changes no bit of the gradient.
///
/// # Panics
/// Where it does.
pub fn a_forward_between_disturbs_nothing(make: Make<'_>) {
    for spec in specs() {
        let mut pair = Pair::new(make, &spec, OptimizerConfig::default());
        pair.move_target();
        let observation = pair.observations(17);
        let d_output = pair.numbers(17 * spec.outputs());
        let mut output = vec![f32::NAN; d_output.len()];
        pair.network.forward_train(observation.as_observation(), &mut output);
        pair.network.backward(&d_output);
        let undisturbed = pair.network.gradient();
        for (which, batch) in [(Parameters::Online, 64), (Parameters::Target, 3), (Parameters::Target, 17)] {
            let between = pair.observations(batch);
            let mut ignored = vec![f32::NAN; batch * spec.outputs()];
            pair.network.forward_train(observation.as_observation(), &mut output);
            pair.network.forward(which, between.as_observation(), &mut ignored);
            pair.network.backward(&d_output);
            let found = pair.network.gradient();
            assert_eq!(
                bits(&found),
                bits(&undisturbed),
                "the gradient of {spec:?} with a forward ({which:?}, {batch} observations) between"
            );
        }
    }
}

/// An observation that is not a number gives values that are none, through every ReLU: a run that has gone
/// wrong must not look as if it had not.
///
/// # Panics
/// Where a value is a number.
pub fn not_a_number_is_not_hidden(make: Make<'_>) {
    for spec in specs().into_iter().filter(|spec| spec.element == ElementKind::F32) {
        let mut pair = Pair::new(make, &spec, OptimizerConfig::default());
        for batch in [1, 17] {
            let observation = vec![f32::NAN; batch * spec.inputs()];
            let mut output = vec![0.0; batch * spec.outputs()];
            pair.network.forward(Parameters::Online, Observation::F32(&observation), &mut output);
            assert!(output.iter().all(|value| value.is_nan()), "values of {spec:?} at NaN: {output:?}");
            output.fill(0.0);
            pair.network.forward_train(Observation::F32(&observation), &mut output);
            assert!(output.iter().all(|value| value.is_nan()), "values of {spec:?} at NaN: {output:?}");
        }
    }
}
