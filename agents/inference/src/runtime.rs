//! ONNX Runtime: its shared library, and the devices that it runs on.

use crate::{error::InferenceError, session::Opened};
use ort::{
    environment::Environment,
    ep::{CUDA, cuda::ConvAlgorithmSearch},
    logging::LogLevel,
    session::{
        Session,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};
use std::{
    collections::BTreeMap,
    env, fmt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Where `tools/fetch-onnxruntime` puts the library, from the repository's root: the GPU's, if it was fetched, which runs on the
/// CPU too.
const VENDORED: [&str; 2] = ["vendor/onnxruntime-cuda/libonnxruntime.so", "vendor/onnxruntime/libonnxruntime.so"];

/// What ONNX Runtime's CUDA provider needs, each after those that it needs itself.
const CUDA_LIBRARIES: [&str; 7] = [
    "libcudart.so.13",
    "libcublasLt.so.13",
    "libcublas.so.13",
    "libcurand.so.10",
    "libnvrtc-builtins.so.13.0",
    "libnvrtc.so.13",
    "libcudnn.so.9",
];

/// How the operating system says it, and this crate.
pub(crate) const OUT_OF_MEMORY: &str = "Cannot allocate memory";

/// ONNX Runtime, loaded.
struct Loaded {
    /// The process's only one; ONNX Runtime allows no second.
    environment: Environment,
    /// Where the library lies.
    folder: PathBuf,
}

static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

/// Why ONNX Runtime could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is no library where it was looked for.
    #[error(
        "ONNX Runtime's library is not at {looked_in}. Run tools/fetch-onnxruntime, or set ORT_DYLIB_PATH to a \
         libonnxruntime.so of version 1.24 or newer"
    )]
    Missing {
        /// The paths tried.
        looked_in: String,
    },
    /// The file is no such library, or too old.
    #[error("ONNX Runtime cannot be loaded from {path}: {reason}. Version 1.24 or newer is needed")]
    Load {
        /// The library.
        path: String,
        /// The loader's words.
        reason: String,
    },
}

/// Loads ONNX Runtime once for the whole process: from `library`, else from the path in the environment variable
/// `ORT_DYLIB_PATH`, else from `vendor/onnxruntime-cuda` or `vendor/onnxruntime` in the working directory or in the workspace
/// around it. Later calls do nothing.
///
/// # Errors
/// [`RuntimeError`], saying what to do.
pub fn init(library: Option<&Path>) -> Result<(), RuntimeError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if loaded.is_some() {
        return Ok(());
    }
    let candidates = library.map_or_else(candidates, |path| vec![path.to_owned()]);
    let Some(path) = candidates.iter().find(|path| path.is_file()).and_then(|path| path.canonicalize().ok()) else {
        let looked_in: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
        return Err(RuntimeError::Missing { looked_in: looked_in.join(" or ") });
    };
    let failed = |reason: String| RuntimeError::Load { path: path.display().to_string(), reason };
    let builder = ort::init_from(&path).map_err(|e| failed(e.to_string()))?;
    let built = builder.with_name("cuckoo").with_telemetry(false).build();
    let environment = built.map_err(|e| failed(e.to_string()))?;
    *loaded = Some(Loaded { environment, folder: path.parent().map(Path::to_owned).unwrap_or_default() });
    Ok(())
}

fn candidates() -> Vec<PathBuf> {
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return vec![path.into()];
    }
    let here = env::current_dir().unwrap_or_default();
    // Not just any folder above: a library is code, so only the workspace that the working directory belongs to.
    let workspace = here.ancestors().find(|dir| dir.join("Cargo.lock").is_file());
    let folders = [Some(here.as_path()), workspace.filter(|dir| *dir != here)];
    folders.iter().flatten().flat_map(|dir| VENDORED.map(|library| dir.join(library))).collect()
}

/// What networks run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    Cpu {
        /// Threads that a network may use; 0 for one a core.
        threads: usize,
    },
    /// An NVIDIA GPU. If it cannot be used, loading a model fails.
    Cuda {
        /// As CUDA counts them, from 0.
        id: i32,
        /// Largest arena of each network in bytes; None for all there is.
        memory_limit: Option<usize>,
        /// How values get there and back.
        feeding: Feeding,
    },
    /// The processor with one thread, and networks less optimised than elsewhere: other kernels, in another order, as another
    /// engine has them. Slow; for measuring how far honest machines may differ.
    Plain {
        /// How far networks are optimised.
        optimisation: Optimisation,
    },
}

/// How far ONNX Runtime optimises a network before it runs it; everywhere else all it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimisation {
    /// Each operator as the file has it.
    None,
    /// Constants folded, needless operators dropped.
    Basic,
    /// Operators fused, but in the file's own layout.
    Extended,
}

/// How values travel between the host and a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feeding {
    /// All inputs are copied for each run.
    Copied,
    /// ONNX Runtime's I/O binding: inputs are copied when they change.
    #[default]
    Bound,
    /// As `Bound`, and the kernel launches of the first run are recorded as a CUDA graph and replayed.
    Graph,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu { threads: 0 } => write!(f, "CPU"),
            Self::Cpu { threads } => write!(f, "CPU, {threads} threads"),
            Self::Cuda { id, .. } => write!(f, "CUDA device {id}"),
            Self::Plain { optimisation } => write!(f, "CPU, 1 thread, optimisation: {optimisation:?}"),
        }
    }
}

/// Which operators of a network may stay on the CPU when the device is a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// None: opening fails rather than that any runs there.
    Strict,
    /// Those that ONNX Runtime has no GPU kernel for, such as the integer ArgMax of CLIP's pooled output.
    Lenient,
}

/// Where a network comes from.
pub(crate) enum Source {
    /// A file of the package.
    File(PathBuf),
    /// Such a file, altered.
    Altered {
        /// The network.
        bytes: Vec<u8>,
        /// Where its weights lie that are in files of their own.
        folder: PathBuf,
    },
}

impl Source {
    fn commit(&self, mut builder: SessionBuilder) -> ort::Result<Session> {
        match self {
            Self::File(path) => builder.commit_from_file(path),
            Self::Altered { bytes, folder } => {
                let folder = folder.to_string_lossy();
                builder = builder.with_config_entry("session.model_external_initializers_file_folder_path", &folder)?;
                builder.commit_from_memory(bytes)
            }
        }
    }
}

/// Opens a network only to look at its inputs and outputs, as cheaply as ONNX Runtime can.
pub(crate) fn inspect(part: &str, source: &Source) -> Result<Session, InferenceError> {
    let plain = |mut builder: SessionBuilder| -> ort::Result<Session> {
        builder = builder.with_optimization_level(GraphOptimizationLevel::Disable)?.with_intra_threads(1)?;
        source.commit(builder)
    };
    plain(builder()?).map_err(|e| InferenceError::Open { part: part.into(), reason: e.to_string() })
}

/// Opens a network to run it, with its symbolic dimensions fixed to `sizes`.
///
/// Fixed, because ONNX Runtime computes with shapes on the CPU even when all else is on a GPU; once the sizes are known it
/// folds that arithmetic away, which is faster everywhere and lets [`Placement::Strict`] hold.
pub(crate) fn open(
    part: &str,
    source: &Source,
    device: &Device,
    placement: Placement,
    sizes: &BTreeMap<String, i64>,
) -> Result<Opened, InferenceError> {
    // A recorded graph has no room for what runs on the CPU, nor for other sizes.
    let device = &match device {
        Device::Cuda { id, memory_limit, feeding: Feeding::Graph }
            if placement == Placement::Lenient || sizes.is_empty() =>
        {
            Device::Cuda { id: *id, memory_limit: *memory_limit, feeding: Feeding::Bound }
        }
        device => device.clone(),
    };
    if matches!(device, Device::Cuda { .. }) {
        preload(device)?;
    }
    let on_device = |mut builder: SessionBuilder| -> ort::Result<SessionBuilder> {
        match device {
            // Threads that spin while they wait take the cores from whatever else the machine does, idle networks' too.
            Device::Cpu { threads } => Ok(builder.with_intra_threads(*threads)?.with_intra_op_spinning(false)?),
            Device::Plain { optimisation } => {
                let level = match optimisation {
                    Optimisation::None => GraphOptimizationLevel::Disable,
                    Optimisation::Basic => GraphOptimizationLevel::Level1,
                    Optimisation::Extended => GraphOptimizationLevel::Level2,
                };
                Ok(builder.with_intra_threads(1)?.with_optimization_level(level)?)
            }
            Device::Cuda { id, memory_limit, feeding } => {
                // Defaults that would let two honest machines differ by more than rounding are turned off: TF32, and the
                // choice of convolution by measuring, which differs from run to run.
                let mut cuda = CUDA::default()
                    .with_device_id(*id)
                    .with_tf32(false)
                    .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
                    .with_cuda_graph(*feeding == Feeding::Graph);
                if let Some(bytes) = memory_limit {
                    cuda = cuda.with_memory_limit(*bytes);
                }
                if placement == Placement::Strict {
                    builder = builder.with_disable_cpu_fallback()?;
                }
                Ok(builder.with_execution_providers([cuda.build().error_on_failure()])?)
            }
        }
    };
    let device_error = |e: ort::Error| InferenceError::Device { device: device.to_string(), reason: e.to_string() };
    let builder = on_device(builder()?).map_err(device_error)?;
    let fixed = |mut builder: SessionBuilder| -> ort::Result<Opened> {
        for (name, size) in sizes {
            builder = builder.with_dimension_override(name, *size)?;
        }
        Opened::new(source.commit(builder)?, device)
    };
    fixed(builder).map_err(|e| match is_out_of_memory(&e) {
        true => out_of_memory(part, device, &e),
        false => InferenceError::Open { part: part.into(), reason: e.to_string() },
    })
}

/// Loads the CUDA libraries that lie beside ONNX Runtime's, so that its provider finds them; those that do not lie there it looks for
/// where the system has them.
fn preload(device: &Device) -> Result<(), InferenceError> {
    let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = &loaded.as_ref().ok_or(InferenceError::NotInitialised)?.folder;
    for library in CUDA_LIBRARIES.map(|name| folder.join(name)).iter().filter(|library| library.is_file()) {
        let failed = |e: &dyn fmt::Display| InferenceError::Device {
            device: device.to_string(),
            reason: format!("{} cannot be loaded: {e}", library.display()),
        };
        ort::util::preload_dylib(library).map_err(|e| failed(&e))?;
    }
    Ok(())
}

/// Whether ONNX Runtime ran out of memory, the device's or the host's. It has no error code for that, only its own words and
/// those of the C++, CUDA, cuBLAS and cuDNN libraries.
pub(crate) fn is_out_of_memory(error: &ort::Error) -> bool {
    const WORDS: [&str; 7] = [
        "bad_alloc",
        "bad allocation",
        "Failed to allocate memory",
        "smaller than requested bytes",
        "out of memory",
        "ALLOC_FAILED",
        OUT_OF_MEMORY,
    ];
    let text = error.to_string();
    WORDS.iter().any(|words| text.contains(words))
}

pub(crate) fn out_of_memory(part: &str, device: &Device, error: &ort::Error) -> InferenceError {
    let reason = error.to_string();
    InferenceError::Memory { part: part.into(), device: device.to_string(), reason }
}

/// The process's environment, for sessions beside those of this crate.
///
/// # Errors
/// [`InferenceError::NotInitialised`] before [`init`].
pub fn environment() -> Result<Environment, InferenceError> {
    let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.as_ref().map(|loaded| loaded.environment.clone()).ok_or(InferenceError::NotInitialised)
}

fn builder() -> Result<SessionBuilder, InferenceError> {
    let environment = environment()?;
    let quiet = || -> ort::Result<SessionBuilder> {
        // What goes wrong comes back as an error; ONNX Runtime need not print it too.
        Ok(Session::builder(&environment)?.with_log_level(LogLevel::Fatal)?.with_deterministic_compute(true)?)
    };
    quiet().map_err(|e| InferenceError::Open { part: "ONNX Runtime's session".into(), reason: e.to_string() })
}
