// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBlockHashRandomness, IRandomness} from "../interfaces/IRandomness.sol";

/// @title BlockHashRandomness
/// @notice The hash of the block after the one in which it was scheduled. For development chains only: whoever makes blocks can choose it.
contract BlockHashRandomness is IBlockHashRandomness {
    mapping(uint256 id => bytes32) internal _seeds;

    /// @inheritdoc IRandomness
    function schedule() external view returns (uint256 id) {
        return block.number + 1;
    }

    /// @inheritdoc IBlockHashRandomness
    function store(uint256 id) external {
        bytes32 value = seed(id);
        if (value == 0) revert HashUnknown(id, block.number);
        _seeds[id] = value;
        emit Stored(id, value);
    }

    /// @inheritdoc IRandomness
    function seed(uint256 id) public view returns (bytes32 value) {
        value = _seeds[id];
        if (value == 0) value = blockhash(id);
    }
}
