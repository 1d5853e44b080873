#!/usr/bin/env node
// Writes disputes.json: ids, seeds, votes, commitments and blob roots of disputes (docs/disputes.md), against which the Solidity side is tested
// and with which agents can be. Neither is asked: everything is worked out here.
//
// Usage: make setup && node test/vectors/generate-disputes.js
"use strict";
const fs = require("fs");
const path = require("path");
const { keccak256 } = require("js-sha3");

const word = (value) => (typeof value === "string" ? value.replace(/^0x/, "") : BigInt(value).toString(16)).padStart(64, "0");
const hash = (...words) => "0x" + keccak256(Buffer.from(words.map(word).join(""), "hex"));
const named = (text) => "0x" + keccak256(Buffer.from(text, "utf8"));
const address = (text) => "0x" + named(text).slice(-40);
const CAI = 10n ** 18n;

const ids = [
  { disputes: address("disputes"), result: named("result"), transition: 0, tileLeaf: "0x" + "0".repeat(64) },
  { disputes: address("disputes"), result: named("result"), transition: 21, tileLeaf: named("tile") },
].map((v) => ({ ...v, id: hash(v.disputes, v.result, v.transition, v.tileLeaf) }));

const seeds = [0, 1, 2].map((round) => {
  const beacon = named(`beacon ${round}`);
  return { beacon, id: ids[0].id, round, seed: hash(beacon, ids[0].id, round) };
});

const votes = [];
for (const { seed, round } of seeds) {
  for (const [name, weight, total] of [
    ["a small one", 20_001n * CAI, 12_345_678n * CAI],
    ["another", 300_000n * CAI, 12_345_678n * CAI + 1n],
    ["a large one", 2_500_000n * CAI + 7n, 12_345_678n * CAI],
    ["all there is", 12_345_678n * CAI, 12_345_678n * CAI],
    ["nobody", 0n, 12_345_678n * CAI],
    ["nobody anywhere", 0n, 0n],
    ["an even share", 1n, 16n],
    ["half a vote", 1n, 32n],
  ]) {
    const operator = address(name);
    const share = (16n << BigInt(round)) * weight;
    let count = 0n;
    if (total !== 0n) {
      count = share / total;
      if (BigInt(hash(seed, operator)) % total < share % total) count += 1n;
    }
    votes.push({ seed, round, operator, weight: weight.toString(), total: total.toString(), votes: Number(count) });
  }
}

const commitments = [
  [0, 1, 12_500_000_000_000_000_000n, named("salt")],
  [1, 2, 0n, "0x" + "0".repeat(64)],
  [2, 3, 2n ** 256n - 1n, "0x" + "f".repeat(64)],
].map(([round, verdict, probe, salt]) => {
  const v = { id: ids[round % 2].id, round, operator: address(`juror ${round}`), verdict, probe: probe.toString(), salt };
  return { ...v, commitment: hash(v.id, round, v.operator, verdict, probe, salt) };
});

// Blobs of which byte i is i * 7 mod 251, as in encodings.json.
const CHUNK = 16 * 1024;
const leaf = (kind, index, length, root) => hash(hash(kind, index, length, root));
const blobs = [1, CHUNK, 2 * CHUNK + 5].map((length) => {
  const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 7) % 251));
  let level = [];
  for (let i = 0; i * CHUNK < length; ++i) {
    const chunk = bytes.subarray(i * CHUNK, (i + 1) * CHUNK);
    level.push(leaf(1, i, chunk.length, "0x" + keccak256(chunk)));
  }
  while (level.length > 1) {
    const next = [];
    for (let i = 0; i < level.length; i += 2) {
      next.push(i + 1 === level.length ? level[i] : hash(level[i], level[i + 1]));
    }
    level = next;
  }
  return { length, root: level[0], blobRoot: leaf(4, 0, length, level[0]) };
});

const file = path.join(__dirname, "disputes.json");
fs.writeFileSync(file, JSON.stringify({ ids, seeds, votes, commitments, blobs }, null, 2) + "\n");
console.log(`${path.basename(file)}: ${votes.length} draws written`);
