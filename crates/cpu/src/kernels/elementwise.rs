//! The optimisers and the target update: passes over flat vectors.
//!
//! Each element of a result depends on the elements at its own place alone, so that a step may be taken on any
//! stretches of the vectors, one after the other or at the same time, and gives the same bits.
//!
//! # Padding
//! Where a parameter, its gradient and its state are 0, they stay 0: no rule divides by less than its epsilon.
//!
//! # State that fades
//! A parameter whose gradient stays 0, a dead ReLU's say, has running means that halve and halve until they are
//! subnormal, and there they stay for ever (0.9 times the least number rounds to it): on many processors each
//! operation on such a number takes as long as a hundred others. So state nearer to 0 than 2⁻¹⁰⁰ becomes 0.
//! Beside any epsilon of use (1e-8 squared is 2⁻⁵³, 1e-15 is 2⁻⁵⁰) it changes no parameter.

use super::dispatch::Operation;
use super::simd::Simd;
use super::stretches::{WORTH_A_TEAM, hand_out, stretch_len};
use super::{Kernels, Team};
use crate::aligned::LINE;

/// The most vectors of state that an optimiser has.
pub(crate) const MOST_SLOTS: usize = 3;

/// One step of an optimiser, with everything that depends on the step count already worked out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptimizerStep {
    /// Multiplies the gradient first: 1 where nothing is clipped.
    pub(crate) gradient_scale: f32,
    pub(crate) decay: Decay,
    pub(crate) formula: Formula,
}

/// How parameters decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Decay {
    None,
    /// This share of the parameter is added to the gradient.
    InGradient(f32),
    /// The parameter is multiplied by this before the step.
    Decoupled(f32),
}

/// Which optimiser, and its numbers for one step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Formula {
    Adam(AdamStep),
    RmsProp { step: RmsPropStep, centered: bool, momentum: bool },
    Sgd { step: SgdStep, momentum: bool, nesterov: bool },
}

/// Adam and what differs from it by numbers alone. State: the mean, the mean square.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamStep {
    /// 1 − β₁.
    pub(crate) one_minus_beta1: f32,
    /// β₂.
    pub(crate) beta2: f32,
    /// 1 − β₂.
    pub(crate) one_minus_beta2: f32,
    /// Multiplies the mean.
    pub(crate) step_size: f32,
    /// Multiplies the root of the mean square.
    pub(crate) root_scale: f32,
    /// Added to the root times `root_scale`.
    pub(crate) epsilon: f32,
}

/// RMSprop. State: the mean square, then the mean where it is centred, then the buffer where there is momentum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RmsPropStep {
    /// α.
    pub(crate) alpha: f32,
    /// 1 − α.
    pub(crate) one_minus_alpha: f32,
    /// Added below the root.
    pub(crate) epsilon_inside: f32,
    /// Added to the root.
    pub(crate) epsilon_outside: f32,
    pub(crate) momentum: f32,
    pub(crate) learning_rate: f32,
}

/// Gradient descent. State: the buffer where there is momentum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SgdStep {
    pub(crate) momentum: f32,
    pub(crate) learning_rate: f32,
}

/// A stretch of the vectors that an optimiser works on: all of one length, a multiple of 16. Slots that it does
/// not use are empty.
#[derive(Debug)]
pub(crate) struct Stretch<'a> {
    pub(crate) parameters: &'a mut [f32],
    pub(crate) gradient: &'a [f32],
    pub(crate) slots: [&'a mut [f32]; MOST_SLOTS],
}

impl Stretch<'_> {
    /// The first `at` elements and the rest. Both are stretches where `at` is a multiple of 16.
    pub(crate) fn split_at(self, at: usize) -> (Self, Self) {
        let Self { parameters, gradient, slots } = self;
        let (first, rest) = parameters.split_at_mut(at);
        let (first_gradient, rest_gradient) = gradient.split_at(at);
        let [a, b, c] = slots.map(|slot| slot.split_at_mut(at.min(slot.len())));
        (
            Self { parameters: first, gradient: first_gradient, slots: [a.0, b.0, c.0] },
            Self { parameters: rest, gradient: rest_gradient, slots: [a.1, b.1, c.1] },
        )
    }
}

/// The rule by which one vector of elements changes.
trait Rule: Copy {
    /// How many slots it uses, the first ones.
    const SLOTS: usize;

    /// Gives the parameters after the step and changes the state.
    ///
    /// # Safety
    /// As for [`Simd`].
    unsafe fn apply<S: Simd>(
        self,
        parameter: S::Vector,
        gradient: S::Vector,
        state: &mut [S::Vector; MOST_SLOTS],
    ) -> S::Vector;
}

impl Rule for AdamStep {
    const SLOTS: usize = 2;

    #[inline(always)]
    unsafe fn apply<S: Simd>(
        self,
        parameter: S::Vector,
        gradient: S::Vector,
        [mean, square, _]: &mut [S::Vector; MOST_SLOTS],
    ) -> S::Vector {
        // SAFETY: the caller's word for the instruction set; there are no pointers.
        unsafe {
            *mean = follow::<S>(*mean, gradient, self.one_minus_beta1);
            *square = follow_square::<S>(*square, gradient, self.beta2, self.one_minus_beta2);
            let (root_scale, epsilon) = (S::splat(self.root_scale), S::splat(self.epsilon));
            let root = S::multiply_add(S::square_root(*square), root_scale, epsilon);
            let change = S::divide(S::multiply(S::splat(self.step_size), *mean), root);
            S::subtract(parameter, change)
        }
    }
}

/// A running mean after one more `value`: `mean + share · (value − mean)`.
#[inline(always)]
unsafe fn follow<S: Simd>(mean: S::Vector, value: S::Vector, share: f32) -> S::Vector {
    // SAFETY: the caller's word for the instruction set; there are no pointers.
    unsafe { S::flush(S::multiply_add(S::splat(share), S::subtract(value, mean), mean)) }
}

/// A running mean of squares after one more `value`: `keep · mean + share · value²`.
#[inline(always)]
unsafe fn follow_square<S: Simd>(mean: S::Vector, value: S::Vector, keep: f32, share: f32) -> S::Vector {
    // SAFETY: the caller's word for the instruction set; there are no pointers.
    unsafe {
        let kept = S::multiply(S::splat(keep), mean);
        S::flush(S::multiply_add(S::multiply(S::splat(share), value), value, kept))
    }
}

/// `value − share · direction`.
#[inline(always)]
unsafe fn descend<S: Simd>(value: S::Vector, direction: S::Vector, share: f32) -> S::Vector {
    // SAFETY: the caller's word for the instruction set; there are no pointers.
    unsafe { S::multiply_add(S::splat(-share), direction, value) }
}

#[derive(Clone, Copy)]
struct RmsProp<const CENTERED: bool, const MOMENTUM: bool>(RmsPropStep);

impl<const CENTERED: bool, const MOMENTUM: bool> Rule for RmsProp<CENTERED, MOMENTUM> {
    const SLOTS: usize = 1 + CENTERED as usize + MOMENTUM as usize;

    #[inline(always)]
    unsafe fn apply<S: Simd>(
        self,
        parameter: S::Vector,
        gradient: S::Vector,
        state: &mut [S::Vector; MOST_SLOTS],
    ) -> S::Vector {
        let step = self.0;
        // SAFETY: the caller's word for the instruction set; there are no pointers.
        unsafe {
            state[0] = follow_square::<S>(state[0], gradient, step.alpha, step.one_minus_alpha);
            let mut variance = state[0];
            if CENTERED {
                state[1] = follow::<S>(state[1], gradient, step.one_minus_alpha);
                // Where gradients are all alike, rounding may leave less than nothing.
                variance = S::rectify(S::multiply_add(S::negate(state[1]), state[1], variance));
            }
            // One of the two epsilons is 0.
            let inside = S::add(variance, S::splat(step.epsilon_inside));
            let root = S::add(S::square_root(inside), S::splat(step.epsilon_outside));
            let mut direction = S::divide(gradient, root);
            if MOMENTUM {
                let buffer = &mut state[1 + CENTERED as usize];
                *buffer = S::flush(S::multiply_add(S::splat(step.momentum), *buffer, direction));
                direction = *buffer;
            }
            descend::<S>(parameter, direction, step.learning_rate)
        }
    }
}

#[derive(Clone, Copy)]
struct Sgd<const MOMENTUM: bool, const NESTEROV: bool>(SgdStep);

impl<const MOMENTUM: bool, const NESTEROV: bool> Rule for Sgd<MOMENTUM, NESTEROV> {
    const SLOTS: usize = MOMENTUM as usize;

    #[inline(always)]
    unsafe fn apply<S: Simd>(
        self,
        parameter: S::Vector,
        gradient: S::Vector,
        [buffer, ..]: &mut [S::Vector; MOST_SLOTS],
    ) -> S::Vector {
        let step = self.0;
        // SAFETY: the caller's word for the instruction set; there are no pointers.
        unsafe {
            let mut direction = gradient;
            if MOMENTUM {
                let momentum = S::splat(step.momentum);
                *buffer = S::flush(S::multiply_add(momentum, *buffer, gradient));
                direction = if NESTEROV { S::multiply_add(momentum, *buffer, gradient) } else { *buffer };
            }
            descend::<S>(parameter, direction, step.learning_rate)
        }
    }
}

/// A step of an optimiser over `len` elements, a multiple of 16.
struct Update<R, const DECAYED: bool> {
    rule: R,
    gradient_scale: f32,
    /// The share of the parameter that is added to the gradient.
    in_gradient: f32,
    /// What the parameter is multiplied by.
    shrink: f32,
    len: usize,
    parameters: *mut f32,
    gradient: *const f32,
    slots: [*mut f32; MOST_SLOTS],
}

impl<R: Rule, const DECAYED: bool> Operation for Update<R, DECAYED> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: all vectors that are used have `len` elements, and vectors divide 16.
        unsafe {
            let scale = S::splat(self.gradient_scale);
            for index in (0..self.len).step_by(S::LANES) {
                let mut parameter = S::load(self.parameters.add(index));
                let mut gradient = S::multiply(S::load(self.gradient.add(index)), scale);
                if DECAYED {
                    gradient = S::multiply_add(S::splat(self.in_gradient), parameter, gradient);
                    parameter = S::multiply(S::splat(self.shrink), parameter);
                }
                let mut state = [S::splat(0.0); MOST_SLOTS];
                for slot in 0..R::SLOTS {
                    state[slot] = S::load(self.slots[slot].add(index));
                }
                parameter = self.rule.apply::<S>(parameter, gradient, &mut state);
                for slot in 0..R::SLOTS {
                    S::store(self.slots[slot].add(index), state[slot]);
                }
                S::store(self.parameters.add(index), parameter);
            }
        }
    }
}

/// `target += tau · (online − target)` over `len` elements, a multiple of 16.
struct MoveTowards {
    tau: f32,
    len: usize,
    online: *const f32,
    target: *mut f32,
}

impl Operation for MoveTowards {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: both vectors have `len` elements, and vectors divide 16.
        unsafe {
            let tau = S::splat(self.tau);
            for index in (0..self.len).step_by(S::LANES) {
                let target = S::load(self.target.add(index));
                let difference = S::subtract(S::load(self.online.add(index)), target);
                S::store(self.target.add(index), S::multiply_add(tau, difference, target));
            }
        }
    }
}

impl Kernels {
    /// One step of an optimiser, shared by the team where the vectors are long.
    pub(crate) fn update(&self, team: &mut Team, step: &OptimizerStep, whole: Stretch<'_>) {
        let len = whole.parameters.len();
        if team.count() == 1 || len < WORTH_A_TEAM {
            return self.update_stretch(step, whole);
        }
        let each = stretch_len(team, len, LINE);
        let mut rest = Some(whole);
        let stretches = std::iter::from_fn(|| {
            let whole = rest.take()?;
            if whole.parameters.len() <= each {
                return Some(whole);
            }
            let (first, others) = whole.split_at(each);
            rest = Some(others);
            Some(first)
        });
        hand_out(team, stretches, &|stretch| self.update_stretch(step, stretch));
    }

    /// One step of an optimiser on a stretch of its vectors.
    pub(crate) fn update_stretch(&self, step: &OptimizerStep, stretch: Stretch<'_>) {
        match step.formula {
            Formula::Adam(rule) => self.apply(rule, step, stretch),
            Formula::RmsProp { step: numbers, centered, momentum } => match (centered, momentum) {
                (false, false) => self.apply(RmsProp::<false, false>(numbers), step, stretch),
                (false, true) => self.apply(RmsProp::<false, true>(numbers), step, stretch),
                (true, false) => self.apply(RmsProp::<true, false>(numbers), step, stretch),
                (true, true) => self.apply(RmsProp::<true, true>(numbers), step, stretch),
            },
            Formula::Sgd { step: numbers, momentum, nesterov } => match (momentum, nesterov) {
                (false, _) => self.apply(Sgd::<false, false>(numbers), step, stretch),
                (true, false) => self.apply(Sgd::<true, false>(numbers), step, stretch),
                (true, true) => self.apply(Sgd::<true, true>(numbers), step, stretch),
            },
        }
    }

    fn apply<R: Rule>(&self, rule: R, step: &OptimizerStep, stretch: Stretch<'_>) {
        match step.decay {
            Decay::None => self.apply_decayed::<R, false>(rule, step, [0.0, 1.0], stretch),
            Decay::InGradient(share) => self.apply_decayed::<R, true>(rule, step, [share, 1.0], stretch),
            Decay::Decoupled(shrink) => self.apply_decayed::<R, true>(rule, step, [0.0, shrink], stretch),
        }
    }

    fn apply_decayed<R: Rule, const DECAYED: bool>(
        &self,
        rule: R,
        step: &OptimizerStep,
        [in_gradient, shrink]: [f32; 2],
        stretch: Stretch<'_>,
    ) {
        let Stretch { parameters, gradient, slots } = stretch;
        let len = parameters.len();
        assert!(
            len.is_multiple_of(LINE)
                && gradient.len() == len
                && slots[..R::SLOTS].iter().all(|slot| slot.len() == len),
            "the vectors of an optimiser must have the same length, a multiple of 16"
        );
        let operation = Update::<R, DECAYED> {
            rule,
            gradient_scale: step.gradient_scale,
            in_gradient,
            shrink,
            len,
            parameters: parameters.as_mut_ptr(),
            gradient: gradient.as_ptr(),
            slots: slots.map(<[f32]>::as_mut_ptr),
        };
        // SAFETY: the assertion has checked all slices.
        unsafe { self.run(operation) }
    }

    /// `target += tau · (online − target)`, shared by the team where the vectors are long. Both have the same
    /// length, a multiple of 16.
    pub(crate) fn move_towards(&self, team: &mut Team, tau: f32, online: &[f32], target: &mut [f32]) {
        if team.count() == 1 || target.len() < WORTH_A_TEAM {
            return self.move_stretch_towards(tau, online, target);
        }
        assert_eq!(online.len(), target.len(), "both sets of parameters must have the same length");
        let each = stretch_len(team, target.len(), LINE);
        let stretches = online.chunks(each).zip(target.chunks_mut(each));
        hand_out(team, stretches, &|(online, target)| self.move_stretch_towards(tau, online, target));
    }

    fn move_stretch_towards(&self, tau: f32, online: &[f32], target: &mut [f32]) {
        let len = target.len();
        assert!(
            len.is_multiple_of(LINE) && online.len() == len,
            "both sets of parameters must have the same length, a multiple of 16"
        );
        let (online, target) = (online.as_ptr(), target.as_mut_ptr());
        // SAFETY: the assertion has checked both slices.
        unsafe { self.run(MoveTowards { tau, len, online, target }) }
    }
}
