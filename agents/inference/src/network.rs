//! One ONNX file of a package, opened for the sizes that it is run with.

use crate::{
    error::InferenceError,
    onnx::rows,
    package::Package,
    runtime::{self, Device, Placement, Source},
    session::{Opened, RunError, Wanted},
};
use ort::value::{Outlet, TensorElementType, ValueType};
use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    path::Path,
};

pub(crate) use crate::session::{Feed, Values};

/// Sessions kept open, of as many sizes in use: with and without guidance (batches of two and one), and of several requests.
const KEPT: usize = 3;

/// Bytes of a file up to which it is altered in memory.
const LARGEST_ALTERED: u64 = 256 << 20;

/// A network of a package.
pub(crate) struct Network {
    part: &'static str,
    source: Source,
    device: Device,
    placement: Placement,
    inputs: Vec<Input>,
    /// Names, at least one.
    outputs: Vec<String>,
    /// Whether a session is for one choice of sizes only.
    fixed: bool,
    /// Open sessions by the sizes they are fixed to, latest used first.
    sessions: VecDeque<(BTreeMap<String, i64>, Opened)>,
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

impl Network {
    /// Looks at `part`/model.onnx, which must have exactly the inputs named. Sessions are opened when sizes are known.
    pub(crate) fn load(
        package: &Package,
        part: &'static str,
        device: &Device,
        placement: Placement,
        names: &[&str],
    ) -> Result<Self, InferenceError> {
        let source = Source::File(package.locate(&format!("{part}/model.onnx"))?);
        let (inputs, outputs) = declared(part, &source)?;
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
            source,
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

    /// The denoiser with a timestep for each row, if it is written as exporters do; else as it is, with one for all.
    pub(crate) fn timed_by_row(self) -> Result<Self, InferenceError> {
        let Source::File(path) = &self.source else { return Ok(self) };
        let unreadable = |e: io::Error| InferenceError::Open { part: self.part.into(), reason: e.to_string() };
        if fs::metadata(path).map_err(unreadable)?.len() > LARGEST_ALTERED {
            return Ok(self);
        }
        let Ok(Some(bytes)) = rows::timed_by_row(&fs::read(path).map_err(unreadable)?) else { return Ok(self) };
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let source = Source::Altered { bytes, folder };
        // What looked like an exporter's work may not be: ONNX Runtime then refuses it.
        let Ok((inputs, _)) = declared(self.part, &source) else { return Ok(self) };
        Ok(Self { source, inputs, ..self })
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
        wanted: &[Wanted<'_>],
    ) -> Result<Vec<Vec<f32>>, InferenceError> {
        if let Some((missing, _)) = wanted.iter().find(|(name, _)| !self.has_output(name)) {
            let reason = format!("its outputs are {}, without {missing}", self.outputs.join(", "));
            return Err(InferenceError::unfit(self.part, reason));
        }
        let sizes = self.sizes(feeds)?;
        let part = self.part;
        let error = match self.session(sizes)?.run(feeds, wanted) {
            Ok(values) => return Ok(values),
            Err(RunError::Shape(name, found)) => {
                let shape = wanted.iter().find(|(wanted, _)| *wanted == name).map(|(_, shape)| *shape);
                let reason = format!("its output {name} is {found:?}, not {:?}", shape.unwrap_or_default());
                return Err(InferenceError::unfit(part, reason));
            }
            Err(RunError::Ort(error)) => error,
        };
        if !runtime::is_out_of_memory(&error) {
            return Err(InferenceError::Run { part: part.into(), reason: error.to_string() });
        }
        // What it took so far is in nobody's way, then.
        self.sessions.clear();
        Err(runtime::out_of_memory(part, &self.device, &error))
    }

    /// Gives back what memory its sessions hold; they are opened again when needed.
    pub(crate) fn close(&mut self) {
        self.sessions.clear();
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
    fn session(&mut self, sizes: BTreeMap<String, i64>) -> Result<&mut Opened, InferenceError> {
        let sizes = if self.fixed { sizes } else { BTreeMap::new() };
        if let Some(at) = self.sessions.iter().position(|(fixed, _)| *fixed == sizes) {
            self.sessions.swap(0, at);
        } else {
            self.sessions.truncate(KEPT - 1);
            let open = || runtime::open(self.part, &self.source, &self.device, self.placement, &sizes);
            let session = match open() {
                // The device's memory may hold one but not two.
                Err(InferenceError::Memory { .. }) if !self.sessions.is_empty() => {
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

/// What a network declares: its inputs, and the names of its outputs.
fn declared(part: &str, source: &Source) -> Result<(Vec<Input>, Vec<String>), InferenceError> {
    let session = runtime::inspect(part, source)?;
    let outputs: Vec<String> = session.outputs().iter().map(|outlet| outlet.name().to_owned()).collect();
    if outputs.is_empty() {
        return Err(InferenceError::unfit(part, "it has no output"));
    }
    let inputs = session.inputs().iter().map(|outlet| Input::new(part, outlet)).collect::<Result<_, _>>()?;
    Ok((inputs, outputs))
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

    /// Whether it has a row for each row of `other`.
    pub(crate) fn has_rows_of(&self, other: &Self) -> bool {
        let rows = |input: &Self| input.symbols.first().filter(|symbol| !symbol.is_empty()).cloned();
        rows(self).is_some_and(|symbol| rows(other) == Some(symbol))
    }

    /// The type of its values.
    pub(crate) fn element(&self) -> TensorElementType {
        self.element
    }
}
