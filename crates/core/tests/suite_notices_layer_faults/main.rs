//! The conformance suite accepts an engine that has nothing in common with the reference, and notices every fault
//! put into its layers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use deepq_core::testing::conformance;

mod engine;
mod forward;
mod tape;

use engine::TapeNetwork;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// A ReLU has a slope at 0.
    SlopeAtZero,
    /// A ReLU makes 0 of NaN.
    ReluHidesNan,
    /// A leaky ReLU has its slope above 0.
    LeakySlopeAbove,
    /// A leaky ReLU has a slope of 1 at 0.
    LeakySlopeAtZero,
    /// The slope of tanh is computed from what went in.
    TanhSlopeOfInput,
    /// The slope of SiLU forgets the second term.
    SiluSlopeOfLogistic,
    /// SiLU divides one large number by another.
    SiluOverflows,
    /// GELU is the approximation with tanh.
    GeluByTanh,
    /// The variance divides by one less.
    VarianceUnbiased,
    /// Layer norm's epsilon is added to the root.
    EpsilonOutsideRoot,
    /// The mean that layer norm subtracts is taken for a constant.
    MeanWithoutGradient,
    /// Layer norm over channels goes over the image.
    NormOverAll,
    /// Rows and columns of filters are exchanged.
    FilterTransposed,
    /// Filters begin at the first row and column of the image.
    PaddingForgotten,
    /// Filters move by 1.
    StrideForgotten,
    /// Filters are not divided by their greatest singular value.
    NotNormalized,
    /// The greatest singular value is taken for a constant.
    SigmaIsConstant,
    /// The power iteration ends early.
    FewerIterations,
    /// Places beyond the edges count as 0.
    PaddingCountsAsZero,
    /// Of equal values all take the gradient.
    GradientToAllEquals,
    /// Of equal values the last takes the gradient.
    GradientToLastEqual,
    /// NaN is never the greatest.
    PoolHidesNan,
    /// Windows of an adaptive max-pooling end one row or column early.
    AdaptiveEndsEarly,
    /// Flattening keeps `[row][column][channel]`.
    FlattenedAsGrid,
    /// Observations `[channel][row][column]` are taken for `[row][column][channel]`.
    FramesAsGrid,
    /// A residual block forgets what it was given.
    NoSkip,
    /// The mean of the advantages goes over the atoms of an action.
    MeanOverAtoms,
    /// The mean of the advantages goes over actions and atoms.
    MeanOverAll,
    /// The mean of the advantages stays in.
    NoMean,
    /// Both sets of parameters have the noise that was set last.
    NoiseShared,
    /// The noise that is meant for the target parameters is given to the others.
    NoiseForOnlineOnly,
    /// Noise cannot be taken away.
    NoiseKept,
    /// Weights with noise are computed when it is set, and never again.
    NoiseFoldedOnce,
    /// The noise of the inputs is taken from the last to the first.
    NoiseReversed,
    /// Biases have no noise.
    BiasWithoutNoise,
    /// Cosines begin with that of π·τ.
    CosinesFromOne,
    /// All observations have the fractions of the first.
    FractionsShared,
    /// Outputs are `[batch][fraction][action]`.
    FractionsBeforeActions,
    /// The embedding is not rectified.
    EmbeddingWithoutRelu,
    /// The features are those before the last layer that gives them.
    FeaturesTooEarly,
    /// The features are those of the online network.
    FeaturesOfOnline,
}

fn check(check: conformance::Check, fault: Fault, specs: &[conformance::NamedSpec]) {
    check(&|spec, optimizer, initial| Box::new(TapeNetwork::new(fault, spec, optimizer, initial)), specs);
}

/// Those that a tape is not too slow for.
fn small_specs() -> Vec<conformance::NamedSpec> {
    let mut specs = conformance::specs();
    specs.retain(|named| named.spec.multiply_adds() < 20_000);
    specs
}

#[test]
fn an_engine_in_single_precision_passes_the_suite() {
    let specs = small_specs();
    for (_, each) in conformance::CHECKS {
        check(each, Fault::None, &specs);
    }
}

/// What a check said that failed.
fn complaint(each: conformance::Check, fault: Fault, specs: &[conformance::NamedSpec]) -> Option<String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| check(each, fault, specs)));
    let payload = outcome.err()?;
    Some(payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "no message".into()))
}

/// Each fault with the check that is to notice it and a part of what it says.
const FAULTS: [(Fault, conformance::Check, &str); 41] = [
    (Fault::SlopeAtZero, conformance::gradients_of_equal_values, "gradient of"),
    (Fault::ReluHidesNan, conformance::not_a_number_is_not_hidden, "NaN"),
    (Fault::LeakySlopeAbove, conformance::values_and_gradients, "\"leaky relu"),
    (Fault::LeakySlopeAtZero, conformance::gradients_of_equal_values, "\"leaky relu"),
    (Fault::TanhSlopeOfInput, conformance::values_and_gradients, "\"tanh\""),
    (Fault::SiluSlopeOfLogistic, conformance::gradients_are_differences, "\"silu\""),
    (Fault::SiluOverflows, conformance::large_values, "\"silu\""),
    (Fault::GeluByTanh, conformance::values_and_gradients, "\"gelu\""),
    (Fault::VarianceUnbiased, conformance::values_and_gradients, "\"layer norm\""),
    (Fault::EpsilonOutsideRoot, conformance::values_and_gradients, "\"layer norm"),
    (Fault::MeanWithoutGradient, conformance::values_and_gradients, "gradient of"),
    (Fault::NormOverAll, conformance::values_and_gradients, "\"layer norm over channels\""),
    (Fault::FilterTransposed, conformance::values_and_gradients, "values of"),
    (Fault::PaddingForgotten, conformance::values_and_gradients, "values of"),
    (Fault::StrideForgotten, conformance::values_and_gradients, "values of"),
    (Fault::NotNormalized, conformance::values_and_gradients, "spectral"),
    (Fault::SigmaIsConstant, conformance::gradients_are_differences, "spectral"),
    (Fault::FewerIterations, conformance::values_and_gradients, "spectral"),
    (Fault::PaddingCountsAsZero, conformance::values_and_gradients, "\"max-pooling with padding\""),
    (Fault::GradientToAllEquals, conformance::gradients_of_equal_values, "\"max-pooling with padding\""),
    (Fault::GradientToLastEqual, conformance::gradients_of_equal_values, "\"max-pooling with padding\""),
    (Fault::PoolHidesNan, conformance::not_a_number_is_not_hidden, "\"max-pooling"),
    (Fault::AdaptiveEndsEarly, conformance::values_and_gradients, "\"adaptive max-pooling"),
    (Fault::FlattenedAsGrid, conformance::values_and_gradients, "values of"),
    (Fault::FramesAsGrid, conformance::values_and_gradients, "values of"),
    (Fault::NoSkip, conformance::values_and_gradients, "\"residual blocks\""),
    (Fault::MeanOverAtoms, conformance::values_and_gradients, "\"dueling"),
    (Fault::MeanOverAll, conformance::values_and_gradients, "\"dueling for one action\""),
    (Fault::NoMean, conformance::values_and_gradients, "\"dueling\""),
    (Fault::NoiseShared, conformance::noise, "changes the values of the others"),
    (Fault::NoiseForOnlineOnly, conformance::noise, "noise"),
    (Fault::NoiseKept, conformance::noise, "no noise for the Online parameters"),
    (Fault::NoiseFoldedOnce, conformance::noise, "after a gradient step"),
    (Fault::NoiseReversed, conformance::noise, "first noise"),
    (Fault::BiasWithoutNoise, conformance::noise, "first noise"),
    (Fault::CosinesFromOne, conformance::values_and_gradients, "\"quantiles"),
    (Fault::FractionsShared, conformance::values_and_gradients, "\"quantiles"),
    (Fault::FractionsBeforeActions, conformance::values_and_gradients, "\"quantiles"),
    (Fault::EmbeddingWithoutRelu, conformance::values_and_gradients, "\"quantiles"),
    (Fault::FeaturesTooEarly, conformance::features, "features"),
    (Fault::FeaturesOfOnline, conformance::features, "features"),
];

#[test]
fn every_fault_of_a_layer_is_noticed() {
    let specs = small_specs();
    for (fault, each, part) in FAULTS {
        match complaint(each, fault, &specs) {
            Some(message) => assert!(message.contains(part), "{fault:?}: {message}"),
            None => panic!("{fault:?} was not noticed"),
        }
    }
}
