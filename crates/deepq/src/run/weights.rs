//! Network parameters as safetensors files. Opening one runs no code.

use std::collections::HashMap;
use std::path::Path;

use deepq_core::network::ParameterLayout;
use deepq_envs::wrappers::ObservationStatistics;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::Error;

/// The only entry of a file's metadata: with more of them, their order and so the file's bytes would vary.
const CHECKSUM: &str = "crc32c";

/// The names of the statistics that observations were normalised by, in a file that has them.
const STATISTICS: [&str; 3] = ["observation.count", "observation.mean", "observation.variance"];

/// A safetensors file of sets of parameters, each in the order of `layout`, each with a prefix to its tensors'
/// names, and of the statistics that observations are normalised by; `path` is its name for messages.
pub(super) fn weights_file(
    path: &Path,
    layout: &ParameterLayout,
    sets: &[(&str, &[f32])],
    statistics: Option<&ObservationStatistics>,
) -> Result<Vec<u8>, Error> {
    let little_endian = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let statistics: Vec<(&str, Vec<u8>)> = match statistics {
        Some(statistics) => {
            let numbers = [vec![statistics.count()], statistics.mean(), statistics.variance()];
            STATISTICS.into_iter().zip(numbers.iter().map(|numbers| little_endian(numbers))).collect()
        }
        None => vec![],
    };
    let bytes: Vec<Vec<u8>> = sets
        .iter()
        .map(|(_, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let serialize = |metadata: Option<HashMap<String, String>>| -> Result<Vec<u8>, SafeTensorError> {
        let mut tensors = vec![];
        for ((prefix, _), bytes) in sets.iter().zip(&bytes) {
            for tensor in layout.tensors() {
                let range = tensor.range();
                let data = &bytes[4 * range.start..4 * range.end];
                let view = TensorView::new(Dtype::F32, tensor.shape.clone(), data)?;
                tensors.push((format!("{prefix}{}", tensor.name), view));
            }
        }
        for (name, bytes) in &statistics {
            tensors.push(((*name).to_owned(), TensorView::new(Dtype::F64, vec![bytes.len() / 8], bytes)?));
        }
        safetensors::serialize(tensors, metadata)
    };
    let file = serialize(None).and_then(|file| {
        let metadata = HashMap::from([(CHECKSUM.to_owned(), checksum(&file)?)]);
        serialize(Some(metadata))
    });
    file.map_err(|error| Error::damaged(path, error))
}

/// The checksum of all that stands behind the header.
fn checksum(file: &[u8]) -> Result<String, SafeTensorError> {
    // In front of the header stands its length, in 8 bytes.
    let (header, _) = SafeTensors::read_metadata(file)?;
    Ok(format!("{:08x}", crc32c::crc32c(&file[8 + header..])))
}

/// The parameters in a file whose tensors' names have the prefix, in the order of `layout`; `path` is the file's
/// name for messages.
pub(super) fn parse_weights(
    path: &Path,
    file: &[u8],
    layout: &ParameterLayout,
    prefix: &str,
) -> Result<Vec<f32>, Error> {
    let damaged = |error: SafeTensorError| Error::damaged(path, error);
    let tensors = SafeTensors::deserialize(file).map_err(damaged)?;
    let (_, header) = SafeTensors::read_metadata(file).map_err(damaged)?;
    let expected = header.metadata().as_ref().and_then(|metadata| metadata.get(CHECKSUM));
    let found = checksum(file).map_err(damaged)?;
    match expected {
        Some(expected) if *expected == found => {}
        Some(expected) => {
            return Err(Error::damaged(path, format!("expected the checksum {expected}, found {found}")));
        }
        None => return Err(Error::damaged(path, format!("its header has no {CHECKSUM}"))),
    }
    let mut values = vec![];
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

/// The statistics in a file whose checksum [`parse_weights`] has verified; `path` is its name for messages.
pub(super) fn parse_statistics(path: &Path, file: &[u8]) -> Result<ObservationStatistics, Error> {
    let tensors = SafeTensors::deserialize(file).map_err(|error| Error::damaged(path, error))?;
    let numbers = |name: &str| -> Result<Vec<f64>, Error> {
        let tensor =
            tensors.tensor(name).map_err(|error| Error::damaged(path, format!("{name}: {error}")))?;
        match tensor.dtype() {
            Dtype::F64 => {
                Ok(tensor.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
            }
            other => Err(Error::damaged(path, format!("{name}: expected F64, found {other:?}"))),
        }
    };
    let [count, mean, variance] = STATISTICS;
    let count = match numbers(count)?[..] {
        [only] => only,
        ref found => {
            return Err(Error::damaged(path, format!("{count}: expected 1 number, found {}", found.len())));
        }
    };
    ObservationStatistics::from_parts(count, numbers(mean)?, numbers(variance)?)
        .map_err(|error| Error::damaged(path, error))
}
