//! Running out of memory: a refusal that says what would fit, in a process that goes on working.

mod common;

use common::{Copy, body, generate, refused};
use cuckoo_inference::{Device, InferenceError, Model};
use cuckoo_protocol::body::ImageBody;
use serde_json::json;
use std::{
    env,
    process::{Command, Output},
};

/// Runs the test `child` of this file in a process that may have `kib` KiB of addresses.
fn limited(kib: u64, threads: usize) -> Output {
    Command::new("bash")
        .args(["-c", &format!("ulimit -v {kib} && exec \"$0\" --exact --ignored --nocapture child")])
        .arg(env::current_exe().unwrap())
        .env("CHILD_THREADS", threads.to_string())
        .output()
        .unwrap()
}

#[test]
fn a_picture_that_does_not_fit_is_refused_with_the_size_that_would() {
    for threads in [1, 2] {
        let output = limited(1_500_000, threads);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
        assert!(out.contains("REFUSED 1024x1024 does not fit into the memory of CPU"), "{out}");
        assert!(out.contains(": 96x96 would."), "{out}");
    }
}

#[test]
#[ignore = "run by the test above, under a limit"]
fn child() {
    let copy = Copy::new();
    copy.alter_manifest(|manifest| manifest["limits"]["sizes"] = json!([[32, 32], [96, 96], [64, 64], [1024, 1024]]));
    common::start_runtime();
    let threads = env::var("CHILD_THREADS").unwrap().parse().unwrap();
    let mut model = Model::load(&copy.open().unwrap(), &Device::Cpu { threads }).unwrap();
    let request = ImageBody { steps: 2, ..body(&model, "a red apple", 1) };
    let before = generate(&mut model, &request).unwrap();

    let huge = ImageBody { width: 1024, height: 1024, ..request.clone() };
    let error = refused(generate(&mut model, &huge));
    println!("REFUSED {error}");
    assert!(matches!(&error, InferenceError::TooLarge { .. }), "{error}");

    // It goes on working, up to what fits, as well as before; and what did not fit is not tried again.
    assert_eq!(generate(&mut model, &request).unwrap().trace_root(), before.trace_root());
    generate(&mut model, &ImageBody { width: 96, height: 96, ..request.clone() }).unwrap();
    let again = refused(generate(&mut model, &huge));
    assert!(again.to_string().contains("when it was tried before"), "{again}");
}
