// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {stdJson} from "forge-std/StdJson.sol";
import {DisputesTest, Evidence, IDisputes, Jury} from "../../utils/DisputesTest.sol";

/// @notice Ids, seeds, votes, commitments and blob roots as test/vectors/disputes.json has them: both sides reckon alike.
contract VectorsTest is DisputesTest {
    using stdJson for string;

    string internal json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("test/vectors/disputes.json");
    }

    function _at(string memory list, uint256 index) internal pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(index), "]");
    }

    function test_ids() public {
        for (uint256 i; i < 2; ++i) {
            string memory at = _at("ids", i);
            bytes32 expected = keccak256(
                abi.encode(
                    json.readAddress(string.concat(at, ".disputes")),
                    json.readBytes32(string.concat(at, ".result")),
                    json.readUint(string.concat(at, ".transition")),
                    json.readBytes32(string.concat(at, ".tileLeaf"))
                )
            );
            assertEq(json.readBytes32(string.concat(at, ".id")), expected);
        }
        // And so the contract does, of a step and of a tile.
        assertEq(_challenge(1), keccak256(abi.encode(address(disputes), digest, 1, 0)));
        assertEq(_challenge(3), keccak256(abi.encode(address(disputes), digest, 3, _tileLeaf(0, tile))));
    }

    function test_seeds() public view {
        for (uint256 i; i < 3; ++i) {
            string memory at = _at("seeds", i);
            bytes32 beacon = json.readBytes32(string.concat(at, ".beacon"));
            bytes32 id = json.readBytes32(string.concat(at, ".id"));
            uint256 round = json.readUint(string.concat(at, ".round"));
            assertEq(Jury.seed(beacon, id, round), json.readBytes32(string.concat(at, ".seed")));
        }
    }

    function test_votes() public view {
        uint256 i;
        for (; json.keyExists(_at("votes", i)); ++i) {
            string memory at = _at("votes", i);
            uint256 votes = Jury.votes(
                json.readBytes32(string.concat(at, ".seed")),
                json.readAddress(string.concat(at, ".operator")),
                json.readUint(string.concat(at, ".round")),
                json.readUint(string.concat(at, ".weight")),
                json.readUint(string.concat(at, ".total"))
            );
            assertEq(votes, json.readUint(string.concat(at, ".votes")), at);
        }
        assertEq(i, 24);
    }

    function test_commitments() public view {
        for (uint256 i; i < 3; ++i) {
            string memory at = _at("commitments", i);
            bytes32 commitment = Jury.commitment(
                json.readBytes32(string.concat(at, ".id")),
                json.readUint(string.concat(at, ".round")),
                json.readAddress(string.concat(at, ".operator")),
                IDisputes.Verdict(json.readUint(string.concat(at, ".verdict"))),
                json.readUint(string.concat(at, ".probe")),
                json.readBytes32(string.concat(at, ".salt"))
            );
            assertEq(commitment, json.readBytes32(string.concat(at, ".commitment")), at);
        }
    }

    function test_blobs() public view {
        for (uint256 i; i < 3; ++i) {
            string memory at = _at("blobs", i);
            uint256 length = json.readUint(string.concat(at, ".length"));
            bytes memory blob = new bytes(length);
            for (uint256 j; j < length; ++j) {
                blob[j] = bytes1(uint8(j * 7 % 251));
            }
            bytes32 root = _root(_chunkLeaves(blob));
            assertEq(root, json.readBytes32(string.concat(at, ".root")));
            assertEq(Evidence.leaf(4, 0, length, root), json.readBytes32(string.concat(at, ".blobRoot")));
        }
    }
}
