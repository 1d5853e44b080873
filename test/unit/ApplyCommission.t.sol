// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking} from "../utils/BaseTest.sol";

contract ApplyCommissionTest is BaseTest {
    function _set(uint256 commission) internal {
        vm.prank(miner);
        staking.setCommission(commission);
    }

    function test_takesEffectAfterAnEpochsLength() public {
        _set(0.1e18);
        vm.warp(block.timestamp + EPOCH);
        vm.expectEmit(address(staking));
        emit IStaking.CommissionSet(miner, 0.1e18);
        // Anybody may call.
        vm.prank(carol);
        staking.applyCommission(miner);
        (uint256 commission, uint256 announced, uint256 from) = staking.commissionOf(miner);
        assertEq(commission, 0.1e18);
        assertEq(announced, 0);
        assertEq(from, 0);
    }

    function test_revertsBeforeAndTwice() public {
        vm.expectRevert(abi.encodeWithSelector(IStaking.CommissionNotDue.selector, miner, 0, block.timestamp));
        staking.applyCommission(miner);
        _set(0.1e18);
        uint256 from = block.timestamp + EPOCH;
        vm.warp(from - 1);
        vm.expectRevert(abi.encodeWithSelector(IStaking.CommissionNotDue.selector, miner, from, from - 1));
        staking.applyCommission(miner);
        vm.warp(from);
        staking.applyCommission(miner);
        vm.expectRevert(abi.encodeWithSelector(IStaking.CommissionNotDue.selector, miner, 0, from));
        staking.applyCommission(miner);
    }

    /// A rise counts from when it was applied: voters keep what flowed before.
    function test_doesNotReachBack() public {
        _registerMiner(30_000e18);
        _delegate(miner, alice, 30_000e18);
        _fundRewards(REWARD_PERIOD * 1e18);
        _set(1e18);
        vm.warp(block.timestamp + EPOCH);
        uint256 before = staking.assetsOf(miner, alice);
        assertApproxEqAbs(before, 30_000e18 + EPOCH * 0.5e18, 1e12);
        staking.applyCommission(miner);
        assertEq(staking.assetsOf(miner, alice), before);
        uint256 own = staking.assetsOf(miner, miner);
        vm.warp(block.timestamp + 1000);
        assertApproxEqAbs(staking.assetsOf(miner, alice), before, 1, "all of it is the operator's now");
        assertApproxEqAbs(staking.assetsOf(miner, miner), own + 1000e18, 1e12);
    }

    /// The cut is what it says, paid in shares, and no price falls by it.
    function testFuzz_theCutIsPaidInShares(uint256 own, uint256 vote, uint256 cut, uint256 fraction, uint256 time)
        public
    {
        own = bound(own, MIN_MINER * 4, 1e26);
        vote = bound(vote, 1, 9 * own / 4 > 1e26 ? 1e26 : 9 * own / 4);
        cut = bound(cut, 1, 1e9) * 1e9;
        time = bound(time, 1, REWARD_PERIOD / 2);
        _registerMiner(own);
        _delegate(miner, alice, vote);
        _slash(miner, bound(fraction, 1, 0.5e18));
        _set(cut);
        vm.warp(block.timestamp + EPOCH);
        staking.applyCommission(miner);
        _fundRewards(REWARD_PERIOD * 1e18);
        (uint256 assets, uint256 shares) = staking.pool(miner);
        uint256 ownBefore = staking.assetsOf(miner, miner);
        uint256 voterBefore = staking.assetsOf(miner, alice);
        vm.warp(block.timestamp + time);

        uint256 reward = staking.accrue(miner);
        (uint256 assetsAfter, uint256 sharesAfter) = staking.pool(miner);
        assertEq(assetsAfter, assets + reward);
        assertGe((assetsAfter + 1) * (shares + FIRST), (assets + 1) * (sharesAfter + FIRST), "the price fell");
        // own = cut + its part of the rest, rounded down
        uint256 rest = reward - reward * cut / 1e18;
        uint256 due = ownBefore + reward * cut / 1e18 + rest * ownBefore / (assets + 1);
        // What was rounded away before earns its part, too.
        uint256 slack = 4 + 2 * rest / assets;
        assertApproxEqAbs(staking.assetsOf(miner, miner), due, slack);
        assertApproxEqAbs(staking.assetsOf(miner, alice), voterBefore + rest * voterBefore / (assets + 1), slack);
    }
}
