//! Encrypted keystores and their passwords, in files, as operators' machines hold them.

use crate::{agent::Program, process};
use alloy::{
    primitives::{Address, hex},
    signers::{k256::elliptic_curve::rand_core::OsRng, local::PrivateKeySigner},
};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// A key on disk.
#[derive(Clone, Debug)]
pub struct Keystore {
    /// Ethereum V3 keystore.
    pub file: PathBuf,
    /// Its password.
    pub password_file: PathBuf,
    /// The key's address.
    pub address: Address,
}

/// What `key new` prints.
#[derive(Deserialize)]
struct NewKey {
    address: Address,
}

impl Keystore {
    /// A new random key, made by an agent's `key new`.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn create(program: &Program, folder: &Path, name: &str) -> Result<Self> {
        let (file, password_file) = (folder.join(format!("{name}.json")), write_password(folder, name)?);
        let mut command = program.command(&["key", "new"]);
        command.arg("--keystore").arg(&file).arg("--password-file").arg(&password_file);
        let output = process::run(&format!("{} key new", program.name), command, Duration::from_secs(60)).await?;
        let key: NewKey = serde_json::from_slice(&output.stdout).context("`key new` printed no {\"address\"}")?;
        Ok(Self { file, password_file, address: key.address })
    }

    /// A key that is known already.
    ///
    /// # Errors
    /// If the files cannot be written.
    pub fn encrypt(key: &PrivateKeySigner, folder: &Path, name: &str) -> Result<Self> {
        let (file_name, password_file) = (format!("{name}.json"), write_password(folder, name)?);
        let password = fs::read_to_string(&password_file)?;
        PrivateKeySigner::encrypt_keystore(folder, &mut OsRng, key.to_bytes(), password, Some(&file_name))?;
        Ok(Self { file: folder.join(file_name), password_file, address: key.address() })
    }

    /// The key.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn decrypt(&self) -> Result<PrivateKeySigner> {
        let password = fs::read_to_string(&self.password_file)?;
        Ok(PrivateKeySigner::decrypt_keystore(&self.file, password)?)
    }
}

fn write_password(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(format!("{name}.password"));
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
    file.with_context(|| format!("cannot write {}", path.display()))?
        .write_all(hex::encode(rand::random::<[u8; 16]>()).as_bytes())?;
    Ok(path)
}
