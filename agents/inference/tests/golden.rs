//! Parity with Python: diffusers, transformers and ONNX Runtime's own binding.

mod common;

use common::{Copy, ONE_THREAD, body, floats, read_json, refused, repository, tiny_model};
use cuckoo_inference::{
    Package, State, Tokenizer, noise,
    scheduler::{NAMES, Scheduler, SchedulerConfig},
};
use cuckoo_protocol::body::ImageBody;
use serde_json::{Value, json};
use std::fs;

fn largest(errors: impl Iterator<Item = f32>) -> f32 {
    errors.fold(0.0, f32::max)
}

/// The largest error, relative to the largest of the values expected and those of `scale`, or to 1.
fn error(found: &[f32], expected: &[f32], scale: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = largest(expected.iter().chain(scale).map(|value| value.abs())).max(1.0);
    largest(found.iter().zip(expected).map(|(a, b)| (a - b).abs())) / scale
}

fn follows_diffusers(scheduler: &str, file: &str) {
    let cases = read_json(file)["cases"].as_array().expect("cases").clone();
    assert!(cases.len() >= 8, "{file} has only {} cases", cases.len());
    let near = |found: &[f32], expected: &Value, scale: &[f32], what: String| {
        let error = error(found, &floats(expected), scale);
        assert!(error <= 1e-6, "{scheduler}, {what}: off by {error:e}");
    };
    for case in cases {
        let name = &case["name"];
        let config = SchedulerConfig::parse(case["config"].to_string().as_bytes()).unwrap();
        let steps = case["steps"].as_u64().unwrap() as u32;
        let skipped = case["skip"].as_u64().unwrap_or(0) as u32;
        let plan = Scheduler::plan(scheduler, &config, steps).unwrap_or_else(|e| panic!("{name}: {e}")).skip(skipped);
        near(plan.timesteps(), &case["timesteps"], &[], format!("{name}, timesteps"));
        if let Some(scale) = case["init_scale"].as_f64() {
            assert!((f64::from(plan.init_scale()) / scale - 1.0).abs() < 1e-6, "{name}");
        }
        if case["clean"].is_array() {
            let noised = plan.noised(&floats(&case["clean"]), &floats(&case["start_noise"]));
            near(&noised, &case["sample"], &[], format!("{name}, start"));
        }

        // The history is the scheduler's own, the sample diffusers'.
        let mut tensors = vec![floats(&case["sample"]); Scheduler::tensors(scheduler)];
        tensors[1..].iter_mut().flatten().for_each(|value| *value = 0.0);
        let trace = case["trace"].as_array().unwrap();
        assert_eq!(trace.len() as u32, steps - skipped);
        for (k, step) in trace.iter().enumerate() {
            if step["input"].is_array() {
                near(&plan.input(k, &tensors[0]), &step["input"], &[], format!("{name}, input of step {k}"));
            }
            let noise = if plan.adds_noise(k) { floats(&step["noise"]) } else { vec![] };
            let after = plan.step(k, &tensors, &floats(&step["model_output"]), &noise);
            assert_eq!(after.len(), Scheduler::tensors(scheduler));
            // Relative to what the step began with too: from 4096 to 1, as from no signal at all, digits cancel out.
            near(&after[0], &step["prev_sample"], &tensors[0], format!("{name}, step {k}"));
            tensors = after;
            tensors[0] = floats(&step["prev_sample"]);
        }
    }
}

#[test]
fn ddim_follows_diffusers() {
    follows_diffusers("ddim", "models/golden/ddim.json");
}

#[test]
fn every_scheduler_follows_diffusers_with_stock_and_rarer_settings() {
    for name in NAMES {
        follows_diffusers(name, &format!("agents/inference/testdata/{name}.json"));
    }
}

#[test]
fn prompts_become_the_ids_of_pythons_tokeniser() {
    let models = read_json("models/golden/tokenizer.json")["models"].as_object().expect("models").clone();
    assert!(models.contains_key("cuckoo-tiny"));
    for (name, entries) in models {
        let package = Package::open(repository(&format!("models/{name}"))).unwrap();
        let tokenizer = Tokenizer::load(&package, "tokenizer").unwrap();
        let mut wrong = Vec::new();
        for entry in entries.as_array().unwrap() {
            let prompt = entry["prompt"].as_str().unwrap();
            let ids: Vec<u32> = serde_json::from_value(entry["ids"].clone()).unwrap();
            let found = tokenizer.encode(prompt).unwrap();
            if found != ids {
                wrong.push(format!("{prompt:?}\n  has {ids:?}\n  not {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{name}: {} prompts differ\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// The stock layout of CLIP's tokenizer.json, which spells out what Python's fast tokeniser does.
fn tokenizer_json(vocabulary: Value, merges: &str) -> Value {
    let token = |text: &str| {
        json!({ "id": vocabulary[text], "content": text, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": true, "special": true })
    };
    let added = ["<|startoftext|>", "<|endoftext|>"].map(token);
    let words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    json!({
        "version": "1.0",
        "truncation": { "direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0 },
        "padding": { "strategy": { "Fixed": 9 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "!" },
        "added_tokens": added,
        "normalizer": { "type": "Sequence", "normalizers": [{ "type": "NFC" },
            { "type": "Replace", "pattern": { "Regex": "\\s+" }, "content": " " }, { "type": "Lowercase" }] },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": words }, "behavior": "Removed", "invert": true },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true }] },
        "post_processor": null,
        "decoder": null,
        "model": { "type": "BPE", "dropout": null, "unk_token": "<|endoftext|>", "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>", "fuse_unk": false, "vocab": vocabulary,
            "merges": merges.trim().lines().skip(1).collect::<Vec<_>>() },
    })
}

#[test]
fn a_tokenizer_json_alone_is_followed_too() {
    let copy = Copy::new();
    let read = |file| fs::read(copy.path(file)).unwrap();
    let vocabulary = serde_json::from_slice(&read("tokenizer/vocab.json")).unwrap();
    let merges = String::from_utf8(read("tokenizer/merges.txt")).unwrap();
    copy.put("tokenizer/tokenizer.json", tokenizer_json(vocabulary, &merges).to_string().as_bytes());
    copy.alter_manifest(|manifest| {
        let files = manifest["files"].as_object_mut().unwrap();
        files.remove("tokenizer/vocab.json");
        files.remove("tokenizer/merges.txt");
    });
    let tokenizer = Tokenizer::load(&copy.open().unwrap(), "tokenizer").unwrap();
    for entry in read_json("models/golden/tokenizer.json")["models"]["cuckoo-tiny"].as_array().unwrap() {
        let ids = if entry["fast_ids"].is_array() { &entry["fast_ids"] } else { &entry["ids"] };
        let found = tokenizer.encode(entry["prompt"].as_str().unwrap()).unwrap();
        assert_eq!(json!(found), *ids, "{}", entry["prompt"]);
    }
    let error = refused(copy.put("tokenizer/tokenizer.json", b"{}").load());
    assert!(error.to_string().contains("tokenizer.json is malformed"), "{error}");
}

#[test]
fn a_picture_is_the_one_that_python_draws() {
    let golden = read_json("models/golden/tiny-pipeline.json");
    let mut model = tiny_model(&ONE_THREAD);
    let guidance = golden["guidance"].as_f64().unwrap().to_string().parse().unwrap();
    let steps = golden["steps"].as_u64().unwrap() as u32;
    let body = ImageBody { steps, guidance, ..body(&model, golden["prompt"].as_str().unwrap(), 0) };

    let body = body.into();
    let mut run = model.open(&body).unwrap();
    let mut state = State::new(vec![floats(&golden["initial_latents"])]);
    for (k, expected) in golden["step_latents"].as_array().unwrap().iter().enumerate() {
        state = run.step(k as u32, &state).unwrap();
        let (found, expected) = (&state.tensors()[0], floats(expected));
        let error = largest(found.iter().zip(&expected).map(|(a, b)| (a - b).abs()));
        let scale = largest(expected.iter().map(|value| value.abs()));
        assert!(error <= 1e-5 * scale, "step {k}: off by {error:e} where values reach {scale}");
    }
    let output = run.finish(&state).unwrap();
    let image = output.image().unwrap();
    let pixels: Vec<u8> = serde_json::from_value(golden["pixels"].clone()).unwrap();
    assert_eq!(golden["pixels_shape"], json!([image.height, image.width, 3]));
    assert_eq!(image.rgb.len(), pixels.len());
    let differences: Vec<u8> = image.rgb.iter().zip(&pixels).map(|(a, b)| a.abs_diff(*b)).collect();
    let off = differences.iter().filter(|&&difference| difference > 0).count();
    // A value on the edge between two bytes may fall to either side; values on no edge may not.
    assert!(differences.iter().all(|&difference| difference <= 1) && off * 100 <= pixels.len(), "{off} bytes are off");
}

#[test]
fn noise_is_the_published_one_bit_for_bit() {
    let cases = read_json("agents/inference/testdata/noise.json");
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    for case in cases.as_array().expect("cases") {
        let bits: Vec<String> = serde_json::from_value(case["bits"].clone()).unwrap();
        let found = noise::normals(number(&case["seed"]), number(&case["step"]), bits.len());
        let found: Vec<String> = found.iter().map(|value| format!("{:08x}", value.to_bits())).collect();
        assert_eq!(found, bits, "seed {}, step {}", case["seed"], case["step"]);
    }
}

#[test]
fn noise_is_standard_normal_and_starts_alike_at_any_length() {
    let values = noise::normals(9, 0, 100_001);
    assert_eq!(values[..7], noise::normals(9, 0, 7));
    let moment = |power| values.iter().map(|&value| f64::from(value).powi(power)).sum::<f64>() / values.len() as f64;
    for (power, expected, error) in [(1, 0.0, 0.02), (2, 1.0, 0.03), (3, 0.0, 0.06), (4, 3.0, 0.15)] {
        let found = moment(power);
        assert!((found - expected).abs() < error, "moment {power} is {found}");
    }
}
