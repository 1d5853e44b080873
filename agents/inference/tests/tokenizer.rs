//! A thousand odd prompts, token for token as Python's tokenisers have them (testdata/clip.py).

mod common;

use common::{Copy, read_json, repository, tiny_package};
use cuckoo_inference::Tokenizer;
use serde_json::{Map, Value, json};
use std::fs;

const BEGIN: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// OpenAI's merges, one a line after the first.
fn merges() -> String {
    fs::read_to_string(repository("agents/inference/testdata/clip/merges.txt")).expect("the merges are there")
}

/// OpenAI's vocabulary, which follows from its merges: all bytes, all bytes that end a word, what is merged, begin and
/// end.
fn vocabulary(merges: &str) -> Value {
    let printable = (b'!'..=b'~').chain(0xa1..=0xac).chain(0xae..=0xff).map(char::from);
    let others = (0x100..0x144).filter_map(char::from_u32);
    let bytes: Vec<String> = printable.chain(others).map(String::from).collect();
    let ends = bytes.iter().map(|byte| format!("{byte}</w>"));
    let merged = merges.lines().skip(1).map(|pair| pair.replace(' ', ""));
    let tokens = bytes.iter().cloned().chain(ends).chain(merged).chain([BEGIN, END].map(String::from));
    let vocabulary: Map<String, Value> = tokens.zip(0..).map(|(token, id)| (token, json!(id))).collect();
    assert_eq!(vocabulary.len(), 49408);
    vocabulary.into()
}

/// The repository's package with OpenAI's vocabulary, padded with `pad`.
fn clip(pad: &str) -> Copy {
    let (copy, merges) = (Copy::new(), merges());
    copy.put("tokenizer/merges.txt", merges.as_bytes())
        .put("tokenizer/vocab.json", vocabulary(&merges).to_string().as_bytes())
        .alter("tokenizer/tokenizer_config.json", |config| {
            config["model_max_length"] = json!(77);
            config["pad_token"] = json!(pad);
        });
    copy
}

/// Holds a tokeniser against the ids under the first of `keys` that a prompt has.
fn agrees(tokenizer: &Tokenizer, keys: &[&str], [begin, end, pad]: [u32; 3]) {
    let prompts = read_json("agents/inference/testdata/clip/prompts.json");
    let prompts = prompts.as_array().expect("prompts");
    assert_eq!(prompts.len(), 1000);
    let mut wrong = Vec::new();
    for entry in prompts {
        let prompt = entry["prompt"].as_str().expect("a text");
        let inner = keys.iter().find_map(|key| entry.get(key)).expect("ids");
        let inner: Vec<u32> = serde_json::from_value(inner.clone()).expect("ids");
        let mut ids = [&[begin], &inner[..], &[end]].concat();
        ids.resize(tokenizer.length(), pad);
        let found = tokenizer.encode(prompt).expect("ids");
        if found != ids {
            wrong.push(format!("{prompt:?}\n  has {inner:?}\n  not {:?}", &found[1..]));
        }
    }
    assert!(wrong.is_empty(), "{} prompts differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_repositorys_vocabulary() {
    agrees(&Tokenizer::load(&tiny_package(), "tokenizer").unwrap(), &["tiny"], [1012, 1013, 1013]);
}

#[test]
fn openais_vocabulary() {
    let copy = clip(END);
    let package = copy.open().unwrap();
    agrees(&Tokenizer::load(&package, "tokenizer").unwrap(), &["ids"], [49406, 49407, 49407]);
}

#[test]
fn padding_that_is_also_a_sign_of_prompts() {
    let copy = clip("!");
    let package = copy.open().unwrap();
    agrees(&Tokenizer::load(&package, "tokenizer").unwrap(), &["bang", "ids"], [49406, 49407, 0]);

    // Older folders, such as Stable Diffusion 2's, say so only in another file.
    copy.alter("tokenizer/tokenizer_config.json", |config| {
        config["pad_token"] = json!(END);
        config.as_object_mut().expect("an object").remove("added_tokens_decoder");
    });
    copy.alter("tokenizer/special_tokens_map.json", |map| map["pad_token"] = json!("!"));
    let package = copy.open().unwrap();
    agrees(&Tokenizer::load(&package, "tokenizer").unwrap(), &["bang", "ids"], [49406, 49407, 0]);
}

#[test]
fn tokenizer_json_alone_is_pythons_fast_tokeniser() {
    let (copy, merges) = (clip(END), merges());
    let mut settings = read_json("agents/inference/testdata/clip/tokenizer.json");
    settings["model"]["vocab"] = vocabulary(&merges);
    settings["model"]["merges"] =
        merges.lines().skip(1).map(|pair| json!(pair.split(' ').collect::<Vec<_>>())).collect::<Vec<_>>().into();
    copy.put("tokenizer/tokenizer.json", settings.to_string().as_bytes());
    copy.alter_manifest(|manifest| {
        let files = manifest["files"].as_object_mut().expect("files");
        files.remove("tokenizer/vocab.json");
        files.remove("tokenizer/merges.txt");
    });
    let package = copy.open().unwrap();
    agrees(&Tokenizer::load(&package, "tokenizer").unwrap(), &["fast", "ids"], [49406, 49407, 49407]);
}
