//! The models that this coordinator gives out work for.

use alloy::primitives::{B256, U256};
use anyhow::{Context, Result, ensure};
use cuckoo_protocol::{body::Kind, manifest::Manifest};
use std::{collections::BTreeMap, path::PathBuf};

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
    /// Reads `cuckoo.json` in each folder. The weights are only needed to give them to miners. A unit pays what `prices` has under the
    /// model's name, else `price`, in wei.
    ///
    /// # Errors
    /// A manifest that is missing or malformed, two of one name, or a price of none.
    pub fn load(folders: &[PathBuf], price: U256, prices: &BTreeMap<String, U256>) -> Result<Self> {
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
            let unit_price = prices.get(&manifest.name).copied().unwrap_or(price);
            models.push(Offered { model_id: manifest.model_id(), manifest, folder, unit_price });
        }
        let catalogue = Self(models);
        for name in prices.keys() {
            ensure!(
                catalogue.iter().any(|offered| offered.manifest.name == *name),
                "there is a price for {name:?}, which is not offered; models are: {}",
                catalogue.names()
            );
        }
        Ok(catalogue)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn each_model_has_its_price() {
        let folders = ["cuckoo-tiny", "cuckoo-icons"]
            .map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models").join(name));
        let [all, own] = [U256::from(2), U256::from(5)];
        let priced = |name: &str| Catalogue::load(&folders, all, &BTreeMap::from([(name.to_owned(), own)]));
        let prices = |catalogue: Catalogue| catalogue.iter().map(|offered| offered.unit_price).collect::<Vec<_>>();
        assert_eq!(prices(priced("cuckoo-icons").unwrap()), [all, own]);
        assert_eq!(prices(Catalogue::load(&folders, all, &BTreeMap::new()).unwrap()), [all, all]);
        let error = priced("cuckoo").unwrap_err().to_string();
        assert!(error.contains("\"cuckoo\"") && error.contains("cuckoo-tiny, cuckoo-icons"), "{error}");
    }
}
