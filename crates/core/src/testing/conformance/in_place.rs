//! Gradients and parameters without copies made on the way.

use super::pair::{Pair, bits};
use super::{Make, NamedSpec, batches};
use crate::network::{OptimizerConfig, Parameters, QNetwork};

/// The engine's order of a vector holds the layout's and 0. The gradient is copied as it is told. A direction is added to one set of parameters and not to the other, which
/// is no step of the optimiser. The values are then those of the new parameters, with noise too.
///
/// # Panics
/// Where it is not so.
pub fn parameters_in_place(make: Make<'_>, specs: &[NamedSpec]) {
    for named in specs {
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        let count = pair.network.layout().len();
        let inputs = pair.inputs(batches(&named.spec)[0]);
        pair.backward(&inputs);
        let mut gradient = vec![f32::NAN; pair.network.engine_len()];
        pair.network.copy_gradient(&mut gradient);
        let told = pair.network.gradient();
        assert!(gradient == in_engine_order(&*pair.network, &told), "the copied gradient of {named}");
        let mut back = vec![f32::NAN; count];
        pair.network.to_layout_order(&gradient, &mut back);
        assert!(bits(&back) == bits(&told), "the copied gradient of {named}, back in the layout's order");
        the_engines_order_is_a_permutation(&pair);
        for which in [Parameters::Online, Parameters::Target] {
            if named.spec.noise_len() > 0 {
                pair.draw_noise(which);
            }
            a_direction_is_added(&mut pair, which, -0.75);
            let values = bits(&inputs.forward(&mut *pair.network, which));
            let parameters = pair.network.parameters(which);
            pair.network.set_parameters(which, &parameters);
            let again = bits(&inputs.forward(&mut *pair.network, which));
            assert!(values == again, "{which:?} values of {named} are not those of its new parameters");
        }
        assert_eq!(pair.network.gradient_steps(), 0, "gradient steps of {named}");
    }
}

fn in_engine_order(network: &dyn QNetwork, values: &[f32]) -> Vec<f32> {
    let mut ordered = vec![f32::NAN; network.engine_len()];
    network.to_engine_order(values, &mut ordered);
    ordered
}

/// Every parameter has a place of its own, and nothing but 0 stands between them.
fn the_engines_order_is_a_permutation(pair: &Pair) {
    let numbers: Vec<f32> = (0..pair.network.layout().len()).map(|index| index as f32 + 1.0).collect();
    let ordered = in_engine_order(&*pair.network, &numbers);
    let mut back = vec![f32::NAN; numbers.len()];
    pair.network.to_layout_order(&ordered, &mut back);
    assert!(back == numbers, "the engine's order of {} and back", pair.named);
    let mut taken: Vec<f32> = ordered.into_iter().filter(|number| *number != 0.0).collect();
    taken.sort_by(f32::total_cmp);
    assert!(taken == numbers, "the engine's order of {}", pair.named);
}

fn a_direction_is_added(pair: &mut Pair, which: Parameters, step: f32) {
    let other = match which {
        Parameters::Online => Parameters::Target,
        Parameters::Target => Parameters::Online,
    };
    let direction = pair.numbers(pair.network.layout().len());
    let (before, of_other) = (pair.network.parameters(which), pair.network.parameters(other));
    let ordered = in_engine_order(&*pair.network, &direction);
    pair.network.add_to_parameters(which, step, &ordered);
    let after = pair.network.parameters(which);
    for (index, ((after, before), direction)) in after.iter().zip(&before).zip(&direction).enumerate() {
        let expected = f64::from(*before) + f64::from(step) * f64::from(*direction);
        let allowed = 2e-7 * (before.abs() + direction.abs());
        let error = (f64::from(*after) - expected).abs();
        assert!(error <= f64::from(allowed), "parameter {index} of {}: {after}, {expected}", pair.named);
    }
    let name = &pair.named;
    assert!(bits(&pair.network.parameters(other)) == bits(&of_other), "{other:?} parameters of {name}");
}
