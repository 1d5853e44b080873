//! The EIP-712 hashes of every message equal those of the contracts: both sides check `test/vectors/messages.json`.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::local::PrivateKeySigner,
    sol_types::SolStruct,
};
use cuckoo_protocol::{
    contracts::{Login, NodeConsent, Offer, Result as TaskResult, Session, Voucher},
    message::{Domain, Signed},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fs, str::FromStr};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vectors {
    domain: DomainFields,
    domain_separator: B256,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DomainFields {
    chain_id: u64,
    verifying_contract: Address,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    r#type: String,
    type_hash: B256,
    fields: Map<String, Value>,
    struct_hash: B256,
    digest: B256,
    private_key: String,
    signer: Address,
    signature: Bytes,
}

#[test]
fn every_message_hashes_and_signs_as_in_solidity() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/vectors/messages.json");
    let vectors: Vectors = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let domain = Domain::new(vectors.domain.chain_id, vectors.domain.verifying_contract);
    assert_eq!(domain.separator(), vectors.domain_separator);

    let mut seen = BTreeSet::new();
    for vector in &vectors.vectors {
        match vector.r#type.as_str() {
            "Offer" => check::<Offer>(&domain, vector),
            "Result" => check::<TaskResult>(&domain, vector),
            "Voucher" => check::<Voucher>(&domain, vector),
            "NodeConsent" => check::<NodeConsent>(&domain, vector),
            "Login" => check::<Login>(&domain, vector),
            "Session" => check::<Session>(&domain, vector),
            other => panic!("{other} is no message of this crate"),
        }
        seen.insert(vector.r#type.as_str());
    }
    assert_eq!(seen.len(), 6, "every message has a vector");
}

fn check<M: SolStruct + DeserializeOwned + PartialEq + std::fmt::Debug>(domain: &Domain, vector: &Vector) {
    let message: M = serde_json::from_value(Value::Object(fields(vector))).unwrap();
    assert_eq!(message.eip712_type_hash(), vector.type_hash, "{}", vector.r#type);
    assert_eq!(message.eip712_hash_struct(), vector.struct_hash, "{}", vector.r#type);
    assert_eq!(domain.digest(&message), vector.digest, "{}", vector.r#type);

    let node = PrivateKeySigner::from_str(&vector.private_key).unwrap();
    assert_eq!(node.address(), vector.signer);
    let signed: Signed<M> = domain.sign(message, &node).unwrap();
    assert_eq!(signed.signature_bytes(), vector.signature.to_vec(), "{}", vector.r#type);
    assert_eq!(signed.verify(domain, vector.signer), Ok(()));
}

/// The vector's fields as serde takes them: amounts above 64 bits in hex, smaller integers as numbers.
fn fields(vector: &Vector) -> Map<String, Value> {
    let integer = |name: &str, value: &Value| -> Value {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match name {
            "price" | "cumulative" => serde_json::to_value(U256::from_str_radix(&text, 10).unwrap()).unwrap(),
            "expiry" | "states" => text.parse::<u64>().unwrap().into(),
            _ => value.clone(),
        }
    };
    vector.fields.iter().map(|(name, value)| (name.clone(), integer(name, value))).collect()
}
