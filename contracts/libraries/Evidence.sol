// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";

/// @dev The members of a request that a dispute looks at.
struct Request {
    bytes32 modelId;
    uint32 states;
    uint8 flags;
    bytes32 blobRoot;
}

/// @title Requests, Merkle leaves and chunks, as docs/protocol.md has them.
library Evidence {
    uint256 internal constant MAX_REQUEST = 16 * 1024;
    uint256 internal constant CHUNK = 16 * 1024;
    /// @dev One bit a chunk.
    uint256 internal constant MAX_CHUNKS = 256;
    uint256 internal constant MAX_TILE = 64 * 64 * 3;

    uint256 internal constant KIND_CHUNK = 1;
    uint256 internal constant KIND_STATE = 2;
    uint256 internal constant KIND_TILE = 3;
    uint256 internal constant KIND_BLOB = 4;

    /// @dev Words of a request before its body: seven of the head, and the body's length.
    uint256 private constant BODY = 8 * 32;
    /// @dev The exponent's bits of each of a word's eight little-endian f32, read big-endian: bytes b0 b1 b2 b3, exponent = b3[6:0] b2[7].
    uint256 private constant EXPONENTS = 0x0000807f_0000807f_0000807f_0000807f_0000807f_0000807f_0000807f_0000807f;
    uint256 private constant LOW_BITS = 0x7fffffff_7fffffff_7fffffff_7fffffff_7fffffff_7fffffff_7fffffff_7fffffff;
    uint256 private constant TOP_BITS = 0x80000000_80000000_80000000_80000000_80000000_80000000_80000000_80000000;

    /// @notice Reads a request. Its bytes have exactly one encoding: every word is looked at before it is cut, so nothing panics.
    function decode(bytes calldata request) internal pure returns (Request memory r) {
        if (request.length < BODY || request.length > MAX_REQUEST) revert IDisputes.MalformedRequest();
        uint256 states = word(request, 3);
        uint256 flags = word(request, 4);
        uint256 body = word(request, 7);
        // Seven words, so the body begins with its length at 7 * 32; it is padded to whole words and nothing follows.
        if (
            word(request, 0) != 1 || states == 0 || states > type(uint32).max || flags > type(uint8).max
                || word(request, 6) != 7 * 32 || body > MAX_REQUEST || request.length != BODY + (body + 31) / 32 * 32
        ) revert IDisputes.MalformedRequest();
        // forge-lint: disable-next-line(unsafe-typecast)
        (r.states, r.flags) = (uint32(states), uint8(flags));
        r.modelId = bytes32(word(request, 1));
        r.blobRoot = bytes32(word(request, 5));
    }

    function word(bytes calldata data, uint256 index) private pure returns (uint256 w) {
        assembly ("memory-safe") {
            w := calldataload(add(data.offset, shl(5, index)))
        }
    }

    /// @notice keccak256(keccak256(abi.encode(kind, index, length, hash)))
    /// @dev Hashed twice, so that no inner node of a tree can be passed off as a leaf.
    function leaf(uint256 kind, uint256 index, uint256 length, bytes32 hash) internal pure returns (bytes32) {
        return EfficientHashLib.hash(EfficientHashLib.hash(bytes32(kind), bytes32(index), bytes32(length), hash));
    }

    /// @notice Reverts unless `leaf_` is number `index` of `count` leaves under `root`.
    /// @dev Pairs are in order, an odd node is promoted: the place says on which side each sibling is, so no tree holds two leaves for one
    /// place. With pairs in any order a miner could put two states under one index, and splice traces there.
    function requireProof(bytes32[] calldata proof, bytes32 root, bytes32 leaf_, uint256 index, uint256 count)
        internal
        pure
    {
        bytes32 node = leaf_;
        uint256 used;
        uint256 at = index;
        for (uint256 width = count; width > 1; width = (width + 1) / 2) {
            if (at ^ 1 < width) {
                if (used == proof.length) revert IDisputes.InvalidProof(leaf_, root);
                bytes32 sibling = proof[used++];
                node = at & 1 == 0 ? Hashes.efficientKeccak256(node, sibling) : Hashes.efficientKeccak256(sibling, node);
            }
            at /= 2;
        }
        if (index >= count || used != proof.length || node != root) revert IDisputes.InvalidProof(leaf_, root);
    }

    /// @notice The leaf of a tile that is part of the output.
    function requireTile(IDisputes.Tile calldata tile, bytes32 outputHash) internal pure returns (bytes32 leaf_) {
        uint256 length = tile.data.length;
        if (length == 0 || length > MAX_TILE) revert IDisputes.InvalidTile(length);
        leaf_ = leaf(KIND_TILE, tile.index, length, keccak256(tile.data));
        requireProof(tile.proof, outputHash, leaf_, tile.index, tile.count);
    }

    /// @notice A bit for each chunk of a part of `length` bytes.
    function allChunks(uint256 length) internal pure returns (uint256) {
        if (length == 0 || length > MAX_CHUNKS * CHUNK) revert IDisputes.InvalidLength(length);
        return type(uint256).max >> (MAX_CHUNKS - (length + CHUNK - 1) / CHUNK);
    }

    /// @notice Reverts unless `chunk` is the one of its index in a part of `length` bytes with this root.
    function requireChunk(IDisputes.Chunk calldata chunk, uint256 length, bytes32 root) internal pure {
        if (chunk.index >= MAX_CHUNKS || chunk.index * CHUNK >= length) revert IDisputes.InvalidChunk(chunk.index);
        uint256 left = length - chunk.index * CHUNK;
        if (chunk.data.length != (left < CHUNK ? left : CHUNK)) revert IDisputes.InvalidLength(chunk.data.length);
        bytes32 leaf_ = leaf(KIND_CHUNK, chunk.index, chunk.data.length, keccak256(chunk.data));
        requireProof(chunk.proof, root, leaf_, chunk.index, (length + CHUNK - 1) / CHUNK);
    }

    /// @notice Whether all little-endian f32 of `data` are finite: no exponent has all its bits set. Eight at a time.
    /// @dev Of each f32, missing = exponent's bits that are not set; finite exactly when missing != 0, exactly when missing + 0x7fffffff has
    /// its top bit set; no lane carries into the next. A last word that is not full is filled with zeros, which are finite.
    function isFinite(bytes calldata data) internal pure returns (bool) {
        uint256 tops = TOP_BITS;
        assembly ("memory-safe") {
            let p := data.offset
            let end := add(p, and(data.length, not(31)))
            for {} lt(p, end) { p := add(p, 32) } {
                tops := and(tops, add(and(not(calldataload(p)), EXPONENTS), LOW_BITS))
            }
            let rest := and(data.length, 31)
            if rest {
                let unused := shl(3, sub(32, rest))
                let w := shl(unused, shr(unused, calldataload(p)))
                tops := and(tops, add(and(not(w), EXPONENTS), LOW_BITS))
            }
        }
        return tops == TOP_BITS;
    }
}
