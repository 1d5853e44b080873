// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking} from "../utils/BaseTest.sol";

contract CancelUndelegationTest is BaseTest {
    function test_bringsAllOfABucketBack() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 40e18 * FIRST);
        uint256 epoch = staking.currentEpoch();
        vm.expectEmit(address(staking));
        emit IStaking.UndelegationCancelled(miner, alice, epoch, 40e18, 40e18 * FIRST, 100e18, 100e18 * FIRST, 0);
        assertEq(_cancel(miner, alice, epoch), 40e18 * FIRST);
        assertEq(staking.assetsOf(miner, alice), 100e18);
        assertEq(staking.bucketAssetsOf(miner, epoch, alice), 0);
        _assertSolvent(miner);
    }

    function test_atThePricesOfNow() public {
        _delegate(miner, alice, 200e18);
        _delegate(miner, bob, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = staking.currentEpoch();
        _slash(miner, 0.5e18);
        _nextEpoch(1);
        _slash(miner, 0.5e18);
        _cancel(miner, alice, epoch);
        // Pool and bucket were slashed alike, so it has again what it would have had.
        assertApproxEqAbs(staking.assetsOf(miner, alice), 50e18, 3);
        assertApproxEqAbs(staking.assetsOf(miner, bob), 25e18, 3);
        _assertSolvent(miner);
    }

    function test_ofTheOperatorRestoresItsWeight() public {
        _registerMiner(30_000e18);
        _undelegate(miner, miner, 20_000e18 * FIRST);
        assertEq(staking.weightOf(miner), 0);
        _cancel(miner, miner, staking.currentEpoch());
        assertEq(staking.weightOf(miner), 30_000e18);
        assertEq(staking.sharesOf(miner, miner), 30_000e18 * FIRST);
    }

    function test_revertsOnceMatured() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = staking.currentEpoch();
        _nextEpoch(3);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStaking.AlreadyMatured.selector, epoch, epoch + 3, epoch + 3));
        staking.cancelUndelegation(miner, epoch);
        vm.warp(block.timestamp - 1);
        _cancel(miner, alice, epoch);
        assertEq(staking.assetsOf(miner, alice), 100e18);
    }

    function test_leavesOthersBucketsAlone() public {
        _delegate(miner, alice, 100e18);
        _delegate(miner, bob, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        _undelegate(miner, bob, 50e18 * FIRST);
        uint256 epoch = staking.currentEpoch();
        _cancel(miner, alice, epoch);
        assertEq(staking.bucketAssetsOf(miner, epoch, bob), 50e18);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, miner, epoch, alice));
        staking.cancelUndelegation(miner, epoch);
    }

    function test_revertsOnAnEmptyBucket() public {
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, miner, 7, alice));
        staking.cancelUndelegation(miner, 7);
    }

    function test_revertsOnSharesWorthNothing() public {
        _delegate(miner, alice, 1);
        _delegate(miner, bob, 3);
        _undelegate(miner, alice, FIRST);
        _undelegate(miner, bob, 3 * FIRST);
        _slash(miner, 0.5e18);
        uint256 epoch = staking.currentEpoch();
        assertEq(staking.bucketAssetsOf(miner, epoch, alice), 0);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStaking.AmountTooSmall.selector, 0));
        staking.cancelUndelegation(miner, epoch);
    }

    function test_revertsWhenTombstoned() public {
        _delegate(miner, alice, 100e18);
        for (uint256 i; i < 7; ++i) {
            _slash(miner, 0.5e18);
            _nextEpoch(1);
        }
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 100e18 * FIRST);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Tombstoned.selector, miner));
        staking.cancelUndelegation(miner, epoch);
        // The way out stays open.
        _nextEpoch(3);
        assertEq(staking.withdraw(miner, epoch, alice), 100e18 / 128);
    }

    function testFuzz_roundTripDoesNotPay(uint256 other, uint256 assets, uint256 fraction, uint256 part) public {
        assets = bound(assets, 1e6, 1e26);
        _delegate(miner, bob, bound(other, 1e6, 1e26));
        fraction = bound(fraction, 0, 0.5e18);
        if (fraction > 0) _slash(miner, fraction);
        uint256 shares = _delegate(miner, alice, assets);
        uint256 before = staking.assetsOf(miner, alice);
        uint256 others = staking.assetsOf(miner, bob);
        _undelegate(miner, alice, bound(part, shares / 1000 + 1e7, shares));
        _cancel(miner, alice, staking.currentEpoch());
        assertLe(staking.assetsOf(miner, alice), before);
        assertGe(staking.assetsOf(miner, alice) + 2, before, "and costs no more than dust");
        assertGe(staking.assetsOf(miner, bob), others);
        _assertSolvent(miner);
    }
}
