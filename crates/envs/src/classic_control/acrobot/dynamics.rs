//! How the links move: the equations of motion, and a step of Runge and Kutta's method.
//!
//! Each operation is Gymnasium's and in its place, so that each rounding is the same.

use std::f64::consts::FRAC_PI_2;
use std::hint::black_box;

const SECONDS_PER_STEP: f64 = 0.2;
const LENGTH_1: f64 = 1.0;
const MASS_1: f64 = 1.0;
const MASS_2: f64 = 1.0;
/// From a link's upper end to its centre of mass.
const CENTRE_1: f64 = 0.5;
const CENTRE_2: f64 = 0.5;
/// Of both links.
const MOMENT_OF_INERTIA: f64 = 1.0;
const GRAVITY: f64 = 9.8;

/// Two angles and two angular velocities; or how fast these change.
type Numbers = [f64; 4];

/// The numbers 200 ms later, under a steady torque: one step of the classical method of C. Runge and M. W. Kutta.
#[inline]
pub(super) fn after(now: Numbers, torque: f64) -> Numbers {
    let along = |rates: Numbers, seconds: f64| -> Numbers {
        std::array::from_fn(|index| now[index] + seconds * rates[index])
    };
    let k1 = rates(now, torque);
    let k2 = rates(along(k1, SECONDS_PER_STEP / 2.0), torque);
    let k3 = rates(along(k2, SECONDS_PER_STEP / 2.0), torque);
    let k4 = rates(along(k3, SECONDS_PER_STEP), torque);
    let sum = std::array::from_fn(|index| k1[index] + 2.0 * k2[index] + 2.0 * k3[index] + k4[index]);
    along(sum, SECONDS_PER_STEP / 6.0)
}

/// How fast angles and angular velocities change.
#[inline]
fn rates([angle_1, angle_2, velocity_1, velocity_2]: Numbers, torque: f64) -> Numbers {
    const COUPLING: f64 = MASS_2 * LENGTH_1 * CENTRE_2;
    const INERTIA_2: f64 = MASS_2 * (CENTRE_2 * CENTRE_2) + MOMENT_OF_INERTIA;
    let (sin_2, cos_2) = (angle_2.sin(), angle_2.cos());
    let d1 = MASS_1 * (CENTRE_1 * CENTRE_1)
        + MASS_2 * (LENGTH_1 * LENGTH_1 + CENTRE_2 * CENTRE_2 + 2.0 * LENGTH_1 * CENTRE_2 * cos_2)
        + MOMENT_OF_INERTIA
        + MOMENT_OF_INERTIA;
    let d2 = MASS_2 * (CENTRE_2 * CENTRE_2 + LENGTH_1 * CENTRE_2 * cos_2) + MOMENT_OF_INERTIA;
    let phi2 = MASS_2 * CENTRE_2 * GRAVITY * (angle_1 + angle_2 - FRAC_PI_2).cos();
    let phi1 = -COUPLING * square(velocity_2) * sin_2 - 2.0 * COUPLING * velocity_2 * velocity_1 * sin_2
        + (MASS_1 * CENTRE_1 + MASS_2 * LENGTH_1) * GRAVITY * (angle_1 - FRAC_PI_2).cos()
        + phi2;
    let acceleration_2 = (torque + d2 / d1 * phi1 - COUPLING * square(velocity_1) * sin_2 - phi2)
        / (INERTIA_2 - square(d2) / d1);
    let acceleration_1 = -(d2 * acceleration_2 + phi1) / d1;
    [velocity_1, velocity_2, acceleration_1, acceleration_2]
}

/// The C library's `pow(x, 2)`, which NumPy calls for the square of a number. In one of a thousand cases its last
/// bit is not that of `x · x`; a compiler that knew the exponent would multiply.
#[inline]
fn square(x: f64) -> f64 {
    x.powf(black_box(2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If no square differed, the compiler would have put a product in the place of the call.
    #[test]
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    fn a_square_is_the_c_librarys() {
        let differing = (0..100_000).filter(|index| {
            let x = 0.1 + f64::from(*index) * 1.234e-4;
            square(x) != x * x
        });
        let count = differing.count();
        assert!((1..1000).contains(&count), "{count}");
    }

    #[test]
    fn hanging_at_rest_nothing_moves_and_a_torque_turns_the_lower_link() {
        let rest = after([0.0; 4], 0.0);
        assert!(rest.iter().all(|number| number.abs() < 1e-15), "{rest:?}");
        let [angle_1, angle_2, ..] = after([0.0; 4], 1.0);
        assert!(angle_2 > 0.01 && angle_1 < 0.0);
    }
}
