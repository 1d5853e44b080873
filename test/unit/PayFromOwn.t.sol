// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

contract PayFromOwnTest is BaseTest {
    function _pay(uint256 assets, address payee) internal returns (uint256) {
        vm.prank(address(payments));
        return staking.payFromOwn(coordinator, assets, payee);
    }

    function test_movesOwnStakeIntoTheBucketForThePayee() public {
        _registerCoordinator(3_000_000e18);
        _delegate(coordinator, alice, 1000e18);
        uint256 epoch = staking.currentEpoch();
        vm.expectEmit(address(staking));
        emit IStaking.PaidFromOwn(
            coordinator, miner, epoch, 500_000e18, 500_000e18 * FIRST, 2_501_000e18, 2_501_000e18 * FIRST, 2_501_000e18
        );
        assertEq(_pay(500_000e18, miner), 500_000e18);
        assertEq(staking.assetsOf(coordinator, coordinator), 2_500_000e18);
        assertEq(staking.assetsOf(coordinator, alice), 1000e18);
        assertEq(staking.bucketAssetsOf(coordinator, epoch, miner), 500_000e18);
        assertEq(staking.totalWeight(Role.Coordinator), 2_501_000e18);
        _assertSolvent(coordinator);
        _nextEpoch(3);
        assertEq(staking.withdraw(coordinator, epoch, miner), 500_000e18);
    }

    function test_paysNoMoreThanOwnStake() public {
        _delegate(coordinator, coordinator, 100e18);
        _delegate(coordinator, alice, 1000e18);
        assertEq(_pay(101e18, miner), 100e18);
        assertEq(staking.sharesOf(coordinator, coordinator), 0);
        assertEq(staking.assetsOf(coordinator, alice), 1000e18);
        // Nothing is left, and nothing reverts.
        assertEq(_pay(1, miner), 0);
        assertEq(_pay(type(uint256).max, miner), 0);
        _assertSolvent(coordinator);
    }

    function test_ofNothingPaysNothing() public {
        _delegate(coordinator, coordinator, 100e18);
        assertEq(_pay(0, miner), 0);
        assertEq(staking.assetsOf(coordinator, coordinator), 100e18);
    }

    function test_staysSlashable() public {
        _delegate(coordinator, coordinator, 100e18);
        uint256 epoch = staking.currentEpoch();
        _pay(50e18, miner);
        assertEq(_slash(coordinator, 0.1e18), 10e18);
        assertEq(staking.bucketAssetsOf(coordinator, epoch, miner), 45e18);
    }

    function test_comesOnTopOfWhatThePayeeHasInTheBucket() public {
        _delegate(coordinator, coordinator, 100e18);
        _delegate(coordinator, alice, 100e18);
        uint256 epoch = staking.currentEpoch();
        _undelegate(coordinator, alice, 10e18 * FIRST);
        _pay(50e18, alice);
        assertEq(staking.bucketAssetsOf(coordinator, epoch, alice), 60e18);
        assertEq(staking.assetsOf(coordinator, alice), 90e18);
    }

    function test_underTheMinimumTheWeightGoes() public {
        _registerCoordinator(3_000_000e18);
        _pay(1_000_000e18, miner);
        assertEq(staking.assetsOf(coordinator, coordinator), 2_000_000e18);
        assertEq(staking.weightOf(coordinator), 0);
        assertEq(staking.totalWeight(Role.Coordinator), 0);
    }

    function test_worksFromATombstonedAndJailedPool() public {
        _delegate(coordinator, coordinator, 128e18);
        for (uint256 i; i < 7; ++i) {
            _slash(coordinator, 0.5e18);
            _nextEpoch(1);
        }
        assertTrue(staking.isTombstoned(coordinator));
        vm.prank(address(payments));
        staking.jail(coordinator, 100);
        assertEq(_pay(1e18, miner), 1e18);
    }

    function test_addsRewardsFirst() public {
        _registerCoordinator(3_000_000e18);
        _fundRewards(REWARD_PERIOD * 1e18);
        vm.warp(block.timestamp + 1000);
        uint256 own = staking.assetsOf(coordinator, coordinator);
        assertGt(own, 3_000_999e18);
        assertEq(_pay(type(uint256).max, miner), own);
    }

    function test_revertsForOthers() public {
        address[4] memory others = [coordinator, slasher, timelock, address(registry)];
        for (uint256 i; i < 4; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, others[i]));
            staking.payFromOwn(coordinator, 1, miner);
        }
    }

    /// Whatever is paid, and after whatever slash: the voters lose not a wei, the payee gets what was paid and no more.
    function testFuzz_votersLoseNothing(uint256 own, uint256 vote, uint256 fraction, uint256[4] memory payments_)
        public
    {
        own = bound(own, 1, 1e26);
        _delegate(coordinator, coordinator, own);
        _delegate(coordinator, alice, bound(vote, 1, 1e26));
        _slash(coordinator, bound(fraction, 1, 0.5e18));
        uint256 epoch = staking.currentEpoch();
        uint256 before = staking.assetsOf(coordinator, alice);
        uint256 sum;
        for (uint256 i; i < 4; ++i) {
            uint256 ownBefore = staking.assetsOf(coordinator, coordinator);
            uint256 wanted = bound(payments_[i], 0, own);
            uint256 paid = _pay(wanted, miner);
            sum += paid;
            assertEq(paid, wanted < ownBefore ? wanted : ownBefore);
            // Rounded up against the operator, by a share: less than two wei.
            assertLe(staking.assetsOf(coordinator, coordinator) + paid, ownBefore);
            assertGe(staking.assetsOf(coordinator, coordinator) + paid + 2, ownBefore);
            assertGe(staking.assetsOf(coordinator, alice), before);
        }
        assertLe(staking.bucketAssetsOf(coordinator, epoch, miner), sum);
        assertGe(staking.bucketAssetsOf(coordinator, epoch, miner) + 4, sum);
        _assertSolvent(coordinator);
    }
}
