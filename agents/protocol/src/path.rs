//! Names of files inside a model package.

/// Whether `path` names a file inside the package, in the one spelling there is: `a//b` would let a file be listed twice, `..` leads
/// out, and so do `\` and `:` on Windows. An absolute path begins with an empty part.
pub fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(['\\', ':', '\0'])
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn plain_names_lead_nowhere_else() {
        for plain in ["cuckoo.json", "unet/model.onnx", "a/b/c.d", "..a/b..", "é/文"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["", "/", "/etc/passwd", "a//b", "a/", "./a", "a/.", "..", "a/../b", "C:/a", "a\\b", "a\0"] {
            assert!(!is_plain(other), "{other:?}");
        }
    }
}
