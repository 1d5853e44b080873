//! Loading ONNX Runtime. One test, because a process loads it once.

mod common;

use common::{ONE_THREAD, refused, repository, tiny_package};
use cuckoo_inference::{
    Device, InferenceError, Model, runtime,
    runtime::{Feeding, RuntimeError},
};

#[test]
fn what_is_missing_is_said_and_no_device_falls_back() {
    let package = tiny_package();
    assert!(matches!(refused(Model::load(&package, &ONE_THREAD)), InferenceError::NotInitialised));

    let error = refused(runtime::init(Some(&repository("no/such/library.so"))));
    assert!(matches!(error, RuntimeError::Missing { .. }));
    assert!(error.to_string().contains("tools/fetch-onnxruntime"), "{error}");
    let error = refused(runtime::init(Some(&repository("Cargo.toml"))));
    assert!(matches!(error, RuntimeError::Load { .. }), "{error}");

    common::start_runtime();
    common::start_runtime();
    Model::load(&package, &ONE_THREAD).unwrap();

    // The library that tests load is built for the CPU only; with a GPU's, this device does not exist.
    let cuda = Device::Cuda { id: 99, memory_limit: Some(1 << 30), feeding: Feeding::default() };
    let error = refused(Model::load(&package, &cuda));
    assert!(matches!(&error, InferenceError::Device { device, .. } if device == "CUDA device 99"), "{error}");
}
