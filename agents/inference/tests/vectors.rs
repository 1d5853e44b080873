//! Published vectors: what every machine must compute bit for bit.

mod common;

use common::{
    Copy, body, generate,
    onnx::{F32, Port, network},
    read_json, repository,
};
use cuckoo_inference::{Model, State, scheduler::NAMES};
use cuckoo_protocol::body::{Body, ImageBody};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{fs, ops::ControlFlow};

/// The picture of testdata/first_states.py.
fn rgb(width: u32, height: u32) -> Vec<u8> {
    (0..width as usize * height as usize * 3).map(|place| (place * 37 + (place / 97) * (place / 97)) as u8).collect()
}

/// A stock export that draws all sizes of the vectors.
fn stock(name: &str) -> Model {
    let copy = Copy::stock(name);
    copy.alter_manifest(|manifest| {
        let limits = &mut manifest["limits"];
        limits["schedulers"] = json!(NAMES);
        limits["sizes"] = json!([[64, 64], [512, 512], [512, 768], [1024, 1024]]);
        limits["input_picture"] = json!(true);
        let latents = manifest["state"][0].clone();
        manifest["state"] = json!([latents, { "name": "clean", "shape": [4, 8, 8] }]);
    });
    copy.load().unwrap()
}

fn assert_is(state: &State, vector: &Value) {
    let bytes = state.to_bytes();
    assert_eq!(json!(bytes.len()), vector["bytes"], "{vector}");
    let bits = state.tensors()[0].iter().take(4).map(|value| format!("{:08x}", value.to_bits()));
    assert_eq!(json!(bits.collect::<Vec<_>>()), vector["bits"], "{vector}");
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(json!(digest), vector["sha256"], "{vector}");
}

#[test]
fn first_states_are_the_published_ones() {
    let vectors = read_json("agents/inference/testdata/first_states.json");
    let (drawn, pictures) = (vectors["drawn"].as_array().unwrap(), vectors["pictures"].as_array().unwrap());
    assert_eq!((drawn.len(), pictures.len()), (25, 3));
    for name in ["sd15", "sd-turbo", "sdxl"] {
        let mut model = stock(name);
        let mut first = |vector: &Value, request: ImageBody, blob: &[u8]| {
            let number = |field: &str| vector[field].as_u64().unwrap();
            let (width, height) = (number("width") as u32, number("height") as u32);
            let body = Body::from(ImageBody { width, height, ..request });
            assert_is(&model.open(&body).unwrap().init(blob).unwrap(), vector);
        };
        let request = common::body(&stock(name), "a tree", 0);
        for vector in drawn.iter().filter(|vector| vector["model"] == name) {
            let (steps, seed) = (vector["steps"].as_u64().unwrap() as u32, vector["seed"].as_u64().unwrap());
            let scheduler = vector["scheduler"].as_str().unwrap().to_owned();
            first(vector, ImageBody { steps, seed, scheduler, ..request.clone() }, &[]);
        }
        for vector in pictures.iter().filter(|vector| vector["model"] == name) {
            let [width, height] = ["width", "height"].map(|side| vector[side].as_u64().unwrap() as u32);
            let strength = Some("0.5".parse().unwrap());
            first(vector, ImageBody { strength, ..request.clone() }, &rgb(width, height));
        }
    }
}

/// A package whose networks only move values about, so that all of a trace is exact: the denoiser gives back what it is
/// shown, the decoder three of four channels, the encoder colours as they are.
fn exact() -> Copy {
    const LATENTS: &[&str] = &["batch", "4", "height", "width"];
    const RGB: &[&str] = &["batch", "3", "height", "width"];
    const HIDDEN: Port<'_> = ("encoder_hidden_states", F32, &["batch", "tokens", "64"]);
    let copy = Copy::new();
    let denoiser = network(
        &[("sample", F32, LATENTS), ("timestep", F32, &[]), HIDDEN],
        &[("Identity", &["sample"], &["out_sample"])],
        &[("out_sample", F32, LATENTS)],
    );
    let decoder = network(
        &[("latent_sample", F32, LATENTS)],
        &[("Split", &["latent_sample"], &["r", "g", "b", "rest"]), ("Concat", &["r", "g", "b"], &["rgb"])],
        &[("rgb", F32, RGB)],
    );
    let encoder = network(
        &[("sample", F32, RGB)],
        &[
            ("Split", &["sample"], &["r", "g", "b"]),
            ("Concat", &["r", "g", "b", "g", "r", "g", "b", "g"], &["latent_parameters"]),
        ],
        &[("latent_parameters", F32, &["batch", "8", "height", "width"])],
    );
    for (part, network) in [("unet", denoiser), ("vae_decoder", decoder), ("vae_encoder", encoder)] {
        fs::create_dir_all(copy.path(part)).unwrap();
        copy.put(&format!("{part}/model.onnx"), &network);
    }
    copy.alter("vae_decoder/config.json", |config| config["block_out_channels"] = json!([8]));
    copy.alter_manifest(|manifest| {
        manifest["limits"]["sizes"] = json!([[96, 80]]);
        manifest["defaults"]["width"] = json!(96);
        manifest["defaults"]["height"] = json!(80);
        manifest["limits"]["schedulers"] = json!(NAMES);
        manifest["limits"]["input_picture"] = json!(true);
        let tensor = |name| json!({ "name": name, "shape": [4, 80, 96] });
        manifest["state"] = json!([tensor("latents"), tensor("clean")]);
    });
    copy
}

/// Whole traces and outputs where the networks are exact: a change of any rounding in a scheduler, in the noise, in what is
/// committed to or in the output's bytes shows. `CUCKOO_WRITE_VECTORS=1` writes the file anew.
#[test]
fn traces_of_exact_networks_are_the_published_ones() {
    const FILE: &str = "agents/inference/testdata/traces.json";
    let mut model = exact().load().unwrap();
    let mut found = Vec::new();
    for scheduler in NAMES {
        for strength in [None, Some("0.7".parse().unwrap())] {
            let request = ImageBody { scheduler: (*scheduler).into(), strength, steps: 6, ..body(&model, "a tree", 3) };
            let blob = if request.strength.is_some() { rgb(96, 80) } else { vec![] };
            let request = Body::from(request);
            let result = model.generate(&request, &blob, &mut |_, _| ControlFlow::Continue(())).unwrap();
            found.push(json!({
                "request": serde_json::from_slice::<Value>(&request.canonical()).unwrap(),
                "states": result.states_count(),
                "traceRoot": result.trace_root(),
                "outputHash": result.output_hash().unwrap(),
            }));
        }
    }
    if std::env::var_os("CUCKOO_WRITE_VECTORS").is_some() {
        let lines: Vec<String> = found.iter().map(Value::to_string).collect();
        fs::write(repository(FILE), format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    assert_eq!(json!(found), read_json(FILE));
}

#[test]
fn a_denoiser_may_be_told_its_guidance() {
    const LATENTS: &[&str] = &["batch", "4", "height", "width"];
    const HIDDEN: Port<'_> = ("encoder_hidden_states", F32, &["batch", "tokens", "64"]);
    let copy = Copy::new();
    copy.alter("unet/config.json", |config| config["time_cond_proj_dim"] = json!(8));
    let denoiser = network(
        &[("sample", F32, LATENTS), ("timestep", F32, &[]), HIDDEN, ("timestep_cond", F32, &["batch", "8"])],
        &[("Add", &["sample", "timestep_cond"], &["out_sample"])],
        &[("out_sample", F32, LATENTS)],
    );
    copy.put("unet/model.onnx", &denoiser);
    let mut model = copy.load().unwrap();
    let request = body(&model, "a tree", 1);
    // It is run once a step whatever the guidance, and leads away from nothing.
    let mut root = |guidance: &str, negative: &str| {
        let (guidance, negative_prompt) = (guidance.parse().unwrap(), negative.into());
        let request = ImageBody { guidance, negative_prompt, ..request.clone() };
        generate(&mut model, &request).unwrap().trace_root()
    };
    assert_eq!(root("7.5", ""), root("7.5", "blue"));
    assert_ne!(root("7.5", ""), root("7.4", ""));

    copy.alter("unet/config.json", |config| config["time_cond_proj_dim"] = json!(2));
    assert!(common::refused(copy.load()).to_string().contains("time_cond_proj_dim"));
}
