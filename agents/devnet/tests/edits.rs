//! Pictures go into requests with the real programs: sent as OpenAI's clients do, committed to, worked on, audited, and still there after
//! a crash.

use anyhow::{Result, ensure};
use cuckoo_devnet::{
    anvil::Anvil,
    app::Picture,
    network::Network,
    plan::{MinerPlan, Plan},
    refusal::Refusal,
    site::Site,
    stock,
    toolchain::Toolchain,
    until,
};
use cuckoo_inference::{Device, Model, Output, Package, runtime};
use cuckoo_protocol::{
    body::{Body, StyleBody},
    request::Request,
    trace::{blob_root, output_hash},
};
use image::{ImageFormat, RgbaImage};
use reqwest::Method;
use serde_json::Value;
use std::{fs, io::Cursor, ops::ControlFlow, path::Path, time::Duration};

#[tokio::test]
async fn a_picture_is_drawn_anew_as_the_model_does_here() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let folder = stock::painter(&toolchain, "edits")?;
    let plan = Plan {
        model: folder.to_string_lossy().into_owned(),
        audit_rate: 1.0,
        miners: MinerPlan::unequal_three()[..1].to_vec(),
        ..Plan::private(&toolchain, "edits")?
    };
    let mut network = Network::up(plan).await?;
    let sent = stock::picture(200)?;
    let fields = |strength: &str| {
        let fields = [("prompt", "a red apple"), ("strength", strength), ("seed", "3"), ("n", "1"), ("size", "128x64")];
        fields.map(|(name, value)| (name, value.to_owned()))
    };

    let picture = network.app.edit(std::slice::from_ref(&sent), &fields("0.50")).await?;
    let (body, earned) = network.expectation.check_receipt(&picture.receipt)?;
    let Body::Image(asked) = &body else { anyhow::bail!("{body:?}") };
    let strength = asked.strength.as_ref().map(ToString::to_string);
    ensure!((asked.prompt.as_str(), asked.seed, strength.as_deref()) == ("a red apple", 3, Some("0.5")), "{asked:?}");
    ensure!(
        picture.receipt.result.message.states == 4 && !earned.price.is_zero(),
        "two of four steps, and the encoding"
    );
    let pixels = image::load_from_memory(&sent)?.to_rgb8().into_raw();
    ensure!(
        Request::decode(&picture.receipt.request)?.blob_root == blob_root(&pixels),
        "it commits to another picture"
    );
    signed(&picture)?;
    like_here(&toolchain, &folder, &body, &pixels, &picture)?;

    // Of another input another picture, of the same the same.
    let other = network.app.edit(&[stock::picture(10)?], &fields("0.5")).await?;
    ensure!(other.receipt.result.message.outputHash != picture.receipt.result.message.outputHash);
    let again = network.app.edit(std::slice::from_ref(&sent), &fields("0.5")).await?;
    ensure!(again.receipt.result.message.outputHash == picture.receipt.result.message.outputHash);
    for task in [&picture.receipt.task, &other.receipt.task] {
        passes_its_audit(&network, task).await?;
    }

    let hole = encoded(RgbaImage::from_pixel(128, 64, image::Rgba([9, 9, 9, 0])))?;
    let ask = |name: &'static str, value: &str| vec![("prompt", "x".to_owned()), (name, value.to_owned())];
    let words = || vec![("prompt", "x".to_owned())];
    for (what, pictures, fields, status, code, param) in [
        ("no picture", vec![], words(), 422, "impossible_request", Some("image")),
        ("two pictures", vec![sent.clone(); 2], ask("model", stock::NAME), 422, "impossible_request", Some("image")),
        ("no words", vec![sent.clone()], vec![], 422, "impossible_request", Some("prompt")),
        ("text for a picture", vec![b"a red apple".to_vec()], words(), 422, "impossible_request", Some("image")),
        ("half a picture", vec![sent[..sent.len() / 2].to_vec()], words(), 422, "impossible_request", Some("image")),
        ("a transparent picture", vec![hole], words(), 422, "impossible_request", Some("image")),
        ("another size", vec![stock::png([64, 64], 1)?], words(), 422, "impossible_request", Some("image")),
        ("a huge picture", vec![stock::png([5000, 1], 1)?], words(), 422, "impossible_request", Some("image")),
        ("a size that it has not", vec![sent.clone()], ask("size", "64x64"), 422, "impossible_request", Some("image")),
        ("no strength at all", vec![sent.clone()], ask("strength", "0"), 422, "impossible_request", Some("strength")),
        ("too much strength", vec![sent.clone()], ask("strength", "1.1"), 422, "impossible_request", Some("strength")),
        ("words for a strength", vec![sent.clone()], ask("strength", "much"), 400, "malformed", Some("strength")),
        ("half a step", vec![sent.clone()], ask("steps", "1.5"), 400, "malformed", Some("steps")),
        ("several", vec![sent.clone()], ask("n", "2"), 422, "impossible_request", Some("n")),
        (
            "a URL",
            vec![sent.clone()],
            ask("response_format", "url"),
            422,
            "impossible_request",
            Some("response_format"),
        ),
        ("an unknown field", vec![sent.clone()], ask("quality", "high"), 400, "malformed", None),
        ("a field twice", vec![sent.clone()], ask("prompt", "y"), 400, "malformed", Some("prompt")),
        ("a mask", vec![sent.clone()], ask("mask", "x"), 422, "impossible_request", Some("mask")),
        ("another model", vec![sent.clone()], ask("model", "dall-e-2"), 404, "model_not_found", Some("model")),
        ("more than 16 MiB", vec![vec![0; 16 << 20]], words(), 413, "too_large", Some("image")),
    ] {
        let refusal = Refusal::expect(what, network.app.edit(&pictures, &fields).await)?;
        let found = refusal.detail.param.clone();
        ensure!(found.as_deref() == param, "{what} blames {found:?}: {refusal}");
        refusal.is(status, code).map_err(|error| error.context(what))?;
    }
    let (status, answer) = network.app.call(Method::POST, "/v1/images/edits", Some(b"{}".to_vec())).await?;
    Refusal::expect("JSON", Err::<(), _>(Refusal::read(status, &answer)))?.is(400, "malformed")?;

    outlives_a_crash(&mut network, &sent).await?;
    network.check()?;
    network.stop().await
}

#[tokio::test]
async fn a_picture_gets_the_manner_of_another() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let plan = Plan {
        model: "magenta-style".to_owned(),
        audit_rate: 1.0,
        miners: MinerPlan::unequal_three()[..1].to_vec(),
        ..Plan::private(&toolchain, "style")?
    };
    let folder = toolchain.model(&plan.model)?;
    let mut network = Network::up(plan).await?;
    let (content, style) = (stock::png([384, 384], 20)?, stock::png([256, 256], 230)?);
    let empty = [("prompt", String::new())];

    let picture = network.app.edit(&[content.clone(), style.clone()], &empty).await?;
    let (body, _) = network.expectation.check_receipt(&picture.receipt)?;
    ensure!(body == StyleBody { width: 384, height: 384, style_width: 256, style_height: 256 }.into(), "{body:?}");
    let rgb = |png: &[u8]| anyhow::Ok(image::load_from_memory(png)?.to_rgb8().into_raw());
    let pixels = [rgb(&content)?, rgb(&style)?].concat();
    ensure!(Request::decode(&picture.receipt.request)?.blob_root == blob_root(&pixels));
    signed(&picture)?;
    like_here(&toolchain, &folder, &body, &pixels, &picture)?;
    passes_its_audit(&network, &picture.receipt.task).await?;

    for (what, pictures, fields, param) in [
        ("one picture", vec![content.clone()], vec![("model", "magenta-style".to_owned())], "image"),
        ("the wrong order", vec![style.clone(), content.clone()], vec![], "image"),
        ("a prompt", vec![content.clone(), style.clone()], vec![("prompt", "a cat".to_owned())], "prompt"),
        ("a strength", vec![content, style], vec![("strength", "0.5".to_owned())], "strength"),
    ] {
        let refusal =
            Refusal::expect(what, network.app.edit(&pictures, &fields).await)?.is(422, "impossible_request")?;
        ensure!(refusal.detail.param.as_deref() == Some(param), "{what}: {refusal}");
    }
    network.check()?;
    network.stop().await
}

/// The picture is the one that the miner signed.
fn signed(picture: &Picture) -> Result<()> {
    let drawn = image::load_from_memory(&picture.png)?.to_rgb8();
    let hash = output_hash(drawn.width(), drawn.height(), drawn.as_raw());
    ensure!(hash == Some(picture.receipt.result.message.outputHash), "not what the miner signed");
    Ok(())
}

/// The picture is the one that the model makes without any network, but for rounding.
fn like_here(toolchain: &Toolchain, folder: &Path, body: &Body, blob: &[u8], picture: &Picture) -> Result<()> {
    runtime::init(Some(&toolchain.onnxruntime))?;
    let mut model = Model::load(&Package::open(folder)?, &Device::Cpu { threads: 1 })?;
    let generation = model.generate(body, blob, &mut |_, _| ControlFlow::Continue(()))?;
    let Output::Image(here) = generation.output else { anyhow::bail!("no picture") };
    let there = image::load_from_memory(&picture.png)?.to_rgb8().into_raw();
    ensure!(here.rgb.len() == there.len());
    let off = here.rgb.iter().zip(&there).map(|(a, b)| a.abs_diff(*b)).max();
    ensure!(off.is_some_and(|off| off <= 1), "it is off by {off:?}");
    Ok(())
}

async fn passes_its_audit(network: &Network, task: &str) -> Result<()> {
    until("the audit to pass", Duration::from_secs(30), async || {
        let (_, answer) = network.app.call(Method::GET, &format!("/v1/tasks/{task}"), None).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let state = answer["audit"].as_str().map(ToOwned::to_owned);
        ensure!(state.as_deref().is_none_or(|state| ["asked", "opened", "passed"].contains(&state)), "{answer}");
        Ok((state.as_deref() == Some("passed")).then_some(()))
    })
    .await
}

/// A coordinator that is killed with a picture in its queue has it worked on afterwards.
async fn outlives_a_crash(network: &mut Network, sent: &[u8]) -> Result<()> {
    network.miners[0].kill();
    let waiting = tokio::spawn({
        let (app, sent) = (network.app.clone(), sent.to_vec());
        async move { app.edit(&[sent], &[("prompt", "kept".to_owned())]).await }
    });
    let blobs = network.coordinator_flags().data.join("blobs");
    let kept = || anyhow::Ok(fs::read_dir(&blobs)?.count());
    let queued = until("the task to be stored", Duration::from_secs(30), async || {
        let (_, answer) = network.app.call(Method::GET, "/v1/network", None).await?;
        let view: Value = serde_json::from_slice(&answer)?;
        Ok(view["tasks"]["queued"].as_u64().filter(|queued| *queued > 0))
    });
    queued.await?;
    ensure!(kept()? == 2, "one file for each picture, however often it is sent");
    let done_before = done(network).await?;
    network.coordinator.kill();
    ensure!(waiting.await?.is_err(), "nobody was there to answer");
    network.restart_coordinator().await?;
    network.miners[0] = network.site.start_miner(&network.crew.miners[0])?;
    until("the task to be done", Duration::from_secs(60), async || {
        Ok((done(network).await? == done_before + 1).then_some(()))
    })
    .await
}

async fn done(network: &Network) -> Result<u64> {
    let (_, answer) = network.app.call(Method::GET, "/v1/network", None).await?;
    Ok(serde_json::from_slice::<Value>(&answer)?["tasks"]["done"].as_u64().unwrap_or_default())
}

fn encoded(picture: RgbaImage) -> Result<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png)?;
    Ok(file.into_inner())
}

#[tokio::test]
async fn pictures_that_nobody_would_check_are_refused() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let folder = stock::painter(&toolchain, "unchecked")?;
    let plan = Plan {
        model: folder.to_string_lossy().into_owned(),
        miners: MinerPlan::unequal_three()[..1].to_vec(),
        ..Plan::private(&toolchain, "unchecked")?
    };
    let lock = plan.prepare(&toolchain)?;
    let anvil = Anvil::start(&toolchain, &plan.folder, plan.rpc_port).await?;
    let site = Site::deploy(plan, toolchain, anvil, lock).await?;
    let crew = site.enrol().await?;
    let network = Network::start_without_model(site, crew).await?;
    let fields = [("prompt", "a red apple".to_owned()), ("strength", "0.5".to_owned()), ("size", "128x64".to_owned())];
    let refused = network.app.edit(&[stock::picture(200)?], &fields).await;
    Refusal::expect("a picture", refused)?.is(422, "unchecked")?;
    network.stop().await
}
