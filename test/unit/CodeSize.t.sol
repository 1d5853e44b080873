// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

/// @notice What is deployed fits a chain's limit, with room for the next repair.
contract CodeSizeTest is Test {
    /// @dev Of EIP-170.
    uint256 internal constant LIMIT = 24_576;
    uint256 internal constant MARGIN = 1024;

    /// @dev All that script/Deploy.s.sol deploys, of contracts/: a file each, called as the contract in it.
    string[10] internal all = [
        "CAI",
        "Faucet",
        "Lens",
        "MiningRewards",
        "Payments",
        "Registry",
        "Staking",
        "Disputes",
        "BlockHashRandomness",
        "DrandRandomness"
    ];

    function test_everyContractFitsAChainsLimit() public view {
        for (uint256 i; i < all.length; ++i) {
            uint256 size = vm.getDeployedCode(string.concat(all[i], ".sol:", all[i])).length;
            assertGt(size, 0, all[i]);
            assertLe(size, LIMIT - MARGIN, all[i]);
        }
    }
}
