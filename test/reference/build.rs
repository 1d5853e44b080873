//! Joins the interfaces that the agents' bindings leave out into one `sol!` block: `sol!` reads one file and ignores its imports.

use std::{env, fs, path::Path};

const SOURCES: [&str; 2] = ["Messages.sol", "IDisputes.sol"];

fn main() {
    let interfaces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/interfaces");
    let mut joined = String::from("alloy::sol! {\n#![sol(all_derives)]\n");
    for name in SOURCES {
        let path = interfaces.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        let source =
            fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read the interface {}: {e}", path.display()));
        let code = source.lines().filter(|line| !line.starts_with("pragma ") && !line.starts_with("import "));
        code.for_each(|line| {
            joined.push_str(line);
            joined.push('\n');
        });
    }
    joined.push_str("}\n");
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("disputes.rs");
    fs::write(out, joined).expect("OUT_DIR can be written");
}
