#!/usr/bin/env node
// Writes messages.json: EIP-712 vectors of every struct in contracts/interfaces/Messages.sol, against which the Solidity and the Rust
// sides are tested alike. Neither side is asked: hashes are worked out here, signatures are made by cast from the typed data itself, so
// cast's own encoder has to arrive at the same digest for a signature to recover.
//
// Usage: make setup && node test/vectors/generate.js
"use strict";
const { execFileSync } = require("child_process");
const fs = require("fs");
const path = require("path");
const { keccak256 } = require("js-sha3");

const root = path.join(__dirname, "../..");
const keccak = (hex) => "0x" + keccak256(Buffer.from(hex.replace(/^0x/, ""), "hex"));
const keccakText = (text) => "0x" + keccak256(Buffer.from(text, "utf8"));
const word = (hex) => hex.replace(/^0x/, "").padStart(64, "0");
const number = (n) => BigInt(n).toString(16);

const TYPES = {
  Offer: "address coordinator,address miner,bytes32 modelId,bytes32 requestHash,uint256 price,uint64 expiry",
  Result: "bytes32 offerHash,bytes32 traceRoot,uint32 states,bytes32 outputHash",
  Voucher: "address payer,address payee,uint256 cumulative",
  NodeConsent: "address operator,address node",
  Login: "address miner,address coordinator,address coordinatorNode,string origin,bytes32 nonce",
  Session: "bytes32 loginHash,bytes32 tokenHash,uint64 expiry",
};
const members = (type) => TYPES[type].split(",").map((m) => m.split(" ")).map(([type, name]) => ({ name, type }));

function encode(type, value) {
  if (type === "string") return word(keccakText(value));
  return word(type.startsWith("uint") ? number(value) : value);
}
function hashStruct(typeHash, type, fields) {
  return keccak(word(typeHash) + members(type).map((m) => encode(m.type, fields[m.name])).join(""));
}

const domain = { chainId: 31337, verifyingContract: "0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0" };
const EIP712_DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const domainSeparator = keccak(
  word(keccakText(EIP712_DOMAIN)) + word(keccakText("Cuckoo")) + word(keccakText("1")) +
    word(number(domain.chainId)) + word(domain.verifyingContract)
);

// Anvil's first accounts: test keys that everybody knows.
const KEYS = [
  ["0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"],
  ["0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d", "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"],
  ["0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a", "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"],
];
const A = KEYS.map(([, address]) => address);
const ZERO = "0x" + "0".repeat(40);
const FULL = "0x" + "f".repeat(40);
const ZERO32 = "0x" + "0".repeat(64);
const FULL32 = "0x" + "f".repeat(64);
const MAX256 = (2n ** 256n - 1n).toString();
const MAX64 = (2n ** 64n - 1n).toString();
const h = (text) => keccakText(text);

// uint256 and uint64 are decimal strings whatever their value; uint32 is a number.
const CASES = [
  ["Offer", { coordinator: A[1], miner: A[2], modelId: h("model"), requestHash: h("request"), price: "1000000000000000000", expiry: "1767225600" }],
  ["Offer", { coordinator: ZERO, miner: ZERO, modelId: ZERO32, requestHash: ZERO32, price: "0", expiry: "0" }],
  ["Offer", { coordinator: FULL, miner: FULL, modelId: FULL32, requestHash: FULL32, price: MAX256, expiry: MAX64 }],
  ["Offer", { coordinator: A[2], miner: A[1], modelId: h("model"), requestHash: h("request"), price: "9007199254740993", expiry: "9007199254740993" }],
  ["Result", { offerHash: h("offer"), traceRoot: h("trace"), states: 21, outputHash: h("output") }],
  ["Result", { offerHash: ZERO32, traceRoot: ZERO32, states: 0, outputHash: ZERO32 }],
  ["Result", { offerHash: FULL32, traceRoot: FULL32, states: 4294967295, outputHash: FULL32 }],
  ["Voucher", { payer: A[1], payee: A[2], cumulative: "123456789012345678901234567" }],
  ["Voucher", { payer: ZERO, payee: ZERO, cumulative: "0" }],
  ["Voucher", { payer: FULL, payee: FULL, cumulative: MAX256 }],
  ["NodeConsent", { operator: A[0], node: A[1] }],
  ["NodeConsent", { operator: ZERO, node: ZERO }],
  ["NodeConsent", { operator: FULL, node: FULL }],
  ["Login", { miner: A[2], coordinator: A[1], coordinatorNode: A[0], origin: "https://coordinator.example:8443", nonce: h("nonce") }],
  ["Login", { miner: ZERO, coordinator: ZERO, coordinatorNode: ZERO, origin: "", nonce: ZERO32 }],
  ["Login", { miner: FULL, coordinator: FULL, coordinatorNode: FULL, origin: "https://kuckuck.example/\u{1F95A} \u00fc \"quoted\" \\ " + "x".repeat(300), nonce: FULL32 }],
  ["Session", { loginHash: h("login"), tokenHash: h("token"), expiry: "1767225600" }],
  ["Session", { loginHash: ZERO32, tokenHash: ZERO32, expiry: "0" }],
  ["Session", { loginHash: FULL32, tokenHash: FULL32, expiry: MAX64 }],
];

const vectors = CASES.map(([type, fields], i) => {
  const [privateKey, signer] = KEYS[i % KEYS.length];
  const typeHash = keccakText(`${type}(${TYPES[type]})`);
  const structHash = hashStruct(typeHash, type, fields);
  const digest = keccak("1901" + word(domainSeparator) + word(structHash));
  const typed = JSON.stringify({
    types: {
      EIP712Domain: [["name", "string"], ["version", "string"], ["chainId", "uint256"], ["verifyingContract", "address"]]
        .map(([name, type]) => ({ name, type })),
      [type]: members(type),
    },
    primaryType: type,
    domain: { name: "Cuckoo", version: "1", ...domain },
    message: fields,
  });
  const cast = (...args) =>
    execFileSync(path.join(root, "node_modules/.bin/cast"), args, { encoding: "utf8" }).trim();
  const signature = cast("wallet", "sign", "--private-key", privateKey, "--data", typed);
  // Deterministic signatures: signing our digest must give what signing the typed data gave.
  const again = cast("wallet", "sign", "--private-key", privateKey, "--no-hash", digest);
  if (signature !== again) throw new Error(`cast hashes ${type} otherwise than this script: vector ${i}`);
  return { type, typeHash, fields, structHash, digest, privateKey, signer, signature };
});

const file = path.join(__dirname, "messages.json");
fs.writeFileSync(file, JSON.stringify({ domain, domainSeparator, vectors }, null, 2) + "\n");
console.log(`${vectors.length} vectors written to ${path.relative(root, file)}`);
