//! What the Solidity compiler made.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use alloy::primitives::{Bytes, hex};
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Names of the contracts that are deployed.
pub const NAMES: [&str; 7] =
    ["CAI", "Staking", "Registry", "Payments", "MiningRewards", "BlockHashRandomness", "Disputes"];

/// Creation code by contract.
#[derive(Clone, Debug)]
pub struct Artefacts(BTreeMap<&'static str, Bytes>);

impl Artefacts {
    /// Reads Foundry's folder of artefacts: that of this repository, or the one that `FOUNDRY_OUT` names.
    ///
    /// # Errors
    /// If it is not there or is no such folder.
    pub fn read() -> Result<Self> {
        let out = env::var_os("FOUNDRY_OUT")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../out"), PathBuf::from);
        Self::read_from(&out)
    }

    /// Reads a folder of artefacts.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_from(out: &Path) -> Result<Self> {
        let read = |name: &'static str| -> Result<(&'static str, Bytes)> {
            let path = out.join(format!("{name}.sol/{name}.json"));
            let text = fs::read_to_string(&path).with_context(|| {
                format!(
                    "cannot read {}: build the contracts first, with `forge build` (`make build` does)",
                    path.display()
                )
            })?;
            let artefact: Value =
                serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
            let Some(code) = artefact.pointer("/bytecode/object").and_then(Value::as_str) else {
                bail!("{} holds no bytecode", path.display());
            };
            // A library that is not linked leaves a placeholder, which is no hex.
            let code = hex::decode(code).with_context(|| format!("the bytecode in {} is no hex", path.display()))?;
            Ok((name, code.into()))
        };
        Ok(Self(NAMES.into_iter().map(read).collect::<Result<_>>()?))
    }

    /// Creation code of a contract with its constructor's arguments.
    pub(super) fn creation(&self, name: &str, arguments: &[u8]) -> Bytes {
        let code = self.0.get(name).cloned().unwrap_or_default();
        [code.as_ref(), arguments].concat().into()
    }
}
