// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Bucket, Buckets} from "../../contracts/libraries/Buckets.sol";
import {Pool, Pools} from "../../contracts/libraries/Pools.sol";
import {SharesMath} from "../../contracts/libraries/SharesMath.sol";
import {Wad} from "../../contracts/libraries/Wad.sol";

contract SharesMathTest is Test {
    using Buckets for Bucket;
    using Pools for Pool;
    using SharesMath for uint256;
    using Wad for uint256;

    uint256 internal constant MAX_ASSETS = 1e28;
    uint256 internal constant FIRST = 1e6;
    uint256 internal constant MAX_SHARES = 1e36;

    function _pool(uint256 assets, uint256 shares) internal pure returns (Pool memory p) {
        (p.assets, p.shares) = (uint96(assets), uint120(shares));
    }

    function _bucket(uint256 assets, uint256 shares) internal pure returns (Bucket memory b) {
        (b.assets, b.shares) = (uint96(assets), uint120(shares));
    }

    function test_examples() public pure {
        assertEq(uint256(1).toSharesDown(0, 0), 1e6);
        assertEq(uint256(1e6).toAssetsDown(0, 0), 1);
        assertEq(uint256(1e6 - 1).toAssetsDown(0, 0), 0);
        assertEq(uint256(1).toAssetsUp(0, 0), 1);
        assertEq(uint256(2).toSharesDown(2, 0), 666_666);
        assertEq(uint256(2).toSharesUp(2, 0), 666_667);
        assertEq(uint256(1).mulDown(0.5e18), 0);
        assertEq(uint256(1).mulUp(0.5e18), 1);
        assertEq(uint256(2).mulUp(0.5e18), 1);
        assertEq(uint256(0).mulUp(0.5e18), 0);
    }

    /// Against the exact fractions: down is the floor, up is the ceiling.
    function testFuzz_roundings(uint256 amount, uint256 assets, uint256 shares) public pure {
        amount = bound(amount, 0, MAX_ASSETS);
        assets = bound(assets, 0, MAX_ASSETS);
        shares = bound(shares, 0, MAX_SHARES);
        uint256 exact = amount * (shares + 1e6);
        uint256 down = amount.toSharesDown(assets, shares);
        assertEq(down, exact / (assets + 1));
        assertEq(amount.toSharesUp(assets, shares), down + (exact % (assets + 1) == 0 ? 0 : 1));
        exact = amount * (assets + 1);
        down = amount.toAssetsDown(assets, shares);
        assertEq(down, exact / (shares + 1e6));
        assertEq(amount.toAssetsUp(assets, shares), down + (exact % (shares + 1e6) == 0 ? 0 : 1));
    }

    function testFuzz_thereAndBackDoesNotPay(uint256 amount, uint256 assets, uint256 shares) public pure {
        amount = bound(amount, 0, MAX_ASSETS);
        assets = bound(assets, 0, MAX_ASSETS);
        // Nobody enters a ruined pool, so a wei buys at most 1e8 shares; and all of CAI is 1e27 wei.
        shares = bound(shares, 0, Math.min(MAX_SHARES / 4, (assets + 1) * 1e8 - 1e6));
        vm.assume((amount + 1) * (shares + FIRST) / (assets + 1) < MAX_SHARES);
        Pool memory p = _pool(assets, shares);
        assertFalse(p.isRuined());
        uint256 minted = p.enterDown(amount);
        assertLe(p.leaveDown(minted), amount);
        Bucket memory b = _bucket(assets, shares);
        assertEq(b.enterDown(amount), minted);
        assertLe(b.leaveDown(minted), amount);
    }

    /// All the shares there are never convert to more than there is.
    function testFuzz_theLastIsPaid(uint256 assets, uint256 shares) public pure {
        assets = bound(assets, 0, MAX_ASSETS);
        shares = bound(shares, 0, MAX_SHARES);
        Pool memory p = _pool(assets, shares);
        assertLe(p.leaveDown(shares), assets);
        assertEq(p.shares, 0);
        Bucket memory b = _bucket(assets, shares);
        assertLe(b.leaveDown(shares), assets);
        assertEq(b.shares, 0);
    }

    function testFuzz_slash(uint256 assets, uint256 shares, uint256 own, uint256 fraction) public pure {
        assets = bound(assets, 0, MAX_ASSETS);
        shares = bound(shares, 0, MAX_SHARES);
        own = bound(own, 0, shares);
        fraction = bound(fraction, 0, 0.5e18);
        Pool memory p = _pool(assets, shares);
        p.ownShares = uint120(own);
        (uint256 loss, uint256 ownLoss) = p.slashDown(fraction);
        assertEq(loss, assets * fraction / 1e18);
        assertEq(p.assets, assets - loss);
        assertTrue(assets == 0 || p.assets > 0);
        assertEq(p.tombstoned, p.isRuined());
        Bucket memory b = _bucket(assets, shares);
        (uint256 bucketLoss, uint256 bucketOwnLoss) = b.slashDown(own, fraction);
        assertEq(bucketLoss, loss);
        assertEq(bucketOwnLoss, ownLoss);
        assertEq(b.assets, p.assets);
        // own loss <= own part of the loss, exactly
        assertLe(ownLoss * (shares + 1e6), own * loss);
        assertGe((ownLoss + 2) * (shares + 1e6), own * loss);
    }

    function test_ruinedUnderAHundredthOfTheFirstPrice() public pure {
        // (assets + 1) / (shares + 1e6) < 1e-8
        assertFalse(_pool(0, 0).isRuined());
        assertFalse(_pool(0, 99e6).isRuined());
        assertTrue(_pool(0, 99e6 + 1).isRuined());
        assertFalse(_pool(1e18 - 1, 1e26 - 1e6).isRuined());
        assertTrue(_pool(1e18 - 1, 1e26 - 1e6 + 1).isRuined());
        assertTrue(_pool(1e18 - 2, 1e26 - 1e6).isRuined());
    }
}
