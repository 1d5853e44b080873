// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Role} from "../../../contracts/interfaces/Messages.sol";
import {Pool, Pools} from "../../../contracts/libraries/Pools.sol";

contract PoolsTest is Test {
    using Pools for Pool;

    uint256 internal constant MIN = 20_000e18;

    function _pool(uint256 own, uint256 votes) internal pure returns (Pool memory p) {
        p.ownShares = uint120(p.enterDown(own));
        if (votes != 0) p.enterDown(votes);
        p.active = true;
        p.role = Role.Miner;
    }

    function test_weight() public pure {
        Pool memory p = _pool(MIN + 1, 0);
        assertEq(p.weight(MIN), MIN + 1);
        p = _pool(MIN, 1e24);
        assertEq(p.weight(MIN), 0, "not more than the minimum");
        p = _pool(30_000e18, 270_000e18);
        assertEq(p.weight(MIN), 300_000e18);
        p.enterDown(1);
        assertEq(p.weight(MIN), 300_000e18, "ten times its own");
        p.active = false;
        assertEq(p.weight(MIN), 0);
        p.active = true;
        p.jailed = true;
        assertEq(p.weight(MIN), 0);
        p.jailed = false;
        p.tombstoned = true;
        assertEq(p.weight(MIN), 0);
        p.tombstoned = false;
        assertEq(p.weight(type(uint256).max), 0);
    }

    function test_isRuinedUnderAHundredthOfTheFirstPrice() public pure {
        Pool memory p;
        assertFalse(p.isRuined(), "an empty one");
        p.shares = 100e6 * 1000;
        p.assets = 1000;
        assertFalse(p.isRuined());
        // (assets + 1) * 1e8 < shares + 1e6
        p.shares = 1001 * 1e8 - 1e6;
        assertFalse(p.isRuined(), "exactly a hundredth");
        p.shares += 1;
        assertTrue(p.isRuined());
    }

    function test_slashDownRuins() public pure {
        Pool memory p = _pool(1e18, 0);
        for (uint256 i; i < 6; ++i) {
            p.slashDown(0.5e18);
            assertFalse(p.tombstoned);
        }
        p.slashDown(0.5e18);
        assertTrue(p.tombstoned);
        p.slashDown(0);
        assertTrue(p.tombstoned, "for ever");
    }

    /// Never is more taken than is there, the shares are enough, and the price for all others does not fall.
    function testFuzz_leaveOwnUp(uint256 own, uint256 votes, uint256 fraction, uint256 wanted) public pure {
        Pool memory p = _pool(bound(own, 1, 1e26), bound(votes, 0, 1e26));
        p.slashDown(bound(fraction, 0, 0.5e18));
        wanted = bound(wanted, 0, 2e26);
        (uint256 a, uint256 s, uint256 o) = (p.assets, p.shares, p.ownShares);
        uint256 value = p.ownValueDown();
        (uint256 assets, uint256 shares) = p.leaveOwnUp(wanted);
        assertEq(assets, wanted < value ? wanted : value);
        assertEq(p.assets, a - assets);
        assertEq(p.shares, s - shares);
        assertEq(p.ownShares, o - shares);
        assertGe((p.assets + 1) * (s + 1e6), (a + 1) * (uint256(p.shares) + 1e6), "the price fell");
        // Rounded up by less than a share.
        assertGe(shares * (a + 1), assets * (s + 1e6));
        assertLt(shares * (a + 1), assets * (s + 1e6) + (a + 1));
    }

    function testFuzz_reward(uint256 own, uint256 votes, uint256 fraction, uint256 assets, uint256 cut) public pure {
        Pool memory p = _pool(bound(own, 1, 1e26), bound(votes, 0, 1e26));
        p.slashDown(bound(fraction, 0, 0.5e18));
        assets = bound(assets, 0, 1e26);
        p.commission = uint32(bound(cut, 0, 1e9));
        (uint256 a, uint256 s, uint256 o) = (p.assets, p.shares, p.ownShares);
        uint256 minted = p.reward(assets);
        assertEq(p.assets, a + assets);
        assertEq(p.shares, s + minted);
        assertEq(p.ownShares, o + minted);
        assertGe((uint256(p.assets) + 1) * (s + 1e6), (a + 1) * (uint256(p.shares) + 1e6), "the price fell");
        // The shares are worth the cut, and no more.
        uint256 due = assets * p.commission / 1e9;
        assertLe(minted * (uint256(p.assets) + 1) / (uint256(p.shares) + 1e6), due);
        if (p.commission == 0) assertEq(minted, 0);
    }
}
