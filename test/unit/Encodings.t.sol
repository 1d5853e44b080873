// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Test} from "forge-std/Test.sol";
import {Evidence} from "../../contracts/libraries/Evidence.sol";

/// @notice Requests, traces and outputs as the agents publish them in test/vectors/encodings.json, computed here a second time.
contract EncodingsTest is Test {
    uint256 internal constant CHUNK = 16 * 1024;
    uint256 internal constant TILE = 64;
    uint8 internal constant KIND_CHUNK = 1;
    uint8 internal constant KIND_STATE = 2;
    uint8 internal constant KIND_TILE = 3;

    string internal json;

    function setUp() public {
        json = vm.readFile("test/vectors/encodings.json");
    }

    function test_requests() public view {
        for (uint256 i; i < 2; i++) {
            string memory at = string.concat(".requests[", vm.toString(i), "]");
            bytes memory encoded = abi.encode(
                uint8(1),
                vm.parseJsonBytes32(json, string.concat(at, ".modelId")),
                vm.parseJsonBytes32(json, string.concat(at, ".salt")),
                uint32(vm.parseJsonUint(json, string.concat(at, ".states"))),
                uint8(vm.parseJsonUint(json, string.concat(at, ".flags"))),
                vm.parseJsonBytes32(json, string.concat(at, ".blobRoot")),
                vm.parseJsonBytes(json, string.concat(at, ".body"))
            );
            assertEq(encoded, vm.parseJsonBytes(json, string.concat(at, ".bytes")));
            assertEq(keccak256(encoded), vm.parseJsonBytes32(json, string.concat(at, ".hash")));
        }
    }

    function test_traces() public view {
        for (uint256 i; i < 3; i++) {
            string memory at = string.concat(".traces[", vm.toString(i), "]");
            uint256 count = vm.parseJsonUint(json, string.concat(at, ".states"));
            uint256 length = vm.parseJsonUint(json, string.concat(at, ".length"));
            bytes32[] memory published = vm.parseJsonBytes32Array(json, string.concat(at, ".stateRoots"));
            assertEq(published.length, count);
            bytes32[] memory leaves = new bytes32[](count);
            for (uint256 k; k < count; k++) {
                bytes32 stateRoot = _root(_chunkLeaves(_pattern(k, length)));
                assertEq(stateRoot, published[k]);
                leaves[k] = _leaf(KIND_STATE, k, length, stateRoot);
            }
            assertEq(_root(leaves), vm.parseJsonBytes32(json, string.concat(at, ".root")));
        }
    }

    /// @notice A chunk of a state is proven on its own: chunk in state, state in trace.
    function test_openings() public view {
        for (uint256 i; i < 3; i++) {
            string memory at = string.concat(".traces[", vm.toString(i), "]");
            uint256 count = vm.parseJsonUint(json, string.concat(at, ".states"));
            uint256 length = vm.parseJsonUint(json, string.concat(at, ".length"));
            bytes memory chunk = vm.parseJsonBytes(json, string.concat(at, ".chunk"));
            uint256 index = vm.parseJsonUint(json, string.concat(at, ".chunkIndex"));
            bytes32 stateRoot = vm.parseJsonBytes32Array(json, string.concat(at, ".stateRoots"))[count - 1];
            this.requireProof(
                vm.parseJsonBytes32Array(json, string.concat(at, ".chunkProof")),
                stateRoot,
                _leaf(KIND_CHUNK, index, chunk.length, keccak256(chunk)),
                index,
                (length + CHUNK - 1) / CHUNK
            );
            this.requireProof(
                vm.parseJsonBytes32Array(json, string.concat(at, ".stateProof")),
                vm.parseJsonBytes32(json, string.concat(at, ".root")),
                _leaf(KIND_STATE, count - 1, length, stateRoot),
                count - 1,
                count
            );
        }
    }

    function requireProof(bytes32[] calldata proof, bytes32 root, bytes32 leaf, uint256 index, uint256 count)
        external
        pure
    {
        Evidence.requireProof(proof, root, leaf, index, count);
    }

    function test_outputs() public view {
        for (uint256 i; i < 3; i++) {
            string memory at = string.concat(".outputs[", vm.toString(i), "]");
            uint256 width = vm.parseJsonUint(json, string.concat(at, ".width"));
            uint256 height = vm.parseJsonUint(json, string.concat(at, ".height"));
            bytes memory rgb = _pattern(1, width * height * 3);
            uint256 columns = (width + TILE - 1) / TILE;
            bytes32[] memory leaves = new bytes32[](columns * ((height + TILE - 1) / TILE));
            for (uint256 t; t < leaves.length; t++) {
                bytes memory tile = _tile(rgb, width, height, (t % columns) * TILE, (t / columns) * TILE);
                leaves[t] = _leaf(KIND_TILE, t, tile.length, keccak256(tile));
            }
            assertEq(_root(leaves), vm.parseJsonBytes32(json, string.concat(at, ".hash")));
        }
    }

    function _leaf(uint8 kind, uint256 index, uint256 length, bytes32 hash) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(kind, index, length, hash))));
    }

    function _root(bytes32[] memory level) internal pure returns (bytes32) {
        uint256 count = level.length;
        while (count > 1) {
            for (uint256 i; i < count; i += 2) {
                level[i / 2] = i + 1 < count ? Hashes.efficientKeccak256(level[i], level[i + 1]) : level[i];
            }
            count = (count + 1) / 2;
        }
        return level[0];
    }

    function _chunkLeaves(bytes memory state) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[]((state.length + CHUNK - 1) / CHUNK);
        for (uint256 i; i < leaves.length; i++) {
            uint256 end = (i + 1) * CHUNK < state.length ? (i + 1) * CHUNK : state.length;
            bytes memory chunk = _slice(state, i * CHUNK, end);
            leaves[i] = _leaf(KIND_CHUNK, i, chunk.length, keccak256(chunk));
        }
    }

    function _tile(bytes memory rgb, uint256 width, uint256 height, uint256 left, uint256 top)
        internal
        pure
        returns (bytes memory tile)
    {
        uint256 right = left + TILE < width ? left + TILE : width;
        uint256 bottom = top + TILE < height ? top + TILE : height;
        for (uint256 row = top; row < bottom; row++) {
            tile = bytes.concat(tile, _slice(rgb, (row * width + left) * 3, (row * width + right) * 3));
        }
    }

    function _slice(bytes memory data, uint256 from, uint256 to) internal pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i; i < part.length; i++) {
            part[i] = data[from + i];
        }
    }

    /// @dev Byte i is i * 7 + start, mod 251, as the vectors were made.
    function _pattern(uint256 start, uint256 length) internal pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i; i < length; i++) {
            data[i] = bytes1(uint8((i * 7 + start) % 251));
        }
    }
}
