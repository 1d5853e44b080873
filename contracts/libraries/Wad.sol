// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev One, in fractions of 18 decimals.
uint256 constant WAD = 1e18;

/// @title Arithmetic on fractions of 18 decimals, with the rounding in the name.
/// @dev Plain checked products: no amount of CAI exceeds 2^90 and no fraction 2^60.
library Wad {
    /// @dev floor(amount * fraction / 1e18)
    function mulDown(uint256 amount, uint256 fraction) internal pure returns (uint256) {
        return amount * fraction / WAD;
    }

    /// @dev ceil(amount * fraction / 1e18)
    function mulUp(uint256 amount, uint256 fraction) internal pure returns (uint256) {
        return (amount * fraction + (WAD - 1)) / WAD;
    }
}
