// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {BaseTest, IStaking, Role} from "../../utils/BaseTest.sol";

/// @dev Where other staking systems broke, one test a class: each says in its name what must not happen here.
contract StakingRegressionsTest is BaseTest {
    uint256 internal constant PERIODS_FUNDS = REWARD_PERIOD * 1e18;

    function _ruin(address operator) internal {
        for (uint256 i; i < 7; ++i) {
            _slash(operator, 0.5e18);
            _nextEpoch(1);
        }
    }

    // ----------------------------------------------------------------------------------------------------------- delegation

    /// Slashed again and again, a pool's shares get so many that the next deposit overflows, or so dear that it is rounded away.
    function test_regression_shareInflationAfterNearTotalSlash() public {
        _delegate(miner, alice, 1e26);
        for (uint256 i; i < 6; ++i) {
            _slash(miner, 0.5e18);
            _nextEpoch(1);
            uint256 others = staking.assetsOf(miner, alice);
            _delegate(miner, bob, 1e24);
            assertLe(staking.assetsOf(miner, alice), others + 1, "a deposit pays nobody");
            assertApproxEqAbs(_undelegate(miner, bob, staking.sharesOf(miner, bob)), 1e24, 1, "a deposit costs nothing");
        }
        _slash(miner, 0.5e18);
        _give(bob, address(staking), 1e18);
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Tombstoned.selector, miner));
        staking.delegate(miner, 1e18, bob);
    }

    /// The same with dust: who is first, slashed to a wei, then deposits and leaves at will, takes no more than a wei from the next.
    function test_regression_shareInflationOfADustPool() public {
        _delegate(coordinator, alice, 2);
        for (uint256 i; i < 3; ++i) {
            _slash(coordinator, 0.5e18);
            _nextEpoch(1);
        }
        for (uint256 i; i < 20; ++i) {
            _undelegate(coordinator, alice, _delegate(coordinator, alice, 1e18 + i));
        }
        _delegate(coordinator, bob, 100e18);
        assertGe(staking.assetsOf(coordinator, bob) + 1, 100e18);
        assertLe(staking.assetsOf(coordinator, alice), 3);

        // Where shares became dear by rewards and all but two of them left, an accomplice gives away what it can: what buys it almost one
        // share more than it gets. That must not make a share so dear that the next deposit is rounded down by more than a wei.
        _registerMiner(30_000e18);
        _fundRewards(PERIODS_FUNDS);
        vm.warp(block.timestamp + 1 days);
        _undelegate(miner, miner, staking.sharesOf(miner, miner) - 2);
        for (uint256 i; i < 200; ++i) {
            (uint256 assets, uint256 shares) = staking.pool(miner);
            _delegate(miner, alice, Math.max(1, 2 * assets / (shares + 1)));
            if (staking.assetsOf(miner, alice) != 0) _undelegate(miner, alice, staking.sharesOf(miner, alice));
        }
        _delegate(miner, bob, 100e18);
        assertGe(staking.assetsOf(miner, bob) + 1, 100e18);
    }

    /// Who stakes right before rewards are added, by whatever call, gets nothing of the time before.
    function test_regression_rewardSnipingBeforeALump() public {
        _registerMiner(30_000e18);
        _fundRewards(PERIODS_FUNDS);
        vm.warp(block.timestamp + 100 days);
        _delegate(miner, alice, 10_000_000e18);
        staking.accrue(miner);
        assertLe(staking.assetsOf(miner, alice), 10_000_000e18);
        // Before more is funded: what is new flows evenly, too.
        uint256 shares = staking.sharesOf(miner, alice);
        _fundRewards(1e26);
        assertLe(_undelegate(miner, alice, shares), 10_000_000e18);
        assertApproxEqAbs(staking.assetsOf(miner, miner), 30_000e18 + 100 days * 1e18, 1e10);
    }

    /// A voter who comes when a lump has flowed but nobody has called takes nothing from those who earned it; commission or not.
    function test_regression_lateVoterSnipingALump() public {
        _registerMiner(30_000e18);
        _delegate(miner, alice, 30_000e18);
        vm.prank(miner);
        staking.setCommission(0.5e18);
        vm.warp(block.timestamp + EPOCH);
        staking.applyCommission(miner);
        _fundRewards(PERIODS_FUNDS);
        vm.warp(block.timestamp + 10 days);
        uint256 earned = staking.assetsOf(miner, alice);
        _delegate(miner, bob, 1_000_000e18);
        assertGe(staking.assetsOf(miner, alice), earned);
        assertLe(staking.assetsOf(miner, bob), 1_000_000e18);
        assertApproxEqAbs(earned, 30_000e18 + 10 days * 0.25e18, 1e10);
    }

    /// Funding in the last second of a period would pour all of it into that second.
    function test_regression_aLumpAtTheEndOfAPeriod() public {
        // So little that a rate has room for all of it in a second.
        uint256 funds = REWARD_PERIOD * 1e13;
        _registerMiner(30_000e18);
        _fundRewards(funds);
        vm.warp(block.timestamp + REWARD_PERIOD - 1);
        uint256 before = staking.assetsOf(miner, miner);
        _fundRewards(funds);
        vm.warp(block.timestamp + 1);
        assertLe(staking.assetsOf(miner, miner) - before, 2e13);
    }

    /// An operator's second account, its votes and what it is withdrawing lose as its own stake does: nobody's loss comes first or last.
    function test_regression_operatorsDelegatingToThemselvesToEscapeFirstLoss() public {
        _delegate(miner, miner, 30_000e18);
        address self = makeAddr("the operator again");
        _delegate(miner, self, 270_000e18);
        _delegate(miner, alice, 100e18);
        _undelegate(miner, self, 100_000e18 * FIRST);
        uint256 epoch = staking.currentEpoch();
        _slash(miner, 0.1e18);
        assertApproxEqAbs(staking.assetsOf(miner, miner), 27_000e18, 1);
        assertApproxEqAbs(staking.assetsOf(miner, self), 153_000e18, 1);
        assertApproxEqAbs(staking.bucketAssetsOf(miner, epoch, self), 90_000e18, 1);
        assertApproxEqAbs(staking.assetsOf(miner, alice), 90e18, 1);
    }

    function test_regression_fullySlashedOperatorBricksNothing() public {
        _registerMiner(1_000_000e18);
        _registerCoordinator(3_000_000e18);
        _delegate(miner, alice, 1000e18);
        _fundRewards(PERIODS_FUNDS);
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 100e18 * FIRST);
        _ruin(miner);
        for (uint256 i; i < 150; ++i) {
            _slash(miner, 0.5e18);
            _nextEpoch(1);
        }
        assertTrue(staking.isTombstoned(miner));
        (uint256 assets,) = staking.pool(miner);
        assertEq(assets, 1, "the last wei stays");
        // Whoever left in time, and every verb.
        assertGt(staking.withdraw(miner, epoch, alice), 0);
        assertEq(staking.accrue(miner), 0);
        vm.prank(address(payments));
        staking.jail(miner, 1);
        vm.warp(block.timestamp + 1);
        vm.startPrank(miner);
        staking.unjail();
        staking.setCommission(1e18);
        registry.retire();
        vm.stopPrank();
        vm.prank(address(payments));
        assertLe(staking.payFromOwn(miner, 100, carol), 1);
        // Others' pools.
        assertGt(staking.accrue(coordinator), 0);
        _delegate(coordinator, bob, 1e18);
    }

    /// A wei for another, once an epoch or a hundred times in one, delays and blocks nothing of what it has.
    function test_regression_oneWeiGriefing() public {
        _delegate(miner, alice, 100e18);
        _fundRewards(PERIODS_FUNDS);
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 50e18 * FIRST);
        for (uint256 e; e < 3; ++e) {
            for (uint256 i; i < 20; ++i) {
                _give(bob, address(staking), 1);
                vm.prank(bob);
                staking.delegate(miner, 1, alice);
                _undelegate(miner, bob, _delegate(miner, bob, 1));
                staking.accrue(miner);
            }
            _nextEpoch(1);
        }
        assertEq(staking.withdraw(miner, epoch, alice), 50e18);
        assertEq(staking.assetsOf(miner, alice), 50e18 + 60);
        uint256 gas = gasleft();
        _undelegate(miner, alice, staking.sharesOf(miner, alice));
        assertLt(gas - gasleft(), 150_000, "nothing to walk through");
    }

    /// Balances are integers in pools, not replayed from fractions: after any number of odd slashes everybody still gets out.
    function test_regression_stakeRecomputedFromReplayedFractions() public {
        address[3] memory owners = [alice, bob, miner];
        for (uint256 i; i < 30; ++i) {
            _delegate(miner, owners[i % 3], 1e26 / (i + 3) + 7);
            _slash(miner, 1e16 + 333_333_333_333_333 * i + 1);
            _nextEpoch(1);
            _assertSolvent(miner);
        }
        uint256 epoch = staking.currentEpoch();
        for (uint256 i; i < 3; ++i) {
            _undelegate(miner, owners[i], staking.sharesOf(miner, owners[i]));
        }
        _nextEpoch(3);
        for (uint256 i; i < 3; ++i) {
            assertGt(staking.withdraw(miner, epoch, owners[i]), 0);
        }
        assertLt(cai.balanceOf(address(staking)), 10);
    }

    /// A rise waits an epoch, and takes nothing of what flowed before it was applied.
    function test_regression_instantCommissionHike() public {
        _registerMiner(30_000e18);
        _delegate(miner, alice, 30_000e18);
        _fundRewards(PERIODS_FUNDS);
        vm.warp(block.timestamp + 100 days);
        uint256 earned = staking.assetsOf(miner, alice);
        vm.prank(miner);
        staking.setCommission(1e18);
        assertGe(staking.assetsOf(miner, alice), earned);
        vm.warp(block.timestamp + EPOCH - 1);
        uint256 due = staking.assetsOf(miner, alice);
        assertApproxEqAbs(due, earned + (EPOCH - 1) * 0.5e18, 1e10);
        vm.expectRevert(
            abi.encodeWithSelector(IStaking.CommissionNotDue.selector, miner, block.timestamp + 1, block.timestamp)
        );
        staking.applyCommission(miner);
    }

    /// Should the stream's number be used up, rewards end; nobody is locked in.
    function test_regression_anAccumulatorThatOverflowsLocksNobodyIn() public {
        _fundRewards(PERIODS_FUNDS);
        // The slot whose rate is the stream's, with perWeight at its limit.
        for (uint256 slot; slot < 20; ++slot) {
            uint256 word = uint256(vm.load(address(staking), bytes32(slot)));
            if (uint72(word >> 72) != 1e18) continue;
            vm.store(address(staking), bytes32(slot), bytes32(word | uint256(type(uint72).max - 1)));
            _registerMiner(30_000e18);
            _delegate(miner, alice, 100e18);
            vm.warp(block.timestamp + 1000 days);
            assertLt(staking.pendingRewards(miner), 1e18);
            uint256 epoch = staking.currentEpoch();
            _undelegate(miner, alice, staking.sharesOf(miner, alice));
            _undelegate(miner, miner, staking.sharesOf(miner, miner));
            _nextEpoch(3);
            assertGt(staking.withdraw(miner, epoch, alice), 0);
            assertGt(staking.withdraw(miner, epoch, miner), 0);
            return;
        }
        revert("no slot holds the stream");
    }

    // ------------------------------------------------------------------------------------------------------------ unbonding

    /// No number that a caller chooses makes a time wrap around.
    function test_regression_instantExitByOverflow() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256[5] memory epochs =
            [type(uint256).max, type(uint256).max - 2, type(uint64).max, type(uint32).max, uint256(2 ** 32 + 20_000)];
        vm.startPrank(alice);
        for (uint256 i; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, miner, epochs[i], alice));
            staking.withdraw(miner, epochs[i], alice);
            vm.expectRevert(abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, miner, epochs[i], alice));
            staking.cancelUndelegation(miner, epochs[i]);
        }
        vm.stopPrank();
        // Nor a term of jail.
        vm.prank(address(payments));
        vm.expectRevert();
        staking.jail(miner, type(uint256).max);
        vm.prank(address(payments));
        vm.expectRevert();
        staking.jail(miner, 2 ** 40);
    }

    /// Buckets have a key, the epoch, and are never used again; within one epoch whoever comes after a slash pays nothing for it.
    function test_regression_unbondingBucketReusedAfterATotalSlash() public {
        _delegate(miner, alice, 100e18);
        _delegate(miner, bob, 100e18);
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 100e18 * FIRST);
        _slash(miner, 0.5e18);
        _slash(miner, 0.5e18);
        uint256 due = staking.assetsOf(miner, bob);
        _undelegate(miner, bob, 100e18 * FIRST);
        assertApproxEqAbs(staking.bucketAssetsOf(miner, epoch, bob), due, 1);
        assertApproxEqAbs(staking.bucketAssetsOf(miner, epoch, alice), 37.5e18, 1);
        _nextEpoch(3);
        assertApproxEqAbs(staking.withdraw(miner, epoch, alice), 37.5e18, 1);
        assertApproxEqAbs(staking.withdraw(miner, epoch, bob), due, 1);
    }

    // ------------------------------------------------------------------------------------------------------------- disputes

    /// Fractions, not amounts: whoever leaves between a dispute's opening and its end loses what it would have lost staying.
    function test_regression_leavingBetweenCaptureAndExecution() public {
        _delegate(miner, alice, 100e18);
        _delegate(miner, bob, 100e18);
        uint256 epoch = _hold(miner, 0.1e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        _nextEpoch(3);
        vm.prank(alice);
        staking.withdraw(miner, epoch, alice);
        vm.prank(slasher);
        staking.slash(miner, 0.1e18, epoch, 0, address(0), 0);
        staking.withdraw(miner, epoch, alice);
        assertEq(cai.balanceOf(alice), 90e18);
        assertEq(staking.assetsOf(miner, bob), 90e18);
    }

    /// What is held is a sum: the end of one dispute frees nothing of another, in the same epoch or beside it.
    function test_regression_overlappingDisputesUnfreezeNothing() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = _hold(miner, 0.1e18);
        _hold(miner, 0.1e18);
        _nextEpoch(1);
        _hold(miner, 0.1e18);
        _nextEpoch(2);
        _release(miner, 0.1e18, epoch);
        assertEq(staking.heldFraction(miner, epoch), 0.2e18);
        vm.prank(slasher);
        staking.slash(miner, 0.1e18, epoch, 0, address(0), 0);
        assertEq(staking.heldFraction(miner, epoch), 0.1e18);
        vm.prank(slasher);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotHeld.selector, miner, epoch, 0, 0.1e18));
        staking.release(miner, 0.1e18, epoch);
        assertEq(staking.heldFraction(miner, epoch), 0.1e18);
        vm.prank(alice);
        assertEq(staking.withdraw(miner, epoch, alice), 81e18);
    }

    /// One hold is good for one slash: else more could be taken than was held back, from money that others have drawn or own.
    function test_regression_oneHoldSlashedManyTimes() public {
        _delegate(coordinator, bob, 100e18);
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = _hold(miner, 0.1e18);
        _nextEpoch(3);
        vm.prank(alice);
        assertEq(staking.withdraw(miner, epoch, alice), 90e18);
        for (uint256 i; i < 7; ++i) {
            vm.prank(slasher);
            staking.slash(miner, 0.1e18, epoch, 0, address(0), 0);
        }
        (uint256 assets,) = staking.bucket(miner, epoch);
        assertEq(assets, 0);
        assertEq(staking.withdraw(miner, epoch, alice), 0);
        uint256 next = staking.currentEpoch();
        _undelegate(coordinator, bob, 100e18 * FIRST);
        _nextEpoch(3);
        assertEq(staking.withdraw(coordinator, next, bob), 100e18, "another pool's money is there");
        assertEq(cai.balanceOf(address(staking)), 0);
    }

    /// A slasher that never decides, or is gone, freezes nothing for ever.
    function test_regression_anAbsentArbiterFreezesNothingForEver() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = _hold(miner, 0.5e18);
        _hold(miner, 0.25e18);
        vm.prank(timelock);
        staking.retireSlasher(slasher);
        _nextEpoch(3);
        vm.prank(alice);
        assertEq(staking.withdraw(miner, epoch, alice), 25e18);
        _nextEpoch(2);
        assertEq(staking.withdraw(miner, epoch, alice), 75e18);
    }

    /// A challenge an epoch, for ever: a quarter leaves at maturity, the rest by the end of those that opened before it.
    function test_regression_rollingChallengesDoNotFreezeVoters() public {
        _delegate(miner, alice, 100e18);
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 100e18 * FIRST);
        for (uint256 e; e < 3; ++e) {
            _hold(miner, 0.5e18);
            _hold(miner, 0.5e18);
            _nextEpoch(1);
        }
        vm.prank(alice);
        assertEq(staking.withdraw(miner, epoch, alice), 25e18);
        for (uint256 e = 3; e < 7; ++e) {
            _hold(miner, 0.5e18);
            _hold(miner, 0.5e18);
            _nextEpoch(1);
        }
        assertEq(staking.currentEpoch(), epoch + 7);
        assertEq(staking.heldFraction(miner, epoch), 0);
        assertEq(staking.withdraw(miner, epoch, alice), 75e18);
    }

    /// A slasher that was called off before it ever was active has no rights later.
    function test_regression_aSlasherCalledOffBeforeItWasActive() public {
        _delegate(miner, alice, 100e18);
        vm.startPrank(timelock);
        staking.proposeSlasher(carol);
        vm.warp(block.timestamp + 3 * EPOCH);
        staking.retireSlasher(carol);
        vm.stopPrank();
        vm.warp(block.timestamp + EPOCH);
        uint256 epoch = staking.currentEpoch();
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, carol));
        staking.slash(miner, 0.5e18, epoch, 0, carol, type(uint256).max);
    }

    /// Slashing oneself for the reward, in whatever parts and with whatever votes behind, never pays.
    function test_regression_slashingOneselfForTheReward() public {
        _delegate(miner, miner, 100_000e18);
        _delegate(miner, alice, 10_000_000e18);
        _undelegate(miner, miner, 50_000e18 * FIRST);
        uint256 epoch = _hold(miner, 0.2e18);
        _nextEpoch(3);
        vm.prank(miner);
        uint256 drawn = staking.withdraw(miner, epoch, miner);
        uint256 before = staking.assetsOf(miner, miner) + staking.bucketAssetsOf(miner, epoch, miner);
        vm.prank(slasher);
        staking.slash(miner, 0.2e18, epoch, 0, miner, type(uint256).max);
        _slash(miner, 0.5e18, miner, type(uint256).max);
        uint256 lost = before - staking.assetsOf(miner, miner) - staking.bucketAssetsOf(miner, epoch, miner);
        uint256 gained = cai.balanceOf(miner) - drawn;
        assertGt(gained, 0);
        assertLe(2 * gained, lost);
    }

    /// Weight and rewards end with jail and retirement, and do not come back for the time between.
    function test_regression_rewardsOfTheTimeInJail() public {
        _registerMiner(30_000e18);
        _registerCoordinator(3_000_000e18);
        _fundRewards(PERIODS_FUNDS);
        vm.prank(address(payments));
        staking.jail(miner, 100 days);
        vm.warp(block.timestamp + 100 days);
        vm.prank(miner);
        staking.unjail();
        assertEq(staking.pendingRewards(miner), 0);
        assertApproxEqAbs(staking.accrue(coordinator), 100 days * 1e18, 1e12);
        assertEq(staking.accrue(miner), 0);
    }
}
