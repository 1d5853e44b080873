// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

contract SlashTest is BaseTest {
    function test_takesFromThePoolAndTheMaturingBuckets() public {
        _delegate(miner, miner, 100e18);
        _delegate(miner, alice, 400e18);
        uint256 epoch = staking.currentEpoch();
        for (uint256 i; i < 4; ++i) {
            if (i > 0) _nextEpoch(1);
            _undelegate(miner, alice, 40e18 * FIRST);
        }
        // Buckets of epoch ... epoch + 3; the first has matured.
        uint256 supply = cai.totalSupply();
        vm.expectEmit(address(staking));
        emit IStaking.Slashed(miner, slasher, 0.1e18, 34e18, 12e18, 0, address(0), 306e18, 340e18 * FIRST, 0);
        assertEq(_slash(miner, 0.1e18), 46e18);

        assertEq(staking.bucketAssetsOf(miner, epoch, alice), 40e18);
        for (uint256 i = 1; i < 4; ++i) {
            assertApproxEqAbs(staking.bucketAssetsOf(miner, epoch + i, alice), 36e18, 1);
        }
        assertApproxEqAbs(staking.assetsOf(miner, alice), 216e18, 1);
        assertApproxEqAbs(staking.assetsOf(miner, miner), 90e18, 1);
        assertEq(supply - cai.totalSupply(), 46e18, "burned");
        _assertSolvent(miner);
    }

    function test_paysAtMostHalfOfTheOwnLoss() public {
        _delegate(miner, miner, 100e18);
        _delegate(miner, alice, 900e18);
        (uint256 slashed, uint256 paid) = _slash(miner, 0.1e18, carol, 500e18);
        assertEq(slashed, 100e18);
        // Own loss is 10 of the 100; rounded down.
        assertApproxEqAbs(paid, 5e18, 1);
        assertLe(paid, 5e18);
        assertEq(cai.balanceOf(carol), paid);
        _assertSolvent(miner);
    }

    function test_paysNoMoreThanWished() public {
        _delegate(miner, miner, 100e18);
        uint256 supply = cai.totalSupply();
        (uint256 slashed, uint256 paid) = _slash(miner, 0.1e18, carol, 2e18);
        assertEq(paid, 2e18);
        assertEq(cai.balanceOf(carol), 2e18);
        assertEq(supply - cai.totalSupply(), slashed - paid);
    }

    function test_paysNothingForVotersLossAlone() public {
        _delegate(miner, alice, 900e18);
        (, uint256 paid) = _slash(miner, 0.5e18, carol, type(uint256).max);
        assertEq(paid, 0);
    }

    function test_leavingDoesNotSpareTheReward() public {
        _delegate(miner, miner, 100e18);
        _delegate(miner, alice, 10e18);
        _undelegate(miner, miner, 100e18 * FIRST);
        (, uint256 paid) = _slash(miner, 0.1e18, carol, type(uint256).max);
        assertApproxEqAbs(paid, 5e18, 1);
        assertLe(paid, 5e18);
    }

    function test_sendsNothingToNobody() public {
        _delegate(miner, miner, 100e18);
        (uint256 slashed, uint256 paid) = _slash(miner, 0.1e18, address(0), 5e18);
        assertEq(slashed, 10e18);
        assertEq(paid, 0);
    }

    function test_anEpochTakesAtMostItsLimit() public {
        _delegate(miner, alice, 100e18);
        assertEq(_slash(miner, 0.5e18), 50e18);
        // Only 0.25 is left.
        vm.expectEmit(address(staking));
        emit IStaking.Slashed(miner, slasher, 0.25e18, 12.5e18, 0, 0, address(0), 37.5e18, 100e18 * FIRST, 0);
        assertEq(_slash(miner, 0.5e18), 12.5e18);
        // Exhausted: nothing is taken, nothing reverts.
        vm.expectEmit(address(staking));
        emit IStaking.Slashed(miner, slasher, 0, 0, 0, 0, address(0), 37.5e18, 100e18 * FIRST, 0);
        assertEq(_slash(miner, 0.5e18), 0);
        _nextEpoch(1);
        assertEq(_slash(miner, 0.5e18), 18.75e18);
    }

    function test_limitsAreAnOperatorsOwn() public {
        _delegate(miner, alice, 100e18);
        _delegate(coordinator, alice, 100e18);
        _slash(miner, 0.5e18);
        _slash(miner, 0.5e18);
        assertEq(_slash(coordinator, 0.5e18), 50e18);
    }

    function test_tombstonesUnderAHundredthOfTheFirstPrice() public {
        _registerMiner(10_000_000e18);
        for (uint256 i; i < 6; ++i) {
            _slash(miner, 0.5e18);
            assertFalse(staking.isTombstoned(miner));
            assertGt(staking.weightOf(miner), 0);
            _nextEpoch(1);
        }
        // 1/64, and then 1/128; own stake is still far above the minimum.
        _slash(miner, 0.5e18);
        assertTrue(staking.isTombstoned(miner));
        assertGt(staking.assetsOf(miner, miner), MIN_MINER);
        assertEq(staking.weightOf(miner), 0);
        assertEq(staking.totalWeight(Role.Miner), 0);
        // Further slashes work on.
        _nextEpoch(1);
        assertEq(_slash(miner, 0.5e18), uint256(10_000_000e18) / 256);
    }

    function test_theLastWeiIsNeverSlashedAway() public {
        _delegate(miner, alice, 1);
        assertEq(_slash(miner, 0.5e18), 0);
        (uint256 assets,) = staking.pool(miner);
        assertEq(assets, 1);
    }

    function test_ofNobodyTakesNothing() public {
        assertEq(_slash(carol, 0.5e18), 0);
        assertFalse(staking.isTombstoned(carol));
    }

    function test_inTheFirstEpochsOfAChain() public {
        vm.warp(1);
        address[] memory slashers = new address[](1);
        slashers[0] = slasher;
        staking = IStaking(_deployStaking(address(registry), address(payments), _parameters(), slashers));
        for (uint256 e; e < 3; ++e) {
            vm.warp(e * EPOCH + 1);
            _delegate(miner, alice, 100e18);
            _undelegate(miner, alice, 50e18 * FIRST);
            _slash(miner, 0.1e18);
        }
        (uint256 assets,) = staking.bucket(miner, 0);
        assertEq(assets, 36.45e18);
    }

    function test_revertsForOthers() public {
        _delegate(miner, alice, 100e18);
        uint256 epoch = staking.currentEpoch();
        address[4] memory others = [alice, address(registry), address(payments), timelock];
        for (uint256 i; i < 4; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, others[i]));
            staking.slash(miner, 0.1e18, epoch, 0, alice, 0);
        }
    }

    function test_revertsOutsideTheLimitOfOneIncident() public {
        uint256 epoch = staking.currentEpoch();
        vm.startPrank(slasher);
        vm.expectRevert(abi.encodeWithSelector(IStaking.FractionOutOfRange.selector, 0, 0.5e18));
        staking.slash(miner, 0, epoch, 0, alice, 0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.FractionOutOfRange.selector, 0.5e18 + 1, 0.5e18));
        staking.slash(miner, 0.5e18 + 1, epoch, 0, alice, 0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.FutureEpoch.selector, epoch + 1, epoch));
        staking.slash(miner, 0.5e18, epoch + 1, 0, alice, 0);
    }

    /// Never more than the fraction of pool and buckets says, less than a wei each under it, and everybody bears it alike.
    function testFuzz_takesTheFraction(uint256 own, uint256 vote, uint256 leaving, uint256 fraction, uint256 reward)
        public
    {
        own = bound(own, 1e6, 1e26);
        vote = bound(vote, 1e6, 1e26);
        fraction = bound(fraction, 1, 0.5e18);
        _delegate(miner, miner, own);
        _delegate(miner, alice, vote);
        leaving = _undelegate(miner, alice, bound(leaving, FIRST, vote * FIRST));
        uint256 supply = cai.totalSupply();

        (uint256 slashed, uint256 paid) = _slash(miner, fraction, carol, reward);
        assertLe(slashed * 1e18, (own + vote) * fraction);
        assertGt((slashed + 2) * 1e18, (own + vote) * fraction);
        assertLe(paid, reward);
        assertLe(paid * 2e18, own * fraction, "at most half of the own loss");
        assertEq(supply - cai.totalSupply(), slashed - paid);
        assertEq(cai.balanceOf(carol), paid);
        // What stays is (1 - fraction) of everything, rounded up by less than two wei.
        assertApproxEqAbs(staking.assetsOf(miner, miner), own - own * fraction / 1e18, 2);
        uint256 left = staking.bucketAssetsOf(miner, staking.currentEpoch(), alice);
        assertApproxEqAbs(left, leaving - leaving * fraction / 1e18, 2);
        _assertSolvent(miner);
    }

    /// Any order of fractions in an epoch leaves at least a quarter.
    function testFuzz_anEpochLeavesAQuarter(uint256[8] memory fractions, uint256 assets) public {
        assets = bound(assets, 1, 1e26);
        _delegate(miner, alice, assets);
        for (uint256 i; i < 8; ++i) {
            _slash(miner, bound(fractions[i], 1, 0.5e18));
        }
        (uint256 left,) = staking.pool(miner);
        assertGe(left * 4, assets);
    }

    /// Slashing oneself never pays: what a colluding slash pays is less than what the operator lost.
    function testFuzz_slashingOneselfDoesNotPay(uint256 own, uint256 leaving, uint256 fraction) public {
        own = bound(own, 1e6, 1e26);
        fraction = bound(fraction, 1, 0.5e18);
        uint256 shares = _delegate(miner, miner, own);
        _undelegate(miner, miner, bound(leaving, FIRST, shares));
        uint256 epoch = staking.currentEpoch();
        _slash(miner, fraction, miner, type(uint256).max);
        uint256 worth = staking.assetsOf(miner, miner) + staking.bucketAssetsOf(miner, epoch, miner);
        assertLe(cai.balanceOf(miner) + worth, own);
    }

    // --------------------------------------------------------------------------------------------------------- under a hold

    function _slashHeld(uint256 fraction, uint256 epoch) internal returns (uint256 slashed) {
        vm.prank(slasher);
        (slashed,) = staking.slash(miner, fraction, epoch, 0, address(0), 0);
    }

    /// @dev 10 CAI in each bucket of `count` epochs from now on, 1000 less that in the pool; ends in the last of these epochs.
    function _bucketsOf(uint256 count) internal returns (uint256 first) {
        first = staking.currentEpoch();
        _delegate(miner, alice, 1000e18);
        for (uint256 i; i < count; ++i) {
            if (i > 0) _nextEpoch(1);
            _undelegate(miner, alice, 10e18 * FIRST);
        }
    }

    function _assertBuckets(uint256 first, uint256[7] memory expected) internal view {
        for (uint256 i; i < 7; ++i) {
            assertEq(staking.bucketAssetsOf(miner, first + i, alice), expected[i]);
        }
    }

    function test_reachesWhatMaturedSinceTheDisputeOpened() public {
        uint256 first = _bucketsOf(4);
        // first has matured, the next three have not.
        uint256 epoch = _hold(miner, 0.1e18);
        for (uint256 i; i < 3; ++i) {
            _nextEpoch(1);
            _undelegate(miner, alice, 10e18 * FIRST);
        }
        _nextEpoch(1);
        // The last epoch of the hold; of the buckets all but one have matured.
        assertEq(staking.currentEpoch(), epoch + 4);
        assertEq(_slashHeld(0.1e18, epoch), 93e18 + 6e18);
        _assertBuckets(first, [uint256(10e18), 9e18, 9e18, 9e18, 9e18, 9e18, 9e18]);
        _assertSolvent(miner);
    }

    function test_withoutAHoldReachesOnlyWhatMaturesNow() public {
        uint256 first = _bucketsOf(7);
        assertEq(_slashHeld(0.1e18, staking.currentEpoch() - 3), 93e18 + 3e18);
        _assertBuckets(first, [uint256(10e18), 10e18, 10e18, 10e18, 9e18, 9e18, 9e18]);
    }

    function test_aFractionAboveTheHoldReachesOnlyWhatMaturesNow() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 10e18 * FIRST);
        uint256 epoch = _hold(miner, 0.1e18);
        _nextEpoch(3);
        assertEq(_slashHeld(0.1e18 + 1, epoch), 9e18 + 90);
        assertEq(staking.bucketAssetsOf(miner, epoch, alice), 10e18);
        assertEq(staking.heldFraction(miner, epoch), 0.1e18, "and uses up nothing");
    }

    function test_anExpiredHoldReachesOnlyWhatMaturesNow() public {
        uint256 first = _bucketsOf(1);
        uint256 epoch = _hold(miner, 0.1e18);
        _nextEpoch(5);
        assertEq(_slashHeld(0.1e18, epoch), 99e18);
        assertEq(staking.bucketAssetsOf(miner, first, alice), 10e18);
    }

    function test_aHoldIsUsedUpByItsSlash() public {
        uint256 first = _bucketsOf(1);
        uint256 epoch = _hold(miner, 0.1e18);
        _nextEpoch(3);
        assertEq(_slashHeld(0.1e18, epoch), 99e18 + 1e18);
        assertEq(staking.heldFraction(miner, first), 0);
        assertEq(_slashHeld(0.1e18, epoch), 89.1e18);
        assertEq(staking.bucketAssetsOf(miner, first, alice), 9e18, "once");
    }

    function test_aHoldThatWasReleasedReachesNothingMore() public {
        uint256 first = _bucketsOf(1);
        uint256 epoch = _hold(miner, 0.1e18);
        _nextEpoch(3);
        _release(miner, 0.1e18, epoch);
        _slashHeld(0.1e18, epoch);
        assertEq(staking.bucketAssetsOf(miner, first, alice), 10e18);
    }

    function test_noSlasherUsesAnothersHold() public {
        vm.prank(timelock);
        staking.proposeSlasher(carol);
        _nextEpoch(4);
        uint256 first = _bucketsOf(1);
        uint256 epoch = _hold(miner, 0.1e18);
        _nextEpoch(3);
        vm.prank(carol);
        staking.slash(miner, 0.1e18, epoch, 0, address(0), 0);
        assertEq(staking.bucketAssetsOf(miner, first, alice), 10e18);
        assertEq(staking.heldFraction(miner, first), 0.1e18);
    }

    /// Of a bucket that has matured all slashes together take at most what can be held back of it, in however many epochs.
    function test_ofAMaturedBucketNoMoreThanAnEpochsLimitInSum() public {
        uint256 first = _bucketsOf(1);
        uint256 epoch = _hold(miner, 0.5e18);
        _hold(miner, 0.5e18);
        _hold(miner, 0.5e18);
        _nextEpoch(3);
        vm.prank(alice);
        assertEq(staking.withdraw(miner, epoch, alice), 2.5e18);
        assertEq(_slashHeld(0.5e18, epoch), 495e18 + 5e18);
        _nextEpoch(1);
        // In another epoch, and yet only 0.25 of the 5 that are left, and then nothing.
        assertEq(_slashHeld(0.5e18, epoch), 247.5e18 + 1.25e18);
        assertEq(staking.bucketAssetsOf(miner, first, alice), 1.25e18);
        vm.warp(block.timestamp + 1);
        assertEq(_slashHeld(0.5e18, epoch), 247.5e18 / 4, "the epoch's limit");
        assertEq(staking.bucketAssetsOf(miner, first, alice), 1.25e18);
        assertEq(staking.withdraw(miner, epoch, alice), 1.25e18);
    }

    function test_takesOfWhatTheStreamOwesToo() public {
        _registerMiner(30_000e18);
        _fundRewards(REWARD_PERIOD * 1e18);
        vm.warp(block.timestamp + 10_000);
        uint256 assets = staking.assetsOf(miner, miner);
        assertGt(assets, 39_999e18);
        (uint256 slashed, uint256 paid) = _slash(miner, 0.1e18, carol, type(uint256).max);
        assertEq(slashed, assets / 10);
        assertApproxEqAbs(paid, assets / 20, 1);
        assertEq(staking.pendingRewards(miner), 0);
    }

    function test_ofBucketsOnlyTheOperatorsOwnPartIsPaidFor() public {
        _delegate(miner, miner, 100e18);
        _delegate(miner, alice, 100e18);
        _undelegate(miner, miner, 100e18 * FIRST);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = _hold(miner, 0.1e18);
        _nextEpoch(3);
        vm.prank(slasher);
        (uint256 slashed, uint256 paid) = staking.slash(miner, 0.1e18, epoch, 0, carol, type(uint256).max);
        assertEq(slashed, 20e18);
        assertApproxEqAbs(paid, 5e18, 1);
        assertLe(paid, 5e18);
    }
}
