//! The reference network against PyTorch in float64: fixtures/pytorch/layers.json, made by layers.py beside it.

mod common;

use common::fixture;
use deepq_core::ElementKind;
use deepq_core::network::{InputShape, LayerSpec, NetworkSpec};
use deepq_core::testing::ReferencePass;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap_or_else(|| panic!("{value} is no list"));
    numbers.iter().map(|number| number.as_f64().unwrap_or_else(|| panic!("{number}"))).collect()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count")) as usize
}

fn spec(case: &Value) -> NetworkSpec {
    let shape: Vec<usize> = case["input"]["shape"].as_array().unwrap().iter().map(count).collect();
    let (element, input) = match (case["input"]["kind"].as_str().unwrap(), &shape[..]) {
        ("vector", &[len]) => (ElementKind::F32, InputShape::Vector { len }),
        ("channels-first", &[channels, height, width]) => {
            (ElementKind::U8, InputShape::ChannelsFirst { channels, height, width })
        }
        ("channels-last", &[height, width, channels]) => {
            (ElementKind::F32, InputShape::ChannelsLast { height, width, channels })
        }
        other => panic!("{other:?}"),
    };
    let layers: Vec<LayerSpec> = serde_json::from_value(case["layers"].clone()).unwrap();
    NetworkSpec {
        element,
        full_byte: 255,
        input,
        actions: count(&case["actions"]),
        atoms: count(&case["atoms"]),
        layers,
    }
}

/// Equal to 1e-9 of the greatest of them.
fn assert_equal(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "the length of {what}");
    let greatest = expected.iter().fold(0.0f64, |greatest, value| greatest.max(value.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(error <= 1e-9 * greatest, "{what}, element {i}: {found}, PyTorch has {expected}");
    }
}

#[test]
fn the_references_layers_are_pytorchs() {
    let fixture = fixture("pytorch/layers.json");
    let cases = fixture["cases"].as_array().unwrap();
    for case in cases {
        let (name, spec) = (case["name"].as_str().unwrap(), spec(case));
        let mut observation = numbers(&case["observation"]);
        if spec.element == ElementKind::U8 {
            observation.iter_mut().for_each(|byte| *byte /= 255.0);
        }
        let noise = (!case["noise"].is_null()).then(|| numbers(&case["noise"]));
        let pass = ReferencePass {
            spec: &spec,
            parameters: &numbers(&case["parameters"]),
            noise: noise.as_deref(),
            observation: &observation,
            fractions: &numbers(&case["fractions"]),
        };
        assert_equal(&pass.forward(), &numbers(&case["output"]), &format!("{name}: the output"));
        let (found, expected) = (pass.gradient(&numbers(&case["d_output"])), numbers(&case["gradient"]));
        for tensor in spec.layout().unwrap().tensors() {
            let what = format!("{name}: the gradient of {}", tensor.name);
            assert_equal(&found[tensor.range()], &expected[tensor.range()], &what);
        }
    }
    assert_eq!(cases.len(), 29);
}

/// Parameters stand in the order of PyTorch's state dictionary, and go by the same names.
#[test]
fn parameters_are_pytorchs() {
    for case in fixture("pytorch/layers.json")["cases"].as_array().unwrap() {
        let layout = spec(case).layout().unwrap();
        let found: Vec<_> = layout.tensors().iter().map(|t| (t.name.as_str(), t.shape.clone())).collect();
        let expected = case["parameter_shapes"].as_object().unwrap().iter();
        let expected: Vec<_> = expected
            .map(|(name, shape)| (name.as_str(), shape.as_array().unwrap().iter().map(count).collect()))
            .collect();
        assert_eq!(found, expected, "{}", case["name"]);
    }
}
