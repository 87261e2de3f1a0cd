//! The conformance suite and the gradient check fail where they should: each fault is put in once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use deepq_core::loss::{
    ErrorFunction, ExpectedLoss, Loss, LossResult, Output, Pass, Readout, TargetRule, Transitions,
};
use deepq_core::network::{
    EpsilonForm, LayerSpec, NetworkSpec, OptimizerConfig, ParameterLayout, Parameters, QNetwork,
};
use deepq_core::testing::{ReferenceNetwork, conformance, gradient_check};
use deepq_core::{Observation, StateError, StateReader, StateWriter};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The target network's values are the online one's.
    TargetIsOnline,
    /// A `forward` overwrites what `backward` needs.
    ForwardDisturbs,
    /// Gradients are added to those of the batch before.
    GradientAddsUp,
    /// The last row of a batch has no gradient.
    LastRowForgotten,
    /// The gradient has the wrong sign.
    GradientNegated,
    /// The norm is not limited.
    NoClipping,
    /// What `gradient` gives is clipped already.
    GradientClipped,
    /// Adam's epsilon stands under the root.
    EpsilonUnderRoot,
    /// Adam's epsilon is added to the corrected root where the other is asked for.
    EpsilonAlwaysCorrected,
    /// Weight decay is not added to the gradient.
    NoDecayInGradient,
    /// Weight decay is added to the gradient where it should shrink the parameter.
    DecayNotDecoupled,
    /// RAdam is Adam.
    NotRectified,
    /// RMSprop has no centre.
    NotCentered,
    /// RMSprop adds its epsilon to the root where it should be below.
    EpsilonOutsideRoot,
    /// RMSprop forgets the last change.
    NoMomentum,
    /// Momentum does not look ahead.
    NesterovIgnored,
    /// The soft update copies.
    TauIgnored,
    /// The update moves the online network to the target.
    UpdateBackwards,
    /// A loaded optimiser corrects its means as if it had taken no step.
    StepsNotSaved,
    /// A reset does nothing.
    ResetForgotten,
    /// A reset takes the means away, and corrects them as if they were of many steps.
    ResetWithoutCorrection,
    /// A reset forgets how many steps were taken.
    ResetCountsFromZero,
    /// The state of another network is taken over as far as it goes.
    ForeignStateTaken,
    /// A failed load has begun to change things.
    HalfLoaded,
    /// NaN becomes 0.
    NanHidden,
    /// Bytes are taken as 0 to 255.
    BytesNotDivided,
    /// The gradient is not copied to its end.
    GradientCutOff,
    /// The gradient stands in another order than the one that is told.
    GradientInAnotherOrder,
    /// Parameters have no place of their own.
    PlacesShared,
    /// A direction is added to the other parameters too.
    AddedToBoth,
    /// A direction is added once, however long the step.
    StepIgnored,
    /// Too few parameters are taken for the first ones.
    LengthUnchecked,
}

struct Faulty {
    fault: Fault,
    inner: ReferenceNetwork,
    optimizer: OptimizerConfig,
    norm: Option<f32>,
    before: Vec<f32>,
    steps: Option<u64>,
}

/// The optimiser that results where one setting is not what it should be.
fn with_fault(fault: Fault, mut optimizer: OptimizerConfig) -> OptimizerConfig {
    match (&mut optimizer, fault) {
        (OptimizerConfig::Adam { epsilon, .. }, Fault::EpsilonUnderRoot) => *epsilon = epsilon.sqrt(),
        (OptimizerConfig::Adam { epsilon_form, .. }, Fault::EpsilonAlwaysCorrected) => {
            *epsilon_form = EpsilonForm::Corrected;
        }
        (OptimizerConfig::Adam { weight_decay, .. }, Fault::NoDecayInGradient) => *weight_decay = 0.0,
        (OptimizerConfig::AdamW { beta1, beta2, epsilon, weight_decay }, Fault::DecayNotDecoupled) => {
            let (beta1, beta2, epsilon, weight_decay) = (*beta1, *beta2, *epsilon, *weight_decay);
            let epsilon_form = EpsilonForm::Corrected;
            return OptimizerConfig::Adam { beta1, beta2, epsilon, epsilon_form, weight_decay };
        }
        (OptimizerConfig::RAdam { beta1, beta2, epsilon, weight_decay, .. }, Fault::NotRectified) => {
            let (beta1, beta2, epsilon, weight_decay) = (*beta1, *beta2, *epsilon, *weight_decay);
            let epsilon_form = EpsilonForm::Corrected;
            return OptimizerConfig::Adam { beta1, beta2, epsilon, epsilon_form, weight_decay };
        }
        (OptimizerConfig::RAdam { decoupled_weight_decay, .. }, Fault::DecayNotDecoupled) => {
            *decoupled_weight_decay = false;
        }
        (OptimizerConfig::RmsProp { centered, .. }, Fault::NotCentered) => *centered = false,
        (OptimizerConfig::RmsProp { epsilon_inside_root, .. }, Fault::EpsilonOutsideRoot) => {
            *epsilon_inside_root = false;
        }
        (OptimizerConfig::RmsProp { momentum, .. }, Fault::NoMomentum) => *momentum = 0.0,
        (OptimizerConfig::Sgd { nesterov, .. }, Fault::NesterovIgnored) => *nesterov = false,
        _ => {}
    }
    optimizer
}

impl Faulty {
    fn new(fault: Fault, spec: &NetworkSpec, optimizer: OptimizerConfig, initial: &[f32]) -> Self {
        let optimizer = with_fault(fault, optimizer);
        let inner = ReferenceNetwork::new(spec, optimizer, initial);
        Self { fault, inner, optimizer, norm: None, before: vec![], steps: None }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

impl QNetwork for Faulty {
    fn spec(&self) -> &NetworkSpec {
        self.inner.spec()
    }

    fn layout(&self) -> &ParameterLayout {
        self.inner.layout()
    }

    fn forward_at(
        &mut self,
        parameters: Parameters,
        observation: Observation<'_>,
        fractions: &[f32],
        output: &mut [f32],
    ) {
        let numbers: Vec<f32> = match observation {
            Observation::U8(bytes) if self.has(Fault::BytesNotDivided) => {
                bytes.iter().map(|byte| f32::from(*byte)).collect()
            }
            _ => vec![],
        };
        let observation = if numbers.is_empty() { observation } else { Observation::F32(&numbers) };
        match self.fault {
            Fault::TargetIsOnline => {
                self.inner.forward_at(Parameters::Online, observation, fractions, output)
            }
            Fault::ForwardDisturbs if parameters == Parameters::Online => {
                self.inner.forward_train_at(observation, fractions, output);
            }
            _ => self.inner.forward_at(parameters, observation, fractions, output),
        }
        if self.has(Fault::NanHidden) {
            output.iter_mut().for_each(|value| *value = value.max(-1e30));
        }
    }

    fn forward_train_at(&mut self, observation: Observation<'_>, fractions: &[f32], output: &mut [f32]) {
        self.before = self.inner.gradient();
        self.inner.forward_train_at(observation, fractions, output);
    }

    fn forward_features(&mut self, parameters: Parameters, observation: Observation<'_>, output: &mut [f32]) {
        self.inner.forward_features(parameters, observation, output);
    }

    fn set_noise(&mut self, parameters: Parameters, noise: Option<&[f32]>) {
        self.inner.set_noise(parameters, noise);
    }

    fn backward(&mut self, d_output: &[f32]) {
        let mut d_output = d_output.to_vec();
        let (rows, width) = (d_output.len() / self.spec().outputs(), self.spec().outputs());
        if self.has(Fault::LastRowForgotten) && rows > 1 {
            d_output[(rows - 1) * width..].fill(0.0);
        }
        if self.has(Fault::GradientNegated) {
            d_output.iter_mut().for_each(|d| *d = -*d);
        }
        self.inner.backward(&d_output);
    }

    fn optimizer_step(&mut self, learning_rate: f32, max_gradient_norm: Option<f32>) {
        self.norm = max_gradient_norm;
        let limit = if self.has(Fault::NoClipping) { None } else { max_gradient_norm };
        self.inner.optimizer_step(learning_rate, limit);
    }

    fn reset_optimizer(&mut self) {
        let counted = self.inner.gradient_steps();
        if self.has(Fault::ResetForgotten) {
            return;
        }
        self.inner.reset_optimizer();
        let mut bytes = StateWriter::new();
        self.inner.save_optimizer(&mut bytes);
        let mut bytes = bytes.into_bytes();
        let place = 8 + "reference-adam".len();
        match self.fault {
            // The means are gone, but are corrected as if they were not.
            Fault::ResetWithoutCorrection => bytes.copy_within(place..place + 8, place + 8),
            Fault::ResetCountsFromZero => bytes[place..place + 16].fill(0),
            _ => assert_eq!(self.inner.gradient_steps(), counted),
        }
        self.inner.load_optimizer(&mut StateReader::new(&bytes)).unwrap();
    }

    fn update_target(&mut self, tau: f32) {
        match self.fault {
            Fault::TauIgnored => self.inner.update_target(1.0),
            Fault::UpdateBackwards => {
                let online = self.inner.parameters(Parameters::Online);
                let target = self.inner.parameters(Parameters::Target);
                self.inner.set_parameters(Parameters::Online, &target);
                self.inner.set_parameters(Parameters::Target, &online);
                self.inner.update_target(1.0 - tau);
            }
            _ => self.inner.update_target(tau),
        }
    }

    fn parameters(&self, which: Parameters) -> Vec<f32> {
        self.inner.parameters(which)
    }

    fn set_parameters(&mut self, which: Parameters, values: &[f32]) {
        let mut all = self.inner.parameters(which);
        match self.has(Fault::LengthUnchecked) && values.len() < all.len() {
            true => {
                all[..values.len()].copy_from_slice(values);
                self.inner.set_parameters(which, &all);
            }
            false => self.inner.set_parameters(which, values),
        }
    }

    fn gradient(&self) -> Vec<f32> {
        let mut gradient = self.inner.gradient();
        if self.has(Fault::GradientAddsUp) {
            gradient.iter_mut().zip(&self.before).for_each(|(sum, before)| *sum += before);
        }
        if let (Fault::GradientClipped, Some(norm)) = (self.fault, self.norm) {
            let length = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
            gradient.iter_mut().for_each(|g| *g *= (norm / length).min(1.0));
        }
        gradient
    }

    fn copy_gradient(&self, values: &mut [f32]) {
        self.inner.copy_gradient(values);
        if self.has(Fault::GradientCutOff) {
            values[self.inner.layout().len() - 1] = 0.0;
        }
        if self.has(Fault::GradientInAnotherOrder) {
            values.reverse();
        }
    }

    fn to_engine_order(&self, values: &[f32], ordered: &mut [f32]) {
        self.inner.to_engine_order(values, ordered);
        if self.has(Fault::PlacesShared) {
            ordered[0] = ordered[1];
        }
    }

    fn add_to_parameters(&mut self, which: Parameters, step: f32, direction: &[f32]) {
        let step = if self.has(Fault::StepIgnored) { 1.0 } else { step };
        self.inner.add_to_parameters(which, step, direction);
        if self.has(Fault::AddedToBoth) && which == Parameters::Online {
            self.inner.add_to_parameters(Parameters::Target, step, direction);
        }
    }

    fn gradient_steps(&self) -> u64 {
        self.steps.unwrap_or(0) + self.inner.gradient_steps()
    }

    fn save_optimizer(&self, state: &mut StateWriter) {
        self.inner.save_optimizer(state);
    }

    fn load_optimizer(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let zeros = vec![0.0; self.layout().len()];
        let fresh = ReferenceNetwork::new(self.spec(), self.optimizer, &zeros);
        let (online, target) = (self.parameters(Parameters::Online), self.parameters(Parameters::Target));
        let keep_parameters = |network: &mut ReferenceNetwork| {
            network.set_parameters(Parameters::Online, &online);
            network.set_parameters(Parameters::Target, &target);
        };
        match self.fault {
            Fault::StepsNotSaved => {
                // The means come back, the number of steps starts anew behind the right label.
                self.inner.load_optimizer(state)?;
                let mut bytes = StateWriter::new();
                self.inner.save_optimizer(&mut bytes);
                let mut bytes = bytes.into_bytes();
                let count = 8 + "reference-adam".len();
                self.steps = Some(self.inner.gradient_steps());
                bytes[count..count + 16].fill(0);
                self.inner.load_optimizer(&mut StateReader::new(&bytes))
            }
            Fault::ForeignStateTaken => self.inner.load_optimizer(state).or(Ok(())),
            Fault::HalfLoaded => self.inner.load_optimizer(state).inspect_err(|_| {
                self.inner = fresh;
                keep_parameters(&mut self.inner);
            }),
            _ => self.inner.load_optimizer(state),
        }
    }
}

fn is_plain(layer: &LayerSpec) -> bool {
    matches!(layer, LayerSpec::Linear { .. } | LayerSpec::Relu | LayerSpec::Divide { .. })
}

fn notices(check: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(check)).is_err()
}

#[test]
fn every_fault_of_a_network_is_noticed() {
    let faults: [(Fault, conformance::Check); 32] = [
        (Fault::TargetIsOnline, conformance::values_and_gradients),
        (Fault::ForwardDisturbs, conformance::a_forward_between_disturbs_nothing),
        (Fault::GradientAddsUp, conformance::values_and_gradients),
        (Fault::LastRowForgotten, conformance::values_and_gradients),
        (Fault::GradientNegated, conformance::gradients_are_differences),
        (Fault::NoClipping, conformance::trajectory),
        (Fault::GradientClipped, conformance::trajectory),
        (Fault::EpsilonUnderRoot, conformance::trajectory),
        (Fault::EpsilonAlwaysCorrected, conformance::trajectory),
        (Fault::NoDecayInGradient, conformance::trajectory),
        (Fault::DecayNotDecoupled, conformance::trajectory),
        (Fault::NotRectified, conformance::trajectory),
        (Fault::NotCentered, conformance::trajectory),
        (Fault::EpsilonOutsideRoot, conformance::trajectory),
        (Fault::NoMomentum, conformance::trajectory),
        (Fault::NesterovIgnored, conformance::trajectory),
        (Fault::TauIgnored, conformance::target_updates),
        (Fault::UpdateBackwards, conformance::target_updates),
        (Fault::StepsNotSaved, conformance::state_round_trip),
        (Fault::ResetForgotten, conformance::optimizer_reset),
        (Fault::ResetWithoutCorrection, conformance::optimizer_reset),
        (Fault::ResetCountsFromZero, conformance::optimizer_reset),
        (Fault::ForeignStateTaken, conformance::damaged_state),
        (Fault::HalfLoaded, conformance::damaged_state),
        (Fault::NanHidden, conformance::not_a_number_is_not_hidden),
        (Fault::BytesNotDivided, conformance::values_and_gradients),
        (Fault::GradientCutOff, conformance::parameters_in_place),
        (Fault::GradientInAnotherOrder, conformance::parameters_in_place),
        (Fault::PlacesShared, conformance::parameters_in_place),
        (Fault::AddedToBoth, conformance::parameters_in_place),
        (Fault::StepIgnored, conformance::parameters_in_place),
        (Fault::LengthUnchecked, conformance::lengths_are_checked),
    ];
    let mut specs = conformance::specs();
    // What these faults do does not depend on the layers: fully connected networks show it.
    specs.retain(|named| named.spec.layers.iter().all(is_plain));
    for (fault, check) in faults {
        let run = |fault| {
            notices(|| {
                check(
                    &|spec, optimizer, initial| Box::new(Faulty::new(fault, spec, optimizer, initial)),
                    &specs,
                );
            })
        };
        assert!(run(fault), "{fault:?} was not noticed");
        assert!(!run(Fault::None), "the check fails without {fault:?} too");
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum LossFault {
    /// The mean over the batch is taken already.
    DividedByBatch,
    /// The gradient has the wrong size.
    HalfGradient,
    /// Entries of actions not taken are left as they were.
    EntriesNotWritten,
    /// What follows a terminated transition counts.
    TerminationIgnored,
    /// Nothing bootstraps.
    NeverBootstraps,
    /// Each transition takes the reward of the one before.
    RowsShifted,
    /// Actions that are not allowed are bootstrapped from.
    MaskIgnored,
}

struct FaultyLoss(ExpectedLoss, LossFault);

impl Loss for FaultyLoss {
    fn passes(&self) -> &[Pass] {
        self.0.passes()
    }

    fn readout(&self) -> &Readout {
        self.0.readout()
    }

    fn evaluate(
        &mut self,
        transitions: Transitions<'_>,
        outputs: &[Output<'_>],
        result: &mut LossResult<'_>,
    ) {
        let rows = transitions.len();
        let mut reward = transitions.reward.to_vec();
        let mut discount = transitions.discount.to_vec();
        match self.1 {
            LossFault::TerminationIgnored => discount.fill(0.99),
            LossFault::NeverBootstraps => discount.fill(0.0),
            LossFault::RowsShifted => reward.rotate_right(1),
            _ => {}
        }
        let before = result.d_output.to_vec();
        let next_mask = if self.1 == LossFault::MaskIgnored { &[] } else { transitions.next_mask };
        let transitions = Transitions { reward: &reward, discount: &discount, next_mask, ..transitions };
        self.0.evaluate(transitions, outputs, result);
        for (d, before) in result.d_output.iter_mut().zip(before) {
            match self.1 {
                LossFault::DividedByBatch => *d /= rows as f32,
                LossFault::HalfGradient => *d *= 0.5,
                LossFault::EntriesNotWritten if *d == 0.0 => *d = before,
                _ => {}
            }
        }
    }
}

#[test]
fn every_fault_of_a_loss_is_noticed() {
    for fault in [
        LossFault::DividedByBatch,
        LossFault::HalfGradient,
        LossFault::EntriesNotWritten,
        LossFault::TerminationIgnored,
        LossFault::NeverBootstraps,
        LossFault::RowsShifted,
        LossFault::MaskIgnored,
    ] {
        let mut loss =
            FaultyLoss(ExpectedLoss::new(TargetRule::DOUBLE, ErrorFunction::Huber { kappa: 1.0 }), fault);
        assert!(notices(|| gradient_check(&mut loss, 3, 1, 5)), "{fault:?} was not noticed");
    }
}
