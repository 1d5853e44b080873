//! Encrypted keys (Ethereum V3 keystores) and their passwords.

use alloy::{
    primitives::Address,
    signers::{
        k256::elliptic_curve::rand_core::OsRng,
        local::{LocalSignerError, PrivateKeySigner},
    },
};
use serde::Deserialize;
use std::{
    fs::OpenOptions,
    io::ErrorKind,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Holds the password when no file is given.
pub const PASSWORD_VARIABLE: &str = "CUCKOO_PASSWORD";

/// Why a key could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// A file that cannot be read or written.
    #[error("{action} {path}: {source}")]
    Io {
        /// Such as "cannot read the keystore".
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a keystore.
    #[error("{path} is no Ethereum V3 keystore ({detail}): `key new` makes one")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The keystore does not open.
    #[error("the password does not open the keystore {0}")]
    WrongPassword(PathBuf),
    /// Keys are not overwritten: what they own would be lost.
    #[error("{0} exists already: keys are never overwritten, choose another path")]
    Exists(PathBuf),
    /// No password at all, or an empty one.
    #[error("no password: write it into a file and pass --password-file, or set {PASSWORD_VARIABLE}")]
    NoPassword,
}

/// The parts of a keystore on which decryption relies without looking.
#[derive(Deserialize)]
struct Keystore {
    crypto: Crypto,
}

#[derive(Deserialize)]
struct Crypto {
    cipherparams: CipherParams,
    kdfparams: KdfParams,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Deserialize)]
struct KdfParams {
    dklen: u64,
}

/// Decrypts a keystore. Slow on purpose (tenths of a second), as the key derivation wants it.
///
/// # Errors
/// [`KeystoreError`].
pub fn load(path: &Path, password: &str) -> Result<PrivateKeySigner, KeystoreError> {
    let malformed = |detail: &str| KeystoreError::Malformed { path: path.to_owned(), detail: detail.to_owned() };
    let text = std::fs::read_to_string(path).map_err(|source| KeystoreError::Io {
        action: "cannot read the keystore",
        path: path.to_owned(),
        source,
    })?;
    // The decryption indexes into the derived key and the vector without looking at their length.
    let keystore: Keystore = serde_json::from_str(&text).map_err(|e| malformed(&e.to_string()))?;
    if keystore.crypto.kdfparams.dklen != 32 || keystore.crypto.cipherparams.iv.trim_start_matches("0x").len() != 32 {
        return Err(malformed("want a derived key of 32 bytes and a vector of 16"));
    }
    PrivateKeySigner::decrypt_keystore(path, password).map_err(|e| match e {
        LocalSignerError::EthKeystoreError(e) if e.to_string().contains("Mac") => {
            KeystoreError::WrongPassword(path.to_owned())
        }
        e => malformed(&e.to_string()),
    })
}

/// Makes a new key and stores it encrypted, readable by its owner only. Never overwrites a file.
///
/// # Errors
/// [`KeystoreError`].
pub fn create(path: &Path, password: &str) -> Result<Address, KeystoreError> {
    let failed = |source| KeystoreError::Io { action: "cannot write the keystore", path: path.to_owned(), source };
    if password.is_empty() {
        return Err(KeystoreError::NoPassword);
    }
    let (Some(name), Some(directory)) = (path.file_name().and_then(|name| name.to_str()), path.parent()) else {
        return Err(failed(ErrorKind::InvalidFilename.into()));
    };
    // Claimed first, with the right mode and only if nobody has it: the keystore library would create it for all to read.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => KeystoreError::Exists(path.to_owned()),
        _ => failed(e),
    })?;
    let stored = PrivateKeySigner::new_keystore(directory, &mut OsRng, password, Some(name));
    let stored = stored.map_err(|e| failed(std::io::Error::other(e))).and_then(|(signer, _)| {
        file.sync_all().map_err(failed)?;
        Ok(signer.address())
    });
    if stored.is_err() {
        // Best effort: an empty file in the way would only confuse the next attempt.
        let _ = std::fs::remove_file(path);
    }
    stored
}

/// The password in `file` (without the newline at its end), else that in the environment variable `CUCKOO_PASSWORD`.
///
/// # Errors
/// [`KeystoreError`] if there is none.
pub fn read_password(file: Option<&Path>) -> Result<Zeroizing<String>, KeystoreError> {
    let password = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|source| KeystoreError::Io {
                action: "cannot read the password file",
                path: path.to_owned(),
                source,
            })?;
            Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        None => Zeroizing::new(std::env::var(PASSWORD_VARIABLE).unwrap_or_default()),
    };
    if password.is_empty() { Err(KeystoreError::NoPassword) } else { Ok(password) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_with_its_password_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.json");
        let address = create(&path, "correct horse").unwrap();
        assert_eq!(load(&path, "correct horse").unwrap().address(), address);
        assert!(matches!(load(&path, "wrong"), Err(KeystoreError::WrongPassword(_))));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }

        let before = std::fs::read(&path).unwrap();
        assert!(matches!(create(&path, "correct horse"), Err(KeystoreError::Exists(_))));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_bad_file_is_an_error_and_no_panic() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.json");
        assert!(matches!(load(&path, "x"), Err(KeystoreError::Io { .. })));
        create(&path, "x").unwrap();
        let mut keystore: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        keystore["crypto"]["kdfparams"]["dklen"] = 16.into();
        for text in ["".to_owned(), "{}".to_owned(), keystore.to_string()] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(load(&path, "x"), Err(KeystoreError::Malformed { .. })));
        }
        assert!(matches!(create(&directory.path().join("a/b.json"), "x"), Err(KeystoreError::Io { .. })));
        assert!(matches!(create(&directory.path().join("empty.json"), ""), Err(KeystoreError::NoPassword)));
    }

    #[test]
    fn the_password_file_wins_and_its_newline_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, " pass word \r\n").unwrap();
        assert_eq!(read_password(Some(&path)).unwrap().as_str(), " pass word ");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(read_password(Some(&path)), Err(KeystoreError::NoPassword)));
        assert!(matches!(read_password(Some(&directory.path().join("none"))), Err(KeystoreError::Io { .. })));
    }
}
