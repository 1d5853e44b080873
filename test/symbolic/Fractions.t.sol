// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pool, Pools} from "../../contracts/libraries/Pools.sol";
import {Bucket, Buckets} from "../../contracts/libraries/Buckets.sol";
import {Wad} from "../../contracts/libraries/Wad.sol";

/// @dev Fractions of amounts, and what a slash takes of a pool or bucket: for all amounts and every fraction that Staking lets through.
contract FractionsSymbolic {
    using Buckets for Bucket;
    using Pools for Pool;

    uint256 internal constant MAX_SLASH = 0.5e18;

    function check_mulDownIsTheFloor(uint96 amount, uint64 fraction) external pure {
        uint256 down = Wad.mulDown(amount, fraction);
        uint256 exact = uint256(amount) * fraction;
        assert(down * 1e18 <= exact && exact < (down + 1) * 1e18);
    }

    function check_aSlashTakesAtMostHalfOfABucket(uint96 assets, uint120 shares, uint64 fraction) external pure {
        if (fraction > MAX_SLASH) return;
        Bucket memory b;
        (b.assets, b.shares) = (assets, shares);
        (uint256 loss,) = b.slashDown(0, fraction);
        assert(loss <= assets / 2);
        assert(b.assets == assets - loss && b.shares == shares);
    }

    /// @dev Ruin is for ever: no slash lifts a tombstone.
    function check_aTombstoneStays(uint96 assets, uint120 shares, uint64 fraction) external pure {
        if (fraction > MAX_SLASH) return;
        Pool memory p;
        (p.assets, p.shares, p.tombstoned) = (assets, shares, true);
        p.slashDown(fraction);
        assert(p.tombstoned);
    }

    /// @dev Weight is never more than the pool, and nothing for one that is not active, jailed or ruined.
    function check_weightIsAtMostThePool(
        uint96 assets,
        uint120 shares,
        uint120 own,
        uint96 minStake,
        bool active,
        bool jailed,
        bool tombstoned
    ) external pure {
        Pool memory p;
        (p.assets, p.shares, p.ownShares) = (assets, shares, own);
        (p.active, p.jailed, p.tombstoned) = (active, jailed, tombstoned);
        uint256 weight = p.weight(minStake);
        assert(weight <= assets);
        if (!active || jailed || tombstoned) assert(weight == 0);
    }
}
