// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

contract WeightTest is BaseTest {
    function test_isThePoolUpToTenTimesOwnStake() public {
        _registerMiner(20_001e18);
        assertEq(staking.weightOf(miner), 20_001e18);
        _delegate(miner, alice, 100_000e18);
        assertEq(staking.weightOf(miner), 120_001e18);
        _delegate(miner, bob, 1_000_000e18);
        assertEq(staking.weightOf(miner), 200_010e18);
        assertEq(staking.totalWeight(Role.Miner), 200_010e18);
        // More skin of its own counts tenfold.
        _delegate(miner, miner, 1e18);
        assertEq(staking.weightOf(miner), 200_020e18);
    }

    function test_needsStrictlyMoreThanTheMinimum() public {
        _registerMiner(20_000e18 + 1);
        assertEq(staking.weightOf(miner), 20_000e18 + 1);
        _undelegate(miner, miner, FIRST);
        assertEq(staking.assetsOf(miner, miner), 20_000e18);
        assertEq(staking.weightOf(miner), 0);
        _delegate(miner, miner, 1);
        assertEq(staking.weightOf(miner), 20_000e18 + 1);
    }

    function test_ofOneWithoutARoleIsNothing() public {
        _delegate(miner, miner, 10_000_000e18);
        assertEq(staking.weightOf(miner), 0);
        assertEq(staking.totalWeight(Role.None), 0);
    }

    function test_totalsAreARolesOwn() public {
        _registerMiner(30_000e18);
        _registerCoordinator(3_000_000e18);
        assertEq(staking.totalWeight(Role.Miner), 30_000e18);
        assertEq(staking.totalWeight(Role.Coordinator), 3_000_000e18);
        assertEq(staking.totalWeight(Role.None), 0);
    }

    function test_aSlashLowersIt() public {
        _registerMiner(100_000e18);
        _slash(miner, 0.5e18);
        assertEq(staking.weightOf(miner), 50_000e18);
        _slash(miner, 0.25e18);
        _nextEpoch(1);
        _slash(miner, 0.5e18);
        assertEq(staking.weightOf(miner), 0, "own stake fell under the minimum");
        assertEq(staking.totalWeight(Role.Miner), 0);
    }

    function test_historyHoldsWhatStoodWhenAnEpochBegan() public {
        uint256 epoch = staking.currentEpoch();
        _registerMiner(30_000e18);
        _delegate(miner, alice, 1000e18);
        assertEq(staking.weightAt(miner, epoch), 0, "changes count from the next epoch on");
        _nextEpoch(1);
        assertEq(staking.weightAt(miner, epoch + 1), 31_000e18);
        _delegate(miner, alice, 1000e18);
        assertEq(staking.weightAt(miner, epoch + 1), 31_000e18);
        _nextEpoch(5);
        _slash(miner, 0.1e18);
        assertEq(staking.weightAt(miner, epoch + 2), 32_000e18);
        assertEq(staking.weightAt(miner, epoch + 6), 32_000e18);
        _nextEpoch(1);
        assertEq(staking.weightAt(miner, epoch + 7), 28_800e18);
        assertEq(staking.totalWeightAt(Role.Miner, epoch + 7), 28_800e18);
        assertEq(staking.totalWeightAt(Role.Miner, epoch + 1), 31_000e18);
        assertEq(staking.weightAt(miner, 0), 0);
        assertEq(staking.totalWeightAt(Role.Miner, 0), 0);
    }

    function test_historyOfTheFutureIsUnknown() public {
        uint256 epoch = staking.currentEpoch();
        vm.expectRevert(abi.encodeWithSelector(IStaking.FutureEpoch.selector, epoch + 1, epoch));
        staking.weightAt(miner, epoch + 1);
        vm.expectRevert(abi.encodeWithSelector(IStaking.FutureEpoch.selector, epoch + 1, epoch));
        staking.totalWeightAt(Role.Miner, epoch + 1);
    }

    /// Any order of changes and pauses: the last epochs are remembered, older ones are refused, never told wrong.
    function testFuzz_history(uint64[20] memory votes, uint8[20] memory gaps, uint256 ask) public {
        _registerMiner(30_000e18);
        uint256 first = staking.currentEpoch();
        uint256[] memory expected = new uint256[](20 * 4 + 2);
        uint256[] memory changes = new uint256[](20 * 4 + 2);
        // The registration.
        changes[0] = 1;
        uint256 known = first;
        for (uint256 i; i < 20; ++i) {
            uint256 weight = staking.weightOf(miner);
            _nextEpoch(gaps[i] % 5);
            for (; known < staking.currentEpoch(); ++known) {
                expected[known + 1 - first] = weight;
            }
            _delegate(miner, alice, uint256(votes[i]) + 1);
            changes[staking.currentEpoch() - first] = 1;
        }
        uint256 current = staking.currentEpoch();
        ask = bound(ask, first, current);
        uint256 since;
        for (uint256 e = ask; e <= current; ++e) {
            since += changes[e - first];
        }
        // What stood when `ask` began was put away by the first change after it, and each later one puts away another.
        if (since <= 8) {
            assertEq(staking.weightAt(miner, ask), expected[ask - first]);
            assertEq(staking.totalWeightAt(Role.Miner, ask), expected[ask - first]);
        } else {
            _expectForgotten(ask);
        }
    }

    function _expectForgotten(uint256 epoch) internal {
        vm.expectRevert(abi.encodeWithSelector(IStaking.ForgottenEpoch.selector, epoch));
        staking.weightAt(miner, epoch);
        vm.expectRevert(abi.encodeWithSelector(IStaking.ForgottenEpoch.selector, epoch));
        staking.totalWeightAt(Role.Miner, epoch);
    }

    /// Changes in nine epochs: the ring's eight words hold the last eight, and what stood before them is refused.
    function test_historyForgetsWhatIsOlderThanTheRing() public {
        uint256 first = staking.currentEpoch();
        _registerMiner(30_000e18);
        for (uint256 i = 1; i <= 8; ++i) {
            _nextEpoch(1);
            _delegate(miner, alice, 1e18);
            // The first word is of before the first change: nothing. It goes at the ninth.
            if (i < 8) assertEq(staking.weightAt(miner, first), 0);
        }
        _expectForgotten(first);
        for (uint256 i = 1; i <= 8; ++i) {
            assertEq(staking.weightAt(miner, first + i), 29_999e18 + i * 1e18);
            assertEq(staking.totalWeightAt(Role.Miner, first + i), 29_999e18 + i * 1e18);
        }
        // Without changes nothing is forgotten, however long ago.
        _nextEpoch(100);
        assertEq(staking.weightAt(miner, first + 1), 30_000e18);
        assertEq(staking.weightAt(miner, first + 50), 30_008e18);
        _delegate(miner, alice, 1e18);
        _expectForgotten(first + 1);
        assertEq(staking.weightAt(miner, first + 2), 30_001e18);
    }

    function test_historyOfTotalsKeepsTheRolesApart() public {
        uint256 first = staking.currentEpoch();
        _registerMiner(30_000e18);
        _nextEpoch(1);
        _registerCoordinator(3_000_000e18);
        _nextEpoch(1);
        _delegate(miner, alice, 1e18);
        _nextEpoch(1);
        assertEq(staking.totalWeightAt(Role.Miner, first), 0);
        assertEq(staking.totalWeightAt(Role.Coordinator, first + 1), 0);
        assertEq(staking.totalWeightAt(Role.Miner, first + 1), 30_000e18);
        assertEq(staking.totalWeightAt(Role.Coordinator, first + 2), 3_000_000e18);
        assertEq(staking.totalWeightAt(Role.Miner, first + 2), 30_000e18);
        assertEq(staking.totalWeightAt(Role.Miner, first + 3), 30_001e18);
        for (uint256 i; i < 4; ++i) {
            assertEq(staking.totalWeightAt(Role.None, first + i), 0);
        }
    }

    function test_historyInTheFirstEpochsOfAChain() public {
        vm.warp(1);
        staking = IStaking(_deployStaking(address(this), address(payments), _parameters(), new address[](0)));
        _delegate(miner, miner, 30_000e18);
        staking.setRole(miner, Role.Miner, true);
        assertEq(staking.weightAt(miner, 0), 0);
        assertEq(staking.totalWeightAt(Role.Miner, 0), 0);
        vm.warp(EPOCH);
        assertEq(staking.weightAt(miner, 1), 30_000e18);
        _delegate(miner, alice, 1e18);
        assertEq(staking.weightAt(miner, 0), 0);
        assertEq(staking.weightAt(miner, 1), 30_000e18);
        assertEq(staking.totalWeightAt(Role.Miner, 1), 30_000e18);
    }

    function test_historySeesJailsAndRetirements() public {
        uint256 first = staking.currentEpoch();
        _registerMiner(30_000e18);
        _nextEpoch(1);
        vm.prank(address(payments));
        staking.jail(miner, 1);
        _nextEpoch(1);
        assertEq(staking.weightAt(miner, first + 1), 30_000e18);
        assertEq(staking.weightAt(miner, first + 2), 0);
        vm.prank(miner);
        staking.unjail();
        vm.prank(miner);
        registry.retire();
        _nextEpoch(1);
        assertEq(staking.weightAt(miner, first + 2), 0);
        assertEq(staking.weightAt(miner, first + 3), 0);
        assertEq(staking.totalWeightAt(Role.Miner, first + 1), 30_000e18);
        assertEq(staking.totalWeightAt(Role.Miner, first + 3), 0);
    }

    /// Rewards count as weight once a verb has added them, and the history with them.
    function test_rewardsCountOnceTheyAreAdded() public {
        uint256 first = staking.currentEpoch();
        _registerMiner(30_000e18);
        _fundRewards(REWARD_PERIOD * 1e18);
        _nextEpoch(2);
        assertEq(staking.weightOf(miner), 30_000e18);
        staking.accrue(miner);
        uint256 weight = staking.weightOf(miner);
        assertGt(weight, 30_000e18 + 2 * EPOCH * 1e18 - 1e9);
        assertEq(staking.weightAt(miner, first + 2), 30_000e18);
        _nextEpoch(1);
        assertEq(staking.weightAt(miner, first + 3), weight);
    }
}
