//! Packages fetched from the coordinator's own routes, and from servers that mean harm.

use alloy::primitives::{B256, U256};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use cuckoo_coordinator::{catalogue::Catalogue, link::package};
use cuckoo_inference::Package;
use cuckoo_miner::model::fetch::fetch;
use cuckoo_protocol::manifest::Manifest;
use futures::stream;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use url::Url;

const UNET: &str = "unet/model.onnx";
const LIMIT: u64 = 1 << 30;

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/cuckoo-tiny").canonicalize().unwrap()
}

fn tiny_id() -> B256 {
    Manifest::parse(&fs::read(tiny().join("cuckoo.json")).unwrap()).unwrap().model_id()
}

async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Paths that were asked for, with the range.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// The coordinator's routes for a package, noting what is asked for.
async fn coordinator(folder: &Path) -> (Url, Seen) {
    let (seen, catalogue) =
        (Seen::default(), Catalogue::load(&[folder.to_owned()], U256::ZERO, &BTreeMap::new()).unwrap());
    let noted = seen.clone();
    let note = middleware::from_fn(move |request: Request, next: Next| {
        let range = request.headers().get(header::RANGE).map(|value| value.to_str().unwrap().to_owned());
        noted.lock().unwrap().push((request.uri().path().to_owned(), range.unwrap_or_default()));
        next.run(request)
    });
    (serve(package::router(catalogue).layer(note)).await, seen)
}

/// Answers for a file as `answer` says, for all others as the repository's package has them.
async fn rogue(manifest: Value, file: &'static str, answer: fn() -> Response) -> Url {
    let manifest = manifest.to_string();
    serve(Router::new().route(
        "/link/v1/models/{id}/{*path}",
        get(move |axum::extract::Path((_, path)): axum::extract::Path<(String, String)>| async move {
            if path == file {
                answer()
            } else if path == "cuckoo.json" {
                manifest.into_response()
            } else {
                fs::read(tiny().join(path)).unwrap_or_default().into_response()
            }
        }),
    ))
    .await
}

fn manifest(alter: impl FnOnce(&mut Value)) -> (Value, B256) {
    let mut manifest: Value = serde_json::from_slice(&fs::read(tiny().join("cuckoo.json")).unwrap()).unwrap();
    alter(&mut manifest);
    let id = Manifest::parse(manifest.to_string().as_bytes()).unwrap().model_id();
    (manifest, id)
}

/// Everything below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_package_arrives_whole_and_only_once() {
    let (url, _) = coordinator(&tiny()).await;
    let home = TempDir::new().unwrap();
    let to = home.path().join("tiny");
    let manifest = fetch(tiny_id(), std::slice::from_ref(&url), &to, LIMIT).await.unwrap();
    let package = Package::open(&to).unwrap();
    assert_eq!((package.model_id(), package.manifest()), (tiny_id(), &manifest));
    for path in manifest.files.keys() {
        assert_eq!(fs::read(to.join(path)).unwrap(), fs::read(tiny().join(path)).unwrap(), "{path}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left beside it");
    let error = fetch(tiny_id(), &[url], &to, LIMIT).await.unwrap_err().to_string();
    assert!(error.contains("exists"), "{error}");
}

#[tokio::test]
async fn what_arrived_before_is_not_fetched_again() {
    let (url, seen) = coordinator(&tiny()).await;
    let home = TempDir::new().unwrap();
    let (to, part) = (home.path().join("tiny"), home.path().join("tiny.part"));
    let unet = fs::read(tiny().join(UNET)).unwrap();
    for path in [UNET, "vae_decoder/model.onnx"] {
        fs::create_dir_all(part.join(path).parent().unwrap()).unwrap();
    }
    fs::write(part.join(UNET), &unet[..1_000_000]).unwrap();
    fs::copy(tiny().join("vae_decoder/model.onnx"), part.join("vae_decoder/model.onnx")).unwrap();
    fetch(tiny_id(), &[url], &to, LIMIT).await.unwrap();
    let ranges = |path: &str| -> Vec<String> {
        seen.lock().unwrap().iter().filter(|(asked, _)| asked.ends_with(path)).map(|(_, range)| range.clone()).collect()
    };
    assert_eq!(ranges(UNET), ["bytes=1000000-"]);
    assert!(ranges("vae_decoder/model.onnx").is_empty());
    assert_eq!(ranges("text_encoder/model.onnx"), [""]);

    // What arrived was wrong: found out at the end, and begun anew.
    fs::remove_dir_all(&to).unwrap();
    fs::create_dir_all(part.join("unet")).unwrap();
    fs::write(part.join(UNET), vec![7; 1_000_000]).unwrap();
    seen.lock().unwrap().clear();
    let (url, seen) = coordinator(&tiny()).await;
    fetch(tiny_id(), &[url], &to, LIMIT).await.unwrap();
    let asked = seen.lock().unwrap().iter().filter(|(path, _)| path.ends_with(UNET)).count();
    assert_eq!(asked, 2);
    assert_eq!(fs::read(to.join(UNET)).unwrap(), unet);
}

#[tokio::test]
async fn servers_that_mean_harm_are_passed_over() {
    let (honest, _) = coordinator(&tiny()).await;
    let same = || manifest(|_| {}).0;
    let endless: fn() -> Response = || {
        let chunk = Ok::<_, std::io::Error>(Bytes::from_static(&[0; 65536]));
        Body::from_stream(stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.as_ref().unwrap().clone())))
            .into_response()
    };
    let (other, other_id) = manifest(|manifest| manifest["name"] = json!("other"));
    let moved: fn() -> Response =
        || (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "http://127.0.0.1:1/")]).into_response();
    let elsewhere: fn() -> Response = || {
        let range = [(header::CONTENT_RANGE, "bytes 7-9/10")];
        (StatusCode::PARTIAL_CONTENT, range, fs::read(tiny().join(UNET)).unwrap()).into_response()
    };
    let cases = [
        (rogue(same(), UNET, || vec![1_u8; 2_230_004].into_response()).await, "SHA-256"),
        (rogue(same(), UNET, || vec![1_u8; 100].into_response()).await, "ended after 100"),
        (rogue(same(), UNET, endless).await, "more bytes"),
        (rogue(same(), UNET, elsewhere).await, "another range"),
        (rogue(same(), UNET, moved).await, "307"),
        (rogue(same(), UNET, || StatusCode::NOT_FOUND.into_response()).await, "404"),
        (rogue(same(), "cuckoo.json", endless).await, "1048576"),
        (rogue(same(), "cuckoo.json", || "no manifest".into_response()).await, "malformed"),
        (rogue(other, "", || StatusCode::OK.into_response()).await, &other_id.to_string()),
        ("http://127.0.0.1:1/".parse().unwrap(), "no answer"),
    ];
    for (url, expected) in cases {
        let home = TempDir::new().unwrap();
        let to = home.path().join("tiny");
        let error = fetch(tiny_id(), std::slice::from_ref(&url), &to, LIMIT).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(url.as_str()), "{expected}: {error}");
        assert!(!to.exists(), "{expected}");
        let kept = fs::metadata(home.path().join("tiny.part").join(UNET)).map_or(0, |found| found.len());
        assert!(kept <= 2_230_004, "{expected}: {kept} bytes are kept");
        // The next one is asked, and goes on from what is there.
        fetch(tiny_id(), &[url, honest.clone()], &to, LIMIT).await.unwrap();
        assert_eq!(Package::open(&to).unwrap().model_id(), tiny_id(), "{expected}");
    }
}

#[tokio::test]
async fn manifests_that_mean_harm_are_refused_before_anything_is_written() {
    let home = TempDir::new().unwrap();
    let to = home.path().join("deep/in/tiny");
    let entry = json!({ "bytes": 5, "sha256": "0".repeat(64) });
    let path = |path: &'static str| {
        let entry = entry.clone();
        move |manifest: &mut Value| manifest["files"][path] = entry
    };
    let many = |manifest: &mut Value| {
        (0..10_001).for_each(|n| manifest["files"][n.to_string()] = json!({ "bytes": 0, "sha256": "" }));
    };
    let cases: [((Value, B256), &str); 8] = [
        (manifest(path("../outside")), "inside the package"),
        (manifest(path("/etc/cuckoo")), "inside the package"),
        (manifest(path("unet/../../outside")), "inside the package"),
        (manifest(path("cuckoo.json")), "inside the package"),
        (manifest(many), " files; 10000"),
        (manifest(|manifest| manifest["files"]["x"] = json!({ "bytes": u64::MAX, "sha256": "" })), "--limit-gib"),
        (manifest(|manifest| manifest["program"] = json!("diffusion/video")), "diffusion/video"),
        (manifest(|manifest| manifest["precision"] = json!("bf16")), "bf16"),
    ];
    for ((manifest, id), expected) in cases {
        let url = rogue(manifest, "", || StatusCode::OK.into_response()).await;
        let error = fetch(id, &[url], &to, LIMIT).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert_eq!(below(home.path()), Vec::<PathBuf>::new(), "{expected}");
    }
}

#[tokio::test]
async fn a_coordinator_gives_what_the_manifest_lists_and_nothing_else() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("package");
    for path in below(&tiny()) {
        let target = folder.join(path.strip_prefix(tiny()).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
    fs::write(home.path().join("secret"), "secret").unwrap();
    fs::write(folder.join("unlisted"), "unlisted").unwrap();
    fs::remove_file(folder.join("tokenizer/merges.txt")).unwrap();
    symlink("../../secret", folder.join("tokenizer/merges.txt")).unwrap();
    let (url, _) = coordinator(&folder).await;
    let ask = async |path: &str| {
        let url = format!("{url}link/v1/models/{path}");
        let response = reqwest::get(url).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let id = tiny_id();
    assert_eq!(ask(&format!("{id}/model_index.json")).await.0, 200);
    assert_eq!(ask(&format!("{id}/cuckoo.json")).await.0, 200);
    for path in [
        format!("{id}/unlisted"),
        format!("{id}/tokenizer/merges.txt"),
        format!("{id}/..%2fsecret"),
        format!("{id}/unet/..%2f..%2fsecret"),
        format!("{id}/%2fetc/passwd"),
        format!("{id}/unet"),
        format!("{}/cuckoo.json", B256::ZERO),
        "tiny/cuckoo.json".into(),
    ] {
        let (status, text) = ask(&path).await;
        assert_eq!(status, 404, "{path}: {text}");
        assert!(!text.contains("secret") && text.contains("not_found"), "{path}: {text}");
    }
}
