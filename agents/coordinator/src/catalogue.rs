//! The models that this coordinator gives out work for.

use alloy::primitives::{B256, U256};
use anyhow::{Context, Result, ensure};
use cuckoo_protocol::{body::Kind, manifest::Manifest};
use std::path::PathBuf;

/// A model and what it pays.
#[derive(Clone, Debug)]
pub struct Offered {
    /// keccak256 of the manifest.
    pub model_id: B256,
    /// Of the model's package.
    pub manifest: Manifest,
    /// The package's folder, without symbolic links.
    pub folder: PathBuf,
    /// Wei a pricing unit.
    pub unit_price: U256,
}

/// All of them; the first of a kind is that kind's default.
#[derive(Clone, Debug)]
pub struct Catalogue(Vec<Offered>);

impl Catalogue {
    /// Reads `cuckoo.json` in each folder. The weights are only needed to give them to miners.
    ///
    /// # Errors
    /// A manifest that is missing or malformed, or two of one name.
    pub fn load(folders: &[PathBuf], unit_price: U256) -> Result<Self> {
        let mut models: Vec<Offered> = Vec::new();
        for folder in folders {
            let path = folder.join("cuckoo.json");
            let json = std::fs::read(&path).with_context(|| {
                format!("cannot read {}: --model wants the folder of a model package", path.display())
            })?;
            let manifest = Manifest::parse(&json).with_context(|| path.display().to_string())?;
            ensure!(
                models.iter().all(|model| model.manifest.name != manifest.name),
                "{} is another model named {}: apps could not tell them apart",
                path.display(),
                manifest.name
            );
            let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
            models.push(Offered { model_id: manifest.model_id(), manifest, folder, unit_price });
        }
        Ok(Self(models))
    }

    /// By the name that apps send, or the modelId in hex; for none the first that makes what is asked for.
    pub fn find(&self, model: Option<&str>, kind: Kind) -> Option<&Offered> {
        match model {
            None => self.0.iter().find(|offered| offered.manifest.kind() == kind),
            Some(text) => {
                self.0.iter().find(|offered| offered.manifest.name == text || offered.model_id.to_string() == text)
            }
        }
    }

    /// By its modelId.
    pub fn get(&self, model_id: B256) -> Option<&Offered> {
        self.0.iter().find(|offered| offered.model_id == model_id)
    }

    /// All.
    pub fn iter(&self) -> impl Iterator<Item = &Offered> {
        self.0.iter()
    }

    /// Their names, for messages.
    pub fn names(&self) -> String {
        self.0.iter().map(|offered| offered.manifest.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}
