//! Manifests, and what they allow.

use super::*;
use serde_json::{Value, json};

const TINY: &str = include_str!("../../../../models/cuckoo-tiny/cuckoo.json");
const ICONS: &str = include_str!("../../../../models/cuckoo-icons/cuckoo.json");

fn embedding() -> Value {
    let mut manifest: Value = serde_json::from_str(TINY).unwrap();
    manifest["defaults"] = json!({ "dimensions": 384 });
    manifest["limits"] = json!({ "dimensions": [384, 128], "max_texts": 2, "max_text_bytes": 10 });
    manifest["pricing"] = json!("megabytes");
    manifest
}

fn parse(manifest: &Value) -> Result<Manifest, ManifestError> {
    Manifest::parse(manifest.to_string().as_bytes())
}

#[test]
fn the_repositorys_models_keep_their_ids() {
    let id = |json: &str| Manifest::parse(json.as_bytes()).unwrap().model_id().to_string();
    assert_eq!(id(TINY), "0xc1e9dfd4b554dec6d5edb8cd2dc835c69d2c0b4933b2a76832da06f3542b71b1");
    assert_eq!(id(ICONS), "0x75e31d646c8edaf80ac426826e5a6cbcdf80bcc76ebbdfd1c5b2484c67b82778");
}

#[test]
fn fields_of_another_kind_are_refused() {
    parse(&embedding()).unwrap();
    let tiny: Value = serde_json::from_str(TINY).unwrap();
    type Alter = fn(&mut Value, &Value);
    let wrong: [(&str, Alter); 8] = [
        ("makes embeddings, not pictures", |m, tiny| m["defaults"] = tiny["defaults"].clone()),
        ("makes pictures, not embeddings", |m, tiny| m["limits"] = tiny["limits"].clone()),
        ("exactly", |m, _| m["limits"]["max_steps"] = json!(1)),
        ("exactly", |m, _| m["defaults"] = json!({})),
        ("384, 128", |m, _| m["defaults"]["dimensions"] = json!(385)),
        ("65536", |m, _| m["limits"]["dimensions"] = json!([384, 0])),
        ("16384", |m, _| m["limits"]["max_texts"] = json!(5000)),
        ("pricing must be \"megabytes\"", |m, tiny| m["pricing"] = tiny["pricing"].clone()),
    ];
    for (expected, alter) in wrong {
        let mut manifest = embedding();
        alter(&mut manifest, &tiny);
        let error = parse(&manifest).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn what_an_embedding_may_ask_for() {
    let manifest = parse(&embedding()).unwrap();
    let body = |input: &[&str]| manifest.embedding_body(input.iter().map(ToString::to_string).collect()).unwrap();
    manifest.check(&body(&["ten bytes.", "é"]).into()).unwrap();
    let field = |body: EmbeddingBody| manifest.check(&body.into()).unwrap_err().field();
    assert_eq!(field(body(&[])), "input");
    assert_eq!(field(body(&["a"; 3])), "input");
    assert_eq!(field(body(&["a", ""])), "input");
    assert_eq!(field(body(&["eleven byte"])), "input");
    assert_eq!(field(EmbeddingBody { dimensions: 64, ..body(&["a"]) }), "dimensions");
    assert!(manifest.image_body(String::new()).is_err());

    let tiny = Manifest::parse(TINY.as_bytes()).unwrap();
    assert_eq!(tiny.check(&body(&["a"]).into()).unwrap_err().field(), "model");
    assert!(tiny.embedding_body(vec![]).is_err());
    assert_eq!(tiny.check(&tiny.default_body("a tree".to_owned())), Ok(()));
}

#[test]
fn both_pictures_of_a_restyling_have_sizes_that_fit() {
    let manifest = |sizes: Value, styles: Value| {
        let mut manifest = embedding();
        manifest["defaults"] = json!({ "width": 64, "height": 32, "style_width": 16, "style_height": 8 });
        manifest["limits"] = json!({ "sizes": sizes, "style_sizes": styles });
        manifest["pricing"] = json!("megapixel-steps");
        parse(&manifest)
    };
    let sound = manifest(json!([[64, 32]]), json!([[16, 8], [512, 512]])).unwrap();
    let body = sound.style_body().unwrap();
    assert_eq!(sound.check(&body.clone().into()), Ok(()));
    for (body, field) in [
        (StyleBody { width: 32, ..body.clone() }, "size"),
        (StyleBody { style_height: 16, ..body.clone() }, "style_size"),
    ] {
        assert_eq!(sound.check(&body.into()).unwrap_err().field(), field);
    }
    assert!(sound.embedding_body(vec![]).is_err() && sound.image_body(String::new()).is_err());
    assert!(manifest(json!([[64, 32], [512, 512]]), json!([[16, 8], [512, 512]])).is_err(), "a state of 6 MiB");
    assert!(manifest(json!([[64, 32]]), json!([[16, 8], [4, 8]])).is_err());
    assert!(manifest(json!([[32, 32]]), json!([[16, 8]])).is_err());
}

#[test]
fn a_part_of_a_wei_is_a_wei() {
    let manifest = parse(&embedding()).unwrap();
    // 17 bytes, the overhead included, at 100,000 wei a megabyte.
    assert_eq!(manifest.price(&manifest.default_body("a".to_owned()), U256::from(100_000)), U256::from(2));
}

#[test]
fn stake_is_at_risk_only_where_a_calibration_says_so() {
    let slashable = |alter: &dyn Fn(&mut Value)| {
        let mut manifest: Value = serde_json::from_str(TINY).unwrap();
        manifest["tolerance"] = json!({ "step": "0.00015", "floor": "0.02", "pixel": 2 });
        manifest["tolerance"]["calibrated"] = json!({ "requests": 8, "honest": "0.000015", "fake": "0.00045" });
        alter(&mut manifest);
        parse(&manifest).map(|manifest| manifest.slashable())
    };
    // Both margins are kept to the last digit.
    assert!(slashable(&|_| {}).unwrap());
    type Alter = fn(&mut Value);
    let not: [Alter; 7] = [
        |m| drop(m["tolerance"].as_object_mut().unwrap().remove("calibrated")),
        |m| m["precision"] = json!("fp16"),
        |m| m["precision"] = json!("int8"),
        |m| m["tolerance"]["step"] = json!("0.000151"),
        |m| m["tolerance"]["step"] = json!("0.000149"),
        |m| m["tolerance"]["calibrated"]["fake"] = json!("0.000449"),
        |m| m["tolerance"]["calibrated"]["requests"] = json!(0),
    ];
    for (index, alter) in not.iter().enumerate() {
        assert!(!slashable(alter).unwrap(), "{index}");
    }
    // A promise is no measurement.
    assert!(slashable(&|m| m["tolerance"]["calibrated"] = json!(true)).is_err());
    assert!(slashable(&|m| m["tolerance"]["slashable"] = json!(true)).is_err());
    // What a model without one hashes to does not change.
    let guess = parse(&embedding()).map(|mut manifest| {
        manifest.tolerance.calibrated = None;
        serde_json::to_string(&manifest).unwrap()
    });
    assert!(!guess.unwrap().contains("calibrated"));
}
