// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SharesMath} from "./SharesMath.sol";
import {Wad} from "./Wad.sol";

/// @dev Assets, and the shares that divide them: what a pool and a bucket have in common. One slot.
/// CAI's whole supply is below 2^90 wei and its shares, at a hundredth of the first price, below 2^117.
struct Holding {
    uint128 assets;
    uint128 shares;
}

/// @title Entering, leaving and slashing a holding in memory. Every conversion rounds against the one who moves.
library Holdings {
    using SafeCast for uint256;
    using SharesMath for uint256;
    using Wad for uint256;

    /// @dev A holding is ruined when a share is worth less than a hundredth of its first price.
    uint256 internal constant RUIN_DIVISOR = 100;

    /// @dev Adds `assets` and mints shares, rounded down.
    function enterDown(Holding memory h, uint256 assets) internal pure returns (uint256 shares) {
        shares = assets.toSharesDown(h.assets, h.shares);
        h.assets += assets.toUint128();
        h.shares += shares.toUint128();
    }

    /// @dev Burns `shares` and takes out assets, rounded down.
    function leaveDown(Holding memory h, uint256 shares) internal pure returns (uint256 assets) {
        assets = shares.toAssetsDown(h.assets, h.shares);
        h.assets -= assets.toUint128();
        h.shares -= shares.toUint128();
    }

    /// @dev Takes a fraction of the assets, rounded down; shares stay, so all bear it alike. As no slash exceeds one half, one wei is
    /// never slashed away: a holding is not emptied while it has shares, and its price never falls to nothing.
    /// @return loss floor(assets * fraction / 1e18)
    /// @return ownLoss What `ownShares` of it bear, rounded down since a reward is measured by it:
    /// floor(ownShares * price before) - ceil(ownShares * price after), not below 0
    function slashDown(Holding memory h, uint256 ownShares, uint256 fraction)
        internal
        pure
        returns (uint256 loss, uint256 ownLoss)
    {
        loss = uint256(h.assets).mulDown(fraction);
        uint256 ownBefore = valueDown(h, ownShares);
        h.assets -= loss.toUint128();
        uint256 ownAfter = ownShares.toAssetsUp(h.assets, h.shares);
        if (ownBefore > ownAfter) ownLoss = ownBefore - ownAfter;
    }

    /// @dev Assets that `shares` are worth, rounded down.
    function valueDown(Holding memory h, uint256 shares) internal pure returns (uint256) {
        return shares.toAssetsDown(h.assets, h.shares);
    }

    /// @dev ruined: (assets + 1) / (shares + 1e6) < first price / 100 = 1 / 1e6 / 100
    function isRuined(Holding memory h) internal pure returns (bool) {
        return (h.assets + SharesMath.VIRTUAL_ASSETS) * SharesMath.VIRTUAL_SHARES * RUIN_DIVISOR
            < h.shares + SharesMath.VIRTUAL_SHARES;
    }
}
