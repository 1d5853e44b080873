// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

contract AccrueTest is BaseTest {
    uint256 internal constant PERIODS_FUNDS = REWARD_PERIOD * 1e18;
    /// Of 2^-48 of the weight at each reckoning.
    uint256 internal constant DUST = 1e8;

    function setUp() public override {
        super.setUp();
        _registerMiner(30_000e18);
        _fundRewards(PERIODS_FUNDS);
    }

    function test_addsWhatTheStreamOwes() public {
        vm.warp(block.timestamp + 3000);
        uint256 owed = staking.pendingRewards(miner);
        assertApproxEqAbs(owed, 3000e18, DUST);
        uint256 assets = 30_000e18 + owed;
        vm.expectEmit(address(staking));
        emit IStaking.Rewarded(miner, owed, 0, assets, 30_000e18 * FIRST, assets);
        // Anybody may call.
        vm.prank(carol);
        assertEq(staking.accrue(miner), owed);
        assertEq(staking.pendingRewards(miner), 0);
        assertEq(staking.weightOf(miner), assets, "rewards count as weight");
        assertEq(staking.totalWeight(Role.Miner), assets);
        vm.recordLogs();
        assertEq(staking.accrue(miner), 0, "once only");
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_viewsIncludeWhatIsOwed() public {
        _delegate(miner, alice, 10_000e18);
        vm.prank(miner);
        staking.setCommission(0.1e18);
        vm.warp(block.timestamp + EPOCH);
        staking.applyCommission(miner);
        vm.warp(block.timestamp + 4000);
        uint256[5] memory before = _views();
        staking.accrue(miner);
        uint256[5] memory then = _views();
        for (uint256 i; i < 5; ++i) {
            assertEq(before[i], then[i]);
        }
        assertGt(staking.assetsOf(miner, alice), 10_000e18);
    }

    function _views() internal view returns (uint256[5] memory v) {
        (v[0], v[1]) = staking.pool(miner);
        v[2] = staking.sharesOf(miner, miner);
        v[3] = staking.assetsOf(miner, miner);
        v[4] = staking.assetsOf(miner, alice);
    }

    function test_isSplitByWeightOverBothRoles() public {
        _registerCoordinator(2_970_000e18);
        staking.accrue(miner);
        vm.warp(block.timestamp + 1000);
        assertApproxEqAbs(staking.accrue(miner), 10e18, DUST);
        assertApproxEqAbs(staking.accrue(coordinator), 990e18, DUST * 100);
    }

    function test_votesBeyondTenTimesOwnStakeEarnNothing() public {
        _registerCoordinator(3_000_000e18);
        // The miner's weight: 300,000 of its 630,000.
        _delegate(miner, alice, 600_000e18);
        vm.warp(block.timestamp + 3300);
        assertApproxEqAbs(staking.accrue(miner), 300e18, DUST * 100);
        assertApproxEqAbs(staking.accrue(coordinator), 3000e18, DUST * 100);
    }

    function test_ofOneWithoutWeightIsNothing() public {
        _delegate(carol, carol, 100_000e18);
        vm.warp(block.timestamp + 1000);
        assertEq(staking.pendingRewards(carol), 0);
        vm.recordLogs();
        assertEq(staking.accrue(carol), 0);
        assertEq(vm.getRecordedLogs().length, 0);
        assertApproxEqAbs(staking.accrue(miner), 1000e18, DUST);
    }

    function test_endsWithThePeriod() public {
        vm.warp(block.timestamp + REWARD_PERIOD);
        assertApproxEqAbs(staking.accrue(miner), PERIODS_FUNDS, 1e12);
        vm.warp(block.timestamp + 1000 days);
        assertEq(staking.accrue(miner), 0);
        assertLe(staking.assetsOf(miner, miner), 30_000e18 + PERIODS_FUNDS);
    }

    /// Each way in which weight goes to nothing and comes back: what flowed between is others'.
    function test_ofTheTimeWithoutWeightIsNothing() public {
        _registerCoordinator(3_000_000e18);
        vm.prank(address(payments));
        staking.jail(miner, 100);
        _passUnpaid();
        vm.prank(miner);
        staking.unjail();
        assertEq(staking.accrue(miner), 0, "jail");

        vm.prank(miner);
        registry.retire();
        _passUnpaid();
        // The node is known, but its consent is asked for again.
        bytes memory consent = _consent(miner, minerNode, minerKey);
        vm.prank(miner);
        registry.register(Role.Miner, minerNode, "", "", consent);
        assertEq(staking.accrue(miner), 0, "retire");

        _undelegate(miner, miner, 10_000e18 * FIRST);
        assertEq(staking.weightOf(miner), 0);
        uint256 epoch = staking.currentEpoch();
        _passUnpaid();
        _cancel(miner, miner, epoch);
        assertGt(staking.weightOf(miner), 0);
        assertEq(staking.accrue(miner), 0, "under the minimum");

        _undelegate(miner, miner, 10_000e18 * FIRST);
        _passUnpaid();
        _delegate(miner, miner, 10_000e18);
        assertEq(staking.accrue(miner), 0, "under the minimum, fresh stake");
        vm.warp(block.timestamp + 100);
        assertGt(staking.accrue(miner), 0);
    }

    function _passUnpaid() internal {
        vm.warp(block.timestamp + 1000);
        assertEq(staking.pendingRewards(miner), 0);
        assertEq(staking.accrue(miner), 0);
        vm.warp(block.timestamp + 1000);
    }

    function test_aNewRoleEarnsFromThenOn() public {
        // The Registry never asks for it.
        _delegate(miner, miner, 3_000_000e18);
        vm.warp(block.timestamp + 1000);
        vm.prank(address(registry));
        staking.setRole(miner, Role.Coordinator, true);
        assertApproxEqAbs(staking.assetsOf(miner, miner), 3_031_000e18, DUST * 1000);
        assertEq(staking.pendingRewards(miner), 0);
        vm.warp(block.timestamp + 1000);
        assertApproxEqAbs(staking.accrue(miner), 1000e18, DUST * 1000);
    }

    /// What is paid is at most rate x time, whoever comes, goes and calls in between, and all but dust of it.
    function testFuzz_neverMoreThanFlowed(uint256[6] memory gaps, uint256[6] memory votes, uint8[6] memory acts)
        public
    {
        _registerCoordinator(3_000_000e18);
        staking.accrue(miner);
        (uint256 paidBefore,) = staking.pool(miner);
        uint256 begin = block.timestamp;
        uint256 deposited;
        for (uint256 i; i < 6; ++i) {
            vm.warp(block.timestamp + bound(gaps[i], 1, 30 days));
            if (acts[i] % 3 == 0) {
                uint256 vote = bound(votes[i], 1, 1e24);
                _delegate(miner, alice, vote);
                deposited += vote;
            } else if (acts[i] % 3 == 1) {
                staking.accrue(miner);
            } else {
                staking.accrue(coordinator);
            }
        }
        staking.accrue(miner);
        staking.accrue(coordinator);
        (uint256 minerAssets,) = staking.pool(miner);
        (uint256 coordinatorAssets,) = staking.pool(coordinator);
        uint256 paid = minerAssets + coordinatorAssets - paidBefore - 3_000_000e18 - deposited;
        uint256 flowed = (block.timestamp - begin) * 1e18;
        assertLe(paid, flowed);
        assertGe(paid + 20 * DUST * 1000, flowed);
    }
}
