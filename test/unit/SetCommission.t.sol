// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking} from "../utils/BaseTest.sol";

contract SetCommissionTest is BaseTest {
    function _set(uint256 commission) internal {
        vm.prank(miner);
        staking.setCommission(commission);
    }

    function _assertCommission(uint256 commission, uint256 announced, uint256 from) internal view {
        (uint256 c, uint256 a, uint256 f) = staking.commissionOf(miner);
        assertEq(c, commission);
        assertEq(a, announced);
        assertEq(f, from);
    }

    function test_aRiseIsAnnounced() public {
        uint256 from = block.timestamp + EPOCH;
        vm.expectEmit(address(staking));
        emit IStaking.CommissionAnnounced(miner, 0.1e18, from);
        _set(0.1e18);
        _assertCommission(0, 0.1e18, from);
    }

    function test_aCutTakesEffectAtOnce() public {
        _set(0.1e18);
        vm.warp(block.timestamp + EPOCH);
        staking.applyCommission(miner);
        vm.expectEmit(address(staking));
        emit IStaking.CommissionSet(miner, 0.05e18);
        _set(0.05e18);
        _assertCommission(0.05e18, 0, 0);
    }

    function test_aCutDropsWhatWasAnnounced() public {
        _set(0.1e18);
        vm.warp(block.timestamp + EPOCH);
        staking.applyCommission(miner);
        _set(0.2e18);
        _set(0.1e18);
        _assertCommission(0.1e18, 0, 0);
        vm.warp(block.timestamp + EPOCH);
        vm.expectRevert(abi.encodeWithSelector(IStaking.CommissionNotDue.selector, miner, 0, block.timestamp));
        staking.applyCommission(miner);
    }

    function test_aFurtherRiseWaitsAnew() public {
        _set(0.1e18);
        vm.warp(block.timestamp + EPOCH - 1);
        _set(0.11e18);
        uint256 from = block.timestamp + EPOCH;
        _assertCommission(0, 0.11e18, from);
        vm.warp(block.timestamp + 1);
        vm.expectRevert(abi.encodeWithSelector(IStaking.CommissionNotDue.selector, miner, from, block.timestamp));
        staking.applyCommission(miner);
    }

    function test_allAndTheLeast() public {
        _set(1e18);
        vm.warp(block.timestamp + EPOCH);
        staking.applyCommission(miner);
        _assertCommission(1e18, 0, 0);
        _set(1e9);
        _assertCommission(1e9, 0, 0);
        _set(0);
        _assertCommission(0, 0, 0);
    }

    function test_theLeastRiseIsAnnouncedToo() public {
        uint256 from = block.timestamp + EPOCH;
        _set(1e9);
        _assertCommission(0, 1e9, from);
        vm.warp(from);
        staking.applyCommission(miner);
        _set(2e9);
        _assertCommission(1e9, 2e9, from + EPOCH);
    }

    function test_isAnOperatorsOwn() public {
        _set(0.1e18);
        (, uint256 announced,) = staking.commissionOf(coordinator);
        assertEq(announced, 0);
    }

    function test_revertsOutsideItsBounds() public {
        uint256[5] memory wrong = [1e18 + 1e9, 1e18 + 1, 1, 0.1e18 + 1, uint256(0.5e9)];
        for (uint256 i; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidCommission.selector, wrong[i]));
            _set(wrong[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidCommission.selector, type(uint256).max));
        _set(type(uint256).max);
        // 2^32 parts: would be zero if it were cut to size.
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidCommission.selector, 2 ** 32 * 1e9));
        _set(2 ** 32 * 1e9);
    }

    /// A cut counts from now on: what flowed before pays the higher one.
    function test_aCutDoesNotReachBack() public {
        _registerMiner(30_000e18);
        _delegate(miner, alice, 30_000e18);
        _fundRewards(REWARD_PERIOD * 1e18);
        _set(0.5e18);
        vm.warp(block.timestamp + EPOCH);
        staking.applyCommission(miner);
        uint256 before = staking.assetsOf(miner, alice);
        vm.warp(block.timestamp + 1000);
        _set(0);
        // A quarter of the 1000, by the shares that it has, which commissions have thinned a bit already.
        (uint256 assets, uint256 shares) = staking.pool(miner);
        assertGt(assets, shares / FIRST);
        uint256 gain = staking.assetsOf(miner, alice) - before;
        assertLt(gain, 251e18);
        assertGt(gain, 100e18);
        before = staking.assetsOf(miner, alice);
        uint256 own = staking.sharesOf(miner, miner);
        vm.warp(block.timestamp + 1000);
        assertEq(staking.sharesOf(miner, miner), own, "no cut any more");
        uint256 due = 1000e18 * staking.sharesOf(miner, alice) / shares;
        assertApproxEqAbs(staking.assetsOf(miner, alice) - before, due, 1e12);
    }
}
