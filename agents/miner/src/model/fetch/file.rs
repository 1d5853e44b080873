//! One file of a package, from wherever its transfer was interrupted.

use super::source::{FetchError, Source, disk, patience, unreachable, wrong};
use alloy::primitives::hex;
use cuckoo_protocol::manifest::FileEntry;
use indicatif::ProgressBar;
use reqwest::{StatusCode, header::CONTENT_RANGE};
use sha2::{Digest, Sha256};
use std::{io, path::Path};
use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};

/// Fetches `path` into the folder `part`, unless it is there. What is there of it already is only trusted if the whole is right:
/// else it is fetched anew, once.
pub(super) async fn fetch(
    source: &Source,
    part: &Path,
    path: &str,
    entry: &FileEntry,
    bar: &ProgressBar,
) -> Result<(), FetchError> {
    let before = bar.position();
    let target = part.join(path);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).await.map_err(disk(path))?;
    }
    let (mut file, resumed) = open(&target).await.map_err(disk(path))?;
    let outcome = continued(source, &mut file, path, entry, bar).await;
    let outcome = match outcome {
        Err(FetchError::Wrong { .. }) if resumed => {
            bar.set_position(before);
            file.set_len(0).await.map_err(disk(path))?;
            continued(source, &mut file, path, entry, bar).await
        }
        outcome => outcome,
    };
    if let Err(FetchError::Wrong { .. }) = &outcome {
        // Nothing to go on from: the next coordinator begins anew.
        file.set_len(0).await.map_err(disk(path))?;
    }
    bar.set_position(if outcome.is_ok() { before + entry.bytes } else { before });
    outcome
}

/// The file to write to, and whether some of it is there.
async fn open(target: &Path) -> io::Result<(File, bool)> {
    // A link would be followed to wherever it leads; only a file that an earlier run began is gone on with.
    match fs::symlink_metadata(target).await {
        Ok(found) if !found.is_file() => return Err(io::Error::other("there is something else than a file")),
        _ => {}
    }
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(target).await?;
    let resumed = file.metadata().await?.len() > 0;
    Ok((file, resumed))
}

async fn continued(
    source: &Source,
    file: &mut File,
    path: &str,
    entry: &FileEntry,
    bar: &ProgressBar,
) -> Result<(), FetchError> {
    let mut hasher = Sha256::new();
    let mut have = hash(file, &mut hasher).await.map_err(disk(path))?;
    if have > entry.bytes {
        return Err(wrong(path, "more bytes than the manifest lists"));
    }
    if have < entry.bytes {
        let mut response = source.get(path, have, patience(entry.bytes - have)).await?;
        if response.status() == StatusCode::OK {
            // It sends all of it, whatever was asked for.
            file.set_len(0).await.map_err(disk(path))?;
            file.rewind().await.map_err(disk(path))?;
            (have, hasher) = (0, Sha256::new());
        } else {
            let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !range.starts_with(&format!("bytes {have}-")) {
                return Err(wrong(path, "another range than the one that was asked for"));
            }
        }
        bar.inc(have);
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            have += chunk.len() as u64;
            if have > entry.bytes {
                return Err(wrong(path, "more bytes than the manifest lists"));
            }
            hasher.update(&chunk);
            file.write_all(&chunk).await.map_err(disk(path))?;
            bar.inc(chunk.len() as u64);
        }
        file.sync_all().await.map_err(disk(path))?;
    }
    if have < entry.bytes {
        return Err(FetchError::Unreachable(format!("{path} ended after {have} of {} bytes", entry.bytes)));
    }
    let found = hex::encode(hasher.finalize());
    if found == entry.sha256 {
        Ok(())
    } else {
        Err(wrong(path, format!("SHA-256 {found} instead of {}", entry.sha256)))
    }
}

/// Hashes what is in the file and leaves it at its end.
async fn hash(file: &mut File, hasher: &mut Sha256) -> io::Result<u64> {
    file.rewind().await?;
    let (mut buffer, mut have) = (vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut buffer).await? {
            0 => return Ok(have),
            count => {
                hasher.update(&buffer[..count]);
                have += count as u64;
            }
        }
    }
}
