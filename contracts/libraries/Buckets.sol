// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SharesMath} from "./SharesMath.sol";
import {Wad} from "./Wad.sol";

/// @dev What leaves a pool in one epoch. One slot.
struct Bucket {
    /// Includes what was drawn early.
    uint96 assets;
    uint120 shares;
    /// Somebody drew early, so `Draws` must be looked at.
    bool drawn;
}

/// @dev Of a bucket that matured while disputes held part of it back.
struct Draws {
    /// What owners took out of the free part, in assets. They keep all their shares until they take the rest: so a slash that comes later
    /// is measured by what they had, and taken from what stayed.
    uint96 assets;
    /// Sum of the fractions slashed since the bucket matured. WAD.
    uint64 slashed;
}

/// @title Entering, leaving and slashing a bucket in memory. Every conversion rounds against the one who moves.
library Buckets {
    using SafeCast for uint256;
    using SharesMath for uint256;
    using Wad for uint256;

    /// @dev Adds `assets` and mints shares, rounded down.
    function enterDown(Bucket memory b, uint256 assets) internal pure returns (uint256 shares) {
        shares = assets.toSharesDown(b.assets, b.shares);
        b.assets += assets.toUint96();
        b.shares += shares.toUint120();
    }

    /// @dev Burns `shares` and takes out assets, rounded down.
    function leaveDown(Bucket memory b, uint256 shares) internal pure returns (uint256 assets) {
        assets = valueDown(b, shares);
        b.assets -= assets.toUint96();
        b.shares -= shares.toUint120();
    }

    /// @dev As `Pools.slashDown`.
    function slashDown(Bucket memory b, uint256 ownShares, uint256 fraction)
        internal
        pure
        returns (uint256 loss, uint256 ownLoss)
    {
        loss = uint256(b.assets).mulDown(fraction);
        ownLoss = SharesMath.lossDown(ownShares, b.assets, b.shares, loss);
        b.assets -= loss.toUint96();
    }

    /// @dev Assets that `shares` are worth, rounded down.
    function valueDown(Bucket memory b, uint256 shares) internal pure returns (uint256) {
        return shares.toAssetsDown(b.assets, b.shares);
    }
}
