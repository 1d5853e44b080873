//! The same network computed otherwise: more cheaply, with other weights, or honestly but in company.

use super::FakeError;
use crate::{
    noise,
    onnx::{External, F16, F32, Node, Onnx, Port, Tensor, floats},
};
use half::f16;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How a network is altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// Honest: in one batch with so many other requests.
    Batched(usize),
    /// Products of 11-bit significands, summed up in fp32: what fp16 and TF32 tensor cores compute.
    Half,
    /// Weights in 255 levels a channel, computed with in fp32.
    WeightOnlyInt8,
    /// Those, and what they are multiplied with in 256 levels as well, chosen anew at each product.
    DynamicInt8,
    /// A diffusion model's denoiser without its middle block: a smaller model that answers the same requests. What is first left out
    /// where such models are made smaller.
    WithoutMiddle,
    /// Weights that are each off by a hundredth of their tensor's root mean square, at random.
    OtherWeights,
}

/// Values of an external tensor, to be replaced where they lie.
pub(super) type Patch = (External, Vec<f32>);

/// Reads the bytes of a tensor that lie in another file.
pub(super) type Fetch<'a> = &'a dyn Fn(&External) -> Result<Vec<u8>, FakeError>;

/// Operators that multiply with weights, which are their second input.
const PRODUCTS: [&str; 4] = ["MatMul", "Gemm", "Conv", "ConvTranspose"];

/// What the values of a denoiser's middle block begin with where PyTorch exported it.
const MIDDLE: &str = "/mid_block/";

/// How much [`Rewrite::OtherWeights`] is off.
const OTHER: f32 = 0.01;

impl Rewrite {
    /// Alters a network; what lies in other files comes back as patches to them.
    pub(super) fn apply(self, onnx: &mut Onnx, fetch: Fetch<'_>) -> Result<Vec<Patch>, FakeError> {
        match self {
            Self::Batched(others) => batch(onnx, others).map(|()| Vec::new()),
            Self::Half => {
                let patches =
                    alter_weights(onnx, fetch, |_, values, _| values.iter_mut().for_each(|v| *v = halved(*v)))?;
                through(onnx, &[0, 1], |value| {
                    let (half, back) = (format!("{value}/half"), format!("{value}/halved"));
                    let down = Node::new("Cast", &[value], &[&half]).with("to", F16);
                    (vec![down, Node::new("Cast", &[&half], &[&back]).with("to", F32)], back)
                })?;
                Ok(patches)
            }
            Self::WeightOnlyInt8 => alter_weights(onnx, fetch, |_, values, channels| quantise(values, channels)),
            Self::DynamicInt8 => {
                let patches = alter_weights(onnx, fetch, |_, values, channels| quantise(values, channels))?;
                through(onnx, &[0], |value| {
                    let [q, scale, zero, back] = ["q", "scale", "zero", "int8"].map(|part| format!("{value}/{part}"));
                    let down = Node::new("DynamicQuantizeLinear", &[value], &[&q, &scale, &zero]);
                    (vec![down, Node::new("DequantizeLinear", &[&q, &scale, &zero], &[&back])], back)
                })?;
                Ok(patches)
            }
            Self::WithoutMiddle => without_middle(onnx).map(|()| Vec::new()),
            Self::OtherWeights => alter_weights(onnx, fetch, |index, values, _| {
                let squares: f32 = values.iter().map(|value| value * value).sum();
                let size = OTHER * (squares / values.len().max(1) as f32).sqrt();
                let normals = noise::normals(index as u64, 0, values.len());
                values.iter_mut().zip(normals).for_each(|(value, normal)| *value += size * normal);
            }),
        }
    }
}

fn halved(value: f32) -> f32 {
    f16::from_f32(value).to_f32()
}

/// The channels of a weight: how many values lie between two of one channel, and how many channels there are.
#[derive(Clone, Copy)]
struct Channels {
    stride: usize,
    count: usize,
}

/// Rounds each channel to 255 levels.
fn quantise(values: &mut [f32], channels: Channels) {
    let channel = |at: usize| at / channels.stride % channels.count;
    let mut largest = vec![0.0_f32; channels.count];
    for (at, value) in values.iter().enumerate() {
        let largest = &mut largest[channel(at)];
        *largest = largest.max(value.abs());
    }
    for (at, value) in values.iter_mut().enumerate() {
        let scale = largest[channel(at)] / 127.0;
        if scale > 0.0 {
            *value = (*value / scale).round_ties_even() * scale;
        }
    }
}

/// Alters the weights of all products once each: their number, values and channels go in.
fn alter_weights(
    onnx: &mut Onnx,
    fetch: Fetch<'_>,
    alter: impl Fn(usize, &mut [f32], Channels),
) -> Result<Vec<Patch>, FakeError> {
    let places: HashMap<String, usize> =
        onnx.tensors.iter().enumerate().map(|(at, tensor)| (tensor.name.clone(), at)).collect();
    let mut found = BTreeMap::new();
    let givers = onnx.givers();
    for node in onnx.nodes.iter().filter(|node| PRODUCTS.contains(&node.operator.as_str())) {
        let Some((name, turned)) = node.inputs.get(1).map(|weight| origin(weight, &givers)) else { continue };
        let Some(&place) = places.get(name) else { continue };
        let rank = onnx.tensors[place].shape.len();
        // Where the outputs are: before the inputs in a convolution's kernel, after them in a matrix.
        let axis = match node.operator.as_str() {
            "Conv" => 0,
            "ConvTranspose" => 1,
            "Gemm" if node.attribute("transB")? == 1 => rank.saturating_sub(2),
            _ => rank.saturating_sub(1),
        };
        let axis = if turned { (2 * rank).saturating_sub(3 + axis) } else { axis };
        found.entry(place).or_insert(axis);
    }
    if found.is_empty() {
        return Err(FakeError::Inapplicable("the network has no weights that it multiplies with".into()));
    }
    let mut patches = Vec::new();
    for (index, (place, axis)) in found.into_iter().enumerate() {
        let tensor = &mut onnx.tensors[place];
        let channels = Channels {
            // Of a shape whose product fits, so does any part; a weight without values has no channels that matter.
            stride: if tensor.count()? == 0 { 1 } else { tensor.shape.iter().skip(axis + 1).product() },
            count: tensor.shape.get(axis).copied().unwrap_or(1).max(1),
        };
        let external = tensor.external()?;
        let values = match &external {
            Some(external) if tensor.element == F32 => Some(floats(&fetch(external)?)),
            Some(_) => None,
            None => tensor.values()?,
        };
        let Some(mut values) = values else {
            let reason = format!("the weight {} is neither fp32 nor fp16 in the file itself", tensor.name);
            return Err(FakeError::Inapplicable(reason));
        };
        alter(index, &mut values, channels);
        match external {
            Some(external) => patches.push((external, values)),
            None => tensor.replace(&values),
        }
    }
    Ok(patches)
}

/// The value that `name` is, seen through casts and transpositions, and whether those turn a matrix.
fn origin<'a>(mut name: &'a str, givers: &HashMap<&'a str, &'a Node>) -> (&'a str, bool) {
    let mut turned = false;
    while let Some(node) = givers.get(name)
        && matches!(node.operator.as_str(), "Cast" | "Transpose" | "Identity")
        && let Some(input) = node.inputs.first()
    {
        turned ^= node.operator == "Transpose";
        name = input;
    }
    (name, turned)
}

/// Leads what is multiplied, at the given inputs, through nodes that `insert` makes once for each value; weights excepted.
fn through(onnx: &mut Onnx, at: &[usize], insert: impl Fn(&str) -> (Vec<Node>, String)) -> Result<(), FakeError> {
    let constants: BTreeSet<String> = onnx.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    let givers = onnx.givers();
    let is_weight = |name: &str| constants.contains(origin(name, &givers).0);
    // Only where the weight is known: ONNX Runtime's own dynamic quantisation leaves products of two activations alone.
    let wanted: Vec<Vec<usize>> = onnx
        .nodes
        .iter()
        .map(|node| {
            let inputs = at.iter().copied().filter(|&at| node.inputs.get(at).is_some_and(|name| !is_weight(name)));
            let known = at.len() > 1 || node.inputs.get(1).is_some_and(|weight| is_weight(weight));
            if known && PRODUCTS.contains(&node.operator.as_str()) { inputs.collect() } else { Vec::new() }
        })
        .collect();
    let mut made: HashMap<String, String> = HashMap::new();
    let mut nodes = Vec::with_capacity(onnx.nodes.len());
    for (mut node, inputs) in std::mem::take(&mut onnx.nodes).into_iter().zip(wanted) {
        for at in inputs {
            let value = node.inputs[at].clone();
            let altered = made.entry(value.clone()).or_insert_with(|| {
                let (inserted, altered) = insert(&value);
                nodes.extend(inserted);
                altered
            });
            node.inputs[at].clone_from(altered);
        }
        nodes.push(node);
    }
    onnx.nodes = nodes;
    Ok(())
}

/// Puts other requests after each input's own, and drops what becomes of them.
fn batch(onnx: &mut Onnx, others: usize) -> Result<(), FakeError> {
    let fixed = || FakeError::Inapplicable("the network takes no batches".into());
    let axis = onnx.inputs.first().and_then(|input| input.batch.clone()).ok_or_else(fixed)?;
    let batched = |port: &Port| port.batch.as_ref() == Some(&axis);
    let inputs: Vec<_> = onnx.inputs.iter().filter(|port| batched(port)).cloned().collect();
    let outputs: Vec<String> = onnx.outputs.iter().filter(|port| batched(port)).map(|port| port.name.clone()).collect();
    let rename = |names: &mut Vec<String>, wanted: &dyn Fn(&str) -> bool| {
        names.iter_mut().filter(|name| wanted(name)).for_each(|name| name.push_str("/batch"));
    };
    for node in &mut onnx.nodes {
        rename(&mut node.inputs, &|name| {
            inputs.iter().any(|port| port.name == name) || outputs.iter().any(|o| o == name)
        });
        rename(&mut node.outputs, &|name| outputs.iter().any(|output| output == name));
    }
    let mut nodes = Vec::new();
    for port in &inputs {
        let (name, other) = (port.name.as_str(), format!("{}/other", port.name));
        // Other numbers, but such as the network is made for; token ids have no negative.
        let operator = if port.element == F32 { "Neg" } else { "Identity" };
        nodes.push(Node::new(operator, &[name], &[&other]));
        let all: Vec<&str> = [name].into_iter().chain(std::iter::repeat_n(other.as_str(), others)).collect();
        nodes.push(Node::new("Concat", &all, &[&format!("{name}/batch")]).with("axis", 0));
    }
    let own = &inputs[0].name;
    nodes.push(Node::new("Shape", &[own], &["batch/sizes"]));
    nodes.push(Node::new("Slice", &["batch/sizes", "batch/0", "batch/1"], &["batch/own"]));
    nodes.append(&mut onnx.nodes);
    for name in &outputs {
        nodes.push(Node::new("Slice", &[&format!("{name}/batch"), "batch/0", "batch/own"], &[name]));
    }
    onnx.nodes = nodes;
    onnx.tensors.extend([Tensor::whole("batch/0", &[0]), Tensor::whole("batch/1", &[1])]);
    Ok(())
}

/// Leads what comes into the middle block, which is the first thing that it adds something to, around it. Networks without one stay.
fn without_middle(onnx: &mut Onnx) -> Result<(), FakeError> {
    let inside = |name: &String| name.starts_with(MIDDLE);
    let of_middle = |node: &Node| node.outputs.iter().any(inside);
    if !onnx.nodes.iter().any(of_middle) {
        return Ok(());
    }
    let adds = onnx.nodes.iter().filter(|node| node.operator == "Add" && of_middle(node));
    let (givers, weights): (_, BTreeSet<&str>) =
        (onnx.givers(), onnx.tensors.iter().map(|tensor| tensor.name.as_str()).collect());
    let entered = adds
        .filter_map(|add| add.inputs.iter().find(|name| !inside(name) && !weights.contains(origin(name, &givers).0)))
        .next()
        .ok_or_else(|| FakeError::Inapplicable("the middle block of the network adds to nothing".into()))?
        .clone();
    let (middle, mut around): (Vec<_>, Vec<_>) = std::mem::take(&mut onnx.nodes).into_iter().partition(of_middle);
    // Constants of the block that others read as well stay.
    let (computed, constants): (Vec<_>, Vec<_>) = middle.into_iter().partition(|node| !node.inputs.is_empty());
    let left: BTreeSet<String> = computed.into_iter().flat_map(|node| node.outputs).collect();
    let read: BTreeSet<String> = around.iter().flat_map(|node| node.inputs.clone()).collect();
    onnx.nodes = constants.into_iter().filter(|node| node.outputs.iter().any(|name| read.contains(name))).collect();
    for name in around.iter_mut().flat_map(|node| &mut node.inputs).filter(|name| left.contains(*name)) {
        name.clone_from(&entered);
    }
    onnx.nodes.append(&mut around);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int8_has_255_levels_a_channel() {
        // Two rows of three: channels are rows with stride 3, columns with stride 1.
        let mut rows = [1.0, 0.003, -0.5, 100.0, 0.3, 0.6];
        let mut columns = rows;
        quantise(&mut rows, Channels { stride: 3, count: 2 });
        assert_eq!(rows[1], 0.0, "below half a level of 1/127");
        assert!((rows[2] + 64.0 / 127.0).abs() < 1e-7);
        assert!((rows[5] - 100.0 / 127.0).abs() < 1e-5 && rows[4] == 0.0);
        quantise(&mut columns, Channels { stride: 1, count: 3 });
        assert!((columns[1] - 0.3 / 127.0).abs() < 1e-7, "0.003 is one level of 0.3/127 = 0.00236");
        assert!((columns[0] - 100.0 / 127.0).abs() < 1e-5);
    }
}
