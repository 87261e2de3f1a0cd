//! Network parameters as safetensors files. Opening one runs no code.

use std::collections::HashMap;
use std::path::Path;

use deepq_core::network::ParameterLayout;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::files::write_synced;
use crate::Error;

/// Writes sets of parameters, each in the order of `layout`, each with a prefix to its tensors' names.
pub(super) fn write_weights(
    path: &Path,
    layout: &ParameterLayout,
    sets: &[(&str, &[f32])],
) -> Result<(), Error> {
    let bytes: Vec<Vec<u8>> = sets
        .iter()
        .map(|(_, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let mut tensors = vec![];
    for ((prefix, _), bytes) in sets.iter().zip(&bytes) {
        for tensor in layout.tensors() {
            let range = tensor.range();
            let data = &bytes[4 * range.start..4 * range.end];
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), data);
            let view = view.map_err(|error| Error::damaged(path, error))?;
            tensors.push((format!("{prefix}{}", tensor.name), view));
        }
    }
    let metadata: Option<HashMap<String, String>> = None;
    let file = safetensors::serialize(tensors, metadata).map_err(|error| Error::damaged(path, error))?;
    write_synced(path, &file).map_err(|error| Error::io("cannot write", path, error))
}

/// Reads the parameters whose tensors' names have the prefix, in the order of `layout`.
pub(super) fn read_weights(path: &Path, layout: &ParameterLayout, prefix: &str) -> Result<Vec<f32>, Error> {
    let file = std::fs::read(path).map_err(|error| Error::io("cannot read", path, error))?;
    let tensors = SafeTensors::deserialize(&file).map_err(|error| Error::damaged(path, error))?;
    let mut values = Vec::with_capacity(layout.len());
    for expected in layout.tensors() {
        let name = format!("{prefix}{}", expected.name);
        let tensor =
            tensors.tensor(&name).map_err(|error| Error::damaged(path, format!("{name}: {error}")))?;
        if tensor.shape() != expected.shape || tensor.dtype() != Dtype::F32 {
            let found = format!("{:?} {:?}", tensor.dtype(), tensor.shape());
            let message = format!("{name}: expected F32 {:?}, found {found}", expected.shape);
            return Err(Error::damaged(path, message));
        }
        values.extend(tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    }
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(values),
        false => Err(Error::damaged(path, "holds parameters that are not finite numbers")),
    }
}
