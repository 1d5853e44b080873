//! Packages whose files are as listed but do not fit together, or do harm.

mod common;

use common::{
    Copy, body, generate,
    onnx::{F16, F32, I32, I64, Port, network, network_with},
    refused,
};
use cuckoo_inference::{InferenceError, PackageError};
use cuckoo_protocol::manifest::BodyError;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink};

const UNET: &str = "unet/model.onnx";
const LATENTS: &[&str] = &["batch", "4", "height", "width"];
const HIDDEN: Port<'_> = ("encoder_hidden_states", F32, &["batch", "tokens", "64"]);
const SAMPLE: Port<'_> = ("sample", F32, LATENTS);
const TIMESTEP: Port<'_> = ("timestep", F32, &[]);
const OUTPUT: Port<'_> = ("out_sample", F32, LATENTS);
type Nodes<'a> = &'a [(&'a str, &'a [&'a str], &'a [&'a str])];

fn unfit(copy: &Copy, part: &str) -> String {
    match refused(copy.load()) {
        InferenceError::Unfit { part: found, reason } if found == part => reason,
        other => panic!("not about {part}: {other}"),
    }
}

fn with_unet(inputs: &[Port<'_>], nodes: Nodes<'_>) -> Copy {
    let copy = Copy::new();
    copy.put(UNET, &network(inputs, nodes, &[OUTPUT]));
    copy
}

#[test]
fn files_that_are_no_networks_are_refused() {
    let whole = fs::read(Copy::new().path(UNET)).unwrap();
    for bytes in [&b""[..], b"nonsense", &[0xff; 100], &whole[..whole.len() / 2], &network(&[], &[], &[])] {
        for part in ["text_encoder", "unet", "vae_decoder"] {
            let copy = Copy::new();
            let error = refused(copy.put(&format!("{part}/model.onnx"), bytes).load());
            let found = match &error {
                InferenceError::Open { part, .. } | InferenceError::Unfit { part, .. } => part,
                InferenceError::Package(PackageError::Malformed { path, .. }) => path.trim_end_matches("/model.onnx"),
                other => panic!("{other}"),
            };
            assert_eq!(found, part, "{error}");
        }
    }
}

#[test]
fn networks_of_the_wrong_kind_are_refused() {
    let copy = Copy::new();
    let text_encoder = fs::read(copy.path("text_encoder/model.onnx")).unwrap();
    assert!(unfit(copy.put(UNET, &text_encoder), "unet").contains("input_ids"));

    let extra = [SAMPLE, TIMESTEP, HIDDEN, ("time_ids", F32, &["batch", "6"])];
    let same: Nodes<'_> = &[("Identity", &["sample"], &["out_sample"])];
    assert!(unfit(&with_unet(&extra, same), "unet").contains("time_ids"));

    let half = [("sample", F16, LATENTS), TIMESTEP, HIDDEN];
    let to_f32: Nodes<'_> = &[("Cast", &["sample"], &["out_sample"])];
    assert!(unfit(&with_unet(&half, to_f32), "unet").contains("f16"));

    let doubled: Nodes<'_> = &[("Concat", &["sample", "sample"], &["out_sample"])];
    let copy = Copy::new();
    let eight: Port<'_> = ("out_sample", F32, &["batch", "8", "height", "width"]);
    copy.put(UNET, &network(&[SAMPLE, TIMESTEP, HIDDEN], doubled, &[eight]));
    assert!(unfit(&copy, "unet").contains("[2, 8, 8, 8]"));

    let narrow: Port<'_> = ("encoder_hidden_states", F32, &["batch", "tokens", "32"]);
    assert!(unfit(&with_unet(&[SAMPLE, TIMESTEP, narrow], same), "unet").contains("encoder_hidden_states"));
}

#[test]
fn timesteps_of_any_rank_and_type_mean_the_same() {
    let mut traces = Vec::new();
    for (element, shape) in
        [(F32, &[][..]), (F32, &["steps"]), (F32, &["8"]), (I64, &[]), (I64, &["1"]), (I64, &["batch"]), (I32, &["1"])]
    {
        let scaled: Nodes<'_> = &[("Cast", &["timestep"], &["time"]), ("Div", &["sample", "time"], &["out_sample"])];
        let copy = with_unet(&[SAMPLE, ("timestep", element, shape), HIDDEN], scaled);
        // A dimension that is also the sample's batch is one size only: without guidance it is 1.
        copy.alter_manifest(|manifest| manifest["defaults"]["guidance"] = json!("1"));
        let mut model = copy.load().unwrap_or_else(|e| panic!("{element} {shape:?}: {e}"));
        let request = body(&model, "a tree", 1);
        traces.push(generate(&mut model, &request).unwrap().trace_root());
    }
    assert!(traces.windows(2).all(|pair| pair[0] == pair[1]), "{traces:?}");

    let strange = [SAMPLE, ("timestep", F32, &["1", "1"]), HIDDEN];
    assert!(
        unfit(&with_unet(&strange, &[("Identity", &["sample"], &["out_sample"])]), "unet").contains("2 dimensions")
    );
}

#[test]
fn results_that_nobody_could_check_are_refused() {
    // The root of a negative number from timestep 499 on, which is step 5 of 10.
    let copy = Copy::new();
    let nodes: Nodes<'_> = &[
        ("Sub", &["timestep", "limit"], &["left"]),
        ("Sqrt", &["left"], &["root"]),
        ("Mul", &["sample", "root"], &["out_sample"]),
    ];
    copy.put(UNET, &network_with(&[SAMPLE, TIMESTEP, HIDDEN], nodes, &[OUTPUT], &[("limit", 1, "limit.bin")]));
    let mut model = copy.put("unet/limit.bin", &500_f32.to_le_bytes()).load().unwrap();
    let request = body(&model, "a tree", 1);
    let error = refused(generate(&mut model, &request));
    assert!(matches!(&error, InferenceError::NonFinite { what } if what == "state 6"), "{error}");

    let copy = Copy::new();
    let nodes: Nodes<'_> = &[
        ("Split", &["latent_sample"], &["r", "g", "b", "rest"]),
        ("Concat", &["r", "g", "b"], &["rgb"]),
        ("Sub", &["rgb", "rgb"], &["zero"]),
        ("Reciprocal", &["zero"], &["infinite"]),
    ];
    let rgb = &["batch", "3", "height", "width"];
    let network = network(&[("latent_sample", F32, LATENTS)], nodes, &[("infinite", F32, rgb)]);
    copy.put("vae_decoder/model.onnx", &network);
    copy.alter("vae_decoder/config.json", |config| config["block_out_channels"] = json!([8]));
    copy.alter_manifest(|manifest| {
        manifest["limits"]["sizes"] = json!([[8, 8]]);
        manifest["defaults"]["width"] = json!(8);
        manifest["defaults"]["height"] = json!(8);
    });
    let error = refused(copy.load());
    assert!(matches!(&error, InferenceError::NonFinite { what } if what == "the picture"), "{error}");
}

#[test]
fn a_network_reads_no_file_outside_the_package() {
    let copy = Copy::new();
    let outside = tempfile::NamedTempFile::new_in(copy.path("..")).unwrap();
    fs::write(&outside, [0; 4]).unwrap();
    let name = outside.path().file_name().unwrap().to_str().unwrap().to_owned();
    let add: Nodes<'_> = &[("Add", &["sample", "weights"], &["out_sample"])];
    let elsewhere = "../vae_decoder/config.json".to_owned();
    for location in [
        format!("../../{name}"),
        outside.path().canonicalize().unwrap().display().to_string(),
        elsewhere,
        String::new(),
    ] {
        let stolen = network_with(&[SAMPLE, TIMESTEP, HIDDEN], add, &[OUTPUT], &[("weights", 1, &location)]);
        let error = refused(copy.put(UNET, &stolen).open());
        let named =
            |found: &PackageError| matches!(found, PackageError::Foreign { location: named, .. } if *named == location);
        assert!(named(&error), "{location}: {error}");
    }
    // Beside the network it may be, if it is listed.
    let bound = network_with(&[SAMPLE, TIMESTEP, HIDDEN], add, &[OUTPUT], &[("weights", 1, "weights.bin")]);
    copy.put(UNET, &bound).write("unet/weights.bin", &[0; 4]);
    assert!(matches!(refused(copy.load()), InferenceError::Package(PackageError::Unlisted { .. })));
    copy.put("unet/weights.bin", &[0; 4]);
    copy.load().unwrap();
    // Not if it leads out, and not if it has fewer bytes than the network says.
    let bound = network_with(&[SAMPLE, TIMESTEP, HIDDEN], add, &[OUTPUT], &[("weights", 1 << 40, "weights.bin")]);
    let error = refused(copy.put(UNET, &bound).load());
    assert!(matches!(&error, InferenceError::Open { part, .. } if part == "unet"), "{error}");
    fs::remove_file(copy.path("unet/weights.bin")).unwrap();
    symlink(outside.path(), copy.path("unet/weights.bin")).unwrap();
    let error = refused(copy.load());
    assert!(matches!(&error, InferenceError::Package(PackageError::Outside { .. })), "{error}");
}

#[test]
fn operators_that_are_not_onnxs_are_refused() {
    for operator in ["Frobnicate", "org.example::Run", "com.microsoft::Frobnicate"] {
        let error = refused(with_unet(&[SAMPLE, TIMESTEP, HIDDEN], &[(operator, &["sample"], &["out_sample"])]).load());
        assert!(matches!(&error, InferenceError::Open { part, .. } if part == "unet"), "{operator}: {error}");
        assert!(error.to_string().contains(operator.rsplit("::").next().unwrap()), "{error}");
    }
}

#[test]
fn networks_with_a_flipped_byte_load_or_are_refused() {
    // A small network, so that most of its bytes say what it is, and a real one's beginning and end.
    let scaled: Nodes<'_> = &[("Cast", &["timestep"], &["time"]), ("Div", &["sample", "time"], &["out_sample"])];
    let small = network(&[SAMPLE, TIMESTEP, HIDDEN], scaled, &[OUTPUT]);
    let real = fs::read(Copy::new().path(UNET)).unwrap();
    let of_small = (0..small.len()).step_by(5).map(|at| (&small, at));
    let of_real = [0, 1, 2, 9, 40, 1000, real.len() / 2, real.len() - 40, real.len() - 2].map(|at| (&real, at));
    let copy = Copy::new();
    let (mut loaded, mut refused) = (0, 0);
    for (number, (bytes, at)) in of_small.chain(of_real).enumerate() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (number % 8);
        match copy.put(UNET, &bytes).load() {
            Ok(_) => loaded += 1,
            Err(
                InferenceError::Open { .. }
                | InferenceError::Unfit { .. }
                | InferenceError::Run { .. }
                | InferenceError::NonFinite { .. }
                | InferenceError::Package(PackageError::Malformed { .. } | PackageError::Foreign { .. }),
            ) => refused += 1,
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
    assert!(loaded > 0 && refused > 10, "{loaded} loaded, {refused} refused");
}

#[test]
fn sizes_that_no_memory_holds_are_refused() {
    let same: Nodes<'_> = &[("Identity", &["sample"], &["out_sample"])];
    let wide: Port<'_> = ("sample", F32, &["batch", "4", "4611686018427387904", "width"]);
    assert!(unfit(&with_unet(&[wide, TIMESTEP, HIDDEN], same), "unet").contains("cannot hold"));

    // 2, 4, 8 and 8 to the eighth power: 2⁷² values.
    let powers: Nodes<'_> = &[
        ("Shape", &["sample"], &["one"]),
        ("Mul", &["one", "one"], &["two"]),
        ("Mul", &["two", "two"], &["four"]),
        ("Mul", &["four", "four"], &["eight"]),
        ("ConstantOfShape", &["eight"], &["zeros"]),
        ("ReduceSum", &["zeros"], &["zero"]),
        ("Add", &["sample", "zero"], &["out_sample"]),
    ];
    let error = refused(with_unet(&[SAMPLE, TIMESTEP, HIDDEN], powers).load());
    assert!(matches!(&error, InferenceError::Open { .. } | InferenceError::Run { .. }), "{error}");

    let add: Nodes<'_> = &[("Add", &["sample", "weights"], &["out_sample"])];
    let copy = Copy::new();
    for length in [1 << 40, 1 << 62, u64::MAX] {
        copy.put("unet/weights.bin", &[0; 4]);
        let vast = network_with(&[SAMPLE, TIMESTEP, HIDDEN], add, &[OUTPUT], &[("weights", length, "weights.bin")]);
        let error = refused(copy.put(UNET, &vast).load());
        assert!(matches!(&error, InferenceError::Open { part, .. } if part == "unet"), "{length}: {error}");
    }
}

#[test]
fn prompts_of_a_megabyte_are_refused_or_cut() {
    let mut model = Copy::new().load().unwrap();
    let (words, word) = ("a red apple ".repeat(90_000), "a".repeat(1 << 20));
    for prompt in [&words, &word] {
        let request = body(&model, prompt, 1);
        let error = refused(generate(&mut model, &request));
        assert!(matches!(&error, InferenceError::Body(BodyError::Prompt { .. })), "{error}");
    }
    // A manifest may allow them; the network then sees as much as it takes.
    let copy = Copy::new();
    copy.alter_manifest(|manifest| manifest["limits"]["max_prompt_bytes"] = json!(u32::MAX));
    let mut model = copy.load().unwrap();
    let mut root = |prompt: &str| {
        let request = body(&model, prompt, 1);
        generate(&mut model, &request).unwrap().trace_root()
    };
    assert_eq!(root(&words), root(&"a red apple ".repeat(30)));
    root(&word);
}

#[test]
fn settings_nested_without_end_are_refused() {
    let copy = Copy::new();
    copy.put("vae_decoder/config.json", "[".repeat(1 << 20).as_bytes());
    let error = refused(copy.load());
    assert!(matches!(&error, InferenceError::Package(PackageError::Malformed { .. })), "{error}");
}

#[test]
fn settings_that_are_not_followed_are_refused() {
    type Alter = fn(&mut Value);
    let cases: [(&str, Alter, &str); 16] = [
        (
            "scheduler/scheduler_config.json",
            |c| {
                c["timestep_spacing"] = json!("leading");
                c["steps_offset"] = json!(999);
            },
            "outside the 1000",
        ),
        ("scheduler/scheduler_config.json", |c| c["thresholding"] = json!(true), "thresholding"),
        ("scheduler/scheduler_config.json", |c| c["trained_betas"] = json!([0.1]), "trained_betas"),
        ("scheduler/scheduler_config.json", |c| c["beta_schedule"] = json!("exp"), "beta_schedule"),
        ("scheduler/scheduler_config.json", |c| c["prediction_type"] = json!("flow"), "prediction_type"),
        ("scheduler/scheduler_config.json", |c| c["timestep_spacing"] = json!("karras"), "timestep_spacing"),
        ("scheduler/scheduler_config.json", |c| c["num_train_timesteps"] = json!(0), "num_train_timesteps"),
        ("scheduler/scheduler_config.json", |c| c["num_train_timesteps"] = json!(40), "outside the 40"),
        ("scheduler/scheduler_config.json", |c| c["num_train_timesteps"] = json!("many"), "malformed"),
        ("vae_decoder/config.json", |c| c["scaling_factor"] = json!(0.0), "scaling_factor"),
        ("vae_decoder/config.json", |c| c["block_out_channels"] = json!([]), "blocks"),
        ("vae_decoder/config.json", |c| c["shift_factor"] = json!(0.1), "shifted"),
        ("vae_decoder/config.json", |c| c["block_out_channels"] = json!([8, 8]), "lists states"),
        ("vae_decoder/config.json", |c| c["latent_channels"] = json!(1_u64 << 40), "latent channels"),
        ("unet/config.json", |c| c["in_channels"] = json!(9), "9 to 4 channels"),
        ("text_encoder/config.json", |c| c["hidden_size"] = json!(32), "[1, 24, 32]"),
    ];
    for (file, alter, expected) in cases {
        let error = refused(Copy::new().alter(file, alter).load()).to_string();
        assert!(error.contains(expected), "{file}: {error}");
    }
    let copy = Copy::new();
    copy.alter_manifest(|manifest| {
        let (files, schedulers) = (manifest["files"].as_object_mut().unwrap(), json!(["ddim", "dream"]));
        files.remove("model_index.json");
        manifest["limits"]["schedulers"] = schedulers;
    });
    assert!(refused(copy.load()).to_string().contains("dream"));
}

#[test]
fn tokenisers_that_are_not_clips_are_refused() {
    const CONFIG: &str = "tokenizer/tokenizer_config.json";
    type Alter = fn(&mut Value);
    let cases: [(&str, Alter, &str); 5] = [
        (CONFIG, |c| c["model_max_length"] = json!(1e30), "model_max_length"),
        (CONFIG, |c| c["model_max_length"] = json!(2), "model_max_length"),
        (CONFIG, |c| c["bos_token"] = json!(null), "bos_token"),
        (CONFIG, |c| c["pad_token"] = json!("<pad>"), "lacks"),
        ("tokenizer/vocab.json", |c| *c = json!({"a": 0}), "vocabulary"),
    ];
    for (file, alter, expected) in cases {
        let error = refused(Copy::new().alter(file, alter).load()).to_string();
        assert!(error.contains(expected), "{file}: {error}");
    }
    for merges in [&b"#version: 0.2\nnopair"[..], b"#version: 0.2\nq q", b"\xff\xfe"] {
        let error = refused(Copy::new().put("tokenizer/merges.txt", merges).load());
        assert!(matches!(&error, InferenceError::Unfit { part, .. } if part == "tokenizer"), "{error}");
    }
    // An id that the text encoder has no embedding for.
    let copy = Copy::new();
    copy.alter("tokenizer/vocab.json", |vocabulary| vocabulary["<|endoftext|>"] = json!(4_000_000));
    assert!(matches!(refused(copy.load()), InferenceError::Run { part, .. } if part == "text_encoder"));
}
