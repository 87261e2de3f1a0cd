//! What goes into a cosine embedding.

use super::pair::{Pair, bits, compare};
use super::{Make, NamedSpec, batches};
use crate::network::{OptimizerConfig, Parameters, QNetwork};

/// The features of networks with a cosine embedding are the reference's, with either set of parameters, and asking for
/// them disturbs no gradient.
///
/// # Panics
/// Where it is not so.
pub fn features(make: Make<'_>, specs: &[NamedSpec]) {
    for named in specs {
        let Some(len) = named.spec.features_len() else { continue };
        let mut pair = Pair::new(make, named, OptimizerConfig::default());
        pair.move_target();
        pair.draw_noise(Parameters::Target);
        for batch in batches(&named.spec) {
            let inputs = pair.inputs(batch);
            let d_output = pair.backward(&inputs);
            let undisturbed = pair.network.gradient();
            inputs.forward_train(&mut *pair.network);
            for which in [Parameters::Target, Parameters::Online] {
                let of = |network: &mut dyn QNetwork| {
                    let mut features = vec![f32::NAN; batch * len];
                    network.forward_features(which, inputs.observation(), &mut features);
                    features
                };
                let (found, expected) = (of(&mut *pair.network), of(&mut pair.reference));
                compare(&found, &expected, &format!("{which:?} features of a batch of {batch}"), named);
            }
            pair.network.backward(&d_output);
            let found = pair.network.gradient();
            assert!(bits(&found) == bits(&undisturbed), "features between change the gradient of {named}");
        }
    }
}
