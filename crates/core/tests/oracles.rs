//! The oracles themselves: losses against differences, the reference against the suite that it serves.

use deepq_core::loss::{ErrorFunction, QLearning};
use deepq_core::testing::{ReferenceNetwork, conformance, gradient_check};

/// Row 20: every loss of the family, for one action and several.
#[test]
fn row_20_gradients_of_losses_are_differences() {
    for error in
        [ErrorFunction::Squared, ErrorFunction::Huber { kappa: 1.0 }, ErrorFunction::Huber { kappa: 0.3 }]
    {
        for double in [false, true] {
            for actions in [1, 2, 5] {
                gradient_check(&QLearning::new(error, double), actions, 1, 11);
                gradient_check(&QLearning::new(error, double).averaged_over_actions(), actions, 1, 12);
            }
        }
    }
}

#[test]
fn the_reference_passes_the_suite() {
    conformance::run(|spec, optimizer, initial| Box::new(ReferenceNetwork::new(spec, optimizer, initial)));
}
