// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Role} from "../interfaces/Messages.sol";
import {SharesMath} from "./SharesMath.sol";
import {Wad} from "./Wad.sol";

/// @dev What is behind an operator. Two slots, since every verb needs all of it.
/// CAI's supply is below 2^90 wei and its shares, at a hundredth of the first price, below 2^117.
struct Pool {
    uint96 assets;
    uint120 shares;
    /// Of the last change of the weight.
    uint32 weightEpoch;
    /// Where the next word of the weight's history goes.
    uint8 historyNext;
    // slot 1
    /// The operator's own shares live here and nowhere else.
    uint120 ownShares;
    /// The stream's rewards per weight that are in `assets` already, see Streams.
    uint72 perWeightPaid;
    /// In parts of `Pools.COMMISSION_UNIT`.
    uint32 commission;
    Role role;
    bool active;
    bool jailed;
    bool tombstoned;
}

/// @title Entering, leaving, rewarding and slashing a pool in memory. Every conversion rounds against the one who moves.
library Pools {
    using SafeCast for uint256;
    using SharesMath for uint256;
    using Wad for uint256;

    /// @dev A pool is ruined when a share is worth less than a hundredth of its first price.
    uint256 internal constant RUIN_DIVISOR = 100;
    /// @dev Weight is at most so many times the operator's own stake.
    uint256 internal constant WEIGHT_PER_OWN_STAKE = 10;
    /// @dev Commissions are kept in multiples of 1e-9.
    uint256 internal constant COMMISSION_UNIT = 1e9;

    /// @dev Adds `assets` and mints shares, rounded down.
    function enterDown(Pool memory p, uint256 assets) internal pure returns (uint256 shares) {
        shares = assets.toSharesDown(p.assets, p.shares);
        p.assets += assets.toUint96();
        p.shares += shares.toUint120();
    }

    /// @dev Burns `shares` and takes out assets, rounded down.
    function leaveDown(Pool memory p, uint256 shares) internal pure returns (uint256 assets) {
        assets = shares.toAssetsDown(p.assets, p.shares);
        p.assets -= assets.toUint96();
        p.shares -= shares.toUint120();
    }

    /// @dev Takes `assets` out of the operator's own shares, as far as they go; the shares burned are rounded up.
    function leaveOwnUp(Pool memory p, uint256 wanted) internal pure returns (uint256 assets, uint256 shares) {
        assets = Math.min(wanted, ownValueDown(p));
        // At most the own shares: ceil(floor(own * price) / price) <= own.
        shares = assets.toSharesUp(p.assets, p.shares);
        p.assets -= assets.toUint96();
        p.shares -= shares.toUint120();
        p.ownShares -= shares.toUint120();
    }

    /// @dev Adds `assets` for all shares, and mints shares to the operator that are worth its cut, rounded down.
    function reward(Pool memory p, uint256 assets) internal pure returns (uint256 commissionShares) {
        p.assets += assets.toUint96();
        // cut = floor(assets * commission); shares = floor(cut / price after all but the cut has come in)
        uint256 cut = assets.mulDown(p.commission * COMMISSION_UNIT);
        commissionShares = cut.toSharesDown(p.assets - cut, p.shares);
        p.shares += commissionShares.toUint120();
        p.ownShares += commissionShares.toUint120();
    }

    /// @dev Takes a fraction of the assets, rounded down; shares stay, so all bear it alike. As no slash exceeds one half, one wei is
    /// never slashed away: a pool is not emptied while it has shares, and its price never falls to nothing.
    /// @return loss floor(assets * fraction / 1e18)
    /// @return ownLoss What the operator's own shares bear of it, rounded down since a reward is measured by it.
    function slashDown(Pool memory p, uint256 fraction) internal pure returns (uint256 loss, uint256 ownLoss) {
        loss = uint256(p.assets).mulDown(fraction);
        ownLoss = SharesMath.lossDown(p.ownShares, p.assets, p.shares, loss);
        p.assets -= loss.toUint96();
        if (isRuined(p)) p.tombstoned = true;
    }

    /// @dev Assets that the operator's own shares are worth, rounded down.
    function ownValueDown(Pool memory p) internal pure returns (uint256) {
        return uint256(p.ownShares).toAssetsDown(p.assets, p.shares);
    }

    /// @dev weight = min(assets, 10 * own stake) if active, not jailed, not tombstoned and own stake > `minStake`; else 0
    function weight(Pool memory p, uint256 minStake) internal pure returns (uint256) {
        if (!p.active || p.jailed || p.tombstoned) return 0;
        uint256 own = ownValueDown(p);
        if (own <= minStake) return 0;
        return Math.min(p.assets, WEIGHT_PER_OWN_STAKE * own);
    }

    /// @dev ruined: (assets + 1) / (shares + 1e6) < first price / 100 = 1 / 1e6 / 100
    function isRuined(Pool memory p) internal pure returns (bool) {
        return (p.assets + SharesMath.VIRTUAL_ASSETS) * SharesMath.VIRTUAL_SHARES * RUIN_DIVISOR
            < p.shares + SharesMath.VIRTUAL_SHARES;
    }
}
