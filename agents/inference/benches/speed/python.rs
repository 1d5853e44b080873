//! The same picture from Python, in a process that waits for its turn.

use anyhow::{Context, Result, ensure};
use cuckoo_inference::{Package, State, Tokenizer};
use cuckoo_protocol::body::ImageBody;
use serde::Deserialize;
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// `tools/bench-onnxruntime`, running.
pub struct Python {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    request: String,
}

#[derive(Deserialize)]
struct Answer {
    seconds: f64,
    rgb: Vec<u8>,
}

impl Python {
    /// Starts it with the package, for one request from the state `first`.
    pub fn start(python: &Path, package: &Package, threads: usize, body: &ImageBody, first: &State) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/bench-onnxruntime");
        let mut child = Command::new(python)
            .arg(script)
            .arg(package.dir())
            .arg(threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start: see `make bench`", python.display()))?;
        let tokenizer = Tokenizer::load(package, "tokenizer")?;
        let request = json!({
            "tokens": [tokenizer.encode(&body.negative_prompt)?, tokenizer.encode(&body.prompt)?],
            "latents": first.tensors()[0],
            "shape": package.manifest().state[0].shape,
            "steps": body.steps,
            "guidance": body.guidance.to_f32(),
        });
        let requests = child.stdin.take().context("no stdin")?;
        let answers = BufReader::new(child.stdout.take().context("no stdout")?);
        Ok(Self { child, requests, answers, request: request.to_string() })
    }

    /// Draws the picture: the seconds that it took there, and its bytes.
    pub fn draw(&mut self) -> Result<(f64, Vec<u8>)> {
        writeln!(self.requests, "{}", self.request)?;
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "Python ended");
        let Answer { seconds, rgb } = serde_json::from_str(&line)?;
        Ok((seconds, rgb))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
