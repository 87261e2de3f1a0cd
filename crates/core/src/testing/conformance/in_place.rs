//! Gradients and parameters without copies made on the way.

use super::pair::{Pair, bits};
use super::{Make, NamedSpec, batches};
use crate::network::{OptimizerConfig, Parameters};

/// The gradient is copied as it is told. A direction is added to one set of parameters and not to the other, which
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
        let mut gradient = vec![f32::NAN; count];
        pair.network.copy_gradient(&mut gradient);
        assert!(bits(&gradient) == bits(&pair.network.gradient()), "the copied gradient of {named}");
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

fn a_direction_is_added(pair: &mut Pair, which: Parameters, step: f32) {
    let other = match which {
        Parameters::Online => Parameters::Target,
        Parameters::Target => Parameters::Online,
    };
    let direction = pair.numbers(pair.network.layout().len());
    let (before, of_other) = (pair.network.parameters(which), pair.network.parameters(other));
    pair.network.add_to_parameters(which, step, &direction);
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
