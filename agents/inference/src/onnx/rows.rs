//! A denoiser that takes one timestep for its whole batch, altered to take one for each row: exporters write it so that the
//! number is first made a vector of one and then spread over the batch, and a vector of the batch's own length spreads to itself.
//! Steps of one trace, which differ in their timesteps, can then be run together.

use super::{Malformed, Node, Onnx};
use std::collections::HashSet;

/// Names of the inputs.
const TIMESTEP: &str = "timestep";
const SAMPLE: &str = "sample";

/// The altered file; none if it is not written so, or takes a timestep for each row as it is.
pub(crate) fn timed_by_row(bytes: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let mut onnx = Onnx::parse(bytes)?;
    let Some(batch) = onnx.inputs.iter().find(|port| port.name == SAMPLE).and_then(|port| port.batch.clone()) else {
        return Ok(None);
    };
    let Some(time) = onnx.inputs.iter_mut().find(|port| port.name == TIMESTEP && port.rank == Some(0)) else {
        return Ok(None);
    };
    *time = time.of_rows(&batch);
    let mut vectors = Vec::new();
    for node in &mut onnx.nodes {
        if !node.inputs.iter().any(|input| input == TIMESTEP) {
            continue;
        }
        // Whatever else is done with the number is not known to do as well for a vector.
        let ("Unsqueeze", [output]) = (node.operator.as_str(), node.outputs.as_slice()) else { return Ok(None) };
        vectors.push(output.clone());
        *node = Node::new("Identity", &[TIMESTEP], &[output]);
    }
    Ok((!vectors.is_empty() && onnx.is_spread(vectors)).then(|| onnx.encode()))
}

impl Onnx {
    /// Whether these vectors, cast or not, are only spread over the rows of the sample itself.
    fn is_spread(&self, mut vectors: Vec<String>) -> bool {
        while let Some(vector) = vectors.pop() {
            for node in self.nodes.iter().filter(|node| node.inputs.contains(&vector)) {
                match (node.operator.as_str(), node.inputs.as_slice()) {
                    ("Cast", _) => vectors.extend(node.outputs.iter().cloned()),
                    ("Expand", [spread, shape]) if *spread == vector && self.is_of_sample(shape) => {}
                    _ => return false,
                }
            }
        }
        true
    }

    /// Whether a shape is made of the sample's, and of nothing else that is not constant.
    fn is_of_sample(&self, shape: &str) -> bool {
        let givers = self.givers();
        let (mut open, mut seen, mut of_sample) = (vec![shape], HashSet::new(), false);
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            match givers.get(name) {
                Some(node) if node.operator == "Shape" && node.inputs == [SAMPLE] => of_sample = true,
                Some(node) => open.extend(node.inputs.iter().map(String::as_str)),
                None if self.inputs.iter().any(|port| port.name == name) => return false,
                // A constant.
                None => {}
            }
        }
        of_sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    fn file(path: &str) -> Vec<u8> {
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    }

    #[test]
    fn stock_denoisers_are_altered_once_and_other_networks_never() {
        let models =
            ["testdata/stock/sd15", "testdata/stock/sd-turbo", "testdata/stock/sdxl", "../../models/cuckoo-icons"];
        for folder in models {
            let stock = file(&format!("{folder}/unet/model.onnx"));
            let altered = timed_by_row(&stock).unwrap().unwrap();
            let read = Onnx::parse(&altered).unwrap();
            let port = |name: &str| read.inputs.iter().find(|port| port.name == name).unwrap();
            assert_eq!((port(TIMESTEP).rank, &port(TIMESTEP).batch), (Some(1), &port(SAMPLE).batch), "{folder}");
            assert!(timed_by_row(&altered).unwrap().is_none(), "{folder}");
        }
        let decoder = file("../../models/cuckoo-tiny/vae_decoder/model.onnx");
        assert!(timed_by_row(&decoder).unwrap().is_none());
        assert!(timed_by_row(&decoder[..1000]).is_err());
    }

    #[test]
    fn a_number_that_is_used_otherwise_is_left_alone() {
        let mut onnx = Onnx::parse(&file("../../models/cuckoo-tiny/unet/model.onnx")).unwrap();
        onnx.nodes.push(Node::new("Neg", &[TIMESTEP], &["less"]));
        assert!(timed_by_row(&onnx.encode()).unwrap().is_none());
        // Spread over the rows of something else than the sample.
        let mut onnx = Onnx::parse(&file("../../models/cuckoo-tiny/unet/model.onnx")).unwrap();
        let shape = onnx.nodes.iter_mut().find(|node| node.operator == "Shape" && node.inputs == [SAMPLE]);
        shape.unwrap().inputs = vec!["encoder_hidden_states".to_owned()];
        assert!(timed_by_row(&onnx.encode()).unwrap().is_none());
    }
}
