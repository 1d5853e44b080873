// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BLS} from "@kevincharm/bls-bn254/BLS.sol";

/// @dev What drand signs of a round, as a point: times a key that a test knows, it is the round's signature. For the agents' tests.
contract HashToPoint {
    function point(uint64 round) external view returns (uint256[2] memory) {
        return BLS.hashToPoint(
            "BLS_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_NUL_", abi.encodePacked(keccak256(abi.encodePacked(round)))
        );
    }
}
