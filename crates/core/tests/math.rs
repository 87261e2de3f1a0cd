//! The functions of `deepq_core::math` against the standard library's in double precision: sweeps over all of
//! `f32`, the edges, and a hash of the bits that every processor must reproduce.

use deepq_core::math::{
    LEAST_MANTISSA, Number, cos_pi, erf, exp, gelu, gelu_derivative, ln, log_softmax, log_sum_exp, sigmoid,
    silu, silu_derivative, softmax, tanh,
};

/// A function, what it should be, and how far it may be off where.
struct Case {
    name: &'static str,
    function: fn(f32) -> f32,
    oracle: fn(f64) -> f64,
    /// Where the bound is promised.
    domain: std::ops::RangeInclusive<f32>,
    bound: Bound,
    /// Arguments and the results to the bit, as text.
    edges: &'static str,
    /// The hashes of the bits over a short and a long sweep.
    hashes: [u64; 2],
}

#[derive(Clone, Copy)]
enum Bound {
    /// Distances of neighbouring `f32` at the true result.
    Ulps(f64),
    Absolute(f64),
}

const EVERYWHERE: std::ops::RangeInclusive<f32> = f32::NEG_INFINITY..=f32::INFINITY;

const CASES: [Case; 10] = [
    Case {
        name: "exp",
        function: exp,
        oracle: f64::exp,
        domain: -87.336_54..=f32::INFINITY,
        bound: Bound::Ulps(1.1),
        edges: "0 1 | -0 1 | 1e-45 1 | inf inf | -inf 0 | 3.4028235e38 inf | -3.4028235e38 0 | 88.72284 inf | -87.33655 0",
        hashes: [0x8672_5dc6_c0cd_09ca, 0x37f2_64ee_9a49_1d2d],
    },
    Case {
        name: "ln",
        function: ln,
        oracle: f64::ln,
        domain: 0.0..=f32::INFINITY,
        bound: Bound::Ulps(1.0),
        edges: "0 -inf | -0 -inf | 1 0 | inf inf | -1 NaN | -1e-45 NaN | -inf NaN | 1e-45 -103.27893 | 3.4028235e38 88.72284",
        hashes: [0x0fad_51e6_91ad_8a21, 0x5670_7006_ac77_afd8],
    },
    Case {
        name: "sigmoid",
        function: sigmoid,
        oracle: sigmoid_oracle,
        domain: -87.336_54..=f32::INFINITY,
        bound: Bound::Ulps(2.0),
        edges: "0 0.5 | -0 0.5 | inf 1 | 3.4028235e38 1 | -inf 0 | -3.4028235e38 0 | -87.33655 0",
        hashes: [0x1e4a_3bfb_9bbb_a8ae, 0x17ca_c38a_5d7d_67d7],
    },
    Case {
        name: "silu",
        function: silu,
        oracle: |x| x * sigmoid_oracle(x),
        domain: -87.336_54..=f32::MAX,
        bound: Bound::Ulps(3.0),
        edges: "0 0 | -0 -0 | inf inf | 3.4028235e38 3.4028235e38 | -inf -0 | -3.4028235e38 -0 | -87.33655 -0",
        hashes: [0x91c9_fcd9_001f_e4fa, 0x1bd2_afb1_b27b_3442],
    },
    Case {
        name: "silu_derivative",
        function: silu_derivative,
        oracle: silu_derivative_oracle,
        domain: f32::MIN..=f32::MAX,
        bound: Bound::Absolute(2e-7),
        edges: "0 0.5 | -0 0.5 | inf 1 | 3.4028235e38 1 | -inf 0 | -3.4028235e38 0",
        hashes: [0xaa3a_b893_682e_ae5a, 0xe51c_cbf8_5183_97da],
    },
    Case {
        name: "tanh",
        function: tanh,
        oracle: f64::tanh,
        domain: EVERYWHERE,
        bound: Bound::Ulps(2.0),
        edges: "0 0 | -0 -0 | 1e-45 1e-45 | -1e-45 -1e-45 | inf 1 | -inf -1 | 3.4028235e38 1 | -3.4028235e38 -1",
        hashes: [0x93e6_e435_edc3_7655, 0x3456_b9e2_1c40_ce00],
    },
    Case {
        name: "erf",
        function: erf,
        oracle: erf_oracle,
        domain: EVERYWHERE,
        bound: Bound::Ulps(2.0),
        edges: "0 0 | -0 -0 | 1e-45 1e-45 | -1e-45 -1e-45 | inf 1 | -inf -1 | 3.4028235e38 1 | -3.4028235e38 -1",
        hashes: [0x60a6_8e35_733b_d4ec, 0xe0d6_c0ea_26b1_6165],
    },
    Case {
        name: "gelu",
        function: gelu,
        oracle: |x| x * normal_distribution(x),
        domain: -12.9..=f32::INFINITY,
        bound: Bound::Ulps(8.0),
        edges: "0 0 | -0 -0 | inf inf | 3.4028235e38 3.4028235e38 | -inf -0 | -3.4028235e38 -0 | -13 -0",
        hashes: [0xf6f8_4e83_4722_0fe1, 0x508a_068c_0f58_019c],
    },
    Case {
        name: "gelu_derivative",
        function: gelu_derivative,
        oracle: gelu_derivative_oracle,
        domain: f32::MIN..=f32::MAX,
        bound: Bound::Absolute(1.6e-7),
        edges: "0 0.5 | -0 0.5 | inf 1 | 3.4028235e38 1 | -inf -0 | -3.4028235e38 -0 | -13 -0",
        hashes: [0x1cee_71dc_5a50_283d, 0x2c98_1359_7d93_5c08],
    },
    Case {
        name: "cos_pi",
        function: cos_pi,
        oracle: cos_pi_oracle,
        domain: f32::MIN..=f32::MAX,
        bound: Bound::Ulps(2.0),
        edges: "0 1 | -0 1 | 1e-45 1 | 0.5 0 | -0.5 0 | 1 -1 | 1.5 0 | 2 1 | 1048575 -1 | 1048576.5 0 | 8388609 -1 | \
                -16777216 1 | 3.4028235e38 1 | inf NaN | -inf NaN",
        hashes: [0x57b3_8161_5ac5_6364, 0xdd22_ad8b_f25f_f2ff],
    },
];

const GELU_WHERE_IT_IS_NOT_SMALL: Case =
    Case { domain: -1.0..=f32::INFINITY, bound: Bound::Ulps(4.5), ..CASES[7] };

fn sigmoid_oracle(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn silu_derivative_oracle(x: f64) -> f64 {
    let sigmoid = sigmoid_oracle(x);
    sigmoid + x * sigmoid * sigmoid_oracle(-x)
}

/// Without error in the reduction: the remainder of doubles is exact, and so is the difference from ½.
fn cos_pi_oracle(x: f64) -> f64 {
    let remainder = (x % 2.0).abs();
    let r = if remainder > 1.0 { 2.0 - remainder } else { remainder };
    (std::f64::consts::PI * (0.5 - r)).sin()
}

/// 2/√π exp(−x²) Σ 2ⁿ x²ⁿ⁺¹ / (1·3·5⋯(2n + 1)), whose terms are all of one sign.
fn erf_oracle(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    let mut n = 1.0;
    while term.abs() > sum.abs() * 1e-18 {
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// 1 − erf(x): from 2 on, by Laplace's continued fraction.
fn erfc_oracle(x: f64) -> f64 {
    if x < 2.0 {
        return 1.0 - erf_oracle(x);
    }
    let fraction = (1..=100).rev().fold(x, |fraction, n| x + 0.5 * f64::from(n) / fraction);
    0.5 * std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() / fraction
}

/// Φ(x).
fn normal_distribution(x: f64) -> f64 {
    0.5 * erfc_oracle(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn gelu_derivative_oracle(x: f64) -> f64 {
    let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    normal_distribution(x) + x * density
}

/// The distance of the `f32` next to `exact` in magnitude, counted as if there were no greatest exponent.
fn ulp(exact: f64) -> f64 {
    let exponent = ((exact.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    power_of_two(exponent.max(-126) - 23)
}

/// Not `f64::powi`, which Miri lets err.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

impl Case {
    /// How much of what is allowed the error at `x` is; infinite where one of the two is infinite or NaN alone.
    fn share_of_bound(&self, x: f32) -> f64 {
        let (found, exact) = ((self.function)(x), (self.oracle)(f64::from(x)));
        if found == exact as f32 {
            return 0.0;
        }
        let allowed = match self.bound {
            Bound::Ulps(ulps) => ulps * ulp(exact),
            Bound::Absolute(bound) => bound,
        };
        let share = (f64::from(found) - exact).abs() / allowed;
        if share.is_nan() { f64::INFINITY } else { share }
    }

    /// Asserts the bound over `arguments`, and that the result has no other bits than `f32::NAN` where it is NaN.
    fn check(&self, arguments: impl Iterator<Item = f32>) {
        let (mut greatest, mut at) = (0.0, 0.0);
        for x in arguments.filter(|x| self.domain.contains(x)) {
            let share = self.share_of_bound(x);
            if share > greatest {
                (greatest, at) = (share, x);
            }
        }
        println!("{}: at most {greatest:.3} of the bound, at {at:e}", self.name);
        let (found, exact) = ((self.function)(at), (self.oracle)(f64::from(at)));
        assert!(
            greatest <= 1.0,
            "{}({at:e}) is {found:e}, {greatest} times the bound off {exact:e}",
            self.name
        );
    }
}

/// Every `stride`-th `f32`, NaN left out.
fn by_bits(stride: usize) -> impl Iterator<Item = f32> {
    (0..=u32::MAX).step_by(stride).map(f32::from_bits).filter(|x| !x.is_nan())
}

/// `2·half + 1` numbers side by side from −104 to 104: where the functions are not constant.
fn side_by_side(half: i32) -> impl Iterator<Item = f32> {
    (-half..=half).map(move |step| step as f32 * (104.0 / half as f32))
}

/// Numbers where something changes, and a few on either side of each, of both signs.
fn around_edges() -> impl Iterator<Item = f32> {
    let edges = [
        0.0,
        f32::MIN_POSITIVE,
        f32::EPSILON / 2.0,
        0.25,
        0.346_573_6,
        0.5,
        LEAST_MANTISSA,
        0.625,
        0.9,
        1.0,
        std::f32::consts::SQRT_2,
        1.5,
        2.0,
        4.0,
        9.010_913,
        10.0,
        12.9,
        87.336_54,
        88.0,
        88.722_84,
        1_048_576.5,
        8_388_608.0,
        16_777_216.0,
        f32::MAX,
    ];
    let near =
        |edge: f32| (-40..=40).map(move |step| f32::from_bits(edge.to_bits().saturating_add_signed(step)));
    edges.into_iter().flat_map(near).flat_map(|x| [x, -x]).filter(|x| !x.is_nan())
}

#[test]
#[cfg_attr(miri, ignore = "too many for an interpreter")]
fn every_function_stays_within_its_bound() {
    for case in CASES.iter().chain([&GELU_WHERE_IT_IS_NOT_SMALL]) {
        case.check(by_bits(9_973).chain(side_by_side(50_000)).chain(around_edges()));
    }
}

/// Some of the arguments from 2⁻³⁰ to 128 in magnitude, and all of them where the environment variable
/// `DEEPQ_EVERY_ARGUMENT` is set: `DEEPQ_EVERY_ARGUMENT=1 cargo test --release -p deepq-core --test math -- --nocapture`
/// takes ten minutes and prints how near the bounds are.
#[test]
#[cfg_attr(miri, ignore = "too many for an interpreter")]
fn every_function_stays_within_its_bound_from_one_argument_to_the_next() {
    let step = if std::env::var_os("DEEPQ_EVERY_ARGUMENT").is_some() { 1 } else { 20_011 };
    let (least, greatest) = (power_of_two(-30) as f32, 128f32);
    for case in CASES.iter().chain([&GELU_WHERE_IT_IS_NOT_SMALL]) {
        let all = (least.to_bits()..=greatest.to_bits()).step_by(step).map(f32::from_bits);
        case.check(all.flat_map(|x| [x, -x]).chain(by_bits(251 * step)));
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many for an interpreter")]
fn bounded_functions_never_leave_their_bounds() {
    for x in by_bits(9_973).chain(side_by_side(50_000)).chain(around_edges()) {
        let with_sign = [tanh(x), erf(x), if x.is_finite() { cos_pi(x) } else { 0.0 }];
        assert!(with_sign.iter().all(|y| (-1.0..=1.0).contains(y)), "{x:e}: {with_sign:?}");
        assert!((0.0..=1.0).contains(&sigmoid(x)), "{x:e}: {}", sigmoid(x));
        assert!(exp(x) >= 0.0 && !exp(x).is_subnormal(), "{x:e}: {}", exp(x));
    }
}

/// The oracle is no better than its test: the error function against an independent program's.
#[test]
fn the_oracle_of_erf_is_right() {
    let fixture: serde_json::Value =
        serde_json::from_str(include_str!("../../../fixtures/math/erf.json")).expect("the fixture is JSON");
    let rows = fixture["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 162);
    for row in rows {
        let [x, erf, erfc] = [0, 1, 2].map(|column| row[column].as_f64().expect("a number"));
        assert!((erf_oracle(x) / erf - 1.0).abs() < 1e-14, "erf({x}) is {erf}, not {}", erf_oracle(x));
        assert!((erfc_oracle(x) / erfc - 1.0).abs() < 1e-12, "erfc({x}) is {erfc}, not {}", erfc_oracle(x));
    }
}

#[test]
fn the_oracles_of_derivatives_are_right() {
    type Oracle = fn(f64) -> f64;
    let pairs: [[Oracle; 2]; 2] = [
        [|x| x * sigmoid_oracle(x), silu_derivative_oracle],
        [|x| x * normal_distribution(x), gelu_derivative_oracle],
    ];
    for [function, derivative] in pairs {
        for x in (-60..=60).map(|step| f64::from(step) * 0.1) {
            let difference = (function(x + 1e-4) - function(x - 1e-4)) / 2e-4;
            assert!((difference - derivative(x)).abs() < 1e-7, "at {x}: {difference}, not {}", derivative(x));
        }
    }
}

#[test]
fn at_the_edges_the_results_are_as_documented() {
    for case in &CASES {
        for edge in case.edges.split('|') {
            let numbers: Vec<f32> = edge.split_whitespace().map(|number| number.parse().unwrap()).collect();
            let (x, expected) = (numbers[0], numbers[1]);
            let found = (case.function)(x);
            assert_eq!(
                found.to_bits(),
                expected.to_bits(),
                "{}({x:e}) is {found:e}, not {expected:e}",
                case.name
            );
        }
    }
    // The last arguments before the results of `exp` leave the normal numbers.
    assert!(exp(88.722_83).is_normal() && exp(88.722_83f32.next_up()).is_infinite());
    assert!(exp(-87.336_54).is_normal() && exp((-87.336_54f32).next_down()) == 0.0);
}

#[test]
fn of_nan_there_is_one() {
    let nans =
        [0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0xff80_0001, 0x7fff_ffff, 0xffff_ffff].map(f32::from_bits);
    for case in &CASES {
        for nan in nans {
            let found = (case.function)(nan).to_bits();
            assert_eq!(found, f32::NAN.to_bits(), "{}({:#x}) is {found:#x}", case.name, nan.to_bits());
        }
    }
    for nan in nans {
        let mut values = [0.0, nan];
        log_softmax(&mut values);
        let mut shares = [0.0, nan];
        softmax(&mut shares);
        let found = [values[0], values[1], shares[0], shares[1], log_sum_exp(&[0.0, nan])].map(f32::to_bits);
        assert_eq!(found, [f32::NAN.to_bits(); 5]);
    }
}

/// FNV-1a.
fn hash(words: impl Iterator<Item = u32>) -> u64 {
    words
        .flat_map(u32::to_le_bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn check_hashes(which: usize, arguments: impl Iterator<Item = f32>) {
    let arguments: Vec<f32> = arguments.collect();
    let hash_of = |case: &Case| hash(arguments.iter().map(|&x| (case.function)(x).to_bits()));
    let found = CASES.each_ref().map(|case| (case.name, hash_of(case)));
    let expected = CASES.each_ref().map(|case| (case.name, case.hashes[which]));
    assert!(found == expected, "the bits are others: found {found:#018x?}, expected {expected:#018x?}");
}

/// About 640 arguments of each function, few enough for Miri.
#[test]
fn a_few_results_have_the_same_bits_on_every_processor() {
    check_hashes(0, by_bits(12_884_903).chain(side_by_side(100)).chain(around_edges().step_by(37)));
}

/// About 100,000 arguments of each function.
#[test]
#[cfg_attr(miri, ignore = "too many for an interpreter")]
fn results_have_the_same_bits_on_every_processor() {
    check_hashes(1, by_bits(85_909).chain(side_by_side(25_000)).chain(around_edges()));
}

#[test]
fn f32_as_a_number() {
    for x in by_bits(30_011_989).chain(around_edges().step_by(7)).filter(|x| x.is_normal()) {
        for exponent in [-200, -126, -30, -1, 0, 1, 30, 127, 200] {
            let exact = f64::from(x) * power_of_two(exponent);
            if exact.abs() >= f64::from(f32::MIN_POSITIVE) && exact.abs() <= f64::from(f32::MAX) {
                let found = x.scale_by_power_of_two(exponent as f32);
                assert_eq!(f64::from(found), exact, "{x:e} · 2^{exponent}");
            }
        }
        if x > 0.0 {
            let (mantissa, exponent) = x.split_exponent();
            assert!((LEAST_MANTISSA..2.0 * LEAST_MANTISSA).contains(&mantissa), "{x:e}: {mantissa}");
            assert_eq!(exponent.fract(), 0.0);
            assert_eq!(f64::from(mantissa) * power_of_two(exponent as i32), f64::from(x));
        }
    }
    for (x, expected) in
        [(0.5, 0.0), (1.5, 2.0), (2.5, 2.0), (-0.5, -0.0), (-2.5, -2.0), (8_388_609.0, 8_388_609.0)]
    {
        assert_eq!(Number::round(x).to_bits(), f32::to_bits(expected), "round({x})");
    }
    assert!(!f32::NAN.is_less(1.0) && !1f32.is_less(f32::NAN) && !(-0f32).is_less(0.0) && 1f32.is_less(2.0));
}

/// Values of every size, some far apart.
fn rows() -> impl Iterator<Item = Vec<f32>> {
    (1..=60usize).map(|length| {
        let scale = [0.1, 1.0, 30.0, 1e4][length % 4];
        let offset = [0.0, -3.0, 1e3, -1e5][length / 4 % 4];
        (0..length).map(|index| ((index * 37 + length * 11) % 101) as f32 * 0.02 * scale + offset).collect()
    })
}

#[test]
fn sums_of_exponentials_are_right() {
    for row in rows() {
        let exact: Vec<f64> = row.iter().copied().map(f64::from).collect();
        let greatest = exact.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let logarithm = exact.iter().map(|value| (value - greatest).exp()).sum::<f64>().ln();

        let found = f64::from(log_sum_exp(&row));
        let allowed = 1e-6 + greatest.abs() * 1e-7;
        assert!((found - greatest - logarithm).abs() < allowed, "{found}, not {}", greatest + logarithm);

        let mut logarithms = row.clone();
        log_softmax(&mut logarithms);
        let mut shares = row.clone();
        softmax(&mut shares);
        for (index, value) in exact.iter().enumerate() {
            let expected = value - greatest - logarithm;
            let allowed = 1e-6 + expected.abs() * 2e-7;
            let [logarithm, share] = [logarithms[index], shares[index]].map(f64::from);
            assert!((logarithm - expected).abs() < allowed, "ln softmax is {logarithm}, not {expected}");
            let allowed = expected.exp() * (1e-6 + expected.abs() * 1e-7) + 2e-38;
            assert!((share - expected.exp()).abs() < allowed, "softmax is {share}, not {}", expected.exp());
        }
        assert!((shares.iter().map(|&share| f64::from(share)).sum::<f64>() - 1.0).abs() < 1e-6);
    }
}

#[test]
fn sums_of_exponentials_at_the_edges() {
    const INFINITY: f32 = f32::INFINITY;
    assert_eq!(log_sum_exp(&[]), -INFINITY);
    assert_eq!(log_sum_exp(&[-INFINITY, -INFINITY]), -INFINITY);
    assert_eq!(log_sum_exp(&[0.0, INFINITY]), INFINITY);
    assert_eq!(log_sum_exp(&[-INFINITY, 3.0]), 3.0);
    assert_eq!(log_sum_exp(&[f32::MAX, f32::MAX]), f32::MAX);
    assert_eq!(log_sum_exp(&[-1e30]), -1e30);

    let log_softmax_of = |mut values: [f32; 2]| {
        log_softmax(&mut values);
        values
    };
    assert_eq!(log_softmax_of([-INFINITY, 3.0]), [-INFINITY, 0.0]);
    assert_eq!(log_softmax_of([1e30, -1e30]), [0.0, -2e30]);
    assert_eq!(log_softmax_of([0.0, INFINITY]).map(f32::to_bits), [f32::NAN.to_bits(); 2]);
    assert_eq!(log_softmax_of([-INFINITY; 2]).map(f32::to_bits), [f32::NAN.to_bits(); 2]);
    log_softmax(&mut []);

    let softmax_of = |mut values: [f32; 2]| {
        softmax(&mut values);
        values
    };
    assert_eq!(softmax_of([-INFINITY, 3.0]), [0.0, 1.0]);
    assert_eq!(softmax_of([1e30, -1e30]), [1.0, 0.0]);
    assert_eq!(softmax_of([0.0, INFINITY]).map(f32::to_bits), [f32::NAN.to_bits(); 2]);
    assert_eq!(softmax_of([-INFINITY; 2]).map(f32::to_bits), [f32::NAN.to_bits(); 2]);
    softmax(&mut []);
}
