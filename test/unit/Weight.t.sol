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

    /// Many epochs, found again by binary search.
    function testFuzz_history(uint64[20] memory votes, uint8[20] memory gaps, uint256 ask) public {
        _registerMiner(30_000e18);
        uint256 first = staking.currentEpoch();
        uint256[] memory expected = new uint256[](20 * 4 + 2);
        uint256 known = first;
        for (uint256 i; i < 20; ++i) {
            uint256 weight = staking.weightOf(miner);
            _nextEpoch(gaps[i] % 5);
            for (; known < staking.currentEpoch(); ++known) {
                expected[known + 1 - first] = weight;
            }
            _delegate(miner, alice, uint256(votes[i]) + 1);
        }
        ask = bound(ask, first, staking.currentEpoch());
        assertEq(staking.weightAt(miner, ask), expected[ask - first]);
        assertEq(staking.totalWeightAt(Role.Miner, ask), expected[ask - first]);
    }
}
