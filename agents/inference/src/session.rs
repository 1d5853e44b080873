//! An open network of fixed sizes, and how values get into it and out of it.

use crate::runtime::{Device, Feeding, OUT_OF_MEMORY};
use ort::{
    memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType},
    session::{IoBinding, Session, SessionInputValue},
    value::{
        DynTensor, DynTensorValueType, DynValue, DynValueTypeMarker, Tensor, TensorElementType, TensorRef, ValueRef,
    },
};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// Values for an input, C order.
pub(crate) enum Values<'a> {
    F32(Cow<'a, [f32]>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    /// Values that stay the same from run to run, as a prompt's embedding does over a request's steps: they are copied to
    /// a GPU only when another `Arc` is given.
    Kept(&'a Arc<[f32]>),
}

/// What goes into an input: its name, shape and values.
pub(crate) type Feed<'a> = (&'static str, Vec<usize>, Values<'a>);

/// An output asked for, and the shape that it must have.
pub(crate) type Wanted<'a> = (&'a str, &'a [usize]);

/// Why a run gave nothing.
#[derive(Debug)]
pub(crate) enum RunError {
    Ort(ort::Error),
    /// An output has another shape: its name and shape.
    Shape(String, Vec<i64>),
}

/// A session, opened for inputs and outputs of fixed sizes.
pub(crate) struct Opened {
    session: Session,
    way: Way,
}

/// How values travel.
enum Way {
    /// Views of the host's memory. On the CPU nothing is copied; on a GPU each run copies all inputs.
    Copied,
    Bound(Bound),
    Graph(Graph),
}

/// Inputs are copied to the GPU when they change, outputs straight into memory of the host that is allocated once.
struct Bound {
    binding: IoBinding,
    kept: BTreeMap<&'static str, Arc<[f32]>>,
    /// Names and shapes.
    outputs: Vec<(String, Vec<usize>)>,
}

/// All values lie on the GPU where they lay at the first run, whose kernel launches are replayed.
struct Graph {
    binding: IoBinding,
    memory: Allocator,
    inputs: BTreeMap<&'static str, DynTensor>,
    kept: BTreeMap<&'static str, Arc<[f32]>>,
    /// On the GPU and on the host.
    outputs: BTreeMap<String, [Tensor<f32>; 2]>,
}

impl Values<'_> {
    pub(crate) fn element(&self) -> TensorElementType {
        match self {
            Self::F32(_) | Self::Kept(_) => TensorElementType::Float32,
            Self::I32(_) => TensorElementType::Int32,
            Self::I64(_) => TensorElementType::Int64,
        }
    }

    /// A view of the values.
    fn view(&self, shape: &[usize]) -> ort::Result<ValueRef<'_, DynValueTypeMarker>> {
        Ok(match self {
            Self::F32(values) => TensorRef::from_array_view((shape.to_vec(), &**values))?.into_dyn(),
            Self::Kept(values) => TensorRef::from_array_view((shape.to_vec(), &***values))?.into_dyn(),
            Self::I32(values) => TensorRef::from_array_view((shape.to_vec(), &**values))?.into_dyn(),
            Self::I64(values) => TensorRef::from_array_view((shape.to_vec(), &**values))?.into_dyn(),
        })
    }

    /// Whether these are the values kept under `name`; if not, they are from now on.
    fn is_kept(&self, name: &'static str, kept: &mut BTreeMap<&'static str, Arc<[f32]>>) -> bool {
        let Self::Kept(values) = self else { return false };
        if kept.get(name).is_some_and(|held| Arc::ptr_eq(held, values)) {
            return true;
        }
        kept.insert(name, Arc::clone(values));
        false
    }
}

impl From<ort::Error> for RunError {
    fn from(error: ort::Error) -> Self {
        Self::Ort(error)
    }
}

impl Opened {
    pub(crate) fn new(session: Session, device: &Device) -> ort::Result<Self> {
        let way = match device {
            Device::Cpu { .. } | Device::Plain { .. } | Device::Cuda { feeding: Feeding::Copied, .. } => Way::Copied,
            Device::Cuda { feeding: Feeding::Bound, .. } => {
                let binding = session.create_binding()?;
                Way::Bound(Bound { binding, kept: BTreeMap::new(), outputs: Vec::new() })
            }
            Device::Cuda { id, feeding: Feeding::Graph, .. } => {
                let gpu = MemoryInfo::new(AllocationDevice::CUDA, *id, AllocatorType::Device, MemoryType::Default)?;
                Way::Graph(Graph {
                    binding: session.create_binding()?,
                    memory: Allocator::new(&session, gpu)?,
                    inputs: BTreeMap::new(),
                    kept: BTreeMap::new(),
                    outputs: BTreeMap::new(),
                })
            }
        };
        Ok(Self { session, way })
    }

    /// Runs the network and returns the outputs wanted.
    pub(crate) fn run(&mut self, feeds: &[Feed<'_>], wanted: &[Wanted<'_>]) -> Result<Vec<Vec<f32>>, RunError> {
        match &mut self.way {
            Way::Copied => {
                let views = feeds
                    .iter()
                    .map(|(name, shape, values)| Ok((*name, values.view(shape)?.into())))
                    .collect::<ort::Result<Vec<(&str, SessionInputValue<'_>)>>>()?;
                let outputs = self.session.run(views)?;
                wanted.iter().map(|wanted| taken(outputs.get(wanted.0), wanted)).collect()
            }
            Way::Bound(bound) => bound.run(&mut self.session, feeds, wanted),
            Way::Graph(graph) => graph.run(&mut self.session, feeds, wanted),
        }
    }
}

impl Bound {
    fn run(
        &mut self,
        session: &mut Session,
        feeds: &[Feed<'_>],
        wanted: &[Wanted<'_>],
    ) -> Result<Vec<Vec<f32>>, RunError> {
        if !self.outputs.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).eq(wanted.iter().copied()) {
            self.binding.clear_outputs();
            let host = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::CPUOutput)?;
            for (name, _) in wanted {
                // Allocated in the first run, and used again in the others.
                self.binding.bind_output_to_device(*name, &host)?;
            }
            self.outputs = wanted.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect();
        }
        for (name, shape, values) in feeds {
            if !values.is_kept(name, &mut self.kept) {
                self.binding.bind_input(*name, &*values.view(shape)?)?;
            }
        }
        let outputs = session.run_binding(&self.binding)?;
        wanted.iter().map(|wanted| taken(outputs.get(wanted.0), wanted)).collect()
    }
}

impl Graph {
    fn run(
        &mut self,
        session: &mut Session,
        feeds: &[Feed<'_>],
        wanted: &[Wanted<'_>],
    ) -> Result<Vec<Vec<f32>>, RunError> {
        for (name, shape, values) in feeds {
            if !self.inputs.contains_key(name) {
                let tensor = DynTensor::new(&self.memory, values.element(), shape.clone())?;
                self.binding.bind_input(*name, &tensor)?;
                self.inputs.insert(name, tensor);
            }
            if !values.is_kept(name, &mut self.kept)
                && let Some(tensor) = self.inputs.get_mut(name)
            {
                values.view(shape)?.downcast::<DynTensorValueType>()?.copy_into(tensor)?;
            }
        }
        for (name, shape) in wanted {
            if !self.outputs.contains_key(*name) {
                let mut gpu = Tensor::<f32>::new(&self.memory, shape.to_vec())?;
                self.binding.bind_output(*name, &mut gpu)?;
                let host = Tensor::<f32>::new(&Allocator::default(), shape.to_vec())?;
                self.outputs.insert((*name).to_owned(), [gpu, host]);
            }
        }
        session.run_binding(&self.binding)?;
        let mut taken = Vec::with_capacity(wanted.len());
        for (name, shape) in wanted {
            let Some([gpu, host]) = self.outputs.get_mut(*name) else { continue };
            if !same(gpu.shape(), shape) {
                return Err(RunError::Shape((*name).to_owned(), gpu.shape().to_vec()));
            }
            gpu.copy_into(&mut *host)?;
            taken.push(owned(host.extract_tensor().1)?);
        }
        Ok(taken)
    }
}

fn taken(output: Option<&DynValue>, (name, shape): &Wanted<'_>) -> Result<Vec<f32>, RunError> {
    let missing = || ort::Error::new(format!("it gave no {name}"));
    let (found, values) = output.ok_or_else(missing)?.try_extract_tensor::<f32>()?;
    if same(found, shape) { owned(values) } else { Err(RunError::Shape((*name).to_owned(), found.to_vec())) }
}

/// A copy of the values. Rust ends the process when an allocation fails, so there must be room for what is made of them too: what
/// ONNX Runtime has just used for a network is more than all that by far, and more than there was if anything is.
fn owned(values: &[f32]) -> Result<Vec<f32>, RunError> {
    let lacking = |_| ort::Error::new(format!("{OUT_OF_MEMORY} for an output of {} values", values.len()));
    Vec::<f32>::new().try_reserve_exact(values.len().saturating_mul(4)).map_err(lacking)?;
    Ok(values.to_vec())
}

fn same(found: &[i64], shape: &[usize]) -> bool {
    found.iter().copied().eq(shape.iter().map(|&size| size as i64))
}
