// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A source of randomness that is fixed before it is known.
interface IRandomness {
    /// @notice Names a beacon that is fixed now and known to nobody yet.
    /// @return id Of the beacon, below 2^64; for the same second (or block) it is the same for everybody.
    function schedule() external returns (uint256 id);

    /// @notice The beacon's value; zero while it is unknown. Once it is not zero it never changes to another value.
    function seed(uint256 id) external view returns (bytes32);
}
