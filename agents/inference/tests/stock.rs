//! Folders that the stock exporter wrote, beside the Python pipelines that they were exported from.
//!
//! The fixtures, and what PyTorch drew with them, are testdata/stock.py's. `CUCKOO_PARITY` names another folder that it
//! wrote.

mod common;

use common::{ONE_THREAD, assert_same_picture, copy_folder, floats, refused, repository, start_runtime};
use cuckoo_inference::{
    Deviation, Draft, Drafted, InferenceError, Model, Package, PackageError, State, Transition, noise,
};
use cuckoo_protocol::{
    body::ImageBody,
    manifest::{Defaults, Limits},
};
use serde_json::{Value, json};
use std::{env, fs, path::PathBuf};
use tempfile::TempDir;

/// Largest error after a step, or after a chain of them, relative to the largest value.
const TOLERANCE: f32 = 1e-5;

/// Schedulers that any of these models can be sampled with.
const SCHEDULERS: [&str; 4] = ["ddim", "euler", "euler-ancestral", "dpmpp-2m"];

fn exports() -> PathBuf {
    env::var_os("CUCKOO_PARITY").map_or_else(|| repository("agents/inference/testdata/stock"), PathBuf::from)
}

fn golden() -> Value {
    serde_json::from_slice(&fs::read(exports().join("golden.json")).expect("golden.json is there")).expect("JSON")
}

/// A copy of an exported folder.
fn stock(name: &str) -> TempDir {
    let dir = TempDir::new().expect("a temporary folder");
    copy_folder(&exports().join(name), dir.path());
    dir
}

fn draft() -> Draft {
    Draft {
        name: "stock".into(),
        description: "Draws nothing, at random.".into(),
        licence: "MIT".into(),
        sizes: vec![],
        steps: None,
        guidance: None,
        scheduler: None,
    }
}

fn body(case: &Value) -> ImageBody {
    let number = |field: &str| case[field].as_u64().expect("a number");
    let text = |field: &str| case[field].as_str().expect("a text").to_owned();
    ImageBody {
        prompt: text("prompt"),
        negative_prompt: text("negative_prompt"),
        width: number("width") as u32,
        height: number("height") as u32,
        steps: number("steps") as u32,
        guidance: case["guidance"].to_string().parse().expect("a decimal"),
        seed: number("seed"),
        scheduler: text("scheduler"),
        strength: None,
    }
}

fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.map(f32::abs).fold(0.0, f32::max)
}

/// The largest error relative to the largest expected value.
fn error(found: &State, expected: &[f32]) -> f32 {
    let found = &found.tensors()[0];
    assert_eq!(found.len(), expected.len());
    largest(found.iter().zip(expected).map(|(a, b)| a - b)) / largest(expected.iter().copied())
}

/// Draws all that Python drew with a model, from Python's states and from its own.
fn draws_what_python_draws(name: &str) {
    start_runtime();
    let (dir, golden) = (stock(name), golden());
    let cases = golden[name].as_array().expect("cases");
    assert!(cases.len() >= 3);
    let mut sizes: Vec<[u32; 2]> = cases.iter().map(body).map(|body| [body.width, body.height]).collect();
    sizes.dedup();
    Draft { sizes, ..draft() }.of(dir.path()).unwrap().write(false).unwrap();
    let mut model = Model::load(&Package::open(dir.path()).unwrap(), &ONE_THREAD).unwrap();
    for case in cases {
        let body = body(case);
        let what = format!("{name}, {} steps of {}, guidance {}", body.steps, body.scheduler, body.guidance);
        let states: Vec<Vec<f32>> = case["states"].as_array().expect("states").iter().map(floats).collect();
        assert_eq!(states.len(), body.steps as usize + 1, "{what}");

        let scale = states[0][0] / noise::normals(body.seed, 0, 1)[0];
        assert!(scale >= 0.99, "{what}: Python was not given our noise");
        let body = body.into();
        // Python's latents, each with what our own chain of steps leaves to the next besides.
        let mut run = model.open(&body).unwrap();
        let mut state = run.init(&[]).unwrap();
        assert!(error(&state, &states[0]) <= 1e-6, "{what}: the first state differs");
        let mut given = Vec::new();
        let (mut forced, mut chained) = (0.0_f32, 0.0_f32);
        for (k, expected) in states.iter().enumerate() {
            chained = chained.max(error(&state, expected));
            let history = state.tensors().iter().skip(1).cloned();
            given.push(State::new([expected.clone()].into_iter().chain(history).collect()));
            if let Some(next) = states.get(k + 1) {
                forced = forced.max(error(&run.step(k as u32, &given[k]).unwrap(), next));
                state = run.step(k as u32, &state).unwrap();
            }
        }
        drop(run);
        let steps: Vec<Transition<'_>> = given
            .windows(2)
            .enumerate()
            .map(|(k, pair)| Transition::Step { k: k as u32, before: &pair[0], after: &pair[1] })
            .collect();
        // As an audit sees it: relative to how far the step moves, which is little at first.
        let mut audited = 0.0_f64;
        for deviation in model.check(&body, &steps).unwrap() {
            assert!(deviation.within(&model.manifest().tolerance), "{what}: {deviation:?}");
            let Deviation::Step { max, relative } = deviation else { panic!("{deviation:?} is not a step's") };
            audited = audited.max(max).max(relative);
        }

        println!("{what}: off by {forced:.1e} in a step, {chained:.1e} in the chain, {audited:.1e} of a step's way");
        assert!(forced <= TOLERANCE, "{what}: a step is off by {forced:e}");
        assert!(chained <= TOLERANCE, "{what}: the steps together are off by {chained:e}");
        let mut run = model.open(&body).unwrap();
        let file = case["picture"].as_str().expect("a file");
        for last in [&given[given.len() - 1], &state] {
            assert_same_picture(run.finish(last).unwrap().image().unwrap(), &exports().join(file), &what);
        }
    }
}

#[test]
fn stable_diffusion_1_5_draws_what_python_draws() {
    draws_what_python_draws("sd15");
}

#[test]
fn sd_turbo_draws_what_python_draws() {
    draws_what_python_draws("sd-turbo");
}

#[test]
fn sdxl_draws_what_python_draws() {
    draws_what_python_draws("sdxl");
}

fn drafted(name: &str, draft: Draft) -> Drafted {
    start_runtime();
    draft.of(exports().join(name)).unwrap()
}

#[test]
fn a_draft_knows_what_kind_of_model_it_is() {
    let side = if env::var_os("CUCKOO_PARITY").is_some() { 128 } else { 64 };
    for (name, scheduler, steps, guidance) in
        [("sd15", "ddim", 50, "7.5"), ("sd-turbo", "euler", 1, "0"), ("sdxl", "euler", 50, "5")]
    {
        let drafted = drafted(name, draft());
        let manifest = drafted.package.manifest();
        let (Defaults::Image(defaults), Limits::Image(limits)) = (&manifest.defaults, &manifest.limits) else {
            panic!("{name} is no model for pictures")
        };
        let found = (defaults.scheduler.as_str(), defaults.steps, defaults.guidance.to_string());
        assert_eq!(found, (scheduler, steps, guidance.into()), "{name}");
        assert_eq!([defaults.width, defaults.height], [side; 2], "{name}");
        assert_eq!(limits.schedulers, SCHEDULERS, "{name}");
        assert!(limits.input_picture && manifest.state.len() == 2, "{name}");
        assert_eq!(manifest.state[0].shape, [4, side / 8, side / 8]);
        assert_eq!(manifest.files.contains_key("unet/model.onnx_data"), name == "sdxl");
        assert!(
            manifest.files.contains_key("vae_encoder/model.onnx") && manifest.files.contains_key("model_index.json")
        );
        assert!(drafted.notes.iter().any(|note| note.contains("calibrate")));
        assert_eq!(drafted.notes.iter().any(|note| note.contains("distilled")), name == "sd-turbo");
    }
}

#[test]
fn a_draft_says_what_it_is_told_to() {
    let told = Draft {
        sizes: vec![[96, 64], [64, 64]],
        steps: Some(20),
        guidance: Some("3.5".parse().unwrap()),
        scheduler: Some("euler".into()),
        ..draft()
    };
    let drafted = drafted("sd15", told.clone());
    let manifest = drafted.package.manifest();
    let body = manifest.image_body("a tree".into()).unwrap();
    assert_eq!((body.width, body.height, body.steps, body.scheduler.as_str()), (96, 64, 20, "euler"));
    assert_eq!(body.guidance.to_string(), "3.5");
    assert_eq!(manifest.state[0].shape, [4, 8, 12]);
    manifest.check(&ImageBody { width: 64, ..body }.into()).unwrap();

    for (wrong, expected) in [
        (Draft { scheduler: Some("dream".into()), ..told.clone() }, "dream"),
        (Draft { steps: Some(1001), ..told.clone() }, "1001"),
        (Draft { steps: Some(0), ..told.clone() }, "0"),
        (Draft { sizes: vec![[4, 64]], ..told.clone() }, "between 8 and 4096"),
        (Draft { name: String::new(), ..told }, "name"),
    ] {
        let error = refused(wrong.of(exports().join("sd15"))).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_draft_is_written_once() {
    start_runtime();
    let dir = stock("sd15");
    fs::create_dir(dir.path().join(".git")).unwrap();
    fs::write(dir.path().join(".git/config"), b"a tool's").unwrap();
    fs::write(dir.path().join("unet/diffusion_pytorch_model.safetensors"), b"weights").unwrap();
    let first = draft().of(dir.path()).unwrap();
    assert!(first.notes.iter().any(|note| note.starts_with("1 file")), "{:?}", first.notes);
    assert!(!first.package.manifest().files.keys().any(|path| path.starts_with('.')));
    first.write(false).unwrap();
    let package = Package::open(dir.path()).unwrap();
    assert_eq!(package.model_id(), first.package.model_id());

    let second = Draft { name: "other".into(), ..draft() }.of(dir.path()).unwrap();
    assert!(refused(second.write(false)).to_string().contains("cuckoo.json"));
    assert_eq!(Package::open(dir.path()).unwrap().manifest().name, "stock");
    second.write(true).unwrap();
    assert_eq!(Package::open(dir.path()).unwrap().manifest().name, "other");
}

#[test]
fn folders_of_other_kinds_are_refused() {
    type Alter = fn(&mut Value);
    let cases: [(&str, &str, Alter, &str); 7] = [
        ("sd15", "model_index.json", |c| c["_class_name"] = json!("FluxPipeline"), "FluxPipeline"),
        ("sd15", "unet/config.json", |c| c["addition_embed_type"] = json!("image"), "addition_embed_type"),
        ("sd15", "unet/config.json", |c| c["sample_size"] = json!("large"), "--size"),
        ("sd15", "scheduler/scheduler_config.json", |c| c["thresholding"] = json!(true), "thresholding"),
        // What SDXL's refiner has.
        ("sdxl", "unet/config.json", |c| c["projection_class_embeddings_input_dim"] = json!(40), "six numbers"),
        ("sdxl", "text_encoder_2/config.json", |c| c["projection_dim"] = json!(16), "projection_dim"),
        ("sdxl", "tokenizer_2/tokenizer_config.json", |c| c["model_max_length"] = json!(24), "24"),
    ];
    start_runtime();
    for (name, file, alter, expected) in cases {
        let dir = stock(name);
        let path = dir.path().join(file);
        let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        alter(&mut value);
        fs::write(&path, value.to_string()).unwrap();
        let loaded = draft().of(dir.path()).and_then(|drafted| Model::load(&drafted.package, &ONE_THREAD));
        let error = refused(loaded.map(|_| ())).to_string();
        assert!(error.contains(expected), "{file}: {error}");
    }
    let dir = stock("sdxl");
    fs::remove_dir_all(dir.path().join("text_encoder_2")).unwrap();
    let drafted = draft().of(dir.path()).unwrap();
    let error = refused(Model::load(&drafted.package, &ONE_THREAD).map(|_| ()));
    assert!(matches!(error, InferenceError::Package(PackageError::Unlisted { .. })), "{error}");
    assert!(refused(draft().of(dir.path().join("nowhere"))).to_string().contains("nowhere"));
}
