//! An ONNX file, open for alteration: nodes, weights, inputs and outputs. Field numbers are those of onnx.proto.

pub(crate) mod rows;
mod wire;

use half::f16;
use std::collections::HashMap;
use wire::Message;

/// Not an ONNX file, or one that contradicts itself.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a network is no ONNX file that can be altered")]
pub struct Malformed;

/// Element types.
pub(crate) const F32: u64 = 1;
pub(crate) const I64: u64 = 7;
pub(crate) const F16: u64 = 10;

/// A node of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) operator: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    /// All else: name, domain, attributes.
    rest: Message,
}

impl Node {
    pub(crate) fn new(operator: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self { operator: operator.into(), inputs: owned(inputs), outputs: owned(outputs), rest: Message::default() }
    }

    /// With an attribute that is a whole number.
    pub(crate) fn with(mut self, attribute: &str, value: u64) -> Self {
        let attribute = Message::default().with(1, attribute).with(3, value).with(20, 2_u64);
        self.rest = self.rest.with(5, &attribute);
        self
    }

    /// The whole number in an attribute; 0 where there is none, which is ONNX's default for all that are asked for here.
    pub(crate) fn attribute(&self, name: &str) -> Result<u64, Malformed> {
        for attribute in self.rest.all(5) {
            let attribute = Message::parse(attribute)?;
            if attribute.text(1)? == name {
                return Ok(attribute.number(3).unwrap_or(0));
            }
        }
        Ok(0)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let message = Message::parse(bytes)?;
        let names = |field| -> Result<Vec<String>, Malformed> {
            message.all(field).map(|name| String::from_utf8(name.to_vec()).map_err(|_| Malformed)).collect()
        };
        let (operator, inputs, outputs) = (message.text(4)?, names(1)?, names(2)?);
        Ok(Self { operator, inputs, outputs, rest: message.without(1).without(2).without(4) })
    }

    fn encode(&self) -> Message {
        let inputs = self.inputs.iter().fold(Message::default(), |node, name| node.with(1, name.as_str()));
        let named = self.outputs.iter().fold(inputs, |node, name| node.with(2, name.as_str()));
        Message::join([named.with(4, self.operator.as_str()), self.rest.clone()])
    }
}

/// Where the values of a tensor lie that are not in the file itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct External {
    /// From the folder of the ONNX file.
    pub(crate) location: String,
    pub(crate) offset: u64,
    /// If they are fp32.
    pub(crate) bytes: u64,
}

/// A constant tensor of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) element: u64,
    pub(crate) shape: Vec<usize>,
    message: Message,
}

impl Tensor {
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let message = Message::parse(bytes)?;
        let size = |size: u64| usize::try_from(size).map_err(|_| Malformed);
        let shape = message.numbers(1)?.into_iter().map(size).collect::<Result<_, _>>()?;
        Ok(Self { name: message.text(8)?, element: message.number(2).unwrap_or(0), shape, message })
    }

    /// A vector of whole numbers.
    pub(crate) fn whole(name: &str, values: &[i64]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let message = Message::default().with(1, values.len() as u64).with(2, I64).with(8, name).with(9, raw);
        Self { name: name.into(), element: I64, shape: vec![values.len()], message }
    }

    /// Where the values are, if not here.
    pub(crate) fn external(&self) -> Result<Option<External>, Malformed> {
        if self.message.number(14) != Some(1) {
            return Ok(None);
        }
        // By the shape: what the file says of the length may be left out.
        let mut external = External { bytes: (self.count()? as u64).saturating_mul(4), ..External::default() };
        for entry in self.message.all(13) {
            let entry = Message::parse(entry)?;
            let number = |text: String| text.parse().map_err(|_| Malformed);
            match entry.text(1)?.as_str() {
                "location" => external.location = entry.text(2)?,
                "offset" => external.offset = number(entry.text(2)?)?,
                _ => {}
            }
        }
        Ok(Some(external))
    }

    /// The values as fp32, if they lie here and are fp32 or fp16.
    pub(crate) fn values(&self) -> Result<Option<Vec<f32>>, Malformed> {
        let values: Vec<f32> = match (self.element, self.message.bytes(9), self.message.bytes(4)) {
            (F32, Some(raw), _) | (F32, None, Some(raw)) => floats(raw),
            (F16, Some(raw), _) => raw.as_chunks().0.iter().map(|two| f16::from_le_bytes(*two).to_f32()).collect(),
            (F16, None, _) => {
                let bits = self.message.numbers(5)?;
                bits.into_iter().map(|bits| f16::from_bits(bits as u16).to_f32()).collect()
            }
            _ => return Ok(None),
        };
        if self.count()? == values.len() { Ok(Some(values)) } else { Err(Malformed) }
    }

    /// How many values the shape has room for.
    pub(crate) fn count(&self) -> Result<usize, Malformed> {
        let multiply = |count: usize, &size: &usize| count.checked_mul(size);
        self.shape.iter().try_fold(1, multiply).ok_or(Malformed)
    }

    /// Other values, kept here as fp32.
    pub(crate) fn replace(&mut self, values: &[f32]) {
        let plain = [4, 5, 9, 13, 14, 2].into_iter().fold(std::mem::take(&mut self.message), Message::without);
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.message = plain.with(2, F32).with(9, raw);
        self.element = F32;
    }
}

/// fp32 values as they lie in a file.
pub(crate) fn floats(raw: &[u8]) -> Vec<f32> {
    raw.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

/// An input or output of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) element: u64,
    /// The name of the first dimension, if any size goes there.
    pub(crate) batch: Option<String>,
    /// How many dimensions it has; None if the file does not say.
    pub(crate) rank: Option<usize>,
    message: Message,
}

impl Port {
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let message = Message::parse(bytes)?;
        let inside = |message: &Message, field| Message::parse(message.bytes(field).unwrap_or_default());
        let tensor = inside(&inside(&message, 2)?, 1)?;
        let shape = tensor.bytes(2).map(Message::parse).transpose()?;
        let first = match shape.iter().flat_map(|shape| shape.all(1)).next() {
            Some(dimension) => Message::parse(dimension)?.text(2)?,
            None => String::new(),
        };
        let batch = (!first.is_empty()).then_some(first);
        let rank = shape.map(|shape| shape.all(1).count());
        Ok(Self { name: message.text(1)?, element: tensor.number(1).unwrap_or(0), batch, rank, message })
    }

    /// The same port with one dimension, of the name `batch`.
    pub(crate) fn of_rows(&self, batch: &str) -> Self {
        let shape = Message::default().with(1, &Message::default().with(2, batch));
        let tensor = Message::default().with(1, self.element).with(2, &shape);
        let kind = Message::default().with(1, &tensor);
        let message = Message::default().with(1, self.name.as_str()).with(2, &kind);
        Self { batch: Some(batch.to_owned()), rank: Some(1), message, ..self.clone() }
    }
}

/// An ONNX file.
#[derive(Debug)]
pub(crate) struct Onnx {
    pub(crate) nodes: Vec<Node>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    /// All else of the graph, and of the file.
    graph: Message,
    file: Message,
}

impl Onnx {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let file = Message::parse(bytes)?;
        let graph = Message::parse(file.bytes(7).ok_or(Malformed)?)?;
        let nodes = graph.all(1).map(Node::parse).collect::<Result<_, _>>()?;
        let tensors = graph.all(5).map(Tensor::parse).collect::<Result<_, _>>()?;
        let inputs = graph.all(11).map(Port::parse).collect::<Result<_, _>>()?;
        let outputs = graph.all(12).map(Port::parse).collect::<Result<_, _>>()?;
        // What is noted of values in between may no longer hold.
        let graph = [1, 5, 11, 12, 13].into_iter().fold(graph, Message::without);
        Ok(Self { nodes, tensors, inputs, outputs, graph, file: file.without(7) })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let nodes = self.nodes.iter().fold(self.graph.clone(), |graph, node| graph.with(1, &node.encode()));
        let tensors = self.tensors.iter().fold(nodes, |graph, tensor| graph.with(5, &tensor.message));
        let inputs = self.inputs.iter().fold(tensors, |graph, port| graph.with(11, &port.message));
        let graph = self.outputs.iter().fold(inputs, |graph, port| graph.with(12, &port.message));
        self.file.clone().with(7, &graph).encode()
    }

    /// Which node gives each value.
    pub(crate) fn givers(&self) -> HashMap<&str, &Node> {
        self.nodes.iter().flat_map(|node| node.outputs.iter().map(move |name| (name.as_str(), node))).collect()
    }
}
