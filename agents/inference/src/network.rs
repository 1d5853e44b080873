//! One ONNX file of a package, opened for the sizes that it is run with.

use crate::{
    error::InferenceError,
    package::Package,
    runtime::{self, Device, Placement},
};
use ort::{
    session::{Session, SessionInputValue},
    value::{Outlet, TensorElementType, TensorRef, ValueType},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
};

/// Sessions kept open: with and without guidance (batches of two and one) of the size in use.
const KEPT: usize = 2;

/// A network of a package.
pub(crate) struct Network {
    part: &'static str,
    path: PathBuf,
    device: Device,
    placement: Placement,
    inputs: Vec<Input>,
    /// Names, at least one.
    outputs: Vec<String>,
    /// Whether a session is for one choice of sizes only.
    fixed: bool,
    /// Open sessions by the sizes they are fixed to, latest used first.
    sessions: VecDeque<(BTreeMap<String, i64>, Session)>,
}

/// An input as the file declares it.
pub(crate) struct Input {
    name: String,
    element: TensorElementType,
    /// −1 where any size goes.
    dimensions: Vec<i64>,
    /// Names of the dimensions that any size goes for; those of one name have one size.
    symbols: Vec<String>,
}

/// Values for an input, C order.
pub(crate) enum Values<'a> {
    F32(Cow<'a, [f32]>),
    I32(Vec<i32>),
    I64(Vec<i64>),
}

impl Values<'_> {
    fn element(&self) -> TensorElementType {
        match self {
            Self::F32(_) => TensorElementType::Float32,
            Self::I32(_) => TensorElementType::Int32,
            Self::I64(_) => TensorElementType::Int64,
        }
    }

    fn tensor(&self, shape: &[usize]) -> ort::Result<SessionInputValue<'_>> {
        Ok(match self {
            Self::F32(values) => TensorRef::from_array_view((shape.to_vec(), &**values))?.into(),
            Self::I32(values) => TensorRef::from_array_view((shape.to_vec(), &**values))?.into(),
            Self::I64(values) => TensorRef::from_array_view((shape.to_vec(), &**values))?.into(),
        })
    }
}

/// What goes into an input: its name, shape and values.
pub(crate) type Feed<'a> = (&'static str, Vec<usize>, Values<'a>);

impl Network {
    /// Looks at `part`/model.onnx, which must have exactly the inputs named. Sessions are opened when sizes are known.
    pub(crate) fn load(
        package: &Package,
        part: &'static str,
        device: &Device,
        placement: Placement,
        names: &[&str],
    ) -> Result<Self, InferenceError> {
        let path = package.locate(&format!("{part}/model.onnx"))?;
        let session = runtime::inspect(part, &path)?;
        let outputs: Vec<String> = session.outputs().iter().map(|outlet| outlet.name().to_owned()).collect();
        if outputs.is_empty() {
            return Err(InferenceError::unfit(part, "it has no output"));
        }
        let inputs = session.inputs().iter().map(|outlet| Input::new(part, outlet)).collect::<Result<Vec<_>, _>>()?;
        let mut found: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let mut wanted = names.to_vec();
        found.sort_unstable();
        wanted.sort_unstable();
        if found != wanted {
            let reason = format!("its inputs are {}, not {}", found.join(", "), wanted.join(", "));
            return Err(InferenceError::unfit(part, reason));
        }
        Ok(Self {
            part,
            path,
            device: device.clone(),
            placement,
            inputs,
            outputs,
            fixed: true,
            sessions: VecDeque::new(),
        })
    }

    /// The network with one session for all sizes, for requests of which hardly two have the same.
    pub(crate) fn unfixed(self) -> Self {
        Self { fixed: false, ..self }
    }

    /// The input of that name.
    pub(crate) fn input(&self, name: &str) -> Result<&Input, InferenceError> {
        let missing = || InferenceError::unfit(self.part, format!("it has no input {name}"));
        self.inputs.iter().find(|input| input.name == name).ok_or_else(missing)
    }

    /// Whether it has an output of that name.
    pub(crate) fn has_output(&self, name: &str) -> bool {
        self.outputs.iter().any(|output| output == name)
    }

    /// Runs the network and returns the values of its first output, which must have `shape`.
    pub(crate) fn run(&mut self, feeds: &[Feed<'_>], shape: &[usize]) -> Result<Vec<f32>, InferenceError> {
        let first = self.outputs.first().cloned().unwrap_or_default();
        let values = self.run_for(feeds, &[(&first, shape)])?.pop();
        values.ok_or_else(|| InferenceError::unfit(self.part, "it gave no output"))
    }

    /// Runs the network and returns the values of the outputs named, in that order, which must have the shapes given.
    pub(crate) fn run_for(
        &mut self,
        feeds: &[Feed<'_>],
        wanted: &[(&str, &[usize])],
    ) -> Result<Vec<Vec<f32>>, InferenceError> {
        if let Some((missing, _)) = wanted.iter().find(|(name, _)| !self.has_output(name)) {
            let reason = format!("its outputs are {}, without {missing}", self.outputs.join(", "));
            return Err(InferenceError::unfit(self.part, reason));
        }
        let sizes = self.sizes(feeds)?;
        let part = self.part;
        let failed = |e: ort::Error| InferenceError::Run { part: part.into(), reason: e.to_string() };
        let session = self.session(sizes)?;
        let tensors = feeds
            .iter()
            .map(|(name, shape, values)| Ok((*name, values.tensor(shape)?)))
            .collect::<ort::Result<Vec<(&str, SessionInputValue<'_>)>>>()
            .map_err(failed)?;
        let outputs = session.run(tensors).map_err(failed)?;
        let take = |&(name, shape): &(&str, &[usize])| {
            let output = outputs.get(name).ok_or_else(|| InferenceError::unfit(part, format!("it gave no {name}")))?;
            let (found, values) = output.try_extract_tensor::<f32>().map_err(failed)?;
            if found.iter().map(|&size| size as usize).eq(shape.iter().copied()) {
                return Ok(values.to_vec());
            }
            Err(InferenceError::unfit(part, format!("its output {name} is {:?}, not {shape:?}", &found[..])))
        };
        wanted.iter().map(take).collect()
    }

    /// The size of each symbolic dimension, found by holding the feeds against the declared inputs.
    fn sizes(&self, feeds: &[Feed<'_>]) -> Result<BTreeMap<String, i64>, InferenceError> {
        let mut sizes = BTreeMap::new();
        for (name, shape, values) in feeds {
            let input = self.input(name)?;
            let fits = input.dimensions.len() == shape.len()
                && input.dimensions.iter().zip(shape).all(|(&declared, &size)| declared < 0 || declared == size as i64);
            if !fits || values.element() != input.element {
                let (declared, element) = (&input.dimensions, input.element);
                let reason = format!("its input {name} is {element} {declared:?}, which cannot hold {shape:?}");
                return Err(InferenceError::unfit(self.part, reason));
            }
            for ((symbol, &size), &declared) in input.symbols.iter().zip(shape).zip(&input.dimensions) {
                let new = declared < 0 && !symbol.is_empty();
                if new && sizes.insert(symbol.clone(), size as i64).is_some_and(|other| other != size as i64) {
                    return Err(InferenceError::unfit(self.part, format!("its dimension {symbol} has two sizes")));
                }
            }
        }
        Ok(sizes)
    }

    /// The session fixed to `sizes`, opened if need be.
    fn session(&mut self, sizes: BTreeMap<String, i64>) -> Result<&mut Session, InferenceError> {
        let sizes = if self.fixed { sizes } else { BTreeMap::new() };
        if let Some(at) = self.sessions.iter().position(|(fixed, _)| *fixed == sizes) {
            self.sessions.swap(0, at);
        } else {
            self.sessions.truncate(KEPT - 1);
            let open = || runtime::open(self.part, &self.path, &self.device, self.placement, &sizes);
            let session = match open() {
                // The device's memory may hold one but not two.
                Err(_) if !self.sessions.is_empty() => {
                    self.sessions.clear();
                    open()?
                }
                opened => opened?,
            };
            self.sessions.push_front((sizes, session));
        }
        Ok(&mut self.sessions[0].1)
    }
}

impl Input {
    fn new(part: &str, outlet: &Outlet) -> Result<Self, InferenceError> {
        let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
            return Err(InferenceError::unfit(part, format!("its input {} is no tensor", outlet.name())));
        };
        let (dimensions, symbols) = (shape.to_vec(), dimension_symbols.to_vec());
        Ok(Self { name: outlet.name().to_owned(), element: *ty, dimensions, symbols })
    }

    /// Number of dimensions.
    pub(crate) fn rank(&self) -> usize {
        self.dimensions.len()
    }

    /// The size of dimension `axis`, None where any goes.
    pub(crate) fn size(&self, axis: usize) -> Option<usize> {
        self.dimensions.get(axis).and_then(|&size| usize::try_from(size).ok())
    }

    /// The type of its values.
    pub(crate) fn element(&self) -> TensorElementType {
        self.element
    }
}
