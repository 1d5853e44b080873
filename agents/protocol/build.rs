//! Joins the Solidity interfaces into one `sol!` block, so that the Rust bindings and EIP-712 types are the contracts' own.
//!
//! `sol!` reads one file at a time and ignores imports, while the interfaces share the types of `Messages.sol`; hence the join.

use std::{env, fs, path::Path};

const SOURCES: [&str; 10] = [
    "Messages.sol",
    "IStaking.sol",
    "IRegistry.sol",
    "IPayments.sol",
    "IMiningRewards.sol",
    "IDisputes.sol",
    "IRandomness.sol",
    "ILens.sol",
    "IFaucet.sol",
    "ICAI.sol",
];

fn main() {
    let interfaces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/interfaces");
    let mut joined =
        String::from("alloy::sol! {\n#![sol(all_derives, extra_derives(serde::Serialize, serde::Deserialize))]\n");
    for name in SOURCES {
        let path = interfaces.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        let source =
            fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read the interface {}: {e}", path.display()));
        for line in source.lines() {
            let code = line.trim_start();
            if code.starts_with("pragma ") || code.starts_with("import ") {
                continue;
            }
            if code.starts_with("interface ") {
                joined.push_str("#[sol(rpc)]\n");
            }
            joined.push_str(line);
            joined.push('\n');
        }
    }
    joined.push_str("}\n");
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("contracts.rs");
    fs::write(out, joined).expect("OUT_DIR can be written");
}
